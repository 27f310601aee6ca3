"""The frame of a check: it runs a learner's answer, and says what is wrong with it, not only that something is.

A check holds the right answer, the cases it is tried on, and the known mistakes: functions that give what the mistake
gives. A learner's answer that agrees with one of them on every case is told that mistake's message. Whatever the answer
is, a check returns a verdict and never raises.
"""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

Answer = object  # a function, or a value
Slip = TypeVar("Slip", bound=Callable[..., Any])  # a function that makes a mistake


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer: its name in words, the answer itself, what to tell its author."""

    name: str
    answer: Answer
    message: str


@dataclass(frozen=True)
class Verdict:
    """What a check found. As the last line of a cell it shows itself."""

    passed: bool
    message: str
    mistake: str | None = None

    def __repr__(self) -> str:
        return f"{'Passed' if self.passed else 'Not yet'}: {self.message}"

    def _repr_html_(self) -> str:
        colour, mark = ("#009E73", "✓ Passed") if self.passed else ("#D55E00", "Not yet")
        return (
            f'<div role="status" style="border-left: 5px solid {colour}; padding: .4em .8em; max-width: 60em">'
            f'<b style="color: {colour}">{mark}</b><br>{html.escape(self.message)}</div>'
        )


class Check:
    """One exercise's check. Its known mistakes follow it, each a function under ``@check.mistake(message)``.

    Arguments:
        name: ``"03.iwae_bound"``, the chapter and the exercise.
        solution: the right answer, a function or a value.
        praise: what a right answer is told.
        cases: for a function, a callable that makes the argument tuples it is tried on, fresh at each call.
        rtol: relative tolerance of the comparison.

    >>> check = Check("99.mean", torch.mean, "Yes.", cases=lambda: [(torch.tensor([1.0, 2.0]),)])
    >>> @check.mistake("You added them up. Divide by how many there are.")
    ... def not_divided(x):
    ...     return x.sum()
    >>> check(lambda x: x[0] + x[1])
    Not yet: You added them up. Divide by how many there are.
    """

    def __init__(
        self,
        name: str,
        solution: Answer,
        praise: str,
        cases: Callable[[], Sequence[tuple]] = lambda: [()],
        rtol: float = 1e-4,
    ) -> None:
        self.name, self.solution, self.praise, self.cases, self.rtol = name, solution, praise, cases, rtol
        self.mistakes: list[Mistake] = []

    def __repr__(self) -> str:
        return f"<Check {self.name}>"

    def mistake(self, message: str) -> Callable[[Slip], Slip]:
        """Whose answer agrees with the decorated function is told ``message``; the first function that fits speaks.

        The function's name is the mistake's, and a line break in ``message`` is a space. Where the answer is a value,
        the mistake is what the function returns.
        """

        def known(slip: Slip) -> Slip:
            name = (slip.func if isinstance(slip, partial) else slip).__name__.replace("_", " ")
            answer = slip if callable(self.solution) else slip()
            self.mistakes.append(Mistake(name, answer, " ".join(message.split())))
            return slip

        return known

    def __call__(self, answer: Answer) -> Verdict:
        """Try ``answer``: a verdict with ``.passed``, ``.message`` and ``.mistake``."""
        try:
            return self._verdict(answer)
        except Exception as error:  # noqa: BLE001 - an answer may be anything, even an object whose every method raises
            return Verdict(
                False,
                f"This answer could not be read ({type(error).__name__}: {error}).",
            )

    def _verdict(self, answer: Answer) -> Verdict:
        if answer is None or answer is ...:
            return Verdict(False, _UNSOLVED)
        if callable(answer) != callable(self.solution):
            needs, got = ("a function", "a value") if callable(self.solution) else ("a value", "a function")
            return Verdict(False, f"This exercise asks for {needs}; the answer is {got}.")
        given = self._results(answer)
        for result in given:
            if isinstance(result, NotImplementedError) or result is None or result is ...:
                return Verdict(False, _UNSOLVED)
        if broken := next((r for r in given if isinstance(r, BaseException)), None):
            return Verdict(False, f"The function stopped with {type(broken).__name__}: {broken}")
        right = self._results(self.solution)
        if self._agree(given, right):
            return Verdict(True, self.praise)
        for mistake in self.mistakes:
            if self._agree(given, self._results(mistake.answer)):
                return Verdict(False, mistake.message, mistake.name)
        difference = self._difference(given, right)
        return Verdict(False, difference[0].upper() + difference[1:])

    def _results(self, answer: Answer) -> list[object]:
        """The answer's result on every case; an exception is a result too."""
        if not callable(answer):
            return [answer]
        results: list[object] = []
        for arguments in self.cases():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                try:
                    results.append(answer(*copy.deepcopy(arguments)))
                except (Exception, SystemExit) as error:  # noqa: BLE001 - the learner's own code
                    results.append(error)
        return results

    def _agree(self, some: list[object], others: list[object]) -> bool:
        return all(self._equal(a, b) for a, b in zip(some, others, strict=True))

    def _equal(self, a: object, b: object) -> bool:
        a, b = _as_tensor(a), _as_tensor(b)
        if a is None or b is None or a.shape != b.shape:
            return False
        return torch.allclose(a, b, rtol=self.rtol, atol=1e-6, equal_nan=True)

    def _difference(self, given: list[object], right: list[object]) -> str:
        """The first case on which the answer is wrong, in words."""
        case, got, need = next((i, g, r) for i, (g, r) in enumerate(zip(given, right), 1) if not self._equal(g, r))
        where = f"In test case {case} of {len(right)} " if len(right) > 1 else ""
        if _parts(got) != (wanted := _parts(need)):
            needed = f"{wanted} results, one after the other as in `return a, b`, are" if wanted else "one result is"
            return (
                f"{where}{needed} needed; the answer is {f'{_parts(got)} of them' if _parts(got) else 'a single one'}."
            )
        got_tensor, need_tensor = _as_tensor(got), _as_tensor(need)
        assert need_tensor is not None
        if got_tensor is None:
            return f"{where}a number or a tensor is needed; the answer is of type {type(got).__name__}."
        if got_tensor.shape != need_tensor.shape:
            shapes = f"{list(got_tensor.shape)}; it must be {list(need_tensor.shape)}"
            return f"{where}the answer has shape {shapes}. Which axis should be gone, and which should stay?"
        if got_tensor.isnan().any() and not need_tensor.isnan().any():
            return (
                f"{where}the answer contains NaN. Which step can give inf - inf, 0 / 0 or the log of a negative number?"
            )
        gap = (got_tensor - need_tensor).abs().nan_to_num(torch.inf)
        worst = gap.masked_fill(got_tensor == need_tensor, 0.0).flatten().argmax()  # inf - inf is no difference
        got_value, need_value = (
            got_tensor.flatten()[worst].item(),
            need_tensor.flatten()[worst].item(),
        )
        return (
            f"{where}the answer is {got_value:.5g} where {need_value:.5g} is right. No known mistake gives that value."
        )


_UNSOLVED = (
    "Not solved yet: the cell still holds the starting point. Take your time; the hint on the card is a good next step."
)


def _parts(value: object) -> int:
    """How many tensors a result consists of; 0 for a single one."""
    several = isinstance(value, (tuple, list)) and any(isinstance(part, Tensor) for part in value)
    return len(value) if several else 0  # type: ignore[arg-type]


def _as_tensor(value: object) -> Tensor | None:
    """Numbers, arrays, tensors and sequences of them as one double tensor; None for anything else."""
    try:
        if isinstance(value, (tuple, list)) and any(isinstance(v, Tensor) for v in value):
            value = torch.cat([torch.as_tensor(v).detach().double().flatten() for v in value])
        tensor = torch.as_tensor(value).detach()
        return None if tensor.is_complex() else tensor.to(torch.float64)  # would lose the imaginary part
    except (TypeError, ValueError, RuntimeError):
        return None
