r"""The checks of chapter 06: the rate split in two, the aggregate posterior, MMD, its kernel, the loss, the map, Stein.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. Everything
is in nats; a cloud of points is ``[N, L]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaecourse.checks.frame import Check, Mistake


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 06.split_rate -----------------------------------------------------------------------------------------------------


def _pair(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first, second])


SPLIT_RATE = Check(
    "06.split_rate",
    solution=lambda log_q, log_aggregate, log_prior: _pair(
        (log_q - log_aggregate).mean(), (log_aggregate - log_prior).mean()
    ),
    cases=lambda: [
        tuple(_normal(3, 4, seed=seed) for seed in (1, 2, 3)),
        tuple(_normal(2, 5, seed=seed) - 300.0 for seed in (4, 5, 6)),
    ],
    mistakes=[
        Mistake(
            "the two changed places",
            lambda q, m, p: _pair((m - p).mean(), (q - m).mean()),
            "Both numbers are right, and they have changed places: first the information, then KL(q(z) || p(z)).",
        ),
        Mistake(
            "the whole rate in place of the information",
            lambda q, m, p: _pair((q - p).mean(), (m - p).mean()),
            "The first number compares q(z|x) with the prior: that is the whole rate. The information compares it with "
            "the average code q(z).",
        ),
        Mistake(
            "signs turned round",
            lambda q, m, p: _pair((m - q).mean(), (p - m).mean()),
            "Both signs are turned round. A KL is the mean of log of what made the sample minus log of the other.",
        ),
        Mistake(
            "the second against q(z|x)",
            lambda q, m, p: _pair((q - m).mean(), (q - p).mean()),
            "The information is right. The second number is the whole rate; KL(q(z) || p(z)) has log q(z) in the first "
            "place. Test: the two must add up to the rate.",
        ),
        Mistake(
            "second sign",
            lambda q, m, p: _pair((q - m).mean(), (p - m).mean()),
            "The information is right. In the second, the samples come from q, so log q(z) comes first and log p(z) is "
            "subtracted.",
        ),
        Mistake(
            "A14: the sum over the batch",
            lambda q, m, p: _pair((q - m).mean(0).sum(), (m - p).mean(0).sum()),
            "You added up over the batch. It is an expectation over x as well: a mean over both axes.",
        ),
        Mistake(
            "sums",
            lambda q, m, p: _pair((q - m).sum(), (m - p).sum()),
            "You took sums. Both are expectations: means over samples and over x.",
        ),
        Mistake(
            "densities, not their logarithms",
            lambda q, m, p: _pair((q.exp() - m.exp()).mean(), (m.exp() - p.exp()).mean()),
            "You compared the densities. A KL compares their logarithms; the inputs are logarithms already.",
        ),
    ],
    praise="They add up to the rate: one part that the code needs, one part that it wastes.",
)


# 06.aggregate ------------------------------------------------------------------------------------------------------


def _log_normals(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log q(z_n | x_b) dimension by dimension: ``[N, L], [B, L], [B, L] -> [N, B, L]``."""
    scaled = (z[:, None] - mean) / log_std.exp()
    return -0.5 * scaled.square() - log_std - 0.5 * math.log(2 * math.pi)


