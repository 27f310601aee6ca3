"""log p(x) by importance samples from the model's own q(z | x), and any bound of the table, on a test set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from vaecourse import arguments, batches, objectives
from vaecourse.evaluate.streaming import evaluating, is_latent_variable_model, of_each, weighed
from vaecourse.latent import Data, LatentVariableModel
from vaecourse.objectives import Objective

MOST_SAMPLES = 10**9  # of a point: days


def log_likelihood(
    model: LatentVariableModel,
    x: Data | Iterable[Any],
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

    Shapes: ``[B, ...] -> [B]``. Source: arXiv 1509.00519, section 5. Raises ``ValueError`` for K, chunk or batch_size
    below 1, for an x that the model does not take, and for a model whose log-weights are not one for each sample.

    >>> from vaecourse.models import VAE
    >>> model = VAE(data_dim=64, latent_dim=8)
    >>> log_likelihood(model, torch.zeros(5, 64), K=1000).shape
    torch.Size([5])
    """
    K, chunk = arguments.count("K", K, at_most=MOST_SAMPLES), arguments.count("chunk", chunk)
    is_latent_variable_model(model)

    def streamed(points: Data) -> Tensor:
        weigh = model.weigher(points)
        B, place = len(batches.lead(points)), batches.lead(points).device
        total = arguments.in_float64(torch.full((B,), -math.inf, device=place))  # the log of a sum over no samples
        for done in range(0, K, chunk):
            log_w = weighed(weigh(1, (k := min(chunk, K - done)), generator), 1, k, points)
            part = arguments.in_float64(log_w[0].logsumexp(0))
            total = torch.logaddexp(total.to(part.device), part)  # a model may answer from elsewhere
        return (total - math.log(K)).to(log_w.dtype)

    with evaluating(model):
        return torch.cat(list(of_each(model, x, batch_size, streamed)))


def bound(
    model: LatentVariableModel,
    x: Data | Iterable[Any],
    objective: str | Objective = "elbo",
    M: int = 1,
    K: int = 1,
    generator: torch.Generator | None = None,
    batch_size: int = 100,
) -> Tensor:
    """Any bound of ``objectives.TABLE`` for each data point. All M K samples of a group are in memory at once.

    Shapes: ``[B, ...] -> [B]``. Raises as ``objectives.get`` and the model do, and as ``log_likelihood``;
    ``ValueError`` and ``TypeError`` for a bound of one's own that does not give one number for each point.

    >>> from vaecourse.models import VAE
    >>> bound(VAE(data_dim=64, latent_dim=8), torch.zeros(5, 64), "iwae", K=8).shape
    torch.Size([5])
    """
    row = objectives.get(objective)
    M, K = arguments.count("M", M), arguments.count("K", K)
    is_latent_variable_model(model)

    def value(points: Data) -> Tensor:
        found = row.value(weighed(model.log_weights(points, M, K, generator), M, K, points))
        return _one_each(row.name, found, len(batches.lead(points)))

    with evaluating(model):
        return torch.cat(list(of_each(model, x, batch_size, value)))


def _one_each(name: str, found: object, B: int) -> Tensor:
    """What a row's bound says, if it is one number for each point, and not NaN."""
    needed = f"the bound of {name!r} must give one number for each point,"
    if not isinstance(found, Tensor):
        raise TypeError(f"{needed} a torch.Tensor, got {type(found).__name__}.")
    if found.shape != (B,):
        raise ValueError(f"{needed} [B] = [{B}], got {list(found.shape)}.")
    return arguments.tensor(f"the bound of {name!r}", found, "B")
