"""The lab "q against the exact posterior": its sum holds for every q and x, and each part agrees with samples."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse.labs.frame import Panel
from vaecourse.labs.gap import FLOOR, MEAN, MODEL, STD, ElboGap, Z

SETTINGS = [(1.161, 0.633, 1.3), (-0.7, 0.3, 1.3), (0.4, 1.8, -2.5), (0.0, 1.0, 0.0)]


@pytest.fixture(scope="module")
def experiment():
    return ElboGap()


@pytest.mark.parametrize("mean, std, x", SETTINGS)
def test_the_parts_add_up_to_log_p(experiment, mean, std, x):
    gap = experiment.compute(mean, std, x)
    assert gap.elbo + gap.kl_to_posterior == pytest.approx(gap.log_likelihood, abs=1e-12)
    assert gap.reconstruction - gap.kl_to_prior == pytest.approx(gap.elbo, abs=1e-12)
    variance = 1.5**2 + 0.7  # of x, from the model's two lines
    assert gap.log_likelihood == pytest.approx(-0.5 * (math.log(2 * math.pi * variance) + x**2 / variance))


@pytest.mark.parametrize("mean, std, x", SETTINGS)
def test_each_part_is_the_mean_of_its_samples(experiment, mean, std, x):
    gap = experiment.compute(mean, std, x)
    N = 200_000
    z = mean + std * torch.randn(N, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    normal = lambda value, centre, sd: torch.distributions.Normal(centre, sd).log_prob(value)  # noqa: E731
    likelihood = normal(torch.tensor(x).double(), 1.5 * z, math.sqrt(0.7))
    assert_mean(likelihood, gap.reconstruction)
    assert_mean(likelihood + normal(z, 0.0, 1.0) - normal(z, mean, std), gap.elbo)
    if gap.kl_to_posterior > 0.1:
        assert_not_mean(likelihood + normal(z, 0.0, 1.0) - normal(z, mean, std), gap.log_likelihood)


def test_the_curves_are_densities(experiment):
    gap = experiment.compute(0.3, 0.4, 1.3)
    for density in (gap.q, gap.posterior):
        assert np.trapezoid(density, Z) == pytest.approx(1.0, abs=1e-6)
    assert np.trapezoid(Z * gap.posterior, Z) == pytest.approx(MEAN, abs=1e-6)


def test_presets_say_what_they_are_called():
    lab = Panel(ElboGap())
    values = {name: lab.experiment.compute(**lab._preset(name)) for name in lab.presets}
    assert values["exact posterior"].kl_to_posterior == pytest.approx(0.0, abs=1e-12)
    assert values["too narrow"].kl_to_posterior == pytest.approx(0.5 * (0.25 - 1) + math.log(2))
    assert values["too wide"].kl_to_posterior == pytest.approx(0.5 * (4 - 1) - math.log(2))
    assert values["off centre"].kl_to_posterior == pytest.approx(0.5)
    assert values["the prior"].kl_to_prior == 0.0
    reference = lab.experiment.compute(**lab.defaults)
    assert round(reference.elbo, 4) == -2.3557


def test_sentence_and_picture_follow(experiment):
    lab = Panel(ElboGap())
    lab.apply("exact posterior")
    assert "KL(q ‖ posterior) 0.000" in lab.sentence.value
    assert "below the picture" not in lab.sentence.value
    before = lab.image.value
    lab.controls["mean"].value, lab.controls["std"].value = -3.0, 0.2
    assert lab.error is None
    assert lab.experiment.compute(**lab.settings).elbo < FLOOR
    assert "below the picture" in lab.sentence.value
    assert lab.image.value != before


def test_every_corner_is_finite(experiment):
    for mean in (-3.0, 3.0):
        for std in (0.2, 2.0):
            for x in (-3.0, 3.0):
                gap = experiment.compute(mean, std, x)
                assert np.isfinite(gap[2:]).all() and gap.elbo <= gap.log_likelihood


def test_the_posterior_is_the_best_q(experiment):
    best = experiment.compute(MEAN, STD, 1.3).elbo
    for shift in (-0.01, 0.01):
        assert experiment.compute(MEAN + shift, STD, 1.3).elbo < best
        assert experiment.compute(MEAN, STD + shift, 1.3).elbo < best
    assert MODEL.noise_variance == 0.7
