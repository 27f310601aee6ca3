"""Answers survive a new version of the course.

    python -m tools.answers update                  the newest version, with git; then every answer is put into it
    python -m tools.answers keep                    copies of the notebooks in which something was typed
    python -m tools.answers back FILE [FILE ...]    put the answers that are in these notebooks into the chapters

An answer goes to the exercise of its name, wherever that stands in the chapter now. The chapter is the one of the
notebook's name; where none has it any more, the one with most of its exercises. Where the exercise's own cell has
changed as well, both stay, one after the other. A cell of one's own goes behind the cell that it stood behind. The
course's own cells, changed by hand, stay in the copies only. Every copy is in chapters/kept, and nothing there is ever
removed.

A notebook with answers is moved into chapters/kept by one renaming, and what is owed to it noted first: whatever ends
an update, the next one begins with putting back what this one did not. A chapter that is gone by then, or damaged, is
git's again before. While git writes chapters, nothing is put back: it is waited for, by the next update as well.

What git is about to write is noted, too: a file that it left out or cut off is put back as it was, by this update or
the next one. No file that somebody had changed before is noted, and none is put back that holds anything but git's.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import glob
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

try:
    from tools import ending, made, typed
    from vaecourse import files
except Exception:  # noqa: BLE001 - whatever a module does that git has cut off
    # This tells the line that puts them back, and needs nothing of the course; any other failure is told as it is.
    root = Path(__file__).resolve().parents[1]
    try:
        noted = set(json.loads((root / "chapters/kept/.merging.json").read_bytes())["files"])
        git = ["git", "-C", str(root)]
        differ = [*git, "diff", "-z", "--name-only", "--no-renames", "HEAD", "--", "tools", "vaecourse"]
        listed = subprocess.run(differ, capture_output=True, check=True).stdout
        broken = sorted({os.fsdecode(name) for name in listed.split(b"\0")} & noted)
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        broken = []
    if not broken:
        raise
    raise SystemExit(
        "answers: git was ended while it wrote, and files of the course are cut off or missing. Make room on the disk "
        f"if it is full. Then: {shlex.join([*git, 'checkout', 'HEAD', '--', *broken])}\nThen the same command again."
    ) from None

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

CHAPTERS = made.ROOT / "chapters"
PATTERN = "[0-9][0-9]-*.ipynb"
OWED = ".owed.json"  # in chapters/kept: the copies whose answers are not back yet, by their notebooks
MERGING = ".merging.json"  # beside it, while git writes: from which commit to which, and the files
ROOM = 16_000_000  # bytes that git and the copies may need beside the new files themselves

Notebook = dict[str, Any]


def say(sentence: str) -> None:
    """Print, and go on if nobody can hear it."""
    try:
        print(sentence, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")


def notebooks(folder: Path) -> list[Path]:
    """The chapters' notebooks in a folder."""
    return [path for path in sorted(folder.glob(PATTERN)) if path.is_file()]


def keep(folder: Path = CHAPTERS) -> dict[Path, Path]:
    """Copy every notebook of ``folder`` in which something was typed; return {notebook: its copy}."""
    return {path: files.keep(path) for path in notebooks(folder) if not typed.is_untouched(path)}


# Back into a new text ------------------------------------------------------------------------------------------------


def back(old: Path, folder: Path = CHAPTERS) -> Iterator[str]:
    """Put what was typed in the notebook ``old`` into the one of its chapter in ``folder``; say what became of it."""
    target = chapter_of(old, folder)
    with files.locked(target, "putting answers back", wait=60):
        known = {files.real(target): files.stamp(target)}
        mine, there = typed.read(old), typed.read(target)
        if not typed.marks(mine):
            raise ending.Refused(
                f"{files.shown(old)} has no mark of the course, so its text and yours look alike: copy by hand."
            )
        found, chapter = list(typed.typed(mine)), _Chapter(there)
        said, left = [chapter.put(one) for one in found], typed.has_other_settings(mine)
        if any(said):
            there["cells"] = list(chapter.all())
            text = _text(there, old, target)
            if chapter.set_as_typed():
                try:
                    text = _text(there, old, target)
                except ending.Refused:  # a setting as no notebook may have it
                    left = True
            files.write(target, text, typed.NOTEBOOK, known, tell=made.tell)
    put = sum(said)
    yield f"{target.name}: {put} of {len(found)} cells that were typed are in it."
    if put < len(found):
        yield f"  {len(found) - put} are the course's own, changed by hand: they are in {files.shown(old)}."
    if left:
        yield f"  Settings of cells (slides, words for pictures) that are not in it any more are in {files.shown(old)}."


