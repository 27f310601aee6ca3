"""Decoders that stay as they are, and encoders trained anew: how much of chapter 04's riddle is another goal.

The two decoders are those of ``one_budget``'s rows VAE and IWAE, from the same seeds. For each of them the encoder goes
on from where it was, for eight more passes at the course's rate and with the same 64 samples a step, by another
objective in each row. Two rows of IWAE's decoder have 48 passes: what a slow objective has not reached by then is
hardly its noise. All rows of a decoder have the same log p(x), so their L_64 are compared, seed by seed.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import torch

from vaecourse.models import VAE
from vaecourse.reproduce import budget_vaes
from vaecourse.reproduce.images import images_of, size_of
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

DECODERS = ("VAE", "IWAE")  # rows of one_budget
ENCODERS: dict[str, dict[str, Any]] = {
    "elbo": {"objective": "elbo", "M": 64, "K": 1},
    "iwae": {"objective": "iwae", "M": 1, "K": 64},
    "dreg": {"objective": "dreg", "M": 1, "K": 64},
    "miwae(8, 8)": {"objective": "miwae", "M": 8, "K": 8},
}
PASSES, MORE_PASSES, RATE = 8, 48, 1e-3
ROWS: dict[str, dict[str, Any]] = {
    f"{decoder}: {name}": {"decoder": decoder, "passes": passes, **encoder}
    for decoder in DECODERS
    for name, passes, encoder in (
        ("as it was", 0, {}),
        *((name, PASSES, encoder) for name, encoder in ENCODERS.items()),
        *((f"{name}, {MORE_PASSES} passes", MORE_PASSES, ENCODERS[name]) for name in ("elbo", "dreg")),
    )
    if decoder == "IWAE" or passes < MORE_PASSES
}


def settings(scale: Scale) -> dict[str, Any]:
    """What all runs have in common."""
    return {
        "data": f"{scale.data}, binarised afresh at every step; test: Images.binary_test()",
        "model": size_of(scale)._asdict() | {"epochs": budget_vaes.schedule(scale)["epochs"]},
        "schedule": budget_vaes.schedule(scale),
        "encoder": {"learning_rate": RATE, "batch_size": budget_vaes.BATCH_SIZE},
        "rows": ROWS,
        "evaluation": budget_vaes.evaluation(scale),
    }


@functools.lru_cache(maxsize=1)  # the rows of a decoder come one after another
def trained(decoder: str, seed: int, scale: Scale, device: torch.device) -> VAE:
    """The model of this row of ``one_budget``, from this seed."""
    return budget_vaes.trained(budget_vaes.ROWS[decoder], seed, scale, device)


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train one encoder for one decoder that stays; the mean test bounds in nats, the active units, what it cost."""
    setting, device = dict(ROWS[row]), machinery.device
    decoder, passes = setting.pop("decoder"), setting.pop("passes")
    model = trained(decoder, seed, scale, device)
    wall, processor = time.perf_counter(), time.process_time()
    if passes:
        on = budget_vaes.with_encoder_trained_on
        model = on(model, setting, passes, 1000 + seed, scale, device, learning_rate=RATE)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {
        "row": row,
        "seed": seed,
        **budget_vaes.judged(model, images_of(scale), scale),
        **machinery.cost(wall, processor),
    }


def remark(settings: dict[str, Any]) -> str:
    """What stays and what is trained."""
    return (
        f"{settings['scale']['data']}; the decoder is that of a row of one_budget and stays, the encoder is trained on "
        f"at a rate of {settings['encoder']['learning_rate']:g}, M K = {budget_vaes.BUDGET}; {settings['evaluation']}."
    )


TABLE = Table(
    "one_decoder",
    "One decoder, several encoders",
    "the course, chapter 04",
    ROWS,
    budget_vaes.MEASURES,
    paper={},
    settings=settings,
    measure=one_by_one(measure),
    remark=remark,
    full=Scale("digits"),
    digits=3,
)
