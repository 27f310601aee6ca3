"""A question that opens a lab: the learner commits a guess, then sees the truth beside it.

.. code-block:: python

    class FirstBound(Experiment):
        guess = OneOf(
            "How many samples close nine tenths of the gap?",
            on="line",                                 # an artist of ``build``: the guess is drawn in its axes
            hides=("line", "dot"),                     # artists of ``build``, not drawn before the guess
            at={"K": 1}, then={"K": 1000},             # the controls while it is asked, and when the truth is shown
            options={"about 7": 7, "about 70": 70},    # what is read, and its place on the axis
            truth=lambda lab: ...,                     # of the experiment: a number, or one of the options
            because=lambda lab: "The first samples ...",   # follows "You said about 70, it is about 7."
        )

``OneOf`` is a choice, ``OnAxis`` a number, ``Curve`` a line through a few anchors. Until it is answered or skipped
(Escape) the controls are out of sight and the sentence is silent. A lab asks in a kernel only: a still picture, a deck
and ``make present`` show what is there afterwards, and "Ask me" brings the question. ``VAECOURSE_GUESS=0`` has no lab
ask by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from vaecourse import plots

NAME = "your guess"  # in the legend, and of its artists in ``build``'s namespace
DASHES = (0, (3, 1.6))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where on the picture a guess is given: axes and stops in fractions, of the picture and of the axes."""

    box: tuple[float, float, float, float]  # left, top, width, height
    stops: list[float] = field(default_factory=list)  # along the axis that is guessed
    anchors: list[float] = field(default_factory=list)  # of a curve, along the other one


@dataclass(frozen=True)
class Guess:
    """What every question has. ``answer`` is what the learner says, in the units of the picture."""

    kind: ClassVar[str]

    question: str
    on: str = field(kw_only=True)
    truth: Callable[[Any], Any] = field(kw_only=True)
    because: Callable[[Any], str] = field(kw_only=True)
    hides: Sequence[str] = field(default=(), kw_only=True)
    at: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    then: Mapping[str, Any] | None = field(default=None, kw_only=True)  # None: as it is asked
    legend: Any = field(default="upper left", kw_only=True)  # where in the axes it says which line is the guess

    def taken(self, answer: Any) -> Any:
        """The answer as it is kept. Raises ``ValueError``, saying what is needed, for one that is none."""
        raise NotImplementedError

    def from_page(self, sent: Any) -> Any:
        """The answer that a page sends: places of stops."""
        raise NotImplementedError

    def points(self, answer: Any, axes: Axes) -> tuple[Any, Any]:
        """The line that is drawn of an answer: x and y; empty where it has no place in the picture."""
        raise NotImplementedError

    def compared(self, answer: Any, truth: Any, axes: Axes) -> str:
        """The answer beside the truth, in one sentence."""
        raise NotImplementedError

    def solved(self, experiment: Any) -> str:
        """The truth in one sentence, for where nobody can answer."""
        raise NotImplementedError

    def place(self, axes: Axes) -> Place:
        """Where a page takes the answer from a pointer."""
        return Place(box=_box(axes))

    def choices(self) -> list[str]:
        """What there is to choose from, in words; nothing where it is a matter of the picture."""
        return []

    def verdict(self, experiment: Any, answer: Any, axes: Axes) -> str:
        """What follows on an answer."""
        return f"{self.compared(answer, self.truth(experiment), axes)} {self.because(experiment)}"

    def explained(self, experiment: Any) -> str:
        """What follows on a question that nobody can answer: on paper, in a deck, on a page without a kernel."""
        return f"{self.solved(experiment)} {self.because(experiment)}"


@dataclass(frozen=True)
class OneOf(Guess):
    """A choice. An option that is a number has its place on the axis: there the guess is drawn, across the axes."""

    kind = "choice"

    options: Mapping[str, Any] = field(kw_only=True)
    marked: bool = field(default=True, kw_only=True)  # whether numbers are drawn: they may be of no axis
    axis: str = field(default="x", kw_only=True)

    def taken(self, answer: Any) -> str:
        if answer not in self.options:
            raise ValueError(f"the guess must be one of {', '.join(map(repr, self.options))}, got {answer!r}.")
        return str(answer)

    def from_page(self, sent: Any) -> str:
        return list(self.options)[_stop(sent, len(self.options))]

    def points(self, answer: str, axes: Axes) -> tuple[Any, Any]:
        at = self.options[answer]
        return ([], []) if at is None or not self.marked else _across(self.axis, at, axes)

    def right(self, truth: Any) -> str:
        """The option that the truth is, or is nearest to in ratio."""
        if isinstance(truth, str):
            return self.taken(truth)
        return min(self.options, key=lambda option: abs(np.log(self.options[option] / truth)))

    def compared(self, answer: str, truth: Any, axes: Axes) -> str:
        right = self.right(truth)
        return f"You said “{answer}”, and so it is." if answer == right else f"You said “{answer}”; it is “{right}”."

    def solved(self, experiment: Any) -> str:
        return f"It is “{self.right(self.truth(experiment))}”."

    def choices(self) -> list[str]:
        return list(self.options)


