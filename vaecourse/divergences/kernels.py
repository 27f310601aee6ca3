r"""Kernels: how alike two points are, from 1 for the same point down to 0 for points far apart.

All are positive definite and depend on the distance alone. A kernel, wherever one is asked for, is any function
``(x, y) -> [N, P]`` of two clouds ``[N, L]`` and ``[P, L]``: ``functools.partial(rbf, bandwidth=1.5)`` is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vaecourse import arguments

Kernel = Callable[[Tensor, Tensor], Tensor]

Profile = Callable[[Tensor], Tensor]
"""A kernel as a function of the squared distances, of any shape: one matrix of them serves many questions."""


def squared_distance(x: Tensor, y: Tensor, near_zero: bool = False) -> Tensor:
    r""":math:`|x_n - y_p|^2`, from the differences themselves: :math:`|x|^2 + |y|^2 - 2 x^T y` would cancel far from 0.

    For points ``near_zero`` it is taken from this matrix product after all, which is quicker.
    The gradient is finite where two points coincide. Memory: ``[N, P]``, whatever L is.
    Shapes: ``[N, L], [P, L] -> [N, P]``. Raises ``ValueError`` for points of different width, or not finite.

    >>> squared_distance(torch.tensor([[10000.0, 0.0]]), torch.tensor([[10001.0, 2.0]]))
    tensor([[5.]])
    """
    points("x", x)
    if points("y", y).shape[1] != x.shape[1]:
        raise ValueError(f"x and y must have the same width L, got shapes {list(x.shape)} and {list(y.shape)}.")
    if x.dtype != y.dtype or x.device != y.device:
        raise ValueError(
            f"x and y must share type and device, got {x.dtype} on {x.device} and {y.dtype} on {y.device}."
        )
    x, y = arguments.at_least_float32(x), arguments.at_least_float32(y)
    if near_zero:
        return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp(min=0)
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()


def rbf(x: Tensor, y: Tensor, bandwidth: float) -> Tensor:
    r"""The Gaussian kernel. It forgets all that is more than a few bandwidths away.

    .. math:: k(x, y) = \exp \left( -\frac{|x - y|^2}{2\, \mathrm{bandwidth}^2} \right)

    Shapes: ``[N, L], [P, L] -> [N, P]``. Raises ``ValueError`` unless 1e-15 <= bandwidth <= 1e15.

    >>> rbf(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [3.0, 4.0]]), bandwidth=5.0)
    tensor([[1.0000, 0.6065]])
    """
    bandwidth = arguments.scale("bandwidth", bandwidth)
    return rbf_profile(squared_distance(x, y), bandwidth)


def rbf_profile(r: Tensor, bandwidth: float) -> Tensor:
    r"""The Gaussian kernel of squared distances: :math:`\exp(-r / 2 h^2)`. Shapes: ``[...] -> [...]``."""
    return (r / (-2 * bandwidth**2)).exp_()


def imq(x: Tensor, y: Tensor, scale: float) -> Tensor:
    r"""The inverse multiquadratic kernel. Its tail is a power, so that it still sees what is far away.

    .. math:: k(x, y) = \frac{\mathrm{scale}}{\mathrm{scale} + |x - y|^2}

    ``scale`` is a squared length; 2 L is the expected squared distance between two draws of N(0, I) in L dimensions
    (arXiv 1711.01558, section 4). Shapes: ``[N, L], [P, L] -> [N, P]``. Raises ``ValueError`` unless
    1e-15 <= scale <= 1e15.

    >>> imq(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [3.0, 4.0]]), scale=25.0)
    tensor([[1.0000, 0.5000]])
    """
    scale = arguments.scale("scale", scale)
    return imq_profile(squared_distance(x, y), scale)


def imq_profile(r: Tensor, scale: float) -> Tensor:
    r"""The inverse multiquadratic kernel of squared distances: :math:`C / (C + r)`. Shapes: ``[...] -> [...]``."""
    return (r + scale).reciprocal_() * scale


def multi_scale(kernel: Callable[[Tensor, Tensor, float], Tensor], scales: Sequence[float]) -> Kernel:
    r"""The mean of one kernel over several scales, which sees near and far at once.

    .. math:: k(x, y) = \frac1S \sum_s k(x, y; \mathrm{scale}_s)

    ``kernel`` is ``rbf`` or ``imq``, or any function of two clouds and a scale. Raises ``ValueError`` if there is no
    scale, and, when called, for a scale that the kernel refuses.

    >>> multi_scale(imq, [1.0, 9.0])(torch.zeros(1, 1), torch.tensor([[3.0]]))
    tensor([[0.3000]])
    """
    arguments.function("kernel", kernel, "a function of two clouds and a scale")
    each = arguments.sequence("scales", scales, "numbers")
    if not each:
        raise ValueError("scales must hold at least one scale, got none.")
    return lambda x, y: torch.stack([kernel(x, y, scale) for scale in each]).mean(0)


def median_distance(x: Tensor, y: Tensor | None = None) -> float:
    r"""The median of :math:`|x_i - x_j|` over all pairs i < j of the points of x, and of y if given: a bandwidth.

    Where two distances are in the middle it is the smaller one. Shapes: ``[N, L]`` and ``[P, L]`` -> a number. Raises
    ``ValueError`` for different widths, for fewer than two points in all, and if half of all pairs coincide.
    Source: Gretton et al. 2012, section 8.

    >>> median_distance(torch.tensor([[0.0], [1.0], [3.0]]))
    2.0
    """
    if y is not None and points("y", y).shape[1] != points("x", x).shape[1]:
        raise ValueError(f"x and y must have the same width L, got shapes {list(x.shape)} and {list(y.shape)}.")
    every = points("x", x) if y is None else torch.cat([points("x", x), points("y", y)])
    if len(every) < 2:
        raise ValueError("x and y must hold at least 2 points together, got 1.")
    middle = float(torch.pdist(arguments.at_least_float32(every.detach())).median())
    if middle == 0:
        raise ValueError("half of all pairs of points coincide, and their median distance 0 is no bandwidth.")
    return middle


def matrix(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """``kernel(x, y)``, if it is what a kernel gives: one number for each pair of points, ``[N, P]``."""
    arguments.function("kernel", kernel, "a function of two clouds")
    k = kernel(x, y)
    if not isinstance(k, Tensor):
        raise TypeError(f"kernel must give a torch.Tensor, got {type(k).__name__}.")
    if k.shape != (len(x), len(y)):
        raise ValueError(f"kernel must give one number for each pair, [{len(x)}, {len(y)}], got {list(k.shape)}.")
    return k


def points(name: str, value: object, at_least: int = 1) -> Tensor:
    """Return ``value`` if it is a cloud ``[N, L]`` of at least ``at_least`` finite points."""
    cloud = arguments.tensor(name, value, "NL")
    if len(cloud) < at_least:
        raise ValueError(f"{name} must hold at least {at_least} points, got {len(cloud)}.")
    return arguments.finite(name, cloud)
