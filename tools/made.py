"""What the course makes under build/, file by file: what somebody else put there or changed is moved aside, not lost.

Beside every folder FOLDER that a command here makes lies a list, .FOLDER.made, of its files with their sizes and times,
and while they are moved there another one, .FOLDER.coming.made, of what comes: after a kill both are known as ours.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import glob
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import ending, temporary
from vaecourse import files

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PATIENCE = 900  # seconds to wait for another command
LONGEST = 256_000_000  # bytes of a list: that of build/npm has a few
ROOM = ".room"  # how the name of a folder ends in which something is built
KEPT = ROOT / files.KEPT  # what was found in build/ goes here, for `make clean` removes that folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

Tell = Callable[[str], object]


def tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def copies(folder: Path) -> Path:
    """Where the door keeps copies of what is in ``folder``: beside it, but not in build/."""
    folder = folder.resolve()
    return KEPT / folder.relative_to(ROOT) if folder.is_relative_to(BUILD) else folder / files.KEPT


@contextlib.contextmanager
def alone(path: Path, doing: str, tell: Tell = tell) -> Iterator[None]:
    """While the block runs, nobody else is at work on ``path``; who is now is told, and waited for."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(path, doing))
        except files.Busy as busy:
            tell(f"{files.shown(path)} is in use by {busy.holder}: waiting until that has ended.")
            held.enter_context(files.locked(path, doing, wait=PATIENCE))
        yield


@contextlib.contextmanager
def building(folder: Path, anew: bool = False, tell: Tell = tell) -> Iterator[Path]:
    """Give the block an empty folder to build in; what is in it at the end is moved into ``folder``, file by file.

    Nobody else writes there, so all of it is ours. What somebody puts into ``folder`` meanwhile is not, and stays;
    where it is in the way, it is moved aside and told.

    Arguments:
        anew: all of ``folder`` is built, so what was built earlier goes; and if the block fails, all is as it was.
    """
    folder = folder.resolve()
    with alone(folder, f"making {folder.name}", tell):
        refuse(folder)
        room = _room(folder)
        try:
            built = room / folder.name
            built.mkdir()
            try:
                yield built
            except BaseException:
                if not anew:
                    _deliver(built, folder, False, tell)
                raise
            _deliver(built, folder, anew, tell)
        finally:
            shutil.rmtree(room, ignore_errors=True)


def refuse(folder: Path) -> None:
    """Raise ``Refused`` for a folder outside of build/ in which nothing was made yet, and something is."""
    if not folder.resolve().is_relative_to(BUILD) and not _list(folder).exists() and folder.exists():
        if any(folder.iterdir()):
            raise ending.Refused(f"{folder} has something in it that is not the course's: name an empty folder.")


def _room(folder: Path) -> Path:
    """A new folder beside ``folder``, on the same disk; what a kill left of an earlier one is removed."""
    name = files.short(folder.name)
    for left in rooms(folder.parent, glob.escape(name)):
        shutil.rmtree(left, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=ROOM, dir=folder.parent))
    (room / temporary.MARK).write_text(str(os.getpid()), encoding="utf-8")
    return room


def rooms(parent: Path, name: str = "*") -> list[Path]:
    """The folders in ``parent`` in which something called ``name`` was or is built, by the mark in them."""
    found = parent.glob(f".{name}-????????{ROOM}")
    return [room for room in found if (room / temporary.MARK).is_file() and not room.is_symlink()]


