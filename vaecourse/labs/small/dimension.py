"""Lab "08.dimension": a q that is a little off in each of D dimensions, and what is left of its K weights."""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.labs.frame import Experiment, Number, Whole
from vaecourse.labs.noise import noise

LARGEST_K, LARGEST_D, BARS = 4096, 100, 16
AWAY = np.linspace(0.0, 10.0, 81)  # of q from the posterior: shift times the root of D
CEILING = 12.0  # nats


class Collapse(NamedTuple):
    """In nats below log p(x): the bound for each D up to this one; the largest shares of one draw of K weights."""

    D: int
    K: int
    shift: float
    gaps: NDArray[np.floating]  # [D]; the last one is exact, the others lie on a curve through exact ones
    kls: NDArray[np.floating]  # [D], what the ELBO lacks
    shares: NDArray[np.floating]  # [BARS], 0 where there are fewer
    chi_squared: float


class Dimension(Experiment):
    title = "A little off in every dimension"
    size = (8.8, 3.9)
    controls = [
        Whole("D", "Dimensions of z, D", 1, LARGEST_D, default=1, log=True),
        Whole("K", "Samples K", 1, LARGEST_K, default=64, log=True),
        Number("shift", "Shift of q in each, in posterior widths", 0.1, 1.0, default=0.5, stops=19),
    ]
    presets = {
        "D = 1": {"D": 1},
        "D = 10": {"D": 10},
        "D = 50": {"D": 50},
        "D = 50, K = 4096": {"D": 50, "K": 4096},
        "D = 50, half the shift": {"D": 50, "shift": 0.25},
    }
    stills = ["D = 1", "D = 50", "D = 50, half the shift"]

    def compute(self, D: int, K: int, shift: float) -> Collapse:
        dims = np.arange(1, D + 1)
        gap = np.interp(shift * np.sqrt(dims), AWAY, _gaps(K))
        gap[-1] = -_law(shift * math.sqrt(D)).lower(K).item()
        log_w = shift * math.sqrt(D) * noise(1, LARGEST_K, 0, torch.float64)[0, :K]  # up to a constant
        shares = log_w.softmax(0).sort(descending=True).values[:BARS].numpy()
        chi_squared = math.expm1(min(D * shift**2, 700.0))
        return Collapse(D, K, shift, gap, 0.5 * dims * shift**2, np.pad(shares, (0, BARS - len(shares))), chi_squared)

    def build(self, figure: Figure) -> SimpleNamespace:
        gap, shares = figure.subplots(1, 2, width_ratios=[1.3, 1])
        elbo = gap.plot([], [], color=plots.ELBO, label="ELBO")[0]
        bound = gap.plot([], [], color=plots.IWAE, label="exact $L_K$")[0]
        looks = {"markersize": 10, "markeredgecolor": "white"}
        dots = [gap.plot([], [], "o", color=colour, **looks)[0] for colour in (plots.ELBO, plots.IWAE)]
        plots.exact_line(gap, 0.0, "log p(x)")
        gap.set(xscale="log", xlim=(0.9, 115), ylim=(CEILING, -0.6), xlabel="dimensions D (log scale)")
        gap.set_ylabel("nats below log p(x)")
        gap.xaxis.set_major_formatter(FuncFormatter(lambda D, _: f"{D:g}"))
        gap.legend(loc="lower left", fontsize=10)
        bars = shares.bar(range(1, BARS + 1), [1] * BARS, color=plots.Q)
        shares.set(ylim=(0, 1), xlim=(0.3, BARS + 0.7), xlabel=f"the {BARS} largest of K shares, one draw")
        shares.set_xticks([1, 8, 16])
        shares.grid(axis="x", visible=False)
        return SimpleNamespace(elbo=elbo, bound=bound, dots=dots, bars=list(bars))

    def update(self, artists: SimpleNamespace, data: Collapse) -> None:
        dims = np.arange(1, data.D + 1)
        for line, dot, values in (
            (artists.elbo, artists.dots[0], data.kls),
            (artists.bound, artists.dots[1], data.gaps),
        ):
            line.set_data(dims, np.minimum(values, CEILING))
            dot.set_data([data.D], [min(values[-1], CEILING)])
        for bar, share in zip(artists.bars, data.shares):
            bar.set_height(share)

    def sentence(self, data: Collapse) -> str:
        off = f"{CEILING:g} is the edge. " if data.kls[-1] > CEILING else ""
        return (
            f"D = {data.D}, shift {data.shift:.2f}, K = {data.K}: the ELBO lacks {data.kls[-1]:.3f} nats, the bound of "
            f"K samples {data.gaps[-1]:.3f}. {off}The largest share is {data.shares[0]:.0%}. "
            f"To come within 0.01 nats χ²/(2K) asks for {_count(50 * data.chi_squared)} samples."
        )


def _count(number: float) -> str:
    number = max(1, math.ceil(number))
    return f"{number:,}".replace(",", " ") if number < 1e6 else f"some 10^{math.log10(number):.0f}"


@lru_cache(maxsize=128)
def _law(away: float) -> exact.WeightLaw:
    return exact.shifted_law(away)


@lru_cache(maxsize=1)
def _laws() -> list[exact.WeightLaw]:
    return [exact.shifted_law(float(away)) for away in AWAY]


@lru_cache(maxsize=256)
def _gaps(K: int) -> NDArray[np.floating]:
    """log p(x) - E[L_K] at each of AWAY."""
    return np.array([-law.lower(K).item() for law in _laws()])
