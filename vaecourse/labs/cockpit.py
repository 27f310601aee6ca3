"""Lab "08.cockpit": a VAE of the digits trains while its objective is turned, from the ELBO to MIWAE and to InfoVAE.

Every curve is measured on the same digits and the same noise at each point, so that what moves is the model.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import evaluate, objectives, plots
from vaecourse.labs.curves import Curves, Scatter, heading
from vaecourse.labs.frame import Choice, Number, OneOf, Whole
from vaecourse.labs.info_trainer import DIVERGENCES, SIZE, InfoTrainer, Loss, loss
from vaecourse.labs.training import Settings, Training, digits
from vaecourse.models import rate
from vaecourse.train import untrained

BUDGET = 64  # the most samples of a digit in a step
OBJECTIVES = [*objectives.TABLE, "infovae"]
SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ"}
CODES = 4  # codes of a digit in a step of InfoVAE: a divergence compares every code with every other
HELD_OUT, SAMPLES = 100, 100  # digits, and importance samples of each, behind the curve of log p(x)
OF, DRAWS = 20, 40  # digits, and gradients of their mean bound, behind a signal-to-noise ratio
FLOOR = math.sqrt(2 / (math.pi * DRAWS))  # what pure noise seems to have: E|mean| / sd of DRAWS standard normal numbers
EXAMPLES, COLUMNS = 5, 6  # rows and columns of samples


def own(row: objectives.Objective, share: float) -> dict[str, float]:
    """The row's first parameter, if it takes one, at this share of its interval."""
    return {of.name: of.low + share * (of.high - of.low) for of in row.takes[:1]}


def owners() -> str:
    """The symbols of the parameters that rows take, on the one slider for them: "Own β, α"."""
    rows = objectives.TABLE.values()
    return "Own " + ", ".join(dict.fromkeys(SYMBOLS.get(of.name, of.name) for row in rows for of in row.takes[:1]))


# What is trained -----------------------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """What the controls amount to: a row of the table with its M and K, or InfoVAE's loss; and what waits."""

    row: objectives.Objective | None
    loss: Loss | None
    M: int
    K: int
    waits: str

    def __str__(self) -> str:
        if self.loss is not None:
            return f"infovae: {self.loss}, {self.loss.kernel}, M = {self.M}"
        return f"{self.row}, M = {self.M}, K = {self.K}"


def plan(
    objective: str, M: int, K: int, beta: float, alpha: float, lambda_: float, divergence: str, width: float
) -> Plan:
    """The objective under these controls. M K is at most ``BUDGET``, M of InfoVAE ``CODES``: M gives way."""
    family = objective == "infovae"
    most = CODES if family else BUDGET // K
    fits = min(M, most)
    waits = f"M = {M} ({'M' if family else 'M K'} is at most {CODES if family else BUDGET})" if fits < M else ""
    info = loss(divergence, alpha, lambda_, width)
    unused = {
        "K": f"K = {K}" if family else "",
        "info": "" if family else f"InfoVAE's α = {alpha:.2f}, λ = {lambda_:.4g}, {divergence}",
        "width": "" if family and info.has_kernel else f"kernel width {width:.2f}",
    }
    row = None if family else objectives.get(objective)
    unused["own"] = "" if row and row.takes else f"{owners()} = {beta:.2f}"
    unused_text = ", ".join(text for text in (waits, *unused.values()) if text)
    if row is None:
        return Plan(None, info, fits, 1, unused_text)
    return Plan(objectives.get(row, **own(row, beta)), None, fits, K, unused_text)


