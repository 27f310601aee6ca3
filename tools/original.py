"""A chapter's notebook as the course has it, whatever was typed into it: the learner's edition is made of that.

The notebook's mark knows the course's cells and what they were; the .py beside it has their text. A learner's machine
has no jupytext to read it, but what is read here is compared with the mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import typed

KEYS = ("tags", "slideshow", "mystnb", "jupyter")


def notebook(path: Path) -> NotebookNode:
    """The notebook at ``path`` without anybody's own cells, and with the course's text in those that were changed."""
    found = nbformat.read(path, as_version=4)
    marks = typed.marks(found)
    if not marks or typed.is_untouched(path):
        return found
    here = {cell.get("id"): cell for cell in found.cells}
    written = _cells(path.with_suffix(".py"), list(marks))
    for name in here.keys() & written.keys():
        if here[name].cell_type == written[name].cell_type == "code":  # by its outputs is known what shows something
            written[name].outputs = here[name].outputs
    cells = []
    for name, as_released in marks.items():
        ways = [cells_of[name] for cells_of in (here, written) if name in cells_of]
        as_it_was = [cell for cell in ways if typed.sum_of(cell) == as_released]
        cells += (as_it_was or ways)[:1]
    found.cells = cells
    return found


def _cells(source: Path, names: list[str]) -> dict[str, NotebookNode]:
    """The cells of a text file in jupytext's percent format, by the names that they have in the notebook."""
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    return {name: _cell(name, *part) for name, part in zip(names, zip(parts[1::2], parts[2::2]))}


def _cell(name: str, head: str, body: str) -> NotebookNode:
    body = body.strip("\n")
    metadata = {key: value for key, value in _pairs(head) if key in KEYS}
    if "[markdown]" in head:
        lines = [line.removeprefix("#").removeprefix(" ") for line in body.split("\n")]
        return nbformat.v4.new_markdown_cell("\n".join(lines), id=name, metadata=metadata)
    return nbformat.v4.new_code_cell(body, id=name, metadata=metadata)


def _pairs(head: str) -> Iterator[tuple[str, object]]:
    """The metadata in such a line: `tags=["stub"] slideshow={"slide_type": "skip"}`."""
    while found := re.search(r"(\w+)=(?=[\[{])", head):
        value, end = json.JSONDecoder().raw_decode(head, found.end())
        head = head[end:]
        yield found[1], value
