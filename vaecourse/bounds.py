r"""Bounds on log p(x): one-line reducers of log-weights ``[M, K, B] -> [B]``, in nats.

``log_w[m, k, b] = log p(x_b, z_mkb) - log q(z_mkb | x_b)`` with ``z_mkb ~ q(. | x_b)``: M independent estimates of
K importance samples each, for B data points.

Types: what is float16 or bfloat16 is computed, and comes back, in float32; float32 and float64 stay what they are. The
type of ``log_w`` itself limits the answer: bfloat16 knows a weight of -90 nats to a quarter of a nat.

Weights of zero: ``-inf`` is a weight of zero, whose share of every gradient is zero. A bound is ``-inf`` where its
equation says so: the ELBO and CIWAE at a single such weight, IWAE where all M K weights of a point are zero, MIWAE and
VR-IWAE where all K of a group are. As 0 / 0 has no value, the shares w / (sum of w) of such a group are *defined* to be
zero, in the gradients as in ``shares``: the group says nothing, rather than NaN. No gradient is ever NaN.

Every function raises ``TypeError`` if ``log_w`` is not a floating-point tensor, and ``ValueError`` if it is not
``[M, K, B]`` or contains NaN or +inf.
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
    return log_mean(arguments.log_weights(log_w), (0, 1))


def miwae(log_w: Tensor) -> Tensor:
    r"""The mean of M importance-weighted bounds of K samples each. Its expectation is L_K whatever M is.

    .. math:: \frac{1}{M} \sum_m \log \frac{1}{K} \sum_k w_{mk}

    Shapes: ``[M, K, B] -> [B]``. Source: arXiv 1802.04537, "New estimators" (not Mattei and Frellsen's missing-data
    MIWAE).

    >>> miwae(torch.tensor([[[0.0], [math.log(3.0)]], [[0.0], [0.0]]]))  # the mean of log 2 and log 1
    tensor([0.3466])
    """
    return log_mean(arguments.log_weights(log_w), 1).mean(0)


def ciwae(log_w: Tensor, beta: float) -> Tensor:
    r"""A convex combination of the ELBO and MIWAE.

    .. math:: \beta\, \mathrm{ELBO} + (1 - \beta)\, \mathrm{MIWAE}

    Shapes: ``[M, K, B] -> [B]``. Raises ``ValueError`` unless 0 <= beta <= 1. Source: arXiv 1802.04537,
    "New estimators".

    >>> ciwae(torch.tensor([[[0.0], [math.log(3.0)]]]), beta=1.0)  # beta = 1 is the ELBO
    tensor([0.5493])
    """
    beta, log_w = arguments.number("beta", beta, 0.0, 1.0), arguments.log_weights(log_w)
    if beta < torch.finfo(log_w.dtype).tiny:  # a bound without a say has none, not even by 0 times -inf
        return log_mean(log_w, 1).mean(0)
    if beta == 1.0:
        return log_w.mean((0, 1))
    return beta * log_w.mean((0, 1)) + (1 - beta) * log_mean(log_w, 1).mean(0)


def vr_iwae(log_w: Tensor, alpha: float) -> Tensor:
    r"""The variational Renyi bound with importance weights: IWAE at alpha = 0, the ELBO as alpha -> 1.

    .. math:: \frac{1}{M} \sum_m \frac{1}{1 - \alpha} \log \frac{1}{K} \sum_k w_{mk}^{1 - \alpha}

    Shapes: ``[M, K, B] -> [B]``. Raises ``ValueError`` unless 0 <= alpha <= 1. Source: arXiv 2210.06226; with an
    expectation in place of the mean over K it is the VR bound of arXiv 1602.02311.

    >>> vr_iwae(torch.tensor([[[0.0], [math.log(3.0)]]]), alpha=0.0)
    tensor([0.6931])
    """
    alpha, log_w = arguments.number("alpha", alpha, 0.0, 1.0), arguments.log_weights(log_w)
    if alpha == 1.0:
        return log_w.mean((0, 1))
    return log_mean(log_w, 1, 1 - alpha).mean(0)


def jackknife(log_w: Tensor, order: int) -> Tensor:
    r"""The generalised jackknife of L_K: bias O(K^-(order + 1)), and no longer a bound. Order 0 is MIWAE.

    .. math:: \sum_{j=0}^{m} c(K, m, j)\, \bar L_{K - j}, \qquad c(K, m, j) = (-1)^j \frac{(K - j)^m}{(m - j)!\, j!}

    where :math:`\bar L_{K-j}` is the mean of the bound over all subsets of K - j samples, and the result is the mean
    over M. The cost grows with the number of subsets, K choose ``order``. As the coefficients grow like K^m / m! and
    cancel to one, all is computed in float64, whatever the type of ``log_w``.

    Shapes: ``[M, K, B] -> [B]``. Raises ``ValueError`` unless 0 <= order < K, and where a group of K weights has fewer
    than order + 1 above zero: some subset then has the bound -inf, and of -inf times coefficients of both signs nothing
    is left that would estimate log p(x). Source: Nowozin 2018 (ICLR, openreview HyZoi-WRb); the coefficients are
    Sharot's, 1976.

    >>> jackknife(torch.ones(3, 5, 2), order=2)
    tensor([1., 1.])
    """
    log_w = arguments.log_weights(log_w)
    coefficients = jackknife_coefficients(log_w.shape[1], order)
    if order == 0:
        return log_mean(log_w, 1).mean(0)
    exact = arguments.in_float64(_some_above_zero(log_w, order))
    top = _top(exact, 1)
    centred = finite(exact - top)
    value = sum(c * mean_over_subsets(centred, j) for j, c in enumerate(coefficients))  # [M, B]
    return (top.squeeze(1) + value).mean(0).to(log_w)


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

    It is 0 where all K weights are zero: such a group is worth no sample at all.
    Shapes: ``[M, K, B] -> [M, B]``. Source: Kong 1992.

    >>> effective_sample_size(torch.zeros(1, 4, 1))
    tensor([[4.]])
    """
    log_w = arguments.log_weights(log_w)
    w = (log_w - _top(log_w, 1)).exp()  # the largest is 1
    total, squares = w.sum(1), w.square().sum(1)
    empty = squares == 0
    ess = total.square() / squares.masked_fill(empty, 1.0)
    return ess.clamp(1, log_w.shape[1]).masked_fill(empty, 0.0)  # a sum of a million is not exact


