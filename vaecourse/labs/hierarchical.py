r"""Lab "07.bounds": U_K and L_K close on log q(z), for a tau that does not look at z, has learned to, or is exact.

The Gaussian mean mixture. Both curves are exact expectations at one z, for any number of dimensions: ``exact.Ratio``.
Only the histograms are sampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import exact, hierarchical, plots
from vaecourse.labs.controls import Slider
from vaecourse.labs.frame import Choice, Experiment, Number, OnAxis, Seed, Whole

PRIOR, LEARNED, POSTERIOR = "prior (SIVI)", "learned (IWHVI)", "exact posterior"
LARGEST_K, MOST_STEPS, RUNS = 1000, 200, 200
ALL_K = (0, *np.unique(np.geomspace(1, LARGEST_K, 24).round().astype(int)).tolist())
PSI = np.linspace(-7, 9, 241)
FURTHEST = 300.0  # of the curves, in nats from the exact value
EDGES = np.concatenate([-np.geomspace(100, 0.1, 25)[:-1], np.linspace(-0.1, 0.1, 13), np.geomspace(0.1, 100, 25)[1:]])


@lru_cache(maxsize=1)
def learned() -> list[tuple[float, float]]:
    """(slope, std) of tau after 0, 1, ..., ``MOST_STEPS`` steps of learning, from the prior."""
    return exact.learning_path(exact.MeanMixture(1), MOST_STEPS)


def inverse_model(tau: str, steps: int) -> tuple[float, float]:
    """(slope, std) of the tau that the controls name."""
    law = exact.MeanMixture(1)
    return {PRIOR: (0.0, law.spread), POSTERIOR: (law.slope, law.std)}.get(tau) or learned()[steps]


def single_bounds(ratio: exact.Ratio, K: int, seed: int) -> tuple[Tensor, Tensor]:
    """``RUNS`` single U_K, and L_K of the same draws without psi_0, in nats from log q(z). ``2 x [RUNS]``."""
    log_r = ratio.draws(*(part[: K + 1] for part in _noise(seed, ratio.dim, 30 if K <= 30 else LARGEST_K)))
    return hierarchical.upper_bound(log_r), hierarchical.lower_bound(log_r) if K else torch.empty(0)


@lru_cache(maxsize=4)
def _noise(seed: int, dim: int, K: int) -> tuple[Tensor, Tensor]:
    """A normal number for the way to the point, and the squared length of the dim - 1 others. 2 x ``[K + 1, RUNS]``.

    Row k is the same for every K.
    """
    normal, gamma = (np.random.default_rng([seed, part]) for part in range(2))
    along = normal.standard_normal((K + 1, RUNS), dtype=np.float32)
    across = 2 * gamma.standard_gamma(0.5 * (dim - 1), along.shape, dtype=np.float32)  # chi-square; 0 for dim = 1
    return torch.from_numpy(along), torch.from_numpy(across)


@lru_cache(maxsize=32)
def _expected(ratio: exact.Ratio) -> tuple[exact.WeightLaw, NDArray[np.floating]]:
    """Both bounds, and their curves along ``ALL_K``: upper and lower, ``[2, J]``, NaN where K = 0 has no lower one."""
    law = ratio.law()
    upper = [law.upper(k).item() for k in ALL_K]
    return law, np.array([upper, [law.lower(k).item() if k else math.nan for k in ALL_K]])


# The lab -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WholeFromZero(Whole):
    """A slider over whole numbers in equal ratios, with 0 before the first."""

    def make(self) -> Slider:
        slider = super().make()
        slider.min, slider.stops, slider.value = 0.0, [0.0, *slider.stops], self.default
        return slider


class Bounds(NamedTuple):
    """The settings, and bounds in nats from log q(z): expected ones at K and along ``ALL_K``, single ones."""

    K: int
    dim: int
    name: str  # of tau
    log_q: float
    chi_squared: float
    upper: float
    lower: float  # NaN for K = 0
    upper_curve: NDArray[np.floating]
    lower_curve: NDArray[np.floating]
    tau: NDArray[np.floating]  # density of psi_1, on PSI
    posterior: NDArray[np.floating]
    upper_runs: NDArray[np.floating]
    lower_runs: NDArray[np.floating]


class HierarchicalBounds(Experiment):
    title = "Two bounds on log q(z)"
    size = (8.8, 4.8)
    controls = [
        WholeFromZero("K", "Draws K of tau", 1, LARGEST_K, default=5, log=True),
        Choice("tau", "tau(ψ | z)", [PRIOR, LEARNED, POSTERIOR], default=LEARNED),
        Whole("steps", "Steps of learning (if tau is learned)", 0, MOST_STEPS, default=10),
        Whole("dim", "Dimensions", 1, 50, default=5),
        Number("z", "Every z_d, in standard deviations", 0.0, 2.0, default=1.0, stops=41),
        Seed(),
    ]
    presets = {
        "HVM (K = 0)": {"K": 0},
        "SIVI": {"K": 50, "tau": PRIOR},
        "IWHVI": {"K": 50, "steps": 30},
        "exact tau": {"K": 0, "tau": POSTERIOR},
        "SIVI in 50 dimensions": {"K": 1000, "dim": 50, "tau": PRIOR},
        "IWHVI in 50 dimensions": {"K": 50, "dim": 50, "steps": 60},
        "z far out": {"K": 50, "z": 2.0, "tau": PRIOR},
    }
    stills = ["SIVI", "IWHVI", "SIVI in 50 dimensions"]
    guess = OnAxis(
        "Fifty dimensions, and tau does not look at z. A thousand draws of it. How far above log q(z) is the upper "
        "bound still? (It began, at K = 0, 40.2 nats above.)",
        on="upper",
        hides=("upper", "lower", "middle", "upper_dot", "lower_dot", "upper_bars", "lower_bars"),
        at={"K": 1000, "dim": 50, "tau": PRIOR},
        label="upper bound at K = 1000, above log q(z)",
        stops=[0.0, *np.geomspace(0.1, 40, 53).round(2).tolist()],
        start=3.0,
        beside=1000.0,
        unit=" nats",
        digits=1,
        truth=lambda lab: lab.above(1000, PRIOR, 0),
        because=lambda lab: (
            f"A tau that has learned for 60 steps to look at z is {lab.above(0, LEARNED, 60):.1f} nats above with no "
            f"draw of its own, and {lab.above(50, LEARNED, 60):.1f} with fifty. In one dimension eight draws of the "
            f"prior leave {lab.at(K=8, tau=PRIOR, dim=1).upper:.2f}."
        ),
        legend=(0.01, 0.2),
    )

    def compute(self, K: int, tau: str, steps: int, dim: int, z: float, seed: int) -> Bounds:
        law = exact.MeanMixture(dim)
        z_d = z * math.hypot(law.spread, law.noise)
        slope, std = inverse_model(tau, steps)
        at = torch.full((dim,), z_d, dtype=torch.float64)
        if tau == POSTERIOR:
            upper = lower = 0.0
            curves: NDArray[np.floating] = np.zeros((2, len(ALL_K)))
            runs = torch.zeros(RUNS), torch.zeros(RUNS if K else 0)
        else:
            ratio = exact.Ratio.of(law, z_d, slope, std)
            bounds, curves = _expected(ratio)
            upper, lower = bounds.upper(K).item(), bounds.lower(K).item() if K else math.nan
            runs = single_bounds(ratio, K, seed)
        return Bounds(
            K=K,
            dim=dim,
            name=f"learned for {steps} step{'s' * (steps != 1)}" if tau == LEARNED else tau,
            log_q=law.log_prob(at).item(),
            chi_squared=max(law.chi_squared(at, slope, std).item(), 0.0),
            upper=upper,
            lower=lower if K else math.nan,
            upper_curve=curves[0],
            lower_curve=curves[1],
            tau=plots.normal_density(PSI, slope * z_d, std),
            posterior=plots.normal_density(PSI, law.slope * z_d, law.std),
            upper_runs=runs[0].numpy(),
            lower_runs=runs[1].numpy(),
        )

    def above(self, K: int, tau: str, steps: int) -> float:
        """E[U_K] - log q(z) in fifty dimensions, in nats."""
        return self.at(K=K, tau=tau, steps=steps, dim=50).upper

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["curve", "psi"], ["curve", "runs"]], width_ratios=[1.3, 1])
        curve, density, runs = axes["curve"], axes["psi"], axes["runs"]
        look: dict[str, Any] = {"markersize": 11, "markeredgecolor": "white"}
        plots.exact_line(curve, 0, "exact log q(z)")
        upper = curve.plot([], [], color=plots.UPPER, label="exact $E[U_K]$")[0]
        lower = curve.plot([], [], color=plots.IWAE, label="exact $E[L_K]$")[0]
        middle = curve.plot([], [], ":", color=plots.PRIOR, label="their midpoint")[0]
        upper_dot = curve.plot([], [], "o", color=plots.UPPER, **look)[0]
        lower_dot = curve.plot([], [], "o", color=plots.IWAE, **look)[0]
        curve.set_xscale("symlog", linthresh=1)
        curve.set_yscale("symlog", linthresh=0.1)
        ticks = [0.1, 1, 10, 100]
        curve.set(xlim=(-0.25, 1300), ylim=(-20 * FURTHEST, FURTHEST), xticks=[0, 1, 10, 100, 1000])
        curve.set(yticks=[*(-tick for tick in reversed(ticks)), 0, *ticks])
        curve.set(xlabel="draws K of tau (log scale)", ylabel="nats from log q(z) (log scale)")
        for axis in (curve.xaxis, curve.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        curve.legend(loc="lower right", fontsize=10, ncols=2)

        law = exact.MeanMixture(1)
        density.plot(PSI, plots.normal_density(PSI, sd=law.spread), color=plots.PRIOR, linewidth=1.5, label="prior")
        tau = density.plot([], [], color=plots.Q, linewidth=4, label="tau")[0]
        posterior = density.plot([], [], color=plots.EXACT, linestyle="--", label="posterior")[0]
        density.set(xlim=(PSI[0], PSI[-1]), ylim=(0, 0.5), yticks=[], xlabel="$\\psi$, one dimension of it")
        density.legend(loc="upper left", fontsize=10, handlelength=1.2, borderaxespad=0)

        empty = np.zeros(len(EDGES) - 1)
        lower_bars = runs.stairs(empty, EDGES, fill=True, color=plots.IWAE, alpha=0.55)
        upper_bars = runs.stairs(empty, EDGES, color=plots.UPPER, linewidth=2.5)
        plots.exact_line(runs, 0, vertical=True)
        runs.set_xscale("symlog", linthresh=0.1)
        runs.set(xlim=(EDGES[0], EDGES[-1]), ylim=(0, 0.3), yticks=[], xticks=[-10, -1, 0, 1, 10])
        runs.set_xlabel("single $U_K$ and $L_K$, nats from log q(z)")
        runs.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        return SimpleNamespace(
            upper=upper, lower=lower, middle=middle, upper_dot=upper_dot, lower_dot=lower_dot, tau=tau,
            posterior=posterior, upper_bars=upper_bars, lower_bars=lower_bars,
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Bounds) -> None:
        so_far = np.array([k for k in ALL_K if k < data.K] + [data.K])  # what lies ahead is the learner's to predict
        upper = np.array([*data.upper_curve[: len(so_far) - 1], data.upper])
        lower = np.array([*data.lower_curve[: len(so_far) - 1], data.lower])
        lower = np.maximum(lower, -FURTHEST)
        artists.upper.set_data(so_far, np.minimum(upper, FURTHEST))
        artists.lower.set_data(so_far, lower)
        artists.middle.set_data(so_far, (upper + lower) / 2)
        artists.upper_dot.set_data([data.K], [min(data.upper, FURTHEST)])
        artists.lower_dot.set_data([data.K], [lower[-1]])
        artists.tau.set_data(PSI, data.tau)
        artists.posterior.set_data(PSI, data.posterior)
        for bars, runs in ((artists.upper_bars, data.upper_runs), (artists.lower_bars, data.lower_runs)):
            inside = np.clip(runs, EDGES[0] + 1e-9, EDGES[-1] - 1e-9)  # what is off the scale stands at its edge
            bars.set_data(np.minimum(np.histogram(inside, EDGES)[0] / RUNS, 0.3))

    def sentence(self, data: Bounds) -> str:
        law = data.chi_squared / (2 * (data.K + 1))
        if law > 1:
            rate = "χ²/(2(K+1)) is above 1: too early for the law"
        else:
            rate = f"χ²/(2(K+1)) says {law:.3f}"
        below = f"E[L_K] is {abs(data.lower):.3f} below" if data.K else "without draws of tau there is no L_K"
        return (
            f"K = {data.K}, tau: {data.name}, {data.dim} dimension{'s' * (data.dim != 1)}: log q(z) = {data.log_q:.3f} "
            f"nats. E[U_K] is {abs(data.upper):.3f} above it ({rate}), {below}. "
            f"{(data.upper_runs < -1e-12).mean():.0%} of the single U_K are below log q(z)."
        )
