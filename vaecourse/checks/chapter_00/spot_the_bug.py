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
        (normal(2, 3, 1, seed=20),),  # K = 1
    ],
)


check.mistake("""This gives what the colleague's code gives: the log-mean-exp runs over axis 1. Which axis is that when
    the batch comes first?""")(partial(slips.over_another_axis, over=1, then=1))

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


@check.mistake("""You reshaped. That keeps the order of the numbers in memory and cuts it anew, so that samples of
    different images meet in one row. To move axes, use permute or movedim.""")
def reshaped_not_permuted(log_w: Tensor) -> Tensor:
    B, M, K = log_w.shape
    return bounds.miwae(log_w.reshape(M, K, B))


check.mistake("""You subtracted log 50 in every test case, whatever K is. (The page's loop ends at K = 50.) K is the
    length of axis 2, log_w.shape[2].""")(partial(slips.a_fixed_count, over=2, count=50, then=1))


@check.mistake("""Where an axis has length 1, the last mean runs over the data points. Does squeeze() take that axis
    away before? Name the axes by their numbers.""")
def squeezed(log_w: Tensor) -> Tensor:
    return (log_w.squeeze().logsumexp(-1) - math.log(log_w.shape[2])).mean(-1)


@check.mistake("""The log-mean-exp is right, and the mean after it runs over axis 0, the data points. The M estimates
    are axis 1.""")
def mean_over_the_batch(log_w: Tensor) -> Tensor:
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(0)


@check.mistake("""Two things: the last mean runs over axis 0, the data points, where the M estimates are axis 1; and log
    K is missing, so the sum is not yet a mean.""")
def mean_over_the_batch_and_log_K_missing(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(2).mean(0)
