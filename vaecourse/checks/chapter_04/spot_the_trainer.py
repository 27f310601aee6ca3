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


@check.mistake("""This is the code as it stood: .backward() *adds* to .grad, and only the decoder's was cleared in
    between, so the encoder climbs MIWAE plus IWAE. Its noise comes along. Clear both, or ask autograd for each gradient
    by itself.""")
def encoder_steps_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (_, first), (decoder, second) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return decoder, first + second


@check.mistake("Nothing is cleared between the two backward passes: both parameters get the sum of both gradients.")
def both_step_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (a, b), (c, d) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return a + c, b + d


@check.mistake("The encoder is right now, but the decoder's gradient of the first pass is still in its .grad.")
def decoder_steps_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (a, b), (c, _) = slopes(theta, phi, miwae), slopes(theta, phi, iwae)
    return a + c, b


@check.mistake("""You cleared phi.grad between the passes and not theta.grad. So the encoder lost MIWAE, its own target,
    and the decoder steps on the sum.""")
def wrong_one_cleared(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return both_step_on_the_sum(theta, phi, miwae, iwae)[0], slopes(theta, phi, iwae)[1]


@check.mistake("Encoder and decoder are exchanged: theta climbs IWAE, phi climbs MIWAE.")
def both_exchanged(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return right(theta, phi, iwae, miwae)


@check.mistake("Everything was cleared, the encoder's own gradient too: what is left is IWAE for both.")
def IWAE_for_both(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return slopes(theta, phi, iwae)


@check.mistake("Both gradients are MIWAE's. The decoder climbs IWAE, over all M K samples.")
def MIWAE_for_both(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return slopes(theta, phi, miwae)


check.mistake("The sign is that of a loss. Return the gradients of the bounds.")(
    partial(slips.sign_turned_round, right)
)

check.mistake("Both gradients are right, and in the wrong order: theta's first.")(
    partial(slips.order_turned_round, right)
)
