"""Lab "00.chord": Jensen's inequality. The chord between two points of the logarithm lies under it."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from vaecourse import exact, plots
from vaecourse.labs.frame import Experiment, Number

HEAVIEST = 10.0
W = np.linspace(0.6, HEAVIEST + 0.4, 300)


class Mix(NamedTuple):
    """Of the weight 1 and a heavier one, in nats but for the weights and the share of the heavier."""

    heavy: float
    share: float
    mean: float
    log_of_mean: float
    mean_of_logs: float


class Chord(Experiment):
    title = "The log of a mean, and the mean of the logs"
    size = (8.8, 3.6)
    controls = [
        Number("heavy", "Heavier weight (lighter: 1)", 1.0, HEAVIEST, default=9.0, stops=91, digits=1),
        Number("share", "Share of the heavier", 0.0, 1.0, default=0.5),
    ]
    presets = {
        "half and half": {"share": 0.5},
        "a few heavy": {"share": 0.1},
        "a few light": {"share": 0.9},
        "equal weights": {"heavy": 1.0},
    }
    stills = ["half and half", "a few heavy", "a few light"]

    def compute(self, heavy: float, share: float) -> Mix:
        log_w = torch.tensor([1.0, heavy], dtype=torch.float64).log()
        mass = torch.tensor([1 - share, share], dtype=torch.float64)
        log_of_mean = exact.WeightLaw(log_w, mass).log_mean.item()
        return Mix(heavy, share, math.exp(log_of_mean), log_of_mean, (mass @ log_w).item())

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplots()
        axes.plot(W, np.log(W), color=plots.PRIOR, linewidth=2.5, label="log w")
        chord = axes.plot([], [], "o-", color=plots.ELBO, linewidth=1.5, label="chord between the two weights")[0]
        gap = axes.plot([], [], color=plots.ENCODER, linewidth=5, solid_capstyle="butt", label="the gap")[0]
        over = axes.plot([], [], "o", color=plots.IWAE, markersize=11, label="log of the mean")[0]
        under = axes.plot([], [], "s", color=plots.ELBO, markersize=9, label="mean of the logs")[0]
        lines = [axes.plot([], [], ":", color=colour, linewidth=1.5)[0] for colour in (plots.IWAE, plots.ELBO)]
        number = axes.text(0, 0, "", fontsize=14, weight="bold", va="center")
        axes.set(xlim=(W[0], W[-1]), ylim=(-0.3, 2.5), xlabel="weight w", ylabel="nats")
        axes.legend(loc="lower right", fontsize=11)
        return SimpleNamespace(chord=chord, gap=gap, over=over, under=under, lines=lines, number=number)

    def update(self, artists: SimpleNamespace, data: Mix) -> None:
        heights = data.log_of_mean, data.mean_of_logs
        artists.chord.set_data([1, data.heavy], [0, math.log(data.heavy)])
        artists.gap.set_data([data.mean] * 2, heights)
        for dot, line, height in zip((artists.over, artists.under), artists.lines, heights):
            dot.set_data([data.mean], [height])
            line.set_data([W[0], data.mean], [height] * 2)
        artists.number.set_text(f"{data.log_of_mean - data.mean_of_logs:.3f}")
        artists.number.set_position((data.mean + 0.15, sum(heights) / 2 - 0.12))

    def sentence(self, data: Mix) -> str:
        gap = data.log_of_mean - data.mean_of_logs
        words = f"Weights 1 and {data.heavy:.1f}, {data.share:.0%} of them the heavier. Mean {data.mean:.2f}: "
        words += f"its log is {data.log_of_mean:.3f}, the mean of the logs {data.mean_of_logs:.3f}, {gap:.3f} less."
        return words if gap > 1e-9 else words + " Nothing varies, and nothing is lost."
