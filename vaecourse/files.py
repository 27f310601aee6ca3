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
import glob
import hashlib
import json
import os
import re
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import BinaryIO

from vaecourse import foreign

KEPT = "kept"  # the folder, beside a file, of what was there before


class NotOurs(ValueError):
    """A file is there that the course did not write, or not for this purpose. It is left as it is."""


class Busy(OSError):
    """Another process, or another call in this one, is at work on the same file; ``holder`` says which."""

    holder = "another process"


@dataclass(frozen=True)
class Kind:
    """A kind of file that the course writes.

    Arguments:
        called: for sentences, "a checkpoint of vaecourse".
        is_ours: whether the file at a path has the mark of this kind.
        is_untouched: whether the file at a path is as the course left it, as far as the file itself can tell.
    """

    called: str
    is_ours: Callable[[Path], bool]
    is_untouched: Callable[[Path], bool] = lambda path: False


Stamp = tuple[int, int, int, int]  # a file's size, its times of writing and of any change, and its inode
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
        raise _told(path, failure, "read") from failure
    if not ours:
        cure = "Name another file, or move this one away."
        raise NotOurs(f"{shown(path)} is not {kind.called}: it is left as it is. {cure}")


def saw(path: str | Path, known: Known) -> None:
    """Take note in ``known`` of ``path``, whose content the writer knows, as it is now."""
    path = real(path)
    if (now := stamp(path)) is not None:
        known[path] = now


