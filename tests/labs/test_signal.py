"""The numbers behind lab "04.signal": exact moments against sampling, closed forms, and the paper's rates."""

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, labs, objectives
from vaecourse.labs import signal

LAB = signal.SignalToNoise()
START = {"K": 16, "M": 4, "width": 1.3, "shift": 0.5, "beta": 0.0, "budget": signal.FREE, "pooled": False, "seed": 0}


def compute(**settings):
    return LAB.compute(**{**START, **settings})


def moments(parameter, K):
    return signal.rows(*signal.Q).moments("iwae", signal.PARAMETERS[parameter], K=K)


def bound(K):
    return signal.rows(*signal.Q).value("iwae", 1, K)


def sampled(objective, M, K, draws, seed=1):
    """Independent gradients for phi and theta by the weights of the table of objectives: ``[draws] each``."""
    eps = torch.randn(draws, M, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    slopes = exact.slopes(exact.reference(torch.float64), eps.permute(1, 2, 0))  # [M, K, draws]: each a data point
    phi = (objective.phi_weights(slopes.log_w) * slopes.whole("mean")).sum((0, 1))
    theta = (objective.theta_weights(slopes.log_w) * slopes.weight).sum((0, 1))
    return {"phi": phi, "theta": theta}


@pytest.mark.parametrize("parameter", ["phi", "theta"])
@pytest.mark.parametrize("M, K, beta", [(1, 1, 0.0), (3, 2, 0.0), (1, 40, 0.0), (3, 5, 0.3), (2, 7, 1.0)])
def test_exact_moments_are_those_of_samples(parameter, M, K, beta):
    found = signal.rows(*signal.Q).moments("ciwae", signal.PARAMETERS[parameter], M, K, beta=beta)
    mean, sd = found.mean, found.sd
    runs = sampled(objectives.get("ciwae", beta=beta), M, K, 40_000)[parameter]
    assert_mean(runs, mean)
    assert_mean((runs - mean).square(), sd**2)
    assert_not_mean((runs - mean).square(), 1.2 * sd**2)


def test_one_sample_gives_the_exact_gradient_of_the_elbo():
    case = exact.reference(torch.float64)
    mean = case.mean.clone().requires_grad_()
    case.model.elbo(case.x, mean, case.std).sum().backward()
    assert moments("phi", 1).mean == pytest.approx(mean.grad.item(), abs=1e-8)
    assert moments("phi", 1).mean == pytest.approx(-2.107, abs=1e-3)


@pytest.mark.parametrize("K", [2, 30, 500])
def test_mean_is_the_slope_of_the_exact_bound(K):
    """E[Delta_phi] = dE[L_K] / d mean, by a central difference of another quadrature."""
    step = 1e-3
    high, low = (exact.WeightLaw.of(exact.case_with(1.3, 0.5 + s)).lower(K).item() for s in (step, -step))
    assert moments("phi", K).mean == pytest.approx((high - low) / (2 * step), rel=1e-4)


def test_bound_is_exact():
    case = exact.reference(torch.float64)
    assert bound(1) == pytest.approx(case.model.elbo(*case[1:]).item(), abs=1e-8)
    for K in (2, 64, 1000):
        other = exact.WeightLaw.of(case).lower(K).item()
        assert bound(K) == pytest.approx(other, abs=1e-8)


def test_theta_tends_to_the_gradient_of_log_p():
    case = exact.reference(torch.float64)
    weight = case.model.weight.clone().requires_grad_()
    exact.LinearGaussian(weight, 0.7).log_likelihood(case.x).sum().backward()
    gap = [abs(moments("theta", K).mean - weight.grad.item()) for K in (500, 1000)]
    assert gap[1] < 5e-4
    assert gap[0] / gap[1] == pytest.approx(2, rel=0.01)  # O(1/K)


def test_rates():
    ratio = lambda name, K: signal.signal_to_noise(name, 1, 4 * K) / signal.signal_to_noise(name, 1, K)
    assert ratio("theta", 1000) == pytest.approx(2, rel=0.01)
    assert ratio("phi", 1000) == pytest.approx(0.5, rel=0.01)
    for name in ("theta", "phi"):
        assert signal.signal_to_noise(name, 9, 5, 0.2) == pytest.approx(3 * signal.signal_to_noise(name, 1, 5, 0.2))


def test_reference_values_of_the_errata():
    assert signal.signal_to_noise("phi", 1, 1) == pytest.approx(0.79, abs=0.005)
    assert signal.signal_to_noise("phi", 1, 256) == pytest.approx(0.0372, abs=1e-4)  # .036 where it is sampled
    assert signal.signal_to_noise("theta", 1, 1) == pytest.approx(0.69, abs=0.005)
    assert signal.signal_to_noise("theta", 1, 256) == pytest.approx(4.66, abs=0.005)


def test_pooled_is_piwae():
    data = compute(M=3, K=5, pooled=True)
    runs = sampled(objectives.get("piwae"), 3, 5, 40_000)
    for parameter, snr in (("phi", data.phi), ("theta", data.theta)):
        assert_mean(runs[parameter] / runs[parameter].std() * runs[parameter].mean().sign(), snr)
    assert data.value == bound(15)


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"M": 1, "K": 3, "beta": 0.4}, {"M": 7, "K": 3, "pooled": True}, {"K": 1}, {"width": 2.0, "shift": 0.3},
        {"width": 0.6, "shift": 1.0, "M": 1, "K": 8},
    ],
)  # fmt: skip
def test_histograms_lie_where_the_exact_ratios_say(settings):
    data = [compute(**settings, seed=seed) for seed in (1, 2)]
    for parameter in ("phi", "theta"):
        runs = torch.from_numpy(np.concatenate([getattr(d, f"{parameter}_runs") for d in data]))
        assert len(runs) == 2 * signal.ESTIMATES
        assert_mean(runs, getattr(data[0], parameter))
        assert_mean((runs - getattr(data[0], parameter)).square(), 1.0)


