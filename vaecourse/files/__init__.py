"""The one door through which the course writes: nothing that a user made is replaced, and nothing is half written.

``write`` asks, of a file that is there already: is it one of ours (by a mark inside)? was it changed since we wrote it?
may it be written at all? A stranger's file is left as it is. Ours, changed by somebody, is kept as a copy in the folder
``kept`` first, and it is said where. ``locked`` keeps two writers apart; a kill frees the lock. ``replace`` is the last
step of it all: the old file, or the new one whole.

It imports at its top only what Python itself brings, for `make clean` works without an environment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from vaecourse.files.locks import Busy, holder, is_lock, locked
from vaecourse.files.marks import LONGEST_TEXT, TEXT, Kind, NotOurs, signed
from vaecourse.files.whole import (
    FULL,
    Changed,
    Stamp,
    beside,
    content,
    explained,
    may_be_replaced,
    name,
    opened,
    part_of,
    permission,
    real,
    replace,
    replace_by,
    short,
    shown,
    stamp,
)

__all__ = [
    "KEPT",
    "FULL",
    "LONGEST_TEXT",
    "TEXT",
    "Busy",
    "Changed",
    "Kind",
    "Known",
    "NotOurs",
    "Stamp",
    "beside",
    "content",
    "holder",
    "is_lock",
    "keep",
    "locked",
    "may_be_replaced",
    "name",
    "opened",
    "own_folder",
    "part_of",
    "permission",
    "real",
    "refuse",
    "replace",
    "replace_by",
    "saw",
    "say",
    "short",
    "shown",
    "signed",
    "stamp",
    "write",
]

KEPT = "kept"  # the folder, beside a file, of what was there before
Known = dict[Path, Stamp]  # files that a writer has written or read, as they were then


def say(sentence: str) -> None:
    """What has become of a file, as a warning: a notebook and a terminal both show it."""
    warnings.warn(sentence, stacklevel=3)


def write(
    path: str | Path,
    content: bytes,
    kind: Kind,
    known: Known | None = None,
    tell: Callable[[str], object] = say,
    folder: Path | None = None,
) -> None:
    """Write ``content`` to ``path`` if nobody's work is lost by it.

    Arguments:
        known: what this writer has written or read. A file that has the same size and time since is replaced; any
            other that is not untouched is kept first, in ``folder`` (``kept`` beside it if not given).
        tell: is given the sentence that says where.

    Raises ``NotOurs``, a ``ValueError``, for a file that is not of this ``kind``, and ``OSError`` as ``replace`` does.
    Then the file is as it was.
    """
    path, known = real(path), {} if known is None else known
    kept = None
    for _ in range(10):
        found = stamp(path)
        if found not in (None, known.get(path), kept):
            refuse(path, kind)
            if not kind.is_untouched(path):
                tell(f"{shown(path)} was not as this had left it: what it held is kept in {shown(keep(path, folder))}.")
            kept = found
        with contextlib.suppress(Changed):  # somebody wrote it since we looked: look again
            written = replace(path, content, if_still=(found,))
            known.pop(path, None)
            if written is not None:
                known[path] = written
            return
    raise Busy(f"{shown(path)} is written by somebody else all the time, and is left as it is. Name another file.")


def refuse(path: str | Path, kind: Kind) -> None:
    """Raise ``NotOurs`` if ``path`` is there and not of this ``kind``: better before an hour of work than after it."""
    path = real(path)
    if not os.path.lexists(path):
        return
    try:
        ours = path.is_file() and kind.is_ours(path)
    except OSError as failure:
        raise explained(path, failure, "read") from failure
    if not ours:
        cure = "Name another file, or move this one away."
        raise NotOurs(f"{shown(path)} is not {kind.called}: it is left as it is. {cure}")


def saw(path: str | Path, known: Known) -> None:
    """Take note in ``known`` of ``path``, whose content the writer knows, as it is now."""
    path = real(path)
    if (now := stamp(path)) is not None:
        known[path] = now


def keep(path: str | Path, folder: Path | None = None) -> Path:
    """Copy a file into ``folder``, by default ``kept`` beside it, under its own name and the time; return the copy."""
    path = Path(path)
    folder = path.parent / KEPT if folder is None else folder
    now = time.strftime("%Y-%m-%d-%H%M%S")
    try:
        own_folder(folder)
        part = part_of(folder / path.name)
        try:
            with open(part, "xb") as target, open(path, "rb") as source:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            with contextlib.suppress(OSError):
                shutil.copystat(path, part)
            for number in range(1, 1000):
                copy = folder / f"{short(path.stem)}-{now}{f'-{number}' if number > 1 else ''}{path.suffix}"
                with contextlib.suppress(FileExistsError):
                    name(part, copy)
                    return copy
        finally:
            part.unlink(missing_ok=True)
    except OSError as failure:
        raise explained(folder / path.name, failure) from failure
    raise Busy(f"{folder} has 999 copies of {path.name} made in this second. Try again in the next.")


def own_folder(folder: Path) -> None:
    """Make a folder for copies. Raises ``OSError`` if one named ``kept``, or one inside, is a link to another place."""
    above = next((place.parent for place in (folder, *folder.parents) if place.name == KEPT), folder)
    there = Path(os.path.realpath(above)) / folder.relative_to(above)
    if Path(os.path.realpath(folder)) != there:
        raise OSError(errno.ENOTDIR, f"{shown(folder)} is a link that leads to another place: move it away")
    folder.mkdir(parents=True, exist_ok=True)
