"""Lab "04.pull": where the exact gradient of L_K sends q, drawn on the contours of its KL to the posterior."""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.exact import case_with
from vaecourse.labs.frame import Choice, Experiment, Whole

TRUE, TURN = "the pull, to scale", "its direction only"
SHIFTS = np.linspace(-2.4, 2.4, 7)  # of q's mean, in standard deviations of the posterior; so are the widths
WIDTHS = np.linspace(0.45, 2.25, 5)
PLACES = np.array([(shift, width) for width in WIDTHS for shift in SHIFTS])
MARKED = (1.0, 1.3)  # about the q of the reference case
LENGTH, LONGEST = 0.13, 0.7  # of an arrow: for a nat a posterior width, and at most
EQUAL = 0.42
WIDTH = case_with(1.0, 0.0).std.item()  # of the posterior


class Arrows(NamedTuple):
    """The pull of K samples and of the ELBO at each of PLACES, then at MARKED: ``[N, 2]``, nats a posterior width."""

    K: int
    equal: bool
    pull: NDArray[np.floating]
    elbo: NDArray[np.floating]

    @property
    def sizes(self) -> NDArray[np.floating]:
        return np.hypot(*self.pull.T)

    @property
    def angles(self) -> NDArray[np.floating]:
        """Between the pull and the ELBO's, in degrees."""
        (a, b), (c, d) = self.elbo.T, self.pull.T
        return np.abs(np.degrees(np.arctan2(a * d - b * c, a * c + b * d)))


class EncoderPull(Experiment):
    title = "Where does the bound of K samples send q?"
    size = (8.8, 4.2)
    controls = [
        Whole("K", "Samples K under one logarithm", 1, 1024, default=1, log=True),
        Choice("arrows", "An arrow shows", [TRUE, TURN], default=TRUE),
    ]
    presets = {
        "the ELBO (K = 1)": {"K": 1},
        "K = 8": {"K": 8},
        "K = 64": {"K": 64},
        "K = 64, direction only": {"K": 64, "arrows": TURN},
    }
    stills = ["the ELBO (K = 1)", "K = 64", "K = 64, direction only"]

    def compute(self, K: int, arrows: str) -> Arrows:
        return Arrows(K, arrows == TURN, *(np.array([_pull(s, w, k) for s, w in [*PLACES, MARKED]]) for k in (K, 1)))

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplots()
        x, y = np.meshgrid(np.linspace(-3.1, 3.1, 156), np.linspace(0.18, 2.7, 127))
        kl = 0.5 * (x**2 + y**2 - 1) - np.log(y)
        lines = axes.contour(x, y, kl, levels=[0.1, 0.5, 1, 2, 3, 4], colors=plots.PRIOR, linewidths=1.2)
        axes.clabel(lines, fontsize=10)
        axes.axhline(math.sqrt(0.5), color=plots.ELBO, linestyle=":", label="below: χ² is infinite")
        axes.plot([0], [1], "o", color=plots.EXACT, label="the posterior")
        axes.plot([], [], color=plots.PRIOR, linewidth=1.2, label="KL(q ‖ posterior), nats")
        look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.004, "zorder": 3}
        everywhere = axes.quiver(*PLACES.T, *PLACES.T, color=plots.IWAE, **look)
        marked = axes.quiver(*MARKED, *MARKED, color=plots.Q, **look | {"width": 0.007})
        axes.plot(*MARKED, "o", color=plots.Q, zorder=4, label="the q of the sentence")
        axes.set(xlim=(-3.1, 3.1), ylim=(0.18, 2.7), aspect="equal", yticks=[0.5, 1, 1.5, 2, 2.5])
        axes.set_xlabel("mean of q: posterior widths from its peak")
        axes.set_ylabel("width of q (posterior: 1)")
        axes.grid(visible=False)
        figure.legend(loc="outside upper center", ncols=4, fontsize=10, handlelength=1.4, columnspacing=1.2)
        return SimpleNamespace(everywhere=everywhere, marked=marked)

    def update(self, artists: SimpleNamespace, data: Arrows) -> None:
        length = np.full(len(data.sizes), EQUAL) if data.equal else np.minimum(LENGTH * data.sizes, LONGEST)
        arrows = data.pull * (length / np.maximum(data.sizes, 1e-12))[:, None]
        artists.everywhere.set_UVC(*arrows[:-1].T)
        artists.marked.set_UVC(*arrows[-1:].T)

    def sentence(self, data: Arrows) -> str:
        size, of_elbo = data.sizes[-1], math.hypot(*data.elbo[-1])
        if data.K == 1:
            return (
                f"K = 1: at the orange q the ELBO pulls with {size:.2f} nats a posterior width, and every arrow points "
                f"straight down the KL."
            )
        tall = data.sizes[:-1].reshape(len(WIDTHS), -1).mean(1)
        return (
            f"K = {data.K}: at the orange q the pull is {size:.2g} nats a posterior width, {size / of_elbo:.2g} of the "
            f"ELBO's, {data.angles[-1]:.0f}° off the way down the KL. In the lowest row, where q is narrow, the mean "
            f"pull is {tall[0]:.2g}, in the highest {tall[-1]:.2g}."
        )


@lru_cache(maxsize=64)
def _at(shift: float, width: float) -> exact.Pull:
    return exact.Pull(case_with(width, shift * WIDTH), points=201)


def _pull(shift: float, width: float, K: int) -> tuple[float, float]:
    """Everything is alike on both sides of the posterior."""
    by_mean, by_std = _at(abs(float(shift)), float(width)).at(K)
    return math.copysign(WIDTH, shift) * by_mean, WIDTH * by_std
