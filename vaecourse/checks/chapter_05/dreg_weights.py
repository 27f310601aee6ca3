"""05.dreg_weights: DReG's column of the table. Shapes: ``[M, K, B] -> [M, K, B]``."""

from __future__ import annotations

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check


def share(log_w: Tensor) -> Tensor:
    """w~ over all M K samples. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return log_w.flatten(0, 1).softmax(0).view_as(log_w)


def right(log_w: Tensor) -> Tensor:
    return share(log_w) ** 2


check = Check(
    "05.dreg_weights",
    right,
    praise="The square of the share. At K = 1 it is 1, and DReG is sticking the landing of the ELBO.",
    cases=lambda: [
        (2 * normal(2, 3, 5, seed=11),),
        (normal(3, 4, 2, seed=12) - 800.0,),
        (uneven(normal(2, 5, 3, seed=13), 1),),
    ],
)


@check.mistake("""These are the plain shares. On the path term alone they make sticking the landing, which is biased for
    K > 1; DReG squares them.""")
def shares_not_squared_as_in_STL(log_w: Tensor) -> Tensor:
    return share(log_w)


@check.mistake("""You squared the weights and *then* normalised them, so they add up to one. Normalise first: the
    squares add up to 1/ESS, and this smallness is what makes the gradient as small as it must be.""")
def squares_that_add_up_to_one(log_w: Tensor) -> Tensor:
    return share(2 * log_w)


@check.mistake("""This is w~ - w~ squared: the score term rewritten, the part that DReG takes away. What is left over is
    the square. (Your weights are those of the doubly reparameterised wake phase.)""")
def other_half_as_in_RWS(log_w: Tensor) -> Tensor:
    return share(log_w) - share(log_w) ** 2


@check.mistake("Your shares add up to one over the M groups only. In the table, DReG pools all M K samples.")
def over_the_M_axis(log_w: Tensor) -> Tensor:
    return log_w.softmax(0) ** 2


@check.mistake("""You normalised inside each of the M groups. That fits a mean of M logarithms; the row of the table
    pools all M K samples under one.""")
def inside_each_group(log_w: Tensor) -> Tensor:
    return log_w.softmax(1) ** 2


@check.mistake("Your shares add up to one over the batch. Each x has its own M K samples, and only those share.")
def over_the_batch(log_w: Tensor) -> Tensor:
    return log_w.softmax(2) ** 2


@check.mistake("""You normalised inside each of the M groups and divided by M. That is the doubly reparameterised
    gradient of MIWAE; the row of the table pools all M K samples.""")
def inside_each_group_over_M(log_w: Tensor) -> Tensor:
    return log_w.softmax(1) ** 2 / len(log_w)


@check.mistake("""You normalised inside each of the M groups and divided by M before you squared. The row of the table
    pools all M K samples: one softmax over both axes.""")
def inside_each_group_over_M_squared(log_w: Tensor) -> Tensor:
    return (log_w.softmax(1) / len(log_w)) ** 2


@check.mistake("""You squared the log-weights before the softmax: log w = -800 counts most then. The shares w~ are
    squared, after the softmax.""")
def log_weights_squared(log_w: Tensor) -> Tensor:
    return share(log_w.square())


@check.mistake("""You took one maximum out for all data points. Where one x lies 900 nats below another, its weights
    become 0 and the ratio 0/0: use softmax.""")
def one_maximum_for_all(log_w: Tensor) -> Tensor:
    return slips.shares_of_one_maximum(log_w, (0, 1)) ** 2


@check.mistake("You took the root of the shares. The power is 2.")
def roots(log_w: Tensor) -> Tensor:
    return share(log_w).sqrt()


@check.mistake("""Right on paper. With log-weights near -800 every exp is 0 and the ratio 0/0. A softmax takes the
    largest one out first.""")
def exp_first(log_w: Tensor) -> Tensor:
    return (log_w.exp() / log_w.exp().sum((0, 1))) ** 2


@check.mistake("""Your shares add up to one over M, K *and* the batch. Each x has its own M K samples; leave the last
    axis alone.""")
def over_the_batch_as_well(log_w: Tensor) -> Tensor:
    return log_w.flatten().softmax(0).view_as(log_w) ** 2


@check.mistake("Squared once too often: the power is 2.")
def squared_twice(log_w: Tensor) -> Tensor:
    return share(log_w) ** 4


@check.mistake("You squared w, which was never normalised. The shares w~ = w / sum(w) are squared.")
def weights_themselves(log_w: Tensor) -> Tensor:
    return log_w.exp() ** 2


@check.mistake("The factor K is one too many: the sum over samples is a sum, not a mean.")
def times_K(log_w: Tensor) -> Tensor:
    return share(log_w) ** 2 * log_w.shape[1]
