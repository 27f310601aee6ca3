r"""Lab "05.estimators": one gradient estimator of one's choice, beside the exact gradient and the exact log p(x).

Only the two histograms are sampled. Every mean is exact, and so is the signal-to-noise ratio of every row of the table:
``exact.RowGradients``.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import exact, gradients, objectives, plots
from vaecourse.labs.frame import Choice, Experiment, Number, OnAxis, Seed, Whole

RUNS, LARGEST_K, GROUPS = 1000, 64, 4
BLOCK = 100  # runs of the jackknife at a time: what its large arrays leave behind, the system seldom gets back
LARGEST_K_OF_ORDER = {0: 64, 1: 64, 2: 32, 3: 16, 4: 12}  # the jackknife looks at all K choose order subsets
CURVE_K = (1, 2, 4, 8, 16, 32, 64)
ENCODER, DECODER = "encoder: mean of q", "decoder: weight"
PARAMETERS = {ENCODER: "mean", DECODER: "weight"}
ROWS = {
    "ELBO": "elbo", "IWAE": "iwae", "MIWAE": "miwae", "STL": "stl", "DReG": "dreg", "VR-IWAE": "vr_iwae",
    "jackknife": "jackknife",
}  # fmt: skip
COLOURS = {caption: plots.of_row(row) for caption, row in ROWS.items()}
GRADIENT_EDGES, VALUE_EDGES = np.linspace(-6.0, 4.0, 101), np.linspace(-3.6, -0.6, 61)


@lru_cache(maxsize=1)
def rows() -> exact.RowGradients:
    """The exact gradients of the reference case."""
    return exact.RowGradients(exact.reference(torch.float64))


def split(K: int) -> tuple[int, int]:
    """MIWAE's groups of the K samples, and the samples in each: four groups, or fewer where K is smaller."""
    groups = min(GROUPS, K)
    return groups, K // groups


def shape(estimator: str, K: int) -> tuple[int, int]:
    """M and K of an estimator that gets K samples in all."""
    return split(K) if estimator == "MIWAE" else (1, K)


def expected_value(estimator: str, K: int, alpha: float, order: int) -> float:
    """The exact expectation of the number that the estimator reports as its bound, in nats."""
    return rows().value(ROWS[estimator], *shape(estimator, K), alpha=alpha, order=order)


def expected_gradient(estimator: str, parameter: str, K: int, alpha: float, order: int) -> float:
    """The exact mean of the estimator's gradient."""
    M, size = shape(estimator, K)
    return rows().mean(ROWS[estimator], PARAMETERS[parameter], M, size, order, alpha=alpha)


# The lab -------------------------------------------------------------------------------------------------------------


class Estimates(NamedTuple):
    """Gradients and values of RUNS independent runs, their exact means, and what they should be."""

    name: str
    estimator: str
    parameter: str
    K: int
    order: int
    gradients: NDArray[np.floating]  # [RUNS]
    values: NDArray[np.floating]  # [RUNS], nats
    mean: float  # of the gradient, exact
    target: float  # the exact gradient of the bound that the estimator claims to climb
    of_log_p: float  # the exact gradient of log p(x)
    expected: float  # of the value, exact
    log_p: float
    curves: dict[str, NDArray[np.floating]]  # exact signal-to-noise over CURVE_K
    beside: dict[str, float]  # the exact mean values of VR-IWAE and the jackknife as they are set, with this K
    warning: str

    @property
    def sd(self) -> float:
        return float(self.gradients.std(ddof=1))

    @property
    def signal_to_noise(self) -> float:
        return abs(self.mean) / self.sd


