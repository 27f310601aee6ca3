"""The training loop: one bound climbed by Adam, epochs that survive a kill, a history that survives a Ctrl-C."""

from __future__ import annotations

import contextlib
import inspect
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse import arguments, batches, descent, description, evaluate, objectives
from vaecourse import checkpoint as checkpoints
from vaecourse.data import Images, between_0_and_1
from vaecourse.data import binarise as draw_pixels
from vaecourse.latent import Data, LatentVariableModel, mode
from vaecourse.models import VAE
from vaecourse.objectives import Objective


class GradientsAndBound(Protocol):
    """An objective beside the table, as ``infovae.InfoVAE`` is: it fills ``.grad`` itself and returns the ELBO, [B]."""

    name: str
    parameters: dict[str, Any]

    def gradients_and_bound(
        self, model: VAE, x: Tensor, M: int, K: int, generator: torch.Generator | None = None
    ) -> Tensor: ...

    def begin(self, M: int, K: int, smallest: int, saved: bool) -> None: ...


class Epoch(NamedTuple):
    """What one pass over the data left behind: mean bounds in nats, and the seconds it took."""

    train: float
    held_out: float | None
    seconds: float


@dataclass
class History:
    """The full epochs of a run; whether Ctrl-C or the stop button cut the next one short, or the callback ended it."""

    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    ended: bool = False

    @property
    def train(self) -> list[float]:
        """The mean bound on the training data during each epoch, in nats."""
        return [epoch.train for epoch in self.epochs]

    @property
    def held_out(self) -> list[float]:
        """The mean bound on the held-out data after each epoch, in nats; empty if there was no held-out data."""
        return [epoch.held_out for epoch in self.epochs if epoch.held_out is not None]

    @property
    def seconds(self) -> list[float]:
        """The seconds each epoch took."""
        return [epoch.seconds for epoch in self.epochs]

    def __repr__(self) -> str:
        last = f", train bound {self.train[-1]:.2f} nats" if self.epochs else ""
        how = ", interrupted" if self.interrupted else ", ended by the callback" if self.ended else ""
        return f"{len(self.epochs)} epochs{last}{how}"


class Setting(NamedTuple):
    """The size of the course's model for a set of images, and how many epochs it is trained for."""

    latent_dim: int
    hidden: tuple[int, ...]
    epochs: int


DIGITS = Setting(latent_dim=10, hidden=(40, 40), epochs=100)
"""Measured by benchmarks/digits.py (torch 2.13, CPU, three seeds, mean and standard error, in nats): test NLL at
K = 5000 is 23.87 ± .04 for the ELBO, 23.30 ± .06 for IWAE with K = 8, 23.10 ± .01 for IWAE with K = 64; the test ELBO
of these models is -24.13 ± .04, -24.50 ± .10, -26.42 ± .03."""
MNIST = Setting(latent_dim=50, hidden=(200, 200), epochs=50)  # the sizes of arXiv 1509.00519, one stochastic layer
SETTINGS = {"digits": DIGITS, "mnist": MNIST, "fashion-mnist": MNIST}


def untrained(images: Images, seed: int = 0, setting: Setting | None = None) -> VAE:
    """A VAE of the course's size for these images, with first weights from ``seed`` and its decoder at the pixel means.

    >>> from vaecourse import data
    >>> untrained(data.digits()).config()
    {'data_dim': 64, 'latent_dim': 10, 'hidden': [40, 40], 'likelihood': 'bernoulli'}
    """
    setting = SETTINGS.get(images.name, MNIST) if setting is None else setting
    with descent.seeded(seed):
        model = VAE(images.train.shape[1], setting.latent_dim, setting.hidden)
    return model.start_at_pixel_means(images.train.mean(0))


