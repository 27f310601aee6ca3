"""What every training of the package is made of: a start that a seed decides, and steps that no bad gradient takes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from vaecourse import arguments

Value = TypeVar("Value")
NOT_FINITE = "the gradient has entries that are not finite."


@contextlib.contextmanager
def seeded(seed: int, gpus: bool = False) -> Iterator[None]:
    """What PyTorch draws by itself in the block, first weights for example, comes from ``seed``.

    Afterwards its generators are as they were: that of the CPU, and with ``gpus`` those of all GPUs, which only then
    are seeded. Without ``gpus`` what the block makes lies on the CPU, whatever ``torch.set_default_device`` says, for
    there a seed gives the same numbers on every machine. Raises ``ValueError`` or ``TypeError`` for what is no seed.

    >>> with seeded(3):
    ...     first = nn.Linear(2, 1)
    >>> with seeded(3):
    ...     bool((nn.Linear(2, 1).weight == first.weight).all())
    True
    """
    seed = arguments.count("seed", seed, at_least=0)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if gpus else []):
        (torch.manual_seed if gpus else torch.default_generator.manual_seed)(seed)
        with contextlib.nullcontext() if gpus else torch.device("cpu"):
            yield


def finite_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Raise ``FloatingPointError`` if a ``.grad`` has an entry that is not finite: one look, and one wait for a GPU."""
    if not _are_finite([gradient.norm() for gradient in _gradients(parameters)]):  # one by one: some may be sparse
        raise FloatingPointError(NOT_FINITE)


def _gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def _are_finite(norms: Sequence[Tensor]) -> Tensor:
    return torch.stack(tuple(norms)).isfinite().all()


def step(optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], backward: Callable[[], Value]) -> Value:
    """One step of the optimizer along the gradient that ``backward`` fills in; return what ``backward`` returns.

    Raises ``FloatingPointError`` for a gradient that is not finite, and whatever ``backward`` does; then no parameter
    has changed.

    >>> weight = nn.Parameter(torch.tensor(2.0))
    >>> step(torch.optim.SGD([weight], lr=0.25), [weight], lambda: (weight**2).backward())
    >>> weight.item()
    1.0
    """
    optimizer.zero_grad()
    value = backward()
    finite_gradients(parameters)
    optimizer.step()
    return value


class Guard:
    """``step`` without a wait for the device: a gradient that is not finite is told by ``checked``, and harms nothing.

    From the first such gradient on, that step too, no parameter changes.

    Arguments:
        optimizer: one of PyTorch's fused ones, which know how to leave a step out.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> None:
        self.optimizer, self.parameters = optimizer, list(parameters)
        self.spoiled = torch.zeros((), device=self.parameters[0].device)  # 1 from the first such gradient on

    def step(self, backward: Callable[[], Value]) -> Value:
        """One step of the optimizer, or nothing; return what ``backward`` returns."""
        self.optimizer.zero_grad()
        value = backward()
        finite = _are_finite(torch._foreach_norm(_gradients(self.parameters)))
        self.spoiled.add_(finite.logical_not()).clamp_(max=1)
        self.optimizer.grad_scale, self.optimizer.found_inf = None, self.spoiled  # type: ignore[attr-defined]
        self.optimizer.step()
        return value

    def checked(self) -> None:
        """Raise ``FloatingPointError`` if there was such a gradient: one look, and one wait for a GPU."""
        if self.spoiled.item():
            raise FloatingPointError(NOT_FINITE)
