r"""A hierarchical distribution whose marginal is known: the Laplace law as a Gaussian whose variance is exponential.

.. math:: \psi_d \sim \mathrm{Exp}(\text{rate } \tfrac12), \quad z_d | \psi_d \sim N(0, \psi_d)
          \quad\Rightarrow\quad q(z) = \prod_d \tfrac12 e^{-|z_d|}

psi is a *variance*, and 1/2 is a *rate*. Source: arXiv 1905.03290, section 6.1. Everything is in nats.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Exponential, Laplace, Normal

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
        return Laplace(z.new_zeros(()), 1.0).log_prob(z).sum(-1)

    def entropy(self) -> float:
        """Exact -E log q(z) = dim (1 + log 2)."""
        return self.dim * (1 + math.log(2))

    def log_mixing(self, psi: Tensor) -> Tensor:
        """log q(psi). Shapes: ``[..., dim] -> [...]``."""
        return Exponential(psi.new_tensor(0.5)).log_prob(psi).sum(-1)

    def log_conditional(self, z: Tensor, psi: Tensor) -> Tensor:
        """log q(z | psi). Shapes: ``[..., dim], [..., dim] -> [...]``."""
        return Normal(0.0, psi.sqrt()).log_prob(z).sum(-1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n draws of (z, psi): 2 x ``[n, dim]``."""
        psi = -2 * torch.rand(arguments.count("n", n), self.dim, generator=generator).neg().log1p()  # the inverse cdf
        return psi.sqrt() * torch.randn(psi.shape, generator=generator), psi
