r"""Lab "03.iwae": K importance samples under one logarithm, for a q that one can widen, narrow and shift.

Nothing in the picture but the bars is sampled: the curve is the exact expectation of L_K.
"""

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
from vaecourse.exact import case_with
from vaecourse.exact.weights import noise_grid
from vaecourse.labs import any_q
from vaecourse.labs.frame import Curve, Experiment, Number, Seed, Whole
from vaecourse.labs.noise import noise

RUNS, LARGEST_K = 400, 1000
ALL_K = tuple(np.unique(np.geomspace(1, LARGEST_K, 40).round().astype(int)).tolist())
Z = np.linspace(-1.2, 2.9, 165)
LOWEST, HIGHEST = -3.2, -1.5  # of the curve's axis, in nats
EDGES = np.linspace(-3.6, -0.9, 55)


# The lab -------------------------------------------------------------------------------------------------------------


class Bounds(NamedTuple):
    """Everything in nats but the densities, which are on Z: the settings, the exact numbers, and the single runs."""

    K: int
    width: float
    log_likelihood: float
    chi_squared: float
    expected: float  # E[L_K]
    curve: NDArray[np.floating]  # E[L_k] for k in ALL_K
    q: NDArray[np.floating]
    picked: NDArray[np.floating]  # the density of one of the K samples, picked by its weight
    runs: NDArray[np.floating]  # [RUNS], estimates of L_K from K samples each


