"""What was typed into a notebook since the course wrote it: every notebook carries the sums of its cells as they were.

It needs no git, no text file beside the notebook and no package: a learner's machine has none of them for sure.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaecourse import files
from vaecourse.cells import Cell, marks, source, sum_of, tags

Notebook = dict[str, Any]
CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
PATTERN = "[0-9][0-9]-*.ipynb"
CHECK = re.compile(
    r"(?:checks\.ALL\[|cards\.show\()(['\"])([^'\"\]\n]{1,100})\1(?:\]\(|\))"
)  # a chapter's, a learner's
PROGRAMS = {"kernelspec", "language_info", "vaecourse", "widgets", "signature", "orig_nbformat", "colab"}
MARK = {"cells", "exercises", "settings"}  # what is in the notebook's mark

# What stands in a cell's metadata beside its tags. JupyterLab writes these by itself, and they are nobody's words; all
# others are in the mark's sum of settings, by which a change is seen. Notebooks of before have no such sum.
SLIDES = {"-", "skip", "slide", "subslide", "fragment", "notes"}
SWITCHES = {"collapsed", "scrolled", "trusted", "editable", "deletable", "jp-MarkdownHeadingCollapsed"}
TIMES = re.compile(r"[-\d:.TZ+]+")


def mark(notebook: dict[str, Any]) -> None:
    """Note in the notebook's metadata what its cells are now, and which of them the exercises ask to be filled."""
    sums = " ".join(f"{cell['id']}:{sum_of(cell)}" for cell in notebook["cells"])
    unmarked = {**notebook, "metadata": {}}
    exercises = {name: notebook["cells"][place]["id"] for name, place in stubs(unmarked).items()}
    settings = settings_of(notebook["cells"])
    notebook["metadata"]["vaecourse"] = {"cells": sums, "exercises": exercises, "settings": settings}


def settings_of(cells: Sequence[Cell]) -> str:
    """What stands for the cells' slides and words for pictures, and whatever JupyterLab does not write by itself."""
    settings = [
        {name: value for name, value in found.items() if not _is_by_itself(name, value)}
        if isinstance(found := cell.get("metadata", {}), Mapping)
        else found
        for cell in cells
    ]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def settings(cell: Cell) -> dict[str, Any]:
    """What somebody has set for a cell beside its tags, as far as it can be written into any notebook."""
    found = cell.get("metadata")
    return {
        name: value
        for name, value in (found.items() if isinstance(found, Mapping) else ())
        if name not in {"tags", "execution", "trusted"} and _is_json(value)
    }


def _is_json(value: Any, deep: int = 50) -> bool:
    """Whether every program can read it: numbers are finite, and lists in lists have an end."""
    if isinstance(value, Mapping | list):
        inside = value.values() if isinstance(value, Mapping) else value
        return deep > 0 and all(_is_json(one, deep - 1) for one in inside)
    return not isinstance(value, float) or math.isfinite(value)


def has_other_settings(notebook: Mapping[str, Any]) -> bool:
    """Whether the course's cells are all there, but not as they were set. Notebooks of before cannot tell."""
    noted, names = notebook["metadata"].get("vaecourse"), marks(notebook).keys()
    cells = [cell for cell in notebook["cells"] if cell.get("id") in names]
    noted = noted.get("settings") if isinstance(noted, Mapping) else None
    return isinstance(noted, str) and len(cells) == len(names) and noted != settings_of(cells)


def read(path: Path) -> dict[str, Any]:
    """The notebook in a file. Raises ``ValueError`` if it is none, or too long a one, and ``OSError`` for a pipe."""
    content = files.content(path, files.LONGEST_TEXT)
    try:
        found = json.loads(content)
        cells = found["cells"]
        if isinstance(found["metadata"], dict) and isinstance(cells, list) and all(map(_is_cell, cells)):
            return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ValueError(f"{files.shown(path)} is not a notebook, or is a damaged one.")


def _is_cell(cell: Cell) -> bool:
    """Whether what is taken from a cell is of its kind and nothing but text, which can be written into any file."""
    pictures = cell.get("attachments") or {}
    data = [text for picture in pictures.values() for text in (list(picture), *picture.values())]
    return (
        cell["cell_type"] in {"code", "markdown", "raw"}
        and isinstance(cell.get("id"), str | None)
        and all(map(_is_text, (cell["source"], tags(cell), list(pictures), *data)))
    )


def _is_text(found: Any) -> bool:
    """Whether this is a text, whole or line by line. Raises ``ValueError`` where half a character is in it."""
    lines = [found] if isinstance(found, str) else found
    return isinstance(lines, list) and all(isinstance(line, str) and line.encode() is not None for line in lines)


