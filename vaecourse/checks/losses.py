"""Losses built on log w: minus the mean over the batch of a bound ``[B]``, and what goes wrong between the two."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.frame import Answer, Check

Bound = Callable[[Tensor, tuple[int, ...]], Tensor]
Loss = Callable[[Tensor], Tensor]  # of log_w [M, K, B], or of a bound [B]
ALL, GROUP = (0, 1), (1,)  # the axes of log_w under one logarithm: all M K samples, or the K of a group


def log_mean(log_w: Tensor, over: tuple[int, ...]) -> Tensor:
    """The log of the mean weight: the bound, of each group where ``over`` is GROUP."""
    return bounds.log_mean(log_w, over)


def shares(log_w: Tensor, over: tuple[int, ...]) -> Tensor:
    """The weights made to add up to one over those axes."""
    return log_w.flatten(0, 1).softmax(0).view_as(log_w) if over == ALL else log_w.softmax(over[0])


def of_bound(log_w: Tensor, over: tuple[int, ...]) -> Tensor:
    """The right loss."""
    return -log_mean(log_w, over).mean()


def of_moving_shares(log_w: Tensor, over: tuple[int, ...]) -> Tensor:
    """Minus the mean of shares times log w, where autograd differentiates the shares too."""
    return -(shares(log_w, over) * log_w).sum(over).mean()


def of_exp_first(log_w: Tensor, over: tuple[int, ...]) -> Tensor:
    return -log_w.exp().mean(over).log().mean()


def of_logs(log_w: Tensor) -> Tensor:
    """Minus the ELBO."""
    return -log_w.mean()


# From the bound of each x to the loss: name, what is done, what its author is told.
ON_THE_WAY: list[tuple[str, Loss, str]] = [
    ("no gradient comes back", lambda bound: -bound.mean().detach(), """The number is right, and it is cut off from
        what made it: no gradient comes back, so nothing would learn. Return a tensor, with no .item(), no .detach() and
        no numpy on the way."""),
    ("the bound and not a loss", lambda bound: bound.mean(), """This is the mean of the bound, and an optimiser goes
        down: it would make the bound as low as it can. A loss is minus the bound."""),
    ("one for each x", lambda bound: -bound, """Every x has its own loss in your answer, and .backward() asks for one
        number: take the mean over B."""),
    ("the bound of each x", lambda bound: bound, """Two things. Every x has its own bound in your answer: take the mean
        over B. And a loss is minus the bound."""),
    ("summed over the batch", lambda bound: -bound.sum(), """You added up the B data points. Then a larger batch takes
        larger steps: the loss is the mean over B."""),
    ("sign and summed over the batch", lambda bound: bound.sum(), """Two things. The sign is that of the bound: a loss
        is minus it. And the B data points are added up: take their mean."""),
    ("worst x alone", lambda bound: -bound.min(), """Only the x with the lowest bound counts in your loss. It is the
        mean over B."""),
]  # fmt: skip


def know_what_goes_wrong_on_the_way(check: Check, answer: Callable[[Loss], Answer]) -> None:
    """Make them known to a check; ``answer(loss)`` is the wrong answer that makes a loss of the right bound so."""
    for name, loss, message in ON_THE_WAY:
        check.slip(name, answer(loss))(message)


# What exp does to a right formula: name, the bound that comes of it, what its author is told.
OF_EXP: list[tuple[str, Bound, str]] = [
    ("exp first", slips.exp_first, """Right on paper. exp(-800) is 0 in a computer, and its logarithm -inf. Use
        torch.logsumexp."""),
    ("floor under the logarithm", slips.floor_under_the_logarithm, """The small number inside the logarithm hides the
        underflow: every bad value becomes -23, and no gradient comes back from it. Use torch.logsumexp, and no floor is
        needed."""),
    ("one maximum for all", slips.one_maximum_for_all, """You took one maximum out for everything. What lies 900 nats
        below it becomes log 0: each logarithm needs a maximum of its own, as torch.logsumexp has it."""),
]  # fmt: skip


def know_what_comes_of_exp(wrong: Callable[[str, Bound], Callable[[str], None]]) -> None:
    """``wrong(name, bound)(message)`` makes one known whose answer has that bound, ``bound(log_w, over)``."""
    for name, bound, message in OF_EXP:
        wrong(name, bound)(message)
