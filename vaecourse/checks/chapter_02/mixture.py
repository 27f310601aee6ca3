"""02.mixture: log of a mixture of diagonal Gaussians. Shapes: ``[K, L], [C], [C, L], [C, L] -> [K]``."""

from __future__ import annotations

import math

from torch import Tensor
from torch.distributions import Normal

from vaecourse.checks.cases import draws
from vaecourse.checks.frame import Check


def components(z: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """log N(z; mean_c, diag(std_c^2)) dimension by dimension. Shapes: ``[K, L], [C, L], [C, L] -> [K, C, L]``."""
    return Normal(mean, std).log_prob(z.unsqueeze(1))


def cases() -> list[tuple[Tensor, ...]]:
    draw = draws(24)
    sizes = [(5, 2, 3), (4, 3, 2)]  # K, C, L
    near = [(3 * draw(K, L), draw(C).softmax(0), 2 * draw(C, L), 0.3 + draw(C, L).abs()) for K, C, L in sizes]
    return [*near, (300.0 + draw(6, 2), draw(3).softmax(0), draw(3, 2), 1.0 + draw(3, 2).abs())]


def right(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share.log() + components(z, mean, std).sum(-1)).logsumexp(-1)


check = Check(
    "02.mixture", right, praise="Yes: add over dimensions, then mix over components, all in logs.", cases=cases
)


@check.mistake("""You mixed the components in each dimension and added the dimensions afterwards. That density has a
    mode at every combination of coordinates, ghosts included. Add over L first, then mix over C.""")
def mixture_in_each_dimension(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share.log().unsqueeze(-1) + components(z, mean, std)).logsumexp(1).sum(-1)


@check.mistake("This is the density. Asked for is its logarithm, and without the detour through exp: use logsumexp.")
def log_forgotten(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share * components(z, mean, std).sum(-1).exp()).sum(-1)


@check.mistake("""You added the components' densities without their shares. This integrates to C and not to 1: add log
    share.""")
def shares_forgotten(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return components(z, mean, std).sum(-1).logsumexp(-1)


@check.mistake("You added the share to a log-density. share times density becomes log share plus log-density.")
def share_without_log(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share + components(z, mean, std).sum(-1)).logsumexp(-1)


@check.mistake("You multiplied the log-density by the share. share times density becomes log share plus log-density.")
def share_times_log_density(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share * components(z, mean, std).sum(-1)).logsumexp(-1)


@check.mistake("""You added log share once for each of the L dimensions. A component has one share: add it after the sum
    over L.""")
def share_in_every_dimension(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share.log().unsqueeze(-1) + components(z, mean, std)).sum(-1).logsumexp(-1)


@check.mistake("You gave every component the share 1/C. The shares are an argument of the function.")
def equal_shares(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return components(z, mean, std).sum(-1).logsumexp(-1) - math.log(len(share))


@check.mistake("""You averaged the log-densities with the shares. A mixture averages densities, and takes the log of
    that.""")
def mean_of_logs(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share * components(z, mean, std).sum(-1)).sum(-1)


@check.mistake("""Right as a formula. Far from every component exp gives 0 and the log gives -inf, and an infinite
    weight follows. Let logsumexp keep the logs.""")
def exp_first(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share * components(z, mean, std).sum(-1).exp()).sum(-1).log()


@check.mistake("You squared std before you handed it to Normal. Normal takes the standard deviation.")
def variance_used_as_standard_deviation(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return right(z, share, mean, std.square())


@check.mistake("""You divided the log-variance by the variance too. Only the squared distance is divided: -1/2 (log var
    + (z - mean)^2 / var + log 2 pi).""")
def parentheses(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    log_var = 2 * std.log()
    log_n = -0.5 * (log_var + (z.unsqueeze(1) - mean).square()) / log_var.exp() - 0.5 * math.log(2 * math.pi)
    return (share.log() + log_n.sum(-1)).logsumexp(-1)


@check.mistake("""The floor of 1e-10 under the logarithm is what you report far out: -23.03, where the density goes on
    falling. Stay in logs: use logsumexp.""")
def floor_under_the_logarithm(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (log_forgotten(z, share, mean, std) + 1e-10).log()


@check.mistake("""You averaged the means and the standard deviations and took one Gaussian. A mixture averages
    densities: it has a hill at every component.""")
def one_Gaussian(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return Normal(share @ mean, share @ std).log_prob(z).sum(-1)


@check.mistake("You took the root of std. It is the standard deviation already, and Normal takes just that.")
def std_read_as_a_variance(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return right(z, share, mean, std.sqrt())


@check.mistake("""Two things: std is the standard deviation already, so take no root of it; and add log share to each
    component.""")
def std_read_as_a_variance_and_shares_forgotten(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return shares_forgotten(z, share, mean, std.sqrt())


@check.mistake("""You mixed the components in each dimension, without their shares, and added the dimensions afterwards.
    Add over L first; then add log share, and mix over C.""")
def mixture_in_each_dimension_without_shares(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return components(z, mean, std).logsumexp(1).sum(-1)
