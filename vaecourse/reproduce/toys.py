"""Two tables without data: the Laplace toy of the IWHVI paper, and the three targets of SIVI in the plane."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from vaecourse.exact import LaplaceMixture
from vaecourse.hierarchical import InverseModel, MixingPrior, learn, samplers, toy
from vaecourse.reproduce.climb import Machinery
from vaecourse.reproduce.table import Quoted, Run, Scale, Table

STEPS_OF_AN_EPOCH = 100

DIM = 50
LAPLACE_ROWS: dict[str, dict[str, Any]] = {
    "SIVI": {"steps": 0},
    "IWHVI, 100 steps": {"steps": 100},
    "IWHVI, 1000 steps": {"steps": 1000},
    "IWHVI, 3000 steps": {"steps": 3000},
}
LAPLACE_TRAINING: dict[str, Any] = {"K": 5, "batch": 64, "learning_rate": 1e-2}
LAPLACE_PARTS = (  # values of K, and the draws of a row without training and with it, whose bounds vary less
    ((0, 1, 5, 10, 25, 50, 100), 20_000, 4000),
    ((1000,), 3000, 500),
)
SIVI_BOUND = {0: -73.85, 1: -74.52, 5: -75.63, 10: -76.22, 25: -77.14, 50: -77.77, 100: -78.41, 1000: -80.53}
"""Bounds that were computed before this package, by other code; standard errors .02 to .06."""


def steps_of(setting: dict[str, Any], scale: Scale) -> int:
    """The steps of a row's training at this scale."""
    return setting["steps"] if scale.epochs is None else min(setting["steps"], STEPS_OF_AN_EPOCH * scale.epochs)


def shortened(said: dict[str, Any]) -> str:
    """What must be said of a record's settings if training was cut short."""
    if said["scale"]["epochs"] is None:
        return ""
    steps = STEPS_OF_AN_EPOCH * said["scale"]["epochs"]
    return f"**Shortened**: no row has more than {steps} steps, whatever its name says. "


def laplace_settings(scale: Scale) -> dict[str, Any]:
    """What all runs of the Laplace toy have in common."""
    return {
        "law": f"exact.LaplaceMixture({DIM})",
        "exact": round(-LaplaceMixture(DIM).entropy(), 6),
        "tau": "hierarchical.GatedInverse(hidden=(64, 64))",
        "training": {"objective": "U_K with DReG, Adam, rate falling linearly to 0", **LAPLACE_TRAINING},
        "evaluation": [
            {"K": list(K), "draws": [scale.limit or prior, scale.limit or learned]}
            for K, prior, learned in LAPLACE_PARTS
        ],
        "rows": {row: {"steps": steps_of(setting, scale)} for row, setting in LAPLACE_ROWS.items()},
    }


def laplace_run(
    row: str, seeds: Sequence[int], scale: Scale, machinery: Machinery, checkpoint: Path, progress: bool
) -> Iterator[Run]:
    """Train tau and judge it by fresh draws, for each seed: a run as soon as it is done."""
    steps, law = steps_of(LAPLACE_ROWS[row], scale), LaplaceMixture(DIM)
    for seed in seeds:
        start = time.perf_counter()
        tau: InverseModel = MixingPrior(
            law
        )  # untrained, the network is the same law, and its draws cost ten times more
        if steps:
            tau = network = toy.untrained(seed)
            learn(law, network, steps, **LAPLACE_TRAINING, generator=torch.Generator().manual_seed(seed))
        run: Run = {"row": row, "seed": seed, "wall_seconds": round(time.perf_counter() - start, 1), "device": "cpu"}
        for part, (K, *draws) in enumerate(LAPLACE_PARTS):
            noise = torch.Generator().manual_seed(1_000_000 + 10 * seed + part)
            found = toy.evaluate(law, tau, K, max(2, scale.limit or draws[steps > 0]), noise)
            for j, k in enumerate(K):
                run |= {
                    f"U_{k}": round(float(found.upper[j]), 4),
                    f"U_{k}_error": round(float(found.upper_error[j]), 4),
                }
        yield run


