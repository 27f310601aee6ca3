"""01.kl_to_prior: KL(N(mean, exp(log_std)^2) || N(0, I)). Shapes: ``[B, L], [B, L] -> [B]``."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def right(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


check = Check(
    "01.kl_to_prior",
    right,
    praise="Zero when q is the prior, and it grows when q moves away or gets narrow.",
    cases=lambda: [
        (normal(5, 3, seed=3), 0.7 * normal(5, 3, seed=4) - 0.5),
        (torch.zeros(2, 4), torch.zeros(2, 4)),
        (normal(3, 2, seed=5), torch.tensor([[-6.0, 0.5], [3.0, -1.0], [-2.5, 2.5]])),  # narrow, and wide
    ],
)


@check.mistake("""You used exp(log_std) as the variance. It is the standard deviation; the variance is exp(2 log_std).
    When you read other people's code, look first which of the two their encoder returns.""")
def log_sigma_read_as_a_log_variance(mean: Tensor, log_std: Tensor) -> Tensor:
    return right(mean, log_std / 2)


@check.mistake("The variance is right, and its logarithm is not: log of sigma squared is 2 log_std.")
def half_the_doubling(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - log_std).sum(-1)


@check.mistake("The first sigma in the formula is squared: exp(2 log_std), not exp(log_std).")
def standard_deviation_squared_nowhere(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + log_std.exp() - 1 - 2 * log_std).sum(-1)


@check.mistake("""You squared log_std to get the variance. log_std is a logarithm: sigma is exp(log_std), and sigma
    squared exp(2 log_std).""")
def log_sigma_read_as_sigma(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + log_std.square() - 1 - log_std.square().log()).sum(-1)


@check.mistake("You squared log_std to get the variance. log_std is a logarithm: sigma squared is exp(2 log_std).")
def log_sigma_squared(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + log_std.square() - 1 - 2 * log_std).sum(-1)


@check.mistake("""log sigma squared is subtracted, not added. A narrow q is far from the prior, so the KL grows as
    log_std falls.""")
def sign_of_the_logarithm(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 + 2 * log_std).sum(-1)


@check.mistake("""The - 1 stands inside the sum: every latent dimension has its own. Try mean = 0, log_std = 0: the KL
    must be 0.""")
def minus_1_once(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * ((mean.square() + (2 * log_std).exp() - 2 * log_std).sum(-1) - 1)


@check.mistake("""This is KL(prior || q). The expectation runs over q, so q comes first, and its width is not in a
    denominator.""")
def arguments_the_other_way_round(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * ((mean.square() + 1) * (-2 * log_std).exp() - 1 + 2 * log_std).sum(-1)


check.mistake("""The sign is turned round: a KL is never negative. (Some texts print -KL, because that is what the ELBO
    adds.)""")(partial(slips.sign_turned_round, right))


@check.mistake("The factor one half in front is missing. Try mean = 1, log_std = 0: the KL is 1/2.")
def one_half_missing(mean: Tensor, log_std: Tensor) -> Tensor:
    return 2 * right(mean, log_std)


@check.mistake("""The - 1 of every latent dimension is missing. Try mean = 0, log_std = 0: q is the prior, and the KL
    must be 0.""")
def minus_1_missing(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 2 * log_std).sum(-1)


@check.mistake("""You averaged over the L latent dimensions. The log-density of independent dimensions is a sum, so the
    KL is too; a mean makes it L times too cheap.""")
def mean_over_the_latent_dimensions(mean: Tensor, log_std: Tensor) -> Tensor:
    return right(mean, log_std) / mean.shape[-1]


@check.mistake("You averaged over dimensions and data. Sum over the L dimensions and keep one number per data point.")
def one_mean_over_everything(mean: Tensor, log_std: Tensor) -> Tensor:
    return right(mean, log_std).mean() / mean.shape[-1]


check.mistake("You summed over the data too. Every x has its own KL: sum over the last axis only.")(
    partial(slips.summed_over_the_batch, right)
)

check.mistake("You averaged over the data too. Every x has its own KL: sum over the last axis only and return [B].")(
    partial(slips.averaged_over_the_batch, right)
)


@check.mistake("""Every term is right. Sum them over the L latent dimensions, so that [B] is left. (Unsummed it is the
    KL per unit, and you will want it at the end of this chapter.)""")
def not_summed_over_L(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std)


@check.mistake("""You summed over the data, axis 0: [L]. Every x has its own KL, so sum over the latent dimensions, the
    last axis: [B].""")
def summed_over_axis_0(mean: Tensor, log_std: Tensor) -> Tensor:
    return not_summed_over_L(mean, log_std).sum(0)


@check.mistake("""You averaged over the data, axis 0: the KL of each latent unit, [L]. Asked for is that of each x: sum
    over the last axis, [B].""")
def averaged_over_axis_0(mean: Tensor, log_std: Tensor) -> Tensor:
    return not_summed_over_L(mean, log_std).mean(0)


@check.mistake("""Right as long as log_std lies between -2 and 2, and beyond you counted it as -2 or 2. A narrow q costs
    more and more nats: nothing here needs a limit.""")
def log_std_clipped_at_2(mean: Tensor, log_std: Tensor) -> Tensor:
    return right(mean, log_std.clamp(-2, 2))


@check.mistake("""Two things: the - 1 stands inside the sum, once for each latent dimension; and the factor one half is
    missing. Try mean = 0, log_std = 0: the KL must be 0.""")
def minus_1_once_and_one_half_missing(mean: Tensor, log_std: Tensor) -> Tensor:
    return 2 * minus_1_missing(mean, log_std) - 1
