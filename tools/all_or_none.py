"""Several files, written all or none of them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tools.made import LONGEST, Tell, tell
from vaecourse import files


def write(texts: dict[Path, tuple[bytes | None, bytes]], tell: Tell = tell) -> None:
    """Write several files, each from what it was (None for one that is new) to what it will be; or leave all as it was.

    Raises ``Changed`` if one of them is no longer what it was, and ``OSError`` as ``files.replace`` does. What was
    written until then is taken back, unless somebody has written there since.
    """
    folders = {folder for path in texts for folder in path.parents if not folder.exists()}
    begun: list[Path] = []
    try:
        for path, (before, after) in texts.items():
            begun.append(path)
            seen = files.stamp(path)
            if _text(path) != before:
                raise files.Changed(f"{files.shown(path)} was written by somebody else just now, and is left as it is.")
            files.replace(path, after, if_still=(seen,))
    except BaseException:
        for path in sorted(begun, key=lambda path: texts[path][0] is not None):  # on a full disk this makes room
            _take_back(path, *texts[path], tell)
        for folder in sorted(folders, reverse=True):
            with contextlib.suppress(OSError):  # it has something in it, or was not made
                folder.rmdir()
        raise


def _text(path: Path) -> bytes | None:
    return files.content(path, LONGEST) if os.path.lexists(path) else None


def _take_back(path: Path, before: bytes | None, after: bytes, tell: Tell) -> None:
    try:
        if (seen := files.stamp(path)) is None or _text(path) != after:
            return
        if before is None:
            path.unlink()
        else:
            files.replace(path, before, if_still=(seen,))
    except (OSError, ValueError) as failure:
        tell(f"{files.shown(path)} could not be put back: {failure}")