class Estimators(Experiment):
    title = "One gradient, many estimators"
    size = (8.8, 4.4)
    controls = [
        Choice("estimator", "Estimator", list(ROWS), default="IWAE"),
        Choice("parameter", "Gradient for the", [ENCODER, DECODER], default=ENCODER),
        Whole("K", "Samples K", 1, LARGEST_K, default=8, log=True),
        Number("alpha", "α (VR-IWAE)", 0.0, 1.0, default=0.5, stops=41),
        Whole("order", "Order of the jackknife", 0, 4, default=1),
        Seed(),
    ]
    presets = {
        "IWAE, K = 1": {"K": 1},
        "IWAE, K = 64": {"K": 64},
        "STL, K = 64": {"estimator": "STL", "K": 64},
        "DReG, K = 64": {"estimator": "DReG", "K": 64},
        "decoder, K = 64": {"parameter": DECODER, "K": 64},
        "VR-IWAE, α = 0.9": {"estimator": "VR-IWAE", "K": 64, "alpha": 0.9},
        "jackknife, K = 6": {"estimator": "jackknife", "K": 6},
    }
    stills = ["IWAE, K = 64", "STL, K = 64", "DReG, K = 64", "jackknife, K = 6"]
    guess = OnAxis(
        "STL leaves out a part of the gradient whose mean is 0 at K = 1. At K = 64 IWAE's mean gradient is −0.024, the "
        "dashed line. Where is the mean of STL's?",
        on="bars",
        hides=("bars", "mean", "values", "expected", "dot", "curves", "beside"),
        at={"estimator": "STL", "K": 64},
        axis="x",
        label="mean gradient of STL",
        stops=np.linspace(-4.0, 2.0, 121).round(2).tolist(),
        start=1.0,
        truth=lambda lab: lab.at(estimator="STL", K=64).mean,
        because=lambda lab: (
            "What STL leaves out has no mean of 0 any more at K = 64. Press “DReG, K = 64”: it is where it should "
            f"be, with a standard deviation of {lab.at(estimator='DReG', K=64).sd:.4f}; IWAE has "
            f"{lab.at(K=64).sd:.2f}."
        ),
    )

    def compute(self, estimator: str, parameter: str, K: int, alpha: float, order: int, seed: int) -> Estimates:
        warning = ""
        if estimator == "jackknife":
            order, asked = min(order, K - 1), order
            warning = f" Order {asked} needs more than {K} samples: this is order {order}." if order < asked else ""
            if K > LARGEST_K_OF_ORDER[order]:
                K = LARGEST_K_OF_ORDER[order]
                warning = f" Order {order} stops at K = {K} in this lab: it looks at all {math.comb(K, order)} subsets."
        runs, values = _runs(estimator, parameter, K, alpha, order, seed)
        names = ["ELBO", "IWAE", "STL", "DReG"] if parameter == ENCODER else ["ELBO", "IWAE"]
        names += ["VR-IWAE"]
        claimed = "IWAE" if estimator in ("STL", "DReG") else estimator
        extra = {"VR-IWAE": f" with α = {alpha:.2f}", "jackknife": f" of order {order}"}.get(estimator, "")
        if estimator == "MIWAE":
            extra = " in {} groups of {}".format(*split(K))
        return Estimates(
            name=estimator + extra,
            estimator=estimator,
            parameter=parameter,
            K=K,
            order=order,
            gradients=runs,
            values=values,
            mean=expected_gradient(estimator, parameter, K, alpha, order),
            target=expected_gradient(claimed, parameter, K, alpha, order),
            of_log_p=rows().of_log_p(PARAMETERS[parameter]),
            expected=expected_value(claimed, K, alpha, order),
            log_p=_log_p(),
            curves={name: _curve(name, parameter, alpha if name == "VR-IWAE" else 0.0) for name in names},
            beside={
                f"VR-IWAE with α = {alpha:.2f}": expected_value("VR-IWAE", K, alpha, 0),
                f"jackknife of order {min(order, K - 1)}": expected_value("jackknife", K, 0.0, min(order, K - 1)),
            },
            warning=warning,
        )

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["gradient", "value"], ["gradient", "snr"]], width_ratios=[1.3, 1])
        gradient, value, snr = axes["gradient"], axes["value"], axes["snr"]
        zeros = np.zeros(len(GRADIENT_EDGES) - 1)
        bars = gradient.stairs(zeros, GRADIENT_EDGES, fill=True, color=plots.MIWAE)
        mean = gradient.plot([0], [1.03], "v", color=plots.ELBO, markersize=13, label="exact mean")[0]
        target = plots.exact_line(gradient, 0, "exact ∇ bound", vertical=True)
        of_log_p = gradient.axvline(0, color=plots.EXACT, linestyle=":", label="exact ∇ log p(x)")
        gradient.set(xlim=(GRADIENT_EDGES[0], GRADIENT_EDGES[-1]), ylim=(0, 1.1), yticks=[])
        gradient.set_xlabel(f"{RUNS} gradients, nats per unit")
        gradient.legend(
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            fontsize=10,
            ncols=3,
            columnspacing=0.8,
            handlelength=1.3,
            borderaxespad=0.2,
        )

        values = value.stairs(np.zeros(len(VALUE_EDGES) - 1), VALUE_EDGES, fill=True, color=plots.MIWAE)
        expected = value.plot([0], [1.05], "v", color=plots.ELBO, markersize=11)[0]
        log_p = plots.exact_line(value, _log_p(), vertical=True)
        value.set(
            xlim=(VALUE_EDGES[0], VALUE_EDGES[-1]), ylim=(0, 1.2), yticks=[], xlabel="values, nats (dashed: log p)"
        )
        beside = [
            value.plot([0], [0.1], mark, color=COLOURS[name], markersize=9, markeredgecolor="white", label=name)[0]
            for name, mark in (("VR-IWAE", "^"), ("jackknife", "D"))
        ]
        value.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10, handlelength=1.0, borderaxespad=0.2)

        curves = {
            name: snr.plot([], [], color=COLOURS[name], linestyle="-." if name == "VR-IWAE" else "-", label=name)[0]
            for name in ("ELBO", "IWAE", "STL", "DReG", "VR-IWAE")
        }
        dot = snr.plot([], [], "o", color=plots.EXACT, markersize=9, markeredgecolor="white")[0]
        snr.set(
            xscale="log", yscale="log", xlim=(0.85, 75), ylim=(0.03, 40), xlabel="samples K", ylabel="signal / noise"
        )
        for axis in (snr.xaxis, snr.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        snr.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10, handlelength=1.0, borderaxespad=0.2)
        return SimpleNamespace(
            bars=bars, mean=mean, target=target, of_log_p=of_log_p, values=values, expected=expected, log_p=log_p,
            dot=dot, curves=list(curves.values()), beside=beside,
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Estimates) -> None:
        for artist, edges, numbers in (
            (artists.bars, GRADIENT_EDGES, data.gradients),
            (artists.values, VALUE_EDGES, data.values),
        ):
            counts = np.histogram(np.clip(numbers, edges[0], edges[-1]), edges)[0]
            artist.set_data(counts / counts.max())
        artists.mean.set_xdata([data.mean])
        artists.target.set_xdata([data.target] * 2)
        artists.of_log_p.set_xdata([data.of_log_p] * 2)
        artists.expected.set_xdata([data.expected])
        for marker, expected in zip(artists.beside, data.beside.values()):
            marker.set_xdata([expected])
        for line in artists.curves:
            line.set_data((CURVE_K, data.curves[line.get_label()]) if line.get_label() in data.curves else ([], []))
        artists.dot.set_data([data.K], [min(max(data.signal_to_noise, 0.03), 40)])

    def sentence(self, data: Estimates) -> str:
        bias = data.mean - data.target
        right = "exact for its bound" if abs(bias) < 1e-9 else f"where {data.target:.3f} is exact: bias {bias:+.3f}"
        gap = data.expected - data.log_p
        side = "above" if gap > 0 else "below"
        others = [f"{name} {value:.4f}" for name, value in data.beside.items() if data.name != name]
        sentences = [
            f"{data.name}, K = {data.K}, {data.parameter.split(':')[0]}: mean gradient {data.mean:.3f}, {right};",
            _together(f"standard deviation {data.sd:.3f}, signal-to-noise {data.signal_to_noise:.2f}."),
            _together(f"Mean value {data.expected:.4f}, {abs(gap):.4f} {side} log p(x).") + data.warning,
            f"Mean values beside it: {', '.join(others)}.",
        ]
        return re.sub(r"-(0\.0+)(?!\d)", r"\1", " ".join(sentences)).replace(" -", " −").replace("\u00a0-", "\u00a0−")


