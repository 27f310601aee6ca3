"""06.stein: the direction of Stein variational gradient descent to N(0, I). Shapes: ``[N, L] -> [N, L]``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.chapter_06.spot_the_kernel import rbf
from vaecourse.checks.frame import Check


def direction(z: Tensor, h: float, pull: float = 1.0, push: float = 1.0, mean: bool = True) -> Tensor:
    """pull sum_j k_ij (-z_j) + push sum_j k_ij (z_i - z_j) / h^2, over N."""
    k = rbf(z, z, 2 * h**2)
    total = -pull * k @ z + push * (k.sum(1, keepdim=True) * z - k @ z) / h**2
    return total / len(z) if mean else total


check = Check(
    "06.stein",
    direction,
    praise="A direction, not a number: nothing here could be reported as a divergence.",
    cases=lambda: [(normal(5, 2, seed=51), 1.3), (2 + normal(3, 4, seed=52), 0.7)],
)


@check.mistake("""The particles are pulled and nothing pushes them apart: all of them end at the prior's top. The second
    term, the kernel's gradient, is missing.""")
def no_repulsion(z: Tensor, h: float) -> Tensor:
    return direction(z, h, push=0.0)


@check.mistake("""The kernel's gradient has the wrong sign: particles fall together. It is taken at z_j, and points from
    z_j to z_i.""")
def attraction_in_place_of_repulsion(z: Tensor, h: float) -> Tensor:
    return direction(z, h, push=-1.0)


@check.mistake("The score of N(0, I) is -z. With +z the particles run away.")
def away_from_the_prior(z: Tensor, h: float) -> Tensor:
    return direction(z, h, pull=-1.0)


check.mistake("This is the direction to go away from the prior. The update is z + step * direction.")(
    partial(slips.sign_turned_round, direction)
)


@check.mistake("You took the sum over the particles. The expectation under q is their mean: divide by N.")
def sum_over_particles(z: Tensor, h: float) -> Tensor:
    return direction(z, h, mean=False)


@check.mistake("The particles push each other and know of no prior. The first term, kernel times score, is missing.")
def only_the_repulsion(z: Tensor, h: float) -> Tensor:
    return direction(z, h, pull=0.0)


@check.mistake("The gradient of exp(-|z_j - z_i|^2 / (2 h^2)) at z_j is k (z_i - z_j) / h^2: the h^2 is missing.")
def h_squared_missing(z: Tensor, h: float) -> Tensor:
    return direction(z, h, push=h**2)


@check.mistake("The gradient of exp(-|z_j - z_i|^2 / (2 h^2)) at z_j is k (z_i - z_j) / h^2: you divided by h.")
def h_in_place_of_h_squared(z: Tensor, h: float) -> Tensor:
    return direction(z, h, push=h)


@check.mistake("""You divided by N - 1. The sum runs over all N particles, the own one too: it is pulled by its own
    score.""")
def divided_by_N_minus_1(z: Tensor, h: float) -> Tensor:
    return direction(z, h, mean=False) / (len(z) - 1)


@check.mistake("You multiplied with the score of z_i. The first term gathers the scores of all z_j.")
def own_score_of_each_particle(z: Tensor, h: float) -> Tensor:
    return direction(z, h, pull=0.0) - rbf(z, z, 2 * h**2).mean(1, keepdim=True) * z


@check.mistake("That is the score alone: it does not see where the other particles are.")
def without_a_kernel(z: Tensor, h: float) -> Tensor:
    return -z


@check.mistake("""The kernel is missing in the first term: every particle feels its own score in full. The term is the
    mean of k(z_j, z_i) times the score of z_j.""")
def pull_without_the_kernel(z: Tensor, h: float) -> Tensor:
    return direction(z, h, pull=0.0) - z


@check.mistake("""You left out the pair of a particle with itself, and divided by N - 1. The mean runs over all N: each
    particle is pulled by its own score too.""")
def own_pair_left_out(z: Tensor, h: float) -> Tensor:
    return (direction(z, h, mean=False) + z) / (len(z) - 1)


@check.mistake("""You left out the pair of a particle with itself. Each particle is pulled by its own score too, with
    k = 1.""")
def own_pair_left_out_but_counted(z: Tensor, h: float) -> Tensor:
    return direction(z, h) + z / len(z)


@check.mistake("""Two things: the sum over the particles has to be a mean, and the kernel's gradient has the wrong sign,
    so that particles fall together.""")
def sum_and_attraction(z: Tensor, h: float) -> Tensor:
    return direction(z, h, push=-1.0, mean=False)


@check.mistake("""The second term is a sum over the particles, and the first one a mean. Both belong under 1/N.""")
def mean_of_the_pull_only(z: Tensor, h: float) -> Tensor:
    return direction(z, h, push=len(z))


@check.mistake("""The first term is a sum over the particles, and the second one a mean. Both belong under 1/N.""")
def mean_of_the_push_only(z: Tensor, h: float) -> Tensor:
    return direction(z, h, pull=len(z))
