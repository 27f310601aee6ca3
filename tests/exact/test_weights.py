"""The law of an importance weight: closed forms, sums by hand, sampling, for a q too wide, too narrow, beside."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact
from vaecourse.exact import weights

CASES = [(0.4, 0.0), (0.8, 1.2), (1.0, 0.0), (1.3, 0.5), (3.0, 0.0)]


def log_p():
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


@pytest.mark.parametrize("width, shift", CASES)
def test_log_weights_are_those_of_the_densities(width, shift):
    case, eps = exact.case_with(width, shift), torch.linspace(-5, 5, 7, dtype=torch.float64)
    z = case.mean + case.std * eps[:, None, None]
    log_q = torch.distributions.Normal(case.mean, case.std).log_prob(z)[:, 0, 0]
    torch.testing.assert_close(exact.log_weights(case, eps), case.model.log_joint(case.x, z)[:, 0] - log_q)


def test_a_point_of_four_dimensions_has_a_law_too():
    model = exact.LinearGaussian(torch.tensor([[1.0], [-0.5], [0.3], [2.0]], dtype=torch.float64), 0.5)
    x = torch.tensor([[0.4, -1.0, 0.2, 1.5]], dtype=torch.float64)
    mean, std = torch.full((1, 1), 0.7, dtype=torch.float64), torch.full((1, 1), 0.4, dtype=torch.float64)
    law = exact.WeightLaw.of(exact.Case(model, x, mean, std))
    assert law.lower(1).item() == pytest.approx(model.elbo(x, mean, std).item(), abs=1e-9)
    assert law.log_mean.item() == pytest.approx(model.log_likelihood(x).item(), abs=1e-9)


def test_two_points_or_two_latent_dimensions_are_refused():
    case = exact.reference(torch.float64)
    with pytest.raises(ValueError, match=r"^case must be one data point with one latent dimension, got x \[2, 1\]"):
        exact.WeightLaw.of(exact.Case(case.model, case.x.expand(2, 1), case.mean, case.std))
    with pytest.raises(ValueError, match="K must be at least 1, got 0"):
        exact.WeightLaw.of(case).lower(0)


@pytest.mark.parametrize("width, shift", CASES)
def test_expected_bound_of_one_sample_is_the_exact_elbo(width, shift):
    case = exact.case_with(width, shift)
    first = exact.WeightLaw.of(case).lower(1).item()
    assert first == pytest.approx(case.model.elbo(*case[1:]).item(), abs=1e-9)


@pytest.mark.parametrize("width, shift", CASES[1:])
def test_upper_bound_without_samples_of_q_is_the_exact_eubo(width, shift):
    case = exact.case_with(width, shift)
    assert exact.WeightLaw.of(case).upper(0).item() == pytest.approx(case.model.eubo(*case[1:]).item(), abs=1e-8)


def test_expected_log_mean_of_two_point_weights():
    """w is 1 or e with probability 1/2 each: L_2 has three values that one can add up by hand, and so has U_1."""
    log_w, mass = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([0.5, 0.5], dtype=torch.float64)
    by_hand = 0.25 * 0 + 0.5 * math.log((1 + math.e) / 2) + 0.25 * 1
    law = exact.WeightLaw(log_w, mass)
    found = torch.stack([law.lower(K) for K in (1, 2)])
    torch.testing.assert_close(found, torch.tensor([0.5, by_hand], dtype=torch.float64), rtol=0, atol=1e-9)
    heavy = math.e / (1 + math.e)  # the posterior's chance of e
    above = 0.5 * (1 - heavy) * 0 + 0.5 * math.log((1 + math.e) / 2) + 0.5 * heavy
    assert law.upper(1).item() == pytest.approx(above, abs=1e-9)


@pytest.mark.parametrize("width, shift", CASES)
@pytest.mark.parametrize("K", [3, 40])
def test_expected_bound_is_what_sampling_gives(width, shift, K):
    case = exact.case_with(width, shift)
    log_w = case.model.log_weights(*case[1:], 40_000, K, torch.Generator().manual_seed(1))[..., 0]
    expected = exact.WeightLaw.of(case).lower(K).item()
    runs = log_w.logsumexp(1) - math.log(K)
    if (width, shift) == (1.0, 0.0):
        assert expected == pytest.approx(log_p(), abs=1e-9)
    else:
        assert_mean(runs, expected)
        assert_not_mean(runs, expected + 0.1)


@pytest.mark.parametrize("width, shift", [(1.3, 0.5), (0.8, 1.2), (3.0, 0.0)])
@pytest.mark.parametrize("K", [0, 1, 8, 64])
def test_upper_bound_is_what_sampling_gives(width, shift, K):
    case = exact.case_with(width, shift)
    model, x, mean, std = case
    upper = exact.WeightLaw.of(case).upper(K).item()
    runs, generator = 40_000, torch.Generator().manual_seed(K)
    posterior = model.posterior(x)
    z = posterior.mean + posterior.stddev * torch.randn(runs, 1, 1, generator=generator, dtype=torch.float64)
    first = model.log_joint(x, z) - torch.distributions.Normal(mean, std).log_prob(z).sum(-1)  # [runs, 1]
    others = model.log_weights(x, mean, std, runs, K, generator)[..., 0] if K else first[:, :0]
    assert_mean(torch.cat([first, others], 1).logsumexp(1) - math.log(K + 1), upper)
    if K == 0:
        assert upper == pytest.approx(model.eubo(x, mean, std).item(), abs=1e-8)
    assert upper > model.log_likelihood(x).item()


def test_both_bounds_close_at_the_rate_of_chi_squared():
    case = exact.reference(torch.float64)
    law, chi_squared = exact.WeightLaw.of(case), case.model.chi_squared(*case[1:]).item()
    assert (log_p() - law.lower(4096).item()) * 2 * 4096 / chi_squared == pytest.approx(1, abs=1e-3)
    assert (law.upper(4095).item() - log_p()) * 2 * 4096 / chi_squared == pytest.approx(1, abs=1e-3)


def test_both_transforms_at_once_change_nothing():
    case = exact.case_with(0.8, 1.2)
    eps = weights.noise_grid(case)
    one, both = (
        exact.WeightLaw(exact.log_weights(case, eps), weights.noise_mass(eps), both=both) for both in (False, True)
    )
    for K in (1, 9):
        assert one.lower(K).item() == pytest.approx(both.lower(K).item(), abs=1e-10)
        assert one.upper(K).item() == pytest.approx(both.upper(K).item(), abs=1e-10)


@pytest.mark.parametrize("width, shift", CASES)
def test_what_is_picked_by_weight_goes_from_q_to_the_posterior(width, shift):
    law = exact.WeightLaw.of(exact.case_with(width, shift))
    picked = [law.implied_posterior(K) for K in (1, 10, 1000)]
    for density in picked:
        assert density.sum().item() == pytest.approx(1, abs=1e-9)
    torch.testing.assert_close(picked[0], law.mass, rtol=0, atol=1e-9)
    posterior = (law.log_w + law.mass.log()).softmax(0)
    torch.testing.assert_close(law.posterior, posterior)
    distance = [(p - posterior).abs().sum().item() for p in picked]
    if (width, shift) != (1.0, 0.0):
        assert distance[0] > distance[1] > distance[2]


def test_picked_samples_have_the_drawn_density():
    """Draw K, pick one by its weight: mean and mean square of what is picked, against the quadrature."""
    K, case = 5, exact.case_with(1.3, 0.5)
    generator = torch.Generator().manual_seed(2)
    eps = torch.randn(K, 40_000, generator=generator, dtype=torch.float64)
    z = (case.mean + case.std * eps.flatten()[:, None]).view(K, -1)
    log_w = case.model.log_joint(case.x, z[..., None, None])[..., 0] + 0.5 * eps.square()
    pick = torch.multinomial(log_w.T.softmax(1), 1, generator=generator)[:, 0]
    picked = eps.gather(0, pick[None])[0]
    mass = exact.WeightLaw.of(case).implied_posterior(K)
    grid = weights.noise_grid(case, len(mass))
    assert_mean(picked, (mass * grid).sum())
    assert_mean(picked.square(), (mass * grid.square()).sum())
    assert_not_mean(picked, 0.0)


def test_elbo_of_what_is_picked_lies_between_the_bound_and_log_p():
    """Cremer et al. 2017: L_K <= ELBO of the implied posterior <= log p(x)."""
    law = exact.WeightLaw.of(exact.case_with(1.3, 0.5))
    for K in (2, 10, 100):
        picked = law.implied_posterior(K)
        log_w = law.log_w + law.log_mean
        elbo = (picked * (log_w + law.mass.log() - picked.log())).nan_to_num(0.0).sum().item()
        assert law.lower(K).item() < elbo < log_p()


def test_growing_steps_are_good_for_five_digits():
    case = exact.case_with(3.0, 1.5)
    eps = weights.noise_grid(case)
    grid = exact.log_weights(case, eps), weights.noise_mass(eps)
    fine, long = exact.WeightLaw(*grid), exact.WeightLaw(*grid, step=0.5, reach=32.0)
    assert len(weights.log_grid(fine.log_w, 0.5, 32.0)[0]) < 0.3 * len(weights.log_grid(fine.log_w)[0])
    for K in (1, 30):
        assert long.lower(K).item() == pytest.approx(fine.lower(K).item(), rel=1e-5)
        assert long.upper(K).item() == pytest.approx(fine.upper(K).item(), rel=1e-5)


def test_the_bounds_of_the_package_have_these_means():
    law = exact.WeightLaw.of(exact.reference(torch.float64))
    case = exact.reference(torch.float64)
    log_w = case.model.log_weights(*case[1:], 30_000, 4, torch.Generator().manual_seed(3))
    assert_mean(bounds.iwae(log_w.permute(2, 1, 0)), law.lower(4))


@pytest.mark.parametrize(
    "log_w, mass, error, words",
    [
        ([0.0], torch.ones(1), TypeError, r"log_w must be a torch\.Tensor of shape \[N\], got list"),
        (torch.zeros(2), torch.ones(3), ValueError, r"mass must have the shape of log_w, \[2\], got \[3\]"),
        (
            torch.zeros(2),
            torch.tensor([1.5, -0.5]),
            ValueError,
            "mass must not be negative, got -0.5 among its entries",
        ),
        (torch.tensor([0.0, math.nan]), torch.ones(2), ValueError, "log_w contains NaN"),
    ],
)
def test_what_is_no_law_is_named(log_w, mass, error, words):
    with pytest.raises(error, match=words):
        exact.WeightLaw(log_w, mass)


def test_a_law_in_float32_is_taken_in_float64():
    log_w, mass = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5])
    assert exact.WeightLaw(log_w, mass).lower(2).item() == pytest.approx(
        0.25 + 0.5 * math.log((1 + math.e) / 2), abs=1e-6
    )


@pytest.mark.parametrize(("width", "shift"), [(0.1, 0.5), (0.1, 2.0), (1.0, 5.0)])
def test_a_q_that_does_not_see_the_posterior_has_a_lower_bound_alone(width, shift):
    """log_mean was -3.7 where log p(x) is -1.7, and upper(0) 86 nats where the eubo is 98."""
    case = exact.case_with(width, shift)
    law = exact.WeightLaw.of(case)
    assert abs(law.log_mean - case.model.log_likelihood(case.x).item()) < 1e-12
    assert abs(law.lower(1) - case.model.elbo(*list(case)[1:]).item()) < 1e-4
    for call in (lambda: law.posterior, lambda: law.upper(0)):
        with pytest.raises(ValueError, match="the posterior must lie on the grid of q's noise"):
            call()


def test_a_q_too_wide_for_the_grid_needs_more_points():
    """At 100 times the posterior's width 601 points had log p(x) = -1.54, which is -1.75."""
    case = exact.case_with(100.0, 0.0)
    for of in (exact.WeightLaw.of, exact.RowGradients):
        with pytest.raises(ValueError, match="points must be at least 1801 for a q 100 times as wide"):
            of(case)
    law = exact.WeightLaw.of(case, points=1801)
    assert abs(law.on_grid - law.log_mean) < 1e-6