def _together(words: str) -> str:
    """Words that stay on one line."""
    return words.replace(" ", "\u00a0")


@lru_cache(maxsize=1)
def _log_p() -> float:
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


@lru_cache(maxsize=256)
def _curve(estimator: str, parameter: str, alpha: float) -> NDArray[np.floating]:
    row, of = ROWS[estimator], PARAMETERS[parameter]
    return np.array([rows().signal_to_noise(row, of, *shape(estimator, K), alpha=alpha) for K in CURVE_K])


@lru_cache(maxsize=2)
def _draws(seed: int) -> exact.Slopes:
    """The samples of all runs, ``[LARGEST_K, RUNS]``; an estimator with K samples takes the first K."""
    eps = torch.randn(LARGEST_K, RUNS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return exact.slopes(exact.reference(torch.float64), eps)


@lru_cache(maxsize=64)
def _runs(
    estimator: str, parameter: str, K: int, alpha: float, order: int, seed: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """RUNS gradients and values of the estimator: the row of the table, on ``[M, K, RUNS]`` log-weights."""
    draws = exact.Slopes(*(part[:K] for part in _draws(seed)))
    whole = draws.whole(PARAMETERS[parameter])
    if estimator == "jackknife":
        pieces = zip(draws.log_w.split(BLOCK, 1), whole.split(BLOCK, 1))
        blocks = [gradients.jackknife_gradient(*piece, order) for piece in pieces]
        return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])
    M, size = shape(estimator, K)
    log_w, whole, path = (part[: M * size].view(M, size, RUNS) for part in (draws.log_w, whole, draws.path))
    row = objectives.get(ROWS[estimator], **({"alpha": alpha} if estimator == "VR-IWAE" else {}))
    if parameter == ENCODER:
        estimates = row.phi_weights(log_w) * (whole if row.keeps_score else path)
    else:
        estimates = row.theta_weights(log_w) * whole
    return estimates.sum((0, 1)).numpy(), row.value(log_w).numpy()
