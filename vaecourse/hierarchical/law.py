"""What the bounds need of a hierarchical law q(z, psi), and of an inverse model tau(psi | z)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Law(Protocol):
    """q(z, psi) = q(psi) q(z | psi), with the context x, where there is one, bound already.

    Axes: anything, then L (of z) or P (of psi) at the end. The leading axes of z and psi broadcast.
    """

    def log_mixing(self, psi: Tensor) -> Tensor:
        """log q(psi). Shapes: ``[..., P] -> [...]``."""

    def log_conditional(self, z: Tensor, psi: Tensor) -> Tensor:
        """log q(z | psi). Shapes: ``[..., L], [..., P] -> [...]``."""

    def sample_mixing(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Draws of q(psi): ``[*shape, P]``. A context of batch B has B as the last entry of ``shape``."""


class SampledLaw(Law, Protocol):
    """A law that gives pairs, which learning and judging tau needs."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n draws of (z, psi). Shapes: ``[n, L], [n, P]``."""


class TractableLaw(Law, Protocol):
    """A law that knows its posterior q(psi | z)."""

    def log_posterior(self, psi: Tensor, z: Tensor) -> Tensor:
        """log q(psi | z). Shapes: ``[..., P], [..., L] -> [...]``."""

    def sample_posterior(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K draws of q(psi | z) for every z. Shapes: ``[..., L] -> [K, ..., P]``."""


class InverseModel(Protocol):
    """tau(psi | z): a guess at q(psi | z), the law of the psi that made z."""

    def sample(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K reparameterised draws for every z. Shapes: ``[..., L] -> [K, ..., P]``."""

    def log_prob(self, psi: Tensor, z: Tensor) -> Tensor:
        """log tau(psi | z). Shapes: ``[K, ..., P], [..., L] -> [K, ...]``."""


class LearnedInverse(InverseModel, Protocol):
    """A tau with parameters, as every ``nn.Module`` with the two methods above is."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What an optimizer turns."""
