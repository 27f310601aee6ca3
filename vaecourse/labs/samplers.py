r"""Lab "07.samplers": a neural sampler learns a banana, a cross and two modes, by the bounds of HVM, SIVI and IWHVI.

The trainings are recorded (reproduce/tables/samplers.py); the lab puts their parameters back into the network and draws
its density, which is an integral over psi. Left the exact target, beside it what was learned.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaecourse import plots, recorded
from vaecourse.hierarchical import samplers
from vaecourse.labs.controls import Slider
from vaecourse.labs.frame import Choice, Experiment, OneOf, Seed, Whole

X, Y = torch.linspace(-6, 6, 121), torch.linspace(-4.5, 7.5, 121)
DRAWS, DOTS = 2048, 150
LOWEST = -1.2  # of the curve's axis, in nats below log Z
SAID = {"banana": "The bent target", "X": "The cross", "two modes": "Two modes"}  # how the sentence begins
TAU = {"does not look at z": "prior", "learned": "learned"}


@dataclass(frozen=True)
class Stops(Whole):
    """A slider over a few whole numbers. From Python it takes any between them; the lab goes to the nearest stop."""

    stops: tuple[int, ...] = ()

    def make(self) -> Slider:
        return Slider(
            kind="slider", label=self.label, whole=True, digits=0, stops=[float(stop) for stop in self.stops],
            min=self.low, max=self.high, step=1, value=self.default,
        )  # fmt: skip


# The record ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def record() -> dict[str, Any]:
    """The recorded trainings."""
    return recorded.load("samplers")


@lru_cache(maxsize=1)
def runs() -> dict[tuple[str, int, str], list[dict[str, Any]]]:
    """The moments of each training, by target, K and tau."""
    return {(run["target"], run["K"], run["tau"]): run["moments"] for run in record()["runs"]}


def sampler(moment: dict[str, Any]) -> samplers.NeuralSampler:
    """The network of a recorded moment."""
    values = np.frombuffer(base64.b64decode(moment["parameters"]), "<f2").astype(np.float32)
    made = samplers.NeuralSampler()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(values), made.parameters())
    return made


@lru_cache(maxsize=64)  # of 60 kB
def learned_density(target: str, K: int, tau: str, moment: int) -> NDArray[np.floating]:
    """q on the lab's grid: ``[Y, X]``."""
    return samplers.density(sampler(runs()[target, K, tau][moment]), X, Y, DRAWS).numpy()


@lru_cache(maxsize=8)
def exact_density(target: str) -> NDArray[np.floating]:
    """p on the lab's grid: ``[Y, X]``."""
    return samplers.TARGETS[target].log_prob(torch.stack(torch.meshgrid(X, Y, indexing="xy"), -1)).exp().numpy()


@lru_cache(maxsize=8)
def ellipse(target: str) -> NDArray[np.floating]:
    """Two standard deviations of the Gaussian of least KL(q || p): ``[2, 100]``."""
    best = samplers.gaussian_fit(samplers.TARGETS[target], points=1024)
    angle = torch.linspace(0, 2 * math.pi, 100)
    return (best.mean[:, None] + 2 * best.scale_tril @ torch.stack([angle.cos(), angle.sin()])).numpy()


# The lab -------------------------------------------------------------------------------------------------------------


class Learned(NamedTuple):
    """One moment of one training. In nats: bound and KL are those of the recorded parameters."""

    target: str
    K: int
    tau: str
    steps: int
    log_z: float
    bound: float
    error: float  # standard error of the bound
    kl: float
    gaussian_kl: float
    past: NDArray[np.floating]  # [3, moments so far]: steps, bound - log Z, -KL
    p: NDArray[np.floating]  # [Y, X]
    q: NDArray[np.floating]  # [Y, X]
    ellipse: NDArray[np.floating]  # [2, 100]
    dots: NDArray[np.floating]  # [DOTS, 2], draws of q

    @property
    def method(self) -> str:
        if self.tau == "prior":
            return "SIVI" if self.K else "SIVI without other psi"
        return "IWHVI" if self.K else "HVM"


