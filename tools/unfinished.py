"""The halves of packages that an installation left when it was stopped, and that uv and pip take for whole ones.

    .venv/bin/python -m tools.unfinished

`make lab` and `make test` remove what it prints before they install, and so install that package again. It needs
nothing but Python.
"""

from __future__ import annotations

import csv
import os
import sys
import sysconfig
from pathlib import Path

from tools import ending


def whole(package: Path) -> bool:
    """Does a ``.dist-info`` folder have the note of who installed it, written last, and each file that it lists?"""
    record, installer = package / "RECORD", package / "INSTALLER"
    if not record.exists() or not installer.exists():
        return False
    rows = csv.reader(record.read_text(encoding="utf-8").splitlines())
    names = [row[0] for row in rows if row and not row[0].endswith(".pyc")]  # compiled ones come and go
    return all((package.parent / name).exists() for name in names)


def halves(site: Path) -> list[Path]:
    """What is half installed in a ``site-packages``, but for pip, which no pin would bring back."""
    packages = sorted(site.glob("*.dist-info"))
    return [package for package in packages if not package.name.startswith("pip-") and not whole(package)]


@ending.told("unfinished")
def main() -> int:
    for package in halves(Path(sysconfig.get_path("purelib"))):
        print(f"Half installed, so once more: {package.name.removesuffix('.dist-info')}", file=sys.stderr)
        print(os.path.relpath(package))
    return 0


if __name__ == "__main__":
    sys.exit(main())
