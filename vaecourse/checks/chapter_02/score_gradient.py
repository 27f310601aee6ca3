"""02.score_gradient: the score-function gradient for q's mean, with the leave-one-out baseline. Result: ``[B, L]``."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse import exact
from vaecourse.checks import slips
from vaecourse.checks.cases import draws
from vaecourse.checks.frame import Check
from vaecourse.checks.score_function import own_mean, score_gradient


def others(log_w: Tensor) -> Tensor:
    """The leave-one-out mean as one writes it, with its gradient; the course's is a number already."""
    return (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)


def others_over_K(log_w: Tensor) -> Tensor:
    return (log_w.sum(1, keepdim=True) - log_w) / log_w.shape[1]


def cases() -> list[tuple]:
    draw = draws(21)
    found = []
    for M, K, B, D, L in [(2, 3, 5, 4, 2), (3, 5, 2, 1, 1)]:
        model = exact.LinearGaussian(draw(D, L), 0.7)
        found.append((model, draw(B, D), draw(B, L), 0.5 + draw(B, L).abs(), draw(M, K, B, L)))
    return found


check = Check(
    "02.score_gradient",
    score_gradient,
    praise="Yes: unbiased for every K >= 2, and no sample judges itself.",
    cases=cases,
)

check.mistake("""Your baseline contains the sample it is subtracted from, which shrinks the gradient by exactly
    (K-1)/K. Average over the other K-1 samples.""")(slips.turned(score_gradient, "in_sample_mean", baseline=own_mean))

check.mistake("""A gradient flows through log w as well as through log q: the product rule adds a term of its own. In
    the score function log w is a plain number, the reward of its sample: detach it.""")(
    slips.turned(score_gradient, "log_w_not_detached", stops_w=False)
)

check.mistake("""A gradient flows through log w and through the baseline made of it, as well as through log q. In the
    score function both are plain numbers: detach log w before you make the baseline.""")(
    slips.turned(score_gradient, "log_w_and_baseline_not_detached", baseline=others, stops_w=False)
)

check.mistake("""Two things: the baseline must leave its own sample out, and log w must be detached, because here it is
    a number and no function of q.""")(
    slips.turned(score_gradient, "in_sample_mean_and_log_w_not_detached", baseline=own_mean, stops_w=False)
)

check.mistake("""The gradient is exactly 0. Does your z still depend on the mean? Then log q(z) at z = mean + std eps
    does not change with it at all: the score is the slope of log q at a fixed z, so detach z. Or is the mean inside
    log q a constant?""")(slips.turned(score_gradient, "z_not_detached", stops_z=False))

check.mistake("""Neither z nor log w is detached, so the gradient runs through the samples. The score function needs
    both as fixed numbers.""")(slips.turned(score_gradient, "nothing_detached", stops_w=False, stops_z=False))

check.mistake("""Nothing is detached, neither z nor log w nor the baseline made of it: the gradient runs through the
    samples. The score function needs them as fixed numbers.""")(
    slips.turned(score_gradient, "nothing_detached_nor_the_baseline", baseline=others, stops_w=False, stops_z=False)
)

check.mistake("""This is unbiased, with no baseline at all, and on the reference case its variance is three times what
    it need be. Subtract the leave-one-out mean.""")(
    slips.turned(score_gradient, "no_baseline", baseline=torch.zeros_like)
)

check.mistake("""Two things: log w is a plain number here, so detach it; and the leave-one-out mean is still to be
    subtracted.""")(
    slips.turned(score_gradient, "no_baseline_and_log_w_not_detached", baseline=torch.zeros_like, stops_w=False)
)

check.mistake("You left the sample out of the sum and still divided by K. There are K-1 others.")(
    slips.turned(score_gradient, "leave_one_out_over_K", baseline=others_over_K)
)

check.mistake("""Two things: there are K - 1 others, so divide their sum by K - 1; and the K samples are averaged, not
    summed.""")(
    slips.turned(score_gradient, "leave_one_out_over_K_and_summed", baseline=others_over_K, times=lambda M, K, B: K)
)

check.mistake("You left one out along M. The K samples of one estimate lie along the second axis.")(
    slips.turned(score_gradient, "baseline_over_M", baseline=lambda w: (w.sum(0, keepdim=True) - w) / (w.shape[0] - 1))
)

check.mistake("""You averaged over all M K - 1 others. That is unbiased too. Asked for are the other K - 1 of the same
    estimate, so that the M estimates stay independent: sum over the second axis only.""")(
    slips.turned(
        score_gradient, "left_out_of_all_M_K", baseline=lambda w: (w.sum((0, 1)) - w) / (w.shape[0] * w.shape[1] - 1)
    )
)

check.mistake("""Your baseline is the mean over all M K samples, its own among them: shrunk by (MK-1)/(MK). Average
    over the other K-1 samples of the same estimate.""")(
    slips.turned(score_gradient, "mean_over_all_M_K", baseline=lambda w: w.mean((0, 1)))
)


@check.mistake("""This is the reparameterised gradient: unbiased, and quieter. Here the path through z is not to be
    used: detach z and log w, and let log q carry the gradient.""")
def reparameterised(model: exact.LinearGaussian, x: Tensor, mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
    mean = mean.clone().requires_grad_()
    z = mean + std * eps
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    return torch.autograd.grad(log_w.mean((0, 1)).sum(), mean)[0]


check.mistake("Right but for the sign. This is the gradient of a loss, minus the ELBO; the ELBO's own is asked for.")(
    partial(slips.sign_turned_round, score_gradient)
)

check.mistake("You summed over K and averaged over M. The gradient of the ELBO is a mean over all M K samples.")(
    slips.turned(score_gradient, "sum_over_K", times=lambda M, K, B: K)
)

check.mistake("You averaged over K and summed over M. The gradient of the ELBO is a mean over all M K samples.")(
    slips.turned(score_gradient, "sum_over_M", times=lambda M, K, B: M)
)

check.mistake("""You averaged over the batch as well. Each row of the answer is the gradient of its own data point: sum
    over B.""")(slips.turned(score_gradient, "mean_over_B", times=lambda M, K, B: 1 / B))

check.mistake("You summed over the M K samples. The gradient of the ELBO is a mean over them.")(
    slips.turned(score_gradient, "sum_for_mean", times=lambda M, K, B: M * K)
)


@check.mistake("Your score is eps. The slope of log q for the mean is (z - mean) / std^2, which is eps / std.")
def score_without_std(*case: Any) -> Tensor:
    return case[3] * score_gradient(*case)


@check.mistake("""Your score is eps / std^2. The slope of log q for the mean is (z - mean) / std^2, and z - mean is std
    eps: one std cancels.""")
def score_divided_by_the_variance(*case: Any) -> Tensor:
    return score_gradient(*case) / case[3]
