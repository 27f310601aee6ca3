"""06.aggregate: log q(z), the mixture of all codes. Shapes: ``[N, L], [B, L], [B, L] -> [N]``."""

from __future__ import annotations

from vaecourse.checks import gaussian_slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check

check = Check(
    "06.aggregate",
    gaussian_slips.log_mixture,
    praise="Add up over the dimensions, then mix. Now I_q and KL(q(z) || p) are within reach.",
    cases=lambda: [
        (3 * normal(4, 2, seed=11), 3 * normal(5, 2, seed=12), 0.3 * normal(5, 2, seed=13) - 1),
        (normal(3, 6, seed=14), 8 * normal(2, 6, seed=15), normal(2, 6, seed=16) - 2),
        (normal(6, 3, seed=17), normal(4, 3, seed=18), 0.3 * normal(4, 3, seed=19)),
    ],
)


check.mistake("""This is the code as it stood, or does the same. It is a density, and another one: in two dimensions it
    has modes at every crossing of one point's z_1 with another point's z_2. Which step lets one point's z_1 meet
    another's z_2?""")(gaussian_slips.mixture_in_each_dimension)

check.mistake("Two things: the mixture is taken inside each dimension (first add up over L), and log B is missing.")(
    gaussian_slips.mixture_in_each_dimension_and_log_N_missing
)

check.mistake("""log B stands there once now, as it should. The mixture is still taken inside each dimension: first add
    up over L, then mix over B.""")(gaussian_slips.mixture_in_each_dimension_and_log_N_once)

check.mistake("""Two things: the mixture is taken inside each dimension, and then averaged over L. Add up over the
    dimensions first, then mix.""")(gaussian_slips.mixture_in_each_dimension_and_their_mean)

check.mistake("""The axes have changed places: you mixed over the L dimensions and added up over the B components. It
    is the other way round.""")(gaussian_slips.mixed_over_the_dimensions)

check.mistake("""The axes have changed places: you added up over the B components and mixed over the L dimensions. A
    component is a sum over L; then mix over B.""")(gaussian_slips.dimensions_and_components_changed_places)

check.mistake("""logsumexp over both axes adds up the densities of the dimensions. Within a component they are
    multiplied: sum the logarithms over L first.""")(gaussian_slips.mixture_over_the_dimensions_too)

check.mistake("""The order is right, and log B is taken away once for each of the L dimensions. A component has the
    weight 1/B, once.""")(gaussian_slips.log_N_for_each_dimension)

check.mistake("The B components are added up, and each of them has weight 1/B: take log B away.")(
    gaussian_slips.log_N_missing
)

check.mistake("The order is right. log B has the wrong sign: each component has the weight 1/B.")(
    gaussian_slips.log_N_added
)

check.mistake("You took the mean of the logarithms. log q(z) is the logarithm of a mean of densities: logsumexp.")(
    gaussian_slips.mean_of_logs
)

check.mistake("You averaged over the dimensions. A product of densities is a sum of logarithms.")(
    gaussian_slips.mean_over_dimensions
)

check.mistake("""Two things: you averaged over the dimensions, where a product of densities is a sum of logarithms, and
    log B is missing.""")(gaussian_slips.mean_over_dimensions_and_log_N_missing)

check.mistake("exp(log_std) is the standard deviation, and your density uses it as a variance.")(
    gaussian_slips.standard_deviation_as_variance
)

check.mistake("""Right on paper. For a z far from every mean, each density is 0 in the computer and its logarithm -inf.
    Use logsumexp.""")(gaussian_slips.exp_first)

check.mistake("The constant of the Gaussian is missing: L/2 log(2 pi). It cancels in the information only.")(
    gaussian_slips.two_pi_missing
)

check.mistake("""The constant of the Gaussian, log(2 pi) / 2, is counted once. Each of the L dimensions has it: take it
    away before the sum over them.""")(gaussian_slips.two_pi_counted_once)

check.mistake("You divided by the number of points z. The mixture has as many components as the batch has x: log B.")(
    gaussian_slips.divided_by_the_number_of_points
)

check.mistake("The order is right. You divided by L, the number of dimensions; the mean is over B components.")(
    gaussian_slips.divided_by_L
)

check.mistake("""This keeps one component for each z, the likeliest, and the weight 1/B. It is a lower bound, and close
    where one component dwarfs the others; the mixture adds up all of them.""")(gaussian_slips.best_component_alone)
