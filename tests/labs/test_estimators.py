"""The numbers behind lab "05.estimators": exact moments against autograd and closed forms, samples by z-score."""

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, labs, objectives
from vaecourse.labs import estimators
from vaecourse.labs.estimators import DECODER, ENCODER, SPREAD

LAB = estimators.Estimators()
DEFAULT = {"parameter": ENCODER, "K": 8, "width": 1.3, "shift": 0.5, "alpha": 0.5, "order": 1, "seed": 0}
SEVEN = list(estimators.ROWS)


def case():
    return exact.reference(torch.float64)


def autograd_slope(parameter, value):
    """The derivative by autograd of an exact quantity of the case, by q's mean or by the decoder's weight."""
    model, x, mean, std = case()
    mean, weight = mean.clone().requires_grad_(), model.weight.clone().requires_grad_()
    moved = exact.Case(exact.LinearGaussian(weight, model.noise_variance), x, mean, std)
    return torch.autograd.grad(value(moved), mean if parameter == ENCODER else weight)[0].item()


def moments(estimator, parameter, K, alpha=0.0):
    M, size = estimators.shape(estimator, K)
    row = estimators.ROWS[estimator]
    found = estimators.rows(*estimators.Q).moments(row, estimators.PARAMETERS[parameter], M, size, alpha=alpha)
    return found.mean, found.sd


@pytest.mark.parametrize("parameter", [ENCODER, DECODER])
@pytest.mark.parametrize("K", [1, 5, 64])
def test_mean_of_iwae_is_the_slope_of_the_exact_bound(parameter, K):
    def bound(moved):
        return exact.WeightLaw.of(moved).lower(K)

    assert moments("IWAE", parameter, K)[0] == pytest.approx(autograd_slope(parameter, bound), abs=1e-9)


def test_elbo_has_closed_forms():
    model, x, mean, std = case()
    slope = autograd_slope(ENCODER, lambda moved: moved.model.elbo(x, moved.mean, std).sum())
    expected, sd = moments("ELBO", ENCODER, 4)
    assert expected == pytest.approx(slope, abs=1e-9) and round(slope, 3) == -2.107
    assert sd == pytest.approx(std.item() * model.precision.item() / 2, abs=1e-9)  # sd of (z - m) / v over sqrt(4)


@pytest.mark.parametrize("K", [1, 2, 7, 64, 256])
def test_dreg_has_the_mean_of_iwae_and_stl_has_not(K):
    iwae, dreg, stl = (moments(name, ENCODER, K)[0] for name in ("IWAE", "DReG", "STL"))
    assert dreg == pytest.approx(iwae, abs=1e-9)
    assert (abs(stl - iwae) < 1e-9) == (K == 1)


@pytest.mark.parametrize("parameter", [ENCODER, DECODER])
@pytest.mark.parametrize("estimator", SEVEN)
@pytest.mark.parametrize("K", [2, 6])
def test_runs_have_the_exact_mean_and_deviation(estimator, parameter, K):
    settings = DEFAULT | {"estimator": estimator, "parameter": parameter, "K": K, "alpha": 0.3}
    found = [LAB.compute(**settings | {"seed": seed}) for seed in range(20)]
    gradients, values = (
        torch.from_numpy(np.concatenate([getattr(f, n) for f in found])) for n in ("gradients", "values")
    )
    assert_mean(gradients, found[0].mean)
    assert_mean(values, found[0].expected)
    assert_not_mean(values, found[0].expected + 0.1)
    if estimator != "jackknife":
        sd = moments(estimator, parameter, K, 0.3)[1]
        assert_mean((gradients - found[0].mean).square(), sd**2)


def test_jackknife_at_order_0_is_the_bound_and_at_order_1_crosses_log_p():
    zero, one = (LAB.compute(**DEFAULT | {"estimator": "jackknife", "order": order}) for order in (0, 1))
    assert zero.expected == pytest.approx(LAB.compute(**DEFAULT | {"estimator": "IWAE"}).expected)
    assert zero.expected < zero.log_p < one.expected


