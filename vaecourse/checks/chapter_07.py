r"""The checks of chapter 07: the upper bound, how many samples it needs, M-IWHVI, its jackknife, three bugs.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. A
``log_ratio`` is ``log q(z, psi_k) - log tau(psi_k | z)`` with psi_0, the one that made z, in front. Everything is in
nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Exponential, Normal

from vaecourse.checks.frame import Check, Mistake


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _log_mean(log_r: Tensor, dim: int = 0) -> Tensor:
    """The log of the mean over one axis."""
    return log_r.logsumexp(dim) - math.log(log_r.shape[dim])


# 07.upper_bound ----------------------------------------------------------------------------------------------------

UPPER_BOUND = Check(
    "07.upper_bound",
    solution=_log_mean,
    cases=lambda: [(2 * _normal(5, 3, seed=1),), (_normal(2, 4, seed=2) - 800.0,)],  # K >= 1, so log K exists
    mistakes=[
        Mistake(
            "A14: a sum, not a mean",
            lambda log_r: log_r.logsumexp(0),
            "This is the log of the sum. U_K is the log of the mean: take log(K + 1) away.",
        ),
        Mistake(
            "divided by K",
            lambda log_r: log_r.logsumexp(0) - math.log(len(log_r) - 1),
            "You divided by K. There are K + 1 ratios on the axis, psi_0 among them.",
        ),
        Mistake(
            "divided by K + 2",
            lambda log_r: log_r.logsumexp(0) - math.log(len(log_r) + 1),
            "You added one to the length of the axis. It already holds K + 1 ratios, psi_0 among them.",
        ),
        Mistake(
            "A20: psi_0 left out",
            lambda log_r: _log_mean(log_r[1:]),
            "You left psi_0 out. Without the one that made z this is L_K, a *lower* bound, and an ELBO made of it "
            "promises too much.",
        ),
        Mistake(
            "A14: the mean of the logarithms",
            lambda log_r: log_r.mean(0),
            "This is the mean of the logs. Only psi_0 is drawn from the posterior, so the mean of the logs is a bound "
            "in neither direction; take the log of the mean.",
        ),
        Mistake(
            "psi_0 alone",
            lambda log_r: log_r[0],
            "This is psi_0 alone, the bound of HVM, U_0. It is valid, and the K others tighten it.",
        ),
        Mistake(
            "A13: exp first",
            lambda log_r: log_r.exp().mean(0).log(),
            "Right on paper. With ratios near exp(-800) every exp is 0 and the log -inf. Use logsumexp.",
        ),
        Mistake(
            "the wrong axis",
            lambda log_r: _log_mean(log_r, 1),
            "You averaged over the batch. Axis 0 holds the K + 1 ratios of one z.",
        ),
        Mistake(
            "over the batch as well",
            lambda log_r: log_r.flatten().logsumexp(0) - math.log(log_r.numel()),
            "You averaged over everything. Each z of the batch has its own K + 1 ratios; leave the last axis alone.",
        ),
        Mistake(
            "the sign turned round",
            lambda log_r: -_log_mean(log_r),
            "The sign is turned round. U_K stands for +log q(z); the ELBO subtracts it later.",
        ),
        Mistake(
            "psi_0 left out, divided by K + 1",
            lambda log_r: log_r[1:].logsumexp(0) - math.log(len(log_r)),
            "You divide by K + 1, and sum K ratios: psi_0, the first on the axis, is missing. It makes this a bound.",
        ),
        Mistake(
            "the logarithm divided",
            lambda log_r: log_r.logsumexp(0) / len(log_r),
            "You divided the logarithm by K + 1. Divide inside it: outside, that is - log(K + 1).",
        ),
        Mistake(
            "K + 1 taken away, not its log",
            lambda log_r: log_r.logsumexp(0) - len(log_r),
            "You took K + 1 away. Dividing by K + 1 under the logarithm takes log(K + 1) away.",
        ),
        Mistake(
            "log(K + 1) added",
            lambda log_r: log_r.logsumexp(0) + math.log(len(log_r)),
            "log(K + 1) has the wrong sign. A mean is a sum *divided* by K + 1.",
        ),
        Mistake(
            "divided by B",
            lambda log_r: log_r.logsumexp(0) - math.log(log_r.shape[1]),
            "You divided by the size of the batch. len(log_ratio), the first axis, is K + 1.",
        ),
        Mistake(
            "bits and nats mixed",
            lambda log_r: log_r.logsumexp(0) - math.log2(len(log_r)),
            "math.log2 counts bits; logsumexp counts nats. Use math.log.",
        ),
        Mistake(
            "the largest ratio alone",
            lambda log_r: log_r.amax(0),
            "This is the largest log-ratio. It is close when one ratio dwarfs the others; the mean holds them all.",
        ),
    ],
    praise="The log of the mean of K + 1 ratios. One line, and HVM, SIVI and IWHVI are all in it.",
)


# 07.spot_psi_0 -----------------------------------------------------------------------------------------------------


def _together(own: Tensor, fresh: Tensor) -> Tensor:
    return torch.cat([own[None], fresh])


SPOT_PSI_0 = Check(
    "07.spot_psi_0",
    solution=lambda log_joint, own, fresh: log_joint - _log_mean(_together(own, fresh)),
    cases=lambda: [
        (_normal(3, seed=11) - 5, _normal(3, seed=12), 2 * _normal(4, 3, seed=13) - 2),
        (_normal(5, seed=14) - 810, _normal(5, seed=15) - 800, _normal(2, 5, seed=16) - 802),
    ],
    mistakes=[
        Mistake(
            "A20: psi_0 is dropped",
            lambda log_joint, own, fresh: log_joint - _log_mean(fresh),
            "This is the code as it stood, or does the same: only fresh psi are averaged. That is a lower bound on "
            "log q(z), so the ELBO comes out too high. The psi that made z belongs under the logarithm.",
        ),
        Mistake(
            "psi_0 alone",
            lambda log_joint, own, fresh: log_joint - own,
            "Only the psi that made z is left: a valid bound, and the loosest, U_0. Keep the K fresh ones beside it.",
        ),
        Mistake(
            "psi_0 in place of a fresh one",
            lambda log_joint, own, fresh: log_joint - _log_mean(_together(own, fresh[1:])),
            "psi_0 took the place of a fresh one: that is U_(K-1). Keep all K and add it as number K + 1.",
        ),
        Mistake(
            "divided by K",
            lambda log_joint, own, fresh: log_joint - _log_mean(_together(own, fresh)) - math.log1p(1 / len(fresh)),
            "There are K + 1 densities under the logarithm now; you still divide by K. The bound is valid and "
            "needlessly loose, by log((K + 1) / K).",
        ),
        Mistake(
            "A14: a sum, not a mean",
            lambda log_joint, own, fresh: log_joint - _together(own, fresh).logsumexp(0),
            "psi_0 is in. The log(K + 1) has gone: take the mean of the densities, not their sum.",
        ),
        Mistake(
            "A14: the mean of the logarithms",
            lambda log_joint, own, fresh: log_joint - _together(own, fresh).mean(0),
            "psi_0 is in, but you average logarithms. It is the log of the mean density.",
        ),
        Mistake(
            "added after the logarithm",
            lambda log_joint, own, fresh: log_joint - (own + len(fresh) * _log_mean(fresh)) / (len(fresh) + 1),
            "You mixed log q(z | psi_0) in *after* the logarithm. It belongs under it, as one of K + 1 densities.",
        ),
        Mistake(
            "the logarithm of an ELBO",
            lambda log_joint, own, fresh: _log_mean(log_joint - _together(own, fresh)),
            "You averaged the ratios p(x, z) / q(z | psi). Here the *density* q is averaged, in the denominator; the "
            "mean of the ratios is larger, and no bound.",
        ),
        Mistake(
            "the sign of a loss",
            lambda log_joint, own, fresh: _log_mean(_together(own, fresh)) - log_joint,
            "The sign is that of a loss. Return the ELBO's estimate.",
        ),
        Mistake(
            "half of the weight for psi_0",
            lambda log_joint, own, fresh: log_joint - torch.logaddexp(own, _log_mean(fresh)) + math.log(2),
            "psi_0 got half of the weight, and the K fresh ones share the rest. All K + 1 have the same weight: put "
            "them side by side first, then take one mean.",
        ),
        Mistake(
            "psi_0 beside the mean of the fresh ones",
            lambda log_joint, own, fresh: log_joint - torch.logaddexp(own, _log_mean(fresh)),
            "You added the density of psi_0 to the *mean* of the fresh ones. It is one of K + 1: put them side by "
            "side, then take one mean.",
        ),
        Mistake(
            "half and half of two logarithms",
            lambda log_joint, own, fresh: log_joint - (own + _log_mean(fresh)) / 2,
            "You averaged two logarithms. The densities are averaged, all K + 1 of them, and then comes one logarithm.",
        ),
        Mistake(
            "both logarithms taken away",
            lambda log_joint, own, fresh: log_joint - own - _log_mean(fresh),
            "You took log q(z | psi_0) away as well as the mean of the others: that divides by q twice. There is one "
            "denominator, the mean of K + 1 densities.",
        ),
        Mistake(
            "A13: exp first",
            lambda log_joint, own, fresh: log_joint - _together(own, fresh).exp().mean(0).log(),
            "Right on paper. With densities near exp(-800) every exp is 0 and the log -inf. Use logsumexp.",
        ),
        Mistake(
            "log q alone",
            lambda log_joint, own, fresh: _log_mean(_together(own, fresh)),
            "This is the right estimate of log q(z). The ELBO's is log_joint minus it.",
        ),
        Mistake(
            "log q added",
            lambda log_joint, own, fresh: log_joint + _log_mean(_together(own, fresh)),
            "You added log q(z). The ELBO subtracts it.",
        ),
    ],
    praise="One sample more under the logarithm, and the number can be trusted again.",
)


# 07.how_many -------------------------------------------------------------------------------------------------------


def _exp(gap: float, left: float) -> float:
    return math.exp(gap - left)


HOW_MANY = Check(
    "07.how_many",
    solution=lambda gap, left: math.ceil(_exp(gap, left) - 1),
    cases=lambda: [(10.81, 1.0), (5.0, 0.5), (0.8, 0.1), (0.3, 0.5)],
    rtol=1e-9,
    mistakes=[
        Mistake(
            "K + 1 samples",
            lambda gap, left: math.ceil(_exp(gap, left)),
            "This counts all samples under the logarithm. psi_0 is free, so K is one less.",
        ),
        Mistake(
            "the whole gap",
            lambda gap, left: math.ceil(math.exp(gap) - 1),
            "You closed the whole gap. `left` nats may stay open, so gap - left must go.",
        ),
        Mistake(
            "rounded down",
            lambda gap, left: math.floor(_exp(gap, left) - 1),
            "Rounded down, one sample is missing. The smallest whole number that is enough: math.ceil.",
        ),
        Mistake(
            "rounded",
            lambda gap, left: round(_exp(gap, left) - 1),
            "Rounded to the nearest, so sometimes one sample is missing. Round up.",
        ),
        Mistake(
            "not a whole number",
            lambda gap, left: _exp(gap, left) - 1,
            "The formula is right. K is a whole number: round it up.",
        ),
        Mistake(
            "gap and left turned round",
            lambda gap, left: math.ceil(_exp(left, gap) - 1),
            "gap and left have changed places.",
        ),
        Mistake(
            "the law for large K",
            lambda gap, left: math.ceil(gap / left - 1),
            "You took the gap to fall like 1 / (K + 1) from the start. That is the law for large K; before it sets in, "
            "log(K + 1) is all that U_K can gain.",
        ),
        Mistake(
            "bits",
            lambda gap, left: math.ceil(2 ** (gap - left) - 1),
            "You took powers of 2. The gaps are in nats: powers of e.",
        ),
        Mistake(
            "the exponential of left",
            lambda gap, left: math.ceil(math.exp(gap) - math.exp(left)),
            "You took the exponential of each and then the difference. gap - left <= log(K + 1): the difference first.",
        ),
        Mistake(
            "the exponential of left, and one less",
            lambda gap, left: math.ceil(math.exp(gap) - math.exp(left) - 1),
            "You took the exponential of each and then the difference. gap - left <= log(K + 1): the difference first.",
        ),
        Mistake(
            "left outside the exponential",
            lambda gap, left: math.ceil(math.exp(gap) - left),
            "left stands outside the exponential. gap and left are both nats: take their difference first.",
        ),
        Mistake(
            "gap and left added",
            lambda gap, left: math.ceil(math.exp(gap + left) - 1),
            "You added left. What may stay open need not be closed: gap - left.",
        ),
        Mistake(
            "linear",
            lambda gap, left: math.ceil(gap - left),
            "You took one sample for each nat. K guesses close log(K + 1) nats: solve for K with an exponential.",
        ),
        Mistake(
            "powers of ten",
            lambda gap, left: math.ceil(10 ** (gap - left) - 1),
            "You took powers of 10. The logarithm is the natural one: powers of e, math.exp.",
        ),
        Mistake(
            "at least one",
            lambda gap, left: max(1, math.ceil(_exp(gap, left) - 1)),
            "Right but where the gap is small: K = 0 is allowed, for psi_0 is there for nothing.",
        ),
        Mistake(
            "one added",
            lambda gap, left: math.ceil(_exp(gap, left) + 1),
            "The one has the wrong sign: K + 1 = exp(gap - left), so K is one *less*.",
        ),
    ],
    praise="Exponential in the gap. More samples cannot replace a tau that looks at z.",
)


# 07.spot_rate ------------------------------------------------------------------------------------------------------


def _laplace(z: Tensor, psi: Tensor, rate: float = 0.5, power: float = 0.5) -> Tensor:
    """log q(psi) + log q(z | psi), psi ~ Exp(rate), z of standard deviation psi^power; not summed."""
    return Exponential(torch.tensor(rate)).log_prob(psi) + Normal(0.0, psi**power).log_prob(z)


def _positive(*shape: int, seed: int) -> Tensor:
    return 2 * _normal(*shape, seed=seed).abs() + 0.1


SPOT_RATE = Check(
    "07.spot_rate",
    solution=lambda z, psi: _laplace(z, psi).sum(-1),
    cases=lambda: [
        (_normal(3, 50, seed=31), _positive(3, 50, seed=32)),
        (_normal(4, 2, 7, seed=33), _positive(4, 2, 7, seed=34)),
    ],  # fmt: skip
    mistakes=[
        Mistake(
            "B19: the rate read as a mean, the variance as a standard deviation",
            lambda z, psi: _laplace(z, psi, 2.0, 1.0).sum(-1),
            "This is the code as it stood: two slips. PyTorch's Exponential takes the rate, and 1/2 *is* the rate; and "
            "Normal takes a standard deviation, while psi is a variance.",
        ),
        Mistake(
            "B19: the rate read as a mean",
            lambda z, psi: _laplace(z, psi, 2.0).sum(-1),
            "The Gaussian is right. Exp(psi | 1/2) has the *rate* 1/2, so the mean of psi is 2, the variance of a "
            "Laplace law of scale 1. PyTorch's Exponential takes the rate.",
        ),
        Mistake(
            "B19: the variance read as a standard deviation",
            lambda z, psi: _laplace(z, psi, power=1.0).sum(-1),
            "The exponential is right. psi is a *variance*: Normal wants its square root.",
        ),
        Mistake(
            "psi squared",
            lambda z, psi: _laplace(z, psi, power=2.0).sum(-1),
            "psi is a variance, so the standard deviation is its square root, not its square.",
        ),
        Mistake(
            "the prior is missing",
            lambda z, psi: (_laplace(z, psi) - Exponential(0.5).log_prob(psi)).sum(-1),
            "This is log q(z | psi) alone. The ratio needs the joint density: add log q(psi).",
        ),
        Mistake(
            "the mean over dimensions",
            lambda z, psi: _laplace(z, psi).mean(-1),
            "You averaged over the dimensions. They are independent, so their log-densities add up.",
        ),
        Mistake(
            "not summed",
            lambda z, psi: _laplace(z, psi),
            "Each dimension is right. They are independent: add their log-densities over the last axis.",
        ),
        Mistake(
            "summed over everything",
            lambda z, psi: _laplace(z, psi).sum(),
            "You added up the batch as well. Only the last axis, the dimensions, is summed.",
        ),
        Mistake(
            "B19: the rate read as a mean, psi squared",
            lambda z, psi: _laplace(z, psi, 2.0, 2.0).sum(-1),
            "Two slips are left. 1/2 is the *rate*, and PyTorch's Exponential takes the rate; psi is a variance, so "
            "Normal wants its square root, not its square.",
        ),
        Mistake(
            "psi read as a precision",
            lambda z, psi: _laplace(z, psi, power=-0.5).sum(-1),
            "You used 1 / psi as the variance. psi is the variance itself: the standard deviation is its square root.",
        ),
        Mistake(
            "the conditional is missing",
            lambda z, psi: Exponential(0.5).log_prob(psi).sum(-1),
            "This is log q(psi) alone. The joint density also needs log q(z | psi).",
        ),
        Mistake(
            "the marginal",
            lambda z, psi: (-z.abs() - math.log(2)).sum(-1),
            "This is log q(z), the Laplace law with psi integrated out. The joint density of z *and* psi is asked for.",
        ),
    ],
    praise="A rate and a variance. With either read wrongly, the marginal is not the Laplace law any more.",
)


# 07.m_iwhvi --------------------------------------------------------------------------------------------------------


def _m_iwhvi(log_joint: Tensor, log_r: Tensor) -> Tensor:
    return _log_mean(log_joint - _log_mean(log_r))


M_IWHVI = Check(
    "07.m_iwhvi",
    solution=_m_iwhvi,
    cases=lambda: [
        (_normal(4, 3, seed=41) - 2, 2 * _normal(6, 4, 3, seed=42)),
        (_normal(2, 5, seed=43) - 820, _normal(3, 2, 5, seed=44) - 800),
    ],
    mistakes=[
        Mistake(
            "the mean outside",
            lambda log_joint, log_r: (log_joint - _log_mean(log_r)).mean(0),
            "You averaged M logarithms. That is the ELBO-type bound, better measured; M-IWHVI puts the M weights under "
            "*one* logarithm.",
        ),
        Mistake(
            "A14: a sum over M",
            lambda log_joint, log_r: (log_joint - _log_mean(log_r)).logsumexp(0),
            "The outer log is that of a sum: take log M away.",
        ),
        Mistake(
            "A14: a sum over K + 1",
            lambda log_joint, log_r: _log_mean(log_joint - log_r.logsumexp(0)),
            "The inner log is that of a sum: take log(K + 1) away.",
        ),
        Mistake(
            "A14: sums in both places",
            lambda log_joint, log_r: (log_joint - log_r.logsumexp(0)).logsumexp(0),
            "Both logs are those of sums: divide by K + 1 inside and by M outside.",
        ),
        Mistake(
            "A20: psi_0 left out",
            lambda log_joint, log_r: _log_mean(log_joint - _log_mean(log_r[1:])),
            "psi_0 is missing from the denominator. Then the weight's mean is above p(x), and so is your bound.",
        ),
        Mistake(
            "one average over everything",
            lambda log_joint, log_r: (
                (log_joint - log_r).flatten(0, 1).logsumexp(0) - math.log(log_r.shape[0] * log_r.shape[1])
            ),
            "You averaged all M (K + 1) ratios p(x, z) / r. The K + 1 ratios are averaged *in the denominator* of each "
            "weight first; then the M weights.",
        ),
        Mistake(
            "both averages apart",
            lambda log_joint, log_r: _log_mean(log_joint) - _log_mean(log_r.flatten(0, 1)),
            "You averaged p(x, z) over m and the ratios over everything, and then divided. Each z_m has its own "
            "denominator.",
        ),
        Mistake(
            "the inner mean of logarithms",
            lambda log_joint, log_r: _log_mean(log_joint - log_r.mean(0)),
            "Inside you average logarithms of ratios. It is the log of their mean, U_K.",
        ),
        Mistake(
            "over the M axis first",
            lambda log_joint, log_r: _log_mean(log_joint.mean(0) - _log_mean(log_r, 1)),
            "Your inner mean runs over M. The axes of log_ratio are K + 1, M, B, and the first goes first.",
        ),
        Mistake(
            "the sign inside",
            lambda log_joint, log_r: _log_mean(log_joint + _log_mean(log_r)),
            "You added U_K. It stands for log q(z | x), which log w subtracts.",
        ),
        Mistake(
            "A13: exp first",
            lambda log_joint, log_r: (log_joint.exp() / log_r.exp().mean(0)).mean(0).log(),
            "Right on paper. With densities near exp(-800) it is 0 / 0. Stay in logarithms.",
        ),
        Mistake(
            "divided by K inside",
            lambda log_joint, log_r: _log_mean(log_joint - log_r.logsumexp(0) + math.log(len(log_r) - 1)),
            "The inner mean divides by K. There are K + 1 ratios on axis 0, psi_0 among them.",
        ),
        Mistake(
            "psi_0 alone inside",
            lambda log_joint, log_r: _log_mean(log_joint - log_r[0]),
            "Inside only psi_0 is left. That is a valid weight, HVM's; put the K others beside it.",
        ),
        Mistake(
            "the mean outside, and logarithms inside",
            lambda log_joint, log_r: (log_joint - log_r.mean(0)).mean(0),
            "Both your means are means of logarithms. Both belong under one: first over K + 1, then over M.",
        ),
        Mistake(
            "logarithms summed over M",
            lambda log_joint, log_r: (log_joint - _log_mean(log_r)).sum(0),
            "The log-weights are right. You added the M logarithms up: take the log of the mean of the M weights.",
        ),
        Mistake(
            "the largest weight alone",
            lambda log_joint, log_r: (log_joint - _log_mean(log_r)).amax(0),
            "The log-weights are right. You kept the largest of the M; take the log of their mean.",
        ),
        Mistake(
            "the joint averaged apart from U_K",
            lambda log_joint, log_r: _log_mean(log_joint) - _log_mean(log_r).mean(0),
            "You averaged p(x, z) and U_K over m each for itself. Each z_m has its own denominator: subtract first, "
            "then take the log of the mean.",
        ),
    ],
    praise="IWAE of log-weights with U_K in the place of log q. Nothing else in the course has to change.",
)


# 07.jackknife ------------------------------------------------------------------------------------------------------


def _without(log_r: Tensor, among: range) -> Tensor:
    """The mean of log-mean-exp over the subsets that leave one of ``among`` out. Shapes: ``[K + 1, B] -> [B]``."""
    rest = [torch.cat([log_r[:k], log_r[k + 1 :]]) for k in among]
    return torch.stack([_log_mean(r) for r in rest]).mean(0)


def _first_order(log_r: Tensor, among: Callable[[int], range], n: Callable[[int], float]) -> Tensor:
    size = len(log_r)
    return n(size) * _log_mean(log_r) - (n(size) - 1) * _without(log_r, among(size))


_OTHERS: Callable[[int], range] = lambda size: range(1, size)

JACKKNIFE = Check(
    "07.jackknife",
    solution=lambda log_r: _first_order(log_r, _OTHERS, float),
    cases=lambda: [(2 * _normal(5, 3, seed=51),), (_normal(3, 4, seed=52).double() - 800.0,)],
    mistakes=[
        Mistake(
            "psi_0 is left out too",
            lambda log_r: _first_order(log_r, range, float),
            "Your subsets leave out every sample in turn, psi_0 too. A subset without psi_0 gives a *lower* bound. "
            "Keep psi_0 in all of them, and leave out one of the other K.",
        ),
        Mistake(
            "the coefficients of L_K",
            lambda log_r: _first_order(log_r, _OTHERS, lambda size: size - 1),
            "K and -(K - 1) are the coefficients of L_K. The bias of U_K goes like 1 / (K + 1): take K + 1 and -K.",
        ),
        Mistake(
            "the jackknife of L_K",
            lambda log_r: _first_order(log_r[1:], range, float),
            "This is the jackknife of the lower bound, without psi_0 anywhere. It approaches log q(z) from below; here "
            "the upper bound is asked for.",
        ),
        Mistake(
            "a plus between the two",
            lambda log_r: len(log_r) * _log_mean(log_r) + (len(log_r) - 1) * _without(log_r, _OTHERS(len(log_r))),
            "The second coefficient is negative: K + 1 and -K add up to one.",
        ),
        Mistake(
            "the subsets summed",
            lambda log_r: len(log_r) * _log_mean(log_r) - (len(log_r) - 1) ** 2 * _without(log_r, _OTHERS(len(log_r))),
            "You added up the K subsets. Take their mean, then multiply with K.",
        ),
        Mistake(
            "subsets divided by K + 1",
            lambda log_r: (
                len(log_r) * _log_mean(log_r)
                - (len(log_r) - 1) * (_without(log_r, _OTHERS(len(log_r))) - math.log(len(log_r) / (len(log_r) - 1)))
            ),
            "A subset holds K ratios, psi_0 among them: its mean divides by K, not by K + 1.",
        ),
        Mistake(
            "order 0",
            _log_mean,
            "This is U_K itself, order 0.",
        ),
        Mistake(
            "the subsets alone",
            lambda log_r: _without(log_r, _OTHERS(len(log_r))),
            "This is the mean over the subsets. It still has to be combined with U_K: (K + 1) U_K - K times this.",
        ),
        Mistake(
            "turned round",
            lambda log_r: len(log_r) * _without(log_r, _OTHERS(len(log_r))) - (len(log_r) - 1) * _log_mean(log_r),
            "The two have changed places: K + 1 belongs to U_K, -K to the subsets.",
        ),
        Mistake(
            "one subset for all",
            lambda log_r: len(log_r) * _log_mean(log_r) - (len(log_r) - 1) * _log_mean(log_r[:-1]),
            "You left out the last guess only. The mean is right that way, and noisier: take the average over all K "
            "subsets.",
        ),
        Mistake(
            "one subset for all, the one without psi_0",
            lambda log_r: len(log_r) * _log_mean(log_r) - (len(log_r) - 1) * _log_mean(log_r[1:]),
            "Your only subset lacks psi_0, so it gives a *lower* bound. Keep psi_0, leave out each of the K others in "
            "turn, and average.",
        ),
        Mistake(
            "one subset too few",
            lambda log_r: _first_order(log_r, lambda size: range(1, size - 1), float),
            "One subset is missing: k runs from 1 to K, and range(1, K) ends at K - 1.",
        ),
        Mistake(
            "psi_0 left out, and the last one never",
            lambda log_r: _first_order(log_r, lambda size: range(size - 1), float),
            "Your k runs from 0 to K - 1: it leaves psi_0 out once, and the last guess never. Let it run from 1 to K.",
        ),
        Mistake(
            "one coefficient too large",
            lambda log_r: _first_order(log_r, _OTHERS, lambda size: size + 1),
            "Your coefficients are K + 2 and -(K + 1). len(log_ratio) is K + 1 already.",
        ),
        Mistake(
            "coefficients that do not add up to one",
            lambda log_r: len(log_r) * (_log_mean(log_r) - _without(log_r, _OTHERS(len(log_r)))),
            "You took K + 1 times the difference. The coefficients K + 1 and -K must add up to one.",
        ),
        Mistake(
            "the difference alone",
            lambda log_r: _log_mean(log_r) - _without(log_r, _OTHERS(len(log_r))),
            "The coefficients are missing: (K + 1) U_K - K times the mean over the subsets.",
        ),
        Mistake(
            "averaged over the batch",
            lambda log_r: (
                len(log_r) * _log_mean(log_r) - (len(log_r) - 1) * _without(log_r, _OTHERS(len(log_r))).mean()
            ),
            "The subsets' bounds were averaged over the batch too. Stack them, and average over axis 0 alone.",
        ),
        Mistake(
            "A14: sums, not means",
            lambda log_r: (
                len(log_r) * log_r.logsumexp(0)
                - (len(log_r) - 1) * (_without(log_r, _OTHERS(len(log_r))) + math.log(len(log_r) - 1))
            ),
            "Your bounds are logs of sums. U_K divides by K + 1, and each subset by K: use upper_bound for both.",
        ),
    ],
    praise="The 1/(K + 1) is gone, and with it the promise to lie above.",
)


# 07.spot_ghosts ----------------------------------------------------------------------------------------------------


def _each(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log N of every component in every dimension: ``[B, N, L]``."""
    return Normal(mean, log_std.exp()).log_prob(z[:, None])


