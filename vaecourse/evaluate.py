r"""What a trained model is worth: log p(x) in flat memory, any bound on a test set, and what the code z carries.

``x`` is a tensor ``[B, ...]``, flat or image-shaped, or whatever else the model takes for a batch, such as a pair
(x, mask); or an iterable of batches, for data that do not fit in memory: a ``DataLoader``, a list, a generator. Of a
batch in an iterable that is a tuple or a list, such as (x, label), the model sees the first entry, which may be a pair
itself: ``(((x, mask),) for x, mask in loader)``.

No function keeps gradients, and each of them leaves every layer in the mode, training or evaluation, that it was in.
Points go through in groups of ``batch_size``, samples in groups of ``chunk``, so memory depends on these two and on the
size of one batch. Numbers add up in float64, and come back in float32 at least. Everything is in nats.

Every function raises ``TypeError`` for a model that lacks what it needs, and for an x whose type is not that of the
model's parameters; ``ValueError`` for an x without points or that the model refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from vaecourse import arguments, batches, objectives
from vaecourse.latent import Data, LatentVariableModel, mode, must_be_one_model, parts
from vaecourse.models import standard_normal_log_prob
from vaecourse.objectives import Objective

MOST_SAMPLES = 10**9  # of a point: days

T = TypeVar("T")


@runtime_checkable
class GaussianEncoder(Protocol):
    """A model whose q(z | x) is a diagonal Gaussian over one latent variable: what measures of the code need."""

    def encode(self, x: Data) -> tuple[Tensor, Tensor]:
        """The mean and the log standard deviation of q(z | x). Shapes: ``[B, ...] -> [B, L], [B, L]``."""
        ...


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
    _is_latent_variable_model(model)

    def streamed(points: Data) -> Tensor:
        weigh = model.weigher(points)
        B = len(batches.lead(points))
        total = torch.full((B,), -math.inf, dtype=torch.float64)  # the log of a sum over no samples
        for done in range(0, K, chunk):
            log_w = _weighed(weigh(1, (k := min(chunk, K - done)), generator), 1, k, points)
            part = arguments.in_float64(log_w[0].logsumexp(0))
            total = torch.logaddexp(total.to(part.device), part)
        return (total - math.log(K)).to(log_w.dtype)

    with _evaluating(model):
        return torch.cat(list(_of_each(model, x, batch_size, streamed)))


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
    _is_latent_variable_model(model)

    def value(points: Data) -> Tensor:
        found = row.value(_weighed(model.log_weights(points, M, K, generator), M, K, points))
        return _one_each(row.name, found, len(batches.lead(points)))

    with _evaluating(model):
        return torch.cat(list(_of_each(model, x, batch_size, value)))


def activity(
    model: GaussianEncoder,
    x: Data | Iterable[Any],
    batch_size: int = 1000,
) -> Tensor:
    r"""How much the mean of q(z_l | x) moves from one data point to another: :math:`A_l = Var_x(E_{q(z|x)}[z_l])`.

    Shapes: ``[B, ...] -> [L]``, B at least 2. Raises ``ValueError`` for an x, or a mean, that is not finite.
    Source: arXiv 1509.00519, section 5.2.
    """
    with _evaluating(model):
        n, mean, squares = 0, torch.zeros(()), torch.zeros(())  # of what came so far (Chan et al. 1979)
        for means, _ in _of_each(model, x, batch_size, lambda points: _codes(model, points)):
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
    with _evaluating(model):
        pairs = list(_of_each(model, x, batch_size, lambda points: _codes(model, points)))
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
                every[torch.arange(len(own)), own] = of_own  # free of the rounding of z
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


@contextmanager
def _evaluating(model: object) -> Iterator[None]:
    """No gradients, and layers such as dropout in their evaluation mode, for as long as this lasts."""
    with mode(model, training=False), torch.no_grad():
        yield


def _is_latent_variable_model(model: object) -> None:
    """Refuse what cannot draw z and weigh it."""
    if not callable(getattr(model, "weigher", None)):
        inside = " Give its .module." if hasattr(getattr(model, "module", None), "weigher") else ""
        raise TypeError(
            "model must be a latent-variable model (vaecourse.latent.LatentVariableModel), which draws z from its "
            f"q(z | x) and weighs it, got {type(model).__name__}, which does not.{inside}"
        )
    must_be_one_model(model)


def _codes(model: object, points: Data) -> tuple[Tensor, Tensor]:
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


def _one_each(name: str, found: object, B: int) -> Tensor:
    """What a row's bound says, if it is one number for each point, and not NaN."""
    needed = f"the bound of {name!r} must give one number for each point,"
    if not isinstance(found, Tensor):
        raise TypeError(f"{needed} a torch.Tensor, got {type(found).__name__}.")
    if found.shape != (B,):
        raise ValueError(f"{needed} [B] = [{B}], got {list(found.shape)}.")
    return arguments.tensor(f"the bound of {name!r}", found, "B")


def _weighed(log_w: Tensor, M: int, K: int, points: Data) -> Tensor:
    """The model's log-weights [M, K, B], if there is one for each sample of each point."""
    return arguments.log_weights(arguments.of_samples("log_w of the model", log_w, M, K, len(batches.lead(points))))


def _of_each(
    model: object,
    x: Data | Iterable[Any],
    batch_size: int,
    measure: Callable[[Data], T],
) -> Iterator[T]:
    """What ``measure`` says of each group of ``batch_size`` points; a tensor comes back to where the points are."""
    size, device = arguments.count("batch_size", batch_size), _device(model)
    for batch in batches.each(x):
        for start in range(0, len(batches.lead(batch)), size):
            points = batches.rows(batch, start, start + size, device)
            with arguments.explained(model, batches.lead(points)):
                found = measure(points)
            yield found.to(batches.lead(batch).device) if isinstance(found, Tensor) else found  # type: ignore[misc]


def _device(model: object) -> torch.device | None:
    """Where the model is; None if it has neither parameters nor buffers."""
    if not isinstance(model, nn.Module):
        return None
    return next((tensor.device for of in (model.parameters(), model.buffers()) for tensor in of), None)
