"""The numbers behind lab "06.explode": against the package's exact toy, and by sampling."""

import math

import pytest
import torch

from tests.stats import assert_mean
from vaecourse import exact, labs
from vaecourse.labs import explode

LAB = explode.ExplodeLab()


@pytest.mark.parametrize("tau", [0.1, 0.3, 0.7, 2.0])
def test_without_a_floor_it_is_the_packages_toy(tau):
    now, right = explode.burst(tau), exact.exploding_latent_space(torch.tensor([tau], dtype=torch.float64))
    for found, need in (
        (now.reconstruction, right.reconstruction), (now.rate, right.rate), (now.elbo, right.elbo),
        (now.log_likelihood, right.log_likelihood), (now.gap, right.posterior_kl),
        (now.information, right.mutual_information), (now.marginal, right.aggregate_kl),
    ):  # fmt: skip
        assert found == pytest.approx(need.item(), abs=1e-8)


@pytest.mark.parametrize("tau, floor", [(0.4, 0.0), (0.4, 0.5), (1.5, 0.2)])
def test_terms_by_sampling(tau, floor):
    """At x = 1; by symmetry x = -1 has the same terms."""
    now = explode.burst(tau, floor)
    assert now.noise >= floor
    z = 1 + tau * torch.randn(200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_normal = lambda a, mean, sd: -0.5 * ((a - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)
    log_q = log_normal(z, 1, tau)
    log_aggregate = torch.logaddexp(log_q, log_normal(z, -1, tau)) - math.log(2)
    assert_mean(log_normal(torch.ones_like(z), z.sign(), now.noise), now.reconstruction)
    assert_mean(log_q - log_normal(z, 0, 1), now.rate)
    assert_mean(log_q - log_aggregate, now.information)
    assert_mean(log_aggregate - log_normal(z, 0, 1), now.marginal)
    prior = torch.randn(200_000, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert_mean(log_normal(torch.ones_like(z), prior.sign(), now.noise).exp(), math.exp(now.log_likelihood))


def test_the_bound_has_no_top_and_lambda_and_noise_give_it_one():
    burst = LAB.compute(tau=0.1, lam=1.0, floor=0.0)
    assert burst.curves[1].argmax() == len(burst.curves[1]) - 1 and burst.now.gap > 1.5
    held = LAB.compute(tau=0.1, lam=10.0, floor=0.2)
    best = held.curves[0][held.curves[1].argmax()]
    assert 0.5 < best < 0.9
    assert held.objective == pytest.approx(held.now.elbo - 9 * held.now.marginal)


def test_objective_at_lambda_one_is_the_elbo():
    data = LAB.compute(tau=0.5, lam=1.0, floor=0.0)
    assert data.objective == data.now.elbo and data.curves.shape[0] == 4 and data.curves[0][-1] == 0.5


def test_live():
    lab = labs.ALL["06.explode"]()
    assert "τ = 0.70" in lab.sentence.value
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
    lab.apply("τ = 0.1: burst")
    assert "ELBO 9.27" in lab.sentence.value
    lab.reset()
    assert lab.settings == {"tau": 0.7, "lam": 1.0, "floor": 0.0}
