"""The processes that share a run: one, or as many as torchrun started, on one machine or on several."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

Anything = TypeVar("Anything")


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is. Process 0 writes the files; the others only read them."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def total(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, in one message."""
        if self.size > 1:
            gradients = [p.grad for p in parameters if p.grad is not None]
            message = torch.cat([gradient.flatten() for gradient in gradients])
            distributed.all_reduce(message)
            for gradient, part in zip(gradients, message.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))

    def sum(self, value: Tensor) -> Tensor:
        """The sum of ``value`` over the processes."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def agree(self, what: Anything) -> Anything:
        """What process 0 says. Nobody goes on before process 0 has come here."""
        if self.size == 1:
            return what
        message = [what]
        distributed.broadcast_object_list(message)
        return message[0]


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Processes, torch.device]]:
    """The processes that torchrun's environment variables tell of, and the device of this one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), size), device
    finally:
        distributed.destroy_process_group()
