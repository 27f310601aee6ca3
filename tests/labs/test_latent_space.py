"""The numbers behind lab "06.latent": its loss is InfoVAE's, its measurements are what they are called."""

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch.distributions import Normal, kl_divergence

from vaecourse import divergences, infovae
from vaecourse.labs import latent_space
from vaecourse.labs.latent_space import LatentSpace, LatentTrainer, loss
from vaecourse.labs.live import digits

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
    torch.testing.assert_close(latent_space.rate(mean, log_std), expected)


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


def test_a_kernel_too_narrow_does_not_see_that_the_codes_leave():
    trained = {name: LatentTrainer(0).train(settings(name), 120) for name in ("MMD-VAE", "kernel too narrow")}
    mmd = {name: trainer.latest("mmd") for name, trainer in trained.items()}
    assert mmd["kernel too narrow"] > 5 * max(mmd["MMD-VAE"], 0.005)


def test_the_window_holds_the_points():
    axes = Figure().subplots()
    scatter = latent_space.Scatter(axes)
    labels = np.arange(10).repeat(4)
    for spread, reach in ((1.0, 3.5), (4.0, 7.0), (30.0, 56.0), (1.0, 3.5)):
        scatter.update(np.full((40, 2), spread), labels)
        assert axes.get_xlim() == (-reach, reach)
