r"""A judge without any encoder: annealed importance sampling from the prior to the posterior, by Hamiltonian steps.

.. math:: f_t(z) = p(z)\, p(x | z)^{\beta_t}, \quad 0 = \beta_0 < \dots < \beta_T = 1, \qquad
          \log w = \sum_{t=1}^T (\beta_t - \beta_{t-1}) \log p(x | z_{t-1})

z_0 is a draw of the prior, z_t comes from z_{t-1} by a step that leaves f_t as it is. Then E[w] = p(x), whatever the
steps are: log of the mean weight lies below log p(x) in expectation. The same way back, begun at an exact draw of the
posterior, has E[w] = 1 / p(x), and ends above. A model's own pair (z, x) has such a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse import arguments, batches
from vaecourse.evaluate.streaming import evaluating, is_latent_variable_model, of_each
from vaecourse.latent import Data, LatentVariableModel
from vaecourse.models import VAE, StandardNormal

ACCEPTED = 0.85  # of proposals, what a step size is tuned to
FIRST_STEP, GAIN = 0.2, 0.1  # of the tuning
STEEPNESS = 4.0  # of the logistic schedule


class Annealed(NamedTuple):
    """What ``ais`` found of each point. Shapes: ``[B]`` each."""

    log_p: Tensor
    """The log of the mean weight, in nats: below log p(x) in expectation."""
    error: Tensor
    """The standard error of that mean over the chains, divided by it: nats."""
    acceptance: Tensor
    """The share of proposals that were accepted: far from 0.85, the steps were badly tuned."""


class Sandwich(NamedTuple):
    """Bounds of log p(x) from both sides, of points that the model has made. Shapes: ``[n]`` each."""

    lower: Tensor
    upper: Tensor

    @property
    def width(self) -> float:
        """The mean of upper - lower, in nats."""
        return float((self.upper - self.lower).mean())


class _Path(NamedTuple):
    """The target densities of one group of points; z is ``[1, C, B, L]``."""

    log_prior: Callable[[Tensor], Tensor]
    log_likelihood: Callable[[Tensor], Tensor]
    betas: Tensor  # [T + 1]


def ais(
    model: LatentVariableModel,
    x: Data | Iterable[Any],
    temperatures: int = 500,
    chains: int = 16,
    leapfrog: int = 5,
    generator: torch.Generator | None = None,
    batch_size: int = 100,
    progress: bool = False,
) -> Annealed:
    r"""log p(x) by annealed importance sampling; the encoder is not asked.

    Step sizes, one for each point and temperature, are tuned by a run of their own before, so that the weights of
    this one have the mean p(x) exactly. Memory holds ``chains`` times ``batch_size`` points, whatever T is.

    Arguments:
        model: with ``log_joint`` of one continuous z, differentiable by it, and a ``prior`` to draw from; one that
            has none, or None, has N(0, I).
        temperatures: T. Twice as many halve what log_p lacks in expectation, and its error falls by the root of 2.
        chains: independent runs for each point, whose weights are averaged.
        leapfrog: steps of a proposal.

    Shapes: ``[B, ...] -> Annealed``, of ``[B]``. Source: Neal 2001, arXiv physics/9803008, eq. 11; with HMC for
    decoders: Wu et al. 2017, arXiv 1611.04273, section 3. Raises ``TypeError`` for a model with several z, or a prior
    that cannot be drawn from; ``ValueError`` for numbers out of range and weights that are not finite.

    >>> model = VAE(data_dim=9, latent_dim=2, hidden=(5,))
    >>> ais(model, torch.zeros(3, 9), temperatures=10, chains=4).log_p.shape
    torch.Size([3])
    """
    T, C, steps = _counts(temperatures, chains, leapfrog)
    is_latent_variable_model(model)

    def of_points(points: Data) -> Annealed:
        _, log_w, accepted = _from_the_prior(model, points, _schedule(T), C, steps, generator, progress)
        log_w = arguments.finite("log_w", arguments.in_float64(log_w))  # [C, B]
        log_p = log_w.logsumexp(0) - math.log(C)
        error = (log_w - log_p).exp().std(0) / math.sqrt(C) if C > 1 else torch.full_like(log_p, math.nan)
        like = batches.lead(points).dtype
        return Annealed(*(arguments.at_least_float32(of.to(like)) for of in (log_p, error, accepted)))

    with evaluating(model):
        return Annealed(*map(torch.cat, zip(*of_each(model, x, batch_size, of_points), strict=True)))


def sandwich(
    model: LatentVariableModel,
    n: int = 100,
    temperatures: int = 500,
    chains: int = 16,
    leapfrog: int = 5,
    generator: torch.Generator | None = None,
    simulate: Callable[[int, torch.Generator | None], tuple[Tensor, Data]] | None = None,
) -> Sandwich:
    r"""How far ``ais`` is from log p(x): bounds from both sides, on n points that the model makes itself.

    Arguments:
        simulate: n and the generator to n draws (z ``[n, L]``, x ``[n, ...]``) of p(z) p(x | z); a ``VAE`` needs none.

    Shapes: -> ``Sandwich`` of ``[n]``. Source: bidirectional Monte Carlo, Grosse, Ghahramani and Adams 2015,
    arXiv 1511.02543, section 3. Raises as ``ais``, and ``TypeError`` for another model without ``simulate``.

    >>> sandwich(VAE(data_dim=9, latent_dim=2, hidden=(5,)), n=3, temperatures=10, chains=4).upper.shape
    torch.Size([3])
    """
    n = arguments.count("n", n)
    T, C, steps = _counts(temperatures, chains, leapfrog)
    is_latent_variable_model(model)
    if simulate is None and not isinstance(model, VAE):
        raise TypeError(f"simulate must be given for a {type(model).__name__}: it makes n pairs (z, x) of the model.")
    with evaluating(model):
        z, x = simulate(n, generator) if simulate else _made_by(model, n, generator)  # type: ignore[arg-type]
        sizes, up, _ = _from_the_prior(model, x, _schedule(T), C, steps, generator)
        back = _path(model, x, _schedule(T).flip(0))
        _, down, _ = _anneal(back, z.expand(1, C, *z.shape).clone(), steps, generator, sizes.flip(0))
        up, down = (arguments.finite("log_w", arguments.in_float64(log_w)) for log_w in (up, down))
        return Sandwich(up.logsumexp(0) - math.log(C), math.log(C) - down.logsumexp(0))


def _counts(temperatures: int, chains: int, leapfrog: int) -> tuple[int, int, int]:
    return (
        arguments.count("temperatures", temperatures, at_least=2),
        arguments.count("chains", chains),
        arguments.count("leapfrog", leapfrog),
    )


def _schedule(T: int) -> Tensor:
    """beta_0 = 0 to beta_T = 1, slow at both ends, along the logistic curve of arXiv 1511.02543: ``[T + 1]``."""
    raw = torch.linspace(-STEEPNESS, STEEPNESS, T + 1, dtype=torch.float64, device="cpu").sigmoid()
    return (raw - raw[0]) / (raw[-1] - raw[0])


def _path(model: LatentVariableModel, points: Data, betas: Tensor) -> _Path:
    prior = _prior(model)
    return _Path(prior.log_prob, lambda z: model.log_joint(points, z) - prior.log_prob(z), betas)


def _prior(model: LatentVariableModel) -> Any:
    prior = getattr(model, "prior", None)
    if prior is None:
        return StandardNormal()
    if not hasattr(prior, "log_prob"):
        prior = prior()  # a module that gives a distribution
    if not (hasattr(prior, "log_prob") and hasattr(prior, "sample")):
        raise TypeError(f"prior of the model must have log_prob and sample, got {type(prior).__name__}.")
    return prior


def _shape(model: LatentVariableModel, points: Data) -> tuple[int, ...]:
    """B and the event of one z."""
    z = model.propose(points, 1, 1)[0]
    if not isinstance(z, Tensor):
        raise TypeError(f"model must have one latent variable to be annealed, got {len(z)}.")
    return tuple(z.shape[2:])


def _prior_draws(
    model: LatentVariableModel, shape: tuple[int, ...], points: Data, generator: torch.Generator | None
) -> Tensor:
    """``[1, C, B, ...]`` draws of the prior; a torch.distribution draws from PyTorch's global generator."""
    prior, like = _prior(model), batches.lead(points)
    if isinstance(prior, torch.distributions.Distribution):
        rank = len(prior.event_shape)
        drawn: Tensor = prior.sample(torch.Size(shape[: len(shape) - rank]))
        return drawn
    like = torch.empty(shape[-1], dtype=arguments.at_least_float32(like).dtype, device=like.device)
    return prior.sample(math.prod(shape[:-1]), like, generator).reshape(shape)


