"""What autograd's graph tells of log p, log q and z: what they come from, and whether the score term is still there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.latent import Latent, parts


def must_be_drawn(z: Latent, log_q: Tensor, shape: torch.Size) -> None:
    """Refuse a z that does not begin with [M, K, B], and one that does not move with phi as log q does."""
    for part in parts(z):
        if not isinstance(part, Tensor):
            raise TypeError(f"z must be a torch.Tensor, or a tuple of several, got {type(part).__name__}.")
        if part.shape[:3] != shape:
            raise ValueError(f"z must begin with the axes [M, K, B] = {list(shape)}, got shape {list(part.shape)}.")
        if log_q.requires_grad and not part.requires_grad:
            raise ValueError(
                "z must carry the gradient of phi (rsample, not sample), got a z without, beside a log q that has one. "
                "For samples that cannot be reparameterised see gradients.score_function."
            )


def must_have_no_score(name: str, log_q: Tensor, z: Latent) -> None:
    """Refuse a log q that reaches a leaf of autograd's graph beside z: then its score term is still there."""
    drawn = parts(z)
    if torch.is_grad_enabled() and any(part.requires_grad for part in drawn) and not log_q.requires_grad:
        raise ValueError(
            f"{name} must move with z, got a log q without a gradient. Either z is held fixed in it: hold only the "
            "parameters of q fixed. Or it is flat in z, as that of a uniform q is: its support moves with phi, so its "
            "score term has another mean than 0 and this objective, which leaves it out, another gradient: take iwae."
        )
    if not arguments.is_concrete(log_q):
        return
    same = {node for part in drawn for node in same_numbers(part)}
    between = list(nodes(log_q, same))
    for node in between:
        if node.name().startswith("CheckpointFunction"):
            raise ValueError(
                f"{name} must not go through a torch.utils.checkpoint with use_reentrant=True, which asks q once more "
                "on the way back, when its parameters are not held fixed: compute log q without it for this objective."
            )
        if hasattr(node, "variable") and not any(node.variable is part for part in drawn):
            if passes_by(log_q, [part for part in drawn if part.grad_fn], log_q.shape):
                raise ValueError(
                    f"{name} must be computed from this z, from each part of it, and not from what it is a view or a "
                    "function of: give the z, or the tuple, that all of it is computed from."
                )
            raise ValueError(
                f"{name} must hold the parameters of q fixed, and x where a network made it, so that log q moves with "
                "z alone: this objective has no score term, and with it the gradient would be another one."
            )
    if log_q.requires_grad and log_q.grad_fn in same:
        raise ValueError(
            f"{name} must be computed from this z, and not come with it out of one function, as a compiled one: "
            "compute it from z outside of that."
        )
    if log_q.requires_grad:
        _each_part_moves(name, drawn, between)


def _each_part_moves(name: str, drawn: tuple[Tensor, ...], between: list[Any]) -> None:
    """Refuse a log q that hangs on some parts of z alone; ``between`` are the nodes from log q to z."""
    reached = {behind for node in between for behind, _ in node.next_functions}
    leaf = {id(node.variable) for node in between if hasattr(node, "variable")}
    for number, part in enumerate(drawn):
        moves = id(part) in leaf if part.is_leaf else not reached.isdisjoint(same_numbers(part))
        if part.requires_grad and not moves:
            raise ValueError(
                f"{name} must move with each part of z, got one that does not move with part {number} of "
                f"{len(drawn)}. Either that part is held fixed in it: hold only the parameters of q fixed. Or it is "
                "flat there, as that of a uniform q is, and this objective, which leaves the score term out, has "
                "another gradient: take iwae."
            )


def starts_in_float16(z: Latent) -> bool:
    """Whether a decoder starts in float16, where a weight below 6e-8 is 0 and b / a has nothing left to multiply."""
    (first, *_) = parts(z)
    kind = first.device.type
    autocast = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    return autocast or first.dtype == torch.float16


