"""What a lab trains, without any widget: seeded, cut into pieces of a few milliseconds, saved and gone on with."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vaecourse import arguments, checkpoint, data, descent, files
from vaecourse.labs.controls import LARGEST_SEED

Settings = Mapping[str, Any]

LONGEST = 400  # rows of a history; then every second one is let go
MOST_STEPS = 10**9  # weeks of training: whoever asks for more has mistyped


class Optimizers:
    """Optimisers whose states are kept as one, in a checkpoint."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers

    def state_dict(self) -> dict[str, Any]:
        state: dict[int, Any] = {}
        for before, optimizer in self._numbered():
            state |= {before + index: own for index, own in optimizer.state_dict()["state"].items()}
        return {"state": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for before, optimizer in self._numbered():
            own = {
                index - before: s for index, s in state["state"].items() if before <= index < before + _size(optimizer)
            }
            optimizer.load_state_dict({**optimizer.state_dict(), "state": own})

    def _numbered(self) -> Iterator[tuple[int, torch.optim.Optimizer]]:
        """Each optimiser, and how many parameters come before its own."""
        before = 0
        for optimizer in self.optimizers:
            yield before, optimizer
            before += _size(optimizer)


def _size(optimizer: torch.optim.Optimizer) -> int:
    return sum(len(group["params"]) for group in optimizer.param_groups)


AnyOptimizer = torch.optim.Optimizer | Optimizers


class Trainer:
    """A model, its optimiser, its random numbers, and what was measured on the way.

    ``steps`` are behind it. ``history`` has a row for each measurement, the step and then the numbers of ``columns``;
    ``turns`` are the steps at which a setting had changed. Two trainers with the same seed and the same settings at
    each step are equal to the last bit, whatever was saved, loaded or shown in between.
    """

    model: nn.Module
    columns: ClassVar[Sequence[str]]
    every: ClassVar[int] = 20  # steps from one measurement to the next

    def __init__(self, model: nn.Module, pixels: Tensor, seed: int, batch_size: int = 100, rate: float = 5e-3) -> None:
        seed = whole("seed", seed, 0, LARGEST_SEED)
        self.model, self.pixels, self.seed, self.batch_size = model, pixels, seed, batch_size
        self.optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        self.random = torch.Generator().manual_seed(seed)
        self.steps = 0
        self.history: list[list[float]] = []
        self.turns: list[int] = []
        self._before: dict[str, Any] | None = None
        self.known: files.Known = {}  # the files that hold earlier states of this training, as they were then
        self.filed = 0  # of its steps, those that are in the file that was saved or loaded last
        self.file: Path | None = None  # and that file

    def backward(self, x: Tensor, settings: Settings) -> None:
        """Fill ``.grad`` of the loss on x ``[B, D]``, zeros and ones, with noise from ``self.random``."""
        raise NotImplementedError

    def measure(self, settings: Settings) -> Generator[None, None, Sequence[float]]:
        """Return the numbers of ``columns``; ``yield`` wherever a control may be answered. Draws its own noise."""
        raise NotImplementedError

    def step(self, settings: Settings) -> None:
        """One step of the optimiser, under these settings.

        Raises ``FloatingPointError`` if a gradient is not finite; then the model is as it was.
        """
        settings = dict(settings)
        if self._before not in (None, settings):
            self.turns = thinned([*self.turns, self.steps])
        self._before = settings
        batch = torch.randperm(len(self.pixels), generator=self.random)[: self.batch_size]
        x = data.binarise(self.pixels[batch], self.random)
        descent.step(self.optimizer, self.model.parameters(), lambda: self.backward(x, settings))
        self.steps += 1

    @property
    def due(self) -> bool:
        """Whether the next thing to do is to measure."""
        return not self.history or (self.steps % self.every == 0 and self.history[-1][0] < self.steps)

    def record(self, settings: Settings) -> Iterator[None]:
        """Measure, in pieces, and add a row to the history."""
        step = self.steps
        numbers = yield from self.measure(settings)
        self.history.append([step, *numbers])
        if len(self.history) > LONGEST:
            self.history = self.history[::2] if len(self.history) % 2 else [*self.history[::2], self.history[-1]]

    def work(self, settings: Callable[[], Settings], steps: float = math.inf) -> Iterator[None]:
        """Train for ``steps`` steps, in pieces of a few milliseconds, and measure; each reads the controls anew."""
        goal = self.steps + steps
        while self.steps < goal:
            if self.due:
                yield from self.record(settings())
            self.step(settings())
            yield
        if not self.history or self.history[-1][0] < self.steps:
            yield from self.record(settings())

    def train(self, settings: Settings, steps: int) -> Trainer:
        """Train for ``steps`` steps and measure, now."""
        steps = whole("steps", steps, 0, MOST_STEPS)
        for _ in self.work(lambda: settings, steps):
            pass
        return self

    def curve(self, column: str) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """The steps at which ``column`` was measured, and its values."""
        rows = np.array(self.history, dtype=float).reshape(-1, 1 + len(self.columns))
        return rows[:, 0], rows[:, 1 + list(self.columns).index(column)]

    def latest(self, column: str) -> float:
        """The last value of ``column``."""
        return self.history[-1][1 + list(self.columns).index(column)]

    def saved_parts(self) -> tuple[nn.Module, AnyOptimizer]:
        """All weights that a file must hold, and all optimisers."""
        return self.model, self.optimizer

    def save(self, path: str | Path, settings: Settings, tell: Callable[[str], object] = files.say) -> None:
        """Keep the whole state in a file, and the controls with it.

        A file that this training did not write or read is kept as a copy first, and ``tell`` says where. Raises
        ``ValueError`` for a file that no lab of this kind has saved, and ``OSError`` if it cannot be written.
        """
        file = self._checkpoint(path)
        file.settings |= {"steps": self.steps, "seed": self.seed, "turns": self.turns}
        file.settings |= {"before": self._before, "controls": dict(settings)}
        with files.locked(path, "saving a lab", wait=10):
            file.save([tuple(row) for row in self.history], tell)
        self.filed, self.file = self.steps, Path(path)

    def load(self, path: str | Path) -> dict[str, Any]:
        """Take up the state in a file; return the controls as they stood.

        Raises ``OSError`` if there is no file to read, and ``ValueError`` for one that is damaged or of another lab;
        then nothing has changed.
        """
        file = self._checkpoint(path)
        file.known = {}
        tensors, run = file.read()
        try:
            saved = self._saved(run["settings"], run["history"])
        except (TypeError, ValueError, RecursionError) as failure:
            reason = "nested too deeply" if isinstance(failure, RecursionError) else f"{failure!s:.200}".rstrip(".")
            raise checkpoint.malformed(path, reason) from failure
        file.take(tensors)
        self.known = file.known  # no other file: what this trained before is another training
        self.history, self.steps, self.turns = run["history"], saved["steps"], thinned(sorted({*saved["turns"]}))
        self._before, self.seed, self.filed = saved["before"], saved["seed"], self.steps
        self.file = Path(path)
        return saved["controls"]

    def go_on_from(self, other: Trainer) -> None:
        """Take up the state of another trainer of the same kind, which stays as it is, and the files that it knows."""
        self._checkpoint("").take(other._checkpoint("").tensors())
        self.history, self.turns = [list(row) for row in other.history], list(other.turns)
        self._before, self.steps, self.seed = other._before, other.steps, other.seed
        self.known, self.filed, self.file = dict(other.known), other.filed, other.file

    @staticmethod
    def _saved(saved: dict[str, Any], history: list[list[Any]]) -> dict[str, Any]:
        """What ``save`` has written beside the weights, if it could have written this."""
        steps, turns = whole("steps", saved.get("steps"), 0, 2**53), saved.get("turns")
        whole("seed", saved.get("seed"), 0, LARGEST_SEED)
        for name, known in (("turns", turns), ("the steps of the history", [row[0] for row in history])):
            known = arguments.counts(name, known, at_least=0)
            if known != sorted(known) or (known and known[-1] > steps):
                raise ValueError(f"{name} must rise to no more than steps = {steps}")
        if len(history) > LONGEST:
            raise ValueError(f"the history must have at most {LONGEST} rows, got {len(history)}")
        for name in ("before", "controls"):
            if not (name == "before" and saved.get(name) is None) and not _are_controls(saved.get(name)):
                raise ValueError(f"{name} must be values of controls, by their names")
        return saved

    def _checkpoint(self, path: str | Path) -> checkpoint.Checkpoint:
        module, optimizer = self.saved_parts()
        shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
        settings = {"trainer": type(self).__name__, "columns": list(self.columns), "shapes": shapes}
        generators = {"trainer": self.random}
        row = functools.partial(_is_measured, columns=len(self.columns))
        return checkpoint.Checkpoint(Path(path), settings, module, optimizer, generators, self.known, "trainer", row)  # type: ignore[arg-type]


def thinned(turns: list[int]) -> list[int]:
    """At most ``LONGEST`` of them, for each is a line in the picture: every second is let go till they are so few."""
    while len(turns) > LONGEST:
        turns = turns[::2] if len(turns) % 2 else [*turns[::2], turns[-1]]
    return turns


def _is_measured(row: list[Any], columns: int) -> bool:
    """Whether this can be a row of a trainer's history: a step, and then so many numbers."""
    begins = len(row) == 1 + columns and isinstance(row[0], int) and not isinstance(row[0], bool)
    return begins and all(checkpoint.is_real(value) for value in row[1:])


def _are_controls(values: object) -> bool:
    """Whether these can be the values of a lab's controls, each under its name."""
    if not isinstance(values, dict) or not all(name.isidentifier() for name in values):
        return False
    words = [value for value in values.values() if not checkpoint.is_number(value)]
    return all(isinstance(word, (bool, str)) and len(str(word)) < 200 for word in words)


def whole(name: str, value: object, at_least: int, at_most: int) -> int:
    """Return ``value``, typed by hand or read from a file, as an int in ``[at_least, at_most]``."""
    number = arguments.count(name, value, at_least)
    if number > at_most:
        got = number if number < 10**20 else "one of more than 20 digits"
        raise ValueError(f"{name} must be at most {at_most}, got {got}.")
    return number


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: these models are too small for two, and the other core is the page's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def digits() -> data.Images:
    """The digits, read once."""
    return data.digits()
