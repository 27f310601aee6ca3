"""The figure of the IWHVI paper on the 50-dimensional Laplace law: bounds on E log q against K, for several lengths of
tau's training.

    python benchmarks/laplace.py --seeds 3

A finished run is written at once to vaecourse/recorded/laplace.json, and a second call goes on where the first one
stopped. A seed makes tau's first weights, its training and the draws that it is judged by. No steps of training are
SIVI. Ours differs from the paper's in tau: one small network that sees one dimension of z, for all dimensions, in place
of one of three layers of 500 units that sees all of z; and in the steps, which are therefore few.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from vaecourse import recorded
from vaecourse.exact import LaplaceMixture
from vaecourse.hierarchical import MixingPrior, learn, toy

DIM = 50
STEPS = (0, 10, 30, 100, 300, 1000, 3000)
TRAINING = {"K": 5, "batch": 64, "learning_rate": 1e-2}
EVALUATION = (  # values of K; pairs (z, psi_0) for SIVI, and for a trained tau, whose bounds vary less and cost more
    ((0, 1, 5, 10, 25, 50, 100), 20_000, 4000),
    ((1000,), 3000, 500),
)
FIRST_LOWER = 5  # below, L_K of SIVI has no finite mean (K = 1) or variance


def measure(steps: int, seed: int) -> dict[str, object]:
    """Train tau for so many steps with one seed; mean bounds with standard errors in nats, and what it cost."""
    law = LaplaceMixture(DIM)
    tau = toy.untrained(seed) if steps else MixingPrior(law)  # the same law, and draws that cost a tenth
    start = time.process_time()
    if steps:
        learn(law, tau, steps, **TRAINING, generator=torch.Generator().manual_seed(seed))
    trained = time.process_time()
    points = []
    for part, (K, *draws) in enumerate(EVALUATION):
        generator = torch.Generator().manual_seed(1_000_000 + 10 * seed + part)
        found = toy.evaluate(law, tau, K, draws[steps > 0], generator)
        for j, k in enumerate(K):
            points.append({"K": k, "upper": _rounded(found.upper[j]), "upper_error": _rounded(found.upper_error[j])})
            if k >= FIRST_LOWER:
                points[-1] |= {"lower": _rounded(found.lower[j]), "lower_error": _rounded(found.lower_error[j])}
    return {
        "steps": steps,
        "seed": seed,
        "points": points,
        "training_seconds": round(trained - start, 2),
        "evaluation_seconds": round(time.process_time() - trained, 1),
    }


def settings() -> dict[str, object]:
    """What every run has in common."""
    return {
        "law": f"exact.LaplaceMixture({DIM})",
        "exact": round(-LaplaceMixture(DIM).entropy(), 6),
        "tau": "hierarchical.GatedInverse(hidden=(64, 64))",
        "steps": list(STEPS),
        "training": {"objective": "U_K with DReG, Adam, rate falling linearly to 0", **TRAINING},
        "evaluation": [{"K": list(K), "draws_sivi": sivi, "draws_iwhvi": iwhvi} for K, sivi, iwhvi in EVALUATION],
    }


def _rounded(value: torch.Tensor) -> float:
    return round(float(value), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--to", type=Path, default=recorded.path("laplace"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    record = recorded.Record(options.to, settings())
    for seed in range(options.seeds):
        for steps in STEPS:
            if not record.has(steps=steps, seed=seed):
                record.add(measure(steps, seed))
                print({key: value for key, value in record.runs[-1].items() if key != "points"}, flush=True)


if __name__ == "__main__":
    import ending

    sys.exit(ending.told("laplace")(main)())
