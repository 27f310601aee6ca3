"""A folder for what runs apart: it is gone afterwards with all that was made in it, and that is looked at meanwhile."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator

ENTRIES, BYTES = 1_000, 100_000_000  # files and folders that one answer may make, and what is in them


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[str]:
    """An empty folder, for as long as the block runs."""
    made = tempfile.mkdtemp(prefix=prefix)
    try:
        yield made
    finally:
        remove(made)


def remove(place: str) -> None:
    """Remove a folder whatever was made in it: folders in folders a thousand deep, links, what nobody may write."""
    if os.name == "nt":  # whose junctions only this knows
        with contextlib.suppress(RecursionError):
            shutil.rmtree(place, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        while sum(_is_removed(entry, place) for entry in _entries(place)):  # all of them, then those moved up
            pass
        os.rmdir(place)


def _entries(place: str) -> list[os.DirEntry[str]]:
    with os.scandir(place) as found:
        return list(found)


def _is_removed(entry: os.DirEntry[str], place: str) -> bool:
    """Remove a file or a link; of a folder, what is in it comes up into ``place``, where its name is short."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            return True
        os.chmod(entry.path, 0o700)
        for inner in _entries(entry.path):
            if inner.is_dir(follow_symlinks=False):
                os.chmod(inner.path, 0o700)  # who may not write in a folder cannot move it
            os.rename(inner.path, os.path.join(place, secrets.token_hex(8)))
        os.rmdir(entry.path)
    except OSError:
        return False
    return True


def has_too_much(place: str) -> bool:
    """Whether more lies below a folder than one answer may make; a folder that hides what is in it has too much."""
    waiting, entries, taken = [place], 0, 0
    while waiting and entries <= ENTRIES and taken <= BYTES:
        try:
            for entry in _entries(waiting.pop()):
                entries += 1
                taken += entry.stat(follow_symlinks=False).st_size
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
        except FileNotFoundError:  # it is being removed
            continue
        except OSError:  # nobody may look into it, or it lies too deep for a path
            return True
    return entries > ENTRIES or taken > BYTES
