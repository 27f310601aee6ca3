"""07.jackknife: the jackknife of U_K, psi_0 in every subset. Shapes: ``[K + 1, B] -> [B]``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_07.upper_bound import log_mean
from vaecourse.checks.frame import Check


def without(log_r: Tensor, among: range | None = None) -> Tensor:
    """The mean of log-mean-exp over the subsets that leave one out, any but psi_0. Shapes: ``[K + 1, B] -> [B]``."""
    subsets = [torch.cat([log_r[:k], log_r[k + 1 :]]) for k in among or range(1, len(log_r))]
    return torch.stack([log_mean(subset) for subset in subsets]).mean(0)


def combined(log_r: Tensor, subsets: Tensor) -> Tensor:
    """(K + 1) U_K - K times what the subsets give."""
    return len(log_r) * log_mean(log_r) - (len(log_r) - 1) * subsets


def right(log_r: Tensor) -> Tensor:
    return combined(log_r, without(log_r))


check = Check(
    "07.jackknife",
    right,
    praise="The 1/(K + 1) is gone, and with it the promise to lie above.",
    cases=lambda: [(2 * normal(5, 3, seed=51),), (normal(3, 4, seed=52).double() - 800.0,)],
)


@check.mistake("""Your subsets leave out every sample in turn, psi_0 too. A subset without psi_0 gives a *lower* bound.
    Keep psi_0 in all of them, and leave out one of the other K.""")
def psi0_is_left_out_too(log_r: Tensor) -> Tensor:
    return combined(log_r, without(log_r, range(len(log_r))))


@check.mistake("K and -(K - 1) are the coefficients of L_K. The bias of U_K goes like 1 / (K + 1): take K + 1 and -K.")
def coefficients_of_the_lower_bound(log_r: Tensor) -> Tensor:
    return right(log_r) - log_mean(log_r) + without(log_r)


@check.mistake("""This is the jackknife of the lower bound, without psi_0 anywhere. It approaches log q(z) from below;
    here the upper bound is asked for.""")
def jackknife_of_the_lower_bound(log_r: Tensor) -> Tensor:
    return combined(log_r[1:], without(log_r[1:], range(len(log_r) - 1)))


@check.mistake("The second coefficient is negative: K + 1 and -K add up to one.")
def plus_between_the_two(log_r: Tensor) -> Tensor:
    return combined(log_r, -without(log_r))


@check.mistake("You added up the K subsets. Take their mean, then multiply with K.")
def subsets_summed(log_r: Tensor) -> Tensor:
    return combined(log_r, (len(log_r) - 1) * without(log_r))


@check.mistake("A subset holds K ratios, psi_0 among them: its mean divides by K, not by K + 1.")
def subsets_divided_by_K_plus_1(log_r: Tensor) -> Tensor:
    return combined(log_r, without(log_r) - math.log(len(log_r) / (len(log_r) - 1)))


@check.mistake("This is U_K itself, order 0.")
def order_0(log_r: Tensor) -> Tensor:
    return log_mean(log_r)


@check.mistake("This is the mean over the subsets. It still has to be combined with U_K: (K + 1) U_K - K times this.")
def subsets_alone(log_r: Tensor) -> Tensor:
    return without(log_r)


@check.mistake("The two have changed places: K + 1 belongs to U_K, -K to the subsets.")
def turned_round(log_r: Tensor) -> Tensor:
    return len(log_r) * without(log_r) - (len(log_r) - 1) * log_mean(log_r)


@check.mistake("""You left out the last guess only. The mean is right that way, and noisier: take the average over all K
    subsets.""")
def one_subset_for_all(log_r: Tensor) -> Tensor:
    return combined(log_r, log_mean(log_r[:-1]))


@check.mistake("""Your only subset lacks psi_0, so it gives a *lower* bound. Keep psi_0, leave out each of the K others
    in turn, and average.""")
def one_subset_for_all_without_psi0(log_r: Tensor) -> Tensor:
    return combined(log_r, log_mean(log_r[1:]))


@check.mistake("One subset is missing: k runs from 1 to K, and range(1, K) ends at K - 1.")
def one_subset_too_few(log_r: Tensor) -> Tensor:
    return combined(log_r, without(log_r, range(1, len(log_r) - 1)))


@check.mistake("""Your k runs from 0 to K - 1: it leaves psi_0 out once, and the last guess never. Let it run from 1 to
    K.""")
def psi0_left_out_and_the_last_one_never(log_r: Tensor) -> Tensor:
    return combined(log_r, without(log_r, range(len(log_r) - 1)))


@check.mistake("Your coefficients are K + 2 and -(K + 1). len(log_ratio) is K + 1 already.")
def one_coefficient_too_large(log_r: Tensor) -> Tensor:
    return right(log_r) + log_mean(log_r) - without(log_r)


@check.mistake("You took K + 1 times the difference. The coefficients K + 1 and -K must add up to one.")
def coefficients_that_do_not_add_up_to_one(log_r: Tensor) -> Tensor:
    return len(log_r) * (log_mean(log_r) - without(log_r))


@check.mistake("The coefficients are missing: (K + 1) U_K - K times the mean over the subsets.")
def difference_alone(log_r: Tensor) -> Tensor:
    return log_mean(log_r) - without(log_r)


@check.mistake("The subsets' bounds were averaged over the batch too. Stack them, and average over axis 0 alone.")
def averaged_over_the_batch(log_r: Tensor) -> Tensor:
    return combined(log_r, without(log_r).mean())


@check.mistake("Your bounds are logs of sums. U_K divides by K + 1, and each subset by K: use upper_bound for both.")
def sums_not_means(log_r: Tensor) -> Tensor:
    return len(log_r) * log_r.logsumexp(0) - (len(log_r) - 1) * (without(log_r) + math.log(len(log_r) - 1))
