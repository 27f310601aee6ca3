r"""Lab "05.estimators": one gradient estimator of one's choice, beside exact gradient and log p(x), on the reference
model with any q.

Only the two histograms are sampled, and the jackknife's spread. Every mean is exact, and so is the signal-to-noise
ratio of every row of the table: ``exact.RowGradients``.
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

from vaecourse import exact, gradients, objectives, plots
from vaecourse.labs import any_q
from vaecourse.labs.any_q import rows, said
from vaecourse.labs.frame import Choice, Experiment, Number, OnAxis, Seed, Whole

RUNS, LARGEST_K, GROUPS = 1000, 64, 4
BLOCK = 100  # runs of the jackknife at a time: what its large arrays leave behind, the system seldom gets back
LARGEST_K_OF_ORDER = {0: 64, 1: 64, 2: 32, 3: 16, 4: 12}  # the jackknife looks at all K choose order subsets
CURVE_K = (1, 2, 4, 8, 16, 32, 64)
ENCODER, SPREAD, DECODER = "encoder: mean of q", "encoder: width of q", "decoder: weight"
PARAMETERS = {ENCODER: "mean", SPREAD: "std", DECODER: "weight"}
Q = (1.3, 0.5)  # width and shift of the reference q
ROWS = {
    "ELBO": "elbo", "IWAE": "iwae", "MIWAE": "miwae", "STL": "stl", "DReG": "dreg", "VR-IWAE": "vr_iwae",
    "jackknife": "jackknife",
}  # fmt: skip
COLOURS = {caption: plots.of_row(row) for caption, row in ROWS.items()}
GRADIENT_EDGES, VALUE_EDGES = np.linspace(-7.0, 4.0, 111), np.linspace(-3.6, -0.6, 61)


def split(K: int) -> tuple[int, int]:
    """MIWAE's groups of the K samples, and the samples in each: four groups, or fewer where K is smaller."""
    groups = min(GROUPS, K)
    return groups, K // groups


def shape(estimator: str, K: int) -> tuple[int, int]:
    """M and K of an estimator that gets K samples in all."""
    return split(K) if estimator == "MIWAE" else (1, K)


def expected_value(estimator: str, K: int, alpha: float, order: int, q: tuple[float, float] = Q) -> float:
    """The exact expectation of the number that the estimator reports as its bound, in nats."""
    return rows(*q).value(ROWS[estimator], *shape(estimator, K), alpha=alpha, order=order)


def expected_gradient(
    estimator: str, parameter: str, K: int, alpha: float, order: int, q: tuple[float, float] = Q
) -> float:
    """The exact mean of the estimator's gradient."""
    M, size = shape(estimator, K)
    return rows(*q).mean(ROWS[estimator], PARAMETERS[parameter], M, size, order, alpha=alpha)


def signal_to_noise(estimator: str, parameter: str, K: int, alpha: float = 0.0, q: tuple[float, float] = Q) -> float:
    """The exact ratio of every row but the jackknife."""
    of = rows(*q)
    moments = of.moments(ROWS[estimator], PARAMETERS[parameter], *shape(estimator, K), alpha=alpha)
    return any_q.ratio(moments, of.case.std.item())


# The lab -------------------------------------------------------------------------------------------------------------


class Estimates(NamedTuple):
    """Gradients and values of RUNS independent runs, their exact means, and what they should be."""

    name: str
    estimator: str
    parameter: str
    q: tuple[float, float]  # width and shift
    K: int
    order: int
    alpha: float
    gradients: NDArray[np.floating]  # [RUNS]
    values: NDArray[np.floating]  # [RUNS], nats
    mean: float  # of the gradient, exact
    target: float  # the exact gradient of the bound that the estimator claims to climb
    of_log_p: float  # the exact gradient of log p(x)
    expected: float  # of the value, exact
    log_p: float
    curves: dict[str, NDArray[np.floating]]  # exact signal-to-noise over CURVE_K
    beside: dict[str, float]  # the exact mean values of VR-IWAE and the jackknife as they are set, with this K
    signal_to_noise: float  # exact, but the jackknife's
    warning: str

    @property
    def sd(self) -> float:
        return float(self.gradients.std(ddof=1))


