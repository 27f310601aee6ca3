"""The lab "02.baseline": every estimator has the exact mean that the lab claims, and c* is the best constant."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact
from vaecourse.labs.baseline import FIXED, NAMES, PATH, RUNS, ScoreBaseline, exact_gradient
from vaecourse.labs.frame import Panel

CASE = exact.reference(torch.float64)
STD = CASE.std.item()


@pytest.fixture(scope="module")
def experiment():
    return ScoreBaseline()


def moments(c):
    """Mean and variance of one sample (log w - c) s by the trapezoidal rule."""
    t = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    mass = torch.exp(-0.5 * t**2) / math.sqrt(2 * math.pi) * (t[1] - t[0])
    sample = (exact.log_weights(CASE, t) - c) * t / STD
    mean = (mass * sample).sum().item()
    return mean, (mass * sample**2).sum().item() - mean**2


def test_gradient_is_that_of_the_kl():
    offset, variance = 0.5, CASE.model.covariance.item()
    assert exact_gradient() == pytest.approx(-offset / variance)
    assert moments(0.0)[0] == pytest.approx(exact_gradient())


def test_c_star_has_the_smallest_variance():
    best = moments(exact.optimal_baseline(CASE))[1]
    assert all(moments(exact.optimal_baseline(CASE) + step)[1] > best for step in (-0.05, 0.05))
    assert best == pytest.approx(10.661, abs=1e-3)
    assert moments(0.0)[1] == pytest.approx(33.793, abs=1e-3)


@pytest.mark.parametrize("K", [2, 3, 17])
@pytest.mark.parametrize("name", NAMES)
def test_means_are_exact(experiment, name, K):
    data = [experiment.compute("none", K, seed) for seed in range(8)]
    estimates = torch.from_numpy(np.concatenate([one.estimates[name] for one in data]))
    assert_mean(estimates, data[0].means[name])
    if name == "mean" and K < 17:
        assert_not_mean(estimates, exact_gradient())


@pytest.mark.parametrize("name, variance", [("none", 33.793), (FIXED, 10.661), (PATH, STD**2 / 0.2373**2)])
def test_variances_of_the_constant_baselines_are_exact(experiment, name, variance):
    K = 5
    estimates = np.concatenate([experiment.compute("none", K, seed).estimates[name] for seed in range(8)])
    assert_mean(torch.from_numpy((estimates - exact_gradient()) ** 2), variance / K)


def test_leave_one_out_is_the_mean_baseline_stretched(experiment):
    data = experiment.compute("mean", 6, seed=3)
    np.testing.assert_allclose(data.estimates["mean"] * 6 / 5, data.estimates["leave-one-out"], atol=1e-12)


def test_bars_are_variance_and_squared_bias(experiment):
    lab = Panel(experiment)
    lab.apply("mean, K = 2")
    data = experiment.compute(**lab.settings)
    place = NAMES.index("mean")
    artists = lab._canvas.artists
    assert artists.variance[place].get_height() == pytest.approx(2 * data.variance("mean"))
    assert artists.bias[place].get_height() == pytest.approx(2 * (exact_gradient() / 2) ** 2)
    assert artists.bias[NAMES.index("leave-one-out")].get_height() == 0.0
    assert f"{data.means['mean']:.3f}".replace("-", "−") in lab.sentence.value
    assert lab.error is None


def test_sentence_tells_biased_from_unbiased(experiment):
    sentences = {name: experiment.sentence(experiment.compute(name, 4, 0)) for name in NAMES[:-1]}
    assert all(("unbiased" in sentence) == (name != "mean") for name, sentence in sentences.items())
    assert all(len(values) == RUNS for values in experiment.compute("none", 4, 0).estimates.values())


def test_optimal_weighs_the_others_by_their_squared_score(experiment):
    K, seed = 3, 5
    eps = torch.randn(RUNS, K, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)[:50, :, 0]
    log_w, score = exact.log_weights(CASE, eps), eps / STD
    for run in range(50):
        c = torch.stack([
            (score[run].square() * log_w[run])[others].sum() / score[run].square()[others].sum()
            for others in ([1, 2], [0, 2], [0, 1])
        ])  # fmt: skip
        expected = ((log_w[run] - c) * score[run]).mean().item()
        assert experiment.compute("none", K, seed).estimates["optimal"][run] == pytest.approx(expected)
