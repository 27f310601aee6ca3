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


@check.mistake("""This is the code as it stood: the KL is one number for all K samples, so prior / q never tells one
    sample from another, and it could as well stand outside the logarithm. Each sample needs its own log p(z) - log
    q(z|x), inside.""")
def KL_averaged_before_it_enters(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return bounds.iwae(log_likelihood - (log_q - log_prior).mean(1, keepdim=True))


@check.mistake("""The KL is now one number for all M K samples, and stands outside the logarithm. Each sample needs its
    own log p(z) - log q(z|x), inside.""")
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


@check.mistake("You average over the samples in place of the log-sum-exp. That is the ELBO, whatever stands inside.")
def mean_of_logs(*parts: Tensor) -> Tensor:
    return bounds.elbo(log_w(*parts))


@check.mistake("""The weights are right. But this is L_K in each of the M groups, averaged. Here all M K samples go
    under one logarithm, logsumexp((0, 1)).""")
def M_groups_not_pooled(*parts: Tensor) -> Tensor:
    return bounds.miwae(log_w(*parts))


@check.mistake("The weights are right. M K of them stand under the logarithm: subtract log(M K).")
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


@check.mistake("""The weights are right now, and log K got lost on the way: it is the mean of the weights, not their
    sum.""")
def log_K_missing(*parts: Tensor) -> Tensor:
    return log_w(*parts).logsumexp((0, 1))
