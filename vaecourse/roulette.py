r"""An unbiased estimate of log p(x): SUMO, the telescoping series of the bounds, cut off at a random length.

.. math:: \log p(x) = E[\hat L_1] + \sum_{k \ge 1} E[\hat L_{k+1} - \hat L_k], \qquad
          \hat L_k = \log \frac1k \sum_{j \le k} w_j

The k-th term is there with probability :math:`P(N \ge k)` and is divided by it: Russian roulette. With
:math:`m_k = E(\hat L_k - \log p(x))^2` the estimate from a single sample on has the variance

.. math:: \sum_{k \ge 1} \frac{m_k - m_{k+1}}{P(N \ge k)} - m_1

and takes :math:`1 + \sum_{k \ge 1} P(N \ge k)` samples. As :math:`m_k \approx \chi^2 / k`, or falls more slowly where
:math:`\chi^2` is infinite, no choice of P makes both finite: by Cauchy and Schwarz
:math:`(\sum 1/k)^2 \le \sum P(N \ge k)\, \sum 1 / (k^2 P(N \ge k))`. The roulette here has a finite cost, and
an infinite variance unless q is the posterior.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse import arguments, bounds

KNEE, KEPT = 80, 0.9  # from where on the probability falls by a factor at each step, and the factor


def survival(k: Tensor) -> Tensor:
    r"""P(N >= k): 1 / k up to 80, and a tenth less at each step from there.

    Shapes: as ``k``, whole numbers >= 1. Raises ``TypeError`` for what is no tensor of them, ``ValueError`` for k < 1.
    Source: arXiv 2004.00353, as two public implementations have it.

    >>> survival(torch.tensor([1, 2, 80, 81]))
    tensor([1.0000, 0.5000, 0.0125, 0.0113], dtype=torch.float64)
    """
    if not isinstance(k, Tensor) or k.is_floating_point() or k.is_complex() or k.dtype == torch.bool:
        raise TypeError(f"k must be a tensor of whole numbers, got {getattr(k, 'dtype', type(k).__name__)}.")
    if k.numel() and int(k.min()) < 1:
        raise ValueError(f"k must be at least 1, got {int(k.min())} among its entries.")
    k = k.double()
    return 1 / k.clamp(max=KNEE) * KEPT ** (k - KNEE).clamp(min=0)


def lengths(M: int, B: int, generator: torch.Generator | None = None) -> Tensor:
    """How many terms each of M estimates for B points takes, N >= 1, by ``survival``: whole numbers ``[M, B]``.

    It then looks at N + 1 samples: 6.1 on average, and never at 400. Raises ``ValueError`` for M or B < 1.

    >>> lengths(1, 8, torch.Generator().manual_seed(1))
    tensor([[1, 1, 1, 1, 2, 1, 1, 3]])
    """
    shape = arguments.count("M", M), arguments.count("B", B)
    u = 1 - torch.rand(shape, generator=generator, dtype=torch.float64)  # in (0, 1]: N >= k if u <= P(N >= k)
    beyond = KNEE + ((KNEE * u).log() / math.log(KEPT)).clamp(min=0).floor()
    return torch.where(u * KNEE > 1, (1 / u).floor(), beyond).long()


def sumo(log_w: Tensor, N: Tensor, start: int = 1) -> Tensor:
    r"""SUMO, the mean over M of estimates that are unbiased for log p(x); no bound.

    .. math:: \hat L_s + \sum_{k=1}^{N} \frac{\hat L_{s+k} - \hat L_{s+k-1}}{P(N \ge k)}, \qquad s = \text{start}

    Arguments:
        log_w: ``[M, K, B]`` with K >= start + N for every N; samples beyond start + N are not looked at.
        N: ``[M, B]``, of ``lengths``, drawn without a look at ``log_w``.
        start: the samples that every estimate begins with: more of them, less noise.

    Shapes: ``-> [B]``. Its gradient is unbiased for that of log p(x), where the order of mean and slope may be changed.
    Raises ``TypeError`` unless N is whole numbers, and ``ValueError`` for an N that is not [M, B], below 1 or beyond
    the samples, and where the first ``start`` weights of a group are all zero. Source: arXiv 2004.00353.

    >>> log_w = torch.tensor([1.0, 3.0, 2.0]).log()[None, :, None]
    >>> sumo(log_w, torch.tensor([[2]]))  # log 1 + log 2 + 2 (log 2 - log 2)
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
