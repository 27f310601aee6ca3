"""02.log_likelihood: log of the mean of K weights, in chunks; ``draw(n)``: log-weights ``[n, B]`` -> ``[B]``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal, uneven
from vaecourse.checks.effects import CheckOfEffects


class Draw:
    """Hands out the log-weights of a table, ``n`` rows a call, and never more than a chunk at once."""

    def __init__(self, log_w: Tensor, chunk: int) -> None:
        self.log_w, self.chunk, self.at = log_w, chunk, 0

    def __call__(self, n: int) -> Tensor:
        if n > self.chunk:
            raise ValueError(f"{n} samples were asked for at once; the memory holds {self.chunk}")
        self.at += n
        return self.log_w[self.at - n : self.at]


def case(K: int, chunk: int, B: int, level: float, seed: int, mixed: bool = False) -> tuple[Draw, int, int]:
    log_w = 1.5 * normal(2 * K + chunk, B, seed=seed).double() + level  # more rows than are to be asked for
    return Draw(uneven(log_w, 0) if mixed else log_w, chunk), K, chunk


def sizes(K: int, chunk: int) -> Iterator[int]:
    """Of the chunks: the last one is what is left."""
    return (min(chunk, K - start) for start in range(0, K, chunk))


def right(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    total = torch.tensor(-math.inf)
    for n in sizes(K, chunk):
        total = torch.logaddexp(total, draw(n).logsumexp(0))
    return total - math.log(K)


def watched(answer: Callable[..., object], draw: Draw, K: int, chunk: int) -> dict[str, object]:
    """What is returned, and of how many samples."""
    return {"the answer": answer(draw, K, chunk), "the number of samples that were drawn": draw.at}


check = CheckOfEffects(
    "02.log_likelihood",
    right,
    praise="All K weights under one logarithm, and log K once, at the end. Where you carry a running sum and keep no "
    "chunk, any number of samples fits into the memory of one.",
    watched=watched,
    cases=lambda: [
        case(10, 4, 3, -3.0, seed=81),
        case(12, 3, 2, -90.0, seed=82),
        case(9, 5, 4, -800.0, seed=83),
        case(11, 4, 2, 800.0, seed=84),
        case(6, 6, 3, -20.0, seed=85),  # one chunk
        case(10, 4, 6, 0.0, seed=86, mixed=True),
    ],
)


def full_chunks(K: int, chunk: int) -> int:
    """How many samples there are without those that do not fill a chunk."""
    return K // chunk * chunk


def last_one_full(K: int, chunk: int) -> int:
    return math.ceil(K / chunk) * chunk


def log_sum(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(0)


def log_mean(log_w: Tensor) -> Tensor:
    return log_sum(log_w) - math.log(len(log_w))


def each(log_w: Tensor, chunk: int, of: Callable[[Tensor], Tensor] = log_mean) -> Tensor:
    """Of each chunk the log of its mean weight, or something else: ``[C, B]``."""
    return torch.stack([of(part) for part in log_w.split(chunk)])


def old_sum_not_rescaled(log_w: Tensor, K: int, chunk: int) -> Tensor:
    tops = each(log_w, chunk, lambda part: part.amax(0)).cummax(0).values  # the largest so far: [C, B]
    sums = [(part - top).exp().sum(0) for part, top in zip(log_w.split(chunk), tops)]
    return tops[-1] + torch.stack(sums).sum(0).log() - math.log(K)


def wrong(
    name: str, of: Callable[[Tensor, int, int], Tensor], drawn: Callable[[int, int], int] = lambda K, chunk: K
) -> Callable[[str], None]:
    """``of(log_w, K, chunk)`` is the answer, of the log-weights of all samples that were drawn, K or another number."""

    def answer(draw: Draw, K: int, chunk: int) -> Tensor:
        return of(torch.cat([draw(n) for n in sizes(drawn(K, chunk), chunk)]), K, chunk)

    return check.slip(name, answer)


wrong("more drawn than used", lambda log_w, K, chunk: log_mean(log_w[:K]), last_one_full)("""
    The value is right. But your last chunk is full, and what is too much was thrown away: it was drawn and decoded all
    the same. Ask for what is left, min(chunk, K - drawn).""")
wrong("mean of the chunks logs", lambda log_w, K, chunk: each(log_w, chunk).mean(0))("""
    The log of each chunk's mean, and then the mean of these logs. That is MIWAE with a group for each chunk: a bound
    with one chunk under each logarithm, however many you take. All K weights go under one logarithm.""")
wrong(
    "mean of the chunks logs by size",
    lambda log_w, K, chunk: each(log_w, chunk, lambda part: len(part) * log_mean(part)).sum(0) / K,
)("""
    The log of each chunk's mean, and then the mean of these logs, by the chunks' sizes. That is still a mean of
    logarithms, with one chunk under each. All K weights go under one logarithm.""")
wrong("last chunk counts as a full one", lambda log_w, K, chunk: log_mean(each(log_w, chunk)))("""
    Right where every chunk is full. The last one may be smaller, and here its weights count as much as a whole chunk
    does: you averaged the chunks' means. Keep the *sum*, and divide by K once, at the end.""")
