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
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor, nn

from vaecourse import divergences, evaluate, infovae, plots
from vaecourse.labs.frame import Choice, Number
from vaecourse.labs.live import Climber, Settings, Together, Trainer, Training, digits
from vaecourse.models import VAE
from vaecourse.train import Setting, untrained

SIZE = Setting(latent_dim=2, hidden=(64, 64), epochs=0)
DIVERGENCES = ["mmd-imq", "mmd-rbf", "kl-minibatch", "kl-adversarial", "js-adversarial", "stein"]
WIDE = {"mmd-rbf": "bandwidth", "stein": "bandwidth", "mmd-imq": "scale"}  # those with a kernel, and its setting
RULER = [0.2, 2.0, 20.0]  # the scales of the curve's IMQ kernel, whichever trains

# What is trained -----------------------------------------------------------------------------------------------------


class Loss(NamedTuple):
    """InfoVAE's loss, and alpha + lambda - 1 if that is negative and so refused: 0 is taken in its place."""

    objective: infovae.InfoVAE
    refused: float | None
    width: float

    def __str__(self) -> str:
        return (
            f"distortion + {self.objective.of_rate:.2f} rate + {self.objective.of_divergence:.4g} {self.objective.name}"
        )

    @property
    def wide(self) -> bool:
        """Whether the divergence has a kernel."""
        return self.objective.name in WIDE

    @property
    def kernel(self) -> str:
        """The kernel's width, or that there is none."""
        return f"kernel width {self.width:.2f}" if self.wide else "no kernel"

    @property
    def refusal(self) -> str:
        """What the sentence adds if a coefficient is refused."""
        if self.refused is None:
            return ""
        return f" (α + λ − 1 = {self.refused:.3g} is refused: it would push q(z) away from p(z). 0 is taken.)"


def loss(divergence: str, alpha: float, lambda_: float, width: float) -> Loss:
    """The loss at these controls. Kernels of the same ``width`` have the same curvature at 0."""
    given = {}
    if divergence in WIDE:
        given = {WIDE[divergence]: 2 * width**2 if divergence == "mmd-imq" else width}
    wanted = alpha + lambda_ - 1
    refused = wanted if wanted < -1e-9 else None
    return Loss(infovae.InfoVAE(divergence, alpha, lambda_ if refused is None else 1 - alpha, **given), refused, width)


class Critic(infovae.Adversarial):
    """The discriminator of a training, which both adversarial divergences ask. There from the start, to be kept."""

    def __init__(self, latent_dim: int, seed: int) -> None:
        super().__init__("kl", seed=seed)
        self.module: nn.Module = self._prepared(torch.zeros(1, latent_dim))


class InfoTrainer(Trainer):
    """A trainer of a VAE that can descend InfoVAE's loss with any divergence; it keeps the critic with the VAE."""

    model: VAE

    def __init__(self, model: VAE, pixels: Tensor, seed: int, batch_size: int = 100, rate: float = 5e-3) -> None:
        super().__init__(model, pixels, seed, batch_size, rate)
        self.critic = Critic(model.latent_dim, seed)

    def descend(
        self, x: Tensor, objective: infovae.InfoVAE, noise: torch.Generator, M: int = 1, learns: bool = True
    ) -> None:
        """Fill ``.grad``. A critic that is asked takes its own steps first, unless it is not to learn from this."""
        if isinstance(own := objective.divergence, infovae.Adversarial):
            self.critic.kind, self.critic.steps = own.kind, own.steps if learns else 0
            objective.divergence = self.critic
        objective.backward(self.model, x, noise, M)

    def kept(self) -> tuple[nn.Module, Climber]:
        both = nn.ModuleDict({"vae": self.model, "critic": self.critic.module})
        return both, Together(self.climber, self.critic.climber)


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
        for scale in RULER:
            mmd += divergences.mmd2(self.codes(), self.prior, partial(divergences.imq, scale=scale)).item() / len(RULER)
            yield
        noise, information = torch.Generator().manual_seed(3), 0.0
        for _ in range(2):
            information += evaluate.mutual_information(self.model, self.held_out, 1, noise) / 2
            yield
        return [reconstruction.item(), spent.item(), mmd, information]


