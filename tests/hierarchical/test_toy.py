"""Learning tau, and the Laplace toy: its start in closed form, its end nearer the exact value."""

import inspect
import math

import pytest
import torch

from vaecourse import exact, hierarchical
from vaecourse.hierarchical import GatedInverse, LinearInverse, toy


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def exact_gap(law, tau):
    """E_q(z) KL(q(psi|z) || tau) per dimension, for a Gaussian law and a linear tau."""
    slope, t, v = tau.slope.item(), math.exp(2 * tau.log_std.item()), law.std**2
    second = (slope - law.slope) ** 2 * (law.spread**2 + law.noise**2)
    return 0.5 * ((v + second) / t - 1 + math.log(t / v))


@pytest.mark.parametrize("K", [0, 5])
def test_learning_goes_to_the_posterior(K):
    law = exact.MeanMixture(3)
    tau = LinearInverse(0.0, law.spread)
    before = exact_gap(law, tau)
    values = hierarchical.learn(law, tau, 200, K, batch=64, learning_rate=0.03, generator=generator())
    assert values.shape == (200,)
    assert before > 0.7 and exact_gap(law, tau) < 0.01 * before
    assert abs(tau.slope.item() - law.slope) < 0.05


def test_the_rate_falls_to_zero():
    """Adam's steps are about as long as its rate: the last of 50 is a fiftieth of the first."""
    law, slopes = exact.MeanMixture(3), []

    class Recording(LinearInverse):
        def sample(self, z, K, generator=None):
            slopes.append(self.slope.item())
            return super().sample(z, K, generator)

    tau = Recording(0.0, law.spread)
    hierarchical.learn(law, tau, 50, 5, learning_rate=1e-3, generator=generator())
    steps = torch.tensor([*slopes, tau.slope.item()]).diff()
    assert len(steps) == 50 and steps[0].item() == pytest.approx(1e-3, rel=1e-3)
    assert 0 < steps[-1] < 2 * 1e-3 / 50


def test_no_steps_change_nothing():
    law, tau = exact.LaplaceMixture(3), GatedInverse((8,))
    before = {name: value.clone() for name, value in tau.state_dict().items()}
    assert hierarchical.learn(law, tau, 0).shape == (0,)
    for name, value in tau.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("bad", [{"steps": -1}, {"K": -1}, {"batch": 0}, {"learning_rate": 0.0}])
def test_bad_settings_of_learning_are_named(bad):
    with pytest.raises(ValueError, match=f"^{next(iter(bad))} must "):
        hierarchical.learn(exact.LaplaceMixture(3), GatedInverse((8,)), **{"steps": 2} | bad)


def test_toy_without_training_is_sivi():
    """U_0 of SIVI is E log q(z | psi_0) = -dim (log 2 pi + 1 + E log psi) / 2; E log psi = log 2 - Euler's gamma."""
    found = hierarchical.laplace_toy(steps=0, K=(0, 3), draws=4000, dim=5)
    truth = -2.5 * (math.log(2 * math.pi) + 1 + math.log(2) - 0.5772156649)
    assert abs(found.upper[0] - truth) < 4 * found.upper_error[0]
    assert abs(found.upper[0] - found.exact) > 8 * found.upper_error[0]
    assert found.exact == pytest.approx(-5 * (1 + math.log(2)))


def test_toy_with_training_is_nearer_and_still_above():
    settings = {"K": (0, 5, 20), "draws": 500, "dim": 5}
    sivi, iwhvi = (hierarchical.laplace_toy(steps=steps, **settings) for steps in (0, 60))
    assert (iwhvi.upper - sivi.exact < 0.6 * (sivi.upper - sivi.exact)).all()
    assert (iwhvi.upper > iwhvi.exact - 4 * iwhvi.upper_error).all()
    assert (iwhvi.lower[1:] < iwhvi.exact + 4 * iwhvi.lower_error[1:]).all() and iwhvi.lower[0] == -math.inf
    again = hierarchical.laplace_toy(steps=60, **settings)
    torch.testing.assert_close(again.upper, iwhvi.upper, rtol=0, atol=0)
    other = hierarchical.laplace_toy(steps=60, seed=1, **settings)
    assert (other.upper != iwhvi.upper).all()