def test_gradient_of_log_p():
    of_log_p = {name: estimators.rows(*estimators.Q).of_log_p(of) for name, of in estimators.PARAMETERS.items()}
    assert of_log_p[ENCODER] == 0
    limit = moments("IWAE", DECODER, 20_000)[0]
    assert of_log_p[DECODER] == pytest.approx(limit, abs=1e-4)


def test_vr_iwae_goes_from_the_elbo_to_iwae():
    ends = {alpha: LAB.compute(**DEFAULT | {"estimator": "VR-IWAE", "alpha": alpha}) for alpha in (0.0, 1.0)}
    for alpha, name in ((0.0, "IWAE"), (1.0, "ELBO")):
        other = LAB.compute(**DEFAULT | {"estimator": name})
        assert ends[alpha].expected == pytest.approx(other.expected)
        np.testing.assert_allclose(ends[alpha].gradients, other.gradients)


def test_rows_are_those_of_the_table():
    assert {row for row in estimators.ROWS.values() if row != "jackknife"} <= set(objectives.TABLE)


def test_live():
    lab = labs.ALL["05.estimators"]()
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
    lab.apply("STL, K = 64")
    assert "bias −1.233" in lab.sentence.value
    lab.apply("jackknife, K = 6")
    assert "above log p(x)" in lab.sentence.value.replace("\u00a0", " ")
    for estimator in SEVEN:
        for parameter in (ENCODER, DECODER):
            for K in (1, 64):
                for order in (0, 4):
                    for alpha in (0.0, 1.0):
                        lab._set(
                            {"estimator": estimator, "parameter": parameter, "K": K, "order": order, "alpha": alpha}
                        )
                        lab.flush()
                        assert lab.error is None
                        assert "nan" not in lab.sentence.value
    assert "stops at K = 12" in LAB.sentence(LAB.compute(**DEFAULT | {"estimator": "jackknife", "K": 64, "order": 4}))
    assert "this is order 1" in LAB.sentence(LAB.compute(**DEFAULT | {"estimator": "jackknife", "K": 2, "order": 4}))


@pytest.mark.parametrize("parameter", [ENCODER, SPREAD, DECODER])
@pytest.mark.parametrize("estimator", ["IWAE", "STL", "DReG", "VR-IWAE", "jackknife"])
@pytest.mark.parametrize("width, shift", [(0.5, 0.5), (2.5, 0.2), (1.0, 0.0)])
def test_runs_of_every_q_have_the_exact_mean(estimator, parameter, width, shift):
    settings = DEFAULT | {"estimator": estimator, "parameter": parameter, "K": 6, "width": width, "shift": shift}
    found = [LAB.compute(**settings | {"seed": seed}) for seed in range(20)]
    gradients, values = (
        torch.from_numpy(np.concatenate([getattr(f, n) for f in found])) for n in ("gradients", "values")
    )
    if gradients.std() > 1e-9:
        assert_mean(gradients, found[0].mean)
        if estimator != "jackknife" and found[0].signal_to_noise:
            assert gradients.std().item() == pytest.approx(abs(found[0].mean) / found[0].signal_to_noise, rel=0.06)
    else:
        assert found[0].signal_to_noise == 0 and abs(found[0].mean) < 1e-9
    if values.std() > 1e-9:
        assert_mean(values, found[0].expected)


def test_dreg_and_the_jackknife_flip_with_q():
    usual, narrow, wide = (LAB.compute(**DEFAULT | {"estimator": "DReG", "K": 64, "width": w}) for w in (1.3, 0.5, 2.5))
    assert "DReG beats IWAE, 6.23 against 0.0747" in LAB.sentence(usual)
    assert "DReG is the worse of the two, 0.594 against 1.56" in LAB.sentence(narrow)
    assert "DReG beats IWAE" in LAB.sentence(wide)
    usual, narrow = (LAB.compute(**DEFAULT | {"estimator": "jackknife", "K": 6, "width": w}) for w in (1.3, 0.5))
    assert usual.expected > usual.log_p and narrow.expected < narrow.log_p - 0.4
    assert "1/K^2, as the rule says" in LAB.sentence(usual) and "1/K^0.33, not 1/K^2" in LAB.sentence(narrow)


