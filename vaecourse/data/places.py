"""Where the files of a set may lie on this machine: the folder that VAECOURSE_DATA names, Debian's, the cache."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from vaecourse.data import sources
from vaecourse.data.content import read
from vaecourse.data.sources import Source

FOLDER_VARIABLE = "VAECOURSE_DATA"
DEBIAN = Path("/usr/share/datasets")  # where Debian's package dataset-fashion-mnist puts its files


class Found(NamedTuple):
    """The first right file of a name on this machine, and what is wrong with those that come before it."""

    path: Path | None
    content: bytes
    damaged: dict[Path, str]


def cache_folder() -> Path:
    """Where fetched files are kept; pooch chooses the place that the system has for this.

    Raises ``ValueError`` if the system knows no home folder of this user.
    """
    import pooch

    try:
        return Path(pooch.os_cache("vaecourse")).expanduser()
    except RuntimeError as failure:
        raise ValueError("HOME must name a folder that you may write to: no home folder is known here.") from failure


def find(source: Source, file: str) -> Path | None:
    """The first path of a file of this set on this machine, unread and unverified; None if it must be fetched.

    Raises ``ValueError`` if VAECOURSE_DATA names no folder.
    """
    return next(iter(_candidates(source, file)), None)


def look(source: Source, file: str) -> Found:
    """The first right file of this name on this machine, verified. Raises ``ValueError`` as ``find`` does."""
    damaged: dict[Path, str] = {}
    for path in _candidates(source, file):
        try:
            return Found(path, read(path, source.sums[file]), damaged)
        except ValueError as failure:
            if not _is_of_another_set(path, source, file):
                damaged[path] = str(failure)
    return Found(None, b"", damaged)


def _is_of_another_set(path: Path, source: Source, file: str) -> bool:
    """Whether this is a right file all the same: MNIST and Fashion-MNIST have the same names."""
    for other in (sources.MNIST, sources.FASHION_MNIST):
        known = other.sums.get(file)
        if other.name != source.name and known is not None and known.size == source.sums[file].size:
            with contextlib.suppress(ValueError):
                return bool(read(path, known))
    return False


def why_no_folder(named: str) -> str | None:
    """What is wrong with ``named`` as the folder VAECOURSE_DATA, or None if nothing is."""
    try:
        folder = Path(named).expanduser()
        mode = folder.stat().st_mode
    except RuntimeError:  # from expanduser
        return "begins with the name of nobody here"
    except PermissionError:
        return "lies in a folder that you may not look into"
    except (OSError, ValueError):
        return "is no folder"
    if not stat.S_ISDIR(mode):
        return "is no folder but a file"
    ours = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    return None if os.access(folder, os.R_OK | os.X_OK, **ours) else "is a folder that you may not look into"


def own_places(source: Source) -> list[Path]:
    """Where a file of this set may lie in the folder that VAECOURSE_DATA names; none if it is not set."""
    if not (named := os.environ.get(FOLDER_VARIABLE)):
        return []
    if why := why_no_folder(named):
        raise ValueError(f"{FOLDER_VARIABLE} must name a folder, got {named!r:.300}, which {why}.")
    folder = Path(named).expanduser()
    return [folder / source.name, folder]


def _candidates(source: Source, file: str) -> list[Path]:
    """All files of this name on this machine, the first choice first."""
    places = [*own_places(source), DEBIAN / source.name, cache_folder() / source.name]
    return [path for place in places for name in (f"{file}.gz", file) if is_file(path := place / name)]


def is_file(path: Path) -> bool:
    """Whether this is a file; a pipe or a device is none, and one that may not be looked at counts, to be told."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as failure:
        return isinstance(failure, PermissionError)
