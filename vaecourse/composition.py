r"""A latent-variable model put together from a prior, a likelihood and a posterior family, and a check of any model.

Anything with ``log_prob`` and ``rsample`` serves: torch.distributions, a flow, a class of one's own. Any event shape,
one latent variable or a tuple of several. Axes: M, K, B, then those of the event. Everything is in nats.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vaecourse import arguments, objectives
from vaecourse.latent import Data, Latent, LatentVariableModel, parts

ONE_NUMBER = (
    "torch.distributions.Independent sums over the axes of an event; a network that flattens leading axes needs "
    "models.OverSamples around it."
)


class DeepLatentVariableModel(LatentVariableModel):
    r"""p(z) p(x | z) with a q(z | x), from three parts that know nothing of each other.

    Arguments:
        likelihood: a module. ``likelihood(z)`` is a distribution of x with the batch axes of z, such as
            ``Independent(Bernoulli(logits=...), 3)``; or it has ``log_prob(x, z)`` itself.
        posterior: a module. ``posterior(x)`` is a distribution with batch axes [B], ``rsample`` and ``log_prob``.
        prior: a distribution, or anything else with ``log_prob(z)``; or a module that returns one, called without
            arguments. A standard normal over the last axis if not given.

    z is what ``rsample([M, K])`` gives: a tensor ``[M, K, B, ...]`` or a tuple of such. x is a tensor ``[B, ...]`` or
    whatever posterior and likelihood take, for instance a pair (x, mask). theta are the parameters of prior and
    likelihood, phi those of the posterior; for a row without the score term phi is held fixed here, in any posterior.
    Draws come from PyTorch's global generator, seeded by ``generator`` if one is given and left as it was.
    Source: arXiv 1312.6114, section 2.1; the name, arXiv 1802.04826.

    >>> from torch.distributions import Independent, Normal
    >>> class Around(nn.Linear):
    ...     def forward(self, y):
    ...         return Independent(Normal(super().forward(y), 1.0), 1)
    >>> model = DeepLatentVariableModel(likelihood=Around(2, 7), posterior=Around(7, 2))
    >>> model.log_weights(torch.zeros(5, 7), M=2, K=3).shape
    torch.Size([2, 3, 5])
    """

    def __init__(self, likelihood: nn.Module, posterior: nn.Module, prior: Any = None) -> None:
        super().__init__()
        for name, part in {"likelihood": likelihood, "posterior": posterior}.items():
            if not isinstance(part, nn.Module):
                raise TypeError(f"{name} must be a torch.nn.Module, got {type(part).__name__}.")
        if not (prior is None or hasattr(prior, "log_prob") or isinstance(prior, nn.Module)):
            raise TypeError(f"prior must have log_prob, or be a module that gives it, got {type(prior).__name__}.")
        self.likelihood, self.posterior, self.prior = likelihood, posterior, prior

    def log_joint(self, x: Data, z: Latent) -> Tensor:
        """log p(x, z) = log p(z) + log p(x | z). Shapes: ``[B, ...], [M, K, B, ...] -> [M, K, B]``."""
        log_prior, direct = self._log_prior(z), getattr(self.likelihood, "log_prob", None)
        if direct is None:
            p = self.likelihood(z)
            _one_number_each(getattr(p, "batch_shape", log_prior.shape), log_prior.shape)
            log_p: Tensor = p.log_prob(x)
        else:
            log_p = direct(x, z)
        _one_number_each(log_p.shape, log_prior.shape)
        return log_p + log_prior

    def propose(
        self, x: Data, M: int, K: int, keeps_score: bool = True, generator: torch.Generator | None = None
    ) -> tuple[Latent, Tensor]:
        """M K fresh samples of q(z | x) and their log q. Shapes: ``[B, ...] -> [M, K, B, ...], [M, K, B]``."""
        shape = torch.Size((arguments.count("M", M), arguments.count("K", K)))
        with _seeded(generator):
            before = None if keeps_score else _Before(self, x)
            q = self._family(x)
            if keeps_score and hasattr(q, "rsample_and_log_prob"):  # a flow goes one way for both
                drawn: tuple[Latent, Tensor] = q.rsample_and_log_prob(shape)
                return drawn
            z = q.rsample(shape)
        return z, q.log_prob(z) if before is None else self._log_q_at_fixed_phi(x, z, before)

    def log_weights(self, x: Data, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """log w = log p(x, z) - log q(z | x) at M K fresh samples of q. Shapes: ``[B, ...] -> [M, K, B]``."""
        z, log_q = self.propose(x, M, K, generator=generator)
        return self.log_joint(x, z) - log_q

    def weigher(self, x: Data) -> Callable[[int, int, torch.Generator | None], Tensor]:
        """As in ``LatentVariableModel``: x is encoded here, once."""
        q = self._family(x)

        def log_w(M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
            with _seeded(generator):
                z = q.rsample(torch.Size((M, K)))
            return self.log_joint(x, z) - q.log_prob(z)

        return log_w

    def theta(self) -> dict[str, nn.Parameter]:
        """The generative parameters by name: all that are not the posterior's."""
        mine = {id(p) for p in self.posterior.parameters()}
        return {name: p for name, p in self.named_parameters() if id(p) not in mine}

    def phi(self) -> dict[str, nn.Parameter]:
        """The inference parameters by name: the posterior's."""
        mine = {id(p) for p in self.posterior.parameters()}
        return {name: p for name, p in self.named_parameters() if id(p) in mine}

    def _log_prior(self, z: Latent) -> Tensor:
        if self.prior is None:
            if isinstance(z, tuple):
                raise TypeError("prior must be given for several latent variables: one with log_prob of the tuple z.")
            return torch.distributions.Normal(z.new_zeros(()), 1.0).log_prob(z).sum(-1)
        prior = self.prior if hasattr(self.prior, "log_prob") else self.prior()
        log_p: Tensor = prior.log_prob(z)
        return log_p

    def _family(self, x: Data) -> Any:
        q = self.posterior(x)
        if not getattr(q, "has_rsample", hasattr(q, "rsample")):
            raise TypeError(
                f"posterior must give a distribution with rsample, got {type(q).__name__}, whose samples cannot be "
                "reparameterised: see gradients.score_function."
            )
        return q

    def _log_q_at_fixed_phi(self, x: Data, z: Latent, before: _Before) -> Tensor:
        """log q(z | x) from a second pass that begins as the first did; parameters and statistics stay as they are."""
        fixed = {f"posterior.{name}": p.detach() for name, p in self.posterior.named_parameters()}
        with _drawing_from(before.generators):
            log_q: Tensor = functional_call(_LogProb(self.posterior), fixed | before.buffers, (x, z))
            return log_q


