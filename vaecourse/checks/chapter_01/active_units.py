"""01.active_units: how many units' mean moves with x. Shapes: ``[N, L], [N, L] -> []``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def encoder(N: int, stds: list[float], shift: float, log_std: list[float], seed: int) -> tuple[Tensor, Tensor]:
    means = normal(N, len(stds), seed=seed) * torch.tensor(stds) + shift
    return means, torch.tensor(log_std).expand(N, -1)


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
