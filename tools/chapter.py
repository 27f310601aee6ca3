"""What a chapter is: a pair of files, NN-name.py with the text and NN-name.ipynb with the outputs, made of cells.

What a cell is — its tags, whether it is folded, the labs it shows, the check it calls, what it said — is read here and
nowhere else; notebooks, rules, site, slides, present and student stand on it. Nothing is run or written.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import ending, typed

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"

TO_FILL_IN = "To fill in:"  # so begins what tools/templates leave to the author
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


class ChapterError(ending.Refused):
    """Something is wrong with a chapter; the message says where, and what."""


@dataclass(frozen=True)
class Chapter:
    """A pair: the text file, what it says, and the notebook beside it."""

    source: Path

    @property
    def number(self) -> str:
        return self.source.name[:2]

    @cached_property
    def text(self) -> NotebookNode:
        return read(self.source)

    @cached_property
    def notebook(self) -> NotebookNode:
        return stored(self.source)

    @property
    def code(self) -> Iterator[tuple[int, NotebookNode]]:
        return ((i, cell) for i, cell in enumerate(self.notebook.cells) if cell.cell_type == "code")

    def tagged(self, tag: str) -> list[tuple[int, NotebookNode]]:
        return [(i, cell) for i, cell in enumerate(self.notebook.cells) if tag in tags(cell)]


def sources(numbers: list[str] | None = None, folder: Path = CHAPTERS) -> list[Path]:
    """The chapters' text files in order: all, or those whose names start with one of ``numbers``."""
    found = sorted(folder.glob("[0-9][0-9]-*.py"))
    if not numbers:
        return found
    if unknown := [n for n in numbers if not any(path.name.startswith(n) for path in found)]:
        names = ", ".join(path.stem for path in found) or "none yet"
        raise ChapterError(f"no chapter starts with {' or '.join(unknown)}; there are: {names}")
    return [path for path in found if path.name.startswith(tuple(numbers))]


def read(source: Path) -> NotebookNode:
    """The text file as a notebook without outputs, its cell ids made from the chapter's name and the cell's place."""
    import jupytext  # a learner's environment has none: what is made there is made of the stored notebooks

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for index, cell in enumerate(notebook.cells):
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines, which no .ipynb stores
        cell.id = hashlib.sha256(f"{source.stem} {index}".encode()).hexdigest()[:8]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def stored(source: Path) -> NotebookNode:
    """The notebook beside a text file, or the one of this name, with its outputs."""
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


# A cell --------------------------------------------------------------------------------------------------------------

tags = typed.tags


def place(index: int, cell: NotebookNode) -> str:
    """How messages name a cell: its number, counted from 1 over text and code, and how it begins."""
    line = next((line for line in cell.source.splitlines() if line.strip()), "empty")
    return f'cell {index + 1} ("{line[:50]}")'


def folded(cell: NotebookNode) -> bool:
    return cell.metadata.get("jupyter", {}).get("source_hidden") is True


def slide_type(cell: NotebookNode) -> str | None:
    return cell.metadata.get("slideshow", {}).get("slide_type")


def alt(cell: NotebookNode) -> str:
    """What the cell's picture shows, in words."""
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def shown(cell: NotebookNode) -> str:
    """Everything a code cell's stored outputs say in text."""
    return "\n".join(
        output.get("text", "") + "".join(v for k, v in output.get("data", {}).items() if k.startswith("text/"))
        for output in cell.get("outputs", [])
    )


def has_picture(cell: NotebookNode) -> bool:
    return any(mime.startswith("image/") for output in cell.get("outputs", []) for mime in output.get("data", {}))


def plain(text: str) -> str:
    """What a terminal would show, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def labs_of(cell: NotebookNode) -> list[str]:
    """The names of the labs that a code cell shows: those of its calls ``labs.ALL["NAME"]()``."""
    if cell.cell_type != "code":
        return []
    return list(dict.fromkeys(re.findall(r'labs\.ALL\["([^"]+)"\]\(\)', cell.source)))


def check_of(cell: NotebookNode) -> tuple[str, str] | None:
    """The check that a cell calls and the learner's name that it is given: ("02.mixture", "mixture_log_prob")."""
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Name):
            if found := re.fullmatch(r"checks\.ALL\[(['\"])(.+)\1\]", ast.unparse(node.func)):
                return found[2], node.args[0].id
    return None