class LearnedSamplers(Experiment):
    title = "A neural sampler and its bound"
    size = (8.8, 3.9)
    controls = [
        Choice("target", "Target", list(samplers.TARGETS), default="X"),
        Stops("K", "K, psi in the bound beside psi₀", 0, 20, default=5, stops=(0, 1, 5, 20)),
        Choice("tau", "tau(psi | z)", list(TAU), default="learned"),
        Stops("steps", "Steps of training", 0, 1500, default=1500, stops=(0, 50, 150, 400, 800, 1500)),
        Seed(label="New dots"),
    ]
    presets = {
        "X by HVM (K = 0)": {"K": 0},
        "X by SIVI": {"K": 20, "tau": "does not look at z"},
        "X by IWHVI": {"K": 20},
        "banana by SIVI": {"target": "banana", "tau": "does not look at z"},
        "banana by IWHVI": {"target": "banana"},
        "two modes": {"target": "two modes"},
    }
    stills = ["X by HVM (K = 0)", "X by SIVI", "X by IWHVI"]
    guess = OneOf(
        "The target is an X. tau does not look at z, and K = 0. What shape does the sampler learn?",
        on="dots",
        hides=("q", "dots", "bound", "kl"),
        at={"K": 0, "tau": "does not look at z"},
        options={"an X": None, "one arm of the X": None, "one blob without a slant": None},
        truth=lambda lab: lab.shape(),
        because=lambda lab: (
            "The bound charges for all that psi decides about z, so psi decides nothing: KL(q ‖ p) is "
            f"{lab.learned(0, 'does not look at z').kl:.2f}, the best Gaussian's "
            f"{lab.learned(0, 'learned').gaussian_kl:.3f}. Press “X by IWHVI”: {lab.learned(20, 'learned').kl:.2f}."
        ),
    )

    def compute(self, target: str, K: int, tau: str, steps: int, seed: int) -> Learned:
        nearest = lambda value, stops: min(stops, key=lambda stop: abs(stop - value))
        settings = record()["settings"]
        K, tau = nearest(K, settings["K"]), TAU[tau]
        at = settings["moments"].index(nearest(steps, settings["moments"]))
        moments = runs()[target, K, tau]
        now, log_z = moments[at], samplers.TARGETS[target].log_normaliser
        with torch.no_grad():
            dots = sampler(now).sample(DOTS, torch.Generator().manual_seed(seed))[0].numpy()
        return Learned(
            target=target,
            K=K,
            tau=tau,
            steps=now["steps"],
            log_z=log_z,
            bound=now["bound"],
            error=now["error"],
            kl=now["kl"],
            gaussian_kl=record()["gaussian_kl"][target],
            past=np.array([(m["steps"], m["bound"] - log_z, -m["kl"]) for m in moments[: at + 1]]).T,
            p=exact_density(target),
            q=learned_density(target, K, tau, at),
            ellipse=ellipse(target),
            dots=dots,
        )

    def learned(self, K: int, tau: str) -> Learned:
        """The X at the end of a training."""
        return self.at(target="X", K=K, tau=tau, steps=1500)

    def shape(self) -> str:
        """What K = 0 and the prior have made of the X: of its grid's mass, how the two coordinates hang together."""
        found = self.learned(0, "does not look at z")
        if found.kl < found.gaussian_kl:
            return "an X"
        x, y = torch.meshgrid(X, Y, indexing="xy")
        covariance = np.cov(np.stack([x.flatten(), y.flatten()]), aweights=found.q.flatten())
        slant = covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])
        return "one arm of the X" if abs(slant) > 0.3 else "one blob without a slant"

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["p", "q", "curve"]], width_ratios=[1, 1, 1.05])
        shade = LinearSegmentedColormap.from_list
        shades = {"p": shade("p", ["white", plots.EXACT]), "q": shade("q", ["white", plots.Q])}
        images = {}
        for name, title in {"p": "target p, exact", "q": "learned q and draws"}.items():
            box = axes[name]
            images[name] = box.imshow(
                np.zeros((len(Y), len(X))), cmap=shades[name], vmin=0, vmax=1, origin="lower",
                extent=(float(X[0]), float(X[-1]), float(Y[0]), float(Y[-1])), interpolation="bilinear",
            )  # fmt: skip
            box.set(title=title, xlabel="$z_1$", xticks=[-4, 0, 4], yticks=[-4, 0, 4])
            box.grid(False)
        axes["p"].set_ylabel("$z_2$")
        dots = axes["q"].plot([], [], ".", color=plots.IWAE, markersize=2.5, alpha=0.6)[0]
        ellipses = [axes[name].plot([], [], color=plots.ELBO, label="best Gaussian, 2 sd")[0] for name in ("p", "q")]
        axes["p"].legend(loc="lower center", fontsize=10, handlelength=1.2)
        curve = axes["curve"]
        plots.exact_line(curve, 0.0, "log Z, exact")
        gaussian = curve.plot([0, 1500], [0, 0], color=plots.ELBO, label="best Gaussian: −KL")[0]
        kl = curve.plot([], [], "o:", color=plots.Q, label="−KL(q ‖ p)")[0]
        bound = curve.plot([], [], "o-", color=plots.IWAE, label="bound − log Z")[0]
        curve.set(
            xlim=(-60, 1560),
            ylim=(LOWEST, 0.08),
            xlabel="steps",
            ylabel="nats below log Z",
            xticks=[0, 500, 1000, 1500],
        )
        curve.legend(loc="lower right", fontsize=10)
        return SimpleNamespace(**images, dots=dots, ellipses=ellipses, gaussian=gaussian, kl=kl, bound=bound)

    def update(self, artists: SimpleNamespace, data: Learned) -> None:
        top = data.p.max()
        artists.p.set_data(np.sqrt(data.p / top))  # the square root: what is faint must be seen
        artists.q.set_data(np.sqrt(np.minimum(data.q / top, 1.0)))
        artists.dots.set_data(*data.dots.T)
        for line in artists.ellipses:
            line.set_data(*data.ellipse)
        artists.gaussian.set_ydata([-data.gaussian_kl] * 2)
        steps, bound, minus_kl = data.past
        artists.bound.set_data(steps, np.maximum(bound, LOWEST))
        artists.kl.set_data(steps, np.maximum(minus_kl, LOWEST))

    def sentence(self, data: Learned) -> str:
        below = data.log_z - data.bound
        return (
            f"{SAID[data.target]} by {data.method}, K = {data.K}, {data.steps} steps: the bound is {data.bound:.3f} ± "
            f"{data.error:.3f} nats, {below:.3f} below log Z = {data.log_z:.3f}. Of this, KL(q ‖ p) is {data.kl:.3f}, "
            f"and {max(below - data.kl, 0.0):.3f} is how far U_K lies above log q. "
            f"The best Gaussian has a KL of {data.gaussian_kl:.3f}."
        )
