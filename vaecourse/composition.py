r"""A latent-variable model put together from a prior, a likelihood and a posterior family.

Anything with ``log_prob`` and ``rsample`` serves: torch.distributions, a flow, a class of one's own. Any event shape,
one latent variable or a tuple of several. Axes: M, K, B, then those of the event. Everything is in nats.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from vaecourse import arguments, families
from vaecourse.latent import Data, Latent, LatentVariableModel, each_part, has_own, parts

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
            arguments, which is how a prior learns. A standard normal over the last axis if not given.

    z is what ``rsample([M, K])`` gives: a tensor ``[M, K, B, ...]`` or a tuple of such. x is a tensor ``[B, ...]`` or
    whatever posterior and likelihood take, for instance a pair (x, mask). theta are the parameters of prior and
    likelihood, phi those of the posterior; for a row without the score term phi is held fixed here, in any posterior.
    Under autocast the networks are half, and z, log q, log p(z) and the log_prob of a likelihood float32. Draws come
    from PyTorch's global generator, seeded by ``generator`` if one is given and left as it was.
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
        families.must_be_trained("prior", prior, self)

    def log_joint(self, x: Data, z: Latent) -> Tensor:
        """log p(x, z) = log p(z) + log p(x | z). Shapes: ``[B, ...], [M, K, B, ...] -> [M, K, B]``."""
        autocast = self._autocast(x)
        log_prior, direct = self._log_prior(z, autocast), getattr(self.likelihood, "log_prob", None)
        if direct is None:
            p = families.asked_at(self.likelihood(z), autocast)
            _one_number_each(getattr(p, "batch_shape", log_prior.shape), log_prior.shape)
            if isinstance(x, Tensor):
                _of_this("likelihood", p, "x", x, x.shape[1:])
            log_p: Tensor = families.without(autocast, p.log_prob, families.as_numbers(p, x, log_prior.dtype))
        else:
            log_p = direct(x, z)
        _one_number_each(log_p.shape, log_prior.shape)
        return arguments.at_least_float32(log_p) + log_prior

    def propose(
        self, x: Data, M: int, K: int, keeps_score: bool = True, generator: torch.Generator | None = None
    ) -> tuple[Latent, Tensor]:
        """M K fresh samples of q(z | x) and their log q. Shapes: ``[B, ...] -> [M, K, B, ...], [M, K, B]``."""
        shape = torch.Size((arguments.count("M", M), arguments.count("K", K)))
        with _seeded(generator):
            return self._drawn(self._family(x), shape, keeps_score, self._autocast(x))

    def log_weights(self, x: Data, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """log w = log p(x, z) - log q(z | x) at M K fresh samples of q. Shapes: ``[B, ...] -> [M, K, B]``."""
        return self._weighed(x, *self.propose(x, M, K, generator=generator))

    def weigher(self, x: Data) -> Callable[[int, int, torch.Generator | None], Tensor]:
        """As in ``LatentVariableModel``: x is encoded here, once, but for a ``propose`` of one's own."""
        if has_own(self, "propose", DeepLatentVariableModel):
            return super().weigher(x)
        q, autocast = self._family(x), self._autocast(x)

        def log_w(M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
            with _seeded(generator):
                drawn = self._drawn(q, torch.Size((M, K)), True, autocast)
            return self._weighed(x, *drawn)

        return log_w

    def theta(self) -> dict[str, nn.Parameter]:
        """The generative parameters by name: all that are not the posterior's."""
        mine = {id(p) for p in self.posterior.parameters()}
        return {name: p for name, p in self.named_parameters() if id(p) not in mine}

    def phi(self) -> dict[str, nn.Parameter]:
        """The inference parameters by name: the posterior's."""
        mine = {id(p) for p in self.posterior.parameters()}
        return {name: p for name, p in self.named_parameters() if id(p) in mine}

    def _log_prior(self, z: Latent, autocast: str | None) -> Tensor:
        if self.prior is None:
            if isinstance(z, tuple):
                raise TypeError("prior must be given for several latent variables: one with log_prob of the tuple z.")
            z = arguments.at_least_float32(z)
            return torch.distributions.Normal(z.new_zeros(()), 1.0).log_prob(z).sum(-1)
        prior = families.asked_at(self.prior if hasattr(self.prior, "log_prob") else self.prior(), autocast)
        if isinstance(z, Tensor) and (rank := len(getattr(prior, "event_shape", ()))):
            _of_this("prior", prior, "z", z, z.shape[-rank:])
        log_p: Tensor = families.without(autocast, prior.log_prob, z)
        return arguments.at_least_float32(log_p)

    def _family(self, x: Data) -> Any:
        q = self.posterior(x)
        if not getattr(q, "has_rsample", hasattr(q, "rsample")):
            raise TypeError(
                f"posterior must give a distribution with rsample, got {type(q).__name__}, whose samples cannot be "
                "reparameterised: see gradients.score_function."
            )
        if biased := families.passes_straight_through(q):
            raise TypeError(
                f"posterior must give a distribution whose rsample has the gradient of its samples, got {biased}, "
                "which passes a biased one straight through: see gradients.score_function, or take a relaxed one."
            )
        return families.asked_at(q, self._autocast(x))

    def _drawn(self, q: Any, shape: torch.Size, keeps_score: bool, autocast: str | None) -> tuple[Latent, Tensor]:
        """Samples of q and their log q, in float32 at least; z as the likelihood's networks know it."""

        def draw() -> tuple[Latent, Tensor]:
            if keeps_score and hasattr(q, "rsample_and_log_prob"):  # a flow goes one way for both
                drawn: tuple[Latent, Tensor] = q.rsample_and_log_prob(shape)
                return drawn
            z = each_part(q.rsample(shape), self._as_known if autocast is None else arguments.at_least_float32)
            return z, q.log_prob(z) if keeps_score else families.log_prob_at_fixed(q, z)

        z, log_q = families.without(autocast, draw)
        if not keeps_score and log_q.requires_grad and arguments.is_concrete(log_q):
            families.must_have_a_fixed_support(q)
        return z, arguments.at_least_float32(log_q)

    def _as_known(self, z: Tensor) -> Tensor:
        """z in half precision for a likelihood that is half as a whole."""
        known = next((p.dtype for p in self.likelihood.parameters() if p.is_floating_point()), z.dtype)
        return z.to(known) if known.itemsize < 4 else z

    def _autocast(self, x: Data) -> str | None:
        """The kind of device that the model is on, if autocast is on there."""
        tensors = (one for one in itertools.chain(parts(x), self.parameters()) if isinstance(one, Tensor))
        kind = next((one.device.type for one in tensors), "cpu")
        return kind if torch.is_autocast_enabled(kind) else None


def _one_number_each(found: torch.Size, wanted: torch.Size) -> None:
    if found != wanted:
        raise ValueError(
            f"likelihood and prior must give one number for each sample, got shapes {list(found)} and {list(wanted)}. "
            f"{ONE_NUMBER}"
        )


def _of_this(name: str, family: Any, letter: str, point: Tensor, event: torch.Size) -> None:
    """Refuse a family of events of another shape: PyTorch would broadcast them, and count points or entries twice."""
    if getattr(family, "event_shape", event) != event:
        raise ValueError(
            f"{name} must give a distribution of events of the shape of one {letter}, {list(event)}, got the event "
            f"shape {list(family.event_shape)} for {letter} of shape {list(point.shape)}, which PyTorch would "
            f"broadcast: reshape {letter}, or what the distribution is made of."
        )


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
