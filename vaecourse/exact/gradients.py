r"""Exact moments of the gradient that each row of the table of objectives gives, on a one-dimensional case, for any q.

A gradient estimate is a weighted sum of slopes: with :math:`h` the path term of a sample, :math:`s` its score term and
:math:`\tilde w` the weights normalised over K samples, it is :math:`\sum_k \tilde w_k^r g_k` for g = h - s, or g = h
where the score term is dropped. ``WeightedSum`` has its exact moments, ``RowGradients`` says which sum a row is.
Everything is in nats per unit of the parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaecourse import arguments, bounds
from vaecourse.exact.case import Case
from vaecourse.exact.linear_gaussian import LinearGaussian
from vaecourse.exact.weights import (
    AT_A_TIME,
    RARE,
    log_weights,
    noise_grid,
    noise_mass,
    on_a_grid,
    parabola,
    power,
)

PARAMETERS = {"mean": "phi", "std": "phi", "weight": "theta"}
"""What a gradient may be for, q's mean, q's standard deviation or the decoder's weight, and whose side it is on."""

ROWS = ["elbo", "iwae", "miwae", "ciwae", "piwae", "stl", "dreg", "vr_iwae"]
"""The rows of ``objectives.TABLE``, which stands above this module; ``"jackknife"`` is known beside them."""


STEP = 0.25  # of the integrals, in log t
ALMOST_NONE = 1e-9  # a mass of which two at once are never there


class Slopes(NamedTuple):
    """log w of samples, and its slopes: by a parameter of q the whole is path - score, by the decoder's weight."""

    log_w: Tensor
    path: Tensor  # d log w / dz dz / dphi
    score: Tensor  # d log q / dphi at fixed z
    weight: Tensor  # d log p(x | z) / d weight

    def whole(self, parameter: str) -> Tensor:
        """What autograd gives for log w."""
        return self.weight if PARAMETERS[parameter] == "theta" else self.path - self.score


def slopes(case: Case, eps: Tensor, parameter: str = "mean") -> Slopes:
    r"""log w and its slopes at :math:`z = \mu + \sigma \epsilon`, the path and the score for q's mean or its std.

    .. math:: \frac{\partial \log w}{\partial z} = -\frac{z - m}{v} + \frac{\epsilon}{\sigma}, \qquad
              \frac{\partial z}{\partial \mu} = 1, \quad \frac{\partial z}{\partial \sigma} = \epsilon, \qquad
              s_\mu = \frac{\epsilon}{\sigma}, \quad s_\sigma = \frac{\epsilon^2 - 1}{\sigma}

    with m and v the posterior's mean and variance. For the decoder's weight path and score are those of the mean.
    Shapes: as ``eps``, any. Raises ``ValueError`` for an unknown parameter, and unless x and z are one number
    each.
    """
    arguments.choice("parameter", parameter, list(PARAMETERS))
    log_w = log_weights(case, eps)
    if case.model.weight.numel() != 1:
        raise ValueError(f"case must have data of one dimension, got D = {len(case.model.weight)}.")
    std, posterior = case.std.item(), case.model.posterior(case.x)
    z = case.mean.item() + std * eps
    by_z = -(z - posterior.mean.item()) / posterior.variance.item() + eps / std
    weight = (case.x.item() - case.model.bias.item() - case.model.weight.item() * z) * z / case.model.noise_variance
    if parameter == "std":
        return Slopes(log_w, by_z * eps, (eps.square() - 1) / std, weight)
    return Slopes(log_w, by_z, eps / std, weight)


class Moments(NamedTuple):
    """Of one estimate of a gradient."""

    mean: float
    variance: float

    @property
    def sd(self) -> float:
        """The standard deviation."""
        return math.sqrt(max(self.variance, 0.0))

    @property
    def signal_to_noise(self) -> float:
        """|mean| / sd; infinite for an estimate that never varies."""
        return abs(self.mean) / self.sd if self.sd else math.inf