def _deliver(built: Path, folder: Path, anew: bool, tell: Tell) -> None:
    """Move every file of ``built`` into ``folder``, and take note of it."""
    known, found = _known(folder), {path.relative_to(built): path for path in walk(built)}
    files.replace(_list(folder), json.dumps(known).encode())  # what a kill left half delivered is in it now
    files.replace(_coming(folder), json.dumps({str(way): _stamp(path) for way, path in found.items()}).encode())
    taken = {*found, *(above for way in found for above in way.parents)}
    foreign = {path.relative_to(folder) for path in strangers(folder)}
    own = {path.relative_to(folder) for path in walk(folder)} - foreign

    def in_the_way(way: Path) -> bool:
        return way in taken or not found.keys().isdisjoint(way.parents)

    move([folder / way for way in sorted(foreign) if in_the_way(way)], folder, _kept(folder), tell)

    def aside_if_saved_since(way: Path) -> None:
        if os.path.lexists(folder / way) and known.get(str(way)) != _stamp(folder / way):
            move([folder / way], folder, _kept(folder), tell)

    for way in sorted(way for way in own - found.keys() if anew or in_the_way(way)):
        aside_if_saved_since(way)
        (folder / way).unlink(missing_ok=True)
        del known[str(way)]
        _prune((folder / way).parent, folder)
    for way, path in found.items():
        target = folder / way
        if not _is_same(path, target):
            if not target.is_dir():
                aside_if_saved_since(way)
            _put(path, target)
        known[str(way)] = _stamp(target)
    folder.mkdir(exist_ok=True)
    files.replace(_list(folder), json.dumps(known).encode())
    _coming(folder).unlink(missing_ok=True)


def _put(path: Path, target: Path) -> None:
    """Move a file onto ``target`` by one renaming; from another disk it is copied beside it first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():  # and no file in it
        for here, *_ in os.walk(target, topdown=False):
            os.rmdir(here)
    try:
        os.replace(path, target)
    except OSError as failure:
        if failure.errno != errno.EXDEV:
            raise
        part = files.part_of(target)
        try:
            shutil.move(path, part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


def _is_same(path: Path, target: Path) -> bool:
    """Whether ``target`` is the same file already: then its time stays, and who has it open is not disturbed."""
    both = path.is_file() and target.is_file() and not path.is_symlink() and not target.is_symlink()
    return both and filecmp.cmp(path, target, shallow=False)


def _prune(folder: Path, top: Path) -> None:
    """Remove ``folder`` and those above it, up to ``top``, if nothing is in them."""
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def strangers(folder: Path) -> list[Path]:
    """The files in ``folder`` that are not as the course left them; all of them if it left none."""
    is_ours = as_left(folder)
    return [path for path in walk(folder) if not is_ours(path)]


def as_left(folder: Path) -> Callable[[Path], bool]:
    """What tells whether a file in ``folder`` is as the course left it, at the moment when it is asked."""
    known = _known(folder)
    return lambda path: known.get(str(path.relative_to(folder))) == _stamp(path)


def move(paths: list[Path], folder: Path, to: Path, tell: Tell = tell, called: Path | None = None) -> None:
    """Move files of ``folder``, with the folders they are in, into a new folder that begins as ``to``; say where.

    Arguments:
        called: what ``folder`` is called in the sentence, if not so.
    """
    if not paths:
        return
    to = to.with_name(f"{files.short(to.name)}-{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}")
    moved: list[Path] = []
    try:
        for path in paths:
            place = to / path.relative_to(folder)
            files.own_folder(place.parent)
            try:
                shutil.move(path, place)
            except OSError:
                if os.path.lexists(path):
                    place.unlink(missing_ok=True)  # half a copy, on another disk
                raise
            moved.append(path)
    finally:
        if moved:
            what = files.shown(moved[0].name)
            what = what if len(moved) == 1 else f"{len(moved)} files, {what} among them"
            tell(f"{what} in {files.shown(called or folder)}: not known as made here. Moved to {files.shown(to)}.")


def walk(folder: Path) -> Iterator[Path]:
    """All files and links below ``folder``; no link is followed."""
    for here, folders, names in os.walk(folder):
        for name in sorted([*names, *(name for name in folders if os.path.islink(os.path.join(here, name)))]):
            yield Path(here, name)


@contextlib.contextmanager
def in_use(doing: str) -> Iterator[None]:
    """While the block runs, `make clean` removes nothing, for what runs is in .venv. Several may do so at once."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError, ValueError):  # a course that may only be read
            _sweep_uses(ROOT)
            held.enter_context(files.locked(ROOT / f"in-use-by-{os.getpid()}", doing))
        yield


