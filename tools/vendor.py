"""Fetches what pages and slides load in a browser: with npm, once, by the hashes of site/package-lock.json.

    python -m tools.vendor       -> build/npm/node_modules/

Nothing of it is committed; ``copy`` puts the few files that a page needs beside that page.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from tools import ending, made
from tools.made import ROOT
from vaecourse import files

NPM = ROOT / "build/npm"
LISTS = ("package.json", "package-lock.json")

# One file of formulas drawn as SVG: no fonts to load, so it works from disk in every browser.
MATHJAX = "mathjax/es5/tex-svg.js"
AXE = "axe-core/axe.min.js"


class NoPackages(ending.Refused):
    """npm is not here, or did not fetch."""


class Fetched(Exception):
    """There is nothing to do."""


def fetch() -> Path:
    """The folder node_modules, made anew where the lists have changed. npm refuses a file whose hash is another."""
    stamp, wanted = NPM / "fetched", b"".join((ROOT / "site" / name).read_bytes() for name in LISTS)
    if _is(stamp, wanted):
        return NPM / "node_modules"
    if (npm := shutil.which("npm")) is None:
        raise NoPackages("npm fetches MathJax and reveal.js, and is not on this machine; install Node.js")
    with contextlib.suppress(Fetched), made.building(NPM, anew=True) as folder:
        if _is(stamp, wanted):  # by another process, while this one waited
            raise Fetched
        for name in LISTS:
            files.replace(folder / name, (ROOT / "site" / name).read_bytes())
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
        if ran.returncode:
            raise NoPackages(f"npm could not fetch the packages of site/package-lock.json:\n{ran.stderr}")
        files.replace(folder / stamp.name, wanted)
    return NPM / "node_modules"


def _is(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content


def copy(name: str, folder: Path) -> Path:
    """One file or folder of the packages, for example ``MATHJAX``, into ``folder`` under its own last name."""
    source, target = fetch() / name, folder / Path(name).name
    folder.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)
    return target


@ending.reports("vendor")
def main() -> int:
    print(fetch())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
