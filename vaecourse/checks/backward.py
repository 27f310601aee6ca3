"""A check of what autograd makes of an answer: its value and its gradients, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vaecourse.checks import compare, trying
from vaecourse.checks.frame import Answer, Check, has_dots
from vaecourse.checks.trying import Result

Look = Callable[..., object]  # the answer, then a case: what the answer gave and left behind, part by part


class Backward(Check):
    """A check that compares not what a function returns but what ``look`` sees of it, the solution and the mistakes.

    Arguments:
        look: ``look(answer, *case)``, a tuple of tensors, one for each of ``parts``; or what the answer returned, if
            that is nothing to look at.
        parts: what each is called: "the loss", "its gradient for log_w".
    """

    def __init__(self, *arguments: Any, look: Look, parts: Sequence[str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.look, self.parts = look, parts

    def _results(self, answer: Answer, cases: Sequence[tuple]) -> list[Result]:
        return trying.results(partial(self.look, answer), cases)

    def _difference(self, given: list[object], right: list[object]) -> str:
        """The first case, and in it the first part, that differs."""
        first = next(i for i, (g, r) in enumerate(zip(given, right)) if not compare.same(g, r, self.rtol))
        held, needed = given[first], right[first]
        where = f"In test case {first + 1} of {len(right)} "
        if not (isinstance(held, tuple) and isinstance(needed, tuple) and len(held) == len(needed)):
            return f"{where}the answer is of type {type(held).__name__}; a tensor with a gradient is needed."
        wrong = next(i for i, pair in enumerate(zip(held, needed)) if not compare.same(*pair, self.rtol))
        told = compare.difference(held[wrong], needed[wrong], self.rtol).removeprefix("the answer ")
        before = f"{' and '.join(self.parts[:wrong])} right; " if wrong else ""
        return (
            f"{where}{before.replace(' right', ' is right' if wrong == 1 else ' are right')}{self.parts[wrong]} {told}"
        )


def gradients(value: object, of: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of the sum of ``value`` for each leaf, zeros where none comes back."""
    if not (isinstance(value, Tensor) and value.requires_grad):
        return [torch.zeros_like(leaf) for leaf in of]
    found = torch.autograd.grad(value.sum(), of, allow_unused=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(of, found)]


def with_gradients(value: object, of: Sequence[Tensor]) -> object:
    """The value and its gradients; the value alone where it is no number and no tensor."""
    number = None if has_dots(value) else compare.tensor(value)
    return value if number is None else (number, *gradients(value, of))


def left_in(parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What stands in each ``.grad``, zeros where nothing does."""
    return tuple(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.clone() for leaf in parameters)
