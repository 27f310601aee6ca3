"""The numbers behind lab "08.cockpit": what the controls amount to, and the signal-to-noise it measures on the way."""

import pytest
import torch

from vaecourse import gradients
from vaecourse.labs import cockpit
from vaecourse.labs.cockpit import BUDGET, CockpitLab, CockpitTrainer, plan

LAB = CockpitLab()
DEFAULTS = {control.name: control.default for control in LAB.controls}


def settings(**turned):
    return {**DEFAULTS, **turned}


def parameters(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def finish(pieces):
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("objective", cockpit.OBJECTIVES)
def test_every_objective_trains_within_the_budget(objective):
    turned = settings(objective=objective, M=64, K=5, lambda_=7.0)
    now = plan(**turned)
    assert now.M * now.K <= BUDGET
    if objective != "infovae":
        assert (now.M, now.K) == (12, 5) and "M = 64" in now.waits
    trainer = CockpitTrainer(0)
    before = parameters(trainer)
    trainer.step(turned)
    assert not torch.equal(parameters(trainer), before)


@pytest.mark.parametrize("objective, used", [("elbo", []), ("ciwae", ["β"]), ("infovae", ["α", "λ", "mmd"])])
def test_what_is_not_in_use_is_said(objective, used):
    waits = plan(**settings(objective=objective)).waits
    for name in ("β", "α", "λ", "mmd"):
        assert (name in waits) == (name not in used)


def test_beta_reaches_the_objective():
    assert plan(**settings(objective="ciwae", beta=0.2)).row.parameters == {"beta": 0.2}


@pytest.mark.parametrize("turned", [{"objective": "miwae", "M": 3, "K": 4}, {"objective": "dreg", "K": 7}])
def test_signal_to_noise_is_that_of_the_package(turned):
    """The same noise gives the same ratios, by another road: gradients one after the other, against vmap."""
    trainer, now = CockpitTrainer(1).train(settings(), 5), plan(**settings(**turned))
    encoder, decoder = finish(trainer.signal(now, torch.Generator().manual_seed(9)))
    expected = gradients.signal_to_noise(
        trainer.model, trainer.few, now.row, now.M, now.K, cockpit.DRAWS, torch.Generator().manual_seed(9)
    )
    assert encoder == pytest.approx(expected.phi.nan_to_num(0.0).mean().item(), rel=2e-3)
    assert decoder == pytest.approx(expected.theta.nan_to_num(0.0).mean().item(), rel=2e-3)


def test_many_samples_drown_the_encoder_and_miwae_rescues_it():
    trainer = CockpitTrainer(0).train(settings(), 80)
    found = {}
    for name in ("VAE", "drown the encoder", "rescue it with MIWAE"):
        now = plan(**settings(**LAB.presets[name]))
        found[name] = finish(trainer.signal(now, torch.Generator().manual_seed(0)))
    assert found["drown the encoder"][0] < 2 * cockpit.FLOOR
    assert found["rescue it with MIWAE"][0] > 1.5 * found["drown the encoder"][0]
    assert found["drown the encoder"][1] > 2 * found["VAE"][1]


def test_collapse_and_rescue():
    trainer = CockpitTrainer(0).train(settings(**LAB.presets["collapse it"]), 120)
    assert trainer.latest("rate") < 0.3
    trainer.train(settings(**LAB.presets["save it with MMD"]), 160)
    assert trainer.latest("rate") > 0.5


def test_it_goes_on_to_the_same_bits(tmp_path):
    drown, rescue = (settings(**LAB.presets[name]) for name in ("drown the encoder", "rescue it with MIWAE"))
    whole = CockpitTrainer(2).train(drown, 40).train(rescue, 5)
    CockpitTrainer(2).train(drown, 40).save(tmp_path / "half", rescue)
    half = CockpitTrainer(0)
    assert half.load(tmp_path / "half") == rescue
    half.train(rescue, 5)
    assert torch.equal(parameters(whole), parameters(half)) and whole.history == half.history


def test_measuring_changes_nothing():
    trainer = CockpitTrainer(0).train(settings(), 3)
    before, state = parameters(trainer), trainer.random.get_state()
    finish(trainer.measure(settings(objective="infovae", alpha=1.0, lambda_=50.0)))
    assert torch.equal(parameters(trainer), before) and torch.equal(trainer.random.get_state(), state)
