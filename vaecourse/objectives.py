r"""The table of estimators, and one rule that makes a row of it a loss.

An estimator of a bound and of its gradient is one row: its value, the weights of the theta-gradient, the weights of the
phi-gradient, and whether the score term of log q is kept.

.. math:: \Delta_\theta = \sum_{m,k} a_{mk} \nabla_\theta \log p_\theta(x, z_{mk}), \qquad
          \Delta_\phi = \sum_{m,k} b_{mk} \nabla_\phi \left( \log p_\theta(x, z_{mk}) - \log q(z_{mk} | x) \right)

with reparameterised :math:`z_{mk}(\phi)`. ``TABLE`` holds the rows; the weights below carry no gradient. ``loss`` is a
scalar to scale, to add to, to accumulate, and to take through ``torch.func`` or ``torch.compile``. It has one
derivative: a second one would lack that of the weights and raises ``RuntimeError``, but for elbo, whose weights are
numbers. (A second ``torch.func.grad`` inside one ``torch.compile`` is not seen.)

**The rule.** One encoder call, one decoder call and one backward pass serve every row, also one with a != b. Samples do
not meet in the decoder, so the gradient that comes back to sample mk is proportional to the weight sent out with it. It
leaves ``_Loss`` with a, which theta gets. On its way to phi it passes ``_Seen``, where it is multiplied by b / a: this
ratio is what ``_Loss`` sends back along ``passenger``, a tensor of zeros that joins the two and has no other use.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from vaecourse import arguments, bounds
from vaecourse.latent import Data, Latent, LatentVariableModel, each_part


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
    ``ValueError`` where the model's log-densities are not ``[M, K, B]``, for a point or a group whose weights are all
    zero, and for a row without the score term if the model's log q keeps it, hides it in a checkpoint with
    ``use_reentrant=True``, or does not move with z; ``NotFinite`` for NaN.
    """
    row = get(objective)
    _is_model(model)
    if torch.compiler.is_compiling() or not isinstance(x, Tensor):
        return at(model, x, row, *model.propose(x, M, K, row.keeps_score, generator), M, K)
    with arguments.told(model, x):
        return at(model, x, row, *model.propose(x, M, K, row.keeps_score, generator), M, K)


def at(model: LatentVariableModel, x: Data, row: str | Objective, z: Latent, log_q: Tensor, M: int, K: int) -> Estimate:
    """``estimate`` at samples that are drawn already, by ``model.propose`` or ``model.draw``; raises as it does.

    They must be drawn with ``keeps_score=row.keeps_score``. A draw without the score term is taken by a row that keeps
    it: for elbo that is right in the mean, for the others it is not, and log q alone does not tell the two apart.
    """
    row = get(row)
    shape = torch.Size((M, K, len(x) if isinstance(x, Tensor) else log_q.shape[-1]))
    arguments.of_samples("log_q", log_q, *shape)
    _drawn(z, log_q, shape)
    if not row.keeps_score:
        _no_score("model.draw with keeps_score=False", log_q, z)
    seen, passengers = _watched(z, shape) if row.turns and not _in_float16(z) else (z, ())
    log_p = arguments.of_samples("model.log_joint", model.log_joint(x, seen), *shape)
    if passengers and not _through_float16(log_p, seen):
        return _estimate(row, log_p, log_q, z, passengers)
    return _by_a_second_pass(_estimate(row, log_p, log_q, z), row, log_p, seen)


