r"""The checks of chapter 00: the axes M, K, B, another text's letters, nats and bits, log-mean-exp, z-scores, one bug.

The right answers stand beside the known wrong ones, small enough to be read together. ``log_w`` is ``[M, K, B]`` in
nats, unless a name says otherwise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse import bounds
from vaecourse.checks.frame import Check, Mistake

LOG_2 = math.log(2)


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 00.shape ----------------------------------------------------------------------------------------------------------

SHAPE = Check(
    "00.shape",
    solution=(2, 7, 5),
    mistakes=[
        Mistake(
            "A8: M and K swapped",
            (7, 2, 5),
            "M and K changed places. M counts the independent estimates and comes first; K counts the samples inside "
            "one estimate.",
        ),
        Mistake(
            "A8: batch first",
            (5, 2, 7),
            "You put the data points first, as much published code does. Here they come last, so that a bound reduces "
            "the leading axes and leaves [B].",
        ),
        Mistake(
            "A8: the order reversed",
            (5, 7, 2),
            "The three numbers are right and their order is turned round: it is M, K, B.",
        ),
        Mistake(
            "A8: batch in the middle",
            (2, 5, 7),
            "K and B changed places. The K samples of one estimate come before the data points: M, K, B.",
        ),
        Mistake(
            "A8: samples first, estimates last",
            (7, 5, 2),
            "The three numbers are right; the order is M, K, B. Estimates come first, data points last.",
        ),
        Mistake(
            "M and K pooled",
            (14, 5),
            "You multiplied M and K. Some bounds do pool the M K samples, others must not, so log_w keeps both axes.",
        ),
        Mistake(
            "the shape after the bound",
            (5,),
            "That is what a bound returns: one number per data point. The question is about log_w, before.",
        ),
        Mistake(
            "the latent axis left in",
            (2, 7, 5, 3),
            "That is the shape of z. A log-weight is one number per z: the L latent dimensions have been summed.",
        ),
        Mistake(
            "B and M pooled",
            (10, 7),
            "You multiplied the images and their estimates. Each has an axis of its own: M, K, B.",
        ),
        Mistake(
            "all multiplied",
            70,
            "70 is how many log-weights there are. Asked for is the shape, three numbers: M, K, B.",
        ),
    ],
    praise="M, K, B: estimates, samples in each, data points. Every log_w of the course has these axes in this order.",
)


# 00.passport -------------------------------------------------------------------------------------------------------

PASSPORT = Check(
    "00.passport",
    solution=lambda log_q, log_q_r, log_q_e: log_q + log_q_r - log_q_e,
    cases=lambda: [
        (_normal(2, 3, 4, seed=1) - 1, _normal(2, 3, 4, seed=2) - 2, _normal(2, 3, 4, seed=3)),
        (_normal(3, 1, 2, seed=4), 2 * _normal(3, 1, 2, seed=5), _normal(3, 1, 2, seed=6) + 1),
    ],
    mistakes=[
        Mistake(
            "q(z) read as the encoder",
            lambda log_q, log_q_r, log_q_e: log_q_e + log_q_r - log_q,
            "You read q(z) as the approximate posterior, as our own letters would have it. In this text q(z) is the "
            "prior, and the encoder is the q with the small e.",
        ),
        Mistake(
            "the decoder divided out",
            lambda log_q, log_q_r, log_q_e: log_q + log_q_e - log_q_r,
            "The decoder q_r(x | z) belongs to the joint p(x, z), in the numerator. What is divided by is the "
            "distribution that z was drawn from.",
        ),
        Mistake(
            "the encoder multiplied",
            lambda log_q, log_q_r, log_q_e: log_q + log_q_r + log_q_e,
            "All three are added. A weight divides by the density that z was drawn from, so its logarithm is "
            "subtracted.",
        ),
        Mistake(
            "the prior forgotten",
            lambda log_q, log_q_r, log_q_e: log_q_r - log_q_e,
            "The prior is missing. The numerator is the joint p(x, z), prior times likelihood.",
        ),
        Mistake(
            "the encoder forgotten",
            lambda log_q, log_q_r, log_q_e: log_q + log_q_r,
            "This is log p(x, z). It becomes a weight when you subtract the logarithm of the density that z was drawn "
            "from.",
        ),
        Mistake(
            "the likelihood forgotten",
            lambda log_q, log_q_r, log_q_e: log_q - log_q_e,
            "The data never enter: the likelihood q_r(x | z) is missing. This is the (negative) KL part alone.",
        ),
        Mistake(
            "the sign",
            lambda log_q, log_q_r, log_q_e: log_q_e - log_q - log_q_r,
            "The ratio is upside down: this is -log w, the sign of a loss. The model's joint stands in the numerator.",
        ),
        Mistake(
            "the weight, not its logarithm",
            lambda log_q, log_q_r, log_q_e: (log_q + log_q_r - log_q_e).exp(),
            "This is w itself. Stay in logarithms: w of an image is too small for a float.",
        ),
        Mistake(
            "a ratio of logarithms",
            lambda log_q, log_q_r, log_q_e: (log_q + log_q_r) / log_q_e,
            "You divided logarithms. The logarithm of a ratio is a difference: log(a / b) = log a - log b.",
        ),
        Mistake(
            "the formula on the logarithms",
            lambda log_q, log_q_r, log_q_e: log_q * log_q_r / log_q_e,
            "You put logarithms into the formula of the densities. Of logarithms a product becomes a sum, and a ratio "
            "a difference.",
        ),
    ],
    praise="Prior plus likelihood minus encoder. Two letters mean other things there, and the sum is our log_w.",
)


# 00.bits_per_dimension ---------------------------------------------------------------------------------------------

BITS_PER_DIMENSION = Check(
    "00.bits_per_dimension",
    solution=lambda log_p, D: -log_p / (D * LOG_2),
    cases=lambda: [(10 * _normal(5, seed=7) - 85, 784), (_normal(3, seed=8) - 2, 1), (_normal(4, seed=9), 64)],
    mistakes=[
        Mistake(
            "the sign",
            lambda log_p, D: log_p / (D * LOG_2),
            "The size is right, the sign is not. Bits per dimension is a cost, the length of a code: minus log p.",
        ),
        Mistake(
            "nats per dimension",
            lambda log_p, D: -log_p / D,
            "These are nats per dimension. A bit is log 2 = 0.693 nats, so there are more bits than nats: divide by "
            "log 2.",
        ),
        Mistake(
            "nats per dimension, sign",
            lambda log_p, D: log_p / D,
            "You shared the nats out over D. Two steps are left: the sign of a cost, and the change to base 2.",
        ),
        Mistake(
            "multiplied by log 2",
            lambda log_p, D: -log_p * LOG_2 / D,
            "You multiplied by log 2 and the number shrank. A bit is smaller than a nat, so the same length is more "
            "bits: divide.",
        ),
        Mistake(
            "bits for the whole image",
            lambda log_p, D: -log_p / LOG_2,
            "These are bits for all D dimensions together. Divide by D as well.",
        ),
        Mistake(
            "bits for the whole image, sign",
            lambda log_p, D: log_p / LOG_2,
            "This is log2 p(x), for all D dimensions together. Bits per dimension is a cost, minus that, divided by D.",
        ),
        Mistake(
            "base ten",
            lambda log_p, D: -log_p / (D * math.log(10)),
            "You divided by log 10, which gives decimal digits. For bits the base is 2.",
        ),
        Mistake(
            "one number for the whole batch",
            lambda log_p, D: (-log_p / (D * LOG_2)).mean(),
            "You averaged over the data points. Every x has its own cost: return [B].",
        ),
        Mistake(
            "the logarithm taken twice",
            lambda log_p, D: -log_p.log2() / D,
            "You took the logarithm of a logarithm. log_p is a logarithm already; changing its base is a division.",
        ),
    ],
    praise="Divided by D log 2, with the sign of a cost. Papers print either unit, and now you can read both.",
    rtol=1e-3,  # who multiplies by the 1.443 of the text is right
)


# 00.log_mean_exp ---------------------------------------------------------------------------------------------------


def log_mean_exp(log_w: Tensor) -> Tensor:
    """log of the mean weight over the K axis. Shapes: ``[M, K, B] -> [M, B]``."""
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


LOG_MEAN_EXP = Check(
    "00.log_mean_exp",
    solution=log_mean_exp,
    cases=lambda: [
        (2 * _normal(2, 7, 5, seed=10) - 3,),
        (_normal(3, 4, 2, seed=11) - 800,),
        (_normal(4, 3, 6, seed=12) + 100,),
    ],
    mistakes=[
        Mistake(
            "A13: exp before the maximum is taken out",
            lambda log_w: log_w.exp().mean(1).log(),
            "On paper this is right, and at log w = -800 every exp is 0 and its log is -inf; at +100 it overflows. "
            "Take the maximum out first, or let logsumexp do it.",
        ),
        Mistake(
            "A13: a floor under the logarithm",
            lambda log_w: (log_w.exp().mean(1) + 1e-10).log(),
            "The small number under the log hides the underflow: at log w = -800 you report -23, which is the floor "
            "and not the bound. Use logsumexp.",
        ),
        Mistake(
            "A13: the maximum not given back",
            lambda log_w: log_mean_exp(log_w) - log_w.amax(1),
            "You took the maximum out, which is what keeps exp safe, and did not add it again at the end.",
        ),
        Mistake(
            "A14: missing log K",
            lambda log_w: log_w.logsumexp(1),
            "This is the log of the sum. A mean is a sum divided by K, so subtract log K. Without it the value is too "
            "high by log K, and more samples look better for nothing.",
        ),
        Mistake(
            "A14: log K added",
            lambda log_w: log_w.logsumexp(1) + math.log(log_w.shape[1]),
            "log K has the wrong sign: dividing by K means subtracting log K.",
        ),
        Mistake(
            "A14: K instead of log K",
            lambda log_w: log_w.logsumexp(1) - log_w.shape[1],
            "You subtracted K. We are in logarithms, where dividing by K is subtracting log K.",
        ),
        Mistake(
            "A14: divided by K outside the logarithm",
            lambda log_w: log_w.logsumexp(1) / log_w.shape[1],
            "You divided the logarithm by K. It is the sum inside that is divided; outside that is a subtraction.",
        ),
        Mistake(
            "A14: mean of the logs",
            lambda log_w: log_w.mean(1),
            "This is the mean of the logs, an ELBO. Asked for is the log of the mean: average the weights, then take "
            "the logarithm.",
        ),
        Mistake(
            "A10: weighted by the weights",
            lambda log_w: (log_w.softmax(1) * log_w).sum(1),
            "You averaged log w with the normalised weights. That is larger than log-mean-exp, and it is no lower "
            "bound: it tends to the other side of log p(x).",
        ),
        Mistake(
            "A13: exp and logsumexp",
            lambda log_w: log_w.exp().logsumexp(1) - math.log(log_w.shape[1]),
            "logsumexp takes the exponential itself. Give it log_w, not the weights.",
        ),
        Mistake(
            "A8: over M",
            lambda log_w: log_w.logsumexp(0) - math.log(log_w.shape[0]),
            "You reduced axis 0, the M estimates. The K samples are axis 1.",
        ),
        Mistake(
            "A8: over B",
            lambda log_w: log_w.logsumexp(2) - math.log(log_w.shape[2]),
            "You reduced the last axis, and so mixed the data points. The K samples are axis 1.",
        ),
        Mistake(
            "A8: log of the wrong axis",
            lambda log_w: log_w.logsumexp(1) - math.log(log_w.shape[0]),
            "The sum runs over K and you subtracted log M. The two agree only when M = K, so test with M different "
            "from K.",
        ),
        Mistake(
            "M and K pooled",
            bounds.iwae,
            "You pooled all M K samples. Reduce the K axis only, and keep the M estimates: [M, B].",
        ),
        Mistake(
            "the M estimates averaged",
            bounds.miwae,
            "You also averaged over M. That is the next step, and has a name (MIWAE). Here the M estimates stay: "
            "[M, B].",
        ),
        Mistake(
            "the sign",
            lambda log_w: -log_mean_exp(log_w),
            "The sign is that of a loss. We are asked for the log of the mean weight itself.",
        ),
    ],
    praise="logsumexp minus log K, over axis 1. It survives -800 and +100, and nearly every bound is built on it.",
)


# 00.z_score --------------------------------------------------------------------------------------------------------


def z_score(values: Tensor, exact: float) -> Tensor:
    """How many standard errors the mean lies above the exact value. Shapes: ``[N] -> []``."""
    return (values.mean() - exact) / (values.std() / math.sqrt(len(values)))


Z_SCORE = Check(
    "00.z_score",
    solution=z_score,
    cases=lambda: [(_normal(20, seed=13) + 1, 0.4), (3 * _normal(9, seed=14), 2.0), (_normal(50, seed=15) - 2, -2.0)],
    mistakes=[
        Mistake(
            "the standard deviation, not the standard error",
            lambda values, exact: (values.mean() - exact) / values.std(),
            "You divided by the standard deviation of one draw. The mean of N draws is steadier by the square root of "
            "N: divide by std / sqrt(N).",
        ),
        Mistake(
            "N instead of its square root",
            lambda values, exact: (values.mean() - exact) / (values.std() / len(values)),
            "You divided the standard deviation by N. Variances add, so the standard error falls like 1 / sqrt(N).",
        ),
        Mistake(
            "the variance",
            lambda values, exact: (values.mean() - exact) / (values.var() / len(values)),
            "var / N is the squared standard error. Take its square root.",
        ),
        Mistake(
            "the variance of one draw",
            lambda values, exact: (values.mean() - exact) / values.var(),
            "You divided by the variance of one draw. The yardstick is the standard error of the mean: std / sqrt(N).",
        ),
        Mistake(
            "times the square root of N",
            lambda values, exact: (values.mean() - exact) / (values.std() * math.sqrt(len(values))),
            "Your yardstick grows with N. More draws make the mean steadier: its standard error is std / sqrt(N).",
        ),
        Mistake(
            "divided by N, not N - 1",
            lambda values, exact: z_score(values, exact) / math.sqrt(1 - 1 / len(values)),
            "Very nearly: your standard deviation divides by N. With few draws that makes the error look too small; "
            "torch's std() divides by N - 1 unless told otherwise.",
        ),
        Mistake(
            "the sign",
            lambda values, exact: -z_score(values, exact),
            "The sign is turned round: a mean above the exact value has a positive z.",
        ),
        Mistake(
            "A21: the size without the sign",
            lambda values, exact: z_score(values, exact).abs(),
            "You dropped the sign. It says on which side you are, and for a lower bound that is half of the news.",
        ),
        Mistake(
            "A21: a difference without a yardstick",
            lambda values, exact: values.mean() - exact,
            "This is the difference alone. Whether it is large depends on the noise, so divide by the standard error "
            "of the mean.",
        ),
        Mistake(
            "A21: a relative error",
            lambda values, exact: (values.mean() - exact) / exact,
            "You measured against the exact value. The yardstick is the noise of the mean, its standard error.",
        ),
        Mistake(
            "one z for each draw",
            lambda values, exact: (values - exact) / values.std(),
            "You scored every draw. The question is about their mean: one number.",
        ),
    ],
    praise="The difference in units of its own standard error. Beyond 4 it is not bad luck: the code or the "
    "claim is wrong.",
)


# 00.spot_the_bug ---------------------------------------------------------------------------------------------------


def _batch_first(bound: object) -> object:
    return lambda log_w: bound(log_w.movedim(0, 2))  # type: ignore[operator]


SPOT_THE_BUG = Check(
    "00.spot_the_bug",
    solution=lambda log_w: (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(1),
    cases=lambda: [
        (2 * _normal(5, 2, 7, seed=16) - 3,),  # [B, M, K]
        (_normal(3, 1, 6, seed=17),),
        (_normal(2, 4, 3, seed=18) - 800,),
    ],
    mistakes=[
        Mistake(
            "A8: the code as it was",
            lambda log_w: (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(-1),
            "That is the code as it was. Its log-mean-exp runs over axis 1. Which axis is that when the batch comes "
            "first?",
        ),
        Mistake(
            "A8: the right axis, the other axis's logarithm",
            lambda log_w: (log_w.logsumexp(2) - math.log(log_w.shape[1])).mean(1),
            "The sum now runs over K and the logarithm still counts M. Both belong to the same axis.",
        ),
        Mistake(
            "A8: the right logarithm, the other axis summed",
            lambda log_w: (log_w.logsumexp(1) - math.log(log_w.shape[2])).mean(-1),
            "The logarithm counts K and the sum still runs over M. Both belong to the same axis.",
        ),
        Mistake(
            "the batch in the place of M",
            bounds.miwae,
            "This treats the tensor as [M, K, B]. It came as [B, M, K]: you averaged over the data points.",
        ),
        Mistake(
            "M and K pooled",
            _batch_first(bounds.iwae),
            "You pooled all M K samples under one logarithm: that is IWAE with M K samples. Wanted is one logarithm "
            "for each estimate, and then their mean.",
        ),
        Mistake(
            "A14: mean of the logs",
            _batch_first(bounds.elbo),
            "This is the ELBO: a mean of logarithms over both axes. The weights of one estimate are averaged before "
            "the logarithm.",
        ),
        Mistake(
            "A14: missing log K",
            lambda log_w: log_w.logsumexp(2).mean(1),
            "The axes are right and log K is gone: a sum is not yet a mean.",
        ),
        Mistake(
            "A14: sum over M",
            lambda log_w: (log_w.logsumexp(2) - math.log(log_w.shape[2])).sum(1),
            "The M estimates are added up. Each is a bound of its own, so they are averaged.",
        ),
        Mistake(
            "the M estimates kept",
            lambda log_w: log_w.logsumexp(2) - math.log(log_w.shape[2]),
            "The log-mean-exp is right. The M estimates are still to be averaged: [B, M] -> [B].",
        ),
        Mistake(
            "A13: exp before the maximum is taken out",
            lambda log_w: log_w.exp().mean(2).log().mean(1),
            "The axes are right. At log w = -800 every exp is 0 and its logarithm -inf: use logsumexp.",
        ),
    ],
    praise="The samples are axis 2 here. The old code gave MIWAE with M and K exchanged, which at M = K has the same "
    "mean: no z-score could have seen it there.",
)


CHECKS = [SHAPE, PASSPORT, BITS_PER_DIMENSION, LOG_MEAN_EXP, Z_SCORE, SPOT_THE_BUG]
