"""03.spot_the_report: the bound where the surrogate was reported. Shapes: ``[M, K, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check

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
        (uneven(normal(3, 5, 2, seed=43), 1),),
    ],
)


check.mistake("""This is the code as it stood: it reports the sum of w~ log w. That is L_K + log K - H(w~), with H the
    entropy of the shares: never below L_K, and for large K it tends to an *upper* bound of log p(x).""")(surrogate)


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


@check.mistake("""The entropy of the shares has the wrong sign. Better not to correct the surrogate at all: report the
    logarithm of the mean weight.""")
def entropy_with_the_wrong_sign(log_w: Tensor) -> Tensor:
    return surrogate(log_w) - math.log(log_w.shape[1]) - entropy(log_w)


check.mistake("You report the mean of log w, the ELBO: a true bound, but not the one that is climbed.")(
    partial(slips.mean_of_logs, over=(0, 1))
)

check.mistake("log K is missing: the mean of the weights, not their sum.")(partial(slips.log_K_missing, over=1, then=0))
