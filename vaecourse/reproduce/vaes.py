"""The two tables of VAEs under the schedule of arXiv 1509.00519: IWAE's own, and Rainforth et al.'s at one budget."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaecourse import data, evaluate, objectives, train
from vaecourse.data import Images
from vaecourse.models import VAE
from vaecourse.reproduce import schedule
from vaecourse.reproduce.climb import Machinery, climb
from vaecourse.reproduce.stack import Stack
from vaecourse.reproduce.table import Quoted, Run, Scale, Table

BATCH_SIZE = 20
BUDGET = 64

IWAE_ROWS: dict[str, dict[str, Any]] = {
    "k = 1": {"objective": "iwae", "M": 1, "K": 1},  # VAE and IWAE are the same
    "VAE, k = 5": {"objective": "elbo", "M": 1, "K": 5},
    "IWAE, k = 5": {"objective": "iwae", "M": 1, "K": 5},
    "VAE, k = 50": {"objective": "elbo", "M": 1, "K": 50},
    "IWAE, k = 50": {"objective": "iwae", "M": 1, "K": 50},
}
TIGHTER_ROWS: dict[str, dict[str, Any]] = {
    "IWAE": {"objective": "iwae", "M": 1, "K": 64},
    "PIWAE(4, 16)": {"objective": "piwae", "M": 4, "K": 16},
    "PIWAE(8, 8)": {"objective": "piwae", "M": 8, "K": 8},
    "MIWAE(4, 16)": {"objective": "miwae", "M": 4, "K": 16},
    "MIWAE(8, 8)": {"objective": "miwae", "M": 8, "K": 8},
    "CIWAE .05": {"objective": "ciwae", "beta": 0.05, "M": 1, "K": 64},
    "CIWAE .5": {"objective": "ciwae", "beta": 0.5, "M": 1, "K": 64},
    "VAE": {"objective": "elbo", "M": 64, "K": 1},
}


def row_of(setting: dict[str, Any]) -> tuple[objectives.Objective, int, int]:
    """The objective, M and K that a row's setting describes."""
    parameters = {key: value for key, value in setting.items() if key not in ("objective", "M", "K")}
    return objectives.get(setting["objective"], **parameters), setting["M"], setting["K"]


def images_of(scale: Scale) -> Images:
    """The images of this scale, the first ``limit`` of both parts, and of the test part the first ``test``."""
    images = data.load(scale.data)
    images = images._replace(train=images.train[: scale.limit], test=images.test[: scale.limit])
    return images._replace(test=images.test[: scale.test])