@dataclass(frozen=True)
class OnAxis(Guess):
    """A number on an axis of the picture, set by a slider, by keys, or by a click on the picture.

    It is drawn across the axes, or, where it belongs to one place of the other axis, as a point ``beside`` it.
    """

    kind = "number"

    label: str = field(kw_only=True)
    stops: Sequence[float] = field(kw_only=True)
    start: float = field(kw_only=True)
    axis: str = field(default="y", kw_only=True)
    beside: float | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)
    digits: int = field(default=2, kw_only=True)

    def taken(self, answer: Any) -> float:
        return _number(answer, self.stops[0], self.stops[-1])

    def from_page(self, sent: Any) -> float:
        return float(self.stops[_stop(sent, len(self.stops))])

    def points(self, answer: float, axes: Axes) -> tuple[Any, Any]:
        if self.beside is None:
            return _across(self.axis, answer, axes)
        return ([self.beside], [answer]) if self.axis == "y" else ([answer], [self.beside])

    def compared(self, answer: float, truth: float, axes: Axes) -> str:
        off = abs(answer - truth)
        said, found = self.said(answer), self.said(truth)
        if said == found:
            return f"You said {said}{self.unit}, and so it is."
        way = "too high" if answer > truth else "too low"
        return f"You said {said}{self.unit}, it is {found}: {self.said(off)} {way}."

    def solved(self, experiment: Any) -> str:
        return f"It is {self.said(self.truth(experiment))}{self.unit}."

    def said(self, value: float) -> str:
        return f"{value:.{self.digits}f}".replace("-", "−")

    def place(self, axes: Axes) -> Place:
        return Place(box=_box(axes), stops=_fractions(self.axis, self.stops, axes))


@dataclass(frozen=True)
class Curve(Guess):
    """A curve over a few anchors, drawn by hand, or by a slider at each anchor."""

    kind = "curve"

    anchors: Mapping[str, float] = field(kw_only=True)  # what is read, and its place along x
    stops: Sequence[float] = field(kw_only=True)  # of y
    start: float = field(kw_only=True)
    unit: str = field(default="", kw_only=True)
    digits: int = field(default=2, kw_only=True)

    @cached_property
    def x(self) -> list[float]:
        return list(self.anchors.values())

    def taken(self, answer: Any) -> list[float]:
        if isinstance(answer, str) or not hasattr(answer, "__len__") or len(answer) != len(self.anchors):
            raise ValueError(f"the guess must be a number for each of {', '.join(self.anchors)}, got {answer!r}.")
        return [_number(one, self.stops[0], self.stops[-1]) for one in answer]

    def from_page(self, sent: Any) -> list[float]:
        if not isinstance(sent, list) or len(sent) != len(self.anchors):
            raise ValueError(f"the guess must be a stop for each of {', '.join(self.anchors)}.")
        return [float(self.stops[_stop(one, len(self.stops))]) for one in sent]

    def points(self, answer: list[float], axes: Axes) -> tuple[Any, Any]:
        return self.x, answer

    def compared(self, answer: list[float], truth: Sequence[float], axes: Axes) -> str:
        apart = np.abs(np.subtract(_fractions("y", answer, axes), _fractions("y", truth, axes)))
        far = int(apart.argmax())
        at, said, found = list(self.anchors)[far], self.said(answer[far]), self.said(truth[far])
        return f"You drew {said}{self.unit} at {at}, where it is {found}: nowhere is your curve farther off."

    def solved(self, experiment: Any) -> str:
        found = [f"{self.said(value)} at {at}" for at, value in zip(self.anchors, self.truth(experiment))]
        return f"It is {', '.join(found)}{' (' + self.unit.strip() + ')' if self.unit else ''}."

    def said(self, value: float) -> str:
        small = 0 < abs(value) < 10**-self.digits
        return (f"{value:.2g}" if small else f"{value:.{self.digits}f}").replace("-", "−")

    def place(self, axes: Axes) -> Place:
        stops, anchors = _fractions("y", self.stops, axes), _fractions("x", self.x, axes)
        return Place(box=_box(axes), stops=stops, anchors=anchors)


