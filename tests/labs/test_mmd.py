"""The numbers behind lab "06.mmd": kernels and statistics against the package's, exact values by z-score."""

from functools import partial

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import divergences, exact, labs
from vaecourse.labs import mmd

LAB = mmd.TwoClouds()
DEFAULTS = {control.name: control.default for control in LAB.controls}
KERNELS = [mmd.RBF, mmd.IMQ, mmd.MANY, mmd.BLIND]


def clouds(n, d, seed, spread=1.2, shift=0.3, **how):
    x, y = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), **how)
    return x, spread * y + shift * torch.eye(d, **how)[0]


def packaged(kernel, h, d):
    """The same kernel, from vaecourse.divergences."""
    return {
        mmd.RBF: partial(divergences.rbf, bandwidth=h),
        mmd.IMQ: partial(divergences.imq, scale=2 * h**2),
        mmd.MANY: divergences.multi_scale(divergences.imq, [2 * h**2 * s for s in mmd.SCALES]),
        mmd.BLIND: partial(divergences.rbf, bandwidth=d * h),
    }[kernel]


@pytest.mark.parametrize("kernel", KERNELS)
def test_statistic_of_the_true_labels_is_the_packages(kernel):
    n, d, h = 9, 5, 1.7
    x, y = clouds(n, d, seed=1, dtype=torch.float64)
    pooled = torch.cat([x, y])
    k = mmd.profile(kernel, h, d)(divergences.squared_distance(pooled, pooled, near_zero=True))
    torch.testing.assert_close(k, packaged(kernel, h, d)(pooled, pooled), rtol=1e-9, atol=1e-9)
    found = divergences.u_statistics(k, torch.cat([torch.ones(n), -torch.ones(n)])[None].double())
    torch.testing.assert_close(found[0], divergences.mmd2(x, y, packaged(kernel, h, d)), rtol=1e-9, atol=1e-12)


def test_a_shuffled_statistic_is_the_packages_on_shuffled_points():
    n, d = 8, 3
    x, y = clouds(n, d, seed=2, dtype=torch.float64)
    pooled, signs = torch.cat([x, y]), mmd._partings(n, seed=4).double()
    k = mmd.profile(mmd.IMQ, 1.0, d)(divergences.squared_distance(pooled, pooled, near_zero=True))
    found = divergences.u_statistics(k, signs)
    assert found.shape == (1 + mmd.PERMUTATIONS,)
    assert (signs.sum(1) == 0).all() and (signs[0, :n] == 1).all() and not (signs[1:] == signs[0]).all(1).any()
    for row in (1, 17):
        halves = pooled[signs[row] > 0], pooled[signs[row] < 0]
        right = divergences.mmd2(*halves, partial(divergences.imq, scale=2.0))
        torch.testing.assert_close(found[row], right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d, h, shift, spread", [(2, 1.0, 1.5, 1.0), (5, 2.0, 0.0, 1.3), (20, 4.0, 0.5, 0.7)])
def test_exact_value_is_the_mean_of_the_statistic(kernel, d, h, shift, spread):
    n, found = 20, []
    signs = torch.cat([torch.ones(n), -torch.ones(n)])[None].double()
    k_of = mmd.profile(kernel, h, d)
    for seed in range(600):
        pooled = torch.cat(clouds(n, d, seed, spread, shift, dtype=torch.float64))
        found.append(
            divergences.u_statistics(k_of(divergences.squared_distance(pooled, pooled, near_zero=True)), signs)[0]
        )
    right = mmd.exact_mmd2(kernel, h, d, shift, spread)
    assert_mean(torch.stack(found), right)
    if (kernel, d) in {(mmd.RBF, 2), (mmd.IMQ, 20), (mmd.MANY, 5)}:
        assert_not_mean(torch.stack(found), 2 * right)


@pytest.mark.parametrize("kernel, name", [(mmd.RBF, "rbf"), (mmd.IMQ, "imq")])
def test_exact_value_agrees_with_the_packages(kernel, name):
    d, h = 7, 1.9
    mean, std = 0.8 * torch.eye(d, dtype=torch.float64)[0], torch.full((d,), 1.3, dtype=torch.float64)
    right = exact.gaussian_mmd2(mean, std, name, h if name == "rbf" else 2 * h**2).item()
    assert mmd.exact_mmd2(kernel, h, d, 0.8, 1.3) == pytest.approx(right, rel=1e-5)
    assert mmd.exact_mmd2(kernel, h, d, 0.0, 1.0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [2, 6])
def test_pull_is_the_way_down_the_witness(kernel, d):
    """Against autograd through the package's witness, which has the prior's cloud as its second one."""
    n, h = 11, 1.4
    x, y = clouds(n, d, seed=5, dtype=torch.float64)
    at = y.clone().requires_grad_()
    divergences.witness(at, y, x, packaged(kernel, h, d)).sum().backward()
    pooled = torch.cat([x, y])
    r = divergences.squared_distance(pooled, pooled, near_zero=True)[n:]
    found = -divergences.witness_slope(mmd.profile(kernel, h, d), r, y[:, :2], pooled[:, :2])
    torch.testing.assert_close(found, -at.grad[:, :2], rtol=1e-6, atol=1e-9)


def test_witness_on_the_plane_is_the_packages():
    data = LAB.compute(**DEFAULTS | {"shift": 1.0, "n": 30})
    prior, codes = torch.from_numpy(data.prior), torch.from_numpy(data.codes)
    axis = torch.linspace(-mmd.REACH, mmd.REACH, mmd.GRID)
    kernel = packaged(mmd.RBF, 1.0, 2)
    at = torch.stack([axis[[3, 20, 31]], axis[[7, 7, 25]]], 1)
    middle = divergences.witness(torch.cat([prior, codes]), codes, prior, kernel).mean()
    both = torch.cat([prior, codes])
    noise_level = kernel(both, both).std() * (2 / 30) ** 0.5
    right = (divergences.witness(at, codes, prior, kernel) - middle) / noise_level
    found = torch.from_numpy(data.witness[[7, 7, 25], [3, 20, 31]])  # row: second coordinate
    torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-3)


