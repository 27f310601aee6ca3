"""What every public function asks of its arguments, and the sentence it answers with when it does not get it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real

import torch
from torch import Tensor, nn


class NotFinite(ValueError):
    """NaN or inf where a number is needed: what a training that diverges meets, and no mistake of the caller."""


LARGEST = 2**63 - 1  # that PyTorch takes for a size or a seed


def count(name: str, value: object, at_least: int = 1, at_most: int = LARGEST) -> int:
    """Return ``value`` as an int in [at_least, at_most]."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r} of type {type(value).__name__}.")
    number = int(value)
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {_digits(number)}.")
    if number > at_most:
        raise ValueError(f"{name} must be at most {at_most}, got {_digits(number)}.")
    return number


def _digits(value: int) -> str:
    """A whole number as a sentence can hold it."""
    return str(value) if abs(value) < 10**40 else f"{'minus ' if value < 0 else ''}one of more than 40 digits"


def is_of_memory(failure: BaseException) -> bool:
    """Whether an error says that so much memory is not here: PyTorch says it as a ``RuntimeError``, as much else."""
    words = "DefaultCPUAllocator", "out of memory", "Storage size calculation overflowed", "integer multiplication"
    message = str(failure)
    return isinstance(failure, MemoryError) or (
        isinstance(failure, RuntimeError) and any(word in message for word in words)
    )


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
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond every float
        number = math.inf
    below = number <= low if open_low else number < low
    if not -math.inf < number < math.inf or below or number > high:
        interval = f"{'(' if open_low or low == -math.inf else '['}{low:g}, {high:g}{')' if high == math.inf else ']'}"
        raise ValueError(f"{name} must lie in {interval}, got {value!r}.")
    return number


def scale(name: str, value: object) -> float:
    """Return ``value``, a length or a variance, as a float in [1e-15, 1e15], whose square float32 can hold."""
    return number(name, value, 1e-15, 1e15)


def sequence(name: str, values: object, of: str) -> list:
    """Return ``values``, several of something, as a list; ``of`` says in the plural what they should be."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a sequence of {of}, got {values!r} of type {type(values).__name__}.")
    return list(values)


def counts(name: str, values: object, at_least: int = 1) -> list[int]:
    """Return ``values``, a sequence of whole numbers that are at least ``at_least``, as a list."""
    return [count(name, value, at_least) for value in sequence(name, values, "whole numbers")]


def tensor(name: str, value: object, axes: Sequence[str]) -> Tensor:
    """Return ``value``, a non-empty floating-point tensor without NaN, of one axis for each of the names ``axes``."""
    return _without_nan(name, shaped(name, value, axes))


def shaped(name: str, value: object, axes: Sequence[str]) -> Tensor:
    """Return ``value``, a non-empty floating-point tensor of one axis for each of the names ``axes``."""
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
    return value


def _without_nan(name: str, value: Tensor) -> Tensor:
    if is_concrete(value) and value.isnan().any():
        raise NotFinite(f"{name} contains NaN ({int(value.isnan().sum())} of {value.numel()} entries).")
    return value


def vectors(name: str, value: object, width: int | None = None) -> Tensor:
    """Return ``value``, a floating-point tensor [..., width] without NaN; a width of None is any."""
    shape = f"[..., {'L' if width is None else width}]"
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating-point torch.Tensor of shape {shape}, got {kind}.")
    if value.dim() < 1 or (width is not None and value.shape[-1] != width):
        raise ValueError(f"{name} must have the shape {shape}, got {list(value.shape)}.")
    return _without_nan(name, value)


def alike(name: str, value: Tensor, to: str, other: Tensor) -> Tensor:
    """Return ``value`` if it has the type and the device of ``other``, which the sentence calls ``to``."""
    if value.dtype != other.dtype or value.device != other.device:
        raise TypeError(
            f"{name} must share type and device with {to}, {other.dtype} on {other.device}, "
            f"got {value.dtype} on {value.device}."
        )
    return value


def broadcast(name: str, value: Tensor, to: str, other: Tensor) -> None:
    """Refuse two tensors of vectors whose axes before the last do not broadcast."""
    try:
        torch.broadcast_shapes(value.shape[:-1], other.shape[:-1])
    except RuntimeError:
        raise ValueError(
            f"{name} must broadcast with {to} in all axes but the last, "
            f"got {name} {list(value.shape)} and {to} {list(other.shape)}."
        ) from None


def batch(name: str, value: object, axes: Sequence[str], width: int, to: str, other: Tensor) -> Tensor:
    """Return ``value``, a finite tensor [B, width] that is ``alike`` to ``other``; ``axes`` names its two axes."""
    rows = tensor(name, value, axes)
    if rows.shape[1] != width:
        raise ValueError(f"{name} must have {axes[1]} = {width} columns, got shape {list(rows.shape)}.")
    return finite(name, alike(name, rows, to, other))


def finite(name: str, value: Tensor) -> Tensor:
    """Return ``value`` if it holds no inf."""
    if is_concrete(value) and not value.isfinite().all():
        raise NotFinite(f"{name} contains inf: it must be finite.")
    return value


def has(name: str, value: object, *methods: str) -> None:
    """Refuse a ``value`` that lacks one of these methods."""
    if missing := [method for method in methods if not callable(getattr(value, method, None))]:
        raise TypeError(f"{name} must have {' and '.join(methods)}, got {type(value).__name__} without {missing[0]}.")


def function(name: str, value: object, what: str) -> None:
    """Refuse a ``value`` that cannot be called; ``what`` says what it should be."""
    if not callable(value):
        raise TypeError(f"{name} must be {what}, got {value!r} of type {type(value).__name__}.")


def log_weights(log_w: object) -> Tensor:
    """Return ``log_w``, in float32 at least, if it is a tensor [M, K, B] without NaN or +inf.

    -inf, a weight of zero, is allowed.
    """
    value = at_least_float32(shaped("log_w", log_w, "MKB"))
    if looks(value) and not value.detach().amax() < math.inf:  # one look, and one wait for a GPU: NaN fails it too
        _without_nan("log_w", value)
        raise NotFinite("log_w contains +inf: a weight p(x, z) / q(z | x) must be finite.")
    return value


def of_samples(name: str, value: object, M: int, K: int, B: int) -> Tensor:
    """Return ``value``, a number for each sample that a model has drawn, if it is a floating-point tensor [M, K, B].

    What has another shape would broadcast against its neighbours, silently: a decoder that folds the axes before its
    own into one and does not unfold them gives B times too many numbers for one point.
    """
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating-point torch.Tensor [M, K, B], got {kind}.")
    if value.shape != (M, K, B):
        raise ValueError(
            f"{name} must have the shape [M, K, B] = [{M}, {K}, {B}], one number for each sample, "
            f"got {list(value.shape)}: decoder, prior and encoder must keep the axes before the event as they are. "
            "A decoder that flattens them, as convolutions need it, must unflatten what it returns: models.OverSamples "
            "does that."
        )
    return value


def at_least_float32(value: Tensor) -> Tensor:
    """Return ``value``, in float32 if it was narrower: float16 and bfloat16 hold 3 and 2 digits."""
    return value.float() if value.dtype.itemsize < 4 else value


def in_float64(value: Tensor) -> Tensor:
    """Return ``value`` in float64, on the CPU if its own device, Apple's, has no such numbers."""
    return (value.cpu() if value.device.type == "mps" else value).double()


