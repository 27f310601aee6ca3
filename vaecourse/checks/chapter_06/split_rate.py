"""06.split_rate: the rate as information and KL(q(z) || p(z)). Shapes: ``3 x [N, B] -> [2]``."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def pair(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first, second])


def right(log_q: Tensor, log_aggregate: Tensor, log_prior: Tensor) -> Tensor:
    return pair((log_q - log_aggregate).mean(), (log_aggregate - log_prior).mean())


check = Check(
    "06.split_rate",
    right,
    praise="They add up to the rate: one part that the code needs, one part that it wastes.",
    cases=lambda: [
        tuple(normal(3, 4, seed=seed) for seed in (1, 2, 3)),
        tuple(normal(2, 5, seed=seed) - 300.0 for seed in (4, 5, 6)),
    ],
)


check.mistake("Both numbers are right, and they have changed places: first the information, then KL(q(z) || p(z)).")(
    partial(slips.order_turned_round, right)
)


@check.mistake("""The first number compares q(z|x) with the prior: that is the whole rate. The information compares it
    with the average code q(z).""")
def whole_rate_in_place_of_the_information(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - p).mean(), (m - p).mean())


check.mistake("Both signs are turned round. A KL is the mean of log of what made the sample minus log of the other.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("""The information is right. The second number is the whole rate; KL(q(z) || p(z)) has log q(z) in the
    first place. Test: the two must add up to the rate.""")
def second_against_the_encoder(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - m).mean(), (q - p).mean())


@check.mistake("""The information is right. In the second, the samples come from q, so log q(z) comes first and log p(z)
    is subtracted.""")
def second_sign(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - m).mean(), (p - m).mean())


@check.mistake("You added up over the batch. It is an expectation over x as well: a mean over both axes.")
def summed_over_the_batch(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - m).mean(0).sum(), (m - p).mean(0).sum())


@check.mistake("You took sums. Both are expectations: means over samples and over x.")
def sums_for_means(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - m).sum(), (m - p).sum())


@check.mistake("You compared the densities. A KL compares their logarithms; the inputs are logarithms already.")
def densities_not_their_logarithms(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q.exp() - m.exp()).mean(), (m.exp() - p.exp()).mean())
