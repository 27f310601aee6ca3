r"""The Laplace toy of arXiv 1905.03290, section 6.1: bounds on E log q(z) where -E log q = 50 (1 + log 2) is exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaecourse import arguments, descent
from vaecourse.exact import LaplaceMixture
from vaecourse.hierarchical.inverse import GatedInverse
from vaecourse.hierarchical.law import InverseModel
from vaecourse.hierarchical.learning import learn
from vaecourse.hierarchical.ratios import curve, rising


class Toy(NamedTuple):
    """Mean bounds on E log q(z) at J values of K and their standard errors, in nats: ``[J]`` each."""

    K: tuple[int, ...]
    upper: Tensor
    upper_error: Tensor
    lower: Tensor
    lower_error: Tensor
    exact: float


def untrained(seed: int = 0) -> GatedInverse:
    """The toy's tau before its first step, where it is the prior: the bound of SIVI."""
    with descent.seeded(seed):
        return GatedInverse()


def laplace_toy(
    steps: int,
    K: Sequence[int] = (0, 1, 5, 10, 25, 50),
    draws: int = 1000,
    dim: int = 50,
    training_K: int = 5,
    seed: int = 0,
) -> Toy:
    r"""Train tau for so many steps, then estimate both bounds along K. No steps: SIVI. With steps: IWHVI.

    Every estimate is :math:`E \log q + \mathrm{mean}(U_K - \log q(z))`: log q(z) is known for each draw, and what z
    alone adds to the noise is gone. The standard error is that of the mean over ``draws`` pairs (z, psi_0).

    Raises ``ValueError`` for steps < 0, draws < 2, dim < 1, and for a K that does not rise.

    >>> toy = laplace_toy(steps=0, K=(0, 5), draws=50, dim=3)
    >>> toy.upper.shape, round(toy.exact, 3)
    (torch.Size([2]), -5.079)
    """
    arguments.count("draws", draws, at_least=2), rising(K)  # before the training, which takes long
    law, tau = LaplaceMixture(dim), untrained(seed)
    learn(law, tau, steps, training_K, generator=torch.Generator().manual_seed(seed))
    return evaluate(law, tau, K, draws, torch.Generator().manual_seed(seed + 1_000_000))


def evaluate(
    law: LaplaceMixture, tau: InverseModel, K: Sequence[int], draws: int, generator: torch.Generator | None = None
) -> Toy:
    """Both bounds along K for a tau as it is, from ``draws`` fresh pairs (z, psi_0)."""
    z, psi_0 = law.sample(arguments.count("draws", draws, at_least=2), generator)
    bounds = curve(law, tau, z, psi_0, K, generator, chunk=10)
    truth, root = -law.entropy(), draws**0.5
    upper, lower = bounds.upper - law.log_prob(z), bounds.lower - law.log_prob(z)  # [J, draws]
    return Toy(tuple(K), truth + upper.mean(1), upper.std(1) / root, truth + lower.mean(1), lower.std(1) / root, truth)


def averages(result: Mapping[str, Any]) -> dict[int, Toy]:
    """The recorded result "laplace_steps", averaged over its seeds: steps of training -> bounds along K.

    What was not recorded is NaN. The standard errors are those of the draws: how tau differs between seeds is not in
    them.

    >>> from vaecourse import recorded
    >>> sorted(averages(recorded.load("laplace_steps")))[:2]  # 0 is SIVI
    [0, 10]
    """
    exact = result["settings"]["exact"]
    lengths = sorted({run["steps"] for run in result["runs"]})
    return {n: _average([run["points"] for run in result["runs"] if run["steps"] == n], exact) for n in lengths}


def _average(seeds: list[list[dict[str, float]]], exact: float) -> Toy:
    """The points of several seeds, averaged."""
    column = lambda name: torch.tensor([[point.get(name, math.nan) for point in points] for points in seeds])
    mean = lambda name: column(name).mean(0)
    error = lambda name: column(name).square().sum(0).sqrt() / len(seeds)
    K = tuple(int(point["K"]) for point in seeds[0])
    return Toy(K, mean("upper"), error("upper_error"), mean("lower"), error("lower_error"), exact)
