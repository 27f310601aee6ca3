"""05.spot_the_hook: DReG's gradient for mu, where the hook never fired. Result: ``[B]``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def curved(z: Tensor) -> Tensor:
    return -0.5 * (z - 0.6) ** 2 / 0.24 - 0.1 * z**3


def far_apart(z: Tensor) -> Tensor:
    """The same at -900, 0 and 900 nats, one level for each x."""
    return curved(z) + 900.0 * (torch.arange(z.shape[1]) % 3 - 1)


def shares_over_K(log_w: Tensor) -> Tensor:
    return log_w.softmax(0)


def surrogate_gradient(
    mu: Tensor,
    sigma: float,
    eps: Tensor,
    log_joint: Callable,
    *,
    power: int = 1,
    score: bool = False,
    held: bool = True,
    hook: bool = False,
    shares: Callable[[Tensor], Tensor] = shares_over_K,
) -> Tensor:
    """The mu-gradient of sum_k w~_k^power log w_k with or without the score term: ``[B], [K, B] -> [B]``."""
    mu = mu.detach().clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu if score else mu.detach(), sigma).log_prob(z)
    share = shares(log_w)
    if hook:
        z.register_hook(lambda gradient: share.detach() * gradient)
    return torch.autograd.grad(((share.detach() if held else share) ** power * log_w).sum(), mu)[0]


def right(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=2)


check = Check(
    "05.spot_the_hook",
    right,
    praise="It fires. A shape cannot show this bug, and neither can a falling loss: only a gradient test does.",
    cases=lambda: [
        (normal(3, seed=21), 0.6, normal(5, 3, seed=22), curved),
        (normal(4, seed=23), 1.1, normal(2, 4, seed=24), curved),
        (normal(3, seed=25).double(), 0.8, normal(4, 3, seed=26).double(), far_apart),
    ],
)


@check.mistake("""This is what the code as it stood gives, sticking the landing: one share, where its square is needed.
    Where the sum has a share, the hook has to bring the other: it sits on z itself, before backward(), and returns the
    new gradient.""")
def hook_never_fires(*case: Any) -> Tensor:
    return surrogate_gradient(*case)


@check.mistake("""The shares stand in it to the third power. If the hook fires, it brings one, and the sum must have
    one, not its square.""")
def third_power(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=3)


@check.mistake("""There is no share in it at all: every sample counts alike, as in the ELBO, times K. One share stands
    in the sum, the hook brings the other.""")
def no_shares_at_all(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=0)


@check.mistake("""The shares are squared, and mu inside log q is not held fixed any more: the score term is back. DReG
    needs mu.detach() there.""")
def score_term_is_kept(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=2, score=True)


@check.mistake("""This is the plain gradient of L_K: unbiased, and noisy. Hold mu fixed inside log q, and square the
    share.""")
def gradient_of_IWAE(*case: Any) -> Tensor:
    return surrogate_gradient(*case, score=True)


@check.mistake("""The path term has its squared shares, and mu inside log q is not held fixed: the score term comes past
    the hook, with plain shares. DReG has no score term; keep mu.detach().""")
def score_kept_and_hook_fires(*case: Any) -> Tensor:
    return surrogate_gradient(*case, score=True, hook=True)


@check.mistake("""The hook fires. The shares in the sum move with mu, so autograd differentiates them as well: take them
    with .detach().""")
def shares_not_held_fixed_and_hook_fires(*case: Any) -> Tensor:
    return surrogate_gradient(*case, held=False, hook=True)


@check.mistake("""Your squares are made to add up to one. Normalise first and square then: DReG's weights add up to less
    than one.""")
def squares_that_add_up_to_one(*case: Any) -> Tensor:
    return surrogate_gradient(*case, shares=lambda log_w: (2 * log_w).softmax(0))


@check.mistake("""The squares are right on paper. Where log p(x, z) lies hundreds of nats from 0, every exp is 0 or inf
    and the shares are not a number: keep the softmax.""")
def exp_first(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=2, shares=partial(slips.shares_exp_first, over=0))


@check.mistake("""The shares are squared, and they add up to one over the batch. The axes are K, B here: softmax over
    axis 0, the K samples of one x.""")
def shares_over_the_batch(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=2, shares=partial(torch.softmax, dim=1))


@check.mistake("The squared shares move with mu, so autograd differentiates them as well. Take them with .detach().")
def shares_not_held_fixed(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=2, held=False)


@check.mistake("""The shares move with mu, so autograd differentiates them as well (take .detach()), and the square is
    still missing.""")
def shares_not_held_fixed_and_no_square(*case: Any) -> Tensor:
    return surrogate_gradient(*case, held=False)


check.mistake("The squares are right; the sign is that of a loss. Return the gradient of the bound.")(
    partial(slips.sign_turned_round, right)
)