def chapter_of(old: Path, folder: Path) -> Path:
    """The notebook in ``folder`` whose copy ``old`` is: 01-elbo-2026-11-26-101500.ipynb belongs to 01-elbo.ipynb."""
    found = [path for path in notebooks(folder) if re.fullmatch(re.escape(path.stem) + STAMP, old.stem)]
    if not found and (other := _called_otherwise(old, folder)):
        return other
    if not found:
        raise ending.Refused(f"{files.shown(old)} is of no chapter in {folder}: what is in it stays there.")
    return max(found, key=lambda path: len(path.stem))


def _called_otherwise(old: Path, folder: Path) -> Path | None:
    """The chapter that has most of a notebook's exercises, where none has its name any more; no copy of one's own."""
    if not re.fullmatch(r"\d\d-[a-z\d-]+", old.stem) or any(
        old.stem.startswith(path.stem) for path in notebooks(folder)
    ):
        return None
    mine, most = _exercises(old), 0
    chapter = None
    for path in notebooks(folder):
        if (common := len(mine & _exercises(path))) > most:
            chapter, most = path, common
    return chapter


def _exercises(path: Path) -> set[str]:
    try:
        return set(typed.stubs(typed.read(path)))
    except (OSError, ValueError):
        return set()


STAMP = r"(-20\d\d-\d\d-\d\d-\d{6}(-\d+)?)?"


