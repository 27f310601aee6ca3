"""The tables and what is found in them as HTML; their formulas are TeX, which the page draws."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from vaecourse.symbols import Row, Table, tables

CLASS = "vaecourse-symbols"
CELL = "text-align: left; vertical-align: top; padding: 4px 8px; border: 1px solid var(--jp-border-color2, #999);"
CAPTION = "text-align: left; font-weight: bold; padding: 12px 0 4px;"
CHINESE = re.compile(r"[\u4e00-\u9fff][\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]*")


def whole() -> str:
    """All tables, one below the other."""
    return f'<div class="{CLASS}">{"".join(map(_table, tables()))}</div>'


def _table(table: Table) -> str:
    caption = f"{table.title}. {table.note}" if table.note else table.title
    return rows_as_table(caption, table.columns, table.rows)


def found(found: Sequence[Row]) -> str:
    """What was found, a row each: what it is, our letter, theirs."""
    columns = ("what it is", "ours", "elsewhere")
    return rows_as_table("", columns, [(row.meaning, row.ours, _theirs(row)) for row in found]) if found else ""


def _theirs(row: Row) -> str:
    return "; ".join(f"{text}: {symbol}" if text else symbol for text, symbol in row.theirs)


def rows_as_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col" style="{CELL}">{inline(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(_cells(cells))}</tr>" for cells in rows)
    title = f'<caption style="{CAPTION}">{inline(caption)}</caption>' if caption else ""
    table = (
        f'<table style="border-collapse: collapse">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    name = html.escape(caption or "what was found")
    return f'<div style="overflow-x: auto" tabindex="0" role="region" aria-label="{name}">{table}</div>'


def _cells(cells: Sequence[str]) -> Iterable[str]:
    first, *others = cells
    yield f'<th scope="row" style="{CELL} font-weight: normal;">{inline(first)}</th>'
    yield from (f'<td style="{CELL}">{inline(cell)}</td>' for cell in others)


def inline(markdown: str) -> str:
    """Bold, slanted and code of Markdown as HTML; formulas stay, Chinese is marked as such."""
    parts = re.split(r"(\$[^$]+\$|`[^`]+`)", markdown)
    return "".join(_part(part) for part in parts)


def _part(part: str) -> str:
    if part.startswith("$"):
        return html.escape(part, quote=False)
    if part.startswith("`"):
        return f"<code>{html.escape(part[1:-1])}</code>"
    text = html.escape(part, quote=False)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
    return CHINESE.sub(lambda word: f'<span lang="zh">{word[0]}</span>', text)
