"""00.how_many_draws, pen and paper: when an error of 0.05 beside a scatter of 0.6 makes a z-score of 4: (48)^2."""

from __future__ import annotations

import math

from vaecourse.checks.frame import Check
from vaecourse.checks.slips import a_value

ERROR, SD, ALARM = 0.05, 0.6, 4.0

check = Check(
    "00.how_many_draws",
    (ALARM * SD / ERROR) ** 2,
    praise="48 squared: 4 on average, for a z-score scatters by 1. An error half as large needs four times the draws: "
    "the standard error falls like 1/sqrt(N).",
    rtol=1e-6,
)


@check.mistake("""This is the square root of N. The standard error has N under a root: square both sides at the end.""")
def not_squared() -> float:
    return ALARM * SD / ERROR


@check.mistake("""So many draws give a z-score of 1, an ordinary day. Asked for is 4: the error is four standard
    errors.""")
def a_z_score_of_1() -> float:
    return (SD / ERROR) ** 2


@check.mistake("""You squared the ratio and not the 4. N grows with the square of the z-score, too.""")
def four_not_squared() -> float:
    return ALARM * (SD / ERROR) ** 2


@check.mistake("""This squares the 4, and not the ratio 0.6 / 0.05. From 0.05 = 4 * 0.6 / sqrt(N) everything is
    squared.""")
def ratio_not_squared() -> float:
    return ALARM**2 * SD / ERROR


VARIANCE = (ALARM * SD**2 / ERROR) ** 2  # no whole number, and one is asked for: it comes rounded

for name, value in {
    "variance_for_the_deviation": VARIANCE,
    "variance_for_the_deviation_rounded": math.floor(VARIANCE),
    "variance_for_the_deviation_rounded_up": math.ceil(VARIANCE),
}.items():
    check.mistake("""The variance was taken for the standard deviation: 0.6 is the deviation already, and 0.36 its
        square.""")(a_value(name, value))


@check.mistake("""The square root of 0.6 was taken. 0.6 is the standard deviation already, not the variance.""")
def deviation_for_the_variance() -> float:
    return ALARM**2 * SD / ERROR**2


@check.mistake("""This is 0.6 / 0.05, the scatter in units of the error. What is missing: the z-score of 4, and the root
    of N, which makes a square.""")
def scatter_over_error() -> float:
    return SD / ERROR


@check.mistake("""This is 1/N: the fraction is upside down. A larger scatter needs more draws, a larger error fewer.""")
def upside_down() -> float:
    return (ERROR / (ALARM * SD)) ** 2


@check.mistake("""You divided by 4. A z-score of 4 asks for a *smaller* standard error than one of 1: four of them fit
    into the error.""")
def divided_by_4() -> float:
    return (SD / (ERROR * ALARM)) ** 2
