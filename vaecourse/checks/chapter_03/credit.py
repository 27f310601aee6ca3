"""03.credit: on paper, the gradient of log of the mean of three weights, 6, 3 and 1, whose slopes are 1, -2 and 5."""

from __future__ import annotations

import torch

from vaecourse.checks.frame import Check

WEIGHTS = torch.tensor([6.0, 3.0, 1.0], dtype=torch.float64)
SLOPES = torch.tensor([1.0, -2.0, 5.0], dtype=torch.float64)


def credited(factors: torch.Tensor) -> float:
    """The sum of the slopes, each times its factor."""
    return float((factors * SLOPES).sum())


SHARES = WEIGHTS / WEIGHTS.sum()

check = Check(
    "03.credit",
    credited(SHARES),
    praise="Shares .6, .3 and .1, so .6 - .6 + .5. The third slope is the largest and has a tenth of the say.",
)


@check.mistake("""You gave every sample the credit 1/3. That is the ELBO's gradient. Under one logarithm each slope
    counts by its share of the sum of the weights.""")
def equal_credit_as_in_the_ELBO() -> float:
    return credited(torch.full_like(WEIGHTS, 1 / 3))


@check.mistake("You added up the slopes alone. Each counts by its share of the sum of the weights.")
def no_credit_at_all() -> float:
    return credited(torch.ones_like(WEIGHTS))


@check.mistake("""5 is the slope of the third sample alone, and also the sum of each slope times its weight. Every
    sample counts; and the derivative of a logarithm divides by what stands under it, by the sum of the weights.""")
def not_divided_by_the_sum_or_the_third_alone() -> float:
    return credited(WEIGHTS)


@check.mistake("""You multiplied each slope by its weight and divided by 3. That is the slope of the *mean* of the
    weights; the logarithm's derivative divides by that mean too.""")
def slope_of_the_mean() -> float:
    return credited(WEIGHTS / 3)


@check.mistake("You divided by K as well. The shares add up to one already, so it is a plain sum.")
def divided_by_K() -> float:
    return credited(SHARES / 3)


@check.mistake("""You squared the shares. That is chapter 05's estimator, for another kind of slope. Here they count as
    they are.""")
def shares_squared() -> float:
    return credited(SHARES**2)


@check.mistake("The largest weight got the smallest share. A sample that explains x well counts most.")
def worst_counts_most() -> float:
    return credited((1 / WEIGHTS) / (1 / WEIGHTS).sum())


@check.mistake("""1 is the slope of the best sample alone, and also the sum of the shares. The best sample has most of
    the credit, and not all of it, 6 of 10; and a share multiplies a slope.""")
def best_sample_alone_or_the_sum_of_the_shares() -> float:
    return credited(torch.tensor([1.0, 0.0, 0.0]))


@check.mistake("You took the shares of the *logarithms* of the weights. A share is w over the sum of the w.")
def shares_of_the_logarithms() -> float:
    return credited(WEIGHTS.log() / WEIGHTS.log().sum())


@check.mistake("You took 6, 3 and 1 for log-weights and made a softmax of them. They are the weights themselves.")
def weights_taken_for_log_weights() -> float:
    return credited(WEIGHTS.softmax(0))


@check.mistake("The size is right. The sign is that of a loss; asked for is the gradient of the logarithm itself.")
def sign_turned_round() -> float:
    return -credited(SHARES)


@check.mistake("""You let the shares move as well: that is the gradient of the sum of w~ log w. They came out of the
    derivative of the logarithm, and nothing of them is left to differentiate.""")
def shares_not_held_fixed() -> float:
    return credited(SHARES * (1 + WEIGHTS.log() - (SHARES * WEIGHTS.log()).sum()))


@check.mistake("The second slope is -2, and pulls the other way: .6 times 1, less .3 times 2, and so on.")
def sign_of_the_second_dropped() -> float:
    return float((SHARES * SLOPES.abs()).sum())
