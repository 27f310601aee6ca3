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


def right(log_joint: Tensor, logits: Tensor, z: Tensor, normalised: bool = True, **settings: Any) -> Tensor:
    def log_q(moving: Tensor) -> Tensor:
        return (moving.log_softmax(-1) if normalised else moving)[z]

    return log_mean_gradient(log_joint[z], logits, log_q, **settings)


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

check.mistake("""The reward carries a gradient of its own, and in its place the weights' part is missing. Detach the
    reward, and add the value once more as it is.""")(
    slips.turned(right, "value_times_score_alone", held=False, direct=0)
)

check.mistake(
    """The score term is right. The value's own gradient was subtracted: add the value once more as it is."""
)(slips.turned(right, "direct_term_has_the_wrong_sign", direct=-1))

check.mistake("""The score term was subtracted. A draw whose log mean w is high should become more probable: plus the
    value, detached, times the sum of log q.""")(slips.turned(right, "score_term_has_the_wrong_sign", score=-1))

check.mistake("""Two things: the K samples are drawn together, so their log q are added up, not averaged; and the
    weights contain q as well, so let the gradient through log q inside log w.""")(
    slips.turned(
        right, "score_term_alone_and_divided_by_K", direct=0, reward=lambda log_w: log_mean(log_w) / len(log_w)
    )
)

check.mistake("""You took the logits for log q. They are not normalised: log q is logits.log_softmax(-1), and its slope
    has a second part, minus q.""")(slips.turned(right, "logits_for_log_q", normalised=False))

check.mistake("""Two things: the logits are not log q, take log_softmax of them; and the value in front of the score is
    a plain number, so detach it.""")(
    slips.turned(right, "logits_for_log_q_and_value_not_detached", normalised=False, held=False)
)


@check.mistake("The weight divides by q: log w = log p(x, z) - log q(z|x). You added log q.")
def log_q_added(log_joint: Tensor, logits: Tensor, z: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = log_mean(log_joint[z] + log_q)
    return torch.autograd.grad(value + value.detach() * log_q.sum(), logits)[0]


@check.mistake("""A state that is drawn twice comes in once: `grad[z] += ...` writes its place once. index_add_, or
    autograd, adds up.""")
def state_drawn_twice_counted_once(log_joint: Tensor, logits: Tensor, z: Tensor) -> Tensor:
    q = logits.softmax(-1)
    log_w = (log_joint.detach() - q.log())[z]
    factor = log_mean(log_w) - log_w.softmax(0)  # [K]
    gradient = -factor.sum() * q
    gradient[z] += factor
    return gradient
