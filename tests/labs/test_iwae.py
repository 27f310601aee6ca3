"""The numbers behind lab "03.iwae": exact ones against closed forms and quadrature, sampled ones by z-score."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean
from vaecourse import exact, labs
from vaecourse.labs import iwae

CASES = [(0.4, 0.0), (0.8, 1.2), (1.0, 0.0), (1.3, 0.5), (3.0, 0.0)]
LAB = iwae.Iwae()
REFERENCE = {"width": 1.3, "shift": 0.5, "seed": 0}


def log_p():
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


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
def test_one_sample_picked_from_one_is_drawn_like_q(width, shift):
    """On the lab's own grid, where phi reaches 0."""
    data = LAB.compute(K=1, width=width, shift=shift, seed=0)
    np.testing.assert_allclose(data.picked, data.q, rtol=0, atol=1e-9)


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
