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
        tuple(normal(2, 5, seed=seed).double() - 300.0 for seed in (4, 5, 6)),
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


@check.mistake("""Both parts are right for every data point, and both are expectations over x too: average over the
    batch.""")
def each_point_by_itself(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - m).mean(0), (m - p).mean(0))


@check.mistake("""You clipped at 0. A KL is never negative, its estimate from samples is at times; clipped, it is too
    large on average, and the two parts no longer add up to the rate.""")
def clipped_at_0(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return right(q, m, p).clamp(min=0)


@check.mistake("""You weighted each difference with the density q once more. The samples were drawn from q, which is
    that weight already: a plain mean.""")
def weighted_by_q_again(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q.exp() * (q - m)).mean(), (q.exp() * (m - p)).mean())


@check.mistake("Two things: these are sums, where expectations are means, and the information comes first.")
def sums_in_the_wrong_order(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return sums_for_means(q, m, p).flip(0)


@check.mistake("""The second is right. In the first, the samples come from q(z|x), so log q(z|x) comes first and log
    q(z) is subtracted.""")
def first_sign(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((m - q).mean(), (m - p).mean())


@check.mistake("You added up over the draws. Both are expectations: means over samples and over x.")
def summed_over_the_draws(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - m).sum(0).mean(), (m - p).sum(0).mean())


@check.mistake("""The first number is the whole rate, the second the information. Asked for are its two parts, the
    information first, then KL(q(z) || p(z)).""")
def rate_and_information(q: Tensor, m: Tensor, p: Tensor) -> Tensor:
    return pair((q - p).mean(), (q - m).mean())
