"""05.own_row: the doubly reparameterised weights of VR-IWAE. Shapes: ``[M, K, B] -> [M, K, B]``."""

from __future__ import annotations

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.chapter_05.dreg_weights import share
from vaecourse.checks.frame import Check


def tilted(log_w: Tensor, alpha: float) -> Tensor:
    return ((1 - alpha) * log_w).softmax(1)


def right(log_w: Tensor, alpha: float) -> Tensor:
    return (alpha * tilted(log_w, alpha) + (1 - alpha) * tilted(log_w, alpha) ** 2) / len(log_w)


check = Check(
    "05.own_row",
    right,
    praise="A row that is in no table of this course, from one derivative. You could have written the others too.",
    cases=lambda: [
        (2 * normal(2, 3, 5, seed=31), 0.3),
        (normal(3, 4, 2, seed=32) - 800.0, 0.75),
        (uneven(normal(2, 5, 3, seed=33), 1), 0.5),
    ],
)


@check.mistake("""alpha and 1 - alpha have changed places. Test the ends: alpha = 0 must give DReG's squares, alpha = 1
    the ELBO's 1/K.""")
def alpha_on_the_wrong_part(log_w: Tensor, alpha: float) -> Tensor:
    return ((1 - alpha) * tilted(log_w, alpha) + alpha * tilted(log_w, alpha) ** 2) / len(log_w)


@check.mistake("""The mixture is right, the shares are not: in this bound they are those of w to the power 1 - alpha,
    that is a softmax of (1 - alpha) log w.""")
def shares_of_IWAE(log_w: Tensor, alpha: float) -> Tensor:
    return (alpha * tilted(log_w, 0) + (1 - alpha) * tilted(log_w, 0) ** 2) / len(log_w)


@check.mistake("""You squared the tilted shares. But d share / d log w has a factor 1 - alpha here, so only that part of
    the share turns into its square; the part alpha stays as it is.""")
def squares_of_DReG_only(log_w: Tensor, alpha: float) -> Tensor:
    return tilted(log_w, alpha) ** 2 / len(log_w)


@check.mistake("""These are the weights for whole slopes, the row of the table. On the path term alone they are biased:
    take the diagonal derivative away.""")
def shares_alone_as_in_STL(log_w: Tensor, alpha: float) -> Tensor:
    return tilted(log_w, alpha) / len(log_w)


@check.mistake("This is the derivative of the share. It is what you take away from the share, not what is left.")
def diagonal_derivative_alone(log_w: Tensor, alpha: float) -> Tensor:
    return (1 - alpha) * (tilted(log_w, alpha) - tilted(log_w, alpha) ** 2) / len(log_w)


@check.mistake("The derivative of the share was added. log q stands in log w with a minus sign: take it away.")
def added_in_place_of_taken_away(log_w: Tensor, alpha: float) -> Tensor:
    return ((2 - alpha) * tilted(log_w, alpha) - (1 - alpha) * tilted(log_w, alpha) ** 2) / len(log_w)


def mixed(share: Tensor, alpha: float) -> Tensor:
    return alpha * share + (1 - alpha) * share**2


@check.mistake("""Right on paper. With log-weights near -800 the powers w^(1 - alpha) are 0 and the shares 0/0: a
    softmax takes the largest one out first.""")
def exp_first(log_w: Tensor, alpha: float) -> Tensor:
    return mixed(slips.shares_exp_first((1 - alpha) * log_w, 1), alpha) / len(log_w)


@check.mistake("""The squares have their factor 1 - alpha, and the part alpha of the share itself is missing: only 1 -
    alpha of it turns into the square.""")
def share_itself_is_missing(log_w: Tensor, alpha: float) -> Tensor:
    return (1 - alpha) * tilted(log_w, alpha) ** 2 / len(log_w)


@check.mistake("""The share is in it whole. Only its part alpha stays a share; the other part, 1 - alpha, has turned
    into the square.""")
def share_is_in_it_whole(log_w: Tensor, alpha: float) -> Tensor:
    return (tilted(log_w, alpha) + (1 - alpha) * tilted(log_w, alpha) ** 2) / len(log_w)


@check.mistake("""You raised the shares to the power 1 - alpha: they add up to one no more. Raise the weights first:
    softmax of (1 - alpha) log w.""")
def tilted_after_the_softmax(log_w: Tensor, alpha: float) -> Tensor:
    return (alpha * log_w.softmax(1) ** (1 - alpha) + (1 - alpha) * log_w.softmax(1) ** (2 - 2 * alpha)) / len(log_w)


@check.mistake("""Two things. The shares compete over the M axis: K is axis number 1. And they were raised to the power
    1 - alpha after the softmax, so they add up to one no more: softmax of (1 - alpha) log w.""")
def over_the_M_axis_and_tilted_after_it(log_w: Tensor, alpha: float) -> Tensor:
    return mixed(log_w.softmax(0) ** (1 - alpha), alpha) / len(log_w)


@check.mistake("Your shares are those of w to the power alpha. In this bound the exponent is 1 - alpha.")
def alpha_in_place_of_1_minus_alpha(log_w: Tensor, alpha: float) -> Tensor:
    return (alpha * tilted(log_w, 1 - alpha) + (1 - alpha) * tilted(log_w, 1 - alpha) ** 2) / len(log_w)


@check.mistake("The 1/M went inside the square. It stands in front of the whole mixture, once.")
def M_inside_the_square(log_w: Tensor, alpha: float) -> Tensor:
    return alpha * tilted(log_w, alpha) / len(log_w) + (1 - alpha) * (tilted(log_w, alpha) / len(log_w)) ** 2


@check.mistake("You divided by K as well. The shares add up to one over K already; only the 1/M is left.")
def divided_by_K_as_well(log_w: Tensor, alpha: float) -> Tensor:
    return (alpha * tilted(log_w, alpha) + (1 - alpha) * tilted(log_w, alpha) ** 2) / (len(log_w) * log_w.shape[1])


@check.mistake("Right inside a group. The value is a mean over the M groups, so the weights are divided by M.")
def not_divided_by_M(log_w: Tensor, alpha: float) -> Tensor:
    return alpha * tilted(log_w, alpha) + (1 - alpha) * tilted(log_w, alpha) ** 2


@check.mistake("""Your shares compete over the M axis. The axes are M, K, B, and number 1, K, is the one under the
    logarithm.""")
def over_the_M_axis(log_w: Tensor, alpha: float) -> Tensor:
    return (
        alpha * ((1 - alpha) * log_w).softmax(0) + (1 - alpha) * ((1 - alpha) * log_w).softmax(0) ** 2
    ) / log_w.shape[1]


@check.mistake("You pooled all M K samples. VR-IWAE has one logarithm for each of the M groups and averages them.")
def pooled_over_M_and_K(log_w: Tensor, alpha: float) -> Tensor:
    return alpha * share((1 - alpha) * log_w) + (1 - alpha) * share((1 - alpha) * log_w) ** 2