def settings(rows: dict[str, dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """What all runs of a table have in common."""
    images = images_of(scale)
    size = train.SETTINGS.get(images.name, train.MNIST)
    rates = schedule.rates(scale.stages, scale.epochs)
    return {
        "data": images.name,
        "train_images": len(images.train),
        "test_images": len(images.test),
        "binarisation": "dynamic; test: one draw, Images.binary_test()",
        "model": {"latent_dim": size.latent_dim, "hidden": list(size.hidden), "first weights": "Glorot, pixel means"},
        "schedule": {"passes": len(rates), "of": schedule.PASSES, "last_rate": rates[-1], "batch_size": BATCH_SIZE},
        "optimizer": "Adam(0.9, 0.999, eps=1e-4)",
        "evaluation": {"log_p": f"L_K, K = {scale.samples}, mean over the test images", "samples": scale.samples},
        "rows": rows,
    }


def measure(
    rows: dict[str, dict[str, Any]],
    measures: dict[str, str],
    row: str,
    seeds: Sequence[int],
    scale: Scale,
    machinery: Machinery,
    checkpoint: Path,
    progress: bool,
) -> list[Run]:
    """Train a row with several seeds side by side, then say what each model is worth."""
    images = images_of(scale)
    stack = Stack([train.untrained(images, seed) for seed in seeds])
    objective, M, K = row_of(rows[row])
    passes = climb(
        stack,
        images.train,
        objective,
        M,
        K,
        schedule.rates(scale.stages, scale.epochs),
        seeds,
        batch_size=BATCH_SIZE,
        machinery=machinery,
        checkpoint=checkpoint,
        settings={"row": row},
        progress=progress,
    )
    cost = {
        "side_by_side": len(seeds),
        "wall_seconds": round(sum(one.wall_seconds for one in passes), 3),
        "processor_seconds": round(sum(one.processor_seconds for one in passes), 3),
        "device": str(machinery),
    }
    worth = (_worth(model, images, scale, machinery, measures) for model in stack.models())
    return [
        {"row": row, "seed": seed, **found, "train": round(last, 4), **cost}
        for seed, found, last in zip(seeds, worth, passes[-1].bounds, strict=True)
    ]


def _worth(model: VAE, images: Images, scale: Scale, machinery: Machinery, measures: dict[str, str]) -> Run:
    """The means over the test images of what the table measures, and the standard deviations over the images."""
    crew, device = machinery.crew, machinery.device
    x = images.binary_test()
    ours = x.tensor_split(crew.size)[crew.rank]
    chunk = {"chunk": 1000, "batch_size": 200} if device.type == "cuda" else {"chunk": 50, "batch_size": 20}
    noise = lambda: torch.Generator(device).manual_seed(crew.rank)
    found: Run = {}
    values = {"log_p": evaluate.log_likelihood(model.to(device), ours, scale.samples, noise(), **chunk)}
    if "iwae_64" in measures:
        values["iwae_64"] = evaluate.bound(model, ours, "iwae", 1, BUDGET, noise())
        values["minus_kl"] = values["iwae_64"] - values["log_p"]
    for name, value in values.items():
        if name in measures or name == "log_p":
            found |= _mean_and_spread(name, value, len(x), crew)
    if "nll" in measures:
        found = {"nll": -found["log_p"], "nll_spread": found["log_p_spread"]}
    if "active_units" in measures:
        found["active_units"] = evaluate.active_units(model, x.to(device))
    return found


def _mean_and_spread(name: str, ours: Tensor, n: int, crew: Any) -> Run:
    """The mean over all n test images, of which these are our share, and their standard deviation."""
    sums = crew.sum(torch.stack([ours.double().sum(), ours.double().square().sum()]))
    mean = float(sums[0]) / n
    variance = max(0.0, float(sums[1]) / n - mean**2) * n / max(1, n - 1)
    return {name: round(mean, 4), f"{name}_spread": round(variance**0.5, 4)}


def remark(said: dict[str, Any]) -> str:
    """How far the run of these settings is from the full experiment."""
    passes, of = said["schedule"]["passes"], said["schedule"]["of"]
    whole = "The full schedule" if passes == of else f"**A shortened schedule**, {passes} passes of {of}"
    return (
        f"{whole}; {said['data']}, {said['train_images']} images to train and {said['test_images']} to test on; "
        f"log p^ with K = {said['evaluation']['samples']}."
    )


def comparable(said: dict[str, Any]) -> bool:
    """Whether this is the papers' experiment: all of MNIST's training images, the full schedule, K = 5000."""
    full = said["schedule"]["passes"] == said["schedule"]["of"] and said["train_images"] == 60000
    return said["data"] == "mnist" and full and said["evaluation"]["samples"] == 5000


def side_by_side(rows: dict[str, dict[str, Any]], row: str, scale: Scale, machinery: Machinery) -> bool:
    """Whether the seeds of a row are faster together, as benchmarks/seeds.py measured it on a CPU; on a GPU, a guess.

    Up to 5000 numbers in the images that a data point's samples are decoded to, a step is mostly overhead, which S
    seeds share (1.3 to 8 times as fast). Beyond, the likelihood fused for CPUs, which vmap cannot use, is worth more.
    """
    _, M, K = row_of(rows[row])
    return machinery.device.type == "cuda" or M * K * images_of(scale).train.shape[1] <= 5000


def table(
    name: str,
    title: str,
    source: str,
    rows: dict[str, dict[str, Any]],
    measures: dict[str, str],
    paper: dict[str, dict[str, Quoted]],
) -> Table:
    """A table whose rows are VAEs under the schedule."""
    return Table(
        name,
        title,
        source,
        rows,
        measures,
        paper,
        settings=partial(settings, rows),
        measure=partial(measure, rows, measures),
        remark=remark,
        comparable=comparable,
        shared=True,
        side_by_side=partial(side_by_side, rows),
    )


def _quoted(rows: Sequence[str], numbers: Sequence[tuple[float, float | None, bool] | float]) -> dict[str, Quoted]:
    said = (Quoted(*number) if isinstance(number, tuple) else Quoted(number) for number in numbers)
    return dict(zip(rows, said, strict=True))


IWAE = table(
    "iwae",
    "IWAE, table 1: one stochastic layer",
    "Burda, Grosse and Salakhutdinov, arXiv 1509.00519",
    IWAE_ROWS,
    {"nll": "NLL", "active_units": "active units"},
    {
        "nll": _quoted([*IWAE_ROWS], [86.76, 86.47, 85.54, 86.35, 84.78]),
        "active_units": _quoted([*IWAE_ROWS], [19, 20, 22, 20, 25]),
    },
)
TIGHTER = table(
    "tighter",
    "Tighter is not better, table 1: one budget, MK = 64",
    "Rainforth et al., arXiv 1802.04537",
    TIGHTER_ROWS,
    {"iwae_64": "IWAE-64", "log_p": "log p^", "minus_kl": "-KL"},
    {
        "iwae_64": _quoted(
            [*TIGHTER_ROWS],
            [
                (-86.11, 0.10, True),
                (-85.68, 0.06, False),
                (-85.74, 0.07, True),
                (-85.60, 0.07, False),
                (-85.69, 0.04, True),
                (-85.91, 0.11, False),
                (-86.08, 0.08, True),
                (-86.69, 0.08, True),
            ],
        ),
        "log_p": _quoted(
            [*TIGHTER_ROWS],
            [
                (-84.52, 0.02, True),
                (-84.40, 0.17, False),
                (-84.46, 0.06, True),
                (-84.56, None, True),
                (-84.97, 0.10, True),
                (-84.57, 0.09, True),
                (-85.24, 0.08, True),
                (-86.21, 0.19, True),
            ],
        ),
        "minus_kl": _quoted(
            [*TIGHTER_ROWS],
            [
                (-1.59, 0.10, True),
                (-1.27, 0.18, False),
                (-1.28, 0.09, True),
                (-1.04, 0.08, False),
                (-0.72, 0.11, True),
                (-1.34, 0.14, False),
                (-0.84, 0.11, True),
                (-0.47, 0.20, True),
            ],
        ),
    },
)
