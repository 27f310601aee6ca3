"""One promise: a file is there as it was, or whole and new, whatever happens in between."""

from __future__ import annotations

import contextlib
import glob
import os
import time
import uuid
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Replace the file ``path`` by ``content``; a kill, a full disk or a lost power line leaves the old file as it was.

    Raises ``OSError`` if the folder cannot be written or the disk is full.
    """
    path = Path(os.path.realpath(path))  # a link goes on pointing at the file
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")  # in the same folder, so on the same disk
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)
    _sweep(path)


def _sweep(path: Path) -> None:
    """Remove what a kill left of earlier writes; an hour old, so that nobody is still writing it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > 3600:
                part.unlink()


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk, too. Windows cannot open a folder, and needs no help here."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