def test_evaluate_is_the_mean_of_both_bounds_about_the_exact_value():
    law, tau, K = exact.LaplaceMixture(3), toy.untrained(1), (0, 2, 7)
    found = toy.evaluate(law, tau, K, 5, generator(3))
    same = generator(3)
    z, psi_0 = law.sample(5, same)
    bounds = hierarchical.curve(law, tau, z, psi_0, K, same, chunk=10)
    assert found.K == K and found.exact == -law.entropy()
    for side in ("upper", "lower"):
        offset = getattr(bounds, side) - law.log_prob(z)  # [J, draws]
        torch.testing.assert_close(getattr(found, side), found.exact + offset.mean(1))
        error = (offset - offset.mean(1, keepdim=True)).square().sum(1).div(4 * 5).sqrt()
        torch.testing.assert_close(getattr(found, f"{side}_error"), error, equal_nan=True)
    with pytest.raises(ValueError, match="^draws must be at least 2, got 1.$"):
        toy.evaluate(law, tau, K, 1)
    assert toy.evaluate(law, tau, K, 2).upper.shape == (3,)


def test_the_toy_is_untrained_then_learned_then_evaluated_each_with_its_seed():
    settings = {"steps": 2, "K": (0, 3), "draws": 2, "dim": 3, "training_K": 4}
    law, tau = exact.LaplaceMixture(3), toy.untrained(6)
    hierarchical.learn(law, tau, 2, 4, generator=generator(6))
    by_hand = toy.evaluate(law, tau, (0, 3), 2, generator(1_000_006))
    for one, other in zip(toy.laplace_toy(**settings, seed=6), by_hand):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    first, default = toy.laplace_toy(**settings, seed=0), toy.laplace_toy(**settings)
    assert first.upper.equal(default.upper) and not first.upper.equal(by_hand.upper)


def test_the_defaults_of_the_toy_are_the_settings_of_the_paper():
    defaults = {name: p.default for name, p in inspect.signature(toy.laplace_toy).parameters.items()}
    assert defaults["dim"] == 50 and defaults["training_K"] == 5 and defaults["draws"] == 1000


def test_bad_settings_are_found_before_the_training(monkeypatch):
    monkeypatch.setattr(toy, "learn", lambda *_, **__: pytest.fail("it trained"))
    for bad in ({"draws": 1}, {"K": (3, 1)}):
        with pytest.raises(ValueError, match=f"^{next(iter(bad))} must"):
            toy.laplace_toy(**{"steps": 5, "dim": 2} | bad)


def test_the_first_weights_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    toy.untrained(0)
    torch.testing.assert_close(torch.rand(3), expected)


@pytest.mark.parametrize("bad, name", [({"draws": 1}, "draws"), ({"dim": 0}, "dim"), ({"K": (5, 1)}, "K must")])
def test_bad_settings_of_the_toy_are_named(bad, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        hierarchical.laplace_toy(**{"steps": 0, "draws": 10, "dim": 2} | bad)


def test_averages_over_seeds():
    points = lambda shift: [
        {"K": 0, "upper": 1.0 + shift, "upper_error": 0.3},
        {"K": 9, "upper": 0.5, "upper_error": 0.4, "lower": -1.0 + shift, "lower_error": 0.6},
    ]
    runs = [{"steps": 7, "seed": seed, "points": points(2.0 * seed)} for seed in range(2)]
    (found,) = toy.averages({"settings": {"exact": -3.0}, "runs": runs}).values()
    assert found.K == (0, 9) and found.exact == -3.0
    torch.testing.assert_close(found.upper, torch.tensor([2.0, 0.5]))
    torch.testing.assert_close(found.upper_error, torch.tensor([0.3, 0.4]) / 2**0.5)
    assert found.lower[0].isnan() and found.lower[1] == 0.0
    assert found.lower_error[0].isnan() and found.lower_error[1].item() == pytest.approx(0.6 / 2**0.5)
