"""Lab "00.flat": the log-weight along z, for a q that one can widen, narrow and shift. Flat is what one wants."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.exact import case_with
from vaecourse.labs.frame import Experiment, Number

POSTERIOR = case_with(1.0, 0.0)
MEAN, STD = POSTERIOR.mean.item(), POSTERIOR.std.item()
LOG_P = POSTERIOR.model.log_likelihood(POSTERIOR.x).item()
Z = np.linspace(-2.0, 3.4, 271)
LOWEST, HIGHEST = -11.0, 3.0  # of the right axis, in nats


class Flat(NamedTuple):
    """Everything at ``Z``, in nats but the density."""

    width: float
    shift: float
    q: NDArray[np.floating]  # its density
    log_w: NDArray[np.floating]
    seen: NDArray[np.bool_]  # where 95 % of q's draws fall
    elbo: float


class FlatWeight(Experiment):
    title = "The log-weight along z"
    size = (8.8, 3.6)
    controls = [
        Number("width", "Width of q (posterior: 1)", 0.4, 2.5, default=1.3, log=True),
        Number("shift", "Shift of q", -1.0, 1.0, default=0.5, stops=81),
    ]
    presets = {
        "too wide": {"width": 2.0, "shift": 0.0},
        "too narrow": {"width": 0.5, "shift": 0.0},
        "beside it": {"width": 1.0, "shift": 0.7},
        "the posterior": {"width": 1.0, "shift": 0.0},
    }
    stills = [{}, "too narrow", "the posterior"]

    def compute(self, width: float, shift: float) -> Flat:
        case = case_with(width, shift)
        eps = (torch.from_numpy(Z) - case.mean.item()) / case.std.item()
        log_w = exact.log_weights(case, eps).numpy()
        q = plots.normal_density(Z, case.mean.item(), case.std.item())
        return Flat(width, shift, q, log_w, (eps.abs() < 1.96).numpy(), case.model.elbo(*case[1:]).item())

    def build(self, figure: Figure) -> SimpleNamespace:
        densities, along = figure.subplots(1, 2)
        densities.set(xlim=(Z[0], Z[-1]), ylim=(0, 2.15), xlabel="z", ylabel="density")
        q = densities.fill_between(Z, 0 * Z, color=plots.Q, alpha=0.45, label="q")
        outline = densities.plot(Z, 0 * Z, color=plots.Q)[0]
        truth = densities.plot(Z, plots.normal_density(Z, MEAN, STD), "--", color=plots.EXACT, label="posterior")
        densities.legend(loc="upper left")

        everywhere = along.plot(Z, 0 * Z, ":", color=plots.Q, label="log w")[0]
        seen = along.plot(Z, 0 * Z, color=plots.Q, linewidth=5, label="for 95% of q")[0]
        elbo = along.axhline(0, color=plots.ELBO, label="ELBO")
        truth.append(plots.exact_line(along, LOG_P, "log p(x)"))  # over what may lie on it
        along.set(xlim=(Z[0], Z[-1]), ylim=(LOWEST, HIGHEST), xlabel="z", ylabel="nats")
        along.legend(loc="lower center", fontsize=11, ncols=2)
        return SimpleNamespace(q=q, outline=outline, everywhere=everywhere, seen=seen, elbo=elbo, truth=truth)

    def update(self, artists: SimpleNamespace, data: Flat) -> None:
        artists.outline.set_data(Z, data.q)
        artists.q.set_data(Z, data.q, 0 * Z)
        artists.everywhere.set_data(Z, data.log_w)
        artists.seen.set_data(Z[data.seen], data.log_w[data.seen])
        artists.elbo.set_ydata([data.elbo] * 2)

    def sentence(self, data: Flat) -> str:
        where = data.log_w[data.seen]
        numbers = f"Where q looks, log w goes from {where.min():.2f} to {round(where.max(), 2) + 0.0:.2f}"
        return f"{_shape(data)} {numbers}; the ELBO is {data.elbo:.3f}, {LOG_P - data.elbo:.3f} below log p(x)."


def _shape(data: Flat) -> str:
    if abs(data.width - 1) < 0.005:
        return "As wide as the posterior: a straight line." if abs(data.shift) > 0.005 else "The posterior: flat."
    if data.width > 1:
        return "Too wide: log w bends down, and bad draws are the far ones."
    return "Too narrow: log w bends up without end, far out, where q seldom goes."
