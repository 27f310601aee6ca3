"""00.spot_the_bug: MIWAE of log-weights whose batch comes first. Shapes: ``[B, M, K] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> Tensor:
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(1)


check = Check(
    "00.spot_the_bug",
    right,
    praise="The samples are axis 2 here. The old code gave MIWAE with M and K exchanged, which at M = K has the same "
    "mean: no z-score could have seen it there.",
    cases=lambda: [
        (2 * normal(5, 2, 7, seed=16) - 3,),  # [B, M, K]
        (normal(3, 1, 6, seed=17),),
        (normal(2, 4, 3, seed=18) - 800,),
        (uneven(normal(4, 2, 5, seed=19), 2),),
    ],
)


check.mistake("""That is the code as it was. Its log-mean-exp runs over axis 1. Which axis is that when the batch comes
    first?""")(partial(slips.over_another_axis, over=1, then=1))

check.mistake("The sum now runs over K and the logarithm still counts M. Both belong to the same axis.")(
    partial(slips.another_axis_counted, over=2, counted=1, then=1)
)

check.mistake("The logarithm counts K and the sum still runs over M. Both belong to the same axis.")(
    partial(slips.another_axis_summed, over=1, counted=2, then=1)
)


@check.mistake("This treats the tensor as [M, K, B]. It came as [B, M, K]: you averaged over the data points.")
def batch_in_the_place_of_M(log_w: Tensor) -> Tensor:
    return bounds.miwae(log_w)


@check.mistake("""You pooled all M K samples under one logarithm: that is IWAE with M K samples. Wanted is one logarithm
    for each estimate, and then their mean.""")
def M_and_K_pooled(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w.movedim(0, 2))


check.mistake("""This is the ELBO: a mean of logarithms over both axes. The weights of one estimate are averaged before
    the logarithm.""")(partial(slips.mean_of_logs, over=(1, 2)))

check.mistake("The axes are right and log K is gone: a sum is not yet a mean.")(
    partial(slips.log_K_missing, over=2, then=1)
)

check.mistake("The M estimates are added up. Each is a bound of its own, so they are averaged.")(
    partial(slips.estimates_summed, over=2, then=1)
)

check.mistake("The log-mean-exp is right. The M estimates are still to be averaged: [B, M] -> [B].")(
    partial(slips.estimates_kept, over=2)
)

check.mistake("The axes are right. At log w = -800 every exp is 0 and its logarithm -inf: use logsumexp.")(
    partial(slips.exp_first, over=2, then=1)
)
