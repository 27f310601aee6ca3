r"""What a trained model is worth: log p(x) in flat memory, any bound on a test set, and what the code z carries.

No function keeps gradients, and each of them encodes a data point once. Points go through in groups of ``batch_size``,
samples in groups of ``chunk``, so memory depends on these two and on nothing else. Everything is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from vaecourse import arguments, objectives
from vaecourse.models import VAE, standard_normal_log_prob
from vaecourse.objectives import Objective


def log_likelihood(
    model: VAE,
    x: Tensor,
    K: int = 5000,
    generator: torch.Generator | None = None,
    chunk: int = 100,
    batch_size: int = 100,
) -> Tensor:
    r"""An estimate of log p(x) with K importance samples, which are never all in memory.

    .. math:: \log \frac1K \sum_{k=1}^K w_k, \qquad
              S_{k+c} = \log \left( e^{S_k} + \sum_{j=k+1}^{k+c} w_j \right), \quad S_0 = -\infty

    It is L_K, so it lies below log p(x) in expectation, by chi^2 / (2 K). ``chunk``, the c above, and ``batch_size``
    change which noise meets which point, and rounding; nothing else.

    Shapes: ``[B, D] -> [B]``. Source: arXiv 1509.00519, section 5. Raises ``ValueError`` for K, chunk or batch_size
    below 1, and for an x that the model does not take.

    >>> model = VAE(data_dim=64, latent_dim=8)
    >>> log_likelihood(model, torch.zeros(5, 64), K=1000).shape
    torch.Size([5])
    """
    K, chunk = arguments.count("K", K), arguments.count("chunk", chunk)

    def streamed(points: Tensor) -> Tensor:
        log_weights = model.weigh(points)
        total = points.new_full((len(points),), -math.inf)  # the log of a sum over no samples
        for done in range(0, K, chunk):
            log_w = log_weights(model.noise(points, 1, min(chunk, K - done), generator))
            total = torch.logaddexp(total, arguments.log_weights(log_w)[0].logsumexp(0))
        return total - math.log(K)

    with _evaluating(model):
        return torch.cat([streamed(points).to(x.device) for points in _groups(model, x, batch_size)])


def bound(
    model: VAE,
    x: Tensor,
    objective: str | Objective = "elbo",
    M: int = 1,
    K: int = 1,
    generator: torch.Generator | None = None,
    batch_size: int = 100,
) -> Tensor:
    """Any bound of ``objectives.TABLE`` for each data point. All M K samples of a group are in memory at once.

    Shapes: ``[B, D] -> [B]``. Raises as ``objectives.get`` and ``VAE.log_weights`` do.

    >>> bound(VAE(data_dim=64, latent_dim=8), torch.zeros(5, 64), "iwae", K=8).shape
    torch.Size([5])
    """
    row = objectives.get(objective)
    with _evaluating(model):
        values = [
            row.value(model.log_weights(points, M, K, generator)).to(x.device)
            for points in _groups(model, x, batch_size)
        ]
    return torch.cat(values)


def activity(model: VAE, x: Tensor, batch_size: int = 1000) -> Tensor:
    r"""How much the mean of q(z_l | x) moves from one data point to another: :math:`A_l = Var_x(E_{q(z|x)}[z_l])`.

    Shapes: ``[B, D] -> [L]``, B at least 2. Source: arXiv 1509.00519, section 5.2.
    """
    if len(arguments.tensor("x", x, "BD")) < 2:
        raise ValueError(f"x must hold at least 2 points to have a variance, got {len(x)}.")
    with _evaluating(model):
        means = torch.cat([model.encode(points)[0] for points in _groups(model, x, batch_size)])  # [B, L]
    return means.var(0)


def active_units(model: VAE, x: Tensor, threshold: float = 0.01, batch_size: int = 1000) -> int:
    """How many latent dimensions are in use: those whose ``activity`` is above ``threshold``.

    Shapes: ``[B, D]`` -> a number from 0 to L. Source: arXiv 1509.00519, section 5.2, where the threshold is 0.01.
    """
    threshold = arguments.number("threshold", threshold, 0.0)
    return int((activity(model, x, batch_size) > threshold).sum())


def mutual_information(
    model: VAE,
    x: Tensor,
    samples: int = 10,
    generator: torch.Generator | None = None,
    batch_size: int = 100,
) -> float:
    r"""How many nats z tells about *which* of the B points in ``x`` it was made from.

    .. math:: I_q = \frac1B \sum_b E_{q(z | x_b)} \left[ \log q(z | x_b) - \log q(z) \right], \qquad
              q(z) = \frac1B \sum_{b'} q(z | x_{b'})

    Each point gives ``samples`` draws of z, and each draw meets all B components of q(z), its own one among them. For
    these B points this is unbiased, whatever ``samples`` is. As an estimate for the population that they come from it
    is biased downwards, and it can never be above log B: compare numbers at the same B only. The cost grows as B^2.

    Shapes: ``[B, D]`` -> a number, in nats. Source: Hoffman and Johnson 2016, "ELBO surgery", the information of the
    index code.
    """
    samples = arguments.count("samples", samples)
    with _evaluating(model):
        pairs = [model.encode(points) for points in _groups(model, x, batch_size)]
        mean, log_std = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))  # squares below would cancel
        precision = (-2 * log_std).exp()  # [B, L]
        constant = standard_normal_log_prob(mean / log_std.exp()) - log_std.sum(-1)  # log q(z = 0 | x_b'), [B]
        total = 0.0
        for mu, log_sigma in zip(mean.split(batch_size), log_std.split(batch_size), strict=True):
            for _ in range(samples):
                eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)  # [b, L]
                z = mu + log_sigma.exp() * eps
                own = standard_normal_log_prob(eps) - log_sigma.sum(-1)  # log q(z | x_b), [b]
                every = constant + z @ (mean * precision).T - 0.5 * z.square() @ precision.T  # log q(z | x_b'), [b, B]
                total += float((own - every.logsumexp(-1) + math.log(len(mean))).sum())
    return total / samples / len(mean)


@contextmanager
def _evaluating(model: VAE) -> Iterator[None]:
    """No gradients, and layers such as dropout in their evaluation mode, for as long as this lasts."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def _groups(model: VAE, x: Tensor, batch_size: int) -> Iterator[Tensor]:
    """``x`` in groups of ``batch_size`` points, each on the device where the model is."""
    device = next(model.parameters()).device
    for points in arguments.tensor("x", x, "BD").split(arguments.count("batch_size", batch_size)):
        yield points.to(device)
