"""The frame of a check: it runs a learner's answer, and says what is wrong with it, not only that something is.

A check holds the right answer, the cases it is tried on, and the known mistakes: functions that give what the mistake
gives. A learner's answer that agrees with one of them on every case is told that mistake's message. Whatever the answer
is, a check returns a verdict and never raises; and what it says is true of this answer, whatever that is: a message
comes from a known mistake that gives the same on every case, or stops there as well, or says what was seen.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from vaecourse.checks import compare, errors, messages, relations, trying
from vaecourse.checks.trying import Result

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

    >>> import torch
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
        self._known: dict[str, list[Result]] = {}  # what the solution and the mistakes give, once asked for

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

    def slip(self, name: str, answer: Answer) -> Callable[[str], None]:
        """The same for a wrong answer of one expression: its name, itself, and then the message.

        >>> check = Check("99.third", 1 / 3, "Yes.")
        >>> check.slip("turned round", 3.0)("It is the other way round.")
        >>> check(3.0)
        Not yet: It is the other way round.
        """
        return lambda message: self.mistakes.append(Mistake(name, answer, " ".join(message.split())))

    def __call__(self, answer: Answer) -> Verdict:
        """Try ``answer``: a verdict with ``.passed``, ``.message`` and ``.mistake``."""
        try:
            with trying.as_at_the_start():  # what is right was counted so
                return self._verdict(answer)
        except Exception as error:  # noqa: BLE001 - an answer may be anything, even an object whose every method raises
            return Verdict(False, f"This answer could not be read ({type(error).__name__}: {error}).")

    def _verdict(self, answer: Answer) -> Verdict:
        if answer is None or answer is ...:
            return Verdict(False, messages.NO_VALUE.format("..." if answer is ... else None))
        if callable(answer) != callable(self.solution):
            needs, got = ("a function", "a value") if callable(self.solution) else ("a value", "a function")
            return Verdict(False, f"This exercise asks for {needs}; the answer is {got}.")
        if trying.is_empty(answer):
            return Verdict(False, messages.DEAD_LINES if trying.ends_early(answer) else messages.STARTING_POINT)
        cases = self.cases()
        given = self._results(answer, cases)
        return self._stopped(answer, given, cases) or self._judged(answer, given, cases)

    def _results(self, answer: Answer, cases: Sequence[tuple]) -> list[Result]:
        """The answer's result on every case; a value is one result."""
        return trying.results(answer, cases) if callable(answer) else [Result(answer)]

    def _results_of(self, name: str, answer: Answer, cases: Sequence[tuple]) -> list[Result]:
        """The same of the course's own answers, which do not change."""
        if name not in self._known:
            self._known[name] = self._results(answer, cases)
        return self._known[name]

    def _stopped(self, answer: Any, given: list[Result], cases: Sequence[tuple]) -> Verdict | None:
        """What is to be said of an answer that did not return something in every case."""
        if all(isinstance(result.error, NotImplementedError) for result in given):
            return Verdict(False, messages.STARTING_POINT)
        for case, result in zip(cases, given):
            if isinstance(result.error, trying.TooLong):
                return Verdict(False, messages.TOO_LONG.format(trying.SECONDS))
            if result.error is not None:
                told = errors.told(result.error, answer, case) + self._outside(answer)
                return self._known_mistake(given, cases) or Verdict(False, told)
        if all(result.value is None for result in given) and callable(answer):
            return Verdict(False, messages.PRINTED if any(result.printed for result in given) else messages.NOTHING)
        empty = [i for i, result in enumerate(given, 1) if result.value is None and callable(answer)]
        if empty:
            return Verdict(False, messages.SOMETIMES_NOTHING.format(empty[0], len(given)))
        if any(_has_dots(result.value) for result in given):
            return Verdict(False, messages.DOTS)
        return None

    def _judged(self, answer: Answer, given: list[Result], cases: Sequence[tuple]) -> Verdict:
        """Right, a known mistake, or what is different."""
        right = self._results_of("", self.solution, cases)
        if self._agree(given, right):
            return self._right(answer, given)
        known = self._known_mistake(given, cases)
        if known is not None:
            return known
        values, needed = [result.value for result in given], [result.value for result in right]
        related = relations.between(values, needed, cases, self.rtol)
        if related is not None:
            return Verdict(False, related.told, related.name)
        return Verdict(False, self._difference(values, needed) + self._outside(answer))

    def _known_mistake(self, given: list[Result], cases: Sequence[tuple]) -> Verdict | None:
        """The first mistake that gives the same in every case, and stops where this stops."""
        for mistake in self.mistakes:
            if self._agree(given, self._results_of(mistake.name, mistake.answer, cases)):
                return Verdict(False, mistake.message, mistake.name)
        return None

    def _right(self, answer: Answer, given: list[Result]) -> Verdict:
        """Right values, which a function must not have got by changing what it was given."""
        changed = next((result.changed[0] for result in given if result.changed), None)
        if changed is None:
            return Verdict(True, self.praise)
        return Verdict(False, messages.CHANGED.format(trying.argument(answer, changed)), "input changed")

    def _agree(self, some: list[Result], others: list[Result]) -> bool:
        pairs = list(zip(some, others, strict=True))
        ended = [(a.value, b.value) for a, b in pairs if a.error is None and b.error is None]
        alike = all((a.error is None) == (b.error is None) for a, b in pairs)
        return alike and bool(ended) and all(compare.same(a, b, self.rtol) for a, b in ended)

    def _difference(self, given: list[object], right: list[object]) -> str:
        """The first case on which the answer is wrong, in words; of a value, without the right one."""
        if not callable(self.solution) and (told := compare.of_a_number(given[0], right[0])):
            return told
        first = next(i for i, (g, r) in enumerate(zip(given, right)) if not compare.same(g, r, self.rtol))
        difference = compare.difference(given[first], right[first], self.rtol)
        if len(right) == 1:
            return difference[0].upper() + difference[1:]
        before = f"Right in test case{'s 1 to' if first > 1 else ''} {first}. " if first else ""
        return f"{before}In test case {first + 1} of {len(right)} {difference}"

    @staticmethod
    def _outside(answer: Answer) -> str:
        """What to look at where an answer uses numbers of the notebook."""
        names = trying.from_outside(answer)
        return messages.OUTSIDE.format(" and ".join(f"`{name}`" for name in names[:3])) if names else ""


def _has_dots(value: object) -> bool:
    return value is ... or isinstance(value, (tuple, list)) and any(map(_has_dots, value))
