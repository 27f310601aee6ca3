"""01.two_kls: the KL of the joints and that of the marginals, of tables. Shapes: ``[X], [X, Z], [X, Z] -> [], []``."""

from __future__ import annotations

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


def right(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    return kl(p_data[:, None] * q, p_joint), kl(p_data, p_joint.sum(1))


check = Check(
    "01.two_kls",
    right,
    praise="The joint KL is never the smaller one, and with a perfect encoder the two are equal.",
    cases=lambda: [tables(4, 3, seed=40), perfect_encoder(2, 5, seed=50)],
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


@check.mistake("You took .mean(). The probabilities in front weigh the terms already, so a KL is their sum.")
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
