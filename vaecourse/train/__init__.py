"""The training loop: one bound climbed by Adam, epochs that survive a kill, a history that survives a Ctrl-C.

``fit`` reads from top to bottom: inputs.py asks what it can take, steps.py has an epoch, resuming.py the run's file,
history.py what a run leaves behind, presets.py the course's own models.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse import batches, descent, objectives
from vaecourse import checkpoint as checkpoints
from vaecourse.data import Images
from vaecourse.latent import LatentVariableModel, mode
from vaecourse.objectives import Objective
from vaecourse.train import inputs, resuming, steps
from vaecourse.train.history import Epoch, History
from vaecourse.train.inputs import choose_device, ranges
from vaecourse.train.presets import DIGITS, MNIST, SETTINGS, Setting, untrained
from vaecourse.train.resuming import load
from vaecourse.train.steps import GradientsAndBound

__all__ = [
    "DIGITS",
    "MNIST",
    "SETTINGS",
    "Epoch",
    "GradientsAndBound",
    "History",
    "Setting",
    "adam",
    "choose_device",
    "fit",
    "load",
    "ranges",
    "untrained",
]


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
    device, binarise = choose_device(device), batches.binarises(model, binarise, data)
    data, held_out = inputs.learnable("data", data, model, binarise), inputs.held_out(held_out, model, binarise)
    pixels = torch.Generator().manual_seed(seed)
    through = batches.of(data, batch_size, pixels, binarise)
    settings: dict[str, Any] = {"batch_size": batch_size, "learning_rate": learning_rate, "binarise": binarise}
    if checkpoint is not None:
        fingerprints = {"data": resuming.fingerprint(data), "held_out": resuming.fingerprint(held_out)}
        settings |= {"seed": seed, **fingerprints}
    if not isinstance(row, Objective):
        row.begin(M, K, smallest=through.smallest(), saved=checkpoint is not None)

    history = History()
    with _ready(model, device, seed, checkpoint):
        # one generator, not two with the same seed: those would shuffle and draw with the same numbers
        noise = pixels if device.type == "cpu" else torch.Generator(device).manual_seed(seed)
        stepper = inputs.stepping("optimizer", optimizer(model.parameters(), lr=learning_rate))
        scheduler = None if schedule is None else inputs.stepping("schedule", schedule(stepper))
        run = steps.Run(model, row, M, K, through, held_out, batch_size, binarise, stepper, noise, device)
        with history.until_interrupted():
            saved = resuming.resumed(
                checkpoint, run, scheduler, settings, pixels, history, epochs, callback is not None
            )
            with _bar(epochs, len(history.epochs), batches.steps(through), progress) as bar:
                while len(history.epochs) < epochs and not history.ended:
                    history.epochs.append(steps.epoch(run, len(history.epochs) + 1, bar))
                    if scheduler is not None:
                        scheduler.step()
                    resuming.save(saved, history)
                    if callback is not None and callback(history.epochs[-1], model) is True:
                        history.ended = True
                        resuming.save(saved, history)
    return history


@contextlib.contextmanager
def _ready(
    model: LatentVariableModel, device: torch.device, seed: int, checkpoint: str | Path | None
) -> Iterator[None]:
    """The model on its device, in train mode, its layers' own noise seeded, the checkpoint nobody else's; then back."""
    home = inputs.home(model)
    with contextlib.ExitStack() as stack:
        stack.enter_context(checkpoints.held(checkpoint, "training"))
        stack.enter_context(descent.seeded(seed, gpus=True))  # for layers that draw their own noise, such as dropout
        stack.enter_context(mode(model, training=True))
        stack.callback(model.to, home)
        model.to(device)
        yield


def _bar(epochs: int, done: int, steps: int | None, progress: bool) -> tqdm:
    total, initial = (None, 0) if steps is None else (epochs * steps, done * steps)
    return tqdm(total=total, initial=initial, unit="step", disable=not progress)
