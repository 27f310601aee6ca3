"""What objectives and diagnostics need to know of a model: how to draw z, and two log-densities at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Data = Any
"""A batch: a tensor ``[B, ...]``, or what else the model's networks understand, for instance a pair (x, mask)."""

Latent = Tensor | tuple[Tensor, ...]
"""Samples ``[M, K, B, ...]`` of one latent variable, or a tuple of several."""


def parts(of: Any) -> tuple[Any, ...]:
    """The parts of a latent variable or of a data point: those of a tuple, or it alone."""
    return of if isinstance(of, tuple) else (of,)


def each_part(of: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """``change`` applied to a tensor, or to each of a tuple of them."""
    return tuple(each_part(part, change) for part in of) if isinstance(of, tuple) else change(of)


def standard_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise with the type and the device of ``like``.

    Without a generator PyTorch is not told of one: its overload that knows generators knows no symbolic sizes, with
    which ``torch.compile`` serves a second M or K.
    """
    if generator is None:
        return torch.randn(tuple(shape), dtype=like.dtype, device=like.device)
    return torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)


class LatentVariableModel(nn.Module):
    """A p(x, z) with a q(z | x). A subclass says how; the log-weights follow.

    It has ``log_joint``, ``theta``, ``phi``, and either ``draw`` with ``noise`` or ``propose`` alone. Whoever has a
    ``propose`` of its own (antithetic pairs, a defensive mixture) is trained, evaluated and measured with that one.

    theta are the parameters of p, phi those of q. Axes: M, K, B, then D (data) or L (latent). Everything is in nats.
    """

    def noise(self, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """The noise that M K samples of each data point are made of. Shapes: ``[B, D] -> [M, K, B, L]``."""
        raise _lacks(self, "noise(x, M, K, generator), what samples are made of; or propose, which draws them itself")

    def draw(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        """Reparameterised samples and their log q(z | x). Shapes: ``[B, D], [M, K, B, L] -> [M, K, B, L], [M, K, B]``.

        With ``keeps_score=False`` phi is held fixed inside log q, so that only the path through z is left of its
        gradient (arXiv 1703.09194).
        """
        raise _lacks(self, "draw(x, eps, keeps_score), samples and their log q; or propose, which draws them itself")

    def propose(
        self, x: Data, M: int, K: int, keeps_score: bool = True, generator: torch.Generator | None = None
    ) -> tuple[Latent, Tensor]:
        """M K fresh samples of q for each data point, and their log q(z | x): ``draw`` at ``noise``.

        Shapes: ``[B, ...] -> [M, K, B, ...], [M, K, B]``.
        """
        return self.draw(x, self.noise(x, M, K, generator), keeps_score)

    def log_joint(self, x: Any, z: Any) -> Tensor:
        """log p(x, z). Shapes: ``[B, D], [..., B, L] -> [..., B]``."""
        raise _lacks(self, "log_joint(x, z), the log p(x, z) of each sample")

    def theta(self) -> dict[str, nn.Parameter]:
        """The generative parameters by name."""
        raise _lacks(self, "theta(), its generative parameters by name")

    def phi(self) -> dict[str, nn.Parameter]:
        """The inference parameters by name."""
        raise _lacks(self, "phi(), its inference parameters by name")

    def forward(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        """log p(x, z) and log q(z | x) at the samples made of ``eps``: ``[B, D], [M, K, B, L] -> 2 x [M, K, B]``."""
        z, log_q = self.draw(x, eps, keeps_score)
        return self.log_joint(x, z), log_q

    def log_weights(self, x: Tensor, M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
        """log w = log p(x, z) - log q(z | x) at M K fresh samples of q. Shapes: ``[B, D] -> [M, K, B]``."""
        return self.weigher(x)(M, K, generator)

    def weigher(self, x: Data) -> Callable[[int, int, torch.Generator | None], Tensor]:
        """``log_weights`` as a function of M, K and the generator: for one x and many samples."""
        if has_own(self, "propose", LatentVariableModel):

            def of_propose(M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
                return self._weighed(x, *self.propose(x, M, K, generator=generator))

            return of_propose
        weigh = self.weigh(x)

        def log_w(M: int, K: int, generator: torch.Generator | None = None) -> Tensor:
            return weigh(self.noise(x, M, K, generator))

        return log_w

    def weigh(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """log w as a function of the noise: for one x and much noise. A subclass may do what x alone needs only once.

        Shapes: ``[B, D]`` -> a function ``[M, K, B, L] -> [M, K, B]``.
        """
        return lambda eps: self._weighed(x, *self.draw(x, eps))

    def _weighed(self, x: Data, z: Latent, log_q: Tensor) -> Tensor:
        return self.log_joint(x, z) - log_q


def has_own(model: object, method: str, *but: type) -> bool:
    """Whether a model has a method of its own, in its class or on the instance, and not that of one of these classes.

    What does its work in a shorter way asks this first: the short way is that of the method it knows.
    """
    mine = getattr(model, method)
    return all(getattr(mine, "__func__", None) is not vars(kind).get(method) for kind in but)


def must_be_one_model(model: object) -> None:
    """Refuse a ``log_weights`` of one's own: the loss asks ``log_joint`` and ``propose``, and would be another's."""
    mine = getattr(getattr(model, "log_weights", None), "__func__", None)
    if isinstance(model, LatentVariableModel) and not getattr(mine, "__module__", "").startswith("vaecourse."):
        raise TypeError(
            f"model must have no log_weights of its own, got that of {type(model).__name__}: training, bound and "
            "log_likelihood make log w of log_joint and of propose, or draw. Override these."
        )


def _lacks(model: object, what: str) -> NotImplementedError:
    return NotImplementedError(f"model must have {what}: {type(model).__name__} has none.")


@contextmanager
def mode(model: object, training: bool) -> Iterator[None]:
    """Every layer in training or in evaluation mode for as long as this lasts; afterwards each as it was.

    ``model.train(model.training)`` would not do that: it puts a layer that was frozen by ``.eval()`` into training.
    """
    before = [(layer, layer.training) for layer in model.modules()] if isinstance(model, nn.Module) else []
    try:
        if isinstance(model, nn.Module):
            model.train(training)
        yield
    finally:
        for layer, was_training in before:
            layer.training = was_training
