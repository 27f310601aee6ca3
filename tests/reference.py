r"""The table once more, as a judge of the package: sample by sample, in float64, in loops, with no line of the package.

What the package computes for all samples at once, with streams, hooks and weights in a tensor, is computed here one
number after the other: sums by ``math.fsum``, which does not round, and every gradient by autograd of one sample alone.
It is slow, and meant to be read. Log-weights are tensors [M, K, B] of any floating-point type; answers are float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

ROWS = ("elbo", "iwae", "miwae", "ciwae", "piwae", "stl", "dreg", "vr_iwae")
KEEPS_SCORE = {name: name not in ("stl", "dreg") for name in ROWS}
Latent = Tensor | tuple[Tensor, ...]


# A group of log-weights, as Python floats ---------------------------------------------------------------------------


def log_mean(log_w: Sequence[float], power: float = 1.0) -> float:
    """(1 / power) log of the mean of w^power: the distance of the mean from 1 where that is the smaller number."""
    top = max(log_w)
    if top == -math.inf:
        return -math.inf
    below = [power * (v - top) for v in log_w]
    mean = math.fsum(math.exp(v) for v in below) / len(below)
    log = math.log(mean) if mean < 0.5 else math.log1p(math.fsum(math.expm1(v) for v in below) / len(below))
    return top + log / power


def normalised(log_w: Sequence[float], power: float = 1.0) -> list[float]:
    """w^power over their sum; zeros if every weight is zero."""
    top = max(log_w)
    if top == -math.inf:
        return [0.0] * len(log_w)
    w = [math.exp(power * (v - top)) for v in log_w]
    total = math.fsum(w)
    return [v / total for v in w]


def mean(values: Sequence[float]) -> float:
    """Their mean, -inf if one of them is."""
    return -math.inf if -math.inf in values else math.fsum(values) / len(values)


def jackknifed(log_w: Sequence[float], order: int) -> float:
    """The sum over j of c(K, m, j) times the mean, over all subsets of K - j weights, of their log-mean."""
    K, total = len(log_w), []
    for j in range(order + 1):
        coefficient = (-1) ** j * (K - j) ** order / (math.factorial(order - j) * math.factorial(j))
        subsets = [log_mean(subset) for subset in itertools.combinations(log_w, K - j)]
        total.append(coefficient * mean(subsets))
    return math.fsum(total)


def sample_size(log_w: Sequence[float]) -> float:
    """(sum of w)^2 / sum of w^2; 0 if every weight is zero."""
    top = max(log_w)
    w = [math.exp(v - top) if top > -math.inf else 0.0 for v in log_w]
    return math.fsum(w) ** 2 / math.fsum(v * v for v in w) if any(w) else 0.0


# Tensors [M, K, B], point by point ----------------------------------------------------------------------------------


def value(name: str, log_w: Tensor, parameter: float | None = None) -> Tensor:
    """The bound of a row, or ``"jackknife"``, whose parameter is the order: [M, K, B] -> [B]."""
    return torch.tensor([_value(name, groups, parameter) for groups in _points(log_w)], dtype=torch.float64)


def _value(name: str, groups: list[list[float]], parameter: float | None) -> float:
    pooled = [v for group in groups for v in group]
    miwae = mean([log_mean(group) for group in groups])
    if name == "elbo":
        return mean(pooled)
    if name == "miwae":
        return miwae
    if name == "ciwae":
        elbo = 0.0 if parameter == 0 else parameter * mean(pooled)
        return elbo + (0.0 if parameter == 1 else (1 - parameter) * miwae)
    if name == "vr_iwae":
        return mean(pooled) if parameter == 1 else mean([log_mean(group, 1 - parameter) for group in groups])
    if name == "jackknife":
        return mean([jackknifed(group, parameter) for group in groups])
    assert name in ("iwae", "piwae", "stl", "dreg"), name
    return log_mean(pooled)


def weights(name: str, log_w: Tensor, parameter: float | None = None) -> tuple[Tensor, Tensor]:
    """The weights of the theta-gradient and of the phi-gradient: [M, K, B] -> 2 x [M, K, B]."""
    a, b = torch.empty(2, *log_w.shape, dtype=torch.float64)
    for point, groups in enumerate(_points(log_w)):
        for_theta, for_phi = _weights(name, groups, parameter)
        a[..., point] = torch.tensor(for_theta, dtype=torch.float64)
        b[..., point] = torch.tensor(for_phi, dtype=torch.float64)
    return a, b


def _weights(name: str, groups: list[list[float]], parameter: float | None) -> tuple[list, list]:
    M, K = len(groups), len(groups[0])
    flat = normalised([v for group in groups for v in group])
    pooled = [flat[m * K : (m + 1) * K] for m in range(M)]
    within = [[v / M for v in normalised(group)] for group in groups]
    uniform = [[1 / (M * K)] * K] * M
    if name == "elbo" or (name == "vr_iwae" and parameter == 1):
        return uniform, uniform
    if name == "miwae":
        return within, within
    if name == "ciwae":
        mixed = [[parameter / (M * K) + (1 - parameter) * v for v in group] for group in within]
        return mixed, mixed
    if name == "vr_iwae":
        tilted = [[v / M for v in normalised(group, 1 - parameter)] for group in groups]
        return tilted, tilted
    if name == "piwae":
        return pooled, within
    if name == "dreg":
        return pooled, [[v * v for v in group] for group in pooled]
    assert name in ("iwae", "stl"), name
    return pooled, pooled


def slope(name: str, log_w: Tensor, parameter: float | None = None) -> Tensor:
    """The gradient of the bound, summed over points, by each log-weight: [M, K, B] -> [M, K, B].

    Of a row it is what the equation says, its theta-weights; of the jackknife, autograd through one subset after the
    other.
    """
    if name != "jackknife":
        return weights(name, log_w, parameter)[0]
    M, K, B = log_w.shape
    found = torch.zeros(log_w.shape, dtype=torch.float64)
    for m, b in itertools.product(range(M), range(B)):
        leaf = log_w[m, :, b].detach().double().requires_grad_()
        for j in range(parameter + 1):
            factor = (-1) ** j * (K - j) ** parameter / (math.factorial(parameter - j) * math.factorial(j))
            subsets = list(itertools.combinations(range(K), K - j))
            for subset in subsets:
                (part,) = torch.autograd.grad(torch.logsumexp(leaf[list(subset)], 0), leaf)
                found[m, :, b] += factor / len(subsets) / M * part
    return found


def effective_sample_size(log_w: Tensor) -> Tensor:
    """(sum of w)^2 / sum of w^2 over K: [M, K, B] -> [M, B]."""
    sizes = [[sample_size(group) for group in groups] for groups in _points(log_w)]
    return torch.tensor(sizes, dtype=torch.float64).T


def _points(log_w: Tensor) -> Iterable[list[list[float]]]:
    """Of each point its M groups of K log-weights."""
    return log_w.detach().double().permute(2, 0, 1).tolist()


# The gradient of a row for any model --------------------------------------------------------------------------------


def gradients(
    name: str,
    parameters: dict[str, Tensor],
    M: int,
    K: int,
    B: int,
    sample: Callable[[int, int, int], Latent],
    log_p: Callable[[int, Latent], Tensor],
    log_q: Callable[[int, Latent], Tensor],
    parameter: float | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""The bound [B], and the row's gradient of its mean over B for each parameter, from each sample by itself.

    Arguments:
        parameters: theta and phi by name, leaves that require a gradient; no matter which belongs to which.
        sample: (m, k, b) -> z, reparameterised: a function of the parameters and of noise that is fixed for (m, k, b).
        log_p: (b, z) -> log p(x_b, z), a scalar.
        log_q: (b, z) -> log q(z | x_b), a scalar, *with* its direct dependence on the parameters.
        parameter: beta or alpha.

    With weights a and b of the row, and partial derivatives that hold z fixed,

    .. math:: \Delta = \frac1B \sum_{b,m,k} a\, \partial \log p
              + b \left( \frac{\partial (\log p - \log q)}{\partial z} \frac{dz}{d\cdot} - s\, \partial \log q \right)

    for every parameter, where s is 1 if the row keeps the score term, else 0. So a parameter of q that log p depends on
    too (a VampPrior's encoder, a shared layer) gets a for that direct path: it is the model that learns by it.
    """
    samples = list(itertools.product(range(M), range(K), range(B)))
    parts = {index: _one(sample(*index), log_p, log_q, index[2], list(parameters.values())) for index in samples}
    log_w = torch.empty(M, K, B, dtype=torch.float64)
    for index, (ratio, *_) in parts.items():
        log_w[index] = ratio
    a, b = weights(name, log_w, parameter)
    total = [torch.zeros_like(p) for p in parameters.values()]
    for index, (_, direct_p, direct_q, path) in parts.items():
        for i, entry in enumerate(total):
            score = direct_q[i] if KEEPS_SCORE[name] else 0.0
            entry += (_times(a[index], direct_p[i]) + _times(b[index], path[i] - score)) / B
    return value(name, log_w, parameter), dict(zip(parameters, total, strict=True))


