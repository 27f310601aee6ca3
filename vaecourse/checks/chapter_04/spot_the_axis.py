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
        (uneven(normal(4, 2, 5, seed=24), 2),),
    ],
)


check.mistake("""This is the code as it stood: with axes [B, M, K], axis 1 is M. It averages the weights over the M
    groups and the logarithms over K, so it climbs MIWAE(K, M). At (M, K) = (1, 64) that is the plain ELBO.""")(
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

check.mistake("The axis is right. Average over the M estimates, so that [B] is left.")(
    partial(slips.estimates_kept, over=2)
)

check.mistake("You averaged over the data points too. Return [B].")(partial(slips.averaged_over_the_batch, right))
