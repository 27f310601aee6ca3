"""What the course makes under build/, file by file: what somebody else put there or changed is moved aside, not lost.

Beside every folder FOLDER that a command here makes lies a list, .FOLDER.made, of its files with their sizes and times.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import ending
from vaecourse import files

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
KEPT = ROOT / files.KEPT  # what was found in build/ goes here, for `make clean` removes that folder

Tell = Callable[[str], object]


def tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def copies(folder: Path) -> Path:
    """Where the door keeps copies of what is in ``folder``: beside it, but not in build/."""
    folder = folder.resolve()
    return KEPT / folder.relative_to(ROOT) if folder.is_relative_to(BUILD) else folder / files.KEPT


@contextlib.contextmanager
def making(folder: Path, tell: Tell = tell) -> Iterator[Path]:
    """While the block runs, ``folder`` is ours to write in, and nobody else's: what is not ours is moved out first."""
    with files.locked(folder, f"making {folder.name}", wait=900):
        if not folder.resolve().is_relative_to(BUILD) and not _list(folder).exists() and folder.exists():
            if any(folder.iterdir()):
                raise ending.Refused(f"{folder} has something in it that is not the course's: name an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
        set_aside(folder, tell)
        try:
            yield folder
        finally:
            note(folder)


def note(folder: Path) -> None:
    """Take what is in ``folder`` now for what the course has made."""
    found = {str(path.relative_to(folder)): _stamp(path) for path in walk(folder)}
    files.replace(_list(folder), json.dumps(found).encode())


def strangers(folder: Path) -> list[Path]:
    """The files in ``folder`` that are not as the course left them; all of them if it left none."""
    try:
        known = json.loads(_list(folder).read_bytes())
        return [path for path in walk(folder) if known.get(str(path.relative_to(folder))) != _stamp(path)]
    except (OSError, ValueError, AttributeError):
        return list(walk(folder))


def set_aside(folder: Path, tell: Tell = tell) -> None:
    """Move what is not ours out of ``folder``, with the folders it is in, and say where."""
    kept = KEPT / folder.relative_to(ROOT) if folder.is_relative_to(BUILD) else folder.parent / files.KEPT / folder.name
    move(strangers(folder), folder, kept, tell)


def move(paths: list[Path], folder: Path, to: Path, tell: Tell = tell) -> None:
    """Move files of ``folder``, with the folders they are in, into a new folder that begins as ``to``; say where."""
    if not paths:
        return
    to = to.with_name(f"{to.name}-{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}")
    moved: list[Path] = []
    try:
        for path in paths:
            place = to / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.move(path, place)
            except OSError:
                if os.path.lexists(path):
                    place.unlink(missing_ok=True)  # half a copy, on another disk
                raise
            moved.append(path)
    finally:
        if moved:
            what = files.shown(moved[0].name)
            what = what if len(moved) == 1 else f"{len(moved)} files, {what} among them"
            tell(f"{what} in {files.shown(folder)}: not known as made here. Moved to {files.shown(to)}.")


def walk(folder: Path) -> Iterator[Path]:
    """All files and links below ``folder``; no link is followed."""
    for here, folders, names in os.walk(folder):
        for name in sorted([*names, *(name for name in folders if os.path.islink(os.path.join(here, name)))]):
            yield Path(here, name)


def is_being_made(folder: Path) -> bool:
    """Whether a process that lives says that it is at work on ``folder``: for where no package, and so no lock, is."""
    try:
        said = json.loads(folder.with_name(f".{folder.name}.lock").read_bytes())
        os.kill(said["process"], 0)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False
    return True


def _list(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.made")


def _stamp(path: Path) -> list[int]:
    found = path.lstat()
    return [found.st_size, found.st_mtime_ns]
