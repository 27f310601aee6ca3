"""The course's reference case: one data point and one q on a model whose every quantity is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from vaecourse import arguments
from vaecourse.exact.linear_gaussian import LinearGaussian
from vaecourse.latent import LatentVariableModel, standard_normal


class Case(LatentVariableModel):
    r"""A point and a q on an exact model: ``x [B, D]``, ``mean [B, L]``, ``std [B, L]``; mean and std may have one row.

    It unpacks to ``model, x, mean, std``, and is itself a model of x for ``objectives`` and ``evaluate``: its q is
    phi (``q_mean`` and ``q_std``, which share their numbers with ``mean`` and ``std``), theta is fixed.

    >>> case = reference()
    >>> model, x, mean, std = case
    >>> case.log_weights(x, M=2, K=3).shape
    torch.Size([2, 3, 1])
    """

    def __init__(self, model: LinearGaussian, x: Tensor, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.model, self.x = model, x
        self.q_mean, self.q_std = nn.Parameter(mean.detach()), nn.Parameter(std.detach())
        self._moving = {name: q for name, q in {"mean": mean, "std": std}.items() if q.requires_grad}

    @property
    def mean(self) -> Tensor:
        """The mean of q, with the gradient with which it was given."""
        return self._moving.get("mean", self.q_mean.detach())

    @property
    def std(self) -> Tensor:
        """The standard deviation of q, with the gradient with which it was given."""
        return self._moving.get("std", self.q_std.detach())

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.x, self.mean, self.std))

    def __getitem__(self, place: Any) -> Any:
        return tuple(self)[place]

    def replace(self, mean: Tensor | None = None, std: Tensor | None = None) -> Case:
        """The same model and point with another q."""
        return Case(self.model, self.x, self.mean if mean is None else mean, self.std if std is None else std)

    def noise(self, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for M K samples of each data point: ``[M, K, B, L]``."""
        shape = arguments.count("M", M), arguments.count("K", K), len(self.model.data(x)), self.q_mean.shape[1]
        return standard_normal(shape, x, generator)

    def draw(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        """z = mean + std eps and log q(z). Shapes: ``[B, D], [M, K, B, L] -> [M, K, B, L], [M, K, B]``."""
        mean, std = self.model.gaussian(x, self.q_mean, self.q_std)
        z = mean + std * eps
        q = Normal(mean, std) if keeps_score else Normal(mean.detach(), std.detach())
        return z, q.log_prob(z).sum(-1)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z). Shapes: ``[B, D], [..., B, L] -> [..., B]``."""
        return self.model.log_joint(x, z)

    def theta(self) -> dict[str, nn.Parameter]:
        """None: the model is fixed."""
        return {}

    def phi(self) -> dict[str, nn.Parameter]:
        """The mean and the standard deviation of q."""
        return {"q_mean": self.q_mean, "q_std": self.q_std}


def reference(dtype: torch.dtype = torch.float32) -> Case:
    """The course's reference case: z ~ N(0, 1), x | z ~ N(1.5 z, variance 0.7), x = 1.3, and a q that is half a unit
    off the posterior mean and 1.3 times as wide as the posterior.

    >>> case = reference()
    >>> case.model.elbo(*case[1:]), case.model.log_likelihood(case.x)
    (tensor([-2.3557]), tensor([-1.7463]))
    """
    model = LinearGaussian(torch.tensor([[1.5]], dtype=dtype), noise_variance=0.7)
    x = torch.tensor([[1.3]], dtype=dtype)
    posterior = model.posterior(x)
    return Case(model, x, posterior.mean + 0.5, 1.3 * posterior.stddev)


def case_with(width: float, shift: float) -> Case:
    """The reference case in float64 with a q ``width`` times as wide as the posterior, ``shift`` beside its mean.

    >>> case_with(1.3, 0.5).mean, reference(torch.float64).mean
    (tensor([[1.1610]], dtype=torch.float64), tensor([[1.1610]], dtype=torch.float64))
    """
    case = reference(torch.float64)
    posterior = case.model.posterior(case.x)
    return case.replace(mean=posterior.mean + shift, std=width * posterior.stddev)
