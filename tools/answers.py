"""Answers survive a new version of the course.

    python -m tools.answers update                  the newest version, with git; then every answer is put into it
    python -m tools.answers keep                    copies of the notebooks in which something was typed
    python -m tools.answers back FILE [FILE ...]    put the answers that are in these notebooks into the chapters

An answer goes to the exercise of its name, wherever that stands in the chapter now. The chapter is the one of the
notebook's name; where none has it any more, the one with most of its exercises. Where the exercise's own cell has
changed as well, both stay, one after the other. A cell of one's own goes behind the cell that it stood behind. The
course's own cells, changed by hand, stay in the copies only. Every copy is in chapters/kept, and nothing there is ever
removed.

A notebook with answers is moved into chapters/kept by one renaming, and what is owed to it noted first: whatever ends
an update, the next one begins with putting back what this one did not. A chapter that is gone by then, or damaged, is
git's again before. While git writes chapters, nothing is put back: it is waited for, by the next update as well.

What git is about to write is noted, too: a file that it left out or cut off is put back as it was, by this update or
the next one. No file that somebody had changed before is noted, and none is put back that holds anything but git's.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from tools import ending, typed
    from tools.put_back import STAMP, back
    from tools.typed import CHAPTERS, notebooks
    from tools.update import update
    from vaecourse import files
except Exception:  # noqa: BLE001 - whatever a module does that git has cut off
    # This tells the line that puts them back, and needs nothing of the course; any other failure is told as it is.
    root = Path(__file__).resolve().parents[1]
    try:
        noted = set(json.loads((root / "chapters/kept/.merging.json").read_bytes())["files"])
        git = ["git", "-C", str(root)]
        differ = [*git, "diff", "-z", "--name-only", "--no-renames", "HEAD", "--", "tools", "vaecourse"]
        listed = subprocess.run(differ, capture_output=True, check=True).stdout
        broken = sorted({os.fsdecode(name) for name in listed.split(b"\0")} & noted)
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        broken = []
    if not broken:
        raise
    raise SystemExit(
        "answers: git was ended while it wrote, and files of the course are cut off or missing. Make room on the disk "
        f"if it is full. Then: {shlex.join([*git, 'checkout', 'HEAD', '--', *broken])}\nThen the same command again."
    ) from None


def keep(folder: Path = CHAPTERS) -> dict[Path, Path]:
    """Copy every notebook of ``folder`` in which something was typed; return {notebook: its copy}."""
    return {path: files.keep(path) for path in notebooks(folder) if not typed.is_untouched(path)}


@ending.reports("answers")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.answers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["update", "keep", "back"])
    parser.add_argument("files", nargs="*", help="for back: the notebooks that hold answers")
    options, more = parser.parse_known_args(arguments)
    if options.command == "update":
        update(CHAPTERS, [*options.files, *more])
        return 0
    if options.command == "keep":
        for path, place in keep().items():
            ending.say(f"{path.name}: {files.shown(place)}")
        return 0
    if not options.files:
        raise ending.Refused("back needs the notebooks that hold your answers: python -m tools.answers back FILE")
    return all_back(options.files, CHAPTERS)


def _age(path: Path) -> tuple[str, int]:
    """By what copies of a chapter are put in order: the time, then the number of those made in one second."""
    number = re.search(STAMP + "$", path.stem)[2] or ""
    return path.stem.removesuffix(number), int(number[1:] or 0)


def all_back(names: Sequence[str], folder: Path) -> int:
    """Put back from each of these; of several copies of a chapter in one folder the newest. 1 if one was refused."""
    given = [Path(name) for word in names for name in (sorted(glob.glob(word)) or [word])]
    newest = {(path.parent, re.sub(STAMP + "$", "", path.stem)): path for path in sorted(given, key=_age)}
    refused = 0
    for path in given:
        if path not in newest.values():
            other = newest[path.parent, re.sub(STAMP + "$", "", path.stem)]
            ending.say(f"{path.name} is passed over for {other.name}.")
            continue
        try:
            for sentence in back(path, folder):
                ending.say(sentence)
        except (ending.Refused, ValueError, OSError) as failure:
            refused = 1
            print(f"answers: {ending.sentence(failure)}", file=sys.stderr, flush=True)
    return refused


if __name__ == "__main__":
    sys.exit(main())
