"""One attempt: what the notebook has under the answer's name is judged, and what came of it is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vaecourse import checks, progress
from vaecourse.cards import data, own
from vaecourse.checks import messages

Kind = Literal["missing", "empty", "ours", "wrong", "passed"]
NOT_RUN = "`{}` is not in this notebook yet. Run the cell above, and then this one."
OLDER = "The cell above ended in an error, so `{}` is still what an older run made. Mend it, run it, and then this one."
OURS = (
    "This is the course's own function. It is right, and it is not what you wrote: put lines of your own into the cell "
    "above, and run that cell again."
)

_judged: dict[str, str] = {}  # the text of each exercise's answer that was judged last, so that it counts once


@dataclass(frozen=True)
class Judged:
    """What is to be said of an answer, and of the file in which that was noted."""

    kind: Kind
    message: str
    told: str = ""


def judge(exercise: data.Exercise) -> Judged:
    """Judge the answer in the notebook. What is as at the start, or was judged before, is no attempt."""
    answer = own.value(exercise.answer)
    if answer is own.MISSING:
        return Judged("missing", NOT_RUN.format(exercise.answer))
    if own.is_the_courses(exercise.name, answer):
        return Judged("ours", OURS)
    if own.is_older(exercise.answer, answer):
        return Judged("missing", OLDER.format(exercise.answer))
    verdict = checks.ALL[exercise.name](answer)
    if not verdict.passed and verdict.message.startswith(messages.UNSOLVED):
        return Judged("empty", verdict.message)
    text = own.source(exercise.answer)
    told = _note(exercise, verdict, text)
    return Judged("passed" if verdict.passed else "wrong", verdict.message, told)


def _note(exercise: data.Exercise, verdict: checks.Verdict, text: str | None) -> str:
    name, told = exercise.name, []
    before = progress.read().exercises.get(name)
    if (before is None or before.solved is None) and (text is None or _judged.get(name) != text):
        told.append(progress.tried(name, verdict.passed, verdict.mistake))
    if text is not None:
        _judged[name] = text
        if verdict.passed and (before is None or before.answer != text):
            told.append(progress.answered(name, text))
    return " ".join(filter(None, told))
