"""Answers survive a new version of the course.

    python -m tools.answers update                  the newest version, with git; then every answer is put into it
    python -m tools.answers keep                    copies of the notebooks in which something was typed
    python -m tools.answers back FILE [FILE ...]    put the answers that are in these notebooks into the chapters

An answer goes to the exercise of its name, wherever that stands now. Where the exercise's own cell has changed as well,
both stay, one after the other. A cell of one's own goes behind the cell that it stood behind. The course's own cells,
changed by hand, stay in the copies only. Every copy is in chapters/kept, and nothing there is ever removed.

A notebook with answers is moved into chapters/kept by one renaming, and what is owed to it noted first: whatever ends
an update, the next one begins with putting back what this one did not. A chapter that is gone by then, or damaged, is
git's again before.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools import ending, made, typed
from vaecourse import files

CHAPTERS = made.ROOT / "chapters"
PATTERN = "[0-9][0-9]-*.ipynb"
OWED = ".owed.json"  # in chapters/kept: the copies whose answers are not back yet, by their notebooks

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
        found, present = list(typed.typed(mine)), Counter(typed.sum_of(one.cell) for one in typed.typed(there))
        filled: dict[str | None, typed.Cell] = {}
        said = [_put(one, there, present, filled) for one in found]
        if any(said):
            text = json.dumps(there, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
            files.write(target, text.encode(errors="surrogatepass"), typed.NOTEBOOK, known, tell=made.tell)
    put = sum(said)
    yield f"{target.name}: {put} of {len(found)} cells that were typed are in it."
    if put < len(found):
        yield f"  {len(found) - put} are the course's own, changed by hand: they are in {files.shown(old)}."


def chapter_of(old: Path, folder: Path) -> Path:
    """The notebook in ``folder`` whose copy ``old`` is: 01-elbo-2026-11-26-101500.ipynb belongs to 01-elbo.ipynb."""
    found = [path for path in notebooks(folder) if re.fullmatch(re.escape(path.stem) + STAMP, old.stem)]
    if not found:
        raise ending.Refused(f"{files.shown(old)} is of no chapter in {folder}: what is in it stays there.")
    return max(found, key=lambda path: len(path.stem))


STAMP = r"(-20\d\d-\d\d-\d\d-\d{6}(-\d+)?)?"


def _put(one: typed.Typed, there: Notebook, present: Counter[str], filled: dict[str | None, typed.Cell]) -> bool:
    """Put one typed cell into the notebook ``there``; False if it is the course's own, changed.

    ``present`` are the typed cells that are there already, ``filled`` the exercises' cells that were filled till now.
    """
    cells, content = there["cells"], typed.sum_of(one.cell)
    if present[content]:  # it is there already
        present[content] -= 1
        return True
    stubs = typed.stubs(there)
    if one.exercise is not None and one.exercise in stubs:
        place = stubs[one.exercise]
        if typed.sum_of(cells[place]) == content:
            return True
        if one.given == typed.sum_of(cells[place]):  # the cell that the answer was written into has not changed
            _fill(cells[place], one.cell)
            filled[one.given] = cells[place]
            return True
        return _insert(one, place + 1, there)
    if one.given is not None and one.exercise is None:
        return False
    there_now = filled.get(one.after)
    places = [place for place, cell in enumerate(cells) if one.after == typed.sum_of(cell) or cell is there_now]
    place = places[0] + 1 if places else len(cells)
    while one.given is None and place < len(cells) and cells[place].get("id", "").startswith("yours-"):
        place += 1  # behind those of one's own that came before it
    return _insert(one, place, there)


def _fill(cell: dict[str, Any], answer: typed.Cell) -> None:
    """Make the exercise's cell the answer; its tags stay."""
    for key in ("cell_type", "source", "attachments"):
        cell.pop(key, None)
        if key in answer:
            cell[key] = copy.deepcopy(answer[key])
    for key in ("outputs", "execution_count"):
        cell.pop(key, None)
    if cell["cell_type"] == "code":
        cell |= {"outputs": [], "execution_count": None}


def _insert(one: typed.Typed, place: int, there: Notebook) -> bool:
    """Put a cell into the notebook as one of the learner's own: it is no exercise's cell and no check."""
    cell: dict[str, Any] = {"metadata": {"tags": [tag for tag in typed.tags(one.cell) if tag not in OURS]}}
    _fill(cell, one.cell)
    taken, number = {cell.get("id") for cell in there["cells"]}, 1
    while (name := f"yours-{number}") in taken:
        number += 1
    there["cells"].insert(place, cell | {"id": name})
    return True


OURS = {"stub", "check", "solution", "exercise", "instructor", "hide-input", "quiz", "nbval-ignore-output"}

