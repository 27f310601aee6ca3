"""The file of a training: what it says of the run, how a run goes on from it, the model that is in it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaecourse import checkpoint as checkpoints
from vaecourse import description
from vaecourse.models import VAE
from vaecourse.train.history import Epoch, History
from vaecourse.train.steps import Run

__all__ = ["load"]  # what a user may call


def resumed(
    checkpoint: str | Path | None,
    run: Run,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
    settings: dict[str, Any],
    pixels: torch.Generator,
    history: History,
    epochs: int,
    may_end: bool,
) -> checkpoints.Checkpoint | None:
    """The file of the run, if it has one; run and history go on from what is in it."""
    if checkpoint is None:
        return None
    described = description.of_run(run.model, run.row, run.optimizer, scheduler) | {"M": run.M, "K": run.K}
    settings = described | settings | {"device": run.device.type}
    generators = {"pixels": pixels, "noise": run.noise, "layers": torch.default_generator}
    saved = checkpoints.Checkpoint(Path(checkpoint), settings, run.model, run.optimizer, generators, row=is_epoch)
    history.epochs = [Epoch(*epoch) for epoch in saved.resume(epochs)]
    history.ended = saved.ended and may_end
    catch_up(scheduler, len(history.epochs))
    return saved


def save(saved: checkpoints.Checkpoint | None, history: History) -> None:
    """Replace the run's file, if it has one, by the run as it is now."""
    if saved is not None:
        saved.ended = history.ended
        saved.save(history.epochs)


def catch_up(scheduler: torch.optim.lr_scheduler.LRScheduler | None, epochs: int) -> None:
    """Take the steps that a resumed run has behind it."""
    if scheduler is not None and epochs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "before optimizer.step()": those were taken in another life
            for _ in range(epochs):
                scheduler.step()


def fingerprint(data: object) -> str | None:
    """By what a checkpoint knows the data again, or each tensor of them."""
    if data is None:
        return None
    if isinstance(data, tuple):
        return " and ".join(f"{fingerprint(part)}" for part in data)
    if not isinstance(data, Tensor):
        raise ValueError("checkpoint needs data and held_out as tensors: what a DataLoader gives cannot be recognised.")
    return checkpoints.fingerprint(data)


def is_epoch(row: list[Any]) -> bool:
    """Whether this can be an ``Epoch`` that a checkpoint has kept."""
    return checkpoints.is_pass(row) and not isinstance(row[0], list)


def load(path: str | Path) -> VAE:
    """The model in a checkpoint of ``fit``, on the CPU, ready to evaluate.

    Raises ``OSError`` if there is no file to read, and ``ValueError`` if it is not a whole checkpoint, is larger than
    ``checkpoint.LARGEST``, or if its model cannot be built again because its networks or its prior were given, or
    exchanged later.
    """
    models: list[VAE] = []

    def build(found: checkpoints.Head, run: dict[str, Any]) -> None:
        models.append(description.built(Path(path), found, run["settings"].get("model")))

    tensors, _ = checkpoints.read(Path(path), build)
    weights = checkpoints.part(tensors, "model.")
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise checkpoints.malformed(path, f"model.{name} has entries that are not finite")
    (model,) = models
    model.load_state_dict(weights, assign=True)
    return model.eval()
