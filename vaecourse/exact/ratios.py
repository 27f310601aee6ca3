r"""The law of the ratio :math:`r = q(z, \psi) / (\tau(\psi|z)\, q(z))` of a Gaussian mean mixture, in any dimension.

Where tau is wider than the posterior, log r falls with the square of a distance in psi, whose law is noncentral
chi-square: one integral is left, whatever the dimension, and ``WeightLaw`` takes it from there: its ``lower`` and
``upper`` are then E[L_K] and E[U_K], in nats from log q(z). Source of the bounds: arXiv 1905.03290, section 3.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.exact.mean_mixture import MeanMixture
from vaecourse.exact.weights import WeightLaw


class Ratio(NamedTuple):
    r"""log r = ``top - bend d^2``: d is the distance of eps from a point, where :math:`\psi = a z + s \epsilon`.

    With tau = N(a z, s^2 I), t = s^2, and the posterior N(b z, v I), complete the square:

    .. math:: \log r = \frac{D}{2} \log \frac tv + \frac{|\psi - a z|^2}{2 t} - \frac{|\psi - b z|^2}{2 v}
              = \frac D2 \left( \log \frac tv + \frac{\delta^2}{t - v} \right) - \frac{t - v}{2 v}\, d^2, \qquad
              d = \left| \epsilon - \frac{(b - a) z\, s}{t - v} \right|

    with every z_d alike and :math:`\delta = (b - a) z_d`. Under tau eps is standard normal and the point is ``away``
    from 0; under the posterior eps has the standard deviation ``narrow``, and its mean is ``posterior_away`` from it.
    """

    dim: int
    top: float
    bend: float
    away: float
    posterior_away: float
    narrow: float

    @classmethod
    def of(cls, law: MeanMixture, z: float, slope: float, std: float) -> Ratio:
        """At z_d = z in every dimension, for tau = N(slope z, std^2 I). Raises ``ValueError`` unless tau is wider than
        the posterior.

        >>> bounds = Ratio.of(MeanMixture(50), z=1.0, slope=0.4, std=1.2).law()
        >>> round(bounds.upper(0).item(), 4), round(bounds.lower(1).item(), 4)  # both are KLs
        (6.3613, -10.3053)
        """
        t, v = arguments.scale("std", std) ** 2, law.std**2
        offset = abs(law.slope - arguments.number("slope", slope)) * arguments.number("z", z)
        if t <= v:
            raise ValueError(f"std must be above the posterior's {law.std:g}, got {std:g}.")
        top = law.dim * (0.5 * math.log(t / v) + offset**2 / (2 * (t - v)))
        away = math.sqrt(law.dim) * offset * std / (t - v)
        return cls(law.dim, top, (t - v) / (2 * v), away, away * v / t, math.sqrt(v / t))

    def on_a_grid(self, panel: float = 0.25) -> tuple[Tensor, Tensor]:
        r"""log r, and the mass of tau, at Gauss-Legendre points of the distance d. Shapes: ``2 x [N]``.

        d is noncentral chi: with :math:`\nu = D / 2 - 1` and :math:`\lambda` = ``away`` its density is

        .. math:: d \left( \frac d\lambda \right)^\nu e^{-(d^2 + \lambda^2) / 2}\, I_\nu(\lambda d)
        """
        from scipy.special import ive  # 0.3 s that an import of ``exact`` need not take

        order, away = 0.5 * self.dim - 1, max(self.away, 1e-6)
        low, high = max(0.0, self.posterior_away - 9), self.away + math.sqrt(self.dim) + 9
        nodes, weights = np.polynomial.legendre.leggauss(16)
        panels = math.ceil((high - low) / panel)
        width = (high - low) / panels
        d = (low + width * (np.arange(panels)[:, None] + 0.5 * (nodes + 1))).flatten()
        log_density = -0.5 * (d - away) ** 2 + (order + 1) * np.log(d) - order * math.log(away)
        log_density += np.log(np.maximum(ive(order, away * d), 1e-300))  # ive is I times e to the minus away d
        mass = np.exp(log_density) * np.tile(0.5 * width * weights, panels)
        return self.top - self.bend * torch.from_numpy(d**2), torch.from_numpy(mass)

    def law(self) -> WeightLaw:
        """E[U_K] and E[L_K] for every K, to five digits: log r spans hundreds of nats, and is walked in long steps."""
        return WeightLaw(*self.on_a_grid(), step=0.5, reach=32.0, both=True)

    def draws(self, along: Tensor, across: Tensor) -> Tensor:
        """log r of psi_0, from the posterior, and of psi_1 ... psi_K, from tau: what the bounds of one run are made of.

        ``along`` is a standard normal number, for the way to the point, and ``across`` the squared length of dim - 1
        others, for each psi. Shapes: ``[K + 1, ...], [K + 1, ...] -> [K + 1, ...]``, psi_0 first.
        """
        first = (self.posterior_away - self.narrow * along[:1]).square() + self.narrow**2 * across[:1]
        others = (self.away - along[1:]).square() + across[1:]
        return self.top - self.bend * torch.cat([first, others])


def learning_path(law: MeanMixture, steps: int, learning_rate: float = 0.02) -> list[tuple[float, float]]:
    r"""(slope, std) of tau = N(slope z, std^2) after 0, 1, ..., ``steps`` exact gradient steps from the prior.

    They go down, in slope and log std, the mean of U_0 over z, the bound of HVM: but for a constant and per dimension

    .. math:: E[-\log \tau(\psi|z)] = \log t + \frac{s^2 - 2 a s^2 + a^2 (s^2 + r^2)}{2 t^2}

    where s is the law's spread, r its noise, a the slope and t the standard deviation of tau.

    >>> [round(number, 3) for number in learning_path(MeanMixture(1), steps=60)[-1]]
    [0.73, 1.217]
    """
    s2, r2 = law.spread**2, law.noise**2
    slope, log_std, path = 0.0, math.log(law.spread), []
    for _ in range(arguments.count("steps", steps, at_least=0) + 1):
        path.append((slope, math.exp(log_std)))
        t2 = math.exp(2 * log_std)
        residual = s2 - 2 * slope * s2 + slope**2 * (s2 + r2)
        gradients = (slope * (s2 + r2) - s2) / t2, 1 - residual / t2
        slope, log_std = slope - learning_rate * gradients[0], log_std - learning_rate * gradients[1]
    return path
