"""A run in one file: all that it must keep to go on, after a kill, as if nothing had happened.

A checkpoint is a safetensors file. Its tensors are the weights ("model."), the state of the optimizer ("optimizer.")
and of the random generators ("random."); its metadata hold the settings, the history, and a digest of everything. It
is replaced in one piece or not at all, and no pickle is ever opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from vaecourse import files

FORMAT = "vaecourse checkpoint 1"


@dataclass
class Checkpoint:
    """What a run must keep to go on as if nothing had happened, and the file where it keeps it."""

    path: Path
    settings: dict[str, Any]
    model: nn.Module
    climber: torch.optim.Optimizer
    generators: dict[str, torch.Generator]
    known: files.Known = field(default_factory=dict)  # the file as this run wrote or read it
    owner: str | None = None  # a setting that a file must share to be replaced by this run

    def save(self, history: Sequence[tuple[Any, ...]]) -> None:
        """Replace the file by the run as it is now; ``history`` has one tuple of numbers for each epoch."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, state in self.climber.state_dict()["state"].items():
            for name, value in state.items():
                if value is not None:
                    tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
        for name, generator in self.generators.items():
            tensors[f"random.{name}"] = generator.get_state()
        tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        run = json.dumps({"settings": self.settings, "history": history})
        metadata = {"format": FORMAT, "run": run, "sha256": _digest(tensors, run)}
        kind = files.Kind("a checkpoint that this run may replace", self._may_replace)
        files.write(self.path, safetensors.torch.save(tensors, metadata), kind, self.known)

    def _may_replace(self, path: Path) -> bool:
        run = run_of(path)
        return run is not None and (self.owner is None or run["settings"].get(self.owner) == self.settings[self.owner])

    def resume(self, epochs: int) -> list[list[Any]]:
        """Go on with the run in the file, if it is this run, and return its history.

        Without a file, make one: if it cannot be written, an error is better now than after an epoch.
        """
        if not self.path.exists():
            self.save([])
            return []
        tensors, run = read(self.path)
        _same_settings(self.path, run["settings"], json.loads(json.dumps(self.settings)))
        if len(run["history"]) > epochs:
            raise ValueError(
                f"epochs must be at least {len(run['history'])}, which {self.path} has behind it, got {epochs}."
            )
        self.model.load_state_dict(part(tensors, "model."))
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in part(tensors, "optimizer.").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = tensor
        self.climber.load_state_dict({**self.climber.state_dict(), "state": state})
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"random.{name}"])
        files.saw(self.path, self.known)
        return run["history"]


def held(path: str | Path | None, doing: str) -> contextlib.AbstractContextManager[None]:
    """Nobody else writes the checkpoint while the block runs; nothing, for None. Raises ``files.Busy`` if he does."""
    return contextlib.nullcontext() if path is None else files.locked(path, doing)


def run_of(path: Path) -> dict[str, Any] | None:
    """Settings and history in the head of a checkpoint, unverified; None for any other file. No tensor is read."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length)) if length <= LONGEST_HEAD else {}
        run = json.loads(head["__metadata__"]["run"])
        ours = head["__metadata__"]["format"] == FORMAT and isinstance(run["settings"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return run if ours else None


LONGEST_HEAD = 100_000_000  # bytes, which is safetensors' own limit


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the settings and history in a checkpoint; no pickle is ever opened."""
    if path.is_dir():
        raise IsADirectoryError(f"checkpoint must name a file, got the folder {path}.")
    if not path.exists():
        raise FileNotFoundError(f"checkpoint must name a file that is there, got {path}.")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            # copies: the file itself, mapped into memory, could not be replaced on Windows while a run goes on from it
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
    except safetensors.SafetensorError as failure:
        raise ValueError(f"{path} is not a checkpoint, or is a damaged one ({failure}); {_CURE}") from failure
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} is not a checkpoint of vaecourse {FORMAT.split()[-1]}; {_CURE}")
    if metadata.get("sha256") != _digest(tensors, metadata.get("run", "")):
        raise ValueError(f"{path} is a damaged checkpoint: its content does not match its own sha256; {_CURE}")
    return tensors, json.loads(metadata["run"])


_CURE = "it is left as it is: name another file, or move this one away."


def _same_settings(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    different = [name for name in now if before.get(name) != now[name]]
    if different:
        said = "; ".join(f"{name} was {_short(before.get(name))} and is now {_short(now[name])}" for name in different)
        raise ValueError(f"{path} belongs to another run: {said}. Name another file, or use the settings of that run.")


def _short(value: object) -> str:
    return json.dumps(value).replace('"', "'")


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _digest(tensors: dict[str, Tensor], run: str) -> str:
    """The sha256 over all names, shapes, types, values and the text of the run."""
    total = hashlib.sha256(run.encode())
    for name in sorted(tensors):
        total.update(f"{name} {fingerprint(tensors[name])}".encode())
    return total.hexdigest()


def fingerprint(x: Tensor) -> str:
    """Shape, type and the beginning of the sha256 of the values."""
    values = x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{list(x.shape)} {str(x.dtype).removeprefix('torch.')} {hashlib.sha256(values.data).hexdigest()[:16]}"
