"""A check of what an answer does to its arguments, beside what it returns: a step of training moves parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vaecourse.checks import compare, trying
from vaecourse.checks.frame import Answer, Check
from vaecourse.checks.trying import Result


class Seen(tuple[object, ...]):
    """What was seen of an answer on one case, and in ``names`` what each of it is."""

    names: tuple[str, ...]


class CheckOfEffects(Check):
    """A check that looks at more than what is returned.

    ``watched(answer, *case)`` calls the answer, once or several times, and returns what is to be compared, by name:
    ``{"what it returns": ..., "the weight after it": ...}``. None or ``...`` in it is told as of any answer. The other
    arguments are those of ``Check``.
    """

    def __init__(self, *arguments: Any, watched: Callable[..., dict[str, object]], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.watched = watched

    def _results(self, answer: Answer, cases: Sequence[tuple]) -> list[Result]:
        return trying.results(partial(self._seen, answer), cases)

    def _seen(self, answer: Answer, *case: object) -> Seen | None:
        found = self.watched(answer, *case)
        if any(value is None for value in found.values()):
            return None
        seen = Seen(found.values())
        seen.names = tuple(found)
        return seen

    def _difference(self, given: list[object], right: list[object]) -> str:
        """The first case on which something is not as it should be, and what."""
        first = next(i for i, (g, r) in enumerate(zip(given, right)) if not compare.same(g, r, self.rtol))
        some, needed = given[first], right[first]
        assert isinstance(some, Seen) and isinstance(needed, Seen)
        pairs = zip(needed.names, some, needed)
        name, value, need = next(pair for pair in pairs if not compare.same(pair[1], pair[2], self.rtol))
        told = compare.difference(value, need, self.rtol).removeprefix("the answer ")
        return f"In test case {first + 1} of {len(right)}, {name} {told}"


def slopes_of(value: object, leaves: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of the sum of what was returned for each leaf, zeros where none comes back."""
    if not (isinstance(value, Tensor) and value.requires_grad):
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, found)]
