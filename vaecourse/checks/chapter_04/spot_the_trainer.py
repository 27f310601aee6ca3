"""04.spot_the_trainer: the gradients of a trainer with two backward passes. Result: theta's, phi's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check

Bound = Callable[[Tensor, Tensor], Tensor]


def slopes(theta: Tensor, phi: Tensor, bound: Bound) -> tuple[Tensor, Tensor]:
    found = torch.autograd.grad(bound(theta, phi), [theta, phi])
    return found[0], found[1]


def cases() -> list[tuple]:
    def case(seed: int, D: int, L: int) -> tuple:
        theta, phi = normal(D, seed=seed), normal(L, seed=seed + 1)
        mix = normal(D, L, seed=seed + 2)
        loose = lambda t, p: (t @ mix @ p).sin() - p.square().sum() - 0.3 * t.square().sum()
        tight = lambda t, p: (t @ mix @ p).cos() - 0.1 * p.square().sum() - t.pow(4).sum() / 9
        return theta.requires_grad_(), phi.requires_grad_(), loose, tight

    return [case(31, 3, 2), case(41, 2, 5)]


def right(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return slopes(theta, phi, iwae)[0], slopes(theta, phi, miwae)[1]


check = Check(
    "04.spot_the_trainer",
    right,
    praise="Each network on its own target, and no gradient that leaks from one pass into the other.",
    cases=cases,
)


@check.mistake("""The decoder's gradient is right. The encoder's is not MIWAE's: look at phi.grad after each of the two
    passes.""")
def encoder_steps_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (_, first), (decoder, second) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return decoder, first + second


@check.mistake("""Both parameters get the sum of both gradients. Two calls of .backward() do that when nothing is
    cleared in between, and so does one of a sum. Each network has one target.""")
def both_step_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (a, b), (c, d) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return a + c, b + d


@check.mistake("""The encoder is right now, but the decoder climbs MIWAE plus IWAE: .backward() *adds* to theta.grad.
    Clear it before the second pass.""")
def decoder_steps_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (a, b), (c, _) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return a + c, b


@check.mistake("""The encoder climbs IWAE alone, and the decoder MIWAE plus IWAE: that is what clearing phi.grad in
    between does, and not theta.grad. The encoder needs MIWAE's gradient, the decoder IWAE's.""")
def wrong_one_cleared(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return both_step_on_the_sum(theta, phi, miwae, iwae)[0], slopes(theta, phi, iwae)[1]


@check.mistake("Encoder and decoder are exchanged: theta climbs IWAE, phi climbs MIWAE.")
def both_exchanged(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return right(theta, phi, iwae, miwae)


@check.mistake("Both gradients are IWAE's. The encoder climbs MIWAE: keep that gradient before anything is cleared.")
def IWAE_for_both(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return slopes(theta, phi, iwae)


@check.mistake("""Both parameters climb the mean of the two bounds. Each network has a target of its own: two values,
    two gradients.""")
def both_step_on_the_mean(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    a, b = both_step_on_the_sum(theta, phi, miwae, iwae)
    return a / 2, b / 2


@check.mistake("The decoder is right. The encoder climbs the mean of the two bounds; its target is MIWAE alone.")
def encoder_steps_on_the_mean(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    decoder, total = encoder_steps_on_the_sum(theta, phi, miwae, iwae)
    return decoder, total / 2


@check.mistake("""The decoder is right. The encoder gets the difference of the two gradients: MIWAE's alone is
    needed.""")
def encoder_steps_on_the_difference(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (_, first), (decoder, second) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return decoder, second - first


@check.mistake("Both gradients are MIWAE's. The decoder climbs IWAE, over all M K samples.")
def MIWAE_for_both(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return slopes(theta, phi, miwae)


check.mistake("The sign is that of a loss. Return the gradients of the bounds.")(
    partial(slips.sign_turned_round, right)
)

check.mistake("Both gradients are right, and in the wrong order: theta's first.")(
    partial(slips.order_turned_round, right)
)
