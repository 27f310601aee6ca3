"""What stands in a cell of a notebook: its text, its tags, the sum by which the course knows it again, its names.

It imports only what Python itself brings: a machine on which nothing is installed reads notebooks by it, too.
"""

from __future__ import annotations

import ast
import hashlib
import json
import symtable
from collections.abc import Mapping
from typing import Any

Cell = Mapping[str, Any]


def source(cell: Cell) -> str:
    """The text of a cell; nbformat stores it whole or line by line."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def tags(cell: Cell) -> list[str]:
    """The tags of a cell; none where somebody has made something else of them."""
    metadata = cell.get("metadata")
    found = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def sum_of(cell: Cell) -> str:
    """What stands for the content of a cell: its text, the pictures pasted into it, its tags."""
    content = [cell["cell_type"], source(cell), cell.get("attachments") or {}, sorted(tags(cell))]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def marks(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The sums that the course noted: cell id -> sum, in order; empty for a notebook that has no mark."""
    try:
        return dict(pair.split(":") for pair in notebook["metadata"]["vaecourse"]["cells"].split())
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def used_and_given(line: ast.stmt) -> tuple[set[str], set[str]]:
    """The notebook's names in one statement: those that it uses, inside of functions too, and those that it gives."""
    grown = [node.target for node in ast.walk(line) if isinstance(node, ast.AugAssign)]
    used = {target.id for target in grown if isinstance(target, ast.Name)}  # `n += 1` needs what n was
    given: set[str] = set()
    waiting = [symtable.symtable(ast.unparse(line), "a cell", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (top or symbol.is_global()):
                used.add(symbol.get_name())
            if top and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                given.add(symbol.get_name())
    return used, given
