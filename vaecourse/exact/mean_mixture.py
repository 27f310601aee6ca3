r"""A Gaussian with a Gaussian mean: a hierarchical law of which everything is known, the bounds' rate included.

.. math:: \psi_d \sim N(0, s^2), \quad z_d | \psi_d \sim N(\psi_d, r^2)
          \quad\Rightarrow\quad q(z) = N(0, (s^2 + r^2) I), \quad
          q(\psi | z) = N\!\left( \tfrac{s^2}{s^2 + r^2} z, \tfrac{s^2 r^2}{s^2 + r^2} I \right)

Everything is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaecourse import arguments


class MeanMixture:
    """The law in ``dim`` dimensions: psi of standard deviation ``spread``, z about psi of standard deviation ``noise``.

    >>> law = MeanMixture(2, spread=2.0, noise=1.0)
    >>> law.slope, round(law.std, 4)  # of the posterior, N(slope z, std^2)
    (0.8, 0.8944)
    """

    def __init__(self, dim: int, spread: float = 2.0, noise: float = 1.0) -> None:
        self.dim = arguments.count("dim", dim)
        self.spread = arguments.scale("spread", spread)
        self.noise = arguments.scale("noise", noise)

    @property
    def slope(self) -> float:
        """The posterior's mean is ``slope * z``."""
        return self.spread**2 / (self.spread**2 + self.noise**2)

    @property
    def std(self) -> float:
        """The posterior's standard deviation."""
        return self.noise * math.sqrt(self.slope)

    def log_prob(self, z: Tensor) -> Tensor:
        """Exact log q(z), psi integrated out. Shapes: ``[..., dim] -> [...]``."""
        return _log_normal(self._vectors("z", z), 0.0, math.hypot(self.spread, self.noise))

    def entropy(self) -> float:
        """Exact -E log q(z)."""
        return self.dim * (0.5 * math.log(2 * math.pi * math.e) + math.log(math.hypot(self.spread, self.noise)))

    def log_mixing(self, psi: Tensor) -> Tensor:
        """log q(psi). Shapes: ``[..., dim] -> [...]``."""
        return _log_normal(self._vectors("psi", psi), 0.0, self.spread)

    def log_conditional(self, z: Tensor, psi: Tensor) -> Tensor:
        """log q(z | psi). Shapes: ``[..., dim], [..., dim] -> [...]``."""
        arguments.broadcast("psi", self._vectors("psi", psi), "z", self._vectors("z", z))
        return _log_normal(z, psi, self.noise)

    def log_posterior(self, psi: Tensor, z: Tensor) -> Tensor:
        """Exact log q(psi | z). Shapes: ``[..., dim], [..., dim] -> [...]``."""
        arguments.broadcast("psi", self._vectors("psi", psi), "z", self._vectors("z", z))
        return _log_normal(psi, self.slope * z, self.std)

    def sample_mixing(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Draws of q(psi): ``[*shape, dim]``."""
        return self.spread * torch.randn(*arguments.counts("shape", shape, at_least=0), self.dim, generator=generator)

    def sample_posterior(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K exact draws of q(psi | z) for every z. Shapes: ``[..., dim] -> [K, ..., dim]``."""
        shape = arguments.count("K", K), *self._vectors("z", z).shape
        eps = torch.randn(shape, generator=generator, dtype=z.dtype, device=z.device)
        return self.slope * z + self.std * eps

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n draws of (z, psi): 2 x ``[n, dim]``."""
        psi = self.sample_mixing((arguments.count("n", n),), generator)
        return psi + self.noise * torch.randn(psi.shape, generator=generator), psi

    def chi_squared(self, z: Tensor, slope: float, std: float) -> Tensor:
        r"""Exact :math:`\chi^2(q(\psi|z) \| \tau)` for tau = N(slope z, std^2 I): the rate of both bounds at this z.

        With :math:`v` the posterior's variance, :math:`t` = std^2 and :math:`\delta` the distance of the means:

        .. math:: 1 + \chi^2 = \prod_d \frac{t}{\sqrt{v (2 t - v)}} \, e^{\delta_d^2 / (2 t - v)}

        infinite unless 2 t > v. Shapes: ``[..., dim] -> [...]``.
        """
        t, v = arguments.scale("std", std) ** 2, self.std**2
        slope = arguments.number("slope", slope) - self.slope
        if 2 * t <= v:
            return torch.full_like(self._vectors("z", z)[..., 0], math.inf)
        offset = (slope * self._vectors("z", z)).square().sum(-1)
        return (self.dim * math.log(t / math.sqrt(v * (2 * t - v))) + offset / (2 * t - v)).expm1()

    def _vectors(self, name: str, value: Tensor) -> Tensor:
        return arguments.vectors(name, value, self.dim)


def _log_normal(x: Tensor, mean: Tensor | float, std: float) -> Tensor:
    """The log-density of N(mean, std^2 I). Shapes: ``[..., dim] -> [...]``."""
    return (-0.5 * ((x - mean) / std).square() - math.log(std) - 0.5 * math.log(2 * math.pi)).sum(-1)