def _one(
    z: Latent, log_p: Callable, log_q: Callable, b: int, parameters: list[Tensor]
) -> tuple[float, list[Tensor], list[Tensor], list[Tensor]]:
    """log w of one sample, the direct gradients of log p and log q, and the gradient of log w along z's path."""
    parts = z if isinstance(z, tuple) else (z,)
    fixed = tuple(part.detach().requires_grad_() for part in parts)
    at = fixed if isinstance(z, tuple) else fixed[0]
    p, q = log_p(b, at), log_q(b, at)
    direct_p, along_p = _grad(p, parameters), _grad(p, fixed)
    direct_q, along_q = _grad(q, parameters), _grad(q, fixed)
    path = [torch.zeros_like(parameter) for parameter in parameters]
    for part, up, down in zip(parts, along_p, along_q, strict=True):
        if part.requires_grad:
            moved = torch.autograd.grad(part, parameters, up - down, retain_graph=True, allow_unused=True)
            path = [old if new is None else old + new for old, new in zip(path, moved, strict=True)]
    return float((p - q).detach()), direct_p, direct_q, path


def _grad(of: Tensor, by: Sequence[Tensor]) -> list[Tensor]:
    if not of.requires_grad:
        return [torch.zeros_like(one) for one in by]
    found = torch.autograd.grad(of, list(by), retain_graph=True, allow_unused=True)
    return [torch.zeros_like(one) if grad is None else grad for one, grad in zip(by, found, strict=True)]


