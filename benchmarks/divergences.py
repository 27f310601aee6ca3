"""What MMD^2 costs as the clouds grow: time and memory of ``divergences.mmd2``, value and gradient.

    python benchmarks/divergences.py

Two clouds of n points each in 10 dimensions, IMQ kernel, float32. In each round every n takes one turn, and the figures
are ratios to the smallest n within the round. Memory is what the graph holds for the backward pass, counted tensor by
tensor, so it is the same on every machine. "Gram" is the same kernel from |x|^2 + |y|^2 - 2 x^T y, which is faster and
wrong for clouds far from 0.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from functools import partial

import torch
from torch import Tensor

from vaecourse.divergences import Kernel, imq, mmd2

L = 10
SIZES = (250, 500, 1000, 2000)
IMQ = partial(imq, scale=2.0 * L)


def gram(x: Tensor, y: Tensor) -> Tensor:
    """The IMQ kernel by the formula that cancels."""
    squared = x.square().sum(1, keepdim=True) + y.square().sum(1) - 2 * x @ y.T
    return 2.0 * L / (2.0 * L + squared)


def seconds(n: int, kernel: Kernel) -> float:
    """One value and its gradient, in seconds of the processor: other programs do not count."""
    x, y = torch.randn(n, L, requires_grad=True), torch.randn(n, L)
    start = time.process_time()
    mmd2(x, y, kernel).backward()
    return time.process_time() - start


def megabytes(n: int, kernel: Kernel) -> float:
    """What is kept for the gradient: each tensor of the graph once."""
    kept: dict[int, Tensor] = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(t.data_ptr(), t), lambda t: t):
        value = mmd2(torch.randn(n, L, requires_grad=True), torch.randn(n, L), kernel)
    total = sum(t.numel() * t.element_size() for t in kept.values())
    del value
    return total / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    seconds(SIZES[0], IMQ), seconds(SIZES[0], gram)
    rounds = [[(seconds(n, IMQ), seconds(n, gram)) for n in SIZES] for _ in range(options.rounds)]
    print("| n | ms | times n = 250 | quartiles | n^2 alone | Gram | MB for the gradient | matrices of n x n |")
    print("|---|---|---|---|---|---|---|---|")
    for i, n in enumerate(SIZES):
        ours = [r[i][0] for r in rounds]
        low, middle, high = statistics.quantiles([r[i][0] / r[0][0] for r in rounds], n=4)
        by_gram = statistics.median(r[i][1] / r[i][0] for r in rounds)
        memory = megabytes(n, IMQ)
        print(
            f"| {n} | {1000 * statistics.median(ours):.1f} | {middle:.1f} | {low:.1f} to {high:.1f} "
            f"| {(n / SIZES[0]) ** 2:.0f} | {by_gram:.2f} | {memory:.1f} | {memory * 2**20 / (4 * n * n):.1f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("divergences")(main)())