def _made_by(model: VAE, n: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """n pairs (z, x) of a VAE."""
    like = next(model.decoder.parameters()).new_empty(model.latent_dim)
    z = model.prior.sample(n, like, generator)
    mean = model.decode(z)
    if model.likelihood == "bernoulli":
        return z, torch.bernoulli(mean, generator=generator)
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return z, mean + model.log_noise.exp() * noise


def _from_the_prior(
    model: LatentVariableModel,
    points: Data,
    betas: Tensor,
    C: int,
    leapfrog: int,
    generator: torch.Generator | None,
    progress: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """As ``_anneal``, with step sizes that a run before has tuned."""
    path, shape = _path(model, points, betas), (1, C, *_shape(model, points))
    begin = lambda: _prior_draws(model, shape, points, generator)
    sizes, _, _ = _anneal(path, begin(), leapfrog, generator)
    return _anneal(path, begin(), leapfrog, generator, sizes, progress)


def _anneal(
    path: _Path,
    z: Tensor,
    leapfrog: int,
    generator: torch.Generator | None,
    sizes: Tensor | None = None,
    progress: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Along the betas, either way: the step sizes ``[T - 1, B]``, log w ``[C, B]``, the acceptance ``[B]``.

    Without ``sizes`` they are tuned on the way, and the weights are then worth nothing.
    """
    T, (C, B) = len(path.betas) - 1, z.shape[1:3]
    size, used = torch.full((B,), FIRST_STEP, dtype=z.dtype, device=z.device), []
    log_w, accepted = z.new_zeros(C, B), z.new_zeros(B)
    log_likelihood = path.log_likelihood(z)[0]
    for t in tqdm(range(1, T + 1), unit="temperature", disable=not progress):
        log_w += (path.betas[t] - path.betas[t - 1]).item() * log_likelihood
        if t == T:
            break
        size = size if sizes is None else sizes[t - 1]
        used.append(size)
        z, log_likelihood, chance = _hamiltonian(path, path.betas[t].item(), z, size, leapfrog, generator)
        accepted += chance.mean(0) / (T - 1)
        size = size * (GAIN * (chance.mean(0) - ACCEPTED)).exp()
    return torch.stack(used), log_w, accepted


def _hamiltonian(
    path: _Path, beta: float, z: Tensor, size: Tensor, leapfrog: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """One Hamiltonian step that leaves p(z) p(x | z)^beta as it is: z, log p(x | z) and the chance that it was taken.

    Source: Neal 2011, arXiv 1206.1901, sections 3 and 5.4.2 (random step sizes).
    """

    def at(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            log_likelihood = path.log_likelihood(z)
            log_f = path.log_prior(z) + beta * log_likelihood
            (uphill,) = torch.autograd.grad(log_f.sum(), z)
        return log_f.detach(), log_likelihood.detach(), uphill

    uniform = lambda: torch.rand(z.shape[1:3], generator=generator, dtype=z.dtype, device=z.device)  # [C, B]
    wide = lambda of: of.reshape(*of.shape, *[1] * (z.dim() - 3))
    step = wide(size * (0.5 + 0.5 * uniform()))  # or steps of one length might go round in circles
    energy = lambda speed: 0.5 * speed.square().flatten(3).sum(-1)
    start_f, start_likelihood, uphill = at(z)
    speed = first = torch.randn(z.shape, generator=generator, dtype=z.dtype, device=z.device)
    there = z
    for _ in range(leapfrog):
        speed = speed + 0.5 * step * uphill
        there = there + step * speed
        log_f, log_likelihood, uphill = at(there)
        speed = speed + 0.5 * step * uphill
    change = (log_f - energy(speed)) - (start_f - energy(first))  # [1, C, B]
    chance = change.nan_to_num(-math.inf).clamp(max=0).exp()
    taken = uniform() < chance
    z = torch.where(wide(taken), there, z)
    return z, torch.where(taken, log_likelihood, start_likelihood)[0], chance[0]