def surrogate(log_p: Tensor, log_q: Tensor, z: Latent, objective: str | Objective) -> Estimate:
    r"""``estimate`` for log-densities that come from anywhere: Pyro, torch.distributions, a loop of your own.

    Arguments:
        log_p: :math:`\log p(x, z_{mk})`, ``[M, K, B]``, computed from this ``z``. Samples must not meet in it.
        log_q: :math:`\log q(z_{mk} | x)`, ``[M, K, B]``. For a row without the score term (stl, dreg) its parameters
            are to be held fixed, so that its gradient flows through z alone. For the others a log q without a gradient
            is one that phi does not move at fixed noise, such as that of a q of fixed width: nobody sees a ``detach``.
        z: the reparameterised samples ``[M, K, B, ...]``, or a tuple of such.

    A row with b != a (piwae, dreg) costs one more backward pass from log p to z. It needs the z that log p was computed
    from, not a view of it nor what comes with log p out of one compiled function: else it raises ``ValueError``. Under
    ``torch.compile`` this pass breaks the graph. Raises as ``estimate`` does, and ``ValueError`` for a z without a
    gradient where log q has one.

    >>> mean = torch.zeros(5, 2, requires_grad=True)
    >>> z = mean + torch.randn(3, 4, 5, 2)
    >>> p, q = torch.distributions.Normal(1.0, 2.0), torch.distributions.Normal(mean.detach(), 1.0)
    >>> surrogate(p.log_prob(z).sum(-1), q.log_prob(z).sum(-1), z, "dreg").loss.backward()
    """
    row = get(objective)
    shape = arguments.tensor("log_p", log_p, "MKB").shape
    arguments.of_samples("log_q", log_q, *shape)
    _drawn(z, log_q, shape)
    if not row.keeps_score:
        _no_score("log_q", log_q, z)
    return _by_a_second_pass(_estimate(row, log_p, log_q, z), row, log_p, z, is_given=True)


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


