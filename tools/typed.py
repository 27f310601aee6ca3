"""What was typed into a notebook since the course wrote it: every notebook carries the sums of its cells as they were.

It needs no git, no text file beside the notebook and no package: a learner's machine has none of them for sure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaecourse import files

Cell = Mapping[str, Any]
CHECK = re.compile(r"checks\.ALL\[(['\"])(.+?)\1\]\(")


def mark(notebook: dict[str, Any]) -> None:
    """Note in the notebook's metadata what its cells are now."""
    sums = " ".join(f"{cell['id']}:{sum_of(cell)}" for cell in notebook["cells"])
    notebook["metadata"]["vaecourse"] = {"cells": sums}


def marks(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The sums that the course noted: cell id -> sum, in order; empty for a notebook that has no mark."""
    try:
        return dict(pair.split(":") for pair in notebook["metadata"]["vaecourse"]["cells"].split())
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def source(cell: Cell) -> str:
    """The text of a cell; nbformat stores it whole or line by line."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def sum_of(cell: Cell) -> str:
    """What stands for the content of a cell."""
    content = [cell["cell_type"], source(cell), cell.get("attachments", {})]  # a picture pasted into a text is attached
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read(path: Path) -> dict[str, Any]:
    """The notebook in a file. Raises ``ValueError`` if it is none."""
    try:
        found = json.loads(path.read_bytes())
        if all(isinstance(source(cell), str) and isinstance(cell["cell_type"], str) for cell in found["cells"]):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ValueError(f"{path} is not a notebook, or is a damaged one.")


def is_untouched(path: Path) -> bool:
    """Whether every cell in the file is as the course wrote it, in that order, and none was added."""
    try:
        found = read(path)
    except ValueError:
        return False
    sums = [(cell.get("id"), sum_of(cell)) for cell in found["cells"]]
    return bool(sums) and sums == list(marks(found).items())


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
    exercises = {stub: name for name, stub in stubs(notebook).items()}
    for number, cell in enumerate(notebook["cells"]):
        given = known.get(cell.get("id", ""))
        if given != sum_of(cell) and source(cell).strip():
            yield Typed(cell, exercises.get(number), given, after)
        after = given or after


def stubs(notebook: Mapping[str, Any]) -> dict[str, int]:
    """The exercises of a notebook, and the place of the cell that the learner fills: the last stub before its check."""
    found: dict[str, int] = {}
    stub = None
    for number, cell in enumerate(notebook["cells"]):
        tags = cell.get("metadata", {}).get("tags", [])
        if "stub" in tags:
            stub = number
        elif "check" in tags and stub is not None and (name := CHECK.search(source(cell))):
            found[name[2]], stub = stub, None
    return found