def _sweep_uses(root: Path) -> None:
    """Remove the locks of those who were killed."""
    for lock in root.glob(".in-use-by-*.lock"):
        if not _is_at_work(lock) and files.is_lock(lock):
            lock.unlink(missing_ok=True)


def uses(root: Path) -> list[str]:
    """The processes that `make clean` would take the ground from, in sentences."""
    _sweep_uses(root)
    locks = (*root.glob(".in-use-by-*.lock"), root / "chapters/.update.lock")
    return [files.holder(lock) for lock in locks if _is_at_work(lock)]


def being_made(parent: Path) -> list[str]:
    """The folders in ``parent`` at which a living process says that it works: for where no package, so no lock, is."""
    locks = sorted(parent.glob(".*.lock"))
    return [lock.name[1 : -len(".lock")] for lock in locks if _lives(lock) or _is_held(lock)]


def _lives(lock: Path) -> bool:
    """Whether the process lives that says in the file of a lock that it holds it."""
    if lock.is_file() and not os.access(lock, os.R_OK):  # another user's
        return True
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
        return temporary.lives(json.loads(files.content(lock, LONGEST))["process"])
    return False


def _is_at_work(lock: Path) -> bool:
    """Whether somebody holds a lock. The number of his process counts only where the system cannot tell.

    A container has other numbers, and where he was killed, the number may be another one's by now.
    """
    held = _is_held(lock)
    return (_lives(lock) or _is_elsewhere(lock)) if held is None else held


def _is_elsewhere(lock: Path) -> bool:
    """Whether a lock's file says that it is held on another machine, of whose processes nothing is known here."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads(files.content(lock, LONGEST))["machine"] != socket.gethostname())
    return False


def _is_held(lock: Path) -> bool | None:
    """Whether the system says that somebody holds a lock; None if it does not say."""
    if fcntl:
        try:
            with files.opened(lock) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except BlockingIOError:
            return True
        except OSError:  # a disk without such locks, or another user's
            pass
    return None


def _kept(folder: Path) -> Path:
    """Where what is not ours is moved from ``folder``."""
    return KEPT / folder.relative_to(ROOT) if folder.is_relative_to(BUILD) else folder.parent / files.KEPT / folder.name


def _list(folder: Path) -> Path:
    return folder.with_name(f".{files.short(folder.name)}.made")


def is_list(path: Path) -> bool:
    """Whether a file has the form of a list that ``_deliver`` writes, to the letter."""
    try:
        raw = files.content(path, LONGEST)
        known = json.loads(raw)
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(known, dict) or json.dumps(known).encode() != raw:
        return False
    stamps = [stamp for stamp in known.values() if isinstance(stamp, list) and len(stamp) == 2]
    return len(stamps) == len(known) and all(type(number) is int for stamp in stamps for number in stamp)


def _coming(folder: Path) -> Path:
    return folder.with_name(f".{files.short(folder.name)}.coming.made")


def _known(folder: Path) -> dict[str, list[int]]:
    """The files that the course has left in a folder, as they were then."""
    known = _read(_list(folder))
    for way, stamp in _read(_coming(folder)).items():
        with contextlib.suppress(OSError, ValueError):  # it has not come
            if _stamp(folder / way) == stamp:
                known[way] = stamp
    return known


def _read(note: Path) -> dict[str, list[int]]:
    """What a list says; nothing if it is not there, or damaged."""
    try:
        known = json.loads(files.content(note, LONGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _stamp(path: Path) -> list[int]:
    found = path.lstat()
    return [found.st_size, found.st_mtime_ns]
