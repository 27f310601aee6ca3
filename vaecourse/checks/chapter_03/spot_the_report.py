"""03.spot_the_report: the bound where the surrogate was reported. Shapes: ``[M, K, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import losses, slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check
from vaecourse.checks.losses import GROUP

surrogate = partial(slips.weighted_by_the_weights, over=1, then=0)


def entropy(log_w: Tensor) -> Tensor:
    return -(log_w.softmax(1) * log_w.log_softmax(1)).sum(1).mean(0)


check = Check(
    "03.spot_the_report",
    bounds.miwae,
    praise="The surrogate is for the gradient; the bound is for the reader. Keep them apart.",
    cases=lambda: [
        (2 * normal(2, 4, 3, seed=41),),
        (normal(1, 9, 2, seed=42) - 800.0,),
        (uneven(normal(2, 5, 3, seed=43), (0, 1)),),
        (uneven(normal(2, 4, 1, seed=44), 1),),  # both groups of one x
    ],
)


check.mistake("""This is the value that the code as it stood reports, the sum of w~ log w. It is L_K + log K - H(w~),
    with H the entropy of the shares: never below L_K, and for large K it tends to an *upper* bound of log p(x).""")(
    surrogate
)


@check.mistake("""You subtracted log K, and the entropy of the shares is still in it. Do not correct the surrogate:
    report the logarithm of the mean weight.""")
def corrected_by_half(log_w: Tensor) -> Tensor:
    return surrogate(log_w) - math.log(log_w.shape[1])


@check.mistake("""You report the best sample's log-weight. It grows with K for ever and is no bound; L_K is the log of
    the *mean* weight.""")
def best_sample_is_reported(log_w: Tensor) -> Tensor:
    return log_w.amax(1).mean(0)


@check.mistake("""You report the bound of all M K samples pooled. The training climbs L_K: one logarithm for each of the
    M groups, then the mean over M.""")
def all_samples_pooled(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w)


check.mistake("Right but for the sign: this is the loss. Report the bound.")(
    partial(slips.sign_turned_round, bounds.miwae)
)


@check.mistake("""You corrected the surrogate with both signs turned round: log K is to be subtracted and the entropy
    added. Better not to correct it at all: report the logarithm of the mean weight.""")
def corrected_with_both_signs_turned_round(log_w: Tensor) -> Tensor:
    return surrogate(log_w) + math.log(log_w.shape[1]) - entropy(log_w)


@check.mistake("""The entropy of the shares has the wrong sign. Better not to correct the surrogate at all: report the
    logarithm of the mean weight.""")
def entropy_with_the_wrong_sign(log_w: Tensor) -> Tensor:
    return surrogate(log_w) - math.log(log_w.shape[1]) - entropy(log_w)


check.mistake("You report the mean of log w, the ELBO: a true bound, but not the one that is climbed.")(
    partial(slips.mean_of_logs, over=(0, 1))
)

losses.know_what_comes_of_exp(lambda name, bound: check.slip(name, lambda log_w: bound(log_w, GROUP).mean(0)))

check.mistake("log K is missing: the mean of the weights, not their sum.")(partial(slips.log_K_missing, over=1, then=0))

check.mistake("""You put the M axis under the logarithm and averaged over K. The axes are M, K, B: each logarithm is
    over the K samples of a group.""")(partial(slips.over_another_axis, over=0, then=0))

check.mistake("""Two things. You put the M axis under the logarithm, where K belongs, axis number 1. And this is the log
    of a *sum*: subtract the logarithm of how many there are.""")(
    slips.turned(slips.log_K_missing, "another_axis_and_log_K_missing", over=0, then=0)
)

check.mistake("You added up the M groups. Report their average.")(partial(slips.estimates_summed, over=1, then=0))

check.mistake("You averaged over the B data points too. Report one bound for every x: [B].")(
    partial(slips.averaged_over_the_batch, bounds.miwae)
)
