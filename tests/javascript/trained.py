"""What the package computes of the VAE in the page, and what a lab says of a recorded step: trained.json beside this.

    python -m tests.javascript.trained      writes the file anew

Every integral is done on a grid of its own, finer and wider than the page's.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from tests.javascript.values import text
from tools import page_vae, replays, trained
from vaecourse import exact, labs
from vaecourse.labs.cockpit import Cockpit, plan
from vaecourse.labs.info_trainer import loss
from vaecourse.labs.latent_space import Space
from vaecourse.models import VAE, gaussian_log_prob

FILE = Path(__file__).with_name("trained.json")
PLACES = [[0.0, 0.0], [1.2, -0.7], [-3.1, 2.4]]
NOISE = 8, 3  # samples, and their seed
FINE, WIDE = 0.25, 7.0  # of the grid around q, in its standard deviations
KS = (1, 2, 8, 100)


def values() -> dict[str, Any]:
    return {"vae": vae(), "replays": list(sentences())}


@torch.no_grad()
def vae() -> list[dict[str, Any]]:
    file = page_vae.read()
    model, choices = page_vae.model_of(file), [choice["pixels"] for choice in file["choices"]]
    images = [choices[trained.THREE], choices[trained.DOUBTFUL], trained.NOBODYS, "1" * 64]
    return [of_image(model, pixels) for pixels in images]


def of_image(model: VAE, pixels: str) -> dict[str, Any]:
    x = torch.tensor([[float(pixel) for pixel in pixels]], dtype=torch.float64)
    mean, log_std = model.encode(x)
    z = torch.tensor(PLACES, dtype=torch.float64)
    fine = page_vae.log_likelihood(model, x, step=0.05, reach=10.0).item()
    return {
        "pixels": pixels,
        "mean": mean[0].tolist(),
        "std": log_std.exp()[0].tolist(),
        "z": PLACES,
        "decoded": model.decode(z).tolist(),
        "log_joint": model.log_joint(x, z[:, None])[:, 0].tolist(),
        "log_likelihood": fine,
        "encoder": of_proposal(model, x, mean[0], log_std[0], FINE, WIDE),
        "prior": of_proposal(model, x, torch.zeros(2).double(), torch.zeros(2).double(), 0.09, 8.1),
    }


def of_proposal(model: VAE, x: Tensor, mean: Tensor, log_std: Tensor, step: float, reach: float) -> dict[str, Any]:
    """ELBO, E[L_K], and the bound of a few samples under N(mean, std^2)."""
    eps = page_vae.plane(step, reach)
    mass = (-0.5 * eps.square().sum(-1)).exp() / (2 * torch.pi) * step**2
    log_w = weights(model, x, mean, log_std, eps)
    law = exact.WeightLaw(log_w, mass)
    K, seed = NOISE
    drawn = weights(model, x, mean, log_std, torch.randn(K, 2, generator=torch.Generator().manual_seed(seed)).double())
    return {
        "elbo": (mass * log_w).sum().item(),
        "expected": [[K, law.lower(K).item()] for K in KS],
        "bound": (drawn.logsumexp(0) - torch.tensor(float(K)).log()).item(),
    }


def weights(model: VAE, x: Tensor, mean: Tensor, log_std: Tensor, eps: Tensor) -> Tensor:
    """log w at the samples that eps ``[N, 2]`` becomes: ``[N]``."""
    z = mean + log_std.exp() * eps
    return model.log_joint(x, z[:, None])[:, 0] - gaussian_log_prob(z, mean, log_std)


# Replays -------------------------------------------------------------------------------------------------------------


def sentences() -> list[dict[str, Any]]:
    """What the lab itself would say of the last step of every run, up to what is not in use."""
    return [last_step(name, run) for name in replays.ALL for run in replays.ALL[name].runs]


def last_step(name: str, run: replays.Run) -> dict[str, Any]:
    stored = next(one for one in replays.read(name)["runs"] if one["name"] == run.name)
    lab, preset = labs.ALL[name](), run.presets[max(run.presets)]
    settings = {**lab.defaults, **lab.presets[preset]}
    columns, history = replays.read(name)["columns"], stored["history"]
    shown = SimpleNamespace(columns=columns, history=history, latest=lambda c: history[-1][1 + columns.index(c)])
    none: Any = None
    if name == "08.cockpit":
        said = lab.experiment.sentence(Cockpit(plan(**settings), shown, none, none, none)).split(".  Not in use")[0]
        said = said.split(". Not in use")[0] + "."
    else:
        now = loss(**settings)
        said = lab.experiment.sentence(Space(settings["alpha"], settings["lambda_"], now, shown, none))
        said = said.split(" With α")[0] + f" The loss is {now} ({now.kernel})."
    return {"lab": name, "run": run.name, "step": replays.ALL[name].steps, "preset": preset, "sentence": said}


if __name__ == "__main__":
    FILE.write_text(text(values()), encoding="utf-8")
    print(json.dumps({"bytes": FILE.stat().st_size}))
