"""The noise of one gradient sample, path and score, against samples by autograd, the rows' moments and each other."""

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact

QS = [(1.3, 0.5), (0.6, 0.0), (2.5, -0.3), (1.0, 0.0)]  # wide and beside, narrow, very wide, the posterior
N = 60_000


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
@pytest.mark.parametrize("width, shift", QS)
def test_it_is_the_variance_of_samples(width, shift, dimensions):
    case = exact.case_with(width, shift)
    mean = -shift / case.model.covariance.item()  # log w is a parabola: the slope of the ELBO is that at q's mean
    for baseline in (0.0, -2.0):
        path, score = sampled(width, shift, dimensions, baseline)
        assert_mean(path, mean)
        assert_mean(score, mean)
        assert_mean((path - mean).square(), exact.path_variance(case).item())
        assert_mean((score - mean).square(), exact.score_variance(case, baseline, dimensions).item())
    assert_not_mean((score - mean).square(), exact.score_variance(case, 5.0, dimensions).item())


@pytest.mark.parametrize("width, shift", QS)
def test_it_agrees_with_the_table_and_the_best_baseline(width, shift):
    case = exact.case_with(width, shift)
    assert exact.path_variance(case).item() == pytest.approx(exact.RowGradients(case).moments("elbo", "mean").variance)
    best = exact.score_variance(case, exact.optimal_baseline(case)).item()
    assert exact.score_variance(case).item() == pytest.approx(best, abs=1e-12)
    for dimensions in (1, 4):
        least = exact.score_variance(case, None, dimensions)
        assert all(exact.score_variance(case, B / 2, dimensions) >= least - 1e-9 for B in range(-60, 10))


def test_at_the_posterior_the_best_score_has_no_noise_and_the_path_has():
    case = exact.case_with(1.0, 0.0)
    assert exact.score_variance(case, None, 20).item() == pytest.approx(0.0, abs=1e-12)
    assert exact.path_variance(case).item() == pytest.approx(1 / case.model.covariance.item())


@pytest.mark.parametrize("shift", [0.0, 0.4, -0.4, 1.0264])
@pytest.mark.parametrize("dimensions", [1, 2, 10, 100])
def test_where_the_score_is_quieter(shift, dimensions):
    found = exact.quieter_by_score(shift, dimensions)
    std = exact.case_with(1.0, 0.0).std.item()

    widths = 0.2 * 1.01 ** torch.arange(350, dtype=torch.float64)[:, None]  # all at once: [350, 1]
    one = exact.case_with(1.0, shift * std)
    case = exact.Case(one.model, one.x.expand(350, 1), one.mean.expand(350, 1), std * widths)
    ahead = exact.score_variance(case, None, dimensions) < exact.path_variance(case)
    low, high = found or (1.0, 1.0)
    assert torch.equal(ahead, ((low < widths) & (widths < high)).flatten())
    alone = exact.case_with(widths[100].item(), shift * std)
    assert exact.score_variance(case, -2.0, dimensions)[100] == exact.score_variance(alone, -2.0, dimensions)[0]


def test_one_dimension_only():
    model = exact.LinearGaussian(torch.eye(2), 0.5)
    case = exact.Case(model, torch.ones(1, 2), torch.zeros(1, 2), torch.ones(1, 2))
    for function in (exact.path_variance, exact.score_variance):
        with pytest.raises(ValueError, match="case must have one latent dimension"):
            function(case)
