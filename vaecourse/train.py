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

from vaecourse import arguments, batches, description, evaluate, objectives
from vaecourse import checkpoint as checkpoints
from vaecourse.data import Images, between_0_and_1
from vaecourse.data import binarise as draw_pixels
from vaecourse.latent import Data, LatentVariableModel, mode
from vaecourse.models import VAE
from vaecourse.objectives import Objective


class Climbable(Protocol):
    """An objective beside the table, as ``infovae.InfoVAE`` is: it fills ``.grad`` itself and returns the ELBO, [B]."""

    name: str
    parameters: dict[str, Any]

    def climb(self, model: VAE, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor: ...

    def begin(self, M: int, K: int, smallest: int, kept: bool) -> None: ...


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
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(arguments.count("seed", seed, at_least=0))
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
    objective: str | Objective | Climbable,
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
    pixels = torch.Generator().manual_seed(seed)
    if isinstance(data, Tensor):
        data = _pixels("data", data, model, binarise)
    held_out = _held_out(held_out, model, binarise)
    through = batches.of(data, batch_size, pixels, binarise)
    if checkpoint is not None:
        known = {"data": _recognised(data), "held_out": None if held_out is None else _recognised(held_out)}
    if not isinstance(row, Objective):
        row.begin(M, K, smallest=through.smallest(), kept=checkpoint is not None)

    history, home = History(), _home(model)
    with contextlib.ExitStack() as stack:
        stack.enter_context(checkpoints.held(checkpoint, "training"))
        stack.enter_context(torch.random.fork_rng(devices=range(torch.cuda.device_count())))
        stack.enter_context(mode(model, training=True))
        stack.callback(model.to, home)
        torch.manual_seed(seed)  # for layers that draw their own noise, such as dropout
        model.to(device)
        # one generator, not two with the same seed: those would shuffle and draw with the same numbers
        noise = pixels if device.type == "cpu" else torch.Generator(device).manual_seed(seed)
        climber = _stepping("optimizer", optimizer(model.parameters(), lr=learning_rate))
        scheduler = None if schedule is None else _stepping("schedule", schedule(climber))
        kept = None
        try:
            if checkpoint is not None:
                settings = description.of_run(model, row, climber, scheduler) | known
                settings |= {"M": M, "K": K, "batch_size": batch_size, "learning_rate": learning_rate}
                settings |= {"binarise": binarise, "device": device.type, "seed": seed}
                generators = {"pixels": pixels, "noise": noise, "layers": torch.default_generator}
                kept = checkpoints.Checkpoint(Path(checkpoint), settings, model, climber, generators, row=_is_epoch)
                history.epochs = [Epoch(*epoch) for epoch in kept.resume(epochs)]
                history.ended = kept.ended = kept.ended and callback is not None
                _catch_up(scheduler, len(history.epochs))
            with _bar(epochs, len(history.epochs), batches.steps(through), progress) as bar:
                while len(history.epochs) < epochs and not history.ended:
                    start = time.perf_counter()
                    where = f"epoch {len(history.epochs) + 1}"
                    train = _epoch(model, through, row, M, K, climber, noise, device, bar, where)
                    held = None
                    if held_out is not None:
                        held = _held_out_bound(model, held_out, row, M, K, binarise, batch_size, device)
                    history.epochs.append(Epoch(train, held, time.perf_counter() - start))
                    bar.set_postfix_str(f"{row} {train:.2f} nats", refresh=False)
                    if scheduler is not None:
                        scheduler.step()
                    if kept is not None:
                        kept.save(history.epochs)
                    history.ended = callback is not None and callback(history.epochs[-1], model) is True
                    if kept is not None and history.ended:
                        kept.ended = True
                        kept.save(history.epochs)
        except KeyboardInterrupt:
            history.interrupted = True
    return history


def _epoch(
    model: LatentVariableModel,
    through: batches.Shuffled | batches.Given,
    row: Objective | Climbable,
    M: int,
    K: int,
    climber: torch.optim.Optimizer,
    noise: torch.Generator,
    device: torch.device,
    bar: tqdm,
    where: str,
) -> float:
    """One pass over the data; return the mean bound on it."""
    total, points, steps = 0.0, 0, batches.steps(through)
    for step, x in enumerate(through, 1):
        here = f"{where}, step {step}" + (f" of {steps}" if steps else "")
        total += _step(model, batches.on(device, x), row, M, K, climber, noise, here)
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


def _recognised(data: object) -> str:
    """By what a checkpoint knows the data again."""
    if isinstance(data, tuple):
        return " and ".join(map(_recognised, data))
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


def _step(
    model: LatentVariableModel,
    x: Data,
    row: Objective | Climbable,
    M: int,
    K: int,
    climber: torch.optim.Optimizer,
    noise: torch.Generator,
    where: str,
) -> float:
    """One step of the optimizer; return the sum of the bound over the batch."""
    climber.zero_grad()
    try:
        if isinstance(row, Objective):
            total = float(objectives.backward(model, x, row, M, K, noise).sum())
        else:
            total = float(row.climb(model, x, M, K, noise).sum())  # type: ignore[arg-type] # it says what it needs
    except arguments.NotFinite as failure:  # any other ValueError is a mistake, and says which
        raise FloatingPointError(_not_finite(where, str(failure))) from failure
    if not math.isfinite(total):
        raise FloatingPointError(_not_finite(where, f"the bound is {total}."))
    norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    if not torch.stack(norms).isfinite().all():
        raise FloatingPointError(_not_finite(where, "the gradient has entries that are not finite."))
    climber.step()
    return total


def _not_finite(where: str, what: str) -> str:
    return f"Training stopped in {where}: {what} A smaller learning_rate is the usual cure."


def _held_out_bound(
    model: LatentVariableModel,
    x: Tensor | Iterable[Any],
    row: Objective | Climbable,
    M: int,
    K: int,
    binarise: bool,
    batch_size: int,
    device: torch.device,
) -> float:
    """The mean bound on the same pixels and noise after every epoch; it leaves the generators of the training alone."""
    row = row if isinstance(row, Objective) else objectives.get("elbo")
    if binarise and isinstance(x, Tensor):
        x = draw_pixels(x, torch.Generator().manual_seed(0))
    return float(evaluate.bound(model, x, row, M, K, torch.Generator(device).manual_seed(1), batch_size).mean())


def _held_out(x: Any, model: LatentVariableModel, binarise: bool) -> Any:
    """``held_out``, if every epoch can go through it."""
    if isinstance(x, Iterator):
        raise TypeError(
            "held_out must be a tensor, or batches that can be gone through again and again, such as a DataLoader, "
            f"got {type(x).__name__}, which can be used only once."
        )
    return _pixels("held_out", x, model, binarise) if isinstance(x, Tensor) else x


def _pixels(name: str, x: Tensor, model: LatentVariableModel, binarise: bool) -> Tensor:
    """``x`` if the model can learn from it."""
    if binarise or getattr(model, "likelihood", None) == "bernoulli":
        x = between_0_and_1(name, x)
    if isinstance(model, VAE) and arguments.tensor(name, x, "BD").shape[1] != model.data_dim:
        raise ValueError(f"{name} must have data_dim = {model.data_dim} columns, got shape {list(x.shape)}.")
    return arguments.finite(name, x)
