"""The rows of the map of chapter 06, judged by their own encoder and by three judges that are not.

A seed makes the first weights, the training, the fresh encoder and the discriminator. Images, pixels and noise of the
evaluation are the same in every run.
"""

from __future__ import annotations

from typing import Any

import torch

from vaecourse import evaluate
from vaecourse.reproduce import budget_vaes
from vaecourse.reproduce.images import images_of
from vaecourse.reproduce.infovae_vaes import ROWS, trained
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one
from vaecourse.reproduce.tables import infovae_map

PASSES, TEMPERATURES, CHAINS = 60, 100, 8


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train one row with one seed, and let four judge it; in nats."""
    images = images_of(scale)
    model, wall, processor = trained(ROWS[row], images, seed, budget_vaes.schedule(scale), machinery)
    x, noise = images.binary_test(), lambda: torch.Generator().manual_seed(0)
    judged = evaluate.refit(model, images.train, epochs=min(PASSES, scale.epochs or PASSES), seed=seed)
    own, refit = (evaluate.log_likelihood(of, x, scale.samples, noise()) for of in (model, judged.model))
    annealed = evaluate.ais(model, x, TEMPERATURES, CHAINS, generator=noise())
    gap = evaluate.aggregate_gap(model, infovae_map.binary_train(images), seed=seed)
    found = {
        "own": own.mean(),
        "refit": refit.mean(),
        "refit_rising": judged.rising,
        "gain_over_images": (refit - own).std() / len(x) ** 0.5,
        "ais": annealed.log_p.mean(),
        "ais_error": annealed.error.square().mean().sqrt() / len(x) ** 0.5,
        **gap._asdict(),
    }
    return {
        "row": row,
        "seed": seed,
        **{name: round(float(value), 4) for name, value in found.items()},
        **machinery.cost(wall, processor),
    }


def settings(scale: Scale) -> dict[str, Any]:
    """What every run has in common."""
    common = infovae_map.settings(scale)
    return common | {
        "evaluation": {
            "own": f"test mean of L_{scale.samples} with the encoder that was trained along",
            "refit": f"the same with a fresh encoder on the frozen decoder: the ELBO, {PASSES} passes, Adam, .003 "
            "falling to 0",
            "refit_rising": "what its ELBO on training images rose from one tenth of the passes to the last",
            "gain_over_images": "standard error of refit - own over the test images",
            "ais": f"annealed importance sampling, {TEMPERATURES} temperatures, {CHAINS} chains, no encoder",
            "ais_error": "its standard error by the chains",
            "js, kl": "lower bounds of what parts q(z) from p(z), by a fresh discriminator, on held-out codes",
            "rate_less_log_b": "mean rate of the training images less the log of their number",
        }
    }


TABLE = Table(
    "infovae_judges",
    "InfoVAE's rows before four judges",
    "the course, chapter 06",
    ROWS,
    {
        "own": "own encoder",
        "refit": "refit encoder",
        "ais": "AIS",
        "js": "JS(q(z), p) >=",
        "kl": "KL(q(z), p) >=",
        "rate_less_log_b": "rate - log N",
    },
    paper={},
    settings=settings,
    measure=one_by_one(measure),
    remark=lambda settings: (
        f"{settings['scale']['data']}, trained as the map is; log p(x) in nats by each judge. What each column is "
        "stands in the record."
    ),
    full=Scale("digits"),
    most_seeds=500,
)
