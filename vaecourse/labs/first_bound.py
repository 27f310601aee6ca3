"""The first lab: one bound, one slider. As K grows the bound rises towards the exact log p(x), its scatter shrinks."""

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
from vaecourse.labs.frame import Experiment, Seed, Whole

RUNS, LARGEST_K = 500, 1000
ACROSS = np.modf(np.arange(RUNS) * 0.618034)[0]  # where each run's dot stands: spread evenly, in no order


class Bound(NamedTuple):
    """Everything in nats; ``runs`` are single estimates of L_K, ``[RUNS]``, and ``expected`` is their exact mean."""

    K: int
    expected: float
    log_likelihood: float
    runs: NDArray[np.floating]


class ExpectedBound:
    r"""E[L_K] on the reference case, by quadrature instead of by sampling.

    .. math:: E[L_K] - \log p(x) = \int_{-\infty}^{\infty} \left( e^{-K e^v} - \varphi(e^v)^K \right) dv,
              \qquad \varphi(t) = E_q\left[ e^{-t\, w / p(x)} \right]

    which is Frullani's :math:`\log s = \int_0^\infty (e^{-t} - e^{-ts})\, dt / t`, s being the mean of K weights.
    """

    def __init__(self) -> None:
        model, x, mean, std = exact.reference(torch.float64)
        eps = torch.linspace(-14.0, 14.0, 2801, dtype=torch.float64)
        density = torch.exp(-0.5 * eps**2) / np.sqrt(2 * np.pi)
        z = mean + std * eps[:, None, None]  # [N, 1, 1]
        log_q = density.log() - std.log().squeeze()
        self.log_likelihood = model.log_likelihood(x).item()
        weight = (model.log_joint(x, z).squeeze() - log_q - self.log_likelihood).exp().numpy()  # of mean one
        self.v = np.linspace(-25.0, 40.0, 1301)
        measure = density.numpy() * 0.01
        near_one = np.array([np.log1p(measure @ np.expm1(-np.exp(v) * weight)) for v in self.v[self.v < 0]])
        far = np.array([np.log(measure @ np.exp(-np.exp(v) * weight)) for v in self.v[self.v >= 0]])
        self.log_phi = np.concatenate([near_one, far])

    def __call__(self, K: int) -> float:
        gap = np.trapezoid(np.exp(-K * np.exp(self.v)) - np.exp(K * self.log_phi), self.v)
        return self.log_likelihood + float(gap)


class FirstBound(Experiment):
    title = "One bound, one slider"
    controls = [Whole("K", "Samples K", 1, LARGEST_K, default=8, log=True), Seed()]
    presets = {"the ELBO (K = 1)": {"K": 1}, "K = 8": {"K": 8}, "K = 64": {"K": 64}, "K = 1000": {"K": 1000}}
    stills = ["the ELBO (K = 1)", "K = 8", "K = 64"]

    def __init__(self) -> None:
        self.expected = ExpectedBound()

    def compute(self, K: int, seed: int) -> Bound:
        return Bound(K, self.expected(K), self.expected.log_likelihood, _runs(seed)[:, K - 1])

    def build(self, figure: Figure) -> SimpleNamespace:
        curve, runs = figure.subplots(1, 2, sharey=True, width_ratios=[1.7, 1])
        all_K = np.unique(np.geomspace(1, LARGEST_K, 40).round().astype(int))
        curve.plot(all_K, [self.expected(K) for K in all_K], color=plots.IWAE, label="the bound: expected $L_K$")
        truth = [plots.exact_line(axes, self.expected.log_likelihood, "exact log p(x)") for axes in (curve, runs)]
        curve.set(xscale="log", xlim=(0.85, 1200), ylim=(-4.1, -0.6), xlabel="samples K (log scale)", ylabel="nats")
        curve.xaxis.set_major_formatter(FuncFormatter(lambda K, _: f"{K:g}"))
        curve.legend(loc="lower right")
        runs.set(xlim=(-0.05, 1.05), xticks=[], title=f"{RUNS} single runs")
        runs.grid(visible=False)
        gap = curve.plot([], [], color=plots.ELBO, linewidth=4, solid_capstyle="butt")[0]
        dot = curve.plot([], [], "o", color=plots.IWAE, markersize=11, markeredgecolor="white")[0]
        label = curve.text(0, 0, "", fontsize=13, color=plots.ELBO, weight="bold", va="center")
        dots = runs.plot(ACROSS, ACROSS, ".", color=plots.MIWAE, markersize=6, markeredgewidth=0)[0]
        mean = runs.axhline(0, color=plots.IWAE)
        return SimpleNamespace(gap=gap, dot=dot, label=label, dots=dots, mean=mean, truth=truth)

    def update(self, artists: SimpleNamespace, data: Bound) -> None:
        artists.gap.set_data([data.K, data.K], [data.expected, data.log_likelihood])
        artists.dot.set_data([data.K], [data.expected])
        artists.label.set_text(f"gap {data.log_likelihood - data.expected:.3f}")
        artists.label.set(position=(data.K * 1.2 if data.K < 150 else data.K / 4.4, data.expected - 0.25))
        artists.dots.set_ydata(data.runs)
        artists.mean.set_ydata([data.expected] * 2)

    def sentence(self, data: Bound) -> str:
        low, high = np.quantile(data.runs, [0.1, 0.9])
        gap = data.log_likelihood - data.expected
        return (
            f"K = {data.K}: the bound is {data.expected:.3f} nats, "
            f"{gap:.3f} below log p(x) = {data.log_likelihood:.3f}. "
            f"Eight of ten single runs land between {low:.2f} and {high:.2f}."
        )


@lru_cache(maxsize=8)
def _runs(seed: int) -> NDArray[np.floating]:
    """L_K for every K up to the largest, from one row of weights each: ``[RUNS, LARGEST_K]``."""
    generator = torch.Generator().manual_seed(seed)
    log_w = exact.reference().model.log_weights(*exact.reference()[1:], RUNS, LARGEST_K, generator)[..., 0]  # [M, K]
    return (log_w.logcumsumexp(1) - torch.arange(1, LARGEST_K + 1).log()).numpy()
