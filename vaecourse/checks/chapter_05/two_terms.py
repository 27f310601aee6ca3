"""05.two_terms: the gradient of L_K from path and score. Shapes: ``3 x [K, B] -> [B]``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def weighted(log_w: Tensor, slope: Tensor, power: int = 1) -> Tensor:
    """sum_k w~_k^power slope_k. Shapes: ``[K, B], [K, B] -> [B]``."""
    return (log_w.softmax(0) ** power * slope).sum(0)


def shares_moving(log_w: Tensor, slope: Tensor) -> Tensor:
    """The gradient of sum_k w~_k log w_k when w~ is not held fixed."""
    share = log_w.softmax(0)
    return ((share + share * (log_w - (share * log_w).sum(0))) * slope).sum(0)


def right(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return weighted(log_w, path - score)


check = Check(
    "05.two_terms",
    right,
    praise="Both terms, each sample by its share. Now look at which of them is noise.",
    cases=lambda: [
        tuple(normal(5, 3, seed=seed) * scale for seed, scale in ((1, 2.0), (2, 1.0), (3, 1.0))),
        tuple(normal(2, 4, seed=seed) for seed in (4, 5, 6)),
        (normal(3, 2, seed=7) - 800.0, normal(3, 2, seed=8), normal(3, 2, seed=9)),
        (uneven(normal(4, 5, seed=10), 0), normal(4, 5, seed=11), normal(4, 5, seed=12)),
    ],
)


@check.mistake("""You kept the path term alone: that is sticking the landing. Its mean is the right one only at K = 1.
    Here the score term is wanted too.""")
def score_term_dropped_as_in_STL(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return weighted(log_w, path)


@check.mistake("You added the score term. log q stands in log w with a minus sign, so its part is subtracted.")
def score_term_has_the_wrong_sign(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return weighted(log_w, path + score)


@check.mistake("""You squared the shares and kept the score term. The squares have paid for the score term already: it
    is either whole slopes with plain shares, or the path term with squared shares.""")
def weights_of_DReG_on_whole_slopes(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return weighted(log_w, path - score, 2)


@check.mistake("""This is DReG: same mean, and a better estimator. Here the question is what autograd gives, which is
    both terms with plain shares.""")
def DReG_in_place_of_the_two_terms(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return weighted(log_w, path, 2)


@check.mistake("""This is the gradient of the sum of w~ log w with w~ moving too. The shares came out of the derivative
    of the logarithm; nothing of them is left to differentiate.""")
def shares_not_held_fixed(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return shares_moving(log_w, path - score)


@check.mistake("You averaged the slopes, which is the ELBO's gradient. In L_K each sample counts by its share w~.")
def gradient_of_the_ELBO(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return (path - score).mean(0)


@check.mistake("""The share multiplies the path term alone, and the scores are added up whole. Both belong to one slope:
    share times (path - score), in brackets.""")
def share_on_the_path_alone(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return weighted(log_w, path) - score.sum(0)


@check.mistake(
    "The share multiplies the score alone. Both belong to one slope: share times (path - score), in brackets."
)
def share_on_the_score_alone(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return path.sum(0) - weighted(log_w, score)


@check.mistake("You added the slopes up, all alike. In L_K each sample counts by its share w~.")
def no_shares_at_all(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return (path - score).sum(0)


@check.mistake("Right on paper. With log-weights near -800 every exp is 0 and the shares are 0/0: use softmax.")
def exp_first(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return (slips.shares_exp_first(log_w, 0) * (path - score)).sum(0)


@check.mistake("""You took one maximum out for all data points. Where one x lies 900 nats below another, its weights
    become 0 and the shares 0/0: every x needs a maximum of its own, as softmax has it.""")
def one_maximum_for_all(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return (slips.shares_of_one_maximum(log_w, 0) * (path - score)).sum(0)


check.mistake("The sign in the softmax is turned round: the worst sample counts most.")(
    partial(slips.worst_counts_most, right)
)


@check.mistake("""Your shares add up to one over the batch. The axes are K, B here, and it is the K samples of one x
    that share the credit.""")
def shares_over_the_batch(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return (log_w.softmax(1) * (path - score)).sum(0)


check.mistake("The sign is that of a loss. Return the gradient of the bound, which one climbs.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("""You multiplied with w itself. The derivative of the logarithm divides by the sum: take the shares, a
    softmax of log w.""")
def weights_not_their_shares(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return (log_w.exp() * (path - score)).sum(0)


@check.mistake("""Two things. The sign is that of a loss. And you divided by K: the shares add up to one already, so it
    is a sum.""")
def sign_turned_round_and_divided_by_K(log_w: Tensor, path: Tensor, score: Tensor) -> Tensor:
    return -right(log_w, path, score) / len(log_w)


check.mistake("You divided by K as well. The shares add up to one already, so it is a sum.")(
    partial(slips.divided_by_K, right)
)
