"""What the checks try an answer on: noise with a seed, and log-weights of every size."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

SHAPES = [(2, 3, 5), (4, 7, 3), (1, 6, 2)]  # M, K, B: all different, so that a swapped axis shows


def normal(*shape: int, seed: int) -> Tensor:
    """Standard normal noise, the same whenever it is asked for."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def draws(seed: int) -> Callable[..., Tensor]:
    """``draw(*shape)``: one draw of standard normal noise after the other, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def log_weights(level: float = -3.0) -> list[tuple[Tensor]]:
    """Log-weights ``[M, K, B]`` about ``level``, in three shapes."""
    draw = draws(20)
    return [(level + 1.5 * draw(*shape),) for shape in SHAPES]


def uneven(values: Tensor, samples: int | tuple[int, ...]) -> Tensor:
    """The same at -900, 0 and 900, one level along the axes of the samples: one maximum for all is not enough."""
    alike = {samples} if isinstance(samples, int) else {*samples}
    shape = [1 if axis in alike else length for axis, length in enumerate(values.shape)]
    return values + 900.0 * (torch.arange(math.prod(shape)).reshape(shape) % 3 - 1)
