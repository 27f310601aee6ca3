r"""Exact mean and variance of the score-function gradient of the ELBO for q's mean, by baseline, in any dimension.

All D dimensions are alike, each with the log-weight :math:`a + b \epsilon + c \epsilon^2`; the gradient is for the
first of them, whose score is :math:`s = \epsilon_1 / \sigma`. A constant that is added to log w is the unit in which x
is measured: the model, the ELBO's slope and every baseline but "none" do not know it.
"""

from __future__ import annotations

from typing import NamedTuple

from vaecourse import arguments
from vaecourse.exact.case import Case
from vaecourse.exact.weights import parabola


class ScoreGradient(NamedTuple):
    r"""With :math:`L = \log w`, :math:`E \epsilon^4 = 3` and :math:`E \epsilon^6 = 15`, for a constant baseline k:

    .. math:: \sigma^2\, \mathrm{Var}[(L - k)\, s] = d^2 + 4 c d + 2 b^2 + 10 c^2 + (D - 1)(b^2 + 2 c^2), \qquad
              d = E[L] - k

    lowest at :math:`k = c^* = E[L] + 2c`. Leave-one-out makes the mean of K samples the sample covariance of L and s,
    whose variance is known from the moments :math:`\mu_{ij}` of both:

    .. math:: K\, \mathrm{Var} = \mu_{22} - \frac{K-2}{K-1}\, \mu_{11}^2 + \frac{1}{K-1}\, \mu_{20}\, \mu_{02}

    >>> import torch
    >>> from vaecourse.exact import reference
    >>> of = ScoreGradient.of(reference(torch.float64))
    >>> [round(v, 2) for v in (of.variance(0.0), of.variance(of.level), of.variance(of.best), of.path)]
    [33.79, 11.85, 10.66, 7.12]
    """

    b: float
    c: float
    std: float
    dimensions: int
    level: float  # E[log w], the ELBO
    path: float  # the variance of one reparameterised gradient

    @classmethod
    def of(cls, case: Case, dimensions: int = 1, constant: float = 0.0) -> ScoreGradient:
        """Raises ``ValueError`` unless the case is one data point with one latent dimension, and for D < 1."""
        a, b, c = (number.item() for number in parabola(case))
        D, std = arguments.count("dimensions", dimensions), case.std.item()
        level = arguments.number("constant", constant) + D * (a + c)
        return cls(b, c, std, D, level, (std / case.model.covariance.item()) ** 2)

    @property
    def mean(self) -> float:
        """The exact gradient of the ELBO."""
        return self.b / self.std

    @property
    def best(self) -> float:
        """c*, the constant with the smallest variance."""
        return self.level + 2 * self.c

    def variance(self, baseline: float) -> float:
        """Of one sample, with a constant as its baseline."""
        d = self.level - baseline
        return (d**2 + 4 * self.c * d + 2 * self.b**2 + 10 * self.c**2 + self._others) / self.std**2

    def leave_one_out(self, K: int) -> float:
        """K times the variance of the mean of K samples, each with the mean of the others as its baseline."""
        spread = self.b**2 + self.dimensions * (self.b**2 + 2 * self.c**2)
        return self.variance(self.level) + spread / (arguments.count("K", K, at_least=2) - 1) / self.std**2

    @property
    def _others(self) -> float:
        """Var of what the other dimensions add to log w."""
        return (self.dimensions - 1) * (self.b**2 + 2 * self.c**2)
