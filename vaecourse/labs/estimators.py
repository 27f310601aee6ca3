r"""Lab "05.estimators": one gradient estimator of one's choice, beside the exact gradient and the exact log p(x).

Only the two histograms are sampled. Every mean is exact, and so is the signal-to-noise ratio of every estimator whose
weights are powers of :math:`\tilde w`: on the reference model both are one-dimensional integrals.
"""

from __future__ import annotations

import itertools
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
from torch import Tensor

from vaecourse import bounds, exact, objectives, plots
from vaecourse.labs.frame import Choice, Experiment, Number, Seed, Whole
from vaecourse.labs.quadrature import (
    AT_A_TIME,
    expected_log_mean,
    log_grid,
    log_laplace,
    log_weights_on_a_grid,
    noise_grid,
)

RUNS, LARGEST_K, GROUPS = 1000, 64, 4
BLOCK = 100  # runs of the jackknife at a time: what its large arrays leave behind, the system seldom gets back
LARGEST_K_OF_ORDER = {0: 64, 1: 64, 2: 32, 3: 16, 4: 12}  # the jackknife looks at all K choose order subsets
CURVE_K = (1, 2, 4, 8, 16, 32, 64)
ENCODER, DECODER = "encoder: mean of q", "decoder: weight"
ROWS = {
    "ELBO": "elbo", "IWAE": "iwae", "MIWAE": "miwae", "STL": "stl", "DReG": "dreg", "VR-IWAE": "vr_iwae",
    "jackknife": "jackknife",
}  # fmt: skip
COLOURS = {caption: plots.of_row(row) for caption, row in ROWS.items()}
GRADIENT_EDGES, VALUE_EDGES = np.linspace(-6.0, 4.0, 101), np.linspace(-3.6, -0.6, 61)

# The exact moments ---------------------------------------------------------------------------------------------------


class Slopes(NamedTuple):
    """Slopes of log w at noise eps on a one-dimensional case: by the decoder's weight, and both parts of mu's."""

    log_w: Tensor
    path: Tensor  # d log w / dz dz / dmu, the path term
    score: Tensor  # d log q / dmu at fixed z, the score term; the whole slope of log w is path - score
    weight: Tensor  # d log p(x | z) / d weight


def slopes(case: exact.Case, eps: Tensor) -> Slopes:
    r"""log w and its slopes at :math:`z = \mu + \sigma \epsilon`. Shapes: as ``eps``, any."""
    mean, std, posterior = case.mean.item(), case.std.item(), case.model.posterior(case.x)
    z = mean + std * eps
    score = eps / std
    path = -(z - posterior.mean.item()) / posterior.variance.item() + score
    log_q = -0.5 * eps.square() - 0.5 * math.log(2 * math.pi) - math.log(std)
    log_w = case.model.log_joint(case.x, z.reshape(-1, 1, 1)).reshape(eps.shape) - log_q
    misfit = case.x.item() - case.model.weight.item() * z
    return Slopes(log_w, path, score, misfit * z / case.model.noise_variance)


def slopes_on_a_grid(case: exact.Case, points: int = 601) -> tuple[Slopes, Tensor]:
    """The slopes on a grid of standard noise, and the mass of q at each grid point. Shapes: ``[N]`` each."""
    _, mass = log_weights_on_a_grid(case, points)
    return slopes(case, noise_grid(case, points)), mass


class Transforms(NamedTuple):
    """What the exact moments of an estimator need for any K: functions of log t, ``[T]`` each."""

    log_phi: Tensor  # log E exp(-t w)
    first: Tensor  # E[(t w)^r g exp(-t w)]
    second: Tensor  # E[(t w)^2r g^2 exp(-t w)]
    step: float
    power: int


def transforms(log_w: Tensor, mass: Tensor, slope: Tensor, power: int = 1) -> Transforms:
    r"""The Laplace transforms behind ``exact_moments``, from values on a grid: ``[N]`` each."""
    log_w = log_w - (log_w + mass.log()).logsumexp(0)
    log_t, step = log_grid(log_w)
    first, second = [], []
    for some in log_t.split(AT_A_TIME):
        log_tw = log_w[:, None] + some  # [N, T]
        decay = (power * log_tw - log_tw.exp()).exp()
        first.append((mass * slope) @ decay)
        second.append((mass * slope.square()) @ (decay * (power * log_tw).exp()))
    return Transforms(log_laplace(log_w, mass, log_t), torch.cat(first), torch.cat(second), step, power)


