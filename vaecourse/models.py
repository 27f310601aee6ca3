r"""The variational autoencoder: an encoder q(z | x), a decoder p(x | z), a prior p(z), and the log-weights they make.

theta are the parameters of the decoder, the likelihood and the prior, phi those of the encoder. Everything is in nats.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules import module as every

from vaecourse import arguments, bernoulli, families
from vaecourse.composition import DeepLatentVariableModel, OverSamples
from vaecourse.inspection import check
from vaecourse.latent import LatentVariableModel, each_part, has_own, standard_normal

__all__ = ["VAE", "DeepLatentVariableModel", "LatentVariableModel", "OverSamples", "Prior", "StandardNormal", "check"]

EVERYWHERE = [f"_global_{when}_hooks" for when in ("forward", "forward_pre", "backward", "backward_pre")]
LIKELIHOODS = ["bernoulli", "gaussian"]


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of these sizes with tanh between them; Glorot-uniform weights, zero biases (arXiv 1509.00519)."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layer = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Prior(Protocol):
    """What a prior can do: its log-density, and n draws ``[n, L]`` with the width, type and device of ``like [L]``."""

    def log_prob(self, z: Tensor) -> Tensor: ...

    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor: ...


class StandardNormal(nn.Module):
    """p(z) = N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z). Shapes: ``[..., L] -> [...]``."""
        return standard_normal_log_prob(z)

    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """n draws, as ``Prior`` says."""
        return standard_normal((n, len(like)), like, generator)


def standard_normal_log_prob(z: Tensor) -> Tensor:
    r""":math:`\log N(z; 0, I) = -\tfrac12 |z|^2 - \tfrac L2 \log 2\pi`. Shapes: ``[..., L] -> [...]``."""
    z = arguments.at_least_float32(z)
    return -0.5 * z.square().sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


def gaussian_log_prob(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    r""":math:`\log N(z; \mu, \mathrm{diag}\, \sigma^2)`, summed over L. Shapes: broadcast to ``[..., L] -> [...]``."""
    log_std = arguments.at_least_float32(log_std)
    return standard_normal_log_prob((z - mean) * (-log_std).exp()) - log_std.sum(-1)


def rate(mean: Tensor, log_std: Tensor) -> Tensor:
    r"""KL(N(mean, diag std^2) || N(0, I)), the rate of a Gaussian encoder, in nats. Shapes: ``2 x [..., L] -> [...]``.

    Source: arXiv 1312.6114, appendix B.

    >>> rate(torch.ones(5, 2), torch.zeros(5, 2))
    tensor([1., 1., 1., 1., 1.])
    """
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


class VAE(LatentVariableModel):
    r"""A VAE with a diagonal Gaussian q(z | x), Bernoulli or Gaussian pixels, and tanh networks if no others are given.

    Arguments:
        data_dim: D.
        latent_dim: L.
        hidden: widths of the hidden layers of the encoder; the decoder has them in reverse.
        likelihood: ``"bernoulli"``, for data in [0, 1], or ``"gaussian"``, whose one noise scale is learned.
        prior: a ``Prior``, and a module if it has parameters; N(0, I) if not given.
        encoder: a module ``[B, D] -> [B, 2 L]``, the means beside the log standard deviations.
        decoder: a module ``[..., L] -> [..., D]``, logits or means.

    Source: arXiv 1312.6114, appendix C. Raises ``ValueError`` for sizes below 1 and an unknown likelihood; in use, for
    networks and a prior whose answers have not one row, or one number, for each point and sample.

    >>> VAE(data_dim=64, latent_dim=8).log_weights(torch.zeros(5, 64), M=2, K=3).shape
    torch.Size([2, 3, 5])
    """

    def __init__(
        self,
        data_dim: int,
        latent_dim: int,
        hidden: Sequence[int] = (200, 200),
        likelihood: str = "bernoulli",
        prior: Prior | None = None,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.data_dim = arguments.count("data_dim", data_dim)
        self.latent_dim = arguments.count("latent_dim", latent_dim)
        self.hidden = tuple(arguments.count("hidden", width) for width in hidden)
        self.likelihood = arguments.choice("likelihood", likelihood, LIKELIHOODS)
        self.encoder = mlp([data_dim, *self.hidden, 2 * latent_dim]) if encoder is None else encoder
        self.decoder = mlp([latent_dim, *reversed(self.hidden), data_dim]) if decoder is None else decoder
        self.prior: Prior = StandardNormal() if prior is None else prior
        families.must_be_trained("prior", prior, self)
        if likelihood == "gaussian":
            self.log_noise = nn.Parameter(torch.zeros(()))  # log of the standard deviation of a pixel

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the log standard deviation of q(z | x). Shapes: ``[B, D] -> [B, L], [B, L]``."""
        both = _width("encoder", self.encoder(self._data(x)), 2 * self.latent_dim, "2 latent_dim")
        if both.shape[:-1] != x.shape[:1]:
            needed = [len(x), 2 * self.latent_dim]
            raise ValueError(f"encoder must give one row for each point, {needed}, got shape {list(both.shape)}.")
        mean, log_std = both.chunk(2, -1)
        return mean, log_std

    def noise(self, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for M K samples of each data point: ``[M, K, B, L]``."""
        shape = arguments.count("M", M), arguments.count("K", K), len(self._data(x)), self.latent_dim
        return standard_normal(shape, x, generator)

    def draw(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        r"""Reparameterised samples :math:`z = \mu + \sigma \epsilon` and their :math:`\log q(z | x)`.

        With ``keeps_score=False`` mu and sigma are held fixed inside log q.
        Shapes: ``[B, D], [M, K, B, L] -> [M, K, B, L], [M, K, B]``.
        """
        mean, log_std = each_part(self.encode(x), arguments.at_least_float32)
        z = (mean + log_std.exp() * eps).to(eps.dtype)
        if not keeps_score:
            log_std = log_std.detach()
            eps = eps.detach() + (z - z.detach()) * (-log_std).exp()  # (z - mean) / sigma, without its rounding
        return z, standard_normal_log_prob(eps) - log_std.sum(-1)

    def weigh(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """log w as a function of the noise; x is encoded here, once, but for a ``draw`` of one's own.

        Shapes as in ``LatentVariableModel.weigh``.
        """
        if has_own(self, "draw", VAE):
            return super().weigh(x)
        mean, log_std = each_part(self.encode(x), arguments.at_least_float32)

        def log_w(eps: Tensor) -> Tensor:
            log_q = standard_normal_log_prob(eps) - log_std.sum(-1)
            return self.log_joint(x, (mean + log_std.exp() * eps).to(eps.dtype)) - log_q

        return log_w

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(z) + log p(x | z). Shapes: ``[B, D], [..., B, L] -> [..., B]``."""
        log_p = self.prior.log_prob(z)
        if log_p.shape != z.shape[:-1]:
            needed = f"one log_prob for each sample, of shape {list(z.shape[:-1])}"
            raise ValueError(f"prior must give {needed}, got {list(log_p.shape)}.")
        return log_p + self.log_likelihood(x, z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z). Shapes: ``[B, D], [..., B, L] -> [..., B]``."""
        if self.likelihood == "gaussian":
            scaled = (x - self._decoded(z)) * (-self.log_noise).exp()
            return standard_normal_log_prob(scaled) - self.data_dim * self.log_noise
        if (head := _linear_head(self.decoder)) is not None and head.out_features == self.data_dim:
            return bernoulli.linear_log_likelihood(head, self.decoder[:-1](z), x)  # type: ignore[index]
        return bernoulli.log_likelihood(self._decoded(z), x)

    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x | z). Shapes: ``[..., L] -> [..., D]``."""
        out = self._decoded(z)
        return out.sigmoid() if self.likelihood == "bernoulli" else out

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The means of p(x | z) at n draws of z from the prior: ``[n, D]``."""
        like = next(self.decoder.parameters()).new_empty(self.latent_dim)
        return self.decode(self.prior.sample(arguments.count("n", n), like, generator))

    def theta(self) -> dict[str, nn.Parameter]:
        """The generative parameters by name: decoder, likelihood and prior."""
        return {name: p for name, p in self.named_parameters() if not name.startswith("encoder.")}

    def phi(self) -> dict[str, nn.Parameter]:
        """The inference parameters by name: the encoder's."""
        return {name: p for name, p in self.named_parameters() if name.startswith("encoder.")}

    def start_at_pixel_means(self, means: Tensor) -> VAE:
        """Set the last decoder bias so that an untrained decoder gives these pixel means ``[D]`` (arXiv 1509.00519)."""
        last = self.decoder[-1] if isinstance(self.decoder, nn.Sequential) else None
        if not isinstance(last, nn.Linear) or self.likelihood != "bernoulli":
            raise TypeError("start_at_pixel_means needs a Bernoulli VAE whose decoder ends in a Linear layer.")
        with torch.no_grad():
            last.bias.copy_(means.clamp(0.001, 0.999).logit())
        return self

    def config(self) -> dict[str, object]:
        """What builds this model again: ``VAE(**model.config())``.

        Raises ``TypeError`` for a model whose encoder, decoder or prior is not, or is no longer, the built-in one.
        """
        names = ("data_dim", "latent_dim", "hidden", "likelihood")
        config: dict[str, Any] = {name: getattr(self, name) for name in names} | {"hidden": list(self.hidden)}
        with torch.device("meta"):
            again = VAE(**config)
        if layers(again)[1:] != layers(self)[1:] or _sizes(again) != _sizes(self):
            raise TypeError("config() describes only a VAE whose encoder, decoder and prior are the built-in ones.")
        return config

    def traits(self) -> dict[str, object]:
        """What a checkpoint cannot tell from the weights of a model without a ``config``, and must agree with."""
        return {}

    def _decoded(self, z: Tensor) -> Tensor:
        out = _width("decoder", self.decoder(z), self.data_dim, "data_dim")
        if out.shape[:-1] != z.shape[:-1]:
            raise ValueError(
                f"decoder must keep the axes before the last, {list(z.shape[:-1])}, got {list(out.shape[:-1])}: one "
                "that flattens them needs models.OverSamples around it."
            )
        return out

    def _data(self, x: Tensor) -> Tensor:
        if arguments.shaped("x", x, "BD").shape[1] != self.data_dim:
            raise ValueError(f"x must have data_dim = {self.data_dim} columns, got shape {list(x.shape)}.")
        if self.likelihood != "bernoulli":
            return arguments.tensor("x", x, "BD")
        if arguments.is_concrete(x):
            low, high = torch.stack(torch.aminmax(x.detach())).tolist()  # one wait for a GPU; NaN if there is one
            if not (0 <= low and high <= 1):
                arguments.tensor("x", x, "BD")
                raise ValueError(
                    f"x must lie in [0, 1] for a Bernoulli likelihood, got values from {low:g} to {high:g}."
                )
        return x


def layers(model: nn.Module) -> list[str]:
    """All layers, the model itself first: their names, classes, and what PyTorch prints of them."""
    named = ((name, type(layer), layer) for name, layer in model.named_modules())
    return [f"{name}: {kind.__module__}.{kind.__qualname__} {layer.extra_repr()}" for name, kind, layer in named]


def _sizes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def _width(network: str, out: Tensor, width: int, meaning: str) -> Tensor:
    """The output of a network, if it is as wide as it must be: one that is not might broadcast, silently."""
    if out.shape[-1] != width:
        raise ValueError(f"{network} must give {meaning} = {width} numbers for each point, got {out.shape[-1]}.")
    return out


def _linear_head(decoder: nn.Module) -> nn.Linear | None:
    """The Linear that ``decoder`` ends in, if a call of it is its layers' and no subclass or hook does more."""
    if type(decoder) is not nn.Sequential or len(decoder) == 0 or type(head := decoder[-1]) is not nn.Linear:
        return None
    for module in (decoder, head):
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
            return None
    replaced = any("forward" in vars(module) for module in (decoder, head))
    return None if replaced or any(getattr(every, name) for name in EVERYWHERE) else head
