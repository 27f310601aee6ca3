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


def test_densities_are_torchs():
    z, psi = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[1.5, 0.3, -0.7]])
    given = lambda mean, std, at: torch.distributions.Normal(mean, std).log_prob(at).sum(-1)
    torch.testing.assert_close(LAW.log_mixing(psi), given(0.0, 1.5, psi))
    torch.testing.assert_close(LAW.log_conditional(z, psi), given(psi, 0.7, z))
    torch.testing.assert_close(LAW.log_posterior(psi, z), given(LAW.slope * z, LAW.std, psi))
    assert exact.MeanMixture(2).spread == 2.0 and exact.MeanMixture(2).noise == 1.0


def test_draws_are_those_of_their_generator_with_the_type_of_z():
    seeded = lambda seed=3: torch.Generator().manual_seed(seed)
    normal = torch.randn(20_000, 3, generator=seeded())
    torch.testing.assert_close(LAW.sample_mixing((20_000,), seeded()), 1.5 * normal)
    assert_mean((LAW.sample_mixing((20_000,), seeded(4)).abs() < 1.5).double(), math.erf(math.sqrt(0.5)))
    generator = seeded()
    psi = LAW.sample_mixing((5,), generator)
    z = psi + 0.7 * torch.randn(5, 3, generator=generator)
    for found, expected in zip(LAW.sample(5, seeded()), (z, psi)):
        torch.testing.assert_close(found, expected)
    z = z.double()
    eps = torch.randn(4, 5, 3, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(LAW.sample_posterior(z, 4, seeded()), LAW.slope * z + LAW.std * eps)
    assert LAW.sample_mixing((0, 2)).shape == (0, 2, 3)


@pytest.mark.parametrize("slope, std", [(0.5, 0.6), (LAW.slope, 0.5), (LAW.slope, LAW.std), (-0.3, 2.0)])
def test_chi_squared_by_quadrature(slope, std):
    """The integral of q(psi | z)^2 / tau(psi | z), minus one: a product over the dimensions."""
    psi = torch.linspace(-25, 25, 50_001, dtype=torch.float64)
    z = torch.tensor([[0.3, -1.2, 0.8], [0.0, 0.1, -0.2]], dtype=torch.float64)
    one = exact.MeanMixture(1, spread=1.5, noise=0.7)
    power = torch.ones(2, dtype=torch.float64)
    for d in range(3):
        posterior = one.log_posterior(psi[:, None, None], z[:, d, None])  # [N, 2]
        tau = torch.distributions.Normal(slope * z[:, d], std).log_prob(psi[:, None])
        power = power * torch.trapezoid((2 * posterior - tau).exp(), psi, dim=0)
    torch.testing.assert_close(LAW.chi_squared(z, slope, std), power - 1, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(LAW.chi_squared(z[0], slope, std), (power - 1)[0], rtol=1e-6, atol=1e-8)


def test_chi_squared_is_infinite_up_to_half_the_posterior_variance():
    z = torch.ones(2, 3)
    law = exact.MeanMixture(3, spread=1.0, noise=1.0)  # the posterior's variance is 1/2
    assert law.chi_squared(z, 0.5, 0.5).tolist() == [math.inf] * 2
    assert law.chi_squared(z, 0.5, 0.51).isfinite().all()
    assert law.chi_squared(z, 0.5, 0.1).shape == (2,)
    boundary = exact.MeanMixture(1, spread=3.0, noise=2.0)
    half = 1.1766968108291043  # its square is exactly half of the posterior's variance
    assert 2 * half**2 == boundary.std**2
    assert boundary.chi_squared(z[:, :1], 0.5, half).tolist() == [math.inf] * 2
    with pytest.raises(ValueError, match=r"^z must have the shape \[\.\.\., 3\], got \[2, 2\]\.$"):
        law.chi_squared(z[:, :2], 0.5, 0.1)


@pytest.mark.parametrize("bad", [{"dim": 0}, {"spread": 0.0}, {"noise": -1.0}, {"noise": math.nan}])
def test_bad_numbers_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        exact.MeanMixture(**({"dim": 3} | bad))


def test_psi_and_z_that_do_not_belong_together_are_told():
    law, z, psi = LAW, torch.ones(5, 3), torch.ones(4, 3)
    words = r"^psi must broadcast with z in all axes but the last, got psi \[4, 3\] and z \[5, 3\]\.$"
    for call in (lambda: law.log_conditional(z, psi), lambda: law.log_posterior(psi, z)):
        with pytest.raises(ValueError, match=words):
            call()
