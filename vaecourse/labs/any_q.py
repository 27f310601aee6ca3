"""The q of a lab on the reference model: its two controls, its exact gradients, and how numbers that leave a picture
are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETUP
from numpy.typing import ArrayLike, NDArray

from vaecourse import exact, plots
from vaecourse.labs.frame import Number

CHI_SQUARED_FROM, FOUR_MOMENTS_FROM = math.sqrt(1 / 2), math.sqrt(3 / 4)
"""Widths, in those of the posterior, above which E[w^2] is finite, and E[w^4], with the slopes that go with it."""

ROUNDING = 1e-6  # of a gradient, beside 1 / std of q: what is below is 0


def controls() -> list[Number]:
    """Width and shift of q; at the start it is that of the reference case."""
    return [
        Number("width", "Width of q (posterior: 1)", 0.3, 3.0, default=1.3, log=True),
        Number("shift", "Shift of q", 0.0, 1.5, default=0.5, stops=61),
    ]


@lru_cache(maxsize=12)  # some 300 kB each
def rows(width: float, shift: float) -> exact.RowGradients:
    """The exact gradients of the reference model with this q."""
    return exact.RowGradients(exact.case_with(width, shift))


def ratio(moments: exact.Moments, std: float) -> float:
    """|mean| / sd of a gradient, and what rounding leaves of a 0 is 0: no noise is an infinite ratio, no signal is 0,
    and so is neither of them."""
    signal, noise = (size if size * std > ROUNDING else 0.0 for size in (abs(moments.mean), moments.sd))
    return signal / noise if noise else math.inf if signal else 0.0


def gap(value: float, log_p: float) -> float:
    """log p(x) - value in nats, and what rounding leaves of a 0 is 0."""
    return 0.0 if abs(log_p - value) < 1e-9 else log_p - value


def said(number: float, digits: int = 3) -> str:
    """A ratio in words: three digits, or that it is infinite."""
    return "infinite" if math.isinf(number) else f"{number:.{digits}g}"


def minus(text: str) -> str:
    """Typographic minus signs, and none before a zero."""
    text = re.sub(r"-(0\.0+)(?!\d)", r"\1", text)
    return re.sub(r"(?<![a-z])-(?=[\d∞])", "−", text)


class Edged:
    """A line, and triangles at the axis' edge where its values leave the picture."""

    def __init__(self, axes: Axes, **look: Any) -> None:
        self.low, self.high = axes.get_ylim()
        self.line = axes.plot([], [], **look)[0]
        mark: dict[str, Any] = {"color": self.line.get_color(), "linestyle": "", "markersize": 8, "clip_on": False}
        solid = self.line.get_linestyle() == "-"  # another stroke has other triangles
        down, up = ("v", "^") if solid else (CARETDOWN, CARETUP)
        self.below = axes.plot([], [], marker=down, zorder=5, **mark)[0]
        self.above = axes.plot([], [], marker=up, zorder=5, **mark)[0]
        for triangle in (self.below, self.above):
            triangle.set_in_layout(False)

    def __iter__(self) -> Iterator[Line2D]:
        """What moves."""
        return iter((self.line, self.below, self.above))

    def set_data(self, x: ArrayLike, y: ArrayLike) -> None:
        """Draw y over x."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        self.line.set_data(x, np.clip(y, self.low, self.high))
        self.below.set_data(x[y < self.low], np.full((y < self.low).sum(), self.low))
        self.above.set_data(x[y > self.high], np.full((y > self.high).sum(), self.high))


def histogram(values: NDArray[np.floating], edges: NDArray[np.floating]) -> NDArray[np.floating]:
    """The share of the values in each bar; what lies beyond the ends is in the outer bars."""
    inside = np.clip(values, edges[0] + 1e-9, edges[-1] - 1e-9)
    return np.histogram(inside, edges)[0] / len(values)


def beyond(values: NDArray[np.floating], edges: NDArray[np.floating]) -> str:
    """What there is to say of values beyond the ends of a histogram: nothing where there are none."""
    share = ((values < edges[0]) | (values > edges[-1])).mean()
    return f"outer bars: {max(share, 0.001):.1%} lie beyond" if share else ""


def note(axes: Axes, high: float = 0.97) -> Any:
    """A line at the top of the axes, to be filled."""
    line = axes.text(0.5, high, "", transform=axes.transAxes, ha="center", va="top", fontsize=10, color=plots.ELBO)
    line.set_in_layout(False)
    return line
