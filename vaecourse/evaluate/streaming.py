"""What every evaluation does with a model and its points: group by group, in evaluation mode, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from vaecourse import arguments, batches
from vaecourse.latent import Data, mode, must_be_one_model

T = TypeVar("T")


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """No gradients, and layers such as dropout in their evaluation mode, for as long as this lasts."""
    with mode(model, training=False), torch.no_grad():
        yield


def is_latent_variable_model(model: object) -> None:
    """Refuse what cannot draw z and weigh it."""
    if not callable(getattr(model, "weigher", None)):
        inside = " Give its .module." if hasattr(getattr(model, "module", None), "weigher") else ""
        raise TypeError(
            "model must be a latent-variable model (vaecourse.latent.LatentVariableModel), which draws z from its "
            f"q(z | x) and weighs it, got {type(model).__name__}, which does not.{inside}"
        )
    must_be_one_model(model)


def weighed(log_w: Tensor, M: int, K: int, points: Data) -> Tensor:
    """The model's log-weights [M, K, B], if there is one for each sample of each point."""
    return arguments.log_weights(arguments.of_samples("log_w of the model", log_w, M, K, len(batches.lead(points))))


def of_each(
    model: object,
    x: Data | Iterable[Any],
    batch_size: int,
    measure: Callable[[Data], T],
) -> Iterator[T]:
    """What ``measure`` says of each group of ``batch_size`` points; a tensor comes back to where the points are."""
    size, device = arguments.count("batch_size", batch_size), device_of(model)
    for batch in batches.each(x):
        for start in range(0, len(batches.lead(batch)), size):
            points = batches.rows(batch, start, start + size, device)
            with arguments.explained(model, batches.lead(points)):
                found = measure(points)
            yield found.to(batches.lead(batch).device) if isinstance(found, Tensor) else found  # type: ignore[misc]


def device_of(model: object) -> torch.device | None:
    """Where the model is; None if it has neither parameters nor buffers."""
    if not isinstance(model, nn.Module):
        return None
    return next((tensor.device for of in (model.parameters(), model.buffers()) for tensor in of), None)
