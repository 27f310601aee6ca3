"""One file that a learner hands in: the answers' texts, the choices in the quizzes, the progress, the version."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import vaecourse
from vaecourse import files, foreign, progress
from vaecourse.classroom import notebooks
from vaecourse.classroom.notebooks import LONGEST_ANSWER, Answer

MARK, VERSION = "vaecourse hand-in", 1
SUFFIX = ".vaecourse.json"
LONGEST = 20_000_000  # bytes
LONGEST_NAME = 100  # letters
EXERCISE = re.compile(r"\d\d\.\w{1,60}")


def learners_folder(given: Path | None) -> Path:
    """The folder of a learner's notebooks: the one given, else the current one, else learn/ in it.

    Raises ``ValueError`` where there is nothing of a learner's.
    """
    places = [given] if given is not None else [Path(), Path("learn")]
    for place in places:
        if (place / progress.FILE).is_file() or next(place.glob(notebooks.PATTERN), None) is not None:
            return place
    where = files.shown(given) if given is not None else "this folder, or learn/ in it,"
    raise ValueError(
        f"folder must have a learner's notebooks or {progress.FILE} in it, and {where} has neither: "
        "name the folder that the chapters lie in."
    )


def chapters(folder: Path) -> dict[str, str]:
    """What the notebooks of the chapters are called, ``{"03": "03-iwae.ipynb"}``."""
    return {path.name[:2]: path.name for path in sorted(folder.glob(notebooks.PATTERN))}


@dataclass(frozen=True)
class HandIn:
    """What one person has handed in."""

    name: str
    written: str  # when, "2026-11-26 21:54:03"
    course: dict[str, str]  # the version, and the commit if it is known
    answers: dict[str, Answer]
    progress: progress.Progress
    told: tuple[str, ...] = field(default=())  # what could not be read


def of_folder(folder: Path, name: str) -> HandIn:
    """What lies in a learner's folder. A notebook that cannot be read is told, and the others are handed in."""
    found: dict[str, Answer] = {}
    told: list[str] = []
    for path in sorted(folder.glob(notebooks.PATTERN)):
        try:
            found |= notebooks.answers(notebooks.read(path))
        except (ValueError, OSError) as failure:
            told.append(f"{foreign.plain(path.name)} is not handed in: {foreign.plain(failure)}.")
    kept = progress.read(folder)
    if kept.told:
        told.append(f"Your progress is not handed in: {kept.told}")
    for exercise, one in kept.exercises.items():
        if one.answer is not None and exercise not in found:  # solved before its chapter was begun anew
            imports = notebooks.imports(exercise)
            found[exercise] = Answer(notebooks.named(exercise, one.answer), one.answer, imports)
    written = time.strftime("%Y-%m-%d %H:%M:%S")
    return HandIn(name, written, course(), dict(sorted(found.items())), kept, tuple(told))


def course() -> dict[str, str]:
    """The version of the course, and the commit of its clone where git knows one."""
    from vaecourse import recorded

    commit = recorded.commit()
    return {"version": vaecourse.__version__} | ({} if commit.startswith("version") else {"commit": commit})


def text(found: HandIn) -> bytes:
    """The file's text."""
    content = {MARK: VERSION, **asdict(found)}
    del content["progress"]["told"], content["told"]
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def parsed(raw: bytes) -> HandIn:
    """What is in such a text. Raises ``ValueError`` with what is wrong with it."""
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as failure:
        raise ValueError(f"it is no JSON, or a damaged one ({foreign.plain(failure, 100)})") from failure
    if not isinstance(content, Mapping) or MARK not in content:
        raise ValueError("it is no hand-in of the course's")
    if content[MARK] is True or content[MARK] != VERSION:
        raise ValueError(f"it is of version {foreign.plain(content[MARK], 20)}, and this course reads {VERSION}")
    try:
        kept = progress.parsed(json.dumps({"vaecourse progress": 1, **content["progress"]}))
        course = {foreign.plain(key, 20): foreign.plain(value, 80) for key, value in [*content["course"].items()][:5]}
        answers = {name: Answer(**one) for name, one in content["answers"].items()}
        fields = (
            content["name"],
            content["written"],
            *(word for one in answers.values() for word in asdict(one).values()),
        )
        for word in fields:
            word.encode()  # half a character could not be written into a report
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as failure:
        raise ValueError("something in it is not as the course writes it") from failure
    if bad := [name for name in answers if not EXERCISE.fullmatch(name)]:
        raise ValueError(f"{foreign.plain(bad[0], 60)} is the name of no exercise")
    if long := [name for name, one in answers.items() if max(map(len, asdict(one).values())) > LONGEST_ANSWER]:
        raise ValueError(f"the answer of {long[0]} has more than {LONGEST_ANSWER} letters")
    return HandIn(content["name"], content["written"], course, answers, kept)


def _is_ours(path: Path) -> bool:
    """Whether a file that is there is a hand-in, even a damaged one."""
    with files.opened(path) as file:
        return f'"{MARK}"'.encode() in file.read(100)


def kind(found: HandIn) -> files.Kind:
    """The hand-in of this person; that of another is kept, and one that has what this one has not."""

    def is_untouched(path: Path) -> bool:
        try:
            before = parsed(files.content(path, LONGEST))
        except ValueError:
            return False
        noted, now = before.progress, found.progress
        lost = noted.exercises.keys() - now.exercises.keys() | noted.questions.keys() - now.questions.keys()
        return before.name == found.name and before.answers.items() <= found.answers.items() and not lost

    return files.Kind("a hand-in of this course", _is_ours, is_untouched)


def write(found: HandIn, to: Path | None = None) -> Path:
    """Write the file, by default ``NAME.vaecourse.json`` here; return where. Raises as ``files.write`` does."""
    word = re.sub(r"[^\w-]+", "-", found.name).strip("-") or "hand-in"
    path = Path(f"{files.short(word)}{SUFFIX}") if to is None else to
    files.write(path, text(found), kind(found))
    return path


def written(folder: Path, name: str, to: Path | None = None) -> Iterator[str]:
    """Hand in a learner's folder, and say what became of it."""
    found = of_folder(folder, name)
    path = write(found, to)
    yield from found.told
    count = len(found.answers)
    yield f"{files.shown(path)} has {count} answer{'s' if count != 1 else ''} of {name}."
    yield "Nothing was sent: give this file to your teacher. It is text, and you may read it."


def checked_name(name: str) -> str:
    """A person's name in one line. Raises ``ValueError`` for none, and for one that is too long."""
    words = foreign.visible(" ".join(name.split()))
    if not 0 < len(words) <= LONGEST_NAME:
        raise ValueError(
            f"name must have 1 to {LONGEST_NAME} letters, got {len(words)}: python -m vaecourse hand-in --name NAME"
        )
    return words
