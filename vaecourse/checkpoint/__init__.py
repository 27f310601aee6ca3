"""A run in one file: all that it must keep to go on, after a kill, as if nothing had happened.

A checkpoint is a safetensors file. Its tensors are the weights ("model."), the state of the optimizer ("optimizer.")
and of the random generators ("random."); its metadata hold the settings, the history, and a digest of everything. It
is replaced in one piece or not at all, and no pickle is ever opened.

Anybody can compute a digest, so it tells damage and not who wrote a file. A file is compared with the run, or with the
model that it describes, name by name and shape by shape, before anything is allocated for it; and it is tried on copies
before the run is touched. A refusal leaves both as they were.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from vaecourse import files
from vaecourse.checkpoint.content import (
    FORMAT,
    LARGEST,
    Head,
    compare,
    damaged,
    digest,
    fingerprint,
    head_of,
    is_there,
    malformed,
    part,
    read,
    run_of,
    same_settings,
    short,
)

__all__ = [
    "FORMAT",
    "LARGEST",
    "Checkpoint",
    "Head",
    "compare",
    "damaged",
    "digest",
    "fingerprint",
    "head_of",
    "held",
    "is_number",
    "is_pass",
    "is_real",
    "is_there",
    "part",
    "read",
    "run_of",
    "same_settings",
    "short",
    "malformed",
]


def is_pass(row: list[Any]) -> bool:
    """Whether this is a row of a history: one bound or one for each seed, a number or none, and a number."""
    if len(row) != 3:
        return False
    bounds = row[0] if isinstance(row[0], list) else [row[0]]
    return all(is_number(value) for value in bounds) and (row[1] is None or is_real(row[1])) and is_number(row[2])


def is_real(value: object) -> bool:
    """Whether this came out of a JSON file as a number that a float can hold, NaN and infinities among them."""
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool))


def is_number(value: object) -> bool:
    """Whether this came out of a JSON file as a finite number."""
    return is_real(value) and math.isfinite(value)  # type: ignore[arg-type]


@dataclass
class Checkpoint:
    """What a run must keep to go on as if nothing had happened, and the file where it keeps it."""

    path: Path
    settings: dict[str, Any]
    model: nn.Module
    optimizer: torch.optim.Optimizer
    generators: dict[str, torch.Generator]
    known: files.Known = field(default_factory=dict)  # the file as this run wrote or read it
    owner: str | None = None  # a setting that a file must share to be replaced by this run
    row: Callable[[list[Any]], bool] = is_pass  # whether it can be a row of the history
    ended: bool = False  # whether somebody has ended the run before its last epoch

    def save(self, history: Sequence[tuple[Any, ...]], tell: Callable[[str], object] = files.say) -> None:
        """Replace the file by the run as it is now; ``history`` has one tuple of numbers for each epoch.

        A file that this run did not write or read is kept as a copy first, and ``tell`` says where.
        """
        tensors = self.tensors()
        run = json.dumps({"settings": self.settings, "history": history} | ({"ended": True} if self.ended else {}))
        metadata = {"format": FORMAT, "run": run, "sha256": digest(tensors, run)}
        kind = files.Kind("a checkpoint that this run may replace", self._may_replace)
        files.write(self.path, safetensors.torch.save(tensors, metadata), kind, self.known, tell)

    def tensors(self) -> dict[str, Tensor]:
        """Copies of the weights and of the states of the optimizer and of the generators, which ``take`` takes."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if value is not None:
                    tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
        for name, generator in self.generators.items():
            tensors[f"random.{name}"] = generator.get_state()
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}

    def _may_replace(self, path: Path) -> bool:
        run = run_of(path)
        return run is not None and (self.owner is None or run["settings"].get(self.owner) == self.settings[self.owner])

    def resume(self, epochs: int) -> list[list[Any]]:
        """Go on with the run in the file, if it is this run, and return its history.

        Without a file, make one: if it cannot be written, an error is better now than after an epoch.
        """
        if not is_there(self.path):
            self.save([])
            return []
        tensors, run = self.read(epochs)
        files.may_be_replaced(self.path)
        self.take(tensors)
        self.ended = run.get("ended") is True
        return run["history"]

    def read(self, epochs: int | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What is in the file, if all of it is this run's, whose model and optimizer can go on from it.

        Nothing changes. Raises ``ValueError`` for any other file and for more than so many ``epochs``, and ``OSError``
        as the function ``read`` does.
        """
        before = files.stamp(self.path) if is_there(self.path) else None
        own = sum(tensor.nbytes for tensor in self.model.state_dict().values())
        tried = _Tried(self.optimizer)
        tensors, run = read(self.path, functools.partial(self._compare, tried), max(LARGEST, 16 * own))
        same_settings(self.path, run["settings"], json.loads(json.dumps(self.settings)))
        if epochs is not None and len(run["history"]) > epochs:
            done = f"{len(run['history'])}, which {files.shown(self.path)} has behind it"
            raise ValueError(f"epochs must be at least {done}, got {epochs}.")
        for number, row in enumerate(run["history"], 1):
            if not self.row(row):
                raise malformed(self.path, f"row {number} of its history is {short(row)}")
        if wrong := next(self._faults(tried, tensors), None):
            raise malformed(self.path, wrong)
        if before is not None:
            self.known[files.real(self.path)] = before  # a change since this moment is somebody else's
        return tensors, run

    def take(self, tensors: dict[str, Tensor]) -> None:
        """Go on from these tensors, which ``read`` has returned."""
        self.model.load_state_dict(part(tensors, "model."))
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": _states(tensors)})
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"random.{name}"])

    def _compare(self, tried: _Tried, found: Head, run: dict[str, Any]) -> None:
        """Refuse a file whose tensors have not the names, types and shapes of this run's."""
        wanted = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        wanted |= {f"random.{name}": generator.get_state() for name, generator in self.generators.items()}
        different = compare(found, head_of(wanted), ("model.", "random.") if self.generators else ("model.",))
        if different is None and tried.state is not None and _is_torchs(self.optimizer):
            there = {key.split(".")[1] for key in found if key.startswith("optimizer.")}  # a weight may have no state
            states = {
                f"optimizer.{index}.{name}": torch.as_tensor(value)
                for index, state in tried.state.items()
                for name, value in state.items()
                if value is not None and str(index) in there
            }
            different = compare(found, head_of(states), ("optimizer.",))
        if different is not None:
            same_settings(self.path, run["settings"], json.loads(json.dumps(self.settings)))  # says why, if it is that
            raise malformed(self.path, different)

    def _faults(self, tried: _Tried, tensors: dict[str, Tensor]) -> Iterator[str]:
        """What keeps the run from going on with these tensors, of the right names and shapes, found out on copies."""
        for name, _ in self.model.named_parameters():
            if not tensors.get(f"model.{name}", torch.zeros((), device="cpu")).isfinite().all():
                yield f"model.{name} has entries that are not finite"
        for name, generator in self.generators.items():
            if not _is_state(tensors[f"random.{name}"], generator.device):
                yield f"random.{name} is no state of a generator"
        weights = sum(len(group["params"]) for single in _singles(self.optimizer) for group in single.param_groups)
        for name, tensor in part(tensors, "optimizer.").items():
            if int(name.split(".")[0]) >= weights:
                yield f"optimizer.{name} is of no weight that there is"
            elif _is_torchs(self.optimizer) and not tensor.isfinite().all():
                yield f"optimizer.{name} has entries that are not finite"
            elif _is_torchs(self.optimizer) and name.endswith(".step") and not _is_steps(tensor.item()):
                yield f"optimizer.{name} is {tensor.item():g}, and no number of steps"
        if tried.state is not None and not tried.goes_on_from(tensors):
            yield "the optimizer cannot go on from its state"


def _singles(optimizer: Any) -> Sequence[torch.optim.Optimizer]:
    """The optimizers that are kept as this one."""
    return getattr(optimizer, "optimizers", (optimizer,))


def _is_torchs(optimizer: Any) -> bool:
    """Whether the names and types of its states are known after one step; somebody else's may change them later."""
    return all(type(single).__module__.startswith("torch.optim") for single in _singles(optimizer))


def _is_steps(value: float) -> bool:
    """Whether an optimizer can have counted so far; a float32 gets no further than 2^24."""
    return 0 <= value <= 2**24 and value == int(value)


class _Tried:
    """A copy of an optimizer and of its weights, which takes a step without a slope, and then one from a file's state.

    ``state`` is that after the first; None for an optimizer that cannot take such a step.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer: Any = None
        self.state: dict[int, Any] | None = None
        with _aside():
            self.optimizer = copy.deepcopy(optimizer)
            if self._step():
                self.state = self.optimizer.state_dict()["state"]

    def goes_on_from(self, tensors: dict[str, Tensor]) -> bool:
        """Whether it takes a step from the state in these tensors, to weights that are finite."""
        with _aside():
            state = _states({name: x.clone() for name, x in tensors.items() if name.startswith("optimizer.")})
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
            return self._step()
        return False

    def _step(self) -> bool:
        weights = [w for single in _singles(self.optimizer) for group in single.param_groups for w in group["params"]]
        for weight in weights:
            weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
        for single in _singles(self.optimizer):
            single.step()
        return all(bool(weight.isfinite().all()) for weight in weights)


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """What is tried here may fail as it likes, for an optimizer may be anybody's, and draws no numbers of the run's."""
    with contextlib.suppress(Exception), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


def _states(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The optimizer's state of each parameter."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in part(tensors, "optimizer.").items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    return state


def _is_state(tensor: Tensor, device: torch.device) -> bool:
    """Whether a generator can take this up, and draws numbers from it."""
    other = torch.Generator(device)
    try:
        other.set_state(tensor)
    except (RuntimeError, TypeError):
        return False
    drawn = [torch.randn(2, generator=other, device=device, dtype=kind) for kind in (torch.float32, torch.float64)]
    return all(bool(numbers.isfinite().all()) for numbers in drawn)


def held(path: str | Path | None, doing: str) -> contextlib.AbstractContextManager[None]:
    """Nobody else writes the checkpoint while the block runs; nothing, for None. Raises ``files.Busy`` if he does."""
    return contextlib.nullcontext() if path is None else files.locked(path, doing)
