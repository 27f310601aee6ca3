"""07.spot_ghosts: log of a mixture of N diagonal Gaussians. Shapes: ``[B, L], [N, L], [N, L] -> [B]``."""

from __future__ import annotations

from torch import Tensor

from vaecourse.checks import gaussian_slips
from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_07.upper_bound import log_mean
from vaecourse.checks.frame import Check
from vaecourse.checks.gaussian_slips import log_normals

check = Check(
    "07.spot_ghosts",
    gaussian_slips.log_mixture,
    praise="No ghosts: as many modes as components.",
    cases=lambda: [
        (2 * normal(4, 3, seed=61), 2 * normal(5, 3, seed=62), 0.3 * normal(5, 3, seed=63)),
        (40 * normal(3, 2, seed=64), normal(7, 2, seed=65), 0.5 * normal(7, 2, seed=66) - 1),
        (normal(6, 3, seed=67), normal(4, 3, seed=68), 0.3 * normal(4, 3, seed=69)),
    ],
)


check.mistake("""This is the code as it stood, or does the same: a mixture for each dimension by itself, then their
    product. It has N to the power L modes, nearly all of them ghosts. Sum over the dimensions first, then mix.""")(
    gaussian_slips.mixture_in_each_dimension
)

check.mistake("""The order is still wrong: logsumexp before the sum over dimensions, with log N taken away once. Sum
    over the dimensions first, then mix.""")(gaussian_slips.mixture_in_each_dimension_and_log_N_once)

check.mistake("""Two things: the order is still wrong, logsumexp before the sum over dimensions, and log N is missing.
    Sum over the dimensions first, then mix.""")(gaussian_slips.mixture_in_each_dimension_and_log_N_missing)

check.mistake("""The order is still wrong, and the sum over the dimensions has become their mean. A product of densities
    is a sum of logarithms: sum first, then mix.""")(gaussian_slips.mixture_in_each_dimension_and_their_mean)

check.mistake("The order is right now. Each component has the weight 1/N: take log N away.")(
    gaussian_slips.log_N_missing
)

check.mistake("""The order is right now. log N is taken away once for each of the L dimensions: a component has the
    weight 1/N, once.""")(gaussian_slips.log_N_for_each_dimension)

check.mistake("""This averages the log-densities of the components. The density of a mixture is the mean of the
    densities.""")(gaussian_slips.mean_of_logs)

check.mistake("Right on paper. Far from every component each exp is 0 and the log -inf. Use logsumexp.")(
    gaussian_slips.exp_first
)

check.mistake("""This keeps one component for each z, the likeliest. It is a lower bound, close far away from the modes;
    the mixture adds up all of them.""")(gaussian_slips.best_component_alone)

check.mistake("The order is right. log_std is the log of the standard deviation, not of the variance: no half.")(
    gaussian_slips.standard_deviation_as_variance
)


@check.mistake("You mixed over the batch. The axes are B, N, L, and number 1 holds the components.")
def over_the_batch(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mean(log_normals(z, mean, log_std).sum(-1), 0)


check.mistake("You averaged over the dimensions. A product of densities is a sum of logarithms.")(
    gaussian_slips.mean_over_dimensions
)

check.mistake("""You summed over the components and mixed over the dimensions. A component is a sum over L, the last
    axis; then mix over N.""")(gaussian_slips.dimensions_and_components_changed_places)

check.mistake("""You mixed over the dimensions and then summed over the components. A component is a sum over L, the
    last axis; then mix over N.""")(gaussian_slips.mixed_over_the_dimensions)

check.mistake("""logsumexp over both axes adds up the densities of the dimensions. Within a component they are
    multiplied: sum the logarithms over the last axis first.""")(gaussian_slips.mixture_over_the_dimensions_too)

check.mistake("The order is right. You divided by L, the number of dimensions; the mean is over N components.")(
    gaussian_slips.divided_by_L
)

check.mistake("The order is right. You divided by B, the number of points z; the mean is over N components.")(
    gaussian_slips.divided_by_the_number_of_points
)

check.mistake("The order is right. log N has the wrong sign: each component has the weight 1/N.")(
    gaussian_slips.log_N_added
)

check.mistake("The order is right. The constant of the Gaussian is missing: log(2 pi) / 2 in each dimension.")(
    gaussian_slips.two_pi_missing
)
