"""06.coefficients: the weights of rate and divergence, NaN where one is negative. Shapes: ``[N], [N] -> [2, N]``."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.frame import Check


def weights(alpha: Tensor, lam: Tensor) -> Tensor:
    return torch.stack([1 - alpha, alpha + lam - 1])


def refused(weights: Tensor, where: Tensor) -> Tensor:
    return weights.masked_fill(where, math.nan)


def right(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (weights(alpha, lam) < 0).any(0))


check = Check(
    "06.coefficients",
    right,
    praise="Two straight lines cut the map. Now draw it.",
    cases=lambda: [
        (torch.tensor([0.0, 0.0, 1.0, -3.0, 0.0, 1.5, -1.0]), torch.tensor([1.0, 1e-3, 5.0, 4.0, 1000.0, 2.0, 1.0])),
        (torch.tensor([0.25, 2.0, 0.5, 0.5]), torch.tensor([0.125, -3.0, 0.5, -1.0])),
        (torch.tensor([0.0, 1.0, -2.0]), torch.tensor([1.5, 0.5, 8.0])),  # none to refuse
        (torch.tensor([0.0, 0.5]), torch.tensor([0.5, 1.0])),  # one row has a negative weight, the other none
    ],
)


@check.mistake("""The weights are right, and nothing is refused. At alpha = 0 and lambda = 0.001 the second is -0.999:
    the loss pays for codes that are far from the prior.""")
def negative_weight_is_let_through(alpha: Tensor, lam: Tensor) -> Tensor:
    return weights(alpha, lam)


@check.mistake("""You clipped the negative weights at 0. Then the numbers in the call no longer say what is trained:
    refuse them, with NaN in both rows.""")
def clipped_at_0(alpha: Tensor, lam: Tensor) -> Tensor:
    return weights(alpha, lam).clamp(min=0)


@check.mistake("You look at the weight of the divergence only. With alpha > 1 the rate has a negative weight.")
def only_the_divergence_is_looked_at(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), weights(alpha, lam)[1] < 0)


@check.mistake("You look at the weight of the rate only. alpha + lambda below 1 rewards the divergence.")
def only_the_rate_is_looked_at(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), weights(alpha, lam)[0] < 0)


@check.mistake("A pair with one negative weight is refused as a whole: NaN in both rows.")
def only_the_negative_entry_is_NaN(alpha: Tensor, lam: Tensor) -> Tensor:
    return weights(alpha, lam).where(weights(alpha, lam) >= 0, math.nan)


@check.mistake("""The second weight is not lambda: it is alpha + lambda - 1, because the rate already contains a part of
    the mismatch.""")
def lambda_alone(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(torch.stack([1 - alpha, lam]), (weights(alpha, lam) < 0).any(0))


@check.mistake("You refuse a pair only if both of its weights are negative. One is enough: any, not all.")
def refused_only_where_both_are_negative(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (weights(alpha, lam) < 0).all(0))


@check.mistake("You refuse weights of 0 too. They are fine, and famous: the VAE has no divergence, MMD-VAE no rate.")
def zero_is_refused(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (weights(alpha, lam) <= 0).any(0))


check.mistake("The rows have changed places: first the weight of the rate, then that of the divergence.")(
    partial(slips.order_turned_round, right)
)


@check.mistake("You looked at alpha and lambda one by one. What must not be negative are the two weights.")
def negative_lambda_is_refused_whatever_the_weights(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (alpha > 1) | (lam < 0))


@check.mistake("""You looked at alpha and lambda one by one. A negative alpha is allowed where lambda makes up for it:
    what must not be negative are the two weights.""")
def negative_alpha_or_lambda_is_refused(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (alpha < 0) | (lam < 0))


@check.mistake("""One pair with a negative weight makes you refuse all of them. Each pair stands for itself: any over
    the two rows only, .any(0).""")
def one_bad_pair_refuses_all(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (weights(alpha, lam) < 0).any())


@check.mistake("""Two things: the weight of the rate belongs into the first row, and a pair with one negative weight is
    refused as a whole, NaN in both rows.""")
def rows_changed_places_and_half_of_the_pair_refused(alpha: Tensor, lam: Tensor) -> Tensor:
    return only_the_negative_entry_is_NaN(alpha, lam).flip(0)


@check.mistake("Two things: the weight of the rate belongs into the first row, and nothing is refused.")
def rows_changed_places_and_nothing_refused(alpha: Tensor, lam: Tensor) -> Tensor:
    return weights(alpha, lam).flip(0)


@check.mistake("""You put 0 where a pair is refused. 0 is a weight like another, and says that nothing is wrong: put
    NaN.""")
def zero_in_place_of_NaN(alpha: Tensor, lam: Tensor) -> Tensor:
    return weights(alpha, lam).masked_fill((weights(alpha, lam) < 0).any(0), 0.0)


@check.mistake("""A row with one negative weight is refused as a whole. It is the pairs that are refused, the columns:
    any over the two rows, .any(0).""")
def any_over_the_pairs(alpha: Tensor, lam: Tensor) -> Tensor:
    return refused(weights(alpha, lam), (weights(alpha, lam) < 0).any(1, keepdim=True))
