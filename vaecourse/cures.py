"""What the doctor found, and the commands that mend it; it imports at its top only what Python itself brings."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from vaecourse import foreign

ROOT = Path(__file__).resolve().parents[1]  # the clone, when the package is installed from one


class Finding(NamedTuple):
    """What one look found. ``mend`` is a command or a sentence; a finding without it is fine."""

    what: str
    detail: str
    mend: str | None = None
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok   " if self.mend is None else "WRONG" if self.needed else "note "
        mend = "" if self.mend is None else f"\n        -> {foreign.visible(self.mend)}"
        return f"{mark}  {foreign.visible(self.what)}: {foreign.visible(self.detail)}{mend}"


def this_python() -> str:
    return shlex.quote(sys.executable)


def pip() -> str:
    """The command, with the course's pins where there is a clone of it."""
    pins = ROOT / "constraints.txt"
    return f"{this_python()} -m pip install" + (f" --constraint {shlex.quote(str(pins))}" if pins.is_file() else "")


def system(package: str) -> str:
    """The command for what pip does not bring."""
    if sys.platform == "darwin":
        return f"brew install {'node' if package == 'npm' else package}"
    return f"apt-get install {package}" + (" (inside WSL)" if sys.platform == "win32" else " (Debian, Ubuntu)")


def course() -> str:
    return f"--editable {shlex.quote(str(ROOT))}" if (ROOT / "pyproject.toml").is_file() else "vaecourse"


def free(path: Path) -> Path:
    """``path``, or, where something has that name, the first of path-2, path-3, ... that nothing has."""
    names = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in range(1, 10**6))
    return next(name for name in names if not os.path.lexists(name))


def existing(path: Path) -> Path:
    """The nearest folder above ``path`` that is there."""
    return next(place for place in (path, *path.parents) if place.is_dir())
