r"""The maximum mean discrepancy of two clouds of points, and the function that tells them apart best.

.. math:: \mathrm{MMD}^2 = E\, k(x, x') + E\, k(y, y') - 2 E\, k(x, y), \qquad x, x' \sim P, \; y, y' \sim Q

It is 0 if P = Q, and only then if the kernel is characteristic, as ``rbf`` and ``imq`` are.
Source: Gretton et al. 2012, JMLR 13.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.divergences.kernels import Kernel, Profile, matrix, points


def mmd2(x: Tensor, y: Tensor, kernel: Kernel, unbiased: bool = True) -> Tensor:
    r"""An estimate of MMD^2: the U-statistic, or the V-statistic with ``unbiased=False``.

    .. math:: U = \frac{1}{N(N-1)} \sum_{i \ne j} k(x_i, x_j) + \frac{1}{P(P-1)} \sum_{i \ne j} k(y_i, y_j)
                  - \frac{2}{NP} \sum_{i, j} k(x_i, y_j)

    U is unbiased and negative about half the time if both clouds come from one law; it is never clipped, because that
    would bias it. V keeps the pairs i = j and divides by N^2 and P^2: it is never negative, and too high by
    (1/N + 1/P) (1 - E k(x, x')) if both clouds come from one law and k(x, x) = 1.

    Time and memory grow with (N + P)^2: for its gradient, two numbers are kept for each pair of points. It has one
    derivative: for a second one, and for ``torch.func.jvp``, PyTorch raises that its ``_cdist_backward`` has none.
    Shapes: ``[N, L], [P, L]`` -> a scalar. Raises ``ValueError`` for different widths, for points that are not finite,
    and for the U-statistic of fewer than two points. Source: Gretton et al. 2012, eq. 3 and 5.

    >>> import torch
    >>> from functools import partial
    >>> from vaecourse.divergences import rbf
    >>> mmd2(torch.zeros(3, 2), torch.zeros(5, 2), partial(rbf, bandwidth=1.0))
    tensor(0.)
    """
    least = 2 if unbiased else 1
    x, y = (arguments.at_least_float32(points(name, of, least)) for name, of in (("x", x), ("y", y)))
    return _within(x, kernel, unbiased) + _within(y, kernel, unbiased) - 2 * matrix(x, y, kernel).mean()


def u_statistics(k: Tensor, signs: Tensor) -> Tensor:
    r"""The U-statistic of a pooled cloud of 2n points, for each of R ways of parting it into halves of n.

    With s = +1 in one half and -1 in the other, :math:`\sum_{i \ne j} s_i s_j k_{ij}` is the sum inside the halves
    minus the sum across; together with :math:`\sum_{i \ne j} k_{ij}` it gives both. Of random partings it is the null
    distribution of a permutation test, from one kernel matrix. Shapes: ``[2n, 2n], [R, 2n] -> [R]``. Raises
    ``ValueError`` for other shapes, and for n < 2.
    """
    n = len(arguments.shaped("k", k, ("2n", "2n"))) // 2
    if k.shape != (2 * n, 2 * n) or n < 2:
        raise ValueError(f"k must have the shape [2n, 2n] with n >= 2, got {list(k.shape)}.")
    if arguments.shaped("signs", signs, ("R", "2n")).shape[1] != 2 * n:
        raise ValueError(f"signs must have one entry for each of the {2 * n} points, got shape {list(signs.shape)}.")
    k = k - k.diagonal().diag()
    difference = ((signs @ k) * signs).sum(1)
    inside, across = (k.sum() + difference) / 2, (k.sum() - difference) / 2
    return inside / (n * (n - 1)) - across / n**2


def witness(at: Tensor, x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    r"""Where x is denser than y (positive) and where y is (negative), as the kernel sees it.

    .. math:: f(a) = \frac1N \sum_i k(a, x_i) - \frac1P \sum_j k(a, y_j)

    Up to scale it is the smooth function whose mean over x differs most from that over y; the difference of its means
    is the V-statistic. Shapes: ``[A, L], [N, L], [P, L] -> [A]``. Source: Gretton et al. 2012, section 2.3.
    """
    at, x, y = (arguments.at_least_float32(points(name, of)) for name, of in (("at", at), ("x", x), ("y", y)))
    return matrix(at, x, kernel).mean(1) - matrix(at, y, kernel).mean(1)


def witness_slope(profile: Profile, r: Tensor, at: Tensor, pooled: Tensor) -> Tensor:
    r"""The gradient of the witness (second half - first half of a pooled cloud) at points, in the coordinates given.

    The gradient of k(a, b) in a is :math:`2\, \frac{dk}{dr}\, (a - b)`, with r the squared distance in all dimensions.
    Shapes: r ``[A, 2n]``, at ``[A, C]``, pooled ``[2n, C]`` -> ``[A, C]``.
    """
    n = len(pooled) // 2
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(profile(r := r.clone().requires_grad_()).sum(), r)
    signed = slope * torch.cat([-slope.new_ones(n), slope.new_ones(n)]) / n
    return 2 * (signed.sum(1)[:, None] * at - signed @ pooled)


def _within(x: Tensor, kernel: Kernel, unbiased: bool) -> Tensor:
    """The mean of k over all pairs of points of one cloud, without the pairs of a point with itself if unbiased."""
    k = matrix(x, x, kernel)
    return (k.sum() - k.trace()) / (len(x) * (len(x) - 1)) if unbiased else k.mean()
