"""What a checkpoint says of model, objective and optimizer, so that a run goes on only as the run that it was.

Weights alone do not tell Tanh from ReLU, nor a VAE from a subclass with a likelihood of its own, nor two objectives of
the same name. So a file also holds classes, networks as PyTorch prints them, and what a row computes.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vaecourse import checkpoint as checkpoints
from vaecourse import files, foreign
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE
from vaecourse.objectives import TABLE, Objective

LARGEST_LATENT = 10_000  # a file can hold more for little, and each of thousands of samples would pay for it
KINDS = ("float16", "bfloat16", "float32", "float64")  # of weights


def built(path: Path, found: checkpoints.Head, description: object) -> VAE:
    """The model that a checkpoint describes, without memory for its weights, if the file has the weights of it."""
    if not isinstance(description, dict):
        raise checkpoints.strange(path, "it describes no model")
    plain = description.get("class", _name(VAE)) == _name(VAE)
    if description.get("config") is None or not plain:
        raise ValueError(
            f"{files.shown(path)} holds a model with networks, a prior or a class of its own: build it as before "
            f"and call fit with checkpoint={str(path)!r} and the same epochs, which fills in the weights."
        )
    if "class" not in description:
        warnings.warn(
            f"{files.shown(path)} is of a version that did not write the class of its model: it is taken for a VAE.",
            stacklevel=5,
        )
    config, kind = description["config"], description.get("dtype")
    layers = sum(name.startswith("model.") for name in found)  # each has a weight of its own in the file
    named = isinstance(config, dict) and config.keys() == {"data_dim", "latent_dim", "hidden", "likelihood"}
    if not named or not isinstance(config["hidden"], list) or len(config["hidden"]) > layers or kind not in KINDS:
        raise checkpoints.strange(path, "it describes no model that its weights can be of")
    try:
        with torch.device("meta"):
            model = VAE(**config).to(getattr(torch, kind))
    except (TypeError, ValueError, RuntimeError, OverflowError) as failure:
        raise checkpoints.strange(path, f"it describes no model ({foreign.plain(failure)})") from failure
    weights = {f"model.{name}": weight for name, weight in model.state_dict().items()}
    if different := checkpoints.compare(found, checkpoints.head_of(weights), ("model.",)):
        raise checkpoints.strange(path, different)
    if model.latent_dim > LARGEST_LATENT:
        said = f"its latent_dim is {model.latent_dim}, and {LARGEST_LATENT} are the most that can be used"
        raise checkpoints.strange(path, said)
    return model


def of_model(model: LatentVariableModel) -> dict[str, Any]:
    """The model's class and networks, the type of its weights, and what builds it again, or the weights' shapes."""
    tensor = next((p for p in model.parameters()), torch.zeros(()))
    kind = str(tensor.dtype).removeprefix("torch.")
    description: dict[str, Any] = {"class": _name(type(model)), "networks": _networks(model), "dtype": kind}
    if isinstance(model, VAE):
        try:
            return description | {"config": model.config()}
        except TypeError:  # networks of one's own: their shapes must do
            description |= model.traits()
    return description | {"shapes": {name: list(tensor.shape) for name, tensor in model.state_dict().items()}}


def of_objective(row: Any) -> str:
    """The objective's name and parameters; of a row that is not the package's own also what it computes."""
    said = call(row.name, row.parameters)
    if not isinstance(row, Objective):
        return said
    parts = (row.bound, row.theta, row.phi)
    ours = all(getattr(part, "__module__", "").startswith("vaecourse.") for part in parts)
    known = TABLE.get(row.name)
    if ours and known is not None and replace(row, parameters=known.parameters) == known:
        return said
    return f"{said} of {', '.join(map(_source, parts))}, score term {'kept' if row.keeps_score else 'dropped'}"


def of_optimizer(optimizer: torch.optim.Optimizer) -> str:
    """Its class and its settings."""
    return call(type(optimizer).__name__, optimizer.defaults)


def of_schedule(scheduler: torch.optim.lr_scheduler.LRScheduler | None) -> str | None:
    """Its class and the numbers it was made with."""
    if scheduler is None:
        return None
    numbers = {k: v for k, v in vars(scheduler).items() if isinstance(v, int | float | str | list) and k[0] != "_"}
    return call(type(scheduler).__name__, {k: v for k, v in numbers.items() if k != "last_epoch"})


def call(name: str, parameters: dict[str, Any]) -> str:
    """``name(key=value, ...)``, in the order of the keys."""
    settings = ", ".join(f"{key}={value!r}" for key, value in sorted(parameters.items()))
    return f"{name}({settings})" if settings else name


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _networks(model: nn.Module) -> str:
    """A digest of all layers: their names, classes, and what PyTorch prints of them."""
    layers = [f"{name}: {_name(type(layer))} {layer.extra_repr()}" for name, layer in model.named_modules()]
    return hashlib.sha256("\n".join(layers).encode()).hexdigest()[:16]


def _source(part: Callable[..., Any]) -> str:
    """A function by its name and a digest of its text."""
    name = getattr(part, "__qualname__", type(part).__name__)
    try:
        text = inspect.getsource(part)
    except (OSError, TypeError):
        return name
    return f"{name} ({hashlib.sha256(text.encode()).hexdigest()[:8]})"
