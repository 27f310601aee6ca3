"""Lab "04.widths": the exact signal-to-noise ratio against K, for a narrow, a fair and a wide q at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.labs.any_q import rows
from vaecourse.labs.frame import Choice, Experiment, Whole

SHIFT, LARGEST_K = 0.5, 1024  # of q, as in the reference case
WIDTHS = {0.5: plots.ELBO, 1.3: plots.IWAE, 2.5: plots.CIWAE}  # in posterior widths
FOR = {"the mean of q": "mean", "the width of q": "std", "the decoder's slope": "weight"}
KS = np.unique(np.geomspace(1, LARGEST_K, 31).round().astype(int))
LOW, HIGH = 2e-3, 30.0
Z = np.linspace(-1.6, 4.2, 233)


class Ratios(NamedTuple):
    """|mean| / sd of one gradient of L_K, for each of WIDTHS: along the K up to this one, ``[3, N]``."""

    K: int
    of: str
    Ks: NDArray[np.integer]
    curves: NDArray[np.floating]


class ThreeWidths(Experiment):
    title = "Does every q drown? Three widths at once"
    size = (8.8, 4.0)
    controls = [
        Whole("K", "Samples K under one logarithm", 1, LARGEST_K, default=1, log=True),
        Choice("of", "A gradient for", list(FOR), default="the mean of q"),
    ]
    presets = {
        "the mean, K = 1024": {"K": 1024},
        "the width, K = 1024": {"K": 1024, "of": "the width of q"},
        "the decoder, K = 1024": {"K": 1024, "of": "the decoder's slope"},
    }
    stills = list(presets)

    def compute(self, K: int, of: str) -> Ratios:
        Ks = np.append(KS[KS < K], K)  # what lies ahead is the learner's to predict
        curves = [[rows(width, SHIFT).signal_to_noise("iwae", FOR[of], K=int(k)) for k in Ks] for width in WIDTHS]
        return Ratios(K, of, Ks, np.array(curves))

    def build(self, figure: Figure) -> SimpleNamespace:
        ratio, density = figure.subplots(1, 2, width_ratios=[1.6, 1])
        curves = [ratio.plot([], [], color=colour, label=f"{w} wide")[0] for w, colour in WIDTHS.items()]
        dots = [ratio.plot([], [], "o", color=c, markersize=11, markeredgecolor="white")[0] for c in WIDTHS.values()]
        guide = ratio.plot([], [], ":", color=plots.PRIOR, label="$\\sqrt{K}$ up, or down")[0]
        ratio.set(xscale="log", yscale="log", xlim=(0.85, 1200), ylim=(LOW, HIGH), xlabel="samples K (log scale)")
        ratio.set_ylabel("SNR, |mean| / sd (exact, log scale)")
        for axis in (ratio.xaxis, ratio.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        ratio.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, fontsize=10, handlelength=1.2, columnspacing=1
        )

        posterior = exact.case_with(1.0, 0.0)
        density.plot(
            Z, plots.normal_density(Z, posterior.mean.item(), posterior.std.item()), "--", color=plots.EXACT,
            label="posterior",
        )  # fmt: skip
        for width, colour in WIDTHS.items():
            q = exact.case_with(width, SHIFT)
            density.plot(Z, plots.normal_density(Z, q.mean.item(), q.std.item()), color=colour)
        density.set(xlim=(Z[0], Z[-1]), ylim=(0, 1.9), yticks=[], xlabel="z")
        density.legend(loc="upper right", fontsize=10)
        return SimpleNamespace(curves=curves, dots=dots, guide=guide)

    def update(self, artists: SimpleNamespace, data: Ratios) -> None:
        shown = np.clip(data.curves, LOW, HIGH)
        for curve, dot, values in zip(artists.curves, artists.dots, shown):
            curve.set_data(data.Ks, values)
            dot.set_data(data.Ks[-1:], values[-1:])
        power = 0.5 if FOR[data.of] == "weight" else -0.5
        artists.guide.set_data(KS, shown[1, 0] * KS**power)

    def sentence(self, data: Ratios) -> str:
        now = [f"{values[-1]:.2g} for the q {width} wide" for width, values in zip(WIDTHS, data.curves)]
        since = "" if data.K == 1 else f" It was {', '.join(f'{v:.2g}' for v in data.curves[:, 0])} at K = 1."
        return f"A gradient for {data.of} at K = {data.K}: its ratio is {now[0]}, {now[1]}, {now[2]}.{since}"
