r"""Where the exact bound of K samples pulls q: the gradient of E[L_K] by q's mean and width, for every K at once."""

from __future__ import annotations

import math

import torch

from vaecourse import arguments
from vaecourse.exact.case import Case
from vaecourse.exact.gradients import slopes
from vaecourse.exact.weights import AT_A_TIME, log_grid, noise_grid, noise_mass, power

REACH = 64.0  # of the integrals, in log t: good for five digits


class Pull:
    r"""The gradient of the expected bound on a one-dimensional case, whatever its q.

    With g the slope of log w by a parameter, along the way of a sample, and :math:`\varphi(t) = E\, e^{-tw}`,

    .. math:: \nabla E[L_K] = E \sum_k \tilde w_k g_k = K \int_0^\infty E[w g\, e^{-tw}]\, \varphi(t)^{K-1} dt

    The transforms are taken once. ``RowGradients`` has this mean too, with the variance, at ten times the price.

    Raises ``ValueError`` as ``noise_grid`` does.

    >>> from vaecourse.exact.case import case_with
    >>> [[round(number, 3) for number in Pull(case_with(1.3, 0.5)).at(K)] for K in (1, 64)]
    [[-2.107, -1.09], [-0.024, 0.014]]
    """

    def __init__(self, case: Case, points: int = 601) -> None:
        eps = noise_grid(case, points)
        mass = noise_mass(eps)
        by_mean, by_std = (slopes(case, eps, parameter) for parameter in ("mean", "std"))
        g = torch.stack([by_mean.whole("mean"), by_std.whole("std")], 1)  # [N, 2]
        self._elbo = mass @ g
        log_w = by_mean.log_w - (by_mean.log_w + mass.log()).logsumexp(0)
        log_t, self._volume = log_grid(log_w, reach=REACH)
        lost, first = [], []
        for some in log_t.split(AT_A_TIME):
            tw = (some[:, None] + log_w).clamp(max=7).exp()  # [T, N]
            decay = (-tw).exp()
            lost.append((1 - decay) @ mass)
            first.append((tw * decay) @ (mass[:, None] * g))
        self._log_phi = torch.log1p(-torch.cat(lost).clamp(max=1 - 1e-16))  # [T]
        self._first = torch.cat(first)  # [T, 2]

    def at(self, K: int) -> tuple[float, float]:
        """By the mean and by the standard deviation of q, in nats a unit of z. Raises ``ValueError`` for K < 1."""
        if arguments.count("K", K) == 1:
            pull = self._elbo  # its integral would ask for weights that all K > 1 forget
        else:
            pull = K * ((self._volume * power(self._log_phi, K - 1).exp()) @ self._first)
        return pull[0].item(), pull[1].item()

    def angle_to_elbo(self, K: int) -> float:
        """The angle between the pull of K samples and the ELBO's, in degrees: above 90 it would raise the KL of q."""
        (a, b), (c, d) = self.at(1), self.at(K)
        return abs(math.degrees(math.atan2(a * d - b * c, a * c + b * d)))
