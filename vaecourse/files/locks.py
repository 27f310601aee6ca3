"""Two writers of one file: a lock that says who holds it, and that a kill frees."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from vaecourse import foreign
from vaecourse.files.marks import NotOurs
from vaecourse.files.whole import beside, explained, opened, part_of, real, short, shown
from vaecourse.files.whole import name as give_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Busy(OSError):
    """Another process, or another call in this one, is at work on the same file; ``holder`` says which."""

    holder = "another process"


@contextlib.contextmanager
def locked(path: str | Path, doing: str, wait: float = 0.0) -> Iterator[None]:
    """Hold what ``path`` names for as long as the block runs; the system lets go of it when the process dies.

    The lock is a file beside it, ``.NAME.lock``, which says who holds it and is removed at the end. On a disk without
    such locks it is held by being there, and whose process has ended on this machine holds it no more.

    Arguments:
        doing: what the other is told that we do, "training".
        wait: seconds to wait for another to end.

    Raises ``Busy`` with the process, machine, time and doing of whoever holds it, ``NotOurs`` where somebody's text has
    the lock's name, and ``OSError`` as ``replace`` does.
    """
    path = real(path)
    name = path.with_name(f".{short(path.name)}.lock")
    if not is_lock(name):
        raise NotOurs(
            f"{shown(name)} has a text in it that is not the course's, and what keeps two writers of {shown(path)} "
            "apart needs this name: move it away, or name another file."
        )
    if os.path.lexists(name) and not (name.is_symlink() or name.is_file()):  # a pipe, of which the system makes a lock
        raise NotOurs(f"{shown(name)} is no file, and {shown(path)} needs it as its lock: move it away.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        by_system = _has_locks(path.parent, os.stat(path.parent).st_dev)
    except OSError as failure:
        raise explained(path, failure) from failure
    with (_by_system if by_system else _by_name)(path, name, doing, wait):
        yield


@contextlib.contextmanager
def _by_system(path: Path, name: Path, doing: str, wait: float) -> Iterator[None]:
    import filelock

    _remove_if_left_by_another(name)
    # Of this user alone: whoever can open it can hold it.
    lock = filelock.FileLock(name, timeout=wait, thread_local=False, mode=0o600)
    try:
        # Where no file can be made filelock waits as if somebody held it.
        handle = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if hasattr(os, "fchmod"):  # one that was left as others can open it
                with contextlib.suppress(PermissionError):
                    os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
        lock.acquire()
    except filelock.Timeout:
        raise _busy(path, name) from None
    except OSError as failure:
        if (other := _another(name)) is not None:
            raise OSError(failure.errno, BELONGS.format(path=shown(path), name=shown(name), other=other)) from failure
        raise explained(path, failure) from failure
    ours = is_lock(name)  # else somebody's file has got this name since, and stays
    inode = os.lstat(name).st_ino
    try:
        if ours:
            with contextlib.suppress(OSError):  # on a full disk the lock holds all the same, and says less
                _say_who(name, json.dumps({**_self(), "doing": doing}).encode())
        yield
    finally:
        if ours:
            with contextlib.suppress(OSError):  # whoever waits sees that its file has no name any more, begins again
                if os.lstat(name).st_ino == inode:
                    name.unlink()
        lock.release()


def _say_who(name: Path, text: bytes) -> None:
    """Write into a lock's file who holds it, if it is one: by one opening, for others may write in that folder."""
    handle = os.open(name, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "r+b", buffering=0) as file:
        start = file.read(1000)
        if os.fstat(handle).st_nlink == 1 and _is_locks(start):
            file.seek(0)
            file.write(text)
            file.truncate(len(text))


BELONGS = (
    "{path} needs {name} as its lock, which belongs to user {other}, and only that user can open it. If nothing of "
    "theirs is at work there, let them remove it; or name another file."
)


def _another(name: Path) -> int | None:
    """The user whose a lock is; None if it is ours, or there is none."""
    if hasattr(os, "geteuid"):
        with contextlib.suppress(OSError):
            owner = os.lstat(name).st_uid
            return None if owner == os.geteuid() else owner
    return None


