"""Two writers of one file: a lock that says who holds it, and that a kill frees."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from vaecourse import foreign
from vaecourse.files.marks import NotOurs
from vaecourse.files.whole import opened, real, short, shown, told


class Busy(OSError):
    """Another process, or another call in this one, is at work on the same file; ``holder`` says which."""

    holder = "another process"


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
        raise told(path, failure) from failure
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
