"""The Laplace law as a scale mixture: the marginal by quadrature, the entropy by z-score, a rate told from a scale."""

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact


def test_the_marginal_is_the_integral_over_the_variance():
    mixture = exact.LaplaceMixture(1)
    psi = torch.linspace(-18, 8, 200_001, dtype=torch.float64).exp()[:, None]  # [N, 1], evenly spaced in log psi
    for z in torch.tensor([[-2.5], [0.3], [4.0]], dtype=torch.float64):
        density = (mixture.log_mixing(psi) + mixture.log_conditional(z, psi)).exp()
        integral = torch.trapezoid(density, psi.flatten())
        torch.testing.assert_close(integral, mixture.log_prob(z).exp(), rtol=1e-4, atol=0)


def test_samples_have_the_exact_entropy_and_the_exact_variance():
    mixture = exact.LaplaceMixture(50)
    z, psi = mixture.sample(4000, torch.Generator().manual_seed(0))
    assert_mean(mixture.log_prob(z), -mixture.entropy())
    assert_mean(psi, 2.0)  # Exp with *rate* 1/2
    assert_not_mean(psi, 0.5)
    assert_mean(z.square() / psi, 1.0)  # psi is a *variance*


def test_the_posterior_is_a_density():
    mixture = exact.LaplaceMixture(1)
    psi = torch.linspace(-18, 8, 200_001, dtype=torch.float64).exp()[:, None]
    for z in torch.tensor([[-2.5], [0.3]], dtype=torch.float64):
        density = mixture.log_posterior(psi, z).exp()
        one = torch.trapezoid(density, psi.flatten())
        torch.testing.assert_close(one, torch.ones_like(one), rtol=1e-4, atol=0)
        mean = torch.trapezoid(density * psi.flatten(), psi.flatten())
        torch.testing.assert_close(mean, 1 + z.abs().squeeze(), rtol=1e-3, atol=0)


def test_draws_are_those_of_their_generator_with_the_type_of_z():
    mixture, seeded = exact.LaplaceMixture(3), lambda: torch.Generator().manual_seed(5)
    uniform = torch.rand(7, 2, 3, generator=seeded())
    torch.testing.assert_close(mixture.sample_mixing((7, 2), seeded()), -2 * torch.log1p(-uniform))
    assert mixture.sample_mixing((0, 2)).shape == (0, 2, 3)
    for one, other in zip(mixture.sample(4, seeded()), mixture.sample(4, seeded())):
        assert one.equal(other) and one.shape == (4, 3)
    z = torch.full((4, 3), 0.5, dtype=torch.float64)
    psi = mixture.sample_posterior(z, 2, seeded())
    assert psi.dtype == torch.float64 and psi.shape == (2, 4, 3)
    assert psi.equal(mixture.sample_posterior(z, 2, seeded()))
    assert exact.LaplaceMixture(2).entropy() == pytest.approx(2 + 2 * torch.tensor(2.0).log().item())


def test_posterior_draws_are_roots_of_the_quadratic_with_their_probabilities():
    mixture, z = exact.LaplaceMixture(3), torch.linspace(-2, 3, 12, dtype=torch.float64).view(4, 3)
    seeded = torch.Generator().manual_seed(5)
    y = torch.randn(7, 4, 3, generator=seeded, dtype=z.dtype)
    pick = torch.rand(7, 4, 3, generator=seeded, dtype=z.dtype)
    psi = mixture.sample_posterior(z, 7, torch.Generator().manual_seed(5))
    zero = psi.square() - (2 * z.abs() + y.square()) * psi + z.square()
    torch.testing.assert_close(zero, torch.zeros_like(zero), rtol=0, atol=1e-12)
    large = torch.maximum(psi, z.square() / psi)
    assert (psi == large).equal(pick < large / (large + z.abs()))


def test_densities_take_any_axes_before_the_last():
    mixture, z = exact.LaplaceMixture(3), torch.linspace(-2, 3, 12).view(4, 3)
    psi = z.square() + 0.5
    for density in (mixture.log_prob, mixture.log_mixing, lambda it: mixture.log_conditional(it, it.square() + 0.5)):
        values = density(psi)
        assert values.shape == (4,)
        torch.testing.assert_close(density(psi[1]), values[1])
        torch.testing.assert_close(density(psi.view(2, 2, 3)), values.view(2, 2))


def test_dim_is_a_count():
    with pytest.raises(ValueError, match="^dim must be at least 1, got 0"):
        exact.LaplaceMixture(0)


def test_posterior_draws_are_those_of_bayes_rule():
    """A pair (z, psi) and the same z with a new psi from the posterior have one law."""
    mixture = exact.LaplaceMixture(3)
    z, psi = mixture.sample(40_000, torch.Generator().manual_seed(0))
    again = mixture.sample_posterior(z, 1, torch.Generator().manual_seed(1))[0]
    for statistic in (lambda p: p, lambda p: p.log(), lambda p: p * z.abs(), lambda p: p.log() * z.square()):
        assert_mean(statistic(psi) - statistic(again), 0.0)
    fixed = mixture.sample_posterior(torch.full((40_000, 3), -2.0), 1, torch.Generator().manual_seed(2))[0]
    assert_mean(fixed, 3.0)  # E[psi | z] = 1 + |z|
    assert_mean(1 / fixed, 0.5)  # E[1 / psi | z] = 1 / |z|


def test_psi_and_z_that_do_not_belong_together_are_told():
    law, z, psi = exact.LaplaceMixture(3), torch.ones(5, 3), torch.ones(4, 3)
    words = r"^psi must broadcast with z in all axes but the last, got psi \[4, 3\] and z \[5, 3\]\.$"
    for call in (lambda: law.log_conditional(z, psi), lambda: law.log_posterior(psi, z)):
        with pytest.raises(ValueError, match=words):
            call()
