"""A hierarchical encoder against a Gaussian one, and the VampPrior against N(0, I), on the digits over several seeds.

    python benchmarks/hierarchical_digits.py --seeds 5

Every row takes the same steps: the same batches, one z for a data point, Adam, a schedule in four stages, each begun
with a fresh Adam. In the stages of SIVI and IWHVI the inner psi grow, 2, 5, 10, 25; HVM stays at 0. Rows differ in
the encoder or the prior and in nothing else; "Gaussian, wide" has about as many parameters as IWHVI. A finished run is
written at once to vaecourse/recorded/hierarchical_digits.json, and a second call goes on where the first one stopped.
"""

from __future__ import annotations

import sys
import time

import torch

from vaecourse import data, evaluate, priors, recorded, train
from vaecourse.hierarchical import vae
from vaecourse.models import VAE, mlp

SCHEDULE = {"epochs": [10, 20, 30, 30], "learning_rate": [3e-3, 3e-3, 1e-3, 5e-4], "inner": [2, 5, 10, 25]}
BATCH_SIZE = 100
EVALUATION = {"samples": 1000, "inner": 25}
ROWS = {  # name: encoder, tau, whether the inner psi grow, prior
    "Gaussian": {"encoder": "gaussian", "prior": "standard normal"},
    "Gaussian, wide": {"encoder": "gaussian", "hidden": [90, 90], "prior": "standard normal"},
    "HVM": {"encoder": "hierarchical", "tau": "learned", "grows": False, "prior": "standard normal"},
    "SIVI": {"encoder": "hierarchical", "tau": "prior", "grows": True, "prior": "standard normal"},
    "IWHVI": {"encoder": "hierarchical", "tau": "learned", "grows": True, "prior": "standard normal"},
    "Gaussian, VampPrior": {"encoder": "gaussian", "prior": "VampPrior", "pseudo_inputs": 50},
}


def build(row: dict, images: data.Images, seed: int) -> VAE:
    """The untrained model of a row, its decoder at the pixel means."""
    L, hidden, _ = train.DIGITS
    D = images.train.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if row["encoder"] == "hierarchical":
            model = vae.HierarchicalVAE(D, L, L, hidden, tau=row["tau"], gradient="dreg")
        else:
            encoder, prior = mlp([D, *row.get("hidden", hidden), 2 * L]), None
            if row["prior"] == "VampPrior":
                first = torch.randperm(len(images.train))[: row["pseudo_inputs"]]
                prior = priors.VampPrior(encoder, images.train[first])
            model = VAE(D, L, hidden, encoder=encoder, prior=prior)
    return model.start_at_pixel_means(images.train.mean(0))


def measure(name: str, seed: int) -> dict[str, object]:
    """Train one row with one seed; its mean test bounds in nats, its active units, and what it cost."""
    row, images = ROWS[name], data.digits()
    x, model = images.binary_test(), build(row, images, seed)
    hierarchical = row["encoder"] == "hierarchical"
    wall, processor = time.perf_counter(), time.process_time()
    for stage, (epochs, rate, inner) in enumerate(zip(*SCHEDULE.values(), strict=True)):
        if hierarchical:
            model.inner = inner if row["grows"] else 0
        options = {"batch_size": BATCH_SIZE, "learning_rate": rate, "seed": 10 * seed + stage}
        history = train.fit(model, images, "elbo", 1, 1, epochs, **options, progress=False, device="cpu")
        if history.interrupted:  # half a training is no measurement
            raise KeyboardInterrupt
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    noise = lambda: torch.Generator().manual_seed(0)
    elbo = evaluate.bound(model, x, "elbo", 100, 1, noise(), batch_size=20)
    if hierarchical:
        model.inner = EVALUATION["inner"]
    log_p = evaluate.log_likelihood(model, x, EVALUATION["samples"], noise(), chunk=50, batch_size=20)
    return {
        "row": name,
        "seed": seed,
        "elbo": round(float(elbo.mean()), 4),
        "log_p": round(float(log_p.mean()), 4),
        "encoder_parameters": sum(p.numel() for p in model.phi().values()),
        "wall_seconds": round(wall, 1),
        "processor_seconds": round(processor, 1),
    }


def settings() -> dict[str, object]:
    """What every run of the table has in common."""
    return {
        "data": "digits, binarised afresh at every step; test: Images.binary_test()",
        "model": train.DIGITS._asdict() | {"epochs": sum(SCHEDULE["epochs"])},
        "schedule": SCHEDULE | {"batch_size": BATCH_SIZE, "objective": "elbo, M = K = 1"},
        "rows": ROWS,
        "evaluation": EVALUATION
        | {
            "elbo": "test mean in nats of log p - log q, 100 samples; hierarchical: U as at the end of the training",
            "log_p": "test mean in nats of L_K with K = samples, for hierarchical encoders M-IWHVI with M = samples",
        },
    }


def main() -> None:
    recorded.fill("hierarchical_digits", __doc__, settings(), ROWS, measure, seeds=5)


if __name__ == "__main__":
    import ending

    sys.exit(ending.told("hierarchical_digits")(main)())
