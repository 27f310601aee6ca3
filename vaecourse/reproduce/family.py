"""The comparison of the InfoVAE paper: what alpha and lambda do to information, to the aggregate, to log p(x)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vaecourse import data, divergences, evaluate, infovae, train
from vaecourse.models import VAE, rate
from vaecourse.reproduce.climb import Machinery
from vaecourse.reproduce.table import Run, Scale, Table
from vaecourse.reproduce.vaes import images_of

ROWS: dict[str, dict[str, Any]] = {
    "VAE": {"divergence": "mmd-imq", "alpha": 0.0, "lambda": 1.0},
    "InfoVAE 0, 1000": {"divergence": "mmd-imq", "alpha": 0.0, "lambda": 1000.0},  # the paper's choice for MNIST
    "MMD-VAE 1, 1000": {"divergence": "mmd-imq", "alpha": 1.0, "lambda": 1000.0},
    "AAE": {"divergence": "js-adversarial", "alpha": 1.0, "lambda": 10.0},
}
BATCH_SIZE, RATE = 100, 1e-3
CODES = 1000  # that the aggregate is judged by


def epochs_of(scale: Scale) -> int:
    """The course's number for these images, if the scale has none."""
    return scale.epochs or train.SETTINGS.get(scale.data, train.MNIST).epochs


def settings(scale: Scale) -> dict[str, Any]:
    """What all runs have in common."""
    images = images_of(scale)
    size = train.SETTINGS.get(images.name, train.MNIST)
    return {
        "data": images.name,
        "train_images": len(images.train),
        "test_images": len(images.test),
        "model": {"latent_dim": size.latent_dim, "hidden": list(size.hidden)},
        "schedule": {"epochs": epochs_of(scale), "batch_size": BATCH_SIZE, "learning_rate": RATE, "optimizer": "Adam"},
        "evaluation": {
            "log_p": f"test mean of L_K, K = {scale.samples}",
            "information": f"of the index of {CODES} training images, so at most its log; see evaluate",
            "aggregate": "KL(q(z), p(z)) of the same images: their mean rate minus the information",
            "mmd2": f"{MMD} U-statistics, IMQ of scale 2 L, codes of these images against the prior, mean of 10",
        },
        "rows": ROWS,
    }


MMD = 1000


def run(
    row: str, seeds: Sequence[int], scale: Scale, machinery: Machinery, checkpoint: Path, progress: bool
) -> Iterator[Run]:
    """Train a point of the family with each seed, and measure it: a run as soon as it is done."""
    setting, images = ROWS[row], images_of(scale)
    for seed in seeds:
        adversarial = "adversarial" in setting["divergence"]
        own = {"seed": seed} if adversarial else {}
        objective = infovae.InfoVAE(setting["divergence"], setting["alpha"], setting["lambda"], **own)
        start = time.perf_counter()
        model = train.untrained(images, seed)
        file = checkpoint.with_name(f"{checkpoint.stem.split('-')[0]}-{seed}.safetensors")
        history = infovae.fit(
            model,
            images,
            objective,
            epochs_of(scale),
            batch_size=BATCH_SIZE,
            learning_rate=RATE,
            seed=seed,
            device=machinery.device,
            progress=progress,
            checkpoint=None if adversarial else file,  # a checkpoint does not hold the discriminator
        )
        if history.interrupted:
            raise KeyboardInterrupt
        seconds = sum(history.seconds) if history.epochs else time.perf_counter() - start
        cost = {"wall_seconds": round(seconds, 1), "device": str(machinery)}
        yield {"row": row, "seed": seed, **worth(model.to(machinery.device), images, scale), **cost}


@torch.no_grad()
def worth(model: VAE, images: data.Images, scale: Scale) -> Run:
    """What a trained point of the family is measured by, on the device where it is."""
    device = next(model.parameters()).device
    noise = torch.Generator(device).manual_seed(0)
    log_p = evaluate.log_likelihood(model, images.binary_test(), scale.samples, noise)
    x = data.binarise(images.train[:CODES], torch.Generator().manual_seed(0)).to(device)
    mean, log_std = model.encode(x)
    information = evaluate.mutual_information(model, x, generator=noise)
    kernel = partial(divergences.imq, scale=2.0 * model.latent_dim)
    normal = lambda: torch.randn(mean.shape, generator=noise, device=device)
    mmd2 = torch.stack([divergences.mmd2(mean + log_std.exp() * normal(), normal(), kernel) for _ in range(10)])
    return {
        "log_p": round(float(log_p.mean()), 4),
        "information": round(information, 4),
        "aggregate": round(float(rate(mean, log_std).mean()) - information, 4),
        "mmd2": round(MMD * float(mmd2.mean()), 4),
        "active_units": evaluate.active_units(model, x),
    }


INFOVAE = Table(
    "infovae",
    "InfoVAE: information and the aggregate against log p(x)",
    "Zhao, Song and Ermon, arXiv 1706.02262; no number of theirs was at hand to print beside ours",
    ROWS,
    {
        "log_p": "log p^",
        "information": "information",
        "aggregate": "KL(q(z), p)",
        "mmd2": f"{MMD} MMD²",
        "active_units": "active units",
    },
    {},
    settings,
    run,
    remark=lambda said: (
        f"{said['data']}, {said['schedule']['epochs']} epochs; information of {CODES} training images, at most "
        f"{torch.tensor(float(CODES)).log():.2f} nats. The divergence and lambda of each row are in the record."
    ),
    comparable=lambda said: False,
)
