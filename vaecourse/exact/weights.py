r"""The law of one importance weight, and what it says about K of them: no sample is drawn.

For one data point and one latent dimension. A law is given on a grid of q's noise: log w ``[N]`` and the mass of q at
each point ``[N]``. All expectations over K independent weights then rest on one function, its Laplace transform

.. math:: \varphi(t) = E\, e^{-t w}, \qquad E\, e^{-t \sum_k w_k} = \varphi(t)^K

as a logarithm, a reciprocal and a power of the sum are integrals of :math:`e^{-t S}` over t. In log t the trapezoidal
rule converges exponentially. Everything is in nats.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse import arguments
from vaecourse.exact.case import Case

AT_A_TIME = 50  # points t: of arrays of a megabyte or more, what is freed is seldom given back to the system
RARE = 1e-15  # a mass below this changes nothing
EULER = 0.5772156649015329


def log_weights(case: Case, eps: Tensor) -> Tensor:
    """log w at z = mean + std eps. Everything is Gaussian, so it is a parabola in eps, which three points give.

    Shapes: as ``eps``, any. Raises ``ValueError`` unless the case is one data point with one latent dimension.
    """
    a, b, c = parabola(case)
    return (c * eps + b) * eps + a


def parabola(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    r"""The numbers of :math:`\log w = a + b \epsilon + c \epsilon^2`. Raises as ``log_weights`` does."""
    if case.mean.numel() != 1 or case.std.numel() != 1 or len(case.x) != 1:
        raise ValueError(
            f"case must be one data point with one latent dimension, got x {list(case.x.shape)}, "
            f"mean {list(case.mean.shape)} and std {list(case.std.shape)}."
        )
    a, b, c = parabolas(case)
    return a[0], b[0], c[0]


def parabolas(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """The same for B data points or B q's: ``[B]`` each. Raises ``ValueError`` unless z has one dimension."""
    if case.mean.shape[1] != 1:
        raise ValueError(f"case must have one latent dimension, got mean {list(case.mean.shape)}.")
    z = case.mean + case.std * torch.tensor([-1.0, 0.0, 1.0], dtype=case.mean.dtype)[:, None, None]  # [3, B, 1]
    log_q = Normal(case.mean, case.std).log_prob(z).sum(-1)
    left, middle, right = case.model.log_joint(case.x, z) - log_q  # [B]
    return middle, (right - left) / 2, (right + left) / 2 - middle


def noise_grid(case: Case, points: int = 601) -> Tensor:
    """A grid of standard noise: nine standard deviations of q, and more where the posterior is wider. ``-> [N]``.

    Raises ``ValueError`` where the points are further apart than the posterior's standard deviation: q is too wide.
    """
    wider = (case.model.covariance.sqrt() / case.std).item()
    reach = min(9.0 * max(1.0, wider), 30.0)
    if (needed := math.ceil(2 * reach / wider) + 1) > points:
        raise ValueError(
            f"points must be at least {needed} for a q {1 / wider:g} times as wide as the posterior, got {points}."
        )
    return torch.linspace(-reach, reach, points, dtype=torch.float64)


def noise_mass(eps: Tensor) -> Tensor:
    """The standard normal's mass at each point of an even grid. Shapes: ``[N] -> [N]``."""
    return (-0.5 * eps.square()).exp() / math.sqrt(2 * math.pi) * (eps[1] - eps[0])


class Transforms(NamedTuple):
    """Logarithms of Laplace transforms ``[T, ...]`` on a grid of log t with its volumes, ``[T]`` each."""

    log_t: Tensor
    volume: Tensor
    log_phi: Tensor