class _Seen(Function):
    """z as the decoder sees it, and a passenger; backwards, z's gradient times what comes back for the passenger."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        return z.view_as(z), z.new_zeros(shape, dtype=torch.promote_types(z.dtype, torch.float32))

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: Any) -> None:
        context.set_materialize_grads(False)

    @staticmethod
    def backward(context: Any, gradient: Tensor | None, ratio: Tensor | None) -> tuple[Tensor | None, None]:
        if gradient is None or ratio is None:
            return gradient, None
        return (_beside(ratio, gradient) * gradient).to(gradient.dtype), None


class _Loss(Function):
    """Minus the mean bound; backwards, -a / B to log p, b / B to log q, and b / a to the passengers."""

    generate_vmap_rule = True

    @staticmethod
    def forward(log_p: Tensor, log_q: Tensor, bound: Tensor, *others: Any) -> Tensor:
        return -bound.mean()

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        log_p, log_q, _, a, b, context.constant, *passengers = inputs
        context.save_for_backward(a, b, log_p, log_q)
        context.passengers = len(passengers)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b, log_p, log_q = context.saved_tensors
        if torch.is_grad_enabled() and not context.constant:  # create_graph=True
            moves = _Once.apply(log_p, log_q)
            a, b = a + moves, b + moves
        scale = gradient / a.shape[-1]
        ratios = [b / a] * context.passengers if context.passengers else []
        return (-scale * a).to(log_p.dtype), (scale * b).to(log_q.dtype), None, None, None, None, *ratios


class _Once(Function):
    """A zero that stands for how the weights move with log p and log q; backwards, a refusal: they are held fixed."""

    generate_vmap_rule = True

    @staticmethod
    def forward(log_p: Tensor, log_q: Tensor) -> Tensor:
        return torch.zeros_like(log_p - log_q)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[None, None]:
        raise RuntimeError(
            "this loss can be differentiated once: its weights are held fixed, so a second derivative would lack "
            "theirs. Differentiate the bound itself twice, such as bounds.iwae(log_p - log_q).mean()."
        )


def _estimate(row: Objective, log_p: Tensor, log_q: Tensor, z: Latent, passengers: tuple[Tensor, ...] = ()) -> Estimate:
    wide = arguments.at_least_float32
    log_w = arguments.log_weights(wide(log_p.detach()) - wide(log_q.detach()))
    _some_weight(log_w)
    with contextlib.nullcontext() if torch.compiler.is_compiling() else arguments.looked_at():
        bound, (a, b) = row.value(log_w), _weights(row, log_w)
    if passengers:  # so that b / a is finite where a underflows: it changes no sum
        a = torch.where(a.abs() < 1e-20, torch.full_like(a, 1e-20).copysign(a), a)
    minus_mean = _Loss.apply(log_p, log_q, bound, a, b, row.theta is uniform and not row.turns, *passengers)
    return Estimate(minus_mean, bound, log_w, each_part(z, Tensor.detach))


def _weights(row: Objective, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """a and b."""
    a = row.theta(log_w, **row.parameters)
    b = row.phi(log_w, **row.parameters) if row.turns else a.view_as(a)  # torch.compile wants another tensor
    for weights in (a, b):
        if weights.shape != log_w.shape:
            raise ValueError(
                f"the weights of {row.name!r} must be {list(log_w.shape)}, one for each sample, got "
                f"{list(weights.shape)}."
            )
    return a, b


def _watched(z: Latent, shape: torch.Size) -> tuple[Latent, tuple[Tensor, ...]]:
    """z for the decoder, and the passengers that bring b / a back to it."""
    if not isinstance(z, tuple):
        seen, passenger = _Seen.apply(z, shape)
        return seen, (passenger,)
    pairs = [_Seen.apply(part, shape) for part in z]
    return tuple(seen for seen, _ in pairs), tuple(passenger for _, passenger in pairs)


def _beside(weights: Tensor, z: Tensor) -> Tensor:
    """``[M, K, B]`` with as many axes of length 1 behind it as ``z [M, K, B, ...]`` has."""
    return weights.reshape(*weights.shape, *[1] * (z.dim() - weights.dim()))


def _is_model(model: object) -> None:
    if not hasattr(model, "propose"):
        inside = " Give its .module, and call this inside its forward." if hasattr(model, "module") else ""
        raise TypeError(
            f"model must be a latent-variable model (vaecourse.latent.LatentVariableModel), got {type(model).__name__}."
            f"{inside}"
        )


def _parts(z: Latent) -> tuple[Tensor, ...]:
    return z if isinstance(z, tuple) else (z,)


def _drawn(z: Latent, log_q: Tensor, shape: torch.Size) -> None:
    """Refuse a z that does not begin with [M, K, B], and one that does not move with phi as log q does."""
    for part in _parts(z):
        if not isinstance(part, Tensor):
            raise TypeError(f"z must be a torch.Tensor, or a tuple of several, got {type(part).__name__}.")
        if part.shape[:3] != shape:
            raise ValueError(f"z must begin with the axes [M, K, B] = {list(shape)}, got shape {list(part.shape)}.")
        if log_q.requires_grad and not part.requires_grad:
            raise ValueError(
                "z must carry the gradient of phi (rsample, not sample), got a z without, beside a log q that has one. "
                "For samples that cannot be reparameterised see gradients.score_function."
            )


def _in_float16(z: Latent) -> bool:
    """Whether a decoder starts in float16, where a weight below 6e-8 is 0 and b / a has nothing left to multiply."""
    (first, *_) = _parts(z)
    kind = first.device.type
    autocast = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    return autocast or first.dtype == torch.float16


def _through_float16(log_p: Tensor, z: Latent) -> bool:
    """Whether autograd's graph shows float16 between z and log p, as of a network with an autocast of its own."""
    if not arguments.is_concrete(log_p):
        return False
    nodes = _nodes(log_p, {part.grad_fn for part in _parts(z)})
    return any(made.dtype is torch.float16 for node in nodes for made in node._input_metadata)


