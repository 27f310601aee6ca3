"""What the course asks of git, so that nothing of the user's is written over and no git is left behind."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools import ending, typed
from vaecourse import files

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = "vaecourse-update.lock"  # in .git
PATIENCE = 3.0  # seconds for which a git that is at work is waited for before an update
# A git that writes leaves nothing running, and no change of the user's is taken away and merged: it is refused.
WRITING = ("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "merge.autoStash=false")
BESIDE = f'Unpack the new version beside it, and there: python -m tools.answers back "{{folder}}/{typed.PATTERN}"'


class GitRefused(ending.Refused):
    """What git says. Another time it may say something else."""


def text(folder: Path, *words: str, lock: Sequence[int] | None = None) -> str:
    return raw(folder, *words, lock=lock).decode(errors="replace").rstrip("\n")


def raw(root: Path, *words: str, lock: Sequence[int] | None = None) -> bytes:
    """What git prints of the course."""
    return run(root, words, unfiltered(root), lock)


def run(folder: Path, words: Sequence[str], before: Sequence[str] = (), lock: Sequence[int] | None = None) -> bytes:
    """What git prints; in English, for it is read here too. One that reads takes no lock, so it may be ended.

    Arguments:
        lock: for a git that writes chapters: what it keeps until it ends. No key on the keyboard reaches it, and it
            leaves nothing running that would keep the lock.
    """
    own: dict[str, Any] = {}
    if lock is not None:
        alone = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows
        own = {"pass_fds": lock, "start_new_session": True, "creationflags": alone}
        before = (*WRITING, *before)
    try:
        process = subprocess.Popen(
            ["git", "-C", folder, *before, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**_elsewhere_unset(), "LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0"},
            **own,
        )
    except FileNotFoundError as missing:
        raise ending.Refused("git is not on this machine") from missing
    with process:
        try:
            printed, complaint = process.communicate()
        except BaseException:
            process.terminate()  # politely: it removes its locks
            raise
    if process.returncode:
        command = next(word for word in words if not word.startswith("-"))
        raise GitRefused(f"git {command} said:\n{complaint.decode(errors='replace').strip()}")
    return printed


def _elsewhere_unset() -> dict[str, str]:
    """The environment without what names another repository: a hook or an alias of git's own sets it."""
    places = ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "PREFIX", "NAMESPACE")
    return {name: value for name, value in os.environ.items() if name not in {f"GIT_{place}" for place in places}}


@functools.cache
def unfiltered(root: Path) -> tuple[str, ...]:
    """What git is told so that it reads and writes notebooks as they are, whatever filter the user has for them.

    One takes the outputs off, nbstripout for example: to git, every notebook of the course is then a changed one.
    """
    names = [f"{typed.CHAPTERS.name}/{path.name}" for path in typed.notebooks(root / typed.CHAPTERS.name)]
    found = run(root, ["check-attr", "-z", "filter", "--", *names]).split(b"\0")[2::3] if names else []
    drivers = {os.fsdecode(name) for name in found} - {"unspecified", "unset", "set"}
    settings = ("clean=", "smudge=", "process=", "required=false")
    return tuple(
        word
        for name in sorted(drivers)
        if "=" not in name
        for what in settings
        for word in ("-c", f"filter.{name}.{what}")
    )


def version(root: Path) -> str:
    """The commit that is here; empty if git cannot say."""
    try:
        return text(root, "rev-parse", "HEAD")
    except ending.Refused:
        return ""


def names(root: Path, *words: str) -> list[str]:
    """What git lists with -z."""
    return [os.fsdecode(name) for name in raw(root, words[0], "-z", *words[1:]).split(b"\0") if name]


def staged(root: Path, commit: str) -> set[str]:
    """The files that are staged otherwise than a commit has them."""
    return set(names(root, "diff", "--cached", "--no-renames", "--name-only", commit))


def changed(root: Path) -> set[str]:
    """The files that are not as this version has them, on the disk or staged."""
    return {*names(root, "diff", "--no-renames", "--name-only", "HEAD"), *staged(root, "HEAD")}


def differ(root: Path, old: str, new: str) -> list[str]:
    """The files in which two commits differ."""
    return names(root, "diff-tree", "-r", "--no-renames", "--name-only", old, new)


def root_of(folder: Path) -> Path:
    unpack = BESIDE.format(folder=folder)
    try:
        root = Path(os.fsdecode(run(folder, ["rev-parse", "--show-toplevel"]).rstrip(b"\n")))
    except ending.Refused:
        raise ending.Refused(f"{folder.parent} was not cloned with git. {unpack}") from None
    if not os.path.samefile(root, folder.parent):
        raise ending.Refused(
            f"{folder.parent} was not cloned with git, but lies in another repository, {files.shown(root)}, which "
            f"stays as it is. {unpack}"
        )
    return folder.parent


def fetch(root: Path, more: Sequence[str]) -> None:
    """Fetch the newest version. No file that anybody reads is touched by that: it may be ended at any time."""
    text(root, "fetch", *more)
    heads = root / text(root, "rev-parse", "--git-path", "FETCH_HEAD")
    if "\t\t" not in heads.read_text(encoding="utf-8", errors="replace"):  # between them stands "not-for-merge"
        raise ending.Refused(
            "git knows no branch to take the new version from: name it, make update ARGS='origin main', or git switch "
            "to a branch that follows one."
        )


@contextlib.contextmanager
def none_left(root: Path) -> Iterator[Sequence[int]]:
    """Hold, while the block runs, what no git of an earlier update has any more; it gives what a git inherits.

    A git that writes lives on where this process is killed, and whatever is put back then may be overwritten by it. So
    it has this lock until it ends. Windows has no such lock, and git's own must do.
    """
    index, own = (root / text(root, "rev-parse", "--git-path", name) for name in ("index.lock", LOCK))
    handles = [_opened(own)] if fcntl else []
    try:
        end = time.monotonic() + PATIENCE
        while busy := _busy(handles, index, own):
            if time.monotonic() > end:
                raise ending.Refused(busy)
            time.sleep(0.1)
        yield handles
    finally:
        for handle in handles:
            os.close(handle)


def _opened(lock: Path) -> int:
    """The file whose lock a git keeps: of this user alone, for whoever can open it can hold it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        os.fchmod(handle, 0o600)
        return handle
    os.close(handle)
    raise ending.Refused(f"{files.shown(lock)} is no file of yours, and an update needs this name: move it away.")


def _busy(handles: Sequence[int], index: Path, lock: Path) -> str:
    """The sentence on the git that is at work; empty if none is."""
    for handle in handles:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return (
                "git is still writing, for an update that was ended: the same command again when it has ended. If none "
                f"runs any more: remove {files.shown(lock)}"
            )
        except OSError:  # a disk without such locks: git's own must do
            pass
    if os.path.lexists(index):
        return f"git is at work, or was ended half-way. If none runs any more: remove {files.shown(index)}"
    return ""


class Signals:
    """A closed terminal and a polite end are told as Ctrl-C is; while git writes, all are noted, and told after it."""

    def __enter__(self) -> Signals:
        self.waits = self.came = False
        names = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
        heard = [which for which in names if which is not None and signal.getsignal(which) != signal.SIG_IGN]
        self.before = {which: signal.signal(which, self._told) for which in heard}
        return self

    def _told(self, *_: object) -> None:
        self.came = True
        if not self.waits:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """In the block nothing is interrupted; what came meanwhile interrupts at its end."""
        self.waits, self.came = True, False
        try:
            yield
        finally:
            self.waits = False
        if self.came:
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        for which, handler in self.before.items():
            signal.signal(which, handler)
