"""01.two_kls: the KL of the joints and that of the marginals, of tables. Shapes: ``[X], [X, Z], [X, Z] -> [], []``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def kl(a: Tensor, b: Tensor) -> Tensor:
    return (a * (a.log() - b.log())).sum()


def tables(X: int, Z: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    p_joint = normal(X * Z, seed=seed + 2).softmax(0).view(X, Z)
    return normal(X, seed=seed).softmax(0), normal(X, Z, seed=seed + 1).softmax(1), p_joint


def perfect_encoder(X: int, Z: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    p_data, _, p_joint = tables(X, Z, seed)
    return p_data, p_joint / p_joint.sum(1, keepdim=True), p_joint


def rare_cells(X: int, Z: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    p_data, q, p_joint = tables(X, Z, seed)
    p_joint[0, 1], p_joint[1, 2], p_joint[2] = 5e-7, 2e-3, 4e-7  # torch's Categorical rounds what is below 1.2e-7 up
    return p_data, q, p_joint / p_joint.sum()


def right(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return kl(p_data[:, None] * q, p_joint), kl(p_data, p_joint.sum(1))


check = Check(
    "01.two_kls",
    right,
    praise="The joint KL is never the smaller one, and with a perfect encoder the two are equal.",
    cases=lambda: [tables(4, 3, seed=40), perfect_encoder(2, 5, seed=50), rare_cells(3, 4, seed=60)],
)


check.mistake("The two are swapped. The KL between joints is the larger one: (joint, marginal) in this order.")(
    partial(slips.order_turned_round, right)
)

check.mistake("""These are the negative KLs, the way the source text writes them. With that sign every inequality turns
    round, and that is how its heading came to say the opposite of its proof. Return the KLs themselves.""")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("""The arguments are the other way round. The average runs over the data and the encoder, so p_data q
    stands first.""")
def arguments_the_other_way_round(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return kl(p_joint, p_data[:, None] * q), kl(p_joint.sum(1), p_data)


@check.mistake("""The first number is minus the average ELBO: log p_data is missing inside the logarithm. The difference
    is the entropy of the data, a constant.""")
def data_term_is_missing(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return (p_data[:, None] * q * (q.log() - p_joint.log())).sum(), kl(p_data, p_joint.sum(1))


@check.mistake("""These are means over the cells of the tables. The probabilities in front weigh the terms already: a KL
    is a sum.""")
def means_in_the_place_of_sums(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    joint, marginal = right(p_data, q, p_joint)
    return joint / q.numel(), marginal / p_data.numel()


@check.mistake("The second number averages p(x, z) over z. A marginal is a sum, and it adds up to one.")
def mean_over_z(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return kl(p_data[:, None] * q, p_joint), kl(p_data, p_joint.mean(1))


@check.mistake("This is the KL of the joints. Return two numbers: (joint, marginal).")
def only_the_joint(p_data: Tensor, q: Tensor, p_joint: Tensor) -> Tensor:
    return right(p_data, q, p_joint)[0]


@check.mistake("""The first number compares q(z|x) with p(x, z): p_data(x) is missing. The first joint is p_data(x)
    q(z|x).""")
def data_do_not_weigh(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return kl(q, p_joint), kl(p_data, p_joint.sum(1))


@check.mistake("The second number compares the marginals of z. Sum z away (axis 1) and compare what is left of x.")
def marginal_over_the_wrong_axis(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return kl(p_data[:, None] * q, p_joint), kl(p_data @ q, p_joint.sum(0))


@check.mistake("""The first number is the KL from q to the posterior p(z|x), averaged over the data: the gap of the
    ELBO. The KL of the joints is that *plus* the KL of the marginals.""")
def gap_for_the_joint(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    joint, marginal = right(p_data, q, p_joint)
    return joint - marginal, marginal


@check.mistake("Both are right in bits. This course counts in nats: use log, not log2.")
def in_bits(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    joint, marginal = right(p_data, q, p_joint)
    return joint / math.log(2), marginal / math.log(2)


@check.mistake("""You lifted every cell of p_joint below 0.01 to 0.01. The table then adds up to more than 1, and the KL
    forgives the model what it rules out. A logarithm needs no floor as long as the cell is not 0.""")
def floor_of_a_hundredth(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return right(p_data, q, p_joint.clamp_min(0.01))


@check.mistake("""You added 1e-8 under the logarithm. The third table has cells of 0.0000005, where that is felt. A
    logarithm needs no floor as long as the cell is not 0.""")
def floor_in_the_logarithm(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    ratio = lambda a, b: (a * ((a + 1e-8).log() - (b + 1e-8).log())).sum()  # noqa: E731
    return ratio(p_data[:, None] * q, p_joint), ratio(p_data, p_joint.sum(1))


@check.mistake("""Two things: a KL is never negative, so both signs are turned round; and the second number compares the
    marginals of z, where z is to be summed away (axis 1).""")
def negative_and_over_the_wrong_axis(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    joint, marginal = marginal_over_the_wrong_axis(p_data, q, p_joint)
    return -joint, -marginal
