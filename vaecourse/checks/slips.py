"""Slips that several exercises know. What its author is told, each exercise says for itself.

The first are about log-weights: ``over`` is the axis, or are the axes, whose mean weight goes under the logarithm, and
the logarithms are averaged over the axis ``then``. The others make a wrong answer of the right one. An exercise binds
what they need, ``partial(slips.exp_first, over=1, then=0)``, and the name stays. Some compute the same under two names:
what went wrong differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

Axes = int | tuple[int, ...]


def _count(log_w: Tensor, over: Axes) -> int:
    return math.prod(log_w.shape[axis] for axis in ([over] if isinstance(over, int) else over))


def _log_count(log_w: Tensor, over: Axes) -> float:
    return math.log(_count(log_w, over))


def _then(value: Tensor, axis: int | None) -> Tensor:
    return value if axis is None else value.mean(axis)


# Of a log of a mean of weights


def mean_of_logs(log_w: Tensor, over: Axes) -> Tensor:
    return log_w.mean(over)


def log_K_missing(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over), then)


def log_K_added(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over) + _log_count(log_w, over), then)


def K_subtracted_for_log_K(log_w: Tensor, over: int) -> Tensor:
    return log_w.logsumexp(over) - log_w.shape[over]


def logarithm_divided_by_K(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over) / _count(log_w, over), then)


def base_2(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over) - _log_count(log_w, over) / math.log(2), then)


def over_another_axis(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over) - _log_count(log_w, over), then)


def another_axis_counted(log_w: Tensor, over: Axes, counted: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over) - _log_count(log_w, counted), then)


def another_axis_summed(log_w: Tensor, over: Axes, counted: Axes, then: int | None = None) -> Tensor:
    return another_axis_counted(log_w, over, counted, then)


def estimates_summed(log_w: Tensor, over: int, then: int) -> Tensor:
    return over_another_axis(log_w, over).sum(then)


def estimates_kept(log_w: Tensor, over: int) -> Tensor:
    return over_another_axis(log_w, over)


def exp_first(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return _then(log_w.exp().mean(over).log(), then)


def floor_under_the_logarithm(log_w: Tensor, over: Axes, then: int | None = None, floor: float = 1e-10) -> Tensor:
    return _then((log_w.exp().mean(over) + floor).log(), then)


def weighted_by_the_weights(log_w: Tensor, over: int, then: int | None = None) -> Tensor:
    return _then((log_w.softmax(over) * log_w).sum(over), then)


# Of any answer, made of the right one


def turned(right: Callable[..., Any], name: str, **settings: Any) -> Callable[..., Any]:
    """A mistake of this name: the right answer with other settings."""

    def slip(*case: Any) -> Any:
        return right(*case, **settings)

    slip.__name__ = name
    return slip


def sign_turned_round(right: Callable[..., Any], *case: Any) -> Any:
    result = right(*case)
    return tuple(-part for part in result) if isinstance(result, tuple) else -result


def order_turned_round(right: Callable[..., Any], *case: Any) -> Any:
    result = right(*case)
    return result[::-1] if isinstance(result, tuple) else result.flip(0)


def worst_counts_most(right: Callable[..., Any], log_w: Tensor, *rest: Any) -> Any:
    return right(-log_w, *rest)


def divided_by_K(right: Callable[..., Tensor], log_w: Tensor, *rest: Any) -> Tensor:
    return right(log_w, *rest) / len(log_w)


def averaged_over_the_batch(right: Callable[..., Tensor], *case: Any) -> Tensor:
    return right(*case).mean()


def summed_over_the_batch(right: Callable[..., Tensor], *case: Any) -> Tensor:
    return right(*case).sum()


def not_a_logarithm(right: Callable[..., Tensor], *case: Any) -> Tensor:
    return right(*case).exp()


def rounded_down(right: Callable[..., float], *case: float) -> int:
    return math.floor(right(*case))


def rounded(right: Callable[..., float], *case: float) -> int:
    return round(right(*case))


def a_value(name: str, value: float) -> Callable[[], float]:
    """A mistake of this name where the answer is a value."""

    def slip() -> float:
        return value

    slip.__name__ = name
    return slip


# Of logs of means and of shares, where exp comes too early or a number is set by hand


def one_maximum_for_all(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    """Safe against underflow at one level; two levels need a maximum each."""
    top = log_w.max()
    return _then(top + (log_w - top).exp().mean(over).log(), then)


def exp_first_in_double(log_w: Tensor, over: Axes, then: int | None = None) -> Tensor:
    return exp_first(log_w.double(), over, then)


def a_fixed_count(log_w: Tensor, over: Axes, count: int, then: int | None = None) -> Tensor:
    return _then(log_w.logsumexp(over) - math.log(count), then)


def log_weights_clipped(right: Callable[..., Tensor], limit: float, log_w: Tensor) -> Tensor:
    return right(log_w.clamp(-limit, limit))


def shares_exp_first(log_w: Tensor, over: Axes) -> Tensor:
    return log_w.exp() / log_w.exp().sum(over, keepdim=True)


def shares_of_one_maximum(log_w: Tensor, over: Axes) -> Tensor:
    return shares_exp_first(log_w - log_w.max(), over)