# In the picture ------------------------------------------------------------------------------------------------------


class Drawn:
    """A guess in the picture of its lab: what it hides, and its own line, dashed, with a legend that says so."""

    def __init__(self, guess: Guess, artists: SimpleNamespace) -> None:
        self.guess, self.artists = guess, artists
        self.truth = frozenset(_artists([getattr(artists, name) for name in guess.hides]))
        axes: Any = _artists([getattr(artists, guess.on)])[0].axes
        self.axes: Axes = axes
        alone = isinstance(guess, OnAxis) and guess.beside is not None
        look: dict[str, Any] = {"marker": "D" if alone else "o" if isinstance(guess, Curve) else ""}
        look["markersize"] = 8 if alone else 5
        limits = self.axes.axis()
        self.line = Line2D([], [], color=plots.GUESS, linestyle=DASHES, linewidth=2.5, zorder=9, label=NAME, **look)
        self.axes.add_line(self.line)
        self.axes.axis(limits)
        self.key = Legend(self.axes, [self.line], [NAME], loc=guess.legend, fontsize=11, borderaxespad=0.3)
        self.key.set(zorder=9, in_layout=False, frame_on=True)
        self.key.get_frame().set(facecolor="white", edgecolor="none", alpha=0.85)
        self.axes.add_artist(self.key)
        for part in self.key.findobj():
            part.set_animated(True)  # else each word that changes in it has the whole figure drawn anew
        self.show(None)

    @property
    def own(self) -> list[Artist]:
        """What is drawn of the guess, for the picture's moving artists."""
        return [self.line, self.key]

    def show(self, answer: Any) -> None:
        """Draw this answer; None: none."""
        x, y = ([], []) if answer is None else self.guess.points(answer, self.axes)
        self.line.set_data(x, y)
        self.line.set_visible(len(x) > 0)
        self.key.set_visible(answer is not None)
        words = NAME if len(x) else f"{NAME}: {answer}"  # of one without a place, what was said
        self.key.get_texts()[0].set(text=words, color=plots.GUESS)
        self.key.get_lines()[0].set_visible(len(x) > 0)


def _artists(found: Any) -> list[Artist]:
    """Artists, from artists and lists of them."""
    if isinstance(found, Artist):
        return [found]
    values = found.values() if isinstance(found, Mapping) else found
    return [artist for one in values for artist in _artists(one)]


def _across(axis: str, at: float, axes: Axes) -> tuple[list[float], list[float]]:
    """A line across the axes."""
    low, high = axes.get_ylim() if axis == "x" else axes.get_xlim()
    along, other = [at, at], [low, high]
    return (along, other) if axis == "x" else (other, along)


def _box(axes: Axes) -> tuple[float, float, float, float]:
    """The axes in the picture, from its upper left corner: left, top, width, height, as fractions."""
    figure: Any = axes.figure
    inside: Any = axes.bbox.transformed(figure.transFigure.inverted())  # get_position would have all drawn anew
    left, bottom, width, height = inside.bounds
    return left, 1 - bottom - height, width, height


def _fractions(axis: str, values: Sequence[float] | NDArray[np.floating], axes: Axes) -> list[float]:
    """Where the values are along an axis of any scale: 0 at its low end, 1 at its high one."""
    scaled = (axes.xaxis if axis == "x" else axes.yaxis).get_transform().transform
    low, high = scaled(np.array(axes.get_xlim() if axis == "x" else axes.get_ylim(), dtype=float))
    return [float(place) for place in (scaled(np.asarray(values, dtype=float)) - low) / (high - low)]


def _number(answer: Any, low: float, high: float) -> float:
    if isinstance(answer, bool) or not isinstance(answer, Real) or not low <= float(answer) <= high:
        raise ValueError(f"the guess must be a number from {low:g} to {high:g}, got {answer!r}.")
    return float(answer)


def _stop(sent: Any, count: int) -> int:
    if type(sent) is not int or not 0 <= sent < count:
        raise ValueError(f"a page must send the place of a stop, 0 to {count - 1}, got {type(sent).__name__}.")
    return sent
