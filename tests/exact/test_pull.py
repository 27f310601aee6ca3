"""Where L_K pulls q: against finite differences of the exact bound, against samples, and against the closed ELBO."""

import math

import pytest
import torch

from tests.stats import assert_mean
from vaecourse import bounds, exact
from vaecourse.exact import Pull, case_with

QS = [(1.3, 0.5), (0.6, 0.3), (2.4, 0.0), (1.0, 1.0), (0.4, 0.0)]  # width in posterior widths, shift


@pytest.mark.parametrize("width, shift", QS)
@pytest.mark.parametrize("K", [1, 2, 8, 64, 1024])
def test_it_is_the_slope_of_the_exact_bound(width, shift, K):
    pull, h, s = Pull(case_with(width, shift)).at(K), 1e-4, case_with(1.0, 0.0).std.item()
    bound = lambda width, shift: exact.WeightLaw.of(case_with(width, shift)).lower(K).item()
    assert pull[0] == pytest.approx((bound(width, shift + h) - bound(width, shift - h)) / (2 * h), abs=2e-4)
    assert pull[1] == pytest.approx((bound(width + h, shift) - bound(width - h, shift)) / (2 * h * s), abs=2e-4)


@pytest.mark.parametrize("width, shift", QS[:4])
def test_it_is_the_mean_of_sampled_gradients(width, shift):
    case, N, K = case_with(width, shift), 40_000, 6
    mean, std = case.mean.repeat(N, 1).requires_grad_(), case.std.repeat(N, 1).requires_grad_()
    log_w = case.model.log_weights(case.x.repeat(N, 1), mean, std, 1, K, torch.Generator().manual_seed(3))
    by_mean, by_std = torch.autograd.grad(bounds.iwae(log_w).sum(), (mean, std))
    pull = Pull(case).at(K)
    assert_mean(by_mean.flatten(), pull[0])
    assert_mean(by_std.flatten(), pull[1])


@pytest.mark.parametrize("width, shift", QS)
def test_it_agrees_with_the_rows(width, shift):
    rows, pull = exact.RowGradients(case_with(width, shift)), Pull(case_with(width, shift), points=201)
    for K in (1, 3, 100):
        for at, parameter in zip(pull.at(K), ("mean", "std")):
            assert at == pytest.approx(rows.mean("iwae", parameter, K=K), abs=1e-4)


def test_one_sample_is_the_elbo_and_the_posterior_is_at_rest():
    s = case_with(1.0, 0.0).std.item()
    by_mean, by_std = Pull(case_with(2.0, 0.3)).at(1)
    assert by_mean == pytest.approx(-0.3 / s**2) and by_std == pytest.approx((0.5 - 2.0) / s)
    for K in (1, 10, 1000):
        assert Pull(case_with(1.0, 0.0)).at(K) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_many_samples_pull_down_the_chi_square():
    case = case_with(1.3, 0.5)
    mean, std = case.mean.clone().requires_grad_(), case.std.clone().requires_grad_()
    slopes = torch.autograd.grad(case.model.chi_squared(case.x, mean, std).sum(), (mean, std))
    K = 20_000
    for at, slope in zip(Pull(case).at(K), slopes):
        assert K * at == pytest.approx(-slope.item() / 2, rel=2e-3)


def test_the_angle_to_the_elbo():
    pull = Pull(case_with(1.0, 0.5))
    assert pull.angle_to_elbo(1) == pytest.approx(0.0, abs=1e-6)
    (a, b), (c, d) = pull.at(1), pull.at(64)
    cosine = (a * c + b * d) / math.hypot(a, b) / math.hypot(c, d)
    assert pull.angle_to_elbo(64) == pytest.approx(math.degrees(math.acos(cosine)))
    assert 55 < pull.angle_to_elbo(64) < 65


def test_refusals():
    with pytest.raises(ValueError, match="K must be at least 1, got 0"):
        Pull(case_with(1.0, 0.0)).at(0)
    with pytest.raises(ValueError, match="points must be at least"):
        Pull(case_with(400.0, 0.0))
