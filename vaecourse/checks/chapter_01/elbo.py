"""01.elbo: the ELBO from log-weights. Shapes: ``[M, K, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> Tensor:
    return log_w.mean((0, 1))


def cases() -> list[tuple[Tensor]]:
    impossible = normal(3, 2, 4, seed=3)
    impossible[1, 0, 2] = -math.inf  # a z that the model rules out
    return [
        (2 * normal(2, 3, 5, seed=1) - 1,),
        (normal(4, 1, 3, seed=2),),
        (normal(2, 5, 3, seed=4) + 9,),
        (impossible,),
    ]


check = Check(
    "01.elbo",
    right,
    praise="The mean over both sample axes, one number per data point. That line is bounds.elbo.",
    cases=cases,
)


@check.mistake("""You took the logarithm of the mean weight. The ELBO is the mean of the logarithms: the log_w are logs
    already. What you have is a tighter bound with a name of its own; chapter 03 is about it.""")
def log_of_the_mean(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w)


@check.mistake("""You took the logarithm of the mean weight over K and averaged over M. The ELBO has no logarithm left
    to take: it is the mean of log_w over both.""")
def log_of_the_mean_with_M_apart(log_w: Tensor) -> Tensor:
    return bounds.miwae(log_w)


check.mistake("""This is the log of the sum of the weights. The ELBO needs neither: log_w holds logarithms, and their
    mean over M and K is the answer.""")(partial(slips.log_K_missing, over=(0, 1)))


@check.mistake("""You took the log of the sum of the weights over K. The ELBO needs no exponential and no logarithm: it
    is the mean of log_w.""")
def log_K_missing_with_M_apart(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(1).mean(0)


@check.mistake("You took the logarithm of log_w. It holds logarithms already, and many of them are negative.")
def logarithm_taken_twice(log_w: Tensor) -> Tensor:
    return log_w.log().mean((0, 1))


@check.mistake("""You let the large weights count more. The samples came from q already, so each counts the same: a
    plain mean.""")
def weighted_by_the_weights(log_w: Tensor) -> Tensor:
    return (log_w.flatten(0, 1).softmax(0) * log_w.flatten(0, 1)).sum(0)


@check.mistake("You added the M K samples. Each is an estimate of the ELBO on its own, so they are averaged.")
def sum_over_the_samples(log_w: Tensor) -> Tensor:
    return log_w.sum((0, 1))


@check.mistake("You averaged over K and added up the M estimates. Each is an estimate of its own: average over both.")
def sum_over_M(log_w: Tensor) -> Tensor:
    return log_w.mean(1).sum(0)


@check.mistake("You averaged over M and added up the K samples. The ELBO is a mean over both.")
def sum_over_K(log_w: Tensor) -> Tensor:
    return log_w.sum(1).mean(0)


check.mistake("You also added up the B data points. Every x has its own ELBO: return [B].")(
    partial(slips.summed_over_the_batch, right)
)

check.mistake("""You also averaged over the B data points. Every x has its own ELBO: return [B]. The mean over B comes
    later, in the loss.""")(partial(slips.averaged_over_the_batch, right))


@check.mistake("This is the mean of w, an unbiased estimate of p(x) itself. The ELBO is the mean of log w.")
def mean_of_the_weights(log_w: Tensor) -> Tensor:
    return log_w.exp().mean((0, 1))


check.mistake("The sign is that of a loss. The ELBO is a lower bound of log p(x): it goes up when things get better.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("You averaged over K and B and kept M. The axes are M, K, B in this order, and B is the one that stays.")
def batch_and_sample_axes_swapped(log_w: Tensor) -> Tensor:
    return log_w.mean((1, 2))


@check.mistake("You averaged over K only. The M estimates are averaged too: what stays is B.")
def only_the_K_axis(log_w: Tensor) -> Tensor:
    return log_w.mean(1)


@check.mistake("""You left the log-weights of -inf out and averaged the others. Such a z has come from q and the model
    rules it out: its -inf belongs into the mean, and the ELBO is -inf.""")
def infinite_ones_left_out(log_w: Tensor) -> Tensor:
    finite = log_w.isfinite()
    return log_w.masked_fill(~finite, 0.0).sum((0, 1)) / finite.sum((0, 1))


@check.mistake("""You divided by 200 000 in every test case. (The page has M = 200 and K = 1000.) M and K are the
    lengths of the first two axes.""")
def a_fixed_count(log_w: Tensor) -> Tensor:
    return log_w.sum((0, 1)) / 200_000


@check.mistake("""Two things: this is the mean of w, and the ELBO is the mean of log w; and minus it would be a loss.
    The ELBO itself is asked for.""")
def minus_the_mean_of_the_weights(log_w: Tensor) -> Tensor:
    return -mean_of_the_weights(log_w)
