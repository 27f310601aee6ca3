"""How long a chapter takes, counted from what it has: the minutes in its title and on the map of chapter 00.

    python -m tools.minutes             what each chapter takes, and what its title says
    python -m tools.minutes write       put them into the titles, and into the map
    python -m tools.minutes write 03    into the title of this chapter

Reading: the words at 130 a minute, a minute for a display formula, for a figure and for a lab, and one for eight lines
of code. Doing: the minutes on the cards, one for a question, five for a lab. The words of cards and questions are in
their minutes, teaching notes and solutions in none. Both are rounded up to five. A cell tagged `pause` ends a part.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from tools import chapter, ending, made, questions, visible
from vaecourse import files

WORDS, LINES = 130, 8  # that are read in a minute
QUESTION, LAB = 1, 5  # minutes for one
LONGEST = 100  # minutes of a part
ON_A_CARD = {"exercise", "stub", "check", "solution", "quiz", "recall", "instructor"}
SAYS = re.compile(r"\*\*(?:Part 1: r|R)eading:? \d+ minutes?[^*]*\*\*(?=[\s.,]|$)")
COLUMN = "minutes, reading and doing"  # the map's table in chapter 00 has it
FIRST_LINE = "**Reading 5 minutes, doing 5 minutes.**"


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
    return 0 if "solution" in found else LAB * len(chapter.labs_of(cell))


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


# Writing -------------------------------------------------------------------------------------------------------------


def write(source: Path, everywhere: bool) -> bool:
    """Put the minutes into a chapter's title, and with ``everywhere`` into its map; whether anything was new.

    The notebook gets the same words, where it is the text's: nothing is run.
    """
    from tools import notebooks  # it stands on the rules, and one of them on this file

    whole = chapter.Chapter(source)
    now, whole = files.stamp(source), chapter.Chapter(source)
    found = parts(whole.notebook)
    before = [cell.source for cell in whole.text.cells]
    after = [_with_title(before[0], found, source), *before[1:]]
    if everywhere:
        after = [_with_map(text, source.parent) for text in after]
    changes = {old: new for old, new in zip(before, after) if old != new}
    text = source.read_text(encoding="utf-8")
    for old, new in changes.items():
        if _commented(old) not in text:
            raise chapter.ChapterError(f"{source.stem}: {new!r} is what a cell should say; write it by hand")
        text = text.replace(_commented(old), _commented(new), 1)
    if changes:
        for cell in whole.notebook.cells:
            cell.source = changes.get(cell.source, cell.source)
        with made.alone(source.with_suffix(".ipynb"), "writing its minutes"):
            files.replace(source, text.encode(), if_still=[now])
            notebooks.write(whole.notebook, source.with_suffix(".ipynb"))
    return bool(changes)


def _commented(markdown: str) -> str:
    """A text cell as it stands in the .py."""
    return "\n".join(f"# {line}".rstrip() for line in markdown.splitlines())


def _with_title(markdown: str, found: Sequence[Part], source: Path) -> str:
    new, places = SAYS.subn(lambda _: sentence(found), markdown)
    if places != 1:
        raise chapter.ChapterError(
            f"{source.stem}: write {FIRST_LINE} into its first cell, once; there it is put right"
        )
    return new


def _with_map(markdown: str, folder: Path) -> str:
    for number, said, row in rows(markdown):
        (source,) = chapter.sources([number], folder)
        new = on_the_map(parts(chapter.stored(source)))
        markdown = markdown.replace(row, row.replace(f"| {said} |", f"| {new} |", 1), 1)
    return markdown


@ending.reports("minutes")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.minutes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["print", "write"], default="print")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="chapter numbers, for example 01 03; all by default")
    parser.add_argument("--folder", type=Path, default=chapter.CHAPTERS, help="where the chapters are")
    options = parser.parse_args(arguments)
    for source in chapter.sources(options.numbers, options.folder.resolve()):
        if options.command == "write":
            changed = write(source, everywhere=not options.numbers)
            print(f"{source.stem:28} {'written' if changed else 'unchanged'}")
            continue
        found, title = parts(chapter.stored(source)), " ".join(chapter.stored(source).cells[0].source.split())
        long = "".join(f"  part {i} is over {LONGEST}" for i, part in enumerate(found, 1) if part.together > LONGEST)
        says = "" if sentence(found) in title else "  the title says otherwise"
        print(f"{source.stem:28} {on_the_map(found):24}{says}{long}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
