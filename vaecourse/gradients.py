r"""Gradient estimators seen as random variables: the score function and its baselines, VarGrad, signal-to-noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from vaecourse import arguments, bounds, objectives
from vaecourse.latent import Data, LatentVariableModel, has_own

BASELINES = ["none", "mean", "leave_one_out", "optimal"]


def baseline(log_w: Tensor, kind: str, squared_score: Tensor | None = None) -> Tensor:
    r"""What is subtracted from log w before it multiplies the score of the same sample, from the K samples at hand.

    ==================  =====================================================================  ===========
    kind                c_k                                                                    the estimator
    ==================  =====================================================================  ===========
    ``none``            0                                                                      unbiased
    ``mean``            mean of log w over all K samples, k among them                         shrunk by (K - 1)/K
    ``leave_one_out``   mean of log w over the other K - 1                                     unbiased
    ``optimal``         sum of s_j^2 log w_j / sum of s_j^2 over the others: c* without k      unbiased
    ==================  =====================================================================  ===========

    ``squared_score[m, k, b]`` is :math:`s^2 = |\nabla_\phi \log q(z|x)|^2`; only ``optimal`` needs it. Where it is 0
    for all the others they count alike, as in ``leave_one_out``.

    Shapes: ``[M, K, B] -> [M, K, B]``, in nats, in float32 at least, detached. Raises ``ValueError`` for an unknown
    kind, for a weight of zero, for K = 1 with a kind that needs other samples, and for ``optimal`` without
    ``squared_score``, or with one that is not finite or of another shape. Source: Greensmith et al. 2004, section 4.2;
    Kool et al. 2019 (leave-one-out).

    >>> log_w = torch.tensor([-1.0, -2.0, -6.0]).view(1, 3, 1)
    >>> baseline(log_w, "mean").flatten()
    tensor([-3., -3., -3.])
    >>> baseline(log_w, "leave_one_out").flatten()
    tensor([-4.0000, -3.5000, -1.5000])
    """
    log_w = _rewards(log_w).detach()
    K = log_w.shape[1]
    if arguments.choice("baseline", kind, BASELINES) == "none":
        return torch.zeros_like(log_w)
    if kind == "mean":
        return log_w.mean(1, keepdim=True).expand_as(log_w)
    if K < 2:
        raise ValueError(f"baseline {kind!r} averages over the other K - 1 samples and needs K >= 2, got K = {K}.")
    exact = arguments.in_float64(log_w)
    equal = _sum_of_others(exact) / (K - 1)
    if kind == "leave_one_out":
        return equal.to(log_w)
    if squared_score is None:
        raise ValueError("baseline 'optimal' needs squared_score, the squared norm of the score, of shape [M, K, B].")
    squares = arguments.in_float64(_like("squared_score", squared_score, log_w).detach())
    total = _sum_of_others(squares)
    alike = total == 0
    return torch.where(alike, equal, _sum_of_others(squares * exact) / total.masked_fill(alike, 1.0)).to(log_w)


def _sum_of_others(values: Tensor) -> Tensor:
    """The sum over the other K - 1 samples; total minus own would cancel where own is most of it."""
    none = torch.zeros_like(values[:, :1])
    before = torch.cat([none, values[:, :-1].cumsum(1)], 1)
    after = torch.cat([none, values[:, 1:].flip(1).cumsum(1)], 1).flip(1)
    return before + after


def score_function(log_w: Tensor, log_q: Tensor, c: Tensor) -> Tensor:
    r"""A surrogate whose gradient is the score-function estimate of the ELBO's gradient for phi.

    .. math:: \frac{1}{MK} \sum_{m,k} (\log w_{mk} - c_{mk}) \nabla_\phi \log q_\phi(z_{mk} | x)

    ``log_q`` must be differentiable in phi at *fixed* z (detach the samples), ``c`` a baseline.
    Shapes: ``3 x [M, K, B] -> [B]``, in float32 at least. Raises ``ValueError`` if they differ, for a weight of zero,
    and for a log q or c that is not finite. Source: Williams 1992; Ranganath et al. 2014 (arXiv 1401.0118, eq. 3).

    >>> log_w, log_q = torch.tensor([-1.0, -3.0]).view(1, 2, 1), torch.zeros(1, 2, 1, requires_grad=True)
    >>> score_function(log_w, log_q, baseline(log_w, "leave_one_out")).sum().backward()
    >>> log_q.grad.flatten()
    tensor([ 1., -1.])
    """
    log_w = _rewards(log_w)
    log_q, c = _like("log_q", log_q, log_w), _like("c", c, log_w)
    return ((log_w - c).detach() * log_q).mean((0, 1))


def log_variance(log_w: Tensor) -> Tensor:
    r"""Half the variance of log w over the K samples, the VarGrad loss: zero if and only if q is the posterior.

    .. math:: \frac12 Var_r[\log w], \qquad \nabla_\phi \tfrac12 Var_r[\log w] |_{r = q} = -\nabla_\phi ELBO

    With z detached its gradient is, sample by sample, minus the leave-one-out score-function estimate.
    Shapes: ``[M, K, B] -> [B]``, in float32 at least. Raises ``ValueError`` for K = 1 and for a weight of zero.
    Source: Richter et al. 2020 (arXiv 2010.10436).

    >>> log_variance(torch.tensor([-1.0, -2.0, -6.0]).view(1, 3, 1))
    tensor([3.5000])
    """
    log_w = _rewards(log_w)
    if log_w.shape[1] < 2:
        raise ValueError("log_variance needs K >= 2 samples, got K = 1.")
    return 0.5 * log_w.var(1).mean(0)


def jackknife_gradient(log_w: Tensor, slope: Tensor, order: int) -> tuple[Tensor, Tensor]:
    r"""The gradient of ``bounds.jackknife`` where the log-weights have these slopes, and its value.

    .. math:: \sum_{j=0}^m c(K, m, j)\, \mathrm{mean}_{|S| = K - j} \frac{\sum_{k \in S} w_k g_k}{\sum_{k \in S} w_k}

    as the gradient of the logarithm of a subset's mean is its weighted mean slope. Both need the sums over a subset of
    w and of w times the slope: those over all samples, less what is left out, which is quick, and loses as many digits
    as what is left out was larger than the rest. Where that is more than half of them, autograd asks
    ``bounds.jackknife``, which loses none. Shapes: ``[K, B], [K, B] -> [B], [B]``. Raises ``ValueError`` unless
    0 <= order < K, for a weight of zero and for slopes of another shape.

    >>> log_w = torch.tensor([[0.0], [1.0], [2.0]])
    >>> jackknife_gradient(log_w, torch.ones(3, 1), order=1)[0]  # all weights grow alike
    tensor([1.])
    """
    K = len(arguments.finite("log_w", arguments.tensor("log_w", log_w, "KB")))
    if arguments.finite("slope", arguments.tensor("slope", slope, "KB")).shape != log_w.shape:
        raise ValueError(f"slope must have the shape of log_w, {list(log_w.shape)}, got {list(slope.shape)}.")
    top = log_w.amax(0)
    w = (log_w - top).exp()
    parts = torch.stack([w, w * slope], -1)  # [K, B, 2]
    everything = parts.sum(0)
    gradient, value = torch.zeros_like(top), torch.zeros_like(top)
    for j, c in enumerate(bounds.jackknife_coefficients(K, order)):
        subsets = list(itertools.combinations(range(K), j))
        left_out = torch.tensor(subsets, dtype=torch.long, device=log_w.device).reshape(math.comb(K, j), j)
        rest = everything.expand(len(left_out), *everything.shape)  # [subsets, B, 2]
        for column in left_out.T:
            rest = rest - parts[column]
        S, G = rest.unbind(-1)
        if (S.amin(0) < torch.finfo(S.dtype).eps ** 0.5 * everything[..., 0]).any():
            return _by_autograd(log_w, slope, order)
        value = value + c * (S.log().mean(0) - math.log(K - j))
        gradient = gradient + c * (G / S).mean(0)
    return gradient, value + top


def _by_autograd(log_w: Tensor, slope: Tensor, order: int) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = log_w.detach().requires_grad_()
        value = bounds.jackknife(leaf.unsqueeze(0), order)
        (share,) = torch.autograd.grad(value.sum(), leaf)
    return (share * slope).sum(0), value.detach()


class SignalToNoise(NamedTuple):
    """|mean| / std of the gradient estimator, one entry for each parameter."""

    theta: Tensor
    phi: Tensor


def signal_to_noise(
    model: LatentVariableModel,
    x: Tensor,
    objective: str | objectives.Objective,
    M: int,
    K: int,
    draws: int,
    generator: torch.Generator | None = None,
    chunk: int = 32,
) -> SignalToNoise:
    r"""The signal-to-noise ratio of the gradient of the mean bound over x, for every parameter.

    .. math:: \mathrm{SNR}_i = |E[\Delta_i]| \,/\, \mathrm{sd}[\Delta_i]

    over ``draws`` independent estimates, taken ``chunk`` at a time by ``torch.func.vmap``; memory grows with ``chunk``
    and not with ``draws``. A parameter whose gradient never varies has SNR inf, one whose gradient is always 0 has nan.
    One that is frozen is measured as if it were free. Dropout has a new mask in each estimate, from PyTorch's global
    generator. What ``vmap`` cannot take, such as BatchNorm in training mode or a row that asks autograd for its
    weights, is taken one at a time, which is slower, and so is a model with a ``propose`` of its own. The model is left
    as it was.

    Shapes: ``[B, D]`` -> flat vectors with one entry per parameter, in the order of ``model.theta()`` and
    ``model.phi()``. Raises as ``objectives.estimate`` does, and ``ValueError`` for draws < 2, chunk < 1 and a gradient
    that is NaN. Source: arXiv 1802.04537, section 3.
    """
    row = objectives.get(objective)
    arguments.count("draws", draws, at_least=2), arguments.count("chunk", chunk)
    moments = [_Moments(), _Moments()]
    for start in range(0, draws, chunk):
        estimates = _gradients(model, x, row, M, K, min(chunk, draws - start), generator, start == 0)
        for moment, gradients in zip(moments, estimates):
            moment.add(arguments.vectors("the gradient", gradients))
    return SignalToNoise(*(moment.signal_to_noise() for moment in moments))


def _gradients(
    model: LatentVariableModel,
    x: Data,
    row: objectives.Objective,
    M: int,
    K: int,
    n: int,
    generator: torch.Generator | None,
    is_first: bool,
) -> tuple[Tensor, Tensor]:
    """n independent gradients of ``objectives.loss``, for theta and for phi: 2 x ``[n, P]``."""
    loss = _Loss(model, row, M, K, generator)
    names = {id(p): name for name, p in model.named_parameters()}
    named = [_by_name(side, names, half) for side, half in (("theta", model.theta()), ("phi", model.phi()))]
    original = {name: buffer.clone() for name, buffer in loss.named_buffers()}

    def halves(by_name: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return _flat([by_name[name] for name in named[0]]), _flat([by_name[name] for name in named[1]])

    def once(eps: Tensor) -> tuple[Tensor, Tensor]:
        return halves(grad(lambda both: functional_call(loss, both | original, (x, eps)))(named[0] | named[1]))

    def alone(eps: Tensor | None) -> tuple[Tensor, Tensor]:
        leaves = {name: p.clone().requires_grad_() for half in named for name, p in half.items()}
        buffers = {name: buffer.clone() for name, buffer in original.items()}
        others = {f"loss.{name}": tensor for name, tensor in (leaves | buffers).items()}
        return halves(dict(zip(leaves, functional_call(_Slopes(loss), others, (x, eps, list(leaves.values()))))))

    if has_own(model, "propose", LatentVariableModel):  # it draws by itself, once at a time
        return _stacked(alone(None) for _ in range(n))
    noise = torch.stack([model.noise(x, M, K, generator) for _ in range(n)])
    looked_at = [alone(eps) for eps in noise[: int(is_first)]]  # vmap shows nobody what log q hangs on
    noise = noise[len(looked_at) :]
    if len(noise):
        try:
            theta, phi = vmap(once, randomness="different")(noise)
            return _stacked([*looked_at, *zip(theta, phi)])
        except RuntimeError as failure:
            if arguments.is_of_memory(failure):
                raise
    return _stacked([*looked_at, *(alone(eps) for eps in noise)])


def _by_name(side: str, names: dict[int, str], half: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """The parameters of one side by the names that the model knows them by: its own may be other ones."""
    if stranger := next((name for name, p in half.items() if id(p) not in names), None):
        raise ValueError(f"model.{side}() must hold parameters of the model, got {stranger!r}, which is none of them.")
    return {f"model.{names[id(p)]}": p.detach() for p in half.values()}


def _stacked(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    theta, phi = zip(*pairs)
    return torch.stack(theta), torch.stack(phi)


class _Slopes(nn.Module):
    """The gradient of a loss while its parameters are others: a checkpoint asks for them on the way back, too."""

    def __init__(self, loss: _Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Data, eps: Tensor | None, leaves: list[Tensor]) -> tuple[Tensor, ...]:
        """One for each of the leaves."""
        with torch.enable_grad():
            return torch.autograd.grad(self.loss(x, eps), leaves, allow_unused=True, materialize_grads=True)


class _Loss(nn.Module):
    """A row's loss, as a module, so that ``functional_call`` can give it other parameters and buffers."""

    def __init__(
        self, model: LatentVariableModel, row: objectives.Objective, M: int, K: int, generator: torch.Generator | None
    ) -> None:
        super().__init__()
        self.model, self.row, self.M, self.K, self.generator = model, row, M, K, generator

    def forward(self, x: Data, eps: Tensor | None) -> Tensor:
        """At given noise, or at the model's own."""
        if eps is None:
            return objectives.loss(self.model, x, self.row, self.M, self.K, self.generator)
        drawn = self.model.draw(x, eps, self.row.keeps_score)
        return objectives.at(self.model, x, self.row, *drawn, self.M, self.K).loss