def _aggregate(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return _log_normals(z, mean, log_std).sum(2).logsumexp(1) - math.log(len(mean))


AGGREGATE = Check(
    "06.aggregate",
    solution=_aggregate,
    cases=lambda: [
        (3 * _normal(4, 2, seed=11), 3 * _normal(5, 2, seed=12), 0.3 * _normal(5, 2, seed=13) - 1),
        (_normal(3, 6, seed=14), 40 * _normal(2, 6, seed=15), _normal(2, 6, seed=16) - 2),
    ],
    mistakes=[
        Mistake(
            "A16: logsumexp inside each dimension",
            lambda z, mean, log_std: (_log_normals(z, mean, log_std).logsumexp(1) - math.log(len(mean))).sum(1),
            "You mixed inside each dimension and added up afterwards. That is another density: it has ghost modes, at "
            "every crossing of one point's z_1 with another point's z_2. First add up over the dimensions, then mix.",
        ),
        Mistake(
            "A16, and A14: no log B",
            lambda z, mean, log_std: _log_normals(z, mean, log_std).logsumexp(1).sum(1),
            "Two things: the mixture is taken inside each dimension (first add up over L), and log B is missing.",
        ),
        Mistake(
            "A16: logsumexp inside each dimension, log B once",
            lambda z, mean, log_std: _log_normals(z, mean, log_std).logsumexp(1).sum(1) - math.log(len(mean)),
            "log B stands there once now, as it should. The mixture is still taken inside each dimension: first add up "
            "over L, then mix over B.",
        ),
        Mistake(
            "mixed over the dimensions",
            lambda z, mean, log_std: _log_normals(z, mean, log_std).logsumexp(2).sum(1) - math.log(len(mean)),
            "The axes have changed places: you mixed over the L dimensions and added up over the B components. It is "
            "the other way round.",
        ),
        Mistake(
            "A14: missing log B",
            lambda z, mean, log_std: _log_normals(z, mean, log_std).sum(2).logsumexp(1),
            "The B components are added up, and each of them has weight 1/B: take log B away.",
        ),
        Mistake(
            "A14: mean of logs",
            lambda z, mean, log_std: _log_normals(z, mean, log_std).sum(2).mean(1),
            "You took the mean of the logarithms. log q(z) is the logarithm of a mean of densities: logsumexp.",
        ),
        Mistake(
            "A15: exp(log_std) used as a variance",
            lambda z, mean, log_std: (
                (-0.5 * (z[:, None] - mean).square() / log_std.exp() - 0.5 * log_std - 0.5 * math.log(2 * math.pi))
                .sum(2)
                .logsumexp(1)
                - math.log(len(mean))
            ),
            "exp(log_std) is the standard deviation, and your density uses it as a variance.",
        ),
        Mistake(
            "A13: exp first",
            lambda z, mean, log_std: _log_normals(z, mean, log_std).sum(2).exp().mean(1).log(),
            "Right on paper. For a z far from every mean, each density is 0 in the computer and its logarithm "
            "-inf. Use logsumexp.",
        ),
        Mistake(
            "2 pi is missing",
            lambda z, mean, log_std: _aggregate(z, mean, log_std) + 0.5 * z.shape[1] * math.log(2 * math.pi),
            "The constant of the Gaussian is missing: L/2 log(2 pi). It cancels in the information only.",
        ),
        Mistake(
            "divided by N",
            lambda z, mean, log_std: _aggregate(z, mean, log_std) + math.log(len(mean)) - math.log(len(z)),
            "You divided by the number of points z. The mixture has as many components as the batch has x: log B.",
        ),
    ],
    praise="Add up over the dimensions, then mix. Now I_q and KL(q(z) || p) are within reach.",
)


# 06.u_statistic ----------------------------------------------------------------------------------------------------


def _off_diagonal(k: Tensor) -> Tensor:
    return k.sum() - k.diagonal().sum()


def _inside(k: Tensor) -> Tensor:
    return _off_diagonal(k) / (len(k) * (len(k) - 1))


def _kernels(n: int, p: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    x, y = _normal(n, 3, seed=seed), _normal(p, 3, seed=seed + 1) + 0.3
    k = lambda a, b: 3 / (3 + torch.cdist(a, b).square())
    return k(x, x), k(y, y), k(x, y)


U_STATISTIC = Check(
    "06.u_statistic",
    solution=lambda k_xx, k_yy, k_xy: _inside(k_xx) + _inside(k_yy) - 2 * k_xy.mean(),
    cases=lambda: [_kernels(5, 4, 21), _kernels(3, 7, 23), _kernels(6, 6, 29)],
    mistakes=[
        Mistake(
            "V: the diagonal is in it",
            lambda k_xx, k_yy, k_xy: k_xx.mean() + k_yy.mean() - 2 * k_xy.mean(),
            "This is the V-statistic: pairs of a point with itself are in it, and each of them is 1. It is never "
            "negative, and too large by (1/N + 1/P)(1 - E k). Leave the diagonals out.",
        ),
        Mistake(
            "A6: the mean, divided by n(n-1) again",
            lambda k_xx, k_yy, k_xy: (k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()) / (len(k_xx) * (len(k_xx) - 1)),
            "The means have divided by the number of pairs already, diagonal included; then n(n-1) divides once more. "
            "The statistic has the right sign and almost no size left.",
        ),
        Mistake(
            "diagonal out, divided by N squared",
            lambda k_xx, k_yy, k_xy: (
                _off_diagonal(k_xx) / len(k_xx) ** 2 + _off_diagonal(k_yy) / len(k_yy) ** 2 - 2 * k_xy.mean()
            ),
            "The diagonals are out of the sums, and the divisors still count them: N(N-1) pairs are left.",
        ),
        Mistake(
            "diagonal in, divided by N(N-1)",
            lambda k_xx, k_yy, k_xy: (
                k_xx.sum() / (len(k_xx) * (len(k_xx) - 1))
                + k_yy.sum() / (len(k_yy) * (len(k_yy) - 1))
                - 2 * k_xy.mean()
            ),
            "The divisors N(N-1) leave the diagonals out, and the sums still hold them.",
        ),
        Mistake(
            "one N for both clouds",
            lambda k_xx, k_yy, k_xy: (
                (_off_diagonal(k_xx) + _off_diagonal(k_yy)) / (len(k_xx) * (len(k_xx) - 1)) - 2 * k_xy.mean()
            ),
            "You counted the pairs of both clouds with N. The second cloud has P points, hence P(P-1) pairs.",
        ),
        Mistake(
            "cross term over N squared",
            lambda k_xx, k_yy, k_xy: _inside(k_xx) + _inside(k_yy) - 2 * k_xy.sum() / len(k_xx) ** 2,
            "The cross term is divided by N squared. The clouds may differ in size: it has N P pairs.",
        ),
        Mistake(
            "A21: clipped at 0",
            lambda k_xx, k_yy, k_xy: (_inside(k_xx) + _inside(k_yy) - 2 * k_xy.mean()).clamp(min=0),
            "Right, and then clipped at 0. An unbiased estimate of 0 must be negative about half the time; clipping it "
            "makes it biased, and hides from you that there was nothing to see.",
        ),
        Mistake(
            "the square root",
            lambda k_xx, k_yy, k_xy: (_inside(k_xx) + _inside(k_yy) - 2 * k_xy.mean()).abs().sqrt(),
            "You took a square root. The statistic estimates the square of MMD, and may be negative.",
        ),
        Mistake(
            "one cross term",
            lambda k_xx, k_yy, k_xy: _inside(k_xx) + _inside(k_yy) - k_xy.mean(),
            "The cross term has a factor 2: it stands in |a - b|^2 = |a|^2 + |b|^2 - 2ab.",
        ),
        Mistake(
            "cross term over N(N-1)",
            lambda k_xx, k_yy, k_xy: _inside(k_xx) + _inside(k_yy) - 2 * k_xy.sum() / (len(k_xx) * (len(k_xx) - 1)),
            "The cross term has N P pairs, and none of them is a point with itself: its plain mean.",
        ),
        Mistake(
            "cross term without its diagonal",
            lambda k_xx, k_yy, k_xy: (
                _inside(k_xx) + _inside(k_yy) - 2 * _off_diagonal(k_xy) / (k_xy.numel() - min(k_xy.shape))
            ),
            "You left the diagonal out of the cross term too. There, x_i and y_i are two different points: all N P "
            "pairs count.",
        ),
        Mistake(
            "plus the cross term",
            lambda k_xx, k_yy, k_xy: _inside(k_xx) + _inside(k_yy) + 2 * k_xy.mean(),
            "The cross term is added. What the clouds have in common makes them alike: it is subtracted.",
        ),
    ],
    praise="Unbiased. If both clouds come from one law it is negative about half the time, as it should be.",
)


# 06.spot_the_kernel ------------------------------------------------------------------------------------------------


def _rbf(x: Tensor, y: Tensor, twice_square: float) -> Tensor:
    return (-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square() / twice_square).exp()


SPOT_THE_KERNEL = Check(
    "06.spot_the_kernel",
    solution=lambda x, y, bandwidth: _rbf(x, y, 2 * bandwidth**2),
    cases=lambda: [
        (_normal(4, 3, seed=31), _normal(5, 3, seed=32), 0.8),
        (_normal(3, 7, seed=33), _normal(2, 7, seed=34), 2.5),
    ],
    mistakes=[
        Mistake(
            "A7: divided by d twice",
            lambda x, y, h: _rbf(x, y, 2 * x.shape[1] ** 2 * h),
            "This is the code as it stood. The distance is averaged over the d dimensions, then the width grows with "
            "d as well: the exponent is |x - y|^2 / (2 d^2 h), and in high dimension every pair of points looks alike.",
        ),
        Mistake(
            "A7: the mean over dimensions is left",
            lambda x, y, h: _rbf(x, y, 2 * x.shape[1] * h**2),
            "The bandwidth is a length now, and one factor d is left: a mean over the dimensions where their sum "
            "belongs, or a d in the width. Whoever wants a width that follows d says so in the bandwidth.",
        ),
        Mistake(
            "A7: the mean is left, and h is not squared",
            lambda x, y, h: _rbf(x, y, 2 * x.shape[1] * h),
            "One factor d is gone and one is left: take the sum over dimensions, not their mean, and no d in the "
            "width. And the bandwidth is a length: square it.",
        ),
        Mistake(
            "A7: d in the width, h squared",
            lambda x, y, h: _rbf(x, y, 2 * x.shape[1] ** 2 * h**2),
            "The bandwidth is squared now, and d still divides twice: once in the mean over dimensions, once in the "
            "width. Neither belongs there.",
        ),
        Mistake(
            "the bandwidth is not squared",
            lambda x, y, h: _rbf(x, y, 2 * h),
            "d is gone, and the bandwidth is a length, which stands squared in the exponent: 2 h^2.",
        ),
        Mistake(
            "missing 2",
            lambda x, y, h: _rbf(x, y, h**2),
            "The 2 is missing: exp(-|x - y|^2 / (2 h^2)), as in a Gaussian of standard deviation h.",
        ),
        Mistake(
            "the distance is not squared",
            lambda x, y, h: (-torch.cdist(x, y) / (2 * h**2)).exp(),
            "You used the distance itself. The Gaussian kernel has its square.",
        ),
        Mistake(
            "rows and columns",
            lambda x, y, h: _rbf(y, x, 2 * h**2),
            "Rows and columns have changed places: [N, P], a row for each point of x.",
        ),
    ],
    praise="Now the width is a length that you choose, and you can choose it with the dimension.",
)


# 06.spot_the_loss --------------------------------------------------------------------------------------------------


def _loss(reconstruction: Tensor, rate: Tensor, mmd2: Tensor, alpha: float, lam: float) -> Tensor:
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) * mmd2


def _with(weight: Callable) -> Callable:
    """The loss with another weight on MMD^2, a function of (alpha, lam, B)."""
    return lambda reconstruction, rate, mmd2, alpha, lam: (
        -reconstruction.mean() + (1 - alpha) * rate.mean() + weight(alpha, lam, len(rate)) * mmd2
    )


SPOT_THE_LOSS = Check(
    "06.spot_the_loss",
    solution=_loss,
    cases=lambda: [
        (-20 + _normal(6, seed=41), 5 + _normal(6, seed=42), torch.tensor(0.31), -0.5, 100.0),
        (-90 + _normal(4, seed=43), 8 + _normal(4, seed=44), torch.tensor(-0.02), 0.3, 5.0),
    ],
    mistakes=[
        Mistake(
            "A6: lambda twice, and n(n-1) twice",
            _with(lambda alpha, lam, n: lam * (alpha + lam - 1) / (n * (n - 1)) ** 2),
            "This is the loss as it stood: lambda stands in it twice, and MMD^2, a mean already, is divided by n(n-1) "
            "two more times. What is left of the penalty is nothing.",
        ),
        Mistake(
            "A6: lambda still twice",
            _with(lambda alpha, lam, n: lam * (alpha + lam - 1)),
            "The divisions by n(n-1) are gone, and lambda still stands there twice: inside the penalty and in its "
            "weight.",
        ),
        Mistake(
            "A6: still divided by n(n-1)",
            _with(lambda alpha, lam, n: (alpha + lam - 1) / (n * (n - 1))),
            "lambda stands once now. But the weight is still divided by n(n-1), and mmd2 is a mean over pairs already.",
        ),
        Mistake(
            "A6: divided by n(n-1) twice",
            _with(lambda alpha, lam, n: (alpha + lam - 1) / (n * (n - 1)) ** 2),
            "lambda stands once now. But n(n-1) still divides twice, and mmd2 is a mean over pairs already.",
        ),
        Mistake(
            "A6: lambda twice, n(n-1) once",
            _with(lambda alpha, lam, n: lam * (alpha + lam - 1) / (n * (n - 1))),
            "One division by n(n-1) is left, and lambda stands there twice. mmd2 is a mean over pairs already.",
        ),
        Mistake(
            "lambda alone",
            _with(lambda alpha, lam, n: lam),
            "The weight of the divergence is alpha + lambda - 1, not lambda alone: part of it pays for what the rate "
            "already contains. lambda alone is right at alpha = 1.",
        ),
        Mistake(
            "the penalty is subtracted",
            _with(lambda alpha, lam, n: -(alpha + lam - 1)),
            "You subtract the penalty. In a loss it is added: a larger MMD^2 must cost more.",
        ),
        Mistake(
            "A21: MMD^2 clipped at 0",
            lambda reconstruction, rate, mmd2, alpha, lam: _loss(reconstruction, rate, mmd2.clamp(min=0), alpha, lam),
            "You clipped mmd2 at 0. An unbiased estimate may be negative; clipped, it is biased, and it has no "
            "gradient where it was cut.",
        ),
        Mistake(
            "A4: the mean reconstruction has the sign of a loss already",
            lambda reconstruction, rate, mmd2, alpha, lam: (
                reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) * mmd2
            ),
            "reconstruction is log p(x|z), larger is better. In a loss it has a minus sign.",
        ),
        Mistake(
            "the objective, not the loss",
            lambda *case: -_loss(*case),
            "This is the objective, which one climbs. The exercise asks for the loss.",
        ),
        Mistake(
            "the rate without its weight",
            lambda reconstruction, rate, mmd2, alpha, lam: (
                -reconstruction.mean() + rate.mean() + (alpha + lam - 1) * mmd2
            ),
            "The rate has the weight 1 - alpha.",
        ),
        Mistake(
            "alpha in place of 1 - alpha",
            lambda reconstruction, rate, mmd2, alpha, lam: (
                -reconstruction.mean() + alpha * rate.mean() + (alpha + lam - 1) * mmd2
            ),
            "The rate has the weight 1 - alpha, not alpha. Test: alpha = 0 and lambda = 1 must be a VAE.",
        ),
        Mistake(
            "A14: the sum over the batch",
            lambda reconstruction, rate, mmd2, alpha, lam: (
                -reconstruction.sum() + (1 - alpha) * rate.sum() + (alpha + lam - 1) * mmd2
            ),
            "You added up over the batch. MMD^2 belongs to the whole batch once; beside it stand means over x, or the "
            "weights depend on the batch size.",
        ),
    ],
    praise="The penalty weighs what it says. A loss that falls smoothly showed none of this.",
)


