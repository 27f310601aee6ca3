"""What half precision costs: the error of each row's bound and gradients on a VAE of the digits, against float64.

    python benchmarks/half_precision.py

A VAE D-64-8-64-D is trained for some seconds in float32, on the digits of 8 x 8 pixels and on the same ones enlarged to
28 x 28. Then each row of the table is taken at the same weights and the same noise in float64 and in the types below.
An error of a bound is in nats, a mean over points with the largest beside it; an error of a gradient is
|g - g64| / |g64| over all of theta or of phi. "near": q is the trained encoder. "far": q is an untrained one, so that
log-weights spread as they do at the beginning of a training or on data of another kind.

"composed": the same networks in a ``DeepLatentVariableModel``, which draws with its own noise. It is found again from
z, so that float64 has the same.

"autocast": weights in float32, matrix products in half. "whole": ``model.bfloat16()``, ``model.half()``. "scaled": with
the factor of the loss that a GradScaler ends at, which begins with 2^16 and halves it until no gradient is inf.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent, Normal
from torch.nn.functional import interpolate

from vaecourse import data, evaluate, objectives
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE, DeepLatentVariableModel
from vaecourse.objectives import Estimate, Objective

M, K, B, L = 4, 16, 100, 8


class Type(NamedTuple):
    """A way to compute: the type of the model, that of autocast, and whether the loss is scaled."""

    name: str
    model: torch.dtype
    autocast: torch.dtype | None = None
    scaled: bool = False


TYPES = [
    Type("float32", torch.float32),
    Type("bfloat16, autocast", torch.float32, torch.bfloat16),
    Type("bfloat16, whole", torch.bfloat16),
    Type("float16, autocast", torch.float32, torch.float16),
    Type("float16, autocast, scaled", torch.float32, torch.float16, True),
    Type("float16, whole", torch.float16),
    Type("float16, whole, scaled", torch.float16, None, True),
]


Measured = tuple[Estimate, list[Tensor]]


class Case(NamedTuple):
    """A model, images and noise."""

    name: str
    model: VAE
    x: Tensor  # [B, D]
    eps: Tensor  # [M, K, B, L]

    def spread(self) -> float:
        """The median over the groups of max - min of log w, in nats."""
        log_w = self.model.weigh(self.x)(self.eps).detach()
        return float((log_w.amax(1) - log_w.amin(1)).median())


class Found(NamedTuple):
    """The errors of a row in a type."""

    case: str
    row: str
    type: str
    mean: float  # of |bound - bound64|, nats
    largest: float
    theta: float  # |g - g64| / |g64|
    phi: float


def cases(steps: int = 200) -> list[Case]:
    """Three of them: 64 pixels near and far, 784 pixels far."""
    digits = data.digits()
    found = []
    for size in (8, 28):
        train, test = (_enlarged(images, size) for images in (digits.train, digits.binary_test()[:B]))
        model = _trained(train, steps)
        eps = model.noise(test, M, K, torch.Generator().manual_seed(2))
        if size == 8:
            found.append(Case("64 pixels, near", model, test, eps))
        torch.manual_seed(1)
        far = copy.deepcopy(model)
        far.encoder = VAE(size * size, L, hidden=(64,)).encoder
        found.append(Case(f"{size * size} pixels, far", far, test, eps))
    return found


def _enlarged(images: Tensor, size: int) -> Tensor:
    return interpolate(images.view(-1, 1, 8, 8), size=size, mode="nearest").flatten(1)


def _trained(images: Tensor, steps: int, seed: int = 0, autocast: bool = False) -> VAE:
    """A VAE after so many steps of IWAE with K = 8, in float32 or under bfloat16 autocast."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = VAE(images.shape[1], L, hidden=(64,)).start_at_pixel_means(images.mean(0))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        x = data.binarise(images[torch.randint(len(images), (B,), generator=generator)], generator)
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = objectives.loss(model, x, "iwae", 1, 8, generator)
        loss.backward()
        optimiser.step()
    return model


def estimate(case: Case, row: Objective, kind: Type) -> tuple[Estimate, list[Tensor]]:
    """A row at this noise, and its gradients for theta and for phi, each as one vector of float64."""
    model = copy.deepcopy(case.model).to(kind.model)
    x, eps = case.x.to(kind.model), case.eps.to(kind.model)
    with torch.autocast("cpu", kind.autocast) if kind.autocast else nullcontext():
        found = objectives.at(model, x, row, *model.draw(x, eps, row.keeps_score), M, K)
    return found, slopes(found, model, kind)


