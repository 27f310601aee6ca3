"""04.piwae: the decoder's and the encoder's weights of PIWAE. Shapes: ``[M, K, B] -> 2 x [M, K, B]``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from vaecourse import objectives
from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def right(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), objectives.within(log_w)


check = Check(
    "04.piwae",
    right,
    praise="One set of samples, two sets of weights. That is all PIWAE is, and it costs nothing extra.",
    cases=lambda: [
        (2 * normal(3, 4, 5, seed=11),),
        (normal(2, 6, 3, seed=12) - 800.0,),
        (normal(5, 2, 1, seed=13),),
        (uneven(normal(2, 4, 3, seed=14), (0, 1)),),
    ],
)


@check.mistake("""Your encoder climbs the ELBO: equal weights, 1/(MK). Summaries of the paper say so, and it is only the
    case K = 1. In the paper the encoder climbs MIWAE(M, K): shares inside each group of K, divided by M.""")
def ELBO_for_the_encoder(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), objectives.uniform(log_w)


check.mistake("""Encoder and decoder are exchanged: it is the decoder that profits from all M K samples under one
    logarithm.""")(partial(slips.order_turned_round, right))


@check.mistake("""Both climb the bound of all M K samples: that is IWAE. The encoder's shares are taken inside each
    group.""")
def IWAE_for_both(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), objectives.pooled(log_w)


@check.mistake("Both climb MIWAE. The decoder of PIWAE pools all M K samples.")
def MIWAE_for_both(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.within(log_w), objectives.within(log_w)


@check.mistake("""The encoder's weights add up to M, one for each group. MIWAE is the *mean* over the groups: divide by
    M.""")
def not_divided_by_M(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), log_w.softmax(1)


@check.mistake("""The encoder's shares compete over the axis M. The axes are M, K, B, and K is number 1. Your code
    climbs MIWAE(K, M). With M = K that is the same on average, and training would not show it.""")
def over_the_M_axis(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), log_w.softmax(0) / log_w.shape[1]


@check.mistake("""Each is one step too loose: the decoder pools all M K samples, the encoder takes shares inside each
    group.""")
def MIWAE_for_the_decoder_and_the_ELBO_for_the_encoder(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.within(log_w), objectives.uniform(log_w)


check.mistake("The sign in the softmax is turned round: the worst sample gets the most weight.")(
    partial(slips.worst_counts_most, right)
)


@check.mistake("The encoder's shares are right, but divided by K. MIWAE is the mean over the M groups: divide by M.")
def divided_by_K(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), log_w.softmax(1) / log_w.shape[1]


@check.mistake("You divided the encoder's shares by M K. Inside a group they add up to one already: divide by M only.")
def divided_by_M_K(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), objectives.within(log_w) / log_w.shape[1]


@check.mistake("""Right on paper. With log-weights near -800 every exp is 0 and the shares are 0/0: use softmax, which
    takes the largest one out first.""")
def exp_first(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return slips.shares_exp_first(log_w, (0, 1)), slips.shares_exp_first(log_w, 1) / len(log_w)


@check.mistake("""You took one maximum out for all data points. Where one x lies 900 nats below another, its weights
    become 0 and the shares 0/0: use softmax.""")
def one_maximum_for_all(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return slips.shares_of_one_maximum(log_w, (0, 1)), slips.shares_of_one_maximum(log_w, 1) / len(log_w)


@check.mistake("""The encoder is right. The decoder's weights mix data points: reshape(B, M * K) cuts the numbers in the
    order in which they lie in memory, M, K, B. Use flatten(0, 1), which joins M and K.""")
def reshape_mixes_data_points(log_w: Tensor) -> tuple[Tensor, Tensor]:
    M, K, B = log_w.shape
    return log_w.reshape(B, M * K).softmax(1).reshape(M, K, B), objectives.within(log_w)


@check.mistake("""The encoder is right. The decoder's shares are squared: that is DReG's column for an *encoder*, in
    chapter 05. Here they add up to one.""")
def decoder_squared(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w).square(), objectives.within(log_w)


@check.mistake("""Two things. The decoder's shares are squared: take them as they are. And the encoder's are divided by
    K: the mean is over the M groups.""")
def decoder_squared_and_encoder_divided_by_K(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w).square(), log_w.softmax(1) / log_w.shape[1]


@check.mistake("""The decoder's weights went through two softmaxes, one for each axis. Flatten M and K into one axis,
    then take one softmax.""")
def one_softmax_after_the_other(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return log_w.softmax(0).softmax(1), objectives.within(log_w)


@check.mistake("The encoder's softmax runs over the batch, the last axis. The axes are M, K, B: its shares are over K.")
def encoder_over_the_batch(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.pooled(log_w), log_w.softmax(2) / len(log_w)


@check.mistake("These are the decoder's weights alone. Return two tensors: the decoder's weights, then the encoder's.")
def one_tensor_only(log_w: Tensor) -> Tensor:
    return objectives.pooled(log_w)


@check.mistake("""The decoder's weights add up to one over the batch as well: data points compete with each other. Pool
    over M and K only.""")
def over_the_batch(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return log_w.flatten().softmax(0).view_as(log_w), objectives.within(log_w)
