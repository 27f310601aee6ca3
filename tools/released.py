"""The chapters as the course has them, whatever was typed into their notebooks, run there or cleared."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import ending, git, typed
from vaecourse import files

FAR = 100  # versions back in which a notebook is looked for: commits of one's own may have answers


def chapters(folder: Path) -> list[Path]:
    """The notebooks of the course's chapters: their text lies beside them, beside one's own and beside a copy none."""
    return [path for path in typed.notebooks(folder) if path.with_suffix(".py").is_file()]


def notebook(path: Path) -> NotebookNode:
    """The notebook of a chapter with the course's text and outputs.

    It is the one on the disk if that is as it was stored, else git's newest of the same text. Raises ``Refused`` where
    git has none, and without git.
    """
    try:
        here = typed.read(path)
    except ValueError:  # damaged: then git's, whichever it is
        here = {"cells": [], "metadata": {}}
    for found in itertools.chain([here], _of_git(path)):  # git is asked last: it takes long
        if _is_as_stored(found) and (not typed.marks(here) or typed.marks(here) == typed.marks(found)):
            return nbformat.reads(json.dumps(found), as_version=4)
    raise ending.Refused(
        f"{files.shown(path)} was changed, or run in part, and git has no notebook of its text. Move it to another "
        "place, and put the one of your version of the course there; whoever wrote the text: make chapters."
    )


def _of_git(path: Path) -> Iterator[typed.Notebook]:
    """The notebooks that git has of this name, the newest first; none where the course was not cloned."""
    with contextlib.suppress(ending.Refused):
        root, name = git.root_of(path.parent), f"{path.parent.name}/{path.name}"
        for commit in git.text(root, "log", f"-{FAR}", "--format=%H", "--", name).split():
            with contextlib.suppress(ending.Refused, ValueError):  # that commit removed it
                yield json.loads(git.raw(root, "cat-file", "blob", f"{commit}:{name}"))


def _is_as_stored(notebook: typed.Notebook) -> bool:
    """Whether nothing was typed into it, and every cell was run once, in its order, without a failure."""
    if not typed.is_as_marked(notebook):
        return False
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell.get("outputs", [])]
    in_order = [cell.get("execution_count") for cell in code] == list(range(1, len(code) + 1))
    return in_order and all(output.get("output_type") != "error" for output in outputs)
