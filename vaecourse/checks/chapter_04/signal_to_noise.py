"""04.signal_to_noise: |mean| / sd over R independent gradients. Shapes: ``[R, P] -> [P]``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def right(gradients: Tensor) -> Tensor:
    return gradients.mean(0).abs() / gradients.std(0)


check = Check(
    "04.signal_to_noise",
    right,
    praise="|mean| over standard deviation, of the estimator, for every parameter: what one step can learn.",
    cases=lambda: [
        (normal(2000, 3, seed=1) * torch.tensor([1.0, 0.2, 5.0]) + torch.tensor([-2.0, 0.5, -0.3]),),
        (normal(3000, 4, seed=2) - 1.0,),
        (1e-7 * (normal(2500, 2, seed=3) + 0.7),),  # small gradients are as clear a signal as large ones
    ],
    rtol=2e-3,  # the standard deviation with n or with n - 1
)


@check.mistake("""The sign is still in it: a gradient of -2 with standard deviation 1 is as clear a signal as +2. Take
    the absolute value of the mean.""")
def sign_kept(g: Tensor) -> Tensor:
    return g.mean(0) / g.std(0)


@check.mistake("""You took the absolute value before the mean, so that noise around zero counts as signal. First the
    mean, then its absolute value.""")
def mean_of_the_absolute_values(g: Tensor) -> Tensor:
    return g.abs().mean(0) / g.std(0)


@check.mistake("You divided by the variance. Signal and noise must have the same unit: take its square root.")
def variance_for_standard_deviation(g: Tensor) -> Tensor:
    return g.mean(0).abs() / g.var(0)


@check.mistake("""This is the square of the ratio. It is used in physics; the paper, and its rates, are about the ratio
    itself.""")
def squared(g: Tensor) -> Tensor:
    return (g.mean(0) / g.std(0)).square()


def with_a_constant(constant: float, g: Tensor) -> Tensor:
    return g.mean(0).abs() / (g.std(0) + constant)


@check.mistake("""The small number in the denominator is not so small: a gradient near the end of training may have a
    spread of 1e-7. The ratio has no unit, so nothing may be added that has one.""")
def a_millionth_added(g: Tensor) -> Tensor:
    return with_a_constant(1e-6, g)


@check.mistake("""The small number in the denominator shows: a gradient near the end of training may have a spread of
    1e-7. The ratio has no unit, so nothing may be added that has one.""")
def a_hundred_millionth_added(g: Tensor) -> Tensor:
    return with_a_constant(1e-8, g)


@check.mistake("""The mean is right. The spread is that of the absolute values, which hides how often the sign turns:
    take the standard deviation of the gradients themselves.""")
def spread_of_the_absolute_values(g: Tensor) -> Tensor:
    return g.mean(0).abs() / g.abs().std(0)


@check.mistake("""You took absolute values before mean and spread, so noise around zero counts as signal. Only the mean
    gets bars, at the end.""")
def absolute_values_first(g: Tensor) -> Tensor:
    return g.abs().mean(0) / g.abs().std(0)


@check.mistake("""You divided the *square* of the mean by the standard deviation. Signal and noise must have the same
    unit: |mean| over standard deviation.""")
def mean_squared(g: Tensor) -> Tensor:
    return g.mean(0).square() / g.std(0)


@check.mistake("""You divided by the standard error of your measurement, which shrinks as you measure longer. The noise
    of *one* gradient step is the standard deviation of one estimate.""")
def standard_error_of_the_mean(g: Tensor) -> Tensor:
    return g.mean(0).abs() / g.std(0) * len(g) ** 0.5


@check.mistake("This is noise over signal.")
def upside_down(g: Tensor) -> Tensor:
    return g.std(0) / g.mean(0).abs()


@check.mistake("""Your noise is the root of the mean *square*, which holds the signal as well. Subtract the mean: the
    standard deviation.""")
def spread_around_zero(g: Tensor) -> Tensor:
    return g.mean(0).abs() / g.square().mean(0).sqrt()


@check.mistake("""You took mean and spread over the parameters. The estimates stand along axis 0: every parameter has a
    ratio of its own, and the answer is [P].""")
def over_the_parameters(g: Tensor) -> Tensor:
    return g.mean(1).abs() / g.std(1)


@check.mistake("""Two things. The ratio is squared: the definition has |mean| over standard deviation. And it is
    averaged over the parameters: each has its own.""")
def squared_and_averaged(g: Tensor) -> Tensor:
    return (g.mean(0) / g.std(0)).square().mean().expand(g.shape[1])


@check.mistake("You averaged over the parameters at the end. Return one ratio for each: [P].")
def one_number_for_all_parameters(g: Tensor) -> Tensor:
    return (g.mean(0).abs() / g.std(0)).mean()


@check.mistake("""The mean is taken for each parameter, the standard deviation over all numbers at once. Take it over
    axis 0 too.""")
def one_noise_for_all_parameters(g: Tensor) -> Tensor:
    return g.mean(0).abs() / g.std()


@check.mistake("""You took mean and spread over all numbers at once. Take both over axis 0, the estimates: the answer is
    [P].""")
def everything_at_once(g: Tensor) -> Tensor:
    return g.mean().abs() / g.std()


@check.mistake("This is one ratio for the length of the whole gradient. The definition is for each parameter: [P].")
def norm_of_the_whole_gradient(g: Tensor) -> Tensor:
    return g.mean(0).norm() / (g - g.mean(0)).norm(dim=1).mean()
