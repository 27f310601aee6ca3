r"""Learning tau: Adam on the mean of U_K over fresh pairs (z, psi_0), with the doubly reparameterised gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse import arguments, descent
from vaecourse.hierarchical.gradient import dreg
from vaecourse.hierarchical.law import LearnedInverse, SampledLaw


def learn(
    law: SampledLaw,
    tau: LearnedInverse,
    steps: int,
    K: int = 5,
    batch: int = 64,
    learning_rate: float = 1e-2,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Minimise E U_K in the parameters of tau, in place; the law stays as it is. The rate falls linearly to 0.

    .. math:: \min_\eta\; E_{q(z, \psi_0)}\, E_{\tau_\eta(\psi_{1:K} | z)}\, U_K

    tau is an ``nn.Module`` with ``sample`` and ``log_prob``.

    Shapes: ``-> [steps]``, the estimates of E U_K on the way, in nats. Raises ``ValueError`` for steps or K < 0, for a
    batch < 1 and for a learning rate that is not positive, ``FloatingPointError`` if the
    gradient stops being finite. Source: arXiv 1905.03290, section 6.1.

    >>> from vaecourse import exact, hierarchical
    >>> learn(exact.LaplaceMixture(3), hierarchical.GatedInverse(), steps=2).shape
    torch.Size([2])
    """
    steps, K = arguments.count("steps", steps, at_least=0), arguments.count("K", K, at_least=0)
    batch = arguments.count("batch", batch)
    arguments.has("law", law, "sample", "log_mixing", "log_conditional")
    arguments.has("tau", tau, "sample", "log_prob", "parameters")
    optimizer = torch.optim.Adam(
        tau.parameters(), lr=arguments.number("learning_rate", learning_rate, 0.0, open_low=True)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / max(steps, 1))
    values = torch.empty(steps)
    for step in range(steps):
        values[step] = descent.step(optimizer, tau.parameters(), lambda: _backward(law, tau, batch, K, generator))
        schedule.step()
    return values


def _backward(law: SampledLaw, tau: LearnedInverse, batch: int, K: int, generator: torch.Generator | None) -> Tensor:
    """Fill ``.grad`` of tau with the gradient of a fresh estimate of E U_K; return the estimate, a scalar."""
    z, psi_0 = law.sample(batch, generator)
    loss = dreg(law, tau, z, psi_0, K, generator).mean()
    loss.backward(inputs=list(tau.parameters()))  # the law may have parameters too: their .grad is not ours
    return loss.detach()
