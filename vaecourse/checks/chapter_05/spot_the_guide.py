"""05.spot_the_guide: the gradient of L_K for a guide that is not reparameterised, z held fixed. ``[B]``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_05.spot_the_hook import curved, surrogate_gradient
from vaecourse.checks.frame import Check
from vaecourse.checks.score_function import log_mean, log_mean_gradient


def right(mu: Tensor, sigma: float, eps: Tensor, log_joint: Callable, **settings: Any) -> Tensor:
    z = mu + sigma * eps  # held fixed
    return log_mean_gradient(log_joint(z), mu, lambda moving: Normal(moving, sigma).log_prob(z), **settings)


check = Check(
    "05.spot_the_guide",
    right,
    praise="Unbiased without moving a sample. It is noisy: chapter 02's baselines, VIMCO and OVIS are about that.",
    cases=lambda: [
        (normal(3, seed=51), 0.6, normal(5, 3, seed=52), curved),
        (normal(4, seed=53), 1.1, normal(2, 4, seed=54), curved),
    ],
)

check.mistake("""This is the code as it stood. z is a fixed number there, so only the -log q inside log w moves, and
    the change of the *distribution* of z is missing: the score-function term, L times the score of every sample.""")(
    slips.turned(right, "guide_is_not_reparameterised", score=0)
)


@check.mistake("""Nothing in your surrogate depends on mu any more: z is a fixed number and log q is held fixed. The
    encoder's gradient is exactly 0, and it will never learn.""")
def exactly_zero(mu: Tensor, *case: Any) -> Tensor:
    return torch.zeros_like(mu)


check.mistake("""The score-function term is right. But L itself moves with mu as well, through -log q in the weights:
    its own gradient, minus w~ times the score, is to be added.""")(
    slips.turned(right, "explicit_part_is_missing", direct=0)
)

check.mistake("""The score-function term is right. log q stands in log w with a minus sign, so the other part is minus
    w~ times the score.""")(slips.turned(right, "explicit_part_has_the_wrong_sign", direct=-1))


@check.mistake("""That is the reparameterised gradient. It has the right mean, but here z cannot be differentiated
    (think of a discrete z): hold z fixed and add the score-function term.""")
def reparameterised(*case: Any) -> Tensor:
    return surrogate_gradient(*case, score=True)


check.mistake("""You multiplied each score with that sample's own log w, as for the ELBO. All K samples stand under one
    logarithm, so each score is multiplied with L.""")(
    slips.turned(right, "log_w_in_place_of_L", reward=lambda log_w: log_w)
)

check.mistake("""You took the mean of the scores. The K samples have the joint density q(z_1) ... q(z_K), whose score
    is the *sum* of theirs.""")(
    slips.turned(right, "mean_over_samples", reward=lambda log_w: log_mean(log_w) / len(log_w))
)

check.mistake("The sign is that of a loss. Return the gradient of the bound.")(partial(slips.sign_turned_round, right))


check.mistake("""The score-function term was subtracted. It is plus L times the scores; only the part from -log q has a
    minus.""")(slips.turned(right, "score_function_term_has_the_wrong_sign", score=-1))

check.mistake("""You weighted the scores of the first part by their shares. There all K scores count fully: L times
    their plain sum.""")(
    slips.turned(right, "shares_on_the_score_function_term", reward=lambda log_w: log_mean(log_w) * log_w.softmax(0))
)

check.mistake("""L times log q was differentiated with both factors moving. In the surrogate L is a fixed number:
    L.detach().""")(slips.turned(right, "L_not_held_fixed", held=False))
