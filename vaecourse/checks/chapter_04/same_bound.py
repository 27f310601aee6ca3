"""04.same_bound: on paper, how many samples give the encoder eight times the ratio of (1, 64), on the same bound."""

from __future__ import annotations

import math

from vaecourse.checks.frame import Check
from vaecourse.checks.slips import a_value

check = Check(
    "04.same_bound",
    4096,
    praise="M = 64 groups of K = 64. Eight groups of eight give 0.62 for 64 samples, on a looser bound.",
)


@check.mistake("""64 is how many groups it takes, M. Each has K = 64 samples, for the bound has to stay L_64 (eight
    groups of eight have a looser one): how many are drawn in all?""")
def M_in_place_of_M_K() -> int:
    return 64


@check.mistake("""512 samples are eight groups of 64. The ratio goes by the *root* of M: eight groups lift it by a
    factor of less than three.""")
def without_the_root() -> int:
    return 512


@check.mistake("""8 is by how much the ratio is to rise. It rises like the root of M, and asked for is M times K.""")
def the_factor_itself() -> int:
    return 8


@check.mistake("""4032 come on top of the 64 that you have. Asked for is how many a step needs in all.""")
def only_those_that_are_added() -> int:
    return 4032


ROOT = 8**0.5  # no whole number: it comes rounded, as groups or as samples

for name, value in {
    "root_in_place_of_the_square": ROOT * 64,
    "root_in_place_of_the_square_in_whole_samples": math.floor(ROOT * 64),
    "root_in_place_of_the_square_in_whole_groups": math.ceil(ROOT) * 64,
}.items():
    check.mistake("""You took the root of eight for M. It is the other way round: the ratio is the root of M, so M is
        the square of eight.""")(a_value(name, value))


@check.mistake("One sample in all has the ratio 0.79, and its bound is the ELBO. The bound is to stay L_64.")
def one_sample() -> int:
    return 1


@check.mistake("""This is 64 times 4096: 4096 groups of 64 samples, or 64 groups of 4096. The ratio goes by the
    root of M, so 64 groups are enough; and K stays 64.""")
def M_squared_or_K_raised() -> int:
    return 64 * 4096


@check.mistake("""You added M = 64 and K = 64. There are M groups of K samples: multiply.""")
def M_and_K_added() -> int:
    return 128
