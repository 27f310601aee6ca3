"""How far the codes as a whole are from the prior, by a fresh discriminator, with the ceiling that B points set."""

from __future__ import annotations

import copy
import math
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vaecourse import arguments, batches, descent
from vaecourse.divergences import Discriminator, discriminator_loss
from vaecourse.evaluate.code import GaussianEncoder, codes_of
from vaecourse.evaluate.streaming import device_of, evaluating
from vaecourse.models import StandardNormal, rate, standard_normal_log_prob

RATE_DRAWS = 100  # of each point, for a prior that is not N(0, I)
LOOKS = 20  # at codes that it has not learned from, of which the best is kept


class AggregateGap(NamedTuple):
    """Lower bounds of what parts q(z) from p(z), in nats, each with a standard error: its own over held-out points, and
    as much for the prior's draws as if they were no more."""

    js: float
    js_error: float
    kl: float
    kl_error: float
    rate_less_log_b: float
    """The mean rate minus log B: what "rate - information" cannot go below when B points tell all codes apart."""


def aggregate_gap(
    model: GaussianEncoder,
    x: Tensor,
    steps: int = 2000,
    batch_size: int = 500,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> AggregateGap:
    r"""Bounds of JS(q(z) || p(z)) and of KL(q(z) || p(z)) by a discriminator that has never seen the codes it judges.

    .. math:: JS \ge \log 2 - \tfrac12 E_q[\log(1 + e^{-T})] - \tfrac12 E_p[\log(1 + e^T)], \qquad
              KL \ge E_q[T] - E_p[e^T] + 1

    T is trained on codes of half of the points and chosen, among those of its training, by codes of a quarter; the
    bounds are means over codes of the last quarter: true of any T, and tight at T = log q / p. "Rate - information" has
    no such promise: of B points the information is at most log B, so that difference is at least rate - log B, however
    close q(z) lies to the prior.

    Shapes: ``[B, ...] -> AggregateGap``, B at least 8. Source: JS: arXiv 1406.2661, theorem 1; KL: Nguyen, Wainwright
    and Jordan, arXiv 0809.0853, section II.B, with T = log of their f. Raises ``TypeError`` for a model without a
    Gaussian ``encode``, ``ValueError`` for fewer points and for numbers out of range.

    >>> from vaecourse.models import VAE
    >>> found = aggregate_gap(VAE(data_dim=9, latent_dim=2, hidden=(5,)), torch.rand(8, 9).round(), steps=3)
    >>> found.js <= math.log(2)
    True
    """
    steps, batch_size = arguments.count("steps", steps), arguments.count("batch_size", batch_size)
    learning_rate = arguments.number("learning_rate", learning_rate, 0.0, 1e30, open_low=True)
    with evaluating(model):
        here = x if (place := device_of(model)) is None else batches.on(place, x)
        mean, log_std = (of.detach() for of in codes_of(model, here))
    if (B := len(mean)) < 8:
        raise ValueError(f"x must hold at least 8 points: four to learn from, two to choose by, two to judge; got {B}.")
    noise, prior = torch.Generator(mean.device).manual_seed(seed), getattr(model, "prior", None) or StandardNormal()
    order = torch.randperm(B, generator=torch.Generator().manual_seed(seed), device="cpu").to(mean.device)
    seen, chosen_by, held_out = order[: B // 2], order[B // 2 : 3 * B // 4], order[3 * B // 4 :]

    def pair(points: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """n codes of these points, and n draws of the prior: ``[n, L]`` each."""
        which = points[torch.randint(len(points), (n,), generator=noise, device=mean.device)]
        eps = torch.randn((n, mean.shape[1]), generator=noise, dtype=mean.dtype, device=mean.device)
        with torch.no_grad():
            return mean[which] + log_std[which].exp() * eps, prior.sample(n, mean[0], noise)

    with descent.seeded(seed):
        judge = Discriminator(mean.shape[1], hidden=(128, 128)).to(mean)
    optimizer = torch.optim.Adam(judge.parameters(), lr=learning_rate, weight_decay=1e-4)

    def backward(z: Tensor, of_prior: Tensor) -> None:
        discriminator_loss(judge(z), judge(of_prior)).backward()

    quarter, best = pair(chosen_by, 20 * len(chosen_by)), (math.inf, judge)
    with torch.enable_grad():
        for step in range(1, steps + 1):
            descent.step(optimizer, judge.parameters(), partial(backward, *pair(seen, batch_size)))
            if step % max(1, steps // LOOKS) == 0:
                with torch.no_grad():
                    loss = float(discriminator_loss(*map(judge, quarter)))
                best = (loss, copy.deepcopy(judge)) if loss < best[0] else best
    with torch.no_grad():
        T_q, T_p = (arguments.in_float64(best[1](z)) for z in pair(held_out, 20 * len(held_out)))
        parts = {
            "js": (math.log(2) - 0.5 * softplus(-T_q), -0.5 * softplus(T_p)),
            "kl": (T_q + 1, -T_p.exp()),
        }
        value = {name: float(sum(part.mean() for part in both)) for name, both in parts.items()}
        error = {name: float(sum(part.var() / len(held_out) for part in both)) ** 0.5 for name, both in parts.items()}
    rate = _mean_rate(mean, log_std, prior, noise)
    return AggregateGap(value["js"], error["js"], value["kl"], error["kl"], rate - math.log(B))


def _mean_rate(mean: Tensor, log_std: Tensor, prior: Any, noise: torch.Generator) -> float:
    """The mean KL(q(z | x) || p(z)): in closed form for N(0, I), by draws for any other prior."""
    if isinstance(prior, StandardNormal):
        return float(rate(mean, log_std).mean())
    eps = torch.randn((RATE_DRAWS, *mean.shape), generator=noise, dtype=mean.dtype, device=mean.device)
    with torch.no_grad():
        log_q = standard_normal_log_prob(eps) - log_std.sum(-1)
        return float((log_q - prior.log_prob(mean + log_std.exp() * eps)).mean())
