"""01.loss: minus the ELBO with an analytic KL, the mean over the batch. Shapes: ``2 x [B, D], 2 x [B, L] -> []``."""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn.functional import binary_cross_entropy, softplus

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_01.kl_to_prior import right as kl_to_prior
from vaecourse.checks.frame import Check


def negative_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    return softplus(logits) - x * logits  # [B, D]


def loss_case(B: int, D: int, L: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = (normal(B, D, seed=seed) > 0).float()
    logits = 3 * normal(B, D, seed=seed + 1)
    logits[0, 0], x[0, 0] = 40.0, 0.0  # a decoder that is sure and wrong: log(sigmoid(-40)) is -40
    return x, logits, normal(B, L, seed=seed + 2), 0.5 * normal(B, L, seed=seed + 3) - 0.5


def right(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std)).mean()


check = Check(
    "01.loss",
    right,
    praise="Sum over pixels, sum over latent dimensions, mean over the batch: minus the ELBO, with no weight to tune.",
    cases=lambda: [loss_case(5, 7, 3, seed=20), loss_case(2, 4, 3, seed=30)],
)


@check.mistake("""The pixels are still averaged while the KL is a sum: the KL counts D times too much. With 64 pixels
    that switches off every latent unit.""")
def pixel_mean_beside_a_KL_sum(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).mean() + kl_to_prior(mean, log_std).mean()


@check.mistake("""The pixels are averaged and the KL has a weight that depends on the batch size. Change the batch and
    you change the objective. Two sums and one mean over the batch need no weight.""")
def pixel_mean_with_a_KL_weight(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).mean() + kl_to_prior(mean, log_std).mean() / len(x)


@check.mistake("""This is the loss on the card. It averages over pixels where a log-likelihood adds, and the weight of
    its KL depends on the batch size. Two sums and one mean over the batch need no weight.""")
def as_on_the_card(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return binary_cross_entropy(logits.sigmoid(), x) + kl_to_prior(mean, log_std).mean() / len(x)


@check.mistake("""The weight is gone, and the pixels are still averaged: the KL counts D times too much. Add the pixels
    up too, and start from the logits.""")
def card_without_its_weight(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return binary_cross_entropy(logits.sigmoid(), x) + kl_to_prior(mean, log_std).mean()


@check.mistake("The pixels are summed, and the KL is averaged over its L dimensions. Both are sums.")
def mean_over_the_latent_dimensions(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std) / mean.shape[-1]).mean()


@check.mistake("""The balance is right and everything is divided by D. Minus that is no bound of log p(x): leave the
    sums.""")
def everything_divided_by_D(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return right(x, logits, mean, log_std) / x.shape[-1]


@check.mistake("""You averaged over D pixels and over L latent dimensions. Both are sums: independent things multiply,
    so their logs add. Only the batch is averaged.""")
def means_everywhere(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).mean() + kl_to_prior(mean, log_std).mean() / mean.shape[-1]


@check.mistake("The pixels are summed now, and the KL still carries the weight 1 / B. In the ELBO its weight is one.")
def weight_is_still_there(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std) / len(x)).mean()


@check.mistake("""The pixels are added up over the batch too, and the KL is averaged over it: the KL counts B times too
    little. Sum inside each data point, then take one mean over the batch.""")
def batch_summed_in_one_term(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).sum() + kl_to_prior(mean, log_std).mean()


@check.mistake("This is the reconstruction alone, the loss of an autoencoder. The KL to the prior is missing.")
def KL_forgotten(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).sum(-1).mean()


@check.mistake("A squared error is a Gaussian likelihood. These pixels are coins: use the Bernoulli's cross entropy.")
def squared_error(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return ((x - logits.sigmoid()).square().sum(-1) + kl_to_prior(mean, log_std)).mean()


@check.mistake("The sigmoid is taken twice: binary_cross_entropy_with_logits contains it. Give it the logits.")
def sigmoid_twice(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (negative_log_likelihood(x, logits.sigmoid()).sum(-1) + kl_to_prior(mean, log_std)).mean()


@check.mistake("""The batch is summed. That is a right direction with a step size that grows with B, and it is not
    comparable between batches: average over the batch, sum inside each data point.""")
def summed_over_the_batch(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return right(x, logits, mean, log_std) * len(x)


check.mistake("This is the ELBO itself. An optimiser goes downhill, so the loss is minus the ELBO.")(
    partial(slips.sign_turned_round, right)
)


@check.mistake("""The reconstruction term has the wrong sign: this loss falls when the pixels are *less* likely. A loss
    holds -log p(x | z) and +KL.""")
def likelihood_with_the_sign_of_a_loss(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (-negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std)).mean()


@check.mistake("""The KL has the wrong sign: this loss pays q for running away from the prior. A loss holds -log p(x |
    z) and +KL.""")
def KL_with_the_wrong_sign(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (negative_log_likelihood(x, logits).sum(-1) - kl_to_prior(mean, log_std)).mean()


@check.mistake("""log(sigmoid(.) + 1e-10) puts a floor under the log-likelihood: a pixel that is sure and wrong costs at
    most 23 nats and gets no gradient. Compute from the logits (binary_cross_entropy_with_logits).""")
def floor_under_the_logarithm(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    p = logits.sigmoid()
    log_p = x * (p + 1e-10).log() + (1 - x) * (1 - p + 1e-10).log()
    return (-log_p.sum(-1) + kl_to_prior(mean, log_std)).mean()


@check.mistake("""The sums are right. But sigmoid(40) is rounded to 1, and binary_cross_entropy then charges 100 nats
    for a pixel that costs 40. Give it the logits (binary_cross_entropy_with_logits).""")
def sigmoid_before_the_cross_entropy(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1) + kl_to_prior(mean, log_std)).mean()


@check.mistake("""log(1 - sigmoid(.)) is infinite for a pixel that is sure and wrong. Compute from the logits
    (binary_cross_entropy_with_logits), which stays finite.""")
def log_of_the_sigmoid(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    p = logits.sigmoid()
    return (-(x * p.log() + (1 - x) * (1 - p).log()).sum(-1) + kl_to_prior(mean, log_std)).mean()


@check.mistake("Right for every data point. A loss is one number: take the mean over the batch.")
def not_averaged_over_the_batch(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std)