class CockpitTrainer(InfoTrainer):
    """A VAE that follows whatever objective the controls name."""

    columns = ["bound", "log_p", "encoder", "decoder", "rate"]
    every = 40

    def __init__(self, seed: int) -> None:
        images = digits()
        super().__init__(untrained(images, seed, SIZE), images.train, seed, batch_size=64)
        self.held_out = images.binary_test()
        self.few = images.train[:OF].round()
        self.eps = torch.randn(len(self.held_out), 2, generator=torch.Generator().manual_seed(1))
        self.prior = torch.randn(EXAMPLES * COLUMNS, 2, generator=torch.Generator().manual_seed(2))

    def backward(self, x: Tensor, settings: Settings) -> None:
        self._fill(x, plan(**settings), self.random)

    def _fill(self, x: Tensor, now: Plan, generator: torch.Generator, learns: bool = True) -> None:
        if now.loss is not None:
            self.descend(x, now.loss.objective, generator, now.M, learns)
        elif now.row is not None:
            objectives.backward(self.model, x, now.row, now.M, now.K, generator)

    def measure(self, settings: Settings) -> Generator[None, None, list[float]]:
        now, noise = plan(**settings), torch.Generator().manual_seed(3)
        x = self.held_out[:HELD_OUT]
        bound = evaluate.bound(self.model, x, now.row or "elbo", now.M, now.K, noise).mean().item()
        yield
        log_p = []
        for some in x.split(25):
            log_p.append(evaluate.log_likelihood(self.model, some, SAMPLES, noise))
            yield
        encoder, decoder = yield from self.signal(now, noise)
        with torch.no_grad():
            spent = rate(*self.model.encode(x)).mean().item()
        return [bound, torch.cat(log_p).mean().item(), encoder, decoder, spent]

    def signal(self, now: Plan, noise: torch.Generator) -> Generator[None, None, tuple[float, float]]:
        r"""|mean| / sd of the gradient, averaged over the parameters of the encoder and of the decoder.

        From ``DRAWS`` gradients on the same digits. A gradient that is always 0 counts as no signal.
        """
        halves = [list(self.model.phi().values()), list(self.model.theta().values())]
        drawn: list[list[Tensor]] = [[], []]
        for _ in range(DRAWS):
            self.model.zero_grad()
            self._fill(self.few, now, noise, learns=False)
            for half, gradients in zip(halves, drawn):
                gradients.append(
                    torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in half])
                )
            yield
        self.model.zero_grad()
        stacked = (torch.stack(gradients) for gradients in drawn)  # [DRAWS, P]
        encoder, decoder = ((g.mean(0).abs() / g.std(0).clamp_min(1e-12)).mean().item() for g in stacked)
        return encoder, decoder


# What is shown -------------------------------------------------------------------------------------------------------


class Cockpit(NamedTuple):
    """The plan and the trainer; a z for each held-out digit; samples, and digits above their reconstructions."""

    plan: Plan
    trainer: CockpitTrainer
    z: NDArray[np.floating]
    samples: NDArray[np.floating]
    pairs: NDArray[np.floating]


