"""02.worth_by_hand, pen and paper: K / (1 + chi^2) for K = 1000, ten dimensions, a q of 0.8 standard deviations."""

from __future__ import annotations

import math

from vaecourse.checks.frame import Check

K, L, RATIO = 1000, 10, 0.8  # RATIO: q's standard deviation over the posterior's


def second_moment(variance: float) -> float:
    """1 + chi^2 of one dimension, for a q in the centre; ``variance`` is q's over the posterior's."""
    return variance / math.sqrt(2 * variance - 1)


MOMENT = second_moment(RATIO**2)

check = Check(
    "02.worth_by_hand",
    round(K / MOMENT**L),
    praise="One dimension keeps 83% of the draws, ten keep 15%. A q too narrow by a fifth is dear in many dimensions.",
    rtol=4e-3,
)


@check.mistake("This is one dimension. In ten independent ones 1 + chi^2 is a product of ten factors.")
def one_dimension() -> float:
    return K / MOMENT


@check.mistake("""0.8 is the ratio of the standard deviations, and you put it in for that of the variances: the formula
    has sigma^2 and v, so it is 0.64 that goes in.""")
def deviation_for_the_variance() -> float:
    return K / second_moment(RATIO) ** L


@check.mistake("""Two things: this is one dimension, and ten of them multiply; and 0.8 is the ratio of the standard
    deviations, where the formula has the variances, 0.64.""")
def one_dimension_and_the_deviation() -> float:
    return K / second_moment(RATIO)


@check.mistake("""You added ten times chi^2. The weight is a product of ten independent factors, so the mean of its
    square, 1 + chi^2, is a product too.""")
def dimensions_added() -> float:
    return K / (1 + L * (MOMENT - 1))


@check.mistake("""You multiplied by 1 + chi^2. Unequal weights make draws worth less, not more: divide by it.""")
def upside_down() -> float:
    return K * MOMENT**L


@check.mistake("""You divided by chi^2 alone. With equal weights chi^2 is 0 and all K draws count: it is K / (1 +
    chi^2).""")
def one_forgotten() -> float:
    return K / (MOMENT**L - 1)


@check.mistake("This is the share of the draws. Asked for is how many of 1000 that is.")
def share_for_the_count() -> float:
    return 1 / MOMENT**L


@check.mistake("These are the draws that are lost. Asked for is how many the 1000 are worth.")
def those_that_are_lost() -> float:
    return K - K / MOMENT**L


@check.mistake("""This is 0.8 to the power 10, of a thousand. What a draw is worth is not the ratio of the widths: it
    comes from the second moment of a weight.""")
def width_to_the_power_of_10() -> float:
    return K * RATIO**L


@check.mistake("""This is 1 + chi^2 of all ten dimensions. What is asked for is K divided by it.""")
def the_moment_itself() -> float:
    return MOMENT**L
