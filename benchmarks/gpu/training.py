"""The IWAE table on MNIST under the short schedule, and its best row alone, each with as many passes as fit.

How many is measured: a few passes of each row are timed, and what is left of the time is shared out. The runs go into
a record of `python -m vaecourse reproduce`, so they can be gone on with, and compared.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vaecourse import recorded, reproduce, train
from vaecourse.recorded import Record
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.images import images_of
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.scheduled_vaes import row_of
from vaecourse.reproduce.table import Scale
from vaecourse.reproduce.training import train_ensemble

BEST = "IWAE, k = 50"
ROWS = [BEST, "k = 1", "IWAE, k = 5", "VAE, k = 50", "VAE, k = 5"]
SEEDS = 3
SHARE = 0.6  # of the time, for the table; the rest is the long run's
AIM = 84.78 + 0.5  # NLL of IWAE, k = 50, as the paper has it, and half a nat
JUDGING = 3.0  # seconds of a model: log p of 10 000 images with K = 5000, on such a GPU


def table(device: torch.device, left: float, rehearse: bool, file: Path) -> dict[str, Any]:
    """Every row with as many passes as fit into its share of the time, three seeds side by side."""
    return _run("iwae", ROWS[:2] if rehearse else ROWS, 2 if rehearse else SEEDS, device, SHARE * left, rehearse, file)


def long(device: torch.device, left: float, rehearse: bool, file: Path) -> dict[str, Any]:
    """IWAE with k = 50 alone, with one seed, for what is left of the time."""
    return {"aim": AIM, **_run("iwae-long", [BEST], 1, device, left, rehearse, file)}


def _run(
    kind: str, rows: list[str], seeds: int, device: torch.device, left: float, rehearse: bool, file: Path
) -> dict[str, Any]:
    """Fill a record beside ``file`` and say what is in it."""
    machinery = Machinery(device, "float32" if rehearse else "tf32")
    small = {"limit": 200, "samples": 20, "epochs": 1, "data": "digits"} if rehearse else {}
    scale = Scale(schedule="short", **small)  # type: ignore[arg-type]
    start = time.monotonic()
    per_pass = {row: seconds_of_a_pass(row, scale, seeds, machinery) for row in rows}
    left -= time.monotonic() - start + JUDGING * seeds * len(rows) + 5
    fit = 2 if rehearse else max(1, math.floor(left / sum(per_pass.values())))
    record, passes = record_of(file, scale, fit, kind)
    scale = replace(scale, epochs=passes)
    print(reproduce.make("iwae", record, scale, seeds, rows, together=seeds, machinery=machinery, progress=False))
    found = Record(record, reproduce.settings_of(reproduce.TABLES["iwae"], scale)).runs
    return {
        "passes": passes,
        "seconds_per_pass": {row: round(seconds, 3) for row, seconds in per_pass.items()},
        "seeds": seeds,
        "precision": machinery.precision,
        "nll": {row: [run["nll"] for run in found if run["row"] == row] for row in rows},
    }


def record_of(file: Path, scale: Scale, passes: int, kind: str = "iwae") -> tuple[Path, int]:
    """The record to fill, and its passes: one of this machine and commit goes on with its own, any other stays."""
    for number in itertools.count(1):
        record = file.with_name(f"{file.stem}-{kind}{f'-{number}' if number > 1 else ''}.json")
        if not os.path.lexists(record):
            return record, passes
        with contextlib.suppress(ValueError, KeyError, TypeError):  # no record, or one of something else
            found = recorded.content(record)
            begun: int = found["settings"]["scale"]["epochs"]
            settings = reproduce.settings_of(reproduce.TABLES["iwae"], replace(scale, epochs=begun))
            here = json.loads(json.dumps([settings, recorded.machine(), recorded.commit()]))
            if [found["settings"], found["machine"], found["commit"]] == here:
                return record, begun
    raise AssertionError("there is a number for every file")


def seconds_of_a_pass(row: str, scale: Scale, seeds: int, machinery: Machinery) -> float:
    """Of a training of this row, side by side, once it has warmed up: from a tenth of the images."""
    images = images_of(scale)
    part = images.train[: max(500, len(images.train) // 10)]
    objective, M, K = row_of(reproduce.TABLES["iwae"].rows[row])
    ensemble = Ensemble([train.untrained(images, seed) for seed in range(seeds)])
    rates = [1e-4] * 3
    passes = train_ensemble(ensemble, part, objective, M, K, rates, range(seeds), batch_size=100, machinery=machinery)
    return min(one.wall_seconds for one in passes[1:]) * len(images.train) / len(part)
