"""04.spot_the_noise: the noise behind z = mu + sigma eps, where the log-variance was divided by."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import gaussian_slips, slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def narrow_and_wide() -> tuple[Tensor, Tensor, Tensor]:
    """z, mu and log_var of a q between e^-6 and e^6 wide."""
    log_var, mu = torch.tensor([-12.0, -5.0, 5.0, 12.0]), normal(3, 4, seed=56)
    return mu + (0.5 * log_var).exp() * normal(3, 4, seed=57), mu, log_var


check = Check(
    "04.spot_the_noise",
    gaussian_slips.noise,
    praise="z = mu + sigma eps, turned round. Its standard deviation is 1, and that is the test that finds this bug.",
    cases=lambda: [
        (normal(2, 3, 4, seed=51), normal(2, 1, 4, seed=52), 0.7 * normal(2, 1, 4, seed=53)),
        (normal(5, 2, seed=54), normal(5, 2, seed=55), torch.zeros(5, 2)),
        narrow_and_wide(),
    ],
)


check.mistake("""This is what the code as it stood gives: z - mu over the *logarithm* of the variance, which is 0 for a
    standard deviation of 1. Divide by the standard deviation, exp(log_var / 2).""")(
    gaussian_slips.divided_by_log_variance
)

check.mistake("exp(log_var) is the variance. z = mu + sigma eps has the standard deviation in it, exp(log_var / 2).")(
    gaussian_slips.divided_by_the_variance
)

check.mistake("You multiplied by sigma. Solve z = mu + sigma eps for eps.")(
    gaussian_slips.multiplied_by_the_standard_deviation
)


@check.mistake("You multiplied, and by the variance. Solve z = mu + sigma eps for eps, with sigma = exp(log_var / 2).")
def multiplied_by_the_variance(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return (z - mu) * log_var.exp()


check.mistake("You took the root of the *logarithm*. The root of the variance is exp(log_var / 2).")(
    gaussian_slips.divided_by_the_root_of_log_variance
)


@check.mistake("The sign of mu is wrong: z - mu is what the noise moved.")
def mu_added(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return (z + mu) * (-0.5 * log_var).exp()


@check.mistake("Only mu is divided: / binds more tightly than -. Put brackets round z - mu.")
def only_mu_divided(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return z - mu * (-0.5 * log_var).exp()


@check.mistake("Only z is divided. Both are: (z - mu) / sigma.")
def only_z_divided(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return z * (-0.5 * log_var).exp() - mu


@check.mistake("You divided by the root of sigma: exp(log_var / 2) is the standard deviation already.")
def divided_by_the_root_of_sigma(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return (z - mu) * (-0.25 * log_var).exp()


def clipped(at: float, z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return gaussian_slips.noise(z, mu, log_var.clamp(-at, at))


@check.mistake("""Right as long as log_var lies between -4 and 4: there you cut it off. z was made with the sigma that
    log_var says, however narrow or wide.""")
def log_var_clipped_at_4(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return clipped(4, z, mu, log_var)


@check.mistake("""Right as long as log_var lies between -10 and 10: there you cut it off. z was made with the sigma that
    log_var says, however narrow or wide.""")
def log_var_clipped_at_10(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return clipped(10, z, mu, log_var)


@check.mistake("""Two things. exp(2 log_var) is the square of the variance; sigma is exp(log_var / 2). And the noise has
    a sign: no absolute value.""")
def squared_variance_and_no_sign(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return gaussian_slips.divided_by_the_squared_variance(z, mu, log_var).abs()


check.mistake("mu is missing: the noise moved z away from mu, not from 0.")(gaussian_slips.mean_not_subtracted)

check.mistake("The scale is right and the sign is not: z = mu + sigma eps, so it is z - mu.")(
    partial(slips.sign_turned_round, gaussian_slips.noise)
)


@check.mistake("This is sigma eps. Divide by sigma, exp(log_var / 2).")
def sigma_forgotten(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return z - mu


check.mistake("exp(2 log_var) is the *square* of the variance. You need the variance's root, exp(log_var / 2).")(
    gaussian_slips.divided_by_the_squared_variance
)

check.mistake("Half of the log-variance is the *logarithm* of sigma. The exp is missing.")(
    gaussian_slips.divided_by_half_of_log_variance
)
