r"""Lab "06.explode": a latent space that bursts. Two data points, -1 and 1, and a bound that has no top.

p(z) = N(0, 1), p(x | z) = N(sign z, s^2), q(z | x) = N(x, tau^2). All is exact: ``exact.exploding_latent_space``.
Source: arXiv 1706.02262, proposition 1 and its proof, with :math:`s = e^{-1 / (8 \tau^2)}`.
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

from vaecourse import exact, plots
from vaecourse.labs.frame import Curve, Experiment, Number

TAUS = np.geomspace(2.0, 0.1, 80)
Z = np.linspace(-3.4, 3.4, 681)
GUESSED = (2.0, 1.0, 0.7, 0.5, 0.3, 0.2, 0.1)  # of TAUS, where a learner draws
LOWEST, HIGHEST = -4.0, 13.0  # of the curves' axis, in nats


class View(NamedTuple):
    """The state in nats, the objective, and the curves over TAUS as far as tau."""

    tau: float
    noise: float  # s, the decoder's standard deviation
    now: exact.Exploding  # of one width
    lam: float
    objective: float
    curves: NDArray[np.floating]  # [4, T]: tau, the objective, log p(x), KL(q || posterior)


class ExplodingLatentSpace(Experiment):
    title = "Two data points, narrower codes"
    size = (8.8, 3.9)
    controls = [
        Number("tau", "Width τ of the codes", 0.1, 2.0, default=0.7, log=True, stops=80),
        Number("lam", "Weight λ of KL(q(z) ‖ p)", 1.0, 30.0, default=1.0, log=True, stops=60),
        Number("floor", "Least noise of the decoder", 0.0, 1.0, default=0.0, stops=51),
    ]
    presets = {
        "τ = 1": {"tau": 1.0},
        "τ = 0.3": {"tau": 0.3},
        "τ = 0.1: burst": {"tau": 0.1},
        "λ = 10": {"tau": 0.1, "lam": 10.0},
        "noise 0.2": {"tau": 0.1, "floor": 0.2},
        "noise 0.2 and λ = 10": {"tau": 0.1, "floor": 0.2, "lam": 10.0},
    }
    stills = ["τ = 1", "τ = 0.1: burst", "noise 0.2 and λ = 10"]
    guess = Curve(
        "The codes become narrower: τ goes from 2 to 0.1. The decoder is the surer for it, and the ELBO pays "
        "KL(q ‖ p) for narrow codes. Draw the ELBO.",
        on="objective",
        hides=("objective", "truth", "gap", "dots", "posterior"),
        at={"tau": 2.0},
        then={"tau": 0.1},
        anchors={f"τ = {tau:g}": tau for tau in GUESSED},
        stops=np.linspace(LOWEST, HIGHEST, 86).round(1).tolist(),
        start=-2.0,
        unit=" nats",
        digits=1,
        truth=lambda lab: [lab.at(tau=tau).objective for tau in GUESSED],
        because=lambda lab: (
            f"It has no top: {lab.at(tau=0.1).objective:.2f} nats at τ = 0.1, and more below. What the surer decoder "
            "gains grows like 1 / (8τ²), and what narrow codes cost only like −log τ."
        ),
        legend="lower right",
    )

    def compute(self, tau: float, lam: float, floor: float) -> View:
        now = exact.exploding_latent_space(torch.tensor([tau], dtype=torch.float64), floor)
        wider = int((TAUS > tau * 1.0001).sum())
        widths = np.append(TAUS[:wider], tau)
        terms = exact.Exploding(*(torch.cat([before[:wider], last]) for before, last in zip(_along(floor), now)))
        objective = terms.elbo - (lam - 1) * terms.aggregate_kl
        curves = np.array([widths, objective.numpy(), terms.log_likelihood.numpy(), terms.posterior_kl.numpy()])
        noise = max(math.exp(-1 / (8 * tau**2)), floor)
        return View(tau, noise, now, lam, objective[-1].item(), curves)

    def build(self, figure: Figure) -> SimpleNamespace:
        latent, curve = figure.subplots(1, 2, width_ratios=[1.1, 1])
        prior = plots.normal_density(Z)
        latent.fill_between(Z, prior, color=plots.PRIOR, alpha=0.35, linewidth=0, label="prior p(z)")
        posterior = latent.plot([], [], "--", color=plots.EXACT, label="posterior, x = 1")[0]
        codes = latent.plot([], [], color=plots.Q, linewidth=3, label="q(z | ±1)")[0]
        latent.plot(Z, 1.15 + 0.1 * np.sign(Z), color=plots.DECODER, linewidth=1.5, label="decoder: sign z")
        latent.set(xlim=(Z[0], Z[-1]), ylim=(0, 2.2), yticks=[], xlabel="z")
        latent.legend(loc="upper left", fontsize=9, handlelength=1.0, borderaxespad=0)

        truth = curve.plot([], [], "--", color=plots.EXACT, label="log p(x)")[0]
        objective = curve.plot([], [], color=plots.ELBO, label="objective (λ = 1: ELBO)")[0]
        gap = curve.plot([], [], color=plots.PIWAE, label="KL(q ‖ posterior)")[0]
        dots = curve.plot([], [], "o", color=plots.ELBO)[0]
        curve.set(xscale="log", xlim=(2.1, 0.09), ylim=(LOWEST, HIGHEST), xlabel="width τ, shrinking →", ylabel="nats")
        curve.xaxis.set_major_formatter(FuncFormatter(lambda tau, _: f"{tau:g}"))
        curve.xaxis.set_minor_formatter(FuncFormatter(lambda tau, _: f"{tau:g}" if round(tau, 2) in (0.2, 0.5) else ""))
        curve.legend(loc="upper left", fontsize=10)
        return SimpleNamespace(posterior=posterior, codes=codes, truth=truth, objective=objective, gap=gap, dots=dots)

    def update(self, artists: SimpleNamespace, data: View) -> None:
        tau, s = data.tau, data.noise
        near = np.concatenate([Z, *(x + tau * np.linspace(-4, 4, 81) for x in (-1, 1))])
        near.sort()
        q = np.maximum(*(plots.normal_density(near, x, tau) for x in (-1, 1)))
        artists.codes.set_data(near, q)
        odds = math.exp(-2 / s**2)  # of x = 1 from z < 0
        share = np.where(Z > 0, 1.0, odds) / (0.5 * (1 + odds))
        artists.posterior.set_data(Z, share * plots.normal_density(Z))
        taus, objective, truth, gap = data.curves
        artists.objective.set_data(taus, objective)
        artists.truth.set_data(taus, truth)
        artists.gap.set_data(taus, gap)
        artists.dots.set_data(taus[-1:], np.clip(objective[-1:], LOWEST, HIGHEST))

    def sentence(self, data: View) -> str:
        now = data.now
        best = data.curves[0][data.curves[1].argmax()]
        goal = f" Objective at λ = {data.lam:.1f}: {data.objective:.2f}, best so far at τ = {best:.2f}."
        return (
            f"τ = {data.tau:.2f}, decoder noise {data.noise:.2g}: ELBO {now.elbo.item():.2f} nats, "
            f"log p(x) {now.log_likelihood.item():.2f}, KL(q ‖ posterior) {now.posterior_kl.item():.2f}; "
            f"information {now.mutual_information.item():.2f}, KL(q(z) ‖ p) {now.aggregate_kl.item():.2f}."
            f"{'' if data.lam == 1 else goal}"
        )


@lru_cache(maxsize=128)
def _along(floor: float) -> exact.Exploding:
    """The terms along TAUS, ``[T]`` each."""
    pieces = [exact.exploding_latent_space(some, floor) for some in torch.from_numpy(TAUS).split(40)]
    return exact.Exploding(*(torch.cat(parts) for parts in zip(*pieces)))
