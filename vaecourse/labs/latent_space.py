"""Lab "06.latent": a two-dimensional latent space of digits, trained while alpha, lambda and the divergence are turned.

The loss is InfoVAE's. All that is drawn is measured on the 360 held-out digits, always with the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import divergences, evaluate, infovae, plots
from vaecourse.labs.frame import Choice, Number
from vaecourse.labs.live import Settings, Trainer, Training, digits
from vaecourse.models import VAE
from vaecourse.train import Setting, untrained

SIZE = Setting(latent_dim=2, hidden=(64, 64), epochs=0)
DIVERGENCES = ["mmd-imq", "mmd-rbf", "kl-minibatch", "stein"]  # those that remember nothing from step to step
RULER = divergences.multi_scale(divergences.imq, [0.2, 2.0, 20.0])  # the kernel of the curve, whichever trains

# What is trained -----------------------------------------------------------------------------------------------------


class Loss(NamedTuple):
    """InfoVAE's loss, and alpha + lambda - 1 if that is negative and so refused: 0 is taken in its place."""

    objective: infovae.InfoVAE
    refused: float | None

    def __str__(self) -> str:
        return (
            f"distortion + {self.objective.of_rate:.2f} rate + {self.objective.of_divergence:.4g} {self.objective.name}"
        )

    @property
    def refusal(self) -> str:
        """What the sentence adds if a coefficient is refused."""
        if self.refused is None:
            return ""
        return f" (α + λ − 1 = {self.refused:.3g} is refused: it would push q(z) away from p(z). 0 is taken.)"


@lru_cache(maxsize=64)
def loss(divergence: str, alpha: float, lambda_: float, width: float | None = None) -> Loss:
    """The loss at these controls. Kernels of the same ``width`` have the same curvature at 0; None is the usual one."""
    settings = {"mmd-rbf": "bandwidth", "stein": "bandwidth", "mmd-imq": "scale"}
    given = {}
    if width is not None and divergence in settings:
        given = {settings[divergence]: 2 * width**2 if divergence == "mmd-imq" else width}
    wanted = alpha + lambda_ - 1
    refused = wanted if wanted < -1e-9 else None
    return Loss(infovae.InfoVAE(divergence, alpha, lambda_ if refused is None else 1 - alpha, **given), refused)


class LatentTrainer(Trainer):
    """A VAE with two latent dimensions that descends InfoVAE's loss."""

    model: VAE
    columns = ["reconstruction", "rate", "mmd", "information"]

    def __init__(self, seed: int) -> None:
        images = digits()
        super().__init__(untrained(images, seed, SIZE), images.train, seed, rate=0.01)
        self.held_out = images.binary_test()
        self.eps = torch.randn(len(self.held_out), 2, generator=torch.Generator().manual_seed(1))
        self.prior = torch.randn(500, 2, generator=torch.Generator().manual_seed(2))

    def backward(self, x: Tensor, settings: Settings) -> None:
        loss(**settings).objective.backward(self.model, x, self.random)

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
        mmd = divergences.mmd2(self.codes(), self.prior, RULER)
        yield
        noise = torch.Generator().manual_seed(3)
        information = evaluate.mutual_information(self.model, self.held_out, 2, noise)
        return [reconstruction.item(), spent.item(), mmd.item(), information]


