r"""The checks of chapter 04: the signal-to-noise ratio, its rates, PIWAE's two sets of weights, three bugs.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. Shapes in
the order M, K, B, P (parameters), unless a bug wants another one; everything in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaecourse import bounds, objectives
from vaecourse.checks.frame import Check, Mistake


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 04.signal_to_noise ------------------------------------------------------------------------------------------------


def _signal_to_noise(gradients: Tensor) -> Tensor:
    """|mean| / sd over independent estimates. Shapes: ``[R, P] -> [P]``."""
    return gradients.mean(0).abs() / gradients.std(0)


SIGNAL_TO_NOISE = Check(
    "04.signal_to_noise",
    solution=_signal_to_noise,
    rtol=2e-3,  # the standard deviation with n or with n - 1
    cases=lambda: [
        (_normal(2000, 3, seed=1) * torch.tensor([1.0, 0.2, 5.0]) + torch.tensor([-2.0, 0.5, -0.3]),),
        (_normal(3000, 4, seed=2) - 1.0,),
    ],
    mistakes=[
        Mistake(
            "B1: the sign kept",
            lambda g: g.mean(0) / g.std(0),
            "The sign is still in it: a gradient of -2 with standard deviation 1 is as clear a signal as +2. Take the "
            "absolute value of the mean.",
        ),
        Mistake(
            "mean of the absolute values",
            lambda g: g.abs().mean(0) / g.std(0),
            "You took the absolute value before the mean, so that noise around zero counts as signal. First the mean, "
            "then its absolute value.",
        ),
        Mistake(
            "variance for standard deviation",
            lambda g: g.mean(0).abs() / g.var(0),
            "You divided by the variance. Signal and noise must have the same unit: take its square root.",
        ),
        Mistake(
            "squared",
            lambda g: (g.mean(0) / g.std(0)).square(),
            "This is the square of the ratio. It is used in physics; the paper, and its rates, are about the ratio "
            "itself.",
        ),
        Mistake(
            "the standard error of the mean",
            lambda g: g.mean(0).abs() / g.std(0) * len(g) ** 0.5,
            "You divided by the standard error of your measurement, which shrinks as you measure longer. The noise of "
            "*one* gradient step is the standard deviation of one estimate.",
        ),
        Mistake(
            "upside down",
            lambda g: g.std(0) / g.mean(0).abs(),
            "This is noise over signal.",
        ),
        Mistake(
            "the spread around zero",
            lambda g: g.mean(0).abs() / g.square().mean(0).sqrt(),
            "Your noise is the root of the mean *square*, which holds the signal as well. Subtract the mean: the "
            "standard deviation.",
        ),
        Mistake(
            "over the parameters",
            lambda g: g.mean(1).abs() / g.std(1),
            "You took mean and spread over the parameters. The estimates stand along axis 0: every parameter has a "
            "ratio of its own, and the answer is [P].",
        ),
        Mistake(
            "one number for all parameters",
            lambda g: (g.mean(0).abs() / g.std(0)).mean(),
            "You averaged over the parameters at the end. Return one ratio for each: [P].",
        ),
        Mistake(
            "one noise for all parameters",
            lambda g: g.mean(0).abs() / g.std(),
            "The mean is taken for each parameter, the standard deviation over all numbers at once. Take it over axis "
            "0 too.",
        ),
        Mistake(
            "everything at once",
            lambda g: g.mean().abs() / g.std(),
            "You took mean and spread over all numbers at once. Take both over axis 0, the estimates: the answer is "
            "[P].",
        ),
        Mistake(
            "the norm of the whole gradient",
            lambda g: g.mean(0).norm() / (g - g.mean(0)).norm(dim=1).mean(),
            "This is one ratio for the length of the whole gradient. The definition is for each parameter: [P].",
        ),
    ],
    praise="|mean| over standard deviation, of the estimator, for every parameter: what one step can learn.",
)


# 04.rates ----------------------------------------------------------------------------------------------------------


def _rates(snr: float, network: str, M: int, K: int, new_M: int, new_K: int) -> float:
    power = 0.5 if network == "decoder" else -0.5
    return snr * math.sqrt(new_M / M) * (new_K / K) ** power


def _rate(root: Callable[[float, float, float], float]) -> Callable[..., float]:
    """``root(M ratio, K ratio, sign)`` times the old ratio; sign is +1 for the decoder, -1 for the encoder."""
    return lambda snr, network, M, K, new_M, new_K: (
        snr * root(new_M / M, new_K / K, 1.0 if network == "decoder" else -1.0)
    )


RATES = Check(
    "04.rates",
    solution=_rates,
    cases=lambda: [
        (0.5, "encoder", 1, 16, 4, 64),
        (0.5, "decoder", 1, 16, 4, 64),
        (0.075, "encoder", 1, 64, 8, 8),
        (2.35, "decoder", 2, 32, 3, 500),
        (1.2, "encoder", 5, 10, 5, 1000),
    ],
    mistakes=[
        Mistake(
            "the decoder's rate for both",
            _rate(lambda m, k, sign: math.sqrt(m * k)),
            "Right for the decoder. For the encoder K stands *below*: its mean falls like 1/K and its spread like "
            "1/sqrt(K), so more K is less signal.",
        ),
        Mistake(
            "the encoder's rate for both",
            _rate(lambda m, k, sign: math.sqrt(m / k)),
            "Right for the encoder. The decoder's mean tends to the gradient of log p(x), a constant, so more K is "
            "more signal.",
        ),
        Mistake(
            "the two exchanged",
            _rate(lambda m, k, sign: math.sqrt(m) * k ** (-0.5 * sign)),
            "Encoder and decoder are exchanged: it is the encoder that loses signal with K.",
        ),
        Mistake(
            "M below for the encoder",
            _rate(lambda m, k, sign: (m * k) ** (0.5 * sign)),
            "M stands above for both: it averages whole, independent estimates, and the spread of an average falls.",
        ),
        Mistake(
            "without the roots",
            _rate(lambda m, k, sign: m * k**sign),
            "The roots are missing. The standard deviation of a mean falls with the *root* of the number of terms.",
        ),
        Mistake(
            "M forgotten",
            _rate(lambda m, k, sign: k ** (0.5 * sign)),
            "K is right, and M is missing: averaging M estimates multiplies the ratio by sqrt(M).",
        ),
        Mistake(
            "the encoder's noise forgotten",
            _rate(lambda m, k, sign: math.sqrt(m * k) if sign > 0 else math.sqrt(m) / k),
            "Right for the decoder. For the encoder 1/K is the fall of the *mean*. Its spread falls too, like "
            "1/sqrt(K), and 1/sqrt(K) is left for the ratio.",
        ),
        Mistake(
            "the decoder's noise forgotten",
            _rate(lambda m, k, sign: math.sqrt(m) if sign > 0 else math.sqrt(m / k)),
            "Right for the encoder. The decoder's mean stays, but its spread falls like 1/sqrt(K): K helps it too.",
        ),
        Mistake(
            "the old M and K forgotten",
            lambda snr, network, M, K, new_M, new_K: (
                snr * math.sqrt(new_M * (new_K if network == "decoder" else 1 / new_K))
            ),
            "You used new_M and new_K only. What counts is new over old: new_M / M and new_K / K.",
        ),
        Mistake(
            "upside down",
            _rate(lambda m, k, sign: 1 / (math.sqrt(m) * k ** (0.5 * sign))),
            "New over old, not old over new.",
        ),
        Mistake(
            "the old ratio forgotten",
            lambda snr, *rest: _rates(1.0, *rest),
            "This is the factor. Multiply the old ratio by it.",
        ),
        Mistake(
            "the number of samples only",
            _rate(lambda m, k, sign: 1.0 if sign < 0 else math.sqrt(m * k)),
            "The encoder's ratio does not stay where it is: the root of M / K.",
        ),
    ],
    praise="sqrt(M K) for the decoder, sqrt(M / K) for the encoder. Two letters, and half of this chapter.",
)


# 04.piwae ----------------------------------------------------------------------------------------------------------


def _both(
    theta: Callable[[Tensor], Tensor], phi: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda log_w: (theta(log_w), phi(log_w))


def _over_k(log_w: Tensor) -> Tensor:
    return log_w.softmax(1)


def _over_m(log_w: Tensor) -> Tensor:
    return log_w.softmax(0) / log_w.shape[1]


PIWAE = Check(
    "04.piwae",
    solution=_both(objectives.pooled, objectives.within),
    cases=lambda: [
        (2 * _normal(3, 4, 5, seed=11),),
        (_normal(2, 6, 3, seed=12) - 800.0,),
        (_normal(5, 2, 1, seed=13),),
    ],
    mistakes=[
        Mistake(
            "B2: the ELBO for the encoder",
            _both(objectives.pooled, objectives.uniform),
            "Your encoder climbs the ELBO: equal weights, 1/(MK). Summaries of the paper say so, and it is only the "
            "case K = 1. In the paper the encoder climbs MIWAE(M, K): shares inside each group of K, divided by M.",
        ),
        Mistake(
            "the two exchanged",
            _both(objectives.within, objectives.pooled),
            "Encoder and decoder are exchanged: it is the decoder that profits from all M K samples under one "
            "logarithm.",
        ),
        Mistake(
            "IWAE for both",
            _both(objectives.pooled, objectives.pooled),
            "Both climb the bound of all M K samples: that is IWAE. The encoder's shares are taken inside each group.",
        ),
        Mistake(
            "MIWAE for both",
            _both(objectives.within, objectives.within),
            "Both climb MIWAE. The decoder of PIWAE pools all M K samples.",
        ),
        Mistake(
            "not divided by M",
            _both(objectives.pooled, _over_k),
            "The encoder's weights add up to M, one for each group. MIWAE is the *mean* over the groups: divide by M.",
        ),
        Mistake(
            "A8: over the M axis",
            _both(objectives.pooled, _over_m),
            "The encoder's shares compete over the axis M. The axes are M, K, B, and K is number 1. Your code climbs "
            "MIWAE(K, M). With M = K that is the same on average, and training would not show it.",
        ),
        Mistake(
            "MIWAE for the decoder, the ELBO for the encoder",
            _both(objectives.within, objectives.uniform),
            "Each is one step too loose: the decoder pools all M K samples, the encoder takes shares inside each "
            "group.",
        ),
        Mistake(
            "A1: softmax of a loss",
            _both(lambda log_w: objectives.pooled(-log_w), lambda log_w: objectives.within(-log_w)),
            "The sign in the softmax is turned round: the worst sample gets the most weight.",
        ),
        Mistake(
            "divided by K",
            _both(objectives.pooled, lambda log_w: log_w.softmax(1) / log_w.shape[1]),
            "The encoder's shares are right, but divided by K. MIWAE is the mean over the M groups: divide by M.",
        ),
        Mistake(
            "divided by M K",
            _both(objectives.pooled, lambda log_w: objectives.within(log_w) / log_w.shape[1]),
            "You divided the encoder's shares by M K. Inside a group they add up to one already: divide by M only.",
        ),
        Mistake(
            "one softmax after the other",
            _both(lambda log_w: log_w.softmax(0).softmax(1), objectives.within),
            "The decoder's weights went through two softmaxes, one for each axis. Flatten M and K into one axis, then "
            "take one softmax.",
        ),
        Mistake(
            "the encoder's over the batch",
            _both(objectives.pooled, lambda log_w: log_w.softmax(2) / len(log_w)),
            "The encoder's softmax runs over the batch, the last axis. The axes are M, K, B: its shares are over K.",
        ),
        Mistake(
            "one tensor only",
            objectives.pooled,
            "These are the decoder's weights alone. Return two tensors: the decoder's weights, then the encoder's.",
        ),
        Mistake(
            "over the batch",
            _both(lambda log_w: log_w.flatten().softmax(0).view_as(log_w), objectives.within),
            "The decoder's weights add up to one over the batch as well: data points compete with each other. Pool "
            "over M and K only.",
        ),
    ],
    praise="One set of samples, two sets of weights. That is all PIWAE is, and it costs nothing extra.",
)


# 04.spot_the_axis --------------------------------------------------------------------------------------------------


SPOT_THE_AXIS = Check(
    "04.spot_the_axis",
    solution=lambda log_w: bounds.miwae(log_w.permute(1, 2, 0)),
    cases=lambda: [
        (2 * _normal(5, 3, 4, seed=21),),  # [B, M, K]
        (_normal(2, 1, 6, seed=22) - 800.0,),
        (_normal(3, 3, 3, seed=23),),
    ],
    mistakes=[
        Mistake(
            "A8: the logarithm over M",
            lambda log_w: (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(1),
            "This is the code as it stood: with axes [B, M, K], axis 1 is M. It averages the weights over the M groups "
            "and the logarithms over K, so it climbs MIWAE(K, M). At (M, K) = (1, 64) that is the plain ELBO.",
        ),
        Mistake(
            "A8: only half mended",
            lambda log_w: (log_w.logsumexp(2) - math.log(log_w.shape[1])).mean(1),
            "The sum is over K now, but log M is subtracted. The number of samples under the logarithm is K.",
        ),
        Mistake(
            "half mended: the axis",
            lambda log_w: (log_w.logsumexp(1) - math.log(log_w.shape[2])).mean(1),
            "log K is right now, but the sum still runs over axis 1, which is M.",
        ),
        Mistake(
            "summed over M",
            lambda log_w: (log_w.logsumexp(2) - math.log(log_w.shape[2])).sum(1),
            "The axis is right. You added the M estimates up: MIWAE is their mean.",
        ),
        Mistake(
            "exp without logsumexp",
            lambda log_w: log_w.exp().mean(2).log().mean(1),
            "The formula is right, but exp(-800) is 0 in a computer, and its log is -inf. Use logsumexp.",
        ),
        Mistake(
            "over the batch",
            lambda log_w: (log_w.logsumexp(0) - math.log(log_w.shape[0])).mean(0),
            "Axis 0 is the batch here. Data points never meet under one logarithm.",
        ),
        Mistake(
            "pooled",
            lambda log_w: bounds.iwae(log_w.permute(1, 2, 0)),
            "You pooled all M K samples: L of M K, which is IWAE. MIWAE takes M logarithms of K samples each.",
        ),
        Mistake(
            "A14: mean of logs",
            lambda log_w: log_w.mean((1, 2)),
            "Now there is no logarithm of a mean left: this is the ELBO.",
        ),
        Mistake(
            "A14: missing log K",
            lambda log_w: log_w.logsumexp(2).mean(1),
            "The axis is right. log K is still to be subtracted: the mean of the weights, not their sum.",
        ),
        Mistake(
            "M is still there",
            lambda log_w: log_w.logsumexp(2) - math.log(log_w.shape[2]),
            "The axis is right. Average over the M estimates, so that [B] is left.",
        ),
        Mistake(
            "A14: mean over the batch",
            lambda log_w: bounds.miwae(log_w.permute(1, 2, 0)).mean(),
            "You averaged over the data points too. Return [B].",
        ),
    ],
    praise="K under the logarithm, M outside. With M = K both agree on average: always test with M different from K.",
)


# 04.spot_the_trainer -----------------------------------------------------------------------------------------------

Bound = Callable[[Tensor, Tensor], Tensor]


def _slopes(theta: Tensor, phi: Tensor, bound: Bound) -> tuple[Tensor, Tensor]:
    found = torch.autograd.grad(bound(theta, phi), [theta, phi])
    return found[0], found[1]


def _mended(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    return _slopes(theta, phi, iwae)[0], _slopes(theta, phi, miwae)[1]


def _encoder_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (_, first), (decoder, second) = _slopes(theta, phi, miwae), _slopes(theta, phi, iwae)
    return decoder, first + second


def _both_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (a, b), (c, d) = _slopes(theta, phi, miwae), _slopes(theta, phi, iwae)
    return a + c, b + d


def _decoder_on_the_sum(theta: Tensor, phi: Tensor, miwae: Bound, iwae: Bound) -> tuple[Tensor, Tensor]:
    (a, b), (c, _) = _slopes(theta, phi, miwae), _slopes(theta, phi, iwae)
    return a + c, b


def _trainer_cases() -> list[tuple]:
    def case(seed: int, D: int, L: int) -> tuple:
        theta, phi = _normal(D, seed=seed), _normal(L, seed=seed + 1)
        mix = _normal(D, L, seed=seed + 2)
        loose = lambda t, p: (t @ mix @ p).sin() - p.square().sum() - 0.3 * t.square().sum()
        tight = lambda t, p: (t @ mix @ p).cos() - 0.1 * p.square().sum() - t.pow(4).sum() / 9
        return theta.requires_grad_(), phi.requires_grad_(), loose, tight

    return [case(31, 3, 2), case(41, 2, 5)]


SPOT_THE_TRAINER = Check(
    "04.spot_the_trainer",
    solution=_mended,
    cases=_trainer_cases,
    mistakes=[
        Mistake(
            "A9: the encoder steps on the sum",
            _encoder_on_the_sum,
            "This is the code as it stood: .backward() *adds* to .grad, and only the decoder's was cleared in between, "
            "so the encoder climbs MIWAE plus IWAE. Its noise comes along. Clear both, or ask autograd for each "
            "gradient by itself.",
        ),
        Mistake(
            "A9: both step on the sum",
            _both_on_the_sum,
            "Nothing is cleared between the two backward passes: both parameters get the sum of both gradients.",
        ),
        Mistake(
            "A9: the decoder steps on the sum",
            _decoder_on_the_sum,
            "The encoder is right now, but the decoder's gradient of the first pass is still in its .grad.",
        ),
        Mistake(
            "the wrong one cleared",
            lambda *parts: (_both_on_the_sum(*parts)[0], _slopes(parts[0], parts[1], parts[3])[1]),
            "You cleared phi.grad between the passes and not theta.grad. So the encoder lost MIWAE, its own target, "
            "and the decoder steps on the sum.",
        ),
        Mistake(
            "the two exchanged",
            lambda theta, phi, miwae, iwae: _mended(theta, phi, iwae, miwae),
            "Encoder and decoder are exchanged: theta climbs IWAE, phi climbs MIWAE.",
        ),
        Mistake(
            "IWAE for both",
            lambda theta, phi, miwae, iwae: _slopes(theta, phi, iwae),
            "Everything was cleared, the encoder's own gradient too: what is left is IWAE for both.",
        ),
        Mistake(
            "MIWAE for both",
            lambda theta, phi, miwae, iwae: _slopes(theta, phi, miwae),
            "Both gradients are MIWAE's. The decoder climbs IWAE, over all M K samples.",
        ),
        Mistake(
            "the sign of a loss",
            lambda *parts: tuple(-g for g in _mended(*parts)),
            "The sign is that of a loss. Return the gradients of the bounds.",
        ),
        Mistake(
            "phi before theta",
            lambda *parts: _mended(*parts)[::-1],
            "Both gradients are right, and in the wrong order: theta's first.",
        ),
    ],
    praise="Each network on its own target, and no gradient that leaks from one pass into the other.",
)


# 04.spot_the_noise -------------------------------------------------------------------------------------------------


SPOT_THE_NOISE = Check(
    "04.spot_the_noise",
    solution=lambda z, mu, log_var: (z - mu) * (-0.5 * log_var).exp(),
    cases=lambda: [
        (_normal(2, 3, 4, seed=51), _normal(2, 1, 4, seed=52), 0.7 * _normal(2, 1, 4, seed=53)),
        (_normal(5, 2, seed=54), _normal(5, 2, seed=55), torch.zeros(5, 2)),
    ],
    mistakes=[
        Mistake(
            "A5: divided by the log-variance",
            lambda z, mu, log_var: (z - mu) / log_var,
            "This is the code as it stood: it divides by the *logarithm* of the variance, which is 0 for a standard "
            "deviation of 1. Divide by the standard deviation, exp(log_var / 2).",
        ),
        Mistake(
            "A15: divided by the variance",
            lambda z, mu, log_var: (z - mu) * (-log_var).exp(),
            "exp(log_var) is the variance. z = mu + sigma eps has the standard deviation in it, exp(log_var / 2).",
        ),
        Mistake(
            "multiplied by the standard deviation",
            lambda z, mu, log_var: (z - mu) * (0.5 * log_var).exp(),
            "You multiplied by sigma. Solve z = mu + sigma eps for eps.",
        ),
        Mistake(
            "A15: multiplied by the variance",
            lambda z, mu, log_var: (z - mu) * log_var.exp(),
            "You multiplied, and by the variance. Solve z = mu + sigma eps for eps, with sigma = exp(log_var / 2).",
        ),
        Mistake(
            "the root of the log-variance",
            lambda z, mu, log_var: (z - mu) / log_var.sqrt(),
            "You took the root of the *logarithm*. The root of the variance is exp(log_var / 2).",
        ),
        Mistake(
            "mu added",
            lambda z, mu, log_var: (z + mu) * (-0.5 * log_var).exp(),
            "The sign of mu is wrong: z - mu is what the noise moved.",
        ),
        Mistake(
            "not centred",
            lambda z, mu, log_var: z * (-0.5 * log_var).exp(),
            "mu is missing: the noise moved z away from mu, not from 0.",
        ),
        Mistake(
            "turned round",
            lambda z, mu, log_var: (mu - z) * (-0.5 * log_var).exp(),
            "The scale is right and the sign is not: z = mu + sigma eps, so it is z - mu.",
        ),
        Mistake(
            "sigma forgotten",
            lambda z, mu, log_var: z - mu,
            "This is sigma eps. Divide by sigma, exp(log_var / 2).",
        ),
        Mistake(
            "exp(2 log_var)",
            lambda z, mu, log_var: (z - mu) * (-2 * log_var).exp(),
            "exp(2 log_var) is the *square* of the variance. You need the variance's root, exp(log_var / 2).",
        ),
        Mistake(
            "half the log-variance",
            lambda z, mu, log_var: (z - mu) / (0.5 * log_var),
            "Half of the log-variance is the *logarithm* of sigma. The exp is missing.",
        ),
    ],
    praise="z = mu + sigma eps, turned round. Its standard deviation is 1, and that is the test that finds this bug.",
)


CHECKS: list[Check] = [SIGNAL_TO_NOISE, RATES, PIWAE, SPOT_THE_AXIS, SPOT_THE_TRAINER, SPOT_THE_NOISE]
