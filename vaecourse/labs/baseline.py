r"""Lab "02.baseline": score-function gradients with a baseline of one's choice, beside the reparameterised ones.

Each of 4000 estimates of the ELBO's gradient for q's mean uses K samples, on the reference model with any q, in one
dimension or in several that are alike. Every mean is exact, and every variance but that of c* from the others, which is
measured: ``exact.ScoreGradient``.

With log w = a + b eps + c eps^2 every estimate is linear in a, b and c. So the noise is reduced once, and a drag of q
only weighs what is left of it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import exact, plots
from vaecourse.exact.weights import parabola
from vaecourse.labs import any_q
from vaecourse.labs.frame import Choice, Experiment, Number, OneOf, Seed, Whole

RUNS, LARGEST_K, LARGEST_D = 4000, 64, 16
BLOCK = 64_000  # samples at a time: what large arrays leave behind, the system seldom gets back
KINDS = {"none": "none", "mean": "mean", "leave-one-out": "leave_one_out", "optimal": "optimal"}
FIXED = "exact c*"  # the best constant, which only an exact model knows
PATH = "reparameterised"
NAMES = [*KINDS, FIXED, PATH]
EDGES = np.linspace(-16.0, 8.0, 121)
LOW, HIGH = 0.02, 20_000.0  # of the bars


class Baseline(NamedTuple):
    """Estimates of the gradient by every estimator in ``NAMES``, ``[RUNS]`` each, their exact means, and K times their
    variances: exact, but for ``"optimal"``."""

    K: int
    chosen: str
    width: float
    shift: float
    dimensions: int
    exact: float
    estimates: dict[str, NDArray[np.floating]]
    means: dict[str, float]
    variances: dict[str, float]

    def bias(self, name: str) -> float:
        return self.means[name] - self.exact

    def error(self, name: str) -> float:
        """K times the mean squared error."""
        return self.variances[name] + self.K * self.bias(name) ** 2


class ScoreBaseline(Experiment):
    title = "Score-function gradients and their baseline"
    size = (8.8, 4.2)
    controls = [
        Choice("baseline", "Baseline", [*KINDS, FIXED], default="none"),
        Whole("K", "Samples K in each gradient", 2, LARGEST_K, default=8, log=True),
        *any_q.controls(),
        Whole("D", "Dimensions, all alike", 1, LARGEST_D, default=1),
        Number("unit", "log w plus (x in another unit)", -4.0, 8.0, default=0.0, stops=49),
        Seed(),
    ]
    presets = {
        "no baseline": {},
        "mean, K = 2": {"baseline": "mean", "K": 2},
        "leave-one-out": {"baseline": "leave-one-out"},
        "optimal, K = 4": {"baseline": "optimal", "K": 4},
        "optimal, q centred": {"baseline": "optimal", "K": 64, "shift": 0.0},
        "q is the posterior": {"baseline": "leave-one-out", "width": 1.0, "shift": 0.0},
        "nearly there": {"baseline": "leave-one-out", "width": 1.15, "shift": 0.15},
        "nearly there, D = 16": {"baseline": "leave-one-out", "width": 1.15, "shift": 0.15, "D": 16},
        "x in another unit": {"baseline": "none", "unit": 3.0},
    }
    stills = ["no baseline", "mean, K = 2", "q is the posterior", "optimal, q centred"]
    guess = OneOf(
        "Four samples. The optimal baseline, estimated from the other three, against their plain mean (leave-one-out): "
        "which gradient has the smaller variance?",
        on="variance",
        hides=("variance", "bias", "labels", "score", "mean"),
        at={"baseline": "optimal", "K": 4},
        options={"the optimal one": None, "no difference": None, "leave-one-out": None},
        truth=lambda lab: lab.better(4),
        because=lambda lab: (
            f"At K = 4 the optimal one has {lab.cost(4):.1f} times its variance, for it is a ratio of two noisy sums; "
            f"at K = 64, {lab.cost(64):.2f} times."
        ),
        legend="upper right",
    )

    def compute(self, baseline: str, K: int, width: float, shift: float, D: int, unit: float, seed: int) -> Baseline:
        case = exact.case_with(width, shift)
        of = exact.ScoreGradient.of(case, D, unit)
        mean, left_out = of.mean.item(), of.leave_one_out(K).item()
        means = dict.fromkeys(NAMES, mean)
        means["mean"] = mean * (K - 1) / K  # each sample sits in its own baseline
        estimates = _estimates(case, K, D, unit, seed)
        variances = {
            "none": of.variance(0.0).item(),
            "mean": left_out * ((K - 1) / K) ** 2,
            "leave-one-out": left_out,
            "optimal": K * float(estimates["optimal"].var(ddof=1)),
            FIXED: of.variance(of.best).item(),
            PATH: of.path.item(),
        }
        return Baseline(K, baseline, width, shift, D, mean, estimates, means, variances)

    def cost(self, K: int) -> float:
        """The variance with the estimated optimal baseline, over that with leave-one-out."""
        data = self.at(K=K)
        return data.variances["optimal"] / data.variances["leave-one-out"]

    def better(self, K: int) -> str:
        """Which of the two has the smaller variance; a tenth is no difference."""
        cost = self.cost(K)
        return "leave-one-out" if cost > 1.1 else "the optimal one" if cost < 0.9 else "no difference"

    def build(self, figure: Figure) -> SimpleNamespace:
        histogram, bars = figure.subplots(1, 2, width_ratios=[1.25, 1])
        zeros = [0] * (len(EDGES) - 1)
        path = histogram.stairs(zeros, EDGES, fill=True, color=plots.PRIOR, alpha=0.5, label=PATH)
        score = histogram.stairs(zeros, EDGES, color=plots.IWAE, linewidth=2.2, label="score function")
        mean = histogram.axvline(0, color=plots.IWAE, linewidth=1.5, label="its exact mean")
        truth = plots.exact_line(histogram, 0.0, "exact gradient", vertical=True)
        histogram.set(
            xlim=(EDGES[0], EDGES[-1]), ylim=(0, 1.15), yticks=[], xlabel=f"gradient for q's mean, {RUNS} runs"
        )
        histogram.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10.5)

        place = range(len(NAMES))
        variance = bars.bar(place, [1] * len(NAMES), width=0.7, color=plots.MIWAE, label="variance (≈ measured)")
        bias = bars.bar(place, [1] * len(NAMES), width=0.7, color=plots.ELBO, label="+ bias²")
        labels = [bars.text(i, 0, "", ha="center", va="bottom", fontsize=11) for i in place]
        bars.set_xticks(
            place, ["none", "mean", "leave-\none-out", "optimal≈", "exact\nc*", "repara-\nmeter."], fontsize=9.5
        )
        bars.set(yscale="log", ylim=(LOW, HIGH), ylabel="K × mean squared error (log)")
        bars.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        bars.grid(axis="x", visible=False)
        bars.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10.5)
        return SimpleNamespace(
            path=path, score=score, mean=mean, truth=truth, variance=list(variance), bias=list(bias), labels=labels,
            beyond=any_q.note(histogram, 0.985),
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Baseline) -> None:
        for artist, name in ((artists.score, data.chosen), (artists.path, PATH)):
            share = any_q.histogram(data.estimates[name], EDGES)
            artist.set_data(share / share.max())
        artists.beyond.set_text(any_q.beyond(data.estimates[data.chosen], EDGES))
        artists.truth.set_xdata([data.exact] * 2)
        artists.mean.set_xdata([data.means[data.chosen]] * 2)
        for name, variance, bias, label in zip(NAMES, artists.variance, artists.bias, artists.labels):
            low, high = (min(max(value, LOW), HIGH / 3) for value in (data.variances[name], data.error(name)))
            variance.set(y=LOW, height=low - LOW, color=plots.IWAE if name == data.chosen else plots.MIWAE)
            bias.set(y=low, height=high - low)
            mark = "▼" * (data.error(name) < LOW) + "▲" * (data.error(name) > HIGH / 3)  # its end is not in the picture
            label.set(y=high * 1.1, text=f"{mark}{_short(data.error(name))}")

    def sentence(self, data: Baseline) -> str:
        estimates, name = data.estimates[data.chosen], data.chosen
        bias = data.bias(name)
        right = "unbiased" if abs(bias) < 1e-9 else f"biased, its exact mean is {data.means[name]:.3f}"
        error = 1.96 * estimates.std(ddof=1) / math.sqrt(RUNS)
        text = (
            f"Baseline {name}, K = {data.K}, q {data.width:.2f} wide and {data.shift:.2f} off: mean gradient "
            f"{estimates.mean():.3f} ± {error:.3f}, the exact one is {data.exact:.3f}: {right}. {self._rules(data)}"
        )
        return any_q.minus(text)

    def _rules(self, data: Baseline) -> str:
        """Which way the chapter's rules stand for this q."""
        none, left_out, optimal, best, path = (
            data.variances[name] for name in ("none", "leave-one-out", "optimal", FIXED, PATH)
        )
        numbers = f"{_short(left_out)} against {_short(path)}"
        if left_out < path:
            rules = [f"Leave-one-out is quieter than reparameterising ({numbers}): log w is flat enough."]
        elif best < path:
            rules = [f"Only with c* is the score function the quieter one ({_short(best)}; leave-one-out {numbers})."]
        else:
            rules = [f"Reparameterising is quieter than leave-one-out ({numbers}) and than c* ({_short(best)})."]
        if none < left_out:
            rules.append(f"No baseline ({_short(none)}) beats leave-one-out: by luck log w lies around 0.")
        if data.chosen == "optimal" and left_out > 1e-9:
            side = "worse" if optimal > left_out else "better"
            rules.append(f"c* from the others is {side} than leave-one-out, {optimal / left_out:.2f} of its variance.")
        return " ".join(rules)


