"""03.spot_the_weight: IWAE from its parts, where the KL was averaged first. Shapes: ``3 x [M, K, B] -> [B]``."""

from __future__ import annotations

import math

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def log_w(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return log_likelihood + log_prior - log_q


def right(*parts: Tensor) -> Tensor:
    return bounds.iwae(log_w(*parts))


check = Check(
    "03.spot_the_weight",
    right,
    praise="Each sample has its own weight now, and the value is a bound again.",
    cases=lambda: [
        tuple(scale * normal(1, 6, 4, seed=seed) for scale, seed in ((3.0, 31), (1.0, 32), (1.0, 33))),
        tuple(scale * normal(3, 2, 5, seed=seed) for scale, seed in ((1.0, 34), (0.5, 35), (0.5, 36))),
        (uneven(normal(2, 4, 3, seed=37), (0, 1)), normal(2, 4, 3, seed=38), 0.5 * normal(2, 4, 3, seed=39)),
    ],
)


@check.mistake("""This is what the code as it stood gives: the KL is one number for all K samples of a group, so prior /
    q never tells one of them from another. Each sample needs its own log p(z) - log q(z|x), inside.""")
def KL_averaged_before_it_enters(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - (log_q - log_prior).mean(1, keepdim=True))


@check.mistake("""The KL is now one number for all M K samples, so it might as well stand outside the logarithm. Each
    sample needs its own log p(z) - log q(z|x), inside.""")
def one_KL_for_all_M_K_samples(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood) - (log_q - log_prior).mean((0, 1))


@check.mistake("""You average the KL over M now. Do not average it at all: each sample needs its own log p(z) - log
    q(z|x).""")
def KL_averaged_over_M(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - (log_q - log_prior).mean(0))


@check.mistake("""You sum the KL over K now. Do not put the samples together before the logarithm: each needs its own
    log p(z) - log q(z|x).""")
def KL_summed(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - (log_q - log_prior).sum(1, keepdim=True))


@check.mistake("""Each sample has its own prior now, but log q is still averaged over K. Each needs its own log q(z|x)
    too.""")
def log_q_averaged(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood + log_prior - log_q.mean(1, keepdim=True))


@check.mistake("""Each sample has its own log q(z|x) now, but the prior is still averaged over K. Each needs its own log
    p(z) too.""")
def log_prior_averaged(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood + log_prior.mean(1, keepdim=True) - log_q)


@check.mistake("""You do not let log q(z|x) - log p(z) go below 0. Only its mean, the KL, cannot be negative; for a
    single sample it may, and must stay as it is.""")
def clipped_at_0(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - (log_q - log_prior).clamp(min=0))


@check.mistake("""You took log q(z|x) - log p(z) without its sign. Only its mean, the KL, cannot be negative; for a
    single sample it may, and must stay as it is.""")
def without_its_sign(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - (log_q - log_prior).abs())


@check.mistake("You average over the samples in place of the log-sum-exp. That is the ELBO, whatever stands inside.")
def mean_of_logs(*parts: Tensor) -> Tensor:
    return bounds.elbo(log_w(*parts))


@check.mistake("""The weights are right. But this is L_K in each of the M groups, averaged. Here all M K samples go
    under one logarithm, logsumexp((0, 1)).""")
def M_groups_not_pooled(*parts: Tensor) -> Tensor:
    return bounds.miwae(log_w(*parts))


@check.mistake("""The weights are right. But exp of a log-weight far below 0 is 0 in a computer, and its logarithm -inf:
    stay in logs, with logsumexp.""")
def exp_first(*parts: Tensor) -> Tensor:
    return log_w(*parts).exp().mean((0, 1)).log()


@check.mistake("""Two things. This is L_K in each of the M groups, averaged; here all M K samples go under one
    logarithm. And exp of a log-weight far below 0 is 0 in a computer: use logsumexp((0, 1)).""")
def exp_first_in_each_group(*parts: Tensor) -> Tensor:
    return log_w(*parts).exp().mean(1).log().mean(0)


@check.mistake("The weights are right. M K of them stand under the logarithm, and log K is not enough: log(M K).")
def log_K_for_log_MK(*parts: Tensor) -> Tensor:
    return log_w(*parts).logsumexp((0, 1)) - math.log(parts[0].shape[1])


@check.mistake("""The prior and q are gone. Without them this is an average of p(x|z) over q, and it has nothing to do
    with p(x).""")
def likelihood_only(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood)


@check.mistake("log q is missing. A sample that q proposes often must count less: divide by q.")
def q_is_missing(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood + log_prior)


@check.mistake("The prior is missing: p(x, z) = p(x|z) p(z).")
def prior_is_missing(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - log_q)


@check.mistake("log p(z) and log q(z|x) have each other's sign. The weight is p(x|z) p(z) / q(z|x).")
def prior_and_q_swapped(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - log_prior + log_q)


@check.mistake("""The weights are right now, and log(M K) got lost on the way: it is the mean of the weights, not their
    sum.""")
def log_MK_missing(*parts: Tensor) -> Tensor:
    return log_w(*parts).logsumexp((0, 1))