def goes_through_float16(log_p: Tensor, z: Latent) -> bool:
    """Whether autograd's graph shows float16 between z and log p, as of a network with an autocast of its own.

    Or an ``autograd.Function`` of one's own, whose inside is not in the graph.
    """
    if not arguments.is_concrete(log_p):
        return False
    between = nodes(log_p, {part.grad_fn for part in parts(z)})
    return any(_hides(node) or any(made.dtype is torch.float16 for made in node._input_metadata) for node in between)


def _hides(node: Any) -> bool:
    function = getattr(type(node), "_forward_cls", None)
    return function is not None and not function.__module__.startswith(("torch.", "vaecourse."))


def passes_by(log_p: Tensor, drawn: list[Tensor], shape: torch.Size) -> bool:
    """Whether log p hangs on what z is made of, beside z: on a sample before its last step, or on what it is a part of.

    What has no samples' axes yet may be in both: a network's features, or parameters that q and p share.
    """
    if not arguments.is_concrete(log_p) or shape[0] * shape[1] == 1:
        return False
    through = {(part.grad_fn, part.output_nr) for part in drawn}
    before = {node for part in drawn for node in nodes(part, set()) if _is_of_samples(node, shape)}
    before |= {node for part in drawn for node in views_of(part)}
    return any(node in before for node in nodes(log_p, set(), through))


def _is_of_samples(node: Any, shape: torch.Size) -> bool:
    """Whether what a node made begins with the axes [M, K, B], or with these folded."""
    M, K, B = shape
    folded = (M, K, B), (M * K, B), (M, K * B), (M * K * B,)
    return any(tuple(made.shape[: len(axes)]) == axes for made in node._input_metadata for axes in folded)


def is_of_checkpoint(failure: RuntimeError) -> bool:
    """Whether a checkpoint with use_reentrant=True says that it cannot give the gradient of one tensor alone."""
    return "checkpoint" in str(failure).lower() and ".grad()" in str(failure)


RESHAPES = "View UnsafeView ReshapeAlias Alias Permute Transpose T Unsqueeze Squeeze Expand Clone Contiguous".split()
PIECES = "Split SplitWithSizes Slice Select Unbind Diagonal Unfold AsStrided Narrow Chunk ViewAsReal Values".split()
"""What gives a view, as ``torch.Tensor._is_view`` has it: of all numbers in another shape, and of some of them."""


def same_numbers(z: Tensor) -> Iterator[Any]:
    """The node that made z, and those before it that made the same numbers in another shape."""
    return _chain(z, RESHAPES)


def views_of(z: Tensor) -> set[Any]:
    """The nodes that made what z is a view of, or a part."""
    return set(_chain(z, RESHAPES + PIECES)) - {z.grad_fn}


def _chain(z: Tensor, names: list[str]) -> Iterator[Any]:
    node: Any = z.grad_fn
    while node is not None:
        yield node
        goes_on = re.sub(r"Backward\d*$", "", node.name()) in names
        node = node.next_functions[0][0] if goes_on else None


def leaves(of: Tensor) -> list[Tensor]:
    """The leaves of autograd's graph behind a tensor: the parameters, and what else can have a ``.grad``."""
    return [of] if of.is_leaf else [node.variable for node in nodes(of, set()) if hasattr(node, "variable")]


def nodes(end: Tensor, until: set[Any], through: Collection[tuple[Any, int]] = ()) -> Iterator[Any]:
    """The nodes of autograd's graph behind a tensor, but for those of ``until`` and what is behind these alone.

    ``through`` is the same for one of the outputs of a node.
    """
    known, waiting = until | {None}, list[Any]([(end.grad_fn, end.output_nr)])
    for node, output in waiting:  # which grows
        if node not in known and (node, output) not in through:
            known.add(node)
            yield node
            waiting += node.next_functions