# With git ------------------------------------------------------------------------------------------------------------


def update(folder: Path = CHAPTERS, more: Sequence[str] = ()) -> None:
    """Move what was typed aside, take the newest version, put the answers back. If git cannot: all is as it was."""
    with files.locked(folder / "update", "updating the course"):
        root = _root(folder)
        settle(folder, root)
        if owed := _owed(folder):
            raise ending.Refused(f"{', '.join(path.name for path in owed)} must get their answers back first.")
        owed = {path: _free(path) for path in notebooks(folder) if _has_changed(path, root)}
        if owed:
            _note(folder, owed)
        moved: dict[Path, Path] = {}
        with _interruptible():
            try:
                for path, place in owed.items():
                    _move_aside(path, place, root, moved)
                said = _git(root, "pull", "--ff-only", *more)
            except BaseException:
                left = [_move_back(path, place, root) for path, place in reversed(moved.items())]
                if not any(os.path.lexists(place) for place in owed.values()):  # else the next update puts it back
                    _note(folder, {})
                for sentence in filter(None, left):
                    say(sentence)
                raise
        say(said)
        settle(folder, root)


def settle(folder: Path, root: Path) -> None:
    """Put back what is owed, each notebook for itself; one that cannot be put back stays in its copy, and is named."""
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
            except OSError as failure:
                say(f"  not put back yet: {ending.sentence(failure)} Then the same command again.")
                continue
            except Exception as failure:  # noqa: BLE001 - the others must not wait for it, and nothing of it is lost
                say(f"  not put back ({type(failure).__name__}: {failure}): it stays in that copy.")
        del owed[path]
        _note(folder, owed)


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
        found = json.loads((folder / files.KEPT / OWED).read_bytes())
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


def _move_back(path: Path, place: Path, root: Path) -> str | None:
    """Move a notebook from kept/ to where it was. What was saved there since is moved into kept/ first, and told."""
    try:
        said = None
        if not place.is_file():  # it had not been moved yet
            return None
        if path.is_file() and _has_changed(path, root):
            os.rename(path, other := _free(path))
            said = f"{path.name} was saved meanwhile: that is in {files.shown(other)}."
        os.replace(place, path)
        return said
    except (OSError, ending.Refused) as failure:
        return f"{path.name} could not be put back ({failure}): it is in {files.shown(place)}."


def _has_changed(path: Path, root: Path) -> bool:
    """Whether git sees another notebook than the one of this version. One that is git's no more is none of ours."""
    said = _git(root, "status", "--porcelain", "--", str(path))
    if said[:1] not in ("", " ", "?"):
        raise ending.Refused(f"{path.name} is staged for a commit: commit it, or first: git restore --staged {path}")
    return said[1:2] == "M"


def _root(folder: Path) -> Path:
    unpack = f'Unpack the new version beside it, and there: python -m tools.answers back "{folder}/{PATTERN}"'
    try:
        root = Path(os.fsdecode(_git_bytes(folder, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    except ending.Refused:
        raise ending.Refused(f"{folder.parent} was not cloned with git. {unpack}") from None
    if not os.path.samefile(root, folder.parent):
        raise ending.Refused(
            f"{folder.parent} was not cloned with git, but lies in another repository, {files.shown(root)}, which "
            f"stays as it is. {unpack}"
        )
    return folder.parent


def _git(folder: Path, *words: str) -> str:
    return _git_bytes(folder, *words).decode(errors="replace").rstrip("\n")


def _git_bytes(folder: Path, *words: str) -> bytes:
    """What git prints; in English, for it is read here too."""
    try:
        ran = subprocess.run(
            ["git", "-C", folder, *words], capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
    except FileNotFoundError as missing:
        raise ending.Refused("git is not on this machine") from missing
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip()
        raise ending.Refused(f"git {words[0]} said:\n{said}\nYour notebooks are as they were.")
    return ran.stdout


class _interruptible:
    """A closed terminal, and a polite end, are told as Ctrl-C is: what was moved is moved back."""

    def __enter__(self) -> None:
        names = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
        self.before = {which: signal.signal(which, signal.default_int_handler) for which in names if which is not None}

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


def all_back(names: Sequence[str], folder: Path) -> int:
    """Put back from each of these; of several copies of a chapter in one folder the newest. 1 if one was refused."""
    given = [Path(name) for word in names for name in (sorted(glob.glob(word)) or [word])]
    newest = {(path.parent, re.sub(STAMP + "$", "", path.stem)): path for path in sorted(given, key=lambda p: p.name)}
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
            print(f"answers: {failure}", file=sys.stderr, flush=True)
    return refused


if __name__ == "__main__":
    sys.exit(main())
