"""00.two_weights, pen and paper: the IWAE estimate minus the ELBO estimate of the weights 1 and 9, log 5 - log 3."""

from __future__ import annotations

import math

from vaecourse.checks.frame import Check

ELBO, IWAE = math.log(9) / 2, math.log(5)  # the mean of the logarithms, the logarithm of the mean

check = Check(
    "00.two_weights",
    IWAE - ELBO,
    praise="log 5 - log 3: the logarithm of the mean minus the mean of the logarithms. Only equal weights give 0.",
    rtol=3e-3,
)


@check.mistake("""Right in size. Asked for is how far the IWAE estimate lies *above* the ELBO: the logarithm of the mean
    minus the mean of the logarithms, which is never negative.""")
def the_other_way_round() -> float:
    return ELBO - IWAE


@check.mistake("""You took the logarithm of the sum, log 10. A mean of two is the sum divided by two: the logarithm of
    5.""")
def sum_for_the_mean() -> float:
    return math.log(10) - ELBO


@check.mistake("""You added the two logarithms, log 1 + log 9. The ELBO estimate is their *mean*: half of that.""")
def logarithms_added() -> float:
    return IWAE - 2 * ELBO


@check.mistake("""Both means became sums: this is log 10 minus the sum of log 1 and log 9. Each of the two estimates has
    a mean of K = 2 in it.""")
def two_sums() -> float:
    return math.log(10) - 2 * ELBO


@check.mistake("This is the IWAE estimate, log 5. Asked for is how far it lies above the ELBO estimate.")
def the_iwae_alone() -> float:
    return IWAE


@check.mistake("""This is the ELBO estimate, the mean of log 1 and log 9. Asked for is how far the IWAE estimate lies
    above it.""")
def the_elbo_alone() -> float:
    return ELBO


@check.mistake("""The logarithm to the base 2 was taken: this is the answer in bits. In nats it is log 2 = 0.693 times
    that.""")
def in_bits() -> float:
    return (IWAE - ELBO) / math.log(2)


@check.mistake("""The logarithm to the base 10 was taken. Nats belong to the natural logarithm: log 10 = 2.303 times
    that.""")
def to_the_base_10() -> float:
    return (IWAE - ELBO) / math.log(10)


@check.mistake("""This is 5 - 3, or the difference without logarithms. A bound is in nats: the logarithm of 5 minus the
    mean of log 1 and log 9.""")
def without_logarithms() -> float:
    return 2.0


@check.mistake("""0 would be right for two equal weights. These scatter, and then the logarithm of the mean lies above
    the mean of the logarithms.""")
def nothing() -> float:
    return 0.0
