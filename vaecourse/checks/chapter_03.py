r"""The checks of chapter 03: L_K from log-weights, the normalised weights, the gradient, samples for a gap, two bugs.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. Shapes in
the order M, K, B, P (parameters); everything in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaecourse import bounds
from vaecourse.checks.frame import Check, Mistake


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 03.iwae_bound -----------------------------------------------------------------------------------------------------


def _then_log(mean_of_w: Callable[[Tensor], Tensor], floor: float = 0.0) -> Callable[[Tensor], Tensor]:
    return lambda log_w: (mean_of_w(log_w.exp()) + floor).log()


IWAE_BOUND = Check(
    "03.iwae_bound",
    solution=bounds.miwae,
    cases=lambda: [
        (2 * _normal(2, 3, 5, seed=1) - 1,),
        (_normal(4, 6, 2, seed=2) - 800.0,),
        (_normal(1, 7, 3, seed=3),),
    ],
    mistakes=[
        Mistake(
            "A14: missing log K",
            lambda log_w: log_w.logsumexp(1).mean(0),
            "This is the log of the *sum* of the weights: log K is still to be subtracted. Your value is too high by "
            "log K, and would lie above log p(x).",
        ),
        Mistake(
            "A14: log M K subtracted",
            lambda log_w: log_w.logsumexp(1).mean(0) - math.log(log_w.shape[0] * log_w.shape[1]),
            "You subtracted log(M K). Only K weights stand under each logarithm, so log K is right.",
        ),
        Mistake(
            "A14: log M for log K",
            lambda log_w: log_w.logsumexp(1).mean(0) - math.log(len(log_w)),
            "You subtracted the logarithm of the first axis, which is M (len gives that too). The mean is over K: "
            "log_w.shape[1].",
        ),
        Mistake(
            "log K added",
            lambda log_w: (log_w.logsumexp(1) + math.log(log_w.shape[1])).mean(0),
            "You added log K. A mean is the sum *divided* by K, so log K is subtracted.",
        ),
        Mistake(
            "the largest weight not put back",
            lambda log_w: (log_w - log_w.amax(1, keepdim=True)).exp().mean(1).log().mean(0),
            "You took the largest log-weight m out before exp and did not put it back: add m after the logarithm. Or "
            "let torch.logsumexp do both.",
        ),
        Mistake(
            "A14: mean of logs",
            bounds.elbo,
            "You averaged the logs. That is the ELBO, whatever K is: average the weights first, and take the logarithm "
            "of that mean.",
        ),
        Mistake(
            "A13: exp first",
            _then_log(lambda w: w.mean(1).log().mean(0).exp()),
            "The formula is right, the arithmetic is not: exp(-800) is 0 in a computer, and its logarithm -inf. Use "
            "torch.logsumexp, which takes the largest log-weight out first.",
        ),
        Mistake(
            "A13: exp first, pooled",
            _then_log(lambda w: w.mean((0, 1))),
            "Two things. You pooled all M K samples: each of the M groups has its own logarithm. And exp(-800) is 0 in "
            "a computer: use torch.logsumexp.",
        ),
        Mistake(
            "A13: exp first, and a sum",
            lambda log_w: log_w.exp().sum(1).log().mean(0),
            "Two things. This is the log of the *sum* of the weights: log K is still to be subtracted. And exp(-800) "
            "is 0 in a computer: use torch.logsumexp.",
        ),
        Mistake(
            "the log forgotten",
            lambda log_w: log_w.exp().mean((0, 1)),
            "This is the mean of the weights, an estimate of p(x). The bound is its logarithm, in each of M groups.",
        ),
        Mistake(
            "A13: a floor under the logarithm",
            lambda log_w: (log_w.exp().mean(1) + 1e-10).log().mean(0),
            "The small number inside the logarithm hides the underflow and makes every bad value -23: a bound that is "
            "not one. Use torch.logsumexp, and no floor is needed.",
        ),
        Mistake(
            "A8: over the M axis",
            lambda log_w: (log_w.logsumexp(0) - math.log(len(log_w))).mean(0),
            "You put the M axis under the logarithm and averaged over K. The axes are M, K, B, and K, number 1, is the "
            "one under the logarithm. With M = K nobody would notice.",
        ),
        Mistake(
            "all samples pooled",
            bounds.iwae,
            "You pooled all M K samples under one logarithm. That is a good bound, and it is L of M K. Here each of "
            "the M groups has its own logarithm, and then they are averaged.",
        ),
        Mistake(
            "pooled, minus log K",
            lambda log_w: log_w.logsumexp((0, 1)) - math.log(log_w.shape[1]),
            "You put all M K samples under one logarithm. Each of the M groups has its own: sum over axis 1 only, then "
            "average over M.",
        ),
        Mistake(
            "averaged over M first",
            lambda log_w: log_w.mean(0).logsumexp(0) - math.log(log_w.shape[1]),
            "You averaged the log-weights over M before the logarithm of the sum. First the bound in each group, then "
            "the mean over the groups.",
        ),
        Mistake(
            "summed over M",
            lambda log_w: len(log_w) * bounds.miwae(log_w),
            "You added up the M groups. Each is an estimate of the same bound: average them.",
        ),
        Mistake(
            "A10: sum of the weights times log w",
            lambda log_w: (log_w.softmax(1) * log_w).sum(1).mean(0),
            "This is the weighted mean of log w. It has the right gradient if the weights are held fixed, but its "
            "value is not L_K: it is never below L_K, and it may lie above log p(x).",
        ),
        Mistake(
            "A1: the sign of a loss",
            lambda log_w: -bounds.miwae(log_w),
            "The sign is that of a loss. Return the bound itself; the optimiser's minus sign comes later.",
        ),
        Mistake(
            "A1: log of the mean of 1/w",
            lambda log_w: bounds.miwae(-log_w),
            "The log-weights went in with the wrong sign, so the worst sample counts most.",
        ),
        Mistake(
            "A14: one number for the batch",
            lambda log_w: bounds.miwae(log_w).sum(),
            "You added up the B data points. Every x has a bound of its own: return [B].",
        ),
        Mistake(
            "A14: mean over the batch",
            lambda log_w: bounds.miwae(log_w).mean(),
            "You averaged over the B data points too. Every x has a bound of its own: return [B].",
        ),
        Mistake(
            "M is still there",
            lambda log_w: log_w.logsumexp(1) - math.log(log_w.shape[1]),
            "Right for every one of the M groups. Average over them, so that [B] is left.",
        ),
        Mistake(
            "a logarithm in base 2 or 10",
            lambda log_w: (log_w.logsumexp(1) - math.log2(log_w.shape[1])).mean(0),
            "Your log K is not a natural logarithm. Nats go with math.log, or torch.log.",
        ),
        Mistake(
            "divided by K outside",
            lambda log_w: (log_w.logsumexp(1) / log_w.shape[1]).mean(0),
            "You divided the *logarithm* by K. The mean is taken inside: dividing the sum by K subtracts log K.",
        ),
    ],
    praise="The mean of the weights, inside the logarithm, without ever leaving the logs. You have written IWAE.",
)


# 03.normalised_weights ---------------------------------------------------------------------------------------------


NORMALISED_WEIGHTS = Check(
    "03.normalised_weights",
    solution=lambda log_w: log_w.softmax(1),
    cases=lambda: [
        (2 * _normal(2, 3, 5, seed=11),),
        (_normal(3, 4, 2, seed=12) - 800.0,),
    ],
    mistakes=[
        Mistake(
            "A1: softmax of the loss",
            lambda log_w: (-log_w).softmax(1),
            "The sign is turned round: the *worst* sample gets the most weight. This slips in where a loss, "
            "-log p(x|z), is put into the softmax in place of log w.",
        ),
        Mistake(
            "A8: over the M axis",
            lambda log_w: log_w.softmax(0),
            "Your weights add up to one over the M groups. They compete inside one group: over the K axis, number 1.",
        ),
        Mistake(
            "over the batch",
            lambda log_w: log_w.softmax(2),
            "Your weights add up to one over the batch: the data points compete with each other. It is the K samples "
            "of one x that compete.",
        ),
        Mistake(
            "pooled over M and K",
            lambda log_w: log_w.flatten(0, 1).softmax(0).view_as(log_w),
            "Your weights add up to one over all M K samples. That belongs to the pooled bound; here each of the M "
            "groups has a sum of one.",
        ),
        Mistake(
            "A13: exp first",
            lambda log_w: log_w.exp() / log_w.exp().sum(1, keepdim=True),
            "Right on paper. With log-weights near -800 every exp is 0 and the ratio 0/0. torch.softmax takes the "
            "largest one out first.",
        ),
        Mistake(
            "A13: a floor in the denominator",
            lambda log_w: log_w.exp() / (log_w.exp().sum(1, keepdim=True) + 1e-10),
            "The small number in the denominator turns 0/0 into 0: with log-weights near -800 nobody gets any weight "
            "and nothing learns. Use torch.softmax.",
        ),
        Mistake(
            "not normalised",
            lambda log_w: log_w.exp(),
            "These are the weights themselves. Divide by their sum over K, and without exp(-800) = 0: softmax does "
            "both.",
        ),
        Mistake(
            "divided by the largest",
            lambda log_w: (log_w - log_w.amax(1, keepdim=True)).exp(),
            "You divided by the *largest* weight, which is the right first step against underflow. Now divide by the "
            "sum over K.",
        ),
        Mistake(
            "softmax of the weights",
            lambda log_w: log_w.exp().softmax(1),
            "softmax takes exp itself. Give it the logs, log_w.",
        ),
        Mistake(
            "the logarithms normalised",
            lambda log_w: log_w / log_w.sum(1, keepdim=True),
            "You normalised the logarithms. The weights are w = exp(log w): normalise those.",
        ),
        Mistake(
            "the logs of the weights",
            lambda log_w: log_w.log_softmax(1),
            "These are the logs of the normalised weights. Return the weights, which add up to one.",
        ),
        Mistake(
            "divided by the mean",
            lambda log_w: log_w.softmax(1) * log_w.shape[1],
            "You divided by the mean of the weights, so they add up to K. Divide by their sum.",
        ),
        Mistake(
            "the best one only",
            lambda log_w: (log_w == log_w.amax(1, keepdim=True)).to(log_w.dtype),
            "You gave everything to the best sample. The shares are in proportion to w.",
        ),
    ],
    praise="Shares of one whole, over the K samples of each x. They are how the gradient of L_K gives credit.",
)


# 03.gradient -------------------------------------------------------------------------------------------------------


def _gradient(log_w: Tensor, slopes: Tensor) -> Tensor:
    """sum_k w~_k slope_k. Shapes: ``[K, B], [K, B, P] -> [B, P]``."""
    return (log_w.softmax(0)[..., None] * slopes).sum(0)


def _not_detached(log_w: Tensor, slopes: Tensor) -> Tensor:
    share = log_w.softmax(0)
    extra = share * (log_w - (share * log_w).sum(0))
    return ((share + extra)[..., None] * slopes).sum(0)


GRADIENT = Check(
    "03.gradient",
    solution=_gradient,
    cases=lambda: [
        (2 * _normal(5, 3, seed=21), _normal(5, 3, 4, seed=22)),
        (_normal(2, 4, seed=23) - 800.0, _normal(2, 4, 1, seed=24)),
    ],
    mistakes=[
        Mistake(
            "A13: exp first",
            lambda log_w, slopes: ((log_w.exp() / log_w.exp().sum(0))[..., None] * slopes).sum(0),
            "Right on paper. With log-weights near -800 every exp is 0 and the shares are 0/0: use softmax.",
        ),
        Mistake(
            "A2: weights not held fixed",
            _not_detached,
            "This is the gradient of the sum of w~ log w with w~ moving too: there is an extra term "
            "w~ (log w - mean) in every weight. The weights w~ come out of the derivative of the logarithm, so they "
            "are held fixed (.detach()) in a surrogate.",
        ),
        Mistake(
            "A14: the ELBO's gradient",
            lambda log_w, slopes: slopes.mean(0),
            "This is the plain mean of the slopes, the gradient of the ELBO. In L_K a sample counts by its share w~.",
        ),
        Mistake(
            "A1: the worst sample counts most",
            lambda log_w, slopes: _gradient(-log_w, slopes),
            "The sign in the softmax is turned round: the worst sample counts most.",
        ),
        Mistake(
            "A12: squared shares",
            lambda log_w, slopes: (log_w.softmax(0).square()[..., None] * slopes).sum(0),
            "These are the squared shares. They belong to the doubly reparameterised gradient of chapter 05, which "
            "drops a term of each slope; with whole slopes the plain shares are right.",
        ),
        Mistake(
            "gradient of the sum of the weights",
            lambda log_w, slopes: (log_w.exp()[..., None] * slopes).mean(0),
            "This is the gradient of the mean of w, without the logarithm: divide by the mean of w, and the shares w~ "
            "appear.",
        ),
        Mistake(
            "the weights not normalised",
            lambda log_w, slopes: (log_w.exp()[..., None] * slopes).sum(0),
            "You multiplied each slope by its weight w. Divide by the sum of the weights: the share w~ is needed.",
        ),
        Mistake(
            "the logs as weights",
            lambda log_w, slopes: (log_w[..., None] * slopes).sum(0),
            "You multiplied each slope by its log-weight. The share w~ is needed: a softmax of the log-weights.",
        ),
        Mistake(
            "no shares at all",
            lambda log_w, slopes: slopes.sum(0),
            "You added the slopes up, all alike. Each counts by its share w~.",
        ),
        Mistake(
            "log K in the gradient",
            lambda log_w, slopes: _gradient(log_w, slopes) - math.log(len(log_w)),
            "log K is a constant: it is in the bound, and its gradient is 0.",
        ),
        Mistake(
            "a mean over K",
            lambda log_w, slopes: _gradient(log_w, slopes) / len(log_w),
            "You averaged after weighting. The shares add up to one already, so it is a sum.",
        ),
        Mistake(
            "shares over the batch",
            lambda log_w, slopes: (log_w.softmax(1)[..., None] * slopes).sum(0),
            "Your shares add up to one over the batch. The axes are K, B here, and the K samples of one x compete.",
        ),
        Mistake(
            "the slope of the best sample",
            lambda log_w, slopes: slopes.gather(0, log_w.argmax(0)[None, :, None].expand(1, *slopes.shape[1:]))[0],
            "You took the slope of the best sample alone. Every sample counts, by its share.",
        ),
        Mistake(
            "the sign of a loss",
            lambda log_w, slopes: -_gradient(log_w, slopes),
            "The sign is that of a loss. Return the gradient of the bound.",
        ),
    ],
    praise="Every sample's slope, times its share. Samples that explain x well teach; the others are nearly ignored.",
)


# 03.samples_for_gap ------------------------------------------------------------------------------------------------


def _samples_for_gap(chi_squared: float, gap: float) -> int:
    return max(1, math.ceil(chi_squared / (2 * gap)))


def _wrong_ratio(name: str, ratio: Callable[[float, float], float], message: str) -> list[Mistake]:
    """One slip with and without the "at least 1" that a chi-squared of 0 asks for."""
    return [
        Mistake(name, lambda chi_squared, gap: max(1, math.ceil(ratio(chi_squared, gap))), message),
        Mistake(
            f"{name}, K may be 0",
            lambda chi_squared, gap: math.ceil(ratio(chi_squared, gap)),
            f"{message} And with a chi-squared of 0 you return 0: K is at least 1.",
        ),
    ]


SAMPLES_FOR_GAP = Check(
    "03.samples_for_gap",
    solution=_samples_for_gap,
    cases=lambda: [(0.7055, 0.01), (3.3, 0.5), (0.02, 0.1), (20.0, 0.03), (1.0, 0.3), (1.0, 0.125), (0.0, 0.1)],
    mistakes=[
        Mistake(
            "K may be 0",
            lambda chi_squared, gap: math.ceil(chi_squared / (2 * gap)),
            "Right, but for a perfect q: with a chi-squared of 0 you return 0, and you still have to draw one sample.",
        ),
        Mistake(
            "rounded down, plus one",
            lambda chi_squared, gap: int(chi_squared / (2 * gap)) + 1,
            "You rounded down and added one. Where chi_squared / (2 gap) is a whole number, as 1 / (2 * 0.125), that "
            "is one sample too many: round up with math.ceil.",
        ),
        *_wrong_ratio(
            "the 2 is missing",
            lambda chi_squared, gap: chi_squared / gap,
            "The gap is chi-squared over 2K: the 2 is missing. It comes from the second term of log(1 + e).",
        ),
        *_wrong_ratio(
            "times 2",
            lambda chi_squared, gap: 2 * chi_squared / gap,
            "The 2 stands on the wrong side: gap = chi_squared / (2 K).",
        ),
        *_wrong_ratio(
            "brackets missing",
            lambda chi_squared, gap: chi_squared / 2 * gap,
            "You multiplied by the gap. In Python a / 2 * b is (a / 2) * b: put brackets round 2 * gap.",
        ),
        *_wrong_ratio(
            "the spread's rate",
            lambda chi_squared, gap: chi_squared / gap**2,
            "That is what it takes to bring the *standard deviation* of the estimate to the given size: it falls like "
            "1/sqrt(K). The bias falls faster, like 1/K.",
        ),
        *_wrong_ratio(
            "a square root",
            lambda chi_squared, gap: math.sqrt(chi_squared / (2 * gap)),
            "You took a square root. The gap falls like 1/K, and only the scatter like 1/sqrt(K).",
        ),
        Mistake(
            "rounded down",
            lambda chi_squared, gap: max(1, math.floor(chi_squared / (2 * gap))),
            "You rounded down, and the gap is then a little larger than asked for. Round up.",
        ),
        Mistake(
            "rounded down, K may be 0",
            lambda chi_squared, gap: math.floor(chi_squared / (2 * gap)),
            "You rounded down: the gap is then larger than asked for, and K may be 0. Round up, to at least 1.",
        ),
        Mistake(
            "rounded",
            lambda chi_squared, gap: max(1, round(chi_squared / (2 * gap))),
            "You rounded to the nearest number, and the gap may then be larger than asked for. Round up.",
        ),
        Mistake(
            "rounded, K may be 0",
            lambda chi_squared, gap: round(chi_squared / (2 * gap)),
            "You rounded to the nearest number: the gap may be larger than asked for, and K may be 0. Round up, to at "
            "least 1.",
        ),
        Mistake(
            "not a whole number",
            lambda chi_squared, gap: chi_squared / (2 * gap),
            "The ratio is right. K is a whole number, at least 1: round up.",
        ),
        Mistake(
            "not a whole number, at least 1",
            lambda chi_squared, gap: max(1, chi_squared / (2 * gap)),
            "The ratio is right. K is a whole number: round up.",
        ),
    ],
    praise="Half the gap, twice the samples; half the chi-squared, half the samples. A better q is worth samples.",
)


# 03.spot_the_weight ------------------------------------------------------------------------------------------------


def _log_w(log_likelihood: Tensor, log_prior: Tensor, log_q: Tensor) -> Tensor:
    return log_likelihood + log_prior - log_q


SPOT_THE_WEIGHT = Check(
    "03.spot_the_weight",
    solution=lambda *parts: bounds.iwae(_log_w(*parts)),
    cases=lambda: [
        tuple(scale * _normal(1, 6, 4, seed=seed) for scale, seed in ((3.0, 31), (1.0, 32), (1.0, 33))),
        tuple(scale * _normal(3, 2, 5, seed=seed) for scale, seed in ((1.0, 34), (0.5, 35), (0.5, 36))),
    ],
    mistakes=[
        Mistake(
            "A3: the KL averaged before it enters",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(
                log_likelihood - (log_q - log_prior).mean(1, keepdim=True)
            ),
            "This is the code as it stood: the KL is one number for all K samples, so prior / q never tells one sample "
            "from another, and it could as well stand outside the logarithm. Each sample needs its own "
            "log p(z) - log q(z|x), inside.",
        ),
        Mistake(
            "A3: one KL for all M K samples",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(log_likelihood) - (log_q - log_prior).mean((0, 1)),
            "The KL is now one number for all M K samples, and stands outside the logarithm. Each sample needs its own "
            "log p(z) - log q(z|x), inside.",
        ),
        Mistake(
            "A3: the KL averaged over M",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(log_likelihood - (log_q - log_prior).mean(0)),
            "You average the KL over M now. Do not average it at all: each sample needs its own log p(z) - log q(z|x).",
        ),
        Mistake(
            "A3: the KL summed",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(
                log_likelihood - (log_q - log_prior).sum(1, keepdim=True)
            ),
            "You sum the KL over K now. Do not put the samples together before the logarithm: each needs its own "
            "log p(z) - log q(z|x).",
        ),
        Mistake(
            "A14: mean of logs",
            lambda *parts: bounds.elbo(_log_w(*parts)),
            "You average over the samples in place of the log-sum-exp. That is the ELBO, whatever stands inside.",
        ),
        Mistake(
            "the M groups not pooled",
            lambda *parts: bounds.miwae(_log_w(*parts)),
            "The weights are right. But this is L_K in each of the M groups, averaged. Here all M K samples go under "
            "one logarithm, logsumexp((0, 1)).",
        ),
        Mistake(
            "A14: log K for log M K",
            lambda *parts: _log_w(*parts).logsumexp((0, 1)) - math.log(parts[0].shape[1]),
            "The weights are right. M K of them stand under the logarithm: subtract log(M K).",
        ),
        Mistake(
            "the likelihood only",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(log_likelihood),
            "The prior and q are gone. Without them this is an average of p(x|z) over q, and it has nothing to do with "
            "p(x).",
        ),
        Mistake(
            "q is missing",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(log_likelihood + log_prior),
            "log q is missing. A sample that q proposes often must count less: divide by q.",
        ),
        Mistake(
            "the prior is missing",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(log_likelihood - log_q),
            "The prior is missing: p(x, z) = p(x|z) p(z).",
        ),
        Mistake(
            "the prior and q swapped",
            lambda log_likelihood, log_prior, log_q: bounds.iwae(log_likelihood - log_prior + log_q),
            "log p(z) and log q(z|x) have each other's sign. The weight is p(x|z) p(z) / q(z|x).",
        ),
        Mistake(
            "A14: missing log K",
            lambda *parts: _log_w(*parts).logsumexp((0, 1)),
            "The weights are right now, and log K got lost on the way: it is the mean of the weights, not their sum.",
        ),
    ],
    praise="Each sample has its own weight now, and the value is a bound again.",
)


# 03.spot_the_report ------------------------------------------------------------------------------------------------


def _report(log_w: Tensor) -> tuple[Tensor, Tensor]:
    return (log_w.softmax(1).detach() * log_w).sum(1).mean(0), bounds.miwae(log_w)


def _entropy(log_w: Tensor) -> Tensor:
    return -(log_w.softmax(1) * log_w.log_softmax(1)).sum(1).mean(0)


SPOT_THE_REPORT = Check(
    "03.spot_the_report",
    solution=lambda log_w: _report(log_w)[1],
    cases=lambda: [(2 * _normal(2, 4, 3, seed=41),), (_normal(1, 9, 2, seed=42) - 30.0,)],
    mistakes=[
        Mistake(
            "A10: the surrogate is reported",
            lambda log_w: _report(log_w)[0],
            "This is the code as it stood: it reports the sum of w~ log w. That is L_K + log K - H(w~), with H the "
            "entropy of the shares: never below L_K, and for large K it tends to an *upper* bound of log p(x).",
        ),
        Mistake(
            "A10: corrected by half",
            lambda log_w: _report(log_w)[0] - math.log(log_w.shape[1]),
            "You subtracted log K, and the entropy of the shares is still in it. Do not correct the surrogate: report "
            "the logarithm of the mean weight.",
        ),
        Mistake(
            "the best sample is reported",
            lambda log_w: log_w.amax(1).mean(0),
            "You report the best sample's log-weight. It grows with K for ever and is no bound; L_K is the log of the "
            "*mean* weight.",
        ),
        Mistake(
            "all samples pooled",
            bounds.iwae,
            "You report the bound of all M K samples pooled. The training climbs L_K: one logarithm for each of the M "
            "groups, then the mean over M.",
        ),
        Mistake(
            "the sign of a loss",
            lambda log_w: -_report(log_w)[1],
            "Right but for the sign: this is the loss. Report the bound.",
        ),
        Mistake(
            "the entropy with the wrong sign",
            lambda log_w: _report(log_w)[0] - math.log(log_w.shape[1]) - _entropy(log_w),
            "The entropy of the shares has the wrong sign. Better not to correct the surrogate at all: report the "
            "logarithm of the mean weight.",
        ),
        Mistake(
            "A14: mean of logs",
            bounds.elbo,
            "You report the mean of log w, the ELBO: a true bound, but not the one that is climbed.",
        ),
        Mistake(
            "A14: missing log K",
            lambda log_w: log_w.logsumexp(1).mean(0),
            "log K is missing: the mean of the weights, not their sum.",
        ),
    ],
    praise="The surrogate is for the gradient; the bound is for the reader. Keep them apart.",
)


CHECKS: list[Check] = [
    IWAE_BOUND,
    NORMALISED_WEIGHTS,
    GRADIENT,
    SAMPLES_FOR_GAP,
    SPOT_THE_WEIGHT,
    SPOT_THE_REPORT,
]
