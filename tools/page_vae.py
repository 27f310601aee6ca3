"""The VAE that runs in a page of the site: trained here, its weights stored in 8 bits as site/live/data/vae.json.

    python -m tools.page_vae       trains it anew, two minutes on one core, and says what the 8 bits cost

A row of a weight matrix is whole numbers from -127 to 127 times one scale. What stands in the file is the model: the
page and the tests have its weights to the last bit, and both compute in double precision.
"""

from __future__ import annotations

import argparse
import base64
import copy
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tools import chapter, ending
from vaecourse import data, files, train
from vaecourse.models import VAE
from vaecourse.train import Setting, untrained

FILE = chapter.ROOT / "site/live/data/vae.json"
SEED = 0
SETTING = Setting(latent_dim=2, hidden=(64, 64), epochs=300)
OBJECTIVE, BATCH, RATE = "elbo", 100, 2e-3
STEP, REACH = 0.1, 8.0  # of the grid in the plane of z
OF_EACH = 4  # held-out digits of each class that a reader may choose
LARGEST = 127
NAMES = ("encoder", "decoder")

# What is trained and stored ------------------------------------------------------------------------------------------


def trained() -> VAE:
    """The digits' VAE with two latent dimensions, by ``train.fit``."""
    images = data.digits()
    model = untrained(images, SEED, SETTING)
    fades = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=SETTING.epochs)
    options = {"batch_size": BATCH, "learning_rate": RATE, "seed": SEED, "device": "cpu", "schedule": fades}
    train.fit(model, images, OBJECTIVE, 1, 1, SETTING.epochs, progress=False, **options)  # type: ignore[arg-type]
    return model


def stored_layer(layer: nn.Linear) -> dict[str, Any]:
    """A layer as JSON: a scale for each output, whole numbers of one byte in base64, and the biases."""
    weight = layer.weight.detach().double()
    scales = [float(f"{scale:.6g}") for scale in (weight.abs().amax(1) / LARGEST).tolist()]
    whole = (weight / torch.tensor(scales, dtype=torch.float64)[:, None]).round().clamp(-LARGEST, LARGEST)
    return {
        "outputs": layer.out_features,
        "inputs": layer.in_features,
        "scales": scales,
        "weights": base64.b64encode(whole.numpy().astype(np.int8).tobytes()).decode(),
        "biases": [float(f"{bias:.6g}") for bias in layer.bias.detach().double().tolist()],
    }


def stored(model: VAE) -> dict[str, list[dict[str, Any]]]:
    """Both networks, layer by layer; between two layers is a tanh."""
    networks = {name: getattr(model, name) for name in NAMES}
    return {name: [stored_layer(part) for part in of if isinstance(part, nn.Linear)] for name, of in networks.items()}


def model_of(file: dict[str, Any]) -> VAE:
    """The model in a file, in double precision."""
    hidden = [layer["outputs"] for layer in file["encoder"][:-1]]
    model = VAE(file["encoder"][0]["inputs"], file["decoder"][0]["inputs"], hidden).double()
    with torch.no_grad():
        for name in NAMES:
            layers = [part for part in getattr(model, name) if isinstance(part, nn.Linear)]
            for layer, given in zip(layers, file[name], strict=True):
                whole = np.frombuffer(base64.b64decode(given["weights"]), np.int8).reshape(layer.weight.shape)
                scales = torch.tensor(given["scales"], dtype=torch.float64)
                layer.weight.copy_(torch.from_numpy(whole.astype(float)) * scales[:, None])
                layer.bias.copy_(torch.tensor(given["biases"], dtype=torch.float64))
    return model.eval()


# The exact answer ----------------------------------------------------------------------------------------------------


def plane(step: float = STEP, reach: float = REACH) -> Tensor:
    """The grid of z within ``reach`` of 0, ``[N, 2]``."""
    steps = math.floor(reach / step + 1e-9)
    axis = step * torch.arange(-steps, steps + 1, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    return z[z.square().sum(-1) <= reach**2 + 1e-9]


@torch.no_grad()
def log_likelihood(model: VAE, x: Tensor, step: float = STEP, reach: float = REACH) -> Tensor:
    r"""log p(x), the trapezoid sum of :math:`\int p(x, z)\, dz` in the plane. Shapes: ``[B, D] -> [B]``."""
    z = plane(step, reach)
    logits = model.decoder(z)  # [N, D]; all digits at once, in one product
    log_joint = logits @ x.T + (model.prior.log_prob(z) - nn.functional.softplus(logits).sum(-1))[:, None]  # [N, B]
    return log_joint.logsumexp(0) + 2 * math.log(step)


# The file ------------------------------------------------------------------------------------------------------------


def choices() -> list[dict[str, Any]]:
    """Held-out digits to choose from, ``OF_EACH`` of a class: the label, and the pixels as zeros and ones."""
    images = data.digits()
    found = []
    for label in range(10):
        rows = images.binary_test()[images.test_labels == label][:OF_EACH]
        found += [{"label": label, "pixels": "".join(str(int(pixel)) for pixel in row)} for row in rows]
    return found


def whole_file(model: VAE) -> dict[str, Any]:
    """What is written: how it was made, the weights, digits to choose from, and what the 8 bits cost."""
    networks = stored(model)
    exactly, x = copy.deepcopy(model).double(), data.digits().binary_test().double()
    before, after = log_likelihood(exactly, x), log_likelihood(model_of(networks), x)
    cost = {"mean": (after - before).mean().item(), "largest": (after - before).abs().max().item()}
    return {
        "made": {
            "by": "python -m tools.page_vae",
            "seed": SEED,
            "objective": OBJECTIVE,
            "hidden": list(SETTING.hidden),
            "epochs": SETTING.epochs,
            "batch": BATCH,
            "rate": RATE,
            "torch": torch.__version__,
        },
        "grid": {"step": STEP, "reach": REACH},
        "held out": {"log p(x)": round(after.mean().item(), 6), "cost": {k: round(v, 6) for k, v in cost.items()}},
        "choices": choices(),
        **networks,
    }


def read(path: Path = FILE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@ending.reports("page_vae")
def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(prog="python -m tools.page_vae", description=__doc__.split("\n")[0]).parse_args(arguments)
    file = whole_file(trained())
    files.replace(FILE, (json.dumps(file, indent=1) + "\n").encode())
    print(f"{FILE}: {FILE.stat().st_size / 1000:.0f} kB; {file['held out']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
