"""05.sandwich: log p(x) between two bounds. Shapes: ``[M, K, B], [M, B] -> [2, B]``."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check

surrogate = partial(slips.weighted_by_the_weights, over=1, then=0)


def upper(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return bounds.miwae(torch.cat([log_w0[:, None], log_w], 1))


def right(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), upper(log_w, log_w0)])


def far_apart() -> tuple[Tensor, Tensor]:
    """Each x at a level of its own, -900, 0 and 900, with its sample of the posterior."""
    log_w = uneven(normal(2, 4, 3, seed=45), (0, 1))
    return log_w[:, 1:], log_w[:, 0]


check = Check(
    "05.sandwich",
    right,
    praise="log p(x) lies between the two, in expectation. Their distance is an error bar, with a proof.",
    cases=lambda: [
        (2 * normal(2, 4, 3, seed=41), normal(2, 3, seed=42) + 1),
        (normal(3, 2, 5, seed=43) - 30.0, normal(3, 5, seed=44) - 29.0),
        (normal(2, 3, 4, seed=46) - 800.0, normal(2, 4, seed=47) - 799.0),
        far_apart(),
    ],
)


@check.mistake("""Above stands what the code as it stood has, the sum of w~ log w. It *tends* to an upper bound for
    large K, but at K = 1 it is the ELBO, so in between it is a bound in neither direction. An upper bound needs the
    sample from the posterior.""")
def surrogate_as_the_upper_bound(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), surrogate(log_w)])


@check.mistake("""The upper bound is right. The sum of w~ log w is no lower bound: it is L_K + log K - H(w~), never
    below L_K. Report the log of the mean weight.""")
def surrogate_as_the_lower_bound(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([surrogate(log_w), upper(log_w, log_w0)])


@check.mistake("""There are K + 1 weights under the second logarithm. Divided by K it is still an upper bound, looser by
    log((K + 1)/K).""")
def divided_by_K_in_place_of_K_plus_1(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), upper(log_w, log_w0) + math.log(1 + 1 / log_w.shape[1])])


check.mistake("Both are right, in the wrong order: the lower bound first.")(partial(slips.order_turned_round, right))


@check.mistake("Both are the lower bound. The sample of the posterior, log_w0, belongs under the second logarithm.")
def no_sample_of_the_posterior(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), bounds.miwae(log_w)])


@check.mistake("""The sample of the posterior is in, but above you still have the sum of w~ log w. Take the log of the
    mean of the K + 1 weights.""")
def surrogate_with_the_posterior_sample(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), surrogate(torch.cat([log_w0[:, None], log_w], 1))])


@check.mistake("""The sample of the posterior took the place of one of q's: that is U_(K-1). Keep all K and add it as
    number K + 1.""")
def posterior_sample_in_place_of_one_of_q(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), upper(log_w[:, 1:], log_w0)])


@check.mistake("""The mean of log_w0 is an upper bound, the EUBO: this is U_0. The K samples of q tighten it: put them
    under the same logarithm.""")
def posterior_sample_alone_as_in_EUBO(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), log_w0.mean(0)])


@check.mistake("""The upper bound is right. Below you have the mean of the logs, the ELBO; the same samples give the
    tighter L_K.""")
def ELBO_below(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.elbo(log_w), upper(log_w, log_w0)])


@check.mistake("""The sample of the posterior stands under both logarithms. One informed sample is enough to make the
    lower bound an upper one: leave it out there.""")
def posterior_sample_below_as_well(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([upper(log_w, log_w0), upper(log_w, log_w0)])


@check.mistake("The lower bound is right. Above you have the log of a *sum*: subtract log(K + 1).")
def log_K_plus_1_missing_above(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), upper(log_w, log_w0) + math.log(log_w.shape[1] + 1)])


@check.mistake("The upper bound is right. Below you have the log of a *sum*: subtract log K.")
def log_K_missing_below(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w) + math.log(log_w.shape[1]), upper(log_w, log_w0)])


@check.mistake("""The lower bound is right. Above, log_w0 was averaged over M before it was used: each group has a
    sample of its own, and the mean over M comes last.""")
def log_w0_averaged_first(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), upper(log_w, log_w0.mean(0).expand_as(log_w0))])


def half_and_half(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.logaddexp(log_w.logsumexp(1) - math.log(log_w.shape[1]), log_w0).mean(0) - math.log(2)


@check.mistake("""The lower bound is right. Above, the sample of the posterior counts as much as all K of q together. It
    is one of K + 1 weights, all alike.""")
def mean_of_two_means_above(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.miwae(log_w), half_and_half(log_w, log_w0)])


@check.mistake("Both are right on paper. exp(-800) is 0 in a computer, and its logarithm -inf: use logsumexp.")
def exp_first(log_w: Tensor, log_w0: Tensor) -> Tensor:
    both = torch.cat([log_w0[:, None], log_w], 1)
    return torch.stack([slips.exp_first(part, 1, 0) for part in (log_w, both)])


@check.mistake("Both are logs of a *sum*. Subtract log K below and log (K + 1) above.")
def log_K_missing(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([log_w.logsumexp(1).mean(0), torch.cat([log_w0[:, None], log_w], 1).logsumexp(1).mean(0)])


@check.mistake("""You pooled all M groups under one logarithm. Each group has its own, then the mean over M: the upper
    bound allows one sample of the posterior under a logarithm, not M.""")
def all_samples_pooled(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return torch.stack([bounds.iwae(log_w), bounds.iwae(torch.cat([log_w0[:, None], log_w], 1))])
