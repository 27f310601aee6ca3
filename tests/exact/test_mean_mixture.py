"""The Gaussian mean mixture: the marginal and the posterior by quadrature and Bayes' rule, the draws by z-score."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact

LAW = exact.MeanMixture(3, spread=1.5, noise=0.7)


def test_the_marginal_is_the_integral_over_the_mean():
    law = exact.MeanMixture(1, spread=1.5, noise=0.7)
    psi = torch.linspace(-15, 15, 20_001, dtype=torch.float64)[:, None]
    for z in torch.tensor([[-2.5], [0.3], [4.0]], dtype=torch.float64):
        integral = torch.trapezoid((law.log_mixing(psi) + law.log_conditional(z, psi)).exp(), psi.flatten())
        torch.testing.assert_close(integral, law.log_prob(z).exp())


def test_posterior_is_bayes_rule():
    z, psi = (value.double() for value in LAW.sample(7, torch.Generator().manual_seed(0)))
    by_bayes = LAW.log_mixing(psi) + LAW.log_conditional(z, psi) - LAW.log_prob(z)
    torch.testing.assert_close(LAW.log_posterior(psi, z), by_bayes)


def test_draws():
    z, psi = LAW.sample(40_000, torch.Generator().manual_seed(0))
    assert_mean(psi.square(), 1.5**2)
    assert_mean((z - psi).square(), 0.7**2)
    assert_not_mean((z - psi).square(), 0.7)
    assert_mean(LAW.log_prob(z), -LAW.entropy())
    again = LAW.sample_posterior(z, 1, torch.Generator().manual_seed(1))[0]
    assert_mean(again * z, LAW.slope * (1.5**2 + 0.7**2))
    assert_mean((again - LAW.slope * z).square(), LAW.std**2)


@pytest.mark.parametrize("bad", [{"dim": 0}, {"spread": 0.0}, {"noise": -1.0}, {"noise": math.nan}])
def test_bad_numbers_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        exact.MeanMixture(**({"dim": 3} | bad))
