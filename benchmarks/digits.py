"""What the course's setting reaches on the digits: three objectives, several seeds, test NLL at K = 5000 and the ELBO.

    python benchmarks/digits.py --seeds 3

A seed makes the first weights and the training; the 360 test images are the same zeros and ones in every run
(``Images.binary_test``). Printed: the mean over the seeds and its standard error, in nats.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch

from vaecourse import data, evaluate, train


def measure(objective: str, K: int, seed: int) -> list[float]:
    """Test NLL at K = 5000, test ELBO, active units, and seconds of training, of one run."""
    digits = data.digits()
    x, noise = digits.binary_test(), torch.Generator().manual_seed(seed)
    start = time.perf_counter()
    model = train.untrained(digits, seed)
    settings = {"epochs": train.DIGITS.epochs, "seed": seed, "progress": False, "device": "cpu"}
    history = train.fit(model, digits, objective, M=1, K=K, **settings)
    if history.interrupted:  # half a training is no measurement
        raise KeyboardInterrupt
    seconds = time.perf_counter() - start
    nll = -evaluate.log_likelihood(model, x, K=5000, generator=noise).mean()
    elbo = evaluate.bound(model, x, "elbo", K=100, generator=noise).mean()
    return [float(nll), float(elbo), float(evaluate.active_units(model, digits.train)), seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| trained on | test NLL, K = 5000 | test ELBO | active units | seconds |\n|---|---|---|---|---|")
    for objective, K in (("elbo", 1), ("iwae", 8), ("iwae", 64)):
        runs = torch.tensor([measure(objective, K, seed) for seed in range(options.seeds)])  # [seeds, 4]
        error = runs.std(0) / options.seeds**0.5
        cells = [f"{m:.2f} ± {e:.2f}" for m, e in zip(runs.mean(0).tolist(), error.tolist(), strict=True)]
        print(f"| {objective}, K = {K} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("digits")(main)())