def adam(parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """Adam in one pass over all parameters where PyTorch has that for their type and device, else as it comes."""
    parameters = list(parameters)
    try:
        return torch.optim.Adam(parameters, lr=lr, fused=True)
    except RuntimeError:
        return torch.optim.Adam(parameters, lr=lr)


def fit(
    model: LatentVariableModel,
    data: Tensor | tuple[Tensor, ...] | Images | Iterable[Any],
    objective: str | Objective | GradientsAndBound,
    M: int,
    K: int,
    epochs: int,
    *,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    held_out: Tensor | tuple[Tensor, ...] | Iterable[Any] | None = None,
    binarise: bool | None = None,
    checkpoint: str | Path | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    progress: bool = True,
    optimizer: Callable[..., torch.optim.Optimizer] = adam,
    schedule: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler] | None = None,
    callback: Callable[[Epoch, LatentVariableModel], object] | None = None,
) -> History:
    """Train ``model`` in place to climb ``objective`` with M estimates of K samples each; return the history.

    Arguments:
        data: ``[N, ...]``, which is shuffled; or a tuple of such tensors, as (x, mask), which are shuffled together and
            seen as a tuple by the model; or ``Images``, whose training part is taken; or batches that can be gone
            through again and again, such as a ``DataLoader``, which shuffles itself. Of a batch (x, label) x is taken.
        objective: a row of ``objectives.TABLE`` or its name, or an ``infovae.InfoVAE``, whose history is the ELBO's.
        held_out: what ``evaluate.bound`` takes, if it can be gone through again and again; its bound is measured after
            each epoch, on the same pixels and noise.
        binarise: whether ``data``, a tensor of grey levels in [0, 1], gives every step fresh zeros and ones. If not
            said, a tensor or ``Images`` does for a Bernoulli ``VAE``, and for no other model; what a ``DataLoader``
            gives is taken as it is, and ``held_out`` as well then.
        checkpoint: a file. It is replaced after each full epoch. If it is there already, the run in it goes on, from
            its weights and not from those of ``model``; ``epochs`` counts from the very beginning. Needs tensors.
        device: where to compute; the first of CUDA, MPS and CPU that is here if not given. The model comes back.
        seed: of the shuffling, the pixels and the noise. The model's first weights are made before, where it is made.
        optimizer: called with the parameters and ``lr``; ``functools.partial(torch.optim.Adam, eps=1e-4)`` is IWAE's.
            Its step must need no closure.
        schedule: called with the optimizer; what it returns takes a step after each epoch, for instance
            ``functools.partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=epochs)``. It sees no bound.
        callback: called after each epoch with its ``Epoch`` and the model; where it returns True, the run ends. In a
            checkpoint it stays ended for every later call with a callback; a call without one goes on with it.

    A run killed at any moment and started again with the same arguments ends with the very parameters of a run that
    was never killed (on the CPU, with the same number of threads). Three runs of one epoch are not one of three: each
    begins with a new optimizer and the noise of its ``seed``. Ctrl-C ends the run early: the model is usable, the
    history says ``interrupted``, the checkpoint holds the last full epoch. Every layer comes back in its own mode.

    Raises ``ValueError`` or ``TypeError`` for bad input; ``ValueError`` for a checkpoint that is damaged or belongs to
    a run with other settings, those of layers, prior, frozen weights, groups of weights and schedule among them (the
    file is left as it is); ``files.Busy`` for one that another run is at work on; ``FloatingPointError`` if the bound
    or its gradient stops being finite (the model keeps its last finite parameters); and ``OSError`` if the checkpoint
    cannot be written (the one before is kept).
    """
    row = objectives.get(objective) if isinstance(objective, str) else objective
    M, K, epochs, batch_size, learning_rate, seed = ranges(M, K, epochs, batch_size, learning_rate, seed)
    data = data.train if isinstance(data, Images) else data
    device, binarise = choose_device(device), _binarises(model, binarise, data)
    data, held_out = _learnable("data", data, model, binarise), _held_out(held_out, model, binarise)
    pixels = torch.Generator().manual_seed(seed)
    through = batches.of(data, batch_size, pixels, binarise)
    known: dict[str, Any] = {"batch_size": batch_size, "learning_rate": learning_rate, "binarise": binarise}
    if checkpoint is not None:
        known |= {"seed": seed, "data": _recognised(data), "held_out": _recognised(held_out)}
    if not isinstance(row, Objective):
        row.begin(M, K, smallest=through.smallest(), saved=checkpoint is not None)

    history = History()
    with _training(model, device, seed, checkpoint):
        # one generator, not two with the same seed: those would shuffle and draw with the same numbers
        noise = pixels if device.type == "cpu" else torch.Generator(device).manual_seed(seed)
        stepper = _stepping("optimizer", optimizer(model.parameters(), lr=learning_rate))
        scheduler = None if schedule is None else _stepping("schedule", schedule(stepper))
        run = _Run(model, row, M, K, stepper, noise, device)
        with _until_interrupted(history):
            saved = _resumed(checkpoint, run, scheduler, known, pixels, history, epochs, callback is not None)
            with _bar(epochs, len(history.epochs), batches.steps(through), progress) as bar:
                while len(history.epochs) < epochs and not history.ended:
                    start, where = time.perf_counter(), f"epoch {len(history.epochs) + 1}"
                    bound = _epoch(run, through, bar, where)
                    held = _held_out_bound(run, held_out, binarise, batch_size)
                    history.epochs.append(Epoch(bound, held, time.perf_counter() - start))
                    bar.set_postfix_str(f"{row} {bound:.2f} nats", refresh=False)
                    if scheduler is not None:
                        scheduler.step()
                    _save(saved, history)
                    if callback is not None and callback(history.epochs[-1], model) is True:
                        history.ended = True
                        _save(saved, history)
    return history


