r"""The table of estimators, and one rule that makes a row of it a loss.

An estimator of a bound and of its gradient is one row: its value, the weights of the theta-gradient, the weights of the
phi-gradient, and whether the score term of log q is kept.

.. math:: \Delta_\theta = \sum_{m,k} a_{mk} \nabla_\theta \log p_\theta(x, z_{mk}), \qquad
          \Delta_\phi = \sum_{m,k} b_{mk} \nabla_\phi \left( \log p_\theta(x, z_{mk}) - \log q(z_{mk} | x) \right)

with reparameterised :math:`z_{mk}(\phi)`. ``TABLE`` holds the rows; the weights below carry no gradient. ``loss`` is a
scalar to scale, to add to, to accumulate, and to take through ``torch.func`` or ``torch.compile``. It has one
derivative: a second one would lack that of the weights and raises ``RuntimeError``, but for elbo, whose weights are
numbers. (A second ``torch.func.grad`` inside one ``torch.compile`` is not seen.) ``torch.func.hessian`` and ``jvp``,
which go forwards, raise PyTorch's ``NotImplementedError``, for elbo too: there take ``torch.func.grad`` twice.

table.py has the rows, rule.py the backward pass that serves each of them, graph.py what is asked of autograd's graph.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.latent import Data, Latent, LatentVariableModel, must_be_one_model
from vaecourse.objectives import graph, rule
from vaecourse.objectives.table import (
    ALPHA,
    BETA,
    TABLE,
    Estimate,
    Objective,
    Parameter,
    get,
    mixed,
    pooled,
    squared,
    tilted,
    uniform,
    within,
)

__all__ = [
    "ALPHA",
    "BETA",
    "TABLE",
    "Estimate",
    "Objective",
    "Parameter",
    "at",
    "backward",
    "estimate",
    "get",
    "loss",
    "mixed",
    "pooled",
    "squared",
    "surrogate",
    "tilted",
    "uniform",
    "within",
]


def loss(
    model: LatentVariableModel,
    x: Data,
    objective: str | Objective,
    M: int,
    K: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Minus the mean over B of the bound, a scalar whose gradient is minus the row's, in nats.

    Shapes: ``[B, ...] -> []``. Raises as ``estimate`` does; a second derivative raises ``RuntimeError``, but for elbo.

    >>> from vaecourse.models import VAE
    >>> model = VAE(data_dim=64, latent_dim=8)
    >>> (0.5 * loss(model, torch.zeros(5, 64), "dreg", M=1, K=16)).backward()
    """
    return estimate(model, x, objective, M, K, generator).loss


def estimate(
    model: LatentVariableModel,
    x: Data,
    objective: str | Objective,
    M: int,
    K: int,
    generator: torch.Generator | None = None,
) -> Estimate:
    r"""``loss`` with the bound ``[B]``, the log-weights ``[M, K, B]`` and the samples z ``[M, K, B, ...]`` behind it.

    Log-weights and bound are at least float32, whatever the model computes in. Raises as ``get`` and the model do;
    ``ValueError`` where the model's log-densities are not ``[M, K, B]``, for a row of one's own whose bound is not
    ``[B]``, and for a row without the score term if the model's log q keeps it, hides it in a checkpoint with
    ``use_reentrant=True``, or does not move with z; ``NotFinite`` for NaN, and for a bound of -inf: that of the elbo
    where a weight is zero, of miwae where all K of a group are, of iwae where all M K of a point are.

    What asks autograd's graph or the numbers holds in eager mode alone, and that of a bound of -inf on a CPU alone, as
    a look at a GPU's numbers would wait for it. Inside ``torch.compile`` and ``torch.func`` a bound is then -inf, and a
    score term that a model forgot to leave out is there: call ``models.check`` once before.
    """
    row = get(objective)
    _is_model(model)
    if torch.compiler.is_compiling() or not isinstance(x, Tensor):
        return at(model, x, row, *model.propose(x, M, K, row.keeps_score, generator), M, K)
    with arguments.explained(model, x):
        return at(model, x, row, *model.propose(x, M, K, row.keeps_score, generator), M, K)