def test_null_keeps_its_level_and_power_grows_with_d_for_a_kernel_that_fits():
    def told_apart(settings):
        rounds = [LAB.compute(**DEFAULTS | {"n": 32} | settings | {"seed": seed}) for seed in range(60)]
        return np.mean([(data.null >= data.statistic).mean() < 0.05 for data in rounds])

    assert told_apart({"spread": 1.0, "bandwidth": 2.0}) < 0.15  # 5 % and its noise
    assert told_apart({"d": 128, "kernel": mmd.IMQ, "bandwidth": 11.313}) > 0.9
    assert told_apart({"d": 128, "kernel": mmd.BLIND}) < 0.3


def test_a_kernel_out_of_sight_says_so():
    data = LAB.compute(**DEFAULTS | {"d": 128})
    assert "no pair of points" in LAB.sentence(data) and np.abs(data.pull).max() < 1e-12


def test_lambda_scales_the_pull_and_nothing_else():
    one, two, none = (LAB.compute(**DEFAULTS | {"lam": lam}) for lam in (1.0, 2.0, 0.0))
    np.testing.assert_allclose(two.pull, 2 * one.pull, rtol=1e-5)
    assert one.statistic == two.statistic and not none.pull.any()


def test_live():
    lab = labs.ALL["06.mmd"]()
    assert "n = 64, d = 2" in lab.sentence.value
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
    lab.apply("d = 128, IMQ with C = 2d")
    assert ": told apart" in lab.sentence.value
    lab.apply("d = 128, RBF / d²")
    assert "not told apart" in lab.sentence.value
    for kernel in KERNELS:
        lab.controls["kernel"].value = kernel
        for n, d in ((8, 2), (mmd.LARGEST_N, mmd.LARGEST_D)):
            lab.controls["n"].value, lab.controls["d"].value = n, d
            assert lab.error is None and "nan" not in lab.sentence.value
    lab.reset()
    assert lab.settings == DEFAULTS


def test_what_the_chapter_explains():
    """Chapter 06's answers to the lab's three questions."""
    at = lambda preset, **how: LAB.compute(**{**DEFAULTS, **LAB.presets[preset], **how})
    assert round(100 * np.mean([at("same law", seed=seed).statistic < 0 for seed in range(400)])) == 58
    shifted = {h: at("shifted", bandwidth=h) for h in (0.1, 1.0, 30.0)}
    strokes = {h: np.linalg.norm(clouds.pull, axis=1) for h, clouds in shifted.items()}
    assert np.median(strokes[0.1]) < np.median(strokes[1.0]) / 4 and strokes[0.1].max() > strokes[1.0].max() / 2
    assert round(strokes[30.0].min(), 3) == round(strokes[30.0].max(), 3) == 0.005
    assert round(shifted[30.0].outside) == 27
    blind = at("d = 128, RBF / d²")
    near = (mmd.DISTANCES > 15) & (mmd.DISTANCES < 21)
    assert round(blind.median) == 18 and blind.pairs[(mmd.BINS[1:] > 15) & (mmd.BINS[:-1] < 21)].sum() > 0.999
    assert (abs(blind.profile[near] - 0.99) < 0.005).all()
    assert 1e-69 < mmd.profile(mmd.RBF, 1.0, 128)(torch.tensor(17.7**2, dtype=torch.float64)) < 1e-67
    of = lambda h: np.mean([at("d = 128, RBF with h = 1", bandwidth=h, seed=seed).outside for seed in range(6)])
    found = {h: of(h) for h in (3.0, 4.0, 5.0, 6.0, 15.0)}
    assert min(found.values()) > 5 and max(found, key=found.get) == 5.0 and abs(found[5.0] - 30) < 2
