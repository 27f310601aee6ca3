"""What the labs that train draw: curves over the steps, codes in the plane, and texts that are rendered once."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from vaecourse import plots
from vaecourse.labs.trainer import Trainer

# No two of them are the same to any common kind of colour blindness, and each point is drawn as its digit besides.
DIGIT_COLOURS = [
    "#3B3B98",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#A89000",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#7A4B20",
    "#7F7F7F",
]


class CachedText(Text):
    """A text that is rendered once for as long as it says the same: letters take longer than all the curves."""

    _rendered: tuple[str, object] | None = None

    def draw(self, renderer: RendererBase) -> None:
        if not self.get_text() or not isinstance(renderer, RendererAgg):
            return super().draw(renderer)
        box = self.get_window_extent(renderer).padded(2)
        left, low, right, high = (round(edge) for edge in box.extents)
        if self._rendered != (self.get_text(), self.get_color()):
            own = RendererAgg(renderer.width, renderer.height, renderer.dpi)
            super().draw(own)
            drawn = np.asarray(own.buffer_rgba())[::-1]  # the first row is the lowest, as draw_image wants it
            self._letters = drawn[max(low, 0) : high, max(left, 0) : right].copy()
            self._rendered = self.get_text(), self.get_color()
        renderer.draw_image(renderer.new_gc(), max(left, 0), max(low, 0), self._letters)
        self.stale = False


def heading(figure: Figure) -> CachedText:
    """The line above a picture; the layout keeps its place."""
    figure.suptitle(" ", fontsize=14)
    words = CachedText(0.5, 0.985, " ", ha="center", va="top", fontsize=14, transform=figure.transFigure)
    figure.add_artist(words)
    return words


class Curves:
    """Curves over the steps of a training, with a thin line wherever a control was turned.

    The axis goes from 0 to 1 for good and only its numbers change: a new axis would be a new drawing of everything.
    """

    def __init__(self, axes: Axes, columns: dict[str, tuple[str, str]], numbered: bool = False) -> None:
        """``columns`` maps a trainer's column to its colour and its label; ``numbered`` says the steps below."""
        self.axes, self.low_high = axes, axes.get_ylim()
        axes.set(xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1], xticklabels=[])
        self.turns = axes.plot([], [], color=plots.PRIOR, linewidth=1, transform=axes.get_xaxis_transform())[0]
        self.lines = {name: axes.plot([], [], color=ink, label=label)[0] for name, (ink, label) in columns.items()}
        axes.set_ylim(self.low_high)
        self.numbers: list[CachedText] = []
        for at, align in ((0.0, "left"), (0.5, "center"), (1.0, "right")) if numbered else ():
            self.numbers.append(CachedText(at, -0.05, "0", ha=align, va="top", fontsize=12))
            axes.add_artist(self.numbers[-1]).set(transform=axes.get_xaxis_transform(), clip_on=False)
        axes.legend(  # above: every place inside is some curve's
            loc="lower right", bbox_to_anchor=(1, 1), fontsize=10, ncols=2, borderaxespad=0.1, handlelength=1.2
        )

    @property
    def artists(self) -> list[Artist]:
        return [self.turns, *self.lines.values(), *self.numbers]

    def update(self, trainer: Trainer) -> None:
        """What is off the scale runs along its edge. The axis doubles when the training has come to its end."""
        end = 200 * 2 ** max(0, math.ceil(math.log2(max(trainer.steps, 1) / 200)))
        for name, line in self.lines.items():
            steps, values = trainer.curve(name)
            line.set_data(steps / end, np.clip(values, *self.low_high))
        turns = np.repeat(np.array(trainer.turns, dtype=float) / end, 3)
        turns[2::3] = math.nan
        self.turns.set_data(turns, np.tile([0.0, 1.0, 0.0], len(turns) // 3))
        self._number(end)

    def _number(self, end: int) -> None:
        for number, text in zip(self.numbers, ("0", f"{end // 2}", f"{end} steps")):
            number.set_text(text)


class Scatter:
    """Points in the plane, each drawn as its digit, over the circles of N(0, I)."""

    def __init__(self, axes: Axes) -> None:
        angle = np.linspace(0, 2 * math.pi, 200)
        self._circle = np.stack([np.cos(angle), np.sin(angle)])
        self.circles = [axes.plot([], [], color=plots.PRIOR, linewidth=1.5, zorder=1)[0] for _ in range(3)]
        self.points = [
            axes.plot([], [], linestyle="", marker=f"${digit}$", markersize=7, markeredgewidth=0.4, color=ink)[0]
            for digit, ink in enumerate(DIGIT_COLOURS)
        ]
        axes.set(aspect="equal", xticks=[], yticks=[], xlim=(-1, 1), ylim=(-1, 1))
        axes.set_title("codes z of held-out digits", fontsize=12)
        axes.set_xlabel("circles: 1, 2, 3 sd of the prior", fontsize=11)
        axes.spines[:].set_visible(False)
        self.reach = 0.0

    @property
    def artists(self) -> list[Artist]:
        return [*self.circles, *self.points]

    def update(self, z: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Show z ``[N, 2]``. The window holds 98 % of the coordinates; it doubles, so that it mostly rests."""
        reach = 3.5 * 2 ** max(0, math.ceil(math.log2(max(np.quantile(np.abs(z), 0.98) / 3.5, 1e-9))))
        if reach != self.reach:
            self.reach = reach
            for radius, circle in enumerate(self.circles, 1):
                circle.set_data(*(radius / reach * self._circle))
        inside = np.clip(z / reach, -0.97, 0.97)
        for digit, points in enumerate(self.points):
            points.set_data(*inside[labels == digit].T)
