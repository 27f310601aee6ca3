"""Gradients at fixed draws, with switches for what goes wrong: of the ELBO, with a baseline, and of a log-mean."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse import exact, gradients

Reward = Callable[[Tensor], Tensor]  # log w, ``[K, ...]``, to the number that the score of each draw is multiplied with


def log_mean(log_w: Tensor) -> Tensor:
    """The log of the mean weight. Shapes: ``[K, ...] -> [...]``."""
    return log_w.logsumexp(0) - math.log(len(log_w))


def log_mean_gradient(
    log_joint: Tensor,
    of: Tensor,
    log_q: Callable[[Tensor], Tensor],
    *,
    score: int = 1,
    direct: int = 1,
    reward: Reward = log_mean,
    held: bool = True,
) -> Tensor:
    """The gradient of E log mean w for what q is made of: ``score`` times the score term, whose reward is ``held``
    fixed, and ``direct`` times the term through log q inside log w. Shapes: ``[K, ...]`` and that of ``of``.
    """
    leaf = of.detach().clone().requires_grad_()
    log_q_z = log_q(leaf)  # [K, ...]
    log_w = log_joint - log_q_z
    rewards = reward(log_w).detach() if held else reward(log_w)
    surrogate = score * (rewards * log_q_z).sum(0) + direct * log_mean(log_w)
    return torch.autograd.grad(surrogate.sum(), leaf)[0]


def leave_one_out(log_w: Tensor) -> Tensor:
    return gradients.baseline(log_w, "leave_one_out")


def own_mean(log_w: Tensor) -> Tensor:
    return log_w.mean(1, keepdim=True)


def score_gradient(
    model: exact.LinearGaussian,
    x: Tensor,
    mean: Tensor,
    std: Tensor,
    eps: Tensor,
    *,
    baseline: Callable[[Tensor], Tensor] = leave_one_out,
    stops_w: bool = True,
    stops_z: bool = True,
    times: Callable[..., float] = lambda M, K, B: 1.0,
) -> Tensor:
    """The gradient for q's mean of sum over B of mean (log w - c) log q: ``[B, L]``."""
    mean = mean.clone().requires_grad_()
    z = mean + std * eps
    z = z.detach() if stops_z else z
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = model.log_joint(x, z) - log_q
    log_w = log_w.detach() if stops_w else log_w
    whole = ((log_w - baseline(log_w)) * log_q).mean((0, 1)).sum()
    return times(*log_w.shape) * torch.autograd.grad(whole, mean)[0]
