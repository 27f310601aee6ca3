"""A chapter without what its teacher keeps: solutions, teaching notes, outputs; it runs with nothing solved."""

from __future__ import annotations

import ast
import functools
import symtable
from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode

from tools import chapter

KEPT_BY_THE_TEACHER = {"solution", "instructor"}

# A later cell may need an answer. The course's own stands in for one that does not pass yet; its code is not shown.
GO_ON = """\
# The cells below need this answer. Until yours passes, they go on with the course's.
if not checks.ALL["{check}"]({name}).passed:
    {name} = checks.ALL["{check}"].solution"""


def without_answers(notebook: NotebookNode, note: NotebookNode, assertions: bool = True) -> NotebookNode:
    """The chapter as somebody gets it who is to solve it, with ``note`` behind its title.

    Without ``assertions``, folded rows that only assert are left out as well; for that it must be stored with outputs.
    """
    whole = [cell for cell in notebook.cells if not KEPT_BY_THE_TEACHER & set(chapter.tags(cell))]
    whole = [_not_run(cell) for cell in (whole if assertions else without_assertions(whole))]
    cells = [whole[0], note]
    for index, cell in enumerate(whole[1:], 1):
        cells.append(cell)
        answer = chapter.check_of(cell) if "check" in chapter.tags(cell) else None
        if answer and _is_used(answer[1], whole[index + 1 :]):
            cells.append(_go_on(cell, *answer))
    given = nbformat.v4.new_notebook(metadata=chapter.METADATA)
    given.cells = cells
    return given


def _not_run(cell: NotebookNode) -> NotebookNode:
    cell = nbformat.from_dict(cell)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _is_used(name: str, cells: list[NotebookNode]) -> bool:
    """Does a cell that is no part of an exercise need what the learner was asked for?"""
    for cell in cells:
        if cell.cell_type == "code" and not {"stub", "check"} & set(chapter.tags(cell)):
            takes, gives = names(cell.source)
            if name in takes | gives:
                return name in takes  # a new value needs no old one
    return False


def _go_on(cell: NotebookNode, check: str, name: str) -> NotebookNode:
    source = GO_ON.format(check=check, name=name)
    metadata = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "slideshow": {"slide_type": "skip"}}
    return nbformat.v4.new_code_cell(source, id=f"{cell.id}-go-on", metadata=metadata)


# The author's own rows -----------------------------------------------------------------------------------------------


def without_assertions(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells but for folded ones that only assert: they show nothing, and nothing that stays needs a name of theirs.

    ``cells`` are those of the chapter as it is stored: what a cell shows, its outputs say.
    """
    stay: list[NotebookNode] = []
    needed: set[str] = set()  # the names that the cells from here on take from those before
    for cell in reversed(cells):
        if cell.cell_type == "code":
            takes, gives = names(cell.source)
            if _only_asserts(cell) and not needed & gives:
                continue
            needed = needed - gives | takes
        stay.append(cell)
    return stay[::-1]


def _only_asserts(cell: NotebookNode) -> bool:
    return chapter.folded(cell) and not cell.outputs and not chapter.alt(cell)


@functools.cache  # the same cell is asked after by every exercise before it
def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell takes from the cells before it, inside of its functions too, and those that it gives."""
    takes: set[str] = set()
    gives: set[str] = set()
    for line in ast.parse(source).body:
        used, bound = _names(line)
        # A loop gives its variable before it uses it; `x = x + 1` does not.
        first = bound if isinstance(line, ast.For | ast.With | ast.FunctionDef | ast.ClassDef) else set()
        takes |= used - gives - first
        gives |= bound
    return takes, gives


def _names(line: ast.stmt) -> tuple[set[str], set[str]]:
    """The notebook's names in one statement: used, and bound."""
    grown = [node.target for node in ast.walk(line) if isinstance(node, ast.AugAssign)]
    used = {target.id for target in grown if isinstance(target, ast.Name)}  # `n += 1` needs what n was
    bound: set[str] = set()
    waiting = [symtable.symtable(ast.unparse(line), "a cell", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (top or symbol.is_global()):
                used.add(symbol.get_name())
            if top and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                bound.add(symbol.get_name())
    return used, bound
