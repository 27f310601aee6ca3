"""One file, read and written whole or not at all: what is replaced stays as it was until the new one is on the disk."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import BinaryIO

Stamp = tuple[int, int, int, int]  # a file's size, its times of writing and of any change, and its inode


def stamp(path: str | Path) -> Stamp | None:
    """By what a change of a file is seen; None if there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise explained(Path(path), failure, "read") from failure
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def opened(path: str | Path) -> BinaryIO:
    """The file, to be read from; a pipe of this name is not waited for. Raises ``OSError``, as for what is no file.

    What is read comes from this one opening: whatever else gets the name meanwhile is not read, nor is anything mapped
    into memory, where a file that somebody cuts short would end the process.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(handle, "rb")
    if S_ISREG(os.fstat(handle).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "it is no file", str(path))


def content(path: str | Path, most: int) -> bytes:
    """All that is in a file. Raises ``OSError`` as ``opened`` does, and ``ValueError`` for more bytes than ``most``."""
    with opened(path) as file:
        found = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
    if len(found) > most:
        raise ValueError(f"{shown(path)} has more than {most} bytes.")
    return found


class Changed(ValueError):
    """A file is not what it was when its writer looked at it. It is left as it is."""


def real(path: str | Path) -> Path:
    """The file itself, if ``path`` is a link to it: the link stays. Raises ``ValueError`` for what can be no name."""
    try:
        os.fsencode(path)
        return Path(os.path.realpath(path))
    except ValueError as failure:  # a NUL, or half a character
        raise ValueError(f"{shown(path)} is a name that no file can have: name another file.") from failure


def shown(path: str | Path) -> str:
    """A path as a sentence can name it: in one line, whatever is in the name."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def name(part: Path, name: Path) -> None:
    """Give a whole file its name. Raises ``FileExistsError`` if something else has it."""
    try:
        os.link(part, name)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this disk
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(name)) from None
        os.rename(part, name)
    _sync_folder(name.parent)


def part_of(path: Path) -> Path:
    """A new name for what is written before it gets the name ``path``: in the same folder, so on the same disk."""
    return path.with_name(f".{short(path.name)}.{uuid.uuid4().hex[:8]}.part")


LONGEST_NAME = 200  # bytes; a disk has 255 for a name, and what is put before and behind one needs some


def short(name: str) -> str:
    """A name to which more can be added: the same, or one so long cut, with what keeps it apart from others."""
    raw = os.fsencode(name)
    if len(raw) <= LONGEST_NAME:
        return name
    while len(os.fsencode(name)) > LONGEST_NAME - 20:
        name = name[:-1]
    return f"{name}~{hashlib.sha256(raw).hexdigest()[:16]}"


