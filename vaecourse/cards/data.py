"""What the cards say: data/NN.json, which `make chapters` makes of the chapters. Prose is HTML, formulas are $..$."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Exercise:
    """One card. ``answer`` is the learner's name for the answer, ``stub`` the cell as it is at the start."""

    name: str
    number: int
    title: str
    cell: str  # the id of the cell with the task, to which a link leads
    pen_and_paper: bool
    difficulty: str
    minutes: int
    hints: tuple[str, ...]
    stub: str
    answer: str
    solution: str = ""
    explained: str = ""


@dataclass(frozen=True)
class Choice:
    """One option of a question, and why it is right or what leads there."""

    letter: str
    text: str
    right: bool
    reason: str


@dataclass(frozen=True)
class Question:
    """A question of a quiz, ``"03.quiz.1"``, or of recall; then ``origin`` is the chapter that it is about."""

    name: str
    text: str
    choices: tuple[Choice, ...]
    origin: str | None = None

    @property
    def right(self) -> str:
        """The letter of the right choice."""
        return next(choice.letter for choice in self.choices if choice.right)


@dataclass(frozen=True)
class Chapter:
    """A chapter's cards. ``imports`` is what its answers may take for granted, as lines of Python."""

    number: str
    notebook: str
    title: str
    imports: str
    exercises: dict[str, Exercise]
    quiz: tuple[Question, ...]
    recall: tuple[Question, ...]

    @property
    def short(self) -> str:
        """The number, and the title up to the colon."""
        return f"{self.number} {self.title.split(':')[0]}"


def numbers() -> list[str]:
    """The chapters that have cards, in order."""
    return sorted(path.stem for path in FOLDER.glob("[0-9][0-9].json"))


@functools.lru_cache(maxsize=16)
def chapter(number: str) -> Chapter:
    """The cards of chapter ``"03"``. Raises ``ValueError`` if there is none."""
    if number not in numbers():
        raise ValueError(f"chapter must be one of {', '.join(map(repr, numbers()))}, got {number!r}.")
    found = json.loads((FOLDER / f"{number}.json").read_text(encoding="utf-8"))
    exercises = {name: _exercise(name, card) for name, card in found["exercises"].items()}
    quiz, recall = (tuple(_questions(f"{number}.{kind}", found[kind])) for kind in ("quiz", "recall"))
    return Chapter(number, found["notebook"], found["title"], found["imports"], exercises, quiz, recall)


def exercise(name: str) -> Exercise:
    """The card of ``"03.iwae_bound"``. Raises ``ValueError``, naming the nearest, if there is none."""
    known = {name: card for number in numbers() for name, card in chapter(number).exercises.items()}
    return _named(name, known, "exercise")


def questions(name: str) -> tuple[Question, ...]:
    """Those of ``"03.quiz"`` or ``"03.recall"``. Raises ``ValueError`` if there are none."""
    known = {
        f"{number}.{kind}": asked
        for number in numbers()
        for kind, asked in (("quiz", chapter(number).quiz), ("recall", chapter(number).recall))
        if asked
    }
    found: tuple[Question, ...] = _named(name, known, "quiz")
    return found


def asked() -> Iterator[Question]:
    """Every question of the course: recall and quiz of each chapter, in order."""
    for number in numbers():
        yield from (*chapter(number).recall, *chapter(number).quiz)


def _named(name: str, known: dict[str, Any], what: str) -> Any:
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{what} must be a name like {next(iter(known), '03.iwae_bound')!r}, got {name!r}.{hint}")
    return known[name]


def _exercise(name: str, card: dict[str, Any]) -> Exercise:
    return Exercise(name, **{**card, "hints": tuple(card["hints"])})


def _questions(name: str, found: Iterable[dict[str, Any]]) -> Iterator[Question]:
    for number, one in enumerate(found, 1):
        choices = tuple(Choice(**choice) for choice in one["choices"])
        yield Question(f"{name}.{number}", one["text"], choices, one["from"])
