"""A judge that is not the model's own encoder: a fresh one, trained on the frozen decoder."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse import arguments, batches, descent, objectives
from vaecourse.evaluate.streaming import device_of, evaluating, is_latent_variable_model
from vaecourse.latent import Data, LatentVariableModel, mode
from vaecourse.objectives import Objective

SHARE = 10  # of the passes: the last tenth is compared with the one before


class Refit(NamedTuple):
    """What ``refit`` found."""

    model: LatentVariableModel
    """The same p(x, z), bit for bit, with a q(z | x) of its own."""
    curve: list[float]
    """The mean of the objective over the points of each pass, in nats."""

    @property
    def rising(self) -> float:
        """Nats that the objective rose from one tenth of the passes to the last; NaN for one pass.

        A large value says that more passes would pay. A small one proves nothing, for the learning rate has fallen to
        0 by then: compare with more passes, or with another rate.
        """
        if len(self.curve) < 2:
            return math.nan
        n = max(1, len(self.curve) // SHARE)
        before, last = self.curve[-2 * n : -n], self.curve[-n:]
        return sum(last) / len(last) - sum(before) / len(before)


def refit(
    model: LatentVariableModel,
    x: Data | Iterable[Any],
    objective: str | Objective = "elbo",
    M: int = 1,
    K: int = 1,
    epochs: int = 60,
    *,
    batch_size: int = 100,
    learning_rate: float = 3e-3,
    binarise: bool | None = None,
    seed: int = 0,
    anew: Callable[[LatentVariableModel], object] | None = None,
    progress: bool = False,
) -> Refit:
    r"""A copy of the model with a fresh encoder, trained on ``x`` while the decoder stands still.

    .. math:: \max_\phi E_{q_\phi} \left[ \log p_\theta(x, z) - \log q_\phi(z | x) \right], \quad \theta \text{ frozen}

    The model itself stays as it is. A bound of log p(x) is one with any q(z | x). So where ``log_likelihood`` of this
    copy is higher, it was the model's own encoder that was lacking, and not its decoder; where it is not, this
    one may be lacking as well.

    Arguments:
        x: points to train on, as ``train.fit`` takes them; judge on others.
        objective: a row of ``objectives.TABLE`` that phi climbs.
        binarise: as in ``train.fit``: whether a tensor of grey levels gives every step fresh zeros and ones.
        learning_rate: of Adam; it falls to 0 along a cosine.
        anew: gives phi its first weights; ``reset_parameters`` of every layer that has parameters of phi, if not given.

    Source: Cremer, Li and Duvenaud 2018, arXiv 1801.03558, on what an encoder costs a decoder.
    Raises ``ValueError`` for a model whose p(x, z) phi is a part of, as a ``VampPrior`` of the encoder makes it, and
    for numbers out of range; ``TypeError`` for a model without phi, and where a layer of phi has no
    ``reset_parameters`` and no ``anew`` is given; ``FloatingPointError`` if a gradient stops being finite.

    >>> from vaecourse.models import VAE
    >>> judged = refit(VAE(data_dim=9, latent_dim=2, hidden=(5,)), torch.zeros(7, 9), epochs=2)
    >>> len(judged.curve)
    2
    """
    row = objectives.get(objective)
    M, K, epochs = arguments.count("M", M), arguments.count("K", K), arguments.count("epochs", epochs)
    batch_size = arguments.count("batch_size", batch_size)
    learning_rate = arguments.number("learning_rate", learning_rate, 0.0, 1e30, open_low=True)
    is_latent_variable_model(model)
    judge = copy.deepcopy(model)
    phi = list(judge.phi().values())
    if not phi:
        raise TypeError("model must have phi, the parameters of q(z | x), to be trained anew, got none.")
    with descent.seeded(seed, gpus=True):
        (anew or _reset)(judge)
    for parameter in judge.parameters():
        parameter.requires_grad_(False)
    for parameter in phi:
        parameter.requires_grad_(True)
    binarise = batches.binarises(judge, binarise, x)
    _must_be_the_same(model, judge, batches.of(x, batch_size, torch.Generator().manual_seed(seed), binarise))
    noise, device = torch.Generator().manual_seed(seed), device_of(judge) or torch.device("cpu")
    through = batches.of(x, batch_size, noise, binarise)
    own = noise if device.type == "cpu" else torch.Generator(device).manual_seed(seed)
    optimizer = torch.optim.Adam(phi, lr=learning_rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    curve: list[float] = []
    with mode(judge, training=False), torch.enable_grad():  # no layer of the decoder may learn by being used
        for _ in tqdm(range(epochs), unit="pass", disable=not progress):
            curve.append(_one_pass(judge, row, M, K, through, phi, optimizer, own, device))
            falling.step()
    return Refit(judge, curve)


def _one_pass(
    judge: LatentVariableModel,
    row: Objective,
    M: int,
    K: int,
    through: Iterable[Data],
    phi: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    noise: torch.Generator,
    device: torch.device,
) -> float:
    """A step for every batch; the mean bound over the points."""
    total, points = 0.0, 0
    for batch in through:
        here = batches.on(device, batch)
        value: Tensor = descent.step(optimizer, phi, partial(objectives.backward, judge, here, row, M, K, noise))
        total, points = total + float(value.sum()), points + len(value)
    return total / points


def _must_be_the_same(model: LatentVariableModel, judge: LatentVariableModel, through: Iterable[Data]) -> None:
    """Refuse a p(x, z) that is another with another phi."""
    with evaluating(model), evaluating(judge):
        device = device_of(model) or torch.device("cpu")
        points = batches.on(device, next(iter(through)))
        z, _ = model.propose(points, 1, 1, generator=torch.Generator(device).manual_seed(0))
        if not torch.equal(model.log_joint(points, z), judge.log_joint(points, z)):
            raise ValueError(
                "model must have the same p(x, z) whatever phi is, got one whose log p(x, z) is another when phi has "
                "new weights: a prior that is made of the encoder, as VampPrior's, or an anew that changes theta."
            )


def _reset(judge: LatentVariableModel) -> None:
    """New weights for every layer whose own parameters are phi's."""
    phi = {id(parameter) for parameter in judge.phi().values()}
    for name, layer in judge.named_modules():
        if not any(id(parameter) in phi for parameter in layer.parameters(recurse=False)):
            continue
        if not callable(getattr(layer, "reset_parameters", None)):
            raise TypeError(
                f"anew must be given, a function of the model that gives phi its first weights: the layer "
                f"{name or type(layer).__name__!r} of q(z | x) has no reset_parameters."
            )
        layer.reset_parameters()
