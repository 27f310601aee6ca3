"""The map of chapter 06: one family, every divergence, on the digits, over several seeds.

    python benchmarks/infovae.py --seeds 5

A finished run is written at once to vaecourse/recorded/infovae.json, and a second call goes on where the first one
stopped, seed by seed. A run with other settings needs another --to. A seed makes the first weights, the training, its
noise and the discriminator. Images, pixels and noise of the evaluation are the same in every run. The schedule is
short: 750 steps of Adam at a rate of .003, in place of the 1500 at .001 of ``train.DIGITS``. lambda was set once for
each divergence, by a look at a few runs with seed 0: this is a map, not a race.
"""

from __future__ import annotations

import sys
import time
from functools import partial

import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaecourse import data, divergences, evaluate, infovae, recorded, train
from vaecourse.models import VAE

SCHEDULE = {"epochs": 50, "learning_rate": 3e-3, "batch_size": 100}
ROWS = {  # name: divergence, alpha, lambda
    "VAE": ("mmd-imq", 0.0, 1.0),
    "beta-VAE .5": ("mmd-imq", 0.5, 0.5),
    "beta-VAE 2": ("mmd-imq", -1.0, 2.0),
    "InfoVAE 0, MMD-IMQ": ("mmd-imq", 0.0, 100.0),
    "InfoVAE .5, MMD-IMQ": ("mmd-imq", 0.5, 300.0),
    "InfoVAE .5, KL minibatch": ("kl-minibatch", 0.5, 1.0),
    "MMD-VAE, IMQ": ("mmd-imq", 1.0, 1000.0),
    "MMD-VAE, RBF": ("mmd-rbf", 1.0, 1000.0),
    "KL minibatch": ("kl-minibatch", 1.0, 1.0),
    "KL adversarial": ("kl-adversarial", 1.0, 5.0),
    "AAE (JS adversarial)": ("js-adversarial", 1.0, 10.0),
    "Stein": ("stein", 1.0, 100.0),
}


def measure(row: str, seed: int) -> dict[str, object]:
    """Train one point of the map with one seed, and measure it; in nats, but for the MMD and the accuracies."""
    name, alpha, lambda_ = ROWS[row]
    digits = data.digits()
    objective = infovae.InfoVAE(name, alpha, lambda_, **({"seed": seed} if "adversarial" in name else {}))
    wall, processor = time.perf_counter(), time.process_time()
    model = train.untrained(digits, seed)
    history = infovae.fit(model, digits, objective, **SCHEDULE, seed=seed, progress=False, device="cpu")
    if history.interrupted:  # half a training is no measurement
        raise KeyboardInterrupt
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    with torch.no_grad():
        found = bounds(model, digits.binary_test()) | codes(model, digits) | accuracies(model, digits)
    return {
        "row": row,
        "seed": seed,
        **{key: round(value, 5 if key == "mmd2" else 4) for key, value in found.items()},
        "scikit_learn": sklearn.__version__,
        "wall_seconds": round(wall, 1),
        "processor_seconds": round(processor, 1),
    }


def bounds(model: VAE, x: torch.Tensor) -> dict[str, float]:
    """What the test images cost, and how likely they are."""
    noise = torch.Generator().manual_seed(0)
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(100, *mean.shape, generator=noise)
    return {
        "reconstruction": float(model.log_likelihood(x, z).mean()),
        "rate": float(rate(mean, log_std).mean()),
        "log_p": float(evaluate.log_likelihood(model, x, K=5000, generator=noise).mean()),
    }


def codes(model: VAE, digits: data.Images) -> dict[str, float]:
    """What the codes of the training images tell, and how they lie as a whole."""
    noise, x = torch.Generator().manual_seed(0), binary_train(digits)
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


def accuracies(model: VAE, digits: data.Images) -> dict[str, float]:
    """How well the means of the codes tell the ten digits apart."""
    seen, unseen = (model.encode(x)[0].numpy() for x in (binary_train(digits), digits.binary_test()))
    probes = {
        "linear_probe": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "nearest_5": KNeighborsClassifier(5),
    }
    labels, truth = digits.train_labels.numpy(), digits.test_labels.numpy()
    return {name: float(probe.fit(seen, labels).score(unseen, truth)) for name, probe in probes.items()}


def rate(mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """KL(q(z|x) || N(0, I)) in closed form. Shapes: ``[B, L], [B, L] -> [B]``."""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


def binary_train(digits: data.Images) -> torch.Tensor:
    """The training images as zeros and ones, always the same."""
    return data.binarise(digits.train, torch.Generator().manual_seed(0))


def settings() -> dict[str, object]:
    """What every run of the map has in common."""
    return {
        "data": "digits, binarised afresh at every step; evaluation on one fixed binarisation",
        "model": train.DIGITS._asdict() | {"epochs": SCHEDULE["epochs"]},
        "schedule": SCHEDULE,
        "rows": {row: {"divergence": d, "alpha": a, "lambda": lambda_} for row, (d, a, lambda_) in ROWS.items()},
        "evaluation": {
            "reconstruction": "test mean of E log p(x|z), 100 codes for each image",
            "rate": "test mean of KL(q(z|x) || p), in closed form",
            "log_p": "test mean of L_5000, a lower bound in expectation",
            "mutual_information": "of the 1437 training images' index, 10 codes each: unbiased for these images, below "
            "that of the population, and at most log 1437 = 7.27",
            "aggregate_kl": "KL(q(z) || p) of the same images: their mean rate minus mutual_information",
            "mmd2": "U-statistic, IMQ of scale 2 L = 20, 1437 codes against 1437 prior draws, mean of 10",
            "log_det": "of the covariance of q(z), 0 for the prior",
            "active_units": "of L = 10, threshold .01",
            "linear_probe": "test accuracy of logistic regression on standardised means of codes",
            "nearest_5": "test accuracy of 5 nearest neighbours on means of codes",
        },
    }


def main() -> None:
    recorded.fill("infovae", __doc__, settings(), ROWS, measure, seeds=5)


if __name__ == "__main__":
    import ending

    sys.exit(ending.told("infovae")(main)())
