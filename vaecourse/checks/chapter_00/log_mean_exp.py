"""00.log_mean_exp: the log of the mean weight over the K axis. Shapes: ``[M, K, B] -> [M, B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


check = Check(
    "00.log_mean_exp",
    right,
    praise="logsumexp minus log K, over axis 1. It survives -800 and +100, and nearly every bound is built on it.",
    cases=lambda: [
        (2 * normal(2, 7, 5, seed=10) - 3,),
        (normal(3, 4, 2, seed=11) - 800,),
        (normal(4, 3, 6, seed=12) + 100,),
        (uneven(normal(3, 5, 2, seed=13), 1),),
        (normal(3, 1, 4, seed=14),),  # K = 1
    ],
)


check.mistake("""On paper this is right, and at log w = -800 every exp is 0 and its log is -inf; at +100 it overflows.
    Take the maximum out first, or let logsumexp do it.""")(partial(slips.exp_first, over=1))

check.mistake("""The small number under the log hides the underflow: at log w = -800 you report -23, which is the floor
    and not the bound. Use logsumexp.""")(partial(slips.floor_under_the_logarithm, over=1))


@check.mistake("You took the maximum out, which is what keeps exp safe, and did not add it again at the end.")
def maximum_not_given_back(log_w: Tensor) -> Tensor:
    return right(log_w) - log_w.amax(1)


check.mistake("""This is the log of the sum. A mean is a sum divided by K, so subtract log K. Without it the value is
    too high by log K, and more samples look better for nothing.""")(partial(slips.log_K_missing, over=1))

check.mistake("log K has the wrong sign: dividing by K means subtracting log K.")(partial(slips.log_K_added, over=1))

check.mistake("You subtracted K. We are in logarithms, where dividing by K is subtracting log K.")(
    partial(slips.K_subtracted_for_log_K, over=1)
)

check.mistake("You divided the logarithm by K. It is the sum inside that is divided; outside that is a subtraction.")(
    partial(slips.logarithm_divided_by_K, over=1)
)

check.mistake("""This is the mean of the logs, an ELBO. Asked for is the log of the mean: average the weights, then
    take the logarithm.""")(partial(slips.mean_of_logs, over=1))

check.mistake("""You averaged log w with the normalised weights. That is larger than log-mean-exp, and it is no lower
    bound: it tends to the other side of log p(x).""")(partial(slips.weighted_by_the_weights, over=1))


@check.mistake("logsumexp takes the exponential itself. Give it log_w, not the weights.")
def exp_and_logsumexp(log_w: Tensor) -> Tensor:
    return log_w.exp().logsumexp(1) - math.log(log_w.shape[1])


@check.mistake("You reduced axis 0, the M estimates. The K samples are axis 1.")
def over_M(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(0) - math.log(log_w.shape[0])


@check.mistake("You reduced the last axis, and so mixed the data points. The K samples are axis 1.")
def over_B(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(2) - math.log(log_w.shape[2])


check.mistake("""The sum runs over K and you subtracted log M. The two agree only when M = K, so test with M different
    from K.""")(partial(slips.another_axis_counted, over=1, counted=0))


@check.mistake("You pooled all M K samples. Reduce the K axis only, and keep the M estimates: [M, B].")
def M_and_K_pooled(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w)


@check.mistake("""You also averaged over M. That is the next step, and has a name (MIWAE). Here the M estimates stay:
    [M, B].""")
def M_estimates_averaged(log_w: Tensor) -> Tensor:
    return bounds.miwae(log_w)


check.mistake("The sign is that of a loss. We are asked for the log of the mean weight itself.")(
    partial(slips.sign_turned_round, right)
)

check.mistake("""You took out a maximum that several groups share. A group at -900 beside one at +900 is then 0 after
    exp, and its log -inf. Each m and b has its own: the maximum over axis 1.""")(
    partial(slips.one_maximum_for_all, over=1)
)

check.mistake("""In double precision exp reaches from about -745 to 709: that saves +100, and at -800 every exp is still
    0 and its log -inf. Take the maximum out first, or let logsumexp do it.""")(
    partial(slips.exp_first_in_double, over=1)
)

check.mistake("""You subtracted log 7 in every test case, whatever K is. (The page has K = 7.) K is the length of axis
    1, log_w.shape[1].""")(partial(slips.a_fixed_count, over=1, count=7))


@check.mistake("""Two things: you reduced axis 0, the M estimates, where the K samples are axis 1; and a sum becomes a
    mean when log K is subtracted.""")
def over_M_and_a_sum(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(0)


check.mistake("""The small number under the log hides the underflow: at log w = -800 you report -18, which is the floor
    and not the bound. Use logsumexp.""")(
    slips.turned(slips.floor_under_the_logarithm, "floor_of_1e_8", floor=1e-8, over=1)
)
