"""What autograd's graph tells of log p, log q and z: what they come from, and whether the score term is still there."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
            f"{name} must move with z, got a log q without a gradient: hold only the parameters of q fixed, not z."
        )
    if not arguments.is_concrete(log_q):
        return
    for node in nodes(log_q, {node for part in drawn for node in same_numbers(part)}):
        if node.name().startswith("CheckpointFunction"):
            raise ValueError(
                f"{name} must not go through a torch.utils.checkpoint with use_reentrant=True, which asks q once more "
                "on the way back, when its parameters are not held fixed: compute log q without it for this objective."
            )
        if hasattr(node, "variable") and not any(node.variable is part for part in drawn):
            raise ValueError(
                f"{name} must hold the parameters of q fixed, so that log q moves with z alone: this objective has no "
                "score term, and with it the gradient would be another one."
            )


def starts_in_float16(z: Latent) -> bool:
    """Whether a decoder starts in float16, where a weight below 6e-8 is 0 and b / a has nothing left to multiply."""
    (first, *_) = parts(z)
    kind = first.device.type
    autocast = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    return autocast or first.dtype == torch.float16


def goes_through_float16(log_p: Tensor, z: Latent) -> bool:
    """Whether autograd's graph shows float16 between z and log p, as of a network with an autocast of its own."""
    if not arguments.is_concrete(log_p):
        return False
    between = nodes(log_p, {part.grad_fn for part in parts(z)})
    return any(made.dtype is torch.float16 for node in between for made in node._input_metadata)


def passes_by(log_p: Tensor, drawn: list[Tensor]) -> bool:
    """Whether log p also hangs on what a part of z is a view of."""
    if not arguments.is_concrete(log_p):
        return False
    views = [list(same_numbers(part)) for part in drawn]
    before = {node for view in views for node in view[1:]}
    return bool(before) and any(node in before for node in nodes(log_p, {view[0] for view in views if view}))


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


def same_numbers(z: Tensor) -> Iterator[Any]:
    """The node that made z, and those before it that made the same numbers in another shape."""
    node: Any = z.grad_fn
    while node is not None:
        yield node
        is_reshape = re.sub(r"Backward\d*$", "", node.name()) in RESHAPES
        node = node.next_functions[0][0] if is_reshape else None


def nodes(end: Tensor, until: set[Any]) -> Iterator[Any]:
    """The nodes of autograd's graph behind a tensor, but for those of ``until`` and what is behind these alone."""
    known, waiting = until | {None}, list[Any]([end.grad_fn])
    for node in waiting:  # which grows
        if node not in known:
            known.add(node)
            yield node
            for following, _ in node.next_functions:
                waiting.append(following)
