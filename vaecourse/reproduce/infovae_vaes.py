"""VAEs that are trained by InfoVAE's objective: the rows of two tables, and the training of one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from vaecourse import infovae, train
from vaecourse.data import Images
from vaecourse.models import VAE
from vaecourse.reproduce.images import whole
from vaecourse.reproduce.machinery import Machinery

ROWS: dict[str, dict[str, Any]] = {  # lambda was set once for each divergence, by a look at a few runs with seed 0
    "VAE": {"divergence": "mmd-imq", "alpha": 0.0, "lambda": 1.0},
    "beta-VAE .5": {"divergence": "mmd-imq", "alpha": 0.5, "lambda": 0.5},
    "beta-VAE 2": {"divergence": "mmd-imq", "alpha": -1.0, "lambda": 2.0},
    "InfoVAE 0, MMD-IMQ": {"divergence": "mmd-imq", "alpha": 0.0, "lambda": 100.0},
    "InfoVAE .5, MMD-IMQ": {"divergence": "mmd-imq", "alpha": 0.5, "lambda": 300.0},
    "InfoVAE .5, KL minibatch": {"divergence": "kl-minibatch", "alpha": 0.5, "lambda": 1.0},
    "MMD-VAE, IMQ": {"divergence": "mmd-imq", "alpha": 1.0, "lambda": 1000.0},
    "MMD-VAE, RBF": {"divergence": "mmd-rbf", "alpha": 1.0, "lambda": 1000.0},
    "KL minibatch": {"divergence": "kl-minibatch", "alpha": 1.0, "lambda": 1.0},
    "KL adversarial": {"divergence": "kl-adversarial", "alpha": 1.0, "lambda": 5.0},
    "AAE (JS adversarial)": {"divergence": "js-adversarial", "alpha": 1.0, "lambda": 10.0},
    "Stein": {"divergence": "stein", "alpha": 1.0, "lambda": 100.0},
}


def is_adversarial(row: dict[str, Any]) -> bool:
    """Whether a discriminator, which a checkpoint does not hold, is trained beside the VAE."""
    return "adversarial" in row["divergence"]


def trained(
    row: dict[str, Any],
    images: Images,
    seed: int,
    schedule: dict[str, Any],
    machinery: Machinery,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> tuple[VAE, float, float]:
    """A VAE trained by this row from this seed, the wall seconds of its epochs, and the processor's of this call."""
    own = {"seed": seed} if is_adversarial(row) else {}
    objective = infovae.InfoVAE(row["divergence"], row["alpha"], row["lambda"], **own)
    processor = time.process_time()
    model = train.untrained(images, seed)
    how: dict[str, Any] = {"seed": seed, "device": machinery.device, "checkpoint": checkpoint, "progress": progress}
    history = whole(infovae.fit(model, images, objective, **schedule, **how))
    return model, sum(history.seconds), time.process_time() - processor
