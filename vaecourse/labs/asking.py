"""A panel that asks first: what is hidden until then, what the page sends, and what is kept of an answer.

It is kept in the kernel, so that the guess is still there when the cell is run again; ``progress.json`` has that there
was one, and nothing more.
"""

from __future__ import annotations

import contextlib
import os
import reprlib
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import anywidget
from IPython import get_ipython
from traitlets import Dict, Int, List, Unicode

from vaecourse import labs, plots, progress
from vaecourse.labs.controls import HERE, STYLE, FromPage, text
from vaecourse.labs.guess import NAME, Curve, Drawn, Guess, OnAxis
from vaecourse.labs.picture import Canvas
from vaecourse.labs.shown import while_there
from vaecourse.labs.store import presenting
from vaecourse.labs.turns import in_turn

WAITING = {  # in place of the sentence, by the kind of question
    "choice": "The picture shows the rest when you have guessed.",
    "number": "Click into the picture, or move the slider. It shows the rest when you have guessed.",
    "curve": "Draw on the picture, or move the sliders. It shows the rest when you have guessed.",
}
ASKING, ANSWERED, OPEN = "asking", "answered", "open"

_answers: dict[str, Any] = {}  # of this kernel, by lab: at most one for each


class Question(FromPage, anywidget.AnyWidget):
    """The question at the desk, in place of the controls; later what came of it. A page writes none of it, it asks."""

    _esm = text(HERE / "js/guess.js")
    _css = STYLE
    kind, question, label, unit = (Unicode().tag(sync=True) for _ in range(4))
    options = List(Unicode()).tag(sync=True)  # to choose from; or what a screen reader calls each anchor
    texts = List(Unicode()).tag(sync=True)  # of each stop
    start = Int(0).tag(sync=True)  # the stop at which a handle stands at first
    axis = Unicode("y").tag(sync=True)
    place = Dict().tag(sync=True)  # guess.Place
    state = Unicode(OPEN).tag(sync=True)
    verdict = Unicode().tag(sync=True)
    colour = Unicode().tag(sync=True)


