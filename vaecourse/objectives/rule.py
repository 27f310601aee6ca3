r"""How a row becomes a loss: one encoder call, one decoder call and one backward pass, also for a row with a != b.

Samples do not meet in the decoder, so the gradient that comes back to sample mk is proportional to the weight sent out
with it. It leaves ``_Loss`` with a, which theta gets. On its way to phi it passes ``_Seen``, where it is multiplied by
b / a: this ratio is what ``_Loss`` sends back along ``passenger``, a tensor of zeros that joins the two and has no use
else. Where b / a is of no use, as in float16, phi gets what it lacks by a second pass.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from vaecourse import arguments
from vaecourse.latent import Latent, each_part, parts
from vaecourse.objectives import graph
from vaecourse.objectives.table import Estimate, Objective, uniform


def estimated(row: Objective, log_p: Tensor, log_q: Tensor, z: Latent, passengers: tuple[Tensor, ...] = ()) -> Estimate:
    wide = arguments.at_least_float32
    log_w = arguments.log_weights(wide(log_p.detach()) - wide(log_q.detach()))
    with contextlib.nullcontext() if torch.compiler.is_compiling() else arguments.looked_at():
        bound, (a, b) = _bound(row, log_w), _weights(row, log_w)
    if passengers:  # so that b / a is finite where a underflows: it changes no sum
        a = torch.where(a.abs() < 1e-20, torch.full_like(a, 1e-20).copysign(a), a)
    minus_mean = _Loss.apply(log_p, log_q, bound, a, b, row.theta is uniform and not row.turns, *passengers)
    return Estimate(minus_mean, bound, log_w, each_part(z, Tensor.detach))


def _bound(row: Objective, log_w: Tensor) -> Tensor:
    """What a row's bound says, if it is a number for each point; on a CPU, if it is finite, so that it has a gradient.

    A look at a GPU's numbers would wait for it.
    """
    bound = row.value(log_w)
    if not isinstance(bound, Tensor) or bound.shape != log_w.shape[2:]:
        got = list(bound.shape) if isinstance(bound, Tensor) else type(bound).__name__
        raise ValueError(
            f"the bound of {row.name!r} must give one number for each point, [B] = {list(log_w.shape[2:])}, got {got}."
        )
    if arguments.is_concrete(bound) and bound.device.type == "cpu" and not math.isfinite(bound.detach().sum()):
        _say_why(row, log_w, bound)
    return bound


def _say_why(row: Objective, log_w: Tensor, bound: Tensor) -> None:
    """Which weights of zero make a bound -inf."""
    point = int(bound.isfinite().logical_not().nonzero()[0])
    zero, value = log_w[:, :, point] == -math.inf, bound[point].item()  # [M, K]
    if (dead := zero.all(1)).any():
        which = f"log_w is -inf for all K samples of point {point} (m = {int(dead.nonzero()[0])})"
    elif zero.any():
        which = "log_w is -inf for a sample of point {} (m = {}, k = {})".format(point, *zero.nonzero()[0].tolist())
    else:
        raise arguments.NotFinite(
            f"the bound of {row.name!r} is {value:g} for point {point}, whose weights are finite."
        )
    raise arguments.NotFinite(
        f"{which}: the bound of {row.name!r} is {value:g} and has no gradient. q puts no sample where p(x, z) > 0, or "
        "log p(x, z) underflows."
    )


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


def by_a_second_pass(found: Estimate, row: Objective, log_p: Tensor, z: Latent, is_given: bool = False) -> Estimate:
    """The loss, which leaves with a for theta and phi alike, and what phi lacks: (b - a) along z, by a pass of its own.

    Needs no b / a, and is right also where samples meet. Costs one more backward pass from log p to z. A log p that
    ``is_given`` may have been computed from another z: then there is no slope, or only a part of it.
    """
    moving = [part for part in parts(z) if part.requires_grad]
    if not (row.turns and moving and torch.is_grad_enabled()):
        return found
    a, b = _weights(row, found.log_w)
    slopes: tuple[Tensor | None, ...] = (None,) * len(moving)
    if log_p.requires_grad:
        slopes = torch.autograd.grad(log_p, moving, (b - a).to(log_p.dtype), retain_graph=True, allow_unused=True)
    if is_given and (any(slope is None for slope in slopes) or graph.passes_by(log_p, moving, log_p.shape)):
        raise ValueError(
            "log_p must be computed from this z, from each part of it, and not from what it is a view or a function "
            "of, nor together with it in one compiled function: this objective has weights of its own for phi, which "
            "go along z. Give the z, or the tuple, that all of log p is computed from."
        )
    loss = found.loss
    for part, slope in zip(moving, slopes):
        if slope is not None:
            loss = loss - (slope.to(loss.dtype) * (part - part.detach())).sum() / log_p.shape[-1]
    return found._replace(loss=loss)


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
        return (beside(ratio, gradient) * gradient).to(gradient.dtype), None


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
            moves = Once.apply(log_p, log_q)
            a, b = a + moves, b + moves
        scale = gradient / a.shape[-1]
        ratios = [b / a] * context.passengers if context.passengers else []
        return (-scale * a).to(log_p.dtype), (scale * b).to(log_q.dtype), None, None, None, None, *ratios


class Once(Function):
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


def watched(z: Latent, shape: torch.Size) -> tuple[Latent, tuple[Tensor, ...]]:
    """z for the decoder, and the passengers that bring b / a back to it."""
    if not isinstance(z, tuple):
        seen, passenger = _Seen.apply(z, shape)
        return seen, (passenger,)
    pairs = [_Seen.apply(part, shape) for part in z]
    return tuple(seen for seen, _ in pairs), tuple(passenger for _, passenger in pairs)


def beside(weights: Tensor, z: Tensor) -> Tensor:
    """``[M, K, B]`` with as many axes of length 1 behind it as ``z [M, K, B, ...]`` has."""
    return weights.reshape(*weights.shape, *[1] * (z.dim() - weights.dim()))
