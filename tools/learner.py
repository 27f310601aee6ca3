"""A chapter's cells as a learner gets them: cards for checks, hints and reasons in the cards, explanations folded."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

from tools import cards, chapter, questions

SKIP = {"slideshow": {"slide_type": "skip"}}
FOLDED = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}} | SKIP
CARD = 'from vaecourse import cards\n\ncards.show("{}")'
ASKS = 'from vaecourse import cards\n\ncards.quiz("{}.{}")'
LINE = 'from vaecourse import cards\n\ncards.line("{}")'
STARTS = "# Shift+Enter in this cell starts the lab, and starts it again where no kernel is behind it."
LABS = f"{STARTS}\nfrom vaecourse import labs"
MAP = "from vaecourse import cards\n\ncards.map()"
GO_ON = """\
# The cells below need this answer: yours, once its card has passed it, until then the course's.
from vaecourse import cards

our_{name} = cards.mine("{check}")"""
MAP_HEADING = "## A map of the course"
EXPLAIN = "**Explain.**"
ASKED = "Run the cell under this one: it asks, says why, and keeps your score."


def cells(found: list[NotebookNode], number: str) -> Iterator[NotebookNode]:
    """The cells of chapter ``number``, which are without answers already, as a learner gets them."""
    for cell in found:
        kinds = set(chapter.tags(cell))
        if cell.cell_type == "markdown":
            cell.source = _told(cell.source, kinds)
        elif "check" in kinds and (check := chapter.check_of(cell)):
            cell.source = CARD.format(check[0])
        elif chapter.labs_of(cell) and "import labs" not in cell.source:
            cell.source = f"{LABS}\n\n{cell.source}"  # so that it can be run alone, after a restart
        yield cell
        for kind in sorted(kinds & {"quiz", "recall"}):
            yield nbformat.v4.new_code_cell(ASKS.format(number, kind), id=f"{cell.id}-asks", metadata=SKIP)
        if cell.cell_type == "markdown" and re.search(rf"^{MAP_HEADING}$", cell.source, re.MULTILINE):
            yield nbformat.v4.new_code_cell(MAP, id="the-map", metadata=FOLDED)


def line(number: str) -> NotebookNode:
    """The cell that says what of the chapter is solved."""
    return nbformat.v4.new_code_cell(LINE.format(number), id="the-line", metadata=FOLDED)


def _told(source: str, kinds: set[str]) -> str:
    if "exercise" in kinds:
        return without_hints(source)
    if {"quiz", "recall"} & kinds:
        return without_reasons(source)
    return folded(source) if source.startswith(EXPLAIN) else source


def without_hints(source: str) -> str:
    """An exercise's text with a line in place of its hints that says where they are."""
    count = len(questions.hints(source))
    hints = f", and has {count} hint{'s' if count > 1 else ''}" if count else ""
    task = questions.without_hints(source)
    return f"{task}\n\n*Fill the cell below and run it. Then run the cell under it: it judges{hints}.*"


def without_reasons(source: str) -> str:
    """A quiz as text that can be read without a kernel, folded: no choice says whether it is right."""
    before, asked = cards.asked(source)
    text = []
    for place, (origin, question) in enumerate(asked, 1):
        options = "\n".join(f"- {letter} · {summary}" for letter, summary, _ in questions.choices(question))
        where = f" · (from {origin})" if origin else " ·"
        text.append(f"**{place}{where}** {question.split('<details>')[0].strip()}\n\n{options}")
    plain = "\n\n".join(text)
    return f"{before}\n\n{ASKED}\n\n<details><summary>The questions as plain text</summary>\n\n{plain}\n\n</details>"


def folded(source: str) -> str:
    """An explanation, shut until it is opened."""
    inside = source.removeprefix(EXPLAIN).strip()
    return f"<details><summary>Explain: open it when you have guessed</summary>\n\n{inside}\n\n</details>"
