"""What a learner has tried, solved and chosen: one file, ``progress.json``, in the folder of the notebooks.

It is text that a person can read, is sent nowhere, and may be deleted at any time: then it begins anew. What is noted
is noted under the file's lock, in what the file has in that moment, so two chapters that are open at once lose nothing.
Whatever becomes of the file, a learner's cell goes on: each function returns what there is to be told, mostly nothing.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from vaecourse import files, foreign
from vaecourse.progress.content import LONGEST, LONGEST_ANSWER, MOST, Exercise, Progress, Question, parsed, text
from vaecourse.progress.table import table, unsolved

__all__ = [
    "FILE",
    "Exercise",
    "Progress",
    "Question",
    "answered",
    "chose",
    "guessed",
    "hinted",
    "parsed",
    "read",
    "solution_seen",
    "table",
    "tried",
    "unsolved",
]

FILE = "progress.json"
WAIT = 15.0  # seconds for another chapter that is noting something; that takes milliseconds
NAME = re.compile(r"\d\d\.[\w.]{1,60}")
Told = str  # a sentence for the learner; empty where all is well


def _of_the_notebook() -> Path | None:
    """The folder that a kernel was started in, which is its notebook's; None where no notebook runs."""
    python = sys.modules.get("IPython")
    try:
        return None if python is None or python.get_ipython() is None else Path.cwd()
    except OSError:  # it has been removed
        return None


STARTED = _of_the_notebook()  # where a notebook goes later, with %cd, makes no difference


def _folder() -> Path:
    return Path() if STARTED is None or not STARTED.is_dir() else STARTED


def tried(name: str, passed: bool, mistake: str | None = None) -> Told:
    """Note one attempt at the exercise ``"03.iwae_bound"``; the first that passes is when it was solved."""

    def change(progress: Progress) -> None:
        exercise = progress.exercise(name)
        exercise.attempts = min(exercise.attempts + 1, MOST)
        if mistake is not None:
            exercise.mistakes[mistake[:100]] = min(exercise.mistakes.get(mistake[:100], 0) + 1, MOST)
        if passed and exercise.solved is None:
            exercise.solved = _now()

    return _note(name, change)


def hinted(name: str, count: int) -> Told:
    """Note that so many hints of an exercise have been opened."""

    def change(progress: Progress) -> None:
        exercise = progress.exercise(name)
        exercise.hints = max(exercise.hints, count)

    return _note(name, change)


def solution_seen(name: str) -> Told:
    """Note that the solution of an exercise was shown, and when for the first time."""

    def change(progress: Progress) -> None:
        exercise = progress.exercise(name)
        exercise.solution_seen = exercise.solution_seen or _now()

    return _note(name, change)


def answered(name: str, source: str) -> Told:
    """Note the text of an answer that passed; the newest counts. A text of more than 20,000 letters is not kept."""
    if len(source) > LONGEST_ANSWER:
        return f"The text of your answer is not kept: it has more than {LONGEST_ANSWER} letters."

    def change(progress: Progress) -> None:
        progress.exercise(name).answer = source.encode("utf-8", "replace").decode()

    return _note(name, change)


def chose(question: str, letter: str, right: bool) -> Told:
    """Note that an option of ``"03.quiz.1"`` was opened, and whether it is right. The first one is the score."""

    def change(progress: Progress) -> None:
        found = progress.question(question)
        if letter not in found.opened:
            found.opened.append(letter)
        if found.first is None:
            found.first, found.right = letter, bool(right)

    return _note(question, change)


def guessed(lab: str) -> Told:
    """Note that the question of the lab ``"03.iwae"`` was answered once; neither how, nor whether it was right."""

    def change(progress: Progress) -> None:
        if lab not in progress.guessed:
            progress.guessed.append(lab)

    return _note(lab, change)


def read(folder: str | Path | None = None) -> Progress:
    """What is noted in a folder, by default the notebook's. It is empty, and ``.told`` says why, for a bad file."""
    path = (_folder() if folder is None else Path(folder)) / FILE
    try:
        return parsed(files.content(path, LONGEST))
    except FileNotFoundError:
        return Progress()
    except ValueError as failure:
        told = f"{files.shown(path)} is not what the course notes there, and is not read ({foreign.plain(failure)})."
        return Progress(told=told)
    except OSError as failure:
        return Progress(told=f"{files.shown(path)} cannot be read ({foreign.plain(failure.strerror or failure)}).")


def _note(name: str, change: Callable[[Progress], None]) -> Told:
    """Change what the file has now; ``name`` is where the learner is."""
    if not NAME.fullmatch(name):
        return f"Your progress is not kept: {foreign.plain(name, 60)} is the name of no exercise and no question."
    try:
        path = files.real(_folder() / FILE)
        with files.locked(path, "noting your progress", wait=WAIT):
            return _noted(path, name, change)
    except (OSError, ValueError) as failure:
        return f"Your progress is not kept: {foreign.plain(failure, 600)}"


def _noted(path: Path, name: str, change: Callable[[Progress], None]) -> Told:
    for _ in range(10):
        before, told = files.stamp(path), ""
        try:
            progress = Progress() if before is None else parsed(files.content(path, LONGEST))
        except ValueError:
            copy = files.keep(path)
            told = (
                f"{files.shown(path)} was damaged, or is not the course's: it is kept as {files.shown(copy)}, and your "
                "progress begins anew."
            )
            progress = Progress()
        change(progress)
        progress.last = name
        if len(raw := text(progress)) > LONGEST:
            return f"Your progress is not kept: {files.shown(path)} would have more than {LONGEST} bytes. Move it away."
        try:
            files.replace(path, raw, if_still=(before,))
            return told
        except files.Changed:  # by an editor, which asks for no lock: look again
            continue
    raise files.Busy(f"{files.shown(path)} is written by somebody else all the time.")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
