"""Lab "03.pick": draw K from q, pick one by weight. The law of what is picked moves from q to the posterior."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaecourse import exact, plots
from vaecourse.exact import case_with
from vaecourse.exact.weights import noise_grid
from vaecourse.labs.frame import Experiment, Number, Seed, Whole
from vaecourse.labs.noise import noise

ROUNDS, MOST = 2000, 30  # picks in the histogram; draws of each
POSTERIOR = case_with(1.0, 0.0)
MEAN, STD = POSTERIOR.mean.item(), POSTERIOR.std.item()
Z = np.linspace(-1.4, 3.4, 241)
EDGES = np.linspace(Z[0], Z[-1], 49)


class Picked(NamedTuple):
    """The first round, the picks of all rounds, and the exact law of a pick on ``Z``."""

    K: int
    z: NDArray[np.floating]  # of the first round, [K]
    shares: NDArray[np.floating]  # its weights, normalised, [K]
    chosen: int  # which of them was picked
    picks: NDArray[np.floating]  # [ROUNDS]
    q: NDArray[np.floating]
    law: NDArray[np.floating]
    kl: float  # of the law of a pick from the posterior, nats
    kl_of_q: float
    gap: float  # log p(x) - L_K


class PickByWeight(Experiment):
    title = "One of K, picked by its weight"
    size = (8.8, 3.8)
    controls = [
        Whole("K", "Draws K", 1, MOST, default=1),
        Number("width", "Width of q (posterior: 1)", 0.4, 2.5, default=1.3, log=True, stops=61),
        Seed(),
    ]
    presets = {
        "K = 3": {"K": 3},
        "K = 20": {"K": 20},
        "too narrow, K = 20": {"K": 20, "width": 0.4},
        "too wide, K = 20": {"K": 20, "width": 2.5},
    }
    stills = ["K = 3", "K = 20", "too narrow, K = 20"]

    def compute(self, K: int, width: float, seed: int) -> Picked:
        case, law = case_with(width, 0.5), _law(width)
        eps = noise(ROUNDS, MOST, seed, torch.float64)[:, :K]
        shares = exact.log_weights(case, eps).softmax(1)  # [ROUNDS, K]
        spin = torch.rand(ROUNDS, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        chosen = (shares.cumsum(1) < spin).sum(1, keepdim=True).clamp(max=K - 1)
        z = case.mean + case.std * eps
        mass = law.implied_posterior(K)
        grid = (case.mean + case.std * noise_grid(case, len(mass))).flatten().numpy()
        return Picked(
            K=K,
            z=z[0].numpy(),
            shares=shares[0].numpy(),
            chosen=int(chosen[0]),
            picks=z.gather(1, chosen).flatten().numpy(),
            q=plots.normal_density(Z, case.mean.item(), case.std.item()),
            law=np.interp(Z, grid, mass.numpy() / (grid[1] - grid[0]), left=0.0, right=0.0),
            kl=law.picked_kl(K).item(),
            kl_of_q=case.model.kl(*case[1:]).item(),
            gap=(case.model.log_likelihood(case.x) - law.lower(K)).item(),
        )

    def build(self, figure: Figure) -> SimpleNamespace:
        draws, densities = figure.subplots(1, 2, sharex=True, width_ratios=[1, 1.3])
        posterior = plots.normal_density(Z, MEAN, STD)
        backdrop = draws.plot(Z, posterior / posterior.max(), "--", color=plots.EXACT, linewidth=1)[0]
        q = draws.plot(Z, 0 * Z, color=plots.Q, linewidth=1)[0]
        stems = draws.plot([], [], color=plots.Q, linewidth=4, label="share of a draw")[0]
        star = draws.plot([], [], "*", color=plots.IWAE, markersize=17, markeredgecolor="white", label="picked")[0]
        draws.set(xlim=(Z[0], Z[-1]), ylim=(0, 1.35), xlabel="z", ylabel="share of the weight")
        draws.set_title("one round", fontsize=12)
        draws.legend(loc="upper right", fontsize=11, ncols=2)
        bars = densities.stairs([0] * (len(EDGES) - 1), EDGES, fill=True, color=plots.MIWAE, alpha=0.6, label="picks")
        before = densities.plot(Z, 0 * Z, color=plots.Q, label="q")[0]
        law = densities.plot(Z, 0 * Z, color=plots.IWAE, label="their exact law")[0]
        truth = densities.plot(Z, posterior, "--", color=plots.EXACT, label="posterior")[0]
        densities.set(ylim=(0, 2.9), xlabel="z", ylabel="density")
        densities.set_title(f"{ROUNDS} rounds", fontsize=12)
        densities.legend(loc="upper center", fontsize=11, ncols=2)
        return SimpleNamespace(
            backdrop=backdrop, q=q, stems=stems, star=star, bars=bars, before=before, law=law, truth=truth
        )

    def update(self, artists: SimpleNamespace, data: Picked) -> None:
        lift = np.array([0.0, 1.0, np.nan])
        artists.q.set_ydata(data.q / data.q.max())
        artists.stems.set_data(np.repeat(data.z, 3), (data.shares[:, None] * lift).ravel())
        artists.star.set_data([data.z[data.chosen]], [data.shares[data.chosen]])
        inside = data.picks.clip(EDGES[0], EDGES[-1])
        artists.bars.set_data(np.histogram(inside, EDGES)[0] / (len(data.picks) * (EDGES[1] - EDGES[0])))
        artists.before.set_ydata(data.q)
        artists.law.set_ydata(data.law)

    def sentence(self, data: Picked) -> str:
        first = f"K = {data.K}: the pick of this round holds {data.shares[data.chosen]:.0%} of the weight. "
        return first + (
            f"Its law has a KL of {data.kl:.3f} from the posterior, q of {data.kl_of_q:.3f}; the bound of K draws is "
            f"{data.gap:.3f} below log p(x)."
        )


@lru_cache(maxsize=64)
def _law(width: float) -> exact.WeightLaw:
    return exact.WeightLaw.of(case_with(width, 0.5), points=301)
