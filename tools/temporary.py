"""Folders for as long as a block runs; one that a kill left behind is removed by whoever comes next."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vaecourse import files

MARK = ".made-by-vaecourse"  # whose it is: a process and a machine
LONGEST = 1000  # bytes of a mark


@contextlib.contextmanager
def folder(what: str) -> Iterator[Path]:
    """A new folder for ``what``, in the system's place for such, readable by this user only."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"vaecourse-{what}-", ignore_cleanup_errors=True) as made:
        Path(made, MARK).write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")
        yield Path(made)


def sweep() -> None:
    """Remove the folders, known by the mark in them, of processes of this user on this machine that are no more."""
    for path in Path(tempfile.gettempdir()).glob("vaecourse-*"):
        with contextlib.suppress(OSError, ValueError, OverflowError):
            if not _is_ours(path):  # nothing of another user's is read
                continue
            process, machine = files.content(path / MARK, LONGEST).decode().split(maxsplit=1)
            if machine == socket.gethostname() and not lives(int(process)):
                shutil.rmtree(path, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return not path.is_symlink() and (not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid())
    return False


def lives(process: int) -> bool:
    """Whether a process of this machine, of whatever user, has not ended."""
    if os.name != "posix":  # there, signal 0 is no question but an end
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
