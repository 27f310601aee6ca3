"""The numbers behind lab "07.bounds": exact ones against closed forms and the package, sampled ones by z-score."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean
from vaecourse import exact, labs
from vaecourse.labs import hierarchical as lab_file

LAB = lab_file.HierarchicalBounds()
DEFAULT = {"K": 5, "tau": lab_file.PRIOR, "steps": 10, "dim": 5, "z": 1.0, "seed": 0}
CASES = [(1, 1.0, 0), (2, 0.3, 10), (5, 1.0, 30), (50, 1.0, 0), (50, 2.0, 60), (3, 2.0, 200), (50, 0.0, 200)]
SD = math.sqrt(5)  # of z_d


def law_of(dim, z, steps):
    slope, std = lab_file.learned()[steps]
    return exact.Ratio.of(exact.MeanMixture(dim), z * SD, slope, std), slope, std


@pytest.mark.parametrize("dim, z, steps", CASES)
def test_both_curves_close_on_the_exact_value(dim, z, steps):
    _, (upper, lower) = lab_file._expected(law_of(dim, z, steps)[0])
    assert (np.diff(upper) < 0).all() and (upper > 0).all()
    assert (np.diff(lower[1:]) > 0).all() and (lower[1:] < 0).all() and math.isnan(lower[0])


def test_rates_are_those_of_chi_squared_and_the_midpoint_cancels_them():
    data = LAB.compute(**DEFAULT | {"K": 1000, "dim": 2})
    assert data.upper * 2 * 1001 / data.chi_squared == pytest.approx(1, abs=0.01)
    assert -data.lower * 2 * 1000 / data.chi_squared == pytest.approx(1, abs=0.01)
    assert abs(data.upper + data.lower) / 2 < 0.01 * data.upper


@pytest.mark.parametrize("change", [{}, {"dim": 1, "K": 0}, {"dim": 50, "K": 100}, {"tau": lab_file.LEARNED}])
def test_single_estimates_have_the_expected_mean(change):
    data = [LAB.compute(**DEFAULT | change | {"seed": seed}) for seed in range(10)]
    assert data[0].upper_runs.shape == (lab_file.RUNS,)
    assert_mean(torch.from_numpy(np.concatenate([d.upper_runs for d in data])), data[0].upper)
    if data[0].K:
        assert_mean(torch.from_numpy(np.concatenate([d.lower_runs for d in data])), data[0].lower)


def test_learning_starts_at_the_prior_and_comes_near_the_posterior():
    path, model = lab_file.learned(), exact.MeanMixture(1)
    assert path[0] == (0.0, model.spread) and len(path) == lab_file.MOST_STEPS + 1
    assert path[-1] == pytest.approx((model.slope, model.std), abs=0.002)
    assert all(std > model.std for _, std in path)
    by_steps = [LAB.compute(**DEFAULT | {"tau": lab_file.LEARNED, "steps": steps}) for steps in (0, 10, 30, 60, 200)]
    assert all(a.upper > b.upper and a.lower < b.lower for a, b in zip(by_steps, by_steps[1:]))
    prior = LAB.compute(**DEFAULT)
    assert by_steps[0].upper == prior.upper and by_steps[0].lower == prior.lower


@pytest.mark.parametrize("K", [0, 5])
def test_exact_posterior_leaves_nothing_to_bound(K):
    data = LAB.compute(**DEFAULT | {"tau": lab_file.POSTERIOR, "K": K})
    assert data.upper == 0 and (data.upper_runs == 0).all() and data.chi_squared == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(data.tau, data.posterior)
    z = torch.full((5,), SD, dtype=torch.float64)
    assert data.log_q == pytest.approx(exact.MeanMixture(5).log_prob(z).item())


def test_seed_decides_the_single_estimates_and_nothing_else():
    one, same, other = (LAB.compute(**DEFAULT | {"seed": seed}) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.upper_runs, same.upper_runs)
    assert not np.array_equal(one.upper_runs, other.upper_runs)
    assert one.upper == other.upper


def test_live():
    lab = labs.ALL["07.bounds"]()
    assert "K = 5, tau: learned for 10 steps, 5 dimensions" in lab.sentence.value
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
        assert "nan" not in lab.sentence.value
    lab.reset()
    before = lab.image.value
    lab.controls["K"].value = 0
    assert lab.image.value != before and "there is no L_K" in lab.sentence.value
    for tau in (lab_file.PRIOR, lab_file.LEARNED, lab_file.POSTERIOR):
        for dim in (1, 50):
            for z in (0.0, 2.0):
                for K, steps in ((0, 0), (1, 200), (1000, 60)):
                    settings = {"tau": tau, "dim": dim, "z": z, "K": K, "steps": steps}
                    for name, value in settings.items():
                        lab.controls[name].value = value
                    assert lab.error is None, settings
                    assert "nan" not in lab.sentence.value and "-0.000" not in lab.sentence.value


def test_more_draws_are_added_to_those_that_were_there():
    few, many = lab_file._noise(3, 4, 2), lab_file._noise(3, 4, 50)
    for a, b in zip(few, many):
        torch.testing.assert_close(a, b[:3])
