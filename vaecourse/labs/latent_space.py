"""Lab "06.latent": a two-dimensional latent space of digits, trained while alpha, lambda and the divergence are turned.

The loss is InfoVAE's. All that is drawn is measured on the 360 held-out digits, always with the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import divergences, evaluate, plots
from vaecourse.labs.curves import Curves, Scatter, heading
from vaecourse.labs.frame import Choice, Number
from vaecourse.labs.info_trainer import DIVERGENCES, SIZE, InfoTrainer, Loss, loss
from vaecourse.labs.training import Settings, Training, digits
from vaecourse.models import rate
from vaecourse.train import untrained

IMQ_SCALES = [0.2, 2.0, 20.0]  # of the kernel that the curve is measured with, whichever trains


class LatentTrainer(InfoTrainer):
    """A VAE with two latent dimensions that descends InfoVAE's loss."""

    columns = ["reconstruction", "rate", "mmd", "information"]

    def __init__(self, seed: int) -> None:
        images = digits()
        super().__init__(untrained(images, seed, SIZE), images.train, seed, rate=0.01)
        self.held_out = images.binary_test()
        self.eps = torch.randn(len(self.held_out), 2, generator=torch.Generator().manual_seed(1))
        self.prior = torch.randn(500, 2, generator=torch.Generator().manual_seed(2))

    def backward(self, x: Tensor, settings: Settings) -> None:
        self.descend(x, loss(**settings).objective, self.random)

    @torch.no_grad()
    def codes(self) -> Tensor:
        """One z for each held-out digit, ``[N, 2]``, always from the same noise."""
        mean, log_std = self.model.encode(self.held_out)
        return mean + log_std.exp() * self.eps

    def measure(self, settings: Settings) -> Generator[None, None, list[float]]:
        with torch.no_grad():
            reconstruction = self.model.log_likelihood(self.held_out, self.codes()).mean()
            spent = rate(*self.model.encode(self.held_out)).mean()
        yield
        mmd = 0.0
        for scale in IMQ_SCALES:
            mmd += divergences.mmd2(self.codes(), self.prior, partial(divergences.imq, scale=scale)).item() / len(
                IMQ_SCALES
            )
            yield
        noise, information = torch.Generator().manual_seed(3), 0.0
        for _ in range(2):
            information += evaluate.mutual_information(self.model, self.held_out, 1, noise) / 2
            yield
        return [reconstruction.item(), spent.item(), mmd, information]


class Space(NamedTuple):
    """The controls, what they amount to, the trainer, and a z for each held-out digit."""

    alpha: float
    lambda_: float
    loss: Loss
    trainer: LatentTrainer
    z: NDArray[np.floating]


class LatentSpace(Training):
    title = "A latent space, trained while you turn the loss"
    size = (8.8, 4.2)
    controls = [
        Number("alpha", "α", -9.0, 1.0, default=0.0, stops=41),
        Number("lambda_", "λ", 0.1, 1000.0, default=1.0, log=True, stops=81, digits=1),
        Number("width", "Kernel width", 0.05, 20.0, default=1.0, log=True, stops=53),
        Choice("divergence", "Divergence of q(z) from p(z)", DIVERGENCES, default="mmd-imq"),
    ]
    presets = {
        "VAE": {},
        "MMD-VAE": {"alpha": 1.0, "lambda_": 200.0},
        "pulled apart": {"alpha": 1.0, "lambda_": 0.1},
        "collapsed": {"alpha": -9.0, "lambda_": 10.0},
        "kernel too narrow": {"alpha": 1.0, "lambda_": 200.0, "divergence": "mmd-rbf", "width": 0.05},
    }
    stills = ["VAE", "MMD-VAE"]
    still_steps = 80

    def begin(self, seed: int) -> LatentTrainer:
        return LatentTrainer(seed)

    def look(self, trainer: LatentTrainer, settings: Settings) -> Space:
        return Space(settings["alpha"], settings["lambda_"], loss(**settings), trainer, trainer.codes().numpy())

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic(
            [["z", "reconstruction"], ["z", "nats"], ["z", "mmd"]], width_ratios=[1.12, 1], height_ratios=[1, 1.2, 1]
        )
        scatter = Scatter(axes["z"])
        title = heading(figure)
        ceiling = math.log(len(digits().test))
        axes["reconstruction"].set(ylim=(-32, -16), ylabel="nats")
        axes["nats"].set(ylim=(0.02, 200), yscale="log", ylabel="nats", yticks=[0.1, 1, 10, 100])
        axes["mmd"].set(ylim=(1e-4, 1), yscale="log", yticks=[1e-4, 1e-2, 1])
        axes["nats"].axhline(ceiling, color=plots.PRIOR, linestyle=":", linewidth=1.5)
        curves = [
            Curves(axes["reconstruction"], {"reconstruction": (plots.IWAE, "E log p(x|z)")}),
            Curves(axes["nats"], {"rate": (plots.ELBO, "rate"), "information": (plots.DECODER, "information $I_q$")}),
            Curves(axes["mmd"], {"mmd": (plots.ENCODER, r"MMD$^2$ to the prior")}, numbered=True),
        ]
        curves[1].lines["rate"].set_linewidth(4.5)  # it often lies under the information
        for curve in curves:
            curve.axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        self._scatter, self._curves = scatter, curves
        return SimpleNamespace(points=scatter.artists, loss=title, curves=[curve.artists for curve in curves])

    def update(self, artists: SimpleNamespace, data: Space) -> None:
        self._scatter.update(data.z, digits().test_labels.numpy())
        for curve in self._curves:
            curve.update(data.trainer)
        artists.loss.set_text(f"loss = {data.loss} ({data.loss.kernel})")

    def sentence(self, data: Space) -> str:
        trainer = data.trainer
        turned = f"With α = {data.alpha:.2f}, λ = {data.lambda_:.4g} the loss is {data.loss} ({data.loss.kernel})."
        turned += data.loss.refusal
        if not trainer.history:
            return f"Not trained yet. {turned}"
        step, now = int(trainer.history[-1][0]), {name: trainer.latest(name) for name in trainer.columns}
        return (
            f"Step {step}: E log p(x|z) = {now['reconstruction']:.2f} nats, rate {now['rate']:.2f}, of which "
            f"{now['information']:.2f} tell which image it was; MMD² {now['mmd']:.4f}. {turned}"
        )
