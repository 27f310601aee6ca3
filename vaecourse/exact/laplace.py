r"""A hierarchical distribution whose marginal is known: the Laplace law as a Gaussian whose variance is exponential.

.. math:: \psi_d \sim \mathrm{Exp}(\text{rate } \tfrac12), \quad z_d | \psi_d \sim N(0, \psi_d)
          \quad\Rightarrow\quad q(z) = \prod_d \tfrac12 e^{-|z_d|}

psi is a *variance*, and 1/2 is a *rate*. Source: arXiv 1905.03290, section 6.1. Everything is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Exponential, Laplace

from vaecourse import arguments


class LaplaceMixture:
    """The Laplace law in ``dim`` dimensions, with its mixing variable in the open.

    >>> round(LaplaceMixture(50).entropy(), 3)
    84.657
    """

    def __init__(self, dim: int) -> None:
        self.dim = arguments.count("dim", dim)

    def log_prob(self, z: Tensor) -> Tensor:
        """Exact log q(z), psi integrated out. Shapes: ``[..., dim] -> [...]``."""
        z = self._vectors("z", z)
        return Laplace(z.new_zeros(()), 1.0).log_prob(z).sum(-1)

    def entropy(self) -> float:
        """Exact -E log q(z) = dim (1 + log 2)."""
        return self.dim * (1 + math.log(2))

    def log_mixing(self, psi: Tensor) -> Tensor:
        """log q(psi). Shapes: ``[..., dim] -> [...]``."""
        psi = self._variances(psi)
        return Exponential(psi.new_tensor(0.5)).log_prob(psi).sum(-1)

    def log_conditional(self, z: Tensor, psi: Tensor) -> Tensor:
        """log q(z | psi). Shapes: ``[..., dim], [..., dim] -> [...]``."""
        arguments.broadcast("psi", self._variances(psi), "z", self._vectors("z", z))
        return -0.5 * (z.square() / psi + psi.log() + math.log(2 * math.pi)).sum(-1)

    def sample_mixing(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Draws of q(psi): ``[*shape, dim]``."""
        shape = arguments.counts("shape", shape, at_least=0)
        uniform = torch.rand(*shape, self.dim, generator=generator)  # it may be 0: no variance
        return -2 * uniform.clamp_min(torch.finfo(uniform.dtype).tiny).neg().log1p()  # the inverse cdf

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n draws of (z, psi): 2 x ``[n, dim]``."""
        psi = self.sample_mixing((arguments.count("n", n),), generator)
        return psi.sqrt() * torch.randn(psi.shape, generator=generator), psi

    def log_posterior(self, psi: Tensor, z: Tensor) -> Tensor:
        """Exact log q(psi | z), by Bayes' rule. Shapes: ``[..., dim], [..., dim] -> [...]``."""
        return self.log_mixing(psi) + self.log_conditional(z, psi) - self.log_prob(z)

    def sample_posterior(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        r"""K exact draws of q(psi | z) for every z: 1 / psi is inverse Gaussian of mean 1 / abs(z) and shape 1.

        A root of the quadratic :math:`\psi^2 - (2 |z| + y^2) \psi + z^2 = 0` with :math:`y \sim N(0, 1)`; the
        larger one is taken with the probability psi / (psi + abs(z)).

        Shapes: ``[..., dim] -> [K, ..., dim]``. Source: Michael, Schucany and Haas 1976.
        """
        shape = arguments.count("K", K), *self._vectors("z", z).shape
        y = torch.randn(shape, generator=generator, dtype=z.dtype, device=z.device)
        pick = torch.rand(shape, generator=generator, dtype=z.dtype, device=z.device)
        half, size = 0.5 * y.square(), z.abs()
        large = size + half + (half * (2 * size + half)).sqrt()
        return torch.where(pick * (large + size) < large, large, size.square() / large)

    def _vectors(self, name: str, value: Tensor) -> Tensor:
        return arguments.vectors(name, value, self.dim)

    def _variances(self, psi: Tensor) -> Tensor:
        if arguments.is_concrete(self._vectors("psi", psi)) and not (psi > 0).all():
            raise ValueError(f"psi, a variance, must be above 0, got {float(psi.min()):g}.")
        return psi
