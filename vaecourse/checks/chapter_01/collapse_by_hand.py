"""01.collapse_by_hand, pen and paper: the KL of a linear VAE at its best, for three eigenvalues, a noise and a beta."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vaecourse.checks.frame import Check

EIGENVALUES, NOISE, BETA = (2.7, 0.9, 0.3), 0.2, 3.0


def half_logs(eigenvalues: Sequence[float], threshold: float) -> float:
    """Half of log(eigenvalue / threshold), added up."""
    return sum(0.5 * math.log(value / threshold) for value in eigenvalues)


def right(threshold: float = BETA * NOISE) -> float:
    """The units above the threshold only."""
    return half_logs([value for value in EIGENVALUES if value > threshold], threshold)


check = Check(
    "01.collapse_by_hand",
    right(),
    praise="Two units live, and the third carries nothing: 0.3 is below 3 * 0.2. With beta = 1 all three would live.",
    rtol=3e-3,
)


@check.mistake("""The beta is missing: this is the KL with the threshold 0.2, where all three units live. A weight on
    the KL acts as beta times the noise.""")
def beta_forgotten() -> float:
    return right(NOISE)


@check.mistake("""You counted the unit with the eigenvalue 0.3, and its half logarithm is negative. No KL is: below the
    threshold 0.6 a unit is dead, and its KL is 0.""")
def dead_unit_counted() -> float:
    return half_logs(EIGENVALUES, BETA * NOISE)


@check.mistake("""The one half is missing: a unit has half the logarithm of its eigenvalue over the threshold.""")
def half_forgotten() -> float:
    return 2 * right()


@check.mistake("""The one half is missing, and the unit with the eigenvalue 0.3 was counted: it is below the threshold
    0.6, and its KL is 0.""")
def half_forgotten_and_dead_unit_counted() -> float:
    return 2 * half_logs(EIGENVALUES, BETA * NOISE)


@check.mistake("""You divided the noise by beta. A larger weight makes the KL dearer, so fewer units live: the threshold
    is beta *times* the noise.""")
def beta_divided() -> float:
    return right(NOISE / BETA)


@check.mistake("""You multiplied the KL by beta. Asked for is the KL itself; beta has its say in the threshold.""")
def times_beta() -> float:
    return BETA * right()


@check.mistake("""This is the first unit alone. The second lives too: 0.9 is above the threshold 3 * 0.2 = 0.6.""")
def first_unit_alone() -> float:
    return half_logs(EIGENVALUES[:1], BETA * NOISE)


@check.mistake("""This is the mean over the two living units. The KL of several units is the sum of theirs.""")
def mean_over_the_living() -> float:
    return right() / 2


@check.mistake("""This is the mean over all three units. The KL of several units is the sum of theirs.""")
def mean_over_all() -> float:
    return right() / 3


@check.mistake("""The logarithm to the base 2 was taken: this is the answer in bits. In nats it is log 2 = 0.693 times
    that.""")
def in_bits() -> float:
    return right() / math.log(2)


@check.mistake("""The logarithm to the base 10 was taken. Nats belong to the natural logarithm.""")
def to_the_base_10() -> float:
    return right() / math.log(10)


@check.mistake("""You added the eigenvalues and took one logarithm. Each unit has a logarithm of its own, and these are
    added.""")
def one_logarithm_of_the_sum() -> float:
    return half_logs([sum(EIGENVALUES[:2])], BETA * NOISE)


@check.mistake("""The square root of the noise was taken. 0.2 is a variance, as the eigenvalues are.""")
def deviation_for_the_variance() -> float:
    return right(BETA * math.sqrt(NOISE))


@check.mistake("""0 would be right if every unit were dead. Two eigenvalues are above the threshold 3 * 0.2 = 0.6.""")
def all_dead() -> float:
    return 0.0
