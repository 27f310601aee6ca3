"""VAEs under the schedule of arXiv 1509.00519, as the tables of two papers have them, several seeds side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaecourse import evaluate, objectives, train
from vaecourse.data import Images
from vaecourse.models import VAE
from vaecourse.reproduce import schedule
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.images import images_of, size_of
from vaecourse.reproduce.machinery import Machinery, products_in
from vaecourse.reproduce.processes import Processes
from vaecourse.reproduce.table import Quoted, Run, Scale, Table
from vaecourse.reproduce.training import train_ensemble


def row_of(setting: dict[str, Any]) -> tuple[objectives.Objective, int, int]:
    """The objective, M and K that a row's setting describes."""
    parameters = {key: value for key, value in setting.items() if key not in ("objective", "M", "K")}
    return objectives.get(setting["objective"], **parameters), setting["M"], setting["K"]


def settings(rows: dict[str, dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """What all runs of a table have in common."""
    images = images_of(scale)
    size = size_of(scale)
    plan = schedule.get(scale.schedule, scale.stages, scale.epochs)
    return {
        "data": images.name,
        "train_images": len(images.train),
        "test_images": len(images.test),
        "binarisation": "dynamic; test: one draw, Images.binary_test()",
        "model": {"latent_dim": size.latent_dim, "hidden": list(size.hidden), "first weights": "Glorot, pixel means"},
        "schedule": plan.settings(),
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
    """Train a row with several seeds side by side, then evaluate each model."""
    images = images_of(scale)
    ensemble = Ensemble([train.untrained(images, seed) for seed in seeds])
    objective, M, K = row_of(rows[row])
    plan = schedule.get(scale.schedule, scale.stages, scale.epochs)
    passes = train_ensemble(
        ensemble,
        images.train,
        objective,
        M,
        K,
        plan.rates,
        seeds,
        batch_size=plan.batch_size,
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
    with products_in("float32"):  # what is trained in less is not judged in less
        evaluated = [_evaluated(model, images, scale, machinery, measures) for model in ensemble.models()]
    return [
        {"row": row, "seed": seed, **found, "train": round(last, 4), **cost}
        for seed, found, last in zip(seeds, evaluated, passes[-1].bounds, strict=True)
    ]


def _evaluated(model: VAE, images: Images, scale: Scale, machinery: Machinery, measures: dict[str, str]) -> Run:
    """The means over the test images of what the table measures, and the standard deviations over the images."""
    processes, device = machinery.processes, machinery.device
    x = images.binary_test()
    share = x.tensor_split(processes.size)[processes.rank]
    chunk = {"chunk": 1000, "batch_size": 200} if device.type == "cuda" else {"chunk": 50, "batch_size": 20}
    noise = lambda: torch.Generator(device).manual_seed(processes.rank)
    found: Run = {}
    values = {"log_p": evaluate.log_likelihood(model.to(device), share, scale.samples, noise(), **chunk)}
    if "iwae_64" in measures:
        values["iwae_64"] = evaluate.bound(model, share, "iwae", 1, 64, noise())
        values["minus_kl"] = values["iwae_64"] - values["log_p"]
    for name, value in values.items():
        if name in measures or name == "log_p":
            found |= _mean_and_spread(name, value, len(x), processes)
    if "nll" in measures:
        found = {"nll": -found["log_p"], "nll_spread": found["log_p_spread"]}
    if "active_units" in measures:
        found["active_units"] = evaluate.active_units(model, x.to(device))
    return found


def _mean_and_spread(name: str, share: Tensor, n: int, processes: Processes) -> Run:
    """The mean over all n test images, of which these are our share, and their standard deviation."""
    sums = processes.sum(torch.stack([share.double().sum(), share.double().square().sum()]))
    mean = float(sums[0]) / n
    variance = max(0.0, float(sums[1]) / n - mean**2) * n / max(1, n - 1)
    return {name: round(mean, 4), f"{name}_spread": round(variance**0.5, 4)}


def remark(settings: dict[str, Any]) -> str:
    """How far the run of these settings is from the full experiment."""
    return (
        f"{schedule.words(settings['schedule'])}; {settings['data']}, {settings['train_images']} images to train and "
        f"{settings['test_images']} to test on; log p^ with K = {settings['evaluation']['samples']}."
    )


def comparable(settings: dict[str, Any]) -> bool:
    """Whether this is the papers' experiment: all of MNIST's training images, the full schedule, K = 5000."""
    passes = settings["schedule"]["passes"]
    full = passes == settings["schedule"]["of"] and "name" not in settings["schedule"]
    whole = full and settings["data"] == "mnist" and settings["train_images"] == 60000
    return whole and settings["evaluation"]["samples"] == 5000


def side_by_side(rows: dict[str, dict[str, Any]], row: str, scale: Scale, machinery: Machinery) -> bool:
    """Whether the seeds of a row are faster together, as benchmarks/seeds.py measured it on a CPU.

    Up to 5000 numbers in the images that a data point's samples are decoded to, a step is mostly overhead, which S
    seeds share (1.3 to 8 times as fast). Beyond, the likelihood fused for CPUs, which vmap cannot use, is worth more.
    On a GPU three seeds took 1.3 (K = 1) to 2 times (K = 50) as long as one: benchmarks/README.md.
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


def quoted(rows: Sequence[str], numbers: Sequence[tuple[float, float | None, bool] | float]) -> dict[str, Quoted]:
    """The paper's number of each row, with its ± and whether it was checked where they are given."""
    given = (Quoted(*number) if isinstance(number, tuple) else Quoted(number) for number in numbers)
    return dict(zip(rows, given, strict=True))
