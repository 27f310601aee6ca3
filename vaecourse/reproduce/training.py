"""The training of the papers' VAEs: S seeds side by side, a rate for every pass, processes that share a batch."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse import arguments, descent, objectives
from vaecourse.checkpoint import Checkpoint, fingerprint, is_pass
from vaecourse.objectives import Objective
from vaecourse.reproduce.captured import Batches, Graph
from vaecourse.reproduce.ensemble import Ensemble, Noise
from vaecourse.reproduce.machinery import Machinery


class Pass(NamedTuple):
    """One pass over the data: each seed's mean bound in nats during it, and what it took."""

    bounds: list[float]  # [S]
    wall_seconds: float
    processor_seconds: float


def train_ensemble(
    ensemble: Ensemble,
    data: Tensor,
    row: Objective,
    M: int,
    K: int,
    rates: Sequence[float],
    seeds: Sequence[int],
    *,
    batch_size: int = 20,
    machinery: Machinery | None = None,
    checkpoint: Path | None = None,
    settings: dict[str, Any] | None = None,
    every: float = 10.0,
    progress: bool = False,
) -> list[Pass]:
    """Train every model of ``ensemble`` in place with Adam (eps 1e-4), one pass over ``data`` for each of ``rates``.

    A seed shuffles, draws its pixels and its noise from one generator of its own. A checkpoint is written after a pass
    if ``every`` seconds have gone by since the last one. A run that was killed goes on from it, bit for bit. Adam's
    moments live on from one rate to the next.

    Arguments:
        data: ``[N, D]`` grey levels in [0, 1], of which every step draws fresh zeros and ones.
        settings: what else a checkpoint must agree with.

    Raises ``ValueError`` for a checkpoint of another run and for a batch with fewer points than processes, and
    ``FloatingPointError`` if a bound or a gradient is not finite: at once, or on a GPU at the end of that pass, where
    no parameter has changed since.
    """
    machinery = machinery or Machinery()
    device, processes = machinery.device, machinery.processes
    batch_size = min(arguments.count("batch_size", batch_size), len(data))
    if (smallest := len(data) % batch_size or batch_size) < processes.size:
        raise ValueError(f"{processes.size} processes cannot share the last batch, which has {smallest} points.")
    noise = Noise(seeds, device, processes.rank, processes.size)
    ensemble.to(device)
    data = data.to(device)
    optimizer = _adam(ensemble, rates[0], machinery)
    own = {"objective": str(row), "M": M, "K": K, "batch_size": batch_size, "seeds": list(seeds)}
    own |= {"rates": _digest(rates), "data": fingerprint(data), "device": device.type}
    own |= {"precision": machinery.precision, **(settings or {})}
    is_ours = partial(_is_pass, S=ensemble.S)
    saved = Checkpoint(checkpoint, own, ensemble, optimizer, noise.generators, row=is_ours) if checkpoint else None
    passes = _resumed(saved, len(rates), machinery) if saved else []
    row = machinery.prepare(ensemble, row)
    guard = descent.Guard(optimizer, ensemble.parameters()) if machinery.records else None

    def take(batches: Batches) -> Tensor:
        return step(ensemble, noise.binary(data, batches), row, M, K, optimizer, noise, machinery, guard)

    taken = Graph(take, noise.generators.values()) if machinery.records else take
    steps = math.ceil(len(data) / batch_size)
    last_save = time.perf_counter()
    with tqdm(total=len(rates) * steps, initial=len(passes) * steps, unit="step", disable=not progress) as bar:
        for number, rate in enumerate(rates[len(passes) :], len(passes) + 1):
            wall, processor = time.perf_counter(), time.process_time()
            _set_rate(optimizer, rate)
            try:
                total = torch.zeros(ensemble.S, device=device)
                for batches in zip(*(order.split(batch_size) for order in noise.orders(len(data))), strict=True):
                    total += taken(batches)
                    bar.update()
                mean = _mean_bounds(processes.sum(total) / len(data), seeds, guard)
            except (ValueError, FloatingPointError) as failure:
                raise FloatingPointError(f"Pass {number}: {failure}") from failure
            passes.append(Pass(mean, time.perf_counter() - wall, time.process_time() - processor))
            due = time.perf_counter() - last_save > every or number == len(rates)
            if saved is not None and processes.leads and due:
                saved.save(passes)
                last_save = time.perf_counter()
    return passes


def _is_pass(row: list[Any], S: int) -> bool:
    """Whether this can be a ``Pass`` of so many seeds that a checkpoint has kept."""
    return is_pass(row) and isinstance(row[0], list) and len(row[0]) == S


def _mean_bounds(mean: Tensor, seeds: Sequence[int], guard: descent.Guard | None) -> list[float]:
    """The mean bound of each seed in a pass, whose steps and bounds were all finite."""
    if guard is not None:
        guard.checked()
    bounds: list[float] = mean.tolist()
    if not all(map(math.isfinite, bounds)):
        raise FloatingPointError(f"the bounds of the seeds {list(seeds)} are {bounds}.")
    return bounds


def _resumed(saved: Checkpoint, passes: int, machinery: Machinery) -> list[Pass]:
    """The passes that are in the checkpoint, which process 0 makes if it is not there; the run goes on after them."""
    done = saved.resume(passes) if machinery.processes.leads else []
    machinery.processes.agree(None)  # the file is there now, whoever made it
    if not machinery.processes.leads:
        done = saved.resume(passes)
    return [Pass(*before) for before in done]


def step(
    ensemble: Ensemble,
    x: Tensor,
    row: Objective,
    M: int,
    K: int,
    optimizer: torch.optim.Optimizer,
    noise: Noise,
    machinery: Machinery,
    guard: descent.Guard | None = None,
) -> Tensor:
    """One step of every seed; return the sums of their bounds over our share of the batch, ``[S]``.

    Raises ``ValueError`` for a bound and ``FloatingPointError`` for a gradient that is not finite. With a ``guard`` it
    does not wait for the gradient, and whoever has it asks.
    """

    def backward() -> Tensor:
        with machinery.rounding():
            value = objectives.backward(ensemble, x, row, M, K, noise)  # type: ignore[arg-type] # Ensemble knows Noise
        if (
            len(x) != noise.batch
        ):  # backward divides by the S b points it sees; a seed's loss is the mean over its own B
            gradients = [p.grad for p in ensemble.parameters() if p.grad is not None]
            torch._foreach_mul_(gradients, len(x) / noise.batch)
        machinery.processes.total(ensemble.parameters())
        return value

    value = descent.step(optimizer, ensemble.parameters(), backward) if guard is None else guard.step(backward)
    return value.float().unflatten(0, (ensemble.S, -1)).sum(-1)


def _adam(ensemble: Ensemble, rate: float, machinery: Machinery) -> torch.optim.Optimizer:
    """The paper's Adam; what is recorded as a graph reads the rate from the device."""
    device = machinery.device
    lr = torch.tensor(rate, device=device) if machinery.records else rate
    fused = device.type in ("cpu", "cuda")
    return torch.optim.Adam(ensemble.parameters(), lr=lr, eps=1e-4, fused=fused, capturable=machinery.records)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _digest(rates: Sequence[float]) -> str:
    return fingerprint(torch.tensor(rates, dtype=torch.float64, device="cpu"))
