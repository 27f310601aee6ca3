"""The figure of chapter 07: bounds on E log q of the 50-dimensional Laplace law from both sides, against K, for several
lengths of tau's training."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from vaecourse.reproduce import laplace_bounds
from vaecourse.reproduce.laplace_bounds import row_name
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

ROWS: dict[str, dict[str, Any]] = {row_name(steps): {"steps": steps} for steps in (0, 10, 30, 100, 300, 1000, 3000)}
FIRST_LOWER = 5  # below, L_K of SIVI has no finite mean (K = 1) or variance
SHOWN = (0, 5, 50, 1000)  # values of K


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train tau for so many steps with one seed; mean bounds with standard errors in nats, and what it cost."""
    steps = scale.steps(ROWS[row]["steps"])
    tau, wall, processor = laplace_bounds.trained(steps, seed)
    start = time.process_time()
    points = laplace_bounds.evaluated(tau, steps, seed, scale)
    for point in points:
        if point["K"] < FIRST_LOWER:
            del point["lower"], point["lower_error"]
    cost = {"training_seconds": round(processor, 2), "evaluation_seconds": round(time.process_time() - start, 1)}
    cost |= {"wall_seconds": round(wall, 1)}
    return {"row": row, "steps": steps, "seed": seed, "points": points, **cost, "device": "cpu"}


def numbers(run: Run) -> Run:
    """A run with its points as measures. Runs of the first record have the processor's seconds of the training only."""
    found = {"wall_seconds": run["training_seconds"]} | run
    for point in run["points"]:
        for side, of in (("upper", "U"), ("lower", "L")):
            if side in point:
                found |= {f"{of}_{point['K']}": point[side], f"{of}_{point['K']}_error": point[f"{side}_error"]}
    return found


TABLE = Table(
    "laplace_steps",
    "The Laplace law in 50 dimensions: bounds on E log q by the length of tau's training",
    "the course, chapter 07, after arXiv 1905.03290, section 6.1",
    ROWS,
    {f"U_{K}": f"U, K = {K}" for K in SHOWN} | {f"L_{K}": f"L, K = {K}" for K in SHOWN if K >= FIRST_LOWER},
    paper={},
    settings=partial(laplace_bounds.settings, ROWS),
    measure=one_by_one(measure),
    remark=laplace_bounds.remark,
    most_seeds=500,
    numbers=numbers,
)