def exact_moments(of: Transforms, K: int) -> tuple[float, float]:
    r"""Exact mean and standard deviation of :math:`\sum_k \tilde w_k^r g_k` for K independent samples.

    .. math:: E\left[\sum_k \tilde w_k^r g_k\right] = \frac{K}{\Gamma(r)} \int_0^\infty t^{r-1}\,
              E\left[w^r g\, e^{-t w}\right] \left(E\, e^{-t w}\right)^{K-1} dt

    from :math:`S^{-r} = \int t^{r-1} e^{-t S} dt / \Gamma(r)`, and alike for the second moment. The power r is 1 for
    the shares of importance weighting, and 2 for their squares.
    """
    mean = K * (of.first * ((K - 1) * of.log_phi).exp()).sum() * of.step / math.gamma(of.power)
    second = K * (of.second * ((K - 1) * of.log_phi).exp()).sum() * of.step
    if K > 1:
        second = second + K * (K - 1) * (of.first.square() * ((K - 2) * of.log_phi).exp()).sum() * of.step
    return mean.item(), math.sqrt(max(second.item() / math.gamma(2 * of.power) - mean.item() ** 2, 0.0))


@lru_cache(maxsize=1)
def reference_grid() -> tuple[Slopes, Tensor]:
    """``slopes_on_a_grid`` of the reference case."""
    return slopes_on_a_grid(exact.reference(torch.float64))


@lru_cache(maxsize=64)
def _transforms(estimator: str, parameter: str, alpha: float) -> Transforms:
    """Those of an estimator on the reference case; those of MIWAE and of the jackknife are IWAE's."""
    grid, mass = reference_grid()
    if estimator in ("STL", "DReG") and parameter == ENCODER:
        return transforms(grid.log_w, mass, grid.path, power=2 if estimator == "DReG" else 1)
    tilt = {"ELBO": 0.0, "VR-IWAE": 1 - alpha}.get(estimator, 1.0)
    return transforms(tilt * grid.log_w, mass, grid.path - grid.score if parameter == ENCODER else grid.weight)


@lru_cache(maxsize=512)
def moments(estimator: str, parameter: str, K: int, alpha: float = 0.0) -> tuple[float, float]:
    """Exact mean and standard deviation of an estimator's gradient on the reference case, from K samples."""
    groups, size = split(K) if estimator == "MIWAE" else (1, K)
    mean, sd = exact_moments(_transforms(estimator, parameter, alpha), size)
    return mean, sd / math.sqrt(groups)


@lru_cache(maxsize=512)
def expected_value(estimator: str, K: int, alpha: float, order: int) -> float:
    """The exact expectation of the number that the estimator reports as its bound, in nats."""
    grid, mass = reference_grid()
    if estimator == "jackknife":
        values = expected_log_mean(grid.log_w, mass, [K - j for j in range(order + 1)])
        return sum(c * value for c, value in zip(bounds.jackknife_coefficients(K, order), values.tolist()))
    if estimator == "ELBO" or (estimator == "VR-IWAE" and alpha == 1):
        return (mass * grid.log_w).sum().item()
    tilt = 1 - alpha if estimator == "VR-IWAE" else 1.0
    size = split(K)[1] if estimator == "MIWAE" else K
    return expected_log_mean(tilt * grid.log_w, mass, [size]).item() / tilt


@lru_cache(maxsize=512)
def expected_gradient(estimator: str, parameter: str, K: int, alpha: float, order: int) -> float:
    """The exact mean of the estimator's gradient."""
    if estimator != "jackknife":
        return moments(estimator, parameter, K, alpha)[0]
    means = [moments("IWAE", parameter, K - j)[0] for j in range(order + 1)]
    return sum(c * mean for c, mean in zip(bounds.jackknife_coefficients(K, order), means))


@lru_cache(maxsize=1)
def gradient_of_log_p() -> dict[str, float]:
    """The exact gradient of log p(x): 0 for q's mean, which log p(x) does not know, and the decoder's weight's."""
    case = exact.reference(torch.float64)
    weight = case.model.weight.clone().requires_grad_()
    value = exact.LinearGaussian(weight, case.model.noise_variance).log_likelihood(case.x).sum()
    return {ENCODER: 0.0, DECODER: torch.autograd.grad(value, weight)[0].item()}


def split(K: int) -> tuple[int, int]:
    """MIWAE's groups of the K samples, and the samples in each: four groups, or fewer where K is smaller."""
    groups = min(GROUPS, K)
    return groups, K // groups


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
    note: str

    @property
    def sd(self) -> float:
        return float(self.gradients.std(ddof=1))

    @property
    def signal_to_noise(self) -> float:
        return abs(self.mean) / self.sd


