"""02.coverage: what the mean weight tends to where q is 0 somewhere. Shapes: ``3 x [Z] -> []``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.frame import Check


def cases() -> list[tuple[Tensor, Tensor, Tensor]]:
    t = lambda *values: torch.tensor(values, dtype=torch.float64)  # noqa: E731
    return [
        (t(0.5, 0.3, 0.2), t(0.3, 0.2, 1.0), t(0.7, 0.3, 0.0)),
        (t(0.4, 0.1, 0.3, 0.2), t(0.9, 0.5, 0.1, 0.6), t(0.0, 0.6, 0.0, 0.4)),
        (t(0.25, 0.75), t(0.2, 0.4), t(0.5, 0.5)),
        (t(0.1, 0.5, 0.2, 0.2), t(0.8, 0.3, 0.6, 0.9), t(0.008, 0.592, 0.4, 0.0)),  # a state that q draws rarely
    ]


def right(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood)[q > 0].sum()


check = Check(
    "02.coverage",
    right,
    praise="Yes. Whatever q does not cover is missing from the mean, and nothing in the samples tells you so.",
    cases=cases,
)


@check.mistake("""Where q is 0 your term is NaN: it is 0 times (something / 0), or with logarithms inf - inf. No sample
    ever lands there: leave those z out of the sum.""")
def zero_over_zero(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (q * (prior * likelihood / q)).sum()


@check.mistake("""This is p(x), the sum over every z. Samples of q never visit a z with q(z) = 0, so its share cannot be
    in the average.""")
def mass_q_misses(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood).sum()


@check.mistake("""You added the weights, and one of them is something / 0 = inf. A mean under q counts each state q(z)
    times, and a state with q(z) = 0 not at all.""")
def weights_summed_and_zeros_too(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood / q).sum()


@check.mistake("""You added the weights, one for each state. A mean under q counts each state q(z) times: multiply each
    weight by q before you add.""")
def weights_summed(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood / q)[q > 0].sum()


@check.mistake("You averaged over the states as if q drew each equally often. Multiply each weight by q(z) and add.")
def weights_averaged(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood / q)[q > 0].mean()


@check.mistake("You summed p(z). The weight is p(z) p(x|z) / q(z).")
def prior_without_likelihood(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return prior[q > 0].sum()


@check.mistake("You averaged p(x, z) under q. The weight divides by q(z) before it is averaged.")
def unweighted(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (q * prior * likelihood)[q > 0].sum()


@check.mistake("""You averaged the likelihood under q. That would be p(x) if q were the prior; the weight carries the
    ratio p(z)/q(z).""")
def q_for_the_prior(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (q * likelihood).sum()


@check.mistake("""You left out states that q does draw, if rarely. A rare state has a large weight, and q times w is
    p(z) p(x|z) again: only a state with q(z) = 0 is missing.""")
def rare_states_left_out(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood)[q > 0.01].sum()


@check.mistake("""You divided by the prior's mass on what q covers. That is p(x) given such a z; the mean weight is not
    normalised by anything.""")
def divided_by_the_mass_covered(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood)[q > 0].sum() / prior[q > 0].sum()


@check.mistake("""Your answer is 1 whatever the likelihood is: the sum of a distribution over all of its states. The
    mean weight is a sum of p(z) p(x|z), over the states that q draws.""")
def distribution_summed(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return prior.sum()


@check.mistake("The value is right, and its logarithm was returned. Asked for is the mean weight itself.")
def logarithm_of_it(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return right(prior, likelihood, q).log()
