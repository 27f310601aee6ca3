"""Lays out Python files as `make lint` wants them: ``make format``. Imports are sorted, the rest is ruff's format.

    python -m tools.layout vaecourse tools

ruff itself writes into the file that it reads, and cuts it off where the disk is full. Here it reads and prints, and
the file is replaced whole. Chapters, whose cells have a layout of their own, get their imports sorted only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools import ending, made
from vaecourse import files


def laid_out(path: Path) -> bytes:
    """The text of the file as ruff would have it."""
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(path), "-"]
    commands = [[*ruff, "check", "--quiet", "--select", "I", "--fix-only", *name]]
    if not path.resolve().is_relative_to(made.ROOT / "chapters"):
        commands.append([*ruff, "format", "--quiet", *name])
    text = path.read_bytes()
    for command in commands:
        ran = subprocess.run(command, input=text, capture_output=True, cwd=made.ROOT)
        if ran.returncode:
            raise ending.Refused(f"{path} is as it was: {ran.stderr.decode(errors='replace').strip()}")
        text = ran.stdout
    return text


@ending.told("format")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.layout", description="Lay out Python files.")
    parser.add_argument("places", nargs="+", type=Path, help="files, or folders of them")
    for place in parser.parse_args(arguments).places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            now = files.stamp(path)
            if (text := laid_out(path)) != path.read_bytes():
                files.replace(path, text, if_still=[now])
                print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
