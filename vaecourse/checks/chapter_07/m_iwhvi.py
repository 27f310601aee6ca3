"""07.m_iwhvi: IWAE with U_K in the place of log q. Shapes: ``[M, B], [K + 1, M, B] -> [B]``."""

from __future__ import annotations

import math

from torch import Tensor

from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.chapter_07.upper_bound import log_mean
from vaecourse.checks.frame import Check


def right(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_mean(log_r))


check = Check(
    "07.m_iwhvi",
    right,
    praise="IWAE of log-weights with U_K in the place of log q. Nothing else in the course has to change.",
    cases=lambda: [
        (normal(4, 3, seed=41) - 2, 2 * normal(6, 4, 3, seed=42)),
        (normal(2, 5, seed=43) - 820, normal(3, 2, 5, seed=44) - 800),
        (normal(5, 2, seed=47) - 1, 2 * normal(2, 5, 2, seed=48)),  # K = 1
        (normal(3, 2, seed=45), uneven(normal(4, 3, 2, seed=46), 0)),
    ],
)


@check.mistake("""You averaged M logarithms. That is the ELBO-type bound, better measured; M-IWHVI puts the M weights
    under *one* logarithm.""")
def mean_outside(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_mean(log_r)).mean(0)


@check.mistake("This is too high by log M. Is the outer logarithm that of the mean of M weights, or of their sum?")
def sum_over_M(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_mean(log_r)).logsumexp(0)


@check.mistake("This is too low by log(K + 1). Is the inner logarithm that of a mean of K + 1 ratios, or of their sum?")
def sum_over_K_plus_1(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_r.logsumexp(0))


@check.mistake("""This is right but for log M - log(K + 1). By which count does each of your two means divide? The inner
    one has K + 1 ratios, the outer one M weights.""")
def sums_in_both_places(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_r.logsumexp(0)).logsumexp(0)


@check.mistake("psi_0 is missing from the denominator. Then the weight's mean is above p(x): no lower bound is left.")
def psi0_left_out(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_mean(log_r[1:]))


@check.mistake("""You averaged all M (K + 1) ratios p(x, z) / r. The K + 1 ratios are averaged *in the denominator* of
    each weight first; then the M weights.""")
def one_average_over_everything(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_r).flatten(0, 1).logsumexp(0) - math.log(log_r.shape[0] * log_r.shape[1])


@check.mistake("""You averaged p(x, z) over m and the ratios over everything, and then divided. Each z_m has its own
    denominator.""")
def both_averages_apart(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint) - log_mean(log_r.flatten(0, 1))


@check.mistake("Inside you average logarithms of ratios. It is the log of their mean, U_K.")
def inner_mean_of_logarithms(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_r.mean(0))


@check.mistake("Your inner mean runs over M. The axes of log_ratio are K + 1, M, B, and the first goes first.")
def over_the_M_axis_first(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint.mean(0) - log_mean(log_r, 1))


@check.mistake("You added U_K. It stands for log q(z | x), which log w subtracts.")
def sign_inside(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint + log_mean(log_r))


@check.mistake("Right on paper. With densities near exp(-800) it is 0 / 0. Stay in logarithms.")
def exp_first(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint.exp() / log_r.exp().mean(0)).mean(0).log()


@check.mistake("The inner mean divides by K. There are K + 1 ratios on axis 0, psi_0 among them.")
def divided_by_K_inside(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_r.logsumexp(0) + math.log(len(log_r) - 1))


@check.mistake("Inside only psi_0 is left. That is a valid weight, HVM's; put the K others beside it.")
def psi0_alone_inside(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_r[0])


@check.mistake("Both your means are means of logarithms. Both belong under one: first over K + 1, then over M.")
def mean_outside_and_logarithms_inside(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_r.mean(0)).mean(0)


@check.mistake("The log-weights are right. You added the M logarithms up: take the log of the mean of the M weights.")
def logarithms_summed_over_M(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_mean(log_r)).sum(0)


@check.mistake("The log-weights are right. You kept the largest of the M; take the log of their mean.")
def largest_weight_alone(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return (log_joint - log_mean(log_r)).amax(0)


@check.mistake("""You averaged p(x, z) and U_K over m each for itself. Each z_m has its own denominator: subtract first,
    then take the log of the mean.""")
def joint_averaged_apart_from_the_bound(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint) - log_mean(log_r).mean(0)


@check.mistake("Two things: the inner mean divides by K, where there are K + 1 ratios, and log M is missing outside.")
def divided_by_K_inside_and_sum_over_M(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return divided_by_K_inside(log_joint, log_r) + math.log(len(log_joint))


@check.mistake("""You divide by K + 1 inside, and sum K ratios: psi_0, the first on the axis, is missing.""")
def psi0_left_out_but_counted(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return log_mean(log_joint - log_r[1:].logsumexp(0) + math.log(len(log_r)))
