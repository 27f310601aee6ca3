r"""Lab "06.explode": a latent space that bursts. Two data points, -1 and 1, and a bound that has no top.

p(z) = N(0, 1), p(x | z) = N(sign z, s^2), q(z | x) = N(x, tau^2). All numbers are exact, or integrals over a fine grid.
Source: arXiv 1706.02262, proposition 1 and its proof, with :math:`s = e^{-1 / (8 \tau^2)}`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from scipy.special import log_ndtr

from vaecourse import plots
from vaecourse.labs.frame import Experiment, Number

TAUS = np.geomspace(2.0, 0.1, 80)
Z = np.linspace(-3.4, 3.4, 681)
LOWEST, HIGHEST = -4.0, 13.0  # of the curves' axis, in nats


class Burst(NamedTuple):
    """One encoder width and what follows from it; nats. Averages over x are values at either x, by symmetry."""

    tau: float
    noise: float  # s, the decoder's standard deviation
    reconstruction: float  # E log p(x|z)
    rate: float  # KL(q(z|x) || p(z))
    information: float  # I_q
    log_likelihood: float

    @property
    def elbo(self) -> float:
        return self.reconstruction - self.rate

    @property
    def gap(self) -> float:
        """KL(q(z|x) || p(z|x))."""
        return self.log_likelihood - self.elbo

    @property
    def marginal(self) -> float:
        """KL(q(z) || p(z))."""
        return self.rate - self.information


@lru_cache(maxsize=512)
def burst(tau: float, floor: float = 0.0) -> Burst:
    """Everything about the width tau, with a decoder noise of at least ``floor``."""
    s = max(math.exp(-1 / (8 * tau**2)), floor)
    wrong_side = math.exp(log_ndtr(-1 / tau))  # q's mass beyond 0, where the decoder says -x
    log_normal = -0.5 * math.log(2 * math.pi) - math.log(s)
    return Burst(
        tau=tau,
        noise=s,
        reconstruction=log_normal - wrong_side * 4 / (2 * s**2),
        rate=0.5 * tau**2 - math.log(tau),
        information=_information(tau),
        log_likelihood=log_normal - math.log(2) + math.log1p(math.exp(-2 / s**2)),
    )


def _information(tau: float) -> float:
    """E log q(z|x) / q(z), q(z) the mean of both: log 2 less what the tails confuse."""
    eps = np.linspace(-9, 9, 2001)
    mass = np.exp(-0.5 * eps**2) / math.sqrt(2 * math.pi) * (eps[1] - eps[0])
    other = -2 / tau**2 - 2 * eps / tau  # log of q(z | -x) / q(z | x) at z = x + tau eps, for x = 1
    return float(math.log(2) - mass @ np.logaddexp(0, other))


class View(NamedTuple):
    """The state, the objective, and the curves over TAUS as far as tau."""

    now: Burst
    lam: float
    floor: float
    objective: float
    curves: NDArray[np.floating]  # [4, T]: tau, the objective, log p(x), the gap


class ExplodeLab(Experiment):
    title = "Two data points, and a bound without a top"
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

    def compute(self, tau: float, lam: float, floor: float) -> View:
        widths = [t for t in TAUS.tolist() if t > tau * 1.0001] + [tau]
        states = [burst(t, floor) for t in widths]
        curves = [[t, s.elbo - (lam - 1) * s.marginal, s.log_likelihood, s.gap] for t, s in zip(widths, states)]
        return View(states[-1], lam, floor, curves[-1][1], np.array(curves).T)

    def build(self, figure: Figure) -> SimpleNamespace:
        latent, curve = figure.subplots(1, 2, width_ratios=[1.1, 1])
        density = lambda z, mean, sd: np.exp(-0.5 * ((z - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        prior = density(Z, 0.0, 1.0)
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
        tau, s = data.now.tau, data.now.noise
        near = np.concatenate([Z, *(x + tau * np.linspace(-4, 4, 81) for x in (-1, 1))])
        near.sort()
        q = np.maximum(*(np.exp(-0.5 * ((near - x) / tau) ** 2) / (tau * math.sqrt(2 * math.pi)) for x in (-1, 1)))
        artists.codes.set_data(near, q)
        odds = math.exp(-2 / s**2)  # of x = 1 from z < 0
        share = np.where(Z > 0, 1.0, odds) / (0.5 * (1 + odds))
        artists.posterior.set_data(Z, share * np.exp(-0.5 * Z**2) / math.sqrt(2 * math.pi))
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
            f"τ = {now.tau:.2f}, decoder noise {now.noise:.2g}: ELBO {now.elbo:.2f} nats, "
            f"log p(x) {now.log_likelihood:.2f}, KL(q ‖ posterior) {now.gap:.2f}; "
            f"information {now.information:.2f}, KL(q(z) ‖ p) {now.marginal:.2f}.{'' if data.lam == 1 else goal}"
        )
