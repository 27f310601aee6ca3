"""The halves of packages that an installation left when it was stopped, and that uv and pip take for whole ones.

    .venv/bin/python -m tools.unfinished

`make lab` and `make test` run it before they install. It removes the ``.dist-info`` folders of the packages that it
names, so that the pins bring those packages again. What somebody else has put into such a folder goes into kept/, and a
package that no pin names stays. It needs nothing but Python.
"""

from __future__ import annotations

import csv
import re
import sys
import sysconfig
from pathlib import Path

from tools import clean, ending, made

PINS = Path(__file__).resolve().parents[1] / "pins"


def whole(package: Path) -> bool:
    """Does a ``.dist-info`` folder have the note of who installed it, written last, and each file that it lists?"""
    record, installer = package / "RECORD", package / "INSTALLER"
    if not record.exists() or not installer.exists():
        return False
    rows = csv.reader(record.read_text(encoding="utf-8", errors="replace").splitlines())
    names = [row[0] for row in rows if row and not row[0].endswith(".pyc")]  # compiled ones come and go
    return all((package.parent / name).exists() for name in names)


def halves(site: Path) -> list[Path]:
    """What is half installed in a ``site-packages``, but for pip, which no pin would bring back."""
    packages = sorted(site.glob("*.dist-info"))
    return [package for package in packages if not package.name.startswith("pip-") and not whole(package)]


def named() -> set[str]:
    """The packages that the course installs: those of the pins, and itself."""
    lines = "\n".join(path.read_text(encoding="utf-8") for path in PINS.glob("*.txt"))
    return {"vaecourse", *(normal(name) for name in re.findall(r"^([\w.-]+) ?(?:==|@)", lines, flags=re.MULTILINE))}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@ending.reports("unfinished")
def main() -> int:
    site, ours = Path(sysconfig.get_path("purelib")), named()
    for package in halves(site):
        name = package.name.removesuffix(".dist-info")
        if normal(name.rpartition("-")[0]) in ours and not package.is_symlink():
            made.tell(f"Only half installed, and taken for installed no longer: {name}")
            clean.package(package, made.tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
