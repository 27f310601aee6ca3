"""A hierarchical encoder against a Gaussian one, and the VampPrior against N(0, I), on the digits.

Every row takes the same steps: the same batches, one z for a data point, Adam, a schedule in four stages, each begun
with a fresh Adam. In the stages of SIVI and IWHVI the inner psi grow, 2, 5, 10, 25; HVM stays at 0. Rows differ in
the encoder or the prior and in nothing else; "Gaussian, wide" has about as many parameters as IWHVI.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch

from vaecourse import data, descent, evaluate, priors, train
from vaecourse.hierarchical import vae
from vaecourse.models import VAE, mlp
from vaecourse.reproduce.images import images_of, size_of, whole
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

EPOCHS, RATES, INNER = [10, 20, 30, 30], [3e-3, 3e-3, 1e-3, 5e-4], [2, 5, 10, 25]  # of the four stages
BATCH_SIZE = 100
LAST_INNER = 25  # psi in the evaluation
ROWS: dict[str, dict[str, Any]] = {  # encoder, tau, whether the inner psi grow, prior
    "Gaussian": {"encoder": "gaussian", "prior": "standard normal"},
    "Gaussian, wide": {"encoder": "gaussian", "hidden": [90, 90], "prior": "standard normal"},
    "HVM": {"encoder": "hierarchical", "tau": "learned", "grows": False, "prior": "standard normal"},
    "SIVI": {"encoder": "hierarchical", "tau": "prior", "grows": True, "prior": "standard normal"},
    "IWHVI": {"encoder": "hierarchical", "tau": "learned", "grows": True, "prior": "standard normal"},
    "Gaussian, VampPrior": {"encoder": "gaussian", "prior": "VampPrior", "pseudo_inputs": 50},
}


def epochs_of(scale: Scale) -> list[int]:
    """The epochs of each stage, of which the last may have fewer, and those after it none."""
    left, found = scale.epochs or sum(EPOCHS), []
    for epochs in EPOCHS:
        found.append(min(epochs, left))
        left -= found[-1]
    return found


def stages(scale: Scale) -> Iterator[tuple[int, int, float, int]]:
    """The stages that there are: number, epochs, rate, inner psi."""
    for number, (epochs, rate, inner) in enumerate(zip(epochs_of(scale), RATES, INNER, strict=True)):
        if epochs:
            yield number, epochs, rate, inner


def build(row: dict[str, Any], images: data.Images, seed: int) -> VAE:
    """The untrained model of a row, its decoder at the pixel means."""
    size = train.SETTINGS.get(images.name, train.MNIST)
    D, L, hidden = images.train.shape[1], size.latent_dim, size.hidden
    with descent.seeded(seed):
        if row["encoder"] == "hierarchical":
            model: VAE = vae.HierarchicalVAE(D, L, L, hidden, tau=row["tau"], gradient="dreg")
        else:
            encoder, prior = mlp([D, *row.get("hidden", hidden), 2 * L]), None
            if row["prior"] == "VampPrior":
                first = torch.randperm(len(images.train))[: row["pseudo_inputs"]]
                prior = priors.VampPrior(encoder, images.train[first])
            model = VAE(D, L, hidden, encoder=encoder, prior=prior)
    return model.start_at_pixel_means(images.train.mean(0))


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train one row with one seed; its mean test bounds in nats, its encoder's size, and what it cost."""
    setting, images = ROWS[row], images_of(scale)
    x, model = images.binary_test(), build(setting, images, seed)
    wall, processor = time.perf_counter(), time.process_time()
    for stage, epochs, rate, inner in stages(scale):
        if isinstance(model, vae.HierarchicalVAE):
            model.inner = inner if setting["grows"] else 0
        how: dict[str, Any] = {"batch_size": BATCH_SIZE, "learning_rate": rate, "seed": 10 * seed + stage}
        whole(train.fit(model, images, "elbo", 1, 1, epochs, **how, progress=False, device=machinery.device))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    noise = lambda: torch.Generator().manual_seed(0)
    elbo = evaluate.bound(model, x, "elbo", 100, 1, noise(), batch_size=20)
    if isinstance(model, vae.HierarchicalVAE):
        model.inner = LAST_INNER
    log_p = evaluate.log_likelihood(model, x, scale.samples, noise(), chunk=50, batch_size=20)
    return {
        "row": row,
        "seed": seed,
        "elbo": round(float(elbo.mean()), 4),
        "log_p": round(float(log_p.mean()), 4),
        "encoder_parameters": sum(p.numel() for p in model.phi().values()),
        **machinery.cost(wall, processor),
    }


def settings(scale: Scale) -> dict[str, Any]:
    """What every run of the table has in common."""
    schedule = {"epochs": epochs_of(scale), "learning_rate": RATES, "inner": INNER}
    return {
        "data": f"{scale.data}, binarised afresh at every step; test: Images.binary_test()",
        "model": size_of(scale)._asdict() | {"epochs": sum(epochs_of(scale))},
        "schedule": schedule | {"batch_size": BATCH_SIZE, "objective": "elbo, M = K = 1"},
        "rows": ROWS,
        "evaluation": {
            "samples": scale.samples,
            "inner": LAST_INNER,
            "elbo": "test mean in nats of log p - log q, 100 samples; hierarchical: U as at the end of the training",
            "log_p": "test mean in nats of L_K with K = samples, for hierarchical encoders M-IWHVI with M = samples",
        },
    }


TABLE = Table(
    "hierarchical_digits",
    "Hierarchical encoders, a wider Gaussian one, and the VampPrior",
    "the course, chapters 07 and 08",
    ROWS,
    {"elbo": "ELBO", "log_p": "log p^"},
    paper={},
    settings=settings,
    measure=one_by_one(measure),
    remark=lambda settings: (
        f"{settings['scale']['data']}, {settings['model']['epochs']} epochs in four stages. In nats; log p^ is L_K, "
        f"K = {settings['evaluation']['samples']}, for hierarchical encoders M-IWHVI with as many M and "
        f"{settings['evaluation']['inner']} inner psi. The record has the number of each encoder's parameters."
    ),
    full=Scale("digits", samples=1000),
)
