"""03.iwae_bound: L_K from log-weights. Shapes: ``[M, K, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check

check = Check(
    "03.iwae_bound",
    bounds.miwae,
    praise="The mean of the weights, inside the logarithm, without ever leaving the logs. You have written IWAE.",
    cases=lambda: [
        (2 * normal(2, 3, 5, seed=1) - 1,),
        (normal(4, 6, 2, seed=2) - 800.0,),
        (normal(1, 7, 3, seed=3),),
        (uneven(normal(2, 5, 3, seed=4), (0, 1)),),  # one level for each x
        (uneven(normal(2, 4, 1, seed=5), 1),),  # and for each group of one x
    ],
)

check.mistake("""This is the log of the *sum* of the weights: log K is still to be subtracted. Your value is too high
    by log K, and may lie above log p(x).""")(partial(slips.log_K_missing, over=1, then=0))


check.mistake("You subtracted log(M K). Only K weights stand under each logarithm, so log K is right.")(
    slips.turned(slips.another_axis_counted, "log_MK_for_log_K", over=1, counted=(0, 1), then=0)
)

check.mistake("""You subtracted the logarithm of the first axis, which is M (len gives that too). The mean is over K:
    log_w.shape[1].""")(partial(slips.another_axis_counted, over=1, counted=0, then=0))

check.mistake("You added log K. A mean is the sum *divided* by K, so log K is subtracted.")(
    partial(slips.log_K_added, over=1, then=0)
)


@check.mistake("""You took the largest log-weight m out before exp and did not put it back: add m after the logarithm.
    Or let torch.logsumexp do both.""")
def largest_weight_not_put_back(log_w: Tensor) -> Tensor:
    return (log_w - log_w.amax(1, keepdim=True)).exp().mean(1).log().mean(0)


check.mistake("""You averaged the logs. That is the ELBO, whatever K is: average the weights first, and take the
    logarithm of that mean.""")(partial(slips.mean_of_logs, over=(0, 1)))

check.mistake("""The formula is right, the arithmetic is not: exp(-800) is 0 in a computer, and its logarithm -inf. Use
    torch.logsumexp, which takes the largest log-weight out first.""")(partial(slips.exp_first, over=1, then=0))


check.mistake("""Two things. You pooled all M K samples: each of the M groups has its own logarithm. And exp(-800) is 0
    in a computer: use torch.logsumexp.""")(slips.turned(slips.exp_first, "exp_first_and_pooled", over=(0, 1)))


@check.mistake("""Two things. This is the log of the *sum* of the weights: log K is still to be subtracted. And
    exp(-800) is 0 in a computer: use torch.logsumexp.""")
def exp_first_and_a_sum(log_w: Tensor) -> Tensor:
    return log_w.exp().sum(1).log().mean(0)


@check.mistake("This is the mean of the weights, an estimate of p(x). The bound is its logarithm, in each of M groups.")
def log_forgotten(log_w: Tensor) -> Tensor:
    return log_w.exp().mean((0, 1))


check.mistake("""The small number inside the logarithm hides the underflow and makes every bad value -23: a bound that
    is not one. Use torch.logsumexp, and no floor is needed.""")(
    partial(slips.floor_under_the_logarithm, over=1, then=0)
)

check.mistake("""You put the M axis under the logarithm and averaged over K. The axes are M, K, B, and K, number 1, is
    the one under the logarithm. With M = K nobody would notice.""")(partial(slips.over_another_axis, over=0, then=0))


check.mistake("""You pooled all M K samples under one logarithm. That is a good bound, and it is L of M K. Here each of
    the M groups has its own logarithm, and then they are averaged.""")(slips.turned(bounds.iwae, "all_samples_pooled"))

check.mistake("""You put all M K samples under one logarithm. Each of the M groups has its own: sum over axis 1 only,
    then average over M.""")(
    slips.turned(slips.another_axis_counted, "all_samples_pooled_and_log_K", over=(0, 1), counted=1)
)


@check.mistake("""You averaged the log-weights over M before the logarithm of the sum. First the bound in each group,
    then the mean over the groups.""")
def averaged_over_M_first(log_w: Tensor) -> Tensor:
    return log_w.mean(0).logsumexp(0) - math.log(log_w.shape[1])


check.mistake("You added up the M groups. Each is an estimate of the same bound: average them.")(
    partial(slips.estimates_summed, over=1, then=0)
)

check.mistake("""This is the weighted mean of log w. It has the right gradient if the weights are held fixed, but its
    value is not L_K: it is never below L_K, and it may lie above log p(x).""")(
    partial(slips.weighted_by_the_weights, over=1, then=0)
)

check.mistake("The sign is that of a loss. Return the bound itself; the optimiser's minus sign comes later.")(
    partial(slips.sign_turned_round, bounds.miwae)
)

check.mistake("The log-weights went in with the wrong sign, so the worst sample counts most.")(
    partial(slips.worst_counts_most, bounds.miwae)
)

check.mistake("You added up the B data points. Every x has a bound of its own: return [B].")(
    partial(slips.summed_over_the_batch, bounds.miwae)
)

check.mistake("You averaged over the B data points too. Every x has a bound of its own: return [B].")(
    partial(slips.averaged_over_the_batch, bounds.miwae)
)

check.mistake("Right for every one of the M groups. Average over them, so that [B] is left.")(
    partial(slips.estimates_kept, over=1)
)

check.mistake("Your log K is not a natural logarithm. Nats go with math.log, or torch.log.")(
    partial(slips.base_2, over=1, then=0)
)

check.mistake("You divided the *logarithm* by K. The mean is taken inside: dividing the sum by K subtracts log K.")(
    partial(slips.logarithm_divided_by_K, over=1, then=0)
)


check.mistake("""You took one maximum out for everything. A group 900 nats below another becomes log 0: each needs a
    maximum of its own, as torch.logsumexp has it.""")(partial(slips.one_maximum_for_all, over=1, then=0))


@check.mistake("""Two things. You added up the M groups: average them. And you subtracted log M; the K weights under
    each logarithm ask for log K.""")
def log_M_subtracted_and_groups_added_up(log_w: Tensor) -> Tensor:
    return (log_w.logsumexp(1) - math.log(len(log_w))).sum(0)


check.mistake("""Two things. You put the M axis under the logarithm; the axes are M, K, B, and K is number 1. And this
    is the log of a *sum*: subtract the logarithm of how many there are.""")(
    slips.turned(slips.log_K_missing, "another_axis_and_log_K_missing", over=0, then=0)
)
