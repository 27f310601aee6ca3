"""What every public function asks of its arguments, and the sentence it answers with when it does not get it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor


class NotFinite(ValueError):
    """NaN or inf where a number is needed: what a training that diverges meets, and no mistake of the caller."""


def count(name: str, value: object, at_least: int = 1) -> int:
    """Return ``value`` as an int that is at least ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r} of type {type(value).__name__}.")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}.")
    return int(value)


def number(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
) -> float:
    """Return ``value`` as a finite float in [low, high], or in (low, high] when ``open_low``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}.")
    number = float(value)
    below = number <= low if open_low else number < low
    if not math.isfinite(number) or below or number > high:
        interval = f"{'(' if open_low or low == -math.inf else '['}{low:g}, {high:g}{')' if high == math.inf else ']'}"
        raise ValueError(f"{name} must lie in {interval}, got {value!r}.")
    return number


def tensor(name: str, value: object, axes: Sequence[str]) -> Tensor:
    """Return ``value``, a non-empty floating-point tensor without NaN, of one axis for each of the names ``axes``."""
    shape = f"[{', '.join(axes)}]"
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor of shape {shape}, got {type(value).__name__}.")
    if not value.is_floating_point():
        raise TypeError(f"{name} must hold floating-point numbers, got {value.dtype}.")
    if value.dim() != len(axes):
        raise ValueError(f"{name} must have the {len(axes)} axes {shape}, got shape {list(value.shape)}.")
    for axis, size in zip(axes, value.shape):
        if size < 1:
            raise ValueError(f"{name} must have at least one entry along {axis}, got shape {list(value.shape)}.")
    if is_concrete(value) and value.isnan().any():
        raise NotFinite(f"{name} contains NaN ({int(value.isnan().sum())} of {value.numel()} entries).")
    return value


def log_weights(log_w: object) -> Tensor:
    """Return ``log_w`` if it is a tensor [M, K, B] without NaN or +inf; -inf, a weight of zero, is allowed."""
    value = tensor("log_w", log_w, "MKB")
    if is_concrete(value) and (value == math.inf).any():
        raise NotFinite("log_w contains +inf: a weight p(x, z) / q(z | x) must be finite.")
    return value


def choice(name: str, value: object, known: list[str]) -> str:
    """Return ``value`` if it is one of ``known``; otherwise say which known name is nearest."""
    import difflib

    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(known)}, got {value!r} of type {type(value).__name__}.")
    if value not in known:
        near = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}.{hint}")
    return value


def is_concrete(value: Tensor) -> bool:
    """False inside torch.compile and torch.func transforms, where a tensor has no concrete values to look at."""
    return not (torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(value))
