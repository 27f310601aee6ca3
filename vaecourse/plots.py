"""The course's figures and their one style: the same quantity has the same colour in every chapter.

The colours are those of Okabe and Ito, which people with any common kind of colour blindness tell apart. An exact value
is always black and dashed, and an estimate is never black.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

STYLE = Path(__file__).with_name("course.mplstyle")

EXACT = "#000000"  # log p(x), the posterior: what is known in closed form
ELBO = "#D55E00"  # vermilion
IWAE = "#0072B2"  # blue
MIWAE = "#56B4E9"  # sky blue
CIWAE = "#009E73"  # green
PIWAE = "#CC79A7"  # purple
UPPER = "#CC79A7"  # an upper bound
Q = "#E69F00"  # orange: the proposal q(z | x) and its samples
PRIOR = "#8C8C8C"  # grey: p(z), and what only helps the eye
DECODER = "#009E73"  # green: theta
ENCODER = "#CC79A7"  # purple: phi
GUESS = "#A000A0"  # magenta: what the learner says before anything is shown; nothing else has it
ROWS = {  # of the table of objectives; one of your own is grey
    "elbo": ELBO, "iwae": IWAE, "miwae": MIWAE, "ciwae": CIWAE, "piwae": PIWAE, "stl": Q, "dreg": CIWAE,
    "vr_iwae": PIWAE,
}  # fmt: skip


def of_row(name: str) -> str:
    """The colour of a row of the table of objectives."""
    return ROWS.get(name, PRIOR)


def use_style() -> None:
    """Give every figure from here on the look of the course. Chapters call it once, in their first cell."""
    matplotlib.style.use(STYLE)


def style() -> AbstractContextManager[None]:
    """The look of the course inside a ``with`` block only."""
    return matplotlib.style.context(STYLE)


def exact_line(axes: Axes, value: float, label: str | None = None, vertical: bool = False) -> Line2D:
    """Draw an exact value the way the course does everywhere: black, dashed, over the whole width (or height)."""
    draw = axes.axvline if vertical else axes.axhline
    return draw(value, color=EXACT, linestyle="--", linewidth=2, label=label)


def normal_density(x: NDArray[np.floating], mean: float = 0.0, sd: float = 1.0) -> NDArray[np.floating]:
    """N(x; mean, sd^2), to be drawn."""
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))


def mosaic(images: ArrayLike, columns: int, gap: int = 1) -> NDArray[np.floating]:
    """Lay images out as one array, for one ``imshow``: a grid of axes takes a second to draw, this a millisecond.

    Shapes: ``[N, H, W] -> [rows (H + gap) - gap, columns (W + gap) - gap]``; gaps and missing images are NaN.
    """
    array = np.asarray(images, dtype=float)
    if array.ndim != 3:
        raise ValueError(f"images must have the 3 axes [N, H, W], got shape {list(array.shape)}.")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}.")
    N, H, W = array.shape
    rows = -(-N // columns)
    cells = np.full((rows * columns, H + gap, W + gap), np.nan)
    cells[:N, :H, :W] = array
    grid = cells.reshape(rows, columns, H + gap, W + gap).swapaxes(1, 2).reshape(rows * (H + gap), -1)
    return grid[: grid.shape[0] - gap, : grid.shape[1] - gap]


def graph(
    axes: Axes,
    nodes: dict[str, tuple[float, float]],
    arrows: Iterable[tuple[str, str]],
    dashed: Iterable[tuple[str, str]] = (),
    back: Iterable[tuple[str, str]] = (),
    title: str = "",
) -> None:
    """Draw boxes with their names, and arrows between them: grey, grey and dashed, or orange, dotted and bent.

    Arguments:
        nodes: the text of every box, with its place, in any unit.
        arrows: pairs of names: what a value is made of. ``dashed`` are draws, ``back`` is the way of a gradient.

    Raises ``ValueError`` for an arrow from or to a box that is not there.

    >>> import matplotlib.pyplot as plt
    >>> graph(plt.figure().subplots(), {"x": (0, 0), "z": (1, 0)}, [("x", "z")])
    """
    boxes = {
        name: axes.text(*place, name, ha="center", va="center", size=13, bbox={"boxstyle": "round", "fc": "white"})
        for name, place in nodes.items()
    }
    ways = [(arrows, PRIOR, "-", 0.0), (dashed, PRIOR, "--", 0.0), (back, ELBO, ":", 0.25)]
    for pairs, colour, line, bend in ways:
        for start, end in pairs:
            if missing := {start, end} - nodes.keys():
                raise ValueError(f"arrows must join two of {list(nodes)}, got {missing.pop()!r}.")
            look: dict[str, Any] = {"arrowstyle": "-|>", "color": colour, "linestyle": line, "linewidth": 1.8}
            look |= {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
            look |= {"shrinkA": 4, "shrinkB": 4, "connectionstyle": f"arc3,rad={bend}"}
            axes.annotate("", nodes[end], nodes[start], arrowprops=look)
    across, up = zip(*nodes.values(), strict=True)
    axes.set(xlim=(min(across) - 0.8, max(across) + 0.8), ylim=(min(up) - 0.5, max(up) + 0.5), title=title)
    axes.axis("off")


def ladder(axes: Axes, steps: Sequence[tuple[str, str, str]]) -> None:
    """Draw boxes from top to bottom, what each of them leaves open beside it, and from there an arrow to the next.

    Arguments:
        steps: the title of a box, the line under it, and what it leaves open, which may be empty.

    >>> import matplotlib.pyplot as plt
    >>> ladder(plt.figure().subplots(), [("one", "gives a", "leaves b open"), ("two", "gives b", "")])
    """
    arrow = {"arrowstyle": "->", "color": "#A34700", "lw": 1.6, "connectionstyle": "arc3,rad=-0.6"}
    for step, (title, gives, leaves) in enumerate(steps):
        axes.add_patch(Rectangle((0, -step - 0.33), 5.6, 0.66, linewidth=1.6, edgecolor=IWAE, facecolor="#D6E8F5"))
        axes.text(0.15, 0.13 - step, title, va="center", weight="bold", size=12.5)
        axes.text(0.15, -0.15 - step, gives, va="center", size=11.5)
        if leaves:
            axes.text(6.2, -0.5 - step, leaves, va="center", size=12, color="#A34700", style="italic")
            axes.annotate("", (5.65, -0.9 - step), (5.65, -0.1 - step), arrowprops=arrow)
    axes.set(xlim=(-0.1, 11.4), ylim=(0.5 - len(steps), 0.5))
    axes.axis("off")
