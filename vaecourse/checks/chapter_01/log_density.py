"""01.log_density: log N(z; mean, diag(exp(log_var))). Shapes: ``[M, K, B, L], [B, L], [B, L] -> [M, K, B]``."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check

LOG_2PI = math.log(2 * math.pi)


def density_per_dimension(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return -0.5 * (LOG_2PI + log_var + (z - mean).square() * (-log_var).exp())


def right(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (LOG_2PI + log_var + (z - mean).square() * (-log_var).exp())).sum(-1)


check = Check(
    "01.log_density",
    right,
    praise="A log-density you can trust, with its constant: it can stand in a bound in nats.",
    cases=lambda: [
        (normal(2, 3, 5, 4, seed=5), normal(5, 4, seed=6), normal(5, 4, seed=7) - 1),
        (normal(3, 1, 2, 1, seed=8), torch.zeros(2, 1), torch.ones(2, 1)),
        (normal(2, 4, 3, 2, seed=9) + 60, normal(3, 2, seed=10), normal(3, 2, seed=11)),  # far out
    ],
)


@check.mistake("""Look at the parentheses: you divided log_var by the variance as well. Only the squared distance is
    divided by the variance. What you have is not a density at all: it does not integrate to one.""")
def parentheses(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (log_var + (z - mean).square()) / log_var.exp() - 0.5 * LOG_2PI).sum(-1)


@check.mistake("""This is the line on the card. Look at its parentheses: log_var is divided by the variance as well, and
    only the squared distance may be. Then sum over the last axis.""")
def as_on_the_card(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return -0.5 * (log_var + (z - mean).square()) / log_var.exp() - 0.5 * LOG_2PI


@check.mistake("""Look at the parentheses: only the squared distance is divided by the variance, not log_var. And the
    log(2 pi) of each dimension is missing.""")
def parentheses_and_no_2_pi(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (log_var + (z - mean).square()) / log_var.exp()).sum(-1)


@check.mistake("""Look at the parentheses: you divided log(2 pi) and log_var by the variance too. Only the squared
    distance is.""")
def parentheses_round_all_three(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (LOG_2PI + log_var + (z - mean).square()) / log_var.exp()).sum(-1)


@check.mistake("""You used exp(log_var) as the standard deviation. It is the variance; the standard deviation is
    exp(log_var / 2).""")
def variance_as_standard_deviation(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return right(z, mean, 2 * log_var)


@check.mistake("The squared distance is divided by the standard deviation. It needs the variance, exp(log_var).")
def divided_by_the_standard_deviation_once(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (LOG_2PI + log_var + (z - mean).square() * (-0.5 * log_var).exp())).sum(-1)


@check.mistake("The normaliser is -log sigma, and log sigma is log_var / 2: your -log_var is twice that.")
def normaliser_of_a_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * LOG_2PI - log_var - 0.5 * (z - mean).square() * (-log_var).exp()).sum(-1)


@check.mistake("""The constant -1/2 log(2 pi) of every dimension is missing. Training would not notice; a bound in nats
    does.""")
def no_2_pi(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return right(z, mean, log_var) + 0.5 * mean.shape[-1] * LOG_2PI


@check.mistake("The constant -1/2 log(2 pi) is there once. Every dimension has its own: put it inside the sum.")
def one_2_pi_for_all(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return right(z, mean, log_var) + 0.5 * (mean.shape[-1] - 1) * LOG_2PI


@check.mistake("The sign of log_var is turned round: the normaliser is -1/2 log_var. A narrow density is a high one.")
def sign_of_log_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return right(z, mean, log_var) + log_var.sum(-1)


@check.mistake("The -1/2 log_var of every dimension is missing. Without it nothing rewards a density for being narrow.")
def log_variance_is_missing(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return right(z, mean, log_var) + 0.5 * log_var.sum(-1)


@check.mistake("You divided by log_var. The squared distance needs the variance itself, exp(log_var).")
def divided_by_log_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (LOG_2PI + log_var + (z - mean).square() / log_var)).sum(-1)


@check.mistake("""This is only the quadratic part. Without -log sigma nothing stops q from shrinking to a point or
    growing wide.""")
def normaliser_is_missing(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (z - mean).square() * (-log_var).exp()).sum(-1)


@check.mistake("You averaged over the dimensions. Independent dimensions multiply, so their logs add: a sum.")
def mean_over_the_dimensions(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return density_per_dimension(z, mean, log_var).mean(-1)


@check.mistake("Every dimension is right. Independent dimensions multiply, so add their logs over the last axis.")
def not_summed_over_L(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return density_per_dimension(z, mean, log_var)


check.mistake("""This is the density; the exercise asks for its logarithm. Stay in logs: in 50 dimensions densities
    underflow.""")(partial(slips.not_a_logarithm, right))


@check.mistake("""You computed the density and then its logarithm. Far from the mean the density is 0 in floating point
    and its log -inf: add up logarithms from the beginning.""")
def density_first(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return right(z, mean, log_var).exp().log()


@check.mistake("""Two things: log sigma is log_var / 2, so the normaliser is -log_var / 2; and the constant -1/2 log(2
    pi) of every dimension is missing.""")
def normaliser_of_a_variance_and_no_2_pi(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return no_2_pi(z, mean, log_var) - 0.5 * log_var.sum(-1)


@check.mistake("""The sign is turned round: this is -log N, which belongs into a loss. Asked for is the log-density
    itself.""")
def minus_the_log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return -right(z, mean, log_var)
