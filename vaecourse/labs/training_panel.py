"""The panel of a lab that trains: start, pause, so many steps at a speed, new, untrained and trained, save and load."""

from __future__ import annotations

import asyncio
import contextlib
import math
import reprlib
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets
from traitlets import TraitError

from vaecourse import files
from vaecourse.labs import at_stake, background
from vaecourse.labs.at_stake import AT_STAKE
from vaecourse.labs.controls import LARGEST_SEED
from vaecourse.labs.frame import Panel
from vaecourse.labs.shown import Left, take, waiting, while_there
from vaecourse.labs.store import ENDING, Refused, Store, inside, presenting, within
from vaecourse.labs.trainer import MOST_STEPS, Settings, one_thread, whole
from vaecourse.labs.transport import Transport
from vaecourse.labs.turns import in_turn

if TYPE_CHECKING:
    from vaecourse.labs.training import Training

PICTURES = 0.25  # seconds from one picture to the next while it trains
SENTENCES = 5.0  # seconds from one sentence to the next: a screen reader reads each of them out
SILENCE = 90.0  # seconds without an answer from the page, after which nobody is looking; a busy one is slow at first
STATUS = 8.0  # seconds for which a running training shows what became of a file
NOT_CONTINUED = "anew: the {} steps of the former run are not continued, for this cell trained before it showed the lab"
PRESSES = ("start", "pause", "step", "run", "reinitialise", "untrained", "trained")  # what a page may ask of Transport
FILES = ("save", "load")  # and of Store