def _remove_if_left_by_another(name: Path) -> None:
    """Remove another user's lock that nobody holds, where we may: who cannot write in it cannot hold it.

    A kill has left it, of a version whose locks everybody could read. It is held meanwhile, so whoever waits for it
    sees that it has no name any more.
    """
    if fcntl is None or _another(name) is None:
        return
    with contextlib.suppress(OSError), opened(name) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen, start = os.fstat(file.fileno()), file.read(1000)
        if os.path.samestat(seen, os.lstat(name)) and _is_locks(start):
            name.unlink()


@contextlib.contextmanager
def _by_name(path: Path, name: Path, doing: str, wait: float) -> Iterator[None]:
    """Hold a lock on a disk without locks: who gives a file this name, and no other, has it."""
    end = time.monotonic() + wait
    text = json.dumps({**_self(), "doing": doing}).encode()
    while True:
        try:
            with beside(name, text) as part:
                inode = part.stat().st_ino
                give_name(part, name)
            break
        except FileExistsError:
            pass
        except OSError as failure:
            raise explained(path, failure) from failure
        if _is_left(name):
            _take_away(name)
        elif time.monotonic() >= end:
            raise _busy(path, name)
        else:
            time.sleep(0.1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if name.stat().st_ino == inode:
                name.unlink()


def _is_left(name: Path) -> bool:
    """Whether nobody holds a lock that is there by name: whoever wrote it has ended, or nobody wrote into it."""
    start = _start(name)
    who = _holds(start or b"")
    return start is not None and (_has_ended(who) if who else not start.strip(b"\0"))


def _take_away(name: Path) -> None:
    """Remove such a lock; one that somebody has taken in this instant gets its name back."""
    part = part_of(name)
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        os.rename(name, part)
        try:
            if not _is_left(part):
                give_name(part, name)
        finally:
            part.unlink(missing_ok=True)


@functools.lru_cache(maxsize=64)
def _has_locks(folder: Path, disk: int) -> bool:
    """Whether the system locks files on this disk; that of some does not."""
    if fcntl is None:  # Windows has others
        return True
    probe = part_of(folder / "lock")
    try:
        handle = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return True  # which is told by whoever makes the lock
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        return failure.errno not in WITHOUT
    finally:
        os.close(handle)
        probe.unlink(missing_ok=True)
    return True


WITHOUT = {errno.ENOSYS, errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.EOPNOTSUPP), errno.ENOLCK}


def _busy(path: Path, name: Path) -> Busy:
    busy = Busy(f"{shown(path)} is in use by {holder(name)}: wait until that has ended, or name another file.")
    busy.holder = holder(name)
    return busy


def _has_ended(who: dict[str, object]) -> bool:
    """Whether the process that wrote a lock ran on this machine, and runs no more."""
    process = who["process"]
    if os.name != "posix" or who["machine"] != _self()["machine"] or type(process) is not int or process < 1:
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # another user's
        pass
    return False


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


def _is_locks(start: bytes) -> bool:
    return not start.strip(b"\0") or _holds(start) is not None


def is_lock(name: Path) -> bool:
    """Whether nothing is in a lock's file but what ``locked`` writes; old versions of filelock empty any."""
    start = _start(name)  # None: locking it says what is the matter
    return start is None or _is_locks(start)


def holder(name: Path) -> str:
    """Who says in the lock's file that he holds it."""
    who = _holds(_start(name) or b"")
    if who is None:
        return "another process"
    if _has_ended(who):
        left = f"the lock was left by process {foreign.plain(who['process'], 20)}, which has ended"
        return f"another process ({left}; if none of yours runs, remove {shown(name)})"
    own = who["process"] == os.getpid() and who["machine"] == _self()["machine"]
    process, machine, doing, since = (
        foreign.plain(who[name], most)
        for name, most in (("process", 20), ("machine", 60), ("doing", 80), ("since", 20))
    )
    return f"{'this very process' if own else f'process {process} on {machine}'}, which has been {doing} since {since}"