class WeightLaw:
    r"""The law of a weight w on a grid, and exact expectations over K independent draws of it, for any K.

    Arguments:
        log_w, mass: ``[N]`` each. ``WeightLaw.of(case)`` takes them from an exact model and its q.
        step: of the integrals, in log t.
        reach: a way in log t that is longer than this is walked in growing steps: see ``log_grid``.
        both: take what ``lower`` and ``upper`` need at once; without it the one does not wait for the other.

    With :math:`r = w / E[w]`, and :math:`\varphi_q, \varphi_p` its Laplace transforms under q and under the posterior,
    whose mass is that of q times r. Raises ``ValueError`` for shapes that differ, and for a mass below zero.

    >>> from vaecourse.exact import reference
    >>> law = WeightLaw.of(reference(torch.float64))
    >>> [round(bound.item(), 3) for bound in (law.lower(1), law.lower(64), law.log_mean, law.upper(64), law.upper(0))]
    [-2.356, -1.752, -1.746, -1.741, -1.376]
    """

    def __init__(
        self, log_w: Tensor, mass: Tensor, step: float = 0.25, reach: float = math.inf, both: bool = False
    ) -> None:
        log_w, self.mass = on_a_grid(log_w, mass)
        self.log_mean = (log_w + self.mass.log()).logsumexp(0)  # log E[w]: of a model, log p(x)
        self.on_grid = self.log_mean  # what it is without what lies beyond the ends
        self.log_w = log_w - self.log_mean
        self._walk = step, reach
        self._both = both

    @classmethod
    def of(cls, case: Case, points: int = 601) -> WeightLaw:
        """The law of w under the q of a one-dimensional case, on ``noise_grid``.

        Raises ``ValueError`` as that does. Where q is so narrow, or so far off, that the grid has a thousandth of the
        posterior or more beyond its ends, q itself is whole there, and with it ``lower``; what asks the posterior,
        ``posterior`` and ``upper``, raises ``ValueError``, and ``log_mean`` is that of log p(x) and not of the grid.
        """
        eps = noise_grid(case, points)
        law = cls(log_weights(case, eps), noise_mass(eps))
        law.on_grid, law.log_mean = law.log_mean, case.model.log_likelihood(case.x)[0].double().detach()
        return law

    @cached_property
    def posterior(self) -> Tensor:
        """The mass of the posterior at each point: ``[N]``."""
        if not abs(self.log_mean - self.on_grid) < 1e-3:
            raise ValueError(
                "the posterior must lie on the grid of q's noise, got a q so narrow, or so far from it, that "
                f"{1 - (self.on_grid - self.log_mean).exp():.2g} of it lies beyond the ends."
            )
        return (self.log_w + self.mass.log()).exp()

    @cached_property
    def _under_q(self) -> Transforms:
        return self._under_both if self._both else self._transforms(self.mass)

    @cached_property
    def _under_both(self) -> Transforms:
        return self._transforms(self.mass, self.posterior)

    def _transforms(self, *masses: Tensor) -> Transforms:
        """Of the law under each of these masses, on a grid of t that does for all of them."""
        stacked = torch.stack(masses, 1)  # [N, ...]
        seen = (stacked > RARE).any(1)
        log_t, volume = log_grid(self.log_w[seen], *self._walk)
        return Transforms(log_t, volume, log_laplace(self.log_w[seen], stacked[seen], log_t))

    def lower(self, K: int) -> Tensor:
        r"""Exact :math:`E[L_K] = E[\log \frac1K \sum_k w_k]`, all K draws from q.

        .. math:: E \log S = \int_0^\infty \left( e^{-t} - E\, e^{-tS} \right) \frac{dt}{t}, \qquad
                  E\, e^{-tS} = \varphi_q(t / K)^K

        a Frullani integral. A scalar. Raises ``ValueError`` for K < 1.
        """
        of = self._under_q
        return self._log_mean(arguments.count("K", K), of, K * of.log_phi[:, 0])

    def upper(self, K: int) -> Tensor:
        r"""Exact :math:`E[U_K] = E[\log \frac{1}{K+1} \sum_{k=0}^K w_k]`, z_0 from the posterior, the others from q.

        As ``lower``, with :math:`E\, e^{-tS} = \varphi_p(t / (K+1))\, \varphi_q(t / (K+1))^K`.
        A scalar. Raises ``ValueError`` for K < 0.
        """
        of = self._under_both
        by_q, by_posterior = of.log_phi.unbind(1)
        return self._log_mean(arguments.count("K", K, at_least=0) + 1, of, power(by_q, K) + by_posterior)

    def variance(self, K: int) -> Tensor:
        r"""Exact variance of :math:`\log \frac1K \sum_k w_k`, all K draws from q.

        For :math:`T = X / S` with X exponential, :math:`P(T > t) = E\, e^{-tS}`, and :math:`\log T = \log X - \log S`
        is a sum of two independent terms. With :math:`D_n = \int (2 \log t)^n (E\, e^{-tS} - e^{-Kt})\, d \log t`, the
        difference from a sum that is K for certain, and Euler's :math:`\gamma`,

        .. math:: \mathrm{Var} \log S = D_1 + 2 (\gamma + \log K) D_0 - D_0^2

        A scalar. Raises ``ValueError`` for K < 1.

        >>> from vaecourse.exact import reference
        >>> law = WeightLaw.of(reference(torch.float64))
        >>> [round(law.variance(K).item(), 5) for K in (1, 64)]
        [2.01859, 0.01124]
        """
        of = self._under_q
        more = (arguments.count("K", K) * of.log_phi[:, 0]).exp() - (-(of.log_t + math.log(K)).exp()).exp()
        zeroth, first = more @ of.volume, 2 * (more * of.log_t) @ of.volume
        return first + 2 * (EULER + math.log(K)) * zeroth - zeroth**2

    def implied_posterior(self, K: int) -> Tensor:
        r"""The mass, on the grid, of one z picked from K draws of q with the probabilities :math:`\tilde w`.

        .. math:: q_{IW}(z) = q(z)\, r(z)\, E\left[ \frac{K}{r(z) + \sum_{k=2}^K r_k} \right]
                  = q(z)\, K \int_0^\infty r(z)\, e^{-t r(z)} \varphi_q(t)^{K-1} dt

        as :math:`1 / S = \int e^{-tS} dt`. Shapes: ``-> [N]``. Source: arXiv 1704.02916, where it is called q_EW.
        """
        of = self._under_q
        exponent = self.log_w[:, None] + of.log_t  # [N, T], log of t r(z)
        integrand = (exponent - exponent.exp() + power(of.log_phi[:, 0], arguments.count("K", K) - 1)).exp()
        return self.mass * K * (integrand @ of.volume)

    def picked_kl(self, K: int) -> Tensor:
        r"""KL from the law of one z picked from K by weight to the posterior, whose mass is that of q times r.

        Between 0 and log E[w] - E[L_K]. A scalar. Source: arXiv 1704.02916, and 1808.09034 for the inequality.
        """
        picked = self.implied_posterior(K)
        here = picked > RARE  # what is rarer has lost its digits, and adds nothing
        return (picked[here] * (picked.log() - self.mass.log() - self.log_w)[here]).sum()

    def _log_mean(self, n: int, of: Transforms, log_transform: Tensor) -> Tensor:
        """E of the log of the mean of n weights, from the log of their sum's Laplace transform ``[T]``."""
        scaled = (-(of.log_t + math.log(n)).exp()).exp()
        return self.on_grid + (scaled - log_transform.exp()) @ of.volume