SPOT_GHOSTS = Check(
    "07.spot_ghosts",
    solution=lambda z, mean, log_std: _log_mean(_each(z, mean, log_std).sum(-1), 1),
    cases=lambda: [
        (2 * _normal(4, 3, seed=61), 2 * _normal(5, 3, seed=62), 0.3 * _normal(5, 3, seed=63)),
        (40 * _normal(3, 2, seed=64), _normal(7, 2, seed=65), 0.5 * _normal(7, 2, seed=66) - 1),
    ],
    mistakes=[
        Mistake(
            "A16: a mixture in each dimension",
            lambda z, mean, log_std: _log_mean(_each(z, mean, log_std), 1).sum(-1),
            "This is the code as it stood: a mixture for each dimension by itself, then their product. It has N to the "
            "power L modes, nearly all of them ghosts. Sum over the dimensions first, then mix.",
        ),
        Mistake(
            "A16 with log N taken once",
            lambda z, mean, log_std: _each(z, mean, log_std).logsumexp(1).sum(-1) - math.log(len(mean)),
            "The order is still wrong: logsumexp before the sum over dimensions, with log N taken away once. Sum over "
            "the dimensions first, then mix.",
        ),
        Mistake(
            "A14: a sum, not a mean",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(-1).logsumexp(1),
            "The order is right now. Each component has the weight 1/N: take log N away.",
        ),
        Mistake(
            "A14: the mean of the logarithms",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(-1).mean(1),
            "This averages the log-densities of the components. The density of a mixture is the mean of the densities.",
        ),
        Mistake(
            "A13: exp first",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(-1).exp().mean(1).log(),
            "Right on paper. Far from every component each exp is 0 and the log -inf. Use logsumexp.",
        ),
        Mistake(
            "the best component alone",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(-1).amax(1) - math.log(len(mean)),
            "This keeps the nearest component alone. It is a lower bound, close far away from the modes; the mixture "
            "adds up all of them.",
        ),
        Mistake(
            "A15: the log as the standard deviation",
            lambda z, mean, log_std: _log_mean(Normal(mean, (log_std / 2).exp()).log_prob(z[:, None]).sum(-1), 1),
            "The order is right. log_std is the log of the standard deviation, not of the variance: no half.",
        ),
        Mistake(
            "over the batch",
            lambda z, mean, log_std: _log_mean(_each(z, mean, log_std).sum(-1), 0),
            "You mixed over the batch. The axes are B, N, L, and number 1 holds the components.",
        ),
        Mistake(
            "the mean over dimensions",
            lambda z, mean, log_std: _log_mean(_each(z, mean, log_std).mean(-1), 1),
            "You averaged over the dimensions. A product of densities is a sum of logarithms.",
        ),
        Mistake(
            "dimensions and components changed places",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(1).logsumexp(-1) - math.log(len(mean)),
            "You summed over the components and mixed over the dimensions. A component is a sum over L, the last axis; "
            "then mix over N.",
        ),
        Mistake(
            "a mixture over the dimensions too",
            lambda z, mean, log_std: _each(z, mean, log_std).logsumexp((1, 2)) - math.log(len(mean)),
            "logsumexp over both axes adds up the densities of the dimensions. Within a component they are multiplied: "
            "sum the logarithms over the last axis first.",
        ),
        Mistake(
            "divided by L",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(-1).logsumexp(1) - math.log(mean.shape[1]),
            "The order is right. You divided by L, the number of dimensions; the mean is over N components.",
        ),
        Mistake(
            "log N added",
            lambda z, mean, log_std: _each(z, mean, log_std).sum(-1).logsumexp(1) + math.log(len(mean)),
            "The order is right. log N has the wrong sign: each component has the weight 1/N.",
        ),
    ],
    praise="No ghosts: as many modes as components.",
)


CHECKS: list[Check] = [
    UPPER_BOUND,
    SPOT_PSI_0,
    HOW_MANY,
    SPOT_RATE,
    M_IWHVI,
    JACKKNIFE,
    SPOT_GHOSTS,
]
