"""The course's newest version, with git; every answer is put into it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools import ending, git, merging, typed
from tools.put_back import back
from vaecourse import files

OWED = ".owed.json"  # in chapters/kept: the copies whose answers are not back yet, by their notebooks
# In what git says, the names of what it does not keep: a line each, behind a tab.
IN_THE_WAY = re.compile(r"untracked (?:working tree files would be|files in them:).*\n((?:\t.*\n?)+)")


def update(folder: Path = typed.CHAPTERS, more: Sequence[str] = ()) -> None:
    """Fetch the newest version, move what was typed aside, let git write, put the answers back.

    If git cannot, all is as it was. Whatever ends it, it is said last where that is which was typed.
    """
    with _alone(folder):
        root, merged = git.root_of(folder), False
        was = git.version(root)
        git.unfiltered.cache_clear()
        with git.Signals() as signals:
            try:
                with git.none_left(root) as lock:
                    merging.undo(folder, root, lock)
                    settle(folder, root)
                    git.fetch(root, more)
                    printed = _exchange(folder, root, lock, signals)
                    merged = True
                    ending.say(printed)
                    settle(folder, root)
            except BaseException as failure:
                where = _where(folder, merged, git.version(root) != was)
                if isinstance(failure, ending.Refused):
                    raise ending.Refused(f"{failure}\n{where}".rstrip()) from None
                if where:
                    ending.say(where)
                raise


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While the block runs, no other update of this course does."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(folder / "update", "updating the course"))
        except files.Busy as busy:
            raise ending.Refused(
                f"Another update of {files.shown(folder.parent)} is not at its end: it is {busy.holder}. Nothing was "
                "begun: the same command again when that has ended."
            ) from None
        except (OSError, ValueError) as failure:
            raise ending.Refused(
                f"The update cannot keep a second one of {files.shown(folder.parent)} out, and nothing was begun: its "
                f"lock is {files.shown(folder / '.update.lock')}. {ending.sentence(failure)}"
            ) from None
        yield


def _exchange(folder: Path, root: Path, lock: Sequence[int], signals: git.Signals) -> str:
    """Move what was typed aside, and let git write what it fetched; if that fails, move it back."""
    changed = [path for path in typed.notebooks(folder) if _has_changed(path, root)]
    merging.refuse_without_room(root, changed)
    owed = {path: _free(path) for path in changed}
    if owed:
        _note(folder, owed)
    moved: dict[Path, Path] = {}
    try:
        for path, place in owed.items():
            _move_aside(path, place, root, moved)
        _look_again(root, changed, lock)
        merging.note(folder, root)
        with signals.noted():
            printed = _merge(folder, root, lock)
            with contextlib.suppress(OSError):  # the next update finds that all is written
                (folder / files.KEPT / merging.MERGING).unlink(missing_ok=True)
            return printed
    except BaseException:
        with signals.noted():
            left = []
            try:
                merging.undo(folder, root, lock)
            except (OSError, ending.Refused) as failure:
                left = [ending.sentence(failure)]
            left += [_move_back(path, place) for path, place in reversed(moved.items())]
            if not any(os.path.lexists(place) for place in owed.values()):  # else the next update puts it back
                _note(folder, {})
            for sentence in filter(None, left):
                ending.say(sentence)
        raise


def _merge(folder: Path, root: Path, lock: Sequence[int]) -> str:
    """Let git write what it fetched; over nothing that it does not keep, not even what it was told to ignore."""
    try:
        return git.text(root, "merge", "--ff-only", "--no-overwrite-ignore", "FETCH_HEAD", lock=lock)
    except git.GitRefused as failure:
        if git.text(root, "rev-list", "-1", "FETCH_HEAD..HEAD"):
            raise git.GitRefused(
                f"{failure}\nYou have commits of your own: docs/updating.md says, under that name, how they are kept "
                "and the new version is taken with your answers in it."
            ) from None
        named = [name.strip() for block in IN_THE_WAY.findall(str(failure)) for name in block.splitlines()]
        listed = ("ls-files", "-z", "--others", "--directory", "--", *named)
        found = git.raw(root, "--literal-pathspecs", *listed).split(b"\0") if named else []
        if not (yours := [os.fsdecode(name) for name in found if name]):
            raise
        if any(name.startswith(f"{folder.name}/{files.KEPT}") for name in yours):
            cure = f"The copies of your answers are there, and stay. {git.BESIDE.format(folder=folder)}"
        else:
            move = f"mv -- {shlex.join(yours)} {shlex.quote(str(root.parent))}"
            cure = f"Move it away: cd {shlex.quote(str(root))} && {move}\nThen the same command again."
        raise git.GitRefused(
            f"{failure}\nThe new version brings something else in the place of what git does not keep for you: "
            f"{', '.join(map(files.shown, yours))}. Nothing of it was touched. {cure}"
        ) from None


def _where(folder: Path, merged: bool, is_new: bool) -> str:
    """Where that is which was typed, after an update that did not come to its end."""
    waiting = [path.name for path, place in _owed(folder).items() if place.is_file()]
    if waiting:
        there = files.shown(folder / files.KEPT)
        return f"What you typed into {', '.join(waiting)} is in {there}: the next `make update` puts it back."
    missing = (folder / files.KEPT / merging.MERGING).exists()  # of which the sentence was said
    if merged or missing:
        return ""
    if is_new:
        return (
            "git had written the new version: it is here, but for the notebooks that you had changed. They are as they "
            "were; the next `make update` puts the new ones in their place, with your answers."
        )
    return "Your notebooks are as they were before git began."


def settle(folder: Path, root: Path) -> None:
    """Put back what is owed, each notebook for itself; one that cannot be put back stays in its copy, and is named.

    Raises ``Refused`` if some have to wait.
    """
    owed = _owed(folder)
    for path, place in list(owed.items()):
        if place.is_file():
            ran_only = typed.is_untouched(place)
            if not ran_only:
                ending.say(f"{path.name}: what you typed is in {files.shown(place)}")
            try:
                _mend(path, root)
                for sentence in () if ran_only else back(place, folder):
                    ending.say(sentence)
            except (OSError, git.GitRefused) as failure:
                ending.say(f"  not put back yet: {ending.sentence(failure)} Then the same command again.")
                continue
            except Exception as failure:  # noqa: BLE001 - the others must not wait for it, and nothing of it is lost
                ending.say(f"  not put back ({type(failure).__name__}: {failure}): it stays in that copy.")
        del owed[path]
        with contextlib.suppress(OSError):  # no room for it: the next update finds that this one is there already
            _note(folder, owed)
    if owed:
        raise ending.Refused("Not every answer is back in its chapter.")


def _mend(path: Path, root: Path) -> None:
    """Write this version's notebook where none is, or a damaged one, of which a copy is kept."""
    with contextlib.suppress(ValueError, FileNotFoundError):
        typed.read(path)
        return
    if not git.text(root, "ls-tree", "--name-only", "HEAD", "--", path.relative_to(root).as_posix()):
        return  # this version has no such chapter
    released = _released(path, root)
    if path.is_file() and path.stat().st_size:
        there = files.shown(files.keep(path))
        ending.say(f"{path.name} is damaged: what it held is in {there}, the chapter is as released.")
    files.replace(path, released)


