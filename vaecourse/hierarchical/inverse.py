r"""Inverse models tau(psi | z): guesses at the psi that made z. Each is a row of ``U_K``'s family.

======================  =========================================================  ================
tau                     what it is                                                 the bound
======================  =========================================================  ================
``MixingPrior(law)``    q(psi): it does not look at z                              SIVI
``LinearInverse``       N(a z, s^2), for a Gaussian law                            IWHVI
``GatedInverse``        a network for the Laplace law, gated to the prior          IWHVI
``Posterior(law)``      q(psi | z), where a law knows it                           log q(z), exactly
======================  =========================================================  ================
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from vaecourse import arguments
from vaecourse.hierarchical.law import Law, TractableLaw


class MixingPrior:
    """tau(psi | z) = q(psi), which makes U_K the bound of SIVI. Source: arXiv 1805.11183.

    >>> from vaecourse import exact
    >>> law = exact.LaplaceMixture(3)
    >>> MixingPrior(law).sample(torch.zeros(7, 3), K=5).shape
    torch.Size([5, 7, 3])
    """

    def __init__(self, law: Law) -> None:
        arguments.has("law", law, "log_mixing", "sample_mixing")
        self.law = law

    def sample(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K draws of q(psi) for every z. Shapes: ``[..., L] -> [K, ..., P]``."""
        shape = arguments.count("K", K), *arguments.vectors("z", z).shape[:-1]
        return self.law.sample_mixing(shape, generator).to(z)

    def log_prob(self, psi: Tensor, z: Tensor) -> Tensor:
        """log q(psi). Shapes: ``[K, ..., P], [..., L] -> [K, ...]``."""
        return self.law.log_mixing(psi)


class Posterior:
    """tau(psi | z) = q(psi | z), which makes U_K = log q(z) for every draw. The law must have ``sample_posterior``.

    >>> from vaecourse import exact
    >>> Posterior(exact.LaplaceMixture(3)).sample(torch.ones(7, 3), K=5).shape
    torch.Size([5, 7, 3])
    """

    def __init__(self, law: TractableLaw) -> None:
        arguments.has("law", law, "sample_posterior", "log_posterior")
        self.law = law

    def sample(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K draws of q(psi | z) for every z. Shapes: ``[..., L] -> [K, ..., P]``."""
        return self.law.sample_posterior(z, arguments.count("K", K), generator)

    def log_prob(self, psi: Tensor, z: Tensor) -> Tensor:
        """log q(psi | z). Shapes: ``[K, ..., P], [..., L] -> [K, ...]``."""
        return self.law.log_posterior(psi, z)


class LinearInverse(nn.Module):
    r"""tau(psi | z) = N(a z, s^2) in each dimension: the family that holds the posterior of ``exact.MeanMixture``.

    Arguments:
        slope: a, where it starts; 0 with std = the mixing law's is the prior.
        std: s > 0, where it starts.
    """

    def __init__(self, slope: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(arguments.number("slope", slope)))
        self.log_std = nn.Parameter(torch.tensor(arguments.number("std", std, 0.0, open_low=True)).log())

    def sample(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K reparameterised draws for every z. Shapes: ``[..., L] -> [K, ..., L]``."""
        shape = arguments.count("K", K), *arguments.vectors("z", z).shape
        eps = torch.randn(shape, generator=generator, dtype=z.dtype, device=z.device)
        return self.slope * z + self.log_std.exp() * eps

    def log_prob(self, psi: Tensor, z: Tensor) -> Tensor:
        """log tau(psi | z). Shapes: ``[K, ..., L], [..., L] -> [K, ...]``."""
        width = arguments.vectors("z", z).shape[-1]
        arguments.broadcast("psi", arguments.vectors("psi", psi, width), "z", z)
        return Normal(self.slope * z, self.log_std.exp()).log_prob(psi).sum(-1)


class GatedInverse(nn.Module):
    r"""tau(psi | z) for ``exact.LaplaceMixture``: Gamma in each dimension, by one network that sees z_d alone.

    .. math:: \psi_d | z_d \sim \mathrm{Gamma}\left( e^{g_a a(z_d)},\; \tfrac12 e^{g_b b(z_d)} \right)

    Both gates g start at 0, where tau is the prior Exp(1/2): untrained, it gives the bound of SIVI. The posterior is no
    Gamma law, so training does not reach it.

    Arguments:
        hidden: the widths of the network's layers.

    Source: arXiv 1905.03290, section 6.1, where the network sees all of z.
    """

    def __init__(self, hidden: tuple[int, ...] = (64, 64)) -> None:
        super().__init__()
        widths = [1, *arguments.counts("hidden", hidden)]
        layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.network = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
        self.gate = nn.Parameter(torch.zeros(2))

    def shape_and_rate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The two parameters of the Gamma law. Shapes: ``[..., L] -> 2 x [..., L]``."""
        a, b = (self.gate * self.network(arguments.vectors("z", z).unsqueeze(-1))).unbind(-1)
        return a.exp(), 0.5 * b.exp()

    def sample(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K reparameterised draws for every z. Shapes: ``[..., L] -> [K, ..., L]``."""
        shape, rate = self.shape_and_rate(z)
        draws = torch._standard_gamma(shape.expand(arguments.count("K", K), *z.shape), generator=generator)
        return draws.clamp_min(torch.finfo(z.dtype).tiny) / rate

    def log_prob(self, psi: Tensor, z: Tensor) -> Tensor:
        """log tau(psi | z). Shapes: ``[K, ..., L], [..., L] -> [K, ...]``."""
        shape, rate = self.shape_and_rate(z)
        arguments.broadcast("psi", arguments.vectors("psi", psi, z.shape[-1]), "z", z)
        return (shape * rate.log() - torch.lgamma(shape) + (shape - 1) * psi.log() - rate * psi).sum(-1)
