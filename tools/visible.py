"""What a learner sees of a cell's code: not the folded rows, not the solutions, and no assertion."""

from __future__ import annotations

import ast

from nbformat import NotebookNode

from tools import chapter

BODIES = ("body", "orelse", "finalbody")


def lines(cell: NotebookNode) -> list[str]:
    """The lines of a cell that a learner sees, without the empty ones; none of a text."""
    if cell.cell_type != "code" or chapter.folded(cell) or "solution" in chapter.tags(cell):
        return []
    return [line for line in without_assertions(cell.source).splitlines() if line.strip()]


def without_assertions(source: str) -> str:
    """The code without its `assert` statements, and without loops and conditions in which nothing else is done."""
    text = source.splitlines()
    for start, end, left in sorted(_gone(ast.parse(source).body), reverse=True):
        text[start - 1 : end] = left
    return "\n".join(text).strip("\n")


def _gone(body: list[ast.stmt]) -> list[tuple[int, int, list[str]]]:
    """First line, last line and what stays in their place, of each statement that goes."""
    found: list[tuple[int, int, list[str]]] = []
    for statement in body:
        if only_asserts(statement):
            found.append((statement.lineno, statement.end_lineno or statement.lineno, []))
            continue
        for inner in _bodies(statement):
            if all(map(only_asserts, inner)):
                first, last = inner[0], inner[-1]
                found.append((first.lineno, last.end_lineno or last.lineno, [" " * first.col_offset + "pass"]))
            else:
                found += _gone(inner)
    return found


def only_asserts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assert):
        return True
    within = _bodies(statement)
    blocks = isinstance(statement, ast.For | ast.While | ast.If | ast.With)
    return blocks and all(only_asserts(inner) for body in within for inner in body)


def _bodies(statement: ast.stmt) -> list[list[ast.stmt]]:
    found = [getattr(statement, name, []) for name in BODIES]
    found += [handler.body for handler in getattr(statement, "handlers", [])]
    return [body for body in found if body]