class TrainingPanel(Panel):
    """A ``Training`` made live: what every lab has, and start, pause, step, reinitialise, save, load.

    Its controls are read at every step. One lab of a kernel trains at a time: starting another pauses this one, and so
    does making a second one of the same kind. It pauses by itself when the page stops answering, and ends with its
    widgets; but the lab that its cell makes in the next run goes on from its training, and says so, if that had more
    than ``AT_STAKE`` steps beside those of the cell itself. What stops a training is kept in ``error`` and told in the
    panel until the lab is started, stepped, reinitialised, reset or loaded.
    """

    experiment: Training
    _at_work: ClassVar[weakref.ref[TrainingPanel] | None] = None  # the one that trains, or did last

    @in_turn
    def __init__(self, experiment: Training) -> None:
        if (other := _last_at_work()) is not None and type(other.experiment) is type(experiment):
            other.pause("paused: this lab was opened again")
        self.trainer = experiment.begin(0)
        self._given = self._taken = 0  # of its steps, those of a former run, and those that its cell takes in each run
        self._settled = False
        self.failure: str | None = None  # what the training stopped with
        self.status = ""  # why it paused, or what became of a file; until something changes
        self._status_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._picture_at = self._sentence_at = -math.inf
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
                self.status = NOT_CONTINUED.format(left.what[0].steps)
                self.flush()
            return
        if (left := take(self)) is None:
            return
        former, settings = left.what
        self._set(settings)
        self.trainer.go_on_from(former)
        self._given = self.trainer.steps
        self.status = "continued from the training of the former run of this cell; Reset starts anew"
        self.flush()

    @property
    def running(self) -> bool:
        """Whether it trains."""
        return self._task is not None

    @in_turn
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
        TrainingPanel._at_work = weakref.ref(self)
        self._answered = math.inf
        me = weakref.proxy(self)  # a training does not hold its lab: one that nobody shows any more ends
        self._task = loop.create_task(background.run(weakref.ref(self), self.trainer.work(lambda: me.settings, steps)))
        self._show_state()

    @in_turn
    def pause(self, reason: str = "") -> None:
        """Stop after the step at hand; ``reason`` is shown in the panel. Does nothing if it does not train."""
        if self.running:
            self._halt(reason)
            self.flush()

    @in_turn
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

    def rest(self, since: float) -> float:
        """Seconds until the next step, at this speed, after one that ended at ``since``."""
        speed = self.transport.speed
        return since + 1 / speed - time.monotonic() if speed > 0 else 0.0

    @in_turn
    def trained(self) -> None:
        """Show what ``trained_steps`` steps from seed 0 make under the controls as they are."""
        self._halt()
        self.trainer, self._given, self._taken = self.experiment.begin(0), 0, 0
        self.trainer.go_on_from(self.experiment.trained(self.settings, self.experiment.trained_steps))
        self.flush()

    @in_turn
    def untrained(self) -> None:
        """Show the first weights of its seed, under the controls as they are."""
        self.reinitialise(self.trainer.seed)

    @in_turn
    def reinitialise(self, seed: int) -> None:
        """Begin again with the first weights of ``seed``, under the controls as they are."""
        seed = whole("seed", seed, 0, LARGEST_SEED)
        self._halt()
        self.trainer, self._given, self._taken = self.experiment.begin(seed), 0, 0
        self.flush()

    @in_turn
    def reset(self) -> None:
        """Pause, put every control back to where it was at the start, and begin again with seed 0."""
        self._halt()
        self._set(self.defaults)
        self.reinitialise(0)

    @in_turn
    def save(self, path: str | Path, tell: Callable[[str], object] = files.say) -> None:
        """Keep state and controls in a file, as ``Trainer.save`` does."""
        self.trainer.save(path, self.settings, tell)

    @in_turn
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
            let_go = at_stake.set_aside(self.trainer, before, Path(path).parent, type(self.experiment).__name__.lower())
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

    @in_turn
    def close(self) -> None:
        """End the training and take the panel away."""
        self._halt()
        super().close()

    @in_turn
    def flush(self) -> None:
        super().flush()
        self._picture_at = self._sentence_at = time.monotonic()
        self._show_state()

    def refresh(self) -> None:
        """What a running training calls after each piece of work: show the state, if it is time to."""
        now = time.monotonic()
        if now - self._status_at > STATUS:
            self.status = ""
        behind = self._answered < math.inf and self.transport.seen < self.transport.shown and now - self._picture_at < 2
        if self._panel.comm is None:
            self._halt()
        elif now - self._answered > SILENCE:
            self.pause("paused: the page no longer answers")
        elif now - self._picture_at > PICTURES and not behind and not self.pending:
            sentence = self._draw()
            self._picture_at = time.monotonic()
            if now - self._sentence_at > SENTENCES or self.error:
                self._sentence_at = now
                self._tell(sentence)
            self._show_state()

    @in_turn
    def finish(self, error: Exception | None = None) -> None:
        """What a running training calls when it ends, and with what."""
        self._halt()
        if error is not None:
            self._fail(error)
        self.flush()

    def _fail(self, error: Exception) -> None:
        self.failure = f"{type(error).__name__}: {error}"

    def _halt(self, reason: str = "") -> None:
        """No training, no failure of an earlier one, and only this as the status."""
        task, self._task, self.failure, self.status = self._task, None, None, reason
        if task is not None and not task.get_loop().is_closed():
            task.get_loop().call_soon_threadsafe(task.cancel)

    @in_turn
    def _ask(self, change: object) -> None:
        """A control has moved: its sentence at once, its picture soon; of a storm the first sentence and the last."""
        self.status = ""
        if self._due is None and self.failure is None:
            with contextlib.suppress(Exception):  # the picture stops at the same, and tells it
                self._tell(self.experiment.sentence(self._compute(self.settings)))
        super()._ask(change)

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
        self.transport.state = f"step {self.trainer.steps}, seed {self.trainer.seed}: {self.status or doing}"
        self.transport.at_stake = at_stake.told(self.trainer)
        self.transport.shown += 1

    def _hear(self, _change: object) -> None:
        self._answered = time.monotonic()

    @in_turn
    def _obey(self, message: object, may: Sequence[str]) -> None:
        """Do what a widget of the page asks for, if it ``may``. An error is told in the panel: no cell is there."""
        try:
            status = self._done(message, may)
        except Refused as refusal:
            status = str(refusal)
        except Exception as error:  # noqa: BLE001
            status = f"{type(error).__name__}: {error}"
        if status:
            self.status, self._status_at = status, time.monotonic()
            self._show_state()

    def _done(self, message: object, may: Sequence[str]) -> str:
        """Do it, and return what there is to tell."""
        asked = message.get("do") if isinstance(message, Mapping) else message
        if not isinstance(message, Mapping) or not isinstance(asked, str) or asked not in may:
            raise Refused(f"Nothing was done: these buttons ask for {' or '.join(may)}, got {reprlib.repr(asked)}.")
        file = inside(message.get("file")) if asked in FILES else Path()
        sentences: list[str] = []
        match asked:
            case "start":
                self.start()
            case "pause":
                self.pause()
            case "step":
                self.start(steps=1)
            case "run":
                self.start(message.get("steps"))
            case "untrained":
                self.untrained()
            case "trained":  # seen as it climbs: some seconds
                self.reinitialise(0)
                self.start(self.experiment.trained_steps)
            case "reinitialise":
                self.reinitialise(self.trainer.seed + 1)
            case "save":
                self.save(file, sentences.append)
                return " ".join([f"saved in {within(file)}", *(f"({sentence})" for sentence in sentences)])
            case "load":
                self.load(file, sentences.append)
                return " ".join([f"loaded from {within(file)}", *(f"({sentence})" for sentence in sentences)])
        return ""

    def _arrange(self) -> ipywidgets.VBox:
        """What is pressed in a lecture stands first at the desk, files last."""
        panel = super()._arrange()
        _, sides = panel.children
        _, desk = sides.children
        settings, buttons = desk.children
        desk.children = (self.transport, buttons, settings, *filter(None, [self.store]))
        return panel.add_class("vaecourse-live")


def _last_at_work() -> TrainingPanel | None:
    return None if TrainingPanel._at_work is None else TrainingPanel._at_work()