def on_a_grid(log_w: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """(log w, mass) in float64, if they are a law on a grid: ``[N]`` each."""
    for name, value in {"log_w": log_w, "mass": mass}.items():
        arguments.tensor(name, value, "N")
    if log_w.shape != mass.shape:
        raise ValueError(f"mass must have the shape of log_w, {list(log_w.shape)}, got {list(mass.shape)}.")
    if (mass < 0).any():
        raise ValueError(f"mass must not be negative, got {float(mass.min()):g} among its entries.")
    return arguments.in_float64(log_w), arguments.in_float64(mass)


def log_grid(log_w: Tensor, step: float = 0.25, reach: float = math.inf) -> tuple[Tensor, Tensor]:
    r"""Points in log t and their volumes, from where :math:`e^{-tw}` leaves 1 for the largest weight to where it is 0
    for the smallest: 2 x ``[T]``.

    They are ``step`` apart. If the way is longer than ``reach``, they move apart past some 15, as there only the spread
    of small weights counts: quick, and good for five digits.
    """
    low, high = -max(log_w.max().item(), 0.0) - 45.0, -min(log_w.min().item(), 0.0) + 6.0
    stretch, bend = max(0.0, (high - low) / reach - 1), 5.0
    s = torch.arange(low, high, step, dtype=torch.float64)
    log_t = s + stretch * bend * torch.nn.functional.softplus((s - 15) / bend)
    inside = log_t <= high
    return log_t[inside], step * (1 + stretch * ((s - 15) / bend).sigmoid())[inside]


def log_laplace(log_w: Tensor, masses: Tensor, log_t: Tensor) -> Tensor:
    """log E exp(-t w) at each t, for one law or for several on the same grid. ``[N], [N, ...], [T] -> [T, ...]``."""
    exponents = ((some[:, None] + log_w).clamp(max=7) for some in log_t.split(AT_A_TIME))
    lost = torch.cat([-torch.expm1(-some.exp()) @ masses for some in exponents])  # 1 - E exp(-t w), exact when tiny
    return torch.log1p(-lost.clamp(max=1 - 1e-16))  # finite, so that a power of 0 is 1


def power(log_transform: Tensor, n: int) -> Tensor:
    """The log of a Laplace transform to the power n: of a sum of n weights, and of none it is 0."""
    return n * log_transform if n else torch.zeros_like(log_transform)
