"""02.log_of_mean: log of the mean of all M K weights, with no floor. Shapes: ``[M, K, B] -> [B]``."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from vaecourse import bounds
from vaecourse.checks import slips
from vaecourse.checks.cases import log_weights, uneven
from vaecourse.checks.frame import Check


def wide_log_weights() -> list[tuple[Tensor]]:
    mixed = [(uneven(log_w, (0, 1)),) for (log_w,) in log_weights()]
    return [*log_weights(level=-90.0), *log_weights(level=800.0), *log_weights(level=-900.0), *mixed]


def right(log_w: Tensor) -> Tensor:
    return log_w.logsumexp((0, 1)) - math.log(log_w.shape[0] * log_w.shape[1])


check = Check(
    "02.log_of_mean",
    right,
    praise="Yes. No floor, no overflow, and the value may be as low as the truth.",
    cases=wide_log_weights,
)


check.mistake("""Whatever the data, this value can never fall below log(1e-10) = -23.03. At -90 nats it is the floor
    you report and no estimate, and at +800 it overflows. Use logsumexp.""")(
    partial(slips.floor_under_the_logarithm, over=(0, 1))
)

check.mistake("""The floor is gone, and exp still under- and overflows: log 0 = -inf at -900, inf at +800. Take the
    largest log w out first, or let logsumexp do it.""")(partial(slips.exp_first, over=(0, 1)))

check.mistake("logsumexp is the log of a sum. A mean divides by the number of samples: subtract log(M K).")(
    partial(slips.log_K_missing, over=(0, 1))
)


@check.mistake("You pooled M K samples and divided by K only. Subtract log(M K).")
def log_K_for_log_MK(log_w: Tensor) -> Tensor:
    return log_w.logsumexp((0, 1)) - math.log(log_w.shape[1])


@check.mistake("You pooled M K samples and divided by M only. Subtract log(M K).")
def log_M_for_log_MK(log_w: Tensor) -> Tensor:
    return log_w.logsumexp((0, 1)) - math.log(log_w.shape[0])


@check.mistake("You divided by M K B. Each data point has M K samples of its own: subtract log(M K).")
def batch_counted_as_samples(log_w: Tensor) -> Tensor:
    return log_w.logsumexp((0, 1)) - math.log(log_w.numel())


check.mistake("This is the mean of log w, the ELBO. Asked for is the log of the mean.")(
    partial(slips.mean_of_logs, over=(0, 1))
)


@check.mistake("""You took one log for each of the M estimates and averaged. That is a bound too (chapter 00); here all
    M K samples go under one log.""")
def M_estimates_averaged(log_w: Tensor) -> Tensor:
    return bounds.miwae(log_w)


check.mistake("""You took out a maximum that several data points share. One at -900 beside one at +900 is then 0 after
    exp, and its log -inf. Each has its own: the maximum over the axes 0 and 1.""")(
    partial(slips.one_maximum_for_all, over=(0, 1))
)


@check.mistake("You took the largest log w out before exp and did not add it again after the logarithm.")
def maximum_not_added_again(log_w: Tensor) -> Tensor:
    return right(log_w) - log_w.amax((0, 1))


check.mistake("""Log-weights beyond 700 or -700 were cut off there, so that exp fits a double. Then your limit is what
    you report. Take the largest log w out, or let logsumexp do it.""")(
    partial(slips.log_weights_clipped, right, 700.0)
)


@check.mistake("""A smaller floor is a floor: at -900 you report log(1e-300) = -690.8, and at +800 exp still overflows.
    Take the floor away and use logsumexp.""")
def smaller_floor(log_w: Tensor) -> Tensor:
    return (log_w.double().exp().mean((0, 1)) + 1e-300).log()


@check.mistake("You averaged over B, too: one number. Each data point has M K samples of its own: [B].")
def batch_pooled(log_w: Tensor) -> Tensor:
    return log_w.flatten().logsumexp(0) - math.log(log_w.numel())


check.mistake("""Another floor is a floor: this value can never fall below log(1e-8) = -18.4, and at +800 exp overflows.
    Take it away and use logsumexp.""")(
    slips.turned(slips.floor_under_the_logarithm, "floor_of_1e_8", floor=1e-8, over=(0, 1))
)
