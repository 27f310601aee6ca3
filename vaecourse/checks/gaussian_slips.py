"""Slips of Gaussians that two exercises know: the noise behind a sample, and a mixture of diagonal Gaussians."""

from __future__ import annotations

import math

from torch import Tensor

# The noise behind z = mean + sigma eps, sigma = exp(log_var / 2)


def noise(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """The right answer."""
    return (z - mean) * (-0.5 * log_var).exp()


def divided_by_log_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) / log_var


def divided_by_half_of_log_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) / (0.5 * log_var)


def divided_by_the_root_of_log_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) / log_var.sqrt()


def divided_by_the_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) / log_var.exp()


def divided_by_the_squared_variance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) / (2 * log_var).exp()


def multiplied_by_the_standard_deviation(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return (z - mean) * (0.5 * log_var).exp()


def mean_not_subtracted(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return z * (-0.5 * log_var).exp()


# The density of a mixture with equal weights: ``[B, L], [N, L], [N, L] -> [B]``


def log_normals(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log N of every component in every dimension: ``[B, L], [N, L], [N, L] -> [B, N, L]``."""
    scaled = (z[:, None] - mean) / log_std.exp()
    return -0.5 * scaled.square() - log_std - 0.5 * math.log(2 * math.pi)


def log_mixture(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """The right answer: first add up over the dimensions, then mix."""
    return log_normals(z, mean, log_std).sum(2).logsumexp(1) - math.log(len(mean))


def mixture_in_each_dimension(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return (log_normals(z, mean, log_std).logsumexp(1) - math.log(len(mean))).sum(1)


def mixture_in_each_dimension_and_log_N_once(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).logsumexp(1).sum(1) - math.log(len(mean))


def log_N_missing(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).sum(2).logsumexp(1)


def mean_of_logs(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).sum(2).mean(1)


def standard_deviation_as_variance(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std / 2)


def exp_first(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).sum(2).exp().mean(1).log()


def mixture_in_each_dimension_and_log_N_missing(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).logsumexp(1).sum(1)


def mixture_in_each_dimension_and_their_mean(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return mixture_in_each_dimension(z, mean, log_std) / z.shape[1]


def dimensions_and_components_changed_places(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).sum(1).logsumexp(-1) - math.log(len(mean))


def mixed_over_the_dimensions(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).logsumexp(2).sum(1) - math.log(len(mean))


def mixture_over_the_dimensions_too(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).logsumexp((1, 2)) - math.log(len(mean))


def mean_over_dimensions(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).mean(2).logsumexp(1) - math.log(len(mean))


def mean_over_dimensions_and_log_N_missing(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).mean(2).logsumexp(1)


def log_N_for_each_dimension(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std) - (z.shape[1] - 1) * math.log(len(mean))


def log_N_added(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std) + 2 * math.log(len(mean))


def divided_by_L(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std) + math.log(len(mean)) - math.log(mean.shape[1])


def divided_by_the_number_of_points(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std) + math.log(len(mean)) - math.log(len(z))


def best_component_alone(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_normals(z, mean, log_std).sum(2).amax(1) - math.log(len(mean))


def two_pi_missing(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std) + 0.5 * z.shape[1] * math.log(2 * math.pi)


def two_pi_counted_once(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return log_mixture(z, mean, log_std) + 0.5 * (z.shape[1] - 1) * math.log(2 * math.pi)
