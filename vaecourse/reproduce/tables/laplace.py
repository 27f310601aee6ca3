"""The figure of the IWHVI paper on the 50-dimensional Laplace law: upper bounds on E log q against K."""

from __future__ import annotations

from functools import partial
from typing import Any

from vaecourse.reproduce import laplace_bounds
from vaecourse.reproduce.laplace_bounds import row_name
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Quoted, Run, Scale, Table, one_by_one

ROWS: dict[str, dict[str, Any]] = {row_name(steps): {"steps": steps} for steps in (0, 100, 1000, 3000)}
SIVI_BOUND = {0: -73.85, 1: -74.52, 5: -75.63, 10: -76.22, 25: -77.14, 50: -77.77, 100: -78.41, 1000: -80.53}
"""Bounds that were computed before this package, by other code; standard errors .02 to .06."""


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train tau and judge it by fresh draws."""
    steps = scale.steps(ROWS[row]["steps"])
    tau, wall, _ = laplace_bounds.trained(steps, seed)
    run: Run = {"row": row, "seed": seed, "wall_seconds": round(wall, 1), "device": "cpu"}
    for point in laplace_bounds.evaluated(tau, steps, seed, scale):
        run |= {f"U_{point['K']}": point["upper"], f"U_{point['K']}_error": point["upper_error"]}
    return run


TABLE = Table(
    "laplace",
    "The Laplace law in 50 dimensions: upper bounds U_K on E log q",
    "Sobolev and Vetrov, arXiv 1905.03290, section 6.1, who print a figure and no numbers",
    ROWS,
    {f"U_{K}": f"K = {K}" for K in SIVI_BOUND},
    {f"U_{K}": {"SIVI": Quoted(value, 0.06)} for K, value in SIVI_BOUND.items()},
    partial(laplace_bounds.settings, ROWS),
    one_by_one(measure),
    remark=lambda settings: (
        f"{laplace_bounds.remark(settings)} Beside SIVI's bounds stand values computed by other code (standard errors "
        "at most .06). tau is a small network that sees one dimension of z, and not the paper's three layers of 500 "
        "units."
    ),
    comparable=lambda settings: True,
    beside="known",
)