wrong("log of the chunk for log K", lambda log_w, K, chunk: log_sum(log_w) - math.log(chunk))("""
    You subtracted the logarithm of the chunk's size. The sum runs over all K weights: subtract log K, once, at the
    end.""")
wrong("log K missing", lambda log_w, K, chunk: log_sum(log_w))(
    "This is the log of the sum. A mean is a sum divided by K: subtract log K at the end."
)
wrong("last chunk left out", lambda log_w, K, chunk: log_sum(log_w) - math.log(K), full_chunks)("""
    You left out the samples that do not fill a chunk, and divided by K all the same. The last chunk has what is left,
    min(chunk, K - drawn).""")
wrong("full chunks only", lambda log_w, K, chunk: log_mean(log_w), full_chunks)("""
    You left out the samples that do not fill a chunk: the mean is over fewer than K. The last chunk has what is left,
    min(chunk, K - drawn).""")
wrong("last chunk full and divided by K", lambda log_w, K, chunk: log_sum(log_w) - math.log(K), last_one_full)("""
    Your last chunk is full, so more than K samples were drawn, and their sum was divided by K. Ask for what is left:
    min(chunk, K - drawn).""")
wrong("last chunk full", lambda log_w, K, chunk: log_mean(log_w), last_one_full)(
    "Your last chunk is full: you took the mean of more than K weights. Ask for what is left, min(chunk, K - drawn)."
)
wrong("last chunk counted as full", lambda log_w, K, chunk: log_sum(log_w) - math.log(last_one_full(K, chunk)))("""
    You counted the last chunk as a full one: the divisor is K, the number of weights that were drawn, and not the
    number of chunks times their size.""")
wrong("exp first", lambda log_w, K, chunk: slips.exp_first(log_w, 0))("""
    On paper this is right. At log w = -800 every exp is 0 and its log is -inf, at +800 it overflows. Keep the logarithm
    of the sum as you go on, with torch.logaddexp.""")
wrong("floor under the logarithm", lambda log_w, K, chunk: slips.floor_under_the_logarithm(log_w, 0))("""
    The small number under the logarithm hides the underflow: at log w = -800 you report its logarithm, -23, whatever
    the model. And at +800 exp overflows. Keep the logarithm of the sum, with torch.logaddexp.""")
wrong("begun at 0", lambda log_w, K, chunk: torch.logaddexp(torch.zeros(()), log_sum(log_w)) - math.log(K))("""
    The running value starts at 0. That is the logarithm of 1, so one more weight of size 1 is in your sum. The
    logarithm of an empty sum is -inf.""")
wrong(
    "logarithms added",
    lambda log_w, K, chunk: each(log_w, chunk, log_sum).sum(0) - math.log(K),
)("""
    You added the chunks' logarithms up. Logarithms of sums do not add: log(a + b) of log a and log b is
    torch.logaddexp(log a, log b).""")
wrong("old sum not rescaled", old_sum_not_rescaled)("""
    The sum is kept relative to the largest log-weight so far. When a chunk brings a larger one, the old sum must shrink
    by exp(old maximum - new maximum), and yours does not.""")
wrong("one maximum for all", lambda log_w, K, chunk: slips.one_maximum_for_all(log_w, 0))("""
    You took out a maximum that all data points share. One at -900 beside one at +900 is then 0 after exp, and its log
    -inf. Each has its own: the maximum over axis 0.""")
FORGOTTEN = "Does the total so far stand on the right of your line, too?"
wrong("last chunk only", lambda log_w, K, chunk: log_mean(log_w.split(chunk)[-1]))(
    f"This is the last chunk alone, the log of its mean: what came before is lost. {FORGOTTEN}"
)
wrong("last chunk only divided by K", lambda log_w, K, chunk: log_sum(log_w.split(chunk)[-1]) - math.log(K))(
    f"This is the last chunk alone, its sum divided by K: what came before is lost. {FORGOTTEN}"
)
wrong("mean of logs", lambda log_w, K, chunk: log_w.mean(0))(
    "This is the mean of log w, the ELBO, whatever K is. Asked for is the logarithm of the mean weight."
)
wrong("over the batch", lambda log_w, K, chunk: log_w.logsumexp(1) - math.log(K))("""
    You reduced the axis of the data points. `draw(n)` is [n, B]: the samples are axis 0, and each of the B data points
    has a likelihood of its own.""")
wrong("averaged over the batch", lambda log_w, K, chunk: log_mean(log_w).mean())(
    "You also averaged over the data points: one number. The judge says [B], one value for each."
)
wrong("sign turned round", lambda log_w, K, chunk: -log_mean(log_w))(
    "This is minus the answer, the sign of a loss. A log-likelihood goes up when the model gets better."
)
