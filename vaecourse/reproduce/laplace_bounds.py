"""The Laplace law in 50 dimensions: bounds on E log q by a tau that is trained for so many steps, for two tables.

A seed makes tau's first weights, its training and the draws that it is judged by. No steps of training are SIVI. Ours
differs from the paper's in tau: one small network that sees one dimension of z, for all dimensions, in place of one of
three layers of 500 units that sees all of z; and in the steps, which are therefore few.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from vaecourse.exact import LaplaceMixture
from vaecourse.hierarchical import InverseModel, MixingPrior, learn, toy
from vaecourse.reproduce.table import Scale

DIM = 50
EXACT = -LaplaceMixture(DIM).entropy()
TRAINING: dict[str, Any] = {"K": 5, "batch": 64, "learning_rate": 1e-2}
PARTS = (  # values of K, and the draws of a row without training and with it, whose bounds vary less and cost more
    ((0, 1, 5, 10, 25, 50, 100), 20_000, 4000),
    ((1000,), 3000, 500),
)


def row_name(steps: int) -> str:
    """The row of so many steps of training."""
    return f"IWHVI, {steps} steps" if steps else "SIVI"


def settings(rows: dict[str, dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """What all runs have in common."""
    return {
        "law": f"exact.LaplaceMixture({DIM})",
        "exact": round(EXACT, 6),
        "tau": "hierarchical.GatedInverse(hidden=(64, 64))",
        "training": {"objective": "U_K with DReG, Adam, rate falling linearly to 0", **TRAINING},
        "evaluation": [
            {"K": list(K), "draws": [scale.limit or prior, scale.limit or learned]} for K, prior, learned in PARTS
        ],
        "rows": {row: {"steps": scale.steps(setting["steps"])} for row, setting in rows.items()},
    }


def trained(steps: int, seed: int) -> tuple[InverseModel, float, float]:
    """tau after so many steps, and the wall and the processor seconds that they took."""
    law, wall, processor = LaplaceMixture(DIM), time.perf_counter(), time.process_time()
    if not steps:  # the untrained network is the same law, and its draws cost ten times more
        return MixingPrior(law), 0.0, 0.0
    tau = toy.untrained(seed)
    learn(law, tau, steps, **TRAINING, generator=torch.Generator().manual_seed(seed))
    return tau, time.perf_counter() - wall, time.process_time() - processor


def evaluated(tau: InverseModel, steps: int, seed: int, scale: Scale) -> list[dict[str, float]]:
    """Both bounds at each K with their standard errors, in nats."""
    points = []
    for part, (K, *draws) in enumerate(PARTS):
        noise = torch.Generator().manual_seed(1_000_000 + 10 * seed + part)
        found = toy.evaluate(LaplaceMixture(DIM), tau, K, max(2, scale.limit or draws[steps > 0]), noise)
        for j, k in enumerate(K):
            sides = ("upper", "upper_error", "lower", "lower_error")
            points.append({"K": k, **{side: round(float(getattr(found, side)[j]), 4) for side in sides}})
    return points


def shortened(settings: dict[str, Any]) -> str:
    """What must be said of a record's settings if training was cut short."""
    epochs = settings["scale"]["epochs"]
    if epochs is None:
        return ""
    return f"**Shortened**: no row has more than {Scale(epochs=epochs).steps(10**9)} steps, whatever its name says. "


def remark(settings: dict[str, Any]) -> str:
    """What a reader of both tables must know."""
    return f"{shortened(settings)}Exact: E log q = {EXACT:.3f} nats, which no bound may pass."
