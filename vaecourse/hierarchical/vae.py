r"""The VAE with a hierarchical encoder: an upper bound U of log q(z | x) takes its place in the log-weights.

.. math:: q(z | x) = \int q(z | \psi, x)\, q(\psi | x)\, d\psi, \qquad
          U = \log \frac{1}{J + 1} \sum_{j=0}^J \frac{q(z | \psi_j, x)\, q(\psi_j | x)}{\tau(\psi_j | z, x)}

with :math:`\psi_0` the one that made z and :math:`\psi_{1:J} \sim \tau`. J is ``inner``: the letter K is taken by the
importance samples of z. As log w = log p(x, z) - U, the course's bounds, objectives and evaluations work on it, and
``bounds.iwae`` of these log-weights is M-IWHVI, a bound on log p(x). The proof in one line: z and
:math:`\psi_0, \dots, \psi_J`, put into a random order, have the density :math:`e^U \prod_j \tau(\psi_j | z, x)`, so
exp(log p - U) is an importance weight for the target :math:`p(x, z) \prod_j \tau(\psi_j | z, x)`, which integrates to
p(x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaecourse import arguments
from vaecourse.hierarchical.bounds import upper_bound
from vaecourse.latent import standard_normal
from vaecourse.models import VAE, Prior, gaussian_log_prob, mlp, standard_normal_log_prob

TAUS = ["learned", "prior"]
GRADIENTS = ["plain", "dreg"]
FIRST_PSI_WEIGHTS = 0.1  # the first weights of psi in q(z | psi, x), in units of Glorot's


class Gaussian(NamedTuple):
    """A diagonal Gaussian: mean and log standard deviation, ``[..., P]`` each."""

    mean: Tensor
    log_std: Tensor

    @classmethod
    def of(cls, both: Tensor) -> Gaussian:
        """From a network's output, means beside log standard deviations, in float32 at least."""
        return cls(*arguments.at_least_float32(both).chunk(2, -1))

    def at(self, eps: Tensor) -> Tensor:
        r""":math:`\mu + \sigma \epsilon`."""
        return (self.mean + self.log_std.exp() * eps).to(eps.dtype)

    def log_prob(self, z: Tensor) -> Tensor:
        r""":math:`\log N(z; \mu, \mathrm{diag}\, \sigma^2)`. Shapes: ``[..., P] -> [...]``."""
        return gaussian_log_prob(z, self.mean, self.log_std)

    def detach(self) -> Gaussian:
        """The same Gaussian, held fixed."""
        return Gaussian(self.mean.detach(), self.log_std.detach())


class SplitMLP(nn.Module):
    r"""A tanh network of the pair (x, y), whose first layer is split so that x is projected once for many y.

    .. math:: W [x; y] + b = (W_x x + b) + W_y y

    Shapes: ``project [B, D] -> [B, H]``, then ``[B, H], [..., B, P] -> [..., B, out]``.
    """

    def __init__(self, data_dim: int, other_dim: int, hidden: Sequence[int], out: int) -> None:
        super().__init__()
        width, *more = (*hidden, out)
        whole = nn.init.xavier_uniform_(torch.empty(width, data_dim + other_dim))
        self.project = nn.Linear(data_dim, width)
        self.other = nn.Linear(other_dim, width, bias=False)
        with torch.no_grad():
            self.project.weight.copy_(whole[:, :data_dim])
            self.other.weight.copy_(whole[:, data_dim:])
            self.project.bias.zero_()
        self.rest = nn.Sequential(nn.Tanh(), *mlp([width, *more])) if more else nn.Identity()

    def forward(self, projected: Tensor, y: Tensor) -> Tensor:
        """The network at (x, y), from the projection of x."""
        return self.rest(projected + self.other(y))

    def start_at_zero(self) -> SplitMLP:
        """Make the output 0 for every input, until training moves it."""
        last = [self.project, self.other] if isinstance(self.rest, nn.Identity) else [self.rest[-1]]
        for layer in last:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        return self


