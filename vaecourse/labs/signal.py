r"""Lab "04.signal": M, K and beta, and how much signal the gradients of encoder and decoder carry, beside the bound.

The reference model. phi is the mean of q, theta the decoder's slope (1.5 in x | z ~ N(1.5 z, 0.7)); each has one number
as its gradient. Means and standard deviations are exact, ``exact.RowGradients``; only the histograms are sampled.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import exact, plots
from vaecourse.labs.frame import Choice, Curve, Experiment, Number, Seed, Switch, Whole

BUDGET = 64
FREE, FIXED = "free", f"M K = {BUDGET}: M follows K"
LARGEST_M, LARGEST_K = 64, 1024
SAMPLES, ESTIMATES = 2**19, 1000  # in the random table, and at most in a histogram
EDGES = np.linspace(-4, 10, 57)  # of the histograms, in standard deviations

# The field's letters for what the two gradients are for, and the names that the exact theory gives them.
PARAMETERS = {"phi": "mean", "theta": "weight"}


@lru_cache(maxsize=1)
def rows() -> exact.RowGradients:
    """The exact gradients of the reference case."""
    return exact.RowGradients(exact.reference(torch.float64))


def signal_to_noise(parameter: str, M: int, K: int, beta: float = 0.0) -> float:
    """|mean| / sd of the gradient of CIWAE(beta) with M groups of K; MIWAE is beta = 0."""
    return rows().signal_to_noise("ciwae", PARAMETERS[parameter], M, K, beta=beta)


# The lab -------------------------------------------------------------------------------------------------------------


class Signal(NamedTuple):
    """The settings as they took effect; exact SNRs at them and along K; the bound in nats; single estimates."""

    M: int
    K: int
    beta: float
    pooled: bool
    fixed: bool
    theta: float
    phi: float
    value: float
    Ks: NDArray[np.integer]
    theta_curve: NDArray[np.floating]
    phi_curve: NDArray[np.floating]
    value_curve: NDArray[np.floating]
    theta_runs: NDArray[np.floating]  # single estimates in units of their exact sd, their mean at +SNR
    phi_runs: NDArray[np.floating]


class SignalToNoise(Experiment):
    title = "How much signal is in a gradient?"
    size = (8.8, 4.9)
    controls = [
        Whole("K", "Samples K under one logarithm", 1, LARGEST_K, default=1, log=True),
        Whole("M", "Estimates M, averaged", 1, LARGEST_M, default=1, log=True),
        Number("beta", "β, share of the ELBO (CIWAE)", 0.0, 1.0, default=0.0, stops=41, digits=3),
        Choice("budget", "Budget", [FREE, FIXED], default=FREE),
        Switch("pooled", "The decoder pools all M K samples (PIWAE)"),
        Seed(),
    ]
    presets = {
        "VAE (64, 1)": {"M": 64, "K": 1},
        "drown the encoder": {"M": 1, "K": 1024},
        "IWAE (1, 64)": {"M": 1, "K": 64},
        "rescue it with MIWAE": {"M": 64, "K": 64},
        "same budget, M = K = 8": {"K": 8, "budget": FIXED},
        "CIWAE, β = .5": {"M": 1, "K": 64, "beta": 0.5},
        "PIWAE (8, 8)": {"M": 8, "K": 8, "pooled": True},
    }
    stills = ["IWAE (1, 64)", "same budget, M = K = 8", "PIWAE (8, 8)"]
    guess = Curve(
        "K goes from 1 to 1024, and the bound becomes as good as exact. Draw the signal-to-noise ratio of the "
        "encoder's gradient.",
        on="phi",
        hides=("usual", "theta", "phi", "theta_dot", "phi_dot", "value", "value_dot", "theta_bars", "phi_bars"),
        at={"M": 1, "K": 1},
        then={"M": 1, "K": LARGEST_K},
        anchors={f"K = {K}": K for K in (1, 4, 16, 64, 256, 1024)},
        stops=np.geomspace(0.012, 300, 89).tolist(),
        start=1.0,
        truth=lambda lab: [lab.at(K=K).phi for K in (1, 4, 16, 64, 256, 1024)],
        because=lambda lab: (
            f"The encoder's falls without an end, from {lab.at(K=1).phi:.2f} to {lab.at(K=1024).phi:.3f}; the "
            f"decoder's ends at {lab.at(K=1024).theta:.1f}. Eight groups of 8 samples give the encoder "
            f"{lab.at(M=8, K=8).phi:.2f}, one of 64 {lab.at(K=64).phi:.3f}."
        ),
        legend="lower left",
    )

    def compute(self, K: int, M: int, beta: float, budget: str, pooled: bool, seed: int) -> Signal:
        fixed = budget == FIXED
        if fixed:
            K = 2 ** round(math.log2(min(K, BUDGET)))  # a divisor of the budget
            M = BUDGET // K
        Ks = 2 ** np.arange(0, int(math.log2(BUDGET if fixed else LARGEST_K)) + 1)
        Ms = BUDGET // Ks if fixed else np.full(len(Ks), M)
        theta, phi, value = zip(*(_exact(int(m), int(k), beta, pooled) for m, k in zip(Ms, Ks)))
        here = _exact(M, K, beta, pooled)
        runs = {
            "theta": _estimates("theta", 1, M * K, 0.0, seed) if pooled else _estimates("theta", M, K, beta, seed),
            "phi": _estimates("phi", M, K, beta, seed),
        }
        return Signal(
            M, K, beta, pooled, fixed, *here, Ks, np.array(theta), np.array(phi), np.array(value),
            runs["theta"], runs["phi"],
        )  # fmt: skip

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["snr", "bound"], ["snr", "runs"]], width_ratios=[1.25, 1])
        snr, bounds, runs = axes["snr"], axes["bound"], axes["runs"]
        Ks = 2 ** np.arange(0, 11)
        usual = [
            snr.plot(Ks, [signal_to_noise(parameter, 1, int(k)) for k in Ks], ":", color=colour, linewidth=1.5)[0]
            for parameter, colour in (("theta", plots.DECODER), ("phi", plots.ENCODER))
        ]
        theta = snr.plot([], [], color=plots.DECODER, label="decoder, θ")[0]
        phi = snr.plot([], [], color=plots.ENCODER, label="encoder, φ")[0]
        snr.plot([], [], ":", color=plots.PRIOR, linewidth=1.5, label="IWAE, M = 1")
        look: dict[str, Any] = {"markersize": 11, "markeredgecolor": "white"}
        theta_dot = snr.plot([], [], "o", color=plots.DECODER, **look)[0]
        phi_dot = snr.plot([], [], "o", color=plots.ENCODER, **look)[0]
        snr.axhline(1, color=plots.PRIOR, linewidth=1)
        snr.set(xscale="log", yscale="log", xlim=(0.85, 1200), ylim=(0.012, 300), xlabel="samples K (log scale)")
        snr.set_ylabel("SNR, |mean| / sd (exact, log scale)")
        snr.legend(loc="upper left", fontsize=10)

        plots.exact_line(bounds, _log_p(), "exact log p(x)")
        value = bounds.plot([], [], color=plots.IWAE, label="bound (expected)")[0]
        value_dot = bounds.plot([], [], "o", color=plots.IWAE, **look)[0]
        bounds.set(xscale="log", xlim=(0.85, 1200), ylim=(-2.5, -1.65), ylabel="nats", xlabel="K")
        bounds.legend(loc="lower right", fontsize=10)
        for axis in (snr.xaxis, bounds.xaxis, snr.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))

        empty = np.zeros(len(EDGES) - 1)
        phi_bars = runs.stairs(empty, EDGES, fill=True, color=plots.ENCODER, alpha=0.55)
        theta_bars = runs.stairs(empty, EDGES, color=plots.DECODER, linewidth=2.5)
        runs.axvline(0, color=plots.PRIOR, linewidth=1.5)
        runs.set(xlim=(EDGES[0], EDGES[-1]), ylim=(0, 0.16), yticks=[], xlabel="single gradients, in their own sd")
        return SimpleNamespace(
            theta=theta, phi=phi, theta_dot=theta_dot, phi_dot=phi_dot, value=value, value_dot=value_dot,
            theta_bars=theta_bars, phi_bars=phi_bars, usual=usual,
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Signal) -> None:
        artists.theta.set_data(data.Ks, data.theta_curve)
        artists.phi.set_data(data.Ks, data.phi_curve)
        artists.value.set_data(data.Ks, data.value_curve)
        artists.theta_dot.set_data([data.K], [data.theta])
        artists.phi_dot.set_data([data.K], [data.phi])
        artists.value_dot.set_data([data.K], [data.value])
        for bars, runs in ((artists.theta_bars, data.theta_runs), (artists.phi_bars, data.phi_runs)):
            inside = np.clip(runs, EDGES[0] + 1e-9, EDGES[-1] - 1e-9)  # what is off the scale stands at its edge
            bars.set_data(np.minimum(np.histogram(inside, EDGES)[0] / len(runs), 0.16))

    def sentence(self, data: Signal) -> str:
        gap = _log_p() - data.value
        budget = f", M K fixed at {BUDGET}" if data.fixed else ""
        idle = [f"β = {data.beta:g} at K = 1"] * (data.K == 1 and data.beta > 0)
        idle += ["pooling at M = 1"] * (data.M == 1 and data.pooled)
        in_vain = f" Not in use: {', '.join(idle)}." if idle else ""
        return (
            f"{_name(data)} with M = {data.M}, K = {data.K}{budget}: the signal-to-noise ratio is {data.phi:.3g} for "
            f"the encoder and {data.theta:.3g} for the decoder; the bound is {data.value:.3f} nats, {gap:.2g} below "
            f"log p(x). It takes {data.M * data.K} samples.{in_vain}"
        )


@lru_cache(maxsize=1)
def _log_p() -> float:
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


def _name(data: Signal) -> str:
    """What people call this setting."""
    if data.pooled and data.M > 1:
        return "PIWAE" if data.beta == 0 else f"PIWAE for θ, CIWAE(β = {data.beta:g}) for φ"
    if data.K == 1 or data.beta == 1:
        return "The ELBO"
    if data.beta > 0:
        return f"CIWAE(β = {data.beta:g})"
    return "IWAE" if data.M == 1 else "MIWAE"


def _exact(M: int, K: int, beta: float, pooled: bool) -> tuple[float, float, float]:
    """Both signal-to-noise ratios and the expected bound. Pooled, theta climbs L of M K, and that is the bound."""
    theta = signal_to_noise("theta", 1, M * K) if pooled else signal_to_noise("theta", M, K, beta)
    value = _value("iwae", M, K, 0.0) if pooled else _value("ciwae", M, K, beta)
    return theta, signal_to_noise("phi", M, K, beta), value


@lru_cache(maxsize=2048)
def _value(row: str, M: int, K: int, beta: float) -> float:
    return rows().value(row, M, K, beta=beta)


@lru_cache(maxsize=1)  # 6 MB
def _table(seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Weights and slopes of ``SAMPLES`` draws of q."""
    eps = torch.randn(SAMPLES, generator=torch.Generator().manual_seed(seed))
    slopes = exact.slopes(exact.reference(torch.float64), eps)
    return slopes.log_w.exp(), {name: slopes.whole(parameter) for name, parameter in PARAMETERS.items()}


def _estimates(parameter: str, M: int, K: int, beta: float, seed: int) -> NDArray[np.floating]:
    """Independent estimates of the gradient, in units of their exact sd, with the sign that puts their mean at +SNR."""
    R = min(ESTIMATES, SAMPLES // (M * K))
    w, slopes = _table(seed)
    w, g = (values[: R * M * K].view(R, M, K) for values in (w, slopes[parameter]))
    by_share = (w * g).sum(2) / w.sum(2)  # [R, M]
    estimate = (beta * g.mean(2) + (1 - beta) * by_share).mean(1)
    mean, variance = rows().moments("ciwae", PARAMETERS[parameter], M, K, beta=beta)
    return (math.copysign(1, mean) * estimate / math.sqrt(variance)).numpy()
