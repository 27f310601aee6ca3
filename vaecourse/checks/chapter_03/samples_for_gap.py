"""03.samples_for_gap: how many samples bring the gap chi^2 / (2 K) down to ``gap``."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, wraps

from vaecourse.checks import slips
from vaecourse.checks.frame import Check

Ratio = Callable[[float, float], float]


def needed(chi_squared: float, gap: float) -> float:
    return chi_squared / (2 * gap)


def right(chi_squared: float, gap: float) -> int:
    return max(1, math.ceil(needed(chi_squared, gap)))


check = Check(
    "03.samples_for_gap",
    right,
    praise="Half the gap, twice the samples; half the chi-squared, half the samples. A better q is worth samples.",
    cases=lambda: [(0.7055, 0.01), (31.0, 0.6), (0.02, 0.1), (20.0, 0.03), (1.0, 0.3), (1.0, 0.125), (0.0, 0.1)],
)


ROUNDED: list[tuple[str, str, Callable[[float], float]]] = [
    ("", "", lambda ratio: max(1, math.ceil(ratio))),
    ("_and_K_may_be_0", " And with a chi-squared of 0 you return 0: K is at least 1.", math.ceil),
    ("_and_rounded_down", " And you rounded down: round up.", lambda ratio: max(1, math.floor(ratio))),
    ("_and_down_to_0", " And you rounded down: round up, to at least 1.", math.floor),
    ("_and_not_rounded", " And K is a whole number, at least 1: round up.", lambda ratio: ratio),
]


def in_the_ratio(message: str) -> Callable[[Ratio], Ratio]:
    """One slip in the ratio, with what people then do to make a whole number of it."""

    def known(ratio: Ratio) -> Ratio:
        for name, told, rounding in ROUNDED:

            @wraps(ratio)
            def answer(chi_squared: float, gap: float, rounding: Callable[[float], float] = rounding) -> float:
                return rounding(ratio(chi_squared, gap))

            answer.__name__ += name
            check.mistake(message + told)(answer)
        return ratio

    return known


@check.mistake("""Right, but for a perfect q: with a chi-squared of 0 you return 0, and you still have to draw one
    sample.""")
def K_may_be_0(chi_squared: float, gap: float) -> float:
    return math.ceil(needed(chi_squared, gap))


@check.mistake("""Where chi_squared / (2 gap) is a whole number, as 1 / (2 * 0.125) = 4, you return one sample too many:
    a gap that is exactly the given one is small enough. math.ceil leaves whole numbers alone.""")
def one_too_many_at_whole_numbers(chi_squared: float, gap: float) -> float:
    return math.floor(needed(chi_squared, gap)) + 1


@in_the_ratio("The gap is chi-squared over 2K: the 2 is missing. It comes from the second term of log(1 + e).")
def factor_2_missing(chi_squared: float, gap: float) -> float:
    return chi_squared / gap


@in_the_ratio("The 2 stands on the wrong side: gap = chi_squared / (2 K).")
def times_2(chi_squared: float, gap: float) -> float:
    return 2 * chi_squared / gap


@in_the_ratio("""You multiplied by the gap: a smaller gap needs more samples. If 2 * gap was to stand below, put
    brackets round it: in Python a / 2 * b is (a / 2) * b.""")
def multiplied_by_the_gap(chi_squared: float, gap: float) -> float:
    return chi_squared / 2 * gap


@in_the_ratio("""You divided by the square of the gap. So many samples bring the *standard deviation* of the estimate to
    the given size: it falls like 1/sqrt(K). The bias falls faster, like 1/K.""")
def rate_of_the_spread(chi_squared: float, gap: float) -> float:
    return chi_squared / gap**2


@in_the_ratio("You squared the gap. The bias is chi_squared / (2 K), so K is in proportion to 1 / gap.")
def gap_squared(chi_squared: float, gap: float) -> float:
    return chi_squared / (2 * gap**2)


@in_the_ratio("You squared chi_squared, which has its square in its name only: K is chi_squared / (2 gap).")
def chi_squared_squared(chi_squared: float, gap: float) -> float:
    return chi_squared**2 / (2 * gap)


@in_the_ratio("You took a square root. The gap falls like 1/K, and only the scatter like 1/sqrt(K).")
def square_root(chi_squared: float, gap: float) -> float:
    return math.sqrt(needed(chi_squared, gap))


@check.mistake("You rounded down, and the gap is then a little larger than asked for. Round up.")
def rounded_down_to_at_least_1(chi_squared: float, gap: float) -> float:
    return max(1, math.floor(needed(chi_squared, gap)))


check.mistake("You rounded down: the gap is then larger than asked for, and K may be 0. Round up, to at least 1.")(
    partial(slips.rounded_down, needed)
)


@check.mistake("You rounded to the nearest number, and the gap may then be larger than asked for. Round up.")
def rounded_to_at_least_1(chi_squared: float, gap: float) -> float:
    return max(1, round(needed(chi_squared, gap)))


check.mistake("""You rounded to the nearest number: the gap may be larger than asked for, and K may be 0. Round up, to
    at least 1.""")(partial(slips.rounded, needed))


@check.mistake("The ratio is right. K is a whole number, at least 1: round up.")
def not_a_whole_number(chi_squared: float, gap: float) -> float:
    return needed(chi_squared, gap)


@check.mistake("The ratio is right. K is a whole number: round up.")
def not_a_whole_number_at_least_1(chi_squared: float, gap: float) -> float:
    return max(1, needed(chi_squared, gap))
