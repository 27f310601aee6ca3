"""Chapter 05's rows under chapter 04's budget: the same 64 samples, the same seeds, the same evaluation.

    python benchmarks/better_gradients.py --seeds 5

Goes into vaecourse/recorded/better_gradients.json, run by run, and a second call goes on where the first one stopped.
Everything but the rows is that of one_budget.py, so that a run here may be compared with a run there seed by seed: they
start from the same weights and see the same pixels and the same noise.
"""

from __future__ import annotations

import sys

import one_budget

from vaecourse import recorded

ROWS = {  # name: objective, its parameters, M, K
    "STL": ("stl", {}, 1, 64),
    "DReG": ("dreg", {}, 1, 64),
    "VR-IWAE .5": ("vr_iwae", {"alpha": 0.5}, 1, 64),
}


def settings() -> dict[str, object]:
    """Those of one_budget.py, with the rows of this table."""
    rows = {row: {"objective": n, **p, "M": M, "K": K} for row, (n, p, M, K) in ROWS.items()}
    return one_budget.settings() | {"rows": rows}


def main() -> None:
    one_budget.ROWS.update(ROWS)
    recorded.fill("better_gradients", __doc__, settings(), ROWS, one_budget.measure, seeds=5)


if __name__ == "__main__":
    import ending

    sys.exit(ending.told("better_gradients")(main)())
