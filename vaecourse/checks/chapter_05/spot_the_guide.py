"""05.spot_the_guide: the gradient of L_K for a guide that is not reparameterised, z held fixed. ``[B]``."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_05.spot_the_hook import curved, far_apart, surrogate_gradient
from vaecourse.checks.frame import Check
from vaecourse.checks.score_function import log_mean, log_mean_gradient


def others(log_w: Tensor) -> Tensor:
    """The log of the mean weight of the other samples, for each one. Shapes: ``[K, B] -> [K, B]``."""
    itself = torch.eye(len(log_w), dtype=torch.bool)[..., None]
    return log_w.expand(len(log_w), *log_w.shape).masked_fill(itself, -math.inf).logsumexp(1) - math.log(len(log_w) - 1)


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
        (normal(3, seed=55).double(), 0.8, normal(4, 3, seed=56).double(), far_apart),
    ],
)

check.mistake("""This is what the code as it stood gives. z is a fixed number there, so only the -log q inside log w
    moves, and the change of the *distribution* of z is missing: the score-function term, L times the score of every
    sample.""")(slips.turned(right, "guide_is_not_reparameterised", score=0))


@check.mistake("""The gradient is exactly 0: the encoder will never learn. Is log q held fixed, or not in the surrogate?
    Or does z move with mu, so that log q(z) stays the same? Hold z fixed, and leave mu free inside log q.""")
def exactly_zero(mu: Tensor, *case: Any) -> Tensor:
    return torch.zeros_like(mu)


check.mistake("""The score-function term is right. But L itself moves with mu as well, through -log q in the weights:
    its own gradient, minus w~ times the score, is to be added.""")(
    slips.turned(right, "explicit_part_is_missing", direct=0)
)

check.mistake("""The score-function term is right. log q stands in log w with a minus sign, so the other part is minus
    w~ times the score.""")(slips.turned(right, "explicit_part_has_the_wrong_sign", direct=-1))


@check.mistake("""That is the reparameterised gradient: z moves with mu in it. It has the right mean, but here z cannot
    be differentiated (think of a discrete z): hold z fixed, and the score-function term makes up for it.""")
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

check.mistake("""The mean is right: a baseline made of the other samples takes nothing away from it, only noise. The
    card asks for the formula as it stands, with no baseline, because a check compares numbers.""")(
    slips.turned(right, "leave_one_out_baseline", reward=lambda log_w: log_mean(log_w) - others(log_w))
)

check.mistake("""You subtracted the mean of L over the batch. It contains this x's own samples, so it shifts the mean of
    the gradient. Leave the baseline out.""")(
    slips.turned(right, "mean_of_the_batch_as_baseline", reward=lambda log_w: log_mean(log_w) - log_mean(log_w).mean())
)

check.mistake("""Two things. The sign is that of a loss. And L itself moves with mu as well, through -log q in the
    weights: minus w~ times the score is to be added to L times the scores.""")(
    slips.turned(right, "explicit_part_is_missing_and_a_loss", score=-1, direct=0)
)


@check.mistake("""Right on paper. Where log p(x, z) lies hundreds of nats from 0, every exp is 0 or inf: keep logsumexp
    and softmax.""")
def exp_first(mu: Tensor, sigma: float, eps: Tensor, log_joint: Callable) -> Tensor:
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu, sigma).log_prob(z)
    factor = slips.exp_first(log_w, 0) - slips.shares_exp_first(log_w, 0)
    return (factor * (z - mu) / sigma**2).sum(0)


check.mistake("""L times log q was differentiated with both factors moving, and the second part is missing. Hold L fixed
    there, and add L once more as it is.""")(slips.turned(right, "L_times_score_alone", held=False, direct=0))
