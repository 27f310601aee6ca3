"""02.effective_sample_size: 1 / sum of squared shares, at any size of log w. Shapes: ``[M, K, B] -> [M, B]``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import log_weights, uneven
from vaecourse.checks.frame import Check


def log_weights_of_all_sizes() -> list[tuple[Tensor]]:
    mixed = [(uneven(log_w, 1),) for (log_w,) in log_weights()]
    return [*log_weights(), *log_weights(level=-900.0), *log_weights(level=900.0), *mixed]


check = Check(
    "02.effective_sample_size",
    bounds.effective_sample_size,
    praise="Yes, and it survives log-weights of -900 and +900.",
    cases=log_weights_of_all_sizes,
)


@check.mistake("""The formula is right and the numbers are not: exp(-900) is 0 and exp(900) is inf, so you get 0/0 or
    inf/inf. Subtract the largest log w of each set first (softmax does), which leaves the ratio as it is.""")
def exp_first(log_w: Tensor) -> Tensor:
    return log_w.exp().sum(1).square() / log_w.exp().square().sum(1)


@check.mistake("""You have the fraction upside down: the square of the sum stands above. (And exp of -900 or +900 fails:
    divide by the sum of the weights first, which is what softmax does.)""")
def upside_down(log_w: Tensor) -> Tensor:
    return log_w.exp().square().sum(1) / log_w.exp().sum(1).square()


@check.mistake("""You did not square the sum above the line. A test: multiply all weights by 2. The number of samples
    must not change, and yours halves.""")
def numerator_not_squared(log_w: Tensor) -> Tensor:
    return log_w.exp().sum(1) / log_w.exp().square().sum(1)


@check.mistake("You put log w where w belongs. The ratio is about the weights themselves.")
def log_weights_for_weights(log_w: Tensor) -> Tensor:
    return log_w.sum(1).square() / log_w.square().sum(1)


@check.mistake("""You divided by K. That is a fraction between 1/K and 1; asked for is a number of samples, between 1
    and K.""")
def fraction_of_K(log_w: Tensor) -> Tensor:
    return bounds.effective_sample_size(log_w) / log_w.shape[1]


@check.mistake("You normalised the weights over M. The K samples of one estimate share their weight: the second axis.")
def axis_M_for_K(log_w: Tensor) -> Tensor:
    return bounds.effective_sample_size(log_w.transpose(0, 1))


@check.mistake("This is the sum of the squared shares, between 1/K and 1. The effective sample size is its inverse.")
def square_of_the_sum_missing(log_w: Tensor) -> Tensor:
    return log_w.softmax(1).square().sum(1)


@check.mistake("""This is exp(entropy of the shares), another sensible size. The one asked for is 1 / (sum of squared
    shares), because that is the one chi-square gives.""")
def size_by_entropy(log_w: Tensor) -> Tensor:
    shares = log_w.softmax(1)
    return (-(shares * log_w.log_softmax(1)).sum(1)).exp()


@check.mistake("""You did not square the sum above the line. Multiply all weights by 2: your ratio halves, and the
    number of samples must not change.""")
def a_square_missing(log_w: Tensor) -> Tensor:
    w = (log_w - log_w.amax(1, keepdim=True)).exp()
    return w.sum(1) / w.square().sum(1)


@check.mistake("""You took out a maximum that several sets share. A set at -900 beside one at +900 is then 0 everywhere,
    and 0/0 is NaN. Each set has its own: the maximum over axis 1.""")
def one_maximum_for_all_sets(log_w: Tensor) -> Tensor:
    w = (log_w - log_w.max()).exp()
    return w.sum(1).square() / w.square().sum(1)


check.mistake("""Near -900 and +900 all weights of a set count alike in your answer, and the size is K. Are they cut off
    at a limit? Subtract the largest log w of each set in place of it.""")(
    partial(slips.log_weights_clipped, bounds.effective_sample_size, 300.0)
)


@check.mistake("You put the M sets together. Each of them has its own effective sample size: [M, B].")
def sets_pooled(log_w: Tensor) -> Tensor:
    return bounds.effective_sample_size(log_w.flatten(0, 1).unsqueeze(0)).squeeze(0)


@check.mistake("""You normalised the weights over B, the data points. The K samples of one set share their weight: axis
    1.""")
def shares_over_the_batch(log_w: Tensor) -> Tensor:
    return 1 / log_w.softmax(2).square().sum(1)


@check.mistake("""Two things: the weights are normalised over B, where the K samples of one set share their weight (axis
    1); and the size is not divided by K.""")
def shares_over_the_batch_and_divided_by_K(log_w: Tensor) -> Tensor:
    return shares_over_the_batch(log_w) / log_w.shape[1]


@check.mistake("""This is 1 / (the largest share), or the sum of the weights divided by the largest one. The size asked
    for is 1 / (sum of squared shares): square the weights below the line.""")
def size_by_the_largest_share(log_w: Tensor) -> Tensor:
    return 1 / log_w.softmax(1).amax(1)