class Estimators(Experiment):
    title = "One gradient, many estimators"
    size = (8.8, 4.4)
    controls = [
        Choice("estimator", "Estimator", list(ROWS), default="IWAE"),
        Choice("parameter", "Gradient for the", list(PARAMETERS), default=ENCODER),
        Whole("K", "Samples K", 1, LARGEST_K, default=8, log=True),
        *any_q.controls(),
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
        "q is the posterior": {"estimator": "STL", "width": 1.0, "shift": 0.0},
        "q too narrow": {"estimator": "DReG", "K": 64, "width": 0.5},
        "q too wide": {"estimator": "DReG", "K": 64, "width": 2.5},
        "jackknife, q too narrow": {"estimator": "jackknife", "K": 6, "width": 0.5},
    }
    stills = ["IWAE, K = 64", "STL, K = 64", "DReG, K = 64", "jackknife, K = 6", "q too narrow"]
    guess = OnAxis(
        "STL leaves out a part of the gradient whose mean is 0 at K = 1. At K = 64 IWAE's mean gradient is −0.024, the "
        "dashed line. Where is the mean of STL's?",
        on="bars",
        hides=("bars", "mean", "values", "expected", "dot", "curves", "beside", "off", "beyond", "values_beyond"),
        at={"estimator": "STL", "K": 64},
        axis="x",
        label="mean gradient of STL",
        stops=np.linspace(-4.0, 2.0, 121).round(2).tolist(),
        start=1.0,
        truth=lambda lab: lab.at(estimator="STL", K=64).mean,
        because=lambda lab: any_q.minus(
            "What STL leaves out has no mean of 0 any more at K = 64: it has "
            f"{(stl := lab.at(estimator='STL', K=64)).target - stl.mean:+.3f}. The histogram is narrow, with a "
            f"standard deviation of {stl.sd:.2f}, and beside the dashed line."
        ),
    )

    def compute(
        self, estimator: str, parameter: str, K: int, width: float, shift: float, alpha: float, order: int, seed: int
    ) -> Estimates:
        warning, q = "", (width, shift)
        if estimator == "jackknife":
            order, asked = min(order, K - 1), order
            warning = f" Order {asked} needs more than {K} samples: this is order {order}." if order < asked else ""
            if K > LARGEST_K_OF_ORDER[order]:
                K = LARGEST_K_OF_ORDER[order]
                warning = f" Order {order} stops at K = {K} in this lab: it looks at all {math.comb(K, order)} subsets."
        runs, values = _runs(estimator, parameter, K, alpha, order, q, seed)
        names = ["ELBO", "IWAE", "STL", "DReG"] if parameter != DECODER else ["ELBO", "IWAE"]
        names += ["VR-IWAE"]
        claimed = "IWAE" if estimator in ("STL", "DReG") else estimator
        extra = {"VR-IWAE": f" with α = {alpha:.2f}", "jackknife": f" of order {order}"}.get(estimator, "")
        if estimator == "MIWAE":
            extra = " in {} groups of {}".format(*split(K))
        return Estimates(
            name=estimator + extra,
            estimator=estimator,
            parameter=parameter,
            q=q,
            K=K,
            order=order,
            alpha=alpha,
            gradients=runs,
            values=values,
            mean=(mean := expected_gradient(estimator, parameter, K, alpha, order, q)),
            target=expected_gradient(claimed, parameter, K, alpha, order, q),
            of_log_p=rows(*q).of_log_p(PARAMETERS[parameter]),
            expected=expected_value(claimed, K, alpha, order, q),
            log_p=_log_p(),
            curves={name: _curve(name, parameter, alpha if name == "VR-IWAE" else 0.0, q) for name in names},
            beside={
                f"VR-IWAE with α = {alpha:.2f}": expected_value("VR-IWAE", K, alpha, 0, q),
                f"jackknife of order {min(order, K - 1)}": expected_value("jackknife", K, 0.0, min(order, K - 1), q),
            },
            signal_to_noise=signal_to_noise(estimator, parameter, K, alpha, q)
            if estimator != "jackknife"
            else any_q.ratio(exact.Moments(mean, float(runs.var(ddof=1))), rows(*q).case.std.item()),
            warning=warning,
        )

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["gradient", "value"], ["gradient", "snr"]], width_ratios=[1.3, 1])
        gradient, value, snr = axes["gradient"], axes["value"], axes["snr"]
        zeros = np.zeros(len(GRADIENT_EDGES) - 1)
        bars = gradient.stairs(zeros, GRADIENT_EDGES, fill=True, color=plots.MIWAE)
        look: dict[str, Any] = {"color": plots.ELBO, "linestyle": "", "markersize": 13}
        mean = gradient.plot([0], [1.03], marker="v", label="exact mean", **look)[0]
        off = gradient.plot([], [], marker="<", **look)[0]  # the mean, where it lies beyond the left end
        target = plots.exact_line(gradient, 0, "exact ∇ bound", vertical=True)
        of_log_p = gradient.axvline(0, color=plots.EXACT, linestyle=":", label="exact ∇ log p(x)")
        gradient.set(xlim=(GRADIENT_EDGES[0], GRADIENT_EDGES[-1]), ylim=(0, 1.2), yticks=[])
        gradient.set_xlabel(f"{RUNS} gradients, nats per unit")
        above: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.2}
        gradient.legend(fontsize=10, ncols=3, columnspacing=0.8, handlelength=1.3, **above)

        values = value.stairs(np.zeros(len(VALUE_EDGES) - 1), VALUE_EDGES, fill=True, color=plots.MIWAE)
        expected = value.plot([0], [1.05], "v", color=plots.ELBO, markersize=11)[0]
        log_p = plots.exact_line(value, _log_p(), vertical=True)
        value.set(
            xlim=(VALUE_EDGES[0], VALUE_EDGES[-1]), ylim=(0, 1.35), yticks=[], xlabel="values, nats (dashed: log p)"
        )
        beside = [
            value.plot([0], [0.1], mark, color=COLOURS[name], markersize=9, markeredgecolor="white", label=name)[0]
            for name, mark in (("VR-IWAE", "^"), ("jackknife", "D"))
        ]
        value.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10, handlelength=1.0, borderaxespad=0.2)

        snr.set(
            xscale="log", yscale="log", xlim=(0.85, 75), ylim=(0.01, 100), xlabel="samples K", ylabel="signal / noise"
        )
        curves = {
            name: any_q.Edged(snr, color=COLOURS[name], linestyle=style, label=name)
            for name, style in (("ELBO", "-"), ("IWAE", "-"), ("STL", "-"), ("DReG", "--"), ("VR-IWAE", "-."))
        }
        dot = any_q.Edged(snr, color=plots.EXACT, marker="o", markersize=9, markeredgecolor="white")
        for axis in (snr.xaxis, snr.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        snr.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10, handlelength=1.0, borderaxespad=0.2)
        return SimpleNamespace(
            bars=bars, mean=mean, off=off, target=target, of_log_p=of_log_p, values=values, expected=expected,
            log_p=log_p, dot=dot, curves=list(curves.values()), beside=beside, beyond=any_q.note(gradient, 0.99),
            values_beyond=any_q.note(value, 0.98),
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Estimates) -> None:
        for artist, edges, numbers in (
            (artists.bars, GRADIENT_EDGES, data.gradients),
            (artists.values, VALUE_EDGES, data.values),
        ):
            share = any_q.histogram(numbers, edges)
            artist.set_data(share / share.max())
        artists.beyond.set_text(any_q.beyond(data.gradients, GRADIENT_EDGES))
        artists.values_beyond.set_text(any_q.beyond(data.values, VALUE_EDGES))
        inside = int(data.mean >= GRADIENT_EDGES[0])
        artists.mean.set_data([data.mean] * inside, [1.03] * inside)
        artists.off.set_data([GRADIENT_EDGES[0] + 0.3] * (1 - inside), [1.03] * (1 - inside))
        artists.target.set_xdata([data.target] * 2)
        artists.of_log_p.set_xdata([data.of_log_p] * 2)
        ends = VALUE_EDGES[0] + 0.05, VALUE_EDGES[-1]
        artists.expected.set_xdata([np.clip(data.expected, *ends)])
        for marker, expected in zip(artists.beside, data.beside.values()):
            marker.set_xdata([np.clip(expected, *ends)])
        for curve in artists.curves:
            name = curve.line.get_label()
            curve.set_data(*((CURVE_K, data.curves[name]) if name in data.curves else ([], [])))
        artists.dot.set_data([data.K], [data.signal_to_noise])

    def sentence(self, data: Estimates) -> str:
        bias = data.mean - data.target
        right = "exact for its bound" if abs(bias) < 1e-9 else f"where {data.target:.3f} is exact: bias {bias:+.3f}"
        gap = any_q.gap(data.expected, data.log_p)
        side = "above" if gap < 0 else "below"
        others = [f"{name} {value:.4f}" for name, value in data.beside.items() if data.name != name]
        sentences = [
            f"{data.name}, K = {data.K}, {data.parameter}: mean gradient {data.mean:.3f}, {right};",
            _together(f"standard deviation {data.sd:.3f}, signal-to-noise {said(data.signal_to_noise)}."),
            _together(f"Mean value {data.expected:.4f}, {abs(gap):.4f} {side} log p(x).") + data.warning,
            f"Mean values beside it: {', '.join(others)}.",
            _rule(data),
        ]
        return any_q.minus(" ".join(sentences))


