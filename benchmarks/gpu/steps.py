"""A training step of the IWAE paper's network on the device: eager, compiled, as a graph, in three precisions.

Beside each time stand two floors. Products: the multiplications of the step's matrix products over the rate of a large
product in the same precision, measured here. Traffic: the bytes that a step moves if every tensor is written once and
read once by each that needs it, over the rate of a large copy, measured here. A share is a floor over the time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.step import HIDDEN, D, K, L, layers
from vaecourse import descent, objectives
from vaecourse.models import VAE
from vaecourse.reproduce.captured import EAGER, Graph
from vaecourse.reproduce.machinery import products_in

BATCHES = (20, 100, 1000)
PRECISIONS = ("float32", "tf32", "bf16")


def run(device: torch.device, left: float, rehearse: bool, file: Path) -> dict[str, Any]:
    """The ceilings of the device, and a row for each way to take a step. What there is no time for is left out."""
    end = time.monotonic() + min(left, 60.0)
    batches, rounds = ((20,), 2) if rehearse else (BATCHES, 15)
    size = 256 if rehearse else 8192
    precisions = ("float32", "bf16") if rehearse else PRECISIONS
    peak = {precision: _product_rate(device, precision, size) for precision in precisions}
    found: dict[str, Any] = {"flop_per_second": peak, "bytes_per_second": _copy_rate(device, size), "rows": []}
    for way in _ways(rehearse):
        for B in batches:
            for precision in precisions:
                if way.objective != "iwae" and (B, precision) != (batches[-1], precisions[-1]):
                    continue
                if way.compiled and (B, precision) not in ((100, "tf32"), (1000, "bf16")):
                    continue
                if time.monotonic() > end:
                    found["left_out"] = "what time was not enough for"
                    return found
                found["rows"].append(_row(way, B, precision, device, rounds, found))
    return found


class Way(NamedTuple):
    """How a step is taken: a row of the table, recorded as a graph or not, compiled or not."""

    objective: str
    M: int
    K: int
    recorded: bool = False
    compiled: bool = False

    def __str__(self) -> str:
        extras = (["compiled"] if self.compiled else []) + (["graph"] if self.recorded else ["eager"])
        return f"{self.objective}, M = {self.M}, K = {self.K}, {', '.join(extras)}"


def _ways(rehearse: bool) -> Iterator[Way]:
    graph = not rehearse
    yield Way("iwae", 1, K, recorded=graph)
    yield Way("dreg", 1, K, recorded=graph)
    yield Way("piwae", 5, 10, recorded=graph)
    if not rehearse:
        yield Way("iwae", 1, K, recorded=True, compiled=True)
        yield Way("iwae", 1, K)


def _row(
    way: Way, B: int, precision: str, device: torch.device, rounds: int, ceilings: dict[str, Any]
) -> dict[str, Any]:
    with products_in(precision):
        start = time.monotonic()
        step = _step(way, B, precision, device)
        for _ in range(2 * EAGER if way.recorded else 2):
            step()
        warm = time.monotonic() - start
        seconds = _seconds(step, device, rounds)
    products = _flop(B) / ceilings["flop_per_second"][precision]
    traffic = _bytes(B, 2 if precision == "bf16" else 4) / ceilings["bytes_per_second"]
    return {
        "way": str(way),
        "B": B,
        "precision": precision,
        "ms": round(1e3 * seconds, 4),
        "products": round(products / seconds, 3),
        "traffic": round(traffic / seconds, 3),
        "first_steps_s": round(warm, 1),
    }


def _step(way: Way, B: int, precision: str, device: torch.device) -> Callable[[], object]:
    """A whole step: pixels, noise, loss, backward, Adam, a look at the gradient; nothing waits in a graph."""
    torch.manual_seed(0)
    model, grey = VAE(D, L, HIDDEN).to(device), torch.rand(2000, D, device=device)
    lr = torch.tensor(1e-4, device=device) if way.recorded else 1e-4
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True, capturable=way.recorded)
    guard = descent.Guard(optimizer, model.parameters())

    def loss(x: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            return objectives.loss(model, x, way.objective, way.M, way.K)

    value = torch.compile(loss) if way.compiled else loss

    def step(batches: Any) -> Tensor:
        def backward() -> Tensor:
            found = value(torch.bernoulli(grey[batches[0]]))
            found.backward()
            return found.detach()

        return guard.step(backward)

    taken = Graph(step, []) if way.recorded else step
    numbers = [torch.randint(len(grey), (B,), device=device)]
    return lambda: taken(numbers)


def _seconds(step: Callable[[], object], device: torch.device, rounds: int) -> float:
    """The median over the rounds of the mean of ten steps."""
    found = []
    for _ in range(rounds):
        if device.type == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            for _ in range(10):
                step()
            end.record()
            end.synchronize()
            found.append(begin.elapsed_time(end) / 1e4)
        else:
            start = time.perf_counter()
            step()
            found.append(time.perf_counter() - start)
    return statistics.median(found)


def _product_rate(device: torch.device, precision: str, size: int) -> float:
    """Multiplications and additions a second of one large product."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    with products_in(precision):
        torch.mm(a, b, out=out)
        return 2 * size**3 / _seconds(lambda: torch.mm(a, b, out=out), device, 3)


def _copy_rate(device: torch.device, size: int) -> float:
    """Bytes a second, read and written, of a large copy."""
    a = torch.randn(size, 2 * size, device=device)
    out = torch.empty_like(a)
    out.copy_(a)
    return 2 * a.numel() * a.element_size() / _seconds(lambda: out.copy_(a), device, 5)


def _flop(B: int) -> float:
    """Of the three products of each layer: forwards, for the weight, and for the input, which pixels need none."""
    return 2.0 * sum(n * i * o * 3 for n, i, o in layers(B)) - 2.0 * B * D * HIDDEN[0]


def _bytes(B: int, width: int) -> float:
    """Of a layer: its input read twice (forwards, for the weight), its output written, its gradient written and read
    twice; of what is between layers: read and written forwards, and read twice and written backwards. Adam: 7 numbers
    of 4 bytes for each weight."""
    moved = sum(n * (2 * i + o + 3 * o) + n * o * (2 + 3) for n, i, o in layers(B))
    weights = sum(p.numel() for p in _weights())
    return float(width * moved + 4 * 7 * weights)


def _weights() -> Iterator[nn.Parameter]:
    with torch.device("meta"):
        yield from VAE(D, L, HIDDEN).parameters()
