"""How long a chapter takes, counted from its cells: tools/minutes.py says by what measures, and writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from tools import chapter, questions, visible
from vaecourse import labs

WORDS, LINES = 130, 8  # that are read in a minute
QUESTION, LAB, SMALL_LAB = 1, 5, 2  # minutes for one
LONGEST = 100  # minutes of a part
ON_A_CARD = {"exercise", "stub", "check", "solution", "quiz", "recall", "instructor"}
COLUMN = "minutes, reading and doing"  # the map's table in chapter 00 has it


@dataclass(frozen=True)
class Part:
    """What a part of a chapter takes, in minutes, rounded up to five."""

    reading: int
    doing: int

    @property
    def together(self) -> int:
        return self.reading + self.doing


def parts(notebook: NotebookNode) -> list[Part]:
    """The parts of a chapter, from its notebook with its outputs."""
    cells: list[list[NotebookNode]] = [[]]
    for cell in notebook.cells:
        cells[-1].append(cell)
        if "pause" in chapter.tags(cell):
            cells.append([])
    return [Part(_up(sum(map(reading, part))), _up(sum(map(doing, part)))) for part in cells]


def _up(minutes: float) -> int:
    return 5 * math.ceil(minutes / 5)


def reading(cell: NotebookNode) -> float:
    if ON_A_CARD & set(chapter.tags(cell)):
        return 0
    if cell.cell_type == "markdown":
        return _of_text(cell.source)
    figure = chapter.has_picture(cell) or bool(chapter.labs_of(cell))
    return figure + len(visible.lines(cell)) / LINES


def _of_text(markdown: str) -> float:
    """A formula within a line is a word; a link is what it is called."""
    code = re.findall(r"^```.*?\n(.*?)^```", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^```.*?^```", " ", markdown, flags=re.DOTALL | re.MULTILINE)
    text, formulas = re.subn(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text, figures = re.subn(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\$[^$]+\$", "x", text)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)
    words = [word for word in text.split() if re.search(r"\w", word)]
    lines = [line for block in code for line in block.splitlines() if line.strip()]
    return len(words) / WORDS + formulas + figures + len(lines) / LINES


def doing(cell: NotebookNode) -> float:
    found = set(chapter.tags(cell))
    if "exercise" in found:
        card = questions.card(cell.source)
        return card.minutes if card else 0
    if found & {"quiz", "recall"}:
        return QUESTION * len(questions.asked(cell.source))
    return 0 if "solution" in found else sum(map(_of_lab, chapter.labs_of(cell)))


def _of_lab(name: str) -> int:
    return SMALL_LAB if labs.PLACES.get(name, "").startswith("small.") else LAB


def sentence(found: Sequence[Part]) -> str:
    """What the title of a chapter says."""
    said = [f"reading {part.reading} minutes, doing {part.doing} minutes." for part in found]
    if len(said) == 1:
        return f"**{said[0].capitalize()}**"
    return "**" + " ".join(f"Part {number}: {one}" for number, one in enumerate(said, 1)) + "**"


def on_the_map(found: Sequence[Part]) -> str:
    """What the map says of a chapter: "25 + 30", or "60 + 35, then 40 + 25"."""
    return ", then ".join(f"{part.reading} + {part.doing}" for part in found)


def rows(markdown: str) -> Iterator[tuple[str, str, str]]:
    """The rows of a map in a text: the number of the chapter, its minutes, the row."""
    column = None
    for row in re.findall(r"^\|.*\|$", markdown, flags=re.MULTILINE):
        entries = [entry.strip() for entry in row.strip("|").split("|")]
        column = entries.index(COLUMN) if COLUMN in entries else column
        if column is not None and (number := re.match(r"\[?(\d\d) ", entries[0])):
            yield number[1], entries[column], row
