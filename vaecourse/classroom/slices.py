"""Which lines of a notebook an answer needs: what it uses and does not make, and what those need in their turn."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence

from vaecourse.cells import used_and_given

FROM_THE_START = {*dir(builtins), "__name__", "display", "get_ipython"}
MOST = 200  # statements; the longest helper of a learner has a dozen


def parsed(source: str) -> ast.Module | None:
    """A cell's statements, without what only IPython understands; None for what is no Python."""
    for text in (source, "\n".join(map(_without_magic, source.splitlines()))):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # a NUL; brackets without end
            continue
    return None


def _without_magic(line: str) -> str:
    """The line, or one that does nothing in its place: ``%timeit f(x)``, ``!ls``, ``f?``."""
    words = line.strip()
    if words.startswith(("%", "!", "?")) or words.endswith("?"):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return line


def names_made(source: str) -> list[str]:
    """The names that a cell's statements give to something, in their order; imports are left out."""
    tree = parsed(source)
    found: list[str] = []
    for line in tree.body if tree else []:
        if not isinstance(line, ast.Import | ast.ImportFrom):
            found += sorted(used_and_given(line)[1])
    return list(dict.fromkeys(found))


def needed_lines(answer: str, before: Sequence[str], after: Sequence[str] = ()) -> str:
    """The statements of other cells that an answer needs, in their order, as one text.

    Arguments:
        before: the cells above it. The nearest that gives a name is the one that counts.
        after: the cells below it, for names that no cell above gives.
    """
    cells = [(-distance, cell) for distance, cell in enumerate(reversed(before), 1)]
    cells += [(distance, cell) for distance, cell in enumerate(after, 1)]
    lines = [(place, line) for place, cell in cells for line in getattr(parsed(cell), "body", [])]
    missing, taken = list(_missing(answer)), dict[int, ast.stmt]()
    seen = set(missing)
    while missing and len(taken) < MOST:
        for index in _giving(missing.pop(), lines):
            taken[index] = lines[index][1]
            more = used_and_given(lines[index][1])[0] - FROM_THE_START - seen
            seen |= more
            missing += sorted(more)
    ordered = sorted(taken, key=lambda index: (lines[index][0], index))
    return "\n".join(ast.unparse(lines[index][1]) for index in ordered)


def _missing(source: str) -> list[str]:
    """The names that a cell uses and does not make."""
    tree, made, used = parsed(source), set[str](), set[str]()
    for line in tree.body if tree else []:
        takes, gives = used_and_given(line)
        used |= takes
        made |= gives
    return sorted(used - made - FROM_THE_START)


def _giving(name: str, lines: Sequence[tuple[int, ast.stmt]]) -> list[int]:
    """The statements of the nearest cell that give a name; where it is no import, also those that change it."""
    found = [index for index, (_, line) in enumerate(lines) if name in used_and_given(line)[1]]
    cell = lines[found[0]][0] if found else None
    found = [index for index in found if lines[index][0] == cell]
    if any(isinstance(lines[index][1], ast.Import | ast.ImportFrom) for index in found):
        return found
    changes = [index for index, (place, line) in enumerate(lines) if place == cell and name in _changed(line)]
    return sorted({*found, *changes}) if found else []


def _changed(line: ast.stmt) -> Iterator[str]:
    """The names whose content a statement sets or calls a method of: ``a.b = 1``, ``a[0] = 1``, ``a.append(1)``."""
    if isinstance(line, ast.Assign | ast.AugAssign):
        parts: list[ast.expr] = line.targets if isinstance(line, ast.Assign) else [line.target]
    elif isinstance(line, ast.Expr) and isinstance(line.value, ast.Call):
        parts = [line.value.func]
    else:
        return
    for part in parts:
        while isinstance(part, ast.Attribute | ast.Subscript):
            part = part.value
            if isinstance(part, ast.Name):
                yield part.id