class Asks:
    """What a panel has of its experiment's ``guess``: ``ask``, ``guess(answer)``, ``skip``, ``asking``, ``answer``."""

    experiment: Any  # what the panel brings
    defaults: dict[str, Any]
    _canvas: Canvas
    _set: Callable[[Mapping[str, Any]], None]
    flush: Callable[[], None]

    question: Question | None = None
    answer: Any = None  # the guess that is drawn; None: none
    _drawn: Drawn | None = None

    @property
    def asking(self) -> bool:
        """Whether the question stands: what it is about is not drawn, and not said."""
        return self.question is not None and self.question.state == ASKING

    @in_turn
    def ask(self) -> None:
        """Bring the question: the controls go to where it is asked, and the truth out of sight."""
        asked = self._asked()
        self.answer = None
        self._turn(ASKING, "", asked.at)

    @in_turn
    def guess(self, answer: Any) -> None:
        """Commit a guess, and see. Raises ``ValueError``, saying what is needed, for one that is none."""
        asked = self._asked()
        self.answer = asked.taken(answer)
        if (name := name_of(self.experiment)) is not None:
            _answers[name] = self.answer
        self._turn(ANSWERED, self._verdict(), asked.at if asked.then is None else asked.then)

    @in_turn
    def skip(self) -> None:
        """Show the lab without a guess."""
        self._asked()
        self.answer = None
        self._turn(OPEN, "", {})

    def _asked(self) -> Guess:
        """The question; raises ``ValueError`` where there is none."""
        if self._drawn is None:
            raise ValueError(f"the lab {self.experiment.title!r} asks nothing.")
        return self._drawn.guess

    def _draw_guess(self, artists: SimpleNamespace) -> SimpleNamespace:
        """Put the guess's own artists, which no ``update`` moves, to those of the lab."""
        if (asked := self.experiment.guess) is None:
            return artists
        self._drawn = Drawn(asked, artists)
        return SimpleNamespace(**vars(artists), **{NAME: self._drawn.own})

    def _begin(self) -> None:
        """Make the question's widget; ask, or show what was said before."""
        if self._drawn is None:
            return
        self.question = _widget(self._drawn)
        self.question.on_msg(while_there(self, lambda lab, _, message, __: lab._heard_guess(message)))
        name = name_of(self.experiment)
        if name in _answers:
            self.answer = _answers[name]
            self._turn(ANSWERED, self._verdict(), {})
        elif asks_by_itself(name):
            self.ask()

    def _turn(self, state: str, verdict: str, settings: Mapping[str, Any]) -> None:
        """Go on to a state of the question, with the controls at these settings and the rest at its default."""
        assert self.question is not None and self._drawn is not None
        self.question.verdict = verdict
        self.question.state = state
        self._canvas.hidden = self._drawn.truth if self.asking else frozenset()
        self._drawn.show(self.answer)
        self._set(self.defaults | dict(settings))
        self.flush()

    def _verdict(self) -> str:
        assert self._drawn is not None
        return self._drawn.guess.verdict(self.experiment, self.answer, self._drawn.axes)

    @contextlib.contextmanager
    def _as_on_paper(self) -> Iterator[None]:
        """With all that is to be seen, and nobody's guess."""
        if self._drawn is None:
            yield
            return
        hidden, self._canvas.hidden = self._canvas.hidden, frozenset()
        self._drawn.show(None)
        try:
            yield
        finally:
            self._canvas.hidden = hidden
            self._drawn.show(self.answer)

    @in_turn
    def _heard_guess(self, message: object) -> None:
        """Do what the page asks for: what it sends is checked, and what is none is told where the answer would be."""
        assert self.question is not None
        sent = message if isinstance(message, Mapping) else {}
        try:
            match sent.get("do"):
                case "guess":
                    self.guess(self._asked().from_page(sent.get("answer")))
                    told = progress.guessed(name) if (name := name_of(self.experiment)) else ""
                    self.question.verdict = f"{self.question.verdict} {told}".strip()
                case "skip":
                    self.skip()
                case "ask":
                    self.ask()
                case other:
                    raise ValueError(f"the question takes guess, skip or ask, got {reprlib.repr(other)}.")
        except ValueError as refusal:
            self.question.verdict = f"Nothing was done: {refusal}"


def asks_by_itself(name: str | None) -> bool:
    """Whether a lab begins with its question: in a notebook with a kernel, for who has not guessed there yet."""
    if not hasattr(get_ipython(), "get_parent") or presenting() or os.environ.get("VAECOURSE_GUESS", "") == "0":
        return False
    return name not in progress.read().guessed


def name_of(experiment: object) -> str | None:
    """What ``labs.ALL`` calls an experiment, "03.iwae"; None if it has it not."""
    kind = type(experiment)
    place = f"{kind.__module__.removeprefix('vaecourse.labs.')}.{kind.__name__}"
    return next((name for name, there in labs.PLACES.items() if there == place), None)


def _widget(drawn: Drawn) -> Question:
    """The widget of a question, before it is asked."""
    asked, place = drawn.guess, drawn.guess.place(drawn.axes)
    question = Question(kind=asked.kind, question=asked.question, options=asked.choices(), colour=plots.GUESS)
    question.place = {"box": list(place.box), "stops": place.stops, "anchors": place.anchors}
    if isinstance(asked, OnAxis | Curve):
        question.texts = [asked.said(stop) for stop in asked.stops]
        question.start = int(min(range(len(asked.stops)), key=lambda i: abs(asked.stops[i] - asked.start)))
        question.unit = asked.unit
    if isinstance(asked, OnAxis):
        question.label, question.axis = asked.label, asked.axis
    if isinstance(asked, Curve):
        question.options = list(asked.anchors)
    return question
