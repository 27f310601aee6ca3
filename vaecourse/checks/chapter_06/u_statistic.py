"""06.u_statistic: the unbiased estimate of MMD^2 from kernel matrices. Shapes: ``[N, N], [P, P], [N, P] -> []``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def off_diagonal(k: Tensor) -> Tensor:
    return k.sum() - k.diagonal().sum()


def inside(k: Tensor) -> Tensor:
    return off_diagonal(k) / (len(k) * (len(k) - 1))


def kernels(n: int, p: int, seed: int, height: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    x, y = normal(n, 3, seed=seed), normal(p, 3, seed=seed + 1) + 0.3
    k = lambda a, b: height * 3 / (3 + torch.cdist(a, b).square())
    return k(x, x), k(y, y), k(x, y)


def right(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return inside(k_xx) + inside(k_yy) - 2 * k_xy.mean()


check = Check(
    "06.u_statistic",
    right,
    praise="Unbiased. If both clouds come from one law it is negative about half the time, as it should be.",
    cases=lambda: [kernels(5, 4, 21), kernels(3, 7, 23), kernels(6, 6, 29), kernels(4, 5, 31, height=2.5)],
)


@check.mistake("""This is the V-statistic: pairs of a point with itself are in it, and they are as alike as can be. It
    is never negative, and too large. Leave the diagonals out.""")
def diagonal_in_it_as_in_V(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()


@check.mistake("""The means have divided by the number of pairs already, diagonal included; then n(n-1) divides once
    more. Almost nothing is left of it, whatever the clouds.""")
def mean_divided_by_the_pairs_again(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return (k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()) / (len(k_xx) * (len(k_xx) - 1))


@check.mistake("The diagonals are out of the sums, and the divisors still count them: N(N-1) pairs are left.")
def diagonal_out_but_counted(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return off_diagonal(k_xx) / len(k_xx) ** 2 + off_diagonal(k_yy) / len(k_yy) ** 2 - 2 * k_xy.mean()


@check.mistake("The divisors N(N-1) leave the diagonals out, and the sums still hold them.")
def diagonal_in_but_not_counted(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return k_xx.sum() / (len(k_xx) * (len(k_xx) - 1)) + k_yy.sum() / (len(k_yy) * (len(k_yy) - 1)) - 2 * k_xy.mean()


@check.mistake("You counted the pairs of both clouds with N. The second cloud has P points, hence P(P-1) pairs.")
def one_N_for_both_clouds(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return (off_diagonal(k_xx) + off_diagonal(k_yy)) / (len(k_xx) * (len(k_xx) - 1)) - 2 * k_xy.mean()


@check.mistake("The cross term is divided by N squared. The clouds may differ in size: it has N P pairs.")
def cross_term_over_N_squared(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return inside(k_xx) + inside(k_yy) - 2 * k_xy.sum() / len(k_xx) ** 2


@check.mistake("""Right, and then clipped at 0. An unbiased estimate of 0 must be negative about half the time; clipping
    it makes it biased, and hides from you that there was nothing to see.""")
def clipped_at_0(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return right(k_xx, k_yy, k_xy).clamp(min=0)


@check.mistake("You took a square root. The statistic estimates the square of MMD, and may be negative.")
def square_root(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return right(k_xx, k_yy, k_xy).abs().sqrt()


@check.mistake("The cross term has a factor 2: it stands in |a - b|^2 = |a|^2 + |b|^2 - 2ab.")
def one_cross_term(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return inside(k_xx) + inside(k_yy) - k_xy.mean()


@check.mistake("The cross term has N P pairs, and none of them is a point with itself: its plain mean.")
def cross_term_over_N_times_N_minus_1(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return inside(k_xx) + inside(k_yy) - 2 * k_xy.sum() / (len(k_xx) * (len(k_xx) - 1))


@check.mistake("""You left the diagonal out of the cross term too. There, x_i and y_i are two different points: all N P
    pairs count.""")
def cross_term_without_its_diagonal(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return inside(k_xx) + inside(k_yy) - 2 * off_diagonal(k_xy) / (k_xy.numel() - min(k_xy.shape))


@check.mistake("The cross term is added. What the clouds have in common makes them alike: it is subtracted.")
def plus_the_cross_term(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return inside(k_xx) + inside(k_yy) + 2 * k_xy.mean()


@check.mistake("""You took N away as the diagonal's sum. k(x, x) is 1 for an RBF kernel, and not for every kernel: take
    away the sum of the diagonal that is there.""")
def ones_assumed_on_the_diagonal(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    x, y = ((k.sum() - len(k)) / (len(k) * (len(k) - 1)) for k in (k_xx, k_yy))
    return x + y - 2 * k_xy.mean()


@check.mistake("""Two things: the sums inside the clouds still hold their diagonals, and the cross term is divided by
    N(N-1), where it has N P pairs.""")
def diagonal_in_but_not_counted_and_cross_term_too(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    n = len(k_xx) * (len(k_xx) - 1)
    return k_xx.sum() / n + k_yy.sum() / (len(k_yy) * (len(k_yy) - 1)) - 2 * k_xy.sum() / n


@check.mistake("""You took a square root, which makes NaN where the statistic is negative. It estimates the square of
    MMD: leave it as it is.""")
def square_root_of_a_negative_number(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return right(k_xx, k_yy, k_xy).sqrt()


@check.mistake("You clipped at 0 and took a square root. The statistic estimates MMD squared, and may be negative.")
def clipped_at_0_and_square_root(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return right(k_xx, k_yy, k_xy).clamp(min=0).sqrt()


@check.mistake("""Inside the clouds this is half of what it should be. N(N-1) counts every pair twice, as (i, j) and as
    (j, i): did your sum count it once?""")
def one_triangle_only(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return (inside(k_xx) + inside(k_yy)) / 2 - 2 * k_xy.mean()


@check.mistake("Two things: the diagonals are in it, as in the V-statistic, and the cross term lacks its factor 2.")
def diagonal_in_it_and_one_cross_term(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    return k_xx.mean() + k_yy.mean() - k_xy.mean()
