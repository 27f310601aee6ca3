"""08.paired: by how much a is better than b, seed by seed. Shapes: ``[S], [S] -> [], []``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_08 import standard_error as one_row
from vaecourse.checks.frame import Check


def pairs() -> list[tuple[Tensor, Tensor]]:
    def seeds(S: int, seed: int) -> tuple[Tensor, Tensor]:
        luck = normal(S, seed=seed).double()  # the seed's, in both rows
        return luck + 0.05 * normal(S, seed=seed + 1) - 22.8, luck + 0.05 * normal(S, seed=seed + 2) - 22.9

    worse, better = seeds(5, 41)
    return [seeds(10, 11), seeds(4, 21), (normal(6, seed=31), normal(6, seed=32)), (better, worse)]


def right(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return one_row.right(a - b)


def of_the_differences(slip: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    """A slip of one row, made with the differences of two."""
    return wraps(slip)(lambda a, b: slip(a - b))


check = Check(
    "08.paired",
    right,
    praise="Seed by seed: what the seed does to both rows cancels, and a difference of a twentieth of a nat can be "
    "seen.",
    cases=pairs,
)


@check.mistake("""This is the standard error of two *independent* groups. Here run i of both rows has the same first
    weights, the same pixels and much of the same noise. Subtract seed by seed first: what the seed did to both is
    gone.""")
def unpaired(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a.mean() - b.mean(), (a.var() / len(a) + b.var() / len(b)).sqrt()


@check.mistake("""You added two standard errors. Even for independent groups it is their squares that add; and these are
    pairs, so subtract seed by seed first.""")
def errors_added(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a.mean() - b.mean(), (a.std() + b.std()) / len(a) ** 0.5


@check.mistake("""You sorted both rows. Then the best run meets the best and the worst the worst, which makes the spread
    of the differences too small. A pair is one *seed*: leave the order.""")
def sorted_before_pairing(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return one_row.right(a.sort().values - b.sort().values)


check.mistake("The pairs are right. This is the spread of *one* pair: divide by the root of the number of pairs.")(
    of_the_differences(one_row.standard_deviation)
)


@check.mistake("The sign is turned round: the question is by how much a is better than b.")
def sign_turned_round(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return right(b, a)


@check.mistake("You took the absolute value of each difference. Then noise around zero looks like a gain.")
def sign_lost(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return one_row.right((a - b).abs())


@check.mistake("""The difference is right, its error is that of the first row alone. Take the standard error of the
    differences themselves.""")
def error_of_one_row_only(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return (a - b).mean(), a.std() / len(a) ** 0.5


@check.mistake("""You subtracted the two variances. Variances add, for independent groups; and these are pairs, so
    subtract seed by seed first and take one standard error.""")
def errors_subtracted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a.mean() - b.mean(), (a.var() - b.var()).abs().sqrt() / len(a) ** 0.5


OF_ONE_ROW = [
    (one_row.n_for_n_minus_1, "Their variance was taken with S below the line: divide by S - 1."),
    (one_row.variance_of_the_mean, "This is the square of the standard error: take the root."),
    (one_row.divided_by_S, "You divided by their number: the spread of a mean falls with its *root*."),
    (one_row.divided_by_S_minus_1_twice, "S - 1 is in the standard deviation already: divide by the root of S."),
    (one_row.variance_over_the_root, "You divided the *variance* by the root of S: take its root first, std()."),
    (one_row.two_standard_errors, "These are two standard errors: return one."),
    (one_row.half_of_a_95_percent_interval, "These are 1.96 standard errors, half of a 95% interval: return one."),
]
for slip, what in OF_ONE_ROW:
    check.mistake(f"The pairs are right. {what}")(of_the_differences(slip))


@check.mistake("Both are right, in the wrong order: the difference first.")
def order_turned_round(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return right(a, b)[::-1]


@check.mistake("You counted 2 S runs. There are S differences, and the error is that of their mean: the root of S.")
def number_of_runs(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return (a - b).mean(), (a - b).std() / (2 * len(a)) ** 0.5


@check.mistake("""The second number is z, the difference in standard errors. The exercise asks for the standard error
    itself.""")
def z_in_place_of_the_error(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return (a - b).mean(), (a - b).mean() / right(a, b)[1]


@check.mistake("""You called a gain below zero 0. a may be the worse one, and then the difference is negative: leave its
    sign.""")
def clipped_at_0(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return (a - b).mean().clamp(min=0), right(a, b)[1]


@check.mistake("The error is right, and the difference lost its sign. a may be the worse one: leave the sign.")
def sign_of_the_mean_lost(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return (a - b).mean().abs(), right(a, b)[1]


@check.mistake("""You subtracted the standard errors of the two rows. That is not the error of a difference: subtract
    seed by seed, and take one standard error.""")
def standard_errors_subtracted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a.mean() - b.mean(), (a.std() - b.std()).abs() / len(a) ** 0.5


@check.mistake("""Two things: the question is by how much a is better than b, so b is subtracted; and the error is that
    of two *independent* groups: subtract seed by seed first.""")
def unpaired_and_sign_turned_round(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return unpaired(b, a)