@contextmanager
def explained(model: object, x: Tensor) -> Iterator[None]:
    """What PyTorch raises inside a model at data of another type, or at a batch of one, becomes a sentence.

    Raises ``TypeError`` for a type that none of the model's parameters has, and ``ValueError`` for a layer such as
    BatchNorm that needs more points than ``x`` has. Any other error passes as it is.
    """
    try:
        yield
    except RuntimeError as failure:
        types = (
            {p.dtype for p in model.parameters() if p.is_floating_point()} if isinstance(model, nn.Module) else set()
        )
        if not types or x.dtype in types or not any(word in str(failure) for word in _OF_TYPES):
            raise
        theirs = " and ".join(sorted(map(str, types)))
        cure = _CASTS.get(min(types, key=str), "to(...)") if len(types) == 1 else "to(...)"
        raise TypeError(
            f"x must have the type of the model's parameters, {theirs}, got {x.dtype}: give x.{cure}, or convert the "
            "model."
        ) from failure
    except ValueError as failure:
        if "Expected more than 1 value" not in str(failure):
            raise
        raise ValueError(
            f"x must hold several points for this model, got a batch of {len(x)}: a layer such as BatchNorm takes the "
            "mean and the variance of its batch. Choose a batch_size that leaves no such rest, or drop the last batch."
        ) from failure


_OF_TYPES = "dtype", "scalar type", "type (", "types"  # one of these is in whatever PyTorch says of a wrong type
_CASTS = {
    torch.float32: "float()",
    torch.float64: "double()",
    torch.float16: "half()",
    torch.bfloat16: "bfloat16()",
}


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


_LOOKED = threading.local()


@contextmanager
def looked_at() -> Iterator[None]:
    """While this lasts, log-weights are not looked at in this thread: they have been, and each look waits for a GPU."""
    before = getattr(_LOOKED, "already", False)
    _LOOKED.already = True
    try:
        yield
    finally:
        _LOOKED.already = before


def looks(value: Tensor) -> bool:
    """Whether log-weights are to be looked at, and can be."""
    return is_concrete(value) and not getattr(_LOOKED, "already", False)


def is_concrete(value: Tensor) -> bool:
    """Whether there are values to look at: not inside torch.compile, torch.func, and a CUDA graph that is recorded."""
    if torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(value):
        return False
    return not (value.is_cuda and torch.cuda.is_current_stream_capturing())
