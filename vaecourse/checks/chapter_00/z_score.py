"""00.z_score: how many standard errors a mean lies above the exact value. Shapes: ``[N] -> []``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def right(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / (values.std() / math.sqrt(len(values)))


check = Check(
    "00.z_score",
    right,
    praise="The difference in units of its own standard error. Beyond 4 it is not bad luck: the code or the "
    "claim is wrong.",
    cases=lambda: [
        (normal(20, seed=13) + 1, 0.4),
        (3 * normal(9, seed=14), 2.0),
        (normal(50, seed=15) - 2, -2.0),
        (normal(30, seed=16) + 5, 3.0),  # far beyond 4
    ],
)


@check.mistake("""You divided by the standard deviation of one draw. The mean of N draws is steadier by the square root
    of N: divide by std / sqrt(N).""")
def standard_deviation_not_the_standard_error(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / values.std()


@check.mistake("You divided the standard deviation by N. Variances add, so the standard error falls like 1 / sqrt(N).")
def N_instead_of_its_square_root(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / (values.std() / len(values))


@check.mistake("var / N is the squared standard error. Take its square root.")
def variance(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / (values.var() / len(values))


@check.mistake("""You divided by the variance of one draw. The yardstick is the standard error of the mean: std /
    sqrt(N).""")
def variance_of_one_draw(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / values.var()


@check.mistake("Your yardstick grows with N. More draws make the mean steadier: its standard error is std / sqrt(N).")
def times_the_square_root_of_N(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / (values.std() * math.sqrt(len(values)))


@check.mistake("""Very nearly: your standard deviation divides by N. With few draws that makes the error look too small;
    torch's std() divides by N - 1 unless told otherwise.""")
def divided_by_N_not_N_minus_1(values: Tensor, exact: float) -> Tensor:
    return right(values, exact) / math.sqrt(1 - 1 / len(values))


check.mistake("The sign is turned round: a mean above the exact value has a positive z.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("You dropped the sign. It says on which side you are, and for a lower bound that is half of the news.")
def size_without_the_sign(values: Tensor, exact: float) -> Tensor:
    return right(values, exact).abs()


@check.mistake("""This is the difference alone. Whether it is large depends on the noise, so divide by the standard
    error of the mean.""")
def difference_without_a_yardstick(values: Tensor, exact: float) -> Tensor:
    return values.mean() - exact


@check.mistake("You measured against the exact value. The yardstick is the noise of the mean, its standard error.")
def relative_error(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / exact


@check.mistake("You scored every draw. The question is about their mean: one number.")
def one_z_for_each_draw(values: Tensor, exact: float) -> Tensor:
    return (values - exact) / values.std()


@check.mistake(
    "You divided the variance of one draw by sqrt(N). It is its root, the standard deviation, that sqrt(N) divides."
)
def variance_divided_by_the_square_root_of_N(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / (values.var() / math.sqrt(len(values)))


@check.mistake("""You measured the scatter about the exact value. Then a wrong mean widens its own yardstick. The
    standard deviation is the scatter about the mean of the draws.""")
def scatter_about_the_exact_value(values: Tensor, exact: float) -> Tensor:
    return (values.mean() - exact) / ((values - exact).square().mean().sqrt() / math.sqrt(len(values)))


@check.mistake(
    "Right between -4 and 4, and cut off there. How far beyond 4 it is tells a small error from a large one."
)
def clipped_at_4(values: Tensor, exact: float) -> Tensor:
    return right(values, exact).clamp(-4, 4)


@check.mistake("""Two things: the sign is turned round, and your yardstick grows with N. The standard error of the mean
    is std / sqrt(N).""")
def times_the_square_root_of_N_with_the_sign_turned_round(values: Tensor, exact: float) -> Tensor:
    return -times_the_square_root_of_N(values, exact)


@check.mistake("""The yardstick is right for the mean, and you laid it against every single draw. The question is about
    their mean: one number.""")
def standard_error_for_each_draw(values: Tensor, exact: float) -> Tensor:
    return (values - exact) / (values.std() / math.sqrt(len(values)))
