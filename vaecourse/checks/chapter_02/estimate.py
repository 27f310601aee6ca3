"""02.estimate: M unbiased estimates of p(x). Shapes: ``[M, K, B] -> [M, B]``."""

from __future__ import annotations

import math

from torch import Tensor

from vaecourse.checks.cases import log_weights
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> Tensor:
    return log_w.exp().mean(1)


check = Check(
    "02.estimate",
    right,
    praise="Yes. The mean of the weights is right on average for every K and every q that covers, even K = 1.",
    cases=log_weights,
)


@check.mistake("""You averaged log w and exponentiated afterwards. That is exp(ELBO estimate), and by Jensen it lies
    below p(x) on average. Exponentiate first: the identity is about the mean of w.""")
def mean_of_logs(log_w: Tensor) -> Tensor:
    return log_w.mean(1).exp()


@check.mistake("You summed the K weights. The sum grows with K and p(x) does not: divide by K.")
def sum_for_mean(log_w: Tensor) -> Tensor:
    return log_w.exp().sum(1)


@check.mistake("""This is the log of the estimate. The estimate of p(x) is unbiased, its log is not; here p(x) itself is
    asked for.""")
def log_too_many(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


@check.mistake("""You averaged over M, the independent estimates. Within one estimate the samples lie along K, the
    second axis.""")
def mean_over_M(log_w: Tensor) -> Tensor:
    return log_w.exp().mean(0)


@check.mistake("""You pooled all M K samples. That is unbiased too, and it leaves one estimate where M are asked for:
    without M separate ones you cannot compute a standard error.""")
def M_pooled_too(log_w: Tensor) -> Tensor:
    return log_w.exp().mean((0, 1))


@check.mistake("You averaged log w, which estimates the ELBO in nats. The weights are exp(log w).")
def exp_forgotten(log_w: Tensor) -> Tensor:
    return log_w.mean(1)


@check.mistake("""You counted a weight above 1 as 1. A weight is a ratio of densities and no probability: it has no
    upper limit.""")
def weights_clipped_at_1(log_w: Tensor) -> Tensor:
    return log_w.clamp_max(0.0).exp().mean(1)


@check.mistake("You summed over K and divided by M. The K samples of one estimate are averaged: divide by K.")
def divided_by_M(log_w: Tensor) -> Tensor:
    return log_w.exp().sum(1) / log_w.shape[0]


@check.mistake("""Two things: this is a logarithm, and p(x) itself is asked for; and a sum over K becomes a mean when
    log K is subtracted before exp.""")
def log_of_the_sum(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(1)


@check.mistake("You averaged over B, the data points. Within one estimate the samples lie along K, the second axis.")
def mean_over_B(log_w: Tensor) -> Tensor:
    return log_w.exp().mean(2)
