"""How much more memory log p(x) takes with K = 5000 samples than with K = 50: each in a process of its own.

    python benchmarks/memory.py

The model is the IWAE paper's, 784-200-200-50 with Bernoulli pixels; 1000 points. The peak is what the operating system
reports for the whole process (``resource``, so Linux and macOS), PyTorch itself included; hence the difference counts.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

LIMIT = 300  # MB


def measure(K: int, points: int, threads: int) -> None:
    """Evaluate with K samples and print the peak of this process in MB, and the seconds."""
    import torch

    from vaecourse import evaluate
    from vaecourse.models import VAE

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, x = VAE(784, 50, hidden=(200, 200)), torch.rand(points, 784).round()
    start = time.perf_counter()
    evaluate.log_likelihood(model, x, K)
    seconds = time.perf_counter() - start
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in kilobytes here
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, seconds)


def peak(K: int, options: argparse.Namespace) -> tuple[float, float]:
    """The peak in MB and the seconds of ``measure`` in a fresh process."""
    words = [sys.executable, __file__, "--K", K, "--points", options.points, "--threads", options.threads]
    megabytes, seconds = subprocess.check_output([str(word) for word in words], encoding="utf-8").split()
    return float(megabytes), float(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--K", type=int, help="measure this one, in this process")
    options = parser.parse_args()
    if options.K:
        measure(options.K, options.points, options.threads)
        return 0
    print("| K | peak, MB | seconds |\n|---|---|---|")
    peaks = {}
    for K in (50, 5000):
        peaks[K], seconds = peak(K, options)
        print(f"| {K} | {peaks[K]:.0f} | {seconds:.1f} |", flush=True)
    more = peaks[5000] - peaks[50]
    print(f"\nK = 5000 takes {more:+.0f} MB compared with K = 50 (limit: {LIMIT} MB).")
    return int(more > LIMIT)


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("memory")(main)())
