"""Lab "01.turns": the EM algorithm on the ELBO. E lifts a curve until it touches log p(x), M climbs that curve."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import exact, plots
from vaecourse.labs.frame import Experiment, Number, Whole
from vaecourse.labs.noise import noise

NOISE = 0.7  # the variance of the decoder
X = 2.95**0.5 * noise(500, 1, 0, torch.float64)  # the chapter's data, [500, 1]
SLOPES = np.linspace(0.0, 2.0, 101)
LOWEST, HIGHEST = -3.6, -1.7  # of the axis, in nats
STEPS = 20


class Turn(NamedTuple):
    """Before and after the last step, in nats a data point but for the slopes W."""

    steps: int
    slopes: list[float]  # after each step, from the start on
    elbos: list[float]
    log_likelihoods: list[float]
    elbo: NDArray[np.floating]  # of the q there is now, along SLOPES

    @property
    def gap(self) -> float:
        return self.log_likelihoods[-1] - self.elbos[-1]


class Turns(Experiment):
    title = "Two climbers in turns"
    size = (8.8, 3.6)
    controls = [
        Whole("steps", "Steps, E and M in turns", 0, STEPS, default=0),
        Number("start", "Slope W at the start", 0.0, 1.8, default=0.3, stops=37),
    ]
    presets = {
        "E: q to the posterior": {"steps": 1},
        "M: then W": {"steps": 2},
        "E again": {"steps": 3},
        "after 20 steps": {"steps": 20},
        "from W = 0": {"steps": 20, "start": 0.0},
    }
    stills = ["E: q to the posterior", "M: then W", "E again"]

    def __init__(self) -> None:
        self.log_likelihood = np.array([_at(W).log_likelihood(X).mean().item() for W in SLOPES])

    def compute(self, steps: int, start: float) -> Turn:
        states = [_state(start, step) for step in range(steps + 1)]
        slopes, elbos, likelihoods, means, stds = map(list, zip(*states, strict=True))
        mean, std = means[-1], stds[-1]
        at_three = [_at(slope).elbo(X, mean, std).mean().item() for slope in (0.0, 1.0, 2.0)]
        return Turn(steps, slopes, elbos, likelihoods, np.polyval(np.polyfit([0.0, 1.0, 2.0], at_three, 2), SLOPES))

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplots()
        elbo = axes.plot(SLOPES, 0 * SLOPES, color=plots.ELBO, label="ELBO with this q")[0]
        path = axes.plot([], [], "o:", color=plots.DECODER, markersize=5, label="way so far")[0]
        truth = axes.plot(SLOPES, self.log_likelihood, "--", color=plots.EXACT, label="mean log p(x), exact")[0]
        gap = axes.plot([], [], color=plots.ENCODER, linewidth=5, solid_capstyle="butt", label="KL to the posterior")[0]
        here = axes.plot([], [], "o", color=plots.DECODER, markersize=11, markeredgecolor="white")[0]
        axes.set(xlim=(0, 2), ylim=(LOWEST, HIGHEST), xlabel="slope W of the decoder", ylabel="nats per data point")
        axes.legend(loc="lower center", fontsize=11, ncols=4, columnspacing=1.2, handlelength=1.5)
        return SimpleNamespace(elbo=elbo, path=path, truth=truth, gap=gap, here=here)

    def update(self, artists: SimpleNamespace, data: Turn) -> None:
        W, heights = data.slopes[-1], np.maximum([data.elbos[-1], data.log_likelihoods[-1]], LOWEST)
        artists.elbo.set_ydata(data.elbo)
        artists.path.set_data(data.slopes, data.elbos)
        artists.gap.set_data([W, W], heights)
        artists.here.set_data([W], heights[:1])

    def sentence(self, data: Turn) -> str:
        if not data.steps:
            return (
                f"The start: W = {data.slopes[0]:.3f}, and q is the prior for every x. The ELBO is "
                f"{data.elbos[0]:.3f}, {data.gap:.3f} below log p(x)."
            )
        if not data.slopes[-1]:
            return f"Step {data.steps}: with W = 0 the posterior is the prior. It tells nothing of x, and W stays."
        rise = data.elbos[-1] - data.elbos[-2]
        if data.steps % 2:
            return (
                f"Step {data.steps}, E: q moves to the posterior, W = {data.slopes[-1]:.3f} rests. The ELBO rises by "
                f"{rise:.4f} and touches log p(x) = {data.log_likelihoods[-1]:.4f}."
            )
        gain = data.log_likelihoods[-1] - data.log_likelihoods[-2]
        return (
            f"Step {data.steps}, M: W moves from {data.slopes[-2]:.3f} to {data.slopes[-1]:.3f}, q rests. The ELBO "
            f"rises by {rise:.4f}, log p(x) by {gain:.4f}: a gap of {data.gap:.4f} opens."
        )


@lru_cache(maxsize=256)
def _at(W: float) -> exact.LinearGaussian:
    return exact.LinearGaussian(torch.tensor([[W]], dtype=torch.float64), NOISE)


@lru_cache(maxsize=128)
def _state(start: float, step: int) -> tuple[float, float, float, Tensor, Tensor]:
    """W, mean ELBO and mean log p(x) after a step, mean and std of q. It begins with q = the prior, whatever x is."""
    if not step:
        W, mean, std = start, torch.zeros_like(X), torch.ones_like(X)
    else:
        W, _, _, mean, std = _state(start, step - 1)
        if step % 2:
            posterior = _at(W).posterior(X)
            mean, std = posterior.mean, posterior.variance.sqrt()
        else:
            W = exact.m_step(_at(W), X, mean, std).weight.item()
    return W, _at(W).elbo(X, mean, std).mean().item(), _at(W).log_likelihood(X).mean().item(), mean, std