# 06.coefficients ---------------------------------------------------------------------------------------------------


def _coefficients(alpha: Tensor, lam: Tensor) -> Tensor:
    return torch.stack([1 - alpha, alpha + lam - 1])


def _refused(weights: Tensor, where: Tensor) -> Tensor:
    return weights.masked_fill(where, math.nan)


COEFFICIENTS = Check(
    "06.coefficients",
    solution=lambda alpha, lam: _refused(_coefficients(alpha, lam), (_coefficients(alpha, lam) < 0).any(0)),
    cases=lambda: [
        (torch.tensor([0.0, 0.0, 1.0, -3.0, 0.0, 1.5, -1.0]), torch.tensor([1.0, 1e-3, 5.0, 4.0, 1000.0, 2.0, 1.0])),
        (torch.tensor([0.25, 2.0, 0.5, 0.5]), torch.tensor([0.125, -3.0, 0.5, -1.0])),
    ],
    mistakes=[
        Mistake(
            "A11: a negative weight is let through",
            _coefficients,
            "The weights are right, and nothing is refused. At alpha = 0 and lambda = 0.001 the second is -0.999: the "
            "loss pays for codes that are far from the prior.",
        ),
        Mistake(
            "A11: clipped at 0",
            lambda alpha, lam: _coefficients(alpha, lam).clamp(min=0),
            "You clipped the negative weights at 0. Then the numbers in the call no longer say what is trained: refuse "
            "them, with NaN in both rows.",
        ),
        Mistake(
            "only the divergence's weight is looked at",
            lambda alpha, lam: _refused(_coefficients(alpha, lam), _coefficients(alpha, lam)[1] < 0),
            "You look at the weight of the divergence only. With alpha > 1 the rate has a negative weight.",
        ),
        Mistake(
            "only the rate's weight is looked at",
            lambda alpha, lam: _refused(_coefficients(alpha, lam), _coefficients(alpha, lam)[0] < 0),
            "You look at the weight of the rate only. alpha + lambda below 1 rewards the divergence.",
        ),
        Mistake(
            "only the negative entry is NaN",
            lambda alpha, lam: _coefficients(alpha, lam).where(_coefficients(alpha, lam) >= 0, math.nan),
            "A pair with one negative weight is refused as a whole: NaN in both rows.",
        ),
        Mistake(
            "lambda in place of alpha + lambda - 1",
            lambda alpha, lam: _refused(torch.stack([1 - alpha, lam]), (_coefficients(alpha, lam) < 0).any(0)),
            "The second weight is not lambda: it is alpha + lambda - 1, because the rate already contains a part of "
            "the mismatch.",
        ),
        Mistake(
            "refused only where both are negative",
            lambda alpha, lam: _refused(_coefficients(alpha, lam), (_coefficients(alpha, lam) < 0).all(0)),
            "You refuse a pair only if both of its weights are negative. One is enough: any, not all.",
        ),
        Mistake(
            "zero is refused",
            lambda alpha, lam: _refused(_coefficients(alpha, lam), (_coefficients(alpha, lam) <= 0).any(0)),
            "You refuse weights of 0 too. They are fine, and famous: the VAE has no divergence, MMD-VAE no rate.",
        ),
        Mistake(
            "rows changed places",
            lambda alpha, lam: _refused(_coefficients(alpha, lam), (_coefficients(alpha, lam) < 0).any(0)).flip(0),
            "The rows have changed places: first the weight of the rate, then that of the divergence.",
        ),
        Mistake(
            "a negative lambda is refused, whatever the weights",
            lambda alpha, lam: _refused(_coefficients(alpha, lam), (alpha > 1) | (lam < 0)),
            "You looked at alpha and lambda one by one. What must not be negative are the two weights.",
        ),
    ],
    praise="Two straight lines cut the map. Now draw it.",
)


