r"""Probabilistic PCA: a latent-variable model whose every quantity is known in closed form.

Axes are always in the order M (estimates), K (importance samples), B (data points), D (data) or L (latent) dimensions.
Everything is in nats.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from vaecourse import arguments


class LinearGaussian:
    r"""Probabilistic PCA: ``p(z) = N(0, I)``, ``p(x | z) = N(W z + b, s2 I)``.

    Arguments:
        weight: W, ``[D, L]``.
        noise_variance: s2 > 0, a variance.
        bias: b, ``[D]``; zero if not given.

    Everything about it is Gaussian: log p(x), the posterior, the ELBO of any diagonal Gaussian q, its gap, its upper
    twin, the chi-square that rules the 1/K rate. Source: Tipping and Bishop 1999, eq. 4-7.

    >>> model = LinearGaussian(torch.tensor([[1.5]]), noise_variance=0.7)
    >>> model.log_likelihood(torch.tensor([[1.3]]))
    tensor([-1.7463])
    """

    def __init__(self, weight: Tensor, noise_variance: float, bias: Tensor | None = None) -> None:
        self.weight = arguments.finite("weight", arguments.tensor("weight", weight, "DL"))
        self.noise_variance = arguments.scale("noise_variance", noise_variance)
        D, L = weight.shape
        bias = weight.new_zeros(D) if bias is None else bias
        self.bias = arguments.finite("bias", arguments.tensor("bias", bias, "D"))
        if len(self.bias) != D:
            raise ValueError(f"bias must have one entry for each of the D = {D} rows of weight, got {len(self.bias)}.")
        arguments.alike("bias", self.bias, "weight", weight)
        precision = torch.eye(L, dtype=weight.dtype, device=weight.device) + weight.T @ weight / self.noise_variance
        arguments.finite("weight' weight / noise_variance", precision)
        self.precision = precision  # of the posterior, [L, L], the same for every x
        self.covariance = torch.linalg.inv(precision)

    def log_likelihood(self, x: Tensor) -> Tensor:
        r"""Exact log p(x): the density of :math:`N(b, W W^T + s^2 I)`, in float64. Shapes: ``[B, D] -> [B]``."""
        x, (weight, bias) = self.data(x), map(arguments.in_float64, (self.weight, self.bias))
        noise = self.noise_variance * torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        law = MultivariateNormal(bias, weight @ weight.T + noise)
        return law.log_prob(arguments.in_float64(x)).to(x)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        r"""Exact p(z | x): :math:`N(V W^T (x - b) / s^2, V)` with :math:`V^{-1} = I + W^T W / s^2`.

        Shapes: ``[B, D]`` -> a distribution with batch shape ``[B]`` and event shape ``[L]``.
        """
        mean = (self.data(x) - self.bias) @ self.weight / self.noise_variance @ self.covariance  # [B, L]
        return MultivariateNormal(mean, self.covariance)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(z) + log p(x | z). Shapes: ``[B, D], [..., B, L] -> [..., B]``."""
        arguments.alike("z", arguments.vectors("z", z, self.weight.shape[1]), "weight", self.weight)
        arguments.broadcast("z", z, "x", self.data(x))
        scale = math.sqrt(self.noise_variance)
        log_likelihood = Normal(z @ self.weight.T + self.bias, scale).log_prob(x).sum(-1)
        return Normal(0.0, 1.0).log_prob(z).sum(-1) + log_likelihood

    def kl(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        r"""Exact :math:`KL(q \| p(z|x))` for :math:`q = N(mean, diag(std^2))`.

        .. math:: \tfrac12 \left( tr(V^{-1} S) + d^T V^{-1} d - L + \log \det V - \log \det S \right)

        Shapes: ``[B, D], [B, L], [B, L] -> [B]``.
        """
        offset, trace = self._offset_and_trace(x, *self.gaussian(x, mean, std))
        log_volumes = torch.logdet(self.covariance) - 2 * std.log().sum(-1)
        return 0.5 * (trace + offset - mean.shape[-1] + log_volumes)

    def reverse_kl(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        r"""Exact :math:`KL(p(z|x) \| q)`, the other way round. Shapes as in ``kl``."""
        mean, std = self.gaussian(x, mean, std)
        offset = ((mean - self.posterior(x).mean) / std).square().sum(-1)
        trace = (self.covariance.diagonal() / std**2).sum(-1)
        log_volumes = 2 * std.log().sum(-1) - torch.logdet(self.covariance)
        return 0.5 * (trace + offset - mean.shape[-1] + log_volumes)

    def elbo(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        r"""Exact ELBO of :math:`q = N(mean, diag(std^2))`: :math:`\log p(x) - KL(q \| p(z|x))`. Shapes as in ``kl``."""
        return self.log_likelihood(x) - self.kl(x, mean, std)

    def eubo(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        r"""Exact evidence *upper* bound: :math:`\log p(x) + KL(p(z|x) \| q)`. Shapes as in ``kl``."""
        return self.log_likelihood(x) + self.reverse_kl(x, mean, std)

    def chi_squared(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        r"""Exact :math:`\chi^2(p(z|x) \| q) = Var_q[w] / p(x)^2`, which sets the rate
        :math:`\log p(x) - L_K = \chi^2 / (2K) + O(K^{-2})`. Shapes as in ``kl``.

        With :math:`A = 2 V^{-1} - S^{-1}`: :math:`1 + \chi^2 = \det(S)^{1/2} \det(V)^{-1} \det(A)^{-1/2}
        \exp(d^T (V^{-1} A^{-1} V^{-1} 2 - V^{-1}) d)`; infinite unless A is positive definite (in 1-d: std^2 > V / 2).
        """
        mean, std = self.gaussian(x, mean, std)
        d = (mean - self.posterior(x).mean).unsqueeze(-1)  # [B, L, 1], posterior mean seen from q is -d
        S_inv = torch.diag_embed(std**-2)  # [B, L, L]
        A = 2 * self.precision - S_inv
        finite = torch.linalg.eigvalsh(A)[..., 0] > 0
        identity = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
        A = torch.where(finite[:, None, None], A, identity)
        # log of  integral p^2 / q  with both Gaussians centred on the posterior mean
        pull = S_inv @ d
        exponent = 0.5 * (d.mT @ S_inv @ d + pull.mT @ torch.linalg.solve(A, pull)).flatten()
        log_ratio = std.log().sum(-1) + torch.logdet(self.precision) - 0.5 * torch.logdet(A) + exponent
        return torch.where(finite, log_ratio.expm1(), math.inf)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n pairs (x, z) from p(x, z). Shapes: ``[n, D], [n, L]``."""
        D, L = self.weight.shape
        shape = arguments.count("n", n), L + D
        noise = torch.randn(shape, generator=generator, dtype=self.weight.dtype, device=self.weight.device)
        z = noise[:, :L]
        return z @ self.weight.T + self.bias + math.sqrt(self.noise_variance) * noise[:, L:], z

    def log_weights(
        self,
        x: Tensor,
        mean: Tensor,
        std: Tensor,
        M: int,
        K: int,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        r"""Draw :math:`z \sim q = N(mean, diag(std^2))` and return :math:`\log p(x, z) - \log q(z)`, ``[M, K, B]``.

        Differentiable in ``mean`` and ``std`` through the reparameterisation z = mean + std eps.
        """
        mean, std = self.gaussian(x, mean, std)
        B, L = mean.shape
        shape = arguments.count("M", M), arguments.count("K", K), B, L
        eps = torch.randn(shape, generator=generator, dtype=mean.dtype, device=mean.device)
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(-1) - std.log().sum(-1)
        return self.log_joint(x, mean + std * eps) - log_q

    def _offset_and_trace(self, x: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        offset = mean - self.posterior(x).mean
        return ((offset @ self.precision) * offset).sum(-1), (std**2 * self.precision.diagonal()).sum(-1)

    def data(self, x: Tensor) -> Tensor:
        """x, if it is a batch of this model's data ``[B, D]``."""
        return arguments.batch("x", x, "BD", self.weight.shape[0], "weight", self.weight)

    def gaussian(self, x: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, std) if they are those of a q for every row of x, or of one q for all."""
        for name, value in {"mean": mean, "std": std}.items():
            arguments.batch(name, value, "BL", self.weight.shape[1], "weight", self.weight)
            arguments.broadcast(name, value, "x", self.data(x))
        arguments.broadcast("std", std, "mean", mean)
        if arguments.is_concrete(std) and not (std > 0).all():
            raise ValueError(f"std, the standard deviations of q, must be above 0, got {float(std.min()):g}.")
        return mean, std