def stamp(path: str | Path) -> Stamp | None:
    """By what a change of a file is seen; None if there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise _told(Path(path), failure, "read") from failure
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
        raise _told(folder / path.name, failure) from failure
    raise Busy(f"{folder} has 999 copies of {path.name} made in this second. Try again in the next.")


def own_folder(folder: Path) -> None:
    """Make a folder for copies. Raises ``OSError`` if one named ``kept``, or one inside, is a link to another place."""
    above = next((place.parent for place in (folder, *folder.parents) if place.name == KEPT), folder)
    there = Path(os.path.realpath(above)) / folder.relative_to(above)
    if Path(os.path.realpath(folder)) != there:
        raise OSError(errno.ENOTDIR, f"{shown(folder)} is a link that leads to another place: move it away")
    folder.mkdir(parents=True, exist_ok=True)


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
    path = real(path)
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
        raise _told(path, failure) from failure
    _sync_folder(path.parent)
    _sweep(path)
    return now


def replace_by(path: str | Path, part: Path) -> None:
    """The same with what is in the file ``part``, which lies in the same folder and is gone then."""
    path = real(path)
    try:
        before = permission(path)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        if before is not None:
            _pass_on(path, before, part)
        os.replace(part, path)
    except OSError as failure:
        raise _told(path, failure) from failure
    _sync_folder(path.parent)
    _sweep(path)


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
        raise _told(path, failure) from failure


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
    """Give the new file the rights of the old one, and its owner and attributes where that is possible."""
    with contextlib.suppress(OSError):
        shutil.copystat(path, part)
    if hasattr(os, "chown") and os.stat(part).st_gid != before.st_gid:
        os.chown(part, -1, before.st_gid)
    if hasattr(os, "chown") and os.stat(part).st_uid != before.st_uid:
        os.chown(part, before.st_uid, -1)
    os.chmod(part, S_IMODE(before.st_mode))
    os.utime(part)


FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def _told(path: Path, failure: OSError, done: str = "written") -> OSError:
    """The same error in a sentence: which file, what is wrong, what to do."""
    cure = "Name another file."
    if failure.errno in FULL:
        cure = "Make room there, or name a file on another disk."
    elif failure.errno == errno.ETXTBSY:  # ``permission`` says so, and what the folder allows is no help
        cure = "Name another file, or change the rights of this one if it is yours."
    elif failure.errno in FORBIDDEN:
        cure = f"Name a file in a folder that you may write to, or change the rights of {path.parent}."
    before = "the file is as it was" if os.path.exists(path) else "nothing was written"
    said = f"{shown(path)} could not be {done} ({failure.strerror or failure}), and {before}. {cure}"
    return OSError(said) if failure.errno is None else OSError(failure.errno, said)


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


# A mark at the end of a text ------------------------------------------------------------------------------------------

LONGEST_TEXT = 64_000_000  # bytes; the longest of the course has 20 kB
_MARK = "<!-- made by vaecourse; sha256 of all above: {} -->\n"  # a comment in Markdown and in HTML


def signed(text: str) -> bytes:
    """The text with a last line by which ``TEXT`` knows it again, and knows whether it was changed."""
    text = text if text.endswith("\n") else text + "\n"
    return (text + _MARK.format(hashlib.sha256(text.encode()).hexdigest())).encode()


def _signature(path: Path) -> tuple[bytes, str] | None:
    """What stands above the mark, and the sum in the mark; None if there is no mark."""
    text, start, mark = content(path, LONGEST_TEXT).rpartition(_MARK[:4].encode())
    found = re.fullmatch(
        re.escape(_MARK.strip()).replace(r"\{\}", "([0-9a-f]{64})"), (start + mark).decode("utf-8", "replace").strip()
    )
    return (text, found[1]) if found else None


def _is_as_signed(path: Path) -> bool:
    found = _signature(path)
    return found is not None and hashlib.sha256(found[0]).hexdigest() == found[1]


def _is_signed(path: Path) -> bool:
    try:
        return _MARK[:22].encode() in content(path, LONGEST_TEXT)
    except ValueError:  # too long to be ours
        return False


TEXT = Kind("a text that vaecourse made", _is_signed, _is_as_signed)

# Two writers ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: str | Path, doing: str, wait: float = 0.0) -> Iterator[None]:
    """Hold what ``path`` names for as long as the block runs; the system lets go of it when the process dies.

    The lock is a file beside it, ``.NAME.lock``, which says who holds it and is removed at the end.

    Arguments:
        doing: what the other is told that we do, "training".
        wait: seconds to wait for another to end.

    Raises ``Busy`` with the process, machine, time and doing of whoever holds it, ``NotOurs`` where somebody's text has
    the lock's name, and ``OSError`` as ``replace`` does.
    """
    import filelock

    path = real(path)
    name = path.with_name(f".{short(path.name)}.lock")
    if not is_lock(name):
        raise NotOurs(
            f"{shown(name)} has a text in it that is not the course's, and what keeps two writers of {shown(path)} "
            "apart needs this name: move it away, or name another file."
        )
    if os.path.lexists(name) and not (name.is_symlink() or name.is_file()):  # a pipe, of which the system makes a lock
        raise NotOurs(f"{shown(name)} is no file, and {shown(path)} needs it as its lock: move it away.")
    lock = filelock.FileLock(name, timeout=wait, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Where no file can be made filelock waits as if somebody held it.
        os.close(os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644))
        lock.acquire()
    except filelock.Timeout:
        busy = Busy(f"{shown(path)} is in use by {holder(name)}: wait until that has ended, or name another file.")
        busy.holder = holder(name)
        raise busy from None
    except OSError as failure:
        raise _told(path, failure) from failure
    ours = is_lock(name)  # else somebody's file has got this name since, and stays
    inode = name.stat().st_ino
    try:
        if ours:
            with contextlib.suppress(OSError):  # on a full disk the lock holds all the same, and says less
                name.write_text(json.dumps({**_self(), "doing": doing}), encoding="utf-8")
        yield
    finally:
        if ours:
            with contextlib.suppress(OSError):  # whoever waits sees that its file has no name any more, begins again
                if name.stat().st_ino == inode:
                    name.unlink()
        lock.release()


def _self() -> dict[str, object]:
    import socket

    return {"process": os.getpid(), "machine": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M")}


def _holds(text: bytes) -> dict[str, object] | None:
    """What a holder wrote into the lock's file; None if the text is nothing of the kind."""
    try:
        who = json.loads(text)
        return who if who.keys() == {*_self(), "doing"} else None
    except (ValueError, AttributeError):
        return None


def _start(name: Path) -> bytes | None:
    """What a lock's file begins with, read once: it comes and goes. None if there is none, or it cannot be read."""
    try:
        with opened(name) as file:
            return file.read(1000)
    except OSError:
        return None


def is_lock(name: Path) -> bool:
    """Whether nothing is in a lock's file but what ``locked`` writes; old versions of filelock empty any."""
    start = _start(name)  # None: locking it says what is the matter
    return start is None or not start.strip(b"\0") or _holds(start) is not None


def holder(name: Path) -> str:
    """Who says in the lock's file that he holds it."""
    who = _holds(_start(name) or b"")
    if who is None:
        return "another process"
    own = who["process"] == os.getpid() and who["machine"] == _self()["machine"]
    process, machine, doing, since = (
        foreign.plain(who[name], most)
        for name, most in (("process", 20), ("machine", 60), ("doing", 80), ("since", 20))
    )
    return f"{'this very process' if own else f'process {process} on {machine}'}, which has been {doing} since {since}"
