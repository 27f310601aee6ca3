r"""The table of estimators, and one function that fills ``.grad`` for a row of it.

An estimator of a bound and of its gradient is one row: its value, the weights of the theta-gradient, the weights of the
phi-gradient, and whether the score term of log q is kept.

.. math:: \Delta_\theta = \sum_{m,k} a_{mk} \nabla_\theta \log p_\theta(x, z_{mk}), \qquad
          \Delta_\phi = \sum_{m,k} b_{mk} \nabla_\phi \left( \log p_\theta(x, z_{mk}) - \log q(z_{mk} | x) \right)

with reparameterised :math:`z_{mk}(\phi)`. ``TABLE`` holds the rows; the weights below carry no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vaecourse import arguments, bounds
from vaecourse.latent import LatentVariableModel


def uniform(log_w: Tensor) -> Tensor:
    """1 / (M K). Shapes: ``[M, K, B] -> [M, K, B]``."""
    M, K, _ = arguments.log_weights(log_w).shape
    return torch.full_like(log_w, 1 / (M * K))


def pooled(log_w: Tensor) -> Tensor:
    """w / (sum of w over M and K). Shapes: ``[M, K, B] -> [M, K, B]``."""
    return arguments.log_weights(log_w).detach().flatten(0, 1).softmax(0).view_as(log_w)


def within(log_w: Tensor) -> Tensor:
    """w / (sum of w over K) / M. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return arguments.log_weights(log_w).detach().softmax(1) / len(log_w)


def squared(log_w: Tensor) -> Tensor:
    """The square of the pooled weights. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return pooled(log_w).square()


def mixed(log_w: Tensor, beta: float) -> Tensor:
    """beta / (M K) + (1 - beta) w / (sum of w over K) / M. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return beta * uniform(log_w) + (1 - beta) * within(log_w)


def tilted(log_w: Tensor, alpha: float) -> Tensor:
    """w^(1 - alpha) / (sum of w^(1 - alpha) over K) / M. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return within((1 - alpha) * arguments.log_weights(log_w)) if alpha < 1 else uniform(log_w)


@dataclass(frozen=True)
class Objective:
    """A row of the table: the bound, the weights of both gradients, the score term, and the row's own parameter."""

    name: str
    bound: Callable[..., Tensor]
    theta: Callable[..., Tensor]
    phi: Callable[..., Tensor]
    keeps_score: bool = True
    parameters: dict[str, float] = field(default_factory=dict)

    def value(self, log_w: Tensor) -> Tensor:
        """The estimate of the bound, in nats. Shapes: ``[M, K, B] -> [B]``."""
        return self.bound(log_w, **self.parameters)

    def theta_weights(self, log_w: Tensor) -> Tensor:
        """The weights a of the theta-gradient, without a gradient of their own. Shapes: ``[M, K, B] -> [M, K, B]``."""
        return self.theta(log_w, **self.parameters)

    def phi_weights(self, log_w: Tensor) -> Tensor:
        """The weights b of the phi-gradient, without a gradient of their own. Shapes: ``[M, K, B] -> [M, K, B]``."""
        return self.phi(log_w, **self.parameters)

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items())
        return f"{self.name}({settings})" if settings else self.name


TABLE: dict[str, Objective] = {
    #                 name      bound          theta     phi      score term
    "elbo": Objective("elbo", bounds.elbo, uniform, uniform),
    "iwae": Objective("iwae", bounds.iwae, pooled, pooled),
    "miwae": Objective("miwae", bounds.miwae, within, within),
    "ciwae": Objective("ciwae", bounds.ciwae, mixed, mixed, parameters={"beta": 0.5}),
    "piwae": Objective("piwae", bounds.iwae, pooled, within),
    "stl": Objective("stl", bounds.iwae, pooled, pooled, keeps_score=False),
    "dreg": Objective("dreg", bounds.iwae, pooled, squared, keeps_score=False),
    "vr_iwae": Objective("vr_iwae", bounds.vr_iwae, tilted, tilted, parameters={"alpha": 0.5}),
}
"""The rows, with the defaults of those that have a parameter.

Sources: elbo 1312.6114; iwae 1509.00519, eq. 8 and 14; miwae, ciwae, piwae 1802.04537, section 5; stl 1703.09194;
dreg 1810.04152, eq. 8; vr_iwae 2210.06226. The value of piwae is the bound its theta climbs; its phi climbs MIWAE.
"""


def get(name: str | Objective, **parameters: float) -> Objective:
    """The row of this name, with its parameter set: ``get("ciwae", beta=0.05)``. A row in place of a name is itself.

    Raises ``ValueError`` for an unknown name (with the nearest known one) and for beta or alpha outside [0, 1], and
    ``TypeError`` for a parameter that the row does not have.

    >>> print(get("ciwae", beta=0.05))
    ciwae(beta=0.05)
    """
    row = name if isinstance(name, Objective) else TABLE[arguments.choice("objective", name, list(TABLE))]
    if unknown := parameters.keys() - row.parameters.keys():
        needs = ", ".join(row.parameters) or "no parameters"
        raise TypeError(f"objective {row.name!r} takes {needs}, got {', '.join(sorted(unknown))}.")
    given = {key: arguments.number(key, value, 0.0, 1.0) for key, value in parameters.items()}
    return replace(row, parameters=row.parameters | given)


def backward(
    model: LatentVariableModel,
    x: Tensor,
    objective: str | Objective,
    M: int,
    K: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Fill ``.grad`` of the model with the gradient of the loss, minus the mean over B of the bound; return the bound.

    One encoder call, one decoder call and one backward pass serve every row. Samples do not meet in the decoder, so the
    gradient that comes back to sample mk is proportional to the weight sent out with it: it leaves with a for theta,
    and a hook on z turns it into b for phi. Gradients add to what is in ``.grad`` already.

    Shapes: ``[B, D] -> [B]``, in nats, detached. Raises as ``get`` and ``model.noise`` do.

    >>> from vaecourse.models import VAE
    >>> model = VAE(data_dim=64, latent_dim=8)
    >>> backward(model, torch.zeros(5, 64), "piwae", M=4, K=16).shape
    torch.Size([5])
    """
    row = get(objective)
    z, log_q = model.draw(x, model.noise(x, M, K, generator), row.keeps_score)
    z = z.view_as(z)  # a node of its own: the hook below sees the gradient through log p(x, z) alone
    log_p = model.log_joint(x, z)
    log_w = (log_p - log_q).detach()
    a = row.theta_weights(log_w).clamp_min(1e-20)  # keeps b / a finite where a underflows; changes no sum
    b = row.phi_weights(log_w)
    if z.requires_grad:
        z.register_hook(lambda grad: grad * (b / a).unsqueeze(-1))
    (-(a * log_p - b * log_q).sum() / len(x)).backward()
    return row.value(log_w)