def _text(there: Notebook, old: Path, target: Path) -> bytes:
    """The notebook as it stands in a file, in which every program can read it."""
    import nbformat

    try:
        text = (json.dumps(there, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
        with warnings.catch_warnings(action="ignore"):  # cells without a name are given one when it is opened
            nbformat.validate(json.loads(text))
    except (nbformat.ValidationError, UnicodeEncodeError, RecursionError):
        raise ending.Refused(
            f"With what is in {files.shown(old)}, {target.name} would be no valid notebook: it is left as it is."
        ) from None
    return text


class _Chapter:
    """A chapter's cells as they were found, and what is put behind each of them.

    Every place is looked up, not searched for: the time grows as the number of cells.
    """

    def __init__(self, notebook: Notebook) -> None:
        self.cells, self.stubs = notebook["cells"], typed.stubs(notebook)
        self.has_names = notebook.get("nbformat_minor") not in range(5)  # cells have names since 4.5
        self.sums = [typed.sum_of(cell) for cell in self.cells]
        self.present = Counter(typed.sum_of(one.cell) for one in typed.typed(notebook))
        self.first: dict[str | None, int] = {}  # a cell's sum -> the place of the first such cell
        self.behind: dict[int, int] = {}  # a place -> that of the last of one's own cells which stand behind it
        for place in reversed(range(len(self.cells))):
            self.first[self.sums[place]] = place
            self.behind[place] = self.behind[place + 1] if self._is_own(place + 1) else place
        self.filled: dict[str | None, int] = {}  # the sum of an exercise's cell -> the place of the last one filled
        self.answers: defaultdict[int, list[typed.Cell]] = defaultdict(list)  # what goes behind a place, at once
        self.own: defaultdict[int, list[typed.Cell]] = defaultdict(list)  # and after those
        self.typed: list[tuple[dict[str, Any], typed.Cell]] = []  # a cell of the chapter, and what it was made from

    def _is_own(self, place: int) -> bool:
        return place < len(self.cells) and str(self.cells[place].get("id")).startswith("yours-")

    def put(self, one: typed.Typed) -> bool:
        """Find the place of one typed cell; False if it is the course's own, changed."""
        content, place = typed.sum_of(one.cell), self.stubs.get(one.exercise)
        if self.present[content]:  # it is there already
            self.present[content] -= 1
        elif place is not None:
            if self.sums[place] == one.given:  # the cell that the answer was written into has not changed
                _fill(self.cells[place], one.cell)
                self.typed.append((self.cells[place], one.cell))
                self.sums[place], self.filled[one.given] = content, place
            elif self.sums[place] != content:
                self.answers[place].append(one.cell)
        elif one.given is not None and one.exercise is None:
            return False
        else:
            place = self.filled.get(one.after, self.first.get(one.after))
            if one.given is not None and place is not None:
                self.answers[place].append(one.cell)
            else:
                place = len(self.cells) - 1 if place is None else place
                self.own[self.behind.get(place, place)].append(one.cell)
        return True

    def all(self) -> Iterator[Notebook]:
        """The chapter's cells, and what was put in as cells of the learner's own: no exercise's cell, and no check."""
        taken = {cell.get("id") for cell in self.cells}
        names = (name for number in itertools.count(1) if (name := f"yours-{number}") not in taken)
        for place in range(-1, len(self.cells)):
            yield from self.cells[max(place, 0) : place + 1]
            for answer in (*self.answers[place], *self.own[place]):
                tags = dict.fromkeys(tag for tag in typed.tags(answer) if tag not in OURS)
                cell: dict[str, Any] = {"metadata": {"tags": list(tags)}}
                _fill(cell, answer)
                self.typed.append((cell, answer))
                if self.has_names:
                    cell["id"] = next(names)
                yield cell

    def set_as_typed(self) -> bool:
        """Give the cells that were typed their tags and settings; what the chapter says of its own stays as it is."""
        before = [dict(cell["metadata"]) for cell, _ in self.typed]
        for cell, answer in self.typed:
            here = typed.tags(cell)
            more = [tag for tag in typed.tags(answer) if tag not in {*OURS, *here}]
            cell["metadata"] = typed.settings(answer) | cell["metadata"]
            if more:
                cell["metadata"]["tags"] = list(dict.fromkeys([*here, *more]))
        return before != [cell["metadata"] for cell, _ in self.typed]


def _fill(cell: dict[str, Any], answer: typed.Cell) -> None:
    """Make the exercise's cell the answer; its tags stay."""
    for key in ("cell_type", "source", "attachments"):
        cell.pop(key, None)
        if answer.get(key) or key == "source":
            cell[key] = copy.deepcopy(answer[key])
    for key in ("outputs", "execution_count"):
        cell.pop(key, None)
    if cell["cell_type"] == "code":
        cell |= {"outputs": [], "execution_count": None}


OURS = {"stub", "check", "solution", "exercise", "instructor", "hide-input", "quiz", "nbval-ignore-output"}

# With git ------------------------------------------------------------------------------------------------------------


class GitRefused(ending.Refused):
    """What git says. Another time it may say something else."""


def update(folder: Path = CHAPTERS, more: Sequence[str] = ()) -> None:
    """Fetch the newest version, move what was typed aside, let git write, put the answers back.

    If git cannot, all is as it was. Whatever ends it, it is said last where that is which was typed.
    """
    with _alone(folder):
        root, merged = _root(folder), False
        was = _version(root)
        _unfiltered.cache_clear()
        with _Signals() as signals:
            try:
                with _no_git_left(root) as lock:
                    _undo(folder, root, lock)
                    settle(folder, root)
                    _fetch(root, more)
                    said = _exchange(folder, root, lock, signals)
                    merged = True
                    say(said)
                    settle(folder, root)
            except BaseException as failure:
                where = _where(folder, merged, _version(root) != was)
                if isinstance(failure, ending.Refused):
                    raise ending.Refused(f"{failure}\n{where}".rstrip()) from None
                if where:
                    say(where)
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


def _version(root: Path) -> str:
    """The commit that is here; empty if git cannot say."""
    try:
        return _git(root, "rev-parse", "HEAD")
    except ending.Refused:
        return ""


def _exchange(folder: Path, root: Path, lock: Sequence[int], signals: _Signals) -> str:
    """Move what was typed aside, and let git write what it fetched; if that fails, move it back."""
    changed = [path for path in notebooks(folder) if _has_changed(path, root)]
    _refuse_without_room(root, changed)
    owed = {path: _free(path) for path in changed}
    if owed:
        _note(folder, owed)
    moved: dict[Path, Path] = {}
    try:
        for path, place in owed.items():
            _move_aside(path, place, root, moved)
        _look_again(root, changed, lock)
        _note_merge(folder, root)
        with signals.noted():
            said = _merge(folder, root, lock)
            with contextlib.suppress(OSError):  # the next update finds that all is written
                (folder / files.KEPT / MERGING).unlink(missing_ok=True)
            return said
    except BaseException:
        with signals.noted():
            left = []
            try:
                _undo(folder, root, lock)
            except (OSError, ending.Refused) as failure:
                left = [ending.sentence(failure)]
            left += [_move_back(path, place) for path, place in reversed(moved.items())]
            if not any(os.path.lexists(place) for place in owed.values()):  # else the next update puts it back
                _note(folder, {})
            for sentence in filter(None, left):
                say(sentence)
        raise


def _merge(folder: Path, root: Path, lock: Sequence[int]) -> str:
    """Let git write what it fetched; over nothing that it does not keep, not even what it was told to ignore."""
    try:
        return _git(root, "merge", "--ff-only", "--no-overwrite-ignore", "FETCH_HEAD", lock=lock)
    except GitRefused as failure:
        named = [name.strip() for block in IN_THE_WAY.findall(str(failure)) for name in block.splitlines()]
        listed = ("ls-files", "-z", "--others", "--directory", "--", *named)
        found = _git_bytes(root, "--literal-pathspecs", *listed).split(b"\0") if named else []
        if not (yours := [os.fsdecode(name) for name in found if name]):
            raise
        if any(name.startswith(f"{folder.name}/{files.KEPT}") for name in yours):
            cure = f"The copies of your answers are there, and stay. {BESIDE.format(folder=folder)}"
        else:
            move = f"mv -- {shlex.join(yours)} {shlex.quote(str(root.parent))}"
            cure = f"Move it away: cd {shlex.quote(str(root))} && {move}\nThen the same command again."
        raise GitRefused(
            f"{failure}\nThe new version brings something else in the place of what git does not keep for you: "
            f"{', '.join(map(files.shown, yours))}. Nothing of it was touched. {cure}"
        ) from None


# In what git says, the names of what it does not keep: a line each, behind a tab.
IN_THE_WAY = re.compile(r"untracked (?:working tree files would be|files in them:).*\n((?:\t.*\n?)+)")
BESIDE = f'Unpack the new version beside it, and there: python -m tools.answers back "{{folder}}/{PATTERN}"'

# What git writes -----------------------------------------------------------------------------------------------------


def _names(root: Path, *words: str) -> list[str]:
    """What git lists with -z."""
    return [os.fsdecode(name) for name in _git_bytes(root, words[0], "-z", *words[1:]).split(b"\0") if name]


def _staged(root: Path, commit: str) -> set[str]:
    """The files that are staged otherwise than a commit has them."""
    return set(_names(root, "diff", "--cached", "--no-renames", "--name-only", commit))


def _changed(root: Path) -> set[str]:
    """The files that are not as this version has them, on the disk or staged."""
    return {*_names(root, "diff", "--no-renames", "--name-only", "HEAD"), *_staged(root, "HEAD")}


def _differ(root: Path, old: str, new: str) -> list[str]:
    """The files in which two commits differ."""
    return _names(root, "diff-tree", "-r", "--no-renames", "--name-only", old, new)


def _refuse_without_room(root: Path, changed: Sequence[Path]) -> None:
    """Raise ``Refused`` where the disk has less room than the new files take, and notebooks that are moved aside."""
    new = set(_differ(root, "HEAD", "FETCH_HEAD"))
    entries = [entry.split("\t", 1) for entry in _names(root, "ls-tree", "-r", "-l", "FETCH_HEAD")]
    sizes = [words.split()[3] for words, name in entries if name in new]
    needed = sum(int(size) for size in sizes if size.isdecimal()) + sum(path.stat().st_size for path in changed) + ROOM
    free = shutil.disk_usage(root).free
    if new and free < needed:
        raise ending.Refused(
            f"The new version needs {-(-needed // 10**6)} MB of room on the disk, and {free // 10**6} MB are free: "
            "make room there, then give the same command again."
        )


def _note_merge(folder: Path, root: Path) -> None:
    """Note the files that git is about to write: those that are as this version has them, and new ones."""
    old, new = (_git(root, "rev-parse", "--verify", f"{name}^{{commit}}") for name in ("HEAD", "FETCH_HEAD"))
    tracked = {entry[2:]: entry[0] for entry in _names(root, "ls-files", "-v")}
    yours = _changed(root)
    noted = [
        name
        for name in _differ(root, old, new)
        if name not in yours
        and (tracked[name] == "H" if name in tracked else not os.path.lexists(root / name))  # H: git looks at it
    ]
    if noted:
        files.own_folder(folder / files.KEPT)
        files.replace(folder / files.KEPT / MERGING, json.dumps({"from": old, "to": new, "files": noted}).encode())


def _undo(folder: Path, root: Path, lock: Sequence[int]) -> None:
    """Make those files this version's again that git left out or cut off, as on a full disk or when it was killed.

    Raises ``Refused`` if git cannot; the note stays then.
    """
    note = folder / files.KEPT / MERGING
    try:
        found = json.loads(files.content(note, files.LONGEST_TEXT))
        old, new, noted = str(found["from"]), str(found["to"]), set(map(str, found["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return
    broken: list[str] = []
    if _git(root, "rev-parse", "HEAD") in (old, new):  # else somebody was at work with git since
        here = set(_names(root, "ls-tree", "-r", "--name-only", "HEAD"))
        new_ones = {name for name in noted - here if os.path.lexists(root / name)}
        asked = noted & set(_differ(root, old, new)) & (_changed(root) | new_ones)
        broken = [name for name in sorted(asked) if _is_gits(root, new, name)]
        staged = noted & (_staged(root, "HEAD") - _staged(root, new))  # git had come as far as that
        for name in broken:  # all of them first: that makes room
            (root / name).unlink(missing_ok=True)
        lost = [name for name in broken if name in here]
        try:
            for command, names in ("reset", sorted({*broken, *staged})), ("checkout", lost):
                for start in range(0, len(names), 50):  # a command line has an end
                    some = names[start : start + 50]
                    _git(root, "--literal-pathspecs", command, "--quiet", "HEAD", "--", *some, lock=lock)
        except GitRefused as failure:
            raise ending.Refused(
                f"{failure}\ngit was ended while it wrote, and files of the course are missing. Make room on the disk "
                f"if it is full. Then: git -C {shlex.quote(str(root))} checkout HEAD -- {shlex.join(lost)}\n"
                "Then the same command again."
            ) from None
    note.unlink(missing_ok=True)
    if broken:
        say(f"git was ended while it wrote: {len(broken)} files are again as the version has them that is here.")


def _is_gits(root: Path, new: str, name: str) -> bool:
    """Whether a file is missing, or is the beginning of what a commit has; a power cut may leave zeros behind it."""
    path = root / name
    if not os.path.lexists(path):  # and no file or link stands where its folder was
        return all(above.is_dir() and not above.is_symlink() for above in _above(root, name) if os.path.lexists(above))
    if path.is_symlink() or not path.is_file():
        return False
    try:
        whole = _git_bytes(root, "cat-file", "--filters", f"{new}:{name}")
    except GitRefused:  # that commit has no such file
        return False
    return path.stat().st_size <= len(whole) and whole.startswith(path.read_bytes().rstrip(b"\0"))


def _above(root: Path, name: str) -> list[Path]:
    """The folders in which a file of the course lies."""
    return [root / folder for folder in Path(name).parents if folder.name]


def _where(folder: Path, merged: bool, is_new: bool) -> str:
    """Where that is which was typed, after an update that did not come to its end."""
    waiting = [path.name for path, place in _owed(folder).items() if place.is_file()]
    if waiting:
        there = files.shown(folder / files.KEPT)
        return f"What you typed into {', '.join(waiting)} is in {there}: the next `make update` puts it back."
    missing = (folder / files.KEPT / MERGING).exists()  # of which the sentence was said
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
                say(f"{path.name}: what you typed is in {files.shown(place)}")
            try:
                _mend(path, root)
                for sentence in () if ran_only else back(place, folder):
                    say(sentence)
            except (OSError, GitRefused) as failure:
                say(f"  not put back yet: {ending.sentence(failure)} Then the same command again.")
                continue
            except Exception as failure:  # noqa: BLE001 - the others must not wait for it, and nothing of it is lost
                say(f"  not put back ({type(failure).__name__}: {failure}): it stays in that copy.")
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
    if not _git(root, "ls-tree", "--name-only", "HEAD", "--", path.relative_to(root).as_posix()):
        return  # this version has no such chapter
    released = _released(path, root)
    if path.is_file() and path.stat().st_size:
        say(f"{path.name} is damaged: what it held is in {files.shown(files.keep(path))}, the chapter is as released.")
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
    return _git_bytes(root, "cat-file", "--filters", f"HEAD:{path.relative_to(root).as_posix()}")


def _move_back(path: Path, place: Path) -> str | None:
    """Move a notebook from kept/ to where it was. What was written there since is moved into kept/ first, and told."""
    try:
        said = None
        if not place.is_file():  # it had not been moved yet
            return None
        if path.is_file() and not typed.is_untouched(path):
            os.rename(path, other := _free(path))
            said = f"{path.name} was written meanwhile: that is in {files.shown(other)}."
        os.replace(place, path)
        return said
    except OSError as failure:
        return f"{path.name} could not be put back ({ending.sentence(failure)})"


def _has_changed(path: Path, root: Path) -> bool:
    """Whether it is another notebook than the one of this version. One that is git's no more is none of ours."""
    said = _git(root, "status", "--porcelain", "--", str(path))
    if said[:1] not in ("", " ", "?"):
        raise ending.Refused(f"{path.name} is staged for a commit: commit it, or first: git restore --staged {path}")
    if said:
        return said[1:2] == "M"
    if path.is_symlink() or not _names(root, "ls-files", "--", path.relative_to(root).as_posix()):
        return False
    return path.read_bytes() != _released(path, root)  # git may have been told to look away from it


def _look_again(root: Path, paths: Sequence[Path], lock: Sequence[int]) -> None:
    """Have git look at notebooks from which it was told to look away: it refuses to write them else."""
    names = [path.relative_to(root).as_posix() for path in paths]
    away = [entry[2:] for entry in _names(root, "ls-files", "-v", "--", *names) if entry[0] != "H"] if names else []
    for word in ("--no-assume-unchanged", "--no-skip-worktree") if away else ():
        _git(root, "update-index", word, "--", *away, lock=lock)
    if away:
        say(f"git was told to look away from {', '.join(away)}, and looks at them again.")


def _root(folder: Path) -> Path:
    unpack = BESIDE.format(folder=folder)
    try:
        root = Path(os.fsdecode(_run(folder, ["rev-parse", "--show-toplevel"]).rstrip(b"\n")))
    except ending.Refused:
        raise ending.Refused(f"{folder.parent} was not cloned with git. {unpack}") from None
    if not os.path.samefile(root, folder.parent):
        raise ending.Refused(
            f"{folder.parent} was not cloned with git, but lies in another repository, {files.shown(root)}, which "
            f"stays as it is. {unpack}"
        )
    return folder.parent


def _fetch(root: Path, more: Sequence[str]) -> None:
    """Fetch the newest version. No file that anybody reads is touched by that: it may be ended at any time."""
    _git(root, "fetch", *more)
    heads = root / _git(root, "rev-parse", "--git-path", "FETCH_HEAD")
    if "\t\t" not in heads.read_text(encoding="utf-8", errors="replace"):  # between them stands "not-for-merge"
        raise ending.Refused(
            "git knows no branch to take the new version from: name it, make update ARGS='origin main', or git switch "
            "to a branch that follows one."
        )


LOCK = "vaecourse-update.lock"  # in .git
PATIENCE = 3.0  # seconds for which a git that is at work is waited for before an update


@contextlib.contextmanager
def _no_git_left(root: Path) -> Iterator[Sequence[int]]:
    """Hold, while the block runs, what no git of an earlier update has any more; it gives what a git inherits.

    A git that writes lives on where this process is killed, and whatever is put back then may be overwritten by it. So
    it has this lock until it ends. Windows has no such lock, and git's own must do.
    """
    index, own = (root / _git(root, "rev-parse", "--git-path", name) for name in ("index.lock", LOCK))
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


@functools.cache
def _unfiltered(root: Path) -> tuple[str, ...]:
    """What git is told so that it reads and writes notebooks as they are, whatever filter the user has for them.

    One takes the outputs off, nbstripout for example: to git, every notebook of the course is then a changed one.
    """
    names = [f"{CHAPTERS.name}/{path.name}" for path in notebooks(root / CHAPTERS.name)]
    found = _run(root, ["check-attr", "-z", "filter", "--", *names]).split(b"\0")[2::3] if names else []
    drivers = {os.fsdecode(name) for name in found} - {"unspecified", "unset", "set"}
    settings = ("clean=", "smudge=", "process=", "required=false")
    return tuple(
        word
        for name in sorted(drivers)
        if "=" not in name
        for what in settings
        for word in ("-c", f"filter.{name}.{what}")
    )


# A git that writes leaves nothing running, and no change of the user's is taken away and merged: it is refused.
WRITING = ("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "merge.autoStash=false")


def _git(folder: Path, *words: str, lock: Sequence[int] | None = None) -> str:
    return _git_bytes(folder, *words, lock=lock).decode(errors="replace").rstrip("\n")


def _git_bytes(root: Path, *words: str, lock: Sequence[int] | None = None) -> bytes:
    """What git prints of the course."""
    return _run(root, words, _unfiltered(root), lock)


def _run(folder: Path, words: Sequence[str], before: Sequence[str] = (), lock: Sequence[int] | None = None) -> bytes:
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


class _Signals:
    """A closed terminal and a polite end are told as Ctrl-C is; while git writes, all are noted, and told after it."""

    def __enter__(self) -> _Signals:
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


@ending.told("answers")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.answers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["update", "keep", "back"])
    parser.add_argument("files", nargs="*", help="for back: the notebooks that hold answers")
    options, more = parser.parse_known_args(arguments)
    if options.command == "update":
        update(CHAPTERS, [*options.files, *more])
        return 0
    if options.command == "keep":
        for path, place in keep().items():
            say(f"{path.name}: {files.shown(place)}")
        return 0
    if not options.files:
        raise ending.Refused("back needs the notebooks that hold your answers: python -m tools.answers back FILE")
    return all_back(options.files, CHAPTERS)


def _age(path: Path) -> tuple[str, int]:
    """By what copies of a chapter are put in order: the time, then the number of those made in one second."""
    number = re.search(STAMP + "$", path.stem)[2] or ""
    return path.stem.removesuffix(number), int(number[1:] or 0)


def all_back(names: Sequence[str], folder: Path) -> int:
    """Put back from each of these; of several copies of a chapter in one folder the newest. 1 if one was refused."""
    given = [Path(name) for word in names for name in (sorted(glob.glob(word)) or [word])]
    newest = {(path.parent, re.sub(STAMP + "$", "", path.stem)): path for path in sorted(given, key=_age)}
    refused = 0
    for path in given:
        if path not in newest.values():
            say(f"{path.name} is passed over for {newest[path.parent, re.sub(STAMP + '$', '', path.stem)].name}.")
            continue
        try:
            for sentence in back(path, folder):
                say(sentence)
        except (ending.Refused, ValueError, OSError) as failure:
            refused = 1
            print(f"answers: {ending.sentence(failure)}", file=sys.stderr, flush=True)
    return refused


if __name__ == "__main__":
    sys.exit(main())
