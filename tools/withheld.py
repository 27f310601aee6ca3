"""A chapter without what its teacher keeps: solutions, teaching notes, outputs; it runs with nothing solved."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode

from tools import chapter, visible
from vaecourse.cells import used_and_given

KEPT_BY_THE_TEACHER = {"solution", "instructor"}

# A later cell may need an answer. It takes that under another name: the learner's own stays as it is, solved or not.
OURS = "our_"
GO_ON = """\
# The cells below need this answer: yours if it passes, else the course's.
our_{name} = {name} if checks.ALL["{check}"]({name}).passed else checks.ALL["{check}"].solution"""


def without_answers(
    notebook: NotebookNode, note: NotebookNode, go_on: str = GO_ON, assertions: bool = True
) -> NotebookNode:
    """The chapter as somebody gets it who is to solve it, with ``note`` behind its title.

    Arguments:
        go_on: the folded cell in which a later cell's need is met, with {name} and {check} to be filled in.
        assertions: without them, no cell asserts anything, and folded rows that show nothing are left out as well; for
            that the chapter must be stored with outputs.
    """
    whole = [cell for cell in notebook.cells if not KEPT_BY_THE_TEACHER & set(chapter.tags(cell))]
    whole = [_not_run(cell) for cell in (whole if assertions else without_assertions(whole))]
    cells = [whole[0], note]
    for index, cell in enumerate(whole[1:], 1):
        cells.append(cell)
        answer = chapter.check_of(cell) if "check" in chapter.tags(cell) else None
        if answer and (users := _users(answer[1], whole[index + 1 :])):
            cells.append(_go_on(cell, *answer, go_on))
            _rename(answer[1], users)
    given = nbformat.v4.new_notebook(metadata=chapter.METADATA)
    given.cells = cells
    return given


def _not_run(cell: NotebookNode) -> NotebookNode:
    cell = nbformat.from_dict(cell)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _users(name: str, cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells that are no part of an exercise and need what the learner was asked for: a new value ends that."""
    found = []
    for cell in cells:
        if cell.cell_type == "code" and not {"stub", "check"} & set(chapter.tags(cell)):
            takes, gives = names(cell.source)
            if name in takes:
                found.append(cell)
            elif name in gives:
                break
    return found


def _go_on(cell: NotebookNode, check: str, name: str, go_on: str) -> NotebookNode:
    metadata = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "slideshow": {"slide_type": "skip"}}
    source = go_on.format(check=check, name=name)
    return nbformat.v4.new_code_cell(source, id=f"{cell.id}-go-on", metadata=metadata)


def _rename(name: str, cells: list[NotebookNode]) -> None:
    for cell in cells:
        cell.source = renamed(cell.source, name)
        if name in names(cell.source)[0]:
            raise chapter.ChapterError(f"{name} cannot be given another name in:\n\n{cell.source}")


def renamed(source: str, name: str) -> str:
    """The source with ``our_name`` where it has the notebook's ``name``; all else stays as it is, comments too."""
    lines = source.splitlines(keepends=True)
    found = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for before, token, after in reversed(list(zip([None, *found], found, [*found[1:], None]))):
        row, start, end = token.start[0] - 1, token.start[1], token.end[1]
        if token.type == tokenize.NAME and token.string == name:
            is_attribute, is_keyword = before and before.string == ".", after and after.string == "=" and _inside(token)
            new = name if is_attribute or is_keyword else OURS + name
        elif token.type == tokenize.STRING and re.match(r"[rR]?[fF]", token.string) and token.start[0] == token.end[0]:
            new = re.sub(r"\{[^{}]*\}", lambda part: re.sub(rf"(?<![\w.]){name}\b", OURS + name, part[0]), token.string)
        else:
            continue
        lines[row] = lines[row][:start] + new + lines[row][end:]
    return "".join(lines)


def _inside(token: tokenize.TokenInfo) -> bool:
    """Whether a name stands in the line's brackets, where ``name=`` is an argument's."""
    before = token.line[: token.start[1]]
    return sum(map(before.count, "([{")) > sum(map(before.count, ")]}"))


# The author's own rows -----------------------------------------------------------------------------------------------


def without_assertions(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells with no assertion in them, but for folded ones that show nothing and of which no name is needed later.

    ``cells`` are those of the chapter as it is stored: what a cell shows, its outputs say.
    """
    cells = [_without_assertions(cell) for cell in cells]
    stay: list[NotebookNode] = []
    needed: set[str] = set()  # the names that the cells from here on take from those before
    for cell in reversed(cells):
        if cell.cell_type == "code":
            takes, gives = names(cell.source)
            if (_only_asserts(cell) or not ast.parse(cell.source).body) and not needed & gives:
                continue
            needed = needed - gives | takes
        stay.append(cell)
    return stay[::-1]


def _only_asserts(cell: NotebookNode) -> bool:
    return chapter.folded(cell) and not cell.outputs and not chapter.alt(cell)


def _without_assertions(cell: NotebookNode) -> NotebookNode:
    cell = nbformat.from_dict(cell)
    if cell.cell_type == "code" and not {"stub", "check"} & set(chapter.tags(cell)):
        cell.source = visible.without_assertions(cell.source)
    return cell


@functools.cache  # the same cell is asked after by every exercise before it
def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell takes from the cells before it, inside of its functions too, and those that it gives."""
    takes: set[str] = set()
    gives: set[str] = set()
    for line in ast.parse(source).body:
        used, bound = used_and_given(line)
        # A loop gives its variable before it uses it; `x = x + 1` does not.
        first = bound if isinstance(line, ast.For | ast.With | ast.FunctionDef | ast.ClassDef) else set()
        takes |= used - gives - first
        gives |= bound
    return takes, gives
