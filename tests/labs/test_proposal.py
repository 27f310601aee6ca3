"""The lab "02.proposal": exact variance and p(x) by quadrature, estimates by z-score, intervals by their coverage."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse.labs.frame import Panel
from vaecourse.labs.proposal import MEAN, RUNS, STD, P, ProposalWidth, Z

WIDE = [(1.3, 0.0), (0.8, 0.4), (2.0, -1.5), (1.0, 1.0)]  # width, shift: a finite variance


@pytest.fixture(scope="module")
def experiment():
    return ProposalWidth()


def second_moment(width, shift):
    """E_q[w^2] / p(x)^2 = integral of posterior^2 / q, by the trapezoidal rule."""
    z = np.linspace(MEAN - 14 * STD, MEAN + 14 * STD, 20_001)
    normal = lambda mean, std: np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    return np.trapezoid(normal(MEAN, STD) ** 2 / normal(MEAN + shift * STD, width * STD), z)


def test_p_is_the_density_of_the_data_point():
    variance = 1.5**2 + 0.7
    assert P == pytest.approx(math.exp(-0.5 * 1.3**2 / variance) / math.sqrt(2 * math.pi * variance))


@pytest.mark.parametrize("width, shift", WIDE)
def test_variance_is_exact(experiment, width, shift):
    data = experiment.compute(width, shift, K=10, seed=0)
    assert data.chi_squared == pytest.approx(second_moment(width, shift) - 1, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("width, infinite", [(0.25, True), (0.7, True), (0.72, False), (1.0, False)])
def test_variance_is_infinite_below_half_the_posterior_variance(experiment, width, infinite):
    data = experiment.compute(width, 0.3, K=10, seed=0)
    assert math.isinf(data.chi_squared) is infinite
    assert ("infinite" in experiment.sentence(data)) is infinite


@pytest.mark.parametrize("width, shift", WIDE)
def test_estimates_and_weights_have_the_mean_p(experiment, width, shift):
    data = [experiment.compute(width, shift, K=200, seed=seed) for seed in range(50)]
    estimates = torch.from_numpy(np.concatenate([one.estimates for one in data]))
    assert_mean(estimates, P)
    assert_not_mean(estimates, 1.2 * P)
    assert_mean(torch.from_numpy(np.concatenate([one.weights for one in data])), 1.0)


def test_errors_are_those_of_the_estimates(experiment):
    data = [experiment.compute(1.3, 0.0, K=300, seed=seed) for seed in range(50)]
    expected = P * math.sqrt((second_moment(1.3, 0.0) - 1) / 300)
    assert_mean(torch.from_numpy(np.concatenate([one.errors**2 for one in data])), expected**2)
    assert_mean(torch.from_numpy(np.concatenate([(one.estimates - P) ** 2 for one in data])), expected**2)


def test_intervals_keep_their_promise_when_q_is_wide_and_break_it_when_q_is_narrow(experiment):
    holds = lambda width: torch.from_numpy(
        np.concatenate([experiment.compute(width, 0.0, K=1000, seed=seed).holds for seed in range(50)])
    ).double()
    assert_mean(holds(2.0), 0.95)
    assert_not_mean(holds(0.5), 0.95)
    assert 0.66 < holds(0.5).mean() < 0.74


def test_q_is_a_density_at_its_place(experiment):
    data = experiment.compute(0.5, -0.5, K=10, seed=0)
    assert np.trapezoid(data.q, Z) == pytest.approx(1.0, abs=1e-6)
    assert np.trapezoid(Z * data.q, Z) == pytest.approx(MEAN - 0.5 * STD, abs=1e-6)


def test_presets_say_what_they_are_called():
    lab = Panel(ProposalWidth())
    data = {name: lab.experiment.compute(**lab._preset(name)) for name in lab.presets}
    assert data["q = posterior"].chi_squared == pytest.approx(0.0, abs=1e-12)
    assert data["q = posterior"].effective == pytest.approx(1000)
    assert data["q = posterior"].holds.all()
    assert math.isinf(data["too narrow"].chi_squared)
    assert data["too wide"].chi_squared == pytest.approx(4 / math.sqrt(7) - 1)
    assert data["off centre"].chi_squared == pytest.approx(math.exp(4) - 1)
    assert all(len(one.estimates) == RUNS for one in data.values())


def test_the_picture_shows_every_interval_in_one_of_two_colours(experiment):
    lab = Panel(experiment)
    lab.apply("too narrow")
    artists, data = lab._canvas.artists, experiment.compute(**lab.settings)
    held, missed = (len(line.get_xdata()) // 3 for line in (artists.held, artists.missed))
    assert (held, missed) == (data.holds.sum(), RUNS - data.holds.sum())
    assert f"{held} of {RUNS} intervals" in lab.sentence.value
    assert lab.error is None


def test_every_corner_can_be_shown():
    lab = Panel(ProposalWidth())
    for width in (0.25, 4.0):
        for shift in (-3.0, 3.0):
            for K in (10, 10_000):
                lab._set({"width": width, "shift": shift, "K": K})
                lab.flush()
                assert lab.error is None
                assert "nan" not in lab.sentence.value
