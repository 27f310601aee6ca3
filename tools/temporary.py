"""Folders for as long as a block runs; one that a kill left behind is removed by whoever comes next."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder(what: str) -> Iterator[Path]:
    """A new folder for ``what``, in the system's place for such, readable by this user only."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"vaecourse-{what}-{os.getpid()}-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def sweep() -> None:
    """Remove the folders of processes of this user that are no more."""
    for path in Path(tempfile.gettempdir()).glob("vaecourse-*-*-*"):
        process = re.fullmatch(r"vaecourse-[a-z]+-(\d+)-\w+", path.name)
        if process and not path.is_symlink() and _is_ours(path) and not _lives(int(process[1])):
            shutil.rmtree(path, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.is_dir() and (not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid())
    return False


def _lives(process: int) -> bool:
    if os.name != "posix":  # there, signal 0 is no question but an end
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
