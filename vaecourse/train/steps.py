"""An epoch of a training, its steps, and the held-out bound after it."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse import arguments, batches, descent, evaluate, objectives
from vaecourse.data import binarise as draw_pixels
from vaecourse.latent import Data, LatentVariableModel
from vaecourse.models import VAE
from vaecourse.objectives import Objective
from vaecourse.train.history import Epoch

__all__ = ["GradientsAndBound"]  # what a user may call

CURE = "A smaller learning_rate is the usual cure."


class GradientsAndBound(Protocol):
    """An objective beside the table, as ``infovae.InfoVAE`` is: it fills ``.grad`` itself and returns the ELBO, [B]."""

    name: str
    parameters: dict[str, Any]

    def gradients_and_bound(
        self, model: VAE, x: Tensor, M: int, K: int, generator: torch.Generator | None = None
    ) -> Tensor: ...

    def begin(self, M: int, K: int, smallest: int, saved: bool) -> None: ...


class Run(NamedTuple):
    """What every epoch of a training needs."""

    model: LatentVariableModel
    row: Objective | GradientsAndBound
    M: int
    K: int
    data: batches.Shuffled | batches.Given
    held_out: Any
    batch_size: int
    binarise: bool
    optimizer: torch.optim.Optimizer
    noise: torch.Generator
    device: torch.device


def epoch(run: Run, number: int, bar: tqdm) -> Epoch:
    """One pass over the data, then the held-out bound."""
    start = time.perf_counter()
    bound = one_pass(run, number, bar)
    bar.set_postfix_str(f"{run.row} {bound:.2f} nats", refresh=False)
    return Epoch(bound, held_out_bound(run), time.perf_counter() - start)


def one_pass(run: Run, number: int, bar: tqdm) -> float:
    """A step for every batch; return the mean bound on the data."""
    total, points, steps = 0.0, 0, batches.steps(run.data)
    for done, x in enumerate(run.data, 1):
        where = f"epoch {number}, step {done}" + (f" of {steps}" if steps else "")
        total += step(run, batches.on(run.device, x), where)
        points += len(batches.lead(x))
        bar.update()
    return total / points


def step(run: Run, x: Data, where: str) -> float:
    """One step of the optimizer; return the sum of the bound over the batch."""
    try:
        return descent.step(run.optimizer, run.model.parameters(), lambda: backward(run, x))
    except (arguments.NotFinite, FloatingPointError) as failure:  # any other ValueError is a mistake, and says which
        raise FloatingPointError(f"Training stopped in {where}: {failure} {CURE}") from failure


def backward(run: Run, x: Data) -> float:
    """Fill ``.grad`` with the gradient of the loss; return the sum of the bound over the batch, which is finite."""
    if isinstance(run.row, Objective):
        value = objectives.backward(run.model, x, run.row, run.M, run.K, run.noise)
    else:
        value = run.row.gradients_and_bound(run.model, x, run.M, run.K, run.noise)  # type: ignore[arg-type] # it says what it needs
    total = float(value.sum())
    if not math.isfinite(total):
        raise FloatingPointError(f"the bound is {total}.")
    return total


def held_out_bound(run: Run) -> float | None:
    """The mean bound on the same pixels and noise after every epoch; it leaves the generators of the training alone."""
    x = run.held_out
    if x is None:
        return None
    row = run.row if isinstance(run.row, Objective) else objectives.get("elbo")
    if run.binarise and isinstance(x, Tensor):
        x = draw_pixels(x, torch.Generator().manual_seed(0))
    noise = torch.Generator(run.device).manual_seed(1)
    return float(evaluate.bound(run.model, x, row, run.M, run.K, noise, run.batch_size).mean())
