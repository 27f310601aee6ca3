"""What a training goes through in an epoch: a tensor in shuffled pieces, or batches that come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from vaecourse import arguments, evaluate
from vaecourse.data import binarise as draw_pixels
from vaecourse.latent import Data


class Shuffled:
    """``data [N, ...]`` in pieces of ``size``, in a new order each time; with ``binarise`` zeros and ones."""

    def __init__(self, data: Tensor, size: int, generator: torch.Generator, binarise: bool) -> None:
        self.data, self.size, self.generator, self.binarise = data, size, generator, binarise

    def __len__(self) -> int:
        return -(-len(self.data) // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        for rows in torch.randperm(len(self.data), generator=self.generator, device="cpu").split(self.size):
            x = self.data[rows.to(self.data.device)]
            yield draw_pixels(x, self.generator) if self.binarise else x

    def smallest(self) -> int:
        """The size of the smallest batch."""
        return (len(self.data) - 1) % self.size + 1


class Given:
    """Batches that can be gone through again and again, such as a ``DataLoader``; of (x, label) x is taken."""

    def __init__(self, data: Iterable[Any]) -> None:
        if isinstance(data, Iterator) or hasattr(data, "__array__") or not isinstance(data, Iterable):
            raise TypeError(
                "data must be a torch.Tensor [N, ...], Images, or batches that can be gone through again and again, "
                f"such as a DataLoader, got {type(data).__name__}."
            )
        self.data = data

    def __len__(self) -> int:
        return len(self.data)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Data]:
        yield from evaluate.batches(self.data)

    def smallest(self) -> int:
        """The size of the smallest batch, from one pass over all of them."""
        return min(points(x) for x in self)


def points(x: Data) -> int:
    """How many points a batch has."""
    return len(x[0] if isinstance(x, tuple) else x)


def steps(batches: Shuffled | Given) -> int | None:
    """How many batches there are, if they know."""
    try:
        return len(batches)
    except TypeError:
        return None


def on(device: torch.device, x: Data) -> Data:
    """A batch on this device."""
    return tuple(on(device, part) for part in x) if isinstance(x, tuple) else x.to(device)


def of(data: Any, size: int, generator: torch.Generator, binarise: bool) -> Shuffled | Given:
    """Batches of a tensor, or those that are given."""
    if not isinstance(data, Tensor):
        given = Given(data)
        if binarise:
            raise ValueError("binarise must be False for a DataLoader, whose own transform can draw the pixels.")
        return given
    if not data.is_floating_point() or data.dim() < 2 or len(data) < 1:
        raise ValueError(
            f"data must be a floating-point tensor [N, ...] with N at least 1, got {data.dtype} {list(data.shape)}."
        )
    return Shuffled(arguments.finite("data", data), size, generator, binarise)
