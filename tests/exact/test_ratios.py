"""The law of a hierarchical ratio: closed forms, the package's bounds by z-score, and the densities themselves."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, hierarchical

CASES = [(1, 1.0, 0), (2, 0.3, 10), (5, 1.0, 30), (50, 1.0, 0), (50, 2.0, 60), (3, 2.0, 200), (50, 0.0, 200)]
SD = math.sqrt(5)  # of z_d
PATH = exact.learning_path(exact.MeanMixture(1), 200)


def law_of(dim, z, steps):
    slope, std = PATH[steps]
    return exact.Ratio.of(exact.MeanMixture(dim), z * SD, slope, std), slope, std


def kl(mean, variance, other_mean, other_variance):
    """Between one-dimensional Gaussians."""
    return 0.5 * (
        (variance + (mean - other_mean) ** 2) / other_variance - 1 + math.log(other_variance / variance)
    )  # fmt: skip


@pytest.mark.parametrize("dim, z, steps", CASES)
def test_ends_of_both_curves_are_kls(dim, z, steps):
    """E[U_0] - log q(z) = KL(posterior || tau), log q(z) - E[L_1] = KL(tau || posterior)."""
    ratio, slope, std = law_of(dim, z, steps)
    bounds, model = ratio.law(), exact.MeanMixture(dim)
    tau, posterior = (slope * z * SD, std**2), (model.slope * z * SD, model.std**2)
    assert bounds.upper(0).item() == pytest.approx(dim * kl(*posterior, *tau), rel=1e-5, abs=1e-8)
    assert bounds.lower(1).item() == pytest.approx(-dim * kl(*tau, *posterior), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("dim, z, steps", CASES)
def test_the_grid_holds_all_of_tau_and_all_of_the_posterior(dim, z, steps):
    log_r, mass = law_of(dim, z, steps)[0].on_a_grid()
    assert mass.sum().item() == pytest.approx(1, abs=1e-9)
    assert (mass * log_r.exp()).sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("z, steps", [(1.0, 0), (0.5, 30), (2.0, 10)])
def test_the_law_of_one_dimension_is_that_of_a_grid_of_psi(z, steps):
    """The same bounds from the densities at a fine grid of psi, without the chi-square."""
    ratio, slope, std = law_of(1, z, steps)
    model, eps = exact.MeanMixture(1), torch.linspace(-12, 12, 4001, dtype=torch.float64)
    psi, at = (slope * z * SD + std * eps)[:, None], torch.full((1, 1), z * SD, dtype=torch.float64)
    mass = (-0.5 * eps**2).softmax(0)
    log_tau = torch.distributions.Normal(slope * z * SD, std).log_prob(psi[:, 0])
    log_r = model.log_mixing(psi) + model.log_conditional(at, psi) - log_tau - model.log_prob(at)
    by_psi, by_distance = exact.WeightLaw(log_r, mass), ratio.law()
    for K in (1, 8, 100):
        assert by_distance.upper(K).item() == pytest.approx(by_psi.upper(K).item(), rel=1e-4, abs=1e-7)
        assert by_distance.lower(K).item() == pytest.approx(by_psi.lower(K).item(), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("K", [0, 6])
def test_draws_have_the_means_of_the_law(K):
    ratio, n = law_of(4, 1.0, 10)[0], 20_000
    generator = torch.Generator().manual_seed(2)
    along = torch.randn(K + 1, n, generator=generator, dtype=torch.float64)
    across = torch.randn(3, K + 1, n, generator=generator, dtype=torch.float64).square().sum(0)
    log_r = ratio.draws(along, across)
    assert_mean(hierarchical.upper_bound(log_r), ratio.law().upper(K))
    assert_not_mean(hierarchical.upper_bound(log_r), ratio.law().upper(K) + 0.1)
    if K:
        assert_mean(hierarchical.lower_bound(log_r), ratio.law().lower(K))


@pytest.mark.parametrize("K", [0, 1, 7])
@pytest.mark.parametrize("dim, z, steps", [(3, 1.0, 0), (3, 0.5, 30), (1, 2.0, 10)])
def test_expected_bounds_are_what_the_package_estimates(dim, z, steps, K):
    n, model = 20_000, exact.MeanMixture(dim)
    ratio, slope, std = law_of(dim, z, steps)
    at = torch.full((n, dim), z * SD)
    psi_0 = model.sample_posterior(at, 1, torch.Generator().manual_seed(0))[0]
    tau = hierarchical.LinearInverse(slope, std)
    found = hierarchical.curve(model, tau, at, psi_0, [K], torch.Generator().manual_seed(1))
    bounds = ratio.law()
    assert_mean(found.upper[0] - model.log_prob(at), bounds.upper(K))
    assert_not_mean(found.upper[0] - model.log_prob(at), 0.0)
    if K:
        assert_mean(found.lower[0] - model.log_prob(at), bounds.lower(K))


def test_learning_follows_the_gradient_of_the_bound():
    """A step is RATE times the mean gradient of U_0 per dimension, as the package estimates it."""
    n, dim = 40_000, 2
    model, path = exact.MeanMixture(dim), PATH
    tau = hierarchical.LinearInverse()
    tau.slope, tau.log_std = (
        torch.nn.Parameter(torch.full((n, 1), value)) for value in (path[10][0], math.log(path[10][1]))
    )
    z, psi_0 = model.sample(n, torch.Generator().manual_seed(0))
    hierarchical.upper_bound(hierarchical.log_ratios(model, tau, z, psi_0, 0)).sum().backward()
    gradients = torch.cat([tau.slope.grad, tau.log_std.grad], 1) / dim
    step = [path[11][0] - path[10][0], math.log(path[11][1] / path[10][1])]
    assert_mean(-0.02 * gradients, torch.tensor(step))
    assert_not_mean(-0.02 * gradients, torch.zeros(2))


def test_a_tau_narrower_than_the_posterior_is_refused():
    with pytest.raises(ValueError, match="std must be above the posterior's 0.894427"):
        exact.Ratio.of(exact.MeanMixture(3), 1.0, 0.8, 0.8)
