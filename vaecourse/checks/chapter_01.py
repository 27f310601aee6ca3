r"""The checks of chapter 01: the ELBO from log-weights, diagonal Gaussians, the loss of a VAE, two KLs, collapse.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. Shapes in
the order M, K, B, D or L; everything in nats. ``log_var`` is the log of a variance, ``log_std`` of a standard
deviation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, softplus

from vaecourse import bounds
from vaecourse.checks.frame import Check, Mistake

LOG_2PI = math.log(2 * math.pi)


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 01.elbo -----------------------------------------------------------------------------------------------------------

ELBO = Check(
    "01.elbo",
    solution=lambda log_w: log_w.mean((0, 1)),
    cases=lambda: [(2 * _normal(2, 3, 5, seed=1) - 1,), (_normal(4, 1, 3, seed=2),)],
    mistakes=[
        Mistake(
            "A14: log of the mean",
            bounds.iwae,
            "You took the logarithm of the mean weight. The ELBO is the mean of the logarithms: the log_w are logs "
            "already. What you have is a tighter bound with a name of its own; chapter 03 is about it.",
        ),
        Mistake(
            "A14: log of the mean, M apart",
            bounds.miwae,
            "You took the logarithm of the mean weight over K and averaged over M. The ELBO has no logarithm left to "
            "take: it is the mean of log_w over both.",
        ),
        Mistake(
            "A14: missing log K",
            lambda log_w: log_w.logsumexp((0, 1)),
            "This is the log of the sum of the weights. The ELBO needs neither: log_w holds logarithms, and their "
            "mean over M and K is the answer.",
        ),
        Mistake(
            "A14: missing log K, M apart",
            lambda log_w: log_w.logsumexp(1).mean(0),
            "You took the log of the sum of the weights over K. The ELBO needs no exponential and no logarithm: it is "
            "the mean of log_w.",
        ),
        Mistake(
            "the logarithm taken twice",
            lambda log_w: log_w.log().mean((0, 1)),
            "You took the logarithm of log_w. It holds logarithms already, and many of them are negative.",
        ),
        Mistake(
            "A10: weighted by the weights",
            lambda log_w: (log_w.flatten(0, 1).softmax(0) * log_w.flatten(0, 1)).sum(0),
            "You let the large weights count more. The samples came from q already, so each counts the same: a plain "
            "mean.",
        ),
        Mistake(
            "A14: sum over the samples",
            lambda log_w: log_w.sum((0, 1)),
            "You added the M K samples. Each is an estimate of the ELBO on its own, so they are averaged.",
        ),
        Mistake(
            "A14: sum over M",
            lambda log_w: log_w.mean(1).sum(0),
            "You averaged over K and added up the M estimates. Each is an estimate of its own: average over both.",
        ),
        Mistake(
            "A14: sum over K",
            lambda log_w: log_w.sum(1).mean(0),
            "You averaged over M and added up the K samples. The ELBO is a mean over both.",
        ),
        Mistake(
            "A14: sum over the batch",
            lambda log_w: log_w.mean((0, 1)).sum(),
            "You also added up the B data points. Every x has its own ELBO: return [B].",
        ),
        Mistake(
            "mean over the batch",
            lambda log_w: log_w.mean(),
            "You also averaged over the B data points. Every x has its own ELBO: return [B]. The mean over B comes "
            "later, in the loss.",
        ),
        Mistake(
            "mean of the weights",
            lambda log_w: log_w.exp().mean((0, 1)),
            "This is the mean of w, an unbiased estimate of p(x) itself. The ELBO is the mean of log w.",
        ),
        Mistake(
            "a loss's sign",
            lambda log_w: -log_w.mean((0, 1)),
            "The sign is that of a loss. The ELBO is a lower bound of log p(x): it goes up when things get better.",
        ),
        Mistake(
            "batch and sample axes swapped",
            lambda log_w: log_w.mean((1, 2)),
            "You averaged over K and B and kept M. The axes are M, K, B in this order, and B is the one that stays.",
        ),
        Mistake(
            "only the K axis",
            lambda log_w: log_w.mean(1),
            "You averaged over K only. The M estimates are averaged too: what stays is B.",
        ),
    ],
    praise="The mean over both sample axes, one number per data point. That line is bounds.elbo.",
)


# 01.kl_to_prior ----------------------------------------------------------------------------------------------------


def kl_to_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, exp(log_std)^2) || N(0, I)). Shapes: ``[B, L], [B, L] -> [B]``."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


def _kl_from_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * ((mean.square() + 1) * (-2 * log_std).exp() - 1 + 2 * log_std).sum(-1)


KL_TO_PRIOR = Check(
    "01.kl_to_prior",
    solution=kl_to_prior,
    cases=lambda: [
        (_normal(5, 3, seed=3), 0.7 * _normal(5, 3, seed=4) - 0.5),
        (torch.zeros(2, 4), torch.zeros(2, 4)),
    ],
    mistakes=[
        Mistake(
            "A15: log_std read as a log-variance",
            lambda mean, log_std: kl_to_prior(mean, log_std / 2),
            "You used exp(log_std) as the variance. It is the standard deviation; the variance is exp(2 log_std). "
            "When you read other people's code, look first which of the two their encoder returns.",
        ),
        Mistake(
            "A15: half the doubling",
            lambda mean, log_std: 0.5 * (mean.square() + (2 * log_std).exp() - 1 - log_std).sum(-1),
            "The variance is right, and its logarithm is not: log of sigma squared is 2 log_std.",
        ),
        Mistake(
            "A15: the standard deviation squared nowhere",
            lambda mean, log_std: 0.5 * (mean.square() + log_std.exp() - 1 - 2 * log_std).sum(-1),
            "The first sigma in the formula is squared: exp(2 log_std), not exp(log_std).",
        ),
        Mistake(
            "A15: log_std read as sigma",
            lambda mean, log_std: 0.5 * (mean.square() + log_std.square() - 1 - log_std.square().log()).sum(-1),
            "You squared log_std to get the variance. log_std is a logarithm: sigma is exp(log_std), and sigma squared "
            "exp(2 log_std).",
        ),
        Mistake(
            "A15: log_std squared",
            lambda mean, log_std: 0.5 * (mean.square() + log_std.square() - 1 - 2 * log_std).sum(-1),
            "You squared log_std to get the variance. log_std is a logarithm: sigma squared is exp(2 log_std).",
        ),
        Mistake(
            "the sign of the logarithm",
            lambda mean, log_std: 0.5 * (mean.square() + (2 * log_std).exp() - 1 + 2 * log_std).sum(-1),
            "log sigma squared is subtracted, not added. A narrow q is far from the prior, so the KL grows as log_std "
            "falls.",
        ),
        Mistake(
            "- 1 once",
            lambda mean, log_std: 0.5 * ((mean.square() + (2 * log_std).exp() - 2 * log_std).sum(-1) - 1),
            "The - 1 stands inside the sum: every latent dimension has its own. Try mean = 0, log_std = 0: the KL must "
            "be 0.",
        ),
        Mistake(
            "the other way round",
            _kl_from_prior,
            "This is KL(prior || q). The expectation runs over q, so q comes first, and its width is not in a "
            "denominator.",
        ),
        Mistake(
            "the sign",
            lambda mean, log_std: -kl_to_prior(mean, log_std),
            "The sign is turned round: a KL is never negative. (Some texts print -KL, because that is what the ELBO "
            "adds.)",
        ),
        Mistake(
            "missing one half",
            lambda mean, log_std: 2 * kl_to_prior(mean, log_std),
            "The factor one half in front is missing. Try mean = 1, log_std = 0: the KL is 1/2.",
        ),
        Mistake(
            "missing - 1",
            lambda mean, log_std: 0.5 * (mean.square() + (2 * log_std).exp() - 2 * log_std).sum(-1),
            "The - 1 of every latent dimension is missing. Try mean = 0, log_std = 0: q is the prior, and the KL "
            "must be 0.",
        ),
        Mistake(
            "A4: mean over the latent dimensions",
            lambda mean, log_std: kl_to_prior(mean, log_std) / mean.shape[-1],
            "You averaged over the L latent dimensions. The log-density of independent dimensions is a sum, so the "
            "KL is too; a mean makes it L times too cheap.",
        ),
        Mistake(
            "A4: one mean over everything",
            lambda mean, log_std: kl_to_prior(mean, log_std).mean() / mean.shape[-1],
            "You averaged over dimensions and data. Sum over the L dimensions and keep one number per data point.",
        ),
        Mistake(
            "one number for the whole batch",
            lambda mean, log_std: kl_to_prior(mean, log_std).sum(),
            "You summed over the data too. Every x has its own KL: sum over the last axis only.",
        ),
        Mistake(
            "mean over the batch",
            lambda mean, log_std: kl_to_prior(mean, log_std).mean(),
            "You averaged over the data too. Every x has its own KL: sum over the last axis only and return [B].",
        ),
        Mistake(
            "not summed over L",
            lambda mean, log_std: 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std),
            "Every term is right. Sum them over the L latent dimensions, so that [B] is left. (Unsummed it is the KL "
            "per unit, and you will want it at the end of this chapter.)",
        ),
    ],
    praise="Zero when q is the prior, and it grows when q moves away or gets narrow.",
)


# 01.log_density ----------------------------------------------------------------------------------------------------


def log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; mean, diag(exp(log_var))). Shapes: ``[M, K, B, L], [B, L], [B, L] -> [M, K, B]``."""
    return (-0.5 * (LOG_2PI + log_var + (z - mean).square() * (-log_var).exp())).sum(-1)


