"""The numbers behind lab "05.estimators": exact moments against autograd and closed forms, samples by z-score."""

import math

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact, labs, objectives
from vaecourse.labs import estimators, quadrature
from vaecourse.labs.estimators import DECODER, ENCODER
from vaecourse.labs.quadrature import expected_log_mean, log_weights_on_a_grid

LAB = estimators.EstimatorsLab()
DEFAULT = {"parameter": ENCODER, "K": 8, "alpha": 0.5, "order": 1, "seed": 0}
SEVEN = list(estimators.ROWS)


def case():
    return exact.reference(torch.float64)


def autograd_slope(parameter, value):
    """The derivative by autograd of an exact quantity of the case, by q's mean or by the decoder's weight."""
    model, x, mean, std = case()
    mean, weight = mean.clone().requires_grad_(), model.weight.clone().requires_grad_()
    moved = exact.Case(exact.LinearGaussian(weight, model.noise_variance), x, mean, std)
    return torch.autograd.grad(value(moved), mean if parameter == ENCODER else weight)[0].item()


@pytest.mark.parametrize("parameter", [ENCODER, DECODER])
def test_slopes_are_those_of_autograd(parameter):
    eps = torch.linspace(-2, 2, 5, dtype=torch.float64)
    found = estimators.slopes(case(), eps)
    for i, e in enumerate(eps):

        def log_w(moved, e=e):
            z = moved.mean + moved.std * e
            return (
                moved.model.log_joint(moved.x, z) - torch.distributions.Normal(moved.mean, moved.std).log_prob(z)
            ).sum()

        whole = found.path - found.score if parameter == ENCODER else found.weight
        assert whole[i].item() == pytest.approx(autograd_slope(parameter, log_w))
        assert found.log_w[i].item() == pytest.approx(log_w(case()).item())


@pytest.mark.parametrize("parameter", [ENCODER, DECODER])
@pytest.mark.parametrize("K", [1, 5, 64])
def test_mean_of_iwae_is_the_slope_of_the_exact_bound(parameter, K):
    def bound(moved):
        return expected_log_mean(*log_weights_on_a_grid(moved), [K]).sum()

    assert estimators.moments("IWAE", parameter, K)[0] == pytest.approx(autograd_slope(parameter, bound), abs=1e-9)


def test_elbo_has_closed_forms():
    model, x, mean, std = case()
    slope = autograd_slope(ENCODER, lambda moved: moved.model.elbo(x, moved.mean, std).sum())
    expected, sd = estimators.moments("ELBO", ENCODER, 4)
    assert expected == pytest.approx(slope, abs=1e-9) and round(slope, 3) == -2.107
    assert sd == pytest.approx(std.item() * model.precision.item() / 2, abs=1e-9)  # sd of (z - m) / v over sqrt(4)


@pytest.mark.parametrize("K", [1, 2, 7, 64, 256])
def test_dreg_has_the_mean_of_iwae_and_stl_has_not(K):
    iwae, dreg, stl = (estimators.moments(name, ENCODER, K)[0] for name in ("IWAE", "DReG", "STL"))
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
        sd = estimators.moments(estimator, parameter, K, 0.3)[1]
        assert_mean((gradients - found[0].mean).square(), sd**2)


@pytest.mark.parametrize("order, K", [(0, 3), (1, 5), (2, 6), (3, 7), (4, 8)])
def test_jackknife_is_the_package_s_and_its_gradient_is_autograd_s(order, K):
    log_w = 2 * torch.randn(K, 9, generator=torch.Generator().manual_seed(order), dtype=torch.float64) - 30
    slope = torch.randn(K, 9, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    gradients, values = estimators._jackknife(log_w, slope, order)
    moved = log_w[None].clone().requires_grad_()
    right = bounds.jackknife(moved, order)
    torch.testing.assert_close(values, right.detach(), rtol=1e-7, atol=1e-7)
    weights = torch.autograd.grad(right.sum(), moved)[0][0]
    torch.testing.assert_close(gradients, (weights * slope).sum(0), rtol=1e-7, atol=1e-7)


def test_jackknife_at_order_0_is_the_bound_and_at_order_1_crosses_log_p():
    zero, one = (LAB.compute(**DEFAULT | {"estimator": "jackknife", "order": order}) for order in (0, 1))
    assert zero.expected == pytest.approx(LAB.compute(**DEFAULT | {"estimator": "IWAE"}).expected)
    assert zero.expected < zero.log_p < one.expected


@pytest.mark.parametrize("K", [0, 1, 8, 64])
def test_upper_bound_is_what_sampling_gives(K):
    model, x, mean, std = case()
    grid, mass = estimators.reference_grid()
    upper = quadrature.expected_upper(grid.log_w, mass, K)
    runs, generator = 40_000, torch.Generator().manual_seed(K)
    posterior = model.posterior(x)
    z = posterior.mean + posterior.stddev * torch.randn(runs, 1, 1, generator=generator, dtype=torch.float64)
    first = model.log_joint(x, z) - torch.distributions.Normal(mean, std).log_prob(z).sum(-1)  # [runs, 1]
    others = model.log_weights(x, mean, std, runs, K, generator)[..., 0] if K else first[:, :0]
    assert_mean(torch.cat([first, others], 1).logsumexp(1) - math.log(K + 1), upper)
    if K == 0:
        assert upper == pytest.approx(model.eubo(x, mean, std).item(), abs=1e-8)
    assert upper > model.log_likelihood(x).item()


def test_gradient_of_log_p():
    model, x, *_ = case()
    of_log_p = estimators.gradient_of_log_p()
    assert of_log_p[ENCODER] == 0
    limit = estimators.moments("IWAE", DECODER, 20_000)[0]
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
