"""The numbers behind lab "07.samplers": the recorded samplers' densities, bounds and KLs, computed once more."""

import itertools

import numpy as np
import pytest
import torch

from tests.stats import assert_mean
from vaecourse import labs
from vaecourse.hierarchical import MixingPrior, samplers
from vaecourse.labs import samplers as lab07

LAB = lab07.LearnedSamplers()
START = {"target": "X", "K": 5, "tau": "learned", "steps": 1500, "seed": 0}
AREA = float((lab07.X[1] - lab07.X[0]) * (lab07.Y[1] - lab07.Y[0]))


def compute(**settings):
    return LAB.compute(**{**START, **settings})


def test_every_setting_has_its_record():
    settings = lab07.record()["settings"]
    wanted = set(itertools.product(settings["targets"], settings["K"], settings["tau"]))
    assert set(lab07.runs()) == wanted
    for moments in lab07.runs().values():
        assert [moment["steps"] for moment in moments] == settings["moments"]


@pytest.mark.parametrize("target", list(samplers.TARGETS))
def test_densities_are_those_of_the_package(target):
    data = compute(target=target)
    moment = lab07.runs()[target, 5, "learned"][-1]
    made = lab07.sampler(moment)
    np.testing.assert_allclose(data.q, samplers.density(made, lab07.X, lab07.Y, lab07.DRAWS).numpy())
    assert data.q.sum() * AREA == pytest.approx(1, abs=0.02)  # a little of the banana is above the picture
    assert data.p.sum() * AREA == pytest.approx(1, abs=0.03)
    assert samplers.divergence(made, samplers.TARGETS[target]) == pytest.approx(moment["kl"], abs=2e-3)
    best = samplers.gaussian_fit(samplers.TARGETS[target])
    assert samplers.divergence(best, samplers.TARGETS[target]) == pytest.approx(data.gaussian_kl, abs=1e-3)
    i, j = 70, 40
    z = torch.stack([lab07.X[j], lab07.Y[i]])
    assert data.p[i, j] == pytest.approx(samplers.TARGETS[target].log_prob(z).exp().item(), rel=1e-5)


@pytest.mark.parametrize("K", [1, 5, 20])
def test_recorded_bounds_of_sivi_are_what_sampling_gives(K):
    """tau = q(psi) needs nothing but the sampler, so the bound can be estimated again with other noise."""
    for name, target in samplers.TARGETS.items():
        moment = lab07.runs()[name, K, "prior"][-1]
        made = lab07.sampler(moment)
        fitted = samplers.Fit(made, MixingPrior(made))
        runs = samplers.bound(target, fitted, K, 10_000, torch.Generator().manual_seed(9))
        error = (runs.var().item() / 10_000 + moment["error"] ** 2) ** 0.5
        assert abs(runs.mean().item() - moment["bound"]) < 4 * error


def test_no_bound_is_above_log_z_by_more_than_its_error():
    for (name, _, _), moments in lab07.runs().items():
        for moment in moments:
            below = samplers.TARGETS[name].log_normaliser - moment["bound"]
            assert moment["kl"] > 0
            assert below > moment["kl"] - 4 * moment["error"] - 2e-3


def test_more_psi_and_a_learned_tau_come_nearer_to_the_cross():
    kl = {(K, tau): compute(K=K, tau=tau).kl for K in (0, 5, 20) for tau in lab07.TAU}
    assert kl[20, "learned"] < kl[20, "does not look at z"] < kl[0, "does not look at z"]
    assert kl[5, "learned"] < kl[5, "does not look at z"]
    assert kl[20, "learned"] < 0.1 * compute().gaussian_kl
    assert lab07.LOWEST < -kl[0, "does not look at z"]


def test_dots_are_draws_of_the_density():
    data = [compute(seed=seed) for seed in range(20)]
    dots = torch.from_numpy(np.concatenate([d.dots for d in data]))
    assert dots.shape == (20 * lab07.DOTS, 2)
    mass = torch.from_numpy(data[0].q).double() * AREA
    assert_mean(dots[:, 0].square(), (mass.sum(0) * lab07.X.square()).sum() / mass.sum())
    assert not np.array_equal(data[0].dots, data[1].dots) and data[0].bound == data[1].bound


def test_a_value_between_the_stops_goes_to_the_nearest():
    assert compute(K=6, steps=700).K == 5 and compute(K=17, steps=700).K == 20
    assert compute(steps=700).steps == 800 and compute(steps=3).steps == 0
    assert compute(steps=150).past.shape == (3, 3)


@pytest.mark.parametrize(
    "settings, name",
    [
        ({}, "The cross by IWHVI, K = 5"),
        ({"K": 0}, "The cross by HVM, K = 0"),
        ({"tau": "does not look at z"}, "The cross by SIVI, K = 5"),
    ],
)
def test_sentence_names_the_method(settings, name):
    data = compute(**settings)
    assert LAB.sentence(data).startswith(name)
    assert f"KL(q ‖ p) is {data.kl:.3f}" in LAB.sentence(data)


def test_live():
    lab = labs.ALL["07.samplers"]()
    assert lab.settings == START
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
    lab.controls["steps"].value = 777
    assert "800 steps" in lab.sentence.value
    lab.reset()
    assert lab.settings == START
