"""The numbers behind lab "06.latent": its loss is InfoVAE's, its measurements are what they are called."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch.distributions import Normal, kl_divergence

from vaecourse import divergences, infovae, models
from vaecourse.labs import curves, info_trainer
from vaecourse.labs.info_trainer import loss
from vaecourse.labs.latent_space import LatentSpace, LatentTrainer
from vaecourse.labs.picture import Canvas
from vaecourse.labs.trainer import digits

LAB = LatentSpace()
DEFAULTS = {control.name: control.default for control in LAB.controls}


def settings(preset):
    return {**DEFAULTS, **LAB.presets[preset]}


def parameters(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("alpha, lambda_", [(0.0, 1.0), (1.0, 200.0), (-9.0, 10.0), (0.5, 3.0)])
def test_the_loss_is_that_of_the_package(alpha, lambda_):
    found = loss("mmd-rbf", alpha, lambda_, 1.0)
    assert (found.objective.of_rate, found.objective.of_divergence) == infovae.coefficients(alpha, lambda_)
    assert found.refused is None and found.refusal == ""


def test_a_negative_coefficient_is_refused_with_a_sentence():
    found = loss("mmd-imq", -9.0, 0.1, 1.0)
    assert found.refused == pytest.approx(-9.9)
    assert found.objective.of_divergence == 0 and found.objective.of_rate == 10
    data = LAB.look(LatentTrainer(0), {**DEFAULTS, "alpha": -9.0, "lambda_": 0.1})
    assert "-9.9 is refused" in LAB.sentence(data)


def test_kernels_of_one_width_have_one_curvature():
    near, at = torch.tensor([[0.01, 0.0]], dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    rbf, imq = (loss(name, 0.0, 5.0, 1.7).objective.parameters for name in ("mmd-rbf", "mmd-imq"))
    narrow = 1 - divergences.rbf(near, at, rbf["bandwidth"]), 1 - divergences.imq(near, at, imq["scale"])
    torch.testing.assert_close(*narrow, rtol=1e-3, atol=0)


def test_rate_is_the_kl_of_the_gaussians():
    mean, log_std = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = kl_divergence(Normal(mean, log_std.exp()), Normal(torch.zeros(3), torch.ones(3))).sum(-1)
    torch.testing.assert_close(models.rate(mean, log_std), expected)


def test_it_goes_on_to_the_same_bits(tmp_path):
    whole = LatentTrainer(2).train(settings("VAE"), 20).train(settings("MMD-VAE"), 20)
    LatentTrainer(2).train(settings("VAE"), 20).save(tmp_path / "half", DEFAULTS)
    half = LatentTrainer(0)
    half.load(tmp_path / "half")
    half.train(settings("MMD-VAE"), 20)
    assert torch.equal(parameters(whole), parameters(half))
    assert whole.history == half.history and whole.turns == half.turns == [20]


def test_the_presets_do_what_they_are_called():
    trained = {name: LatentTrainer(0).train(settings(name), 120) for name in ("VAE", "pulled apart", "collapsed")}
    rates = {name: trainer.latest("rate") for name, trainer in trained.items()}
    assert rates["collapsed"] < 0.3 < 0.7 < rates["VAE"] < 4 < 8 < rates["pulled apart"]
    ceiling = math.log(len(digits().test))
    assert trained["collapsed"].latest("information") < 0.3
    assert 0.9 * ceiling < trained["pulled apart"].latest("information") <= ceiling + 1e-6
    for trainer in trained.values():
        assert trainer.latest("information") <= trainer.latest("rate") + 0.3, "rate = information + KL(q(z) || p)"


def test_what_the_chapter_explains():
    """Chapter 06's answers to the lab's four questions, of one of its three seeds and with room for another machine."""
    ceiling, wide = math.log(len(digits().test)), lambda trainer: trainer.codes().std(0)
    vae = LatentTrainer(0).train(settings("VAE"), 600)
    assert 1.5 < vae.latest("information") < 2.5 and ((wide(vae) - 1).abs() < 0.15).all()
    apart = copy.deepcopy(vae).train(settings("pulled apart"), 600)
    assert (wide(apart) > 1.15).all() and apart.latest("mmd") > 0.006 and apart.latest("information") > ceiling - 0.1
    mmd = LatentTrainer(0).train(settings("MMD-VAE") | {"divergence": "mmd-rbf"}, 600)
    narrow, flat = (
        copy.deepcopy(mmd).train(settings("MMD-VAE") | {"divergence": "mmd-rbf", "width": width}, 600)
        for width in (0.05, 20.0)
    )
    assert (wide(narrow) > 1.15).all() and narrow.latest("mmd") > 4 * max(mmd.latest("mmd"), 0.003)
    assert (wide(flat) < 0.95).all() and (wide(flat) < wide(mmd)).all()
    asleep = LatentTrainer(0).train(settings("collapsed"), 600)
    dear, free = (copy.deepcopy(asleep).train(settings("collapsed") | {"alpha": a}, 600) for a in (-1.0, 1.0))
    assert dear.latest("information") < 0.1 and free.latest("information") > 5


def test_a_kernel_too_narrow_does_not_see_that_the_codes_leave():
    trained = {name: LatentTrainer(0).train(settings(name), 120) for name in ("MMD-VAE", "kernel too narrow")}
    mmd = {name: trainer.latest("mmd") for name, trainer in trained.items()}
    assert mmd["kernel too narrow"] > 5 * max(mmd["MMD-VAE"], 0.005)


def test_the_window_holds_the_points():
    axes = Figure().subplots()
    scatter = curves.Scatter(axes)
    labels = np.arange(10).repeat(4)
    for spread, reach in ((1.0, 3.5), (4.0, 7.0), (30.0, 56.0), (1.0, 3.5)):
        scatter.update(np.full((40, 2), spread), labels)
        assert axes.get_xlim() == (-1, 1), "a new axis would be a new drawing of everything"
        assert scatter.reach == reach
        assert scatter.points[3].get_xdata() == pytest.approx(spread / reach)
        assert scatter.circles[1].get_xdata().max() == pytest.approx(2 / reach, rel=1e-3)


def test_curves_number_their_axis_and_leave_it():
    drawn = curves.Curves(Figure().subplots(), {"rate": ("black", "rate")}, numbered=True)
    trainer = SimpleNamespace(
        steps=300, turns=[100], curve=lambda _: (np.array([0, 100, 300]), np.array([0.5, 0.2, 7.0]))
    )
    drawn.update(trainer)
    assert [number.get_text() for number in drawn.numbers] == ["0", "200", "400 steps"]
    assert drawn.lines["rate"].get_xdata() == pytest.approx([0, 0.25, 0.75])
    assert drawn.lines["rate"].get_ydata() == pytest.approx([0.5, 0.2, 1.0]), (
        "what is off the scale runs along its edge"
    )
    assert drawn.turns.get_xdata()[:2] == pytest.approx([0.25, 0.25])
    assert drawn.axes.get_xlim() == (0, 1)


def test_words_look_like_a_text_and_change_with_it():
    def picture(kind, *said):
        figure = Figure(figsize=(3, 0.6), dpi=120)
        text = figure.add_artist(kind(0.5, 0.9, " ", ha="center", va="top", color="#0072B2"))
        canvas = Canvas(figure, SimpleNamespace(text=text))
        for words in said:
            text.set_text(words)
            pixels = canvas.pixels().copy()
            assert (canvas.pixels() == pixels).all()
        return pixels.astype(int)

    for said in (["steps: 120"], ["one", "λ = 3, $I_q$"], ["a text that is wider than the whole of the picture"]):
        assert np.abs(picture(curves.CachedText, *said) - picture(Text, *said)).max() <= 2
        assert (picture(Text, *said) < 200).any()


@pytest.mark.parametrize("name", info_trainer.DIVERGENCES)
def test_every_divergence_trains_and_goes_on_to_the_same_bits(name, tmp_path):
    """With an adversarial one the critic and its optimiser must be in the file."""
    turned = {**DEFAULTS, "divergence": name, "lambda_": 5.0}
    whole = LatentTrainer(2).train(turned, 6)
    half = LatentTrainer(2).train(turned, 3)
    assert (name in ("kl-adversarial", "js-adversarial")) == (bool(half.critic.optimizer.state))
    half.save(tmp_path / "half", turned)
    taken_up = LatentTrainer(0)
    taken_up.load(tmp_path / "half")
    taken_up.train(turned, 3)
    assert torch.equal(parameters(whole), parameters(taken_up))
    for one, other in zip(whole.critic.module.parameters(), taken_up.critic.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_divergence_is_that_of_the_package():
    """Three steps of the critic, then its estimate: number for number those of an ``InfoVAE`` by itself."""
    trainer, x = LatentTrainer(1), digits().train[:50].round()
    for kind in ("js", "kl"):
        trainer, alone = LatentTrainer(1), infovae.InfoVAE(f"{kind}-adversarial", 0.0, 4.0, seed=1)
        model = copy.deepcopy(trainer.model)
        for noise in (3, 4):
            model.zero_grad()
            trainer.model.zero_grad()
            alone.backward(model, x, torch.Generator().manual_seed(noise))
            again = loss(f"{kind}-adversarial", 0.0, 4.0, 1.0).objective
            trainer.descend(x, again, torch.Generator().manual_seed(noise))
            for one, other in zip(model.parameters(), trainer.model.parameters(), strict=True):
                assert torch.equal(one.grad, other.grad)


def test_the_critic_begins_anew_with_the_seed():
    first = [LatentTrainer(seed).critic.module.state_dict() for seed in (0, 0, 1)]
    same = [all(torch.equal(first[0][name], other[name]) for name in other) for other in first[1:]]
    assert same == [True, False]
