"""The training loop: one bound climbed by Adam, epochs that survive a kill, a history that survives a Ctrl-C."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse import arguments, evaluate, files, foreign, objectives
from vaecourse import checkpoint as checkpoints
from vaecourse.data import Images, between_0_and_1
from vaecourse.data import binarise as draw_pixels
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
    """The full epochs of a run, and whether a Ctrl-C or the notebook's stop button cut the next one short."""

    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False

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
        return f"{len(self.epochs)} epochs{last}{', interrupted' if self.interrupted else ''}"


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


def fit(
    model: VAE,
    data: Tensor | Images,
    objective: str | Objective | Climbable,
    M: int,
    K: int,
    epochs: int,
    *,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    held_out: Tensor | None = None,
    binarise: bool = True,
    checkpoint: str | Path | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    progress: bool = True,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> History:
    """Train ``model`` in place to climb ``objective`` with M estimates of K samples each; return the history.

    Arguments:
        data: ``[N, D]``, or ``Images`` whose training part is taken. With ``binarise`` these are grey levels in [0, 1],
            of which every step draws fresh zeros and ones; with ``binarise=False`` they are taken as they are.
        objective: a row of ``objectives.TABLE`` or its name, or an ``infovae.InfoVAE``, whose history is the ELBO's.
        held_out: ``[N', D]``, whose bound is measured after each epoch, always on the same pixels and noise.
        checkpoint: a file. It is replaced after each full epoch. If it is there already, the run in it goes on, from
            its weights and not from those of ``model``; ``epochs`` counts from the very beginning.
        device: where to compute; the first of CUDA, MPS and CPU that is here if not given. The model comes back.
        seed: of the shuffling, the pixels and the noise. The model's first weights are made before, where it is made.
        optimizer: called with the parameters and ``lr``; ``functools.partial(torch.optim.Adam, eps=1e-4)`` is IWAE's.

    A run killed at any moment and started again with the same arguments ends with the very parameters of a run that
    was never killed (on the CPU, with the same number of threads). Ctrl-C ends the run early: the model is usable, the
    history says ``interrupted``, the checkpoint holds the last full epoch.

    Raises ``ValueError`` for bad input and for a checkpoint that is damaged or belongs to a run with other settings
    (the file is left as it is), ``files.Busy`` for one that another run is at work on, ``FloatingPointError`` if the
    bound or its gradient stops being finite (the model keeps its last finite parameters), and ``OSError`` if the
    checkpoint cannot be written (the one before is kept).
    """
    data = _pixels("data", data.train if isinstance(data, Images) else data, model, binarise)
    held_out = None if held_out is None else _pixels("held_out", held_out, model, binarise)
    row = objectives.get(objective) if isinstance(objective, str) else objective
    bound = row if isinstance(row, Objective) else objectives.get("elbo")
    M, K, epochs, batch_size, learning_rate, seed = ranges(M, K, epochs, batch_size, learning_rate, seed)
    if not isinstance(row, Objective):
        row.begin(M, K, smallest=(len(data) - 1) % batch_size + 1, kept=checkpoint is not None)
    device = choose_device(device)

    history, home, steps = History(), next(model.parameters()).device, math.ceil(len(data) / batch_size)
    with checkpoints.held(checkpoint, "training"), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        model.to(device).train()
        torch.manual_seed(seed)  # for layers that draw their own noise, such as dropout
        pixels = torch.Generator().manual_seed(seed)
        # one generator, not two with the same seed: those would shuffle and draw with the same numbers
        noise = pixels if device.type == "cpu" else torch.Generator(device).manual_seed(seed)
        climber = optimizer(model.parameters(), lr=learning_rate)
        kept = None
        try:
            if checkpoint is not None:
                settings = {
                    "model": _describe_model(model),
                    "data": checkpoints.fingerprint(data),
                    "held_out": None if held_out is None else checkpoints.fingerprint(held_out),
                    "objective": _call(row.name, row.parameters),
                    "M": M,
                    "K": K,
                    "batch_size": batch_size,
                    "learning_rate": learning_rate,
                    "binarise": bool(binarise),
                    "device": device.type,
                    "seed": seed,
                    "optimizer": _describe_optimizer(climber),
                }
                generators = {"pixels": pixels, "noise": noise, "layers": torch.default_generator}
                kept = checkpoints.Checkpoint(Path(checkpoint), settings, model, climber, generators, row=_is_epoch)
                history.epochs = [Epoch(*epoch) for epoch in kept.resume(epochs)]
            done = len(history.epochs) * steps
            with tqdm(total=epochs * steps, initial=done, unit="step", disable=not progress) as bar:
                while len(history.epochs) < epochs:
                    start, total = time.perf_counter(), 0.0
                    for step, batch in enumerate(torch.randperm(len(data), generator=pixels).split(batch_size)):
                        x = draw_pixels(data[batch], pixels) if binarise else data[batch]
                        where = f"epoch {len(history.epochs) + 1}, step {step + 1} of {steps}"
                        total += _step(model, x.to(device), row, M, K, climber, noise, where)
                        bar.update()
                    train, held = total / len(data), None
                    if held_out is not None:
                        held = _held_out_bound(model, held_out, bound, M, K, binarise, batch_size, device)
                    history.epochs.append(Epoch(train, held, time.perf_counter() - start))
                    bar.set_postfix_str(f"{row} {train:.2f} nats", refresh=False)
                    if kept is not None:
                        kept.save(history.epochs)
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            model.to(home).eval()
    return history


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
    ``checkpoint.LARGEST``, or if its model cannot be built again because its networks or its prior were given.
    """
    models: list[VAE] = []

    def build(found: checkpoints.Head, run: dict[str, Any]) -> None:
        models.append(_described(Path(path), found, run["settings"].get("model")))

    tensors, _ = checkpoints.read(Path(path), build)
    weights = checkpoints.part(tensors, "model.")
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise checkpoints.strange(path, f"model.{name} has entries that are not finite")
    (model,) = models
    model.load_state_dict(weights, assign=True)
    return model.eval()


LARGEST_LATENT = 10_000  # a file can hold more for little, and each of thousands of samples would pay for it
KINDS = ("float16", "bfloat16", "float32", "float64")  # of weights


def _described(path: Path, found: checkpoints.Head, description: object) -> VAE:
    """The model that a checkpoint describes, without memory for its weights, if the file has the weights of it."""
    if not isinstance(description, dict):
        raise checkpoints.strange(path, "it describes no model")
    if description.get("config") is None:
        raise ValueError(
            f"{files.shown(path)} holds a model with networks or a prior of its own: build the model as before "
            f"and call fit with checkpoint={str(path)!r} and the same epochs, which fills in the weights."
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
    model: VAE,
    x: Tensor,
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
            total = float(row.climb(model, x, M, K, noise).sum())
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
    model: VAE,
    x: Tensor,
    row: Objective,
    M: int,
    K: int,
    binarise: bool,
    batch_size: int,
    device: torch.device,
) -> float:
    """The mean bound on the same pixels and noise after every epoch; it leaves the generators of the training alone."""
    if binarise:
        x = draw_pixels(x, torch.Generator().manual_seed(0))
    return float(evaluate.bound(model, x, row, M, K, torch.Generator(device).manual_seed(1), batch_size).mean())


def _pixels(name: str, x: object, model: VAE, binarise: bool) -> Tensor:
    """``x`` if the model can learn from it."""
    in_range = binarise or model.likelihood == "bernoulli"
    x = between_0_and_1(name, x) if in_range else arguments.tensor(name, x, "BD")  # type: ignore[arg-type]
    if x.shape[1] != model.data_dim:
        raise ValueError(f"{name} must have data_dim = {model.data_dim} columns, got shape {list(x.shape)}.")
    return x


def _describe_model(model: VAE) -> dict[str, Any]:
    parameter = next(model.parameters())
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    description: dict[str, Any] = {"dtype": str(parameter.dtype).removeprefix("torch.")}
    try:
        return description | {"config": model.config()}
    except TypeError:  # networks of one's own: their shapes must do
        return description | {"shapes": shapes} | model.traits()


def _describe_optimizer(climber: torch.optim.Optimizer) -> str:
    return _call(type(climber).__name__, climber.defaults)


def _call(name: str, parameters: dict[str, Any]) -> str:
    settings = ", ".join(f"{key}={value!r}" for key, value in sorted(parameters.items()))
    return f"{name}({settings})" if settings else name
