r"""Lab "03.iwae": K importance samples under one logarithm, against the exact expectation of that bound."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaecourse import bounds, exact

# The exact expectation -----------------------------------------------------------------------------------------------


def log_weights_on_a_grid(case: exact.Case, points: int = 1601, reach: float = 16.0) -> tuple[Tensor, Tensor]:
    """log w on a grid of standard noise, and the mass of q at each grid point, for a one-dimensional case.

    Shapes: ``[N], [N]``, with N = ``points``; the grid covers -reach to reach standard deviations of q.
    """
    eps = torch.linspace(-reach, reach, points, dtype=torch.float64)
    z = (case.mean + case.std * eps[:, None])[:, None]  # [N, 1, 1]
    log_q = -0.5 * eps.square() - 0.5 * math.log(2 * math.pi) - case.std.log().squeeze()
    mass = (-0.5 * eps.square()).exp() / math.sqrt(2 * math.pi) * (eps[1] - eps[0])
    return case.model.log_joint(case.x, z)[:, 0] - log_q, mass


def expected_log_mean(log_w: Tensor, mass: Tensor, K: Sequence[int]) -> Tensor:
    r"""Exact :math:`E[\log \frac1K \sum_k w_k]` for independent weights with a known distribution.

    .. math:: E \log S = \int_0^\infty \left( e^{-t} - E\, e^{-tS} \right) \frac{dt}{t}, \qquad
              E\, e^{-tS} = \left( E\, e^{-t w / K} \right)^K

    a Frullani integral; the trapezoidal rule in log t converges exponentially. Shapes: ``[N], [N], J numbers -> [J]``.
    """
    top = (log_w + mass.log()).logsumexp(0)  # log E[w]: the bound is computed relative to it
    log_t, step = _log_grid(log_w - top)
    log_phi = _log_laplace(log_w - top, mass, log_t)  # [T], log E exp(-s w / E[w]) at s = exp(log_t)
    integrals = [((-(log_t + math.log(k)).exp()).exp() - (k * log_phi).exp()).sum() * step for k in K]
    return top + torch.stack(integrals)


def implied_posterior(log_w: Tensor, mass: Tensor, K: int) -> Tensor:
    r"""The mass, on the grid, of one z picked from K draws of q with the probabilities :math:`\tilde w`.

    .. math:: q_{IW}(z) = q(z)\, w(z)\, E\left[ \frac{K}{w(z) + \sum_{k=2}^K w_k} \right]
              = q(z)\, K \int_0^\infty w(z)\, e^{-t w(z)} \left( E\, e^{-t w} \right)^{K-1} dt

    Shapes: ``[N], [N] -> [N]``. Source: arXiv 1704.02916, where it is called q_EW.
    """
    log_w = log_w - (log_w + mass.log()).logsumexp(0)
    log_t, step = _log_grid(log_w)
    log_phi = _log_laplace(log_w, mass, log_t)
    exponent = log_w[:, None] + log_t  # [N, T], log of t w(z)
    integrand = (exponent - exponent.exp() + (K - 1) * log_phi).exp()
    return mass * K * integrand.sum(1) * step


def _log_grid(log_w: Tensor) -> tuple[Tensor, float]:
    """Where exp(-t w) leaves 1 and reaches 0: from the largest weight to the smallest, each with room."""
    step = 0.25
    low, high = -max(log_w.max().item(), 0.0) - 45.0, -min(log_w.min().item(), 0.0) + 6.0
    return torch.arange(low, high, step, dtype=torch.float64), step


def _log_laplace(log_w: Tensor, mass: Tensor, log_t: Tensor) -> Tensor:
    """log E exp(-t w) at each t. Shapes: ``[N], [N], [T] -> [T]``."""
    lost = -torch.expm1(-(log_t[:, None] + log_w).clamp(max=7).exp()) @ mass  # 1 - E exp(-t w), exact when it is tiny
    return torch.log1p(-lost.clamp(max=1 - 1e-300))
