"""02.effective_sample_size: 1 / sum of squared shares, at any size of log w. Shapes: ``[M, K, B] -> [M, B]``."""

from __future__ import annotations

from torch import Tensor

from vaecourse import bounds
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