# 06.stein ----------------------------------------------------------------------------------------------------------


def _stein(z: Tensor, h: float, pull: float = 1.0, push: float = 1.0, mean: bool = True) -> Tensor:
    """SVGD for N(0, I): pull sum_j k_ij (-z_j) + push sum_j k_ij (z_i - z_j) / h^2, over N. ``[N, L] -> [N, L]``."""
    k = _rbf(z, z, 2 * h**2)
    total = -pull * k @ z + push * (k.sum(1, keepdim=True) * z - k @ z) / h**2
    return total / len(z) if mean else total


STEIN = Check(
    "06.stein",
    solution=_stein,
    cases=lambda: [(_normal(5, 2, seed=51), 1.3), (2 + _normal(3, 4, seed=52), 0.7)],
    mistakes=[
        Mistake(
            "no repulsion",
            lambda z, h: _stein(z, h, push=0.0),
            "The particles are pulled and nothing pushes them apart: all of them end at the prior's top. The second "
            "term, the kernel's gradient, is missing.",
        ),
        Mistake(
            "attraction in place of repulsion",
            lambda z, h: _stein(z, h, push=-1.0),
            "The kernel's gradient has the wrong sign: particles fall together. It is taken at z_j, and points from "
            "z_j to z_i.",
        ),
        Mistake(
            "away from the prior",
            lambda z, h: _stein(z, h, pull=-1.0),
            "The score of N(0, I) is -z. With +z the particles run away.",
        ),
        Mistake(
            "the whole sign",
            lambda z, h: -_stein(z, h),
            "This is the direction to go away from the prior. The update is z + step * direction.",
        ),
        Mistake(
            "the sum over particles",
            lambda z, h: _stein(z, h, mean=False),
            "You took the sum over the particles. The expectation under q is their mean: divide by N.",
        ),
        Mistake(
            "only the repulsion",
            lambda z, h: _stein(z, h, pull=0.0),
            "The particles push each other and know of no prior. The first term, kernel times score, is missing.",
        ),
        Mistake(
            "1 / h squared is missing",
            lambda z, h: _stein(z, h, push=h**2),
            "The gradient of exp(-|z_j - z_i|^2 / (2 h^2)) at z_j is k (z_i - z_j) / h^2: the h^2 is missing.",
        ),
        Mistake(
            "1 / h in place of 1 / h squared",
            lambda z, h: _stein(z, h, push=h),
            "The gradient of exp(-|z_j - z_i|^2 / (2 h^2)) at z_j is k (z_i - z_j) / h^2: you divided by h.",
        ),
        Mistake(
            "divided by N - 1",
            lambda z, h: _stein(z, h, mean=False) / (len(z) - 1),
            "You divided by N - 1. The sum runs over all N particles, the own one too: it is pulled by its own score.",
        ),
        Mistake(
            "each particle's own score",
            lambda z, h: _stein(z, h, pull=0.0) - _rbf(z, z, 2 * h**2).mean(1, keepdim=True) * z,
            "You multiplied with the score of z_i. The first term gathers the scores of all z_j.",
        ),
        Mistake(
            "without a kernel",
            lambda z, h: -z,
            "That is the score alone: it does not see where the other particles are.",
        ),
    ],
    praise="A direction, not a number: nothing here could be reported as a divergence.",
)


CHECKS: list[Check] = [
    SPLIT_RATE,
    AGGREGATE,
    U_STATISTIC,
    SPOT_THE_KERNEL,
    SPOT_THE_LOSS,
    COEFFICIENTS,
    STEIN,
]
