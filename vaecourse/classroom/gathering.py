"""What lies in a class's folder: hand-ins, notebooks, and files that are neither, each of which is told in a line.

Everything in it was made by somebody else: it is read within limits, no link is followed, and nothing is run here.
"""

from __future__ import annotations

import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from vaecourse import files, foreign, progress
from vaecourse.classroom import handin, notebooks
from vaecourse.classroom.handin import HandIn
from vaecourse.classroom.notebooks import Answer

DEEPEST, MOST = 6, 20_000  # folders in folders, files
CHAPTER = re.compile(r"(.*?)[-_ ]?(\d\d-[a-z-]+)(?: ?\(\d+\))?")


@dataclass(frozen=True)
class Person:
    """One person's hand-in, and the files that it was read from."""

    hand_in: HandIn
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.hand_in.name


@dataclass
class Gathered:
    """A person each, in the order of their names, and a line for each file that is not in it, or not wholly."""

    people: list[Person] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def gathered(folder: Path, own: Path | None = None) -> Gathered:
    """All that was handed in below ``folder``; ``own`` is a report's folder, which is left out."""
    found, several, papers = Gathered(), list[Person](), dict[str, list[Person]]()
    for path in _walk(folder, own, found.lines):
        name = foreign.visible(path.relative_to(folder).as_posix())  # a name may hold half a character
        try:
            if path.suffix == ".ipynb":
                person = _of_notebook(path, name, folder, found.lines)
                papers.setdefault(key(person.name), []).append(person)
            elif path.name == progress.FILE:
                continue  # it is read with the notebooks beside it
            elif path.suffix == ".json":
                several.append(Person(_read(path), (name,)))
            else:
                raise ValueError("it is neither a hand-in nor a notebook")
        except Exception as failure:  # noqa: BLE001 - whatever is in one file, the others are read
            found.lines.append(f"{foreign.plain(name)} is not read: {foreign.plain(_reason(failure))}.")
    several += [_together(ones, found.lines) for ones in papers.values()]
    found.people = _newest(several, found.lines)
    return found


def key(name: str) -> str:
    """By what two names are the same person's."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _walk(folder: Path, own: Path | None, lines: list[str], deep: int = 0) -> Iterator[Path]:
    """The files below a folder, by name; hidden ones and what was kept aside are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as failure:
        lines.append(f"{foreign.plain(folder)} is not read: {foreign.plain(_reason(failure))}.")
        return
    for number, entry in enumerate(entries):
        path = Path(entry.path)
        if entry.name.startswith((".", "__MACOSX")) or own is not None and files.real(path) == own:
            continue
        if number >= MOST:
            lines.append(f"{foreign.plain(folder)} has more than {MOST} files: the others are not read.")
            return
        if entry.is_symlink():
            lines.append(f"{foreign.plain(entry.name)} is a link, and links are not followed.")
        elif entry.is_dir():
            if entry.name == files.KEPT:
                continue
            if deep < DEEPEST:
                yield from _walk(path, own, lines, deep + 1)
            else:
                lines.append(f"{foreign.plain(entry.name)} is not read: it lies {DEEPEST} folders deep.")
        elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            lines.append(f"{foreign.plain(entry.name)} is not read: it is no file.")
        else:
            yield path


def _read(path: Path) -> HandIn:
    found = handin.parsed(files.content(path, handin.LONGEST))
    return replace(found, name=handin.checked_name(found.name), written=_time(found.written, path))


def _time(written: str, path: Path) -> str:
    """When it says that it was written; one that says nothing of the kind was written when its file was."""
    return written if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", written) else _changed(path)


def _changed(path: Path) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(path.stat().st_mtime))


def _of_notebook(path: Path, name: str, folder: Path, lines: list[str]) -> Person:
    """A learner's notebook as a hand-in of its own, with the progress that lies beside it."""
    notebook = notebooks.read(path)
    if not any(True for _ in notebooks.exercises(notebook)):
        raise ValueError("it is a notebook without an exercise of this course")
    kept = progress.Progress() if (path.parent / progress.FILE).is_symlink() else progress.read(path.parent)
    if kept.told and kept.told not in lines:
        lines.append(kept.told)
    person = handin.checked_name(_whose(PurePosixPath(name), folder))
    return Person(HandIn(person, _changed(path), {}, notebooks.answers(notebook), kept), (name,))


def _whose(name: PurePosixPath, folder: Path) -> str:
    """Whose a notebook is: nbgrader's submitted/STUDENT/ASSIGNMENT, the folder it lies in, or the name of its file."""
    above = list(name.parts[:-1])
    if "submitted" in above:
        above = above[above.index("submitted") + 1 :]
    if above:
        return above[0]
    chapter = CHAPTER.fullmatch(name.stem)
    if chapter is None:
        return name.stem
    return chapter[1] or folder.resolve().name


def _together(papers: list[Person], lines: list[str]) -> Person:
    """The notebooks of one person as one hand-in; of an exercise that is in two, the newest is taken, and told."""
    papers = sorted(papers, key=lambda one: one.hand_in.written)
    first, answers = papers[0].hand_in, dict[str, Answer]()
    for paper in papers:
        for exercise in paper.hand_in.answers.keys() & answers.keys():
            lines.append(f"{first.name}: {exercise} is in two notebooks, and that of {paper.sources[0]} is the newest.")
        answers |= paper.hand_in.answers
    newest = papers[-1].hand_in
    kept = max((paper.hand_in.progress for paper in papers), key=lambda one: len(one.exercises) + len(one.questions))
    sources = tuple(source for paper in papers for source in paper.sources)
    return Person(HandIn(first.name, newest.written, {}, dict(sorted(answers.items())), kept), sources)


def _newest(several: list[Person], lines: list[str]) -> list[Person]:
    """Each person once, with the newest hand-in; the others are told."""
    found: dict[str, Person] = {}
    for person in sorted(several, key=lambda one: (one.hand_in.written, one.sources)):
        if (before := found.get(key(person.name))) is not None:
            lines.append(
                f"{person.name} has handed in twice: {person.sources[0]} of {person.hand_in.written} is the newest, "
                f"and {before.sources[0]} of {before.hand_in.written} is not counted."
            )
        found[key(person.name)] = person
    return [found[name] for name in sorted(found)]


def _reason(failure: Exception) -> str:
    if not isinstance(failure, ValueError | OSError):
        return f"{type(failure).__name__} {failure}".rstrip(". ")
    words = failure.strerror if isinstance(failure, OSError) and failure.strerror else str(failure)
    return words.rstrip(".")
