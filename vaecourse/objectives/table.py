"""The rows of the table, the weights that they give to a sample, without a gradient, and what one draw of a row has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse import arguments, bounds
from vaecourse.latent import Latent


def uniform(log_w: Tensor) -> Tensor:
    """1 / (M K). Shapes: ``[M, K, B] -> [M, K, B]``."""
    M, K, _ = log_w.shape
    return torch.full_like(arguments.at_least_float32(log_w.detach()), 1 / (M * K))


def pooled(log_w: Tensor) -> Tensor:
    """w / (sum of w over M and K). Shapes: ``[M, K, B] -> [M, K, B]``."""
    return bounds.shares(log_w.detach(), (0, 1))


def within(log_w: Tensor) -> Tensor:
    """w / (sum of w over K) / M. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return bounds.shares(log_w.detach()) / len(log_w)


def squared(log_w: Tensor) -> Tensor:
    """The square of the pooled weights. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return pooled(log_w).square()


def mixed(log_w: Tensor, beta: float) -> Tensor:
    """beta / (M K) + (1 - beta) w / (sum of w over K) / M. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return beta * uniform(log_w) + (1 - beta) * within(log_w)


def tilted(log_w: Tensor, alpha: float) -> Tensor:
    """w^(1 - alpha) / (sum of w^(1 - alpha) over K) / M. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return bounds.shares(log_w.detach(), power=1 - alpha) / len(log_w) if alpha < 1 else uniform(log_w)


@dataclass(frozen=True)
class Parameter:
    """A number that a row takes: its default, the interval it lies in, and what it means."""

    name: str
    default: float
    low: float
    high: float
    meaning: str

    def __str__(self) -> str:
        return f"{self.name} in [{self.low:g}, {self.high:g}], {self.default:g} if not given: {self.meaning}"


@dataclass(frozen=True)
class Objective:
    """A row of the table: the bound, the weights of both gradients, the score term, and the row's own parameters.

    ``takes`` describes the parameters, ``parameters`` has their values: the defaults where none are given.
    """

    name: str
    bound: Callable[..., Tensor]
    theta: Callable[..., Tensor]
    phi: Callable[..., Tensor]
    keeps_score: bool = True
    parameters: dict[str, float] = field(default_factory=dict)
    takes: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        values = {parameter.name: parameter.default for parameter in self.takes} | self.parameters
        object.__setattr__(self, "parameters", values)

    def value(self, log_w: Tensor) -> Tensor:
        """The estimate of the bound, in nats. Shapes: ``[M, K, B] -> [B]``."""
        return self.bound(log_w, **self.parameters)

    @property
    def turns(self) -> bool:
        """Whether theta and phi get different weights."""
        return self.theta is not self.phi

    def theta_weights(self, log_w: Tensor) -> Tensor:
        """The weights a of the theta-gradient, without a gradient of their own: ``[M, K, B] -> [M, K, B]``."""
        return self.theta(arguments.log_weights(log_w), **self.parameters)

    def phi_weights(self, log_w: Tensor) -> Tensor:
        """The weights b of the phi-gradient, without a gradient of their own. Shapes: ``[M, K, B] -> [M, K, B]``."""
        return self.phi(arguments.log_weights(log_w), **self.parameters)

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items())
        return f"{self.name}({settings})" if settings else self.name


BETA = Parameter("beta", 0.5, 0.0, 1.0, "the share of the ELBO; the rest is MIWAE")
ALPHA = Parameter("alpha", 0.5, 0.0, 1.0, "0 is MIWAE, 1 the ELBO")

TABLE: dict[str, Objective] = {
    #                 name      bound          theta     phi      score term
    "elbo": Objective("elbo", bounds.elbo, uniform, uniform),
    "iwae": Objective("iwae", bounds.iwae, pooled, pooled),
    "miwae": Objective("miwae", bounds.miwae, within, within),
    "ciwae": Objective("ciwae", bounds.ciwae, mixed, mixed, takes=(BETA,)),
    "piwae": Objective("piwae", bounds.iwae, pooled, within),
    "stl": Objective("stl", bounds.iwae, pooled, pooled, keeps_score=False),
    "dreg": Objective("dreg", bounds.iwae, pooled, squared, keeps_score=False),
    "vr_iwae": Objective("vr_iwae", bounds.vr_iwae, tilted, tilted, takes=(ALPHA,)),
}
"""The rows, with the defaults of those that have a parameter.

Sources: elbo 1312.6114; iwae 1509.00519, eq. 8 and 14; miwae, ciwae, piwae 1802.04537, section 5; stl 1703.09194;
dreg 1810.04152, eq. 8; vr_iwae 2210.06226. The value of piwae is the bound its theta climbs; its phi climbs MIWAE.
"""


def get(name: str | Objective, **parameters: float) -> Objective:
    """The row of this name, with its parameter set: ``get("ciwae", beta=0.05)``. A row in place of a name is itself.

    Raises ``ValueError`` for an unknown name (with the nearest known one) and for a parameter outside its interval,
    ``TypeError`` for a parameter that the row does not have.

    >>> print(get("ciwae", beta=0.05))
    ciwae(beta=0.05)
    """
    row = name if isinstance(name, Objective) else TABLE[arguments.choice("objective", name, list(TABLE))]
    if unknown := parameters.keys() - row.parameters.keys():
        needs = ", ".join(row.parameters) or "no parameters"
        raise TypeError(f"objective {row.name!r} takes {needs}, got {', '.join(sorted(unknown))}.")
    interval = {parameter.name: (parameter.low, parameter.high) for parameter in row.takes}
    given = {key: arguments.number(key, value, *interval.get(key, ())) for key, value in parameters.items()}
    return replace(row, parameters=row.parameters | given)


class Estimate(NamedTuple):
    """One draw of a row: a loss with the row's gradient, and what it was made of (without a gradient)."""

    loss: Tensor
    bound: Tensor
    log_w: Tensor
    z: Latent
