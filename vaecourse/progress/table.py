"""The progress of one learner as a table of chapters, in words that a terminal can show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from vaecourse.progress.content import Exercise, Progress

MARKS = {"solved": "✓", "tried": "~", "untouched": "·"}


def table(progress: Progress, exercises: Sequence[str], chapters: Mapping[str, str] | None = None) -> str:
    """A row for each chapter: a mark for each exercise, attempts, the quiz; then where to go on.

    Arguments:
        exercises: the course's, in their order, ``"03.iwae_bound"``.
        chapters: what the notebook of a chapter is called, ``{"03": "03-iwae.ipynb"}``.
    """
    chapters = chapters or {}
    numbers = list(dict.fromkeys(name[:2] for name in exercises))
    rows: list[tuple[str, ...]] = [("chapter", "solved", "exercises", "attempts", "quiz")]
    rows += [_row(progress, number, _of(exercises, number), chapters) for number in numbers]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    key = ", ".join(f"{mark} {word}" for word, mark in MARKS.items())
    return "\n".join([*lines, "", f"{key}; quiz: first choices that are right", go_on(progress, exercises, chapters)])


def go_on(progress: Progress, exercises: Sequence[str], chapters: Mapping[str, str] | None = None) -> str:
    """Where to go on, in a sentence."""
    name = unsolved(progress, exercises)
    if name is None:
        return f"All {len(exercises)} exercises are solved."
    number = _of(exercises, name[:2]).index(name) + 1
    chapter = (chapters or {}).get(name[:2], f"chapter {name[:2]}")
    return f"{'Go on' if progress.exercises else 'Begin'} with exercise {number} of {chapter} ({name})."


def unsolved(progress: Progress, exercises: Iterable[str]) -> str | None:
    """The first of ``exercises`` that is not solved, from where the learner was last and then from the start."""
    order, last = list(exercises), progress.last or ""
    start = order.index(last) if last in order else next((i for i, name in enumerate(order) if name[:2] == last[:2]), 0)
    return next((name for name in order[start:] + order[:start] if _exercise(progress, name).solved is None), None)


def _row(progress: Progress, number: str, names: Sequence[str], chapters: Mapping[str, str]) -> tuple[str, ...]:
    exercises = [_exercise(progress, name) for name in names]
    marks = " ".join(MARKS[_state(exercise)] for exercise in exercises)
    solved = sum(exercise.solved is not None for exercise in exercises)
    quiz = [
        one for name, one in progress.questions.items() if re.match(rf"{number}\.(quiz|recall)\.", name) and one.first
    ]
    score = f"{sum(one.right for one in quiz)} of {len(quiz)}" if quiz else "-"
    name = chapters.get(number, number).removesuffix(".ipynb")
    return name, f"{solved} of {len(names)}", marks, str(sum(one.attempts for one in exercises)), score


def _of(names: Sequence[str], chapter: str) -> list[str]:
    return [name for name in names if name[:2] == chapter]


def _exercise(progress: Progress, name: str) -> Exercise:
    return progress.exercises.get(name, Exercise())


def _state(exercise: Exercise) -> str:
    return "solved" if exercise.solved else "tried" if exercise.attempts else "untouched"
