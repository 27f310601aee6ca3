"""07.jackknife: the jackknife of U_K, psi_0 in every subset. Shapes: ``[K + 1, B] -> [B]``."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_07.upper_bound import log_mean
from vaecourse.checks.frame import Check


def without(log_r: Tensor, left_out: range) -> Tensor:
    """Log-mean-exp of each subset that leaves one of these out. Shapes: ``[K + 1, B] -> [subsets, B]``."""
    return torch.stack([log_mean(torch.cat([log_r[:k], log_r[k + 1 :]])) for k in left_out])


def right(
    log_r: Tensor,
    leave_out: Callable[[int], range] = lambda n: range(1, n),  # any but psi_0
    first: Callable[[int], int] = lambda n: n,
    second: Callable[[int], int] = lambda n: 1 - n,
    average: Callable[[Tensor], Tensor] = lambda bounds: bounds.mean(0),
) -> Tensor:
    """``first`` times U_K and ``second`` times the mean over subsets; n = K + 1."""
    n = len(log_r)
    return first(n) * log_mean(log_r) + second(n) * average(without(log_r, leave_out(n)))


check = Check(
    "07.jackknife",
    right,
    praise="The 1/(K + 1) is gone, and with it the promise to lie above.",
    cases=lambda: [
        (2 * normal(5, 3, seed=51),),
        (normal(3, 4, seed=52).double() - 800.0,),
        (2 * normal(2, 3, seed=53),),  # K = 1
    ],
)

check.mistake("""Your subsets leave out every sample in turn, psi_0 too. A subset without psi_0 gives a *lower* bound.
    Keep psi_0 in all of them, and leave out one of the other K.""")(
    slips.turned(right, "psi0_is_left_out_too", leave_out=range)
)

of_the_lower_bound = partial(right, first=lambda n: n - 1, second=lambda n: 2 - n)  # K and -(K - 1)

check.mistake("K and -(K - 1) are the coefficients of L_K. The bias of U_K goes like 1 / (K + 1): take K + 1 and -K.")(
    slips.turned(of_the_lower_bound, "coefficients_of_the_lower_bound")
)


@check.mistake("""This is the jackknife of the lower bound, without psi_0 anywhere. It approaches log q(z) from below;
    here the upper bound is asked for.""")
def jackknife_of_the_lower_bound(log_r: Tensor) -> Tensor:
    return right(log_r[1:], leave_out=range)  # stops at K = 1: nothing is left of one guess


check.mistake("The second coefficient is negative: K + 1 and -K add up to one.")(
    slips.turned(right, "plus_between_the_two", second=lambda n: n - 1)
)

check.mistake("You added up the K subsets. Take their mean, then multiply with K.")(
    slips.turned(right, "subsets_summed", second=lambda n: -((n - 1) ** 2))
)


@check.mistake("A subset holds K ratios, psi_0 among them: its mean divides by K, not by K + 1.")
def subsets_divided_by_K_plus_1(log_r: Tensor) -> Tensor:
    return right(log_r) + (len(log_r) - 1) * math.log(len(log_r) / (len(log_r) - 1))


check.mistake("This is U_K itself, order 0.")(slips.turned(right, "order_0", first=lambda n: 1, second=lambda n: 0))

check.mistake("This is the mean over the subsets. It still has to be combined with U_K: (K + 1) U_K - K times this.")(
    slips.turned(right, "subsets_alone", first=lambda n: 0, second=lambda n: 1)
)

check.mistake("The two have changed places: K + 1 belongs to U_K, -K to the subsets.")(
    slips.turned(right, "turned_round", first=lambda n: 1 - n, second=lambda n: n)
)

check.mistake("""You left out the last guess only. The mean is right that way, and noisier: take the average over all K
    subsets.""")(slips.turned(right, "one_subset_for_all", leave_out=lambda n: range(n - 1, n)))

check.mistake("""Your only subset lacks psi_0, so it gives a *lower* bound. Keep psi_0, leave out each of the K others
    in turn, and average.""")(slips.turned(right, "one_subset_for_all_without_psi0", leave_out=lambda n: range(1)))

one_too_few = check.mistake("One subset is missing: k runs from 1 to K, and range(1, K) ends at K - 1.")
one_too_few(slips.turned(right, "one_subset_too_few", leave_out=lambda n: range(1, n - 1)))  # stops at K = 1
one_too_few(slips.turned(right, "one_subset_too_few_but_at_K_1", leave_out=lambda n: range(1, max(n - 1, 2))))

check.mistake("""Your k runs from 0 to K - 1: it leaves psi_0 out once, and the last guess never. Let it run from 1 to
    K.""")(slips.turned(right, "psi0_left_out_and_the_last_one_never", leave_out=lambda n: range(n - 1)))

check.mistake("Your coefficients are K + 2 and -(K + 1). len(log_ratio) is K + 1 already.")(
    slips.turned(right, "one_coefficient_too_large", first=lambda n: n + 1, second=lambda n: -n)
)

check.mistake("You took K + 1 times the difference. The coefficients K + 1 and -K must add up to one.")(
    slips.turned(right, "coefficients_that_do_not_add_up_to_one", second=lambda n: -n)
)

check.mistake("The coefficients are missing: (K + 1) U_K - K times the mean over the subsets.")(
    slips.turned(right, "difference_alone", first=lambda n: 1, second=lambda n: -1)
)

check.mistake("The subsets' bounds were averaged over the batch too. Stack them, and average over axis 0 alone.")(
    slips.turned(right, "averaged_over_the_batch", average=torch.mean)
)


@check.mistake("Your bounds are logs of sums. U_K divides by K + 1, and each subset by K: use upper_bound for both.")
def sums_not_means(log_r: Tensor) -> Tensor:
    n = len(log_r)
    return right(log_r) + n * math.log(n) - (n - 1) * math.log(n - 1)


check.mistake("""You took the log of the subsets' mean. The jackknife averages their bounds, logarithms already: a plain
    mean over the K subsets.""")(slips.turned(right, "subsets_averaged_under_the_logarithm", average=log_mean))

check.mistake("""Two things: a subset without psi_0 gives a *lower* bound, keep it in all of them; and the coefficients
    are K + 1 and -K.""")(
    slips.turned(of_the_lower_bound, "psi0_is_left_out_too_and_coefficients_of_the_lower_bound", leave_out=range)
)


@check.mistake("""At K = 1 you return U_1 as it is. A subset is left there too, psi_0 alone, and the formula holds:
    2 U_1 minus its log-ratio.""")
def no_correction_at_K_1(log_r: Tensor) -> Tensor:
    return right(log_r) if len(log_r) > 2 else log_mean(log_r)


@check.mistake("A subset holds K ratios, psi_0 among them: its mean divides by K, not by K - 1.")
def subsets_divided_by_K_minus_1(log_r: Tensor) -> Tensor:
    K = len(log_r) - 1
    return right(log_r) - K * math.log(K / max(K - 1, 1))


@check.mistake("You kept the smaller of J and U_K. J corrects the bias, and lies above U_K at times: leave it there.")
def never_above_the_bound(log_r: Tensor) -> Tensor:
    return torch.minimum(right(log_r), log_mean(log_r))
