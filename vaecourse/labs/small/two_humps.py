"""Lab "03.humps": a posterior with two humps. One best Gaussian sits on a hump, the other covers both: which for K?"""

from __future__ import annotations

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

LARGEST_K = 1000
KS = np.unique(np.geomspace(1, LARGEST_K, 25).round().astype(int))
Z = np.linspace(-8, 8, 321)
LOW, HIGH = 1e-3, 2.0  # of a gap, in nats
SEEK, COVER = plots.ELBO, plots.IWAE


class Fits(NamedTuple):
    """Two Gaussians, (mean, std), least in KL(q || p) and in KL(p || q), and the gap of L_k of each up to K, [N]."""

    distance: float
    K: int
    seeking: tuple[float, float]
    covering: tuple[float, float]
    Ks: NDArray[np.integer]
    gaps: NDArray[np.floating]  # [2, N], nats


class SeekOrCover(Experiment):
    title = "Two humps, one Gaussian: sit on one, or cover both?"
    size = (8.8, 4.0)
    controls = [
        Whole("K", "Samples K", 1, LARGEST_K, default=1, log=True),
        Number("distance", "Distance of the humps (each 1 wide)", 0.0, 8.0, default=6.0, stops=33),
    ]
    presets = {
        "the ELBO (K = 1)": {"K": 1},
        "K = 64": {"K": 64},
        "nearly one hump": {"K": 64, "distance": 2.0},
        "far apart": {"K": 64, "distance": 8.0},
    }
    stills = ["the ELBO (K = 1)", "K = 64", "nearly one hump"]

    def compute(self, K: int, distance: float) -> Fits:
        (seeking, covering), laws = _fitted(distance)
        Ks = np.append(KS[KS < K], K)  # what lies ahead is the learner's to predict
        gaps = np.array([[-law.lower(int(k)).item() for k in Ks] for law in laws])
        return Fits(distance, K, seeking, covering, Ks, gaps)

    def build(self, figure: Figure) -> SimpleNamespace:
        density, gap = figure.subplots(1, 2, width_ratios=[1.1, 1])
        posterior = density.plot([], [], "--", color=plots.EXACT, label="posterior p")[0]
        seeking = density.plot([], [], color=SEEK, label="least KL(q ‖ p): seeks")[0]
        covering = density.plot([], [], color=COVER, label="least KL(p ‖ q): covers")[0]
        density.set(xlim=(Z[0], Z[-1]), ylim=(0, 0.62), yticks=[], xlabel="z")
        density.legend(loc="upper left", fontsize=10)
        curves = [gap.plot([], [], color=colour)[0] for colour in (SEEK, COVER)]
        dots = [gap.plot([], [], "o", color=c, markersize=11, markeredgecolor="white")[0] for c in (SEEK, COVER)]
        gap.set(xscale="log", yscale="log", xlim=(0.85, 1200), ylim=(LOW, HIGH), xlabel="samples K (log scale)")
        gap.set_ylabel("log p(x) $-$ $L_K$, nats (log scale)")
        for axis in (gap.xaxis, gap.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        return SimpleNamespace(posterior=posterior, seeking=seeking, covering=covering, curves=curves, dots=dots)

    def update(self, artists: SimpleNamespace, data: Fits) -> None:
        log_p = exact.TwoHumps(data.distance).log_prob(torch.from_numpy(Z))
        artists.posterior.set_data(Z, log_p.exp())
        artists.seeking.set_data(Z, plots.normal_density(Z, *data.seeking))
        artists.covering.set_data(Z, plots.normal_density(Z, *data.covering))
        for curve, dot, values in zip(artists.curves, artists.dots, np.clip(data.gaps, LOW, HIGH)):
            curve.set_data(data.Ks, values)
            dot.set_data(data.Ks[-1:], values[-1:])

    def sentence(self, data: Fits) -> str:
        seek, cover = data.gaps[:, -1]
        better = "the one that seeks" if seek < cover else "the one that covers"
        if abs(seek - cover) < 5e-5:
            better = "neither"
        return (
            f"Humps {data.distance:.2f} apart, K = {data.K}: the bound lies {seek:.4f} nats below log p(x) with the q "
            f"that seeks (width {data.seeking[1]:.2f}), {cover:.4f} with the one that covers "
            f"(width {data.covering[1]:.2f}): {better} is better."
        )


@lru_cache(maxsize=64)
def _fitted(distance: float) -> tuple[list[tuple[float, float]], list[exact.WeightLaw]]:
    """(mean, std) of the q that seeks and of the one that covers, and the laws of their weights."""
    humps = exact.TwoHumps(distance)
    fits = [humps.seeking(), humps.covering()]
    return fits, [humps.law(*q, points=301) for q in fits]
