"""Families of distributions, where anything with ``log_prob`` may be one: what they hold, and how they are asked."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.distributions import Distribution, Independent, Transform, TransformedDistribution, Uniform, constraints

from vaecourse import arguments
from vaecourse.latent import Data, Latent, parts
from vaecourse.objectives import graph
from vaecourse.objectives.rule import Once, beside

TORCHS = "torch.distributions"
HALF = "dtype", "scalar type", "BFloat16", "Half"  # one of these is in what PyTorch says of two types in one product


def asked_at(family: Any, autocast: str | None) -> Any:
    """The family in float32, if its tensors were half: whole under autocast, else one of torch.distributions alone.

    A family of one's own outside autocast belongs to a model that is half as a whole, whose networks know no other z.
    """
    return family if autocast is None and not _is_torchs(family) else in_float32(family)


def _is_torchs(family: Any) -> bool:
    """Whether a family is of torch.distributions alone."""
    return all(type(one).__module__.startswith(TORCHS) for one in within(family))


def as_numbers(family: Any, x: Data, dtype: torch.dtype) -> Data:
    """Whole numbers in this type, for torch.distributions: its lgamma(x + 1) of a 255 in uint8 is that of 0."""
    whole = isinstance(x, Tensor) and not x.is_floating_point() and not x.is_complex()
    return x.to(dtype) if whole and _is_torchs(family) else x


def without(autocast: str | None, compute: Callable[..., Any], *given: Any) -> Any:
    """``compute`` without the autocast of this kind of device; what a network in it is given must be float32, then."""
    if autocast is None:
        return compute(*given)
    try:
        with torch.autocast(autocast, enabled=False):
            return compute(*given)
    except RuntimeError as failure:
        if not any(word in str(failure) for word in HALF):
            raise
        raise TypeError(
            "z, log q and log p(z) are computed in float32 under autocast, and here a network is asked for them at a "
            f"tensor of half precision that its distribution holds: give it .float() first. PyTorch says: {failure}"
        ) from failure


def within(family: Any, depth: int = 9) -> list[Any]:
    """A family, and the distributions and transforms that it is made of."""
    if isinstance(family, list | tuple):
        return [one for each in family for one in within(each, depth)]
    if depth == 0 or not _is_family(family):
        return []
    held = [] if isinstance(family, nn.Module) else family.__dict__.values()
    return [family, *(one for value in held for one in within(value, depth - 1))]


def _is_family(of: Any) -> bool:
    known = isinstance(of, Distribution | Transform)
    return known or not isinstance(of, Tensor) and hasattr(of, "log_prob") and hasattr(of, "__dict__")


def in_float32(of: Any, depth: int = 9) -> Any:
    """The same with float32 in place of what is half, in all that it holds but modules; itself if nothing is half."""
    if isinstance(of, Tensor):
        return arguments.at_least_float32(of) if of.is_floating_point() else of
    if isinstance(of, nn.Module) or depth == 0:
        return of
    if isinstance(of, functools.partial):
        func, args, more = made = in_float32([of.func, of.args, list(of.keywords.values())], depth - 1)
        same = func is of.func and args is of.args and _same(of.keywords.values(), made[2])
        return of if same else functools.partial(func, *args, **dict(zip(of.keywords, more)))
    if type(of) in (list, tuple):
        several = [in_float32(value, depth - 1) for value in of]
        return of if _same(of, several) else type(of)(several)
    if not _is_family(of):
        return of
    held = {name: value for name, value in of.__dict__.items() if name != "_cached_x_y"}
    several = [in_float32(value, depth - 1) for value in held.values()]
    return of if _same(held.values(), several) else _with(of, dict(zip(held, several)))


def _with(family: Any, held: dict[str, Any]) -> Any:
    """A family of the same class that holds this."""
    again = object.__new__(type(family))
    again.__dict__.update(held)
    if isinstance(family, Transform):
        again.__dict__["_cached_x_y"] = (None, None)
        if not isinstance(held.get("_inv"), Transform):
            again.__dict__["_inv"] = None  # a weak reference to an inverse that is half still
    return again


def _same(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(one is other for one, other in zip(some, others))


def log_prob_at_fixed(family: Any, z: Latent) -> Tensor:
    """log q(z) that moves with z alone, with all else held fixed, whatever the family is made of.

    Its slope along z is taken here, so samples must not meet in it. Shapes: ``[M, K, B, ...] -> [M, K, B]``.
    """
    drawn = parts(z)
    if not (torch.is_grad_enabled() and any(part.requires_grad for part in drawn)):
        log_q: Tensor = family.log_prob(z)
        return log_q
    as_z = lambda leaves: leaves if isinstance(z, tuple) else leaves[0]
    if all(map(arguments.is_concrete, drawn)):
        drawn = tuple(part for part in drawn if part.requires_grad)  # a part without is refused later
        leaves = tuple(part.detach().requires_grad_(part.requires_grad) for part in parts(z))
        log_q = family.log_prob(as_z(leaves))
        slopes = _slopes(log_q, [leaf for leaf in leaves if leaf.requires_grad])
    else:

        def total(*leaves: Tensor) -> tuple[Tensor, Tensor]:
            found = family.log_prob(as_z(leaves))
            return found.sum(), found

        of_each = torch.func.grad(total, tuple(range(len(drawn))), has_aux=True)
        slopes, log_q = of_each(*(part.detach() for part in drawn))
    moving = [(slope.detach(), part) for slope, part in zip(slopes, drawn) if slope is not None]
    if not moving:
        return log_q.detach()
    along: Tensor = Along.apply(log_q.detach(), *[slope for slope, _ in moving], *[part for _, part in moving])
    return along


def _slopes(log_q: Tensor, leaves: list[Tensor]) -> tuple[Tensor | None, ...]:
    if not log_q.requires_grad:
        return (None,) * len(leaves)
    try:
        return torch.autograd.grad(log_q.sum(), leaves, allow_unused=True)
    except RuntimeError as failure:
        if not graph.is_of_checkpoint(failure):
            raise
        raise ValueError(
            "posterior must not go through a torch.utils.checkpoint with use_reentrant=True on the way from z to log "
            "q, which can be asked for all gradients at once and not for that of z: give use_reentrant=False."
        ) from failure


class Along(Function):
    """log q as it is; backwards, what comes in times each slope, for the z of that slope. It has one derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(log_q: Tensor, *slopes_and_z: Tensor) -> Tensor:
        return log_q.view_as(log_q)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: Any) -> None:
        context.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = context.saved_tensors
        slopes, z = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        if torch.is_grad_enabled():  # create_graph=True
            slopes = [slope + Once.apply(part, slope) for slope, part in zip(slopes, z)]
        found = ((beside(gradient, slope) * slope).to(part.dtype) for slope, part in zip(slopes, z))
        return None, *(None for _ in slopes), *found


