"""One promise: a file is there as it was, or whole and new, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import time
import uuid
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Replace the file ``path`` by ``content``; a kill, a full disk or a lost power line leaves the old file as it was.

    The folder is made if it is not there. Raises ``OSError`` if it cannot be, or written in, or if the disk is full.
    """
    path = Path(os.path.realpath(path))  # a link goes on pointing at the file
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")  # in the same folder, so on the same disk
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as failure:
        raise _told(path, failure) from failure
    _sync_folder(path.parent)
    _sweep(path)


FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def _told(path: Path, failure: OSError) -> OSError:
    """The same error in a sentence: which file, what is wrong, what to do."""
    cure = "Name another file."
    if failure.errno in FULL:
        cure = "Make room there, or name a file on another disk."
    elif failure.errno in FORBIDDEN:
        cure = f"Name a file in a folder that you may write to, or change the rights of {path.parent}."
    before = "the file is as it was" if os.path.exists(path) else "nothing was written"
    said = f"{path} could not be written ({failure.strerror or failure}), and {before}. {cure}"
    return OSError(said) if failure.errno is None else OSError(failure.errno, said)


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
