r"""Neural samplers in two dimensions, on the three toys of SIVI, whose densities are known.

.. math:: \psi \sim N(0, I), \quad z | \psi \sim N(m_\phi(\psi), \mathrm{diag}\, s_\phi^2), \qquad
          q(z) = \int N(z; m_\phi(\psi), \mathrm{diag}\, s_\phi^2)\, N(\psi; 0, I)\, d\psi

Training climbs :math:`E[\log \tilde p(z) - U_K]`, which never exceeds the log of the target's normaliser Z, for p~ need
not be normalised: it equals log Z - KL(q || p) - E[U_K - log q]. Everything is in nats.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from vaecourse import arguments, descent
from vaecourse.hierarchical.bounds import upper_bound
from vaecourse.hierarchical.gradient import dreg
from vaecourse.hierarchical.inverse import MixingPrior
from vaecourse.hierarchical.law import InverseModel
from vaecourse.hierarchical.ratios import log_ratios
from vaecourse.models import gaussian_log_prob, mlp, standard_normal_log_prob

TAUS = ["learned", "prior"]
DIM = 2  # of z, and of psi

# The targets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A density in the plane: without its normaliser, which is all that training sees, and with it."""

    name: str
    log_unnormalised: Callable[[Tensor], Tensor]  # log p~(z), [..., 2] -> [...]
    log_normaliser: float  # log Z, the log of the integral of p~
    from_noise: Callable[[Tensor, Tensor], Tensor]  # eps [n, 2], sign [n] of +-1 -> z [n, 2]

    def log_prob(self, z: Tensor) -> Tensor:
        """Exact log p(z) = log p~(z) - log Z. Shapes: ``[..., 2] -> [...]``."""
        return self.log_unnormalised(z) - self.log_normaliser

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n exact draws: ``[n, 2]``."""
        place = "cpu" if generator is None else generator.device
        eps = torch.randn(arguments.count("n", n), DIM, generator=generator, device=place)
        return self.from_noise(eps, 2.0 * torch.randint(2, (n,), generator=generator, device=place) - 1)


def banana(z: Tensor) -> Tensor:
    r"""log p~ of z1 ~ N(0, variance 4), z2 | z1 ~ N(z1² / 4, 1): :math:`-z_1^2 / 8 - (z_2 - z_1^2 / 4)^2 / 2`."""
    bend = z[..., 0].square() / 4
    return -bend / 2 - (z[..., 1] - bend).square() / 2


def cross(z: Tensor) -> Tensor:
    r"""log p~ of two Gaussians with variances 2 and covariance +-1.8, crossed at the origin:
    :math:`\log \sum_\pm e^{-(z_1^2 + z_2^2 \mp 1.8 z_1 z_2) / (2 \cdot 0.38)}`; 0.38 is (4 - 1.8²) / 2."""
    squares, product = z.square().sum(-1), 1.8 * z.prod(-1)
    return torch.logaddexp(-(squares - product) / 0.76, -(squares + product) / 0.76)


def two_modes(z: Tensor) -> Tensor:
    r"""log p~ of two Gaussians at (+-2, 0) with variance 1: :math:`\log \sum_\pm e^{-((z_1 \mp 2)^2 + z_2^2) / 2}`."""
    left, right = ((z[..., 0] - center).square() for center in (-2, 2))
    return torch.logaddexp(-left / 2, -right / 2) - z[..., 1].square() / 2


TARGETS: dict[str, Target] = {
    "banana": Target(
        "banana",
        banana,
        math.log(2 * math.pi * 2),
        lambda eps, sign: torch.stack([2 * eps[:, 0], eps[:, 0].square() + eps[:, 1]], 1),
    ),
    "X": Target(
        "X",
        cross,
        math.log(2 * 2 * math.pi * math.sqrt(0.76)),
        lambda eps, sign: torch.stack(  # a long axis of variance 3.8 on a diagonal, a short one of .2 across it
            [math.sqrt(1.9) * eps[:, 0] - math.sqrt(0.1) * eps[:, 1],
             sign * (math.sqrt(1.9) * eps[:, 0] + math.sqrt(0.1) * eps[:, 1])], 1
        ),
    ),
    "two modes": Target(
        "two modes",
        two_modes,
        math.log(2 * 2 * math.pi),
        lambda eps, sign: eps + torch.stack([2 * sign, 0 * sign], 1),
    ),
}  # fmt: skip
"""Source: arXiv 1805.11183, table 1."""


# The sampler and its inverse model -----------------------------------------------------------------------------------


class NeuralSampler(nn.Module):
    """Noise psi through a tanh network to the mean of z, and one learned standard deviation for each coordinate.

    The standard deviations begin at 0.2: where they begin at 1 they cover the target alone, and psi is never needed.
    It is a law of ``hierarchical``: ``log_ratios`` and ``dreg`` take it.

    >>> z, psi = NeuralSampler().sample(7)
    >>> z.shape, psi.shape
    (torch.Size([7, 2]), torch.Size([7, 2]))
    """

    def __init__(self, hidden: tuple[int, ...] = (24, 24)) -> None:
        super().__init__()
        self.mean = mlp([DIM, *arguments.counts("hidden", hidden), DIM])
        self.log_std = nn.Parameter(torch.full((DIM,), math.log(0.2)))

    def log_mixing(self, psi: Tensor) -> Tensor:
        """log N(psi; 0, I). Shapes: ``[..., 2] -> [...]``."""
        return standard_normal_log_prob(arguments.vectors("psi", psi, DIM))

    def log_conditional(self, z: Tensor, psi: Tensor) -> Tensor:
        """log q(z | psi). Shapes: ``[..., 2], [..., 2] -> [...]``."""
        arguments.broadcast("psi", arguments.vectors("psi", psi, DIM), "z", arguments.vectors("z", z, DIM))
        return gaussian_log_prob(z, self.mean(psi), self.log_std)

    def sample_mixing(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Draws of psi: ``[*shape, 2]``."""
        return _randn(arguments.counts("shape", shape, at_least=0), self.log_std, generator)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n reparameterised draws of (z, psi): 2 x ``[n, 2]``."""
        psi = self.sample_mixing((arguments.count("n", n),), generator)
        return self.mean(psi) + self.log_std.exp() * _randn((n,), self.log_std, generator), psi


class GaussianInverse(nn.Module):
    """tau(psi | z): a diagonal Gaussian from a tanh network of z. It begins as N(0, I), where it gives SIVI's bound."""

    def __init__(self, hidden: tuple[int, ...] = (24, 24)) -> None:
        super().__init__()
        self.network = mlp([DIM, *arguments.counts("hidden", hidden), 2 * DIM])
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)

    def sample(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        """K reparameterised draws for every z. Shapes: ``[..., 2] -> [K, ..., 2]``."""
        mean, log_std = self.network(arguments.vectors("z", z, DIM)).chunk(2, -1)
        return mean + log_std.exp() * _randn((arguments.count("K", K), *mean.shape[:-1]), mean, generator)

    def log_prob(self, psi: Tensor, z: Tensor) -> Tensor:
        """log tau(psi | z). Shapes: ``[K, ..., 2], [..., 2] -> [K, ...]``."""
        arguments.broadcast("psi", arguments.vectors("psi", psi, DIM), "z", arguments.vectors("z", z, DIM))
        mean, log_std = self.network(z).chunk(2, -1)
        return gaussian_log_prob(psi, mean, log_std)


def _randn(shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal noise ``[*shape, 2]`` with the type and the device of ``like``."""
    return torch.randn(*shape, DIM, generator=generator, dtype=like.dtype, device=like.device)


class Fit(NamedTuple):
    """A trained sampler and the inverse model that it was trained with."""

    sampler: NeuralSampler
    tau: InverseModel


def fit(
    target: Target,
    K: int,
    tau: str = "learned",
    steps: int = 1500,
    seed: int = 0,
    batch_size: int = 100,
    learning_rate: float = 5e-3,
    watch: Callable[[int, Fit], None] | None = None,
) -> Fit:
    r"""Train a sampler on :math:`E[\log \tilde p(z) - U_K]` by Adam, whose rate falls linearly to a tenth.

    Arguments:
        K: the psi in the bound besides psi_0.
        tau: ``"prior"`` is SIVI; ``"learned"`` is IWHVI (HVM if K = 0), with the doubly reparameterised gradient.
        watch: called with the number of steps done and the fit so far: before the first step and after each one.

    Raises ``ValueError`` for K < 0, a learning rate that is not positive and an unknown tau, ``FloatingPointError`` if
    the gradient stops being finite. The global random state is left alone.

    >>> learned = fit(TARGETS["banana"], K=2, steps=3)
    >>> density(learned.sampler, torch.linspace(-3, 3, 5), torch.linspace(-2, 4, 7)).shape
    torch.Size([7, 5])
    """
    _is_target(target)
    K, steps = arguments.count("K", K, at_least=0), arguments.count("steps", steps)
    batch_size = arguments.count("batch_size", batch_size)
    generator = torch.Generator().manual_seed(arguments.count("seed", seed, at_least=0))
    with descent.seeded(seed):
        sampler = NeuralSampler()
        learned = GaussianInverse()
    chosen: InverseModel = learned if arguments.choice("tau", tau, TAUS) == "learned" else MixingPrior(sampler)
    parameters = [*sampler.parameters(), *(learned.parameters() if tau == "learned" else [])]
    rate = arguments.number("learning_rate", learning_rate, 0.0, open_low=True)
    optimizer = torch.optim.Adam(parameters, lr=rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=steps)
    result = Fit(sampler, chosen)
    for step in range(steps + 1):
        if watch is not None:
            watch(step, result)
        if step == steps:
            break
        descent.step(optimizer, parameters, lambda: _backward(target, result, K, batch_size, generator))
        decay.step()
    return result


def _backward(target: Target, fitted: Fit, K: int, batch_size: int, generator: torch.Generator) -> None:
    """Fill ``.grad`` with the gradient of a fresh estimate of E[U_K - log p~(z)]."""
    z, psi_0 = fitted.sampler.sample(batch_size, generator)
    if isinstance(fitted.tau, GaussianInverse):
        u = dreg(*fitted, z, psi_0, K, generator)
    else:
        u = upper_bound(log_ratios(*fitted, z, psi_0, K, generator))
    (u - target.log_unnormalised(z)).mean().backward()


@torch.no_grad()
def bound(target: Target, fitted: Fit, K: int, n: int, generator: torch.Generator | None = None) -> Tensor:
    r"""n estimates of :math:`E[\log \tilde p(z) - U_K] \le \log Z`. Shapes: ``-> [n]``."""
    _is_target(target)
    z, psi_0 = fitted.sampler.sample(n, generator)
    return target.log_unnormalised(z) - upper_bound(log_ratios(*fitted, z, psi_0, K, generator))


# Densities -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def density(sampler: NeuralSampler, x: Tensor, y: Tensor, draws: int = 4096) -> Tensor:
    r"""q on a grid, the integral over psi by many draws (the same ones each time, from a Sobol sequence).

    .. math:: q(z) \approx \frac1N \sum_n N(z_1; m_1(\psi_n), s_1^2)\, N(z_2; m_2(\psi_n), s_2^2)

    Shapes: ``[X], [Y] -> [Y, X]``, a row for each y.
    """
    arguments.tensor("x", x, "X"), arguments.tensor("y", y, "Y")
    mean, std = sampler.mean(_sobol(arguments.count("draws", draws)).to(sampler.log_std)), sampler.log_std.exp()
    along = [
        (-0.5 * ((axis[:, None] - mean[:, i]) / std[i]).square()).exp() / (std[i] * math.sqrt(2 * math.pi))
        for i, axis in enumerate((x, y))
    ]  # [X, N], [Y, N]
    return along[1] @ along[0].T / draws


@torch.no_grad()
def divergence(q: NeuralSampler | MultivariateNormal, target: Target) -> float:
    """KL(q || p) in nats, by quadrature over a grid that holds the mass of all three targets."""
    _is_target(target)
    place = q.log_std.device if isinstance(q, NeuralSampler) else q.loc.device
    x, y = torch.arange(-10, 10.01, 0.1, device=place), torch.arange(-9, 30.01, 0.1, device=place)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # [Y, X, 2]
    mass = 0.01 * (density(q, x, y) if isinstance(q, NeuralSampler) else q.log_prob(grid).exp())
    return float((mass * ((mass / 0.01).clamp_min(1e-30).log() - target.log_prob(grid))).double().sum())


@functools.lru_cache(maxsize=4)
def _sobol(n: int) -> Tensor:
    """n points of a Sobol sequence, as standard normal ones: ``[n, 2]``."""
    with torch.device("cpu"):
        uniform = torch.quasirandom.SobolEngine(DIM, scramble=True, seed=0).draw(n)
    return torch.special.ndtri(uniform.double().clamp(1e-7, 1 - 1e-7)).float()


def gaussian_fit(target: Target, points: int = 4096, starts: int = 6) -> MultivariateNormal:
    r"""The Gaussian, with a full covariance, of least KL(q || p), for comparison: no sampling noise, by L-BFGS.

    .. math:: \min_{\mu, C} \; -\log \det C - E_\epsilon \log \tilde p(\mu + C \epsilon)

    over a triangular C, from several starts; the expectation is over a Sobol sequence.
    """
    _is_target(target)
    eps = _sobol(arguments.count("points", points)).double()
    best = math.inf, eps.new_zeros(DIM), torch.eye(DIM, device=eps.device)
    generator = torch.Generator().manual_seed(0)
    for _ in range(arguments.count("starts", starts)):
        mean = torch.randn(DIM, generator=generator, dtype=torch.float64, device="cpu").requires_grad_()
        raw = 0.5 * torch.randn(DIM, DIM, generator=generator, dtype=torch.float64, device="cpu")
        raw.requires_grad_()
        optimizer = torch.optim.LBFGS([mean, raw], max_iter=100, line_search_fn="strong_wolfe")

        def closure(mean: Tensor = mean, raw: Tensor = raw, optimizer: torch.optim.Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            value = -raw.diagonal().sum() - target.log_unnormalised(mean + eps @ _triangle(raw).T).mean()
            value.backward()
            return value.detach()

        optimizer.step(closure)
        if (value := float(closure())) < best[0]:
            best = value, mean.detach(), _triangle(raw).detach()
    return MultivariateNormal(best[1].float(), scale_tril=best[2].float())


def _is_target(target: Target) -> None:
    if not isinstance(target, Target):
        raise TypeError(f"target must be a Target, such as TARGETS['banana'], got {target!r}.")


def _triangle(raw: Tensor) -> Tensor:
    """A lower triangle with a positive diagonal, from any square."""
    return raw.tril(-1) + raw.diagonal().exp().diag()
