"""01.training_step: gradients cleared, loss, backward, step; the bound before the step as a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from vaecourse.checks.cases import normal
from vaecourse.checks.effects import CheckOfEffects

Loss = Callable[[Tensor], Tensor]
STEPS = 3


class MinusELBO(torch.nn.Module):
    """Minus the exact ELBO of x | z ~ N(decoder z, 0.7) under q = N(encoder x, exp(log_std)^2), over the batch."""

    def __init__(self, seed: int, left_over: float) -> None:
        super().__init__()
        start = normal(3, seed=seed).double()
        self.decoder, self.encoder, self.log_std = map(torch.nn.Parameter, (start[0] + 1, start[1], 0.3 * start[2]))
        self.left_over = left_over

    def forward(self, x: Tensor) -> Tensor:
        variance = (2 * self.log_std).exp()
        squared_error = (x - self.decoder * self.encoder * x).square() + self.decoder.square() * variance
        kl = 0.5 * ((self.encoder * x).square() + variance - 1 - 2 * self.log_std)
        return (0.5 * math.log(2 * math.pi * 0.7) + squared_error / 1.4 + kl).mean()


def case(B: int, seed: int, rate: float, left_over: float, kind: Callable[..., Optimizer]) -> tuple:
    loss_of = MinusELBO(seed, left_over)
    return loss_of, normal(B, seed=seed + 1).double(), kind(loss_of.parameters(), lr=rate)


def watched(answer: Callable[..., Any], loss_of: MinusELBO, x: Tensor, optimizer: Optimizer) -> dict[str, object]:
    """What some steps return, and where the parameters are after them."""
    if loss_of.left_over:  # somebody called backward before; a copy of a parameter has no gradient
        for parameter in loss_of.parameters():
            parameter.grad = torch.full_like(parameter, loss_of.left_over)
    bounds: list[Any] = [answer(loss_of, x, optimizer) for _ in range(STEPS)]
    graphs = sum(isinstance(bound, Tensor) and bound.requires_grad for bound in bounds)
    found: dict[str, object] = {f"what step {step} returned": bound for step, bound in enumerate(bounds, 1)}
    found |= {f"the parameter `{name}` after {STEPS} steps": p.detach() for name, p in loss_of.named_parameters()}
    return found | {"the number of graphs that the returned values keep alive": graphs}


def right(
    loss_of: Loss,
    x: Tensor,
    optimizer: Optimizer,
    *,
    clear: str = "before",
    factor: Callable[[int], float] = lambda B: 1.0,
    step: bool = True,
    told: Callable[[Tensor, Loss, Tensor], Any] = lambda loss, loss_of, x: -loss.item(),
) -> Any:
    """``factor`` multiplies the loss whose gradient is taken; ``told`` is what is returned of it."""
    if clear == "before":
        optimizer.zero_grad()
    loss = loss_of(x)
    (factor(len(x)) * loss).backward()
    if step:
        optimizer.step()
    if clear == "after":
        optimizer.zero_grad()
    return told(loss, loss_of, x)


check = CheckOfEffects(
    "01.training_step",
    right,
    praise="Clear, loss, backward, step: one step uphill on the bound. Chapters 03 to 05 put their bounds into it.",
    cases=lambda: [
        case(5, seed=51, rate=0.05, left_over=0.0, kind=torch.optim.SGD),
        case(4, seed=61, rate=0.03, left_over=-0.8, kind=torch.optim.SGD),
        case(3, seed=71, rate=0.02, left_over=0.5, kind=Adam),
    ],
    watched=watched,
)


MINUS_LOSS = lambda loss, *_: loss.item()  # noqa: E731
AFTER = lambda loss, loss_of, x: -loss_of(x).item()  # noqa: E731
GRAPH = lambda loss, *_: -loss  # noqa: E731

check.slip("gradients not cleared", partial(right, clear="never"))("""
    The gradients are never cleared. backward() *adds* to .grad, so the second step goes along the sum of two gradients,
    the third along the sum of three. Call optimizer.zero_grad() first.""")
check.slip("cleared at the end only", partial(right, clear="after"))("""
    You clear the gradients after the step and not before the first backward(). Whatever somebody left in .grad before
    then counts in your first step. Call optimizer.zero_grad() at the beginning.""")
check.slip("downhill on the bound", partial(right, factor=lambda B: -1.0))("""
    The parameters moved the wrong way: the loss rises. An optimiser goes downhill, and loss_of is minus the bound
    already: take its gradient as it is.""")
check.slip("loss taken for the bound", partial(right, factor=lambda B: -1.0, told=MINUS_LOSS))("""
    You took loss_of for the bound. It is minus the bound: the parameters moved the wrong way, for its gradient is taken
    as it is, and what you return has the wrong sign.""")
check.slip("nothing moved", partial(right, step=False))("""
    What you return is right, and after three calls every parameter is where it was. Look for three things: is
    backward() called, is optimizer.step() called after it, and does no zero_grad() stand between the two?""")
check.slip("loss returned for the bound", partial(right, told=MINUS_LOSS))(
    "The step is right, and you return the loss. The bound is minus that: it goes up when things get better."
)
check.slip("bound after the step", partial(right, told=AFTER))("""
    The step is right. You return the bound of the parameters *after* it, which costs another call of loss_of. The loss
    that you had computed before the step is enough: return minus that.""")
check.slip("graph kept", partial(right, told=GRAPH))("""
    The step is right. You return a tensor that still holds the graph of the loss: a list of a thousand of them keeps a
    thousand graphs in memory. .item() makes a number of it.""")
check.slip("graph kept by the loss", partial(right, told=lambda loss, *_: loss))("""
    The step is right. Two things about what you return: it is the loss, where the bound is minus that; and it still
    holds the graph, which .item() lets go.""")
check.slip("divided by the batch", partial(right, factor=lambda B: 1 / B))("""
    You divided the loss by the number of data points. It is their mean already: with a second division the step shrinks
    as the batch grows.""")
check.slip("times the batch", partial(right, factor=float))("""
    You multiplied the loss by the number of data points, which makes the mean a sum: the step grows with the batch.
    Take the gradient of the loss as it is.""")
check.slip("cleared never and the loss returned", partial(right, clear="never", told=MINUS_LOSS))("""
    Two things: the gradients are never cleared, so each backward() adds to those of the steps before; and you return
    the loss, where the bound is minus that.""")
