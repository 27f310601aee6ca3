"""01.active_units: how many units' mean moves with x. Shapes: ``[N, L], [N, L] -> []``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def encoder(N: int, stds: list[float], shift: float, log_std: list[float], seed: int) -> tuple[Tensor, Tensor]:
    means = normal(N, len(stds), seed=seed) * torch.tensor(stds) + shift
    return means, torch.tensor(log_std).expand(N, -1)


def graded(N: int, seed: int) -> tuple[Tensor, Tensor]:
    """Units of every size, so that each way to count gives a number of its own."""
    units = torch.arange(24)
    stds = 0.004 * 1.32**units  # 11 and 12 stand at 0.085 and 0.112, on either side of the threshold's root
    return encoder(N, stds.tolist(), 0.06, (-4.5 + 0.2 * (units * 7 % 24)).tolist(), seed)


def kl_per_unit(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).mean(0)  # [L]


def right(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.var(0) > 0.01).sum()


check = Check(
    "01.active_units",
    right,
    praise="A unit is active when its mean moves with x. That is how the literature counts (Burda et al. 2016).",
    cases=lambda: [
        encoder(40, [1.0, 0.05, 0.2, 0.01, 0.7], 0.0, [-2.5, 0.0, -1.0, -0.5, -2.5], seed=60),
        encoder(30, [0.02, 0.5, 0.004], 1.5, [0.0, -2.5, 0.0], seed=61),
        encoder(25, 5 * [0.02] + 2 * [0.9] + 4 * [0.001], 0.0, 3 * [-3.0] + 5 * [-1.0] + 3 * [-4.0], seed=62),
        encoder(60, 6 * [0.004], 0.02, 2 * [-4.0] + 4 * [0.0], seed=63),  # all collapsed
        encoder(
            20, 3 * [0.05] + 6 * [0.3] + 4 * [0.005], -0.05, 7 * [-3.0] + 6 * [-2.6], seed=64
        ),  # narrow, all of them
        graded(50, seed=65),
    ],
)


@check.mistake("""You looked at the width of q. A collapsed unit is wide, as wide as the prior. What tells it is the
    encoder's *mean*: does it move when x changes?""")
def variance_of_q(mean: Tensor, log_std: Tensor) -> Tensor:
    return ((2 * log_std).exp().mean(0) > 0.01).sum()


@check.mistake("You compared the standard deviation with 0.01. The threshold is one for the variance.")
def standard_deviation_against_a_variance(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.std(0) > 0.01).sum()


@check.mistake("A mean that is far from 0 and the same for every x says nothing about x. Take its variance over x.")
def size_of_the_mean(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.square().mean(0) > 0.01).sum()


@check.mistake("You took the variance over the units of one x. Take it over the data (axis 0), once per unit.")
def variance_over_the_units(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.var(1) > 0.01).sum()


@check.mistake("You counted the collapsed units. The active ones are the others.")
def collapsed_ones(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.var(0) <= 0.01).sum()


@check.mistake("These are the variances, one per unit. Now count those above 0.01.")
def not_counted(mean: Tensor, log_std: Tensor) -> Tensor:
    return mean.var(0)


@check.mistake("These are the right units, one True for each. Count them: .sum().")
def which_not_how_many(mean: Tensor, log_std: Tensor) -> Tensor:
    return mean.var(0) > 0.01


@check.mistake("This counts all L units. Count only those whose variance is above 0.01.")
def all_units_counted(mean: Tensor, log_std: Tensor) -> int:
    return mean.shape[1]


@check.mistake("This is the share of active units. The question is how many there are.")
def share(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.var(0) > 0.01).float().mean()


@check.mistake("""You compared the KL of each unit with 0.01. It is also above 0 when the mean is off and never moves.
    Take the variance of the mean over the images.""")
def KL_of_the_unit(mean: Tensor, log_std: Tensor) -> Tensor:
    return (kl_per_unit(mean, log_std) > 0.01).sum()


@check.mistake("""You added the variance of q to that of its mean, which makes the variance of z. A collapsed unit is as
    wide as the prior and its z scatters, whatever x is: take the variance of the mean alone.""")
def variance_of_z(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.var(0) + (2 * log_std).exp().mean(0) > 0.01).sum()


@check.mistake("""You asked how far apart the largest and the smallest mean are (above 0.1). That grows with the number
    of images. The threshold, 0.01, is one for the variance.""")
def range_against_a_root(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.amax(0) - mean.amin(0) > 0.1).sum()


@check.mistake("""Two things: these are the collapsed units, and the active ones are the others; and 0.01 is a threshold
    for the variance, not for the standard deviation.""")
def collapsed_ones_by_the_standard_deviation(mean: Tensor, log_std: Tensor) -> Tensor:
    return (mean.std(0) <= 0.01).sum()