@contextlib.contextmanager
def beside(path: Path, content: bytes) -> Iterator[Path]:
    """``content`` in a file beside ``path``, whole and on the disk; the block gives it its name, else it is removed."""
    part = part_of(path)
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def replace(path: str | Path, content: bytes, if_still: Sequence[Stamp | None] | None = None) -> Stamp | None:
    """Replace the file ``path`` by ``content``; a kill, a full disk or a lost power line leaves the old file as it was.

    Return the stamp of what was written; None if somebody else wrote there in the same instant.

    Whose file it is does not count here: ``write`` asks that. The folder is made if it is not there; rights and owner
    stay, and a link goes on pointing at the file. Raises ``OSError`` if the folder cannot be made or written in, if the
    disk is full, for a file that is read-only or somebody else's, and for one with several names (hard links), which
    would be parted.

    Arguments:
        if_still: the stamps that the file may have in the last moment; None is that of no file.
    """
    path, ours = real(path), None
    try:
        before = permission(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside(path, content) as part:
            if before is not None:
                _pass_on(path, before, part)
            ours = stamp(part)
            if if_still is not None and stamp(path) not in if_still:
                raise Changed(f"{shown(path)} was written by somebody else just now, and is left as it is.")
            os.replace(part, path)
            now = _if_renamed(path, ours)
    except OSError as failure:
        raise _told_of_replacing(path, failure, ours) from failure
    _sync_folder(path.parent)
    _sweep(path)
    return now


def replace_by(path: str | Path, part: Path) -> None:
    """The same with what is in the file ``part``, which lies in the same folder and is gone then."""
    path, ours = real(path), None
    try:
        before = permission(path)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        if before is not None:
            _pass_on(path, before, part)
        ours = stamp(part)
        os.replace(part, path)
    except OSError as failure:
        raise _told_of_replacing(path, failure, ours) from failure
    _sync_folder(path.parent)
    _sweep(path)


def _told_of_replacing(path: Path, failure: OSError, ours: Stamp | None) -> OSError:
    """The same error in a sentence. A disk may tell of a failure of a renaming that it has done: so look again."""
    if _if_renamed(path, ours) is None:
        return explained(path, failure)
    cure = "Look at the disk, and keep a copy elsewhere."
    message = (
        f"{shown(path)} has the new content, but the disk told of a failure ({failure.strerror or failure}). {cure}"
    )
    return OSError(failure.errno, message)


def _if_renamed(path: Path, before: Stamp | None) -> Stamp | None:
    """The stamp of ``path`` if nothing but its name has changed since ``before``: the time of any change is later."""
    now = None
    with contextlib.suppress(OSError):
        now = stamp(path)
    same = now is not None and before is not None and (now[:2], now[3]) == (before[:2], before[3])
    return now if same else None


def may_be_replaced(path: str | Path) -> None:
    """Raise the ``OSError`` of ``replace``, now, for a file that must stay."""
    path = real(path)
    try:
        permission(path)
    except OSError as failure:
        raise explained(path, failure) from failure


def permission(path: Path) -> os.stat_result | None:
    """What is known of the file that is to be replaced, None if there is none; ``OSError`` if it must stay."""
    try:
        before = path.stat()
    except FileNotFoundError:
        return None
    if not S_ISREG(before.st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    if not before.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise OSError(errno.ETXTBSY, "it is read-only")
    if hasattr(os, "geteuid") and os.geteuid() not in (0, before.st_uid):
        raise OSError(errno.ETXTBSY, "it belongs to somebody else, who would lose it")
    if before.st_nlink > 1:
        raise OSError(errno.EMLINK, f"it has {before.st_nlink} names, hard links, which a new file would part")
    return before


def _pass_on(path: Path, before: os.stat_result, part: Path) -> None:
    """Give the new file the rights of the old one, and its owner and attributes where that is possible.

    By one opening of it: whoever else may write in the folder can put a link in its place, and what that leads to would
    get them.
    """
    if os.name != "posix":
        with contextlib.suppress(OSError):
            shutil.copystat(path, part)
        os.chmod(part, S_IMODE(before.st_mode))
        os.utime(part)
        return
    handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)
        if not S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise OSError(errno.EBUSY, "another program has put something else in the place of what was written")
        _pass_on_attributes(path, handle)
        if found.st_gid != before.st_gid:
            os.fchown(handle, -1, before.st_gid)
        if found.st_uid != before.st_uid:
            os.fchown(handle, before.st_uid, -1)
        os.fchmod(handle, S_IMODE(before.st_mode))
        os.utime(handle)
    finally:
        os.close(handle)


def _pass_on_attributes(path: Path, handle: int) -> None:
    """Give an open file those attributes of another that the disk takes: access lists, labels. Linux has such."""
    names: list[str] = []
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            names = os.listxattr(path)
    for name in names:
        with contextlib.suppress(OSError):
            os.setxattr(handle, name, os.getxattr(path, name))


FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def explained(path: Path, failure: OSError, done: str = "written") -> OSError:
    """The same error in a sentence: which file, what is wrong, what to do."""
    cure = "Name another file."
    if failure.errno in FULL:
        cure = "Make room there, or name a file on another disk."
    elif failure.errno == errno.ETXTBSY:  # ``permission`` says so, and what the folder allows is no help
        cure = "Name another file, or change the rights of this one if it is yours."
    elif failure.errno in FORBIDDEN:
        cure = f"Name a file in a folder that you may write to, or change the rights of {path.parent}."
    before = "the file is as it was" if os.path.exists(path) else "nothing was written"
    message = f"{shown(path)} could not be {done} ({failure.strerror or failure}), and {before}. {cure}"
    return OSError(message) if failure.errno is None else OSError(failure.errno, message)


def _sweep(path: Path) -> None:
    """Remove what a kill left of earlier writes; an hour old, so that nobody is still writing it."""
    name = short(path.name)
    for part in path.parent.glob(f".{glob.escape(name)}.*.part"):
        with contextlib.suppress(OSError):
            if re.fullmatch(r"\.[0-9a-f]{8}\.part", part.name[1 + len(name) :]):
                if time.time() - part.stat().st_mtime > 3600:
                    part.unlink()


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk, too. Windows cannot open a folder, and needs no help here."""
    if os.name == "posix":
        with contextlib.suppress(OSError):  # of a folder that may be written in and not looked at
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