def is_untouched(path: Path) -> bool:
    """Whether every cell in the file is as the course wrote it, in that order, and nothing was added."""
    try:
        return is_as_marked(read(path))
    except ValueError:
        return False


def is_as_marked(notebook: Mapping[str, Any]) -> bool:
    """The same of a notebook that was read."""
    cells, words = notebook["cells"], notebook["metadata"]
    sums = [(cell.get("id"), sum_of(cell)) for cell in cells]
    if not sums or sums != list(marks(notebook).items()) or not words.keys() <= PROGRAMS:
        return False
    mark = words["vaecourse"]
    if not mark.keys() <= MARK:
        return False
    return mark["settings"] == settings_of(cells) if "settings" in mark else not any(map(_has_words, cells))


def _has_words(cell: Cell) -> bool:
    """Whether somebody has written into a cell's metadata."""
    metadata = cell.get("metadata", {})
    return not isinstance(metadata, Mapping) or not all(_is_known(*entry) for entry in metadata.items())


def _is_by_itself(name: str, value: Any) -> bool:
    """Whether JupyterLab writes this into a cell's metadata by itself, or it is in the cell's sum."""
    if name in SWITCHES:
        return isinstance(value, bool) or value == "auto"
    if name == "tags":
        return isinstance(value, list) and all(isinstance(tag, str) for tag in value)  # they are in the cell's sum
    if not isinstance(value, Mapping):
        return False
    if name == "jupyter":
        return value.keys() <= {"source_hidden", "outputs_hidden"} and {bool} >= {*map(type, value.values())}
    return name == "execution" and all(isinstance(time, str) and TIMES.fullmatch(time) for time in value.values())


def _is_known(name: str, value: Any) -> bool:
    """Whether the course, or JupyterLab by itself, writes this into a cell's metadata; for a mark without settings."""
    if name == "slideshow" and isinstance(value, Mapping):
        return value.keys() <= {"slide_type"} and all(kind in SLIDES for kind in map(str, value.values()))
    if name == "mystnb" and isinstance(value, Mapping):  # the words for those who cannot see a picture
        return value.keys() == {"image"} and isinstance(value["image"], Mapping) and value["image"].keys() == {"alt"}
    return _is_by_itself(name, value)


NOTEBOOK = files.Kind("a notebook", Path.is_file, is_untouched)


@dataclass(frozen=True)
class Typed:
    """A cell that somebody wrote or changed. Cells of the course are named by their sums as the course wrote them."""

    cell: Cell
    exercise: str | None  # whose answer it is, "03.iwae_bound"
    given: str | None  # the course's cell that it was; None for a new one
    after: str | None  # the course's cell before it


def typed(notebook: Mapping[str, Any]) -> Iterator[Typed]:
    """The cells of a notebook that are not as the course wrote them. All are, where the notebook has no mark."""
    known, after = marks(notebook), None
    left = Counter(known.values())  # a cell that lost its id, as some programs do to all, is known by its content
    answers = {place: name for name, place in stubs(notebook).items()}
    for number, cell in enumerate(notebook["cells"]):
        given, now = known.get(cell.get("id", "")), sum_of(cell)
        if given is None and left[now]:
            given = now
        if given == now:
            left[now] -= 1
        elif source(cell).strip() or cell.get("attachments"):
            yield Typed(cell, answers.get(number), given, after)
        after = given or after


def stubs(notebook: Mapping[str, Any]) -> dict[str, int]:
    """The exercises of a notebook, and the place of the cell that the learner fills.

    It is the one that the mark names; without one, or where that cell is gone, the first stub before the check.
    """
    found: dict[str, int] = {}
    stub = None
    for number, cell in enumerate(notebook["cells"]):
        if "stub" in tags(cell):
            stub = number if stub is None else stub
        elif "check" in tags(cell) and stub is not None and (name := CHECK.search(source(cell))):
            found[name[2]], stub = stub, None
    noted = notebook["metadata"].get("vaecourse")
    noted = noted.get("exercises") if isinstance(noted, Mapping) else None
    places: dict[object, int] = {}
    for number, cell in enumerate(notebook["cells"]):
        places.setdefault(cell.get("id"), number)
    for name, known in noted.items() if isinstance(noted, Mapping) else ():
        if isinstance(known, str) and known in places:
            found[name] = places[known]
    return found


def notebooks(folder: Path) -> list[Path]:
    """The chapters' notebooks in a folder."""
    return [path for path in sorted(folder.glob(PATTERN)) if path.is_file()]