def _density_per_dimension(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return -0.5 * (LOG_2PI + log_var + (z - mean).square() * (-log_var).exp())


LOG_DENSITY = Check(
    "01.log_density",
    solution=log_density,
    cases=lambda: [
        (_normal(2, 3, 5, 4, seed=5), _normal(5, 4, seed=6), _normal(5, 4, seed=7) - 1),
        (_normal(3, 1, 2, 1, seed=8), torch.zeros(2, 1), torch.ones(2, 1)),
    ],
    mistakes=[
        Mistake(
            "A17: parentheses",
            lambda z, mean, log_var: (-0.5 * (log_var + (z - mean).square()) / log_var.exp() - 0.5 * LOG_2PI).sum(-1),
            "Look at the parentheses: you divided log_var by the variance as well. Only the squared distance is "
            "divided by the variance. What you have is not a density at all: it does not integrate to one.",
        ),
        Mistake(
            "A17: as on the card",
            lambda z, mean, log_var: -0.5 * (log_var + (z - mean).square()) / log_var.exp() - 0.5 * LOG_2PI,
            "This is the line on the card. Look at its parentheses: log_var is divided by the variance as well, and "
            "only the squared distance may be. Then sum over the last axis.",
        ),
        Mistake(
            "A17: parentheses, and no 2 pi",
            lambda z, mean, log_var: (-0.5 * (log_var + (z - mean).square()) / log_var.exp()).sum(-1),
            "Look at the parentheses: only the squared distance is divided by the variance, not log_var. And the "
            "log(2 pi) of each dimension is missing.",
        ),
        Mistake(
            "A17: parentheses round all three",
            lambda z, mean, log_var: (-0.5 * (LOG_2PI + log_var + (z - mean).square()) / log_var.exp()).sum(-1),
            "Look at the parentheses: you divided log(2 pi) and log_var by the variance too. Only the squared "
            "distance is.",
        ),
        Mistake(
            "A15: exp(log_var) as standard deviation",
            lambda z, mean, log_var: log_density(z, mean, 2 * log_var),
            "You used exp(log_var) as the standard deviation. It is the variance; the standard deviation is "
            "exp(log_var / 2).",
        ),
        Mistake(
            "A15: divided by the standard deviation once",
            lambda z, mean, log_var: (-0.5 * (LOG_2PI + log_var + (z - mean).square() * (-0.5 * log_var).exp())).sum(
                -1
            ),
            "The squared distance is divided by the standard deviation. It needs the variance, exp(log_var).",
        ),
        Mistake(
            "A15: the normaliser of a variance",
            lambda z, mean, log_var: (-0.5 * LOG_2PI - log_var - 0.5 * (z - mean).square() * (-log_var).exp()).sum(-1),
            "The normaliser is -log sigma, and log sigma is log_var / 2: your -log_var is twice that.",
        ),
        Mistake(
            "no 2 pi",
            lambda z, mean, log_var: log_density(z, mean, log_var) + 0.5 * mean.shape[-1] * LOG_2PI,
            "The constant -1/2 log(2 pi) of every dimension is missing. Training would not notice; a bound in nats "
            "does.",
        ),
        Mistake(
            "2 pi once",
            lambda z, mean, log_var: log_density(z, mean, log_var) + 0.5 * (mean.shape[-1] - 1) * LOG_2PI,
            "The constant -1/2 log(2 pi) is there once. Every dimension has its own: put it inside the sum.",
        ),
        Mistake(
            "the sign of log_var",
            lambda z, mean, log_var: log_density(z, mean, log_var) + log_var.sum(-1),
            "The sign of log_var is turned round: the normaliser is -1/2 log_var. A narrow density is a high one.",
        ),
        Mistake(
            "log_var is missing",
            lambda z, mean, log_var: log_density(z, mean, log_var) + 0.5 * log_var.sum(-1),
            "The -1/2 log_var of every dimension is missing. Without it nothing rewards a density for being narrow.",
        ),
        Mistake(
            "A5: divided by log_var",
            lambda z, mean, log_var: (-0.5 * (LOG_2PI + log_var + (z - mean).square() / log_var)).sum(-1),
            "You divided by log_var. The squared distance needs the variance itself, exp(log_var).",
        ),
        Mistake(
            "the normaliser is missing",
            lambda z, mean, log_var: (-0.5 * (z - mean).square() * (-log_var).exp()).sum(-1),
            "This is only the quadratic part. Without -log sigma nothing stops q from shrinking to a point or "
            "growing wide.",
        ),
        Mistake(
            "A4: mean over the dimensions",
            lambda z, mean, log_var: _density_per_dimension(z, mean, log_var).mean(-1),
            "You averaged over the dimensions. Independent dimensions multiply, so their logs add: a sum.",
        ),
        Mistake(
            "not summed over L",
            _density_per_dimension,
            "Every dimension is right. Independent dimensions multiply, so add their logs over the last axis.",
        ),
        Mistake(
            "not a logarithm",
            lambda z, mean, log_var: log_density(z, mean, log_var).exp(),
            "This is the density; the exercise asks for its logarithm. Stay in logs: in 50 dimensions densities "
            "underflow.",
        ),
    ],
    praise="A log-density you can trust, with its constant: it can stand in a bound in nats.",
)


# 01.recover_eps ----------------------------------------------------------------------------------------------------


RECOVER_EPS = Check(
    "01.recover_eps",
    solution=lambda z, mean, log_var: (z - mean) * (-0.5 * log_var).exp(),
    cases=lambda: [
        (_normal(2, 3, 5, 4, seed=9), _normal(5, 4, seed=10), 0.5 * _normal(5, 4, seed=11) - 1.5),
        (_normal(3, 1, 2, 1, seed=12), torch.ones(2, 1), torch.zeros(2, 1)),
    ],
    mistakes=[
        Mistake(
            "A5: divided by log_var",
            lambda z, mean, log_var: (z - mean) / log_var,
            "You divided by log_var. The noise was multiplied by sigma = exp(log_var / 2), so divide by that: at "
            "log_var = 0 sigma is 1 and your answer is infinite.",
        ),
        Mistake(
            "A15: exp(log_var) as standard deviation",
            lambda z, mean, log_var: (z - mean) / log_var.exp(),
            "You divided by exp(log_var), which is the variance. The noise was multiplied by sigma = exp(log_var / 2).",
        ),
        Mistake(
            "A5: divided by half of log_var",
            lambda z, mean, log_var: (z - mean) / (0.5 * log_var),
            "You divided by log sigma. Take its exponential first: sigma = exp(log_var / 2).",
        ),
        Mistake(
            "A5: the square root of log_var",
            lambda z, mean, log_var: (z - mean) / log_var.sqrt(),
            "You took the square root of log_var, which may be negative. Undo the logarithm first: sigma = "
            "exp(log_var / 2).",
        ),
        Mistake(
            "A15: log_var doubled",
            lambda z, mean, log_var: (z - mean) / (2 * log_var).exp(),
            "You divided by exp(2 log_var), the square of the variance. Sigma is its square root: exp(log_var / 2).",
        ),
        Mistake(
            "parentheses",
            lambda z, mean, log_var: z - mean / (0.5 * log_var).exp(),
            "You divided only the mean by sigma. Subtract first: (z - mean) / sigma needs its parentheses.",
        ),
        Mistake(
            "multiplied",
            lambda z, mean, log_var: (z - mean) * (0.5 * log_var).exp(),
            "You multiplied by sigma once more. z = mean + sigma eps, so eps is the distance divided by sigma.",
        ),
        Mistake(
            "the sign",
            lambda z, mean, log_var: (mean - z) * (-0.5 * log_var).exp(),
            "The sign is turned round: z = mean + sigma eps, so eps is (z - mean) / sigma.",
        ),
        Mistake(
            "the mean stays",
            lambda z, mean, log_var: z * (-0.5 * log_var).exp(),
            "The mean was not taken off. First subtract it, then divide by sigma.",
        ),
    ],
    praise="Undo the shift, then undo the scale. Standard noise comes back, whatever the encoder said.",
)


# 01.loss -----------------------------------------------------------------------------------------------------------


def _negative_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    return softplus(logits) - x * logits  # [B, D]


def loss(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Minus the ELBO with an analytic KL, the mean over the batch. Shapes: ``2 x [B, D], 2 x [B, L] -> []``."""
    return (_negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std)).mean()


def _floored(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    p = logits.sigmoid()
    log_p = x * (p + 1e-10).log() + (1 - x) * (1 - p + 1e-10).log()
    return (-log_p.sum(-1) + kl_to_prior(mean, log_std)).mean()


def _unprotected(x: Tensor, logits: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    p = logits.sigmoid()
    return (-(x * p.log() + (1 - x) * (1 - p).log()).sum(-1) + kl_to_prior(mean, log_std)).mean()


def _loss_case(B: int, D: int, L: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = (_normal(B, D, seed=seed) > 0).float()
    logits = 3 * _normal(B, D, seed=seed + 1)
    logits[0, 0], x[0, 0] = 40.0, 0.0  # a decoder that is sure and wrong: log(sigmoid(-40)) is -40
    return x, logits, _normal(B, L, seed=seed + 2), 0.5 * _normal(B, L, seed=seed + 3) - 0.5


LOSS = Check(
    "01.loss",
    solution=loss,
    cases=lambda: [_loss_case(5, 7, 3, seed=20), _loss_case(2, 4, 3, seed=30)],
    mistakes=[
        Mistake(
            "A4: pixel mean beside a KL sum",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).mean() + kl_to_prior(mean, log_std).mean()
            ),
            "The pixels are still averaged while the KL is a sum: the KL counts D times too much. With 64 pixels that "
            "switches off every latent unit.",
        ),
        Mistake(
            "A4: pixel mean with a KL weight",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).mean() + kl_to_prior(mean, log_std).mean() / len(x)
            ),
            "The pixels are averaged and the KL has a weight that depends on the batch size. Change the batch and "
            "you change the objective. Two sums and one mean over the batch need no weight.",
        ),
        Mistake(
            "A4: as on the card",
            lambda x, logits, mean, log_std: (
                binary_cross_entropy(logits.sigmoid(), x) + kl_to_prior(mean, log_std).mean() / len(x)
            ),
            "This is the loss on the card. It averages over pixels where a log-likelihood adds, and the weight of "
            "its KL depends on the batch size. Two sums and one mean over the batch need no weight.",
        ),
        Mistake(
            "A4: the card without its weight",
            lambda x, logits, mean, log_std: (
                binary_cross_entropy(logits.sigmoid(), x) + kl_to_prior(mean, log_std).mean()
            ),
            "The weight is gone, and the pixels are still averaged: the KL counts D times too much. Add the pixels up "
            "too, and start from the logits.",
        ),
        Mistake(
            "A4: a mean over the latent dimensions",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std) / mean.shape[-1]
            ).mean(),
            "The pixels are summed, and the KL is averaged over its L dimensions. Both are sums.",
        ),
        Mistake(
            "A4: everything divided by D",
            lambda x, logits, mean, log_std: loss(x, logits, mean, log_std) / x.shape[-1],
            "The balance is right and everything is divided by D. Minus that is no bound of log p(x): leave the sums.",
        ),
        Mistake(
            "A4: means everywhere",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).mean() + kl_to_prior(mean, log_std).mean() / mean.shape[-1]
            ),
            "You averaged over D pixels and over L latent dimensions. Both are sums: independent things multiply, so "
            "their logs add. Only the batch is averaged.",
        ),
        Mistake(
            "A4: the weight is still there",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std) / len(x)
            ).mean(),
            "The pixels are summed now, and the KL still carries the weight 1 / B. In the ELBO its weight is one.",
        ),
        Mistake(
            "A4: the batch summed in one term",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).sum() + kl_to_prior(mean, log_std).mean()
            ),
            "The pixels are added up over the batch too, and the KL is averaged over it: the KL counts B times too "
            "little. Sum inside each data point, then take one mean over the batch.",
        ),
        Mistake(
            "the KL forgotten",
            lambda x, logits, mean, log_std: _negative_log_likelihood(x, logits).sum(-1).mean(),
            "This is the reconstruction alone, the loss of an autoencoder. The KL to the prior is missing.",
        ),
        Mistake(
            "squared error",
            lambda x, logits, mean, log_std: (
                (x - logits.sigmoid()).square().sum(-1) + kl_to_prior(mean, log_std)
            ).mean(),
            "A squared error is a Gaussian likelihood. These pixels are coins: use the Bernoulli's cross entropy.",
        ),
        Mistake(
            "A13: the sigmoid twice",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits.sigmoid()).sum(-1) + kl_to_prior(mean, log_std)
            ).mean(),
            "The sigmoid is taken twice: binary_cross_entropy_with_logits contains it. Give it the logits.",
        ),
        Mistake(
            "A4: sum over the batch",
            lambda x, logits, mean, log_std: loss(x, logits, mean, log_std) * len(x),
            "The batch is summed. That is a right direction with a step size that grows with B, and it is not "
            "comparable between batches: average over the batch, sum inside each data point.",
        ),
        Mistake(
            "A1: the sign of the ELBO",
            lambda x, logits, mean, log_std: -loss(x, logits, mean, log_std),
            "This is the ELBO itself. An optimiser goes downhill, so the loss is minus the ELBO.",
        ),
        Mistake(
            "A1: the likelihood with the sign of a loss",
            lambda x, logits, mean, log_std: (
                -_negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std)
            ).mean(),
            "The reconstruction term has the wrong sign: this loss falls when the pixels are *less* likely. A loss "
            "holds -log p(x | z) and +KL.",
        ),
        Mistake(
            "A1: the KL with the wrong sign",
            lambda x, logits, mean, log_std: (
                _negative_log_likelihood(x, logits).sum(-1) - kl_to_prior(mean, log_std)
            ).mean(),
            "The KL has the wrong sign: this loss pays q for running away from the prior. A loss holds -log p(x | z) "
            "and +KL.",
        ),
        Mistake(
            "A13: log(p + 1e-10)",
            _floored,
            "log(sigmoid(.) + 1e-10) puts a floor under the log-likelihood: a pixel that is sure and wrong costs at "
            "most 23 nats and gets no gradient. Compute from the logits (binary_cross_entropy_with_logits).",
        ),
        Mistake(
            "A13: a sigmoid before the cross entropy",
            lambda x, logits, mean, log_std: (
                binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1) + kl_to_prior(mean, log_std)
            ).mean(),
            "The sums are right. But sigmoid(40) is rounded to 1, and binary_cross_entropy then charges 100 nats for a "
            "pixel that costs 40. Give it the logits (binary_cross_entropy_with_logits).",
        ),
        Mistake(
            "A13: log(sigmoid)",
            _unprotected,
            "log(1 - sigmoid(.)) is infinite for a pixel that is sure and wrong. Compute from the logits "
            "(binary_cross_entropy_with_logits), which stays finite.",
        ),
        Mistake(
            "not averaged over the batch",
            lambda x, logits, mean, log_std: _negative_log_likelihood(x, logits).sum(-1) + kl_to_prior(mean, log_std),
            "Right for every data point. A loss is one number: take the mean over the batch.",
        ),
    ],
    praise="Sum over pixels, sum over latent dimensions, mean over the batch: minus the ELBO, with no weight to tune.",
)


# 01.two_kls --------------------------------------------------------------------------------------------------------


def _kl(a: Tensor, b: Tensor) -> Tensor:
    return (a * (a.log() - b.log())).sum()


def two_kls(p_data: Tensor, q: Tensor, p_joint: Tensor) -> tuple[Tensor, Tensor]:
    """(KL of the joints, KL of the marginals) of tables. Shapes: ``[X], [X, Z], [X, Z] -> [], []``."""
    return _kl(p_data[:, None] * q, p_joint), _kl(p_data, p_joint.sum(1))


def _tables(X: int, Z: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    p_joint = _normal(X * Z, seed=seed + 2).softmax(0).view(X, Z)
    return _normal(X, seed=seed).softmax(0), _normal(X, Z, seed=seed + 1).softmax(1), p_joint


def _perfect_encoder(X: int, Z: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    p_data, _, p_joint = _tables(X, Z, seed)
    return p_data, p_joint / p_joint.sum(1, keepdim=True), p_joint


TWO_KLS = Check(
    "01.two_kls",
    solution=two_kls,
    cases=lambda: [_tables(4, 3, seed=40), _perfect_encoder(2, 5, seed=50)],
    mistakes=[
        Mistake(
            "B37: swapped",
            lambda p_data, q, p_joint: two_kls(p_data, q, p_joint)[::-1],
            "The two are swapped. The KL between joints is the larger one: (joint, marginal) in this order.",
        ),
        Mistake(
            "B37: the negative KLs",
            lambda p_data, q, p_joint: tuple(-kl for kl in two_kls(p_data, q, p_joint)),
            "These are the negative KLs, the way the source text writes them. With that sign every inequality turns "
            "round, and that is how its heading came to say the opposite of its proof. Return the KLs themselves.",
        ),
        Mistake(
            "the other way round",
            lambda p_data, q, p_joint: (
                _kl(p_joint, p_data[:, None] * q),
                _kl(p_joint.sum(1), p_data),
            ),
            "The arguments are the other way round. The average runs over the data and the encoder, so p_data q "
            "stands first.",
        ),
        Mistake(
            "the data term is missing",
            lambda p_data, q, p_joint: (
                (p_data[:, None] * q * (q.log() - p_joint.log())).sum(),
                _kl(p_data, p_joint.sum(1)),
            ),
            "The first number is minus the average ELBO: log p_data is missing inside the logarithm. The difference "
            "is the entropy of the data, a constant.",
        ),
        Mistake(
            "means in the place of sums",
            lambda p_data, q, p_joint: (
                two_kls(p_data, q, p_joint)[0] / q.numel(),
                two_kls(p_data, q, p_joint)[1] / p_data.numel(),
            ),
            "You took .mean(). The probabilities in front weigh the terms already, so a KL is their sum.",
        ),
        Mistake(
            "a mean over z",
            lambda p_data, q, p_joint: (_kl(p_data[:, None] * q, p_joint), _kl(p_data, p_joint.mean(1))),
            "The second number averages p(x, z) over z. A marginal is a sum, and it adds up to one.",
        ),
        Mistake(
            "only the joint",
            lambda p_data, q, p_joint: two_kls(p_data, q, p_joint)[0],
            "This is the KL of the joints. Return two numbers: (joint, marginal).",
        ),
        Mistake(
            "the data do not weigh",
            lambda p_data, q, p_joint: (_kl(q, p_joint), _kl(p_data, p_joint.sum(1))),
            "The first number compares q(z|x) with p(x, z): p_data(x) is missing. The first joint is p_data(x) q(z|x).",
        ),
        Mistake(
            "the marginal over the wrong axis",
            lambda p_data, q, p_joint: (
                _kl(p_data[:, None] * q, p_joint),
                _kl(p_data @ q, p_joint.sum(0)),
            ),
            "The second number compares the marginals of z. Sum z away (axis 1) and compare what is left of x.",
        ),
    ],
    praise="The joint KL is never the smaller one, and with a perfect encoder the two are equal.",
)


# 01.active_units ---------------------------------------------------------------------------------------------------


def _encoder(N: int, stds: list[float], shift: float, log_std: list[float], seed: int) -> tuple[Tensor, Tensor]:
    means = _normal(N, len(stds), seed=seed) * torch.tensor(stds) + shift
    return means, torch.tensor(log_std).expand(N, -1)


def _kl_per_unit(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).mean(0)  # [L]


ACTIVE_UNITS = Check(
    "01.active_units",
    solution=lambda mean, log_std: (mean.var(0) > 0.01).sum(),
    cases=lambda: [
        _encoder(40, [1.0, 0.05, 0.2, 0.01, 0.7], 0.0, [-2.5, 0.0, -1.0, -0.5, -2.5], seed=60),
        _encoder(30, [0.02, 0.5, 0.004], 1.5, [0.0, -2.5, 0.0], seed=61),
    ],
    mistakes=[
        Mistake(
            "the variance of q",
            lambda mean, log_std: ((2 * log_std).exp().mean(0) > 0.01).sum(),
            "You looked at the width of q. A collapsed unit is wide, as wide as the prior. What tells it is the "
            "encoder's *mean*: does it move when x changes?",
        ),
        Mistake(
            "A15: a standard deviation against a variance",
            lambda mean, log_std: (mean.std(0) > 0.01).sum(),
            "You compared the standard deviation with 0.01. The threshold is one for the variance.",
        ),
        Mistake(
            "the size of the mean",
            lambda mean, log_std: (mean.square().mean(0) > 0.01).sum(),
            "A mean that is far from 0 and the same for every x says nothing about x. Take its variance over x.",
        ),
        Mistake(
            "variance over the units",
            lambda mean, log_std: (mean.var(1) > 0.01).sum(),
            "You took the variance over the units of one x. Take it over the data (axis 0), once per unit.",
        ),
        Mistake(
            "the collapsed ones",
            lambda mean, log_std: (mean.var(0) <= 0.01).sum(),
            "You counted the collapsed units. The active ones are the others.",
        ),
        Mistake(
            "not counted",
            lambda mean, log_std: mean.var(0),
            "These are the variances, one per unit. Now count those above 0.01.",
        ),
        Mistake(
            "which, not how many",
            lambda mean, log_std: mean.var(0) > 0.01,
            "These are the right units, one True for each. Count them: .sum().",
        ),
        Mistake(
            "the length",
            lambda mean, log_std: mean.shape[1],
            "This counts all L units. Count only those whose variance is above 0.01.",
        ),
        Mistake(
            "the share",
            lambda mean, log_std: (mean.var(0) > 0.01).float().mean(),
            "This is the share of active units. The question is how many there are.",
        ),
        Mistake(
            "the KL of the unit",
            lambda mean, log_std: (_kl_per_unit(mean, log_std) > 0.01).sum(),
            "You compared the KL of each unit with 0.01. It is also above 0 when the mean is off and never moves. "
            "Take the variance of the mean over the images.",
        ),
    ],
    praise="A unit is active when its mean moves with x. That is how the literature counts (Burda et al. 2016).",
)


CHECKS: list[Check] = [ELBO, KL_TO_PRIOR, LOG_DENSITY, RECOVER_EPS, LOSS, TWO_KLS, ACTIVE_UNITS]