class Iwae(Experiment):
    title = "K samples under one logarithm"
    size = (8.8, 4.4)
    controls = [
        Whole("K", "Samples K", 1, LARGEST_K, default=1, log=True),
        Number("width", "Width of q (posterior: 1)", 0.3, 3.0, default=1.3, log=True),
        Number("shift", "Shift of q", 0.0, 1.5, default=0.5, stops=61),
        Seed(),
    ]
    presets = {
        "the ELBO (K = 1)": {"K": 1},
        "K = 64": {"K": 64},
        "q too wide": {"K": 64, "width": 3.0, "shift": 0.0},
        "q too narrow": {"K": 64, "width": 0.4, "shift": 0.0},
        "q beside it": {"K": 64, "width": 0.8, "shift": 1.2},
        "q is the posterior": {"K": 8, "width": 1.0, "shift": 0.0},
    }
    stills = ["the ELBO (K = 1)", "K = 64", "q too narrow"]
    guess = Curve(
        "q stays as it is, half a unit beside the posterior. K of its samples go under one logarithm. Draw how high "
        "the bound is, from K = 1 to 1000.",
        on="bound",
        hides=("bound", "law", "gap", "dot", "picked", "bars", "mean"),
        at={"K": 1},
        then={"K": LARGEST_K},
        anchors={f"K = {K}": K for K in (1, 4, 16, 64, 256, 1000)},
        stops=np.linspace(LOWEST, HIGHEST, 86).round(2).tolist(),
        start=-2.5,
        unit=" nats",
        truth=lambda lab: [lab.at(K=K).expected for K in (1, 4, 16, 64, 256, 1000)],
        because=lambda lab: (
            "The gap closes although q never moves, and from about K = 10 ten times the samples leave a tenth of it: "
            f"{lab.gap(10):.3f} nats at K = 10, {lab.gap(100):.4f} at K = 100. Is it so for a narrow q?"
        ),
    )

    def compute(self, K: int, width: float, shift: float, seed: int) -> Bounds:
        case = case_with(width, shift)
        law, curve = _law_and_curve(width, shift)
        z = (case.mean + case.std * noise_grid(case, len(law.mass))).flatten().numpy()
        step = z[1] - z[0]
        on_z = lambda density: np.interp(Z, z, density.numpy() / step, left=0.0, right=0.0)
        return Bounds(
            K=K,
            width=width,
            log_likelihood=case.model.log_likelihood(case.x).item(),
            chi_squared=case.model.chi_squared(*case[1:]).item(),
            expected=law.lower(K).item(),
            curve=curve,
            q=on_z(law.mass),
            picked=on_z(law.implied_posterior(K)),
            runs=(exact.log_weights(case, noise(RUNS, LARGEST_K, seed)[:, :K]).logsumexp(1) - math.log(K)).numpy(),
        )

    def gap(self, K: int) -> float:
        """log p(x) - E[L_K] for the q at the start, in nats."""
        data = self.at(K=K)
        return data.log_likelihood - data.expected

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["curve", "z"], ["curve", "runs"]], width_ratios=[1.35, 1])
        case = case_with(1.0, 0.0)
        truth = case.model.log_likelihood(case.x).item()

        curve = axes["curve"]
        plots.exact_line(curve, truth, "exact log p(x)")
        law = curve.plot([], [], color=plots.Q, linestyle=":", label=r"log p(x) $-\ \chi^2/(2K)$")[0]
        gap = curve.plot([], [], color=plots.ELBO, linewidth=4, solid_capstyle="butt")[0]
        curve.set(
            xscale="log", xlim=(0.85, 1200), ylim=(LOWEST, HIGHEST), xlabel="samples K (log scale)", ylabel="nats"
        )
        bound = any_q.Edged(curve, color=plots.IWAE, label="exact $E[L_K]$")
        dot = any_q.Edged(curve, color=plots.IWAE, marker="o", markersize=11, markeredgecolor="white")
        curve.plot([], [], "v", color=plots.IWAE, markersize=8, label="below the picture")
        curve.xaxis.set_major_formatter(FuncFormatter(lambda K, _: f"{K:g}"))
        curve.legend(loc="lower right")

        density = axes["z"]
        posterior = case.model.posterior(case.x)
        exact_density = posterior.log_prob(torch.from_numpy(Z)[:, None]).exp()
        density.plot(Z, exact_density, color=plots.EXACT, linestyle="--", label="posterior")
        q = density.plot([], [], color=plots.Q, linewidth=4, label="q")[0]
        picked = density.plot([], [], color=plots.IWAE, label="picked by weight")[0]
        density.set(xlim=(Z[0], Z[-1]), ylim=(0, 2.8), yticks=[], xlabel="z")
        density.legend(loc="upper right", fontsize=10, handlelength=1.2, borderaxespad=0)

        runs = axes["runs"]
        plots.exact_line(runs, truth, vertical=True)
        bars = runs.stairs(np.zeros(len(EDGES) - 1), EDGES, fill=True, color=plots.MIWAE)
        mean = runs.axvline(0, color=plots.IWAE)
        runs.set(xlim=(EDGES[0], EDGES[-1]), ylim=(0, 1.25), yticks=[], xlabel="single estimates of $L_K$, nats")
        return SimpleNamespace(
            bound=bound, law=law, gap=gap, dot=dot, q=q, picked=picked, bars=bars, mean=mean, beyond=any_q.note(runs)
        )

    def update(self, artists: SimpleNamespace, data: Bounds) -> None:
        so_far = np.array([k for k in ALL_K if k < data.K] + [data.K])  # what lies ahead is the learner's to predict
        artists.bound.set_data(so_far, [*data.curve[: len(so_far) - 1], data.expected])
        artists.law.set_data(so_far, data.log_likelihood - data.chi_squared / (2 * so_far))
        artists.gap.set_data([data.K, data.K], [data.expected, data.log_likelihood])
        artists.dot.set_data([data.K], [data.expected])
        artists.q.set_data(Z, data.q)
        artists.picked.set_data(Z, data.picked)
        share = any_q.histogram(data.runs, EDGES)
        artists.bars.set_data(share / share.max())
        artists.beyond.set_text(any_q.beyond(data.runs, EDGES))
        artists.mean.set_xdata([data.expected] * 2)

    def sentence(self, data: Bounds) -> str:
        gap = data.log_likelihood - data.expected
        law = data.chi_squared / (2 * data.K)
        if not math.isfinite(law):
            rate = "χ² is infinite: no 1/K law"
        elif law > 1:
            rate = "χ²/(2K) is above 1: too early for the law"
        else:
            rate = f"χ²/(2K) says {law:.3f}"
        above = (data.runs > data.log_likelihood).mean()
        return any_q.minus(
            f"K = {data.K}, q {data.width:.2f} posterior widths wide: the expected bound is {data.expected:.3f} nats, "
            f"{gap:.3f} below log p(x) = {data.log_likelihood:.3f} ({rate}). "
            f"{above:.0%} of the single estimates are above log p(x)."
        )


@lru_cache(maxsize=32)
def _law_and_curve(width: float, shift: float) -> tuple[exact.WeightLaw, NDArray[np.floating]]:
    law = exact.WeightLaw.of(case_with(width, shift), points=301)
    return law, torch.stack([law.lower(k) for k in ALL_K]).numpy()
