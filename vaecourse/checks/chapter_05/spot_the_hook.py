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
from vaecourse.checks.chapter_05.two_terms import weighted
from vaecourse.checks.frame import Check


def curved(z: Tensor) -> Tensor:
    return -0.5 * (z - 0.6) ** 2 / 0.24 - 0.1 * z**3


def surrogate_gradient(
    mu: Tensor,
    sigma: float,
    eps: Tensor,
    log_joint: Callable,
    *,
    power: int = 1,
    score: bool = False,
    held: bool = True,
) -> Tensor:
    """The mu-gradient of sum_k w~_k^power log w_k with or without the score term: ``[B], [K, B] -> [B]``."""
    mu = mu.detach().clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu if score else mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0)
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
    ],
)


@check.mistake("""This is the code as it stood, or does the same: a share, not its square, so it is sticking the
    landing. Either the hook sits on a copy that log w was not computed from, or it was registered after backward(). Put
    it on z itself, before backward().""")
def hook_never_fires(*case: Any) -> Tensor:
    return surrogate_gradient(*case)


@check.mistake("""The hook fires now, and the surrogate has the square as well: together the third power. One share
    stands in the sum, the hook brings the other.""")
def hook_and_square(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=3)


@check.mistake("""The shares are squared, and mu inside log q is not held fixed any more: the score term is back. DReG
    needs mu.detach() there.""")
def score_term_is_kept(*case: Any) -> Tensor:
    return surrogate_gradient(*case, power=2, score=True)


@check.mistake("""This is the plain gradient of L_K: unbiased, and noisy. Hold mu fixed inside log q, and square the
    share.""")
def gradient_of_IWAE(*case: Any) -> Tensor:
    return surrogate_gradient(*case, score=True)


@check.mistake("""The hook fires, and mu inside log q is not held fixed: the score term comes past the hook, with plain
    shares. DReG has no score term; keep mu.detach().""")
def score_kept_and_hook_fires(mu: Tensor, sigma: float, eps: Tensor, log_joint: Callable) -> Tensor:
    return surrogate_gradient(mu, sigma, eps, log_joint, power=2) - weighted(
        log_joint(mu + sigma * eps) - Normal(mu, sigma).log_prob(mu + sigma * eps), eps / sigma
    )


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
