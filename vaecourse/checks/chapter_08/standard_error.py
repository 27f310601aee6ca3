"""08.standard_error: the mean over S seeds and its standard error. Shapes: ``[S] -> [], []``."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def right(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.mean(), values.std() / len(values) ** 0.5


check = Check(
    "08.standard_error",
    right,
    praise="A number and how far it may be off. Without the second, the first compares with nothing.",
    cases=lambda: [
        (torch.tensor([-22.84, -22.91, -22.87, -22.95]),),
        (3 * normal(9, seed=1) - 20,),
        (0.1 * normal(5, seed=2),),
    ],
)


@check.mistake("""This is the standard deviation: how far *one more seed* may lie from the mean. It does not shrink when
    you add seeds. The standard error says how far the *mean* may be off: divide by the root of the number of seeds.""")
def standard_deviation(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.std()


@check.mistake("This is the square of the standard error. Take the root, so that it is in nats like the mean.")
def variance_of_the_mean(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.var() / len(v)


@check.mistake("You divided by the number of seeds. The spread of a mean falls with its *root*.")
def divided_by_S(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.std() / len(v)


@check.mistake("""The standard deviation was taken with S below the line. With so few seeds it matters that the mean was
    estimated from the same values: divide by S - 1, as torch's std() does when you leave it alone.""")
def n_for_n_minus_1(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.std(unbiased=False) / len(v) ** 0.5


@check.mistake("The S - 1 is in the standard deviation already. The mean is over S values: divide by the root of S.")
def divided_by_S_minus_1_twice(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.std() / (len(v) - 1) ** 0.5


@check.mistake("These are two standard errors, half of a 95% interval. Return one, and let the reader double it.")
def two_standard_errors(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), 2 * v.std() / len(v) ** 0.5


@check.mistake("""These are 1.96 standard errors, half of a 95% interval, and that only for many seeds: with four seeds
    it takes 3.2. Return one standard error.""")
def half_of_a_95_percent_interval(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), 1.96 * v.std() / len(v) ** 0.5


@check.mistake("You divided the *variance* by the root of S. Take the root of the variance first, which is std().")
def variance_over_the_root(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.var() / len(v) ** 0.5


@check.mistake("The error is that of the mean, and beside it stands the median. Return the mean.")
def median(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.median(), v.std() / len(v) ** 0.5


@check.mistake("You added the seeds up. A table reports their mean.")
def seeds_summed(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.sum(), v.std() * len(v) ** 0.5


check.mistake("Both are right, in the wrong order: the mean first.")(partial(slips.order_turned_round, right))


@check.mistake("You divided by the root of 6, however many seeds there are. Take their number from `values`: len().")
def six_seeds_taken_for_granted(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.std() / 6**0.5


@check.mistake("""Mean square minus squared mean: on paper that is the variance. Far from 0, two large numbers leave few
    right digits of their small difference. Subtract the mean first, then square.""")
def mean_square_less_squared_mean(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), ((v.square().mean() - v.mean().square()).clamp(min=0) / (len(v) - 1)).sqrt()


@check.mistake("""Two things: the first number is a sum, where a table reports a mean, and the second the standard
    deviation, not divided by the root of the number of seeds.""")
def sum_and_standard_deviation(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.sum(), v.std()


@check.mistake("The error is right, and it is that of the mean. Beside it stands the sum of the seeds.")
def sum_for_the_mean(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.sum(), v.std() / len(v) ** 0.5


@check.mistake("""Two things: the standard deviation was taken with S below the line, not S - 1, and it is that of one
    seed: the error of the mean is smaller by the root of S.""")
def n_for_n_minus_1_and_not_divided(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), v.std(unbiased=False)


@check.mistake("""Two things: mean square minus squared mean leaves few right digits far from 0, so subtract the mean
    first, then square; and with so few seeds divide by S - 1.""")
def mean_square_less_squared_mean_and_n(v: Tensor) -> tuple[Tensor, Tensor]:
    return v.mean(), (v.square().mean() - v.mean().square()).clamp(min=0).sqrt() / len(v) ** 0.5
