"""How a training step grows with M, K, B and D: time as a ratio within a round, peak memory of a process of its own.

    python benchmarks/scaling.py

A step of PIWAE, which uses M and K at once, on 784-200-200-50 with Bernoulli pixels. One size grows to 4 and 16 times
its base while the others stay. Were a step all matrix products, M, K and B would cost what they multiply. Seconds are
the processor's, so other programs count little. Memory is the peak of a process that takes two steps, less the peak of
one whose steps have M = K = B = 1.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from vaecourse import objectives
from vaecourse.models import VAE

BASE = {"M": 2, "K": 8, "B": 20, "D": 784}
GROWTH = (1, 4, 16)


def sizes(name: str, times: int) -> dict[str, int]:
    """The base with one size grown."""
    return BASE | {name: BASE[name] * times}


def stepper(M: int, K: int, B: int, D: int) -> Callable[[], float]:
    """A step that returns its seconds of the processor."""
    torch.manual_seed(0)
    model, x = VAE(D, 50, hidden=(200, 200)), torch.rand(B, D).round()
    optimizer, row = torch.optim.Adam(model.parameters(), lr=1e-4), objectives.get("piwae")

    def step() -> float:
        start = time.process_time()
        optimizer.zero_grad()
        objectives.backward(model, x, row, M, K)
        optimizer.step()
        return time.process_time() - start

    return step


def peak(words: list[str], threads: int) -> float:
    """The peak in MB of a fresh process that takes two steps of these sizes."""
    command = [sys.executable, __file__, "--threads", str(threads), "--peak", *words]
    return float(subprocess.check_output(command, encoding="utf-8"))


def own_peak(words: list[str]) -> float:
    """Two steps, and the peak of this process since it began."""
    step = stepper(*map(int, words))
    step(), step()
    status = Path("/proc/self/status")
    if status.exists():  # Linux hands ru_maxrss down from the process that started this one
        return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak", nargs="+", help="measure this one, in this process")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak:
        print(own_peak(options.peak))
        return 0
    print("| size | | ms | times the base | quartiles | MB of a step |\n|---|---|---|---|---|---|")
    for name in BASE:
        steps = [stepper(**sizes(name, times)) for times in GROWTH]
        rounds = [[step() for step in steps] for _ in range(options.rounds + 2)][2:]
        for j, times in enumerate(GROWTH):
            now = sizes(name, times)
            low, middle, high = statistics.quantiles([found[j] / found[0] for found in rounds], n=4)
            words = [str(size) for size in now.values()]
            memory = peak(words, options.threads) - peak(["1", "1", "1", words[-1]], options.threads)
            milliseconds = 1e3 * statistics.median(found[j] for found in rounds)
            quartiles = "" if times == 1 else f"{low:.1f} to {high:.1f}"
            print(
                f"| {name} | {now[name]} | {milliseconds:.1f} | {middle:.1f} | {quartiles} | {memory:.0f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("scaling")(main)())