def _owed(folder: Path) -> dict[Path, Path]:
    try:
        found = json.loads(files.content(folder / files.KEPT / OWED, files.LONGEST_TEXT))
        return {folder / Path(name).name: folder / files.KEPT / Path(copy).name for name, copy in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _note(folder: Path, owed: dict[Path, Path]) -> None:
    """Note what is owed; nothing, and there is no note."""
    note = folder / files.KEPT / OWED
    if owed:
        files.replace(note, json.dumps({path.name: copy.name for path, copy in owed.items()}).encode())
    else:
        note.unlink(missing_ok=True)


def _free(path: Path) -> Path:
    """A name in kept/ that nothing has."""
    files.own_folder(path.parent / files.KEPT)
    stem = f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}"
    names = (f"{stem}{f'-{number}' if number else ''}{path.suffix}" for number in [0, *range(2, 10**6)])
    return next(place for name in names if not os.path.lexists(place := path.parent / files.KEPT / name))


def _move_aside(path: Path, place: Path, root: Path, moved: dict[Path, Path]) -> None:
    """Move a notebook into kept/, and the course's own in its place, which must still be free then."""
    with files.beside(path, _released(path, root)) as released:  # on the disk before anything moves
        place.parent.mkdir(parents=True, exist_ok=True)
        moved[path] = place
        os.rename(path, place)
        files.name(released, path)


def _released(path: Path, root: Path) -> bytes:
    """The notebook of this version, as git would write it."""
    return git.raw(root, "cat-file", "--filters", f"HEAD:{path.relative_to(root).as_posix()}")


def _move_back(path: Path, place: Path) -> str | None:
    """Move a notebook from kept/ to where it was. What was written there since is moved into kept/ first, and told."""
    try:
        moved = None
        if not place.is_file():  # it had not been moved yet
            return None
        if path.is_file() and not typed.is_untouched(path):
            os.rename(path, other := _free(path))
            moved = f"{path.name} was written meanwhile: that is in {files.shown(other)}."
        os.replace(place, path)
        return moved
    except OSError as failure:
        return f"{path.name} could not be put back ({ending.sentence(failure)})"


def _has_changed(path: Path, root: Path) -> bool:
    """Whether it is another notebook than the one of this version. One that is git's no more is none of ours."""
    printed = git.text(root, "status", "--porcelain", "--", str(path))
    if "U" in printed[:2] or printed[:2] in ("AA", "DD"):
        raise ending.Refused(
            f"{path.name} has a conflict of a merge that has not ended: end that first, or leave it, for example by "
            "git merge --abort, git rebase --abort; after git stash pop, git status says how."
        )
    if printed[:1] not in ("", " ", "?"):
        raise ending.Refused(f"{path.name} is staged for a commit: commit it, or first: git restore --staged {path}")
    if printed:
        return printed[1:2] == "M"
    if path.is_symlink() or not git.names(root, "ls-files", "--", path.relative_to(root).as_posix()):
        return False
    return path.read_bytes() != _released(path, root)  # git may have been told to look away from it


def _look_again(root: Path, paths: Sequence[Path], lock: Sequence[int]) -> None:
    """Have git look at notebooks from which it was told to look away: it refuses to write them else."""
    names = [path.relative_to(root).as_posix() for path in paths]
    away = [entry[2:] for entry in git.names(root, "ls-files", "-v", "--", *names) if entry[0] != "H"] if names else []
    for word in ("--no-assume-unchanged", "--no-skip-worktree") if away else ():
        git.text(root, "update-index", word, "--", *away, lock=lock)
    if away:
        ending.say(f"git was told to look away from {', '.join(away)}, and looks at them again.")
