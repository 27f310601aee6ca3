"""Batches of points: what an evaluation is given, and what a training goes through in an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from vaecourse.data import binarise as draw_pixels
from vaecourse.latent import Data, each_part, parts


class Shuffled:
    """``data [N, ...]``, or a tuple of such, in pieces of ``size``, in a new order each time.

    With ``binarise`` a tensor becomes zeros and ones.
    """

    def __init__(self, data: Data, size: int, generator: torch.Generator, binarise: bool) -> None:
        self.data, self.size, self.generator, self.binarise = data, size, generator, binarise

    def __len__(self) -> int:
        return -(-len(lead(self.data)) // self.size)

    def __iter__(self) -> Iterator[Data]:
        for index in torch.randperm(len(lead(self.data)), generator=self.generator, device="cpu").split(self.size):
            x = _at(self.data, index)
            yield draw_pixels(x, self.generator) if self.binarise else x

    def smallest(self) -> int:
        """The size of the smallest batch."""
        return (len(lead(self.data)) - 1) % self.size + 1


class Given:
    """Batches that can be gone through again and again, such as a ``DataLoader``; of (x, label) x is taken."""

    def __init__(self, data: Iterable[Any]) -> None:
        if isinstance(data, Iterator) or hasattr(data, "__array__") or not isinstance(data, Iterable):
            raise TypeError(
                "data must be a torch.Tensor [N, ...], a tuple of them, Images, or batches that can be gone through "
                f"again and again, such as a DataLoader, got {type(data).__name__}."
            )
        self.data = data

    def __len__(self) -> int:
        return len(self.data)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Data]:
        yield from each(self.data)

    def smallest(self) -> int:
        """The size of the smallest batch, from one pass over all of them."""
        return min(len(lead(x)) for x in self)


def each(x: Data | Iterable[Any]) -> Iterator[Data]:
    """``x`` batch by batch, as the model sees them: whole, if it is one; of (x, label) the first.

    Raises ``TypeError`` for what gives no batches, such as an array or a ``Dataset`` of single points, and
    ``ValueError`` if there are none or one has no points.
    """
    if isinstance(x, Tensor | tuple):
        yield _batch("x", x)
        return
    if isinstance(x, Dataset) and not isinstance(x, IterableDataset):
        raise TypeError(f"x must give batches, and {type(x).__name__} gives single points: put a DataLoader around it.")
    if isinstance(x, str | dict) or hasattr(x, "__array__") or not isinstance(x, Iterable):
        raise TypeError(
            f"x must be a torch.Tensor [B, ...] or an iterable of such batches, got {type(x).__name__}."
            + (" torch.from_numpy(x).float() makes a tensor of an array." if hasattr(x, "__array__") else "")
        )
    number = 0
    for number, batch in enumerate(x, 1):
        first = batch[0] if isinstance(batch, tuple | list) and batch else batch
        yield _batch(f"batch {number} of x", tuple(first) if isinstance(first, list) else first)
    if number == 0:
        raise ValueError("x must hold at least one batch, got none: a generator can be used only once.")


def _batch(name: str, batch: Any) -> Data:
    """A batch, if it is a tensor [B, ...] with points in it, or a tuple of tensors with as many points each."""
    several = parts(batch)
    if not several:
        raise ValueError(f"{name} must hold at least one tensor, got an empty tuple.")
    for part in several:
        if not isinstance(part, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor [B, ...], or a tuple of them, got {type(part).__name__}.")
        if part.dim() < 1 or len(part) < 1:
            raise ValueError(f"{name} must have at least one entry along B, got shape {list(part.shape)}.")
    if len({len(part) for part in several}) != 1:
        raise ValueError(f"{name} must have as many points in each of its tensors, got {[len(p) for p in several]}.")
    return batch


def lead(batch: Data) -> Tensor:
    """The tensor that says how many points a batch has."""
    return batch[0] if isinstance(batch, tuple) else batch


def rows(batch: Data, start: int, stop: int, device: torch.device | None) -> Data:
    """Some points of a batch, on ``device``, or where they are."""
    return each_part(batch, lambda part: part[start:stop].to(device or part.device))


def _at(batch: Data, index: Tensor) -> Data:
    """The points of these numbers."""
    return each_part(batch, lambda part: part[index.to(part.device)])


def on(device: torch.device, batch: Data) -> Data:
    """A batch on this device."""
    return each_part(batch, lambda part: part.to(device))


def steps(batches: Shuffled | Given) -> int | None:
    """How many batches there are, if they know."""
    try:
        return len(batches)
    except TypeError:
        return None


def of(data: Any, size: int, generator: torch.Generator, binarise: bool) -> Shuffled | Given:
    """Batches of a tensor or of a tuple of tensors, as (x, mask), which the model sees as such; or those given."""
    if isinstance(data, tuple):
        if binarise:
            raise ValueError("binarise must be False for a tuple of tensors: nothing says which of them are pixels.")
        return Shuffled(_batch("data", data), size, generator, binarise=False)
    if not isinstance(data, Tensor):
        given = Given(data)
        if binarise:
            raise ValueError("binarise must be False for a DataLoader, whose own transform can draw the pixels.")
        return given
    if not data.is_floating_point() or data.dim() < 2 or len(data) < 1:
        raise ValueError(
            f"data must be a floating-point tensor [N, ...] with N at least 1, got {data.dtype} {list(data.shape)}."
        )
    return Shuffled(data, size, generator, binarise)


def binarises(model: object, binarise: bool | None, data: object) -> bool:
    """Whether pixels are drawn: as asked for, or of a tensor where a VAE's likelihood is of zeros and ones."""
    likelihood = getattr(model, "likelihood", None)
    if binarise and likelihood == "gaussian":
        raise ValueError(
            "binarise must be False for a Gaussian likelihood, which is not one of zeros and ones, got True."
        )
    return likelihood == "bernoulli" and isinstance(data, Tensor) if binarise is None else bool(binarise)
