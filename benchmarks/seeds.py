"""What it saves to train seeds side by side: a step of S models side by side against S steps of one, in one run.

    python benchmarks/seeds.py --rounds 40

In each round every candidate takes its steps, in turn, so that a busy machine slows all of them; a ratio is formed
within a round, and the median and the quartiles over the rounds are printed. Above 1, side by side is faster. A step is
that of ``python -m vaecourse reproduce``: batch 20, Adam, pixels and noise drawn afresh.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable

import torch

from vaecourse import objectives, train
from vaecourse.data import Images
from vaecourse.reproduce import Machinery, training
from vaecourse.reproduce.ensemble import Ensemble, Noise

SIZES = {"digits": 64, "mnist": 784}  # D of the course's two models


def stepper(name: str, S: int, K: int, device: torch.device) -> Callable[[], object]:
    """One step of S seeds side by side."""
    pixels = torch.rand(200, SIZES[name], generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(200, dtype=torch.long)
    images = Images(pixels, pixels, labels, labels, (1, SIZES[name]), name)
    ensemble = Ensemble([train.untrained(images, seed) for seed in range(S)]).to(device)
    noise = Noise(range(S), device)
    optimizer = torch.optim.Adam(ensemble.parameters(), lr=1e-3, eps=1e-4, fused=True)
    row, machinery, pixels = objectives.get("iwae"), Machinery(device), pixels.to(device)

    def step() -> None:
        batches = [order[:20] for order in noise.orders(200)]
        training.step(ensemble, noise.binary(pixels, batches), row, 1, K, optimizer, noise, machinery)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def ratios(name: str, S: int, K: int, rounds: int, device: torch.device) -> list[float]:
    """S steps of one seed over one step of S seeds, in every round."""
    alone, together = stepper(name, 1, K, device), stepper(name, S, K, device)
    found = []
    for round_ in range(-3, rounds):  # three rounds to warm up
        start = time.perf_counter()
        for _ in range(S):
            alone()
        middle = time.perf_counter()
        together()
        if round_ >= 0:
            found.append((middle - start) / (time.perf_counter() - middle))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {platform.processor() or platform.machine()}")
    print("\n| model | K | S | one by one / side by side | quartiles |\n|---|---|---|---|---|")
    for name in SIZES:
        for K in (1, 5, 50):
            for S in (4, 10):
                low, middle, high = statistics.quantiles(
                    ratios(name, S, K, options.rounds, torch.device(options.device)), n=4
                )
                print(f"| {name} | {K} | {S} | {middle:.2f} | {low:.2f} to {high:.2f} |", flush=True)


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("seeds")(main)())