LAPLACE = Table(
    "laplace",
    "The Laplace law in 50 dimensions: upper bounds U_K on E log q",
    "Sobolev and Vetrov, arXiv 1905.03290, section 6.1, who print a figure and no numbers",
    LAPLACE_ROWS,
    {f"U_{K}": f"K = {K}" for K in SIVI_BOUND},
    {f"U_{K}": {"SIVI": Quoted(value, 0.06)} for K, value in SIVI_BOUND.items()},
    laplace_settings,
    laplace_run,
    remark=lambda said: (
        f"{shortened(said)}Exact: E log q = {-LaplaceMixture(DIM).entropy():.3f} nats, which no bound may pass. "
        "Beside SIVI's bounds stand values computed by other code (standard errors at most .06). tau is a small "
        "network that sees one dimension of z, and not the paper's three layers of 500 units."
    ),
    comparable=lambda said: True,
    beside="known",
)

SIVI_METHODS: dict[str, dict[str, Any]] = {
    "Gaussian": {"steps": 0},
    "HVM": {"K": 0, "tau": "learned", "steps": 1500},
    "SIVI, K = 20": {"K": 20, "tau": "prior", "steps": 1500},
    "IWHVI, K = 20": {"K": 20, "tau": "learned", "steps": 1500},
}
SIVI_ROWS: dict[str, dict[str, Any]] = {
    f"{target}: {method}": {"target": target, **setting}
    for target in samplers.TARGETS
    for method, setting in SIVI_METHODS.items()
}
ESTIMATES = 10_000


def sivi_settings(scale: Scale) -> dict[str, Any]:
    """What all runs of SIVI's targets have in common."""
    return {
        "fit": "samplers.fit: batches of 100, Adam from 5e-3 to 5e-4; Gaussian: full covariance, least KL(q || p)",
        "rows": {row: setting | {"steps": steps_of(setting, scale)} for row, setting in SIVI_ROWS.items()},
        "evaluation": f"KL by quadrature; gap: log Z minus the mean of {scale.limit or ESTIMATES} of log p~ - U_K",
    }


def sivi_run(
    row: str, seeds: Sequence[int], scale: Scale, machinery: Machinery, checkpoint: Path, progress: bool
) -> Iterator[Run]:
    """Train a sampler and hold it against the exact density, for each seed: a run as soon as it is done."""
    setting = SIVI_ROWS[row]
    target, n = samplers.TARGETS[setting["target"]], max(2, scale.limit or ESTIMATES)
    for seed in seeds:
        start, noise = time.perf_counter(), torch.Generator().manual_seed(1_000_000 + seed)
        if setting["steps"] == 0:
            gaussian = samplers.gaussian_fit(target)
            kl = gap = samplers.divergence(gaussian, target)  # its log q is known, so its bound has no other gap
            error = 0.0
        else:
            steps = steps_of(setting, scale)
            fitted = samplers.fit(target, setting["K"], setting["tau"], steps, seed)
            kl = samplers.divergence(fitted.sampler, target)
            estimates = samplers.bound(target, fitted, setting["K"], n, noise)
            gap, error = target.log_normaliser - float(estimates.mean()), float(estimates.std()) / n**0.5
        run: Run = {"row": row, "seed": seed, "kl": round(kl, 4), "gap": round(gap, 4), "gap_error": round(error, 4)}
        yield run | {"wall_seconds": round(time.perf_counter() - start, 1), "device": "cpu"}


SIVI = Table(
    "sivi",
    "SIVI's three targets in the plane, by samplers that never see a normaliser",
    "Yin and Zhou, arXiv 1805.11183, table 1 and figure 2, who print pictures and no numbers",
    SIVI_ROWS,
    {"kl": "KL(q, p)", "gap": "log Z - bound"},
    {},
    sivi_settings,
    sivi_run,
    remark=lambda said: (
        f"{shortened(said)}In nats. KL(q, p) is exact up to quadrature and at most the gap; the best is 0 for both."
    ),
    comparable=lambda said: True,
    digits=3,
)
