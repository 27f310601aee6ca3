"""What the inner psi cost: a step of the hierarchical VAE against a step of the VAE, and the first layer split or not.

    python benchmarks/hierarchical.py

The network of arXiv 1509.00519 (784-200-200-50, tanh), B = 100, one z for a data point, objective elbo. In each round
every candidate takes one step, so a ratio is one of neighbours in time; printed are its median and its quartiles.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vaecourse import objectives
from vaecourse.hierarchical.vae import HierarchicalVAE, SplitMLP
from vaecourse.models import VAE

D, L, HIDDEN, BATCH = 784, 50, (200, 200), 100


class Unsplit(nn.Module):
    """The same network with x and psi joined first, so that x is multiplied once for every psi."""

    def __init__(self, split: SplitMLP) -> None:
        super().__init__()
        width, data_dim = split.project.weight.shape
        self.first = nn.Linear(data_dim + split.other.in_features, width)
        with torch.no_grad():
            self.first.weight.copy_(torch.cat([split.project.weight, split.other.weight], 1))
            self.first.bias.copy_(split.project.bias)
        self.rest = split.rest

    def project(self, x: Tensor) -> Tensor:
        """Nothing can be done before psi is known."""
        return x

    def forward(self, x: Tensor, psi: Tensor) -> Tensor:
        """Shapes: ``[B, D], [..., B, P] -> [..., B, out]``."""
        return self.rest(self.first(torch.cat([x.expand(*psi.shape[:-1], -1), psi], -1)))


def step_of(model: VAE) -> Callable[[Tensor], None]:
    """One step of Adam."""
    optimizer = torch.optim.Adam(model.parameters())

    def step(x: Tensor) -> None:
        optimizer.zero_grad()
        objectives.backward(model, x, "elbo", 1, 1)
        optimizer.step()

    return step


def candidates() -> dict[str, Callable[[Tensor], None]]:
    """By name, a step of each model."""
    models: dict[str, VAE] = {"VAE": VAE(D, L, HIDDEN)}
    for inner in (0, 5, 25, 50):
        models[f"IWHVI, {inner} psi"] = HierarchicalVAE(D, L, L, HIDDEN, inner=inner)
    models["SIVI, 25 psi"] = HierarchicalVAE(D, L, L, HIDDEN, inner=25, tau="prior")
    unsplit = HierarchicalVAE(D, L, L, HIDDEN, inner=25)
    unsplit.encoder.conditional = Unsplit(unsplit.encoder.conditional)  # type: ignore[assignment]
    models["IWHVI, 25 psi, first layer not split"] = unsplit
    return {name: step_of(model) for name, model in models.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x, steps = torch.rand(BATCH, D).round(), candidates()
    seconds = {name: [] for name in steps}
    for _ in range(options.rounds + 2):
        for name, step in steps.items():
            start = time.process_time()
            step(x)
            seconds[name].append(time.process_time() - start)
    times = {name: torch.tensor(measured[2:]) for name, measured in seconds.items()}  # the first two warm up
    print("| step | times a step of the VAE | quartiles |\n|---|---|---|")
    for name, measured in times.items():
        low, middle, high = (measured / times["VAE"]).quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
        print(f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} |")
    whole, split = times["IWHVI, 25 psi, first layer not split"], times["IWHVI, 25 psi"]
    low, middle, high = (whole / split).quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    print(f"\nNot split against split, 25 psi: {middle:.2f} times (quartiles {low:.2f} to {high:.2f}).")


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("hierarchical")(main)())