def _short(value: float) -> str:
    """Three digits of a variance."""
    return "0" if value < 1e-9 else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _estimates(case: exact.Case, K: int, D: int, unit: float, seed: int) -> dict[str, NDArray[np.floating]]:
    """Every estimator's gradients."""
    a, b, c = (number.item() for number in parabola(case))
    std, others = case.std.item(), D - 1
    weights = np.array([unit + D * a, b, c, math.sqrt(others) * b, c])  # of 1, eps, eps^2, and the other dimensions
    reduced = _reduced(K, D, seed)
    score = {name: weights @ reduced[kind] / std for name, kind in KINDS.items()}
    score[FIXED] = score["none"] - exact.ScoreGradient.of(case, D, unit).best.item() * reduced["none"][0] / std
    variance = case.model.covariance.item()
    by_path = -(case.mean.item() - case.model.posterior(case.x).mean.item() + std * reduced["none"][0]) / variance
    return score | {PATH: by_path}


@lru_cache(maxsize=4)  # 640 kB each
def _reduced(K: int, D: int, seed: int) -> dict[str, NDArray[np.floating]]:
    """By kind of baseline the estimates, times q's width, of each part of log w: ``[5, RUNS]``.

    The parts are 1, eps, eps^2 and what D - 1 further dimensions add: the sum of n numbers eps is root n times a normal
    number g, and the sum of their squares is g^2 and an independent chi-square number with n - 1 degrees of freedom.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = [torch.randn(RUNS, K, generator=generator, dtype=torch.float64) for _ in range(min(D, 2))]
    if D > 2:
        noise.append(torch.from_numpy(np.random.default_rng(seed).chisquare(D - 2, (RUNS, K))))
    found: dict[str, NDArray[np.floating]] = {kind: np.zeros((5, RUNS)) for kind in KINDS.values()}
    found["none"][0] = noise[0].mean(1).numpy()
    for at in range(0, RUNS, BLOCK // K):
        runs = slice(at, at + BLOCK // K)
        eps, *others = (each[runs] for each in noise)
        parts = [eps, eps.square()]
        if others:
            g, *left = others
            parts += [g, sum(left, g.square())]
        for i, part in enumerate(parts, 1):
            for kind, reduced in _reduce(eps, part).items():
                found[kind][i, runs] = reduced.numpy()
    return found


def _reduce(score: Tensor, part: Tensor) -> dict[str, Tensor]:
    """The mean of (part - baseline) score over K, by kind of baseline: 2 x ``[M, K]``, each to ``[M]``."""
    K, product, square = score.shape[1], (part * score).mean(1), score.square()
    shrunk = product - part.mean(1) * score.mean(1)  # the sample covariance, but for K / (K - 1)
    weighed = square * part
    of_others = (weighed.sum(1, keepdim=True) - weighed) / (square.sum(1, keepdim=True) - square)
    optimal = product - (of_others * score).mean(1)
    return {"none": product, "mean": shrunk, "leave_one_out": shrunk * K / (K - 1), "optimal": optimal}
