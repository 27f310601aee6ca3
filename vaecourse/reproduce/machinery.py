"""How a run is computed, which changes rounding and nothing else: device, precision, compiled or not, processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from vaecourse import arguments
from vaecourse.data import cache_folder
from vaecourse.objectives import Objective
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.processes import Processes

PRECISIONS = ["float32", "tf32", "bf16"]
_MATMUL = {"tf32": "high"}


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """While this lasts, float32 matrix products of a CUDA device are in tf32, or in float32 for any other precision."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(_MATMUL.get(precision, "highest"))
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@dataclass(frozen=True)
class Machinery:
    """How it is computed, which changes rounding and nothing else.

    Arguments:
        device: where.
        precision: ``"float32"``; ``"tf32"`` for the matrix products of a CUDA device; ``"bf16"``, autocast.
        compiled: whether ``torch.compile`` makes the kernels.
        processes: those that share each batch.
        graphs: whether a step is recorded once and replayed as a CUDA graph, on a CUDA device with one process.

    Raises ``ValueError`` for a precision that the device does not have. Several processes were tried on CPUs only.
    """

    device: torch.device = torch.device("cpu")
    precision: str = "float32"
    compiled: bool = False
    processes: Processes = Processes()
    graphs: bool = True

    def __post_init__(self) -> None:
        arguments.choice("precision", self.precision, PRECISIONS)
        if self.precision == "tf32" and self.device.type != "cuda":
            raise ValueError(f"precision 'tf32' needs a CUDA device, got {self.device.type}: take float32 or bf16.")
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision(_MATMUL.get(self.precision, "highest"))

    @property
    def records(self) -> bool:
        """Whether a step is recorded as a CUDA graph."""
        return self.graphs and self.device.type == "cuda" and self.processes.size == 1

    def cost(self, wall: float, processor: float) -> dict[str, float | str]:
        """What a run says of its seconds, and of where they were spent."""
        return {"wall_seconds": round(wall, 1), "processor_seconds": round(processor, 1), "device": str(self)}

    def rounding(self) -> contextlib.AbstractContextManager[Any]:
        """What the forward pass runs in."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def prepare(self, ensemble: Ensemble, row: Objective) -> Objective:
        """Compile the two calls of the models and the three reducers of the row, if that is asked for."""
        if not self.compiled:
            return row
        own = (
            cache_folder() / "inductor"
        )  # torch's own choice lies in /tmp, where somebody else may have made it before
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(own))
        ensemble.draw = torch.compile(ensemble.draw)  # type: ignore[method-assign]
        ensemble.log_joint = torch.compile(ensemble.log_joint)  # type: ignore[method-assign]
        bound, theta, phi = (torch.compile(reducer) for reducer in (row.bound, row.theta, row.phi))
        return replace(row, bound=bound, theta=theta, phi=phi)

    def __str__(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        extras = [self.precision, *(["compiled"] if self.compiled else []), *(["graphs"] if self.records else [])]
        several = [f"{self.processes.size} processes"] if self.processes.size > 1 else []
        return ", ".join([name, *extras, *several])
