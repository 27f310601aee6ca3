"""The lab "02.baseline": every estimator has the exact mean that the lab claims, and c* is the best constant."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, gradients
from vaecourse.labs.baseline import FIXED, KINDS, NAMES, PATH, RUNS, ScoreBaseline
from vaecourse.labs.frame import Panel

CASE = exact.reference(torch.float64)
STD = CASE.std.item()
GRADIENT = -0.5 / CASE.model.covariance.item()


@pytest.fixture(scope="module")
def experiment():
    return ScoreBaseline()


def compute(experiment, baseline="none", K=8, seed=0, **q):
    return experiment.compute(
        **{"baseline": baseline, "K": K, "seed": seed, "width": 1.3, "shift": 0.5, "D": 1, "unit": 0.0, **q}
    )


def moments(c):
    """Mean and variance of one sample (log w - c) s by the trapezoidal rule."""
    t = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    mass = torch.exp(-0.5 * t**2) / math.sqrt(2 * math.pi) * (t[1] - t[0])
    sample = (exact.log_weights(CASE, t) - c) * t / STD
    mean = (mass * sample).sum().item()
    return mean, (mass * sample**2).sum().item() - mean**2


def test_gradient_is_that_of_the_kl():
    assert moments(0.0)[0] == pytest.approx(GRADIENT)
    assert compute(ScoreBaseline()).exact == pytest.approx(GRADIENT)


def test_c_star_has_the_smallest_variance():
    best = moments(exact.optimal_baseline(CASE))[1]
    assert all(moments(exact.optimal_baseline(CASE) + step)[1] > best for step in (-0.05, 0.05))
    assert best == pytest.approx(10.661, abs=1e-3)
    assert moments(0.0)[1] == pytest.approx(33.793, abs=1e-3)


@pytest.mark.parametrize("K", [2, 3, 17])
@pytest.mark.parametrize("name", NAMES)
def test_means_are_exact(experiment, name, K):
    data = [compute(experiment, "none", K, seed) for seed in range(8)]
    estimates = torch.from_numpy(np.concatenate([one.estimates[name] for one in data]))
    assert_mean(estimates, data[0].means[name])
    if name == "mean" and K < 17:
        assert_not_mean(estimates, GRADIENT)


@pytest.mark.parametrize("name, variance", [("none", 33.793), (FIXED, 10.661), (PATH, STD**2 / 0.2373**2)])
def test_variances_of_the_constant_baselines_are_exact(experiment, name, variance):
    K = 5
    estimates = np.concatenate([compute(experiment, "none", K, seed).estimates[name] for seed in range(8)])
    assert_mean(torch.from_numpy((estimates - GRADIENT) ** 2), variance / K)


def test_leave_one_out_is_the_mean_baseline_stretched(experiment):
    data = compute(experiment, "mean", 6, seed=3)
    np.testing.assert_allclose(data.estimates["mean"] * 6 / 5, data.estimates["leave-one-out"], atol=1e-12)


def test_bars_are_variance_and_squared_bias(experiment):
    lab = Panel(experiment)
    lab.apply("mean, K = 2")
    data = experiment.compute(**lab.settings)
    place = NAMES.index("mean")
    artists = lab._canvas.artists
    low, high = artists.variance[place], artists.bias[place]
    assert low.get_y() + low.get_height() == pytest.approx(data.variances["mean"])
    assert high.get_y() == pytest.approx(data.variances["mean"])
    assert high.get_height() == pytest.approx(2 * (GRADIENT / 2) ** 2)
    assert artists.bias[NAMES.index("leave-one-out")].get_height() == 0.0
    assert f"{data.means['mean']:.3f}".replace("-", "−") in lab.sentence.value
    assert lab.error is None


def test_sentence_tells_biased_from_unbiased(experiment):
    sentences = {name: experiment.sentence(compute(experiment, name, 4)) for name in NAMES[:-1]}
    assert all(("unbiased" in sentence) == (name != "mean") for name, sentence in sentences.items())
    assert all(len(values) == RUNS for values in compute(experiment, "none", 4).estimates.values())


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
        assert compute(experiment, "none", K, seed).estimates["optimal"][run] == pytest.approx(expected)


@pytest.mark.parametrize("width, shift", [(2.0, 0.3), (0.4, 1.2), (1.0, 0.0)])
@pytest.mark.parametrize("D", [1, 2, 9])
def test_every_q_and_dimension_has_the_exact_mean_and_variance(experiment, width, shift, D):
    K = 5
    data = [compute(experiment, K=K, seed=seed, width=width, shift=shift, D=D, unit=1.0) for seed in range(8)]
    for name in NAMES:
        estimates = torch.from_numpy(np.concatenate([one.estimates[name] for one in data]))
        if estimates.std() > 1e-9:
            assert_mean(estimates, data[0].means[name])
            if name != "optimal":
                assert_mean(K * (estimates - data[0].means[name]) ** 2, data[0].variances[name])
        else:
            assert data[0].variances[name] < 1e-9 and data[0].means[name] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("width, shift, K", [(1.3, 0.5, 2), (0.5, 1.0, 7)])
def test_the_reduced_noise_is_that_of_the_samples(experiment, width, shift, K):
    """One dimension, by the baselines of the package on the samples themselves."""
    case = exact.case_with(width, shift)
    eps = torch.randn(RUNS, K, generator=torch.Generator().manual_seed(3), dtype=torch.float64)[..., None]
    log_w, score = exact.log_weights(case, eps) + 0.5, eps / case.std.item()
    data = compute(experiment, K=K, seed=3, width=width, shift=shift, unit=0.5)
    for name, kind in KINDS.items():
        expected = ((log_w - gradients.baseline(log_w, kind, score**2)) * score).mean(1)[:, 0]
        np.testing.assert_allclose(data.estimates[name], expected, atol=1e-8)


def test_the_rules_flip(experiment):
    said = lambda **settings: experiment.sentence(compute(experiment, **settings))
    assert "Reparameterising is quieter than leave-one-out (13.2 against 7.12)" in said()
    assert "Leave-one-out is quieter than reparameterising (0 against 4.21)" in said(width=1.0, shift=0.0)
    near = {"width": 1.15, "shift": 0.15}
    assert "Leave-one-out is quieter" in said(**near) and "Reparameterising is quieter" in said(**near, D=16)
    assert "No baseline (10.7) beats leave-one-out" in said(unit=3.0) and "No baseline" not in said()
    few, many = said(baseline="optimal", K=4), said(baseline="optimal", K=64, shift=0.0)
    assert "worse than leave-one-out, 1.4" in few and "better than leave-one-out, 0.6" in many