def composed_estimate(case: Case, row: Objective, kind: Type) -> tuple[Estimate, list[Tensor], Tensor]:
    """``estimate`` by the same networks in a ``DeepLatentVariableModel``, and the noise that it drew."""
    vae = copy.deepcopy(case.model).to(kind.model)
    model, x = DeepLatentVariableModel(Pixels(vae.decoder), Code(vae.encoder)), case.x.to(kind.model)
    with torch.autocast("cpu", kind.autocast) if kind.autocast else nullcontext():
        found = objectives.estimate(model, x, row, M, K, torch.Generator().manual_seed(2))
        q = model.posterior(x).base_dist
    eps = (found.z.double() - q.loc.double()) / q.scale.double()  # [M, K, B, L]
    return found, slopes(found, model, kind), eps.detach()


class Pixels(nn.Module):
    """p(x | z), as the pages of docs/how-to have it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Distribution:
        return Independent(Bernoulli(logits=self.network(z)), 1)


class Code(Pixels):
    """q(z | x), as the pages of docs/how-to have it."""

    def forward(self, x: Tensor) -> Distribution:
        mean, log_std = self.network(x).chunk(2, -1)
        return Independent(Normal(mean, log_std.exp()), 1)


def slopes(found: Estimate, model: LatentVariableModel, kind: Type) -> list[Tensor]:
    """The gradients for theta and for phi, each as one vector of float64."""
    for power in range(16 if kind.scaled else 0, -1, -1):
        model.zero_grad()
        (2.0**power * found.loss).backward(retain_graph=True)
        halves = [
            torch.cat([p.grad.double().flatten() for p in half.values()]) / 2.0**power
            for half in (model.theta(), model.phi())
        ]
        if all(half.isfinite().all() for half in halves):
            break
    return halves


def measured(
    cases: Iterable[Case], rows: Iterable[str] = tuple(objectives.TABLE), types: Iterable[Type] = TYPES
) -> Iterator[Found]:
    """All errors, row by row."""
    for case, name in itertools.product(cases, rows):
        row = objectives.get(name)
        exact = estimate(case, row, EXACT)
        for kind in types:
            yield compared(case.name, row, kind, estimate(case, row, kind), exact)
            if kind.autocast is None and kind.model is torch.float16:
                continue  # PyTorch has no Bernoulli of float16 on a CPU
            *found, eps = composed_estimate(case, row, kind)
            truth = estimate(case._replace(eps=eps), row, EXACT)
            yield compared(f"composed, {case.name}", row, kind, tuple(found), truth)


EXACT = Type("float64", torch.float64)


def compared(case: str, row: Objective, kind: Type, found: Measured, exact: Measured) -> Found:
    error = (found[0].bound.double() - exact[0].bound).abs()
    relative = [float((g - h).norm() / h.norm()) for g, h in zip(found[1], exact[1])]
    return Found(case, row.name, kind.name, error.mean().item(), error.max().item(), *relative)


def lost(seeds: int, steps: int) -> list[float]:
    """What a training under bfloat16 autocast loses of log p(x) in nats, a number for each seed: the same start, data
    and noise in float32 beside it, both judged in float32 on all test images with the same 1000 samples."""
    digits = data.digits()
    test = digits.binary_test()

    def judged(seed: int, autocast: bool) -> Tensor:
        model = _trained(digits.train, steps, seed, autocast)
        return evaluate.log_likelihood(model, test, 1000, torch.Generator().manual_seed(1)).mean()

    return [float(judged(seed, False) - judged(seed, True)) for seed in range(seeds)]


def percent(share: float) -> str:
    return "nan" if math.isnan(share) else f"{100 * share:.2g} %"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200, help="of training; ten times as many for log p(x)")
    parser.add_argument("--seeds", type=int, default=5, help="of the comparison of log p(x)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    losses = torch.tensor(lost(options.seeds, 10 * options.steps))
    error = losses.std() / math.sqrt(len(losses))
    print(f"log p(x) lost by training in bfloat16, {len(losses)} seeds: {losses.mean():.3f} +- {error:.3f} nats")
    made = cases(options.steps)
    for case in made:
        print(f"{case.name}: max - min of log w is {case.spread():.0f} nats")
    print("| case | row | type | bound, nats | largest | gradient of theta | of phi |")
    print("|---|---|---|---|---|---|---|")
    for found in measured(made):
        print(
            f"| {found.case} | {found.row} | {found.type} | {found.mean:.2g} | {found.largest:.2g} "
            f"| {percent(found.theta)} | {percent(found.phi)} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("half_precision")(main)())
