"""The numbers behind lab "03.iwae": exact ones against closed forms and quadrature, sampled ones by z-score."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, labs
from vaecourse.labs import iwae, quadrature

CASES = [(0.4, 0.0), (0.8, 1.2), (1.0, 0.0), (1.3, 0.5), (3.0, 0.0)]
LAB = iwae.Iwae()
REFERENCE = {"width": 1.3, "shift": 0.5, "seed": 0}


def log_p():
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


@pytest.mark.parametrize("width, shift", CASES)
def test_expected_bound_of_one_sample_is_the_exact_elbo(width, shift):
    case = iwae.case_with(width, shift)
    first = quadrature.expected_log_mean(*quadrature.log_weights_on_a_grid(case), [1]).item()
    assert first == pytest.approx(case.model.elbo(*case[1:]).item(), abs=1e-9)


def test_expected_log_mean_of_two_point_weights():
    """w is 1 or e with probability 1/2 each: L_2 has three values that one can add up by hand."""
    log_w, mass = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([0.5, 0.5], dtype=torch.float64)
    by_hand = 0.25 * 0 + 0.5 * math.log((1 + math.e) / 2) + 0.25 * 1
    found = quadrature.expected_log_mean(log_w, mass, [1, 2])
    torch.testing.assert_close(found, torch.tensor([0.5, by_hand], dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("width, shift", CASES)
@pytest.mark.parametrize("K", [3, 40])
def test_expected_bound_is_what_sampling_gives(width, shift, K):
    case = iwae.case_with(width, shift)
    log_w = case.model.log_weights(*case[1:], 40_000, K, torch.Generator().manual_seed(1))[..., 0]
    expected = quadrature.expected_log_mean(*quadrature.log_weights_on_a_grid(case), [K]).item()
    runs = log_w.logsumexp(1) - math.log(K)
    if (width, shift) == (1.0, 0.0):
        assert expected == pytest.approx(log_p(), abs=1e-9)
    else:
        assert_mean(runs, expected)
        assert_not_mean(runs, expected + 0.1)


def test_curve_rises_to_log_p_at_the_rate_of_chi_squared():
    data = LAB.compute(K=1000, **REFERENCE)
    assert (np.diff(data.curve) > 0).all()
    assert data.curve[-1] == pytest.approx(data.expected)
    assert (log_p() - data.expected) * 2000 / data.chi_squared == pytest.approx(1, abs=1e-3)
    assert data.chi_squared == pytest.approx(0.7055, abs=1e-4)


@pytest.mark.parametrize("K", [1, 8, 1000])
def test_runs_have_the_expected_mean(K):
    runs = np.concatenate([LAB.compute(K=K, width=1.3, shift=0.5, seed=seed).runs for seed in range(10)])
    assert runs.shape == (10 * iwae.RUNS,)
    assert_mean(torch.from_numpy(runs), LAB.compute(K=K, **REFERENCE).expected)


def test_seed_decides_the_runs_and_nothing_else():
    one, same, other = (LAB.compute(K=8, width=1.3, shift=0.5, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.runs, same.runs)
    assert not np.array_equal(one.runs, other.runs)
    assert one.expected == other.expected


@pytest.mark.parametrize("width, shift", CASES)
def test_what_is_picked_by_weight_goes_from_q_to_the_posterior(width, shift):
    case = iwae.case_with(width, shift)
    log_w, mass = quadrature.log_weights_on_a_grid(case)
    picked = [quadrature.implied_posterior(log_w, mass, K) for K in (1, 10, 1000)]
    for density in picked:
        assert density.sum().item() == pytest.approx(1, abs=1e-9)
    torch.testing.assert_close(picked[0], mass, rtol=0, atol=1e-9)
    posterior = (log_w + mass.log()).softmax(0)
    distance = [(p - posterior).abs().sum().item() for p in picked]
    if (width, shift) != (1.0, 0.0):
        assert distance[0] > distance[1] > distance[2]


def test_picked_samples_have_the_drawn_density():
    """Draw K, pick one by its weight: mean and mean square of what is picked, against the quadrature."""
    K, case = 5, iwae.case_with(1.3, 0.5)
    generator = torch.Generator().manual_seed(2)
    eps = torch.randn(K, 40_000, generator=generator, dtype=torch.float64)
    z = (case.mean + case.std * eps.flatten()[:, None]).view(K, -1)
    log_w = case.model.log_joint(case.x, z[..., None, None])[..., 0] + 0.5 * eps.square()
    pick = torch.multinomial(log_w.T.softmax(1), 1, generator=generator)[:, 0]
    picked = eps.gather(0, pick[None])[0]
    mass = quadrature.implied_posterior(*quadrature.log_weights_on_a_grid(case), K)
    grid = quadrature.noise_grid(case, len(mass))
    assert_mean(picked, (mass * grid).sum())
    assert_mean(picked.square(), (mass * grid.square()).sum())
    assert_not_mean(picked, 0.0)


@pytest.mark.parametrize("width, shift", CASES)
def test_one_sample_picked_from_one_is_drawn_like_q(width, shift):
    """On the lab's own grid, where phi reaches 0."""
    data = LAB.compute(K=1, width=width, shift=shift, seed=0)
    np.testing.assert_allclose(data.picked, data.q, rtol=0, atol=1e-9)


def test_elbo_of_what_is_picked_lies_between_the_bound_and_log_p():
    """Cremer et al. 2017: L_K <= ELBO of the implied posterior <= log p(x)."""
    log_w, mass = quadrature.log_weights_on_a_grid(iwae.case_with(1.3, 0.5))
    for K in (2, 10, 100):
        picked = quadrature.implied_posterior(log_w, mass, K)
        elbo = (picked * (log_w + mass.log() - picked.log())).nan_to_num(0.0).sum().item()
        assert quadrature.expected_log_mean(log_w, mass, [K]).item() < elbo < log_p()


def test_a_narrow_q_has_no_law():
    sentence = LAB.sentence(LAB.compute(K=64, width=0.4, shift=0.0, seed=0))
    assert "χ² is infinite" in sentence
    assert LAB.compute(K=64, width=0.71, shift=0.0, seed=0).chi_squared < math.inf  # std^2 > half the variance


def test_live():
    lab = labs.ALL["03.iwae"]()
    assert "K = 1," in lab.sentence.value
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
    before = lab.image.value
    lab.controls["K"].value = 300
    assert lab.image.value != before
    assert "K = 300" in lab.sentence.value
    for width in (0.3, 3.0):
        for shift in (0.0, 1.5):
            for K in (1, 1000):
                for name, value in {"width": width, "shift": shift, "K": K}.items():
                    lab.controls[name].value = value
                assert lab.error is None
                assert "nan" not in lab.sentence.value
    lab.reset()
    assert lab.settings == {"K": 1, "width": 1.3, "shift": 0.5, "seed": 0}
