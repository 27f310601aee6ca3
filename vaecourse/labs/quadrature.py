r"""Exact expectations over K importance samples, as integrals over one noise variable: no sample is drawn.

For one-dimensional cases. A law of weights is given on a grid: log w ``[N]`` and the mass of q at each point ``[N]``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaecourse import exact

AT_A_TIME = 50  # points t: of arrays of a megabyte or more, what is freed is seldom given back to the system


def log_weights_on_a_grid(case: exact.Case, points: int = 601) -> tuple[Tensor, Tensor]:
    """log w on a grid of standard noise, and the mass of q at each grid point, for a one-dimensional case.

    The grid covers nine standard deviations of q, and more where the posterior is wider. Shapes: ``[N], [N]``.
    """
    eps = noise_grid(case, points)
    z = (case.mean + case.std * eps[:, None])[:, None]  # [N, 1, 1]
    log_q = -0.5 * eps.square() - 0.5 * math.log(2 * math.pi) - case.std.log().squeeze()
    mass = (-0.5 * eps.square()).exp() / math.sqrt(2 * math.pi) * (eps[1] - eps[0])
    return case.model.log_joint(case.x, z)[:, 0] - log_q, mass


def noise_grid(case: exact.Case, points: int = 601) -> Tensor:
    """The grid of standard noise of ``log_weights_on_a_grid``. Shapes: ``-> [N]``."""
    wider = max(1.0, (case.model.covariance.sqrt() / case.std).item())
    reach = min(9.0 * wider, 30.0)
    return torch.linspace(-reach, reach, points, dtype=torch.float64)


class WeightLaw:
    r"""The law of one weight w of mean E[w], given on a grid, and two exact statements about K draws from it.

    Both rest on its Laplace transform :math:`\varphi(t) = E\, e^{-t w / E[w]}`, which is computed once.
    Shapes: ``[N], [N]``.
    """

    def __init__(self, log_w: Tensor, mass: Tensor) -> None:
        self.mass = mass
        self.log_mean = (log_w + mass.log()).logsumexp(0)
        self.log_w = log_w - self.log_mean
        self.log_t, self.step = log_grid(self.log_w[mass > 1e-15])  # rarer weights change nothing
        self.log_phi = log_laplace(self.log_w, mass, self.log_t)  # [T]

    def expected_log_mean(self, K: Sequence[int]) -> Tensor:
        r"""Exact :math:`E[\log \frac1K \sum_k w_k]`, for every K that is asked for.

        .. math:: E \log S = \int_0^\infty \left( e^{-t} - E\, e^{-tS} \right) \frac{dt}{t}, \qquad
                  E\, e^{-tS} = \varphi(t / K)^K

        a Frullani integral; the trapezoidal rule in log t converges exponentially. Shapes: ``J numbers -> [J]``.
        """
        integrals = [((-(self.log_t + math.log(k)).exp()).exp() - (k * self.log_phi).exp()).sum() for k in K]
        return self.log_mean + torch.stack(integrals) * self.step

    def implied_posterior(self, K: int) -> Tensor:
        r"""The mass, on the grid, of one z picked from K draws of q with the probabilities :math:`\tilde w`.

        .. math:: q_{IW}(z) = q(z)\, w(z)\, E\left[ \frac{K}{w(z) + \sum_{k=2}^K w_k} \right]
                  = q(z)\, K \int_0^\infty w(z)\, e^{-t w(z)} \varphi(t)^{K-1} dt

        with w in units of E[w]. Shapes: ``-> [N]``. Source: arXiv 1704.02916, where it is called q_EW.
        """
        exponent = self.log_w[:, None] + self.log_t  # [N, T], log of t w(z)
        others = (K - 1) * self.log_phi if K > 1 else 0.0  # 0 times -inf is nan
        integrand = (exponent - exponent.exp() + others).exp()
        return self.mass * K * integrand.sum(1) * self.step


def expected_log_mean(log_w: Tensor, mass: Tensor, K: Sequence[int]) -> Tensor:
    """Exact E of log-mean-exp of K log-weights, as ``WeightLaw`` says. Shapes: ``[N], [N], J numbers -> [J]``."""
    return WeightLaw(log_w, mass).expected_log_mean(K)


def implied_posterior(log_w: Tensor, mass: Tensor, K: int) -> Tensor:
    """The mass of one z picked from K by its weight, as ``WeightLaw`` says. Shapes: ``[N], [N] -> [N]``."""
    return WeightLaw(log_w, mass).implied_posterior(K)


def log_grid(log_w: Tensor) -> tuple[Tensor, float]:
    """Where exp(-t w) leaves 1 and reaches 0: from the largest weight to the smallest, each with room."""
    step = 0.25
    low, high = -max(log_w.max().item(), 0.0) - 45.0, -min(log_w.min().item(), 0.0) + 6.0
    return torch.arange(low, high, step, dtype=torch.float64), step


def log_laplace(log_w: Tensor, mass: Tensor, log_t: Tensor) -> Tensor:
    """log E exp(-t w) at each t. Shapes: ``[N], [N], [T] -> [T]``."""
    exponents = ((some[:, None] + log_w).clamp(max=7) for some in log_t.split(AT_A_TIME))
    lost = torch.cat([-torch.expm1(-some.exp()) @ mass for some in exponents])  # 1 - E exp(-t w), exact when it is tiny
    return torch.log1p(-lost.clamp(max=1 - 1e-300))


def expected_upper(log_w: Tensor, mass: Tensor, K: int) -> float:
    r"""Exact :math:`U_K = E \log \frac{1}{K+1} \sum_{k=0}^K w_k` with z_0 from the posterior and the others from q.

    The Frullani integral of ``WeightLaw.expected_log_mean`` with one factor taken under the posterior.
    Shapes: ``[N], [N]`` -> a number.
    """
    top = (log_w + mass.log()).logsumexp(0)
    log_t, step = log_grid(log_w - top)
    posterior = (log_w + mass.log()).softmax(0)
    log_t = torch.cat([log_t, log_t[-1] + step * torch.arange(1, 61)])
    by_q, by_posterior = (log_laplace(log_w - top, m, log_t) for m in (mass, posterior))
    others = K * by_q if K else 0.0  # 0 times -inf is nan
    integrand = (-((log_t + math.log(K + 1)).exp())).exp() - (others + by_posterior).exp()
    return (top + integrand.sum() * step).item()
