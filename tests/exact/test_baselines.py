"""The score-function gradient's variance against the trapezoidal rule, and against samples of every dimension."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, gradients

QS = [(1.3, 0.5), (2.0, 0.0), (0.4, 0.9), (1.0, 0.0)]


@pytest.mark.parametrize("width, shift", QS)
@pytest.mark.parametrize("baseline", [0.0, -2.0, 1.0])
def test_variance_is_that_of_an_integral(width, shift, baseline):
    case = exact.case_with(width, shift)
    eps = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    mass = torch.exp(-0.5 * eps**2) / math.sqrt(2 * math.pi) * (eps[1] - eps[0])
    log_w, path, score, _ = exact.slopes(case, eps)
    sample = (log_w - baseline) * score
    mean = (mass * sample).sum().item()
    of = exact.ScoreGradient.of(case)
    assert of.mean == pytest.approx(mean, abs=1e-9)
    assert of.variance(baseline) == pytest.approx((mass * sample**2).sum().item() - mean**2)
    assert of.best == pytest.approx(exact.optimal_baseline(case))
    assert of.level == pytest.approx((mass * log_w).sum().item())
    whole = path - score
    assert of.path == pytest.approx((mass * (whole - (mass * whole).sum()) ** 2).sum().item())


@pytest.mark.parametrize("width, shift", QS[:3])
@pytest.mark.parametrize("D, K", [(1, 2), (1, 9), (5, 3), (16, 2)])
def test_leave_one_out_is_that_of_samples(width, shift, D, K):
    case = exact.case_with(width, shift)
    eps = torch.randn(60_000, K, D, generator=torch.Generator().manual_seed(D + K), dtype=torch.float64)
    log_w = exact.log_weights(case, eps).sum(-1, keepdim=True) + 0.7  # [runs, K, 1]
    score = eps[..., :1] / case.std.item()
    of = exact.ScoreGradient.of(case, D, constant=0.7)
    runs = ((log_w - gradients.baseline(log_w, "leave_one_out", score**2)) * score).mean(1)
    assert_mean(runs, of.mean)
    assert_mean(K * (runs - of.mean) ** 2, of.leave_one_out(K))
    assert_not_mean(K * (runs - of.mean) ** 2, 1.2 * of.leave_one_out(K))
    plain = (log_w * score).mean(1)
    assert_mean(K * (plain - of.mean) ** 2, of.variance(0.0))


def test_the_unit_of_x_moves_no_baseline_but_none():
    one, other = (exact.ScoreGradient.of(exact.case_with(1.3, 0.5), constant=c) for c in (0.0, 3.0))
    assert one.leave_one_out(8) == other.leave_one_out(8)
    assert one.variance(one.best) == pytest.approx(other.variance(other.best))
    assert other.variance(0.0) < other.leave_one_out(8) < one.variance(0.0)


def test_what_is_asked_in_vain():
    with pytest.raises(ValueError, match="dimensions must be"):
        exact.ScoreGradient.of(exact.case_with(1.3, 0.5), 0)
    with pytest.raises(ValueError, match="K must be"):
        exact.ScoreGradient.of(exact.case_with(1.3, 0.5)).leave_one_out(1)
