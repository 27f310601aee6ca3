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


def per_chunk(draw: Callable[[int], Tensor], K: int, chunk: int) -> tuple[Tensor, Tensor]:
    """The log of each chunk's mean weight, [C, B], and the chunks' sizes, [C, 1]."""
    chunks = [draw(n) for n in sizes(K, chunk)]
    means = torch.stack([log_w.logsumexp(0) - math.log(len(log_w)) for log_w in chunks])
    return means, torch.tensor([[len(log_w)] for log_w in chunks])


def all_at_once(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return torch.cat([draw(n) for n in sizes(K, chunk)])  # [K, B]


@check.mistake("""The value is right. But your last chunk is full, and what is too much was thrown away: it was drawn
    and decoded all the same. Ask for what is left, min(chunk, K - drawn).""")
def more_drawn_than_used(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    log_w = torch.cat([draw(chunk) for _ in range(math.ceil(K / chunk))])
    return log_w[:K].logsumexp(0) - math.log(K)


@check.mistake("""The log of each chunk's mean, and then the mean of these logs. That is MIWAE with a group for each
    chunk: a bound with one chunk under each logarithm, however many you take. All K weights go under one logarithm.""")
def mean_of_the_chunks_logs(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return per_chunk(draw, K, chunk)[0].mean(0)


@check.mistake("""The log of each chunk's mean, and then the mean of these logs, by the chunks' sizes. That is still a
    mean of logarithms, with one chunk under each. All K weights go under one logarithm.""")
def mean_of_the_chunks_logs_by_size(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    means, count = per_chunk(draw, K, chunk)
    return (means * count).sum(0) / K


@check.mistake("""Right where every chunk is full. The last one may be smaller, and here its weights count as much as a
    whole chunk does: you averaged the chunks' means. Keep the *sum*, and divide by K once, at the end.""")
def last_chunk_counts_as_a_full_one(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    means, count = per_chunk(draw, K, chunk)
    return means.logsumexp(0) - math.log(len(count))


@check.mistake("""You subtracted the logarithm of the chunk's size. The sum runs over all K weights: subtract log K,
    once, at the end.""")
def log_of_the_chunk_for_log_K(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return right(draw, K, chunk) + math.log(K) - math.log(chunk)


@check.mistake("This is the log of the sum. A mean is a sum divided by K: subtract log K at the end.")
def log_K_missing(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return right(draw, K, chunk) + math.log(K)


@check.mistake("""You left out the samples that do not fill a chunk, and divided by K all the same. The last chunk has
    what is left, min(chunk, K - drawn).""")
def last_chunk_left_out(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return full_chunks_only(draw, K, chunk) + math.log(K // chunk * chunk) - math.log(K)


@check.mistake("""You left out the samples that do not fill a chunk: the mean is over fewer than K. The last chunk has
    what is left, min(chunk, K - drawn).""")
def full_chunks_only(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    log_w = [draw(chunk) for _ in range(K // chunk)]
    return torch.cat(log_w).logsumexp(0) - math.log(K // chunk * chunk)


@check.mistake("""Your last chunk is full, so more than K samples were drawn, and their sum was divided by K. Ask for
    what is left: min(chunk, K - drawn).""")
def last_chunk_full_and_divided_by_K(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    C = math.ceil(K / chunk)
    return torch.cat([draw(chunk) for _ in range(C)]).logsumexp(0) - math.log(K)


@check.mistake("""Your last chunk is full: you took the mean of more than K weights. Ask for what is left, min(chunk, K
    - drawn).""")
def last_chunk_full(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    C = math.ceil(K / chunk)
    return torch.cat([draw(chunk) for _ in range(C)]).logsumexp(0) - math.log(C * chunk)


@check.mistake("""You counted the last chunk as a full one: the divisor is K, the number of weights that were drawn, and
    not the number of chunks times their size.""")
def last_chunk_counted_as_full(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return right(draw, K, chunk) + math.log(K) - math.log(math.ceil(K / chunk) * chunk)


@check.mistake("""On paper this is right. At log w = -800 every exp is 0 and its log is -inf, at +800 it overflows. Keep
    the logarithm of the sum as you go on, with torch.logaddexp.""")
def exp_first(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return slips.exp_first(all_at_once(draw, K, chunk), over=0)


@check.mistake("""The small number under the logarithm hides the underflow: at log w = -800 you report its logarithm,
    -23, whatever the model. And at +800 exp overflows. Keep the logarithm of the sum, with torch.logaddexp.""")
def floor_under_the_logarithm(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return slips.floor_under_the_logarithm(all_at_once(draw, K, chunk), over=0)


@check.mistake("""The running value starts at 0. That is the logarithm of 1, so one more weight of size 1 is in your
    sum. The logarithm of an empty sum is -inf.""")
def begun_at_0(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    log_w = all_at_once(draw, K, chunk)
    return torch.logaddexp(torch.zeros(()), log_w.logsumexp(0)) - math.log(K)


@check.mistake("""You added the chunks' logarithms up. Logarithms of sums do not add: log(a + b) of log a and log b is
    torch.logaddexp(log a, log b).""")
def logarithms_added(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return torch.stack([draw(n).logsumexp(0) for n in sizes(K, chunk)]).sum(0) - math.log(K)


@check.mistake("""The sum is kept relative to the largest log-weight so far. When a chunk brings a larger one, the old
    sum must shrink by exp(old maximum - new maximum), and yours does not.""")
def old_sum_not_rescaled(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    top, total = torch.tensor(-math.inf), torch.tensor(0.0)
    for n in sizes(K, chunk):
        log_w = draw(n)
        top = torch.maximum(top, log_w.amax(0))
        total = total + (log_w - top).exp().sum(0)
    return top + total.log() - math.log(K)


@check.mistake("""You took out a maximum that all data points share. One at -900 beside one at +900 is then 0 after exp,
    and its log -inf. Each has its own: the maximum over axis 0.""")
def one_maximum_for_all(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return slips.one_maximum_for_all(all_at_once(draw, K, chunk), over=0)


FORGOTTEN = "Does the total so far stand on the right of your line, too?"


@check.mistake(f"""This is the last chunk alone, the log of its mean: what came before is lost. {FORGOTTEN}""")
def last_chunk_only(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return per_chunk(draw, K, chunk)[0][-1]


@check.mistake(f"""This is the last chunk alone, its sum divided by K: what came before is lost. {FORGOTTEN}""")
def last_chunk_only_divided_by_K(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return [draw(n) for n in sizes(K, chunk)][-1].logsumexp(0) - math.log(K)


@check.mistake("""This is the mean of log w, the ELBO, whatever K is. Asked for is the logarithm of the mean weight.""")
def mean_of_logs(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return all_at_once(draw, K, chunk).mean(0)


@check.mistake("""You reduced the axis of the data points. `draw(n)` is [n, B]: the samples are axis 0, and each of
    the B data points has a likelihood of its own.""")
def over_the_batch(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return all_at_once(draw, K, chunk).logsumexp(1) - math.log(K)


@check.mistake("You also averaged over the data points: one number. The judge says [B], one value for each.")
def averaged_over_the_batch(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return right(draw, K, chunk).mean()


@check.mistake("This is minus the answer, the sign of a loss. A log-likelihood goes up when the model gets better.")
def sign_turned_round(draw: Callable[[int], Tensor], K: int, chunk: int) -> Tensor:
    return -right(draw, K, chunk)
