r"""Lab "02.proposal": forty estimates of p(x), each with its 95% interval, for a q of any width and place.

The densities, p(x) and the variance of a weight are exact; the weights and the intervals are sampled.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.distributions import Normal

from vaecourse import bounds, exact, plots
from vaecourse.labs.frame import Experiment, Number, OneOf, Seed, Whole
from vaecourse.labs.noise import noise

MODEL, X, _, _ = exact.reference(torch.float64)
POSTERIOR = MODEL.posterior(X)
MEAN, STD = POSTERIOR.mean.item(), POSTERIOR.stddev.item()
P = MODEL.log_likelihood(X).exp().item()
RUNS = 40
Z = np.linspace(-1.9, 3.3, 261)
EDGES = np.logspace(-2, 2, 62)  # of the histogram of w / p(x); lighter weights count in the first bar


class Proposal(NamedTuple):
    """What the lab knows; run 0 is the one in the histogram and in the sentence."""

    K: int
    width: float
    shift: float
    q: NDArray[np.floating]  # its density at Z
    weights: NDArray[np.floating]  # w / p(x) of run 0, [K]
    estimates: NDArray[np.floating]  # of p(x), [RUNS]
    errors: NDArray[np.floating]  # their empirical standard errors, [RUNS]
    effective: float  # effective sample size of run 0
    chi_squared: float  # exact Var[w] / p(x)^2, may be infinite

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Which of the 95% intervals contain the exact p(x)."""
        return np.abs(self.estimates - P) <= 1.96 * self.errors + 1e-9 * P


@lru_cache(maxsize=2)
def coverage(width: float) -> float:
    """The share of 25 times 40 intervals that hold p(x)."""
    return float(np.mean([ProposalWidth().at(width=width, seed=seed).holds.mean() for seed in range(25)]))


class ProposalWidth(Experiment):
    title = "Forty estimates of p(x)"
    controls = [
        Number("width", "Width of q (1 = the posterior's)", 0.25, 4.0, default=1.3, log=True),
        Number("shift", "Shift of q (posterior standard deviations)", -3.0, 3.0, default=0.0, stops=121),
        Whole("K", "Samples K in each estimate", 10, 10_000, default=1000, log=True),
        Seed(default=1),
    ]
    presets = {
        "q = posterior": {"width": 1.0},
        "too narrow": {"width": 0.5},
        "too wide": {"width": 2.0},
        "off centre": {"width": 1.0, "shift": 2.0},
    }
    stills = ["q = posterior", "too narrow", "too wide", "off centre"]
    guess = OneOf(
        "q has the right centre, and is half as wide as the posterior. How often does a “95%” interval from a thousand "
        "weights hold the true p(x)?",
        on="truth",
        hides=("missed", "held", "dots", "bars"),
        at={"width": 0.5},
        options={"95% of the time": 0.95, "85%": 0.85, "70%": 0.7},
        marked=False,
        truth=lambda lab: coverage(0.5),
        because=lambda lab: (
            f"Of 1000 such intervals {coverage(0.5):.0%} hold it, and {coverage(2.0):.0%} where q is twice as wide "
            "instead of half. Press “too wide”, and New noise a few times."
        ),
        legend="lower left",
    )

    def compute(self, width: float, shift: float, K: int, seed: int) -> Proposal:
        mean, std = (torch.full((1, 1), value, dtype=torch.float64) for value in (MEAN + shift * STD, width * STD))
        log_w = exact.log_weights(exact.Case(MODEL, X, mean, std), noise(RUNS, K, seed, torch.float64))  # [M, K]
        w = log_w.exp().numpy()
        return Proposal(
            K=K,
            width=width,
            shift=shift,
            q=Normal(mean.item(), std.item()).log_prob(torch.from_numpy(Z)).exp().numpy(),
            weights=w[0] / P,
            estimates=w.mean(1),
            errors=w.std(1, ddof=1) / math.sqrt(K),
            effective=bounds.effective_sample_size(log_w[:1, :, None]).item(),
            chi_squared=MODEL.chi_squared(X, mean, std).item(),
        )

    def build(self, figure: Figure) -> SimpleNamespace:
        densities, histogram, runs = figure.subplots(1, 3, width_ratios=[1, 1, 1.15])
        densities.plot(
            Z, POSTERIOR.log_prob(torch.from_numpy(Z)[:, None]).exp(), "--", color=plots.EXACT, label="posterior"
        )
        q = densities.fill_between(Z, 0 * Z, color=plots.Q, alpha=0.45, label="q")
        outline = densities.plot(Z, 0 * Z, color=plots.Q)[0]
        densities.set(xlim=(Z[0], Z[-1]), ylim=(0, 2.2), xlabel="z", ylabel="density")
        densities.legend(loc="upper right", fontsize=11)

        bars = histogram.stairs([0] * (len(EDGES) - 1), EDGES, fill=True, color=plots.Q)
        plots.exact_line(histogram, 1.0, vertical=True)
        histogram.set(xscale="log", xlim=(EDGES[0], EDGES[-1]), ylim=(0, 1.05), yticks=[])
        histogram.set(xlabel="w / p(x)", title="weights of run 1")

        missed, held = (runs.plot([], [], color=colour, linewidth=3)[0] for colour in (plots.ELBO, plots.MIWAE))
        dots = runs.plot([], [], "o", color=plots.IWAE, markersize=4)[0]
        truth = plots.exact_line(runs, P, vertical=True)
        runs.set(xlim=(0.4 * P, 1.6 * P), ylim=(RUNS, -1), yticks=[], xlabel="estimate of p(x)")
        runs.set_title("40 intervals of 95%")
        runs.grid(axis="y", visible=False)
        return SimpleNamespace(q=q, outline=outline, bars=bars, missed=missed, held=held, dots=dots, truth=truth)

    def update(self, artists: SimpleNamespace, data: Proposal) -> None:
        artists.outline.set_data(Z, data.q)
        artists.q.set_data(Z, data.q, 0 * Z)
        counts = np.histogram(data.weights.clip(EDGES[0], EDGES[-1]), EDGES)[0]
        artists.bars.set_data(counts / counts.max())
        row = np.arange(RUNS)
        for line, chosen in ((artists.held, data.holds), (artists.missed, ~data.holds)):
            low, high = data.estimates - 1.96 * data.errors, data.estimates + 1.96 * data.errors
            line.set_data(_segments(low[chosen], high[chosen]), np.repeat(row[chosen], 3))
        artists.dots.set_data(data.estimates, row)

    def sentence(self, data: Proposal) -> str:
        spread = "infinite" if math.isinf(data.chi_squared) else f"{_short(data.chi_squared)} times p(x)²"
        return (
            f"{data.holds.sum()} of {RUNS} intervals hold the exact p(x) = {P:.4f}. Run 1: "
            f"{data.estimates[0]:.4f} ± {1.96 * data.errors[0]:.4f}, "
            f"effective sample size {data.effective:.0f} of {data.K}. "
            f"Exact variance of a weight: {spread}."
        )


def _segments(low: NDArray[np.floating], high: NDArray[np.floating]) -> NDArray[np.floating]:
    """The x of many horizontal strokes as one line: NaN lifts the pen. Shapes: ``[N], [N] -> [3 N]``."""
    return np.stack([low, high, np.full_like(low, np.nan)], 1).ravel()


def _short(value: float) -> str:
    if value < 0.005:
        return "0"
    return f"{value:.2f}" if value < 1000 else f"{value:.1e}"
