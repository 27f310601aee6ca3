"""What a class has solved, and which named mistakes it made: counted from answers that were run again here."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import vaecourse
from vaecourse import foreign
from vaecourse.classroom import judging, notebooks
from vaecourse.classroom.gathering import Gathered, Person, gathered
from vaecourse.classroom.judging import Judged

LETTER = re.compile(r"[A-F]")


@dataclass(frozen=True)
class Made:
    """A named mistake of one exercise: who has handed it in, and who made it on the way, as the progress files say."""

    exercise: str
    name: str
    message: str
    handed_in: tuple[str, ...]
    on_the_way: tuple[str, ...]

    @property
    def people(self) -> int:
        """How many made it at some time."""
        return len({*self.handed_in, *self.on_the_way})


@dataclass(frozen=True)
class Choices:
    """One question: how many chose each letter first, and which letter was right, as the progress files say."""

    question: str
    chosen: dict[str, int]
    right: str | None


@dataclass
class Report:
    """All that the teacher's pages show."""

    exercises: list[str]
    people: list[Person]
    verdicts: list[dict[str, Judged]]  # one for each of the people
    mistakes: list[Made]
    questions: list[Choices]
    lines: list[str]
    made: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M"))
    version: str = vaecourse.__version__

    def solved(self, place: int) -> int:
        """How many exercises the person at this place has solved."""
        return sum(one.state == "solved" for one in self.verdicts[place].values())


def report(folder: Path, own: Path | None = None, seconds: float = judging.SECONDS) -> Generator[str, None, Report]:
    """Read what is below ``folder``, run each answer again, and count; yield a line for each person meanwhile."""
    from vaecourse import checks

    found = gathered(folder, own)
    verdicts: list[dict[str, Judged]] = []
    with judging.Judge(seconds, folder) as judge:
        for number, person in enumerate(found.people, 1):
            verdicts.append(_verdicts(person, judge, found))
            judge.next_person()
            solved = sum(one.state == "solved" for one in verdicts[-1].values())
            told = f"{solved} of {len(verdicts[-1])} answers are right"
            yield f"{number} of {len(found.people)}: {foreign.plain(person.name)}, {told}"
    begun = {
        name[:2] for person in found.people for name in (*person.hand_in.answers, *person.hand_in.progress.exercises)
    }
    exercises = [name for name in checks.ALL if name[:2] in begun]
    mistakes = _mistakes(found.people, verdicts)
    return Report(exercises, found.people, verdicts, mistakes, _questions(found.people), found.lines)


def _verdicts(person: Person, judge: judging.Judge, found: Gathered) -> dict[str, Judged]:
    from vaecourse import checks

    answers = person.hand_in.answers
    if unknown := [exercise for exercise in answers if exercise not in checks.ALL]:
        names = foreign.plain(", ".join(unknown), 300)
        found.lines.append(f"{person.name}: this version of the course has no exercise {names}.")
    return {exercise: judge(exercise, answer) for exercise, answer in answers.items() if exercise in checks.ALL}


def _mistakes(people: Sequence[Person], verdicts: Sequence[Mapping[str, Judged]]) -> list[Made]:
    """Every named mistake, the most frequent first."""
    messages: dict[tuple[str, str], str] = {}
    handed_in: dict[tuple[str, str], list[str]] = {}
    for person, own in zip(people, verdicts, strict=True):
        for exercise, one in own.items():
            if one.mistake is not None:
                handed_in.setdefault((exercise, one.mistake), []).append(person.name)
                messages.setdefault((exercise, one.mistake), one.message)
    on_the_way: dict[tuple[str, str], list[str]] = {}
    for person in people:
        for exercise, tried in person.hand_in.progress.exercises.items():
            for mistake in tried.mistakes:  # a name that no check knows is nobody's mistake, whatever it says
                if (message := messages.get((exercise, mistake)) or _message(exercise, mistake)) is not None:
                    messages[exercise, mistake] = message
                    on_the_way.setdefault((exercise, mistake), []).append(person.name)
    found = [
        Made(*which, message, tuple(handed_in.get(which, ())), tuple(on_the_way.get(which, ())))
        for which, message in messages.items()
    ]
    return sorted(found, key=lambda made: (-made.people, -len(made.handed_in), made.exercise, made.name))


def _message(exercise: str, mistake: str) -> str | None:
    """What the check of an exercise says to this mistake; None if it knows no such."""
    from vaecourse import checks

    known = checks.ALL[exercise].mistakes if exercise in checks.ALL else []
    return next((one.message for one in known if one.name == mistake), None)


def _questions(people: Sequence[Person]) -> list[Choices]:
    chosen: dict[str, Counter[str]] = {}
    right: dict[str, Counter[str]] = {}
    for person in people:
        for name, one in person.hand_in.progress.questions.items():
            if notebooks.asks(name) and one.first is not None and LETTER.fullmatch(one.first):
                chosen.setdefault(name, Counter())[one.first] += 1
                right.setdefault(name, Counter())[one.first] += one.right
    found = []
    for name in sorted(chosen, key=lambda name: (name[:2], name.split(".")[1], int(name.split(".")[2]))):
        letter, count = right[name].most_common(1)[0]
        found.append(Choices(name, dict(sorted(chosen[name].items())), letter if count else None))
    return found
