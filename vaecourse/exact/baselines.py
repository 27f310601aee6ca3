r"""Exact mean and variance of one sample of the ELBO's gradient for q's mean: by the score, with any baseline, and by
the path; any q, any dimension.

All D dimensions are alike, each with the log-weight :math:`a + b \epsilon + c \epsilon^2`; the gradient is for the
first of them, whose score is :math:`s = \epsilon_1 / \sigma`. A constant that is added to log w is the unit in which x
is measured: the model, the ELBO's slope and every baseline but "none" do not know it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from vaecourse import arguments
from vaecourse.exact.case import Case
from vaecourse.exact.weights import parabolas


class ScoreGradient(NamedTuple):
    r"""For each of B data points or B q's, ``[B]``. With :math:`L = \log w`, :math:`E \epsilon^4 = 3` and
    :math:`E \epsilon^6 = 15`, for a constant baseline k:

    .. math:: \sigma^2\, \mathrm{Var}[(L - k)\, s] = d^2 + 4 c d + 2 b^2 + 10 c^2 + (D - 1)(b^2 + 2 c^2), \qquad
              d = E[L] - k

    lowest at :math:`k = c^* = E[L] + 2c`. The noise of all other dimensions comes in, whatever k is, and none of it
    into the path's :math:`\partial_\mu \log w(\mu + \sigma \epsilon) = -(z - m)/v`. Leave-one-out makes the mean of K
    samples the sample covariance of L and s, whose variance is known from the moments :math:`\mu_{ij}` of both:

    .. math:: K\, \mathrm{Var} = \mu_{22} - \frac{K-2}{K-1}\, \mu_{11}^2 + \frac{1}{K-1}\, \mu_{20}\, \mu_{02}

    >>> import torch
    >>> from vaecourse.exact import reference
    >>> of = ScoreGradient.of(reference(torch.float64))
    >>> [round(v.item(), 2) for v in (of.variance(0.0), of.variance(of.level), of.variance(of.best), of.path)]
    [33.79, 11.85, 10.66, 7.12]
    """

    b: Tensor
    c: Tensor
    std: Tensor
    dimensions: int
    level: Tensor  # E[log w], the ELBO
    path: Tensor  # the variance of one reparameterised gradient

    @classmethod
    def of(cls, case: Case, dimensions: int = 1, constant: float = 0.0) -> ScoreGradient:
        """Raises ``ValueError`` unless the case has one latent dimension, and for D < 1."""
        a, b, c = parabolas(case)  # [B]
        D, std = arguments.count("dimensions", dimensions), case.std.flatten().expand(len(a))
        level = arguments.number("constant", constant) + D * (a + c)
        return cls(b, c, std, D, level, (std / case.model.covariance.flatten()).square())

    @property
    def mean(self) -> Tensor:
        """The exact gradient of the ELBO."""
        return self.b / self.std

    @property
    def best(self) -> Tensor:
        """c*, the constant with the smallest variance."""
        return self.level + 2 * self.c

    def variance(self, baseline: float | Tensor) -> Tensor:
        """Of one sample, with a constant as its baseline. Raises ``ValueError`` for one that is no number."""
        d = self.level - (baseline if isinstance(baseline, Tensor) else arguments.number("baseline", baseline))
        return (d**2 + 4 * self.c * d + 2 * self.b**2 + 10 * self.c**2 + self._others) / self.std**2

    def leave_one_out(self, K: int) -> Tensor:
        """K times the variance of the mean of K samples, each with the mean of the others as its baseline."""
        spread = self.b**2 + self.dimensions * (self.b**2 + 2 * self.c**2)
        return self.variance(self.level) + spread / (arguments.count("K", K, at_least=2) - 1) / self.std**2

    @property
    def _others(self) -> Tensor:
        """Var of what the other dimensions add to log w."""
        return (self.dimensions - 1) * (self.b**2 + 2 * self.c**2)


def quieter_by_score(shift: float, dimensions: int = 1) -> tuple[float, float] | None:
    r"""Between which widths of q, in posterior widths, the score with its best baseline is quieter than the path.

    shift is that of q's mean in each of the L dimensions, in posterior widths too. With it as :math:`\delta`, and the
    width's square as :math:`\rho`, :math:`b^2 = \rho \delta^2` and :math:`c = (1 - \rho) / 2`. The variances are
    equal at

    .. math:: \tfrac{L}{2} \rho^2 + \left( (L + 1) \delta^2 - (L + 2) \right) \rho + \tfrac{L + 2}{2} = 0

    ``-> (from, to)``, or None where the path is quieter for every width.

    >>> [round(width, 3) for width in quieter_by_score(0.0)]
    [0.742, 2.334]
    """
    L, delta = arguments.count("dimensions", dimensions), arguments.number("shift", shift)
    middle = L + 2 - (L + 1) * delta**2
    inside = middle**2 - L * (L + 2)
    if middle <= 0 or inside <= 0:
        return None
    low, high = ((middle + sign * math.sqrt(inside)) / L for sign in (-1, 1))
    return math.sqrt(low), math.sqrt(high)