def _one_number_each(found: torch.Size, wanted: torch.Size) -> None:
    if found != wanted:
        raise ValueError(
            f"likelihood and prior must give one number for each sample, got shapes {list(found)} and {list(wanted)}. "
            f"{ONE_NUMBER}"
        )


GENERATORS: dict[str, tuple[Callable[..., Tensor], Callable[..., object]]] = {
    "cpu": (lambda device: torch.get_rng_state(), lambda state, device: torch.set_rng_state(state)),
    "cuda": (torch.cuda.get_rng_state, torch.cuda.set_rng_state),
    "mps": (lambda device: torch.mps.get_rng_state(), lambda state, device: torch.mps.set_rng_state(state)),
}
"""How the state of PyTorch's generator of a device is read, and set: what dropout on that device draws from."""


class _Before:
    """Whence a pass of q begins: the generators, and the buffers, which spectral_norm moves in train mode."""

    def __init__(self, model: DeepLatentVariableModel, x: Data) -> None:
        self.generators = _states(_places(model, x))
        self.buffers = {f"posterior.{name}": buffer.clone() for name, buffer in model.posterior.named_buffers()}


def _places(model: nn.Module, x: Data) -> set[torch.device]:
    """The CPU, and the devices that the model and x live on."""
    several = x if isinstance(x, tuple | list) else (x,)
    tensors = [part for part in several if isinstance(part, Tensor)]
    return {torch.device("cpu")}.union(t.device for t in (*tensors, *model.parameters(), *model.buffers()))


def _states(devices: Iterable[torch.device]) -> dict[torch.device, Tensor]:
    """The states of the generators of these devices."""
    return {device: GENERATORS[device.type][0](device) for device in devices if device.type in GENERATORS}


@contextlib.contextmanager
def _drawing_from(states: dict[torch.device, Tensor]) -> Iterator[None]:
    """The generators in these states; afterwards again in those that they are in now."""
    now = _states(states)
    try:
        for device, state in states.items():
            GENERATORS[device.type][1](state, device)
        yield
    finally:
        for device, state in now.items():
            GENERATORS[device.type][1](state, device)


class _LogProb(nn.Module):
    """log q(z | x) as a module's forward: some distributions ask their networks only when they are asked."""

    def __init__(self, posterior: nn.Module) -> None:
        super().__init__()
        self.posterior = posterior

    def forward(self, x: Data, z: Latent) -> Tensor:
        log_q: Tensor = self.posterior(x).log_prob(z)
        return log_q


