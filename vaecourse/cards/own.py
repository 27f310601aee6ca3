"""The learner's own: what stands under a name in the notebook, the text it came from, and an answer run by itself."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Mapping
from typing import Any

from IPython import get_ipython

from vaecourse import checks
from vaecourse.cards import data
from vaecourse.cells import used_and_given

MISSING = object()  # nothing stands under the name


def notebook() -> Mapping[str, Any]:
    """The names of the notebook that runs now; those of the program, where none does."""
    shell = get_ipython()
    return vars(sys.modules["__main__"]) if shell is None else shell.user_ns


def value(name: str) -> object:
    """What the notebook has under ``name``, or ``MISSING``."""
    return notebook().get(name, MISSING)


def source(name: str) -> str | None:
    """The text of the latest cell that was run and gives ``name``; None if nobody knows."""
    cells = notebook().get("In")
    cells = cells if isinstance(cells, list) else []  # a learner may call something of theirs so
    return next((cell for cell in reversed(cells) if isinstance(cell, str) and gives(cell, name)), None)


def gives(cell: str, name: str) -> bool:
    """Whether the text of a cell gives ``name`` a value."""
    if name not in cell:
        return False
    try:
        return any(name in used_and_given(line)[1] for line in ast.parse(cell).body)
    except (SyntaxError, ValueError, RecursionError):
        return False


def is_older(name: str, answer: object) -> bool:
    """Whether ``answer`` is a function from before the latest cell that defines one: that cell ended in an error."""
    latest = source(name)
    if latest is None or not inspect.isfunction(answer) or answer.__name__ != name:
        return False
    try:
        defined = [line for line in ast.parse(latest).body if isinstance(line, ast.FunctionDef) and line.name == name]
        return bool(defined) and inspect.getsource(answer).strip() not in latest
    except (OSError, SyntaxError, TypeError):
        return False


def run(exercise: data.Exercise, text: str, called: str = "an answer") -> dict[str, Any]:
    """The names that ``text`` gives, run in a namespace of its own. Raises what it raises.

    There are what the chapter imports, and of the exercises before this one the course's answers that it names.
    """
    place, chapter = f"<{called} to {exercise.name}>", data.chapter(exercise.name[:2])
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)  # for who asks for its lines
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(chapter.imports, names)
    before = [one for one in chapter.exercises.values() if one.number < exercise.number and one.answer in text]
    names |= {one.answer: checks.ALL[one.name].solution for one in before}
    exec(compile(text, place, "exec"), names)
    return names


def is_the_courses(name: str, answer: object) -> bool:
    """Whether an answer is the course's own function: what a learner writes is not in the package."""
    right = checks.ALL[name].solution
    return answer is right and callable(right) and (getattr(right, "__module__", None) or "").startswith("vaecourse.")


def passed(exercise: data.Exercise, text: str) -> tuple[object, str]:
    """The answer that ``text`` gives by itself, and ""; or ``MISSING`` and why it cannot be used."""
    try:
        found = run(exercise, text, "your answer").get(exercise.answer, MISSING)
    except Exception as error:  # noqa: BLE001 - the learner's own lines
        return MISSING, f"does not run by itself ({type(error).__name__}: {error})"
    if found is MISSING or not checks.ALL[exercise.name](found).passed:
        return MISSING, "does not pass any more"
    return found, ""