def _by_a_second_pass(found: Estimate, row: Objective, log_p: Tensor, z: Latent, is_given: bool = False) -> Estimate:
    """The loss, which leaves with a for theta and phi alike, and what phi lacks: (b - a) along z, by a pass of its own.

    Needs no b / a, and is right also where samples meet. Costs one more backward pass from log p to z. A log p that
    ``is_given`` may have been computed from another z: then there is no slope, or only a part of it.
    """
    moving = [part for part in _parts(z) if part.requires_grad]
    if not (row.turns and moving and torch.is_grad_enabled()):
        return found
    a, b = _weights(row, found.log_w)
    slopes: tuple[Tensor | None, ...] = (None,) * len(moving)
    if log_p.requires_grad:
        slopes = torch.autograd.grad(log_p, moving, (b - a).to(log_p.dtype), retain_graph=True, allow_unused=True)
    if is_given and (any(slope is None for slope in slopes) or _passes_by(log_p, moving)):
        raise ValueError(
            "log_p must be computed from this z, from each part of it, and not from what it is a view of, nor together "
            "with it in one compiled function: this objective has weights of its own for phi, which go along z."
        )
    loss = found.loss
    for part, slope in zip(moving, slopes):
        if slope is not None:
            loss = loss - (slope.to(loss.dtype) * (part - part.detach())).sum() / log_p.shape[-1]
    return found._replace(loss=loss)


def _passes_by(log_p: Tensor, parts: list[Tensor]) -> bool:
    """Whether log p also hangs on what a part of z is a view of."""
    if not arguments.is_concrete(log_p):
        return False
    views = [list(_same_numbers(part)) for part in parts]
    before = {node for view in views for node in view[1:]}
    return bool(before) and any(node in before for node in _nodes(log_p, {view[0] for view in views if view}))


def _some_weight(log_w: Tensor) -> None:
    """Refuse a group of K samples whose weights are all 0: its bound is -inf, and has no gradient."""
    if arguments.is_concrete(log_w) and log_w.device.type == "cpu":  # a look at a GPU's numbers would wait for it
        dead = log_w.amax(1) == -math.inf
        if dead.any():
            m, b = dead.nonzero()[0].tolist()
            raise arguments.NotFinite(
                f"log_w is -inf for all K samples of point {b} (m = {m}): the bound is -inf and has no gradient. "
                "q puts no sample where p(x, z) > 0, or log p(x, z) underflows."
            )


RESHAPES = {
    "View",
    "UnsafeView",
    "ReshapeAlias",
    "Alias",
    "Permute",
    "Transpose",
    "T",
    "Unsqueeze",
    "Squeeze",
    "Expand",
}


def _same_numbers(z: Tensor) -> Iterator[Any]:
    """The node that made z, and those before it that made the same numbers in another shape."""
    node: Any = z.grad_fn
    while node is not None:
        yield node
        is_reshape = re.sub(r"Backward\d*$", "", node.name()) in RESHAPES
        node = node.next_functions[0][0] if is_reshape else None


def _nodes(end: Tensor, until: set[Any]) -> Iterator[Any]:
    """The nodes of autograd's graph behind a tensor, but for those of ``until`` and what is behind these alone."""
    known, waiting = until | {None}, list[Any]([end.grad_fn])
    for node in waiting:  # which grows
        if node not in known:
            known.add(node)
            yield node
            for following, _ in node.next_functions:
                waiting.append(following)


def _no_score(name: str, log_q: Tensor, z: Latent) -> None:
    """Refuse a log q that reaches a leaf of autograd's graph beside z: then its score term is still there."""
    parts = _parts(z)
    if torch.is_grad_enabled() and any(part.requires_grad for part in parts) and not log_q.requires_grad:
        raise ValueError(
            f"{name} must move with z, got a log q without a gradient: hold only the parameters of q fixed, not z."
        )
    if not arguments.is_concrete(log_q):
        return
    for node in _nodes(log_q, {node for part in parts for node in _same_numbers(part)}):
        if node.name().startswith("CheckpointFunction"):
            raise ValueError(
                f"{name} must not go through a torch.utils.checkpoint with use_reentrant=True, which asks q once more "
                "on the way back, when its parameters are not held fixed: compute log q without it for this objective."
            )
        if hasattr(node, "variable") and not any(node.variable is part for part in parts):
            raise ValueError(
                f"{name} must hold the parameters of q fixed, so that log q moves with z alone: this objective has no "
                "score term, and with it the gradient would be another one."
            )
