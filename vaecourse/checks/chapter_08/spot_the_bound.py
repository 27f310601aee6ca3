"""08.spot_the_bound: the new model's gain, both judged by one bound. Shapes: ``[M, K, B], [M, K, B] -> []``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def elbo(log_w: Tensor) -> Tensor:
    return bounds.elbo(log_w).mean()


def miwae(log_w: Tensor) -> Tensor:
    return bounds.miwae(log_w).mean()


def pooled(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w).mean()


def self_weighted(log_w: Tensor) -> Tensor:
    flat = log_w.flatten(0, 1)
    return (flat.softmax(0) * flat).sum(0).mean()


def right(old: Tensor, new: Tensor) -> Tensor:
    return pooled(new) - pooled(old)


check = Check(
    "08.spot_the_bound",
    right,
    praise="One K for both, as large as you can pay. Now the difference is about the models.",
    cases=lambda: [
        (0.7 * normal(3, 20, 5, seed=41) - 24.1, 2.5 * normal(3, 20, 5, seed=42) - 27.3),
        (normal(2, 7, 4, seed=43).double() - 800.0, 3 * normal(2, 7, 4, seed=44).double() - 803.0),
        tuple(uneven(normal(3, 5, 4, seed=seed).double() * size, (0, 1)) for seed, size in ((45, 1), (46, 2))),
    ],
)


@check.mistake("""This is the code as it stood, or does the same: the old model is judged by L_1 and the new one by L_K.
    The difference holds the tightness of the bound *and* the quality of the model. Judge both by all M K samples.""")
def ELBO_of_one_and_IWAE_of_the_other(old: Tensor, new: Tensor) -> Tensor:
    return pooled(new) - elbo(old)


@check.mistake("Now the old model has the tight bound and the new one the ELBO. Give both the same: all M K samples.")
def turned_round(old: Tensor, new: Tensor) -> Tensor:
    return elbo(new) - pooled(old)


@check.mistake("""The old model has a tighter bound now, but not the same: L_K in groups, where the new one has all M K
    samples under one logarithm. Give both the same.""")
def half_mended(old: Tensor, new: Tensor) -> Tensor:
    return pooled(new) - miwae(old)


@check.mistake("The new model is judged in groups of K, the old one by all M K samples. Give both the same: all M K.")
def half_mended_and_turned_round(old: Tensor, new: Tensor) -> Tensor:
    return miwae(new) - pooled(old)


@check.mistake("Only the first of the M groups is used. The weights allow a larger K: pool all M K of them.")
def first_group_only(old: Tensor, new: Tensor) -> Tensor:
    return right(old[:1], new[:1])


@check.mistake("""The data points stand under the logarithm as well, so that the likeliest one decides. Take log p(x) of
    each data point, then their mean.""")
def one_logarithm_over_the_batch_too(old: Tensor, new: Tensor) -> Tensor:
    return new.logsumexp((0, 1, 2)) - old.logsumexp((0, 1, 2))


@check.mistake("""You kept the best sample of each data point. It is no bound without - log(M K), and a loose one with
    it: use all of them.""")
def best_sample(old: Tensor, new: Tensor) -> Tensor:
    return (new.amax((0, 1)) - old.amax((0, 1))).mean()


@check.mistake("""One bound for both, at last, but it is the ELBO. That compares models and *encoders*: it is log p(x)
    minus KL(q || posterior). To compare models take the largest K that the weights allow, all M K.""")
def ELBO_of_both(old: Tensor, new: Tensor) -> Tensor:
    return elbo(new) - elbo(old)


@check.mistake("""One bound for both: the mean of M bounds of K samples. The weights allow a larger K: pool all M K of
    them.""")
def MIWAE_of_both(old: Tensor, new: Tensor) -> Tensor:
    return miwae(new) - miwae(old)


@check.mistake("""This is sum of w~ log w. It lies above the bound by log(M K) minus the entropy of w~, and may lie
    above log p(x) itself.""")
def weighted_log_weights(old: Tensor, new: Tensor) -> Tensor:
    return self_weighted(new) - self_weighted(old)


check.mistake("The sign is turned round: the gain is the new model's value minus the old one's.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("The bound is right for every data point. Average over the batch: one number.")
def not_averaged(old: Tensor, new: Tensor) -> Tensor:
    return bounds.iwae(new) - bounds.iwae(old)


@check.mistake("You added the data points up. Test results are reported as means, nats for each point.")
def summed_over_the_batch(old: Tensor, new: Tensor) -> Tensor:
    return (bounds.iwae(new) - bounds.iwae(old)).sum()


@check.mistake("You clipped the gain at 0. The new model may be the worse one, and that must show: leave the sign.")
def clipped_at_0(old: Tensor, new: Tensor) -> Tensor:
    return right(old, new).clamp(min=0)


@check.mistake("""Right on paper. With weights near exp(-800) every exp is 0, and the difference is inf - inf: NaN. Use
    logsumexp, or bounds.iwae.""")
def exp_first(old: Tensor, new: Tensor) -> Tensor:
    return (new.exp().mean((0, 1)).log() - old.exp().mean((0, 1)).log()).mean()


@check.mistake("""Two things: it is the ELBO of both, where the weights allow all M K samples under one logarithm; and
    the gain is the new model's value minus the old one's.""")
def ELBO_of_both_and_sign_turned_round(old: Tensor, new: Tensor) -> Tensor:
    return elbo(old) - elbo(new)


@check.mistake("""One bound for both: the mean over K of bounds of M samples. The weights allow a larger K: pool all
    M K of them.""")
def bounds_of_M_samples(old: Tensor, new: Tensor) -> Tensor:
    return miwae(new.transpose(0, 1)) - miwae(old.transpose(0, 1))
