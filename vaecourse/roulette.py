r"""An unbiased estimate of log p(x): SUMO, the telescoping series of the bounds, cut off at a random length.

.. math:: \log p(x) = E[\hat L_1] + \sum_{k \ge 1} E[\hat L_{k+1} - \hat L_k], \qquad
          \hat L_k = \log \frac1k \sum_{j \le k} w_j

The k-th step is there with probability :math:`P(N \ge k)` and is divided by it: Russian roulette. Steps of one sample
have the variance :math:`\chi^2 / k^2` for large k, where :math:`\chi^2` is finite, and next to no covariance. With
:math:`P(N \ge k) = k^{-a}` an estimate that ends at n has thus a standard deviation of the order :math:`n^{a-1/2}`, and
is there with a probability of the order :math:`n^{-a-1}`. Three sums decide:

* the mean, :math:`E|Y| \sim \sum n^{-3/2}`, exists for every a > 0;
* the cost, :math:`E[N] = \sum k^{-a} = \zeta(a)`, is finite for a > 1;
* the variance, of the order :math:`\sum k^{a-2}`, is finite for a < 1.

No other P makes the last two finite at once, unless q is the posterior: by Cauchy and Schwarz
:math:`(\sum 1/k)^2 \le \sum P(N \ge k)\, \sum 1 / (k^2 P(N \ge k))`. Here a = 1.2: a mean, a finite cost, and a
variance that grows like the fifth root of the longest length. A geometric tail has no mean at all:
:math:`P(N = n)\, E|Y_n|` is then of the order 1/n.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse import arguments, bounds

POWER = 1.2  # above 1, so that the mean length is finite, and not by much, so that the variance is slow to grow


def survival(k: Tensor) -> Tensor:
    r"""P(N >= k), before the cut at the longest length: :math:`k^{-1.2}`.

    Shapes: as ``k``, whole numbers >= 1. Raises ``TypeError`` for what is no tensor of them, ``ValueError`` for k < 1.

    >>> survival(torch.tensor([1, 2, 80]))
    tensor([1.0000, 0.4353, 0.0052], dtype=torch.float64)
    """
    if not isinstance(k, Tensor) or k.is_floating_point() or k.is_complex() or k.dtype == torch.bool:
        raise TypeError(f"k must be a tensor of whole numbers, got {getattr(k, 'dtype', type(k).__name__)}.")
    if k.numel() and int(k.min()) < 1:
        raise ValueError(f"k must be at least 1, got {int(k.min())} among its entries.")
    return k.double() ** -POWER


def lengths(M: int, B: int, longest: int, generator: torch.Generator | None = None) -> Tensor:
    r"""How many steps each of M estimates for B points takes, :math:`\min(\lfloor U^{-1/a} \rfloor, \text{longest})`.

    Whole numbers ``[M, B]``, with P(N >= k) = ``survival(k)`` up to ``longest``. What the cut costs: the mean of
    ``sumo`` is then that of the bound of start + longest samples, and no longer log p(x). An estimate looks at N + 1
    samples, 4.5 on average for a longest of 80, and never above 6.6. Raises ``ValueError`` for M, B or longest < 1.

    >>> lengths(1, 8, 80, torch.Generator().manual_seed(1))
    tensor([[1, 1, 1, 1, 1, 1, 1, 2]])
    """
    shape, most = (arguments.count("M", M), arguments.count("B", B)), arguments.count("longest", longest)
    place = "cpu" if generator is None else generator.device
    u = 1 - torch.rand(shape, generator=generator, dtype=torch.float64, device=place)  # in (0, 1]: N >= k if u <= P
    return (u ** (-1 / POWER)).floor().clamp(max=most).long()


def sumo(log_w: Tensor, N: Tensor, start: int = 1) -> Tensor:
    r"""SUMO, the mean over M of estimates that have no bias but that of the longest length; no bound.

    .. math:: \hat L_s + \sum_{k=1}^{N} \frac{\hat L_{s+k} - \hat L_{s+k-1}}{P(N \ge k)}, \qquad s = \text{start}

    Arguments:
        log_w: ``[M, K, B]`` with K >= start + N for every N; samples beyond start + N are not looked at.
        N: ``[M, B]``, of ``lengths``, drawn without a look at ``log_w``.
        start: the samples that every estimate begins with: more of them, less noise.

    Shapes: ``-> [B]``. Its mean is exactly E[L] of start + longest samples, as is that of its gradient.
    Raises ``TypeError`` unless N is whole numbers, and ``ValueError`` for an N that is not [M, B], below 1 or beyond
    the samples, and where the first ``start`` weights of a group are all zero. Source: arXiv 2004.00353, with another
    P(N >= k).

    >>> log_w = torch.tensor([1.0, 3.0, 2.0]).log()[None, :, None]
    >>> sumo(log_w, torch.tensor([[2]]))  # log 1 + log 2 + 2^1.2 (log 2 - log 2)
    tensor([0.6931])
    """
    log_w = arguments.log_weights(log_w)
    (M, K, B), start = log_w.shape, arguments.count("start", start)
    N = _steps(N, M, B, K - start).to(log_w.device)
    if not bool((log_w[:, :start] > -math.inf).any(1).all()):
        raise arguments.NotFinite(
            f"log_w must have a weight above zero among the first start = {start} of each group: L_{start} is -inf."
        )
    wide = arguments.in_float64(log_w)
    top = wide.detach().amax(1, keepdim=True)
    count = torch.arange(1, K + 1, device=wide.device, dtype=wide.dtype)[:, None]  # [K, 1]
    running = (bounds.finite(wide - top).logcumsumexp(1) - count.log())[:, start - 1 :]  # [M, K - start + 1, B]
    k = torch.arange(1, K - start + 1, device=wide.device)[:, None]  # [K - start, 1]
    there = (k <= N.to(wide.device)[:, None]) / survival(k)  # [M, K - start, B]
    return (top[:, 0] + running[:, 0] + (there * running.diff(dim=1)).sum(1)).mean(0).to(log_w)


def _steps(N: Tensor, M: int, B: int, most: int) -> Tensor:
    """N, if it is whole numbers [M, B] in 1 .. most."""
    survival(N)
    if N.shape != (M, B):
        raise ValueError(f"N must be [M, B] = [{M}, {B}], a length for each estimate, got {list(N.shape)}.")
    if int(N.max()) > most:
        raise ValueError(
            f"N must be at most K - start = {most}, the terms that log_w has samples for, got {int(N.max())}."
        )
    return N
