"""07.how_many: the fewest samples after which U_K can be ``left`` nats above log q(z)."""

from __future__ import annotations

import math
from collections.abc import Callable

from vaecourse.checks.frame import Check


def needed(gap: float, left: float) -> float:
    return math.exp(gap - left) - 1


def right(gap: float, left: float) -> int:
    return math.ceil(needed(gap, left))


check = Check(
    "07.how_many",
    right,
    praise="Exponential in the gap. More samples cannot replace a tau that looks at z.",
    cases=lambda: [(10.81, 1.0), (5.0, 0.5), (0.8, 0.1), (0.3, 0.5), (0.5, 3.0), (1.0, 1.0)],
    rtol=1e-9,
)


def mistake_with_and_without_a_floor(message: str) -> Callable[[Callable[[float, float], float]], None]:
    """Where gap is below left these fall below 0, unless one thought of that and of nothing else."""

    def known(slip: Callable[[float, float], float]) -> None:
        def not_below_0(gap: float, left: float) -> float:
            return max(0, slip(gap, left))

        not_below_0.__name__ = f"{slip.__name__}_and_not_below_0"
        check.mistake(message)(slip)
        check.mistake(message)(not_below_0)

    return known


@check.mistake("This counts all samples under the logarithm. psi_0 is free, so K is one less.")
def K_plus_1_samples(gap: float, left: float) -> float:
    return math.ceil(math.exp(gap - left))


@check.mistake("You closed the whole gap. `left` nats may stay open, so gap - left must go.")
def whole_gap(gap: float, left: float) -> float:
    return math.ceil(math.exp(gap) - 1)


@mistake_with_and_without_a_floor("Rounded down, one sample is missing: math.ceil gives the smallest that is enough.")
def rounded_down(gap: float, left: float) -> float:
    return math.floor(needed(gap, left))


@mistake_with_and_without_a_floor("Rounded to the nearest, so sometimes one sample is missing. Round up.")
def rounded(gap: float, left: float) -> float:
    return round(needed(gap, left))


@mistake_with_and_without_a_floor("The formula is right. K is a whole number: round it up.")
def not_a_whole_number(gap: float, left: float) -> float:
    return needed(gap, left)


@check.mistake("gap and left have changed places.")
def gap_and_left_turned_round(gap: float, left: float) -> float:
    return right(left, gap)


@check.mistake("""You divided gap by left, as if the gap fell like 1 / (K + 1) from the start. That is the law for large
    K; before it sets in, log(K + 1) is all that U_K can gain: the difference, in nats, under an exponential.""")
def law_for_large_K(gap: float, left: float) -> float:
    return math.ceil(gap / left - 1)


@check.mistake("You took powers of 2. The gaps are in nats: powers of e.")
def bits(gap: float, left: float) -> float:
    return math.ceil(2 ** (gap - left) - 1)


@mistake_with_and_without_a_floor(
    "You took the exponential of each and then the difference. gap - left <= log(K + 1): the difference first."
)
def exponential_of_left(gap: float, left: float) -> float:
    return math.ceil(math.exp(gap) - math.exp(left))


@mistake_with_and_without_a_floor(
    "left stands outside the exponential. gap and left are both nats: take their difference first."
)
def left_outside_the_exponential(gap: float, left: float) -> float:
    return math.ceil(math.exp(gap) - left)


@check.mistake("You added left. What may stay open need not be closed: gap - left.")
def gap_and_left_added(gap: float, left: float) -> float:
    return math.ceil(math.exp(gap + left) - 1)


@mistake_with_and_without_a_floor(
    "You took one sample for each nat. K guesses close log(K + 1) nats: solve for K with an exponential."
)
def linear(gap: float, left: float) -> float:
    return math.ceil(gap - left)


@check.mistake("Right but where nothing has to go: K = 0 is allowed, for psi_0 is there for nothing.")
def at_least_one(gap: float, left: float) -> float:
    return max(1, right(gap, left))


@check.mistake("This is one more than exp(gap - left), rounded up. K + 1 = exp(gap - left), so K is one *less*.")
def one_added(gap: float, left: float) -> float:
    return math.ceil(math.exp(gap - left) + 1)


@check.mistake("""Right but where gap is below left already: you took the size of the difference without its sign.
    Nothing has to go there: K = 0.""")
def absolute_difference(gap: float, left: float) -> float:
    return math.ceil(math.exp(abs(gap - left)) - 1)


@check.mistake("""This is one more than exp(gap - left), rounded down. K + 1 = exp(gap - left), so K is one *less*,
    rounded up.""")
def one_added_and_rounded_down(gap: float, left: float) -> float:
    return math.floor(math.exp(gap - left) + 1)


@check.mistake("""Right but where exp(gap - left) is a whole number, as at gap = left: one too many there. Round up with
    math.ceil, rather than down and one more.""")
def rounded_down_and_one_more(gap: float, left: float) -> float:
    return math.floor(needed(gap, left)) + 1


@check.mistake("You took a logarithm of gap - left. gap - left <= log(K + 1): solve for K with the exponential.")
def logarithm_for_exponential(gap: float, left: float) -> float:
    return math.ceil(math.log(max(gap - left, 1.0)))
