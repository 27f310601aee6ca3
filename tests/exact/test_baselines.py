"""The noise of one gradient sample, by score and by path, against the trapezoidal rule, samples and the rows."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, gradients

QS = [(1.3, 0.5), (2.0, 0.0), (0.4, 0.9), (1.0, 0.0)]
OF_SAMPLES = [(1.3, 0.5), (0.6, 0.0), (2.5, -0.3), (1.0, 0.0)]  # wide and beside, narrow, very wide, the posterior
N = 60_000


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
    assert of.mean.item() == pytest.approx(mean, abs=1e-9)
    assert of.variance(baseline).item() == pytest.approx((mass * sample**2).sum().item() - mean**2)
    assert of.best.item() == pytest.approx(exact.optimal_baseline(case))
    assert of.level.item() == pytest.approx((mass * log_w).sum().item())
    whole = path - score
    assert of.path.item() == pytest.approx((mass * (whole - (mass * whole).sum()) ** 2).sum().item())


@pytest.mark.parametrize("width, shift", QS[:3])
@pytest.mark.parametrize("D, K", [(1, 2), (1, 9), (5, 3), (16, 2)])
def test_leave_one_out_is_that_of_samples(width, shift, D, K):
    case = exact.case_with(width, shift)
    eps = torch.randn(60_000, K, D, generator=torch.Generator().manual_seed(D + K), dtype=torch.float64)
    log_w = exact.log_weights(case, eps).sum(-1, keepdim=True) + 0.7  # [runs, K, 1]
    score = eps[..., :1] / case.std.item()
    of = exact.ScoreGradient.of(case, D, constant=0.7)
    runs = ((log_w - gradients.baseline(log_w, "leave_one_out", score**2)) * score).mean(1)
    mean, left_out = of.mean.item(), of.leave_one_out(K).item()
    assert_mean(runs, mean)
    assert_mean(K * (runs - mean) ** 2, left_out)
    assert_not_mean(K * (runs - mean) ** 2, 1.2 * left_out)
    plain = (log_w * score).mean(1)
    assert_mean(K * (plain - mean) ** 2, of.variance(0.0).item())


def test_the_unit_of_x_moves_no_baseline_but_none():
    one, other = (exact.ScoreGradient.of(exact.case_with(1.3, 0.5), constant=c) for c in (0.0, 3.0))
    assert one.leave_one_out(8) == other.leave_one_out(8)
    assert one.variance(one.best).item() == pytest.approx(other.variance(other.best).item())
    assert other.variance(0.0) < other.leave_one_out(8) < one.variance(0.0)


def test_what_is_asked_in_vain():
    with pytest.raises(ValueError, match="dimensions must be"):
        exact.ScoreGradient.of(exact.case_with(1.3, 0.5), 0)
    with pytest.raises(ValueError, match="K must be"):
        exact.ScoreGradient.of(exact.case_with(1.3, 0.5)).leave_one_out(1)


# Samples of any dimension, by both routes ----------------------------------------------------------------------------


def best_of(case, dimensions=1):
    """The score's variance with its best baseline."""
    of = exact.ScoreGradient.of(case, dimensions)
    return of.variance(of.best)


def sampled(width, shift, dimensions, baseline):
    """N samples of the gradient by the first mean: by the path (autograd) and by the score, of L dimensions."""
    case = exact.case_with(width, shift)
    model = exact.LinearGaussian(1.5 * torch.eye(dimensions, dtype=torch.float64), 0.7)
    draw = torch.Generator().manual_seed(7)
    eps = torch.randn(N, dimensions, generator=draw, dtype=torch.float64)
    mean, std = (part.expand(N, dimensions) for part in (case.mean, case.std))
    x = case.x.expand(N, dimensions)
    mean = mean.clone().requires_grad_()
    z = mean + std * eps
    log_w = model.log_joint(x, z) - torch.distributions.Normal(mean, std).log_prob(z).sum(-1)
    path = torch.autograd.grad(log_w.sum(), mean)[0][:, 0]
    return path, (log_w.detach() - baseline) * (eps[:, 0] / case.std.item())


@pytest.mark.parametrize("dimensions", [1, 3])
@pytest.mark.parametrize("width, shift", OF_SAMPLES)
def test_it_is_the_variance_of_samples(width, shift, dimensions):
    case = exact.case_with(width, shift)
    mean = -shift / case.model.covariance.item()  # log w is a parabola: the slope of the ELBO is that at q's mean
    for baseline in (0.0, -2.0):
        path, score = sampled(width, shift, dimensions, baseline)
        assert_mean(path, mean)
        assert_mean(score, mean)
        assert_mean((path - mean).square(), exact.ScoreGradient.of(case).path.item())
        assert_mean((score - mean).square(), exact.ScoreGradient.of(case, dimensions).variance(baseline).item())
    assert_not_mean((score - mean).square(), exact.ScoreGradient.of(case, dimensions).variance(5.0).item())


@pytest.mark.parametrize("width, shift", OF_SAMPLES)
def test_it_agrees_with_the_table_and_the_best_baseline(width, shift):
    case = exact.case_with(width, shift)
    assert exact.ScoreGradient.of(case).path.item() == pytest.approx(
        exact.RowGradients(case).moments("elbo", "mean").variance
    )
    best = exact.ScoreGradient.of(case).variance(exact.optimal_baseline(case)).item()
    assert best_of(case).item() == pytest.approx(best, abs=1e-12)
    for dimensions in (1, 4):
        least = best_of(case, dimensions)
        assert all(exact.ScoreGradient.of(case, dimensions).variance(B / 2) >= least - 1e-9 for B in range(-60, 10))


def test_at_the_posterior_the_best_score_has_no_noise_and_the_path_has():
    case = exact.case_with(1.0, 0.0)
    assert best_of(case, 20).item() == pytest.approx(0.0, abs=1e-12)
    assert exact.ScoreGradient.of(case).path.item() == pytest.approx(1 / case.model.covariance.item())


@pytest.mark.parametrize("shift", [0.0, 0.4, -0.4, 1.0264])
@pytest.mark.parametrize("dimensions", [1, 2, 10, 100])
def test_where_the_score_is_quieter(shift, dimensions):
    found = exact.quieter_by_score(shift, dimensions)
    std = exact.case_with(1.0, 0.0).std.item()

    widths = 0.2 * 1.01 ** torch.arange(350, dtype=torch.float64)[:, None]  # all at once: [350, 1]
    one = exact.case_with(1.0, shift * std)
    case = exact.Case(one.model, one.x.expand(350, 1), one.mean.expand(350, 1), std * widths)
    ahead = best_of(case, dimensions) < exact.ScoreGradient.of(case).path
    low, high = found or (1.0, 1.0)
    assert torch.equal(ahead, ((low < widths) & (widths < high)).flatten())
    alone = exact.case_with(widths[100].item(), shift * std)
    assert (
        exact.ScoreGradient.of(case, dimensions).variance(-2.0)[100]
        == exact.ScoreGradient.of(alone, dimensions).variance(-2.0)[0]
    )


def test_one_dimension_only():
    model = exact.LinearGaussian(torch.eye(2), 0.5)
    case = exact.Case(model, torch.ones(1, 2), torch.zeros(1, 2), torch.ones(1, 2))
    with pytest.raises(ValueError, match="case must have one latent dimension"):
        exact.ScoreGradient.of(case)
