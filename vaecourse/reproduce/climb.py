"""The training loop of the reproductions: S seeds side by side, a rate for every pass, processes that share a batch."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse import arguments, objectives
from vaecourse.checkpoint import Checkpoint, fingerprint
from vaecourse.data import cache_folder
from vaecourse.objectives import Objective
from vaecourse.reproduce.crew import Crew
from vaecourse.reproduce.stack import Noise, Stack

PRECISIONS = ["float32", "tf32", "bf16"]


class Pass(NamedTuple):
    """One pass over the data: each seed's mean bound in nats during it, and what it took."""

    bounds: list[float]  # [S]
    wall_seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Machinery:
    """How it is computed, which changes rounding and nothing else.

    Arguments:
        device: where.
        precision: ``"float32"``; ``"tf32"`` for the matrix products of a CUDA device; ``"bf16"``, autocast.
        compiled: whether ``torch.compile`` makes the kernels.
        crew: the processes that share each batch.

    Raises ``ValueError`` for a precision that the device does not have. On a GPU none of this was tried by the authors:
    what is tested is the CPU.
    """

    device: torch.device = torch.device("cpu")
    precision: str = "float32"
    compiled: bool = False
    crew: Crew = Crew()

    def __post_init__(self) -> None:
        arguments.choice("precision", self.precision, PRECISIONS)
        if self.precision == "tf32" and self.device.type != "cuda":
            raise ValueError(f"precision 'tf32' needs a CUDA device, got {self.device.type}: take float32 or bf16.")
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high" if self.precision == "tf32" else "highest")

    def rounding(self) -> contextlib.AbstractContextManager[Any]:
        """What the forward pass runs in."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def prepare(self, stack: Stack, row: Objective) -> Objective:
        """Compile the two calls of the model and the three reducers of the row, if that is asked for."""
        if not self.compiled:
            return row
        own = (
            cache_folder() / "inductor"
        )  # torch's own choice lies in /tmp, where somebody else may have made it before
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(own))
        stack.draw = torch.compile(stack.draw)  # type: ignore[method-assign]
        stack.log_joint = torch.compile(stack.log_joint)  # type: ignore[method-assign]
        bound, theta, phi = (torch.compile(reducer) for reducer in (row.bound, row.theta, row.phi))
        return replace(row, bound=bound, theta=theta, phi=phi)

    def __str__(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        extras = [self.precision, *(["compiled"] if self.compiled else [])]
        return ", ".join([name, *extras, *([f"{self.crew.size} processes"] if self.crew.size > 1 else [])])


def climb(
    stack: Stack,
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
    """Train every model of ``stack`` in place with Adam (eps 1e-4), one pass over ``data`` for each of ``rates``.

    A seed shuffles, draws its pixels and its noise from one generator of its own. A checkpoint is written after a pass
    if ``every`` seconds have gone by since the last one. A run that was killed goes on from it, bit for bit. Adam's
    moments live on from one rate to the next.

    Arguments:
        data: ``[N, D]`` grey levels in [0, 1], of which every step draws fresh zeros and ones.
        settings: what else a checkpoint must agree with.

    Raises ``ValueError`` for a checkpoint of another run and for a batch with fewer points than processes, and
    ``FloatingPointError`` if the bound is not finite.
    """
    machinery = machinery or Machinery()
    device, crew = machinery.device, machinery.crew
    batch_size = min(arguments.count("batch_size", batch_size), len(data))
    if (smallest := len(data) % batch_size or batch_size) < crew.size:
        raise ValueError(f"{crew.size} processes cannot share the last batch, which has {smallest} points.")
    noise = Noise(seeds, device, crew.rank, crew.size)
    stack.to(device)
    data = data.to(device)
    climber = torch.optim.Adam(stack.parameters(), lr=rates[0], eps=1e-4, fused=device.type in ("cpu", "cuda"))
    passes: list[Pass] = []
    kept = None
    if checkpoint is not None:
        said = {"objective": str(row), "M": M, "K": K, "batch_size": batch_size, "seeds": list(seeds)}
        said |= {"rates": _digest(rates), "data": fingerprint(data), "device": device.type, **(settings or {})}
        kept = Checkpoint(checkpoint, said, stack, climber, noise.generators)
        if crew.leads:
            passes = [Pass(*before) for before in kept.resume(len(rates))]
        crew.agree(None)  # the file is there now, whoever made it
        if not crew.leads:
            passes = [Pass(*before) for before in kept.resume(len(rates))]
    used = machinery.prepare(stack, row)
    steps = math.ceil(len(data) / batch_size)
    saved = time.perf_counter()
    with tqdm(total=len(rates) * steps, initial=len(passes) * steps, unit="step", disable=not progress) as bar:
        for number, rate in enumerate(rates[len(passes) :], len(passes) + 1):
            wall, processor = time.perf_counter(), time.process_time()
            for group in climber.param_groups:
                group["lr"] = rate
            total = torch.zeros(stack.S, device=device)
            for batches in zip(*(order.split(batch_size) for order in noise.orders(len(data))), strict=True):
                total += step(stack, noise.binary(data, batches), used, M, K, climber, noise, machinery, number)
                bar.update()
            mean = (crew.sum(total) / len(data)).tolist()
            if not all(math.isfinite(value) for value in mean):
                raise FloatingPointError(f"Pass {number}: the bounds of the seeds {list(seeds)} are {mean}.")
            passes.append(Pass(mean, time.perf_counter() - wall, time.process_time() - processor))
            if kept is not None and crew.leads and (time.perf_counter() - saved > every or number == len(rates)):
                kept.save(passes)
                saved = time.perf_counter()
    return passes


def step(
    stack: Stack,
    x: Tensor,
    row: Objective,
    M: int,
    K: int,
    climber: torch.optim.Optimizer,
    noise: Noise,
    machinery: Machinery,
    number: int,
) -> Tensor:
    """One step of every seed; return the sums of their bounds over our share of the batch, ``[S]``."""
    climber.zero_grad()
    try:
        with machinery.rounding():
            value = objectives.backward(stack, x, row, M, K, noise)  # type: ignore[arg-type] # Stack knows Noise
    except ValueError as failure:
        raise FloatingPointError(f"Pass {number}: {failure}") from failure
    if len(x) != noise.batch:  # backward divides by the S b points it sees; a seed's loss is the mean over its own B
        torch._foreach_mul_([p.grad for p in stack.parameters() if p.grad is not None], len(x) / noise.batch)
    machinery.crew.total(stack.parameters())
    climber.step()
    return value.float().unflatten(0, (stack.S, -1)).sum(-1)


def _digest(rates: Sequence[float]) -> str:
    return fingerprint(torch.tensor(rates, dtype=torch.float64))
