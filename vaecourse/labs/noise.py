"""Noise that a lab draws once and keeps: what its sliders move then is not the noise."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=4)
def noise(runs: int, K: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The same standard normal noise whenever the same is asked for: [runs, K]. Not to be written into."""
    return torch.randn(runs, K, generator=torch.Generator().manual_seed(seed), dtype=dtype)