def rate(mean: Tensor, log_std: Tensor) -> Tensor:
    r"""KL(q(z | x) || N(0, I)) in nats. Shapes: ``2 x [B, L] -> [B]``. Source: arXiv 1312.6114, appendix B."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


# What is shown -------------------------------------------------------------------------------------------------------

# No two of them are the same to any common kind of colour blindness, and each point is drawn as its digit besides.
INKS = ["#3B3B98", "#E69F00", "#56B4E9", "#009E73", "#A89000", "#0072B2", "#D55E00", "#CC79A7", "#7A4B20", "#7F7F7F"]


class Curves:
    """Curves over the steps of a training, with a thin line wherever a control was turned."""

    def __init__(self, axes: Axes, columns: dict[str, tuple[str, str]]) -> None:
        """``columns`` maps a trainer's column to its colour and its label."""
        self.axes, self.low_high = axes, axes.get_ylim()
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlim(0, 16_000)  # the widest label that the layout must hold
        self.turns = axes.plot([], [], color=plots.PRIOR, linewidth=1, transform=axes.get_xaxis_transform())[0]
        self.lines = {name: axes.plot([], [], color=ink, label=label)[0] for name, (ink, label) in columns.items()}
        axes.set_ylim(self.low_high)

    @property
    def artists(self) -> list[Line2D]:
        return [self.turns, *self.lines.values()]

    def update(self, trainer: Trainer) -> None:
        """What is off the scale runs along its edge. The axis doubles when the training has come to its end."""
        for name, line in self.lines.items():
            steps, values = trainer.curve(name)
            line.set_data(steps, np.clip(values, *self.low_high))
        turns = np.repeat(np.array(trainer.turns, dtype=float), 3)
        turns[2::3] = math.nan
        self.turns.set_data(turns, np.tile([0.0, 1.0, 0.0], len(turns) // 3))
        end = 200 * 2 ** max(0, math.ceil(math.log2(max(trainer.steps, 1) / 200)))
        if self.axes.get_xlim()[1] != end:
            self.axes.set_xlim(0, end)


class Scatter:
    """Points in the plane, each drawn as its digit, over the circles of N(0, I)."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        angle = np.linspace(0, 2 * math.pi, 200)
        for radius in (1, 2, 3):
            axes.plot(radius * np.cos(angle), radius * np.sin(angle), color=plots.PRIOR, linewidth=1.5, zorder=1)
        self.points = [
            axes.plot([], [], linestyle="", marker=f"${digit}$", markersize=7, markeredgewidth=0.4, color=ink)[0]
            for digit, ink in enumerate(INKS)
        ]
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        self.reach = 0.0

    def update(self, z: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Show z ``[N, 2]``. The window holds 98 % of the coordinates; it doubles, so that it mostly rests."""
        reach = 3.5 * 2 ** max(0, math.ceil(math.log2(max(np.quantile(np.abs(z), 0.98) / 3.5, 1e-9))))
        if reach != self.reach:
            self.reach = reach
            self.axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        inside = np.clip(z, -reach, reach)
        for digit, points in enumerate(self.points):
            points.set_data(*inside[labels == digit].T)


class Space(NamedTuple):
    """The controls, what they amount to, the trainer, and a z for each held-out digit."""

    alpha: float
    lambda_: float
    loss: Loss
    width: str
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
        unused = settings["divergence"] == "kl-minibatch"
        width = f"{'unused' if unused else 'kernel'} width {settings['width']:.2f}"
        return Space(settings["alpha"], settings["lambda_"], loss(**settings), width, trainer, trainer.codes().numpy())

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic(
            [["z", "reconstruction"], ["z", "nats"], ["z", "mmd"]], width_ratios=[1.12, 1], height_ratios=[1, 1.2, 1]
        )
        scatter = Scatter(axes["z"])
        title = figure.suptitle(" ", fontsize=14)
        ceiling = math.log(len(digits().test))
        axes["reconstruction"].set(ylim=(-32, -16), ylabel="nats")
        axes["nats"].set(ylim=(0.02, 200), yscale="log", ylabel="nats", yticks=[0.1, 1, 10, 100])
        axes["mmd"].set(ylim=(1e-4, 1), yscale="log", xlabel="steps", yticks=[1e-4, 1e-2, 1])
        axes["nats"].axhline(ceiling, color=plots.PRIOR, linestyle=":", linewidth=1.5)
        curves = [
            Curves(axes["reconstruction"], {"reconstruction": (plots.IWAE, "E log p(x|z)")}),
            Curves(axes["nats"], {"rate": (plots.ELBO, "rate"), "information": (plots.DECODER, "information $I_q$")}),
            Curves(axes["mmd"], {"mmd": (plots.ENCODER, r"MMD$^2$ to the prior")}),
        ]
        curves[1].lines["rate"].set_linewidth(4.5)  # it often lies under the information
        for curve in curves:
            place = (1, 1.04) if curve.axes is axes["mmd"] else (1, 0.28)  # of the legend's upper right corner
            curve.axes.legend(
                loc="upper right", bbox_to_anchor=place, fontsize=10, ncols=2, borderaxespad=0.1, handlelength=1.2
            )
            curve.axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            curve.axes.tick_params(labelbottom=curve.axes is axes["mmd"])
        self._scatter, self._curves = scatter, curves
        return SimpleNamespace(points=scatter.points, loss=title, curves=[curve.artists for curve in curves])

    def update(self, artists: SimpleNamespace, data: Space) -> None:
        self._scatter.update(data.z, digits().test_labels.numpy())
        for curve in self._curves:
            curve.update(data.trainer)
        artists.loss.set_text(f"loss = {data.loss} ({data.width})")

    def sentence(self, data: Space) -> str:
        trainer = data.trainer
        turned = f"With α = {data.alpha:.2f}, λ = {data.lambda_:.4g} the loss is {data.loss} ({data.width})."
        turned += data.loss.refusal
        if not trainer.history:
            return f"Not trained yet. {turned}"
        step, now = int(trainer.history[-1][0]), {name: trainer.latest(name) for name in trainer.columns}
        return (
            f"Step {step}: E log p(x|z) = {now['reconstruction']:.2f} nats, rate {now['rate']:.2f}, of which "
            f"{now['information']:.2f} tell which digit it was; MMD² {now['mmd']:.4f}. {turned}"
        )
