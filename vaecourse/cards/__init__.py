"""What a learner's notebook shows beside the text: exercise cards, quizzes, the line at the top, the map.

``show("03.iwae_bound")`` judges the answer that stands in the notebook; ``quiz("03.quiz")`` asks; ``line("03")`` and
``map()`` say what is solved; ``mine("01.training_step")`` is the learner's own answer where one has passed;
``solution("03.iwae_bound")`` is the course's. Only what a learner types is under a learner's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vaecourse import checks, progress
from vaecourse.cards import data

if TYPE_CHECKING:
    from vaecourse.cards.asking import Quiz
    from vaecourse.cards.card import Card

__all__ = ["line", "map", "mine", "quiz", "show", "solution"]


def show(name: str) -> Card:
    """The card of an exercise: it judges the answer in the notebook, once, and shows itself as a cell's last line."""
    from vaecourse.cards import card  # widgets take half a second, and whoever asks for data needs none

    return card.show(data.exercise(name))


def quiz(name: str) -> Quiz:
    """The questions of ``"03.quiz"`` or ``"03.recall"``: reasons after choosing, the first choice is the score."""
    from vaecourse.cards import asking

    return asking.show(name)


def line(number: str) -> None:
    """Show what is solved of a chapter, where to go on, and the chapters beside it."""
    from vaecourse.cards import ways

    ways.show(data.chapter(number).number)


def map() -> None:
    """Show the chapters, and what is solved of each."""
    from vaecourse.cards import ways

    ways.show(ways.ALL)


def mine(name: str) -> Any:
    """The learner's own answer to an exercise if one has passed, else the course's; a sentence says whose it is.

    The text of the answer, from ``progress.json`` in this folder, is run by itself, with what the chapter imports.
    """
    from vaecourse.cards import own

    exercise = data.exercise(name)
    kept = progress.read().exercises.get(name)
    if kept is None or not kept.answer:
        print(f"{name}: the course's own answer, until yours has passed.")
        return solution(name)
    found, why = own.passed(exercise, kept.answer)
    if found is own.MISSING:
        print(f"{name}: the course's own answer, for yours {why}.")
        return solution(name)
    print(f"{name}: your own answer.")
    return found


def solution(name: str) -> Any:
    """The course's own answer: the function, or the value."""
    return checks.ALL[data.exercise(name).name].solution