def passes_straight_through(family: Any) -> str | None:
    """The name of a distribution in it whose ``rsample`` has a biased gradient, as that of a discrete z must."""
    return next((type(one).__name__ for one in within(family) if "StraightThrough" in type(one).__name__), None)


def must_have_a_fixed_support(family: Any) -> None:
    """Refuse a family whose support moves with what is learned: the mean of its score is not 0, then."""
    if moving := next((type(one).__name__ for one in within(family) if _moves(one)), None):
        raise ValueError(
            f"posterior must have a support that does not move with phi, got {moving}, whose edge is made of its "
            "parameters: its score term has another mean than 0, and this objective, which leaves it out, another "
            "gradient. Take iwae or piwae."
        )


def _moves(one: Any) -> bool:
    """Whether an edge of the support moves with a parameter."""
    edges = (edge for edge in _edges(one) if isinstance(edge, Tensor) and edge.requires_grad)
    return any(_has_slope(edge) for edge in edges if arguments.is_concrete(edge))


def _edges(one: Any) -> list[Any]:
    """The edges of a distribution's support; of a transformed one, whose class says nothing, those of its base, moved.

    An edge of the base at which its density has fallen to 0 makes none.
    """
    if type(one) is not TransformedDistribution:
        support = None
        with contextlib.suppress(NotImplementedError):  # a distribution, such as a flow, need not say its support
            support = one.support if isinstance(one, Distribution) else None
        return [edge for name in ("lower_bound", "upper_bound") if (edge := getattr(support, name, None)) is not None]
    base = one.base_dist
    while isinstance(base, Independent):
        base = base.base_dist
    edges = [torch.as_tensor(edge) for edge in _edges(base) if _has_density(base, edge)]
    with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):  # a transform of several entries together
        for transform in one.transforms:
            edges = [transform(edge) for edge in edges if not _goes_to_infinity(transform, edge)]
        return edges + _squashed(base, one.transforms)
    return []