def _rule(data: Estimates) -> str:
    """What the chapter's rule says of this estimator at this q. Only DReG is compared: the rest is to be guessed."""
    width, _ = data.q
    if data.estimator == "jackknife":
        return _rule_of_the_jackknife(data)
    if data.parameter == DECODER:
        first, last = (signal_to_noise("IWAE", DECODER, K, q=data.q) for K in (1, LARGEST_K))
        way = "rises" if last > first else "falls, against the rule"
        return f"IWAE's ratio for the decoder {way}: {said(first, 2)} at K = 1, {said(last, 2)} at K = {LARGEST_K}."
    dreg, iwae = (signal_to_noise(name, data.parameter, data.K, q=data.q) for name in ("DReG", "IWAE"))
    if not dreg and not iwae:
        return "q is right here, there is no signal: IWAE goes on shaking, STL and DReG only where log w is not flat."
    if data.estimator != "DReG":
        of = data.estimator, data.parameter
        first, last = (signal_to_noise(*of, K, data.alpha, data.q) for K in (1, LARGEST_K))
        return f"The ratio of {data.estimator}: {said(first, 2)} at K = 1, {said(last, 2)} at K = {LARGEST_K}."
    numbers = f"{said(dreg)} against {said(iwae)}"
    better = f"DReG beats IWAE, {numbers}" if dreg > iwae else f"DReG is the worse of the two, {numbers}"
    if width > any_q.FOUR_MOMENTS_FROM:
        return f"{better}; its √K law, for large K, has its moments."
    return f"{better}; below width 0.87 its √K law lacks a moment, below 0.71 χ² is infinite too."


