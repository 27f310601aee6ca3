r"""Bounds on log p(x): one-line reducers of log-weights ``[M, K, B] -> [B]``, in nats.

``log_w[m, k, b] = log p(x_b, z_mkb) - log q(z_mkb | x_b)`` with ``z_mkb ~ q(. | x_b)``: M independent estimates of
K importance samples each, for B data points. A weight of zero is ``-inf``.

Every function raises ``TypeError`` if ``log_w`` is not a floating-point tensor, and ``ValueError`` if it is not
``[M, K, B]`` or contains NaN.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from vaecourse import arguments


def elbo(log_w: Tensor) -> Tensor:
    r"""The evidence lower bound, from all M K samples.

    .. math:: \mathrm{ELBO} = \frac{1}{MK} \sum_{m,k} \log w_{mk}, \qquad \log p(x) - E[\mathrm{ELBO}] = KL(q \| p(z|x))

    Shapes: ``[M, K, B] -> [B]``. Source: arXiv 1312.6114, eq. 2-3.

    >>> elbo(torch.tensor([[[0.0], [2.0]]]))
    tensor([1.])
    """
    return arguments.log_weights(log_w).mean((0, 1))


def iwae(log_w: Tensor) -> Tensor:
    r"""The importance-weighted bound, all M K samples pooled under one logarithm.

    .. math:: L_{MK} = \log \frac{1}{MK} \sum_{m,k} w_{mk}

    Shapes: ``[M, K, B] -> [B]``. Source: arXiv 1509.00519, eq. 8.

    >>> iwae(torch.tensor([[[0.0], [math.log(3.0)]]]))  # log of the mean of 1 and 3
    tensor([0.6931])
    """
    pooled = arguments.log_weights(log_w).flatten(0, 1)  # [MK, B]
    return pooled.logsumexp(0) - math.log(len(pooled))


def miwae(log_w: Tensor) -> Tensor:
    r"""The mean of M importance-weighted bounds of K samples each. Its expectation is L_K whatever M is.

    .. math:: \frac{1}{M} \sum_m \log \frac{1}{K} \sum_k w_{mk}

    Shapes: ``[M, K, B] -> [B]``. Source: arXiv 1802.04537, "New estimators" (not Mattei and Frellsen's missing-data
    MIWAE).

    >>> miwae(torch.tensor([[[0.0], [math.log(3.0)]], [[0.0], [0.0]]]))  # the mean of log 2 and log 1
    tensor([0.3466])
    """
    K = arguments.log_weights(log_w).shape[1]
    return (log_w.logsumexp(1) - math.log(K)).mean(0)


def ciwae(log_w: Tensor, beta: float) -> Tensor:
    r"""A convex combination of the ELBO and MIWAE.

    .. math:: \beta\, \mathrm{ELBO} + (1 - \beta)\, \mathrm{MIWAE}

    Shapes: ``[M, K, B] -> [B]``. Raises ``ValueError`` unless 0 <= beta <= 1. Source: arXiv 1802.04537,
    "New estimators".

    >>> ciwae(torch.tensor([[[0.0], [math.log(3.0)]]]), beta=1.0)  # beta = 1 is the ELBO
    tensor([0.5493])
    """
    beta = arguments.number("beta", beta, 0.0, 1.0)
    if arguments.log_weights(log_w).new_tensor(beta) in (0, 1):  # at its ends a bound has no say, not even by -inf
        return elbo(log_w) if beta > 0.5 else miwae(log_w)
    return beta * elbo(log_w) + (1 - beta) * miwae(log_w)


def vr_iwae(log_w: Tensor, alpha: float) -> Tensor:
    r"""The variational Renyi bound with importance weights: IWAE at alpha = 0, the ELBO as alpha -> 1.

    .. math:: \frac{1}{M} \sum_m \frac{1}{1 - \alpha} \log \frac{1}{K} \sum_k w_{mk}^{1 - \alpha}

    Shapes: ``[M, K, B] -> [B]``. Raises ``ValueError`` unless 0 <= alpha <= 1. Source: arXiv 2210.06226; with an
    expectation in place of the mean over K it is the VR bound of arXiv 1602.02311.

    >>> vr_iwae(torch.tensor([[[0.0], [math.log(3.0)]]]), alpha=0.0)
    tensor([0.6931])
    """
    alpha = arguments.number("alpha", alpha, 0.0, 1.0)
    if alpha == 1.0:
        return elbo(log_w)
    top = arguments.log_weights(log_w).detach().amax(1, keepdim=True).clamp_min(torch.finfo(log_w.dtype).min)
    # expm1 and log1p leave no rounding for 1 / (1 - alpha) to magnify
    tilted = torch.expm1((1 - alpha) * (log_w - top)).mean(1)
    return (top.squeeze(1) + torch.log1p(tilted) / (1 - alpha)).mean(0)


def jackknife(log_w: Tensor, order: int) -> Tensor:
    r"""The generalised jackknife of L_K: bias O(K^-(order + 1)), and no longer a bound. Order 0 is MIWAE.

    .. math:: \sum_{j=0}^{m} c(K, m, j)\, \bar L_{K - j}, \qquad c(K, m, j) = (-1)^j \frac{(K - j)^m}{(m - j)!\, j!}

    where :math:`\bar L_{K-j}` is the mean of the bound over all subsets of K - j samples, and the result is the mean
    over M. The cost grows with the number of subsets, K choose ``order``.

    Shapes: ``[M, K, B] -> [B]``. Raises ``ValueError`` unless 0 <= order < K. Source: Nowozin 2018 (ICLR,
    openreview HyZoi-WRb); the coefficients are Sharot's, 1976.

    >>> jackknife(torch.zeros(3, 5, 2), order=2)
    tensor([0., 0.])
    """
    K = arguments.log_weights(log_w).shape[1]
    value = torch.zeros_like(log_w[:, 0])  # [M, B]
    for j, coefficient in enumerate(jackknife_coefficients(K, order)):
        value = value + coefficient * _mean_over_subsets(log_w, j)
    return value.mean(0)


def jackknife_coefficients(K: int, order: int) -> list[float]:
    r"""The coefficients c(K, m, j) of ``jackknife`` for j = 0 .. m; they add up to one.

    .. math:: c(K, m, j) = (-1)^j \frac{(K - j)^m}{(m - j)!\, j!}

    Raises ``ValueError`` unless 0 <= order < K. Source: as ``jackknife``.

    >>> jackknife_coefficients(8, order=1)
    [8.0, -7.0]
    """
    if arguments.count("order", order, at_least=0) >= arguments.count("K", K):
        raise ValueError(f"order must be below the number of samples K = {K}, got {order}.")
    factorials = [math.factorial(order - j) * math.factorial(j) for j in range(order + 1)]
    return [(-1) ** j * (K - j) ** order / factorials[j] for j in range(order + 1)]


def effective_sample_size(log_w: Tensor) -> Tensor:
    r"""How many equally weighted samples the K weights are worth: K if all are equal, 1 if one dominates.

    .. math:: \mathrm{ESS} = \frac{(\sum_k w_k)^2}{\sum_k w_k^2} \in [1, K]

    Shapes: ``[M, K, B] -> [M, B]``. Source: Kong 1992.

    >>> effective_sample_size(torch.zeros(1, 4, 1))
    tensor([[4.]])
    """
    log_w = arguments.log_weights(log_w)
    return (2 * log_w.logsumexp(1) - (2 * log_w).logsumexp(1)).exp()


def _mean_over_subsets(log_w: Tensor, left_out: int) -> Tensor:
    """The mean of log-mean-exp over all subsets of K - left_out of the K samples: [M, K, B] -> [M, B].

    A subset is the K samples without ``left_out`` of them, hence ``left_out + 1`` runs of neighbours. ``run[a, b]``,
    the log-sum-exp of the samples a <= k < b, is computed once; only additions occur, so nothing cancels.
    """
    M, K, B = log_w.shape
    run = log_w.new_full((K + 1, K + 1, M, B), -math.inf)
    for a in range(K):
        run[a, a + 1 :] = log_w[:, a:].logcumsumexp(1).movedim(1, 0)
    total = torch.zeros_like(log_w[:, 0])
    subsets = itertools.combinations(range(K), left_out)
    while some := list(itertools.islice(subsets, max(1, 2**22 // (M * B)))):
        gone = torch.tensor(some, dtype=torch.long, device=log_w.device).reshape(len(some), left_out)
        edge = gone.new_full((len(some), 1), K)
        start = torch.cat([edge * 0, gone + 1], 1)  # [S, left_out + 1]
        stop = torch.cat([gone, edge], 1)
        total = total + (run[start, stop].logsumexp(1) - math.log(K - left_out)).sum(0)
    return total / math.comb(K, left_out)