FAR = 1e8  # in a tail: there a normal of any scale has fallen below what a sigmoid or an exponential makes denser


def _squashed(base: Any, transforms: Iterable[Transform]) -> list[Tensor]:
    """The edges that PyTorch's transforms make of a base without one, a sigmoid for example, if there is density.

    There is where the base has a tail as heavy as a Laplace's of scale 1, and none in that of a normal.
    """
    on_the_line = isinstance(base, Distribution) and isinstance(base.support, type(constraints.real))
    if not on_the_line or not all(type(one).__module__.startswith(TORCHS) for one in transforms):
        return []
    with contextlib.suppress(RuntimeError, ValueError, TypeError, NotImplementedError):  # as where edges are moved
        return [edge for far in (-FAR, FAR) if (edge := _end(base, transforms, far)) is not None]
    return []


def _end(base: Distribution, transforms: Iterable[Transform], far: float) -> Tensor | None:
    """Where transforms take a tail of the base; None if they take it on and on, or if there is no density."""
    log_density = base.log_prob(torch.tensor(far, dtype=torch.float64, device="cpu"))
    at, further = (torch.full_like(log_density.detach(), far * times) for times in (1, 2))
    for transform in transforms:
        before, at, further = at, transform(at), transform(further)
        log_density = log_density - transform.log_abs_det_jacobian(before, at)
    stays = bool((at.isfinite() & (at == further)).all())
    return at if stays and bool((log_density > -100).any()) else None


def _goes_to_infinity(transform: Transform, edge: Tensor) -> bool:
    """Whether an edge is where a transform of a part of the line onto all of it, such as a logit, has no number."""
    ends = [getattr(transform.domain, name, None) for name in ("lower_bound", "upper_bound")]
    onto_all = not hasattr(transform.codomain, "lower_bound") and not hasattr(transform.codomain, "upper_bound")
    return onto_all and any(end is not None and bool((edge == torch.as_tensor(end)).all()) for end in ends)


def _has_density(base: Distribution, edge: Any) -> bool:
    if isinstance(base, Uniform):  # whose upper edge is outside, as PyTorch counts
        return True
    with contextlib.suppress(RuntimeError, ValueError, NotImplementedError), torch.no_grad():
        at_edge = base.log_prob(torch.as_tensor(edge).expand(base.batch_shape))
        return bool((at_edge > -math.inf).any())
    return True


def _has_slope(edge: Tensor) -> bool:
    leaves = graph.leaves(edge)
    slopes = torch.autograd.grad(edge.sum(), leaves, retain_graph=True, allow_unused=True)
    return any(slope is not None and bool((slope.abs() > 0).any()) for slope in slopes)


def must_be_trained(name: str, family: Any, model: nn.Module) -> None:
    """Refuse a family, no module itself, that holds a parameter which is not the model's: nothing would train it."""
    if isinstance(family, nn.Module):
        return
    mine = {id(parameter) for parameter in model.parameters()}
    held = [one for part in within(family) for one in part.__dict__.values()]
    several = [leaf for one in held if isinstance(one, Tensor) for leaf in graph.leaves(one)]
    several += [parameter for one in held if isinstance(one, nn.Module) for parameter in one.parameters()]
    if any(id(one) not in mine for one in several if one.requires_grad):
        raise ValueError(
            f"{name} must be a module if it learns, got {type(family).__name__}, which is none and holds a parameter: "
            "it would be in no optimiser, in no checkpoint, and in neither theta nor phi. Give a module with this "
            "parameter whose forward() returns the distribution."
        )
