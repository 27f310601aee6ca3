"""What ``fit`` can take, asked before any work: ranges, devices, models, data."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.data import between_0_and_1
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE

__all__ = ["choose_device", "ranges"]  # what a user may call

MOST_EPOCHS = 100_000  # whose history a checkpoint can hold


def ranges(
    M: int, K: int, epochs: int, batch_size: int, learning_rate: float, seed: int
) -> tuple[int, int, int, int, float, int]:
    """The same, if ``fit`` can take them, which it asks before any work."""
    return (
        arguments.count("M", M),
        arguments.count("K", K),
        arguments.count("epochs", epochs, at_most=MOST_EPOCHS),
        arguments.count("batch_size", batch_size),
        arguments.number("learning_rate", learning_rate, 0.0, 1e30, open_low=True),
        arguments.count("seed", seed, at_least=0),
    )


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, if it is here; the first of CUDA, MPS and CPU that is here if none is asked for.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    here = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }  # how many of each
    if device is None:
        return torch.device(next(name for name, there in here.items() if there))
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as failure:
        raise ValueError(f"device must be one of cuda, mps, cpu, got {device!r}.") from failure
    if (chosen.index or 0) >= here.get(chosen.type, 0):
        there = " and ".join(name for name, present in here.items() if present)
        raise ValueError(f"device must be one that is here ({there}), got {str(device)!r}.")
    return chosen


def home(model: LatentVariableModel) -> torch.device:
    """Where the model is; refuse one with nothing to train."""
    if not isinstance(model, LatentVariableModel):
        raise TypeError(f"model must be a latent-variable model, got {type(model).__name__}.")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            "model must have a parameter that requires a gradient, got none: it has none, or all are frozen."
        )
    return next(model.parameters()).device


def stepping(name: str, stepper: Any) -> Any:
    """An optimizer or a schedule, if its step needs nothing."""
    asked = inspect.signature(stepper.step).parameters.values()
    if needed := [p.name for p in asked if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        kind = f"{type(stepper).__name__}, whose step needs {' and '.join(needed)}"
        raise TypeError(f"{name} must take a step without arguments, got {kind}.")
    return stepper


def learnable(name: str, x: Any, model: LatentVariableModel, binarise: bool) -> Any:
    """``x`` if the model can learn from it; of batches that are made later, this is seen later."""
    if not isinstance(x, Tensor):
        return x
    if binarise or getattr(model, "likelihood", None) == "bernoulli":
        x = between_0_and_1(name, x)
    if isinstance(model, VAE) and arguments.tensor(name, x, "BD").shape[1] != model.data_dim:
        raise ValueError(f"{name} must have data_dim = {model.data_dim} columns, got shape {list(x.shape)}.")
    return arguments.finite(name, x)


def held_out(x: Any, model: LatentVariableModel, binarise: bool) -> Any:
    """``held_out``, if every epoch can go through it."""
    if isinstance(x, Iterator):
        raise TypeError(
            "held_out must be a tensor, or batches that can be gone through again and again, such as a DataLoader, "
            f"got {type(x).__name__}, which can be used only once."
        )
    return learnable("held_out", x, model, binarise)
