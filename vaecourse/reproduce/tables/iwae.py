"""Table 1 of the IWAE paper: VAE and IWAE with k samples, one stochastic layer."""

from __future__ import annotations

from typing import Any

from vaecourse.reproduce.scheduled_vaes import quoted, table

ROWS: dict[str, dict[str, Any]] = {
    "k = 1": {"objective": "iwae", "M": 1, "K": 1},  # VAE and IWAE are the same
    "VAE, k = 5": {"objective": "elbo", "M": 1, "K": 5},
    "IWAE, k = 5": {"objective": "iwae", "M": 1, "K": 5},
    "VAE, k = 50": {"objective": "elbo", "M": 1, "K": 50},
    "IWAE, k = 50": {"objective": "iwae", "M": 1, "K": 50},
}

TABLE = table(
    "iwae",
    "IWAE, table 1: one stochastic layer",
    "Burda, Grosse and Salakhutdinov, arXiv 1509.00519",
    ROWS,
    {"nll": "NLL", "active_units": "active units"},
    {
        "nll": quoted([*ROWS], [86.76, 86.47, 85.54, 86.35, 84.78]),
        "active_units": quoted([*ROWS], [19, 20, 22, 20, 25]),
    },
)
