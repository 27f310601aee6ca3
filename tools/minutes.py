"""How long a chapter takes, counted from what it has: the minutes in its title and on the map of chapter 00.

    python -m tools.minutes             what each chapter takes, and what its title says
    python -m tools.minutes write       put them into the titles, and into the map
    python -m tools.minutes write 03    into the title of this chapter

Reading: the words at 130 a minute, a minute for a display formula, for a figure and for a lab, and one for eight lines
of code. Doing: the minutes on the cards, one for a question, five for a lab, two for a small one. The words of cards
and questions are in their minutes, teaching notes and solutions in none. Both are rounded up to five. A cell tagged
`pause` ends a part.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import chapter, ending, made, notebooks
from tools.lengths import LONGEST, Part, on_the_map, parts, rows, sentence
from vaecourse import files

SAYS = re.compile(r"\*\*(?:Part 1: r|R)eading:? \d+ minutes?[^*]*\*\*(?=[\s.,]|$)")
FIRST_LINE = "**Reading 5 minutes, doing 5 minutes.**"


def write(source: Path, everywhere: bool) -> bool:
    """Put the minutes into a chapter's title, and with ``everywhere`` into its map; whether anything was new.

    The notebook gets the same words, where it is the text's: nothing is run.
    """
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
