r"""Gradients of L_K for samples that cannot be moved: the score function, with a control variate for each sample.

For one group of K weights, with :math:`\hat L = \log \frac1K \sum_k w_k`, shares :math:`v_k = w_k / \sum_j w_j` and
:math:`s_k = \nabla_\phi \log q(z_k | x)`, all z held fixed,

.. math:: \nabla_\phi L_K = E \sum_k \left( \hat L - v_k - c_k \right) s_k

for every control variate :math:`c_k` that does not look at :math:`z_k`, as :math:`E[s_k] = 0`. A function here is the
bracket, in nats, divided by M: the mean over M groups is climbed, whose value is ``bounds.miwae``. It carries no
gradient. With ``log_q [M, K, B]`` of fixed samples ``(coefficient * log_q).sum()`` is to be *maximised* by phi;
the decoder keeps the shares of its row. They are no rows of ``objectives.TABLE``: a row weighs the slopes of log w
along samples that move, these weigh the slopes of log q at samples that stand still.

All is computed in float64, as :math:`-\log(1 - v) - v` is the difference of two nearly equal numbers, and comes back in
the type of ``log_w``, float32 at least. Every function raises what ``bounds`` raises for other ``log_w``, and
``ValueError`` where its control variate has no value: for K = 1 where it needs other samples, and where a group has
fewer weights above zero than it needs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse import arguments, bounds


def none(log_w: Tensor) -> Tensor:
    r"""No control variate: the plain score function, whose noise grows with \|log p(x)\|.

    .. math:: \hat L - v_k

    Shapes: ``[M, K, B] -> [M, K, B]``. Source: arXiv 1602.06725, eq. 5.

    >>> none(torch.tensor([[[0.0], [math.log(3.0)]]])).flatten()
    tensor([ 0.4431, -0.0569])
    """
    of = _Group(log_w, others=False)
    return of.given(of.value - of.share)


def vimco(log_w: Tensor) -> Tensor:
    r"""VIMCO: the bound once more, with w_k replaced by the geometric mean of the others.

    .. math:: \hat L - v_k - \log \frac1K \Big( \sum_{j \ne k} w_j + \hat w_{-k} \Big), \qquad
              \log \hat w_{-k} = \frac{1}{K-1} \sum_{j \ne k} \log w_j

    Shapes: ``[M, K, B] -> [M, K, B]``. Source: arXiv 1602.06725, eq. 6-10.

    >>> vimco(torch.zeros(1, 4, 1)).flatten()  # equal weights: only -v is left
    tensor([-0.2500, -0.2500, -0.2500, -0.2500])
    """
    of = _Group(log_w)
    geometric = (of.log_w.sum(1, keepdim=True) - of.log_w) / (of.K - 1)  # [M, K, B]
    if of.some_zero:  # -inf less -inf; the geometric mean is 0 if one of the others is
        zeros = of.log_w == -math.inf
        above = of.log_w.masked_fill(zeros, 0.0)
        rest = (above.sum(1, keepdim=True) - above) / (of.K - 1)
        geometric = rest.masked_fill(zeros.sum(1, keepdim=True) - zeros.long() > 0, -math.inf)
    return of.given(of.log_sum - of.share - torch.logaddexp(of.log_others, geometric))


def vimco_arithmetic(log_w: Tensor) -> Tensor:
    r"""VIMCO with the arithmetic mean of the others: what stands in for w_k makes the bound that of K - 1 samples.

    .. math:: \hat L - v_k - \log \frac{1}{K-1} \sum_{j \ne k} w_j = -\log(1 - v_k) - v_k + \log(1 - \tfrac1K)

    The last term is the same for all samples, and for small shares the largest: :math:`-\frac1K \sum_k s_k` is noise
    of the order :math:`K^{-1/2}` over a signal of the order :math:`1/K`. ``ovis`` lacks it.
    Shapes: ``[M, K, B] -> [M, K, B]``. Source: arXiv 1602.06725, section 2.5.

    >>> vimco_arithmetic(torch.zeros(1, 4, 1)).flatten()
    tensor([-0.2500, -0.2500, -0.2500, -0.2500])
    """
    of = _Group(log_w)
    return of.given(of.left_out - of.share + math.log1p(-1 / of.K))


def ovis(log_w: Tensor, gamma: float = 0.0) -> Tensor:
    r"""OVIS, the asymptotic form of the optimal control variate: unbiased at gamma = 0, and *biased* above.

    .. math:: \hat L - v_k - \Big( \log \tfrac{1}{K-1} \sum_{j \ne k} w_j - \gamma v_k
              + (1 - \gamma) \log(1 - \tfrac1K) \Big)
              = -\log(1 - v_k) - (1 - \gamma) v_k + \gamma \log(1 - \tfrac1K)

    At gamma = 0 it is :math:`\frac12 v_k^2 + \frac13 v_k^3 + \dots`: the control variate is the bound with w_k = 0, and
    for many small shares the SNR grows like that of DReG. At gamma = 1 the control variate contains v_k, so looks at
    z_k: the mean is off by :math:`\gamma\, E \sum_k v_k s_k`, which for large K is gamma times the wake update.

    Shapes: ``[M, K, B] -> [M, K, B]``. Raises ``ValueError`` unless 0 <= gamma <= 1. Source: arXiv 2008.01998, eq. 17.

    >>> ovis(torch.zeros(1, 4, 1)).flatten()
    tensor([0.0377, 0.0377, 0.0377, 0.0377])
    """
    gamma, of = arguments.number("gamma", gamma, 0.0, 1.0), _Group(log_w)
    rest = of.above_share if gamma == 0 else of.left_out - (1 - gamma) * of.share
    return of.given(rest + gamma * math.log1p(-1 / of.K))


def ovis_monte_carlo(log_w: Tensor, extra: Tensor) -> Tensor:
    r"""OVIS by Monte Carlo: the signal itself, with z_k replaced by each of S extra samples of q, and averaged.

    .. math:: d_k(z_k) - \frac1S \sum_{s=1}^S d_k(z^{(s)}), \qquad d_k = \hat L - v_k

    Unbiased for any S, also for K = 1. ``extra`` are log-weights ``[M, S, B]`` of further samples. Time and memory grow
    like S K. Shapes: ``[M, K, B], [M, S, B] -> [M, K, B]``. Raises ``ValueError`` if M or B differ.
    Source: arXiv 2008.01998, eq. 12.

    >>> ovis_monte_carlo(torch.zeros(1, 4, 1), torch.zeros(1, 2, 1)).flatten()
    tensor([0., 0., 0., 0.])
    """
    of = _Group(log_w, others=False)
    another = arguments.log_weights(extra).detach()
    if another.shape[::2] != of.log_w.shape[::2]:
        raise ValueError(
            f"extra must be [M, S, B] with the M and B of log_w, {list(of.log_w.shape)}, got {list(another.shape)}."
        )
    another = arguments.in_float64(another) - of.top  # [M, S, B]
    control = torch.zeros_like(of.log_w)
    for one in another.split(1, 1):  # [M, 1, B]
        together = torch.logaddexp(of.log_others, one)  # [M, K, B]
        if not together.isfinite().all():
            raise arguments.NotFinite(
                "log_w and extra must have weights above zero: without z_k, and with an extra sample in its place, "
                "some group has none, and its bound is -inf."
            )
        control = control + (together - (one - together).exp()) / another.shape[1]
    return of.given(of.log_sum - of.share - control)


class _Group:
    """What all need to know of the groups of K weights, in float64; the largest weight of each group is taken as 1."""

    def __init__(self, log_w: Tensor, others: bool = True) -> None:
        log_w = arguments.log_weights(log_w).detach()
        self.M, self.K, _ = log_w.shape
        if others and self.K == 1:
            raise ValueError("log_w must have K >= 2 samples in each group: the control variate is made of the others.")
        needed = 2 if others else 1
        above = (log_w > -math.inf).sum(1)
        if (fewest := int(above.min())) < needed:
            raise arguments.NotFinite(
                f"log_w must have at least {needed} weights above zero in each group of K, got a group with {fewest}: "
                "the bound, or that of the samples without one, is -inf."
            )
        self.some_zero = int(above.min()) < self.K
        self.like = log_w
        wide = arguments.in_float64(log_w)
        self.top = wide.amax(1, keepdim=True)  # [M, 1, B]
        self.log_w = wide - self.top
        self.log_sum = self.log_w.logsumexp(1, keepdim=True)  # [M, 1, B]
        self.share = (self.log_w - self.log_sum).exp()
        self.value = self.top + self.log_sum - math.log(self.K)

    @property
    def log_others(self) -> Tensor:
        """The log of the sum of all but one."""
        return bounds.log_sum_of_others(self.log_w)

    @property
    def left_out(self) -> Tensor:
        """-log(1 - v), of a share near one by the others' sum, as 1 - v has no digits left there."""
        small = self.share.clamp(max=0.5)
        return torch.where(self.share > 0.5, self.log_sum - self.log_others, -torch.log1p(-small))

    @property
    def above_share(self) -> Tensor:
        """-log(1 - v) - v, of a small share by its series."""
        v = self.share.clamp(max=0.01)
        series = v.square() * (1 / 2 + v * (1 / 3 + v * (1 / 4 + v * (1 / 5 + v * (1 / 6 + v * (1 / 7 + v / 8))))))
        return torch.where(self.share > 0.01, self.left_out - self.share, series)

    def given(self, bracket: Tensor) -> Tensor:
        """The bracket over M, in the type and on the device of ``log_w``."""
        return (bracket / self.M).to(self.like)
