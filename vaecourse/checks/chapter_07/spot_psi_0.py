"""07.spot_psi_0: the ELBO of a mixture, where psi_0 was dropped. Shapes: ``[B], [B], [K, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.chapter_07.upper_bound import log_mean
from vaecourse.checks.frame import Check


def together(own: Tensor, fresh: Tensor) -> Tensor:
    return torch.cat([own[None], fresh])


def right(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - log_mean(together(own, fresh))


check = Check(
    "07.spot_psi_0",
    right,
    praise="One sample more under the logarithm, and the number can be trusted again.",
    cases=lambda: [
        (normal(3, seed=11) - 5, normal(3, seed=12), 2 * normal(4, 3, seed=13) - 2),
        (normal(5, seed=14) - 810, normal(5, seed=15) - 800, normal(2, 5, seed=16) - 802),
        (normal(4, seed=17), uneven(normal(4, seed=18), ()), uneven(normal(3, 4, seed=19), 0)),
    ],
)


@check.mistake("""This is the code as it stood, or does the same: only fresh psi are averaged. That is a lower bound on
    log q(z), so the ELBO comes out too high. The psi that made z belongs under the logarithm.""")
def psi0_is_dropped(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - log_mean(fresh)


@check.mistake("""Only the psi that made z is left: a valid bound, and the loosest, U_0. Keep the K fresh ones beside
    it.""")
def psi0_alone(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - own


@check.mistake("psi_0 took the place of a fresh one: that is U_(K-1). Keep all K and add it as number K + 1.")
def psi0_in_place_of_a_fresh_one(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - log_mean(together(own, fresh[1:]))


@check.mistake("""There are K + 1 densities under the logarithm now; you still divide by K. The bound is valid and
    needlessly loose, by log((K + 1) / K).""")
def divided_by_K(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - log_mean(together(own, fresh)) - math.log1p(1 / len(fresh))


@check.mistake("psi_0 is in. The log(K + 1) has gone: take the mean of the densities, not their sum.")
def sum_for_mean(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - together(own, fresh).logsumexp(0)


@check.mistake("psi_0 is in, but you average logarithms. It is the log of the mean density.")
def mean_of_logs(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - together(own, fresh).mean(0)


@check.mistake("You mixed log q(z | psi_0) in *after* the logarithm. It belongs under it, as one of K + 1 densities.")
def added_after_the_logarithm(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - (own + len(fresh) * log_mean(fresh)) / (len(fresh) + 1)


@check.mistake("""You averaged the ratios p(x, z) / q(z | psi). Here the *density* q is averaged, in the denominator;
    the mean of the ratios is larger, and no bound.""")
def logarithm_of_an_ELBO(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_mean(log_joint - together(own, fresh))


check.mistake("The sign is that of a loss. Return the ELBO's estimate.")(partial(slips.sign_turned_round, right))


@check.mistake("""psi_0 got half of the weight, and the K fresh ones share the rest. All K + 1 have the same weight: put
    them side by side first, then take one mean.""")
def half_of_the_weight_for_psi0(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - torch.logaddexp(own, log_mean(fresh)) + math.log(2)


@check.mistake("""You added the density of psi_0 to the *mean* of the fresh ones. It is one of K + 1: put them side by
    side, then take one mean.""")
def psi0_beside_the_mean_of_the_fresh_ones(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - torch.logaddexp(own, log_mean(fresh))


@check.mistake("""You averaged two logarithms. The densities are averaged, all K + 1 of them, and then comes one
    logarithm.""")
def half_and_half_of_two_logarithms(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - (own + log_mean(fresh)) / 2


@check.mistake("""You took log q(z | psi_0) away as well as the mean of the others: that divides by q twice. There is
    one denominator, the mean of K + 1 densities.""")
def both_logarithms_taken_away(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - own - log_mean(fresh)


@check.mistake("Right on paper. With densities near exp(-800) every exp is 0 and the log -inf. Use logsumexp.")
def exp_first(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - together(own, fresh).exp().mean(0).log()


@check.mistake("This is the right estimate of log q(z). The ELBO's is log_joint minus it.")
def log_q_alone(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_mean(together(own, fresh))


@check.mistake("You added log q(z). The ELBO subtracts it.")
def log_q_added(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint + log_mean(together(own, fresh))


@check.mistake("Two things: log q(z) is added, where the ELBO subtracts it, and its mean over K + 1 divides by K.")
def log_q_added_and_divided_by_K(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint + together(own, fresh).logsumexp(0) - math.log(len(fresh))


@check.mistake("You divide by K + 1, and sum the K fresh ones only: psi_0, the one that made z, is missing.")
def psi0_counted_but_not_there(log_joint: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    return log_joint - fresh.logsumexp(0) + math.log(len(fresh) + 1)
