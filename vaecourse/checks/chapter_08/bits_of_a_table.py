"""08.bits_of_a_table: a negative log-likelihood of 84.78 nats for images of 28 x 28 pixels, in bits per dimension."""

from __future__ import annotations

import math

from vaecourse.checks.frame import Check

NATS, PIXELS = 84.78, 28 * 28

check = Check(
    "08.bits_of_a_table",
    NATS / (PIXELS * math.log(2)),
    praise="0.156. The VAE with k = 50 has 86.35 nats, which is 0.159: a paper that prints two decimals would print "
    "0.16 for both, and 1.57 nats would be gone.",
    rtol=5e-3,
)


@check.mistake("0.108 is in nats per dimension. A bit is log 2 = 0.693 nats: divide by that as well.")
def nats_per_dimension() -> float:
    return NATS / PIXELS


@check.mistake("122.3 is in bits, for the whole image. Per dimension: divide by the number of pixels.")
def bits_for_the_image() -> float:
    return NATS / math.log(2)


@check.mistake("0.075 comes out if you multiply by log 2. A bit is smaller than a nat, so there are more bits: divide.")
def multiplied_by_log_2() -> float:
    return NATS * math.log(2) / PIXELS


@check.mistake("""The size is right, and the sign is not: 84.78 is a *negative* log-likelihood already, and a code
    length is positive.""")
def sign_turned_round() -> float:
    return -NATS / (PIXELS * math.log(2))


@check.mistake("0.047 comes out with logarithms of base 10. A bit has base 2: log 2 = 0.693.")
def base_10() -> float:
    return NATS / (PIXELS * math.log(10))


@check.mistake("1.91 comes out with 64 pixels. Those are the digits; an image of MNIST has 28 x 28.")
def pixels_of_the_digits() -> float:
    return NATS / (64 * math.log(2))


@check.mistake("4.37 comes out with 28 dimensions. An image has 28 rows of 28 pixels.")
def one_row() -> float:
    return NATS / (28 * math.log(2))


@check.mistake("0.159 is the row below, the VAE with k = 50. The question is about IWAE with k = 50, 84.78 nats.")
def of_the_VAE() -> float:
    return 86.35 / (PIXELS * math.log(2))


@check.mistake("0.0541 comes out if you divide by 2 where log 2 belongs. A bit is log 2 = 0.693 nats.")
def divided_by_2() -> float:
    return NATS / (PIXELS * 2)


@check.mistake("0.16 is right to two digits. Three are asked for, and the third is the point: write 0.15x.")
def two_digits() -> float:
    return 0.16
