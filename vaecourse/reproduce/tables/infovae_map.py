"""The map of chapter 06: one family of objectives, every divergence, on the digits.

A seed makes the first weights, the training, its noise and the discriminator. Images, pixels and noise of the
evaluation are the same in every run. The schedule is short: 750 steps of Adam at a rate of .003, in place of the 1500
at .001 of ``train.DIGITS``. This is a map, not a race.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaecourse import data, divergences, evaluate
from vaecourse.models import VAE, rate
from vaecourse.reproduce import budget_vaes
from vaecourse.reproduce.images import images_of, size_of
from vaecourse.reproduce.infovae_vaes import ROWS, trained
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

MMD = 1000  # times it stands in the printed table


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train one point of the map with one seed, and measure it; in nats, but for the MMD and the accuracies."""
    images = images_of(scale)
    model, wall, processor = trained(ROWS[row], images, seed, budget_vaes.schedule(scale), machinery)
    with torch.no_grad():
        found = bounds(model, images.binary_test(), scale.samples) | codes(model, images) | accuracies(model, images)
    return {
        "row": row,
        "seed": seed,
        **{key: round(value, 5 if key == "mmd2" else 4) for key, value in found.items()},
        "scikit_learn": sklearn.__version__,
        **machinery.cost(wall, processor),
    }


def bounds(model: VAE, x: torch.Tensor, samples: int) -> dict[str, float]:
    """What the test images cost, and how likely they are."""
    noise = torch.Generator().manual_seed(0)
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(100, *mean.shape, generator=noise)
    return {
        "reconstruction": float(model.log_likelihood(x, z).mean()),
        "rate": float(rate(mean, log_std).mean()),
        "log_p": float(evaluate.log_likelihood(model, x, K=samples, generator=noise).mean()),
    }


def codes(model: VAE, images: data.Images) -> dict[str, float]:
    """What the codes of the training images tell, and how they lie as a whole."""
    noise, x = torch.Generator().manual_seed(0), binary_train(images)
    mean, log_std = model.encode(x)
    covariance = torch.cov(mean.T) + (2 * log_std).exp().mean(0).diag()
    information = evaluate.mutual_information(model, x, generator=noise)
    kernel = partial(divergences.imq, scale=2.0 * model.latent_dim)
    normal = lambda: torch.randn(mean.shape, generator=noise)
    mmd2 = [divergences.mmd2(mean + log_std.exp() * normal(), normal(), kernel) for _ in range(10)]
    return {
        "mutual_information": information,
        "aggregate_kl": float(rate(mean, log_std).mean()) - information,
        "mmd2": float(torch.stack(mmd2).mean()),
        "log_det": float(torch.logdet(covariance)),
        "active_units": evaluate.active_units(model, x),
    }


def accuracies(model: VAE, images: data.Images) -> dict[str, float]:
    """How well the means of the codes tell the classes apart."""
    seen, unseen = (model.encode(x)[0].numpy() for x in (binary_train(images), images.binary_test()))
    probes = {
        "linear_probe": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "nearest_5": KNeighborsClassifier(5),
    }
    labels, truth = images.train_labels.numpy(), images.test_labels.numpy()
    return {name: float(probe.fit(seen, labels).score(unseen, truth)) for name, probe in probes.items()}


def binary_train(images: data.Images) -> torch.Tensor:
    """The training images as zeros and ones, always the same."""
    return data.binarise(images.train, torch.Generator().manual_seed(0))


def settings(scale: Scale) -> dict[str, Any]:
    """What every run of the map has in common."""
    n, L = len(images_of(scale).train), size_of(scale).latent_dim
    return {
        "data": f"{scale.data}, binarised afresh at every step; evaluation on one fixed binarisation",
        "model": size_of(scale)._asdict() | {"epochs": budget_vaes.schedule(scale)["epochs"]},
        "schedule": budget_vaes.schedule(scale),
        "rows": ROWS,
        "evaluation": {
            "reconstruction": "test mean of E log p(x|z), 100 codes for each image",
            "rate": "test mean of KL(q(z|x) || p), in closed form",
            "log_p": f"test mean of L_{scale.samples}, a lower bound in expectation",
            "mutual_information": f"of the {n} training images' index, 10 codes each: unbiased for these images, below "
            f"that of the population, and at most log {n} = {math.log(n):.2f}",
            "aggregate_kl": "KL(q(z) || p) of the same images: their mean rate minus mutual_information",
            "mmd2": f"U-statistic, IMQ of scale 2 L = {2 * L}, {n} codes against {n} prior draws, mean of 10",
            "log_det": "of the covariance of q(z), 0 for the prior",
            "active_units": f"of L = {L}, threshold .01",
            "linear_probe": "test accuracy of logistic regression on standardised means of codes",
            "nearest_5": "test accuracy of 5 nearest neighbours on means of codes",
        },
    }


TABLE = Table(
    "infovae_map",
    "A map of InfoVAE's objectives: every divergence",
    "the course, chapter 06",
    ROWS,
    {
        "reconstruction": "E log p(x given z)",
        "rate": "rate",
        "log_p": "log p^",
        "mutual_information": "information",
        "aggregate_kl": "KL(q(z), p)",
        "mmd2": f"{MMD} MMD²",
        "log_det": "log det",
        "active_units": "active units",
        "linear_probe": "linear probe",
        "nearest_5": "5 nearest",
    },
    paper={},
    settings=settings,
    measure=one_by_one(measure),
    remark=lambda settings: (
        f"{settings['scale']['data']}, a short schedule: {settings['schedule']['epochs']} epochs at a rate of "
        f"{settings['schedule']['learning_rate']:g}. In nats, but for the MMD and the accuracies. A map, not a race: "
        "lambda was set once for each divergence. What each column is stands in the record."
    ),
    full=Scale("digits"),
    most_seeds=500,
    numbers=lambda run: run | {"mmd2": MMD * run["mmd2"]},
)
