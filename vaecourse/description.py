"""What a checkpoint says of model, objective and optimizer, so that a run goes on only as the run that it was.

Weights alone do not tell Tanh from ReLU, nor a VAE from a subclass with a likelihood of its own, nor two objectives of
the same name. So a file also holds classes, networks as PyTorch prints them, what layers keep beside their weights
(numbers, words, functions, distributions), which weights are frozen, and what a row computes. In words that another
process would choose as well: a function is its name and a digest of what it does, never an address.

What nothing here tells: hooks, and a tensor or a list that a layer keeps as a plain attribute.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import types
import warnings
from dataclasses import replace
from enum import Enum
from numbers import Number
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Transform
from torch.distributions.utils import lazy_property
from torch.optim.lr_scheduler import LRScheduler

from vaecourse import checkpoint as checkpoints
from vaecourse import files, foreign
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE, layers
from vaecourse.objectives import TABLE, Objective

LARGEST_LATENT = 10_000  # a file can hold more for little, and each of thousands of samples would pay for it
KINDS = ("float16", "bfloat16", "float32", "float64")  # of weights


def built(path: Path, found: checkpoints.Head, description: object) -> VAE:
    """The model that a checkpoint describes, without memory for its weights, if the file has the weights of it."""
    if not isinstance(description, dict):
        raise checkpoints.malformed(path, "it describes no model")
    plain = description.get("class", _name(VAE)) == _name(VAE)
    if description.get("config") is None or not plain:
        raise _own(path)
    if "class" not in description:
        warnings.warn(
            f"{files.shown(path)} is of a version that did not write the class of its model: it is taken for a VAE.",
            stacklevel=5,
        )
    config, kind = description["config"], description.get("dtype")
    most = sum(name.startswith("model.") for name in found)  # each layer has a weight of its own in the file
    named = isinstance(config, dict) and config.keys() == {"data_dim", "latent_dim", "hidden", "likelihood"}
    if not named or not isinstance(config["hidden"], list) or len(config["hidden"]) > most or kind not in KINDS:
        raise checkpoints.malformed(path, "it describes no model that its weights can be of")
    try:
        with torch.device("meta"):
            model = VAE(**config).to(getattr(torch, kind))
    except (TypeError, ValueError, RuntimeError, OverflowError) as failure:
        raise checkpoints.malformed(path, f"it describes no model ({foreign.plain(failure)})") from failure
    weights = {f"model.{name}": weight for name, weight in model.state_dict().items()}
    if different := checkpoints.compare(found, checkpoints.head_of(weights), ("model.",)):
        raise checkpoints.malformed(path, different)
    if description.get("networks", ours := _networks(model)) != ours:
        raise _own(path)
    if model.latent_dim > LARGEST_LATENT:
        reason = f"its latent_dim is {model.latent_dim}, and {LARGEST_LATENT} are the most that can be used"
        raise checkpoints.malformed(path, reason)
    return model


def _own(path: Path) -> ValueError:
    return ValueError(
        f"{files.shown(path)} holds a model with networks, a prior or a class of its own: build it as before "
        f"and call fit with checkpoint={str(path)!r} and the same epochs, which fills in the weights."
    )


def of_run(model: LatentVariableModel, row: Any, optimizer: Any, scheduler: Any) -> dict[str, Any]:
    """What a run trains, and with what."""
    return {
        "model": of_model(model),
        "objective": of_objective(row),
        "optimizer": of_optimizer(optimizer),
        "schedule": of_schedule(scheduler),
    }


def of_model(model: LatentVariableModel) -> dict[str, Any]:
    """The model's class and networks, the type of its weights, and what builds it again, or the weights' shapes."""
    tensor = next((p for p in model.parameters()), torch.zeros((), device="cpu"))
    kind = str(tensor.dtype).removeprefix("torch.")
    description: dict[str, Any] = {"class": _name(type(model)), "networks": _networks(model), "dtype": kind}
    description["attributes"] = _attributes(model)
    description["frozen"] = [name for name, p in model.named_parameters() if not p.requires_grad]
    if isinstance(model, VAE):
        try:
            return description | {"config": model.config()}
        except TypeError:  # networks of one's own: their shapes must do
            description |= model.traits()
    return description | {"shapes": {name: list(tensor.shape) for name, tensor in model.state_dict().items()}}


def of_objective(row: Any) -> str:
    """The objective's name and parameters; of a row that is not the package's own also what it computes."""
    text = call(row.name, row.parameters)
    if not isinstance(row, Objective):
        return text
    parts = (row.bound, row.theta, row.phi)
    ours = all(getattr(part, "__module__", "").startswith("vaecourse.") for part in parts)
    known = TABLE.get(row.name)
    if ours and known is not None and replace(row, parameters=known.parameters) == known:
        return text
    return f"{text} of {', '.join(map(_function, parts))}, score term {'kept' if row.keeps_score else 'dropped'}"


def of_optimizer(optimizer: torch.optim.Optimizer) -> str:
    """Its class and its settings, and those of its groups of weights where these are others."""
    settings, groups = optimizer.defaults, []
    for group in optimizer.param_groups:
        own = {key: value for key, value in group.items() if key != "params"}
        others = {
            key: value for key, value in own.items() if key not in settings or words(value) != words(settings[key])
        }
        groups.append({"weights": len(group["params"]), **others})
    plain = len(groups) == 1 and len(groups[0]) == 1
    return call(type(optimizer).__name__, settings if plain else settings | {"groups": groups})


def of_schedule(scheduler: LRScheduler | None) -> str | None:
    """Its class and all that it was made with; as it was made, for its state is told by the epochs."""
    return None if scheduler is None else words(scheduler).removeprefix("torch.optim.lr_scheduler.")


def call(name: str, parameters: dict[str, Any], inside: tuple[object, ...] = ()) -> str:
    """``name(key=value, ...)``, in the order of the keys."""
    settings = ", ".join(f"{key}={words(value, inside)}" for key, value in sorted(parameters.items()))
    return f"{name}({settings})" if settings else name


PLAIN = Number | str | None | Enum | torch.dtype | torch.device
_STATE = {"optimizer", "last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step"}
_STATE |= {"_cached_x_y", "_inv"}  # of a transform


def words(value: Any, inside: tuple[object, ...] = ()) -> str:
    """A setting in words: of what is learned the shape, of what is neither plain, a function nor a prior the class.

    ``inside`` is what this is a part of, and is not told again.
    """
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, Tensor):
        known = not value.requires_grad and value.layout is torch.strided and not value.is_meta
        return checkpoints.fingerprint(value) if known else f"{list(value.shape)} {value.dtype}"
    if isinstance(value, nn.Module | type) or any(value is whole for whole in inside):
        return _name(value if isinstance(value, type) else type(value))
    inside = (*inside, value)
    if isinstance(value, list | tuple):
        parts = ", ".join(words(part, inside) for part in value)
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{words(key)}: {words(part, inside)}" for key, part in value.items()) + "}"
    if isinstance(value, Distribution | Transform | LRScheduler) or hasattr(value, "log_prob"):
        return call(_name(type(value)), {key: part for key, part in _kept(value).items() if key not in _STATE}, inside)
    return _function(value, inside) if callable(value) else _name(type(value))


def _kept(value: object) -> dict[str, Any]:
    """What an object was made with: not what its class computes from that when it is asked, and keeps."""
    attributes, kind = getattr(value, "__dict__", {}), type(value)
    return {k: v for k, v in attributes.items() if not isinstance(inspect.getattr_static(kind, k, None), lazy_property)}


def _attributes(model: nn.Module) -> dict[str, str]:
    """What each layer keeps beside its weights and layers, unless that grows or is computed from them."""
    given = [(name, layer) for name, layer in model.named_modules() if "_dynamo" not in type(layer).__module__]
    return {
        f"{name}.{key}".removeprefix("."): words(value, (model,))
        for name, layer in given
        for key, value in vars(layer).items()
        if key not in _EVERY_LAYERS and not isinstance(value, Tensor | list | dict)
    }


_EVERY_LAYERS = {*vars(nn.Module()), "_is_torch_compile", "_compiled_call_impl"}  # its mode, its hooks, its weights


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _networks(model: nn.Module) -> str:
    """A digest of all layers: their names, classes, and what PyTorch prints of them."""
    return _digest("\n".join(layers(model)))[:16]


def _function(part: Any, inside: tuple[object, ...] = ()) -> str:
    """A function by its name, a digest of its text or code, and the plain values that are not in that."""
    if isinstance(part, functools.partial):
        return call(f"partial of {words(part.func, inside)}", {"args": part.args} | part.keywords, inside)
    owner = getattr(part, "__self__", None)
    part = getattr(part, "__func__", part)  # of a bound method
    code = getattr(part, "__code__", None)
    if not isinstance(code, types.CodeType):  # one of C, or an object that can be called
        name = getattr(part, "__qualname__", _name(type(part)))
        return call(name, _plain(_kept(part)), inside)
    try:
        text = inspect.getsource(part) if part.__name__ != "<lambda>" else _code(code)  # a line may have two of these
    except (OSError, TypeError):
        text = _code(code)
    held = _plain({name: part.__globals__[name] for name in code.co_names if name in part.__globals__})
    held |= {} if isinstance(owner, nn.Module | type) else _plain(_kept(owner))
    held |= {name: value for name, value in _closed_over(part).items() if isinstance(value, PLAIN | _FUNCTION)}
    held |= {f"default {n}": value for n, value in enumerate(part.__defaults__ or ())} | (part.__kwdefaults__ or {})
    return call(f"{part.__module__}.{part.__qualname__} {_digest(text)[:8]}", held, inside)


_FUNCTION = types.FunctionType | functools.partial


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, PLAIN)}


def _closed_over(part: types.FunctionType) -> dict[str, Any]:
    """The variables of the function around this one."""
    found = {}
    for name, cell in zip(part.__code__.co_freevars, part.__closure__ or ()):
        with contextlib.suppress(ValueError):  # nothing in it yet
            found[name] = cell.cell_contents
    return found


def _code(code: types.CodeType) -> str:
    """What a function does, without where it stands."""
    constants = (_code(value) if isinstance(value, types.CodeType) else repr(value) for value in code.co_consts)
    return " ".join([code.co_code.hex(), *constants, *code.co_names])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
