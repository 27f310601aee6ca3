"""What is lost of a training with its kernel, or with a file that is loaded in its place; and what is kept of it."""

from __future__ import annotations

import time
from pathlib import Path

from vaecourse import files, labs
from vaecourse.labs.store import ENDING, within
from vaecourse.labs.trainer import Settings, Trainer

AT_STAKE = 100  # steps of a training that are worth keeping when its cell is run again, or a file is loaded


def told(trainer: Trainer) -> str:
    """What has become of the training once there is no kernel any more."""
    steps, filed, place = trainer.steps, trainer.filed, trainer.file
    if not steps:
        return ""
    if place is None:
        return f"Its training is lost: {_steps(steps)} in no file."
    file = within(place) if labs.STARTED and place.is_relative_to(labs.STARTED) else place
    if filed == steps:
        return f"Its training is saved: {_steps(steps)} in {file}. Load takes it up."
    lost = f"What came after is lost: {_steps(steps - filed)}."
    return f"Its training is saved up to step {filed} in {file}. Load takes it up. {lost}"


def set_aside(trainer: Trainer, settings: Settings, folder: Path, name: str) -> str:
    """Keep a training that another takes the place of, in ``kept``; return what became of the steps in no file.

    Raises ``OSError`` where more than ``AT_STAKE`` of them cannot be kept.
    """
    steps = trainer.steps - trainer.filed
    if steps <= AT_STAKE:
        return f"{steps} steps that were in no file were let go." if steps else ""
    folder = folder if folder.name == files.KEPT else folder / files.KEPT
    copy = folder / f"{name}-{time.strftime('%Y-%m-%d-%H%M%S')}{ENDING}"
    try:
        files.own_folder(folder)
        trainer.save(copy, settings)
    except (ValueError, OSError) as failure:
        raise OSError(f"{steps} steps in no file could not be kept: {failure} Save them first.") from failure
    return f"{steps} steps that were in no file are kept in {files.shown(copy)}."


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"
