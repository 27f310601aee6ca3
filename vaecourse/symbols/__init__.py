"""The letters of other texts beside ours: what their symbol is here, and what a letter of ours means there.

``symbols.json`` has the tables, in Markdown with formulas in TeX: those of the five texts that the course grew out of,
of the papers behind them, and of the words of the Chinese ones (chapter 00 says which text has which number). ``find``
looks a symbol or a word up, ``search`` is a field to type it into.

>>> [row.ours for row in find("q_r(x|z)")][:1]
['$p_\\\\theta(x \\\\mid z)$']
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vaecourse.symbols.words import rank

if TYPE_CHECKING:
    from vaecourse.symbols.panel import Search

__all__ = ["Row", "Table", "find", "rows", "search", "tables"]

NONE = "–"  # the text has no letter for it


@dataclass(frozen=True)
class Table:
    """One of the tables: its title, a word on it, what its columns are called, and its rows."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Row:
    """A thing: what it is, its letter here, and how it is written elsewhere, each with the text where it is so."""

    meaning: str
    ours: str
    theirs: tuple[tuple[str, str], ...]


@functools.lru_cache(maxsize=1)
def tables() -> tuple[Table, ...]:
    """All tables, in their order."""
    found = json.loads(Path(__file__).with_name("symbols.json").read_text(encoding="utf-8"))["tables"]
    return tuple(
        Table(one["title"], one["note"], tuple(one["columns"]), tuple(map(tuple, one["rows"]))) for one in found
    )


@functools.lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    """Every row in which a symbol or a word can be looked up."""
    return tuple(_row(table, cells) for table in tables() for cells in table.rows)


def _row(table: Table, cells: tuple[str, ...]) -> Row:
    if table.columns[0] == "letter":
        letter, here, elsewhere = cells
        return Row(here, letter, (("", elsewhere),))
    if table.columns[0] == "中文":
        chinese, pinyin, english, texts = cells
        return Row(english, "", ((texts, f"{chinese} ({pinyin})"),))
    if len(table.columns) == 3:
        return Row(cells[0], cells[1], (("", cells[2]),))
    written = zip(table.columns[2:], cells[2:])
    return Row(cells[0], cells[1], tuple((text, symbol) for text, symbol in written if symbol != NONE))


def find(word: str) -> list[Row]:
    """The rows that have this symbol or word, the nearest first; none for no word.

    A letter may be typed as it is (ψ, or psi), a formula as it looks (``q(z|x)``) or in TeX, pinyin without its tones.
    One or two letters are taken as a symbol: capital letters count.
    """
    ranked = ((_nearest(word, row), place, row) for place, row in enumerate(rows()))
    return [row for near, _, row in sorted((one for one in ranked if one[0] is not None), key=lambda one: one[:2])]


def _nearest(word: str, row: Row) -> int | None:
    places = [row.meaning, row.ours, *(symbol for _, symbol in row.theirs)]
    found = [near for place in places if (near := rank(word, place)) is not None]
    return min(found, default=None)


def search() -> Search:
    """A field for a symbol or a word, as the last line of a cell; without a kernel, all tables."""
    from vaecourse.symbols.panel import Search

    return Search()
