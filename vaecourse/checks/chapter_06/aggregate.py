"""06.aggregate: log q(z), the mixture of all codes. Shapes: ``[N, L], [B, L], [B, L] -> [N]``."""

from __future__ import annotations

import math

from torch import Tensor

from vaecourse.checks import gaussian_slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check
from vaecourse.checks.gaussian_slips import log_normals

check = Check(
    "06.aggregate",
    gaussian_slips.log_mixture,
    praise="Add up over the dimensions, then mix. Now I_q and KL(q(z) || p) are within reach.",
    cases=lambda: [
        (3 * normal(4, 2, seed=11), 3 * normal(5, 2, seed=12), 0.3 * normal(5, 2, seed=13) - 1),
        (normal(3, 6, seed=14), 40 * normal(2, 6, seed=15), normal(2, 6, seed=16) - 2),
    ],
)


check.mistake("""You mixed inside each dimension and added up afterwards. That is another density: it has ghost modes,
    at every crossing of one point's z_1 with another point's z_2. First add up over the dimensions, then mix.""")(
    gaussian_slips.mixture_in_each_dimension
)


@check.mistake("Two things: the mixture is taken inside each dimension (first add up over L), and log B is missing.")
def mixture_in_each_dimension_and_no_log_B(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).logsumexp(1).sum(1)


check.mistake("""log B stands there once now, as it should. The mixture is still taken inside each dimension: first add
    up over L, then mix over B.""")(gaussian_slips.mixture_in_each_dimension_and_log_N_once)


@check.mistake("""The axes have changed places: you mixed over the L dimensions and added up over the B components. It
    is the other way round.""")
def mixed_over_the_dimensions(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).logsumexp(2).sum(1) - math.log(len(mean))


check.mistake("The B components are added up, and each of them has weight 1/B: take log B away.")(
    gaussian_slips.log_N_missing
)

check.mistake("You took the mean of the logarithms. log q(z) is the logarithm of a mean of densities: logsumexp.")(
    gaussian_slips.mean_of_logs
)

check.mistake("exp(log_std) is the standard deviation, and your density uses it as a variance.")(
    gaussian_slips.standard_deviation_as_variance
)

check.mistake("""Right on paper. For a z far from every mean, each density is 0 in the computer and its logarithm -inf.
    Use logsumexp.""")(gaussian_slips.exp_first)


@check.mistake("The constant of the Gaussian is missing: L/2 log(2 pi). It cancels in the information only.")
def no_2_pi(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return gaussian_slips.log_mixture(z, mean, log_std) + 0.5 * z.shape[1] * math.log(2 * math.pi)


@check.mistake("You divided by the number of points z. The mixture has as many components as the batch has x: log B.")
def divided_by_N(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return gaussian_slips.log_mixture(z, mean, log_std) + math.log(len(mean)) - math.log(len(z))
