"""The comparison of the InfoVAE paper: what alpha and lambda do to information, to the aggregate, to log p(x)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vaecourse import data, divergences, evaluate
from vaecourse.models import VAE, rate
from vaecourse.reproduce import infovae_vaes
from vaecourse.reproduce.images import images_of, size_of
from vaecourse.reproduce.infovae_vaes import is_adversarial, trained
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table

ROWS: dict[str, dict[str, Any]] = {
    "VAE": infovae_vaes.ROWS["VAE"],
    "InfoVAE 0, 1000": {"divergence": "mmd-imq", "alpha": 0.0, "lambda": 1000.0},  # the paper's choice for MNIST
    "MMD-VAE 1, 1000": infovae_vaes.ROWS["MMD-VAE, IMQ"],
    "AAE": infovae_vaes.ROWS["AAE (JS adversarial)"],
}
CODES = 1000  # that the aggregate is judged by
MMD = 1000


def schedule(scale: Scale) -> dict[str, Any]:
    """The training, with the course's number of epochs for these images if the scale has none."""
    return {"epochs": scale.epochs or size_of(scale).epochs, "batch_size": 100, "learning_rate": 1e-3}


def settings(scale: Scale) -> dict[str, Any]:
    """What all runs have in common."""
    images, size = images_of(scale), size_of(scale)
    return {
        "data": images.name,
        "train_images": len(images.train),
        "test_images": len(images.test),
        "model": {"latent_dim": size.latent_dim, "hidden": list(size.hidden)},
        "schedule": schedule(scale) | {"optimizer": "Adam"},
        "evaluation": {
            "log_p": f"test mean of L_K, K = {scale.samples}",
            "information": f"of the index of {CODES} training images, so at most its log; see evaluate",
            "aggregate": "KL(q(z), p(z)) of the same images: their mean rate minus the information",
            "mmd2": f"{MMD} U-statistics, IMQ of scale 2 L, codes of these images against the prior, mean of 10",
        },
        "rows": ROWS,
    }


def measure(
    row: str, seeds: Sequence[int], scale: Scale, machinery: Machinery, checkpoint: Path, progress: bool
) -> Iterator[Run]:
    """Train a row with each seed, and evaluate it: a run as soon as it is done."""
    images = images_of(scale)
    for seed in seeds:
        file = checkpoint.with_name(f"{checkpoint.stem.split('-')[0]}-{seed}.safetensors")
        own = None if is_adversarial(ROWS[row]) else file
        model, seconds, _ = trained(ROWS[row], images, seed, schedule(scale), machinery, own, progress)
        cost = {"wall_seconds": round(seconds, 1), "device": str(machinery)}
        yield {"row": row, "seed": seed, **evaluated(model.to(machinery.device), images, scale), **cost}


@torch.no_grad()
def evaluated(model: VAE, images: data.Images, scale: Scale) -> Run:
    """What a trained VAE is measured by, on the device where it is."""
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


TABLE = Table(
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
    measure,
    remark=lambda settings: (
        f"{settings['data']}, {settings['schedule']['epochs']} epochs; information of {CODES} training images, at most "
        f"{torch.tensor(float(CODES)).log():.2f} nats. The divergence and lambda of each row are in the record."
    ),
)