class TrainingCockpit(Training):
    title = "The training cockpit"
    size = (8.8, 4.0)
    controls = [
        Whole("K", "Samples K", 1, 64, default=1, log=True),
        Whole("M", "Estimates M", 1, 64, default=1, log=True),
        Number("beta", owners(), 0.0, 1.0, default=0.5, stops=41),
        Number("alpha", "α (infovae)", -9.0, 1.0, default=0.0, stops=41),
        Number("lambda_", "λ (infovae)", 0.1, 1000.0, default=1.0, log=True, stops=81, digits=1),
        Number("width", "Kernel width", 0.05, 20.0, default=math.sqrt(2), log=True, stops=53),
        Choice("objective", "Objective", OBJECTIVES, default="elbo"),
        Choice("divergence", "Divergence", DIVERGENCES, default="mmd-imq"),
    ]
    presets = {
        "VAE": {},
        "drown the encoder": {"objective": "iwae", "K": 64},
        "rescue it with MIWAE": {"objective": "miwae", "M": 8, "K": 8},
        "collapse it": {"objective": "infovae", "alpha": -9.0, "lambda_": 10.0},
        # Half the price brings the codes back. With lambda 200 the gradient of MMD^2 drowns all else in an encoder that
        # has collapsed: it is a hundred times as large, and most of it noise, for such codes are on the prior already.
        "save it with MMD": {"objective": "infovae", "alpha": 0.5, "lambda_": 5.0},
    }
    stills = ["VAE", "save it with MMD"]
    still_steps = 80
    guess = OneOf(
        "A VAE has trained for a while. You press “drown the encoder”: IWAE, K = 64. Which signal-to-noise ratio "
        "falls, and does log p(x) fall with it?",
        on="curves",
        legend="lower left",
        options={
            "encoder, log p(x) falls": None,
            "encoder, log p(x) still rises": None,
            "decoder, log p(x) still rises": None,
        },
        truth=lambda lab: "encoder, log p(x) still rises",
        because=lambda lab: (
            "See it: Start, “drown the encoder” after 200 steps. The encoder's ratio goes down to the dotted line, "
            f"{FLOOR:.2f}, what pure noise reads; the decoder goes on learning, and log p(x) with it. “rescue it with "
            "MIWAE” is next."
        ),
    )

    def begin(self, seed: int) -> CockpitTrainer:
        return CockpitTrainer(seed)

    @torch.no_grad()
    def look(self, trainer: CockpitTrainer, settings: Settings) -> Cockpit:
        mean, log_std = trainer.model.encode(trainer.held_out)
        z = mean + log_std.exp() * trainer.eps
        shape = digits().shape
        samples = trainer.model.decode(trainer.prior).view(-1, *shape)
        before, after = digits().test[: 2 * COLUMNS].view(-1, *shape), trainer.model.decode(z[: 2 * COLUMNS])
        rows = before.split(COLUMNS), after.view(-1, *shape).split(COLUMNS)
        pairs = torch.cat([row for pair in zip(*rows) for row in pair])
        return Cockpit(
            plan(**settings), trainer, z.numpy(),
            plots.mosaic(samples, COLUMNS), plots.mosaic(pairs, COLUMNS),
        )  # fmt: skip

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic(
            [["z", "bound", "samples"], ["z", "snr", "pairs"]], width_ratios=[1.3, 1.3, 0.85], height_ratios=[1.2, 1]
        )
        title = heading(figure)
        self._scatter = Scatter(axes["z"])
        axes["bound"].set(ylim=(-29, -22), ylabel="held-out nats")
        axes["snr"].set(ylim=(0.05, 20), yscale="log", ylabel="gradient SNR", yticks=[0.1, 1, 10])
        axes["snr"].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes["snr"].axhline(FLOOR, color=plots.PRIOR, linestyle=":", linewidth=1.5)
        self._curves = [
            Curves(axes["bound"], {"log_p": (plots.IWAE, "log p(x)"), "bound": (plots.ELBO, "bound")}),
            Curves(axes["snr"], {"decoder": (plots.DECODER, "decoder"), "encoder": (plots.ENCODER, "encoder")}, True),
        ]
        pictures = []
        for name, rows, words in (("samples", EXAMPLES, "samples"), ("pairs", 4, "digits, rebuilt")):
            blank = np.zeros((9 * rows - 1, 9 * COLUMNS - 1))
            pictures.append(axes[name].imshow(blank, vmin=0, vmax=1, aspect="equal"))
            axes[name].set_title(words, fontsize=12)
            axes[name].set_axis_off()
        return SimpleNamespace(
            title=title, points=self._scatter.artists, samples=pictures[0], pairs=pictures[1],
            curves=[curve.artists for curve in self._curves],
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Cockpit) -> None:
        self._scatter.update(data.z, digits().test_labels.numpy())
        for curve in self._curves:
            curve.update(data.trainer)
        artists.title.set_text(str(data.plan))
        artists.samples.set_data(data.samples)
        artists.pairs.set_data(data.pairs)

    def sentence(self, data: Cockpit) -> str:
        now, trainer = data.plan, data.trainer
        refusal = now.loss.refusal if now.loss is not None else ""
        waits = f"{refusal} Not in use: {now.waits}."
        if not trainer.history:
            return f"Not trained yet: {now}.{waits}"
        step, found = int(trainer.history[-1][0]), {name: trainer.latest(name) for name in trainer.columns}
        kind = "bound" if now.row is not None else "ELBO"
        return (
            f"Step {step}, {now}: {kind} {found['bound']:.2f} nats, log p(x) {found['log_p']:.2f}, rate "
            f"{found['rate']:.2f}; signal-to-noise {found['encoder']:.2f} in the encoder, {found['decoder']:.2f} in "
            f"the decoder.{waits}"
        )