def test_fixed_budget():
    for K in (1, 5, 8, 1024):
        data = compute(K=K, M=50, budget=signal.FIXED)
        assert data.M * data.K == signal.BUDGET
        assert data.theta_curve[-1] == pytest.approx(signal.signal_to_noise("theta", 1, 64))
    assert compute(K=64, M=1, beta=1.0).phi == pytest.approx(8 * signal.signal_to_noise("phi", 1, 1))  # the VAE's


def test_seed_decides_the_estimates_and_nothing_else():
    one, same, other = (compute(seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.phi_runs, same.phi_runs)
    assert not np.array_equal(one.phi_runs, other.phi_runs)
    assert (one.phi, one.theta, one.value) == (other.phi, other.theta, other.value)


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"M": 1}, "IWAE"), ({}, "MIWAE"), ({"K": 1}, "The ELBO"), ({"beta": 1.0}, "The ELBO"),
        ({"beta": 0.5}, "CIWAE(β = 0.5)"), ({"pooled": True}, "PIWAE"), ({"M": 1, "pooled": True}, "IWAE"),
    ],
)  # fmt: skip
def test_sentence_names_the_estimator(settings, name):
    assert LAB.sentence(compute(**settings)).startswith(name + " with")


def test_live():
    lab = labs.ALL["04.signal"]()
    lab.apply("drown the encoder")
    assert "0.0186" in lab.sentence.value
    assert math.isclose(signal.signal_to_noise("phi", 1, 1024), 0.0186, rel_tol=0.01)
    lab.reset()
    assert lab.settings == {**START, "K": 1, "M": 1}  # from where the chapter says to drag K


