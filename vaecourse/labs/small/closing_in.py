"""Lab "07.close": the exact bounds U_K and L_K close in on log q(z) from both sides, at every z, as K grows."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.labs.frame import Choice, Experiment, Whole

LAW = exact.MeanMixture(1)
GUESSES = {  # what tau knows of z: the slope of its mean and its standard deviation
    "the prior: it never saw z (SIVI)": (0.0, LAW.spread),
    "rough: it looks at z": (0.6, 1.1),
    "good: nearly the posterior": (0.78, 0.95),
}
LARGEST_K, AT = 100, 3.0  # the z of the right panel
Z = np.linspace(-7, 7, 29)
KS = np.unique(np.geomspace(1, LARGEST_K, 21).round().astype(int))
REACH = 3.0


class Closing(NamedTuple):
    """In nats above log q(z): U_K and L_K at each of Z, ``[2, N]``, and at AT along the K so far, ``[2, M]``."""

    K: int
    tau: str
    over_z: NDArray[np.floating]
    Ks: NDArray[np.integer]
    over_K: NDArray[np.floating]


class ClosingIn(Experiment):
    title = "Closing in on log q(z) from above and from below"
    size = (8.8, 3.9)
    controls = [
        Whole("K", "Guesses K", 1, LARGEST_K, default=1, log=True),
        Choice("tau", "The guesses come from", list(GUESSES), default=next(iter(GUESSES))),
    ]
    presets = {
        "SIVI, K = 8": {"K": 8},
        "SIVI, K = 100": {"K": 100},
        "rough, K = 8": {"K": 8, "tau": "rough: it looks at z"},
        "good, K = 8": {"K": 8, "tau": "good: nearly the posterior"},
    }
    stills = ["SIVI, K = 8", "rough, K = 8", "good, K = 8"]

    def compute(self, K: int, tau: str) -> Closing:
        half = [_gaps(z, tau, K) for z in Z[Z >= 0].tolist()]  # z and -z are alike
        over_z = np.array([*half[:0:-1], *half]).T
        Ks = np.append(KS[KS < K], K)  # what lies ahead is the learner's to predict
        return Closing(K, tau, over_z, Ks, np.array([_gaps(AT, tau, int(k)) for k in Ks]).T)

    def build(self, figure: Figure) -> SimpleNamespace:
        over_z, over_K = figure.subplots(1, 2, sharey=True, width_ratios=[1.2, 1])
        upper = [over_z.plot([], [], color=plots.UPPER, label="$E[U_K]$")[0], over_K.plot([], [], color=plots.UPPER)[0]]
        lower = [over_z.plot([], [], color=plots.IWAE, label="$E[L_K]$")[0], over_K.plot([], [], color=plots.IWAE)[0]]
        middle = over_K.plot([], [], ":", color=plots.CIWAE, label="midpoint")[0]
        between = over_z.fill_between(Z, 0 * Z, 0 * Z, color=plots.PRIOR, alpha=0.2)
        dots = [over_K.plot([], [], "o", color=c, markeredgecolor="white")[0] for c in (plots.UPPER, plots.IWAE)]
        plots.exact_line(over_z, 0.0, "log q(z)"), plots.exact_line(over_K, 0.0)
        over_z.axvline(AT, color=plots.PRIOR, linewidth=1)
        over_z.set(xlim=(-7, 7), ylim=(-REACH, REACH), xlabel="z", ylabel="nats above log q(z), cut at ±3")
        over_K.set(xscale="log", xlim=(0.9, 115), xlabel=f"guesses K, at z = {AT:g}")
        over_K.xaxis.set_major_formatter(FuncFormatter(lambda K, _: f"{K:g}"))
        over_z.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=10)
        over_K.legend(loc="lower right", fontsize=10)
        return SimpleNamespace(upper=upper, lower=lower, middle=middle, between=between, dots=dots)

    def update(self, artists: SimpleNamespace, data: Closing) -> None:
        for line, values in ((artists.upper, data.over_z[0]), (artists.lower, data.over_z[1])):
            line[0].set_data(Z, np.clip(values, -REACH, REACH))
        artists.between.set_data(Z, *np.clip(data.over_z, -REACH, REACH))
        for line, dot, values in zip((artists.upper, artists.lower), artists.dots, data.over_K):
            line[1].set_data(data.Ks, np.clip(values, -REACH, REACH))
            dot.set_data(data.Ks[-1:], np.clip(values[-1:], -REACH, REACH))
        artists.middle.set_data(data.Ks, np.clip(data.over_K.mean(0), -REACH, REACH))

    def sentence(self, data: Closing) -> str:
        above, below = data.over_K[0, -1], -data.over_K[1, -1]
        edge = data.over_z[0, -1] - data.over_z[1, -1]
        middle = abs(above - below) / 2
        return (
            f"K = {data.K}, {data.tau.partition(':')[0]} guesses: at z = {AT:g} the upper bound is {above:.4f} nats "
            f"above log q(z), the lower {below:.4f} below, and their midpoint {middle:.4f} off. At z = 7 they are "
            f"{edge:.3f} nats apart."
        )


@lru_cache(maxsize=4096)
def _gaps(z: float, tau: str, K: int) -> tuple[float, float]:
    law = _law(z, tau)
    return law.upper(K).item(), law.lower(K).item()


@lru_cache(maxsize=64)
def _law(z: float, tau: str) -> exact.WeightLaw:
    return exact.Ratio.of(LAW, z, *GUESSES[tau]).law()