def shares(log_w: Tensor, axes: int | tuple[int, ...] = 1, power: float = 1.0) -> Tensor:
    r"""Weights normalised over K, over M and K with ``axes=(0, 1)``: what every gradient of a bound is made of.

    .. math:: \frac{w_{mk}^t}{\sum_{k'} w_{mk'}^t}, \qquad t = \mathrm{power} > 0

    They add up to one, but for a group whose weights are all zero: its shares are zero.
    Shapes: ``[M, K, B] -> [M, K, B]``.

    >>> shares(torch.tensor([[[0.0], [math.log(3.0)]]])).flatten()
    tensor([0.2500, 0.7500])
    """
    log_w, power = arguments.log_weights(log_w), arguments.number("power", power, 0.0, open_low=True)
    w = (power * (log_w - _top(log_w, axes))).exp()
    total = w.sum(axes, keepdim=True)
    return w / total.masked_fill(total == 0, 1.0)


def _top(log_w: Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """The largest entry along ``axes``, which stay, without a gradient; a finite number if all are -inf."""
    return log_w.detach().amax(axes, keepdim=True).clamp_min(torch.finfo(log_w.dtype).min)


def log_mean(log_w: Tensor, axes: int | tuple[int, ...], power: float = 1.0) -> Tensor:
    r"""``(1 / t) log mean w^t`` along ``axes``, with t the power; -inf, with a gradient of zero, if every w is zero.

    The largest weight is taken out, so that value and gradient are as exact at -1e4 nats as at 0. Where the rest of the
    mean is near 1, its distance from 1 is what counts: no rounding is left for 1 / t to magnify.
    """
    top = _top(log_w, axes)
    below = power * (log_w - top)
    mean = below.exp().mean(axes)  # of (w / largest w)^t: between 1 / K and 1, or 0
    empty = mean == 0
    if power == 1.0:
        log = mean.masked_fill(empty, 1.0).log()
    else:
        near = mean > 0.5
        distance = below.expm1().mean(axes).masked_fill(~near, 0.0)
        log = torch.where(near, distance.log1p(), mean.masked_fill(near | empty, 1.0).log())
    return (top.squeeze(axes) + log / power).masked_fill(empty, -math.inf)


def _some_above_zero(log_w: Tensor, order: int) -> Tensor:
    """Return ``log_w`` if each group of K has more than ``order`` weights above zero."""
    if arguments.is_concrete(log_w) and (fewest := int((log_w > -math.inf).sum(1).min())) <= order:
        raise arguments.NotFinite(
            f"log_w must have at least order + 1 = {order + 1} weights above zero in each group of K for a jackknife "
            f"of order {order}, got a group with {fewest}: a subset without them has the bound -inf."
        )
    return log_w


def finite(log_w: Tensor) -> Tensor:
    """-inf becomes a number so far below the others of its group that in float64 its weight is zero beside theirs."""
    zero = log_w == -math.inf
    least = log_w.detach().masked_fill(zero, math.inf).amin(1, keepdim=True)
    return torch.where(zero, least - 2000.0, log_w)


def log_sum_of_others(log_w: Tensor) -> Tensor:
    """The log of the sum of all weights of a group but one: of those before it and those after, so nothing cancels.

    Shapes: ``[M, K, B] -> [M, K, B]``.
    """
    none = torch.full_like(log_w[:, :1], -math.inf)
    before = torch.cat([none, log_w.logcumsumexp(1)[:, :-1]], 1)
    after = torch.cat([log_w.flip(1).logcumsumexp(1).flip(1)[:, 1:], none], 1)
    return torch.logaddexp(before, after)


def mean_over_subsets(log_w: Tensor, left_out: int, fixed: int = 0) -> Tensor:
    """The mean of log-mean-exp over all subsets of K - left_out of the K samples: [M, K, B] -> [M, B].

    The first ``fixed`` samples are in all of them. There must be no gradient where a run of neighbours is all -inf.
    A subset is the K samples without ``left_out`` of them, hence ``left_out + 1`` runs of neighbours. ``run[a, b]``,
    the log-sum-exp of the samples a <= k < b, is computed once; only additions occur, so nothing cancels.
    """
    M, K, B = log_w.shape
    if left_out == 1:  # two runs, from the first sample on and up to the last
        return log_sum_of_others(log_w)[:, fixed:].mean(1) - math.log(K - 1)
    if left_out == 0:
        return log_w.logsumexp(1) - math.log(K)
    run = log_w.new_full((K + 1, K + 1, M, B), -math.inf)
    for a in range(K):
        run[a, a + 1 :] = log_w[:, a:].logcumsumexp(1).movedim(1, 0)
    total = torch.zeros_like(log_w[:, 0])
    subsets = itertools.combinations(range(fixed, K), left_out)
    while some := list(itertools.islice(subsets, max(1, 2**22 // (M * B)))):
        gone = torch.tensor(some, dtype=torch.long, device=log_w.device).reshape(len(some), left_out)
        edge = gone.new_full((len(some), 1), K)
        start = torch.cat([edge * 0, gone + 1], 1)  # [S, left_out + 1]
        stop = torch.cat([gone, edge], 1)
        total = total + (run[start, stop].logsumexp(1) - math.log(K - left_out)).sum(0)
    return total / math.comb(K - fixed, left_out)
