"""The answers in a learner's notebook: the cells of its exercises, and of its other cells the lines that those need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vaecourse
from vaecourse import files
from vaecourse.cells import marks, source, sum_of, tags
from vaecourse.classroom.slices import names_made, needed_lines

PATTERN = "[0-9][0-9]-*.ipynb"
CHECK = re.compile(r"(?:checks\.ALL\[|cards\.show\()\s*(['\"])(\d\d\.\w{1,60})\1\s*(?:\]\(\s*(\w+)\s*\))?")
LONGEST_ANSWER = 100_000  # letters
MOST = 100  # exercises of a notebook; the longest chapter has ten


@dataclass(frozen=True)
class Answer:
    """The text of one answer: what it calls the answer, its cell, and the lines of other cells that it needs."""

    name: str
    source: str
    before: str = ""


def read(path: Path) -> dict[str, Any]:
    """The notebook in a file. Raises ``ValueError`` if it is none, or too long a one, and ``OSError`` for a pipe."""
    content = files.content(path, files.LONGEST_TEXT)
    try:
        found = json.loads(content)
        if (
            isinstance(found["metadata"], dict)
            and isinstance(found["cells"], list)
            and all(map(_is_cell, found["cells"]))
        ):
            return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ValueError("it is no notebook, or a damaged one")


def _is_cell(cell: Any) -> bool:
    lines = cell["source"]
    lines = [lines] if isinstance(lines, str) else lines
    return isinstance(cell["cell_type"], str) and all(
        isinstance(line, str) and line.encode() is not None for line in lines
    )


def answers(notebook: Mapping[str, Any]) -> dict[str, Answer]:
    """Those that somebody has typed, by the exercise's name; a cell that is as the course gave it is no answer."""
    cells, given = notebook["cells"], marks(notebook)
    code = [source(cell) if cell["cell_type"] == "code" else "" for cell in cells]
    # Another exercise's answer that this one uses is needed as any cell is; the checks are not.
    others = ["" if CHECK.search(other) else other for other in code]
    asked = {exercise: (place, called) for exercise, place, called in exercises(notebook)}
    if len(asked) > MOST:
        raise ValueError(f"it has more than {MOST} exercises")
    found: dict[str, Answer] = {}
    for exercise, (place, called) in asked.items():
        text = code[place]
        if given.get(str(cells[place].get("id"))) == sum_of(cells[place]) or not text.strip():
            continue
        before = needed_lines(text, others[:place], others[place + 1 :])
        found[exercise] = Answer(called or named(exercise, text), text[:LONGEST_ANSWER], before[:LONGEST_ANSWER])
    return found


def exercises(notebook: Mapping[str, Any]) -> Iterator[tuple[str, int, str | None]]:
    """Each exercise, the place of the cell that its learner fills, and the answer's name where the check cell says it.

    The cell is the one that the notebook's mark names; without one, or where that is gone, the first stub before.
    """
    cells, stub = notebook["cells"], None
    noted = _mark(notebook).get("exercises")
    places: dict[object, int] = {}
    for place, cell in enumerate(cells):
        name = cell.get("id")
        if isinstance(name, str):
            places.setdefault(name, place)
    for place, cell in enumerate(cells):
        if "stub" in tags(cell):
            stub = place if stub is None else stub
        elif cell["cell_type"] == "code" and (check := CHECK.search(source(cell))):
            known = noted.get(check[2]) if isinstance(noted, Mapping) else None
            filled = places[known] if isinstance(known, str) and known in places else stub
            if filled is not None:
                yield check[2], filled, check[3]
            stub = None


CARDS = Path(vaecourse.__file__).parent / "cards/data"


def of_the_course(chapter: str) -> dict[str, Any]:
    """What the cards of a chapter know: ``imports``, and the ``answer`` of each of the ``exercises``; else nothing."""
    try:
        found: dict[str, Any] = json.loads((CARDS / f"{chapter}.json").read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return {}


def asks(question: str) -> bool:
    """Whether the course asks a question of this name, ``"03.quiz.1"``."""
    found = re.fullmatch(r"([0-9]{2})\.(quiz|recall)\.([1-9][0-9]?)", question)
    return found is not None and int(found[3]) <= len(of_the_course(found[1]).get(found[2]) or [])


def named(exercise: str, text: str) -> str:
    """What a cell calls its answer, where no check says it: what its card asks for, or the last name that it makes."""
    made = names_made(text)
    asked = of_the_course(exercise[:2]).get("exercises", {}).get(exercise, {}).get("answer")
    if isinstance(asked, str):
        return asked
    own = exercise.partition(".")[2]
    return own if own in made or not made else made[-1]


def _mark(notebook: Mapping[str, Any]) -> Mapping[str, Any]:
    found = notebook["metadata"].get("vaecourse")
    return found if isinstance(found, Mapping) else {}
