"""Lab "02.quieter": the noise of the reparameterised and of the score-function gradient, against the width of q."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.exact import case_with
from vaecourse.labs.frame import Experiment, Number, Whole

STD = case_with(1.0, 0.0).std.item()  # of the posterior
WIDTHS = np.geomspace(0.25, 4.0, 121)
QUIETEST, LOUDEST = 0.1, 1e6  # of the axis


class Noise(NamedTuple):
    """Variances of one sample of the ELBO's gradient by q's mean, along ``WIDTHS`` and at the width 1.3."""

    shift: float
    L: int
    path: NDArray[np.floating]
    score: NDArray[np.floating]  # with the best baseline
    bare: NDArray[np.floating]  # with none
    at_reference: tuple[float, float]  # path and score
    quieter: tuple[float, float] | None  # the widths between which the score is


class Quieter(Experiment):
    title = "Path or score: which is quieter?"
    size = (8.8, 3.8)
    controls = [
        Number("shift", "Shift of q (posterior standard deviations)", 0.0, 1.5, default=0.5 / STD, stops=61),
        Whole("L", "Dimensions L of z", 1, 100, default=1, log=True),
    ]
    presets = {
        "the right place": {"shift": 0.0},
        "half a width off": {"shift": 0.5},
        "L = 10": {"shift": 0.0, "L": 10},
        "L = 100": {"shift": 0.0, "L": 100},
    }
    stills = [{}, "the right place", "L = 100"]

    def compute(self, shift: float, L: int) -> Noise:
        one = case_with(1.0, shift * STD)
        std = STD * torch.tensor([1.3, *WIDTHS], dtype=torch.float64)[:, None]
        case = exact.Case(one.model, one.x.expand_as(std), one.mean.expand_as(std), std)  # all widths at once
        of = exact.ScoreGradient.of(case, L)
        path, score, bare = (part.numpy() for part in (of.path, of.variance(of.best), of.variance(0.0)))
        return Noise(shift, L, path[1:], score[1:], bare[1:], (path[0], score[0]), exact.quieter_by_score(shift, L))

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplots()
        band = axes.fill_between(WIDTHS, QUIETEST, QUIETEST, color=plots.PRIOR, alpha=0.2, label="score is quieter")
        bare = axes.plot([], [], ":", color=plots.ELBO, label="score function, c = 0")[0]
        score = axes.plot([], [], color=plots.ELBO, label="score function, best c")[0]
        path = axes.plot([], [], color=plots.DECODER, linewidth=3, label="reparameterised")[0]
        axes.set(xscale="log", yscale="log", xlim=(WIDTHS[0], WIDTHS[-1]), ylim=(QUIETEST, LOUDEST))
        axes.set(xlabel="width of q (posterior: 1)", ylabel="variance of one sample", xticks=[0.25, 0.5, 1, 1.3, 2, 4])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
        axes.legend(loc="upper center", fontsize=11, ncols=4, columnspacing=1.2, handlelength=1.5)
        return SimpleNamespace(band=band, bare=bare, score=score, path=path)

    def update(self, artists: SimpleNamespace, data: Noise) -> None:
        low, high = data.quieter or (2 * WIDTHS[-1], 2 * WIDTHS[-1])  # else out of sight
        artists.band.set_data([low, high], [QUIETEST] * 2, [LOUDEST] * 2)
        for line, variance in ((artists.path, data.path), (artists.score, data.score), (artists.bare, data.bare)):
            line.set_data(WIDTHS, np.clip(variance, QUIETEST / 10, LOUDEST * 10))

    def sentence(self, data: Noise) -> str:
        path, score = data.at_reference
        where = "for no width"
        if data.quieter:
            low, high = data.quieter
            where = f"for widths from {low:.2f} to {high:.2f}"
        return (
            f"Shift {data.shift:.2f}, L = {data.L}: with its best baseline the score function is quieter {where}. "
            f"At the width 1.3 its variance is {score:.1f}, that of the reparameterised gradient {path:.1f}."
        )
