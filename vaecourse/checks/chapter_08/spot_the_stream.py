"""08.spot_the_stream: log p(x) from parts that fit into memory. Shapes: parts of ``[k, B] -> [B]``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.frame import Check

Parts = list[Tensor]


def bound_of_each(parts: Parts) -> Tensor:
    """The bound of every part by itself, ``[parts, B]``."""
    return torch.stack([part.logsumexp(0) - math.log(len(part)) for part in parts])


def sizes(parts: Parts) -> Tensor:
    return torch.tensor([float(len(part)) for part in parts])[:, None]


def in_parts(sizes: tuple[int, ...], B: int, seed: int, level: float) -> Parts:
    return [2 * normal(K, B, seed=seed + i) + level for i, K in enumerate(sizes)]


def right(parts: Parts) -> Tensor:
    return torch.cat(parts).logsumexp(0) - math.log(sum(len(part) for part in parts))


check = Check(
    "08.spot_the_stream",
    right,
    praise="One logarithm over all samples, whatever fits into memory at a time: evaluate.log_likelihood does this.",
    cases=lambda: [
        (in_parts((8, 8, 3), 5, 51, -24.0),),
        (in_parts((4, 4, 4, 4, 1), 3, 61, -800.0),),
        (in_parts((6,), 4, 71, -20.0),),
        ([uneven(part, 0) for part in in_parts((5, 5, 2), 3, 81, 0.0)],),
        ([part + level for part, level in zip(in_parts((4, 4, 3), 2, 91, 0.0), (-900.0, 0.0, -900.0))],),
    ],
)


@check.mistake("""This is the code as it stood, or does the same. It is a mean of logarithms: 50 bounds of 100 samples
    are L_100 with little noise, not L_5000. Add the *weights* of all parts up, and take one logarithm.""")
def mean_of_the_bounds(parts: Parts) -> Tensor:
    return bound_of_each(parts).mean(0)


@check.mistake("""The short part counts less now. But it is still a mean of logarithms: no part ever meets another under
    one logarithm.""")
def weighted_mean_of_the_bounds(parts: Parts) -> Tensor:
    return (bound_of_each(parts) * sizes(parts)).sum(0) / sizes(parts).sum()


@check.mistake("""One logarithm, good. But every part was divided by its own size first, so that the samples of the
    short last part count more than others. Divide once, at the end, by the number of all samples.""")
def all_parts_count_the_same(parts: Parts) -> Tensor:
    return bound_of_each(parts).logsumexp(0) - math.log(len(parts))


@check.mistake("""You carry the mean so far, and halve its sum with the next part. Then the last part weighs as much as
    all before it. Carry the *sum* of the weights, and divide once at the end.""")
def half_and_half(parts: Parts) -> Tensor:
    total, *others = bound_of_each(parts)
    for each in others:
        total = torch.logaddexp(total, each) - math.log(2)
    return total


@check.mistake("You kept the part with the largest value. A maximum over estimates is biased upwards: use every part.")
def largest_of_the_parts(parts: Parts) -> Tensor:
    return bound_of_each(parts).amax(0)


@check.mistake("Only the first part is used. The estimate must use every sample that was asked for.")
def first_part_only(parts: Parts) -> Tensor:
    return bound_of_each(parts)[0]


@check.mistake("The sum is right. Subtract the logarithm of the number of all samples: a mean of weights is needed.")
def log_K_missing(parts: Parts) -> Tensor:
    return torch.cat(parts).logsumexp(0)


@check.mistake("You divided by the number of parts. Divide by the number of samples in all of them.")
def log_of_the_number_of_parts(parts: Parts) -> Tensor:
    return torch.cat(parts).logsumexp(0) - math.log(len(parts))


@check.mistake("""You took every part to be as long as the first. The last one is shorter whenever the size does not
    divide K.""")
def size_of_the_first_part_times_the_parts(parts: Parts) -> Tensor:
    return torch.cat(parts).logsumexp(0) - math.log(len(parts) * len(parts[0]))


@check.mistake("Only the last part is left. The estimate must use every sample that was asked for.")
def last_part_only(parts: Parts) -> Tensor:
    return bound_of_each(parts)[-1]


@check.mistake("This is the mean of all log-weights, the ELBO: there is no logarithm of a mean here.")
def mean_of_logs(parts: Parts) -> Tensor:
    return torch.cat(parts).mean(0)


@check.mistake("""The formula is right, but exp(-800) is 0 in a computer, and its log is -inf. Use logsumexp or
    logaddexp.""")
def exp_first(parts: Parts) -> Tensor:
    return torch.cat(parts).exp().mean(0).log()


@check.mistake("You left the shorter last part out. The estimate must use every sample that was asked for.")
def shorter_part_left_out(parts: Parts) -> Tensor:
    return right([part for part in parts if len(part) == len(parts[0])])


@check.mistake("""One logarithm, good. But it is that of a sum of means, one of each part. Add the parts' sums up, and
    divide once, by the number of all samples.""")
def means_of_the_parts_summed(parts: Parts) -> Tensor:
    return bound_of_each(parts).logsumexp(0)


@check.mistake("""Two things: this is a mean of logarithms, one of each part, and they are those of sums. Add all the
    weights up, take one logarithm, and divide under it by the number of all samples.""")
def mean_of_the_logs_of_sums(parts: Parts) -> Tensor:
    return torch.stack([part.logsumexp(0) for part in parts]).mean(0)


@check.mistake("""One maximum was taken out of the whole tensor. A column far below it has only zeros left: one maximum
    for each data point, which is what logsumexp(0) does.""")
def one_maximum_for_all(parts: Parts) -> Tensor:
    return slips.one_maximum_for_all(torch.cat(parts), 0)
