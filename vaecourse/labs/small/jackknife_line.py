"""Lab "05.line": the jackknife as an intercept. It draws a curve through m + 1 bounds over 1/K, and reads it at 0."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import bounds, exact, plots
from vaecourse.labs.frame import Experiment, Number, Whole

SHIFT = 0.5  # of q, as in the reference case
LEAST_K, LARGEST_K, ORDERS = 6, 64, 5
KS = np.arange(LEAST_K, LARGEST_K + 1)
COLOURS = [plots.IWAE, plots.MIWAE, plots.CIWAE, plots.Q, plots.ELBO]
X = np.linspace(0.0, 0.55, 111)  # 1/K
LOW, HIGH = -0.95, 0.25
SMALLEST, LARGEST = 3e-6, 1.5  # of a bias that is drawn
SHAPES = ["", "line", "parabola", "cubic", "quartic"]


class Intercept(NamedTuple):
    """Nats above log p(x): E[L_n] for n = 1 ... 64, the same along 1/n, and the exact bias of each order at KS."""

    K: int
    order: int
    width: float
    bound: NDArray[np.floating]  # [64]
    curve: NDArray[np.floating]  # [2, N]: 1/n and E[L_n]
    biases: NDArray[np.floating]  # [ORDERS, len(KS)]

    @property
    def nodes(self) -> NDArray[np.integer]:
        """The sizes whose bounds are used."""
        return self.K - np.arange(self.order + 1)

    @property
    def bias(self) -> float:
        return float(self.biases[self.order, self.K - LEAST_K])


class JackknifeLine(Experiment):
    title = "The jackknife: where does the line meet 1/K = 0?"
    size = (8.8, 4.0)
    controls = [
        Whole("K", "Samples K", LEAST_K, LARGEST_K, default=6, log=True),
        Whole("order", "Order of the jackknife", 0, ORDERS - 1, default=0),
        Number("width", "Width of q (posterior: 1)", 0.4, 2.5, default=1.3, log=True, stops=41),
    ]
    presets = {
        "L₆ itself": {"order": 0},
        "a line through two": {"order": 1},
        "a parabola": {"order": 2},
        "q too narrow": {"order": 1, "width": 0.4},
        "q too wide": {"order": 1, "width": 2.5},
    }
    stills = ["a line through two", "q too narrow"]

    def compute(self, K: int, order: int, width: float) -> Intercept:
        return Intercept(K, order, width, *_exact(width))

    def build(self, figure: Figure) -> SimpleNamespace:
        line, rates = figure.subplots(1, 2, width_ratios=[1.15, 1])
        truth = plots.exact_line(line, 0.0, "log p(x)")
        bound = line.plot([], [], color=plots.IWAE, label="exact $L_K$")[0]
        through = line.plot([], [], linewidth=1.6, color=plots.PRIOR, label="through the dots")[0]
        dots = line.plot([], [], "o", color=plots.IWAE, markeredgecolor="white", zorder=4)[0]
        meets = line.plot([0], [0], "D", color=plots.PRIOR, zorder=5, clip_on=False, label="the jackknife")[0]
        line.set(xlim=(0, X[-1]), ylim=(LOW, HIGH), xlabel="1/K", ylabel="nats above log p(x)")

        curves = [
            rates.plot([], [], color=colour, linewidth=1.6, label=f"order {order}")[0]
            for order, colour in enumerate(COLOURS)
        ]
        look = {"markersize": 10, "color": plots.PRIOR, "zorder": 4}
        above = rates.plot([], [], "D", label="it is above", **look)[0]
        below = rates.plot([], [], "D", markerfacecolor="white", markeredgewidth=2.2, label="below", **look)[0]
        rates.set(xscale="log", yscale="log", xlim=(5.3, 70), ylim=(SMALLEST, LARGEST), xlabel="samples K")
        rates.set_ylabel("size of the bias (least: 3e−6)")
        rates.set_xticks([6, 10, 16, 32, 64], ["6", "10", "16", "32", "64"])
        rates.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        handles = [truth, bound, through, meets, above, below, *curves]
        figure.legend(handles=handles, loc="outside upper center", ncols=6, fontsize=10, handlelength=1.4)
        return SimpleNamespace(
            bound=bound, through=through, dots=dots, meets=meets, curves=curves, above=above, below=below
        )

    def update(self, artists: SimpleNamespace, data: Intercept) -> None:
        artists.bound.set_data(*data.curve)
        values = data.bound[data.nodes - 1]
        artists.dots.set_data(1 / data.nodes, values)
        x = X[1 / data.nodes[-1] >= X]
        artists.through.set_data(x, np.polyval(np.polyfit(1 / data.nodes, values, data.order), x))
        artists.meets.set_data([0.0], [data.bias])
        for mark in (artists.through, artists.meets, artists.above, artists.below):
            mark.set_color(COLOURS[data.order])
        artists.below.set_markerfacecolor("white")
        for curve, bias in zip(artists.curves, data.biases):
            curve.set_data(KS, np.maximum(np.abs(bias), SMALLEST))
        size = max(abs(data.bias), SMALLEST)
        for mark, shown in ((artists.above, data.bias > 0), (artists.below, data.bias <= 0)):
            mark.set_data([data.K] * shown, [size] * shown)

    def sentence(self, data: Intercept) -> str:
        at = f"K = {data.K}, q {data.width:.2f} posterior widths wide: "
        lacks = -data.bound[data.K - 1]
        if data.order == 0:
            return f"{at}order 0 is the bound itself, {lacks:.4f} nats below log p(x): a level line through one dot."
        where = "above" if data.bias > 0 else "below"
        through = f"{data.nodes[-1]} to {data.K}" if data.order > 1 else f"{data.nodes[-1]} and {data.K}"
        return (
            f"{at}the {SHAPES[data.order]} through the bounds of {through} samples meets 1/K = 0 "
            f"at {_nats(abs(data.bias))} nats {where} log p(x); the bound itself is {lacks:.4f} below."
        )


def _nats(size: float) -> str:
    return f"{size:.4f}" if size >= 5e-4 else f"{size:.1g}"


@lru_cache(maxsize=64)
def _exact(width: float) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    law = exact.WeightLaw.of(exact.case_with(width, SHIFT))
    sizes = np.append(np.arange(1, LARGEST_K + 1), 2 ** np.arange(7, 21))
    values = np.array([law.lower(int(n)).item() for n in sizes]) - law.log_mean.item()
    bound = values[:LARGEST_K]
    biases = [[_jackknife(bound, int(K), order) for K in KS] for order in range(ORDERS)]
    return bound, np.array([np.append(1 / sizes, 0.0), np.append(values, 0.0)]), np.array(biases)


def _jackknife(bound: NDArray[np.floating], K: int, order: int) -> float:
    coefficients = bounds.jackknife_coefficients(K, order)
    return sum(c * bound[K - j - 1] for j, c in enumerate(coefficients))
