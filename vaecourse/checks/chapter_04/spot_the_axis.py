"""04.spot_the_axis: MIWAE of log-weights whose batch comes first. Shapes: ``[B, M, K] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> Tensor:
    return bounds.miwae(log_w.permute(1, 2, 0))


check = Check(
    "04.spot_the_axis",
    right,
    praise="K under the logarithm, M outside. With M = K both agree on average: always test with M different from K.",
    cases=lambda: [
        (2 * normal(5, 3, 4, seed=21),),  # [B, M, K]
        (normal(2, 1, 6, seed=22) - 800.0,),
        (normal(3, 3, 3, seed=23),),
        (normal(2, 6, 3, seed=25),),
        (uneven(normal(3, 2, 5, seed=24), (1, 2)),),
        (uneven(normal(1, 2, 5, seed=26), 2),),  # both groups of one x
    ],
)


check.mistake("""This is what the code as it stood gives: with axes [B, M, K], axis 1 is M. It averages the weights over
    the M groups and the logarithms over K, so it climbs MIWAE(K, M). At (M, K) = (1, 64) that is the plain ELBO.""")(
    partial(slips.over_another_axis, over=1, then=1)
)

check.mistake("The sum is over K now, but log M is subtracted. The number of samples under the logarithm is K.")(
    partial(slips.another_axis_counted, over=2, counted=1, then=1)
)

check.mistake("log K is right now, but the sum still runs over axis 1, which is M.")(
    partial(slips.another_axis_summed, over=1, counted=2, then=1)
)

check.mistake("The axis is right. You added the M estimates up: MIWAE is their mean.")(
    partial(slips.estimates_summed, over=2, then=1)
)

check.mistake("The formula is right, but exp(-800) is 0 in a computer, and its log is -inf. Use logsumexp.")(
    partial(slips.exp_first, over=2, then=1)
)


@check.mistake("""Right where M = 1, and for M > 1 it is still the code as it stood. One line does for every M: K under
    the logarithm, then the mean over M.""")
def mended_for_one_group_only(log_w: Tensor) -> Tensor:
    return right(log_w) if log_w.shape[1] == 1 else slips.over_another_axis(log_w, 1, 1)


@check.mistake("""Right as long as K is not smaller than M: under the logarithm you have the *longer* of the two axes.
    Which one is K, its place says, not its length.""")
def longer_axis_is_taken_for_K(log_w: Tensor) -> Tensor:
    return slips.over_another_axis(log_w, 1, 1) if log_w.shape[1] > log_w.shape[2] else right(log_w)


@check.mistake("""The logarithms are right. You averaged them over the batch: average over the M groups, so that one
    value is left for every x, [B].""")
def mean_over_the_batch_and_M_left(log_w: Tensor) -> Tensor:
    return slips.over_another_axis(log_w, 2).mean(0)


@check.mistake("You subtract log(M K). Only K weights stand under each logarithm: log K.")
def log_MK_for_log_K(log_w: Tensor) -> Tensor:
    return right(log_w) - math.log(log_w.shape[1])


@check.mistake("Axis 0 is the batch here. Data points never meet under one logarithm.")
def over_the_batch(log_w: Tensor) -> Tensor:
    return (log_w.logsumexp(0) - math.log(log_w.shape[0])).mean(0)


@check.mistake("You pooled all M K samples: L of M K, which is IWAE. MIWAE takes M logarithms of K samples each.")
def pooled(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w.permute(1, 2, 0))


check.mistake("Now there is no logarithm of a mean left: this is the ELBO.")(partial(slips.mean_of_logs, over=(1, 2)))

check.mistake("The axis is right. log K is still to be subtracted: the mean of the weights, not their sum.")(
    partial(slips.log_K_missing, over=2, then=1)
)

check.mistake("""The axis is right. You took one maximum out for everything, and a group 900 nats below another becomes
    log 0: use logsumexp.""")(partial(slips.one_maximum_for_all, over=2, then=1))

check.mistake("""The axis is right. The small number inside the logarithm makes every bad value -23: use logsumexp, and
    no floor is needed.""")(partial(slips.floor_under_the_logarithm, over=2, then=1))

check.mistake("The axis is right. You divided the *logarithm* by K: dividing the sum subtracts log K.")(
    partial(slips.logarithm_divided_by_K, over=2, then=1)
)

check.mistake("The axis is right. Average over the M estimates, so that [B] is left.")(
    partial(slips.estimates_kept, over=2)
)

check.mistake("You averaged over the data points too. Return [B].")(partial(slips.averaged_over_the_batch, right))
