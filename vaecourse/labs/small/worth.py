"""Lab "02.worth": what K weights are worth by Kong's rule from those that came, and in truth, over dimensions."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import bounds, exact, plots
from vaecourse.exact import case_with
from vaecourse.labs.frame import Experiment, Number, Seed, Whole

SETS, LARGEST_K = 10, 1000
DIMENSIONS = np.array([1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100])
AT = 50  # the dimensions in the sentence
LOWEST = 1e-4


class Shares(NamedTuple):
    """Shares of K, along DIMENSIONS."""

    width: float
    K: int
    exact: NDArray[np.floating]  # 1 / (1 + chi^2); 0 where that is infinite
    said: NDArray[np.floating]  # ESS / K, its mean over the sets


class Worth(Experiment):
    title = "What are K samples worth?"
    size = (8.8, 3.8)
    controls = [
        Number("width", "Width of q in each dimension", 0.5, 2.0, default=1.3, log=True),
        Whole("K", "Samples K", 10, LARGEST_K, default=LARGEST_K, log=True),
        Seed(),
    ]
    presets = {
        "too narrow": {"width": 0.6},
        "a little wide": {"width": 1.1},
        "too wide": {"width": 2.0},
        "K = 100": {"K": 100},
        "the posterior": {"width": 1.0},
    }
    stills = [{}, "too narrow", "the posterior"]

    def compute(self, width: float, K: int, seed: int) -> Shares:
        case = case_with(width, 0.0)
        one = case.model.chi_squared(*case[1:]).item()  # of one dimension
        with np.errstate(under="ignore"):
            truth = (1 / (1 + one)) ** DIMENSIONS
        log_w = _curvature(case) * _squares(seed)[:, :K]  # [SETS, K, dimensions], up to a constant
        return Shares(width, K, truth, bounds.effective_sample_size(log_w).mean(0).numpy() / K)

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplots()
        truth = axes.plot(DIMENSIONS, DIMENSIONS, "--", color=plots.EXACT, label=r"exact $1/(1+\chi^2)$")[0]
        floor = axes.axhline(1, color=plots.PRIOR, linewidth=1.5, label="1/K, the least it can say")
        said = axes.plot([], [], "o", color=plots.IWAE, label="ESS/K, of the weights that came")[0]
        axes.set(xscale="log", yscale="log", xlim=(0.9, 110), ylim=(LOWEST, 12), xticks=[1, 2, 5, 10, 20, 50, 100])
        axes.set(xlabel="dimensions L of z", ylabel="share of the K samples")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
        axes.legend(loc="upper center", fontsize=11, ncols=3, columnspacing=1.2, handlelength=1.5)
        return SimpleNamespace(truth=truth, floor=floor, said=said)

    def update(self, artists: SimpleNamespace, data: Shares) -> None:
        artists.truth.set_ydata(np.maximum(data.exact, LOWEST / 100))
        artists.floor.set_ydata([1 / data.K] * 2)
        artists.said.set_data(DIMENSIONS, data.said)

    def sentence(self, data: Shares) -> str:
        at = DIMENSIONS.tolist().index(AT)
        start = f"Width {data.width:.2f}, K = {data.K}. "
        if not data.exact.any():
            return start + (
                "χ² is infinite in any dimension, and the dashed line at 0. The effective sample size says "
                f"{data.K * data.said[0]:.0f} in one dimension, {data.K * data.said[at]:.1f} in {AT}."
            )
        return start + (
            f"In {AT} dimensions they are worth {_short(data.K * data.exact[at])} draws of the posterior; the "
            f"effective sample size says {_short(data.K * data.said[at])}."
        )


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _curvature(case: exact.Case) -> Tensor:
    """What a squared noise adds to log w: q is in the right place, so log w has no linear part."""
    on = exact.log_weights(case, torch.tensor([0.0, 1.0], dtype=torch.float64))
    return (on[1] - on[0]).float()


@lru_cache(maxsize=4)
def _squares(seed: int) -> Tensor:
    """Sums of L squared normals, for each L of DIMENSIONS: ``[SETS, LARGEST_K, dimensions]``."""
    draw = torch.Generator().manual_seed(seed)
    steps = np.diff(DIMENSIONS, prepend=0).tolist()
    sums = [torch.randn(SETS, LARGEST_K, step, generator=draw).square().sum(-1) for step in steps]
    return torch.stack(sums, -1).cumsum(-1)
