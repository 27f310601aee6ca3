"""Seeds side by side are the seeds one by one: gradients, training, noise; whoever shares the work."""

import pytest
import torch

from vaecourse import objectives
from vaecourse.models import VAE
from vaecourse.reproduce.ensemble import Ensemble, Noise
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.training import train_ensemble

S, B, D, L, M, K = 3, 5, 8, 2, 4, 6
SEEDS = (7, 11, 12)


def models(likelihood="bernoulli"):
    made = []
    for seed in SEEDS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made.append(VAE(D, L, hidden=(6, 4), likelihood=likelihood))
    return made


@pytest.fixture(scope="module")
def pixels():
    return torch.rand(23, D, generator=torch.Generator().manual_seed(3))


def gradients_of(ensemble, x, row, noise):
    ensemble.zero_grad()
    value = objectives.backward(ensemble, x, row, M, K, noise)
    return value, {name: p.grad.clone() for name, p in ensemble.member.named_parameters()}


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("name", list(objectives.TABLE))
def test_an_ensemble_has_the_gradients_of_its_members(name, likelihood, pixels):
    ensemble, noise = Ensemble(models(likelihood)), Noise(SEEDS)
    x = noise.binary(pixels, [torch.arange(s, s + B) for s in range(S)])
    value, together = gradients_of(ensemble, x, name, noise)
    for s, (seed, model) in enumerate(zip(SEEDS, models(likelihood), strict=True)):
        alone = Noise([seed])
        own = alone.binary(pixels, [torch.arange(s, s + B)])
        assert torch.equal(own, x.unflatten(0, (S, B))[s])
        bound = objectives.backward(model, own, name, M, K, torch.Generator().manual_seed(0).set_state(state(alone)))
        torch.testing.assert_close(value.unflatten(0, (S, B))[s], bound)
        for key, parameter in model.named_parameters():
            torch.testing.assert_close(S * together[key][s], parameter.grad, rtol=1e-4, atol=1e-6)


def state(noise):
    (generator,) = noise.generators.values()
    return generator.get_state()


def test_an_ensemble_comes_apart_again():
    for before, after in zip(models(), Ensemble(models()).models(), strict=True):
        for one, other in zip(before.parameters(), after.parameters(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["iwae", "piwae", "dreg"])
def test_training_side_by_side_is_training_one_by_one(name, pixels):
    row, rates = objectives.get(name), [1e-2, 1e-2, 5e-3]
    ensemble = Ensemble(models())
    passes = train_ensemble(ensemble, pixels, row, M, K, rates, SEEDS, batch_size=B)
    for s, (seed, first) in enumerate(zip(SEEDS, models(), strict=True)):
        alone = Ensemble([first])
        own = train_ensemble(alone, pixels, row, M, K, rates, [seed], batch_size=B)
        for one, other in zip(passes, own, strict=True):
            assert one.bounds[s] == pytest.approx(other.bounds[0], abs=1e-4)
        for one, other in zip(ensemble.models()[s].parameters(), alone.models()[0].parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    moved = ensemble.models()[0].encoder[0].weight - models()[0].encoder[0].weight
    assert moved.abs().max() > 1e-3  # else nothing was compared


def test_shares_of_a_batch_are_the_batch(pixels):
    order, L = [torch.arange(B), torch.arange(3, 3 + B)], 2
    whole = Noise((1, 2))
    x, eps = whole.binary(pixels, order), whole.normal((M, K), L)
    shares = [Noise((1, 2), rank=rank, size=2) for rank in range(2)]
    parts = [share.binary(pixels, order).unflatten(0, (2, -1)) for share in shares]
    assert torch.equal(torch.cat(parts, 1), x.unflatten(0, (2, B)))
    parts = [share.normal((M, K), L).unflatten(2, (2, -1)) for share in shares]
    assert torch.equal(torch.cat(parts, 3), eps.unflatten(2, (2, B)))


@pytest.mark.parametrize("settings", [{"compiled": True}, {"precision": "bf16"}])
def test_other_machinery_changes_rounding_only(settings, pixels, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call: compiled.append(call) or compile_(call, backend="eager"))
    rates, row, x = [1e-2], objectives.get("piwae"), pixels[: 4 * B]
    plain, other = Ensemble(models()), Ensemble(models())
    (before,) = train_ensemble(plain, x, row, M, K, rates, SEEDS, batch_size=B)
    (after,) = train_ensemble(other, x, row, M, K, rates, SEEDS, batch_size=B, machinery=Machinery(**settings))
    assert len(compiled) == (5 if "compiled" in settings else 0)
    assert after.bounds == pytest.approx(before.bounds, abs=0.2 if "precision" in settings else 1e-4)
    assert (after.bounds != before.bounds) or "compiled" in settings  # bf16 rounds


compile_ = torch.compile
