r"""The law of a weight where q is the posterior, moved: in any dimension it is a law of one dimension."""

from __future__ import annotations

import torch

from vaecourse import arguments
from vaecourse.exact.weights import WeightLaw, noise_mass

REACH = 9.0  # standard deviations


def shifted_law(away: float, step: float = 0.05) -> WeightLaw:
    r"""The law of w = p / q for q = N(m, I) and the posterior p = N(0, I), with :math:`away = |m|`.

    Along the line from q to p, with :math:`\epsilon` standard normal under q,

    .. math:: \log w = away\, \epsilon - \tfrac12 away^2

    and no other direction counts: a shift of :math:`\delta` in each of D dimensions is one of :math:`\sqrt D\, \delta`.
    In units of the posterior's standard deviations. Raises ``ValueError`` for an away below 0.

    >>> law = shifted_law(2.0)
    >>> round(law.lower(1).item(), 4), round(law.lower(1000).item(), 4)  # the KL, and what 1000 samples leave of it
    (-2.0, -0.0194)
    """
    away = arguments.number("away", away, 0.0)
    eps = torch.arange(-REACH, away + REACH, arguments.scale("step", step), dtype=torch.float64)
    return WeightLaw(away * eps - 0.5 * away**2, noise_mass(eps).clamp(min=1e-300))
