"""SIVI's three targets in the plane, by neural samplers, held against the exact densities."""

from __future__ import annotations

import time
from typing import Any

import torch

from vaecourse.hierarchical import samplers
from vaecourse.reproduce.laplace_bounds import shortened
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

METHODS: dict[str, dict[str, Any]] = {
    "Gaussian": {"steps": 0},
    "HVM": {"K": 0, "tau": "learned", "steps": 1500},
    "SIVI, K = 20": {"K": 20, "tau": "prior", "steps": 1500},
    "IWHVI, K = 20": {"K": 20, "tau": "learned", "steps": 1500},
}
ROWS: dict[str, dict[str, Any]] = {
    f"{target}: {method}": {"target": target, **setting}
    for target in samplers.TARGETS
    for method, setting in METHODS.items()
}
ESTIMATES = 10_000


def settings(scale: Scale) -> dict[str, Any]:
    """What all runs have in common."""
    return {
        "fit": "samplers.fit: batches of 100, Adam from 5e-3 to 5e-4; Gaussian: full covariance, least KL(q || p)",
        "rows": {row: setting | {"steps": scale.steps(setting["steps"])} for row, setting in ROWS.items()},
        "evaluation": f"KL by quadrature; gap: log Z minus the mean of {scale.limit or ESTIMATES} of log p~ - U_K",
    }


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train a sampler and hold it against the exact density."""
    setting = ROWS[row]
    target, n = samplers.TARGETS[setting["target"]], max(2, scale.limit or ESTIMATES)
    start, noise = time.perf_counter(), torch.Generator().manual_seed(1_000_000 + seed)
    if setting["steps"] == 0:
        gaussian = samplers.gaussian_fit(target)
        kl = gap = samplers.divergence(gaussian, target)  # its log q is known, so its bound has no other gap
        error = 0.0
    else:
        fitted = samplers.fit(target, setting["K"], setting["tau"], scale.steps(setting["steps"]), seed)
        kl = samplers.divergence(fitted.sampler, target)
        estimates = samplers.bound(target, fitted, setting["K"], n, noise)
        gap, error = target.log_normaliser - float(estimates.mean()), float(estimates.std()) / n**0.5
    run: Run = {"row": row, "seed": seed, "kl": round(kl, 4), "gap": round(gap, 4), "gap_error": round(error, 4)}
    return run | {"wall_seconds": round(time.perf_counter() - start, 1), "device": "cpu"}


TABLE = Table(
    "sivi",
    "SIVI's three targets in the plane, by samplers that never see a normaliser",
    "Yin and Zhou, arXiv 1805.11183, table 1 and figure 2, who print pictures and no numbers",
    ROWS,
    {"kl": "KL(q, p)", "gap": "log Z - bound"},
    {},
    settings,
    one_by_one(measure),
    remark=lambda settings: (
        f"{shortened(settings)}In nats. KL(q, p) is exact up to quadrature and at most the gap; the best is 0 for both."
    ),
    comparable=lambda settings: True,
    digits=3,
)