class EstimatorsLab(Experiment):
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

    def compute(self, estimator: str, parameter: str, K: int, alpha: float, order: int, seed: int) -> Estimates:
        note = ""
        if estimator == "jackknife":
            order, asked = min(order, K - 1), order
            note = f" Order {asked} needs more than {K} samples: this is order {order}." if order < asked else ""
            if K > LARGEST_K_OF_ORDER[order]:
                K = LARGEST_K_OF_ORDER[order]
                note = f" Order {order} stops at K = {K} in this lab: it looks at all {math.comb(K, order)} subsets."
        gradients, values = _runs(estimator, parameter, K, alpha, order, seed)
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
            gradients=gradients,
            values=values,
            mean=expected_gradient(estimator, parameter, K, alpha, order),
            target=expected_gradient(claimed, parameter, K, alpha, order),
            of_log_p=gradient_of_log_p()[parameter],
            expected=expected_value(claimed, K, alpha, order),
            log_p=_log_p(),
            curves={name: _curve(name, parameter, alpha if name == "VR-IWAE" else 0.0) for name in names},
            beside={
                f"VR-IWAE with α = {alpha:.2f}": expected_value("VR-IWAE", K, alpha, 0),
                f"jackknife of order {min(order, K - 1)}": expected_value("jackknife", K, 0.0, min(order, K - 1)),
            },
            note=note,
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
            _together(f"Mean value {data.expected:.4f}, {abs(gap):.4f} {side} log p(x).") + data.note,
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
    pairs = [moments(estimator, parameter, K, alpha) for K in CURVE_K]
    return np.array([abs(mean) / sd for mean, sd in pairs])


@lru_cache(maxsize=2)
def _draws(seed: int) -> Slopes:
    """The samples of all runs, ``[LARGEST_K, RUNS]``; an estimator with K samples takes the first K."""
    eps = torch.randn(LARGEST_K, RUNS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return slopes(exact.reference(torch.float64), eps)


@lru_cache(maxsize=64)
def _runs(
    estimator: str, parameter: str, K: int, alpha: float, order: int, seed: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """RUNS gradients and values of the estimator: the row of the table, on ``[M, K, RUNS]`` log-weights."""
    draws = Slopes(*(part[:K] for part in _draws(seed)))
    if estimator == "jackknife":
        slope = draws.path - draws.score if parameter == ENCODER else draws.weight
        blocks = [_jackknife(*some, order) for some in zip(draws.log_w.split(BLOCK, 1), slope.split(BLOCK, 1))]
        return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])
    groups, size = split(K) if estimator == "MIWAE" else (1, K)
    log_w, path, score, weight = (part[: groups * size].view(groups, size, RUNS) for part in draws)  # [M, K, RUNS]
    row = objectives.get(ROWS[estimator], **({"alpha": alpha} if estimator == "VR-IWAE" else {}))
    if parameter == ENCODER:
        gradients = row.phi_weights(log_w) * (path - score if row.keeps_score else path)
    else:
        gradients = row.theta_weights(log_w) * weight
    return gradients.sum((0, 1)).numpy(), row.value(log_w).numpy()


def _jackknife(log_w: Tensor, slope: Tensor, order: int) -> tuple[Tensor, Tensor]:
    r"""The jackknife of L_K and its gradient: ``[K, RUNS] -> [RUNS], [RUNS]``.

    The gradient of the logarithm of a subset's mean is its weighted mean slope, so both need the sums over a subset of
    w and of w times the slope: those over all samples, less what is left out.
    """
    K = len(log_w)
    top = log_w.amax(0)
    w = (log_w - top).exp()
    parts = torch.stack([w, w * slope], -1)  # [K, RUNS, 2]
    everything = parts.sum(0)
    gradients, values = torch.zeros_like(top), torch.zeros_like(top)
    for j, c in enumerate(bounds.jackknife_coefficients(K, order)):
        left_out = torch.tensor(list(itertools.combinations(range(K), j)), dtype=torch.long).reshape(math.comb(K, j), j)
        rest = everything.expand(len(left_out), *everything.shape)  # [subsets, RUNS, 2]
        for column in left_out.T:
            rest = rest - parts[column]
        S, G = rest.unbind(-1)
        values = values + c * (S.log().mean(0) - math.log(K - j))
        gradients = gradients + c * (G / S).mean(0)
    return gradients, values + top * sum(bounds.jackknife_coefficients(K, order))