class _Run(NamedTuple):
    """What every step of a run needs."""

    model: LatentVariableModel
    row: Objective | GradientsAndBound
    M: int
    K: int
    optimizer: torch.optim.Optimizer
    noise: torch.Generator
    device: torch.device


@contextlib.contextmanager
def _training(
    model: LatentVariableModel, device: torch.device, seed: int, checkpoint: str | Path | None
) -> Iterator[None]:
    """The model on its device, in train mode, its layers' own noise seeded, the checkpoint nobody else's; then back."""
    home = _home(model)
    with contextlib.ExitStack() as stack:
        stack.enter_context(checkpoints.held(checkpoint, "training"))
        stack.enter_context(descent.seeded(seed, gpus=True))  # for layers that draw their own noise, such as dropout
        stack.enter_context(mode(model, training=True))
        stack.callback(model.to, home)
        model.to(device)
        yield


@contextlib.contextmanager
def _until_interrupted(history: History) -> Iterator[None]:
    """Ctrl-C ends the block, and the history says so."""
    try:
        yield
    except KeyboardInterrupt:
        history.interrupted = True


def _resumed(
    checkpoint: str | Path | None,
    run: _Run,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
    settings: dict[str, Any],
    pixels: torch.Generator,
    history: History,
    epochs: int,
    may_end: bool,
) -> checkpoints.Checkpoint | None:
    """The file of the run, if it has one; run and history go on from what is in it."""
    if checkpoint is None:
        return None
    described = description.of_run(run.model, run.row, run.optimizer, scheduler) | {"M": run.M, "K": run.K}
    settings = described | settings | {"device": run.device.type}
    generators = {"pixels": pixels, "noise": run.noise, "layers": torch.default_generator}
    saved = checkpoints.Checkpoint(Path(checkpoint), settings, run.model, run.optimizer, generators, row=_is_epoch)
    history.epochs = [Epoch(*epoch) for epoch in saved.resume(epochs)]
    history.ended = saved.ended and may_end
    _catch_up(scheduler, len(history.epochs))
    return saved


def _save(saved: checkpoints.Checkpoint | None, history: History) -> None:
    """Replace the run's file, if it has one, by the run as it is now."""
    if saved is not None:
        saved.ended = history.ended
        saved.save(history.epochs)


def _epoch(run: _Run, through: batches.Shuffled | batches.Given, bar: tqdm, where: str) -> float:
    """One pass over the data; return the mean bound on it."""
    total, points, steps = 0.0, 0, batches.steps(through)
    for step, x in enumerate(through, 1):
        here = f"{where}, step {step}" + (f" of {steps}" if steps else "")
        total += _step(run, batches.on(run.device, x), here)
        points += len(batches.lead(x))
        bar.update()
    return total / points


def _bar(epochs: int, done: int, steps: int | None, progress: bool) -> tqdm:
    total, initial = (None, 0) if steps is None else (epochs * steps, done * steps)
    return tqdm(total=total, initial=initial, unit="step", disable=not progress)


def _catch_up(scheduler: torch.optim.lr_scheduler.LRScheduler | None, epochs: int) -> None:
    """Take the steps that a resumed run has behind it."""
    if scheduler is not None and epochs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "before optimizer.step()": those were taken in another life
            for _ in range(epochs):
                scheduler.step()


def _home(model: LatentVariableModel) -> torch.device:
    """Where the model is; refuse one with nothing to train."""
    if not isinstance(model, LatentVariableModel):
        raise TypeError(f"model must be a latent-variable model, got {type(model).__name__}.")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            "model must have a parameter that requires a gradient, got none: it has none, or all are frozen."
        )
    return next(model.parameters()).device


def _recognised(data: object) -> str | None:
    """By what a checkpoint knows the data again."""
    if data is None:
        return None
    if isinstance(data, tuple):
        return " and ".join(f"{_recognised(part)}" for part in data)
    if not isinstance(data, Tensor):
        raise ValueError("checkpoint needs data and held_out as tensors: what a DataLoader gives cannot be recognised.")
    return checkpoints.fingerprint(data)


