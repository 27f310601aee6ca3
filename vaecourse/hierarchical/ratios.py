r"""From a law, an inverse model and a pair (z, psi_0) to log-ratios ``[K + 1, ...]``: whole, or in flat memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.hierarchical.law import InverseModel, Law


def log_ratios(
    law: Law, tau: InverseModel, z: Tensor, psi_0: Tensor, K: int, generator: torch.Generator | None = None
) -> Tensor:
    r"""log q(z, psi_k) - log tau(psi_k | z) for the psi_0 that made z and for K draws of tau, psi_0 first.

    .. math:: (z, \psi_0) \sim q(z, \psi), \quad \psi_{1:K} \sim \tau(\psi | z)

    Differentiable in the law, in tau, in z and in psi_0: this is the plain gradient (``dreg`` gives another).

    Shapes: ``[..., L], [..., P] -> [K + 1, ...]``, in nats. Raises ``ValueError`` for K < 0, and where z and psi_0 do
    not belong together. Source: arXiv 1905.03290, section 3.

    >>> from vaecourse import exact
    >>> from vaecourse.hierarchical import MixingPrior
    >>> law = exact.LaplaceMixture(3)
    >>> z, psi_0 = law.sample(7)
    >>> log_ratios(law, MixingPrior(law), z, psi_0, K=5).shape
    torch.Size([6, 7])
    """
    z, psi_0 = pair(z, psi_0)
    psi = psi_0.unsqueeze(0)
    if arguments.count("K", K, at_least=0):
        arguments.has("tau", tau, "sample", "log_prob")
        psi = torch.cat([psi, tau.sample(z, K, generator)])  # [K + 1, ..., P]
    return log_ratio(law, tau, z, psi)


def log_ratio(law: Law, tau: InverseModel, z: Tensor, psi: Tensor) -> Tensor:
    """log q(psi) + log q(z | psi) - log tau(psi | z). Shapes: ``[..., L], [K, ..., P] -> [K, ...]``."""
    arguments.has("law", law, "log_mixing", "log_conditional")
    arguments.has("tau", tau, "sample", "log_prob")
    joint = log_joint(law, z, psi)
    return joint - one_each("tau.log_prob", tau.log_prob(psi, z), z, psi)


def log_joint(law: Law, z: Tensor, psi: Tensor) -> Tensor:
    """log q(psi) + log q(z | psi). Shapes: ``[..., L], [K, ..., P] -> [K, ...]``."""
    mixing = one_each("law.log_mixing", law.log_mixing(psi), z, psi)
    return mixing + one_each("law.log_conditional", law.log_conditional(z, psi), z, psi)


def one_each(name: str, found: Tensor, z: Tensor, psi: Tensor) -> Tensor:
    """What a density says, if it is one number for each psi: what has an axis more would broadcast, silently."""
    whole = torch.broadcast_shapes(z.shape[:-1], psi.shape[:-1])
    if found.shape not in (whole, psi.shape[:-1]):
        raise ValueError(
            f"{name} must give one number for each psi, {list(whole)}, got {list(found.shape)}: torch.distributions "
            "need .sum(-1), or Independent, over the last axis."
        )
    return found


class Curve(NamedTuple):
    """Both bounds of the same draws at J values of K, in nats: ``[J, ...]`` each. L_0, which is no bound, is -inf."""

    upper: Tensor
    lower: Tensor


@torch.no_grad()
def curve(
    law: Law,
    tau: InverseModel,
    z: Tensor,
    psi_0: Tensor,
    K: Sequence[int],
    generator: torch.Generator | None = None,
    chunk: int = 50,
) -> Curve:
    r"""U_K and L_K at every K that is asked for, from one run of draws, ``chunk`` of them in memory at a time.

    .. math:: U_K = \log \frac{r_0 + S_K}{K + 1}, \quad L_K = \log \frac{S_K}{K}, \quad S_K = \sum_{k=1}^K r_k

    The bounds at different K share their draws; each is unbiased for its own expectation.

    Shapes: ``[..., L], [..., P], J whole numbers -> 2 x [J, ...]``, without a gradient. Raises ``ValueError`` if K is
    empty, holds a number below 0 or does not rise, and for a chunk < 1.
    """
    z, psi_0 = pair(z, psi_0)
    stops, chunk = rising(K), arguments.count("chunk", chunk)
    first = log_ratio(law, tau, z, psi_0.unsqueeze(0))[0]
    total = torch.full_like(first, -math.inf)
    upper, lower, done = [], [], 0
    for stop in stops:
        for draws in _pieces(stop - done, chunk):
            psi = tau.sample(z, draws, generator)
            total = torch.logaddexp(total, log_ratio(law, tau, z, psi).logsumexp(0))
        done = stop
        upper.append(torch.logaddexp(first, total) - math.log(stop + 1))
        lower.append(total - math.log(max(stop, 1)))
    return Curve(torch.stack(upper), torch.stack(lower))


def _pieces(total: int, size: int) -> Iterator[int]:
    """``total`` in whole numbers of at most ``size``."""
    yield from (min(size, total - start) for start in range(0, total, size))


def rising(K: Sequence[int]) -> list[int]:
    """K as a list, if it holds at least one whole number, and each is larger than the one before it."""
    stops = arguments.counts("K", K, at_least=0)
    if not stops or any(a >= b for a, b in zip(stops, stops[1:])):
        raise ValueError(f"K must hold at least one number, each larger than the one before it, got {stops}.")
    return stops


def pair(z: Tensor, psi_0: Tensor) -> tuple[Tensor, Tensor]:
    """(z, psi_0) if they are tensors whose axes but the last agree."""
    for name, value in {"z": z, "psi_0": psi_0}.items():
        arguments.vectors(name, value)
    if z.shape[:-1] != psi_0.shape[:-1]:
        raise ValueError(
            f"psi_0 must hold the psi that made each z: the axes before the last must agree, "
            f"got z {list(z.shape)} and psi_0 {list(psi_0.shape)}."
        )
    return z, psi_0
