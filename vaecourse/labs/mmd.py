r"""Lab "06.mmd": two clouds of points, the witness that tells them apart, and whether the difference is more than luck.

The first cloud is N(0, I), the prior; the second, the codes, is shifted along the first axis and wider or narrower.
Kernels are profiles here, functions of a squared distance, so that one matrix of distances serves the statistic, its
null distribution and the witness.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import divergences, exact, plots
from vaecourse.divergences import Profile, squared_distance, u_statistics, witness_slope
from vaecourse.labs.frame import Choice, Experiment, Number, OnAxis, Seed, Whole

LARGEST_N, LARGEST_D, PERMUTATIONS = 200, 128, 300
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of arXiv 1711.01558, times the kernel's own
RBF, IMQ, MANY, BLIND = "RBF", "IMQ", "IMQ, seven scales", "RBF / d²"
REACH, GRID = 3.4, 33  # the slice that is drawn, and its resolution
UNSEEN = 1e-12  # a spread of the null below this is rounding
ARROWS = 60  # points whose pull is drawn
DISTANCES = np.geomspace(0.08, 60.0, 160)
BINS = np.geomspace(0.08, 60.0, 61)
Z_EDGES = np.linspace(-4, 14, 55)  # of the null distribution, in its own standard deviations


def profile(kernel: str, bandwidth: float, d: int) -> Profile:
    """The kernel of this name. IMQ has C = 2 h^2: near 0 it falls as the RBF of bandwidth h does."""
    if kernel in (RBF, BLIND):
        return partial(divergences.rbf_profile, bandwidth=bandwidth if kernel == RBF else d * bandwidth)
    scales = _scales(kernel, bandwidth)

    def mean_over_scales(r: Tensor) -> Tensor:
        k = divergences.imq_profile(r, scales[0])
        for scale in scales[1:]:
            k += divergences.imq_profile(r, scale)
        return k / len(scales)

    return mean_over_scales


@lru_cache(maxsize=256)
def exact_mmd2(kernel: str, bandwidth: float, d: int, shift: float, spread: float) -> float:
    """Exact MMD^2 of N(0, I) and N(shift e_1, spread^2 I)."""
    mean, std = torch.tensor([shift, 0.0], dtype=torch.float64), torch.tensor([spread] * 2, dtype=torch.float64)
    of = lambda name, scale: exact.gaussian_mmd2(mean, std, name, scale, times=[1, d - 1]).item()
    if kernel in (RBF, BLIND):
        return of("rbf", bandwidth if kernel == RBF else d * bandwidth)
    return sum(of("imq", scale) for scale in _scales(kernel, bandwidth)) / len(_scales(kernel, bandwidth))


def _scales(kernel: str, bandwidth: float) -> list[float]:
    return [2 * bandwidth**2 * scale for scale in (SCALES if kernel == MANY else (1.0,))]


@lru_cache(maxsize=8)
def _noise(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(1 + seed)
    return torch.randn(2, LARGEST_N + 1, LARGEST_D, generator=generator)


@lru_cache(maxsize=16)
def _partings(n: int, seed: int) -> Tensor:
    """The true parting of 2n points into halves, then random ones: ``[1 + PERMUTATIONS, 2n]`` of +1 and -1."""
    order = torch.rand(PERMUTATIONS, 2 * n, generator=torch.Generator().manual_seed(10_000 + seed)).argsort(1)
    signs = torch.where(order < n, 1.0, -1.0)
    return torch.cat([torch.cat([torch.ones(n), -torch.ones(n)])[None], signs])


# The lab -------------------------------------------------------------------------------------------------------------


class Clouds(NamedTuple):
    """The settings that the sentence names, the two clouds' first two coordinates, and what the kernel says of them."""

    kernel: str
    n: int
    d: int
    lam: float
    median: float  # distance between two points of the pooled clouds
    prior: NDArray[np.floating]  # [n, 2]
    codes: NDArray[np.floating]  # [n, 2]
    pull: NDArray[np.floating]  # [<= ARROWS, 2], lambda times the way down the witness
    witness: NDArray[np.floating]  # [GRID, GRID], over its noise level, on a plane along the first two axes
    profile: NDArray[np.floating]  # k at DISTANCES
    pairs: NDArray[np.floating]  # share of pairs in BINS
    statistic: float
    exact: float
    null: NDArray[np.floating]  # [PERMUTATIONS]

    @property
    def outside(self) -> float:
        """The statistic in standard deviations of the null."""
        return self.statistic / max(float(self.null.std()), UNSEEN)


def _zero(value: float) -> str:
    """One digit, and no minus before a zero."""
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "−")