def _rule_of_the_jackknife(data: Estimates) -> str:
    width, _ = data.q
    if width >= 1:
        return f"The weights have all moments here, and its bias goes like 1/K^{data.order + 1}, as the rule says."
    tail = 1 / (1 - width**2)  # P(w > t) goes like t^-tail
    power = min(data.order + 1, tail - 1)
    usual = "as the rule says" if power == data.order + 1 else f"not 1/K^{data.order + 1}: the weights have a tail"
    return f"For large K its bias goes like 1/K^{power:.2g}, {usual}."


def _together(words: str) -> str:
    """Words that stay on one line."""
    return words.replace(" ", "\u00a0")


@lru_cache(maxsize=1)
def _log_p() -> float:
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


@lru_cache(maxsize=256)
def _curve(estimator: str, parameter: str, alpha: float, q: tuple[float, float]) -> NDArray[np.floating]:
    return np.array([signal_to_noise(estimator, parameter, K, alpha, q) for K in CURVE_K])


@lru_cache(maxsize=2)
def _noise(seed: int) -> Tensor:
    """The noise of all runs, ``[LARGEST_K, RUNS]``; an estimator with K samples takes the first K."""
    return torch.randn(LARGEST_K, RUNS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@lru_cache(maxsize=64)
def _runs(
    estimator: str, parameter: str, K: int, alpha: float, order: int, q: tuple[float, float], seed: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """RUNS gradients and values of the estimator: the row of the table, on ``[M, K, RUNS]`` log-weights."""
    draws = exact.slopes(rows(*q).case, _noise(seed)[:K], PARAMETERS[parameter])
    whole = draws.whole(PARAMETERS[parameter])
    if estimator == "jackknife":
        pieces = zip(draws.log_w.split(BLOCK, 1), whole.split(BLOCK, 1))
        blocks = [gradients.jackknife_gradient(*piece, order) for piece in pieces]
        return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])
    M, size = shape(estimator, K)
    log_w, whole, path = (part[: M * size].view(M, size, RUNS) for part in (draws.log_w, whole, draws.path))
    row = objectives.get(ROWS[estimator], **({"alpha": alpha} if estimator == "VR-IWAE" else {}))
    if parameter != DECODER:
        estimates = row.phi_weights(log_w) * (whole if row.keeps_score else path)
    else:
        estimates = row.theta_weights(log_w) * whole
    return estimates.sum((0, 1)).numpy(), row.value(log_w).numpy()