def _stepping(name: str, stepper: Any) -> Any:
    """An optimizer or a schedule, if its step needs nothing."""
    asked = inspect.signature(stepper.step).parameters.values()
    if needed := [p.name for p in asked if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        kind = f"{type(stepper).__name__}, whose step needs {' and '.join(needed)}"
        raise TypeError(f"{name} must take a step without arguments, got {kind}.")
    return stepper


def _binarises(model: LatentVariableModel, binarise: bool | None, data: object) -> bool:
    """Whether pixels are drawn: as asked for, or of a tensor where a VAE's likelihood is of zeros and ones."""
    likelihood = getattr(model, "likelihood", None)
    if binarise and likelihood == "gaussian":
        raise ValueError(
            "binarise must be False for a Gaussian likelihood, which is not one of zeros and ones, got True."
        )
    return likelihood == "bernoulli" and isinstance(data, Tensor) if binarise is None else bool(binarise)


MOST_EPOCHS = 100_000  # whose history a checkpoint can hold


def ranges(
    M: int, K: int, epochs: int, batch_size: int, learning_rate: float, seed: int
) -> tuple[int, int, int, int, float, int]:
    """The same, if ``fit`` can take them, which it asks before any work."""
    return (
        arguments.count("M", M),
        arguments.count("K", K),
        arguments.count("epochs", epochs, at_most=MOST_EPOCHS),
        arguments.count("batch_size", batch_size),
        arguments.number("learning_rate", learning_rate, 0.0, 1e30, open_low=True),
        arguments.count("seed", seed, at_least=0),
    )


def load(path: str | Path) -> VAE:
    """The model in a checkpoint of ``fit``, on the CPU, ready to evaluate.

    Raises ``OSError`` if there is no file to read, and ``ValueError`` if it is not a whole checkpoint, is larger than
    ``checkpoint.LARGEST``, or if its model cannot be built again because its networks or its prior were given, or
    exchanged later.
    """
    models: list[VAE] = []

    def build(found: checkpoints.Head, run: dict[str, Any]) -> None:
        models.append(description.built(Path(path), found, run["settings"].get("model")))

    tensors, _ = checkpoints.read(Path(path), build)
    weights = checkpoints.part(tensors, "model.")
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise checkpoints.strange(path, f"model.{name} has entries that are not finite")
    (model,) = models
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _is_epoch(row: list[Any]) -> bool:
    """Whether this can be an ``Epoch`` that a checkpoint has kept."""
    return checkpoints.is_pass(row) and not isinstance(row[0], list)


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, if it is here; the first of CUDA, MPS and CPU that is here if none is asked for.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    here = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }  # how many of each
    if device is None:
        return torch.device(next(name for name, there in here.items() if there))
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as failure:
        raise ValueError(f"device must be one of cuda, mps, cpu, got {device!r}.") from failure
    if (chosen.index or 0) >= here.get(chosen.type, 0):
        there = " and ".join(name for name, present in here.items() if present)
        raise ValueError(f"device must be one that is here ({there}), got {str(device)!r}.")
    return chosen


def _step(run: _Run, x: Data, where: str) -> float:
    """One step of the optimizer; return the sum of the bound over the batch."""
    try:
        return descent.step(run.optimizer, run.model.parameters(), lambda: _backward(run, x))
    except (arguments.NotFinite, FloatingPointError) as failure:  # any other ValueError is a mistake, and says which
        raise FloatingPointError(f"Training stopped in {where}: {failure} {_CURE}") from failure


_CURE = "A smaller learning_rate is the usual cure."


def _backward(run: _Run, x: Data) -> float:
    """Fill ``.grad`` with the gradient of the loss; return the sum of the bound over the batch, which is finite."""
    if isinstance(run.row, Objective):
        value = objectives.backward(run.model, x, run.row, run.M, run.K, run.noise)
    else:
        value = run.row.gradients_and_bound(run.model, x, run.M, run.K, run.noise)  # type: ignore[arg-type] # it says what it needs
    total = float(value.sum())
    if not math.isfinite(total):
        raise FloatingPointError(f"the bound is {total}.")
    return total


def _held_out_bound(run: _Run, x: Any, binarise: bool, batch_size: int) -> float | None:
    """The mean bound on the same pixels and noise after every epoch; it leaves the generators of the training alone."""
    if x is None:
        return None
    row = run.row if isinstance(run.row, Objective) else objectives.get("elbo")
    if binarise and isinstance(x, Tensor):
        x = draw_pixels(x, torch.Generator().manual_seed(0))
    noise = torch.Generator(run.device).manual_seed(1)
    return float(evaluate.bound(run.model, x, row, run.M, run.K, noise, batch_size).mean())


def _held_out(x: Any, model: LatentVariableModel, binarise: bool) -> Any:
    """``held_out``, if every epoch can go through it."""
    if isinstance(x, Iterator):
        raise TypeError(
            "held_out must be a tensor, or batches that can be gone through again and again, such as a DataLoader, "
            f"got {type(x).__name__}, which can be used only once."
        )
    return _learnable("held_out", x, model, binarise)


def _learnable(name: str, x: Any, model: LatentVariableModel, binarise: bool) -> Any:
    """``x`` if the model can learn from it; of batches that are made later, this is seen later."""
    if not isinstance(x, Tensor):
        return x
    if binarise or getattr(model, "likelihood", None) == "bernoulli":
        x = between_0_and_1(name, x)
    if isinstance(model, VAE) and arguments.tensor(name, x, "BD").shape[1] != model.data_dim:
        raise ValueError(f"{name} must have data_dim = {model.data_dim} columns, got shape {list(x.shape)}.")
    return arguments.finite(name, x)
