"""07.upper_bound: U_K, with psi_0 in front. Shapes: ``[K + 1, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def log_mean(log_r: Tensor, dim: int = 0) -> Tensor:
    """The log of the mean over one axis."""
    return log_r.logsumexp(dim) - math.log(log_r.shape[dim])


check = Check(
    "07.upper_bound",
    log_mean,
    praise="The log of the mean of K + 1 ratios. One line, and HVM, SIVI and IWHVI are all in it.",
    cases=lambda: [(2 * normal(5, 3, seed=1),), (normal(2, 4, seed=2) - 800.0,), (uneven(normal(4, 3, seed=3), 0),)],
)


check.mistake("This is the log of the sum. U_K is the log of the mean: take log(K + 1) away.")(
    partial(slips.log_K_missing, over=0)
)


@check.mistake("You divided by K. There are K + 1 ratios on the axis, psi_0 among them.")
def divided_by_K(log_r: Tensor) -> Tensor:
    return log_r.logsumexp(0) - math.log(len(log_r) - 1)


@check.mistake("You added one to the length of the axis. It already holds K + 1 ratios, psi_0 among them.")
def divided_by_K_plus_2(log_r: Tensor) -> Tensor:
    return log_r.logsumexp(0) - math.log(len(log_r) + 1)


@check.mistake("""You left psi_0 out. Without the one that made z this is L_K, a *lower* bound, and an ELBO made of it
    promises too much.""")
def psi0_left_out(log_r: Tensor) -> Tensor:
    return log_mean(log_r[1:])


check.mistake("""This is the mean of the logs. Only psi_0 is drawn from the posterior, so the mean of the logs is a
    bound in neither direction; take the log of the mean.""")(partial(slips.mean_of_logs, over=0))


@check.mistake("This is psi_0 alone, the bound of HVM, U_0. It is valid, and the K others tighten it.")
def psi0_alone(log_r: Tensor) -> Tensor:
    return log_r[0]


check.mistake("Right on paper. With ratios near exp(-800) every exp is 0 and the log -inf. Use logsumexp.")(
    partial(slips.exp_first, over=0)
)

check.mistake("You averaged over the batch. Axis 0 holds the K + 1 ratios of one z.")(
    partial(slips.over_another_axis, over=1)
)


@check.mistake("You averaged over everything. Each z of the batch has its own K + 1 ratios; leave the last axis alone.")
def over_the_batch_as_well(log_r: Tensor) -> Tensor:
    return log_mean(log_r.flatten())


check.mistake("The sign is turned round. U_K stands for +log q(z); the ELBO subtracts it later.")(
    partial(slips.sign_turned_round, log_mean)
)


@check.mistake("""You divide by K + 1, and sum K ratios: psi_0, the first on the axis, is missing. It makes this a
    bound.""")
def psi0_left_out_and_divided_by_K_plus_1(log_r: Tensor) -> Tensor:
    return log_r[1:].logsumexp(0) - math.log(len(log_r))


check.mistake("You divided the logarithm by K + 1. Divide inside it: outside, that is - log(K + 1).")(
    partial(slips.logarithm_divided_by_K, over=0)
)

check.mistake("You took K + 1 away. Dividing by K + 1 under the logarithm takes log(K + 1) away.")(
    partial(slips.K_subtracted_for_log_K, over=0)
)

check.mistake("log(K + 1) has the wrong sign. A mean is a sum *divided* by K + 1.")(partial(slips.log_K_added, over=0))

check.mistake("You divided by the size of the batch. len(log_ratio), the first axis, is K + 1.")(
    partial(slips.another_axis_counted, over=0, counted=1)
)

check.mistake("math.log2 counts bits; logsumexp counts nats. Use math.log.")(partial(slips.base_2, over=0))


@check.mistake("""This is the largest log-ratio. The mean holds all of them, and is smaller: by log(K + 1) where one
    dwarfs the others.""")
def largest_ratio_alone(log_r: Tensor) -> Tensor:
    return log_r.amax(0)


check.mistake("""One maximum was taken out of the whole tensor. A column far below it has only zeros left: one maximum
    for each z, which is what logsumexp(0) does.""")(partial(slips.one_maximum_for_all, over=0))

for name, floor in {"floor_under_the_logarithm": 1e-10, "floor_of_1e_8": 1e-8, "floor_of_1e_12": 1e-12}.items():
    check.mistake("""A small number under the logarithm hides that the mean is 0 in the computer: where -800 is right,
        you get the logarithm of that number. logsumexp needs no such help.""")(
        slips.turned(slips.floor_under_the_logarithm, name, floor=floor, over=0)
    )
