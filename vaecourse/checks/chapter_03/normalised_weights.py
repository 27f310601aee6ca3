"""03.normalised_weights: the shares of the K samples. Shapes: ``[M, K, B] -> [M, K, B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> Tensor:
    return log_w.softmax(1)


check = Check(
    "03.normalised_weights",
    right,
    praise="Shares of one whole, over the K samples of each x. They are how the gradient of L_K gives credit.",
    cases=lambda: [
        (2 * normal(2, 3, 5, seed=11),),
        (normal(3, 4, 2, seed=12) - 800.0,),
        (uneven(normal(2, 5, 3, seed=13), 1),),
    ],
)


check.mistake("""The sign is turned round: the *worst* sample gets the most weight. This slips in where a loss, -log
    p(x|z), is put into the softmax in place of log w.""")(partial(slips.worst_counts_most, right))


@check.mistake("""Your weights add up to one over the M groups. They compete inside one group: over the K axis, number
    1.""")
def over_the_M_axis(log_w: Tensor) -> Tensor:
    return log_w.softmax(0)


@check.mistake("""Your weights add up to one over the batch: the data points compete with each other. It is the K
    samples of one x that compete.""")
def over_the_batch(log_w: Tensor) -> Tensor:
    return log_w.softmax(2)


@check.mistake("""Your weights add up to one over all M K samples. That belongs to the pooled bound; here each of the M
    groups has a sum of one.""")
def pooled_over_M_and_K(log_w: Tensor) -> Tensor:
    return log_w.flatten(0, 1).softmax(0).view_as(log_w)


check.mistake("""Right on paper. With log-weights near -800 every exp is 0 and the ratio 0/0. torch.softmax takes the
    largest one out first.""")(partial(slips.shares_exp_first, over=1))

check.mistake("""You took one maximum out for all data points. Where one x lies 900 nats below another, all its weights
    become 0 and the ratio 0/0: every group needs a maximum of its own, as torch.softmax has it.""")(
    partial(slips.shares_of_one_maximum, over=1)
)


@check.mistake("""You divided the shares by M as well. Inside each group of K they add up to one, and that is what is
    asked for here.""")
def divided_by_M(log_w: Tensor) -> Tensor:
    return log_w.softmax(1) / len(log_w)


@check.mistake("""The small number in the denominator turns 0/0 into 0: with log-weights near -800 nobody gets any
    weight and nothing learns. Use torch.softmax.""")
def floor_in_the_denominator(log_w: Tensor) -> Tensor:
    return log_w.exp() / (log_w.exp().sum(1, keepdim=True) + 1e-10)


@check.mistake("""These are the weights themselves. Divide by their sum over K, and without exp(-800) = 0: softmax does
    both.""")
def not_normalised(log_w: Tensor) -> Tensor:
    return log_w.exp()


@check.mistake("""You divided by the *largest* weight, which is the right first step against underflow. Now divide by
    the sum over K.""")
def divided_by_the_largest(log_w: Tensor) -> Tensor:
    return (log_w - log_w.amax(1, keepdim=True)).exp()


@check.mistake("softmax takes exp itself. Give it the logs, log_w.")
def softmax_of_the_weights(log_w: Tensor) -> Tensor:
    return log_w.exp().softmax(1)


@check.mistake("You normalised the logarithms. The weights are w = exp(log w): normalise those.")
def logarithms_normalised(log_w: Tensor) -> Tensor:
    return log_w / log_w.sum(1, keepdim=True)


@check.mistake("These are the logs of the normalised weights. Return the weights, which add up to one.")
def logs_of_the_weights(log_w: Tensor) -> Tensor:
    return log_w.log_softmax(1)


@check.mistake("""Two things. These are logs: return the weights themselves. And they are normalised over the M groups;
    the K samples of one group compete, axis number 1.""")
def logs_of_the_weights_over_M(log_w: Tensor) -> Tensor:
    return log_w.log_softmax(0)


@check.mistake("""These are the log-weights minus the logarithm of their *mean*. Subtract the logarithm of the sum, and
    take exp of it all.""")
def logs_over_the_mean(log_w: Tensor) -> Tensor:
    return log_w - log_w.logsumexp(1, keepdim=True) + math.log(log_w.shape[1])


@check.mistake("These are the squared shares, which chapter 05 will want. Here they are to add up to one.")
def squared(log_w: Tensor) -> Tensor:
    return log_w.softmax(1).square()


@check.mistake("You divided by the mean of the weights, so they add up to K. Divide by their sum.")
def divided_by_the_mean(log_w: Tensor) -> Tensor:
    return log_w.softmax(1) * log_w.shape[1]


@check.mistake("You gave everything to the best sample. The shares are in proportion to w.")
def best_one_only(log_w: Tensor) -> Tensor:
    return (log_w == log_w.amax(1, keepdim=True)).to(log_w.dtype)
