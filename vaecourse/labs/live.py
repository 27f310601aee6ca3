"""The frame of a lab that trains while its controls are turned.

.. code-block:: python

    class Climber(Trainer):                        # what is trained, without any widget: seeded, saved, tested
        columns = ["bound"]
        def backward(self, x, settings): ...       # fill .grad of the loss under the controls as they stand
        def measure(self, settings): yield; ...; return [value]   # in pieces; the numbers of ``columns``

    class LatentSpace(Training):
        controls, presets, stills = ...            # as in every lab
        def begin(self, seed): return Climber(...) # untrained
        def look(self, trainer, settings): ...     # -> what ``update`` and ``sentence`` need; a few milliseconds

The training lives on the event loop that hears the page: a piece of work, a few milliseconds long, then whatever has
arrived, then the next piece. It makes no thread, so nothing can outlive the kernel. benchmarks/live.py has the
measurement behind this choice. JupyterLab hears its widgets on a thread that the kernel keeps for them (a subshell),
and cells run on another: hence a lab does one thing at a time, and who comes second waits for the end of a piece.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import reprlib
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from traitlets import Bool, Int, TraitError, Unicode

from vaecourse import arguments, checkpoint, data, descent, files
from vaecourse.labs.controls import HERE, LARGEST_SEED, FromPage, text
from vaecourse.labs.frame import Experiment, Lab
from vaecourse.labs.shown import Left, take, waiting, while_there
from vaecourse.labs.store import ENDING, Refused, Store, inside, presenting, within

__all__ = ["LiveLab", "Trainer", "Training"]

Settings = Mapping[str, Any]

PICTURES = 0.25  # seconds from one picture to the next while it trains
WORDS = 5.0  # seconds from one sentence to the next: a screen reader reads each of them out
LOST = 20.0  # seconds without an answer from the page, after which nobody is looking
NOTES = 8.0  # seconds for which a running training shows what became of a file
YIELDS = 8  # turns of the loop between two pieces: what a message takes from the socket to the control
LONGEST = 400  # rows of a history; then every second one is let go
MOST_STEPS = 10**9  # weeks of training: whoever asks for more has mistyped
NOT_CONTINUED = "anew: the {} steps of the former run are not continued, for this cell trained before it showed the lab"
AT_STAKE = 100  # steps of a training that are worth keeping when its cell is run again, or a file is loaded
PRESSES, FILES = ("start", "pause", "step", "renew"), ("save", "load")  # what a page may ask of Transport and of Store

# What is trained -----------------------------------------------------------------------------------------------------


class Together:
    """Optimisers whose states are kept as one, in a checkpoint."""

    def __init__(self, *climbers: torch.optim.Optimizer) -> None:
        self.climbers = climbers

    def state_dict(self) -> dict[str, Any]:
        state: dict[int, Any] = {}
        for before, climber in self._numbered():
            state |= {before + index: kept for index, kept in climber.state_dict()["state"].items()}
        return {"state": state}

    def load_state_dict(self, kept: Mapping[str, Any]) -> None:
        for before, climber in self._numbered():
            own = {index - before: s for index, s in kept["state"].items() if before <= index < before + _size(climber)}
            climber.load_state_dict({**climber.state_dict(), "state": own})

    def _numbered(self) -> Iterator[tuple[int, torch.optim.Optimizer]]:
        """Each optimiser, and how many parameters come before its own."""
        before = 0
        for climber in self.climbers:
            yield before, climber
            before += _size(climber)


def _size(climber: torch.optim.Optimizer) -> int:
    return sum(len(group["params"]) for group in climber.param_groups)


Climber = torch.optim.Optimizer | Together


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
        self.climber = torch.optim.Adam(model.parameters(), lr=rate)
        self.random = torch.Generator().manual_seed(seed)
        self.steps = 0
        self.history: list[list[float]] = []
        self.turns: list[int] = []
        self._before: dict[str, Any] | None = None
        self.known: files.Known = {}  # the files that hold earlier states of this training, as they were then
        self.filed = 0  # of its steps, those that are in the file that was saved or loaded last

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
        descent.step(self.climber, self.model.parameters(), lambda: self.backward(x, settings))
        self.steps += 1

    @property
    def due(self) -> bool:
        """Whether the next thing to do is to measure."""
        return not self.history or (self.steps % self.every == 0 and self.history[-1][0] < self.steps)

    def note(self, settings: Settings) -> Iterator[None]:
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
                yield from self.note(settings())
            self.step(settings())
            yield
        if not self.history or self.history[-1][0] < self.steps:
            yield from self.note(settings())

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

    def kept(self) -> tuple[nn.Module, Climber]:
        """All weights that a file must hold, and all optimisers."""
        return self.model, self.climber

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
        self.filed = self.steps

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
            said = "nested too deeply" if isinstance(failure, RecursionError) else f"{failure!s:.200}".rstrip(".")
            raise checkpoint.strange(path, said) from failure
        file.take(tensors)
        self.known = file.known  # no other file: what this trained before is another training
        self.history, self.steps, self.turns = run["history"], saved["steps"], thinned(sorted({*saved["turns"]}))
        self._before, self.seed, self.filed = saved["before"], saved["seed"], self.steps
        return saved["controls"]

    def go_on_from(self, other: Trainer) -> None:
        """Take up the state of another trainer of the same kind, which stays as it is, and the files that it knows."""
        self._checkpoint("").take(other._checkpoint("").tensors())
        self.history, self.turns = [list(row) for row in other.history], list(other.turns)
        self._before, self.steps, self.seed = other._before, other.steps, other.seed
        self.known, self.filed = dict(other.known), other.filed

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
        module, climber = self.kept()
        shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
        settings = {"trainer": type(self).__name__, "columns": list(self.columns), "shapes": shapes}
        generators = {"trainer": self.random}
        row = functools.partial(_is_measured, columns=len(self.columns))
        return checkpoint.Checkpoint(Path(path), settings, module, climber, generators, self.known, "trainer", row)  # type: ignore[arg-type]


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


# What its author writes ----------------------------------------------------------------------------------------------


class Training(Experiment):
    """An experiment that trains. ``still_steps`` is how long it does so for a picture without a kernel."""

    still_steps: ClassVar[int] = 200

    def begin(self, seed: int) -> Trainer:
        """An untrained trainer."""
        raise NotImplementedError

    def look(self, trainer: Any, settings: Settings) -> Any:
        """What the picture and the sentence need, from the state as it is. Leaves it as it is."""
        raise NotImplementedError

    def compute(self, trainer: Trainer | None = None, **settings: Any) -> Any:
        """What ``look`` sees in ``trainer``; without one, in one that trained ``still_steps`` steps from seed 0."""
        if trainer is None:
            trainer = _trained(type(self), tuple(sorted(settings.items())))  # type: ignore[arg-type]
        return self.look(trainer, settings)

    def live(self) -> LiveLab:
        return LiveLab(self)


@lru_cache(maxsize=8)
def _trained(experiment: type[Training], settings: tuple[tuple[str, Any], ...]) -> Trainer:
    with one_thread():
        return experiment().begin(0).train(dict(settings), experiment.still_steps)


# The panel -----------------------------------------------------------------------------------------------------------


class Transport(FromPage, anywidget.AnyWidget):
    """Start and pause, one step, new weights. ``seen`` is the page's answer to ``shown``."""

    from_page = ("seen",)
    _esm = text(HERE / "js/transport.js")
    _css = text(HERE / "lab.css")
    running = Bool(False).tag(sync=True)
    state = Unicode().tag(sync=True)  # what is told beside the buttons
    shown = Int(0).tag(sync=True)
    seen = Int(0).tag(sync=True)


