"""Puts what was typed into a notebook back into its chapter, whatever has changed in that."""

from __future__ import annotations

import copy
import itertools
import json
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import ending, made, typed
from vaecourse import files

STAMP = r"(-20\d\d-\d\d-\d\d-\d{6}(-\d+)?)?"
OURS = {"stub", "check", "solution", "exercise", "instructor", "hide-input", "quiz", "recall", "pause"}
OURS |= {"nbval-ignore-output"}


def back(old: Path, folder: Path = typed.CHAPTERS) -> Iterator[str]:
    """Put what was typed in the notebook ``old`` into the one of its chapter in ``folder``; say what became of it."""
    target = chapter_of(old, folder)
    with files.locked(target, "putting answers back", wait=60):
        known = {files.real(target): files.stamp(target)}
        mine, there = typed.read(old), typed.read(target)
        if not typed.marks(mine):
            raise ending.Refused(
                f"{files.shown(old)} has no mark of the course, so its text and yours look alike: copy by hand."
            )
        merged = Merged(mine, there, old, target)
        if merged.text is not None:
            files.write(target, merged.text, typed.NOTEBOOK, known, tell=made.tell)
    yield from merged.outcome()


class Merged:
    """What was typed in the notebook ``mine``, which lies at ``old``, put into ``there``, which will lie at ``target``.

    ``text`` is that notebook as it stands in a file, None where nothing is put in; ``outcome`` says what became of it.
    """

    def __init__(self, mine: typed.Notebook, there: typed.Notebook, old: Path, target: Path) -> None:
        found, chapter = list(typed.typed(mine)), _Chapter(there)
        placed, self.has_other_settings = [chapter.put(one) for one in found], typed.has_other_settings(mine)
        self.old, self.target, self.typed, self.put, self.text = old, target, len(found), sum(placed), None
        if self.put:
            there["cells"] = list(chapter.all())
            self.text = text(there, old, target)
            if chapter.set_as_typed():
                try:
                    self.text = text(there, old, target)
                except ending.Refused:  # a setting as no notebook may have it
                    self.has_other_settings = True

    def outcome(self) -> Iterator[str]:
        copy, left = files.shown(self.old), self.typed - self.put
        yield f"{self.target.name}: {self.put} of {self.typed} cells that were typed are in it."
        if left:
            yield f"  {left} are the course's own, changed by hand: they are in {copy}."
        if self.has_other_settings:
            yield f"  Settings of cells (slides, words for pictures) that are not in it any more are in {copy}."


def chapter_of(old: Path, folder: Path) -> Path:
    """The notebook in ``folder`` whose copy ``old`` is: 01-elbo-2026-11-26-101500.ipynb belongs to 01-elbo.ipynb."""
    found = [path for path in typed.notebooks(folder) if re.fullmatch(re.escape(path.stem) + STAMP, old.stem)]
    if not found and (other := called_otherwise(old, folder)):
        return other
    if not found:
        raise ending.Refused(f"{files.shown(old)} is of no chapter in {folder}: what is in it stays there.")
    return max(found, key=lambda path: len(path.stem))


def called_otherwise(old: Path, folder: Path) -> Path | None:
    """The chapter that has most of a notebook's exercises, where none has its name any more; no copy of one's own."""
    if not re.fullmatch(r"\d\d-[a-z\d-]+", old.stem) or any(
        old.stem.startswith(path.stem) for path in typed.notebooks(folder)
    ):
        return None
    mine = _exercises(old)
    common = {path: len(mine & _exercises(path)) for path in typed.notebooks(folder)}
    # Of two with the same ones the chapter, beside which its text lies: the other is a copy that somebody made.
    best = max(common, key=lambda path: (common[path], path.with_suffix(".py").is_file()), default=None)
    return best if best is not None and common[best] else None


def _exercises(path: Path) -> set[str]:
    try:
        return set(typed.stubs(typed.read(path)))
    except (OSError, ValueError):
        return set()


def text(there: typed.Notebook, old: Path, target: Path) -> bytes:
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

    def __init__(self, notebook: typed.Notebook) -> None:
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

    def all(self) -> Iterator[typed.Notebook]:
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
