"""06.spot_the_loss: InfoVAE's loss, whose penalty had vanished. Shapes: ``[B], [B], [] -> []``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def weighing(weight: Callable[[float, float, int], float]) -> Callable[..., Tensor]:
    """The loss with another weight on MMD^2, a function of (alpha, lam, B)."""

    @wraps(weight)
    def loss(reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
        return -reconstruction.mean() + (1 - alpha) * rate.mean() + weight(alpha, lam, len(rate)) * mmd2

    return loss


def right(reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) * mmd2


check = Check(
    "06.spot_the_loss",
    right,
    praise="The penalty weighs what it says. A loss that falls smoothly showed none of this.",
    cases=lambda: [
        (-20 + normal(6, seed=41), 5 + normal(6, seed=42), torch.tensor(0.31), -0.5, 100.0),
        (-90 + normal(4, seed=43), 8 + normal(4, seed=44), torch.tensor(-0.02), 0.3, 5.0),
    ],
)


@check.mistake("""This is the loss as it stood, or does the same. Reconstruction and rate are right; the weight of
    MMD^2 is not: write down all that multiplies it, and compare with the formula.""")
@weighing
def lambda_twice_and_pairs_twice(alpha: float, lam: float, n: int) -> float:
    return lam * (alpha + lam - 1) / (n * (n - 1)) ** 2


@check.mistake("""The divisions by n(n-1) are gone, and lambda still stands there twice: inside the penalty and in its
    weight.""")
@weighing
def lambda_still_twice(alpha: float, lam: float, n: int) -> float:
    return lam * (alpha + lam - 1)


@check.mistake("""lambda stands once now. But the weight is still divided by n(n-1), and mmd2 is a mean over pairs
    already.""")
@weighing
def still_divided_by_the_pairs(alpha: float, lam: float, n: int) -> float:
    return (alpha + lam - 1) / (n * (n - 1))


@check.mistake("lambda stands once now. But n(n-1) still divides twice, and mmd2 is a mean over pairs already.")
@weighing
def divided_by_the_pairs_twice(alpha: float, lam: float, n: int) -> float:
    return (alpha + lam - 1) / (n * (n - 1)) ** 2


@check.mistake("One division by n(n-1) is left, and lambda stands there twice. mmd2 is a mean over pairs already.")
@weighing
def lambda_twice_and_pairs_once(alpha: float, lam: float, n: int) -> float:
    return lam * (alpha + lam - 1) / (n * (n - 1))


@check.mistake("""The weight of the divergence is alpha + lambda - 1, not lambda alone: part of it pays for what the
    rate already contains. lambda alone is right at alpha = 1.""")
@weighing
def lambda_alone(alpha: float, lam: float, n: int) -> float:
    return lam


@check.mistake("You subtract the penalty. In a loss it is added: a larger MMD^2 must cost more.")
@weighing
def penalty_is_subtracted(alpha: float, lam: float, n: int) -> float:
    return -(alpha + lam - 1)


@check.mistake("""You clipped mmd2 at 0. An unbiased estimate may be negative; clipped, it is biased, and it has no
    gradient where it was cut.""")
def MMD_squared_clipped_at_0(reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
    return right(reconstruction, rate, mmd2.clamp(min=0), alpha, lam)


@check.mistake("reconstruction is log p(x|z), larger is better. In a loss it has a minus sign.")
def reconstruction_with_the_wrong_sign(
    reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float
) -> Tensor:
    return reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) * mmd2


check.mistake("This is the objective, which one climbs. The exercise asks for the loss.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("The rate has the weight 1 - alpha.")
def rate_without_its_weight(reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
    return -reconstruction.mean() + rate.mean() + (alpha + lam - 1) * mmd2


@check.mistake("The rate has the weight 1 - alpha, not alpha. Test: alpha = 0 and lambda = 1 must be a VAE.")
def alpha_in_place_of_1_minus_alpha(
    reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float
) -> Tensor:
    return -reconstruction.mean() + alpha * rate.mean() + (alpha + lam - 1) * mmd2


@check.mistake("""You added up over the batch. MMD^2 belongs to the whole batch once; beside it stand means over x, or
    the weights depend on the batch size.""")
def summed_over_the_batch(reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
    return -reconstruction.sum() + (1 - alpha) * rate.sum() + (alpha + lam - 1) * mmd2


@check.mistake("Two things: the rate has the weight 1 - alpha, not alpha; and lambda stands twice in the penalty.")
def rate_times_alpha_and_lambda_twice(log_p: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
    return -log_p.mean() + alpha * rate.mean() + lam * (alpha + lam - 1) * mmd2


@check.mistake("""The weight of the divergence is alpha + lambda - 1: the 1 is missing. Test: alpha = 0 and lambda = 1
    must be a VAE, without any MMD.""")
@weighing
def alpha_plus_lambda(alpha: float, lam: float, n: int) -> float:
    return alpha + lam


@check.mistake("lambda is missing in the penalty's weight, which is alpha + lambda - 1.")
@weighing
def lambda_missing(alpha: float, lam: float, n: int) -> float:
    return alpha - 1
