"""Chapter 05's rows under chapter 04's budget: the same 64 samples, the same seeds, the same evaluation.

Everything but the rows is that of ``one_budget``, so that a run here may be compared with a run there seed by seed:
they start from the same weights and see the same pixels and the same noise.
"""

from __future__ import annotations

from typing import Any

from vaecourse.reproduce.budget_vaes import table

ROWS: dict[str, dict[str, Any]] = {
    "STL": {"objective": "stl", "M": 1, "K": 64},
    "DReG": {"objective": "dreg", "M": 1, "K": 64},
    "VR-IWAE .5": {"objective": "vr_iwae", "alpha": 0.5, "M": 1, "K": 64},
}

TABLE = table("better_gradients", "Better gradients under the same budget", "the course, chapter 08", ROWS)