class _Moments:
    """Running mean and sum of squared deviations of estimates that arrive in chunks [R, P] (Chan et al. 1979).

    In float64, where the mean of equal numbers is that number.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean = self.squares = torch.zeros((), device="cpu")

    def add(self, estimates: Tensor) -> None:
        self.like, estimates = estimates.new_zeros(()), arguments.in_float64(estimates)
        n, mean = len(estimates), estimates.mean(0)
        shift, total = mean - self.mean, self.n + n
        self.squares = self.squares + (estimates - mean).square().sum(0) + shift.square() * (self.n * n / total)
        self.mean = self.mean + shift * (n / total)
        self.n = total

    def signal_to_noise(self) -> Tensor:
        return (self.mean.abs() / (self.squares / (self.n - 1)).sqrt()).to(self.like)


def _flat(tensors: list[Tensor]) -> Tensor:
    """All entries in one vector, and an empty one of no tensors."""
    return torch.cat([t.flatten() for t in tensors]) if tensors else torch.zeros(0)


def _rewards(log_w: Tensor) -> Tensor:
    """``log_w [M, K, B]``, in float32 at least and finite: here it is a factor, and not an exponent."""
    log_w = arguments.log_weights(log_w)
    if arguments.is_concrete(log_w) and (log_w == -math.inf).any():
        raise arguments.NotFinite(
            "log_w contains -inf, a weight of zero: the ELBO is -inf and has no gradient. q must put its samples where "
            "p(x, z) > 0; iwae and its kin can do with weights of zero."
        )
    return log_w


def _like(name: str, value: Tensor, log_w: Tensor) -> Tensor:
    """``value``, in float32 at least, if it is finite and has the shape of ``log_w``."""
    if arguments.finite(name, arguments.tensor(name, value, "MKB")).shape != log_w.shape:
        raise ValueError(f"{name} must have the shape of log_w, {list(log_w.shape)}, got {list(value.shape)}.")
    return arguments.at_least_float32(value)
