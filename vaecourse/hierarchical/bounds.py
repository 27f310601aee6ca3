r"""Bounds on log q(z): one-line reducers of log-ratios ``[K + 1, ...] -> [...]``, in nats.

``log_ratio[k] = log q(z, psi_k) - log tau(psi_k | z)``, where ``psi_0`` is the one that made z, hence a draw of
q(psi | z), and ``psi_1 ... psi_K`` are draws of tau(psi | z). A ratio of zero is ``-inf``.

Every function raises ``TypeError`` if ``log_ratio`` is not a floating-point tensor, and ``ValueError`` if it has no
axis, no entry, NaN or +inf.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.bounds import finite, jackknife_coefficients, log_mean, mean_over_subsets


def upper_bound(log_ratio: Tensor) -> Tensor:
    r"""The multisample upper bound: its expectation is at least log q(z), for every z.

    .. math:: U_K = \log \frac{1}{K + 1} \sum_{k=0}^K \frac{q(z, \psi_k)}{\tau(\psi_k | z)}, \qquad
              E[U_K] - \log q(z) = \frac{\chi^2(q(\psi|z) \| \tau)}{2 (K + 1)} + O(K^{-2})

    Shapes: ``[K + 1, ...] -> [...]``. Source: arXiv 1905.03290, section 3. K = 0 is the bound of HVM (1511.02386),
    tau = q(psi) that of SIVI (1805.11183).

    >>> upper_bound(torch.tensor([math.log(3.0), 0.0]))  # log of the mean of 3 and 1
    tensor(0.6931)
    """
    log_ratio = _checked(log_ratio)
    return log_mean(log_ratio, 0)


def lower_bound(log_ratio: Tensor) -> Tensor:
    r"""The lower bound from the same draws: psi_0, the one that made z, is left out.

    .. math:: L_K = \log \frac{1}{K} \sum_{k=1}^K \frac{q(z, \psi_k)}{\tau(\psi_k | z)}, \qquad
              \log q(z) - E[L_K] = \frac{\chi^2(q(\psi|z) \| \tau)}{2 K} + O(K^{-2})

    In place of log q(z) in an ELBO it *over*estimates the ELBO.

    Shapes: ``[K + 1, ...] -> [...]``. Raises ``ValueError`` if K = 0. Source: arXiv 1509.00519, eq. 8, with z for x.

    >>> lower_bound(torch.tensor([math.log(3.0), 0.0]))
    tensor(0.)
    """
    log_ratio = _checked(log_ratio, at_least=1)
    return log_mean(log_ratio[1:], 0)


def midpoint(log_ratio: Tensor) -> Tensor:
    r"""Half way between both bounds: the 1/K terms of their biases cancel, and it is a bound no longer.

    .. math:: \tfrac12 (U_K + L_K)

    Shapes: ``[K + 1, ...] -> [...]``. Raises ``ValueError`` if K = 0.

    >>> midpoint(torch.tensor([math.log(3.0), 0.0]))
    tensor(0.3466)
    """
    return (upper_bound(log_ratio) + lower_bound(log_ratio)) / 2


def jackknife(log_ratio: Tensor, order: int) -> Tensor:
    r"""The generalised jackknife of U_K: bias O(K^-(order + 1)), and no longer a bound. Order 0 is U_K.

    .. math:: \sum_{j=0}^{m} c(n, m, j)\, \bar U_{K - j}, \quad n = K + 1, \quad
              c(n, m, j) = (-1)^j \frac{(n - j)^m}{(m - j)!\, j!}

    where :math:`\bar U_{K-j}` is the mean of the bound over all subsets of psi_0 and K - j of the others: without
    psi_0 a subset would give a lower bound. The cost grows with the number of subsets, K choose ``order``.

    Shapes: ``[K + 1, ...] -> [...]``. Raises ``ValueError`` unless 0 <= order <= K, and where the ratio of psi_0 is 0
    and at most ``order`` of the others are above it: some subset then has the bound -inf, and of -inf times
    coefficients of both signs nothing is left that would estimate log q(z). Source: arXiv 1905.03290, section 4.2
    ("Debiasing"), after Nowozin 2018 (ICLR, openreview HyZoi-WRb).

    >>> jackknife(torch.full((5, 2), 3.0), order=2)
    tensor([3., 3.])
    """
    log_ratio = _checked(log_ratio)
    n = len(log_ratio)
    if arguments.count("order", order, at_least=0) >= n:
        raise ValueError(f"order must be at most K = {n - 1}, got {order}: each order leaves out one more of psi_1..K.")
    if order == 0:
        return log_mean(log_ratio, 0)
    _some_above_zero(log_ratio, order)
    exact = arguments.in_float64(log_ratio).reshape(1, n, -1)  # its coefficients cancel; [1, K + 1, B]
    top = exact.detach().amax(1, keepdim=True).clamp_min(torch.finfo(exact.dtype).min)
    above_zero = exact > -math.inf
    some = above_zero[:, :1] | (above_zero.sum(1, keepdim=True) > order)  # in every subset
    centred = torch.where(some, finite(exact - top), (exact - top).detach())
    coefficients = jackknife_coefficients(n, order)
    value = sum(c * mean_over_subsets(centred, j, fixed=1) for j, c in enumerate(coefficients))  # [1, B]
    return (top[0, 0] + value).view(log_ratio.shape[1:]).to(log_ratio)


def _some_above_zero(log_ratio: Tensor, order: int) -> None:
    """Refuse a psi_0 without a ratio above zero that has not more than ``order`` others with one."""
    if not arguments.is_concrete(log_ratio):
        return
    above = log_ratio[1:] > -math.inf
    if ((log_ratio[0] == -math.inf) & (above.sum(0) <= order)).any():
        raise arguments.NotFinite(
            f"log_ratio must have psi_0 or at least order + 1 = {order + 1} others above -inf for a jackknife of order "
            f"{order}, got a psi_0 at -inf with fewer: a subset without them has the bound -inf."
        )


def _checked(log_ratio: Tensor, at_least: int = 0) -> Tensor:
    """Return ``log_ratio`` if it is [K + 1, ...] with K >= at_least, without NaN or +inf."""
    rank = log_ratio.dim() if isinstance(log_ratio, Tensor) else 1
    if rank < 1:
        raise ValueError("log_ratio must have the shape [K + 1, ...], psi_0 first, got a scalar.")
    value = arguments.at_least_float32(arguments.tensor("log_ratio", log_ratio, ("K + 1", *["..."] * (rank - 1))))
    if len(value) <= at_least:
        raise ValueError(
            f"log_ratio must hold psi_0 and at least K = {at_least} draws of tau for this bound, "
            f"got {len(value)} row(s): K = {len(value) - 1}."
        )
    if arguments.is_concrete(value) and (value == math.inf).any():
        raise arguments.NotFinite("log_ratio contains +inf: tau(psi | z) must be positive wherever q(z, psi) is.")
    return value
