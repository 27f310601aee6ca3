"""01.loss: minus the ELBO with an analytic KL, the mean over the batch. Shapes: ``2 x [B, D], 2 x [B, L] -> []``."""

from __future__ import annotations

from collections.abc import Callable
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


def of_the_sigmoid(x: Tensor, logits: Tensor) -> Tensor:
    return binary_cross_entropy(logits.sigmoid(), x, reduction="none")


def floored(x: Tensor, logits: Tensor, floor: float = 1e-10) -> Tensor:
    p = logits.sigmoid()
    return -(x * (p + floor).log() + (1 - x) * (1 - p + floor).log())


def clipped(x: Tensor, logits: Tensor) -> Tensor:
    return binary_cross_entropy(logits.sigmoid().clamp(1e-6, 1 - 1e-6), x, reduction="none")


def halved(mean: Tensor, log_std: Tensor) -> Tensor:
    """The KL of who takes exp(log_std) for the variance."""
    return kl_to_prior(mean, log_std / 2)


one, per_B, per_D, per_L = (lambda *_: 1.0), (lambda B, D, L: 1 / B), (lambda B, D, L: 1 / D), (lambda B, D, L: 1 / L)


def right(
    x: Tensor,
    logits: Tensor,
    mean: Tensor,
    log_std: Tensor,
    *,
    pixels: Callable[[Tensor, Tensor], Tensor] = negative_log_likelihood,
    share: Callable[..., float] = one,
    weight: Callable[..., float] = one,
    kl: Callable[[Tensor, Tensor], Tensor] = kl_to_prior,
) -> Tensor:
    """``share`` times the sum over pixels, ``weight`` times the KL, the mean over the batch."""
    sizes = (*x.shape, mean.shape[-1])  # B, D, L
    return (share(*sizes) * pixels(x, logits).sum(-1) + weight(*sizes) * kl(mean, log_std)).mean()


check = Check(
    "01.loss",
    right,
    praise="Sum over pixels, sum over latent dimensions, mean over the batch: minus the ELBO, with no weight to tune.",
    cases=lambda: [loss_case(5, 7, 3, seed=20), loss_case(2, 4, 3, seed=30)],
)

check.slip("pixel mean beside a KL sum", partial(right, share=per_D))("""
    The pixels are still averaged while the KL is a sum: the KL counts D times too much. With 64 pixels that switches
    off every latent unit.""")
check.slip("pixel mean with a KL weight", partial(right, share=per_D, weight=per_B))("""
    The pixels are averaged and the KL has a weight that depends on the batch size. Change the batch and you change the
    objective. Two sums and one mean over the batch need no weight.""")
check.slip("as on the card", partial(right, pixels=of_the_sigmoid, share=per_D, weight=per_B))("""
    This is the loss on the card. It averages over pixels where a log-likelihood adds, and the weight of its KL depends
    on the batch size. Two sums and one mean over the batch need no weight.""")
check.slip("card without its weight", partial(right, pixels=of_the_sigmoid, share=per_D))("""
    The weight is gone, and the pixels are still averaged: the KL counts D times too much. Add the pixels up too, and
    start from the logits.""")
check.slip("mean over the latent dimensions", partial(right, weight=per_L))(
    "The pixels are summed, and the KL is averaged over its L dimensions. Both are sums."
)
check.slip("everything divided by D", partial(right, share=per_D, weight=per_D))(
    "The balance is right and everything is divided by D. Minus that is no bound of log p(x): leave the sums."
)
check.slip("means everywhere", partial(right, share=per_D, weight=per_L))("""
    You averaged over D pixels and over L latent dimensions. Both are sums: independent things multiply, so their logs
    add. Only the batch is averaged.""")
check.slip("weight is still there", partial(right, weight=per_B))(
    "The pixels are summed now, and the KL still carries the weight 1 / B. In the ELBO its weight is one."
)
check.slip("batch summed in one term", partial(right, share=lambda B, *_: B))("""
    The pixels are added up over the batch too, and the KL is averaged over it: the KL counts B times too little. Sum
    inside each data point, then take one mean over the batch.""")
check.slip("KL forgotten", partial(right, weight=lambda *_: 0))(
    "This is the reconstruction alone, the loss of an autoencoder. The KL to the prior is missing."
)
check.slip("squared error", partial(right, pixels=lambda x, logits: (x - logits.sigmoid()).square()))(
    "A squared error is a Gaussian likelihood. These pixels are coins: use the Bernoulli's cross entropy."
)
check.slip("sigmoid twice", partial(right, pixels=lambda x, logits: negative_log_likelihood(x, logits.sigmoid())))(
    "The sigmoid is taken twice: binary_cross_entropy_with_logits contains it. Give it the logits."
)
check.slip("summed over the batch", partial(right, share=lambda B, *_: B, weight=lambda B, *_: B))("""
    The batch is summed. That is a right direction with a step size that grows with B, and it is not comparable between
    batches: average over the batch, sum inside each data point.""")
check.slip("sign turned round", partial(slips.sign_turned_round, right))(
    "This is the ELBO itself. An optimiser goes downhill, so the loss is minus the ELBO."
)
check.slip("likelihood with the sign of a loss", partial(right, share=lambda *_: -1))("""
    The reconstruction term has the wrong sign: this loss falls when the pixels are *less* likely. A loss holds -log p(x
    | z) and +KL.""")
check.slip("KL with the wrong sign", partial(right, weight=lambda *_: -1))(
    "The KL has the wrong sign: this loss pays q for running away from the prior. A loss holds -log p(x | z) and +KL."
)
check.slip("floor under the logarithm", partial(right, pixels=floored))("""
    There is a floor of 1e-10 under your probability: a pixel that is sure and wrong costs at most 23 nats, not 40, and
    gets no gradient. Compute from the logits (binary_cross_entropy_with_logits).""")
check.slip("sigmoid before the cross entropy", partial(right, pixels=of_the_sigmoid))("""
    The sums are right. But sigmoid(40) is rounded to 1, and the log of 0 cut off at -100, as binary_cross_entropy does:
    100 nats for a pixel that costs 40. Give the logits to binary_cross_entropy_with_logits.""")
check.slip("log of the sigmoid", partial(right, pixels=partial(floored, floor=0.0)))("""
    Your loss is infinite. Does a log(1 - sigmoid(.)) meet a pixel that is sure and wrong? Compute from the logits
    (binary_cross_entropy_with_logits), which stays finite.""")
check.slip("probabilities clipped", partial(right, pixels=clipped))("""
    There is a floor of a millionth under your probability: a pixel that is sure and wrong costs at most 13.8 nats, not
    40, and gets no gradient. Compute from the logits (binary_cross_entropy_with_logits).""")
check.slip("log std read as a log variance", partial(right, kl=halved))("""
    The KL reads log_std as a log variance. exp(log_std) is sigma; the variance is exp(2 log_std), its logarithm 2
    log_std.""")
check.slip(
    "ELBO with log std read as a log variance", partial(right, share=lambda *_: -1, weight=lambda *_: -1, kl=halved)
)("""
    Two things: this is the ELBO, and a loss is minus that; and its KL reads log_std as a log variance, where the
    variance is exp(2 log_std).""")


@check.mistake("Right for every data point. A loss is one number: take the mean over the batch.")
def not_averaged_over_the_batch(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std)
