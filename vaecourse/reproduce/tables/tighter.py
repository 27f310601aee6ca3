"""Table 1 of "Tighter variational bounds are not necessarily better": every objective with 64 samples."""

from __future__ import annotations

from vaecourse.reproduce.budget_vaes import ROWS
from vaecourse.reproduce.scheduled_vaes import quoted, table

TABLE = table(
    "tighter",
    "Tighter is not better, table 1: one budget, MK = 64",
    "Rainforth et al., arXiv 1802.04537",
    ROWS,
    {"iwae_64": "IWAE-64", "log_p": "log p^", "minus_kl": "-KL"},
    {
        "iwae_64": quoted(
            [*ROWS],
            [
                (-86.11, 0.10, True),
                (-85.68, 0.06, False),
                (-85.74, 0.07, True),
                (-85.60, 0.07, False),
                (-85.69, 0.04, True),
                (-85.91, 0.11, False),
                (-86.08, 0.08, True),
                (-86.69, 0.08, True),
            ],
        ),
        "log_p": quoted(
            [*ROWS],
            [
                (-84.52, 0.02, True),
                (-84.40, 0.17, False),
                (-84.46, 0.06, True),
                (-84.56, None, True),
                (-84.97, 0.10, True),
                (-84.57, 0.09, True),
                (-85.24, 0.08, True),
                (-86.21, 0.19, True),
            ],
        ),
        "minus_kl": quoted(
            [*ROWS],
            [
                (-1.59, 0.10, True),
                (-1.27, 0.18, False),
                (-1.28, 0.09, True),
                (-1.04, 0.08, False),
                (-0.72, 0.11, True),
                (-1.34, 0.14, False),
                (-0.84, 0.11, True),
                (-0.47, 0.20, True),
            ],
        ),
    },
)