class OverSamples(nn.Module):
    """A network that knows one batch axis, as convolutions do, made to serve ``[M, K, B]``: it folds and unfolds them.

    ``event_dims`` is how many axes an input of the network has behind its batch axis.
    Shapes: ``[..., event of the input] -> [..., event of the output]``.

    >>> deconvolve = nn.Sequential(nn.Unflatten(-1, (8, 1, 1)), nn.ConvTranspose2d(8, 1, 28))
    >>> OverSamples(deconvolve)(torch.zeros(2, 3, 5, 8)).shape
    torch.Size([2, 3, 5, 1, 28, 28])
    """

    def __init__(self, network: nn.Module, event_dims: int = 1) -> None:
        super().__init__()
        self.network, self.event_dims = network, arguments.count("event_dims", event_dims)

    def forward(self, z: Tensor) -> Tensor:
        """The network at every sample."""
        leading = z.shape[: z.dim() - self.event_dims]
        out: Tensor = self.network(z.reshape(-1, *z.shape[len(leading) :]))
        return out.reshape(*leading, *out.shape[1:])


@contextlib.contextmanager
def _seeded(generator: torch.Generator | None) -> Iterator[None]:
    """PyTorch's global generators, seeded by ``generator`` for a while."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def check(model: LatentVariableModel, x: Data, M: int = 2, K: int = 3) -> list[str]:
    """What is wrong with a model, a sentence each; an empty list if nothing was found.

    Looks at the shapes of log p, log q and z; at NaN and inf; whether theta and phi cover every parameter once; whether
    phi is really held fixed for rows without the score term; whether a ``VampPrior`` looks at the model's own encoder;
    and whether samples meet, as they do in a decoder with BatchNorm in train mode: piwae and dreg then have another
    gradient. The model and PyTorch's generators are left as they were. Raises ``TypeError`` for what is no model.

    >>> from vaecourse.models import VAE
    >>> check(VAE(data_dim=64, latent_dim=8), torch.zeros(5, 64))
    []
    """
    if not isinstance(model, LatentVariableModel):
        raise TypeError(f"model must be a LatentVariableModel, got {type(model).__name__}.")
    found = _ownership(model)
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        with torch.enable_grad(), _drawing_from(_states(_places(model, x))):
            found += _samples(model, x, M, K)
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        found.append(f"{type(error).__name__}: {error}")
    finally:
        for name, buffer in model.named_buffers():
            buffer.data.copy_(kept[name])
    return found


def _ownership(model: LatentVariableModel) -> list[str]:
    theta, phi = model.theta(), model.phi()
    named = dict(model.named_parameters())
    both = sorted(theta.keys() & phi.keys() | {n for n, p in theta.items() if any(p is q for q in phi.values())})
    neither = sorted(named.keys() - theta.keys() - phi.keys())
    sentences = []
    if both:
        sentences.append(f"{', '.join(both)}: in theta and in phi, so an optimiser for each would move it twice.")
    if neither:
        sentences.append(f"{', '.join(neither)}: neither in theta nor in phi, so nothing trains it by name.")
    looks_at = getattr(getattr(model, "prior", None), "_looks_at", ())  # a VampPrior's encoder
    if any(all(network is not module for module in model.modules()) for network in looks_at):
        sentences.append("prior looks at an encoder that is not the model's: give both the very same module.")
    return sentences


def _samples(model: LatentVariableModel, x: Data, M: int, K: int) -> list[str]:
    sentences = []
    for row in (objectives.get("miwae"), objectives.get("dreg")):
        try:
            objectives.estimate(model, x, row, M, K)
        except ValueError as error:
            sentences.append(f"{row.name}: {error}")
    if sentences:
        return sentences
    z, _ = model.propose(x, M, K)
    return _meeting(model, x, z)


def _meeting(model: LatentVariableModel, x: Data, z: Latent) -> list[str]:
    """Whether log p of one sample moves with another sample, or with another point's."""
    leaves = tuple(part.detach().requires_grad_() for part in parts(z))
    log_p = model.log_joint(x, leaves if isinstance(z, tuple) else leaves[0])
    if not log_p.requires_grad:
        return []
    slopes = torch.autograd.grad(log_p[0, 0, 0], leaves, allow_unused=True)
    for slope in slopes:
        if slope is None:
            continue
        others = slope.detach().clone()
        others[0, 0, 0] = 0
        if others.abs().max() > 0:
            guilty = [n or "model" for n, m in model.named_modules() if m.training and "BatchNorm" in type(m).__name__]
            cause = f" {', '.join(guilty)} in train mode does that: use eval mode, or LayerNorm." if guilty else ""
            return [f"samples meet in log p(x, z): piwae and dreg would have another gradient for phi.{cause}"]
    return []
