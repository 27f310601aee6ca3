"""The first lab: one bound, one slider. As K grows the bound rises towards the exact log p(x), its scatter shrinks."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.labs import any_q
from vaecourse.labs.frame import Experiment, OneOf, Seed, Whole
from vaecourse.labs.noise import noise

RUNS, LARGEST_K = 500, 1000
ALL_K = np.unique(np.geomspace(1, LARGEST_K, 40).round().astype(int))  # where the curve has its points
ACROSS = np.modf(np.arange(RUNS) * 0.618034)[0]  # where each run's dot stands: spread evenly, in no order


class Bound(NamedTuple):
    """Everything in nats; ``runs`` are single estimates of L_K, ``[RUNS]``, and ``expected`` is their exact mean."""

    K: int
    expected: float
    log_likelihood: float
    runs: NDArray[np.floating]


class FirstBound(Experiment):
    title = "One bound, one slider"
    controls = [Whole("K", "Samples K", 1, LARGEST_K, default=1, log=True), Seed()]
    presets = {"the ELBO (K = 1)": {"K": 1}, "K = 8": {"K": 8}, "K = 64": {"K": 64}, "K = 1000": {"K": 1000}}
    stills = ["the ELBO (K = 1)", "K = 8", "K = 64"]
    guess = OneOf(
        "One sample falls 0.609 nats short of log p(x). How many close nine tenths of that gap?",
        on="line",
        options={"about 7": 7, "about 70": 70, "about 700": 700},
        truth=lambda lab: lab.closing(0.9),
        because=lambda lab: (
            f"{lab.closing(0.9)} samples close nine tenths of the gap, {lab.closing(0.99)} nine tenths of the rest: "
            "the first few are a bargain. Drag K back, and see."
        ),
        then={"K": LARGEST_K},
    )

    def __init__(self) -> None:
        case = exact.reference(torch.float64)
        law = exact.WeightLaw.of(case)
        self.expected = torch.stack([law.lower(K) for K in range(1, LARGEST_K + 1)]).numpy()  # [LARGEST_K], E[L_K]
        self.log_likelihood = case.model.log_likelihood(case.x).item()

    def closing(self, share: float) -> int:
        """The smallest K that closes this share of the gap of K = 1."""
        gaps = self.log_likelihood - self.expected
        return int(np.argmax(gaps <= (1 - share) * gaps[0])) + 1

    def compute(self, K: int, seed: int) -> Bound:
        log_w = exact.log_weights(exact.reference(torch.float64), noise(RUNS, LARGEST_K, seed)[:, :K])  # [RUNS, K]
        runs = log_w.logsumexp(1) - math.log(K)
        return Bound(K, float(self.expected[K - 1]), self.log_likelihood, runs.numpy())

    def build(self, figure: Figure) -> SimpleNamespace:
        curve, runs = figure.subplots(1, 2, sharey=True, width_ratios=[1.7, 1])
        line = curve.plot([], [], color=plots.IWAE, label="the bound: expected $L_K$")[0]
        truth = [plots.exact_line(axes, self.log_likelihood, "exact log p(x)") for axes in (curve, runs)]
        curve.set(xscale="log", xlim=(0.85, 1200), ylim=(-4.1, -0.6), xlabel="samples K (log scale)", ylabel="nats")
        curve.xaxis.set_major_formatter(FuncFormatter(lambda K, _: f"{K:g}"))
        curve.legend(loc="lower right")
        runs.set(xlim=(-0.05, 1.05), xticks=[], title=f"{RUNS} single runs")
        runs.grid(visible=False)
        gap = curve.plot([], [], color=plots.ELBO, linewidth=4, solid_capstyle="butt")[0]
        dot = curve.plot([], [], "o", color=plots.IWAE, markersize=11, markeredgecolor="white")[0]
        label = curve.text(0, 0, "", fontsize=13, color=plots.ELBO, weight="bold", va="center")
        look = {"color": plots.MIWAE, "linestyle": "", "marker": ".", "markersize": 6, "markeredgewidth": 0}
        dots = any_q.Edged(runs, **look)
        runs.plot([], [], "v", color=plots.MIWAE, label="below the picture")
        runs.legend(loc="upper right", fontsize=10)
        mean = runs.axhline(0, color=plots.IWAE)
        return SimpleNamespace(line=line, gap=gap, dot=dot, label=label, dots=dots, mean=mean, truth=truth)

    def update(self, artists: SimpleNamespace, data: Bound) -> None:
        so_far = np.append(ALL_K[ALL_K < data.K], data.K)  # no further: the rest is the learner's prediction
        artists.line.set_data(so_far, self.expected[so_far - 1])
        artists.gap.set_data([data.K, data.K], [data.expected, data.log_likelihood])
        artists.dot.set_data([data.K], [data.expected])
        artists.label.set_text(f"gap {data.log_likelihood - data.expected:.4f}")
        artists.label.set(position=(data.K * 1.2 if data.K < 150 else data.K / 4.4, data.expected - 0.25))
        artists.dots.set_data(ACROSS, data.runs)
        artists.mean.set_ydata([data.expected] * 2)

    def sentence(self, data: Bound) -> str:
        low, high = np.quantile(data.runs, [0.1, 0.9])
        gap = data.log_likelihood - data.expected
        return (
            f"K = {data.K}: the bound is {data.expected:.4f} nats, "
            f"{gap:.4f} below log p(x) = {data.log_likelihood:.4f}. "
            f"Eight of ten runs land between {low:.2f} and {high:.2f}."
        )