@pytest.mark.parametrize("width, shift", [(1.3, 0.5), (0.6, 0.0), (2.5, 0.0)])
def test_what_is_picked_is_nearer_than_q_and_never_further_than_the_gap(width, shift):
    case = exact.case_with(width, shift)
    law = exact.WeightLaw.of(case)
    kls = [law.picked_kl(K).item() for K in (1, 2, 8, 64)]
    assert kls[0] == pytest.approx(case.model.kl(*case[1:]).item(), abs=1e-6)
    assert kls == sorted(kls, reverse=True) and kls[-1] >= -1e-9
    for K, kl in zip((2, 8, 64), kls[1:]):
        assert kl <= (law.log_mean - law.lower(K)).item() + 1e-9


@pytest.mark.parametrize("width, shift", CASES)
def test_the_variance_of_a_log_mean(width, shift):
    """K = 1 in closed form, log w = a + b eps + c eps^2; more of them by sampling."""
    case = exact.case_with(width, shift)
    law, (_, b, c) = exact.WeightLaw.of(case), weights.parabola(case)
    assert law.variance(1).item() == pytest.approx((b**2 + 2 * c**2).item(), abs=1e-8)
    for K in (3, 40):
        log_w = case.log_weights(case.x, 20_000, K, torch.Generator().manual_seed(K))[..., 0]
        values = bounds.miwae(log_w.T[None])
        squares = (values - law.lower(K)).square()
        if law.variance(K) > 1e-12:
            assert_mean(squares, law.variance(K).item())
            assert_not_mean(squares, 1.3 * law.variance(K).item())


def test_the_variance_of_two_values_by_hand():
    log_w, mass = torch.tensor([0.0, 3.0], dtype=torch.float64).log1p(), torch.tensor([0.7, 0.3], dtype=torch.float64)
    values = torch.tensor([1.0, 2.5, 4.0], dtype=torch.float64).log()
    chance = torch.tensor([0.49, 0.42, 0.09], dtype=torch.float64)
    by_hand = (chance * values.square()).sum() - (chance * values).sum() ** 2
    assert exact.WeightLaw(log_w, mass).variance(2).item() == pytest.approx(by_hand.item(), abs=1e-9)
