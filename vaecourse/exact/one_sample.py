r"""The noise of one sample of the ELBO's gradient by q's mean, by the path and by the score: any q, any dimension."""

from __future__ import annotations

import math

from torch import Tensor

from vaecourse import arguments
from vaecourse.exact.case import Case
from vaecourse.exact.weights import parabolas


def path_variance(case: Case) -> Tensor:
    r"""Var of :math:`\partial_\mu \log w(\mu + \sigma \epsilon) = -(z - m) / v`: :math:`\sigma^2/v^2`.

    Other, independent dimensions of z change nothing. For each of the case's B points or q's: ``-> [B]``. Raises
    ``ValueError`` unless z has one dimension.

    >>> from vaecourse.exact import reference
    >>> path_variance(reference())
    tensor([7.1221])
    """
    a, _, _ = parabolas(case)
    return (case.std / case.model.covariance).square().flatten().expand(len(a))


def score_variance(case: Case, baseline: float | None = None, dimensions: int = 1) -> Tensor:
    r"""Var of :math:`(\log w - B) s`, :math:`s = \epsilon_1 / \sigma`, for a z of L dimensions like the case's.

    Arguments:
        baseline: B; the best one, :math:`E[s^2 \log w] / E[s^2]`, if it is not given.
        dimensions: L.

    In each dimension :math:`\log w` is :math:`a + b \epsilon + c \epsilon^2`, with the mean a + c and the variance
    :math:`b^2 + 2 c^2`, independent of the others. Let :math:`A = a - B + (L - 1)(a + c)`. As
    :math:`E \epsilon^4 = 3` and :math:`E \epsilon^6 = 15`,

    .. math:: \sigma^2 Var = A^2 + 6 A c + 2 b^2 + 15 c^2 + (L - 1)(b^2 + 2 c^2)

    which is least at A = -3 c: the noise of all other dimensions comes in, whatever B is. Shapes and errors as of
    ``path_variance``.

    >>> from vaecourse.exact import reference
    >>> [round(score_variance(reference(), B).item(), 2) for B in (0.0, 1.0, None)]
    [33.79, 51.48, 10.66]
    """
    a, b, c = parabolas(case)  # [B]
    others = arguments.count("dimensions", dimensions) - 1
    A = -3 * c
    if baseline is not None:
        A = a - arguments.number("baseline", baseline) + others * (a + c)
    spread = A**2 + 6 * A * c + 2 * b**2 + 15 * c**2 + others * (b**2 + 2 * c**2)
    return spread / case.std.square().flatten()


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