@pytest.mark.parametrize("estimator", ["ELBO", "IWAE", "MIWAE", "STL", "VR-IWAE"])
@pytest.mark.parametrize("parameter", [ENCODER, SPREAD])
def test_only_dreg_is_compared_with_iwae(estimator, parameter):
    """The chapter asks how the two compare, and for which q: who looks at another row is not told."""
    settings = DEFAULT | {"estimator": estimator, "parameter": parameter, "K": 13, "alpha": 0.3}
    said = LAB.sentence(LAB.compute(**settings))
    rows = exact.RowGradients(exact.case_with(1.3, 0.5))
    first, last = (
        rows.signal_to_noise(estimators.ROWS[estimator], estimators.PARAMETERS[parameter], *shape, alpha=0.3)
        for shape in ((1, 1), (4, 16) if estimator == "MIWAE" else (1, 64))
    )
    assert said.endswith(f"The ratio of {estimator}: {first:.2g} at K = 1, {last:.2g} at K = 64.")
    assert "DReG" not in said and "0.87" not in said


def test_the_reply_to_the_guess_speaks_of_what_was_guessed():
    reply = LAB.guess.because(LAB)
    exact_rows = exact.RowGradients(case())
    left_out = exact_rows.mean("iwae", "mean", K=64) - exact_rows.mean("stl", "mean", K=64)
    assert f"it has +{left_out:.3f}" in reply and "DReG" not in reply and "IWAE" not in reply
    sd = float(reply.partition("standard deviation of ")[2].partition(",")[0])
    assert sd == pytest.approx(exact_rows.moments("stl", "mean", K=64).sd, abs=0.02)


def test_nothing_is_said_of_bars_that_are_not_there_yet():
    """The panel of values is empty while the guess is asked for: no outer bars, and no arrow to a mean."""
    lab = labs.ALL["05.estimators"]()
    for name in ("beyond", "values_beyond", "off"):
        assert getattr(lab._canvas.artists, name) in lab._drawn.truth


@pytest.mark.parametrize("width, order", [(0.5, 0), (0.5, 2), (0.63, 1), (0.775, 1)])
def test_the_jackknifes_rate_is_that_of_its_bias(width, order):
    """By the slope of the exact bias between K = 512 and 1024, which tends to the exponent."""
    rows = exact.RowGradients(exact.case_with(width, 0.0))
    bias = [abs(rows.value("jackknife", K=K, order=order) - LAB.compute(**DEFAULT | {"estimator": "IWAE"}).log_p)
            for K in (4096, 16384)]  # fmt: skip
    slope = -np.log(bias[1] / bias[0]) / np.log(4)
    said = LAB.sentence(LAB.compute(**DEFAULT | {"estimator": "jackknife", "K": 6, "order": order, "width": width}))
    assert slope == pytest.approx(float(said.rpartition("1/K^")[2].split(",")[0] if "not" not in said
                                        else said.partition("like 1/K^")[2].split(",")[0]), abs=0.1)  # fmt: skip


def test_no_noise_is_an_infinite_ratio_and_no_signal_is_none():
    lab = labs.ALL["05.estimators"]()
    lab.apply("q is the posterior")
    assert "there is no signal" in lab.sentence.value and "nan" not in lab.sentence.value
    lab.controls["shift"].value = 0.5  # log w is linear in z: its slope, the path term, is the same everywhere
    assert "signal-to-noise\u00a0infinite" in lab.sentence.value
    assert len(lab._canvas.artists.dot.above.get_xdata()) == 1
