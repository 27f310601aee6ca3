"""Lab "01.units": the units of a linear VAE on digits die one by one as the noise in its decoder grows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from vaecourse import data, exact, plots
from vaecourse.labs.frame import Experiment, Number

L = 10
SPECTRUM = torch.linalg.eigvalsh(torch.cov(data.digits().train.double().T, correction=0)).flip(0)  # [64]
EIGENVALUES = SPECTRUM[:L]
LEARNT = SPECTRUM[L:].mean().item()  # the likeliest noise variance, that of what no unit takes: Tipping and Bishop 1999
LOWEST, HIGHEST = 0.01, 64.0  # of the noise variance
UNITS = np.arange(1, L + 1)


class Units(NamedTuple):
    """In nats but for the threshold, a variance."""

    noise_variance: float
    beta: float
    kl: NDArray[np.floating]  # [L]

    @property
    def threshold(self) -> float:
        return self.beta * self.noise_variance

    @property
    def alive(self) -> int:
        return int((self.kl > 0).sum())


class DyingUnits(Experiment):
    title = "Which units live?"
    size = (8.8, 3.6)
    controls = [
        Number("noise_variance", "Noise variance σ²", LOWEST, HIGHEST, default=0.1, log=True, stops=115),
        Number("beta", "Weight β of the KL", 0.25, 16.0, default=1.0, log=True, stops=49),
    ]
    presets = {
        "½ squared error": {"noise_variance": 1.0},
        "squared error": {"noise_variance": 0.5},
        "pixel mean": {"noise_variance": 32.0},
        "σ² = 0.1, β = 4": {"beta": 4.0},
        "σ² learned": {"noise_variance": LEARNT},
    }
    stills = [{}, "squared error", "½ squared error"]

    def compute(self, noise_variance: float, beta: float) -> Units:
        return Units(noise_variance, beta, exact.unit_kl(EIGENVALUES, noise_variance, beta).numpy())

    def build(self, figure: Figure) -> SimpleNamespace:
        spectrum, nats = figure.subplots(1, 2)
        bars = spectrum.bar(UNITS, [1] * L, bottom=LOWEST, color=plots.PRIOR)
        level = spectrum.axhline(1, color=plots.DECODER, linewidth=3, label="βσ²")
        spectrum.plot(UNITS, EIGENVALUES, "_", color=plots.EXACT, markersize=18, label="variance λ of the data")
        spectrum.set(yscale="log", ylim=(LOWEST, 100), xticks=UNITS, xlabel="principal direction")
        spectrum.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        spectrum.set_title("variance (log scale)", fontsize=12)
        spectrum.legend(loc="upper right", fontsize=11)
        kl = nats.bar(UNITS, [1] * L, color=plots.ENCODER)
        nats.set(ylim=(0, 2.6), xticks=UNITS, xlabel="latent unit")
        nats.set_title("KL of the unit, nats", fontsize=12)
        for axes in (spectrum, nats):
            axes.grid(axis="x", visible=False)
        return SimpleNamespace(bars=list(bars), level=level, kl=list(kl))

    def update(self, artists: SimpleNamespace, data: Units) -> None:
        artists.level.set_ydata([data.threshold] * 2)
        for bar, unit, eigenvalue, kl in zip(artists.bars, artists.kl, EIGENVALUES.tolist(), data.kl):
            low, high = sorted((max(data.threshold, LOWEST), eigenvalue))
            bar.set(
                y=low, height=high - low, color=plots.ENCODER if kl > 0 else plots.PRIOR, alpha=1 if kl > 0 else 0.3
            )
            unit.set_height(kl)

    def sentence(self, data: Units) -> str:
        first, last = EIGENVALUES[0].item(), EIGENVALUES[data.alive - 1].item()
        start = f"βσ² = {data.threshold:.3g}: "
        if not data.alive:
            return start + f"all {L} units are dead, for the largest variance is {first:.3f}. The best code is no code."
        carry = f"{data.alive} of {L} units live and carry {data.kl.sum():.2f} nats. "
        return start + carry + f"Unit {data.alive} dies when βσ² reaches its {last:.3f}, unit 1 at {first:.3f}."
