"""03.iwae_bound: the bound as a loss, pooled or by group, and its gradient. Shapes: ``[M, K, B], bool -> []``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import losses, slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.effects import CheckOfEffects, slopes_of
from vaecourse.checks.losses import ALL, GROUP

Loss = Callable[[Tensor, bool], Tensor]


def right(log_w: Tensor, pooled: bool) -> Tensor:
    return losses.of_bound(log_w, ALL if pooled else GROUP)


def watched(answer: Loss, log_w: Tensor, pooled: bool) -> dict[str, object]:
    leaf = log_w.clone().requires_grad_()
    loss = answer(leaf, pooled)
    return {"the loss": loss, "the loss is right; its gradient for log_w": slopes_of(loss, [leaf])[0]}


def cases() -> list[tuple[Tensor, bool]]:
    log_ws = [
        2 * normal(2, 3, 5, seed=1) - 1,
        normal(4, 6, 2, seed=2) - 800.0,
        normal(3, 2, 4, seed=3).double(),
        uneven(normal(2, 5, 3, seed=4), ALL).double(),  # one level for each x
    ]
    return [(log_w, pooled) for log_w in log_ws for pooled in (True, False)]


check = CheckOfEffects(
    "03.iwae_bound",
    right,
    praise="A number to descend, and its gradient: in your training_step it trains an IWAE, or the mean of M of them.",
    cases=cases,
    watched=watched,
)

losses.know_what_goes_wrong_on_the_way(
    check, lambda loss: lambda log_w, pooled: loss(bounds.iwae(log_w) if pooled else bounds.miwae(log_w))
)

check.slip("always pooled", lambda log_w, pooled: right(log_w, True))("""
    This is the pooled bound both times. With pooled=False each of the M groups has a logarithm of its own, and then
    they are averaged.""")
check.slip("always by group", lambda log_w, pooled: right(log_w, False))("""
    This is the bound by groups both times. With pooled=True all M K samples of an x stand under one logarithm.""")
check.slip("exchanged", lambda log_w, pooled: right(log_w, not pooled))("""
    The two cases are exchanged: pooled means all M K samples under one logarithm, not pooled M logarithms of K
    samples.""")

# The right loss of a wrong bound


def wrong(name: str, bound: Callable[..., Tensor]) -> Callable[[str], None]:
    """``bound(log_w, over)``: over the axes (0, 1) pooled, and (1,) by group; minus its mean is the answer."""
    return check.slip(name, lambda log_w, pooled: -bound(log_w, ALL if pooled else GROUP).mean())


losses.know_what_comes_of_exp(wrong)

M_FOR_K = {ALL: ALL, GROUP: (0,)}
NO_LOSS = "Two things. The sign is that of the bound: a loss is minus it. And "

wrong("log K missing", slips.log_K_missing)("""
    The gradient is right, for a number that is added has none. The value is not the bound: it is the log of a *sum*.
    Subtract the log of how many weights stand under the logarithm.""")
wrong("log MK by group", partial(slips.another_axis_counted, counted=ALL))("""
    The gradient is right. The value is not: you subtract log(M K) in both cases, and by group only K weights stand
    under each logarithm.""")
wrong("log K pooled", partial(slips.another_axis_counted, counted=GROUP))("""
    The gradient is right. Pooled, the loss is too low by log M: M K weights stand under the logarithm, and only log K
    was subtracted. logsumexp((0, 1)) takes both axes at once.""")
wrong("log M by group", lambda log_w, over: slips.another_axis_counted(log_w, over, counted=M_FOR_K[over]))("""
    The gradient is right. The value is not: by group you subtract the logarithm of the first axis, M (len gives that
    too). K is log_w.shape[1].""")
wrong("log K added", slips.log_K_added)("""
    The gradient is right. log K is added in the value, where the mean divides: subtract it.""")
wrong("base 2", slips.base_2)(
    "The gradient is right. In the value log K is not a natural logarithm. Nats go with math.log."
)
wrong("mean of logs", slips.mean_of_logs)("""
    You averaged the logs. That is the ELBO, whatever K is: average the weights first, and take the logarithm of that
    mean.""")
wrong(
    "largest weight not put back", lambda log_w, over: slips.exp_first(log_w - log_w.detach().amax(over, True), over)
)("""
    The largest log-weight was taken out before exp and not put back: add it after the logarithm. Or let torch.logsumexp
    do both.""")
wrong("over the M axis", lambda log_w, over: losses.log_mean(log_w, M_FOR_K[over]))("""
    By group you put the M axis under the logarithm and averaged over K. The axes are M, K, B, and K is number 1. With
    M = K nobody would notice.""")
wrong("averaged over M first", lambda w, over: losses.log_mean(w if over == ALL else w.mean(0, keepdim=True), over))("""
    By group you averaged the log-weights over M before the logarithm. First the bound in each group, then the mean over
    the groups.""")
wrong("groups added up", lambda log_w, over: losses.log_mean(log_w, over) * (1 if over == ALL else len(log_w)))(
    "By group you added up the M groups. Each is an estimate of the same bound: average them."
)
wrong("batch under the logarithm", lambda log_w, over: losses.log_mean(log_w, (*over, 2)))("""
    You put the whole batch under the logarithm as well. Data points never meet there: each x has a bound of its own,
    and the mean over B comes last.""")
wrong("surrogate reported", lambda log_w, over: (losses.shares(log_w, over).detach() * log_w).sum(over))("""
    The gradient is right: this is the surrogate, shares times log w. Its value is not the bound but never below it, so
    a table with it is too good. Take the logarithm of the mean; autograd finds the shares.""")
wrong("surrogate that is not detached", lambda log_w, over: (losses.shares(log_w, over) * log_w).sum(over))("""
    This is shares times log w, and the shares move too: autograd differentiates them as well, and the value is not the
    bound either. Take the logarithm of the mean; autograd finds the shares.""")
wrong("worst counts most", lambda log_w, over: losses.log_mean(-log_w, over))("""
    The log-weights went in with the wrong sign, so the worst sample counts most. And with the minus of the loss behind
    it, every weight sinks as the loss goes down.""")
wrong("softmax of a loss", lambda log_w, over: -losses.log_mean(-log_w, over))("""
    The softmax of a loss: you turned the sign of the log-weights and not that of the bound. It goes the right way, but
    this is the log of the mean of 1/w, and there the worst sample counts most.""")
wrong("logarithm divided by K", slips.logarithm_divided_by_K)(
    "You divided the *logarithm* by K. The mean is taken inside: dividing the sum subtracts log K."
)
wrong("divided by K", lambda log_w, over: losses.log_mean(log_w, over) / log_w.shape[1])("""
    You divided the whole loss by K. The mean over the K weights stands inside the logarithm already, as minus log K.
    """)
wrong("log forgotten", lambda log_w, over: log_w.exp().mean(over))("""
    This is the mean of the weights with a minus sign: the logarithm is missing. (And exp(-800) is 0 in a computer: let
    torch.logsumexp do both.)""")
wrong("sign and log K missing", lambda log_w, over: -log_w.logsumexp(over))(
    f"{NO_LOSS}the log of the number of weights is still to be subtracted."
)
wrong("the ELBO and not a loss", lambda log_w, over: -log_w)(
    f"{NO_LOSS}this is the ELBO: average the weights before the logarithm."
)
