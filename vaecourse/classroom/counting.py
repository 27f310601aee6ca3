"""What a class has solved, and which named mistakes it made: counted from answers that were run again here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import vaecourse
from vaecourse import foreign
from vaecourse.cards import data
from vaecourse.classroom import judging
from vaecourse.classroom.gathering import Gathered, Person, gathered
from vaecourse.classroom.judging import Judged


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
    """One question: how many chose each letter first, and which one is right."""

    question: str
    chosen: dict[str, int]
    right: str


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
    """What was chosen first of each question that the course has, in its order."""
    found = []
    for question in data.asked():
        chosen = Counter(first for person in people if (first := _first(person, question)))
        if chosen:
            found.append(Choices(question.name, dict(sorted(chosen.items())), question.right))
    return found


def quiz_score(person: Person) -> tuple[int, int]:
    """How many of the questions that a person answered were right at the first choice, and how many were answered."""
    firsts = [(first, question.right) for question in data.asked() if (first := _first(person, question))]
    return sum(first == right for first, right in firsts), len(firsts)


def _first(person: Person, question: data.Question) -> str | None:
    """The letter that a person chose first, where the question has it."""
    answered = person.hand_in.progress.questions.get(question.name)
    known = [choice.letter for choice in question.choices]
    return answered.first if answered is not None and answered.first in known else None
