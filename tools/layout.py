"""Lays out Python and JavaScript as `make lint` wants them: ``make format``. It is ruff's and deno's format.

    python -m tools.layout vaecourse tools

These two write into the file that they read, and cut it off where the disk is full. Here they read and print, and the
file is replaced whole. Chapters, whose cells have a layout of their own, get their imports sorted only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tools import ending, javascript, made
from vaecourse import files

KINDS = ("*.py", "*.js", "*.d.ts")


def steps(path: Path) -> list[Callable[..., subprocess.CompletedProcess]]:
    """What the text of this file goes through, one after the other."""
    if path.suffix != ".py":
        return [partial(javascript.deno, "fmt", "--quiet", "--ext", path.suffix[1:], "-")]
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(path), "-"]
    commands = [[*ruff, "check", "--quiet", "--select", "I", "--fix-only", *name]]
    if not path.resolve().is_relative_to(made.ROOT / "chapters"):
        commands.append([*ruff, "format", "--quiet", *name])
    return [partial(subprocess.run, command, cwd=made.ROOT) for command in commands]


def laid_out(path: Path) -> bytes:
    """The text of the file as ruff or deno would have it."""
    text = path.read_bytes()
    for step in steps(path):
        ran = step(input=text, capture_output=True)
        if ran.returncode:
            raise ending.Refused(f"{path} is as it was: {ran.stderr.decode(errors='replace').strip()}")
        text = ran.stdout
    return text


@ending.reports("format")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.layout", description="Lay out Python and JavaScript.")
    parser.add_argument("places", nargs="+", type=Path, help="files, or folders of them")
    for place in parser.parse_args(arguments).places:
        for path in sorted(path for kind in KINDS for path in place.rglob(kind)) if place.is_dir() else [place]:
            now = files.stamp(path)
            if (text := laid_out(path)) != path.read_bytes():
                files.replace(path, text, if_still=[now])
                print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