class HierarchicalEncoder(nn.Module):
    """The networks of q(psi | x), q(z | psi, x) and, if it is learned, tau(psi | z, x).

    At first z hardly hears psi, so q(z | x) begins as nearly one Gaussian: with weights of the usual size the noise of
    psi drowns what z says about x, and on the digits with L = 2 training never came back from it.
    """

    def __init__(self, data_dim: int, latent_dim: int, mixing_dim: int, hidden: Sequence[int], learned: bool) -> None:
        super().__init__()
        self.mixing = mlp([data_dim, *hidden, 2 * mixing_dim])
        self.conditional = SplitMLP(data_dim, mixing_dim, hidden, 2 * latent_dim)
        with torch.no_grad():
            self.conditional.other.weight.mul_(FIRST_PSI_WEIGHTS)
        if learned:
            self.inverse = SplitMLP(data_dim, latent_dim, hidden, 2 * mixing_dim).start_at_zero()


class HierarchicalVAE(VAE):
    r"""A VAE whose q(z | x) is a continuous mixture of Gaussians.

    Arguments:
        data_dim, latent_dim, hidden, likelihood, prior, decoder: as for ``VAE``; ``hidden`` also shapes the three
            networks of the encoder.
        mixing_dim: P, of psi; L if not given.
        tau: ``"learned"``, a Gaussian that begins as q(psi | x) and learns to look at z (IWHVI, and HVM if ``inner`` is
            0), or ``"prior"``, which stays q(psi | x) (SIVI).
        inner: how many psi besides psi_0 the bound U has. It may be changed at any time, for instance grow between
            calls of ``train.fit``.
        shared: whether all samples of z of a data point have the noise of psi_1, ... in common. M-IWHVI stays a bound:
            each weight by itself still has the mean p(x). With ``tau="prior"`` these psi, and their passes through
            the network, are then the same for all z.
        gradient: of tau, ``"plain"`` or ``"dreg"``, which has no score term for psi_1, ... and the same expectation,
            *for the row elbo*. Under a further logarithm (iwae, miwae with K > 1) it would be biased.

    theta is as in ``VAE``; all networks of the encoder are phi, tau's too (``encoder.inverse``). Objectives without the
    score term (stl, dreg) need log q(z | x) itself and raise ``ValueError``. Source: arXiv 1905.03290, sections 3 to 5.

    >>> HierarchicalVAE(data_dim=64, latent_dim=8, inner=5).log_weights(torch.zeros(7, 64), M=2, K=3).shape
    torch.Size([2, 3, 7])
    """

    encoder: HierarchicalEncoder

    def __init__(
        self,
        data_dim: int,
        latent_dim: int,
        mixing_dim: int | None = None,
        hidden: Sequence[int] = (200, 200),
        likelihood: str = "bernoulli",
        tau: str = "learned",
        inner: int = 0,
        shared: bool = False,
        gradient: str = "plain",
        prior: Prior | None = None,
        decoder: nn.Module | None = None,
    ) -> None:
        P = arguments.count("mixing_dim", latent_dim if mixing_dim is None else mixing_dim)
        chosen = arguments.choice("tau", tau, TAUS)
        encoder = HierarchicalEncoder(
            arguments.count("data_dim", data_dim),
            arguments.count("latent_dim", latent_dim),
            P,
            arguments.counts("hidden", hidden),
            chosen == "learned",
        )
        super().__init__(data_dim, latent_dim, hidden, likelihood, prior, encoder, decoder)
        self.mixing_dim, self.tau, self.shared = P, chosen, shared
        self.gradient = arguments.choice("gradient", gradient, GRADIENTS)
        self.inner = inner

    @property
    def inner(self) -> int:
        """J, the number of psi in U besides psi_0."""
        return self._inner

    @inner.setter
    def inner(self, value: int) -> None:
        self._inner = arguments.count("inner", value, at_least=0)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Not here: q(z | x) has no mean and standard deviation in closed form. Raises ``TypeError``."""
        raise TypeError(
            "a hierarchical encoder has no mean and log_std of q(z | x). For samples of z use draw, for log p(x) "
            "evaluate.log_likelihood."
        )

    def traits(self) -> dict[str, object]:
        """``inner``, ``shared`` and ``gradient``, which decide how the same weights are trained."""
        return {"inner": self.inner, "shared": self.shared, "gradient": self.gradient}

    def noise(self, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for z, psi_0, and the inner psi, side by side: ``[M, K, B, L + P + inner P]``."""
        shape = arguments.count("M", M), arguments.count("K", K), len(self._data(x))
        randn = lambda *shape: standard_normal(shape, x, generator)
        own = randn(*shape, self.latent_dim + self.mixing_dim)
        others = randn(*((1, 1, len(x)) if self.shared else shape), self.inner * self.mixing_dim)
        return torch.cat([own, others.expand(*shape, -1)], -1)

    def draw(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        r"""Samples of z and, in the place of log q(z | x), its upper bound U with as many psi as ``eps`` has noise for.

        Shapes: ``[B, D], [M, K, B, L + P + inner P] -> [M, K, B, L], [M, K, B]``.
        """
        if not keeps_score:
            raise ValueError(
                "keeps_score=False (the rows stl and dreg) needs log q(z | x), of which a hierarchical encoder has "
                "only an upper bound: use elbo, iwae, miwae, ciwae, piwae or vr_iwae."
            )
        width = self.latent_dim + self.mixing_dim
        if arguments.vectors("eps", eps).shape[-1] < width or (eps.shape[-1] - width) % self.mixing_dim:
            raise ValueError(
                f"eps must have {width} numbers for each sample, and {self.mixing_dim} more for each inner psi, "
                f"got {eps.shape[-1]}."
            )
        eps_z, eps_psi = eps.split([self.latent_dim, eps.shape[-1] - self.latent_dim], -1)
        eps_0, eps_psi = eps_psi.split([self.mixing_dim, eps_psi.shape[-1] - self.mixing_dim], -1)
        mixing = Gaussian.of(self.encoder.mixing(self._data(x)))  # [B, P]
        from_x = self.encoder.conditional.project(x)  # [B, H], once for every psi
        psi_0 = mixing.at(eps_0)
        conditional = self._conditional(from_x, psi_0)
        z = conditional.at(eps_z)
        first = standard_normal_log_prob(eps_z) - conditional.log_std.sum(-1)  # log q(z | psi_0, x)
        tau = self._inverse(x, z, mixing)
        if tau is not mixing:
            first = first + mixing.log_prob(psi_0) - tau.log_prob(psi_0)
        if eps_psi.shape[-1] == 0:
            return z, first
        eps_psi = (eps_psi[:1, :1] if self.shared else eps_psi).unflatten(-1, (-1, self.mixing_dim)).movedim(-2, 0)
        psi = tau.at(eps_psi)  # [J, M, K, B, P]
        others = self._conditional(from_x, psi).log_prob(z)  # [J, M, K, B]
        if tau is not mixing:
            others = others + mixing.log_prob(psi)
            others = others - (tau.detach() if self.gradient == "dreg" else tau).log_prob(psi)
        log_ratio = torch.cat([first.unsqueeze(0), others])  # [J + 1, M, K, B]
        if self.gradient == "dreg" and tau is not mixing and psi.requires_grad:
            share = log_ratio.detach().softmax(0)[1:]
            psi.register_hook(lambda grad: grad * share.unsqueeze(-1))  # r~ becomes r~^2
        return z, upper_bound(log_ratio)

    def _conditional(self, from_x: Tensor, psi: Tensor) -> Gaussian:
        """q(z | psi, x). Shapes: ``[B, H], [..., B, P] -> [..., B, L]``."""
        return Gaussian.of(self.encoder.conditional(from_x, psi))

    def _inverse(self, x: Tensor, z: Tensor, mixing: Gaussian) -> Gaussian:
        """tau(psi | z, x): q(psi | x), moved and stretched by what z says. Shapes: ``[..., B, L] -> [..., B, P]``."""
        if self.tau == "prior":
            return mixing
        shift, stretch = self.encoder.inverse(self.encoder.inverse.project(x), z).chunk(2, -1)
        return Gaussian(mixing.mean + mixing.log_std.exp() * shift, mixing.log_std + stretch)
