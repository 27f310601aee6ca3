r"""The checks of chapter 05: the two terms, DReG's weights, a row of one's own, the jackknife, a sandwich, three bugs.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. Everything
is in nats; a ``log_joint`` is a function of z, ``[K, B] -> [K, B]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse import bounds
from vaecourse.bounds import jackknife_coefficients as _coefficients
from vaecourse.checks.frame import Check, Mistake


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 05.two_terms ------------------------------------------------------------------------------------------------------


def _weighted(log_w: Tensor, slope: Tensor, power: int = 1) -> Tensor:
    """sum_k w~_k^power slope_k. Shapes: ``[K, B], [K, B] -> [B]``."""
    return (log_w.softmax(0) ** power * slope).sum(0)


def _shares_moving(log_w: Tensor, slope: Tensor) -> Tensor:
    """The gradient of sum_k w~_k log w_k when w~ is not held fixed."""
    share = log_w.softmax(0)
    return ((share + share * (log_w - (share * log_w).sum(0))) * slope).sum(0)


TWO_TERMS = Check(
    "05.two_terms",
    solution=lambda log_w, path, score: _weighted(log_w, path - score),
    cases=lambda: [
        tuple(_normal(5, 3, seed=seed) * scale for seed, scale in ((1, 2.0), (2, 1.0), (3, 1.0))),
        tuple(_normal(2, 4, seed=seed) for seed in (4, 5, 6)),
    ],
    mistakes=[
        Mistake(
            "STL: the score term is dropped",
            lambda log_w, path, score: _weighted(log_w, path),
            "You kept the path term alone: that is sticking the landing. Its mean is the right one only at K = 1. Here "
            "the score term is wanted too.",
        ),
        Mistake(
            "the score term has the wrong sign",
            lambda log_w, path, score: _weighted(log_w, path + score),
            "You added the score term. log q stands in log w with a minus sign, so its part is subtracted.",
        ),
        Mistake(
            "A12: DReG's weights on whole slopes",
            lambda log_w, path, score: _weighted(log_w, path - score, 2),
            "You squared the shares and kept the score term. The squares have paid for the score term already: it is "
            "either whole slopes with plain shares, or the path term with squared shares.",
        ),
        Mistake(
            "DReG in place of the two terms",
            lambda log_w, path, score: _weighted(log_w, path, 2),
            "This is DReG: same mean, and a better estimator. Here the question is what autograd gives, which is both "
            "terms with plain shares.",
        ),
        Mistake(
            "A2: shares not held fixed",
            lambda log_w, path, score: _shares_moving(log_w, path - score),
            "This is the gradient of the sum of w~ log w with w~ moving too. The shares came out of the derivative of "
            "the logarithm; nothing of them is left to differentiate.",
        ),
        Mistake(
            "A14: the ELBO's gradient",
            lambda log_w, path, score: (path - score).mean(0),
            "You averaged the slopes, which is the ELBO's gradient. In L_K each sample counts by its share w~.",
        ),
        Mistake(
            "A1: the worst sample counts most",
            lambda log_w, path, score: _weighted(-log_w, path - score),
            "The sign in the softmax is turned round: the worst sample counts most.",
        ),
        Mistake(
            "shares over the batch",
            lambda log_w, path, score: (log_w.softmax(1) * (path - score)).sum(0),
            "Your shares add up to one over the batch. The axes are K, B here, and it is the K samples of one x that "
            "share the credit.",
        ),
        Mistake(
            "the sign of a loss",
            lambda log_w, path, score: -_weighted(log_w, path - score),
            "The sign is that of a loss. Return the gradient of the bound, which one climbs.",
        ),
        Mistake(
            "the weights, not their shares",
            lambda log_w, path, score: (log_w.exp() * (path - score)).sum(0),
            "You multiplied with w itself. The derivative of the logarithm divides by the sum: take the shares, a "
            "softmax of log w.",
        ),
        Mistake(
            "divided by K",
            lambda log_w, path, score: _weighted(log_w, path - score) / len(log_w),
            "You divided by K as well. The shares add up to one already, so it is a sum.",
        ),
    ],
    praise="Both terms, each sample by its share. Now look at which of them is noise.",
)


# 05.dreg_weights ---------------------------------------------------------------------------------------------------


def _share(log_w: Tensor) -> Tensor:
    """w~ over all M K samples. Shapes: ``[M, K, B] -> [M, K, B]``."""
    return log_w.flatten(0, 1).softmax(0).view_as(log_w)


DREG_WEIGHTS = Check(
    "05.dreg_weights",
    solution=lambda log_w: _share(log_w) ** 2,
    cases=lambda: [(2 * _normal(2, 3, 5, seed=11),), (_normal(3, 4, 2, seed=12) - 800.0,)],
    mistakes=[
        Mistake(
            "STL: the shares are not squared",
            _share,
            "These are the plain shares. On the path term alone they make sticking the landing, which is biased for "
            "K > 1; DReG squares them.",
        ),
        Mistake(
            "squares that add up to one",
            lambda log_w: _share(2 * log_w),
            "You squared the weights and *then* normalised them, so they add up to one. Normalise first: the squares "
            "add up to 1/ESS, and this smallness is what makes the gradient as small as it must be.",
        ),
        Mistake(
            "RWS: the other half",
            lambda log_w: _share(log_w) - _share(log_w) ** 2,
            "This is w~ - w~ squared: the score term rewritten, the part that DReG takes away. What is left over is "
            "the square. (Your weights are those of the doubly reparameterised wake phase.)",
        ),
        Mistake(
            "A8: over the M axis",
            lambda log_w: log_w.softmax(0) ** 2,
            "Your shares add up to one over the M groups only. In the table, DReG pools all M K samples.",
        ),
        Mistake(
            "inside each group",
            lambda log_w: log_w.softmax(1) ** 2,
            "You normalised inside each of the M groups. That fits a mean of M logarithms; the row of the table pools "
            "all M K samples under one.",
        ),
        Mistake(
            "over the batch",
            lambda log_w: log_w.softmax(2) ** 2,
            "Your shares add up to one over the batch. Each x has its own M K samples, and only those share.",
        ),
        Mistake(
            "A13: exp first",
            lambda log_w: (log_w.exp() / log_w.exp().sum((0, 1))) ** 2,
            "Right on paper. With log-weights near -800 every exp is 0 and the ratio 0/0. A softmax takes the largest "
            "one out first.",
        ),
        Mistake(
            "over the batch as well",
            lambda log_w: log_w.flatten().softmax(0).view_as(log_w) ** 2,
            "Your shares add up to one over M, K *and* the batch. Each x has its own M K samples; leave the last "
            "axis alone.",
        ),
        Mistake(
            "squared twice",
            lambda log_w: _share(log_w) ** 4,
            "Squared once too often: the power is 2.",
        ),
        Mistake(
            "the weights themselves",
            lambda log_w: log_w.exp() ** 2,
            "You squared w, which was never normalised. The shares w~ = w / sum(w) are squared.",
        ),
        Mistake(
            "times K",
            lambda log_w: _share(log_w) ** 2 * log_w.shape[1],
            "The factor K is one too many: the sum over samples is a sum, not a mean.",
        ),
    ],
    praise="The square of the share. At K = 1 it is 1, and DReG is sticking the landing of the ELBO.",
)


# 05.spot_the_hook --------------------------------------------------------------------------------------------------


def _curved(z: Tensor) -> Tensor:
    return -0.5 * (z - 0.6) ** 2 / 0.24 - 0.1 * z**3


def _surrogate_gradient(
    mu: Tensor,
    sigma: float,
    eps: Tensor,
    log_joint: Callable,
    *,
    power: int = 1,
    score: bool = False,
    held: bool = True,
) -> Tensor:
    """The mu-gradient of sum_k w~_k^power log w_k with or without the score term: ``[B], [K, B] -> [B]``."""
    mu = mu.detach().clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu if score else mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0)
    return torch.autograd.grad(((share.detach() if held else share) ** power * log_w).sum(), mu)[0]


SPOT_THE_HOOK = Check(
    "05.spot_the_hook",
    solution=lambda *case: _surrogate_gradient(*case, power=2),
    cases=lambda: [
        (_normal(3, seed=21), 0.6, _normal(5, 3, seed=22), _curved),
        (_normal(4, seed=23), 1.1, _normal(2, 4, seed=24), _curved),
    ],
    mistakes=[
        Mistake(
            "A12: the hook never fires",
            _surrogate_gradient,
            "This is the code as it stood, or does the same: a share, not its square, so it is sticking the landing. "
            "Either the hook sits on a copy that log w was not computed from, or it was registered after backward(). "
            "Put it on z itself, before backward().",
        ),
        Mistake(
            "hook and square",
            lambda *case: _surrogate_gradient(*case, power=3),
            "The hook fires now, and the surrogate has the square as well: together the third power. One share stands "
            "in the sum, the hook brings the other.",
        ),
        Mistake(
            "the score term is kept",
            lambda *case: _surrogate_gradient(*case, power=2, score=True),
            "The shares are squared, and mu inside log q is not held fixed any more: the score term is back. DReG "
            "needs mu.detach() there.",
        ),
        Mistake(
            "IWAE's gradient",
            lambda *case: _surrogate_gradient(*case, score=True),
            "This is the plain gradient of L_K: unbiased, and noisy. Hold mu fixed inside log q, and square the share.",
        ),
        Mistake(
            "score kept, hook fires",
            lambda mu, sigma, eps, log_joint: (
                _surrogate_gradient(mu, sigma, eps, log_joint, power=2)
                - _weighted(log_joint(mu + sigma * eps) - Normal(mu, sigma).log_prob(mu + sigma * eps), eps / sigma)
            ),
            "The hook fires, and mu inside log q is not held fixed: the score term comes past the hook, with plain "
            "shares. DReG has no score term; keep mu.detach().",
        ),
        Mistake(
            "A2: shares not held fixed",
            lambda *case: _surrogate_gradient(*case, power=2, held=False),
            "The squared shares move with mu, so autograd differentiates them as well. Take them with .detach().",
        ),
        Mistake(
            "A2: shares not held fixed, no square",
            lambda *case: _surrogate_gradient(*case, held=False),
            "The shares move with mu, so autograd differentiates them as well (take .detach()), and the square is "
            "still missing.",
        ),
        Mistake(
            "the sign of a loss",
            lambda *case: -_surrogate_gradient(*case, power=2),
            "The squares are right; the sign is that of a loss. Return the gradient of the bound.",
        ),
    ],
    praise="It fires. A shape cannot show this bug, and neither can a falling loss: only a gradient test does.",
)


# 05.own_row --------------------------------------------------------------------------------------------------------


def _tilted(log_w: Tensor, alpha: float) -> Tensor:
    return ((1 - alpha) * log_w).softmax(1)


OWN_ROW = Check(
    "05.own_row",
    solution=lambda log_w, alpha: (
        (alpha * _tilted(log_w, alpha) + (1 - alpha) * _tilted(log_w, alpha) ** 2) / len(log_w)
    ),
    cases=lambda: [(2 * _normal(2, 3, 5, seed=31), 0.3), (_normal(3, 4, 2, seed=32) - 800.0, 0.75)],
    mistakes=[
        Mistake(
            "alpha on the wrong part",
            lambda log_w, alpha: (
                ((1 - alpha) * _tilted(log_w, alpha) + alpha * _tilted(log_w, alpha) ** 2) / len(log_w)
            ),
            "alpha and 1 - alpha have changed places. Test the ends: alpha = 0 must give DReG's squares, alpha = 1 the "
            "ELBO's 1/K.",
        ),
        Mistake(
            "IWAE's shares",
            lambda log_w, alpha: (alpha * _tilted(log_w, 0) + (1 - alpha) * _tilted(log_w, 0) ** 2) / len(log_w),
            "The mixture is right, the shares are not: in this bound they are those of w to the power 1 - alpha, that "
            "is a softmax of (1 - alpha) log w.",
        ),
        Mistake(
            "DReG's squares only",
            lambda log_w, alpha: _tilted(log_w, alpha) ** 2 / len(log_w),
            "You squared the tilted shares. But d share / d log w has a factor 1 - alpha here, so only that part of "
            "the share turns into its square; the part alpha stays as it is.",
        ),
        Mistake(
            "STL: the shares alone",
            lambda log_w, alpha: _tilted(log_w, alpha) / len(log_w),
            "These are the weights for whole slopes, the row of the table. On the path term alone they are biased: "
            "take the diagonal derivative away.",
        ),
        Mistake(
            "the diagonal derivative alone",
            lambda log_w, alpha: (1 - alpha) * (_tilted(log_w, alpha) - _tilted(log_w, alpha) ** 2) / len(log_w),
            "This is the derivative of the share. It is what you take away from the share, not what is left.",
        ),
        Mistake(
            "added in place of taken away",
            lambda log_w, alpha: (
                ((2 - alpha) * _tilted(log_w, alpha) - (1 - alpha) * _tilted(log_w, alpha) ** 2) / len(log_w)
            ),
            "The derivative of the share was added. log q stands in log w with a minus sign: take it away.",
        ),
        Mistake(
            "tilted after the softmax",
            lambda log_w, alpha: (
                (alpha * log_w.softmax(1) ** (1 - alpha) + (1 - alpha) * log_w.softmax(1) ** (2 - 2 * alpha))
                / len(log_w)
            ),
            "You raised the shares to the power 1 - alpha: they add up to one no more. Raise the weights first: "
            "softmax of (1 - alpha) log w.",
        ),
        Mistake(
            "alpha in place of 1 - alpha",
            lambda log_w, alpha: (
                (alpha * _tilted(log_w, 1 - alpha) + (1 - alpha) * _tilted(log_w, 1 - alpha) ** 2) / len(log_w)
            ),
            "Your shares are those of w to the power alpha. In this bound the exponent is 1 - alpha.",
        ),
        Mistake(
            "M inside the square",
            lambda log_w, alpha: (
                alpha * _tilted(log_w, alpha) / len(log_w) + (1 - alpha) * (_tilted(log_w, alpha) / len(log_w)) ** 2
            ),
            "The 1/M went inside the square. It stands in front of the whole mixture, once.",
        ),
        Mistake(
            "divided by K as well",
            lambda log_w, alpha: (
                (alpha * _tilted(log_w, alpha) + (1 - alpha) * _tilted(log_w, alpha) ** 2)
                / (len(log_w) * log_w.shape[1])
            ),
            "You divided by K as well. The shares add up to one over K already; only the 1/M is left.",
        ),
        Mistake(
            "without the 1/M",
            lambda log_w, alpha: alpha * _tilted(log_w, alpha) + (1 - alpha) * _tilted(log_w, alpha) ** 2,
            "Right inside a group. The value is a mean over the M groups, so the weights are divided by M.",
        ),
        Mistake(
            "A8: over the M axis",
            lambda log_w, alpha: (
                (alpha * ((1 - alpha) * log_w).softmax(0) + (1 - alpha) * ((1 - alpha) * log_w).softmax(0) ** 2)
                / log_w.shape[1]
            ),
            "Your shares compete over the M axis. The axes are M, K, B, and number 1, K, is the one under the "
            "logarithm.",
        ),
        Mistake(
            "pooled over M and K",
            lambda log_w, alpha: alpha * _share((1 - alpha) * log_w) + (1 - alpha) * _share((1 - alpha) * log_w) ** 2,
            "You pooled all M K samples. VR-IWAE has one logarithm for each of the M groups and averages them.",
        ),
    ],
    praise="A row that is in no table of this course, from one derivative. You could have written the others too.",
)


# 05.coefficients ---------------------------------------------------------------------------------------------------


COEFFICIENTS = Check(
    "05.coefficients",
    solution=lambda K, order: torch.tensor(_coefficients(K, order), dtype=torch.float64),
    cases=lambda: [(8, 1), (7, 0), (9, 2), (6, 4)],
    mistakes=[
        Mistake(
            "the order is turned round",
            lambda K, order: torch.tensor(_coefficients(K, order)[::-1], dtype=torch.float64),
            "The right numbers in reverse. The first belongs to j = 0, the bound with all K samples, the last to the "
            "smallest subsets.",
        ),
        Mistake(
            "all signs positive",
            lambda K, order: torch.tensor(_coefficients(K, order), dtype=torch.float64).abs(),
            "The signs are missing: they alternate, (-1)^j. Without them the coefficients do not add up to one.",
        ),
        Mistake(
            "all signs turned round",
            lambda K, order: -torch.tensor(_coefficients(K, order), dtype=torch.float64),
            "All signs are turned round: the bound with all K samples has the positive one at every order. The sum "
            "must be +1.",
        ),
        Mistake(
            "the factorials are missing",
            lambda K, order: torch.tensor(
                [(-1) ** j * (K - j) ** order for j in range(order + 1)], dtype=torch.float64
            ),
            "(K - j)^m is there, the factorials (m - j)! j! under it are not. At order 1 both are 1, so test order 2.",
        ),
        Mistake(
            "K in place of K - j",
            lambda K, order: torch.tensor(
                [c * K**order / (K - j) ** order for j, c in enumerate(_coefficients(K, order))],
                dtype=torch.float64,
            ),
            "The power is that of K - j, the size of the subset, not of K.",
        ),
        Mistake(
            "the power j in place of m",
            lambda K, order: torch.tensor(
                [c / (K - j) ** (order - j) for j, c in enumerate(_coefficients(K, order))],
                dtype=torch.float64,
            ),
            "The exponent is the order m in every term; you have j there.",
        ),
        Mistake(
            "j! left out",
            lambda K, order: torch.tensor(
                [c * math.factorial(j) for j, c in enumerate(_coefficients(K, order))], dtype=torch.float64
            ),
            "One of the two factorials is missing: (m - j)! times j!.",
        ),
        Mistake(
            "(m - j)! left out",
            lambda K, order: torch.tensor(
                [c * math.factorial(order - j) for j, c in enumerate(_coefficients(K, order))],
                dtype=torch.float64,
            ),
            "One of the two factorials is missing: (m - j)! times j!.",
        ),
        Mistake(
            "binomials for factorials",
            lambda K, order: torch.tensor(
                [c * math.factorial(order) for c in _coefficients(K, order)], dtype=torch.float64
            ),
            "You have the binomial m over j. It carries an m! on top: the formula has 1 / ((m - j)! j!) alone.",
        ),
        Mistake(
            "j! multiplied, not divided",
            lambda K, order: torch.tensor(
                [c * math.factorial(j) ** 2 for j, c in enumerate(_coefficients(K, order))],
                dtype=torch.float64,
            ),
            "You multiplied with j!. Both factorials stand below: put brackets round (m - j)! * j!.",
        ),
        Mistake(
            "integer division",
            lambda K, order: torch.tensor([math.floor(c) for c in _coefficients(K, order)], dtype=torch.float64),
            "Your coefficients are rounded down. They are not whole numbers for m > 1: divide with /, not //.",
        ),
        Mistake(
            "order 1 for every order",
            lambda K, order: torch.tensor([K, -(K - 1)], dtype=torch.float64),
            "K and -(K - 1) are the coefficients of order 1. Every order m has m + 1 of them.",
        ),
        Mistake(
            "one too few",
            lambda K, order: torch.tensor(_coefficients(K, order)[:-1], dtype=torch.float64),
            "One coefficient is missing: j runs from 0 up to *and with* m, so there are m + 1.",
        ),
        Mistake(
            "times the number of subsets",
            lambda K, order: torch.tensor(
                [c / math.comb(K, j) for j, c in enumerate(_coefficients(K, order))], dtype=torch.float64
            ),
            "You divided by the number of subsets here. The mean over subsets does that already; the coefficients "
            "multiply the mean.",
        ),
    ],
    praise="They add up to one, and they grow like K^m: that is how small differences become a correction.",
)


# 05.sandwich -------------------------------------------------------------------------------------------------------


def _upper(log_w: Tensor, log_w0: Tensor) -> Tensor:
    return bounds.miwae(torch.cat([log_w0[:, None], log_w], 1))


def _surrogate(log_w: Tensor) -> Tensor:
    return (log_w.softmax(1) * log_w).sum(1).mean(0)


SANDWICH = Check(
    "05.sandwich",
    solution=lambda log_w, log_w0: torch.stack([bounds.miwae(log_w), _upper(log_w, log_w0)]),
    cases=lambda: [
        (2 * _normal(2, 4, 3, seed=41), _normal(2, 3, seed=42) + 1),
        (_normal(3, 2, 5, seed=43) - 30.0, _normal(3, 5, seed=44) - 29.0),
    ],
    mistakes=[
        Mistake(
            "A10: the surrogate as the upper bound",
            lambda log_w, log_w0: torch.stack([bounds.miwae(log_w), _surrogate(log_w)]),
            "This is the code as it stood: the sum of w~ log w. It *tends* to an upper bound for large K, but at K = 1 "
            "it is the ELBO, so in between it is a bound in neither direction. An upper bound needs the sample from "
            "the posterior.",
        ),
        Mistake(
            "A10: the surrogate as the lower bound",
            lambda log_w, log_w0: torch.stack([_surrogate(log_w), _upper(log_w, log_w0)]),
            "The upper bound is right. The sum of w~ log w is no lower bound: it is L_K + log K - H(w~), never below "
            "L_K. Report the log of the mean weight.",
        ),
        Mistake(
            "divided by K in place of K + 1",
            lambda log_w, log_w0: torch.stack(
                [bounds.miwae(log_w), _upper(log_w, log_w0) + math.log(1 + 1 / log_w.shape[1])]
            ),
            "There are K + 1 weights under the second logarithm. Divided by K it is still an upper bound, looser by "
            "log((K + 1)/K).",
        ),
        Mistake(
            "turned round",
            lambda log_w, log_w0: torch.stack([_upper(log_w, log_w0), bounds.miwae(log_w)]),
            "Both are right, in the wrong order: the lower bound first.",
        ),
        Mistake(
            "no sample of the posterior",
            lambda log_w, log_w0: torch.stack([bounds.miwae(log_w), bounds.miwae(log_w)]),
            "Both are the lower bound. The sample of the posterior, log_w0, belongs under the second logarithm.",
        ),
        Mistake(
            "A10: the surrogate with the posterior's sample",
            lambda log_w, log_w0: torch.stack(
                [bounds.miwae(log_w), _surrogate(torch.cat([log_w0[:, None], log_w], 1))]
            ),
            "The sample of the posterior is in, but above you still have the sum of w~ log w. Take the log of the "
            "mean of the K + 1 weights.",
        ),
        Mistake(
            "the posterior's sample in place of one of q's",
            lambda log_w, log_w0: torch.stack([bounds.miwae(log_w), _upper(log_w[:, 1:], log_w0)]),
            "The sample of the posterior took the place of one of q's: that is U_(K-1). Keep all K and add it as "
            "number K + 1.",
        ),
        Mistake(
            "EUBO",
            lambda log_w, log_w0: torch.stack([bounds.miwae(log_w), log_w0.mean(0)]),
            "The mean of log_w0 is an upper bound, the EUBO: this is U_0. The K samples of q tighten it: put them "
            "under the same logarithm.",
        ),
        Mistake(
            "A14: the ELBO below",
            lambda log_w, log_w0: torch.stack([bounds.elbo(log_w), _upper(log_w, log_w0)]),
            "The upper bound is right. Below you have the mean of the logs, the ELBO; the same samples give the "
            "tighter L_K.",
        ),
        Mistake(
            "the posterior's sample below as well",
            lambda log_w, log_w0: torch.stack([_upper(log_w, log_w0), _upper(log_w, log_w0)]),
            "The sample of the posterior stands under both logarithms. One informed sample is enough to make the "
            "lower bound an upper one: leave it out there.",
        ),
        Mistake(
            "A14: missing log K",
            lambda log_w, log_w0: torch.stack(
                [log_w.logsumexp(1).mean(0), torch.cat([log_w0[:, None], log_w], 1).logsumexp(1).mean(0)]
            ),
            "Both are logs of a *sum*. Subtract log K below and log (K + 1) above.",
        ),
        Mistake(
            "all samples pooled",
            lambda log_w, log_w0: torch.stack(
                [bounds.iwae(log_w), bounds.iwae(torch.cat([log_w0[:, None], log_w], 1))]
            ),
            "You pooled all M groups under one logarithm. Each group has its own, then the mean over M: the upper "
            "bound allows one sample of the posterior under a logarithm, not M.",
        ),
    ],
    praise="log p(x) lies between the two, in expectation. This is the only error bar of a bound that has a proof.",
)


# 05.spot_the_guide -------------------------------------------------------------------------------------------------


def _score_gradient(mu: Tensor, sigma: float, eps: Tensor, log_joint: Callable) -> tuple[Tensor, ...]:
    """log w, the score eps / sigma, and L_K, at z = mu + sigma eps held fixed."""
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu, sigma).log_prob(z)
    return log_w, eps / sigma, log_w.logsumexp(0) - math.log(len(eps))


def _by_score(mu: Tensor, sigma: float, eps: Tensor, log_joint: Callable) -> Tensor:
    log_w, score, L = _score_gradient(mu, sigma, eps, log_joint)
    return ((L - log_w.softmax(0)) * score).sum(0)


def _moving_product(mu: Tensor, sigma: float, eps: Tensor, log_joint: Callable) -> Tensor:
    """The gradient of L + L sum_k log q(z_k) with L moving in both places, z held fixed."""
    mu = mu.detach().clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad((L + L * log_q.sum(0)).sum(), mu)[0]


def _by_part(part: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda *case: part(*_score_gradient(*case))


SPOT_THE_GUIDE = Check(
    "05.spot_the_guide",
    solution=_by_score,
    cases=lambda: [
        (_normal(3, seed=51), 0.6, _normal(5, 3, seed=52), _curved),
        (_normal(4, seed=53), 1.1, _normal(2, 4, seed=54), _curved),
    ],
    mistakes=[
        Mistake(
            "A18: the guide is not reparameterised",
            _by_part(lambda log_w, score, L: -(log_w.softmax(0) * score).sum(0)),
            "This is the code as it stood. z is a fixed number there, so only the -log q inside log w moves, and the "
            "change of the *distribution* of z is missing: the score-function term, L times the score of every sample.",
        ),
        Mistake(
            "A18: exactly zero",
            lambda mu, *case: torch.zeros_like(mu),
            "Nothing in your surrogate depends on mu any more: z is a fixed number and log q is held fixed. The "
            "encoder's gradient is exactly 0, and it will never learn.",
        ),
        Mistake(
            "the explicit part is missing",
            _by_part(lambda log_w, score, L: (L * score).sum(0)),
            "The score-function term is right. But L itself moves with mu as well, through -log q in the weights: its "
            "own gradient, minus w~ times the score, is to be added.",
        ),
        Mistake(
            "the explicit part has the wrong sign",
            _by_part(lambda log_w, score, L: ((L + log_w.softmax(0)) * score).sum(0)),
            "The score-function term is right. log q stands in log w with a minus sign, so the other part is minus w~ "
            "times the score.",
        ),
        Mistake(
            "reparameterised",
            lambda *case: _surrogate_gradient(*case, score=True),
            "That is the reparameterised gradient. It has the right mean, but here z cannot be differentiated (think "
            "of a discrete z): hold z fixed and add the score-function term.",
        ),
        Mistake(
            "log w in place of L",
            _by_part(lambda log_w, score, L: ((log_w - log_w.softmax(0)) * score).sum(0)),
            "You multiplied each score with that sample's own log w, as for the ELBO. All K samples stand under one "
            "logarithm, so each score is multiplied with L.",
        ),
        Mistake(
            "the mean over samples",
            _by_part(lambda log_w, score, L: (L * score).mean(0) - (log_w.softmax(0) * score).sum(0)),
            "You took the mean of the scores. The K samples have the joint density q(z_1) ... q(z_K), whose score is "
            "the *sum* of theirs.",
        ),
        Mistake(
            "the sign of a loss",
            lambda *case: -_by_score(*case),
            "The sign is that of a loss. Return the gradient of the bound.",
        ),
        Mistake(
            "the score-function term has the wrong sign",
            _by_part(lambda log_w, score, L: (-(L + log_w.softmax(0)) * score).sum(0)),
            "The score-function term was subtracted. It is plus L times the scores; only the part from -log q has "
            "a minus.",
        ),
        Mistake(
            "shares on the score-function term",
            _by_part(lambda log_w, score, L: ((L - 1) * log_w.softmax(0) * score).sum(0)),
            "You weighted the scores of the first part by their shares. There all K scores count fully: L times "
            "their plain sum.",
        ),
        Mistake(
            "L not held fixed",
            _moving_product,
            "L times log q was differentiated with both factors moving. In the surrogate L is a fixed number: "
            "L.detach().",
        ),
    ],
    praise="Unbiased without moving a sample. It is noisy: chapter 02's baselines, VIMCO and OVIS are about that.",
)


CHECKS: list[Check] = [
    TWO_TERMS,
    DREG_WEIGHTS,
    SPOT_THE_HOOK,
    OWN_ROW,
    COEFFICIENTS,
    SANDWICH,
    SPOT_THE_GUIDE,
]