class TwoClouds(Experiment):
    title = "Two clouds, one kernel"
    size = (8.8, 4.5)
    controls = [
        Choice("kernel", "Kernel", [RBF, IMQ, MANY, BLIND], default=RBF),
        Number("bandwidth", "Bandwidth h (IMQ: C = 2h²)", 0.1, 30.0, default=1.0, log=True, stops=75),
        Number("shift", "Shift of the codes", 0.0, 2.0, default=0.0, stops=41),
        Number("spread", "Spread of the codes", 0.5, 2.0, default=1.2, stops=31),
        Whole("n", "Points in each cloud, n", 8, LARGEST_N, default=64, log=True),
        Whole("d", "Dimensions d", 2, LARGEST_D, default=2, log=True),
        Number("lam", "Weight λ", 0.0, 10.0, default=3.0, stops=41),
        Seed(),
    ]
    presets = {
        "same law": {"spread": 1.0, "bandwidth": 2.0},
        "shifted": {"shift": 1.5, "spread": 1.0},
        "h too small": {"shift": 1.5, "spread": 1.0, "bandwidth": 0.1},
        "h too large": {"bandwidth": 30.0},
        "d = 128, RBF with h = 1": {"d": 128},
        "d = 128, RBF / d²": {"d": 128, "kernel": BLIND},
        "d = 128, IMQ with C = 2d": {"d": 128, "kernel": IMQ, "bandwidth": 11.313},
    }
    stills = ["shifted", "d = 128, RBF / d²", "d = 128, IMQ with C = 2d"]
    guess = OnAxis(
        "Codes 1.2 times as wide as the prior, 64 of each. In 2 dimensions the RBF with h = 1 puts MMD² 0.8 standard "
        "deviations of the null from 0: that may be luck. Where is it in 128 dimensions, with IMQ and C = 2d?",
        on="found",
        hides=("found", "truth"),
        at={"d": 128, "kernel": IMQ, "bandwidth": 11.313},
        axis="x",
        label="MMD², in sd of the null",
        stops=np.linspace(-2.0, 13.8, 80).round(1).tolist(),
        start=2.0,
        digits=1,
        truth=lambda lab: lab.at(d=128, kernel=IMQ, bandwidth=11.313).outside,
        because=lambda lab: (
            "Each dimension shows the same difference once more, and this kernel sees it. Not every kernel does: the "
            f"RBF with h = 1 puts it at {_zero(lab.at(d=128).outside)}."
        ),
        legend="upper right",
    )

    def compute(
        self, kernel: str, bandwidth: float, shift: float, spread: float, n: int, d: int, lam: float, seed: int
    ) -> Clouds:
        noise, k_of = _noise(seed), profile(kernel, bandwidth, d)
        prior, codes = noise[0, :n, :d], spread * noise[1, :n, :d]
        codes = codes + torch.eye(d)[0] * shift
        pooled = torch.cat([prior, codes])
        r = squared_distance(pooled, pooled, near_zero=True)  # [2n, 2n]
        k = k_of(r)
        statistics = u_statistics(k, _partings(n, seed)).double()
        distances = r[:n, n:].sqrt().flatten().numpy()
        axis = torch.linspace(-REACH, REACH, GRID)
        plane = torch.cartesian_prod(axis, axis).flip(1)  # rows are the second coordinate
        elsewhere = noise[0, -1, 2:d]  # the plane's other coordinates: those of one more draw of the prior
        on_plane = squared_distance(plane, pooled[:, :2], near_zero=True) + (pooled[:, 2:] - elsewhere).square().sum(1)
        height = k_of(on_plane).view(-1, 2, n).mean(2)  # over the prior's points, over the codes
        middle = (k[n:, n:].sum() - k[:n, :n].sum()) / (2 * n**2)  # the witness's mean over all points, no difference
        noise_level = k.std() * math.sqrt(2 / n)  # of a mean over n codes minus one over n points of the prior
        witness = (height[:, 1] - height[:, 0] - middle) / noise_level.clamp(min=UNSEEN)
        return Clouds(
            kernel=kernel,
            n=n,
            d=d,
            lam=lam,
            median=float(np.median(distances)),
            prior=prior[:, :2].numpy(),
            codes=codes[:, :2].numpy(),
            pull=-lam * witness_slope(k_of, r[n : n + ARROWS], codes[:ARROWS, :2], pooled[:, :2]).numpy(),
            witness=witness.view(GRID, GRID).numpy(),
            profile=k_of(torch.from_numpy(DISTANCES).square()).numpy(),
            pairs=np.histogram(distances, BINS)[0] / len(distances),
            statistic=float(statistics[0]),
            exact=exact_mmd2(kernel, bandwidth, d, shift, spread),
            null=statistics[1:].numpy(),
        )

    def build(self, figure: Figure) -> SimpleNamespace:
        axes = figure.subplot_mosaic([["plane", "null"], ["plane", "kernel"]], width_ratios=[1, 1.12])

        plane = axes["plane"]
        extent = (-REACH, REACH, -REACH, REACH)
        witness = plane.imshow(
            np.zeros((GRID, GRID)), extent=extent, origin="lower", cmap="PuOr_r", vmin=-8, vmax=8,
            interpolation="bilinear",
        )  # fmt: skip
        prior = plane.plot([], [], "o", color=plots.PRIOR, markersize=5, markeredgecolor="white", label="prior")[0]
        codes = plane.plot([], [], "o", color=plots.Q, markersize=5, markeredgecolor="#333333", label="codes")[0]
        pull = plane.plot([], [], color=plots.ELBO, linewidth=1.4, label="pull, λ times")[0]
        plane.set(xlim=extent[:2], ylim=extent[2:], ylabel="$z_2$", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
        plane.grid(False)
        plane.set_xlabel("$z_1$   (colour: witness over its noise, −8 to 8)", fontsize=11)
        plane.legend(  # outside: the picture of the witness is drawn over whatever does not move
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=10, handletextpad=0.3, columnspacing=1.0
        )

        null = axes["null"]
        bars = null.stairs(np.zeros(len(Z_EDGES) - 1), Z_EDGES, fill=True, color=plots.PRIOR, label="labels shuffled")
        found = null.axvline(0, color=plots.IWAE, linewidth=3, label="MMD², U")
        truth = null.axvline(0, color=plots.EXACT, linestyle="--", label="exact")
        null.set(xlim=(Z_EDGES[0], Z_EDGES[-1]), ylim=(0, 0.34), yticks=[], xlabel="in standard deviations of the null")
        null.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=10, columnspacing=1.0)

        kernel = axes["kernel"]
        pairs = kernel.stairs(np.zeros(len(BINS) - 1), BINS, fill=True, color=plots.PRIOR, label="pairs")
        curve = kernel.plot([], [], color=plots.CIWAE, label="kernel k")[0]
        kernel.set(xscale="log", xlim=(DISTANCES[0], DISTANCES[-1]), ylim=(0, 1.05), yticks=[0, 1])
        kernel.set_xlabel("distance of two points")
        kernel.xaxis.set_major_formatter(FuncFormatter(lambda r, _: f"{r:g}"))
        kernel.legend(loc="center left", fontsize=10)
        return SimpleNamespace(
            witness=witness, prior=prior, codes=codes, pull=pull, bars=bars, found=found, truth=truth, pairs=pairs,
            curve=curve,
        )  # fmt: skip

    def update(self, artists: SimpleNamespace, data: Clouds) -> None:
        artists.witness.set_data(data.witness)
        artists.prior.set_data(*data.prior.T)
        artists.codes.set_data(*data.codes.T)
        start = data.codes[: len(data.pull)]
        ends = np.stack([start, start + data.pull, np.full_like(start, np.nan)], 1)  # a gap after each stroke
        artists.pull.set_data(*ends.reshape(-1, 2).T)
        sd = max(data.null.std(), UNSEEN)
        inside = lambda value: np.clip(value / sd, Z_EDGES[0] + 0.1, Z_EDGES[-1] - 0.1)
        artists.bars.set_data(np.histogram(inside(data.null), Z_EDGES)[0] / len(data.null))
        artists.found.set_xdata([inside(data.statistic)] * 2)
        artists.truth.set_xdata([inside(data.exact)] * 2)
        artists.pairs.set_data(data.pairs / max(data.pairs.max(), 1e-12))
        artists.curve.set_data(DISTANCES, data.profile)

    def sentence(self, data: Clouds) -> str:
        sd = data.null.std()
        if sd < UNSEEN:
            verdict = "no pair of points is near enough for the kernel to see it"
        else:
            p = (1 + (data.null >= data.statistic).sum()) / (1 + len(data.null))
            apart = "told apart" if p < 0.05 else "not told apart"
            verdict = f"{data.statistic / sd:+.1f} null sds, p = {p:.3f}: {apart}"
        return (
            f"{data.kernel}, n = {data.n}, d = {data.d}, median distance {data.median:.2f}: "
            f"MMD² = {data.statistic:+.2g} (exact {data.exact:.2g}), {verdict}. "
            f"The penalty λ MMD² is {data.lam * data.statistic:+.2g}; the longest pull is "
            f"{np.linalg.norm(data.pull, axis=1).max():.2g}."
        )
