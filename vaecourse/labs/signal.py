r"""Lab "04.signal": M, K and beta, and how much signal the gradients of encoder and decoder carry, beside the bound.

The reference model with any q. phi is the mean of q, theta the decoder's slope (1.5 in x | z ~ N(1.5 z, 0.7)); each has
one number as its gradient. Means and standard deviations are exact, ``exact.RowGradients``; only the histograms are
sampled.
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
from vaecourse.labs import any_q
from vaecourse.labs.any_q import rows
from vaecourse.labs.frame import Choice, Curve, Experiment, Number, Seed, Switch, Whole

BUDGET = 64
FREE, FIXED = "free", f"M K = {BUDGET}: M follows K"
LARGEST_M, LARGEST_K = 64, 1024
SAMPLES, ESTIMATES = 2**18, 1000  # in the random table, and at most in a histogram
BLOCK = 2**16  # samples at a time: what large arrays leave behind, the system seldom gets back
IWAE_K = 2 ** np.arange(0, int(math.log2(LARGEST_K)) + 1)
EDGES = np.linspace(-4, 10, 57)  # of the histograms, in standard deviations

# The field's letters for what the two gradients are for, and the names that the exact theory gives them.
PARAMETERS = {"phi": "mean", "theta": "weight"}


Q = (1.3, 0.5)  # width and shift of the reference q


def signal_to_noise(parameter: str, M: int, K: int, beta: float = 0.0, q: tuple[float, float] = Q) -> float:
    """|mean| / sd of the gradient of CIWAE(beta) with M groups of K; MIWAE is beta = 0."""
    of = rows(*q)
    return any_q.ratio(of.moments("ciwae", PARAMETERS[parameter], M, K, beta=beta), of.case.std.item())


# The lab -------------------------------------------------------------------------------------------------------------


class Signal(NamedTuple):
    """The settings as they took effect; exact SNRs at them and along K; the bound in nats; single estimates."""

    q: tuple[float, float]  # width and shift
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
    theta_iwae: NDArray[np.floating]  # of one IWAE estimate, over IWAE_K
    phi_iwae: NDArray[np.floating]
    theta_runs: NDArray[np.floating]  # single estimates in units of their exact sd, their mean at +SNR
    phi_runs: NDArray[np.floating]


class SignalToNoise(Experiment):
    title = "How much signal is in a gradient?"
    size = (8.8, 4.9)
    controls = [
        Whole("K", "Samples K under one logarithm", 1, LARGEST_K, default=1, log=True),
        Whole("M", "Estimates M, averaged", 1, LARGEST_M, default=1, log=True),
        *any_q.controls(),
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
        "q narrow, shifted": {"K": 64, "width": 0.3, "shift": 1.5},
        "q narrow, centred": {"K": 64, "width": 0.3, "shift": 0.0},
        "q wide": {"K": 8, "width": 3.0, "shift": 1.5},
    }
    stills = ["IWAE (1, 64)", "same budget, M = K = 8", "q narrow, shifted", "q narrow, centred"]
    guess = Curve(
        "K goes from 1 to 1024, and the bound becomes as good as exact. Draw the signal-to-noise ratio of the "
        "encoder's gradient.",
        on="phi",
        hides=("theta_iwae", "phi_iwae", "theta", "phi", "theta_dot", "phi_dot")
        + ("value", "value_dot", "theta_bars", "phi_bars", "beyond"),
        at={"M": 1, "K": 1},
        then={"M": 1, "K": LARGEST_K},
        anchors={f"K = {K}": K for K in (1, 4, 16, 64, 256, 1024)},
        stops=np.geomspace(0.012, 300, 89).tolist(),
        start=1.0,
        truth=lambda lab: [lab.at(K=K).phi for K in (1, 4, 16, 64, 256, 1024)],
        because=lambda lab: (
            f"At this q it falls without an end, from {lab.at(K=1).phi:.2f} at K = 1 to {lab.at(K=1024).phi:.3f} at "
            "K = 1024; in the end four times the samples halve it."
        ),
        legend="lower left",
    )

    def compute(
        self, K: int, M: int, width: float, shift: float, beta: float, budget: str, pooled: bool, seed: int
    ) -> Signal:
        q, fixed = (width, shift), budget == FIXED
        if fixed:
            K = 2 ** round(math.log2(min(K, BUDGET)))  # a divisor of the budget
            M = BUDGET // K
        Ks = IWAE_K[IWAE_K <= BUDGET] if fixed else IWAE_K
        Ms = BUDGET // Ks if fixed else np.full(len(Ks), M)
        theta, phi, value = zip(*(_exact(int(m), int(k), beta, pooled, q) for m, k in zip(Ms, Ks)))
        theta_iwae, phi_iwae = ([signal_to_noise(of, 1, int(k), 0.0, q) for k in IWAE_K] for of in ("theta", "phi"))
        runs = {
            "theta": _estimates("theta", 1, M * K, 0.0, q, seed)
            if pooled
            else _estimates("theta", M, K, beta, q, seed),
            "phi": _estimates("phi", M, K, beta, q, seed),
        }
        return Signal(
            q, M, K, beta, pooled, fixed, *_exact(M, K, beta, pooled, q), Ks, np.array(theta), np.array(phi),
            np.array(value), np.array(theta_iwae), np.array(phi_iwae), runs["theta"], runs["phi"],
        )  # fmt: skip

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["snr", "bound"], ["snr", "runs"]], width_ratios=[1.25, 1])
        snr, bounds, runs = axes["snr"], axes["bound"], axes["runs"]
        snr.set(xscale="log", yscale="log", xlim=(0.85, 1200), ylim=(0.003, 1000), xlabel="samples K (log scale)")
        dotted: dict[str, Any] = {"linestyle": ":", "linewidth": 1.5}
        theta_iwae = snr.plot([], [], color=plots.DECODER, **dotted)[0]
        phi_iwae = snr.plot([], [], color=plots.ENCODER, **dotted)[0]
        theta = any_q.Edged(snr, color=plots.DECODER, label="decoder, θ")
        phi = any_q.Edged(snr, color=plots.ENCODER, label="encoder, φ")
        snr.plot([], [], color=plots.PRIOR, label="IWAE, M = 1", **dotted)
        snr.plot([], [], "v", color=plots.PRIOR, markersize=8, label="out of the picture")
        look: dict[str, Any] = {"marker": "o", "markersize": 11, "markeredgecolor": "white"}
        theta_dot = any_q.Edged(snr, color=plots.DECODER, **look)
        phi_dot = any_q.Edged(snr, color=plots.ENCODER, **look)
        snr.axhline(1, color=plots.PRIOR, linewidth=1)
        snr.set_ylabel("SNR, |mean| / sd (exact, log scale)")
        snr.legend(loc="upper left", fontsize=10)

        plots.exact_line(bounds, _log_p(), "exact log p(x)")
        bounds.set(xscale="log", xlim=(0.85, 1200), ylim=(-2.6, -1.6), ylabel="nats", xlabel="K")
        value = any_q.Edged(bounds, color=plots.IWAE, label="bound (expected)")
        value_dot = any_q.Edged(bounds, color=plots.IWAE, **look)
        bounds.legend(loc="lower right", fontsize=10)
        for axis in (snr.xaxis, bounds.xaxis, snr.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))

        empty = np.zeros(len(EDGES) - 1)
        phi_bars = runs.stairs(empty, EDGES, fill=True, color=plots.ENCODER, alpha=0.55)
        theta_bars = runs.stairs(empty, EDGES, color=plots.DECODER, linewidth=2.5)
        runs.axvline(0, color=plots.PRIOR, linewidth=1.5)
        runs.set(xlim=(EDGES[0], EDGES[-1]), ylim=(0, 1.15), xlabel="single gradients, in their own sd")
        runs.set(xticks=range(-4, 11, 2), yticks=[])  # of its own accord it has others at the second drawing
        return SimpleNamespace(
            theta_iwae=theta_iwae, phi_iwae=phi_iwae, theta=theta, phi=phi, value=value, theta_dot=theta_dot,
            phi_dot=phi_dot, value_dot=value_dot, theta_bars=theta_bars, phi_bars=phi_bars, beyond=any_q.note(runs),
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Signal) -> None:
        for name in ("theta", "phi", "value"):
            getattr(artists, name).set_data(data.Ks, getattr(data, f"{name}_curve"))
            getattr(artists, f"{name}_dot").set_data([data.K], [getattr(data, name)])
        artists.theta_iwae.set_data(IWAE_K, data.theta_iwae)
        artists.phi_iwae.set_data(IWAE_K, data.phi_iwae)
        shares = [any_q.histogram(runs, EDGES) for runs in (data.theta_runs, data.phi_runs)]
        for bars, share in zip((artists.theta_bars, artists.phi_bars), shares):
            bars.set_data(share / share.max())
        artists.beyond.set_text(any_q.beyond(np.concatenate([data.theta_runs, data.phi_runs]), EDGES))

    def sentence(self, data: Signal) -> str:
        gap = any_q.gap(data.value, _log_p())
        budget = f", M K fixed at {BUDGET}" if data.fixed else ""
        idle = [f"β = {data.beta:g} at K = 1"] * (data.K == 1 and data.beta > 0)
        idle += ["pooling at M = 1"] * (data.M == 1 and data.pooled)
        in_vain = f" Not in use: {', '.join(idle)}." if idle else ""
        return any_q.minus(
            f"{_name(data)} with M = {data.M}, K = {data.K}{budget}: the signal-to-noise ratio is {data.phi:.3g} for "
            f"the encoder and {data.theta:.3g} for the decoder; the bound is {data.value:.3f} nats, {gap:.2g} below "
            f"log p(x). {_rule(data)}{in_vain}"
        )


def _rule(data: Signal) -> str:
    """Where the drawn curves go; and which way the chapter's rule stands for this q, IWAE's with M = 1: the encoder
    loses and the decoder gains."""
    width, shift = data.q
    loses, gains = data.phi_iwae[-1] < data.phi_iwae[0], data.theta_iwae[-1] > data.theta_iwae[0]
    encoder = f"the encoder {'loses' if loses else 'gains'} ({_way(data.phi_iwae)})"
    if shift == 0:
        encoder = "q's mean is right, so the encoder has no signal at any K"
    decoder = f"the decoder {'gains' if gains else 'loses'} ({_way(data.theta_iwae)})"
    rule = ": the rule" if loses and gains else ", against the rule" if shift or not gains else ""
    infinite = "" if width > any_q.CHI_SQUARED_FROM else ": below width 0.71 χ² is infinite, and there is no 1/K law"
    of = f"K up to {LARGEST_K} under one logarithm"
    if data.M > 1 or data.fixed or data.beta > 0:  # the curves are others than the dotted ones
        drawn = f"encoder {_way(data.phi_curve)}, decoder {_way(data.theta_curve)}"
        of = f"The curves up to K = {data.Ks[-1]}: {drawn}. Dotted, IWAE with M = 1 up to K = {LARGEST_K}"
    return f"{of}: {encoder}, {decoder}{rule}{infinite}."


def _way(curve: NDArray[np.floating]) -> str:
    """Where a ratio goes from its first to its last K, and by way of what."""
    first, last = float(curve[0]), float(curve[-1])
    low, high = float(curve.min()), float(curve.max())
    between = [low] * (low < 0.9 * min(first, last)) + [high] * (high > 1.1 * max(first, last))
    return " to ".join(f"{ratio:.2g}" for ratio in (first, *between, last))


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


def _exact(M: int, K: int, beta: float, pooled: bool, q: tuple[float, float]) -> tuple[float, float, float]:
    """Both signal-to-noise ratios and the expected bound. Pooled, theta climbs L of M K, and that is the bound."""
    theta = signal_to_noise("theta", 1, M * K, 0.0, q) if pooled else signal_to_noise("theta", M, K, beta, q)
    value = rows(*q).value("iwae", M, K) if pooled else rows(*q).value("ciwae", M, K, beta=beta)
    return theta, signal_to_noise("phi", M, K, beta, q), value


@lru_cache(maxsize=1)  # 2 MB
def _noise(seed: int) -> Tensor:
    """``SAMPLES`` draws of standard noise."""
    return torch.randn(SAMPLES, generator=torch.Generator().manual_seed(seed))


def _estimates(parameter: str, M: int, K: int, beta: float, q: tuple[float, float], seed: int) -> NDArray[np.floating]:
    """Independent estimates of the gradient, in units of their exact sd, with the sign that puts their mean at +SNR."""
    R = min(ESTIMATES, SAMPLES // (M * K))
    case, of = rows(*q).case, PARAMETERS[parameter]
    found = []
    for eps in _noise(seed)[: R * M * K].view(R, M, K).split(max(1, BLOCK // (M * K))):
        slopes = exact.slopes(case, eps)
        by_share = (slopes.log_w.softmax(2) * slopes.whole(of)).sum(2)  # [R, M]
        found.append((beta * slopes.whole(of).mean(2) + (1 - beta) * by_share).mean(1))
    mean, variance = rows(*q).moments("ciwae", of, M, K, beta=beta)
    return (math.copysign(1, mean) * torch.cat(found) / math.sqrt(variance)).double().numpy()
