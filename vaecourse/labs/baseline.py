r"""Lab "02.baseline": score-function gradients with a baseline of one's choice, beside the reparameterised ones.

Each of 4000 estimates of the ELBO's gradient for q's mean uses K samples, on the reference case; the exact gradient and
every estimator's exact mean are known.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaecourse import exact, gradients, plots
from vaecourse.labs.frame import Choice, Experiment, OneOf, Seed, Whole

RUNS = 4000
BLOCK = 64_000  # samples at a time: what large arrays leave behind, the system seldom gets back
KINDS = {"none": "none", "mean": "mean", "leave-one-out": "leave_one_out", "optimal": "optimal"}
FIXED = "exact c*"  # the best constant, which only an exact model knows
PATH = "reparameterised"
NAMES = [*KINDS, FIXED, PATH]
EDGES = np.linspace(-12.0, 8.0, 121)


class Baseline(NamedTuple):
    """Estimates of the gradient by every estimator in ``NAMES``, ``[RUNS]`` each, and their exact means."""

    K: int
    chosen: str
    exact: float
    estimates: dict[str, NDArray[np.floating]]
    means: dict[str, float]

    def variance(self, name: str) -> float:
        return float(self.estimates[name].var(ddof=1))

    def bias(self, name: str) -> float:
        return self.means[name] - self.exact


class ScoreBaseline(Experiment):
    title = "Score-function gradients and their baseline"
    controls = [
        Choice("baseline", "Baseline", [*KINDS, FIXED], default="none"),
        Whole("K", "Samples K in each gradient", 2, 64, default=8, log=True),
        Seed(),
    ]
    presets = {
        "no baseline": {},
        "mean, K = 2": {"baseline": "mean", "K": 2},
        "leave-one-out": {"baseline": "leave-one-out"},
        "optimal, K = 4": {"baseline": "optimal", "K": 4},
        "the exact c*": {"baseline": FIXED},
    }
    stills = ["no baseline", "mean, K = 2", "leave-one-out", "optimal, K = 4"]
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

    def compute(self, baseline: str, K: int, seed: int) -> Baseline:
        gradient = exact_gradient()
        means = dict.fromkeys(NAMES, gradient)
        means["mean"] = gradient * (K - 1) / K  # each sample sits in its own baseline
        return Baseline(K, baseline, gradient, _estimates(K, seed), means)

    def cost(self, K: int) -> float:
        """The variance with the estimated optimal baseline, over that with leave-one-out."""
        data = self.at(K=K)
        return data.variance("optimal") / data.variance("leave-one-out")

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
        truth = plots.exact_line(histogram, exact_gradient(), "exact gradient", vertical=True)
        histogram.set(
            xlim=(EDGES[0], EDGES[-1]), ylim=(0, 1.05), yticks=[], xlabel=f"gradient for q's mean, {RUNS} runs"
        )
        histogram.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10.5)

        place = range(len(NAMES))
        variance = bars.bar(place, [1] * len(NAMES), width=0.7, color=plots.MIWAE, label="variance")
        bias = bars.bar(place, [1] * len(NAMES), width=0.7, color=plots.ELBO, label="bias²")
        labels = [bars.text(i, 0, "", ha="center", va="bottom", fontsize=12) for i in place]
        bars.set_xticks(
            place, ["none", "mean", "leave-\none-out", "optimal", "exact\nc*", "repara-\nmeter."], fontsize=10
        )
        bars.set(ylim=(0, 40), ylabel="K × mean squared error")
        bars.grid(axis="x", visible=False)
        bars.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10.5)
        return SimpleNamespace(
            path=path, score=score, mean=mean, truth=truth, variance=list(variance), bias=list(bias), labels=labels
        )

    def update(self, artists: SimpleNamespace, data: Baseline) -> None:
        counts = [np.histogram(data.estimates[name], EDGES)[0] for name in (data.chosen, PATH)]
        top = max(count.max() for count in counts)
        for artist, count in zip((artists.score, artists.path), counts):
            artist.set_data(count / top)
        artists.mean.set_xdata([data.means[data.chosen]] * 2)
        for name, variance, bias, label in zip(NAMES, artists.variance, artists.bias, artists.labels):
            low, high = data.K * data.variance(name), data.K * data.bias(name) ** 2
            variance.set(height=low, color=plots.IWAE if name == data.chosen else plots.MIWAE)
            bias.set(y=low, height=high)
            label.set(y=low + high + 0.5, text=f"{low + high:.1f}")

    def sentence(self, data: Baseline) -> str:
        estimates = data.estimates[data.chosen]
        bias = data.bias(data.chosen)
        right = "unbiased" if bias == 0 else f"biased, its exact mean is {data.means[data.chosen]:.3f}"
        error = 1.96 * estimates.std(ddof=1) / math.sqrt(RUNS)
        text = (
            f"K = {data.K}: mean gradient {estimates.mean():.3f} ± {error:.3f}, "
            f"the exact one is {data.exact:.3f}: {right}. "
            f"Variance {data.variance(data.chosen):.2f}, reparameterised {data.variance(PATH):.2f}."
        ).replace("-", "−")
        return f"Baseline {data.chosen}, {text}"


@lru_cache(maxsize=1)
def exact_gradient() -> float:
    """The exact gradient of the ELBO for q's mean on the reference case, in nats per unit of z."""
    return exact.RowGradients(exact.reference(torch.float64)).mean("elbo", "mean")


@lru_cache(maxsize=8)
def _estimates(K: int, seed: int) -> dict[str, NDArray[np.floating]]:
    generator = torch.Generator().manual_seed(seed)
    eps = torch.randn(RUNS, K, 1, generator=generator, dtype=torch.float64)  # [M, K, B]
    blocks = [_estimates_of(some) for some in eps.split(BLOCK // K)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in NAMES}


def _estimates_of(eps: torch.Tensor) -> dict[str, NDArray[np.floating]]:
    """Every estimator's gradients from the noise ``[M, K, B]`` of M of the runs."""
    case = exact.reference(torch.float64)
    log_w, path, score, _ = exact.slopes(case, eps)
    baselines = {name: gradients.baseline(log_w, kind, score**2) for name, kind in KINDS.items()}
    baselines[FIXED] = torch.full_like(log_w, exact.optimal_baseline(case))
    estimates = {name: ((log_w - c) * score).mean(1).flatten().numpy() for name, c in baselines.items()}
    return estimates | {PATH: (path - score).mean(1).flatten().numpy()}
