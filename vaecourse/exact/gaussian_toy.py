r"""The Gaussian toy of Rainforth et al. 2018 (arXiv 1802.04537): what K and M do to a gradient, beside the truth.

.. math:: p(z) = N(\mu, I), \quad p(x | z) = N(z, I), \quad q(z | x) = N(A x + b, \tfrac23 I)

theta is mu, phi is A and b. Everything is in nats.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from vaecourse import arguments
from vaecourse.latent import LatentVariableModel, standard_normal

VARIANCE = 2 / 3  # of q, in every direction: a covariance (2/3) I


class GaussianToy(LatentVariableModel):
    r"""The toy at its optimum for the data, where each of its bounds is stationary in phi, for every K.

    Arguments:
        x: the data ``[B, D]``; mu starts at their mean, A at I / 2, b at mu / 2.
        variance: of q; the paper's 2/3.

    Objectives and gradient diagnostics take it as they take a VAE.
    Raises ``ValueError`` for a variance that is not positive.

    >>> GaussianToy(torch.randn(7, 3)).log_weights(torch.randn(7, 3), M=2, K=5).shape
    torch.Size([2, 5, 7])
    """

    def __init__(self, x: Tensor, variance: float = VARIANCE) -> None:
        super().__init__()
        arguments.finite("x", arguments.tensor("x", x, "BD"))
        self.variance = arguments.scale("variance", variance)
        self.mu = nn.Parameter(x.mean(0))
        self.A = nn.Parameter(0.5 * torch.eye(x.shape[1], dtype=x.dtype, device=x.device))
        self.b = nn.Parameter(0.5 * x.mean(0))

    def perturb(self, scale: float = 0.01, generator: torch.Generator | None = None) -> GaussianToy:
        """Add N(0, scale^2) noise to every parameter, as the paper does before it measures gradients."""
        scale = arguments.number("scale", scale, 0.0)
        with torch.no_grad():
            for parameter in self.parameters():
                shift = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(shift.to(parameter.device), alpha=scale)
        return self

    def log_likelihood(self, x: Tensor) -> Tensor:
        r"""Exact log p(x) = log N(x; mu, 2 I). Shapes: ``[B, D] -> [B]``."""
        return Normal(self.mu, math.sqrt(2)).log_prob(self._data(x)).sum(-1)

    def elbo(self, x: Tensor) -> Tensor:
        r"""Exact ELBO: log p(x) minus KL(N(A x + b, s2 I) || N((x + mu) / 2, I / 2)). Shapes: ``[B, D] -> [B]``."""
        offset = self._data(x) @ self.A.T + self.b - (x + self.mu) / 2
        kl = offset.square().sum(-1) + 0.5 * x.shape[1] * (2 * self.variance - 1 - math.log(2 * self.variance))
        return self.log_likelihood(x) - kl

    def noise(self, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for M K samples of each data point: ``[M, K, B, D]``."""
        shape = arguments.count("M", M), arguments.count("K", K), *self._data(x).shape
        return standard_normal(shape, x, generator)

    def draw(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        """z = A x + b + s eps and log q(z | x). Shapes: ``[B, D], [M, K, B, D] -> [M, K, B, D], [M, K, B]``.

        With ``keeps_score=False`` A and b are held fixed inside log q.
        """
        self._noise("eps", eps, x)
        mean, scale = x @ self.A.T + self.b, math.sqrt(self.variance)
        z = mean + scale * eps
        return z, Normal(mean if keeps_score else mean.detach(), scale).log_prob(z).sum(-1)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z). Shapes: ``[B, D], [..., B, D] -> [..., B]``."""
        self._noise("z", z, x)
        return Normal(self.mu, 1.0).log_prob(z).sum(-1) + Normal(z, 1.0).log_prob(x).sum(-1)

    def theta(self) -> dict[str, nn.Parameter]:
        """The generative parameter: mu."""
        return {"mu": self.mu}

    def phi(self) -> dict[str, nn.Parameter]:
        """The inference parameters: A and b."""
        return {"A": self.A, "b": self.b}

    def _data(self, x: Tensor) -> Tensor:
        return arguments.batch("x", x, "BD", len(self.mu), "mu", self.mu)

    def _noise(self, name: str, value: Tensor, x: Tensor) -> None:
        arguments.alike(name, arguments.vectors(name, value, len(self.mu)), "mu", self.mu)
        arguments.broadcast(name, value, "x", self._data(x))
