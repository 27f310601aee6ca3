"""q against the exact posterior: whatever q is, ELBO + KL(q || posterior) is the same number, log p(x)."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.distributions import Normal, kl_divergence

from vaecourse import exact, plots
from vaecourse.labs.frame import Experiment, Number, OnAxis

MODEL = exact.reference(torch.float64).model
POSTERIOR = MODEL.posterior(exact.reference(torch.float64).x)
MEAN, STD = POSTERIOR.mean.item(), POSTERIOR.stddev.item()
Z = np.linspace(-3.5, 3.5, 351)
FLOOR, CEILING = -7.0, 0.6


class Gap(NamedTuple):
    """Everything in nats; the densities are taken at ``Z``."""

    q: NDArray[np.floating]
    posterior: NDArray[np.floating]
    reconstruction: float  # E_q log p(x | z)
    kl_to_prior: float
    elbo: float
    kl_to_posterior: float
    log_likelihood: float


class ElboGap(Experiment):
    title = "q against the exact posterior"
    controls = [
        Number("mean", "Mean of q", -3.0, 3.0, default=MEAN + 0.5, stops=121),
        Number("std", "Width of q (standard deviation)", 0.2, 2.0, default=1.3 * STD, log=True),
        Number("x", "The data point x", -3.0, 3.0, default=1.3, stops=61, digits=1),
    ]
    presets = {
        "exact posterior": {"mean": MEAN, "std": STD},
        "too narrow": {"mean": MEAN, "std": STD / 2},
        "too wide": {"mean": MEAN, "std": 2 * STD},
        "off centre": {"mean": MEAN + STD, "std": STD},
        "the prior": {"mean": 0.0, "std": 1.0},
    }
    stills = ["exact posterior", "too narrow", "too wide", "the prior"]
    guess = OnAxis(
        "q has the right centre, and is twice as wide as the posterior. How high is its score, the ELBO? "
        "(Exact log p(x), the dashed line: −1.75.)",
        on="truth",
        hides=("bars", "labels"),
        at={"mean": MEAN, "std": 2 * STD},
        label="ELBO",
        stops=np.linspace(-5.0, 0.5, 111).round(2).tolist(),
        start=-1.0,
        unit=" nats",
        truth=lambda lab: lab.at(mean=MEAN, std=2 * STD).elbo,
        because=lambda lab: (
            f"Twice as wide costs {lab.at(mean=MEAN, std=2 * STD).kl_to_posterior:.3f} nats, half as wide "
            f"{lab.at(mean=MEAN, std=STD / 2).kl_to_posterior:.3f}. Press “too narrow”, and “off centre”: is there a "
            "q above the dashed line?"
        ),
        legend="upper right",
    )

    def compute(self, mean: float, std: float, x: float) -> Gap:
        z, q = torch.from_numpy(Z), Normal(torch.tensor([[mean]]).double(), torch.tensor([[std]]).double())
        data = torch.tensor([[x]]).double()
        kl_to_prior = kl_divergence(q, Normal(0.0, 1.0)).item()
        elbo = MODEL.elbo(data, q.mean, q.stddev).item()
        return Gap(
            q=q.log_prob(z).exp()[0].numpy(),
            posterior=MODEL.posterior(data).log_prob(z[:, None]).exp().numpy(),
            reconstruction=elbo + kl_to_prior,
            kl_to_prior=kl_to_prior,
            elbo=elbo,
            kl_to_posterior=MODEL.kl(data, q.mean, q.stddev).item(),
            log_likelihood=MODEL.log_likelihood(data).item(),
        )

    def build(self, figure: Figure) -> SimpleNamespace:
        densities, sums = figure.subplots(1, 2, width_ratios=[1, 1.15])
        densities.plot(Z, Normal(0.0, 1.0).log_prob(torch.from_numpy(Z)).exp(), color=plots.PRIOR, label="prior p(z)")
        posterior = densities.plot(Z, 0 * Z, "--", color=plots.EXACT, zorder=4, label="posterior p(z|x)")[0]
        q = densities.fill_between(Z, 0 * Z, color=plots.Q, alpha=0.45, label="q(z|x)")
        outline = densities.plot(Z, 0 * Z, color=plots.Q)[0]
        densities.set(xlim=(Z[0], Z[-1]), ylim=(0, 2.05), xlabel="z", ylabel="density")
        densities.legend(loc="upper left")

        colours = [plots.DECODER, plots.PRIOR, plots.ELBO, plots.ENCODER]
        bars = sums.bar(range(4), [1] * 4, bottom=FLOOR, width=0.7, color=colours)
        truth = plots.exact_line(sums, 0.0)
        plate = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        labels = [sums.text(i, 0, "", ha="center", weight="bold", bbox=plate) for i in range(4)]
        name = sums.text(-0.45, 0, "", fontsize=13)
        sums.set(ylim=(FLOOR, CEILING), xlim=(-0.5, 3.5), ylabel="nats")
        sums.set_xticks(range(4), ["recon-\nstruction", "– KL to\nprior", "= ELBO", "+ KL to\nposterior"])
        sums.grid(axis="x", visible=False)
        return SimpleNamespace(
            posterior=posterior, q=q, outline=outline, bars=list(bars), truth=truth, labels=labels, name=name
        )

    def update(self, artists: SimpleNamespace, data: Gap) -> None:
        artists.posterior.set_data(Z, data.posterior)
        artists.outline.set_data(Z, data.q)
        artists.q.set_data(Z, data.q, 0 * Z)
        truth = data.log_likelihood
        spans = [(FLOOR, data.reconstruction), (data.elbo, data.reconstruction), (FLOOR, data.elbo), (data.elbo, truth)]
        amounts = [data.reconstruction, -data.kl_to_prior, data.elbo, data.kl_to_posterior]
        for bar, label, (low, high), amount in zip(artists.bars, artists.labels, spans, amounts):
            low, high = max(low, FLOOR), max(high, FLOOR)
            bar.set(y=low, height=high - low)
            label.set(text=_minus(f"{amount:.2f}"), y=high + 0.12)
        artists.truth.set_ydata([truth] * 2)
        artists.name.set(text=_minus(f"exact log p(x) = {truth:.2f}"), y=CEILING - 0.35)

    def sentence(self, data: Gap) -> str:
        log_p = data.log_likelihood
        below = " It lies below the picture." if data.elbo < FLOOR else ""
        return _minus(
            f"ELBO {data.elbo:.3f} + KL(q ‖ posterior) {data.kl_to_posterior:.3f} = log p(x) {log_p:.3f}. The ELBO is "
            f"the reconstruction {data.reconstruction:.3f} minus KL(q ‖ prior) {data.kl_to_prior:.3f}.{below}"
        )


def _minus(text: str) -> str:
    """Typographic minus signs, and none before a zero."""
    return re.sub(r"-(0\.0+)(?!\d)", r"\1", text).replace("-", "−")
