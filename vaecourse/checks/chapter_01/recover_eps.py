"""01.recover_eps: the noise behind z = mean + sigma eps. Shapes: ``[M, K, B, L], 2 x [B, L] -> [M, K, B, L]``."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import gaussian_slips, slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check

check = Check(
    "01.recover_eps",
    gaussian_slips.noise,
    praise="Undo the shift, then undo the scale. Standard noise comes back, whatever the encoder said.",
    cases=lambda: [
        (normal(2, 3, 5, 4, seed=9), normal(5, 4, seed=10), 0.5 * normal(5, 4, seed=11) - 1.5),
        (normal(3, 1, 2, 1, seed=12), torch.ones(2, 1), torch.zeros(2, 1)),
        (normal(2, 4, 3, 2, seed=13), normal(3, 2, seed=14), torch.tensor([[-20.0, 2.0], [1.0, -16.0], [3.0, 0.5]])),
    ],
)


check.mistake("""You divided by log_var. The noise was multiplied by sigma = exp(log_var / 2), so divide by that: at
    log_var = 0 sigma is 1 and your answer is infinite.""")(gaussian_slips.divided_by_log_variance)

check.mistake("""You divided by exp(log_var), which is the variance. The noise was multiplied by sigma = exp(log_var /
    2).""")(gaussian_slips.divided_by_the_variance)

check.mistake("You divided by log sigma. Take its exponential first: sigma = exp(log_var / 2).")(
    gaussian_slips.divided_by_half_of_log_variance
)

check.mistake("""You took the square root of log_var, which may be negative. Undo the logarithm first: sigma =
    exp(log_var / 2).""")(gaussian_slips.divided_by_the_root_of_log_variance)

check.mistake("You divided by exp(2 log_var), the square of the variance. Sigma is its square root: exp(log_var / 2).")(
    gaussian_slips.divided_by_the_squared_variance
)


@check.mistake("You divided only the mean by sigma. Subtract first: (z - mean) / sigma needs its parentheses.")
def parentheses(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return z - mean / (0.5 * log_var).exp()


check.mistake("You multiplied by sigma once more. z = mean + sigma eps, so eps is the distance divided by sigma.")(
    gaussian_slips.multiplied_by_the_standard_deviation
)

check.mistake("The sign is turned round: z = mean + sigma eps, so eps is (z - mean) / sigma.")(
    partial(slips.sign_turned_round, gaussian_slips.noise)
)

check.mistake("The mean was not taken off. First subtract it, then divide by sigma.")(
    gaussian_slips.mean_not_subtracted
)


@check.mistake("""Right as long as sigma is above 0.001, and a narrower q gets 0.001. Sigma is an exponential and never
    0: it needs no floor.""")
def floor_under_sigma(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) / (0.5 * log_var).exp().clamp_min(1e-3)


@check.mistake("""You standardised with the mean and the spread of the samples at hand. The noise was scaled by the
    encoder's own: mean and sigma = exp(log_var / 2).""")
def standardised_by_the_samples(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - z.mean((0, 1))) / z.std((0, 1))


@check.mistake("""Two things: the sign is turned round, and exp(log_var) is the variance. z = mean + sigma eps, sigma =
    exp(log_var / 2).""")
def divided_by_the_variance_with_the_sign_turned_round(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return -gaussian_slips.divided_by_the_variance(z, mean, log_var)


@check.mistake("This is sigma eps: the shift is undone, the scale is not. Divide by sigma = exp(log_var / 2).")
def sigma_forgotten(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return z - mean


@check.mistake("You divided only z by sigma. Subtract first: (z - mean) / sigma needs its parentheses.")
def parentheses_round_z_alone(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return z / (0.5 * log_var).exp() - mean
