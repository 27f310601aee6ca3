"""The table of chapter 04: every objective with M K = 64 samples a step, on the digits, over several seeds.

    python benchmarks/one_budget.py --seeds 10

A finished run is written at once to vaecourse/recorded/one_budget.json, and a second call goes on where the first one
stopped: seed by seed, so that what is there compares all objectives. A run with other settings needs another --to.
A seed makes the first weights, the training and its noise. The 360 test images and the noise of the evaluation are the
same in every run. The schedule is short: 750 steps of Adam at a rate of .003, in place of the 1500 at .001 of
``train.DIGITS``.
"""

from __future__ import annotations

import sys
import time

import torch

from vaecourse import data, evaluate, objectives, recorded, train

BUDGET = 64
SCHEDULE = {"epochs": 50, "learning_rate": 3e-3, "batch_size": 100}
ROWS = {  # name: objective, its parameters, M, K; the names and the order of Rainforth et al., table 1
    "IWAE": ("iwae", {}, 1, 64),
    "PIWAE(4, 16)": ("piwae", {}, 4, 16),
    "PIWAE(8, 8)": ("piwae", {}, 8, 8),
    "MIWAE(4, 16)": ("miwae", {}, 4, 16),
    "MIWAE(8, 8)": ("miwae", {}, 8, 8),
    "CIWAE .05": ("ciwae", {"beta": 0.05}, 1, 64),
    "CIWAE .5": ("ciwae", {"beta": 0.5}, 1, 64),
    "VAE": ("elbo", {}, 64, 1),
}


def measure(row: str, seed: int) -> dict[str, object]:
    """Train one row with one seed; its mean test bounds in nats, its active units, and what it cost."""
    name, parameters, M, K = ROWS[row]
    digits = data.digits()
    x = digits.binary_test()
    wall, processor = time.perf_counter(), time.process_time()
    model = train.untrained(digits, seed)
    history = train.fit(
        model, digits, objectives.get(name, **parameters), M, K, **SCHEDULE, seed=seed, progress=False, device="cpu"
    )
    if history.interrupted:  # half a training is no measurement
        raise KeyboardInterrupt
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    noise = lambda: torch.Generator().manual_seed(0)
    bounds = {
        "elbo": evaluate.bound(model, x, "elbo", M=1, K=1000, generator=noise()),
        "iwae_64": evaluate.bound(model, x, "miwae", M=20, K=64, generator=noise()),
        "log_p": evaluate.log_likelihood(model, x, K=5000, generator=noise()),
    }
    return {
        "row": row,
        "seed": seed,
        **{name: round(float(values.mean()), 4) for name, values in bounds.items()},
        "active_units": evaluate.active_units(model, digits.train),
        "wall_seconds": round(wall, 1),
        "processor_seconds": round(processor, 1),
    }


def settings() -> dict[str, object]:
    """What every run of the table has in common."""
    return {
        "data": "digits, binarised afresh at every step; test: Images.binary_test()",
        "model": train.DIGITS._asdict() | {"epochs": SCHEDULE["epochs"]},
        "schedule": SCHEDULE,
        "rows": {row: {"objective": n, **p, "M": M, "K": K} for row, (n, p, M, K) in ROWS.items()},
        "evaluation": "test means in nats: ELBO from 1000 samples, L_64 as the mean of 20, log p with K = 5000",
    }


def main() -> None:
    recorded.fill("one_budget", __doc__, settings(), ROWS, measure, seeds=10)


if __name__ == "__main__":
    import ending

    sys.exit(ending.told("one_budget")(main)())
