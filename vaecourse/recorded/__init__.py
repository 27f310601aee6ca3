"""Results that take too long for a page: each is a JSON file with its settings, seeds, versions, machine and times.

The script that made ``NAME.json`` is benchmarks/NAME.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vaecourse import arguments

FOLDER = Path(__file__).parent


def path(name: str) -> Path:
    """Where the result of this name is, or will be."""
    return FOLDER / f"{name}.json"


def load(name: str) -> dict[str, Any]:
    """The recorded result of this name. Raises ``ValueError``, with the nearest known name, if there is none of it.

    >>> load("one_budget")["settings"]["schedule"]["epochs"]
    50
    """
    known = sorted(file.stem for file in FOLDER.glob("*.json"))
    return json.loads(path(arguments.choice("name", name, known)).read_text())