class WeightedSum:
    r"""Exact moments of :math:`\Delta_K = \sum_{k=1}^K \tilde w_k^r g_k`, K independent samples, from a grid ``[N]``.

    With S the sum of the K weights, :math:`S^{-r} = \int_0^\infty t^{r-1} e^{-tS} dt / \Gamma(r)`, and so, with
    :math:`\varphi(t) = E\, e^{-tw}` and as the K samples are alike and independent,

    .. math:: E[\Delta_K] = \frac{K}{\Gamma(r)} \int_0^\infty t^{r-1} E[w^r g\, e^{-tw}]\, \varphi^{K-1} dt
    .. math:: E[\Delta_K^2] = \frac{1}{\Gamma(2r)} \int_0^\infty t^{2r-1} \left( K E[w^{2r} g^2 e^{-tw}] \varphi^{K-1}
              + K (K - 1) E[w^r g\, e^{-tw}]^2 \varphi^{K-2} \right) dt
    .. math:: E[\Delta_K \bar g] = \frac{1}{\Gamma(r)} \int_0^\infty t^{r-1} \left( E[w^r g^2 e^{-tw}] \varphi^{K-1}
              + (K - 1) E[w^r g\, e^{-tw}] E[g\, e^{-tw}] \varphi^{K-2} \right) dt

    where :math:`\bar g` is the plain mean of the same g: what CIWAE mixes in. r is 1 for the normalised weights, 2 for
    their squares. The transforms are taken once, for every K.
    """

    def __init__(self, log_w: Tensor, mass: Tensor, g: Tensor, r: int = 1) -> None:
        self._read(Moved.of(log_w, mass, [(g, r)]), 0)

    @classmethod
    def taken(cls, moved: Moved, i: int) -> WeightedSum:
        """The sum of the i-th g: all that are moved at once take the time of one."""
        new = cls.__new__(cls)
        new._read(moved, i)
        return new

    def _read(self, moved: Moved, i: int) -> None:
        g, self.r = moved.sums[i]
        self._mean = (moved.mass * g).sum().item()
        self._variance = (moved.mass * (g - self._mean).square()).sum().item()
        self._log_phi, self._volume = moved.log_phi, moved.volume
        self._first, self._second, self._square, self._plain = moved.found[i]
        self._known: dict[tuple[int, float], Moments] = {}

    def moments(self, K: int, beta: float = 0.0) -> Moments:
        r"""Those of :math:`\beta \bar g + (1 - \beta) \Delta_K`. Raises ``ValueError`` for K < 1."""
        return _remembered(self._known, (K, beta), lambda: self._moments(arguments.count("K", K), beta))

    def _moments(self, K: int, beta: float) -> Moments:
        if K == 1:
            return Moments(self._mean, self._variance)  # its weight is 1
        others = power(self._log_phi, K - 1).exp()  # all weights but one
        rest = power(self._log_phi, K - 2).exp()  # all but two
        integral = lambda f, r: (f @ self._volume).item() / math.gamma(r)
        mean = K * integral(self._first * others, self.r)
        square = K * integral(self._second * others + (K - 1) * self._first.square() * rest, 2 * self.r)
        product = integral(self._square * others + (K - 1) * self._first * self._plain * rest, self.r)
        variance = (1 - beta) ** 2 * (square - mean**2) + beta**2 * self._variance / K
        covariance = product - mean * self._mean
        return Moments(beta * self._mean + (1 - beta) * mean, variance + 2 * beta * (1 - beta) * covariance)


class Moved(NamedTuple):
    """What several ``WeightedSum`` of one law need: a grid of t, log E exp(-t w) on it, and for each (g, r) E of
    (tw)^r g, (tw)^2r g^2, (tw)^r g^2 and g, each times exp(-tw): ``[4, T]``.

    The grid does for K = 2 and more. It begins where t E[w] is e^-45, and ends where all but a billionth of the weights
    have left: two of them at once are there once in 10^18.
    """

    sums: list[tuple[Tensor, int]]
    mass: Tensor
    log_t: Tensor
    volume: Tensor
    log_phi: Tensor
    found: list[Tensor]
    log_mean: float  # log E[w]

    @classmethod
    def of(cls, log_w: Tensor, mass: Tensor, sums: Sequence[tuple[Tensor, int]]) -> Moved:
        """Of the law ``[N], [N]`` and of g ``[N]`` each. Raises ``ValueError`` for shapes that differ, or r < 1."""
        kept = [(on_a_grid(g, mass)[0], arguments.count("r", r)) for g, r in sums]
        log_w, mass = on_a_grid(log_w, mass)
        log_mean = (log_w + mass.log()).logsumexp(0).item()
        seen = mass > RARE
        small, w_mass = log_w[seen] - log_mean, mass[seen]
        order = small.argsort()
        lowest = small[order][w_mass[order].cumsum(0) > ALMOST_NONE][0].item()
        log_t = torch.arange(-45.0, 6.0 - min(lowest, 0.0), STEP, dtype=torch.float64)
        powers = [exponent for _, r in kept for exponent in (r, 2 * r, r, 0)]
        each = torch.stack([w_mass * g[seen] ** n for g, _ in kept for n in (1, 2, 2, 1)], 1)  # [N, 4 sums]
        exponents = torch.tensor(powers, dtype=torch.float64)
        lost, found = [], []
        for some in log_t.split(AT_A_TIME):
            gone = torch.expm1(-(some[:, None] + small).clamp(max=7).exp())  # [T, N], exp(-tw) - 1
            lost.append(-gone @ w_mass)
            first = (some[0] + small).clamp(max=7)[:, None]  # log tw at the block's first t, if exp(-tw) is not 0
            later = (some - some[0])[:, None]
            found.append((gone + 1) @ (each * (exponents * first).exp()) * (exponents * later).exp())
        log_phi = torch.log1p(-torch.cat(lost).clamp(max=1 - 1e-16))
        transforms = torch.cat(found).T.reshape(len(kept), 4, -1)
        return cls(kept, mass, log_t, torch.full_like(log_t, STEP), log_phi, list(transforms), log_mean)

    def log_mean_of(self, K: int) -> float:
        """E of the log of the mean of K weights, K > 1, as ``WeightLaw.lower``."""
        scaled = (-(self.log_t + math.log(K)).exp()).exp()
        return self.log_mean + ((scaled - (K * self.log_phi).exp()) @ self.volume).item()


