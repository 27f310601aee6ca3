"""05.two_shares: on paper, DReG's gradient of two samples with weights 3 and 1 and path terms 2 and -4."""

from __future__ import annotations

import torch

from vaecourse.checks.frame import Check

WEIGHTS = torch.tensor([3.0, 1.0], dtype=torch.float64)
PATHS = torch.tensor([2.0, -4.0], dtype=torch.float64)
SHARES = WEIGHTS / WEIGHTS.sum()


def added(factors: torch.Tensor) -> float:
    """The sum of the path terms, each times its factor."""
    return float((factors * PATHS).sum())


check = Check(
    "05.two_shares",
    added(SHARES**2),
    praise="9/16 of 2, less 1/16 of 4. The squares add up to 10/16: what is missing paid for the score term.",
)


@check.mistake("0.5 comes out with plain shares, 3/4 and 1/4: STL. DReG squares them.")
def plain_shares() -> float:
    return added(SHARES)


@check.mistake("""1.4 comes out if the squares are made to add up to one. They add up to 10/16, and stay so: what is
    missing has paid for the score term.""")
def squares_normalised() -> float:
    return added(SHARES**2 / (SHARES**2).sum())


@check.mistake("14 comes out if the weights are squared and not their shares. Divide by their sum first: 3/4 and 1/4.")
def weights_squared() -> float:
    return added(WEIGHTS**2)


@check.mistake("""2 comes out with the weights themselves, or with the first path term alone. First the shares, 3/4 and
    1/4, then their squares.""")
def weights_themselves() -> float:
    return added(WEIGHTS)


@check.mistake("3.5 comes out if the squared weights are divided by 4, their sum. A share squared has 16 below.")
def squares_over_the_sum() -> float:
    return added(WEIGHTS**2 / WEIGHTS.sum())


@check.mistake("0.4375 comes out if you divide by K = 2 as well. DReG is a sum over the samples.")
def divided_by_K() -> float:
    return added(SHARES**2) / 2


@check.mistake("-1 comes out if both path terms count alike, half each: that is the ELBO's path term.")
def mean_of_the_paths() -> float:
    return added(torch.full_like(SHARES, 0.5))


@check.mistake("""-0.375 comes out with the share less its square. That is what the score term is worth (line 4); what
    is left, the square, is DReG's.""")
def what_the_score_is_worth() -> float:
    return added(SHARES - SHARES**2)


@check.mistake("0.25 comes out if the sum is squared. The square stands on each share, inside the sum.")
def square_of_the_sum() -> float:
    return added(SHARES) ** 2


@check.mistake("3.25 comes out if the path terms are squared as well. Only the share is squared.")
def paths_squared() -> float:
    return float((SHARES**2 * PATHS**2).sum())


@check.mistake("7 comes out if the path terms are squared in place of the shares.")
def paths_squared_alone() -> float:
    return float((SHARES * PATHS**2).sum())


@check.mistake("""1.375 comes out if both products are added with a plus. The second path term is negative: it pulls the
    other way.""")
def sign_of_the_second_dropped() -> float:
    return float((SHARES**2 * PATHS.abs()).sum())


@check.mistake("1.125 comes out with the first sample alone. The second one has a share too, 1/4.")
def first_sample_alone() -> float:
    return float(SHARES[0] ** 2 * PATHS[0])


@check.mistake("The size of -0.875 is right. The sign is that of a loss; asked for is the gradient of the bound.")
def sign_turned_round() -> float:
    return -added(SHARES**2)
