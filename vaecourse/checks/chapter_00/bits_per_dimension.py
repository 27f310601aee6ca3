"""00.bits_per_dimension: nats to bits per dimension. Shapes: ``[B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check

LOG_2 = math.log(2)


def right(log_p: Tensor, D: int) -> Tensor:
    return -log_p / (D * LOG_2)


check = Check(
    "00.bits_per_dimension",
    right,
    praise="Divided by D log 2, with the sign of a cost. Papers print either unit, and now you can read both.",
    cases=lambda: [(10 * normal(5, seed=7) - 85, 784), (normal(3, seed=8) - 2, 1), (normal(4, seed=9), 64)],
    rtol=1e-3,  # who multiplies by the 1.443 of the text is right
)


check.mistake("The size is right, the sign is not. Bits per dimension is a cost, the length of a code: minus log p.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("""These are nats per dimension. A bit is log 2 = 0.693 nats, so there are more bits than nats: divide by
    log 2.""")
def nats_per_dimension(log_p: Tensor, D: int) -> Tensor:
    return -log_p / D


@check.mistake("You shared the nats out over D. Two steps are left: the sign of a cost, and the change to base 2.")
def nats_per_dimension_with_the_wrong_sign(log_p: Tensor, D: int) -> Tensor:
    return log_p / D


@check.mistake("""You multiplied by log 2 and the number shrank. A bit is smaller than a nat, so the same length is more
    bits: divide.""")
def multiplied_by_log_2(log_p: Tensor, D: int) -> Tensor:
    return -log_p * LOG_2 / D


@check.mistake("These are bits for all D dimensions together. Divide by D as well.")
def bits_for_the_whole_image(log_p: Tensor, D: int) -> Tensor:
    return -log_p / LOG_2


@check.mistake("""This is log2 p(x), for all D dimensions together. Bits per dimension is a cost, minus that, divided by
    D.""")
def bits_for_the_whole_image_with_the_wrong_sign(log_p: Tensor, D: int) -> Tensor:
    return log_p / LOG_2


@check.mistake("You divided by log 10, which gives decimal digits. For bits the base is 2.")
def base_ten(log_p: Tensor, D: int) -> Tensor:
    return -log_p / (D * math.log(10))


check.mistake("You averaged over the data points. Every x has its own cost: return [B].")(
    partial(slips.averaged_over_the_batch, right)
)


@check.mistake("You took the logarithm of a logarithm. log_p is a logarithm already; changing its base is a division.")
def logarithm_taken_twice(log_p: Tensor, D: int) -> Tensor:
    return -log_p.log2() / D


@check.mistake("""You took the base-2 logarithm of the size of log_p. It is a logarithm already; changing its base is a
    division by log 2.""")
def logarithm_taken_twice_without_the_sign(log_p: Tensor, D: int) -> Tensor:
    return -log_p.abs().log2() / D


@check.mistake("""You took the base-2 logarithm of -log_p. It is a logarithm already; changing its base is a division by
    log 2.""")
def logarithm_of_minus_a_logarithm(log_p: Tensor, D: int) -> Tensor:
    return (-log_p).log2() / D


@check.mistake("""The size is right and the sign was dropped, not turned. A density may be above 1: then log p is
    positive and its cost is negative.""")
def sign_dropped(log_p: Tensor, D: int) -> Tensor:
    return right(log_p, D).abs()


@check.mistake("You divided by log D. The cost is shared out over the dimensions themselves: divide by D.")
def log_D_for_D(log_p: Tensor, D: int) -> Tensor:
    return -log_p / (math.log(D) * LOG_2)


@check.mistake("Two things: bits are shared out over D dimensions, not over log D; and a cost is *minus* log p.")
def log_D_for_D_with_the_wrong_sign(log_p: Tensor, D: int) -> Tensor:
    return log_p / (math.log(D) * LOG_2)
