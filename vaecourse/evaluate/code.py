"""What the code z carries: the units in use, and how many nats it tells about the point it was made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from vaecourse import arguments, batches
from vaecourse.evaluate.streaming import evaluating, of_each
from vaecourse.latent import Data, parts
from vaecourse.models import standard_normal_log_prob


@runtime_checkable
class GaussianEncoder(Protocol):
    """A model whose q(z | x) is a diagonal Gaussian over one latent variable: what measures of the code need."""

    def encode(self, x: Data) -> tuple[Tensor, Tensor]:
        """The mean and the log standard deviation of q(z | x). Shapes: ``[B, ...] -> [B, L], [B, L]``."""
        ...


def activity(
    model: GaussianEncoder,
    x: Data | Iterable[Any],
    batch_size: int = 1000,
) -> Tensor:
    r"""How much the mean of q(z_l | x) moves from one data point to another: :math:`A_l = Var_x(E_{q(z|x)}[z_l])`.

    Shapes: ``[B, ...] -> [L]``, B at least 2. Raises ``ValueError`` for an x, or a mean, that is not finite.
    Source: arXiv 1509.00519, section 5.2.
    """
    with evaluating(model):
        n, mean = 0, torch.zeros((), device="cpu")  # of what came so far (Chan et al. 1979)
        squares = mean
        for means, _ in of_each(model, x, batch_size, lambda points: codes_of(model, points)):
            codes = arguments.in_float64(means)  # [b, L]
            shift, total = codes.mean(0) - mean, n + len(codes)
            squares = squares + (codes - codes.mean(0)).square().sum(0) + shift.square() * (n * len(codes) / total)
            n, mean = total, mean + shift * (len(codes) / total)
    if n < 2:
        raise ValueError(f"x must hold at least 2 points to have a variance, got {n}.")
    return (squares / (n - 1)).to(arguments.at_least_float32(means))


def active_units(
    model: GaussianEncoder,
    x: Data | Iterable[Any],
    threshold: float = 0.01,
    batch_size: int = 1000,
) -> int:
    """How many latent dimensions are in use: those whose ``activity`` is above ``threshold``.

    Shapes: ``[B, ...]`` -> a number from 0 to L. Raises as ``activity`` does. Source: arXiv 1509.00519, section 5.2,
    where the threshold is 0.01.
    """
    threshold = arguments.number("threshold", threshold, 0.0)
    return int((activity(model, x, batch_size) > threshold).sum())


def mutual_information(
    model: GaussianEncoder,
    x: Data | Iterable[Any],
    samples: int = 10,
    generator: torch.Generator | None = None,
    batch_size: int = 100,
) -> float:
    r"""How many nats z tells about *which* of the B points in ``x`` it was made from.

    .. math:: I_q = \frac1B \sum_b E_{q(z | x_b)} \left[ \log q(z | x_b) - \log q(z) \right], \qquad
              q(z) = \frac1B \sum_{b'} q(z | x_{b'})

    Each point gives ``samples`` draws of z, and each draw meets all B components of q(z), its own one among them. For
    these B points this is unbiased, whatever ``samples`` is. As an estimate for the population that they come from it
    is biased downwards, and it can never be above log B: compare numbers at the same B only. The cost grows as B^2; the
    codes of all points are in memory.

    Shapes: ``[B, ...]`` -> a number, in nats. Raises ``ValueError`` for an x, a mean or a log_std that is not finite.
    Source: Hoffman and Johnson 2016, "ELBO surgery", the information of the index code.
    """
    samples = arguments.count("samples", samples)
    with evaluating(model):
        pairs = list(of_each(model, x, batch_size, lambda points: codes_of(model, points)))
        mean, log_std = (arguments.in_float64(torch.cat(of_batches)) for of_batches in zip(*pairs, strict=True))
        arguments.finite("log_std of q(z | x)", arguments.vectors("log_std of q(z | x)", log_std))
        log_q = _log_densities(mean, log_std)
        total = 0.0
        for own in torch.arange(len(mean), device=mean.device).split(batch_size):
            for _ in range(samples):
                mu, log_sigma = mean[own], log_std[own]
                eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)  # [b, L]
                of_own = standard_normal_log_prob(eps) - log_sigma.sum(-1)  # log q(z | x_b), [b]
                every = log_q(mu + log_sigma.exp() * eps)  # log q(z | x_b'), [b, B]
                every[torch.arange(len(own), device=own.device), own] = of_own  # free of the rounding of z
                total += float((of_own - every.logsumexp(-1) + math.log(len(mean))).sum())
    return total / samples / len(mean)


def _log_densities(mean: Tensor, log_std: Tensor) -> Callable[[Tensor], Tensor]:
    """log q(z | x_b') for all B components: a function ``[b, L] -> [b, B]``.

    By products of matrices, unless a component is so narrow that their squares would cancel.
    """
    precision = (-2 * log_std).exp()  # [B, L]
    constant = standard_normal_log_prob(mean * 0) - log_std.sum(-1)  # [B]
    if (mean.square() * precision).sum(-1).max() < 1e9:  # a relative 1e-16 of which is left as rounding
        at_zero = constant - 0.5 * (mean.square() * precision).sum(-1)
        return lambda z: at_zero + z @ (mean * precision).T - 0.5 * z.square() @ precision.T

    def one_by_one(z: Tensor) -> Tensor:
        distance = z.new_zeros(len(z), len(mean))
        for code, centre, scale in zip(z.T, mean.T, (-log_std).exp().T, strict=True):
            distance += ((code[:, None] - centre) * scale).square()
        return constant - 0.5 * distance

    return one_by_one


def codes_of(model: object, points: Data) -> tuple[Tensor, Tensor]:
    """The mean and the log standard deviation of q(z | x): ``[b, L], [b, L]``."""
    needed = "model must have encode(x), the mean and the log standard deviation [B, L] of a Gaussian q(z | x)"
    if not isinstance(model, GaussianEncoder):
        raise TypeError(f"{needed}, for a measure of its code, got {type(model).__name__} without it.")
    for part in parts(points):
        if part.isinf().any():  # a layer such as tanh would make a code of it
            raise arguments.NotFinite("x contains inf: it must be finite.")
    pair, B = model.encode(points), len(batches.lead(points))
    both = parts(pair)
    shapes = [list(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in both]
    if len(both) != 2 or shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] != B:
        raise TypeError(f"{needed}, got {' and '.join(map(str, shapes))} for B = {B} points.")
    return arguments.finite("mean of q(z | x)", arguments.vectors("mean of q(z | x)", both[0])), both[1]