def at(model: LatentVariableModel, x: Data, row: str | Objective, z: Latent, log_q: Tensor, M: int, K: int) -> Estimate:
    """``estimate`` at samples that are drawn already, by ``model.propose`` or ``model.draw``; raises as it does.

    They must be drawn with ``keeps_score=row.keeps_score``. A draw without the score term is taken by a row that keeps
    it: for elbo that is right in the mean, for the others it is not, and log q alone does not tell the two apart.
    """
    row = get(row)
    shape = torch.Size((M, K, len(x) if isinstance(x, Tensor) else log_q.shape[-1]))
    arguments.of_samples("log_q", log_q, *shape)
    graph.must_be_drawn(z, log_q, shape)
    if not row.keeps_score:
        graph.must_have_no_score("model.draw with keeps_score=False", log_q, z)
    seen, passengers = rule.watched(z, shape) if row.turns and not graph.starts_in_float16(z) else (z, ())
    log_p = arguments.of_samples("model.log_joint", model.log_joint(x, seen), *shape)
    if passengers and not graph.goes_through_float16(log_p, seen):
        return rule.estimated(row, log_p, log_q, z, passengers)
    return rule.by_a_second_pass(rule.estimated(row, log_p, log_q, z), row, log_p, seen)


def surrogate(log_p: Tensor, log_q: Tensor, z: Latent, objective: str | Objective) -> Estimate:
    r"""``estimate`` for log-densities that come from anywhere: Pyro, torch.distributions, a loop of your own.

    Arguments:
        log_p: :math:`\log p(x, z_{mk})`, ``[M, K, B]``, computed from this ``z``. Samples must not meet in it.
        log_q: :math:`\log q(z_{mk} | x)`, ``[M, K, B]``. For a row without the score term (stl, dreg) its parameters
            are to be held fixed, so that its gradient flows through z alone; not by ``functional_call`` around a
            ``torch.utils.checkpoint``, which asks it once more when that is over. For the others a log q without a
            gradient is one that phi does not move at fixed noise, such as that of a q of fixed width: nobody sees a
            ``detach``. Nor does anybody see a q whose support moves with phi, such as a Pareto's: stl and dreg are then
            another gradient.
        z: the reparameterised samples ``[M, K, B, ...]``, or a tuple of such.

    A row with b != a (piwae, dreg) costs one more backward pass from log p to z. It needs the z that log p was computed
    from, all of it and nothing that comes before it: not a view or slices of it, not its logarithm, nor what comes with
    log p out of one compiled function. Else it raises ``ValueError``: what is known as a sample is what begins with the
    axes [M, K, B], also folded. Under ``torch.compile`` this pass breaks the graph. Raises as ``estimate`` does, and
    ``ValueError`` for a z without a gradient where log q has one.

    >>> mean = torch.zeros(5, 2, requires_grad=True)
    >>> z = mean + torch.randn(3, 4, 5, 2)
    >>> p, q = torch.distributions.Normal(1.0, 2.0), torch.distributions.Normal(mean.detach(), 1.0)
    >>> surrogate(p.log_prob(z).sum(-1), q.log_prob(z).sum(-1), z, "dreg").loss.backward()
    """
    row = get(objective)
    shape = arguments.tensor("log_p", log_p, "MKB").shape
    arguments.of_samples("log_q", log_q, *shape)
    graph.must_be_drawn(z, log_q, shape)
    if not row.keeps_score:
        graph.must_have_no_score("log_q", log_q, z)
    return rule.by_a_second_pass(rule.estimated(row, log_p, log_q, z), row, log_p, z, is_given=True)


def backward(
    model: LatentVariableModel,
    x: Data,
    objective: str | Objective,
    M: int,
    K: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Fill ``.grad`` of the model with the gradient of ``loss``; return the bound ``[B]``, in nats, detached.

    Gradients add to what is in ``.grad`` already. Raises as ``estimate`` does.

    >>> from vaecourse.models import VAE
    >>> model = VAE(data_dim=64, latent_dim=8)
    >>> backward(model, torch.zeros(5, 64), "piwae", M=4, K=16).shape
    torch.Size([5])
    """
    found = estimate(model, x, objective, M, K, generator)
    found.loss.backward()
    return found.bound


def _is_model(model: object) -> None:
    if not hasattr(model, "propose"):
        inside = " Give its .module, and call this inside its forward." if hasattr(model, "module") else ""
        raise TypeError(
            f"model must be a latent-variable model (vaecourse.latent.LatentVariableModel), got {type(model).__name__}."
            f"{inside}"
        )
    if not torch.compiler.is_compiling():
        must_be_one_model(model)
