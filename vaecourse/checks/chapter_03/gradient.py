"""03.gradient: the gradient of L_K without autograd. Shapes: ``[K, B], [K, B, P] -> [B, P]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def right(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.softmax(0)[..., None] * slopes).sum(0)


check = Check(
    "03.gradient",
    right,
    praise="Every sample's slope, times its share. Samples that explain x well teach; the others are nearly ignored.",
    cases=lambda: [
        (2 * normal(5, 3, seed=21), normal(5, 3, 4, seed=22)),
        (normal(2, 4, seed=23) - 800.0, normal(2, 4, 1, seed=24)),
        (uneven(normal(4, 5, seed=25), 0), normal(4, 5, 2, seed=26)),
    ],
)


@check.mistake("Right on paper. With log-weights near -800 every exp is 0 and the shares are 0/0: use softmax.")
def exp_first(log_w: Tensor, slopes: Tensor) -> Tensor:
    return ((log_w.exp() / log_w.exp().sum(0))[..., None] * slopes).sum(0)


@check.mistake("""You took one maximum out for all data points. Where one x lies 900 nats below another, all its weights
    become 0 and the shares 0/0: every x needs a maximum of its own, as softmax has it.""")
def one_maximum_for_all(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (slips.shares_of_one_maximum(log_w, 0)[..., None] * slopes).sum(0)


@check.mistake("""This is the gradient of the sum of w~ log w with w~ moving too: there is an extra term w~ (log w -
    mean) in every weight. The weights w~ come out of the derivative of the logarithm, so they are held fixed
    (.detach()) in a surrogate.""")
def weights_not_held_fixed(log_w: Tensor, slopes: Tensor) -> Tensor:
    share = log_w.softmax(0)
    extra = share * (log_w - (share * log_w).sum(0))
    return ((share + extra)[..., None] * slopes).sum(0)


@check.mistake("""This is the plain mean of the slopes, the gradient of the ELBO. In L_K a sample counts by its share
    w~.""")
def gradient_of_the_ELBO(log_w: Tensor, slopes: Tensor) -> Tensor:
    return slopes.mean(0)


check.mistake("The sign in the softmax is turned round: the worst sample counts most.")(
    partial(slips.worst_counts_most, right)
)


@check.mistake("""These are the squared shares. They belong to the doubly reparameterised gradient of chapter 05, which
    drops a term of each slope; with whole slopes the plain shares are right.""")
def squared_shares(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.softmax(0).square()[..., None] * slopes).sum(0)


@check.mistake("""This is the gradient of the mean of w, without the logarithm: divide by the mean of w, and the shares
    w~ appear.""")
def gradient_of_the_sum_of_the_weights(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.exp()[..., None] * slopes).mean(0)


@check.mistake("You multiplied each slope by its weight w. Divide by the sum of the weights: the share w~ is needed.")
def weights_not_normalised(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.exp()[..., None] * slopes).sum(0)


@check.mistake("You multiplied each slope by its log-weight. The share w~ is needed: a softmax of the log-weights.")
def logs_as_weights(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w[..., None] * slopes).sum(0)


@check.mistake("You added the slopes up, all alike. Each counts by its share w~.")
def no_shares_at_all(log_w: Tensor, slopes: Tensor) -> Tensor:
    return slopes.sum(0)


@check.mistake("log K is a constant: it is in the bound, and its gradient is 0.")
def log_K_in_the_gradient(log_w: Tensor, slopes: Tensor) -> Tensor:
    return right(log_w, slopes) - math.log(len(log_w))


check.mistake("You averaged after weighting. The shares add up to one already, so it is a sum.")(
    partial(slips.divided_by_K, right)
)


@check.mistake("Your shares add up to one over the batch. The axes are K, B here, and the K samples of one x compete.")
def shares_over_the_batch(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.softmax(1)[..., None] * slopes).sum(0)


@check.mistake("""Your shares add up to one over K and the batch together: the data points compete with each other. A
    softmax over axis 0, the K samples of one x.""")
def shares_over_K_and_the_batch(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.flatten().softmax(0).view_as(log_w)[..., None] * slopes).sum(0)


@check.mistake("Each slope is multiplied by the *logarithm* of its share. Take the share itself: softmax.")
def logs_of_the_shares(log_w: Tensor, slopes: Tensor) -> Tensor:
    return (log_w.log_softmax(0)[..., None] * slopes).sum(0)


@check.mistake("You took the slope of the best sample alone. Every sample counts, by its share.")
def slope_of_the_best_sample(log_w: Tensor, slopes: Tensor) -> Tensor:
    return slopes.gather(0, log_w.argmax(0)[None, :, None].expand(1, *slopes.shape[1:]))[0]


check.mistake("The sign is that of a loss. Return the gradient of the bound.")(partial(slips.sign_turned_round, right))
