"""KL(q(z) || p(z)) from the Gaussians that the encoder gave for one batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse import arguments


def minibatch_kl(z: Tensor, mean: Tensor, log_std: Tensor, own: bool = True) -> Tensor:
    r"""KL(q(z) || N(0, I)) with the batch's mixture in place of the aggregate posterior q(z).

    .. math:: \frac{1}{SB} \sum_{s, b} \log \hat q_b(z_{sb}) - \log p(z_{sb}), \qquad
              \hat q_b(z) = \frac1B \sum_{b'} q(z | x_{b'}), \quad z_{sb} \sim q(z | x_b)

    With its own component among the B, as written, it is unbiased for the KL of the *batch's* mixture, and so too high
    for that of the population, by E KL(mixture of B || q(z)), which falls like 1/B: at B = 1 it is the rate
    KL(q(z|x) || p). With ``own=False`` a sample meets the other B - 1 alone, and by Jensen the result is too low. The
    truth lies between the two in expectation, as it does between U_K and L_K of chapter 07.

    Time and memory grow with S B^2 L. Shapes: ``z [S, B, L], mean [B, L], log_std [B, L]`` -> a scalar, in nats, with
    its gradient. Raises ``ValueError`` if the shapes do not fit, and for ``own=False`` at B = 1.

    >>> minibatch_kl(torch.zeros(1, 4, 2), torch.zeros(4, 2), torch.zeros(4, 2))
    tensor(0.)
    """
    for name, value, axes in (("z", z, "SBL"), ("mean", mean, "BL"), ("log_std", log_std, "BL")):
        arguments.finite(name, arguments.tensor(name, value, axes))
    z, mean, log_std = (arguments.at_least_float32(value) for value in (z, mean, log_std))
    B, L = mean.shape
    if z.shape[1:] != mean.shape or log_std.shape != mean.shape:
        shapes = ", ".join(f"{name} {list(t.shape)}" for name, t in (("z", z), ("mean", mean), ("log_std", log_std)))
        raise ValueError(f"z [S, B, L], mean [B, L] and log_std [B, L] must share B and L, got {shapes}.")
    if not own and B < 2:
        raise ValueError("own=False leaves a sample only the other B - 1 components and needs B >= 2, got B = 1.")
    scaled = (z.unsqueeze(2) - mean) * (-log_std).exp()  # [S, B (of z), B (of q), L]
    log_q = -0.5 * scaled.square().sum(-1) - log_std.sum(-1)  # without L/2 log 2 pi, which p(z) has too
    if not own:
        log_q = log_q.masked_fill(torch.eye(B, dtype=torch.bool, device=z.device), -math.inf)
    log_mixture = log_q.logsumexp(-1) - math.log(B if own else B - 1)
    return (log_mixture + 0.5 * z.square().sum(-1)).mean()