class RowGradients:
    """Exact mean and variance of every row's gradient on a one-dimensional case, whatever its q: too wide, too narrow,
    or beside the posterior.

    Arguments:
        case: one data point of a model with one data and one latent dimension, and a q.
        points: of the grid of q's noise. Raises ``ValueError`` where they are too few: a sum over them is exact to
            seven digits if log w, and with it the ratio of two weights, moves by half a nat from one to the next.

    ``row`` is a name in ``objectives.TABLE``, ``parameter`` what the gradient is for, "mean" or "std" of q or the
    decoder's "weight"; alpha, beta and the jackknife's order count for the rows that have them.

    >>> from vaecourse.exact import reference
    >>> rows = RowGradients(reference(torch.float64))
    >>> [round(rows.moments(row, "mean", K=64).mean, 3) for row in ("iwae", "stl", "dreg")]  # stl is biased
    [-0.024, -1.257, -0.024]
    """

    def __init__(self, case: Case, points: int = 601) -> None:
        self.case = case
        self.eps = noise_grid(case, points)
        _must_resolve(case, self.eps)
        self.mass = noise_mass(self.eps)
        self._slopes = {name: slopes(case, self.eps, name) for name in PARAMETERS}
        self._laws: dict[float, tuple[Moved, dict[tuple[str, int, bool], WeightedSum]]] = {}

    @property
    def log_w(self) -> Tensor:
        """On the grid: ``[N]``."""
        return self._slopes["mean"].log_w

    def slopes(self, parameter: str = "mean") -> Slopes:
        """On the grid: ``[N]`` each."""
        return self._slopes[arguments.choice("parameter", parameter, list(PARAMETERS))]

    def moments(
        self, row: str, parameter: str, M: int = 1, K: int = 1, alpha: float = 0.5, beta: float = 0.5
    ) -> Moments:
        r"""Mean and variance of one gradient of the row, from M groups of K samples.

        ===========  =======================================  ===============================================
        row          phi                                      theta
        ===========  =======================================  ===============================================
        ``elbo``     the plain mean of all M K slopes         the same
        ``iwae``     the weighted sum over all M K            the same
        ``miwae``    its mean over M groups of K              the same
        ``ciwae``    of each group with beta of the ELBO's    the same
        ``piwae``    as ``miwae``                             as ``iwae``
        ``stl``      as ``iwae``, of path terms alone         as ``iwae``
        ``dreg``     as ``stl``, with squared weights         as ``iwae``
        ``vr_iwae``  as ``miwae``, weights to the 1 - alpha   the same
        ===========  =======================================  ===============================================
        """
        arguments.choice("row", row, ROWS), arguments.count("M", M), arguments.count("K", K)
        phi = PARAMETERS[arguments.choice("parameter", parameter, list(PARAMETERS))] == "phi"
        alpha, beta = arguments.number("alpha", alpha, 0.0, 1.0), arguments.number("beta", beta, 0.0, 1.0)
        pooled = row in ("elbo", "iwae", "stl", "dreg") or (row == "piwae" and not phi)
        groups, size = (1, M * K) if pooled else (M, K)
        bare = phi and row in ("stl", "dreg")  # without the score term
        share = {"elbo": 1.0, "ciwae": beta}.get(row, float(row == "vr_iwae" and alpha == 1))
        tilt = 1 - alpha if row == "vr_iwae" and alpha < 1 else 1.0
        each = self._sum(parameter, tilt, 2 if bare and row == "dreg" else 1, bare).moments(size, share)
        return Moments(each.mean, each.variance / groups)

    def mean(self, row: str, parameter: str, M: int = 1, K: int = 1, order: int = 1, **settings: float) -> float:
        """The mean alone, which of ``"jackknife"`` is known too: of each group of K, as ``bounds.jackknife``."""
        if row != "jackknife":
            return self.moments(row, parameter, M, K, **settings).mean
        means = [self.moments("iwae", parameter, 1, K - j).mean for j in range(min(order + 1, K))]
        return sum(c * mean for c, mean in zip(bounds.jackknife_coefficients(K, order), means))

    def signal_to_noise(self, row: str, parameter: str, M: int = 1, K: int = 1, **settings: float) -> float:
        """|mean| / sd of one gradient of the row."""
        return self.moments(row, parameter, M, K, **settings).signal_to_noise

    def value(self, row: str, M: int = 1, K: int = 1, alpha: float = 0.5, beta: float = 0.5, order: int = 1) -> float:
        """The exact expectation of the bound that the row reports, or of the jackknife, in nats."""
        arguments.choice("row", row, [*ROWS, "jackknife"]), arguments.count("M", M), arguments.count("K", K)
        if row == "jackknife":
            coefficients = bounds.jackknife_coefficients(K, order)
            return sum(c * self._value(1.0, K - j) for j, c in enumerate(coefficients))
        if row == "ciwae":
            return beta * self._value(0.0, 1) + (1 - beta) * self._value(1.0, K)
        if row == "elbo" or row == "vr_iwae":
            return self._value(0.0 if row == "elbo" else 1 - alpha, K)
        return self._value(1.0, K if row == "miwae" else M * K)

    def of_log_p(self, parameter: str) -> float:
        """The exact gradient of log p(x): 0 for q, which log p(x) does not know."""
        if PARAMETERS[arguments.choice("parameter", parameter, list(PARAMETERS))] == "phi":
            return 0.0
        model, weight = self.case.model, self.case.model.weight.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = LinearGaussian(weight, model.noise_variance, model.bias).log_likelihood(self.case.x).sum()
        return torch.autograd.grad(value, weight)[0].item()

    def _sum(self, parameter: str, tilt: float, r: int, bare: bool) -> WeightedSum:
        return self._tilted(tilt)[1][parameter, r, bare]

    def _tilted(self, tilt: float) -> tuple[Moved, dict[tuple[str, int, bool], WeightedSum]]:
        """The law of w^tilt, and every sum that a row asks of it: (parameter, r, path terms alone)."""
        return _remembered(self._laws, tilt, lambda: self._take(tilt), most=64)

    def _take(self, tilt: float) -> tuple[Moved, dict[tuple[str, int, bool], WeightedSum]]:
        sums = {(name, 1, False): of.whole(name) for name, of in self._slopes.items()}
        if tilt == 1:
            of_phi = {name: of.path for name, of in self._slopes.items() if PARAMETERS[name] == "phi"}
            sums |= {(name, r, True): path for name, path in of_phi.items() for r in (1, 2)}
        moved = Moved.of(tilt * self.log_w, self.mass, [(g, r) for (_, r, _), g in sums.items()])
        return moved, {key: WeightedSum.taken(moved, i) for i, key in enumerate(sums)}

    def _value(self, tilt: float, K: int) -> float:
        """E of (1 / tilt) log mean w^tilt, the mean of log w at 0 and at K = 1."""
        if tilt == 0 or K == 1:
            return (self.mass * self.log_w).sum().item()
        return self._tilted(tilt)[0].log_mean_of(K) / tilt


def _must_resolve(case: Case, eps: Tensor) -> None:
    """Refuse points between which log w moves by more than half a nat, in the root mean square under q."""
    _, b, c = (coefficient.item() for coefficient in parabola(case))
    slope = math.hypot(b, 2 * c)
    if (needed := math.ceil(2 * (eps[-1] - eps[0]).item() * slope) + 1) > len(eps):
        raise ValueError(
            f"points must be at least {needed} for a q whose log w moves by {slope:.0f} nats in a standard deviation, "
            f"got {len(eps)}."
        )


def _remembered(known: dict[Any, Any], key: Any, make: Callable[[], Any], most: int = 512) -> Any:
    """``known[key]``, made at the first asking; a full memory is emptied."""
    if key not in known:
        if len(known) >= most:
            known.clear()
        known[key] = make()
    return known[key]


def optimal_baseline(case: Case) -> float:
    r"""c* = E[s^2 log w] / E[s^2] for the score of q's mean: log w is :math:`a + b \epsilon + c \epsilon^2`, and with
    :math:`s = \epsilon / \sigma`, :math:`E \epsilon^4 = 3` and :math:`E \epsilon^2 = 1` it is a + 3 c.
    """
    a, _, c = parabola(case)
    return (a + 3 * c).item()
