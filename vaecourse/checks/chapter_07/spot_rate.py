"""07.spot_rate: log q(z, psi) of a Laplace law as a mixture. Shapes: ``[..., L], [..., L] -> [...]``."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Exponential, Normal

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def laplace(z: Tensor, psi: Tensor, rate: float = 0.5, power: float = 0.5) -> Tensor:
    """log q(psi) + log q(z | psi), psi ~ Exp(rate), z of standard deviation psi^power; not summed."""
    return Exponential(torch.tensor(rate)).log_prob(psi) + Normal(0.0, psi**power).log_prob(z)


def positive(*shape: int, seed: int) -> Tensor:
    return 2 * normal(*shape, seed=seed).abs() + 0.1


def right(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi).sum(-1)


check = Check(
    "07.spot_rate",
    right,
    praise="A rate and a variance. With either read wrongly, the marginal is not the Laplace law any more.",
    cases=lambda: [
        (normal(3, 50, seed=31), positive(3, 50, seed=32)),
        (normal(4, 2, 7, seed=33), positive(4, 2, 7, seed=34)),
        (0.01 * normal(3, 6, seed=35), 1e-4 * positive(3, 6, seed=36)),  # tiny variances
    ],
)


@check.mistake("""This is the code as it stood, or does the same: two slips. PyTorch's Exponential takes the rate, and
    1/2 *is* the rate; and Normal takes a standard deviation, while psi is a variance.""")
def rate_read_as_a_mean_and_variance_as_a_deviation(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, 2.0, 1.0).sum(-1)


@check.mistake("""The Gaussian is right. Exp(psi | 1/2) has the *rate* 1/2, so the mean of psi is 2, the variance of a
    Laplace law of scale 1. PyTorch's Exponential takes the rate.""")
def rate_read_as_a_mean(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, 2.0).sum(-1)


@check.mistake("The exponential is right. psi is a *variance*: Normal wants its square root.")
def variance_read_as_a_standard_deviation(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, power=1.0).sum(-1)


@check.mistake("psi is a variance, so the standard deviation is its square root, not its square.")
def psi_squared(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, power=2.0).sum(-1)


@check.mistake("This is log q(z | psi) alone. The ratio needs the joint density: add log q(psi).")
def prior_is_missing(z: Tensor, psi: Tensor) -> Tensor:
    return (laplace(z, psi) - Exponential(0.5).log_prob(psi)).sum(-1)


@check.mistake("You averaged over the dimensions. They are independent, so their log-densities add up.")
def mean_over_dimensions(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi).mean(-1)


@check.mistake("Each dimension is right. They are independent: add their log-densities over the last axis.")
def not_summed(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi)


check.mistake("You added up the batch as well. Only the last axis, the dimensions, is summed.")(
    partial(slips.summed_over_the_batch, right)
)


@check.mistake("""Two slips are left. 1/2 is the *rate*, and PyTorch's Exponential takes the rate; psi is a variance, so
    Normal wants its square root, not its square.""")
def rate_read_as_a_mean_and_psi_squared(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, 2.0, 2.0).sum(-1)


@check.mistake("""You used 1 / psi as the variance. psi is the variance itself: the standard deviation is its square
    root.""")
def psi_read_as_a_precision(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, power=-0.5).sum(-1)


@check.mistake("This is log q(psi) alone. The joint density also needs log q(z | psi).")
def conditional_is_missing(z: Tensor, psi: Tensor) -> Tensor:
    return Exponential(0.5).log_prob(psi).sum(-1)


@check.mistake("""This is log q(z), the Laplace law with psi integrated out. The joint density of z *and* psi is asked
    for.""")
def marginal(z: Tensor, psi: Tensor) -> Tensor:
    return (-z.abs() - math.log(2)).sum(-1)


@check.mistake("The logarithm of the rate is missing: the density of Exp(psi | 1/2) is 1/2 exp(-psi / 2).")
def log_rate_missing(z: Tensor, psi: Tensor) -> Tensor:
    return right(z, psi) + psi.shape[-1] * math.log(2)


@check.mistake("""You added up over axis 1. The dimensions are the last axis, -1, however many axes of a batch stand
    before it.""")
def sum_over_axis_1(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi).sum(1)


@check.mistake("You kept psi above 0.01. A variance may be as small as it likes: no limit.")
def psi_kept_above_a_hundredth(z: Tensor, psi: Tensor) -> Tensor:
    return right(z, psi.clamp(min=0.01))


@check.mistake("""Two slips are left. 1/2 is the *rate*, and PyTorch's Exponential takes the rate; and psi is the
    variance itself, not 1 / variance.""")
def rate_read_as_a_mean_and_psi_as_a_precision(z: Tensor, psi: Tensor) -> Tensor:
    return laplace(z, psi, 2.0, -0.5).sum(-1)
