"""How wrong values are related to the right ones: minus them, K times them, their logarithm, their mean over an axis.

What is told is that relation and nothing about its cause: it holds in every test case, so it is never untrue. No known
mistake fits by then.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaecourse.checks.compare import same_part, several, tensor

Case = tuple[Any, ...]


class Relation(NamedTuple):
    """``of(right, case)`` is what the answer gave; ``told`` says so."""

    name: str
    told: str
    of: Callable[[Tensor, Case], Tensor]


def between(given: Sequence[object], needed: Sequence[object], cases: Sequence[Case], rtol: float) -> Relation | None:
    """The first relation that holds in every case; None also for several results and for truth values."""
    if any(map(several, needed)):
        return None
    got, right = _numbers(given), _numbers(needed)
    if len(got) < len(given) or len(right) < len(needed):
        return None
    tried = itertools.chain(_elementwise(), _by_lengths(cases[0]), _of_shape(right[0]))
    return next((relation for relation in tried if _holds(relation, got, right, cases, rtol)), None)


def _numbers(values: Sequence[object]) -> list[Tensor]:
    return [part for part in map(tensor, values) if part is not None and part.dtype is not torch.bool]


def _holds(relation: Relation, got: list[Tensor], right: list[Tensor], cases: Sequence[Case], rtol: float) -> bool:
    """In every case, and for more than one number that is neither 0 nor infinite."""
    telling = 0
    for a, b, case in zip(got, right, cases):
        try:
            if not same_part(a, relation.of(b, case), rtol):
                return False
        except (IndexError, RuntimeError, ValueError, ZeroDivisionError):
            return False
        telling += int((a.isfinite() & (a != 0)).sum())
    return telling > 1


def _elementwise() -> Iterator[Relation]:
    for name, told, change in _CHANGES:
        yield Relation(name, f"This is {told}.", lambda y, _, change=change: change(y))  # type: ignore[misc]


_CHANGES: list[tuple[str, str, Callable[[Tensor], Tensor]]] = [
    ("the sign", "minus the right answer", lambda y: -y),
    ("twice", "twice the right answer", lambda y: 2 * y),
    ("half", "half of the right answer", lambda y: y / 2),
    ("without its sign", "the right answer without its sign", lambda y: y.abs()),
    ("divided by log 2", "the right answer divided by log 2, as nats are turned into bits", lambda y: y / math.log(2)),
    ("times log 2", "the right answer times log 2, as bits are turned into nats", lambda y: y * math.log(2)),
    ("the exponential", "the exponential of the right answer", lambda y: y.exp()),
    ("the logarithm", "the logarithm of the right answer", lambda y: y.log()),
    ("the square", "the square of the right answer", lambda y: y.square()),
    ("the root", "the square root of the right answer", lambda y: y.sqrt()),
    ("the reciprocal", "1 divided by the right answer", lambda y: 1 / y),
    ("one minus", "1 minus the right answer", lambda y: 1 - y),
    ("one less", "the right answer minus 1", lambda y: y - 1),
    ("one more", "the right answer plus 1", lambda y: y + 1),
]


def _by_lengths(case: Case) -> Iterator[Relation]:
    """Factors and terms made of the lengths of an argument's axes, one or two of them."""
    for position in (position for position, argument in enumerate(case) if isinstance(argument, Tensor)):
        axes = range(case[position].dim())
        for some in (*itertools.combinations(axes, 1), *itertools.combinations(axes, 2)):
            which = f"axis {some[0]}" if len(some) == 1 else f"axes {some[0]} and {some[1]} together"
            for name, told, change in _WITH_N:
                of = partial(_with_length, change, position, some)
                yield Relation(name, f"This is the right answer {told}, n being the length of {which} in argument "
                               f"{position + 1} of the function.", of)  # fmt: skip


def _with_length(
    change: Callable[[Tensor, int], Tensor], position: int, axes: tuple[int, ...], y: Tensor, case: Case
) -> Tensor:
    return change(y, math.prod(case[position].shape[axis] for axis in axes))


_WITH_N: list[tuple[str, str, Callable[[Tensor, int], Tensor]]] = [
    ("times n", "times n", lambda y, n: y * n),
    ("divided by n", "divided by n", lambda y, n: y / n),
    ("plus log n", "plus log n", lambda y, n: y + math.log(n)),
    ("minus log n", "minus log n", lambda y, n: y - math.log(n)),
    ("times the root of n", "times the square root of n", lambda y, n: y * n**0.5),
    ("divided by the root of n", "divided by the square root of n", lambda y, n: y / n**0.5),
    ("n for n - 1", "times (n - 1) / n", lambda y, n: y * (n - 1) / n),
    ("n - 1 for n", "times n / (n - 1)", lambda y, n: y * n / (n - 1)),
]


def _of_shape(right: Tensor) -> Iterator[Relation]:
    """The right numbers in another order or shape, or their sum or mean over an axis."""
    axes = range(right.dim())
    needed = f"needed is the shape {list(right.shape)}."
    for axis in axes:
        told = f"These are the right numbers in reverse order along axis {axis}."
        yield Relation("turned round", told, partial(_flipped, axis))
    for order in itertools.islice(itertools.permutations(axes), 1, None):
        told = f"These are the right numbers with the axes in another order; {needed}"
        yield Relation("axes in another order", told, partial(_permuted, order))
    for axis in range(right.dim() + 1):
        told = f"The numbers are right, and an axis of length 1 is left, axis {axis}; {needed}"
        yield Relation("an axis of length 1 is left", told, partial(_unsqueezed, axis))
    if right.dim() > 1:
        yield Relation("flattened", f"The numbers are right, in one row; {needed}", lambda y, _: y.flatten())
    for some in (*((axis,) for axis in axes), tuple(axes)[: right.dim()]):
        for name, reduce in (("mean", Tensor.mean), ("sum", Tensor.sum)):
            which = f"axis {some[0]}" if len(some) == 1 else "all axes"
            told = f"This is the {name} of the right answer over {which}; {needed}"
            yield Relation(f"the {name} of it", told, partial(_reduced, reduce, some))


def _flipped(axis: int, y: Tensor, _: Case) -> Tensor:
    return y.flip(axis)


def _permuted(order: tuple[int, ...], y: Tensor, _: Case) -> Tensor:
    return y.permute(order)


def _unsqueezed(axis: int, y: Tensor, _: Case) -> Tensor:
    return y.unsqueeze(axis)


def _reduced(reduce: Callable[..., Tensor], axes: tuple[int, ...], y: Tensor, _: Case) -> Tensor:
    return reduce(y, axes)
