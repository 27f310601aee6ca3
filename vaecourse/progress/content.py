"""What the file of a learner's progress holds, and whether a text is such a file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

LONGEST = 16_000_000  # bytes: every answer as long as it may be
LONGEST_ANSWER = 20_000  # letters
MOST = 999_999_999  # times
MARK, VERSION = "vaecourse progress", 1
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass
class Exercise:
    """One exercise: how often it was tried, which named mistakes came how often, when it was solved."""

    attempts: int = 0
    mistakes: dict[str, int] = field(default_factory=dict)
    hints: int = 0
    solved: str | None = None  # when, "2026-11-26 21:54:03"
    solution_seen: str | None = None  # when for the first time
    answer: str | None = None  # the text of an answer that passed

    @property
    def alone(self) -> bool:
        """Whether it was solved before the solution was shown."""
        return self.solved is not None and (self.solution_seen is None or self.solution_seen >= self.solved)


@dataclass
class Question:
    """One question of a quiz: the options opened, in their order, the first of them, and whether that was right."""

    opened: list[str] = field(default_factory=list)
    first: str | None = None
    right: bool = False


@dataclass
class Progress:
    """All of it; ``last`` is the exercise or the question at which the learner was last, ``told`` what to tell."""

    exercises: dict[str, Exercise] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    guessed: list[str] = field(default_factory=list)  # the labs whose question was answered before; not how
    last: str | None = None
    told: str = ""

    def exercise(self, name: str) -> Exercise:
        """That of this name; an untouched one if there was none."""
        return self.exercises.setdefault(name, Exercise())

    def question(self, name: str) -> Question:
        """That of this name; an unopened one if there was none."""
        return self.questions.setdefault(name, Question())


def text(progress: Progress) -> bytes:
    """The file's text."""
    content = {MARK: VERSION, **asdict(progress)}
    del content["told"]
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def parsed(raw: bytes | str) -> Progress:
    """What is in such a text. Raises ``ValueError`` where anything in it is not as ``text`` writes it."""
    try:
        found = json.loads(raw, object_pairs_hook=_each_once)
        if type(found[MARK]) is not int or found.pop(MARK) != VERSION:
            raise ValueError(f"not version {VERSION}")
        found["exercises"] = {name: Exercise(**one) for name, one in found["exercises"].items()}
        found["questions"] = {name: Question(**one) for name, one in found["questions"].items()}
        progress = Progress(**found)
        json.dumps(found, default=asdict, ensure_ascii=False).encode()  # half a character could not be written again
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as failure:
        raise ValueError("no text of the course's, or a damaged one") from failure
    right = all(map(_is_exercise, progress.exercises.values())) and all(map(_is_question, progress.questions.values()))
    named = isinstance(progress.guessed, list) and all(isinstance(name, str) for name in progress.guessed)
    if not right or not named or not isinstance(progress.last, str | None) or progress.told != "":
        raise ValueError("something in it is of another kind than the course writes")
    return progress


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object none of whose names comes twice: of those only the last would be written again."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _is_exercise(one: Exercise) -> bool:
    mistakes = isinstance(one.mistakes, dict) and all(map(_is_count, one.mistakes.values()))
    times = all(isinstance(when, str) and TIME.fullmatch(when) for when in (one.solved, one.solution_seen) if when)
    texts = all(isinstance(found, str | None) for found in (one.solved, one.solution_seen, one.answer))
    return mistakes and times and texts and _is_count(one.attempts) and _is_count(one.hints)


def _is_question(one: Question) -> bool:
    opened = isinstance(one.opened, list) and all(isinstance(letter, str) for letter in one.opened)
    return opened and isinstance(one.first, str | None) and isinstance(one.right, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST
