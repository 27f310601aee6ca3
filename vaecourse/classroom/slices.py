"""Which lines of a notebook an answer needs: what it uses and does not make, and what those need in their turn."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vaecourse.cells import used_and_given

FROM_THE_START = {*dir(builtins), "__name__", "display", "get_ipython"}
MOST = 200  # statements; the longest helper of a learner has a dozen
NEAR, LETTERS = 5_000, 500_000  # statements, and letters, of the nearest cells; a chapter has 900, and 40,000


@dataclass(frozen=True)
class Line:
    """A statement: its text, the names that it takes, gives and changes, and whether it is an import."""

    text: str
    takes: frozenset[str]
    gives: frozenset[str]
    changes: frozenset[str]
    imports: bool


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


@functools.lru_cache(maxsize=5_000)
def _lines(source: str) -> tuple[Line, ...]:
    """A cell's statements, without those that no Python would run: ``def f(a, a)``, a sum of a thousand terms."""
    return tuple(line for node in getattr(parsed(source), "body", []) if (line := _line(node)) is not None)


def _line(node: ast.stmt) -> Line | None:
    try:
        takes, gives = used_and_given(node)
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        return Line(ast.unparse(node), frozenset(takes), frozenset(gives), frozenset(_changed(node)), imports)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def names_made(source: str) -> list[str]:
    """The names that a cell's statements give to something, in their order; imports are left out."""
    found = [name for line in _lines(source) if not line.imports for name in sorted(line.gives)]
    return list(dict.fromkeys(found))


def needed_lines(answer: str, before: Sequence[str], after: Sequence[str] = ()) -> str:
    """The statements of other cells that an answer needs, in their order, as one text.

    Arguments:
        before: the cells above it. The nearest that gives a name is the one that counts.
        after: the cells below it, for names that no cell above gives.
    """
    cells = [(-distance, cell) for distance, cell in enumerate(reversed(before), 1)]
    cells += [(distance, cell) for distance, cell in enumerate(after, 1)]
    lines = list(_near(cells))
    giving: dict[str, list[int]] = {}
    for index, (_, line) in enumerate(lines):
        for name in line.gives:
            giving.setdefault(name, []).append(index)
    missing, taken = list(_missing(answer)), set[int]()
    seen = set(missing)
    while missing and len(taken) < MOST:
        for index in _giving(missing.pop(), lines, giving):
            taken.add(index)
            more = lines[index][1].takes - FROM_THE_START - seen
            seen |= more
            missing += sorted(more)
    ordered = sorted(taken, key=lambda index: (lines[index][0], index))
    return "\n".join(lines[index][1].text for index in ordered)


def _near(cells: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Line]]:
    """The lines of the cells, with their places, until there are too many: then no more cell is read."""
    lines = letters = 0
    for place, cell in cells:
        letters += len(cell)
        if letters > LETTERS or lines > NEAR:
            return
        found = _lines(cell)
        lines += len(found)
        yield from ((place, line) for line in found)


def _missing(source: str) -> list[str]:
    """The names that a cell uses and does not make."""
    lines = _lines(source)
    made = frozenset[str]().union(*(line.gives for line in lines))
    return sorted(frozenset[str]().union(*(line.takes for line in lines)) - made - FROM_THE_START)


def _giving(name: str, lines: Sequence[tuple[int, Line]], giving: dict[str, list[int]]) -> list[int]:
    """The statements of the nearest cell that give a name; where it is no import, also those that change it."""
    found = giving.get(name, [])
    cell = lines[found[0]][0] if found else None
    found = [index for index in found if lines[index][0] == cell]
    if any(lines[index][1].imports for index in found):
        return found
    changes = [index for index, (place, line) in enumerate(lines) if place == cell and name in line.changes]
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