_TURN = threading.RLock()  # whoever holds it has the labs that train for himself


def _in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def when_free(*args: Any, **settings: Any) -> Any:
        with _TURN:
            return method(*args, **settings)

    return when_free


class LiveLab(Lab):
    """A ``Training`` made live: what every lab has, and ``start``, ``pause``, ``step``, ``renew``, ``save``, ``load``.

    Its controls are read at every step. One lab of a kernel trains at a time: starting another pauses this one, and so
    does making a second one of the same kind. It pauses by itself when the page stops answering, and ends with its
    widgets; but the lab that its cell makes in the next run goes on from its training, and says so, if that had more
    than ``AT_STAKE`` steps beside those of the cell itself. What stops a training is kept in ``error`` and told in the
    panel until the lab is started, stepped, renewed, reset or loaded.
    """

    experiment: Training
    _at_work: ClassVar[weakref.ref[LiveLab] | None] = None  # the one that trains, or did last

    @_in_turn
    def __init__(self, experiment: Training) -> None:
        if (other := _last_at_work()) is not None and type(other.experiment) is type(experiment):
            other.pause("paused: this lab was opened again")
        self.trainer = experiment.begin(0)
        self._given = self._taken = 0  # of its steps, those of a former run, and those that its cell takes in each run
        self._settled = False
        self.failure: str | None = None  # what the training stopped with
        self.note = ""  # why it paused, or what became of a file; until something changes
        self._noted = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._drawn = self._told = -math.inf
        self._answered = math.inf  # when the page last did; not yet
        self.transport = Transport()
        self.store = None if presenting() else Store(file=f"{type(experiment).__name__.lower()}{ENDING}")
        super().__init__(experiment)
        self.transport.on_msg(while_there(self, lambda lab, _, message, __: lab._obey(message, PRESSES)))
        if self.store is not None:
            self.store.on_msg(while_there(self, lambda lab, _, message, __: lab._obey(message, FILES)))
        self.transport.observe(while_there(self, lambda lab, change: lab._hear(change)), "seen")
        self.go_on()

    def leave(self) -> Left | None:
        """What the lab of the next run of this cell goes on from; None if nothing is lost with this one."""
        if self.trainer.steps - self._taken <= AT_STAKE:
            return None
        return Left(type(self.experiment), (self.trainer, self.settings))

    def settle(self) -> None:
        """Its cell has run: what it has trained up to now, it trains again in the next run."""
        if not self._settled:
            self._settled, self._taken = True, self.trainer.steps - self._given

    def go_on(self) -> None:
        """Go on from the training of the former run of this cell, if it left one and nothing is trained here yet."""
        if self.trainer.steps:
            if (left := waiting(self)) is not None and left.what[0].steps > self.trainer.steps:
                self.note = NOT_CONTINUED.format(left.what[0].steps)
                self.flush()
            return
        if (left := take(self)) is None:
            return
        former, settings = left.what
        self._set(settings)
        self.trainer.go_on_from(former)
        self._given = self.trainer.steps
        self.note = "continued from the training of the former run of this cell; Reset starts anew"
        self.flush()

    @property
    def running(self) -> bool:
        """Whether it trains."""
        return self._task is not None

    @_in_turn
    def start(self, steps: float = math.inf) -> None:
        """Train in the background until ``pause``, or for ``steps`` steps.

        Raises ``RuntimeError`` where no event loop runs, as outside of a notebook; ``step`` does without one.
        """
        if steps != math.inf:
            steps = whole("steps", steps, 1, MOST_STEPS)
        loop = asyncio.get_running_loop()
        if (other := _last_at_work()) is not None and other is not self:
            other.pause("paused: another lab trains")
        self._halt()
        LiveLab._at_work = weakref.ref(self)
        self._answered = math.inf
        me = weakref.proxy(self)  # a training does not hold its lab: one that nobody shows any more ends
        self._task = loop.create_task(_train(weakref.ref(self), self.trainer.work(lambda: me.settings, steps)))
        self._show_state()

    @_in_turn
    def pause(self, note: str = "") -> None:
        """Stop after the step at hand; ``note`` is told in the panel. Does nothing if it does not train."""
        if self.running:
            self._halt(note)
            self.flush()

    @_in_turn
    def step(self, steps: int = 1) -> None:
        """Train for ``steps`` steps, now."""
        steps = whole("steps", steps, 1, MOST_STEPS)
        self._halt()
        try:
            with one_thread():
                self.trainer.train(self.settings, steps)
        except Exception as error:  # noqa: BLE001 - it must be told in the lab, as in a training that runs
            self._fail(error)
        self.flush()

    @_in_turn
    def renew(self, seed: int) -> None:
        """Begin again with the first weights of ``seed``, under the controls as they are."""
        seed = whole("seed", seed, 0, LARGEST_SEED)
        self._halt()
        self.trainer, self._given, self._taken = self.experiment.begin(seed), 0, 0
        self.flush()

    @_in_turn
    def reset(self) -> None:
        """Pause, put every control back to where it was at the start, and begin again with seed 0."""
        self._halt()
        self._set(self.defaults)
        self.renew(0)

    @_in_turn
    def save(self, path: str | Path, tell: Callable[[str], object] = files.say) -> None:
        """Keep state and controls in a file, as ``Trainer.save`` does."""
        self.trainer.save(path, self.settings, tell)

    @_in_turn
    def load(self, path: str | Path, tell: Callable[[str], object] = files.say) -> None:
        """Take up state and controls from a file, and pause.

        ``tell`` says what became of the steps that were in no file: more than ``AT_STAKE`` of them are kept as a copy.
        Raises as ``Trainer.load`` does, ``OSError`` where that copy cannot be written, and ``ValueError`` for controls
        that this lab does not have; then nothing has changed, and what trained goes on.
        """
        trainer, before = self.experiment.begin(0), self.settings
        controls = trainer.load(path)
        try:
            whole("steps", trainer.steps, 0, MOST_STEPS)
            whole("seed", trainer.seed, 0, LARGEST_SEED)
        except (TypeError, ValueError) as failure:
            raise ValueError(f"{path} cannot be taken up: {failure}") from failure
        if controls.keys() != before.keys():
            raise ValueError(f"{path} must have the controls {', '.join(before)}, got {', '.join(controls)}.")
        try:
            self._set(controls)
            let_go = self._set_aside(Path(path).parent, before)
        except (TraitError, ValueError, OSError) as failure:
            self._set(before)
            if isinstance(failure, TraitError):
                raise ValueError(f"{path} has a control that this lab cannot take: {failure}") from failure
            raise
        self._halt()
        self.trainer, self._given, self._taken = trainer, 0, 0
        self.flush()
        if let_go:
            tell(let_go)

    def _set_aside(self, folder: Path, settings: Settings) -> str:
        """Keep a training that another takes the place of, in ``kept``; return what became of the steps in no file."""
        steps = self.trainer.steps - self.trainer.filed
        if steps <= AT_STAKE:
            return f"{steps} steps that were in no file were let go." if steps else ""
        folder = folder if folder.name == files.KEPT else folder / files.KEPT
        copy = folder / f"{type(self.experiment).__name__.lower()}-{time.strftime('%Y-%m-%d-%H%M%S')}{ENDING}"
        try:
            files.own_folder(folder)
            self.trainer.save(copy, settings)
        except (ValueError, OSError) as failure:
            raise OSError(f"{steps} steps in no file could not be kept: {failure} Save them first.") from failure
        return f"{steps} steps that were in no file are kept in {files.shown(copy)}."

    @_in_turn
    def close(self) -> None:
        """End the training and take the panel away."""
        self._halt()
        super().close()

    @_in_turn
    def flush(self) -> None:
        super().flush()
        self._drawn = self._told = time.monotonic()
        self._show_state()

    def tick(self) -> None:
        """What a running training calls after each piece of work: show the state, if it is time to."""
        now = time.monotonic()
        if now - self._noted > NOTES:
            self.note = ""
        behind = self._answered < math.inf and self.transport.seen < self.transport.shown and now - self._drawn < 2
        if self._panel.comm is None:
            self._halt()
        elif now - self._answered > LOST:
            self.pause("paused: the page no longer answers")
        elif now - self._drawn > PICTURES and not behind and not self.pending:
            sentence = self._draw()
            self._drawn = time.monotonic()
            if now - self._told > WORDS or self.error:
                self._told = now
                self._tell(sentence)
            self._show_state()

    @_in_turn
    def finish(self, error: Exception | None = None) -> None:
        """What a running training calls when it ends, and with what."""
        self._halt()
        if error is not None:
            self._fail(error)
        self.flush()

    def _fail(self, error: Exception) -> None:
        self.failure = f"{type(error).__name__}: {error}"

    def _halt(self, note: str = "") -> None:
        """No training, no failure of an earlier one, and only this note."""
        task, self._task, self.failure, self.note = self._task, None, None, note
        if task is not None and not task.get_loop().is_closed():
            task.get_loop().call_soon_threadsafe(task.cancel)

    @_in_turn
    def _ask(self, change: object) -> None:
        """A control has moved: its sentence at once, its picture soon; of a storm the first sentence and the last."""
        self.note = ""
        if self._due is None and self.failure is None:
            with contextlib.suppress(Exception):  # the picture stops at the same, and tells it
                self._tell(self.experiment.sentence(self._compute(self.settings)))
        super()._ask(change)

    @_in_turn
    def _set(self, settings: Mapping[str, Any]) -> None:
        super()._set(settings)

    def _compute(self, settings: Settings) -> Any:
        with one_thread():
            return self.experiment.compute(trainer=self.trainer, **settings)

    def _draw(self) -> str:
        sentence = super()._draw()
        if self.failure is not None and self.error is None:
            self.error = self.failure
            sentence = f"Training stopped after step {self.trainer.steps}. {self.failure} {sentence}"
        return sentence

    def _show_state(self) -> None:
        at_rest = "paused" if self.trainer.steps else "not started"
        doing = "training" if self.running else "stopped by an error" if self.failure else at_rest
        self.transport.running = self.running
        self.transport.state = f"step {self.trainer.steps}, seed {self.trainer.seed}: {self.note or doing}"
        self.transport.shown += 1

    def _hear(self, _change: object) -> None:
        self._answered = time.monotonic()

    @_in_turn
    def _obey(self, message: object, may: Sequence[str]) -> None:
        """Do what a widget of the page asks for, if it ``may``. An error is told in the panel: no cell is there."""
        try:
            note = self._done(message, may)
        except Refused as refusal:
            note = str(refusal)
        except Exception as error:  # noqa: BLE001
            note = f"{type(error).__name__}: {error}"
        if note:
            self.note, self._noted = note, time.monotonic()
            self._show_state()

    def _done(self, message: object, may: Sequence[str]) -> str:
        """Do it, and return what there is to tell."""
        asked = message.get("do") if isinstance(message, Mapping) else message
        if not isinstance(message, Mapping) or not isinstance(asked, str) or asked not in may:
            raise Refused(f"Nothing was done: these buttons ask for {' or '.join(may)}, got {reprlib.repr(asked)}.")
        file = inside(message.get("file")) if asked in FILES else Path()
        kept: list[str] = []
        match asked:
            case "start":
                self.start()
            case "pause":
                self.pause()
            case "step":
                self.start(steps=1)
            case "renew":
                self.renew(self.trainer.seed + 1)
            case "save":
                self.save(file, kept.append)
                return " ".join([f"saved in {within(file)}", *(f"({sentence})" for sentence in kept)])
            case "load":
                self.load(file, kept.append)
                return " ".join([f"loaded from {within(file)}", *(f"({sentence})" for sentence in kept)])
        return ""

    def _arrange(self) -> ipywidgets.VBox:
        """What is pressed in a lecture stands right under the picture, the rest beside it where there is room."""
        panel = super()._arrange()
        title, picture, sentence, settings, buttons = panel.children
        stage = ipywidgets.VBox([picture, sentence, self.transport, buttons]).add_class("vaecourse-stage")
        desk = ipywidgets.VBox([settings, *filter(None, [self.store])]).add_class("vaecourse-desk")
        panel.children = (title, ipywidgets.Box([stage, desk]).add_class("vaecourse-room"))
        return panel.add_class("vaecourse-live")


def _last_at_work() -> LiveLab | None:
    return None if LiveLab._at_work is None else LiveLab._at_work()


async def _train(owner: weakref.ref[LiveLab], pieces: Iterator[None]) -> None:
    """A piece of work, then whatever else has arrived, until the work is done or the lab is gone.

    A pause ends it here, between two pieces.
    """
    while (lab := owner()) is not None:
        with _TURN:
            if lab._task is not asyncio.current_task():  # paused by another thread
                return
            try:
                with one_thread():
                    next(pieces)
            except StopIteration:
                return lab.finish()
            except Exception as error:  # noqa: BLE001 - a task has no cell: it must be told in the lab
                return lab.finish(error)
        await _others(lab)
        with _TURN:
            if lab._task is asyncio.current_task():
                lab.tick()
        await _others(lab)
        del lab


async def _others(lab: LiveLab) -> None:
    """Whatever else has arrived."""
    for _ in range(YIELDS):
        await asyncio.sleep(0)
    while lab.pending:  # a control has moved: its picture comes first
        await asyncio.sleep(0.002)
