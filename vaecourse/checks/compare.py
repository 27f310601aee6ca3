"""Is a result what is needed? Part by part: how many, the shape of each, its values; and if not, what differs.

The right result says what is needed: one number or tensor, several tensors in a tuple, or letters in a text. For a
tensor may stand a number, an array, and lists of equal parts.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vaecourse.checks import letters

ATOL = 1e-6


def tensor(value: object) -> Tensor | None:
    """The numbers in ``value`` as one tensor, in double precision or of truth values; None for anything else."""
    try:
        if isinstance(value, (list, tuple)):
            parts = [tensor(part) for part in value]
            if not parts:
                return torch.zeros(0, dtype=torch.float64)
            return torch.stack([part for part in parts if part is not None]) if None not in parts else None
        if isinstance(value, (np.ndarray, np.generic)):
            value = np.array(value)  # one that torch takes: writable, and its strides not negative
        elif not isinstance(value, (Tensor, bool, int, complex)):
            value = float(value)  # type: ignore[arg-type]  # also a Fraction; a text is refused below
        found = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return None if found.is_complex() else found.to("cpu", torch.bool if found.dtype is torch.bool else torch.float64)


def several(need: object) -> bool:
    return isinstance(need, tuple) and any(isinstance(part, Tensor) for part in need)


def parts(value: object, need: object) -> list[Tensor | None] | None:
    """``value`` as the tensors that ``need`` consists of, each None if it is no number; None for another count."""
    if not several(need):
        return [tensor(value)]
    held = split(value)
    return [tensor(part) for part in held] if len(held) == len(need) else None  # type: ignore[arg-type]


def split(value: object) -> list[object]:
    """The results that a returned value consists of: those in a tuple or a list, the rows of an array, or itself."""
    if isinstance(value, (tuple, list)):
        return list(value)
    return list(value) if isinstance(value, (Tensor, np.ndarray)) and value.ndim else [value]


def same(value: object, need: object, rtol: float) -> bool:
    """Is ``value`` what is needed?"""
    if isinstance(need, str):
        return letters.same(value, need)
    got, wanted = parts(value, need), parts(need, need)
    return got is not None and wanted is not None and all(same_part(a, b, rtol) for a, b in zip(got, wanted))


def same_part(a: Tensor | None, b: Tensor | None, rtol: float) -> bool:
    if a is None or b is None or a.shape != b.shape or (a.dtype is torch.bool) != (b.dtype is torch.bool):
        return False
    return torch.allclose(a.double(), b.double(), rtol=rtol, atol=ATOL, equal_nan=True)


def difference(value: object, need: object, rtol: float) -> str:
    """How ``value`` differs from what is needed, in a sentence that begins small."""
    if isinstance(need, str):
        return "the answer " + letters.difference(value, need)
    if not several(need):
        return "the answer " + _difference(value, need, rtol)
    held, wanted = split(value), split(need)
    if len(held) != len(wanted):
        count = "a single one" if held == [value] or isinstance(value, (Tensor, np.ndarray)) else f"{len(held)} of them"
        return f"{len(wanted)} results, one after the other as in `return a, b`, are needed; the answer is {count}."
    pairs = list(zip(held, wanted))
    wrong = [i for i, (a, b) in enumerate(pairs) if not same_part(tensor(a), tensor(b), rtol)]
    right = [str(i + 1) for i in range(len(pairs)) if i not in wrong]
    told = f"result {' and '.join(right)} of {len(pairs)} is right; " if right else ""
    return f"{told}result {wrong[0] + 1} {_difference(*pairs[wrong[0]], rtol)}"


def of_a_number(value: object, need: object) -> str | None:
    """How a number worked out by hand differs, without giving the right one away; None of anything else."""
    got, right = tensor(value), tensor(need)
    if got is None or right is None or got.shape != right.shape or right.dim() or right.dtype is torch.bool:
        return None
    if got.dtype is torch.bool or not got.isfinite():
        return None
    a, b = got.item(), right.item()
    near = " It is near: is it a digit that is missing, or one that was rounded on the way?"
    return f"The answer {a:.7g} is too {'large' if a > b else 'small'}.{near if abs(a - b) < 0.05 * abs(b) else ''}"


def _difference(value: object, need: object, rtol: float) -> str:
    got, right = tensor(value), tensor(need)
    assert right is not None
    if value is None or value is ...:
        return f"is {value}, where a number or a tensor is needed."
    if isinstance(value, (tuple, list)) and any(isinstance(part, Tensor) for part in value):
        if got is None or got.shape != right.shape:
            return f"is {len(value)} of them, and one result is needed."
    if got is None:
        kind = "complex" if isinstance(value, complex) or getattr(value, "is_complex", bool)() else type(value).__name__
        return f"is of type {kind}; a number or a tensor is needed."
    if got.shape != right.shape:
        return (
            f"has shape {list(got.shape)}; it must be {list(right.shape)}. "
            "Which axis should be gone, and which should stay?"
        )
    if (got.dtype is torch.bool) != (right.dtype is torch.bool):
        kinds = ("numbers", "True or False") if right.dtype is torch.bool else ("True or False", "numbers")
        return f"consists of {kinds[0]}; needed is {kinds[1]}."
    return _numbers(got.double(), right.double(), rtol)


def _numbers(got: Tensor, right: Tensor, rtol: float) -> str:
    if (got.isnan() & ~right.isnan()).any():
        return "contains NaN. Which step can give inf - inf, 0 / 0 or the log of a negative number?"
    if (got.isinf() & right.isfinite()).any():
        return "contains inf where the right value is finite. Which step overflows, divides by 0 or takes the log of 0?"
    differ = (got != right) & ~(got.isnan() & right.isnan())
    gap = (got - right).abs().nan_to_num(torch.inf).masked_fill(~differ, 0.0)
    worst = gap.flatten().argmax()
    values = " where ".join(_apart(got.flatten()[worst].item(), right.flatten()[worst].item())) + " is right"
    close = torch.isclose(got, right, rtol=rtol, atol=ATOL, equal_nan=True)
    some = f", and right in {int(close.sum())} of {close.numel()} places" if close.any() else ""
    return f"is {values}{some}."


def _apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ, at least five."""
    pairs = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(5, 18))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(a), repr(b)))
