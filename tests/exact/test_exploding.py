"""The exploding latent space with a least noise: its terms written out once more in numpy, and by sampling."""

import math

import numpy as np
import pytest
import torch
from scipy.special import log_ndtr

from tests.stats import assert_mean
from vaecourse import exact


def terms(tau, floor=0.0):
    """The exact terms at one tau, as numbers."""
    found = exact.exploding_latent_space(torch.tensor([tau], dtype=torch.float64), floor)
    return exact.Exploding(*(term.item() for term in found))


def written_out(tau, floor):
    s = max(math.exp(-1 / (8 * tau**2)), floor)
    log_normal = -0.5 * math.log(2 * math.pi) - math.log(s)
    eps = np.linspace(-9, 9, 2001)
    mass = np.exp(-0.5 * eps**2) / math.sqrt(2 * math.pi) * (eps[1] - eps[0])
    other = -2 / tau**2 - 2 * eps / tau  # log of q(z | -x) / q(z | x) at z = x + tau eps, for x = 1
    reconstruction = log_normal - math.exp(log_ndtr(-1 / tau)) * 4 / (2 * s**2)
    rate = 0.5 * tau**2 - math.log(tau)
    log_likelihood = log_normal - math.log(2) + math.log1p(math.exp(-2 / s**2))
    information = math.log(2) - mass @ np.logaddexp(0, other)
    elbo = reconstruction - rate
    return elbo, reconstruction, rate, log_likelihood, log_likelihood - elbo, information, rate - information


@pytest.mark.parametrize("floor", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("tau", [0.1, 0.3, 0.7, 2.0])
def test_every_term_is_what_it_is_written_out(tau, floor):
    for found, need in zip(terms(tau, floor), written_out(tau, floor)):
        assert found == pytest.approx(need, abs=1e-8)


@pytest.mark.parametrize("tau, floor", [(0.4, 0.0), (0.4, 0.5), (1.5, 0.2)])
def test_terms_by_sampling(tau, floor):
    """At x = 1; by symmetry x = -1 has the same terms."""
    now, noise = terms(tau, floor), max(math.exp(-1 / (8 * tau**2)), floor)
    z = 1 + tau * torch.randn(200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_normal = lambda a, mean, sd: -0.5 * ((a - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)
    log_q = log_normal(z, 1, tau)
    log_aggregate = torch.logaddexp(log_q, log_normal(z, -1, tau)) - math.log(2)
    assert_mean(log_normal(torch.ones_like(z), z.sign(), noise), now.reconstruction)
    assert_mean(log_q - log_normal(z, 0, 1), now.rate)
    assert_mean(log_q - log_aggregate, now.mutual_information)
    assert_mean(log_aggregate - log_normal(z, 0, 1), now.aggregate_kl)
    prior = torch.randn(200_000, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert_mean(log_normal(torch.ones_like(z), prior.sign(), noise).exp(), math.exp(now.log_likelihood))


def test_a_least_noise_gives_the_bound_a_top():
    tau = torch.linspace(0.02, 2.0, 400, dtype=torch.float64)
    assert exact.exploding_latent_space(tau).elbo.argmax() == 0
    assert 0 < exact.exploding_latent_space(tau, 0.2).elbo.argmax() < 399
    with pytest.raises(ValueError, match=r"least_noise must lie in \[0, inf\), got -0.1"):
        exact.exploding_latent_space(tau, -0.1)