def _times(weight: Tensor, gradient: Tensor) -> Tensor:
    """A weight of zero takes its sample out, whatever its gradient is."""
    return torch.zeros_like(gradient) if weight == 0 else weight * gradient


# The course's VAE, written out --------------------------------------------------------------------------------------


def gradients_of_vae(
    model: nn.Module, x: Tensor, eps: Tensor, name: str, parameter: float | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """``gradients`` for a float64 VAE with a prior N(0, I) or a module that has ``log_prob``, from its networks alone.

    Shapes: x ``[B, D]``, eps ``[M, K, B, L]``. Only ``encoder``, ``decoder``, ``likelihood``, ``log_noise`` and
    ``prior`` of the model are looked at, none of its methods.
    """

    def family(b: int) -> tuple[Tensor, Tensor]:
        out = model.encoder(x[b : b + 1])[0]
        return out[: len(out) // 2], out[len(out) // 2 :]

    def sample(m: int, k: int, b: int) -> Tensor:
        centre, log_std = family(b)
        return centre + log_std.exp() * eps[m, k, b]

    def log_q(b: int, z: Tensor) -> Tensor:
        return _log_normal(z, *family(b))

    def log_p(b: int, z: Tensor) -> Tensor:
        out = model.decoder(z[None])[0]
        if model.likelihood == "bernoulli":
            pixels = (x[b] * nn.functional.logsigmoid(out) + (1 - x[b]) * nn.functional.logsigmoid(-out)).sum()
        else:
            pixels = _log_normal(x[b], out, model.log_noise.expand_as(out))
        learned = any(True for _ in model.prior.parameters())
        return pixels + (model.prior.log_prob(z) if learned else _log_normal(z, z * 0, z * 0))

    return gradients(name, dict(model.named_parameters()), *eps.shape[:3], sample, log_p, log_q, parameter)


def _log_normal(at: Tensor, centre: Tensor, log_std: Tensor) -> Tensor:
    """log N(at; centre, diag exp(2 log_std)), a scalar."""
    return (-0.5 * ((at - centre) / log_std.exp()) ** 2 - log_std - 0.5 * math.log(2 * math.pi)).sum()
