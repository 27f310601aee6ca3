"""03.iwae_bound: the bound as a loss, pooled or by group, and its gradient. Shapes: ``[M, K, B], bool -> []``."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.effects import CheckOfEffects, slopes_of

Bound = Callable[[Tensor, bool], Tensor]


def bound(log_w: Tensor, pooled: bool) -> Tensor:
    """L of all M K samples, or the mean over M of L_K. Shapes: ``[M, K, B] -> [B]``."""
    return bounds.iwae(log_w) if pooled else bounds.miwae(log_w)


def right(log_w: Tensor, pooled: bool) -> Tensor:
    return -bound(log_w, pooled).mean()


def watched(answer: Bound, log_w: Tensor, pooled: bool) -> dict[str, object]:
    leaf = log_w.clone().requires_grad_()
    loss = answer(leaf, pooled)
    return {"the loss": loss, "the loss is right; its gradient for log_w": slopes_of(loss, [leaf])[0]}


def cases() -> list[tuple[Tensor, bool]]:
    log_ws = [
        2 * normal(2, 3, 5, seed=1) - 1,
        normal(4, 6, 2, seed=2) - 800.0,
        normal(3, 2, 4, seed=3).double(),
        uneven(normal(2, 5, 3, seed=4), (0, 1)).double(),  # one level for each x
    ]
    return [(log_w, pooled) for log_w in log_ws for pooled in (True, False)]


check = CheckOfEffects(
    "03.iwae_bound",
    right,
    praise="A number to descend, and its gradient: in your training_step it trains an IWAE, or the mean of M of them.",
    cases=cases,
    watched=watched,
)


def axes(pooled: bool) -> tuple[int, ...]:
    """The axes under the logarithm."""
    return (0, 1) if pooled else (1,)


def loss_of(name: str, value: Bound) -> Bound:
    """Minus the mean of a wrong bound over what is left of its axes."""

    def answer(log_w: Tensor, pooled: bool) -> Tensor:
        return -value(log_w, pooled).mean()

    answer.__name__ = name
    return answer


def shares(log_w: Tensor, pooled: bool) -> Tensor:
    return log_w.flatten(0, 1).softmax(0).view_as(log_w) if pooled else log_w.softmax(1)


@check.mistake("""The number is right, and it is cut off from what made it: no gradient comes back to log_w, so nothing
    would learn. Return a tensor, with no .item(), no .detach() and no numpy on the way.""")
def no_gradient_comes_back(log_w: Tensor, pooled: bool) -> Tensor:
    return right(log_w.detach(), pooled)


@check.mistake("""This is the mean of the bound, and an optimiser goes down: it would make the bound as low as it can.
    A loss is minus the bound.""")
def the_bound_and_not_a_loss(log_w: Tensor, pooled: bool) -> Tensor:
    return bound(log_w, pooled).mean()


@check.mistake("Every x has its own loss in your answer, and .backward() asks for one number: take the mean over B.")
def one_for_each_x(log_w: Tensor, pooled: bool) -> Tensor:
    return -bound(log_w, pooled)


@check.mistake("""Two things. Every x has its own bound in your answer: take the mean over B. And a loss is minus the
    bound.""")
def the_bound_of_each_x(log_w: Tensor, pooled: bool) -> Tensor:
    return bound(log_w, pooled)


@check.mistake("""You added up the B data points. Then a larger batch takes larger steps: the loss is the mean over
    B.""")
def summed_over_the_batch(log_w: Tensor, pooled: bool) -> Tensor:
    return -bound(log_w, pooled).sum()


@check.mistake("""This is the pooled bound both times. With pooled=False each of the M groups has a logarithm of its
    own, and then they are averaged.""")
def always_pooled(log_w: Tensor, pooled: bool) -> Tensor:
    return right(log_w, True)


@check.mistake("""This is the bound by groups both times. With pooled=True all M K samples of an x stand under one
    logarithm.""")
def always_by_group(log_w: Tensor, pooled: bool) -> Tensor:
    return right(log_w, False)


@check.mistake("""The two cases are exchanged: pooled means all M K samples under one logarithm, not pooled M logarithms
    of K samples.""")
def exchanged(log_w: Tensor, pooled: bool) -> Tensor:
    return right(log_w, not pooled)


check.mistake("""The gradient is right, for a number that is added has none. The value is not the bound: it is the log
    of a *sum*. Subtract the log of how many weights stand under the logarithm.""")(
    loss_of("log_K_missing", lambda log_w, pooled: log_w.logsumexp(axes(pooled)))
)

check.mistake("""The gradient is right. The value is not: you subtract log(M K) in both cases, and by group only K
    weights stand under each logarithm.""")(
    loss_of("log_MK_by_group", lambda log_w, pooled: bound(log_w, pooled) - (0 if pooled else math.log(len(log_w))))
)

check.mistake("""The gradient is right. Pooled, the loss is too low by log M: M K weights stand under the
    logarithm, and only log K was subtracted. logsumexp((0, 1)) takes both axes at once.""")(
    loss_of("log_K_pooled", lambda log_w, pooled: bound(log_w, pooled) + (math.log(len(log_w)) if pooled else 0))
)

check.mistake("""The gradient is right. The value is not: by group you subtract the logarithm of the first axis, M
    (len gives that too). K is log_w.shape[1].""")(
    loss_of(
        "log_M_by_group",
        lambda log_w, pooled: (
            bound(log_w, True) if pooled else slips.another_axis_counted(log_w, over=1, counted=0, then=0)
        ),
    )
)

check.mistake("""The gradient is right. log K is added in the value, where the mean divides: subtract it.""")(
    loss_of("log_K_added", lambda log_w, pooled: slips.log_K_added(log_w, axes(pooled)))
)

check.mistake("""You averaged the logs. That is the ELBO, whatever K is: average the weights first, and take the
    logarithm of that mean.""")(loss_of("mean_of_logs", lambda log_w, pooled: log_w.mean((0, 1))))

check.mistake("""Right on paper. exp(-800) is 0 in a computer, its logarithm -inf, and the gradient is not a number. Use
    torch.logsumexp.""")(loss_of("exp_first", lambda log_w, pooled: slips.exp_first(log_w, axes(pooled))))

check.mistake("""The small number inside the logarithm hides the underflow: every bad value becomes -23, and no gradient
    comes back from it. Use torch.logsumexp, and no floor is needed.""")(
    loss_of("floor_under_the_logarithm", lambda log_w, pooled: slips.floor_under_the_logarithm(log_w, axes(pooled)))
)

check.mistake("""You took one maximum out for everything. An x 900 nats below another becomes log 0: each needs a
    maximum of its own, as torch.logsumexp has it.""")(
    loss_of("one_maximum_for_all", lambda log_w, pooled: slips.one_maximum_for_all(log_w, axes(pooled)))
)

check.mistake("""By group you put the M axis under the logarithm and averaged over K. The axes are M, K, B, and K is
    number 1. With M = K nobody would notice.""")(
    loss_of(
        "over_the_M_axis",
        lambda log_w, pooled: bound(log_w, True) if pooled else slips.over_another_axis(log_w, over=0, then=0),
    )
)

check.mistake("""By group you averaged the log-weights over M before the logarithm. First the bound in each group, then
    the mean over the groups.""")(
    loss_of(
        "averaged_over_M_first",
        lambda log_w, pooled: bound(log_w if pooled else log_w.mean(0, keepdim=True), pooled),
    )
)

check.mistake("By group you added up the M groups. Each is an estimate of the same bound: average them.")(
    loss_of("groups_added_up", lambda log_w, pooled: bound(log_w, pooled) * (1 if pooled else len(log_w)))
)

check.mistake("""You put the whole batch under the logarithm as well. Data points never meet there: each x has a bound
    of its own, and the mean over B comes last.""")(
    loss_of(
        "batch_under_the_logarithm",
        lambda log_w, pooled: slips.over_another_axis(log_w, (*axes(pooled), 2)),
    )
)

check.mistake("""The gradient is right: this is the surrogate, shares times log w. Its value is not the bound but never
    below it, so a table with it is too good. Take the logarithm of the mean; autograd finds the shares.""")(
    loss_of(
        "surrogate_reported",
        lambda log_w, pooled: (shares(log_w, pooled).detach() * log_w).sum(axes(pooled)),
    )
)

check.mistake("""This is shares times log w, and the shares move too: autograd differentiates them as well, and the
    value is not the bound either. Take the logarithm of the mean; autograd finds the shares.""")(
    loss_of(
        "surrogate_that_is_not_detached",
        lambda log_w, pooled: (shares(log_w, pooled) * log_w).sum(axes(pooled)),
    )
)

check.mistake("""The log-weights went in with the wrong sign, so the worst sample counts most. And with the minus of the
    loss behind it, every weight sinks as the loss goes down.""")(
    loss_of("worst_counts_most", lambda log_w, pooled: bound(-log_w, pooled))
)

check.mistake("""The softmax of a loss: you turned the sign of the log-weights and not that of the bound. It goes the
    right way, but this is the log of the mean of 1/w, and there the worst sample counts most.""")(
    loss_of("softmax_of_a_loss", lambda log_w, pooled: -bound(-log_w, pooled))
)

check.mistake("The gradient is right. In the value log K is not a natural logarithm. Nats go with math.log.")(
    loss_of("base_2", lambda log_w, pooled: slips.base_2(log_w, axes(pooled)))
)

check.mistake("You divided the *logarithm* by K. The mean is taken inside: dividing the sum subtracts log K.")(
    loss_of(
        "logarithm_divided_by_K",
        lambda log_w, pooled: log_w.logsumexp(axes(pooled)) / math.prod(log_w.shape[axis] for axis in axes(pooled)),
    )
)

check.mistake("""This is the mean of the weights with a minus sign: the logarithm is missing. (And exp(-800) is 0 in a
    computer: let torch.logsumexp do both.)""")(
    loss_of("log_forgotten", lambda log_w, pooled: log_w.exp().mean(axes(pooled)))
)


@check.mistake("""The largest log-weight was taken out before exp and not put back: add it after the logarithm. Or let
    torch.logsumexp do both.""")
def largest_weight_not_put_back(log_w: Tensor, pooled: bool) -> Tensor:
    over = axes(pooled)
    return -(log_w - log_w.amax(over, keepdim=True).detach()).exp().mean(over).log().mean()


@check.mistake("""Two things. The sign is that of the bound: a loss is minus it. And the log of the number of weights is
    still to be subtracted.""")
def sign_and_log_K_missing(log_w: Tensor, pooled: bool) -> Tensor:
    return log_w.logsumexp(axes(pooled)).mean()


@check.mistake("""Two things. The sign is that of the bound: a loss is minus it. And this is the ELBO: average the
    weights before the logarithm.""")
def the_ELBO_and_not_a_loss(log_w: Tensor, pooled: bool) -> Tensor:
    return log_w.mean()


@check.mistake("""Two things. The sign is that of the bound: a loss is minus it. And the B data points are added up:
    take their mean.""")
def sign_and_summed_over_the_batch(log_w: Tensor, pooled: bool) -> Tensor:
    return bound(log_w, pooled).sum()


@check.mistake("""Only the x with the lowest bound counts in your loss. It is the mean over B.""")
def worst_x_alone(log_w: Tensor, pooled: bool) -> Tensor:
    return -bound(log_w, pooled).min()


@check.mistake("""You divided the whole loss by K. The mean over the K weights stands inside the logarithm already, as
    minus log K.""")
def divided_by_K(log_w: Tensor, pooled: bool) -> Tensor:
    return right(log_w, pooled) / log_w.shape[1]
