"""The law of the weight of a shifted q: against draws in many dimensions, and against what is known of it."""

import math

import pytest
import torch

from vaecourse.exact import shifted_law


@pytest.mark.parametrize("D, shift", [(1, 0.5), (9, 0.5), (50, 0.2)])
@pytest.mark.parametrize("K", [1, 8, 64])
def test_draws_in_d_dimensions_have_it(D, shift, K):
    N = 4000
    z = shift + torch.randn(N, K, D, generator=torch.Generator().manual_seed(K), dtype=torch.float64)
    log_w = (-0.5 * z.square() + 0.5 * (z - shift).square()).sum(-1)
    runs = log_w.logsumexp(1) - math.log(K)
    law = shifted_law(shift * math.sqrt(D))
    assert abs(runs.mean() - law.lower(K)) < 4 * runs.std() / N**0.5


@pytest.mark.parametrize("away", [0.0, 0.3, 2.0, 6.0, 10.0])
def test_its_mean_its_kl_and_its_rate(away):
    law = shifted_law(away)
    assert law.log_mean.item() == pytest.approx(0.0, abs=1e-9)
    assert law.lower(1).item() == pytest.approx(-0.5 * away**2, abs=1e-6)
    assert law.upper(0).item() == pytest.approx(0.5 * away**2, abs=1e-6)
    if away < 1:
        K = 10_000
        assert -2 * K * law.lower(K).item() == pytest.approx(math.expm1(away**2), rel=0.01, abs=1e-6)


@pytest.mark.parametrize("away", [-0.1, math.nan, math.inf])
def test_refusals(away):
    with pytest.raises(ValueError, match="away must"):
        shifted_law(away)
