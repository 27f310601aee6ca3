r"""Exact moments of the gradient that each row of the table of objectives gives, on a one-dimensional case, for any q.

A gradient estimate is a weighted sum of slopes: with :math:`h` the path term of a sample, :math:`s` its score term and
:math:`\tilde w` the weights normalised over K samples, it is :math:`\sum_k \tilde w_k^r g_k` for g = h - s, or g = h
where the score term is dropped. ``WeightedSum`` has its exact moments, ``RowGradients`` says which sum a row is.
Everything is in nats per unit of the parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaecourse import arguments, bounds
from vaecourse.exact.case import Case
from vaecourse.exact.linear_gaussian import LinearGaussian
from vaecourse.exact.weights import (
    AT_A_TIME,
    WeightLaw,
    log_grid,
    log_laplace,
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
        self.r = arguments.count("r", r)
        (log_w, mass), g = on_a_grid(log_w, mass), on_a_grid(g, mass)[0]
        self._mean = (mass * g).sum().item()
        self._variance = (mass * (g - self._mean).square()).sum().item()
        log_w = log_w - (log_w + mass.log()).logsumexp(0)
        log_t, self._volume = log_grid(log_w)
        self._log_phi = log_laplace(log_w, mass, log_t)
        self._first, self._second, self._square, self._plain = _transforms(log_w, mass, g, log_t, r)
        self._known: dict[tuple[int, float], Moments] = {}

    def moments(self, K: int, beta: float = 0.0) -> Moments:
        r"""Those of :math:`\beta \bar g + (1 - \beta) \Delta_K`. Raises ``ValueError`` for K < 1."""
        return _remembered(self._known, (K, beta), lambda: self._moments(arguments.count("K", K), beta))

    def _moments(self, K: int, beta: float) -> Moments:
        others = power(self._log_phi, K - 1).exp()  # all weights but one
        rest = power(self._log_phi, K - 2).exp() if K > 1 else torch.zeros_like(others)  # all but two
        integral = lambda f, r: (f @ self._volume).item() / math.gamma(r)
        mean = K * integral(self._first * others, self.r)
        square = K * integral(self._second * others + (K - 1) * self._first.square() * rest, 2 * self.r)
        product = integral(self._square * others + (K - 1) * self._first * self._plain * rest, self.r)
        variance = (1 - beta) ** 2 * (square - mean**2) + beta**2 * self._variance / K
        covariance = product - mean * self._mean
        return Moments(beta * self._mean + (1 - beta) * mean, variance + 2 * beta * (1 - beta) * covariance)


def _transforms(log_w: Tensor, mass: Tensor, g: Tensor, log_t: Tensor, r: int) -> tuple[Tensor, ...]:
    """E of (tw)^r g, (tw)^2r g^2, (tw)^r g^2 and g, each times exp(-tw), at each t: 4 x ``[T]``."""
    found = []
    for some in log_t.split(AT_A_TIME):
        tw = (some[:, None] + log_w).clamp(max=7).exp()  # [T, N]
        decay = (-tw).exp()
        weighted = tw**r * decay
        found.append(torch.stack([weighted @ (mass * g), (tw**r * weighted) @ (mass * g.square()),
                                  weighted @ (mass * g.square()), decay @ (mass * g)]))  # fmt: skip
    return torch.cat(found, 1).unbind()


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
        self._sums: dict[tuple[str, float, int, bool], WeightedSum] = {}
        self._laws: dict[float, WeightLaw] = {}

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
        of = self._slopes[parameter]
        g = of.path if bare else of.whole(parameter)
        make = lambda: WeightedSum(tilt * of.log_w, self.mass, g, r)
        return _remembered(self._sums, (parameter, tilt, r, bare), make)

    def _value(self, tilt: float, K: int) -> float:
        """E of (1 / tilt) log mean w^tilt, the mean of log w at 0."""
        if tilt == 0:
            return (self.mass * self.log_w).sum().item()
        law = _remembered(self._laws, tilt, lambda: WeightLaw(tilt * self.log_w, self.mass))
        return law.lower(K).item() / tilt


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
