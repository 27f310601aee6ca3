"""The course's figures and their one style: the same quantity has the same colour in every chapter.

The colours are those of Okabe and Ito, which people with any common kind of colour blindness tell apart. An exact value
is always black and dashed, and an estimate is never black.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
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


DIVERGENCES = {  # those of InfoVAE: a colour, and a mark for those who do not see it
    "no D": {"color": ELBO, "marker": "o"},
    "mmd-imq": {"color": IWAE, "marker": "s"},
    "mmd-rbf": {"color": MIWAE, "marker": "D"},
    "kl-minibatch": {"color": Q, "marker": "^"},
    "kl-adversarial": {"color": PIWAE, "marker": "v"},
    "js-adversarial": {"color": PRIOR, "marker": "X"},
    "stein": {"color": CIWAE, "marker": "P"},
}
SIDES = {  # of a point: where its name begins, in points, and how it is aligned there
    "right": ((8, 0), "left", "center"),
    "left": ((-8, 0), "right", "center"),
    "above": ((0, 9), "center", "bottom"),
}


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


def band(axes: Axes, x: ArrayLike, middle: ArrayLike, half: ArrayLike, stroke: str = "-", **look: Any) -> Line2D:
    """A curve with its uncertainty: ``middle`` as a line, and the area from ``middle - half`` to ``middle + half``.

    ``look`` is that of the line, and the area has its colour. Shapes: ``[N], [N], [N]``.
    """
    middle, half = np.asarray(middle), np.asarray(half)
    (line,) = axes.plot(np.asarray(x), middle, stroke, **look)
    axes.fill_between(x, middle - half, middle + half, color=line.get_color(), alpha=0.3, linewidth=0)
    return line


def name_point(axes: Axes, name: str, point: Sequence[float], side: str = "right", size: float = 13) -> Annotation:
    """Write the name of a point beside it, whatever the scales of the axes: ``side`` is right, left or above."""
    if side not in SIDES:
        raise ValueError(f"side must be one of {', '.join(SIDES)}, got {side!r}.")
    offset, horizontal, vertical = SIDES[side]
    return axes.annotate(
        name, (point[0], point[1]), offset, textcoords="offset points", ha=horizontal, va=vertical, fontsize=size
    )


def density(
    axes: Axes,
    values: ArrayLike,
    title: str = "",
    top: float | None = None,
    extent: tuple[float, float, float, float] | None = None,
) -> AxesImage:
    """Draw a density in the plane, its first row below: dark is 0, bright is ``top``, the largest value if None.

    Without ``extent``, the left, right, lower and upper edge, the axes have no numbers. Shapes: ``[rows, columns]``.
    """
    axes.set_title(title, fontsize=12)
    axes.grid(False)
    if extent is None:
        axes.set(xticks=[], yticks=[])
    return axes.imshow(np.asarray(values), origin="lower", cmap="cividis", vmin=0, vmax=top, extent=extent)


def key(axes: Axes, looks: Mapping[str, Mapping[str, Any]], **settings: Any) -> Legend:
    """A legend of names and their looks, of marks alone, whatever is drawn; ``settings`` are those of ``legend``."""
    marks = [Line2D([], [], linestyle="", label=name, **look) for name, look in looks.items()]
    return axes.legend(handles=marks, **settings)


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


def pictures(axes: Axes, images: ArrayLike, columns: int, gap: int = 1, rows: Sequence[str] = ()) -> AxesImage:
    """Show images in a mosaic, with a name before each of its rows, or without any axes.

    Shapes: ``[N, H, W]``. Raises ``ValueError`` where ``mosaic`` does, and unless each row has a name or none.
    """
    grid, height = mosaic(images, columns, gap), np.asarray(images).shape[1]
    count = (grid.shape[0] + gap) // (height + gap)
    if len(rows) not in (0, count):
        raise ValueError(f"rows must have a name for each of the {count} rows of images, got {len(rows)} names.")
    axes.set(xticks=[], yticks=[row * (height + gap) + (height - 1) / 2 for row in range(len(rows))], yticklabels=rows)
    axes.grid(False)
    axes.set_frame_on(bool(rows))
    return axes.imshow(grid)


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
