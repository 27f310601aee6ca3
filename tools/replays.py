"""Runs of the labs that train, recorded for the pages of the site: numbers and no pictures, in site/live/data/.

    python -m tools.replays                     records all, some minutes
    python -m tools.replays 06.latent           those of one lab

A run is a lab's own trainer, with its seed, under presets of the lab, one after the other. Its history is stored to
five digits; at each frame the codes of the first held-out digits, in units of reach / 127, and for the cockpit the
pixels of samples and of digits rebuilt, in 16 grey levels.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tools import chapter, ending
from vaecourse import data, files, labs
from vaecourse.labs.cockpit import CockpitTrainer, plan
from vaecourse.labs.info_trainer import loss
from vaecourse.labs.latent_space import LatentTrainer
from vaecourse.labs.trainer import Settings

FOLDER = chapter.ROOT / "site/live/data"
SEED = 0
CODES = 200  # held-out digits whose codes are stored, the first ones
SAMPLES, REBUILT = 12, 6  # pictures of the cockpit
LARGEST, GREYS = 127, 15
DIGITS = 5  # of a number in the history


class Run(NamedTuple):
    """A name, and the presets of the lab with the step at which each begins."""

    name: str
    presets: dict[int, str]


class Recording(NamedTuple):
    """The runs of a lab, how many steps each has, and how many lie between two frames."""

    runs: list[Run]
    steps: int
    between: int


ALL = {
    "06.latent": Recording(
        [
            Run("VAE", {0: "VAE"}),
            Run("MMD-VAE", {0: "MMD-VAE"}),
            Run("pulled apart", {0: "pulled apart"}),
            Run("kernel too narrow", {0: "kernel too narrow"}),
            Run("collapsed, then MMD-VAE", {0: "collapsed", 200: "MMD-VAE"}),
        ],
        steps=400,
        between=20,
    ),
    "08.cockpit": Recording(
        [
            Run("VAE", {0: "VAE"}),
            Run("drowned, then MIWAE", {0: "VAE", 400: "drown the encoder", 800: "rescue it with MIWAE"}),
            Run("collapsed, then MMD", {0: "VAE", 400: "collapse it", 800: "save it with MMD"}),
        ],
        steps=1200,
        between=50,
    ),
}

AnyTrainer = LatentTrainer | CockpitTrainer

# What is stored ------------------------------------------------------------------------------------------------------


def window(z: NDArray[np.floating]) -> float:
    """The half width of the window that the lab shows codes z ``[N, 2]`` in."""
    return 3.5 * 2.0 ** max(0, math.ceil(math.log2(max(float(np.quantile(np.abs(z), 0.98)) / 3.5, 1e-9))))


def in_bytes(z: NDArray[np.floating], reach: float) -> bytes:
    """Codes in units of reach / 127, one byte each; what is outside lies on the edge."""
    whole: NDArray[np.floating] = np.clip(np.round(z / reach * LARGEST), -LARGEST, LARGEST)
    return whole.astype(np.int8).tobytes()


def greys(pixels: NDArray[np.floating]) -> bytes:
    """Pixels in [0, 1], an even number of them, as 16 grey levels: two in a byte, the first in its upper half."""
    levels = np.round(pixels.ravel() * GREYS).astype(np.uint8)
    return (16 * levels[::2] + levels[1::2]).tobytes()


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@torch.no_grad()
def codes(trainer: AnyTrainer) -> Tensor:
    """A z for each held-out digit ``[N, 2]``, as the lab shows it."""
    mean, log_std = trainer.model.encode(trainer.held_out)
    return mean + log_std.exp() * trainer.eps


@torch.no_grad()
def frame(trainer: AnyTrainer) -> dict[str, Any]:
    """What a picture of the lab needs of this moment, besides the history."""
    z = codes(trainer)
    reach = window(z.numpy())
    found: dict[str, Any] = {"reach": reach, "z": text(in_bytes(z[:CODES].numpy(), reach))}
    if isinstance(trainer, CockpitTrainer):
        found["samples"] = text(greys(trainer.model.decode(trainer.prior[:SAMPLES]).numpy()))
        found["rebuilt"] = text(greys(trainer.model.decode(z[:REBUILT]).numpy()))
    return found


def words(name: str, settings: Settings) -> str:
    """What the lab calls the loss at these settings."""
    if name == "08.cockpit":
        return str(plan(**settings))
    now = loss(**settings)
    return f"{now} ({now.kernel})"


# Recording -----------------------------------------------------------------------------------------------------------


def frames(name: str, run: Run) -> Iterator[tuple[AnyTrainer, dict[str, Any]]]:
    """The trainer at each frame of a run, and what is stored of it."""
    lab, of = labs.ALL[name](), ALL[name]
    trainer, preset = lab.experiment.begin(SEED), run.presets[0]
    for step in range(0, of.steps + 1, of.between):
        trainer.train({**lab.defaults, **lab.presets[preset]}, step - trainer.steps)
        yield trainer, frame(trainer)
        preset = run.presets.get(step, preset)


def recorded(name: str, run: Run) -> dict[str, Any]:
    """A run as JSON."""
    lab, shown = labs.ALL[name](), list(frames(name, run))
    trainer = shown[-1][0]
    turns = [
        {"step": step, "preset": preset, "words": words(name, {**lab.defaults, **lab.presets[preset]})}
        for step, preset in run.presets.items()
    ]
    history = [[row[0], *(float(f"{value:.{DIGITS}g}") for value in row[1:])] for row in trainer.history]
    return {"name": run.name, "turns": turns, "history": history, "frames": [now for _, now in shown]}


def whole_file(name: str) -> dict[str, Any]:
    """All runs of a lab, how they were made, and what never changes."""
    of, images, trainer = ALL[name], data.digits(), labs.ALL[name]().experiment.begin(SEED)
    made = {"by": f"python -m tools.replays {name}", "seed": SEED, "torch": torch.__version__}
    found: dict[str, Any] = {"made": made, "steps": of.steps, "between": of.between, "columns": list(trainer.columns)}
    found["labels"] = "".join(str(int(label)) for label in images.test_labels[:CODES])
    if name == "08.cockpit":
        found["originals"] = text(greys(images.test[:REBUILT].numpy()))
    found["runs"] = []
    for run in of.runs:
        print(f"{name}: {run.name}", flush=True)
        found["runs"].append(recorded(name, run))
    return found


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file_of(name).read_text(encoding="utf-8"))
    return found


@ending.reports("replays")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.replays", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="LAB", help=f"of {', '.join(ALL)}; all if none is named")
    for name in parser.parse_args(arguments).names or list(ALL):
        if name not in ALL:
            raise ending.Refused(f"LAB must be one of {', '.join(ALL)}, got {name!r}.")
        files.replace(file_of(name), (json.dumps(whole_file(name)) + "\n").encode())
        print(f"{file_of(name)}: {file_of(name).stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
