"""02.frozen_guide: the gradient of E log mean w for the logits of a categorical q. Shapes: ``[Z], [Z], [K] -> [Z]``."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.frame import Check
from vaecourse.checks.score_function import log_mean, log_mean_gradient


def cases() -> list[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(23)
    found = []
    for states, K in [(4, 3), (6, 5)]:
        log_joint = torch.randn(states, generator=generator, dtype=torch.float64) - 2
        logits = torch.randn(states, generator=generator, dtype=torch.float64)
        log_joint.requires_grad_()  # as from a decoder: the colleague's code runs, and the logits get nothing
        found.append((log_joint, logits, torch.randint(states, (K,), generator=generator)))
    return found


def right(log_joint: Tensor, logits: Tensor, z: Tensor, **settings: Any) -> Tensor:
    return log_mean_gradient(log_joint[z], logits, lambda moving: moving.log_softmax(-1)[z], **settings)


check = Check(
    "02.frozen_guide",
    right,
    praise="Yes. Two terms: the draw's probability moves, and so do the weights. A guide without noise to "
    "reparameterise can learn too.",
    cases=cases,
)

check.mistake("""The gradient is exactly 0. Is log q detached everywhere? Then nothing connects the value to the
    logits: add the score term, because how probable the draws are depends on them. Or is your reward w_k / sum of w?
    Then the two terms cancel: the reward is log mean w.""")(slips.turned(right, "no_score_term", score=0, direct=0))

check.mistake("""You freed log q inside the weights and stopped there. That term alone pushes q *away* from the heavy
    samples. Add log_mean_w, detached, times the sum of log q.""")(slips.turned(right, "direct_term_alone", score=0))

check.mistake("""The score term is right. The weights themselves contain q as well, and for K > 1 the mean of that term
    is not 0: let the gradient through log q inside log w.""")(slips.turned(right, "score_term_alone", direct=0))

check.mistake("""You averaged the scores. The K samples are drawn together, so the log-probability of the draw is the
    *sum* of their log q.""")(
    slips.turned(right, "score_term_divided_by_K", reward=lambda log_w: log_mean(log_w) / len(log_w))
)

check.mistake("""Your reward is the mean of log w, the ELBO's. The bound here is the log of the mean, and that is the
    number each draw must be judged by.""")(slips.turned(right, "reward_of_the_ELBO", reward=torch.mean))

check.mistake("""You multiplied each score by its own log w. The bound has one value for the whole draw: all K scores
    get the same reward, log mean w.""")(slips.turned(right, "each_sample_its_own_reward", reward=lambda log_w: log_w))

check.mistake("""Your reward is the log of the sum. That adds log K times the scores: no bias, and a baseline that
    nobody asked for. Subtract log K.""")(
    slips.turned(right, "log_K_left_out_of_the_reward", reward=lambda log_w: log_w.logsumexp(0))
)

check.mistake("Your reward is the mean weight. The bound is its logarithm, and the logarithm is the reward.")(
    slips.turned(right, "mean_weight_as_reward", reward=lambda log_w: log_mean(log_w).exp())
)

check.mistake("Right but for the sign. This is the gradient of a loss; the bound's own is asked for.")(
    partial(slips.sign_turned_round, right)
)

check.mistake("""This is the score-function gradient of the ELBO, and a right one. The objective here is log mean w: it
    differs for K > 1.""")(
    slips.turned(right, "gradient_of_the_ELBO", direct=0, reward=lambda log_w: log_w / len(log_w))
)

check.mistake("""The reward in the score term carries a gradient of its own: the product rule adds log q times it.
    Detach the reward.""")(slips.turned(right, "log_w_not_detached_in_the_score_term", held=False))
