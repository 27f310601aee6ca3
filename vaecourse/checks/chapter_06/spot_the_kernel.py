"""06.spot_the_kernel: a Gaussian kernel whose width is a length. Shapes: ``[N, L], [P, L] -> [N, P]``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def rbf(x: Tensor, y: Tensor, twice_square: float) -> Tensor:
    return (-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square() / twice_square).exp()


def right(x: Tensor, y: Tensor, bandwidth: float) -> Tensor:
    return rbf(x, y, 2 * bandwidth**2)


check = Check(
    "06.spot_the_kernel",
    right,
    praise="Now the width is a length that you choose, and you can choose it with the dimension.",
    cases=lambda: [
        (normal(4, 3, seed=31), normal(5, 3, seed=32), 0.8),
        (normal(3, 7, seed=33), normal(2, 7, seed=34), 2.5),
    ],
)


@check.mistake("""This is the code as it stood. The distance is averaged over the d dimensions, then the width grows
    with d as well: the exponent is |x - y|^2 / (2 d^2 h), and in high dimension every pair of points looks alike.""")
def divided_by_d_twice(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * x.shape[1] ** 2 * h)


@check.mistake("""The bandwidth is a length now, and one factor d is left: a mean over the dimensions where their sum
    belongs, or a d in the width. Whoever wants a width that follows d says so in the bandwidth.""")
def mean_over_dimensions_is_left(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * x.shape[1] * h**2)


@check.mistake("""One factor d is gone and one is left: take the sum over dimensions, not their mean, and no d in the
    width. And the bandwidth is a length: square it.""")
def mean_is_left_and_h_is_not_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * x.shape[1] * h)


@check.mistake("""The bandwidth is squared now, and d still divides twice: once in the mean over dimensions, once in the
    width. Neither belongs there.""")
def d_in_the_width_and_h_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * x.shape[1] ** 2 * h**2)


@check.mistake("d is gone, and the bandwidth is a length, which stands squared in the exponent: 2 h^2.")
def bandwidth_is_not_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * h)


@check.mistake("The 2 is missing: exp(-|x - y|^2 / (2 h^2)), as in a Gaussian of standard deviation h.")
def factor_2_missing(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, h**2)


@check.mistake("You used the distance itself. The Gaussian kernel has its square.")
def distance_is_not_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
    return (-torch.cdist(x, y) / (2 * h**2)).exp()


@check.mistake("Rows and columns have changed places: [N, P], a row for each point of x.")
def rows_and_columns(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(y, x, 2 * h**2)