@pytest.mark.parametrize("width, shift", [(1.3, 0.5), (0.3, 1.5), (0.3, 0.0), (3.0, 1.5), (0.6, 0.4), (1.0, 0.0)])
def test_curves_of_every_q_are_those_of_samples(width, shift):
    """By drawing 40,000 gradients of IWAE at K = 16, and of the bound, from the q that the lab has."""
    case, K, runs = exact.case_with(width, shift), 16, 40_000
    eps = torch.randn(K, runs, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    slopes = exact.slopes(case, eps)
    data = compute(M=1, K=K, width=width, shift=shift)
    for name, g in (("phi", slopes.whole("mean")), ("theta", slopes.weight)):
        drawn = (slopes.log_w.softmax(0) * g).sum(0)
        error = 4 * math.sqrt((1 + getattr(data, name) ** 2) / runs)
        assert abs((drawn.mean() / drawn.std()).abs().item() - getattr(data, name)) < max(error, 0.03), name
    values = slopes.log_w.logsumexp(0) - math.log(K)
    if (width, shift) == (1.0, 0.0):  # the posterior: every estimate is log p(x)
        assert values.std() < 1e-9 and data.value == pytest.approx(values[0].item(), abs=1e-9)
    else:
        assert_mean(values, data.value)


def test_the_rule_is_said_and_so_is_where_it_fails():
    said = lambda preset: LAB.sentence(LAB.compute(**{**labs.ALL["04.signal"]().defaults, **LAB.presets[preset]}))
    usual = said("drown the encoder")
    assert "encoder loses (0.79 to 0.019), the decoder gains (0.69 to 0.61 to 9.3): the rule." in usual
    gains, loses, dips = (said(f"q {how}") for how in ("narrow, shifted", "narrow, centred", "wide"))
    assert "encoder gains (10 to 13)" in gains and "χ² is infinite" in gains and "against the rule" in gains
    assert "no signal at any K, the decoder loses (1.6 to 0.48), against the rule" in loses
    assert "decoder gains (0.84 to 0.57 to 6.7)" in dips and "infinite" not in dips


@pytest.mark.parametrize(
    "settings, drawn",
    [
        ({"M": 1, "K": 64, "beta": 0.5}, "The curves up to K = 1024: encoder 0.79 to 14, decoder 0.69 to 21. "),
        ({"M": 64, "K": 64}, "The curves up to K = 1024: encoder 6.3 to 0.15, decoder 5.5 to 4.9 to 74. "),
        ({"K": 8, "budget": signal.FIXED}, "The curves up to K = 64: encoder 6.3 to 0.075, decoder 5.5 to 2.4. "),
        ({"M": 8, "K": 8, "pooled": True}, "The curves up to K = 1024: encoder 2.2 to 0.053, decoder 0.89 to 26. "),
    ],
)
def test_other_curves_than_iwaes_are_told_and_the_rule_is_said_of_iwae(settings, drawn):
    data = compute(**settings)
    said, lines = LAB.sentence(data), LAB.build(Figure())
    assert drawn + "Dotted, IWAE with M = 1 up to K = 1024: the encoder loses (0.79 to 0.019)" in said
    LAB.update(lines, data)
    for curve, name in ((lines.phi, "encoder"), (lines.theta, "decoder")):
        ends = curve.line.get_ydata()[[0, -1]]
        told = drawn.partition(f"{name} ")[2].partition(",")[0].rstrip(". ").split(" to ")
        np.testing.assert_allclose([float(told[0]), float(told[-1])], ends, rtol=0.03)
    assert "The curves" not in LAB.sentence(compute(M=1, K=64)), "IWAE's lie on the dotted ones"


def test_nothing_is_told_of_an_empty_picture():
    lab = labs.ALL["04.signal"]()
    lab.ask()
    assert lab._canvas.artists.beyond in lab._canvas.hidden
    assert "decoder" not in (told := lab.experiment.guess.because(lab.experiment)) and "0.62" not in told


def test_what_leaves_the_picture_is_marked():
    lab = labs.ALL["04.signal"]()
    lab.apply("q narrow, centred")
    artists = lab._canvas.artists
    assert len(artists.phi.below.get_xdata()) == len(signal.IWAE_K) and not len(artists.theta.below.get_xdata())
    lab.apply("q narrow, shifted")
    assert len(artists.value.below.get_xdata()) and "lie beyond" in artists.beyond.get_text()
    lab.reset()
    assert not len(artists.value.below.get_xdata()) and not len(artists.phi.below.get_xdata())
