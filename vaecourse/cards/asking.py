"""A quiz: each choice says why it is right, or what leads to it; the first choice of a question is the score."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets

from vaecourse import progress
from vaecourse.cards import data, parts, ways
from vaecourse.labs.shown import take_away, view_of
from vaecourse.labs.turns import in_turn

_shown: dict[str, Quiz] = {}  # the latest of each name


def show(name: str) -> Quiz:
    """The questions of ``"03.quiz"`` or ``"03.recall"``."""
    return Quiz(name, data.questions(name))


class Quiz:
    """As the last line of a cell it shows itself. ``widget`` is what the cell shows."""

    @in_turn
    def __init__(self, name: str, questions: tuple[data.Question, ...]) -> None:
        self.name, self.questions = name, questions
        if (before := _shown.pop(name, None)) is not None:
            take_away(before.widget)
        _shown[name] = self
        self._score = parts.said(self.score, "vaecourse-score")
        asked = [Asked(number, question, self._chosen) for number, question in enumerate(questions, 1)]
        self.asked = {one.question.name: one for one in asked}
        self.widget: ipywidgets.VBox = parts.column(
            [*(one.widget for one in asked), self._score], "vaecourse-card", "vaecourse-quiz"
        )

    @property
    def score(self) -> str:
        """How many questions were right at the first choice, and how many are still open."""
        kept = progress.read().questions
        found = [kept[question.name] for question in self.questions if question.name in kept]
        right = f"{sum(one.right for one in found)} of {len(self.questions)} right at the first choice"
        left = len(self.questions) - len(found)
        return f"{right}, {left} still to answer." if left else f"{right}."

    @in_turn
    def _chosen(self) -> None:
        self._score.value = self.score
        ways.renew()

    def __repr__(self) -> str:
        return f"Quiz {self.name}: {self.score}"

    @in_turn
    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live quiz, and its score as text for where there is no kernel."""
        return view_of(self.widget, **kwargs) | {"text/plain": repr(self)}


class Asked:
    """One question: a button for each choice, and below it what is to be said of it once it is chosen."""

    def __init__(self, number: int, question: data.Question, heard: Any) -> None:
        self.question, self._heard = question, heard
        origin = f" (from {question.origin})" if question.origin else ""
        self._reason = {choice.letter: parts.column([], "vaecourse-reason") for choice in question.choices}
        self._aloud = parts.said("", "vaecourse-unseen")
        asked = parts.prose(parts.opened(f"{number}{origin} ·", question.text), "vaecourse-question")
        boxes: list[ipywidgets.Widget] = [asked]
        for choice in question.choices:
            words = f"{choice.letter} · {choice.text}"
            boxes += [parts.button(words, partial(self._pressed, choice.letter), "vaecourse-choice")]
            boxes += [self._reason[choice.letter]]
        self.widget = parts.column([*boxes, self._aloud], "vaecourse-asked")
        kept = progress.read().questions.get(question.name)
        for letter in kept.opened if kept else ():
            self._open(letter)

    def _pressed(self, letter: str, _button: object) -> None:
        self.choose(letter)

    @in_turn
    def choose(self, letter: str) -> None:
        """Open a choice; the first one of a question is its score."""
        choice = next(one for one in self.question.choices if one.letter == letter)
        told = progress.chose(self.question.name, letter, choice.right)
        self._open(letter)
        self._aloud.value = f"{letter}: {'right' if choice.right else 'not this one'}. {told}"
        self._heard()

    def _open(self, letter: str) -> None:
        choice = next((one for one in self.question.choices if one.letter == letter), None)
        if choice is not None:  # in a new text of the course it may be gone
            mark, kind = ("✓ Right.", "vaecourse-passed") if choice.right else ("Not this one.", "vaecourse-wrong")
            reason = choice.reason.replace("<p>Right.", "<p>", 1)
            self._reason[letter].children = (parts.prose(parts.opened(mark, reason), kind),)
