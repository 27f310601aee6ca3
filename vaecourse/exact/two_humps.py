r"""A posterior with two humps, and the Gaussians that fit it best in either direction of the KL."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecourse import arguments
from vaecourse.exact.weights import WeightLaw

SETTLED, MOST_STEPS = 1e-12, 2000


class TwoHumps:
    r""":math:`p(z) = \tfrac12 N(z; -d/2, 1) + \tfrac12 N(z; d/2, 1)`, of distance d >= 0.

    >>> humps = TwoHumps(6.0)
    >>> [[round(number, 2) for number in q] for q in (humps.seeking(), humps.covering())]  # mean and std
    [[2.98, 1.02], [0.0, 3.16]]
    >>> [round(humps.kl(*q), 2) for q in (humps.seeking(), humps.covering())]  # KL(q || p)
    [0.69, 0.94]
    """

    def __init__(self, distance: float) -> None:
        self.distance = arguments.number("distance", distance, 0.0)
        self._eps = np.linspace(-9, 9, 721)
        self._mass = np.exp(-0.5 * self._eps**2) / math.sqrt(2 * math.pi) * (self._eps[1] - self._eps[0])

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z). Shapes: any."""
        return torch.from_numpy(self._log_prob(z.double().numpy()))

    def kl(self, mean: float, std: float) -> float:
        """KL(q || p) of q = N(mean, std^2), by quadrature."""
        std = arguments.scale("std", std)
        entropy = 0.5 * math.log(2 * math.pi * math.e) + math.log(std)
        return float(-entropy - self._mass @ self._log_prob(mean + std * self._eps))

    def seeking(self) -> tuple[float, float]:
        r"""Mean and std of the Gaussian with the least KL(q || p): of two that are alike the one to the right.

        It is at rest where :math:`E_q[(\log p)'] = 0` and :math:`\sigma^{-2} = -E_q[(\log p)'']`; the steps begin at a
        hump and in the middle, as either may be the lower.
        """
        ends = [self._settle(0.5 * self.distance, 1.0), self._settle(0.0, self.covering()[1])]
        return min(ends, key=lambda end: self.kl(*end))

    def covering(self) -> tuple[float, float]:
        """Mean and std of the Gaussian with the least KL(p || q): those of p."""
        return 0.0, math.hypot(1.0, 0.5 * self.distance)

    def law(self, mean: float, std: float, points: int = 601) -> WeightLaw:
        """The law of w = p(z) / q(z) under q = N(mean, std^2), on a grid that holds q and p."""
        std = arguments.scale("std", std)
        low = min(mean - 9 * std, -0.5 * self.distance - 9)
        z = torch.linspace(low, max(mean + 9 * std, 0.5 * self.distance + 9), points, dtype=torch.float64)
        log_q = torch.distributions.Normal(mean, std).log_prob(z)
        return WeightLaw(self.log_prob(z) - log_q, (log_q.exp() * (z[1] - z[0])).clamp(min=1e-300))

    def _settle(self, mean: float, std: float) -> tuple[float, float]:
        for _ in range(MOST_STEPS):
            slope, bend = self._slopes(mean + std * self._eps)
            first, second = float(self._mass @ slope), float(self._mass @ bend)
            step = first * std**2, 1 / math.sqrt(max(-second, 1e-3)) - std
            mean, std = mean + 0.5 * step[0], std + 0.5 * step[1]
            if max(map(abs, step)) < SETTLED:
                break
        return mean, std

    def _log_prob(self, z: NDArray[np.floating]) -> NDArray[np.floating]:
        half = 0.5 * self.distance
        return np.logaddexp(-0.5 * (z - half) ** 2, -0.5 * (z + half) ** 2) - math.log(2 * math.sqrt(2 * math.pi))

    def _slopes(self, z: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """First and second derivative of log p."""
        half = 0.5 * self.distance
        lean = np.tanh(half * z)
        return half * lean - z, half**2 * (1 - lean**2) - 1