def rate(mean: Tensor, log_std: Tensor) -> Tensor:
    r"""KL(q(z | x) || N(0, I)) in nats. Shapes: ``2 x [B, L] -> [B]``. Source: arXiv 1312.6114, appendix B."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


# What is shown -------------------------------------------------------------------------------------------------------

# No two of them are the same to any common kind of colour blindness, and each point is drawn as its digit besides.
INKS = ["#3B3B98", "#E69F00", "#56B4E9", "#009E73", "#A89000", "#0072B2", "#D55E00", "#CC79A7", "#7A4B20", "#7F7F7F"]


class Words(Text):
    """A text that is rendered once for as long as it says the same: letters take longer than all the curves."""

    _said: tuple[str, object] | None = None

    def draw(self, renderer: RendererBase) -> None:
        if not self.get_text() or not isinstance(renderer, RendererAgg):
            return super().draw(renderer)
        box = self.get_window_extent(renderer).padded(2)
        left, low, right, high = (round(edge) for edge in box.extents)
        if self._said != (self.get_text(), self.get_color()):
            own = RendererAgg(renderer.width, renderer.height, renderer.dpi)
            super().draw(own)
            drawn = np.asarray(own.buffer_rgba())[::-1]  # the first row is the lowest, as draw_image wants it
            self._letters = drawn[max(low, 0) : high, max(left, 0) : right].copy()
            self._said = self.get_text(), self.get_color()
        renderer.draw_image(renderer.new_gc(), max(left, 0), max(low, 0), self._letters)
        self.stale = False


def heading(figure: Figure) -> Words:
    """The line above a picture; the layout keeps its place."""
    figure.suptitle(" ", fontsize=14)
    words = Words(0.5, 0.985, " ", ha="center", va="top", fontsize=14, transform=figure.transFigure)
    figure.add_artist(words)
    return words


class Curves:
    """Curves over the steps of a training, with a thin line wherever a control was turned.

    The axis goes from 0 to 1 for good and only its numbers change: a new axis would be a new drawing of everything.
    """

    def __init__(self, axes: Axes, columns: dict[str, tuple[str, str]], numbered: bool = False) -> None:
        """``columns`` maps a trainer's column to its colour and its label; ``numbered`` says the steps below."""
        self.axes, self.low_high = axes, axes.get_ylim()
        axes.set(xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1], xticklabels=[])
        self.turns = axes.plot([], [], color=plots.PRIOR, linewidth=1, transform=axes.get_xaxis_transform())[0]
        self.lines = {name: axes.plot([], [], color=ink, label=label)[0] for name, (ink, label) in columns.items()}
        axes.set_ylim(self.low_high)
        self.numbers: list[Words] = []
        for at, align in ((0.0, "left"), (0.5, "center"), (1.0, "right")) if numbered else ():
            self.numbers.append(Words(at, -0.05, "0", ha=align, va="top", fontsize=12))
            axes.add_artist(self.numbers[-1]).set(transform=axes.get_xaxis_transform(), clip_on=False)
        axes.legend(  # above: every place inside is some curve's
            loc="lower right", bbox_to_anchor=(1, 1), fontsize=10, ncols=2, borderaxespad=0.1, handlelength=1.2
        )

    @property
    def artists(self) -> list[Artist]:
        return [self.turns, *self.lines.values(), *self.numbers]

    def update(self, trainer: Trainer) -> None:
        """What is off the scale runs along its edge. The axis doubles when the training has come to its end."""
        end = 200 * 2 ** max(0, math.ceil(math.log2(max(trainer.steps, 1) / 200)))
        for name, line in self.lines.items():
            steps, values = trainer.curve(name)
            line.set_data(steps / end, np.clip(values, *self.low_high))
        turns = np.repeat(np.array(trainer.turns, dtype=float) / end, 3)
        turns[2::3] = math.nan
        self.turns.set_data(turns, np.tile([0.0, 1.0, 0.0], len(turns) // 3))
        self._number(end)

    def _number(self, end: int) -> None:
        for number, text in zip(self.numbers, ("0", f"{end // 2}", f"{end} steps")):
            number.set_text(text)


class Scatter:
    """Points in the plane, each drawn as its digit, over the circles of N(0, I)."""

    def __init__(self, axes: Axes) -> None:
        angle = np.linspace(0, 2 * math.pi, 200)
        self._circle = np.stack([np.cos(angle), np.sin(angle)])
        self.circles = [axes.plot([], [], color=plots.PRIOR, linewidth=1.5, zorder=1)[0] for _ in range(3)]
        self.points = [
            axes.plot([], [], linestyle="", marker=f"${digit}$", markersize=7, markeredgewidth=0.4, color=ink)[0]
            for digit, ink in enumerate(INKS)
        ]
        axes.set(aspect="equal", xticks=[], yticks=[], xlim=(-1, 1), ylim=(-1, 1))
        axes.set_title("codes z of held-out digits", fontsize=12)
        axes.set_xlabel("circles: 1, 2, 3 sd of the prior", fontsize=11)
        axes.spines[:].set_visible(False)
        self.reach = 0.0

    @property
    def artists(self) -> list[Artist]:
        return [*self.circles, *self.points]

    def update(self, z: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Show z ``[N, 2]``. The window holds 98 % of the coordinates; it doubles, so that it mostly rests."""
        reach = 3.5 * 2 ** max(0, math.ceil(math.log2(max(np.quantile(np.abs(z), 0.98) / 3.5, 1e-9))))
        if reach != self.reach:
            self.reach = reach
            for radius, circle in enumerate(self.circles, 1):
                circle.set_data(*(radius / reach * self._circle))
        inside = np.clip(z / reach, -0.97, 0.97)
        for digit, points in enumerate(self.points):
            points.set_data(*inside[labels == digit].T)


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
            f"{now['information']:.2f} tell which digit it was; MMD² {now['mmd']:.4f}. {turned}"
        )
