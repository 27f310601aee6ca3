"""Two stages: a decoder by any objective, then its encoder alone by the ELBO; each model before two judges.

The models are those of ``one_budget`` and ``better_gradients``, from the same seeds. The second stage does not touch
the decoder: log p(x) stays what it is, and what changes is how near q comes to the posterior. Annealed importance
sampling asks no encoder at all.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from vaecourse import evaluate
from vaecourse.reproduce import budget_vaes
from vaecourse.reproduce.images import images_of
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one
from vaecourse.reproduce.tables import better_gradients

ROWS = budget_vaes.ROWS | better_gradients.ROWS
ENCODER: dict[str, Any] = {"objective": "elbo", "M": 8, "K": 1}
PASSES, RATE = 60, 1e-3
TEMPERATURES, CHAINS = 100, 8


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Both stages of a row with one seed: the test means in nats after each, and what each cost."""
    images, device = images_of(scale), machinery.device
    clocks = [time.process_time()]
    first = budget_vaes.trained(ROWS[row], seed, scale, device)
    clocks.append(time.process_time())
    how: dict[str, Any] = {"learning_rate": RATE, "schedule": partial(CosineAnnealingLR, T_max=PASSES)}
    second = budget_vaes.with_encoder_trained_on(first, ENCODER, PASSES, 1000 + seed, scale, device, **how)
    clocks.append(time.process_time())
    before, after = (budget_vaes.judged(model, images, scale) for model in (first, second))
    x, noise = images.binary_test(), torch.Generator().manual_seed(0)
    annealed = evaluate.ais(second, x, TEMPERATURES, CHAINS, generator=noise)
    return {
        "row": row,
        "seed": seed,
        **before,
        **{f"{name}_after": value for name, value in after.items()},
        "ais": round(float(annealed.log_p.mean()), 4),
        "ais_error": round(float(annealed.error.square().mean().sqrt() / len(x) ** 0.5), 4),
        "first_seconds": round(clocks[1] - clocks[0], 1),
        "second_seconds": round(clocks[2] - clocks[1], 1),
        "images": [round(value, 2) for value in annealed.log_p.tolist()],
    }


def settings(scale: Scale) -> dict[str, Any]:
    """What all runs have in common."""
    return budget_vaes.settings(ROWS, scale) | {
        "encoder": ENCODER | {"passes": PASSES, "learning_rate": f"{RATE:g}, to 0 along a cosine"},
        "ais": f"annealed importance sampling, {TEMPERATURES} temperatures, {CHAINS} chains, no encoder",
        "ais_error": "its standard error by the chains",
        "images": "log p(x) of every test image by annealed importance sampling",
        "seconds": "of the processor, of either stage",
    }


def remark(settings: dict[str, Any]) -> str:
    """What was done in both stages."""
    encoder = settings["encoder"]
    return (
        f"{budget_vaes.remark(settings)[:-1]}. Then the encoder alone: {encoder['passes']} passes of the ELBO with "
        f"{encoder['M']} samples, which the columns *after* show; AIS asks no encoder."
    )


TABLE = Table(
    "two_stage",
    "Two stages: the decoder, then its encoder alone",
    "the course, chapter 08",
    ROWS,
    {
        "elbo": "ELBO",
        "elbo_after": "ELBO after",
        "iwae_64_after": "L_64 after",
        "log_p": "log p^",
        "log_p_after": "log p^ after",
        "ais": "AIS",
    },
    paper={},
    settings=settings,
    measure=one_by_one(measure),
    remark=remark,
    full=Scale("digits"),
    digits=3,
    most_seeds=100,  # for each run holds its images
)
