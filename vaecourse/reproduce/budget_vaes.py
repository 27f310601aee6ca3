"""VAEs that are trained with M K = 64 samples of a point in each step: the rows of two tables, and a short training.

A seed makes the first weights, the training and its noise. The test images and the noise of the evaluation are the same
in every run. The schedule is short: on the digits 750 steps of Adam at a rate of .003, in place of the 1500 at .001 of
``train.DIGITS``.
"""

from __future__ import annotations

import copy
import time
from functools import partial
from typing import Any

import torch

from vaecourse import evaluate, train
from vaecourse.data import Images
from vaecourse.models import VAE
from vaecourse.reproduce.images import images_of, size_of, whole
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.scheduled_vaes import row_of
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

BUDGET = 64
ROWS: dict[str, dict[str, Any]] = {  # the names and the order of Rainforth et al., table 1
    "IWAE": {"objective": "iwae", "M": 1, "K": 64},
    "PIWAE(4, 16)": {"objective": "piwae", "M": 4, "K": 16},
    "PIWAE(8, 8)": {"objective": "piwae", "M": 8, "K": 8},
    "MIWAE(4, 16)": {"objective": "miwae", "M": 4, "K": 16},
    "MIWAE(8, 8)": {"objective": "miwae", "M": 8, "K": 8},
    "CIWAE .05": {"objective": "ciwae", "beta": 0.05, "M": 1, "K": 64},
    "CIWAE .5": {"objective": "ciwae", "beta": 0.5, "M": 1, "K": 64},
    "VAE": {"objective": "elbo", "M": 64, "K": 1},
}
MEASURES = {"elbo": "ELBO", "iwae_64": "L_64", "log_p": "log p^", "active_units": "active units"}
EPOCHS, RATE, BATCH_SIZE = 50, 3e-3, 100


def schedule(scale: Scale) -> dict[str, Any]:
    """The training at this scale, as ``train.fit`` takes it."""
    return {"epochs": min(EPOCHS, scale.epochs or EPOCHS), "learning_rate": RATE, "batch_size": BATCH_SIZE}


def settings(rows: dict[str, dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """What all runs of a table have in common."""
    return {
        "data": f"{scale.data}, binarised afresh at every step; test: Images.binary_test()",
        "model": size_of(scale)._asdict() | {"epochs": schedule(scale)["epochs"]},
        "schedule": schedule(scale),
        "rows": rows,
        "evaluation": evaluation(scale),
    }


def measure(rows: dict[str, dict[str, Any]], row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train one row with one seed; its mean test bounds in nats, its active units, and what it cost."""
    images = images_of(scale)
    wall, processor = time.perf_counter(), time.process_time()
    model = trained(rows[row], seed, scale, machinery.device)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {
        "row": row,
        "seed": seed,
        **judged(model, images, scale),
        **machinery.cost(wall, processor),
    }


def trained(setting: dict[str, Any], seed: int, scale: Scale, device: torch.device) -> VAE:
    """The model of a row with this setting, from this seed."""
    objective, M, K = row_of(setting)
    model = train.untrained(images_of(scale), seed)
    how: dict[str, Any] = {"seed": seed, "progress": False, "device": device}
    whole(train.fit(model, images_of(scale), objective, M, K, **schedule(scale), **how))
    return model


def with_encoder_trained_on(
    model: VAE, setting: dict[str, Any], passes: int, seed: int, scale: Scale, device: torch.device, **how: Any
) -> VAE:
    """A copy whose encoder has gone on from where it was by another objective, while all of theta stood still."""
    objective, M, K = row_of(setting)
    model, how = (
        copy.deepcopy(model),
        how | {"batch_size": BATCH_SIZE, "seed": seed, "progress": False, "device": device},
    )
    for parameter in model.theta().values():
        parameter.requires_grad_(False)
    whole(train.fit(model, images_of(scale), objective, M, K, min(passes, scale.epochs or passes), **how))
    return model


def evaluation(scale: Scale) -> str:
    """What ``judged`` does."""
    return f"test means in nats: ELBO from 1000 samples, L_64 as the mean of 20, log p with K = {scale.samples}"


def judged(model: VAE, images: Images, scale: Scale) -> Run:
    """Mean bounds of the test images in nats, on the same pixels and noise for every model, and the active units."""
    x, noise = images.binary_test(), lambda: torch.Generator().manual_seed(0)
    bounds = {
        "elbo": evaluate.bound(model, x, "elbo", M=1, K=1000, generator=noise()),
        "iwae_64": evaluate.bound(model, x, "miwae", M=20, K=64, generator=noise()),
        "log_p": evaluate.log_likelihood(model, x, K=scale.samples, generator=noise()),
    }
    means = {name: round(float(values.mean()), 4) for name, values in bounds.items()}
    return {**means, "active_units": evaluate.active_units(model, images.train)}


def remark(settings: dict[str, Any]) -> str:
    """What the training was."""
    schedule = settings["schedule"]
    return (
        f"{settings['scale']['data']}, a short schedule: {schedule['epochs']} epochs at a rate of "
        f"{schedule['learning_rate']:g}, M K = {BUDGET}; {settings['evaluation']}."
    )


def table(name: str, title: str, source: str, rows: dict[str, dict[str, Any]]) -> Table:
    """A table whose rows are VAEs under this training."""
    return Table(
        name,
        title,
        source,
        rows,
        MEASURES,
        paper={},
        settings=partial(settings, rows),
        measure=one_by_one(partial(measure, rows)),
        remark=remark,
        full=Scale("digits"),
    )
