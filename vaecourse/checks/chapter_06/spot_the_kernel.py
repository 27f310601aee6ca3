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
        (9 * normal(4, 2, seed=35), 9 * normal(3, 2, seed=36), 7.0),  # far, and the kernel wide
    ],
)


@check.mistake("""This is the code as it stood, or does the same: its exponent is |x - y|^2 / (2 d^2 h). Compare it
    with the formula, factor by factor.""")
def divided_by_d_twice(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * x.shape[1] ** 2 * h)


@check.mistake("""The bandwidth is a length now, and one factor d is left: a mean over the dimensions where their sum
    belongs, or a d in the width. Whoever wants a width that follows d says so in the bandwidth.""")
def one_d_is_left(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 2 * x.shape[1] * h**2)


@check.mistake("""One factor d is gone and one is left, a mean over the dimensions or a d in the width: neither belongs
    there. And the bandwidth is a length: square it.""")
def one_d_is_left_and_h_is_not_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
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


@check.mistake("Two things: the bandwidth is a length, so square it; and x has the rows, y the columns, [N, P].")
def rows_and_columns_and_h_not_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(y, x, 2 * h)


@check.mistake("""You put ones on the diagonal. x and y are two clouds: x_i and y_i are two points, and k is 1 only
    where they are the same one.""")
def ones_on_the_diagonal(x: Tensor, y: Tensor, h: float) -> Tensor:
    return right(x, y, h).fill_diagonal_(1.0)


@check.mistake("The width is 4 h^2, twice what it should be. Only h is squared, not the 2.")
def two_squared_as_well(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, 4 * h**2)


@check.mistake("Two things are missing in the width: the 2, and the square of the bandwidth: 2 h^2.")
def factor_2_missing_and_h_not_squared(x: Tensor, y: Tensor, h: float) -> Tensor:
    return rbf(x, y, h)


@check.mistake("The squared distance was cut at 50. What is far for a narrow kernel may be near for a wide one.")
def far_points_brought_near(x: Tensor, y: Tensor, h: float) -> Tensor:
    return (right(x, y, 1.0).log().clamp(min=-25) / h**2).exp()
