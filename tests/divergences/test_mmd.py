"""The MMD estimators against the exact MMD^2 of Gaussians, by z-score; with N != P != L."""

import math
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact
from vaecourse.divergences import imq, mmd2, rbf, u_statistics, witness

N, P, L = 11, 17, 3
RBF, IMQ = partial(rbf, bandwidth=1.5), partial(imq, scale=2.0 * L)
WITH = {"rbf": (RBF, 1.5), "imq": (IMQ, 2.0 * L)}
H0 = torch.zeros(L, dtype=torch.float64), torch.ones(L, dtype=torch.float64)
H1 = torch.tensor([0.5, 0.0, -0.2], dtype=torch.float64), torch.tensor([1.3, 0.6, 1.0], dtype=torch.float64)


def draws(law, kernel, unbiased=True, repeats=2000, n=N, p=P):
    """Independent estimates between ``law`` and N(0, I): [repeats]."""
    mean, std = law
    generator = torch.Generator().manual_seed(0)
    normal = lambda size: torch.randn(size, len(mean), generator=generator, dtype=torch.float64)
    return torch.stack([mmd2(mean + std * normal(n), normal(p), kernel, unbiased) for _ in range(repeats)])


@pytest.mark.parametrize("name", WITH)
@pytest.mark.parametrize("law", [H0, H1], ids=["null", "alternative"])
def test_u_statistic_is_unbiased(law, name):
    kernel, scale = WITH[name]
    estimates, truth = draws(law, kernel), exact.gaussian_mmd2(*law, name, scale)
    assert_mean(estimates, truth)
    assert_not_mean(estimates, truth + 0.05)
    assert_not_mean(estimates.clamp_min(0), truth) if law is H0 else None  # a known fault: clipping biases it


@pytest.mark.parametrize("law", [H0, H1], ids=["null", "alternative"])
def test_v_statistic_is_too_high_by_what_it_says(law):
    mean, std = law
    estimates = draws(law, RBF, unbiased=False)
    mean_kernel = lambda s: (1 + 2 * s**2 / 1.5**2).rsqrt().prod()
    bias = (1 - mean_kernel(std)) / N + (1 - mean_kernel(torch.ones(L))) / P
    truth = exact.gaussian_mmd2(mean, std, "rbf", 1.5)
    assert_mean(estimates, truth + bias)
    assert_not_mean(estimates, truth)
    assert (estimates > 0).all()


def test_figures_of_errata_b11():
    """n = 64, d = 20, IMQ: V is too high by (2/n)(1 - E k) = .0152 (.0156 if E k is taken as 1/2), U by
    nothing, and its sd is 2.5e-3."""
    kernel = partial(imq, scale=40.0)
    null = torch.zeros(20, dtype=torch.float64), torch.ones(20, dtype=torch.float64)
    u = draws(null, kernel, repeats=1000, n=64, p=64)
    v = draws(null, kernel, unbiased=False, repeats=1000, n=64, p=64)
    t = torch.linspace(0, 40, 40_001, dtype=torch.float64)  # the kernel is a mean of exp(-t r^2 / 40) over t ~ Exp(1)
    mean_kernel = torch.trapezoid((-t).exp() * (1 + 4 * t / 40) ** -10, t)
    bias = 2 / 64 * (1 - mean_kernel)
    assert round(float(bias), 4) == 0.0152
    assert_mean(u, 0.0)
    assert_mean(v, bias)
    assert float(u.std()) == pytest.approx(0.0025, abs=0.0002)


def test_u_statistic_is_negative_about_half_the_time_under_the_null():
    negative = (draws(H0, RBF) < 0).double()
    assert 0.45 < negative.mean() < 0.75  # its law is skewed: more than half lie below its mean 0
    assert (draws(H1, RBF, n=60, p=70, repeats=200) < 0).double().mean() < 0.1


def test_two_clouds_are_treated_alike_and_order_does_not_matter():
    x, y = torch.randn(N, L).double(), 1.5 * torch.randn(P, L).double()
    for unbiased in (True, False):
        torch.testing.assert_close(mmd2(x, y, RBF, unbiased), mmd2(y, x, RBF, unbiased))
        torch.testing.assert_close(mmd2(x, y, RBF, unbiased), mmd2(x.flip(0), y.roll(3, 0), RBF, unbiased))


def test_sums_pair_by_pair():
    x, y = torch.randn(4, L).double(), torch.randn(3, L).double()
    k = lambda a, b: math.exp(-float((a - b).square().sum()) / (2 * 1.5**2))
    within = lambda c: (
        sum(k(a, b) for i, a in enumerate(c) for j, b in enumerate(c) if i != j) / (len(c) * (len(c) - 1))
    )
    across = sum(k(a, b) for a in x for b in y) / 12
    assert math.isclose(mmd2(x, y, RBF), within(x) + within(y) - 2 * across, rel_tol=1e-12)


@pytest.mark.parametrize("unbiased", [True, False])
def test_weight_does_not_vanish_with_n(unbiased):
    """A known fault: divided by n (n - 1) once too often, its value and gradient fade as the batch grows."""
    generator = torch.Generator().manual_seed(0)
    for n in (20, 200):
        x = (torch.randn(n, L, generator=generator).double() + 2).requires_grad_()
        value = mmd2(x, torch.randn(n + 3, L, generator=generator).double(), RBF, unbiased)
        value.backward()
        assert value > 0.3
        assert x.grad.sum(0).norm() > 0.1  # what a shift of the whole cloud is worth


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, L, generator=generator).double().requires_grad_() for n in (5, 4))
    for kernel in (RBF, IMQ):
        for unbiased in (True, False):
            assert gradcheck(partial(mmd2, kernel=kernel, unbiased=unbiased), (x, y))


def test_far_clouds_in_float32():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(N, L, generator=generator) + 1e4, 1.4 * torch.randn(P, L, generator=generator) + 1e4
    assert math.isclose(mmd2(x, y, RBF), mmd2(x.double(), y.double(), RBF), abs_tol=1e-6)


def test_witness_separates_and_its_mean_difference_is_the_v_statistic():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(N, L, generator=generator).double() + 1, torch.randn(P, L, generator=generator).double() - 1
    at = torch.stack([torch.ones(L), -torch.ones(L)]).double()
    assert witness(at, x, y, RBF).shape == (2,)
    assert witness(at, x, y, RBF)[0] > 0.1 and witness(at, x, y, RBF)[1] < -0.1
    difference = witness(x, x, y, RBF).mean() - witness(y, x, y, RBF).mean()
    torch.testing.assert_close(difference, mmd2(x, y, RBF, unbiased=False))


def test_witness_point_by_point():
    generator = torch.Generator().manual_seed(1)
    at, x, y = (torch.randn(n, L, generator=generator).double() for n in (3, 4, 5))
    k = lambda a, b: math.exp(-float((a - b).square().sum()) / (2 * 1.5**2))
    by_hand = [sum(k(a, b) for b in x) / 4 - sum(k(a, b) for b in y) / 5 for a in at]
    torch.testing.assert_close(witness(at, x, y, RBF), torch.tensor(by_hand, dtype=torch.float64))


def test_narrow_kernels_are_blind_in_many_dimensions():
    """Against N(0, 1.44 I) the IMQ kernel of scale 2 d sees more as d grows, the RBF of bandwidth d not."""
    z = {}
    for d in (2, 128):
        law = torch.zeros(d, dtype=torch.float64), torch.full((d,), 1.2, dtype=torch.float64)
        null = torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64)
        for name, kernel in {"imq": partial(imq, scale=2.0 * d), "blind": partial(rbf, bandwidth=float(d))}.items():
            under = [draws(case, kernel, repeats=100, n=64, p=64) for case in (law, null)]
            z[name, d] = float((under[0].mean() - under[1].mean()) / under[1].std())
    assert z["imq", 128] > 5 > 2 > z["imq", 2]
    assert z["blind", 128] < 1.5


CLOUD = torch.zeros(4, 2)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: mmd2(CLOUD[:1], CLOUD, RBF), "^x must hold at least 2 points, got 1"),
        (lambda: mmd2(CLOUD, CLOUD[:1], RBF), "^y must hold at least 2 points, got 1"),
        (lambda: mmd2(CLOUD, torch.zeros(4, 3), RBF), "same width L"),
        (lambda: mmd2(CLOUD, torch.zeros(4), RBF), r"^y must have the 2 axes"),
        (lambda: mmd2(CLOUD * math.nan, CLOUD, RBF), "^x contains NaN"),
        (
            lambda: mmd2(CLOUD, CLOUD, lambda x, y: x @ y.T[:, :1]),
            r"kernel must give one number for each pair, \[4, 4\]",
        ),
        (lambda: mmd2(CLOUD, CLOUD, partial(rbf, bandwidth=-1.0)), "bandwidth must lie in"),
        (lambda: witness(CLOUD, CLOUD, torch.zeros(4, 3), RBF), "same width L"),
        (lambda: witness(CLOUD[0], CLOUD, CLOUD, RBF), "^at must have the 2 axes"),
        (lambda: witness(CLOUD, CLOUD[0], CLOUD, RBF), "^x must have the 2 axes"),
        (lambda: witness(CLOUD, CLOUD, CLOUD[0], RBF), "^y must have the 2 axes"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    "kernel, words",
    [
        ("rbf", r"^kernel must be a function of two clouds, got 'rbf' of type str\.$"),
        (lambda x, y: 1.0, r"^kernel must give a torch\.Tensor, got float\.$"),
    ],
)
def test_a_kernel_is_a_function_that_gives_a_tensor(kernel, words):
    for call in (lambda: mmd2(CLOUD, CLOUD, kernel), lambda: witness(CLOUD, CLOUD, CLOUD, kernel)):
        with pytest.raises(TypeError, match=words):
            call()


def test_v_statistic_of_one_point_is_fine():
    assert float(mmd2(torch.zeros(1, 2), torch.zeros(1, 2), RBF, unbiased=False)) == 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kernel", [RBF, IMQ, lambda x, y: 1 / (1 + (x[:, None] - y).square().sum(-1))])
def test_half_precision_is_computed_and_comes_back_in_float32(dtype, kernel):
    """With 300 points a sum of 90 000 pairs is beyond float16, and bfloat16 stands still at 256."""
    x, y = (torch.randn(n, L, generator=torch.Generator().manual_seed(n)).to(dtype) for n in (300, 290))
    for call in (mmd2, partial(witness, x[:5])):
        assert call(x, y, kernel).dtype == torch.float32
        assert torch.equal(call(x, y, kernel), call(x.float(), y.float(), kernel))


@pytest.mark.parametrize(
    "k, signs, words",
    [
        (torch.zeros(4, 6), torch.ones(1, 4), r"k must have the shape \[2n, 2n\] with n >= 2, got \[4, 6\]"),
        (torch.zeros(5, 5), torch.ones(1, 5), "k must have the shape"),
        (torch.zeros(4, 4), torch.ones(1, 5), "signs must have one entry for each of the 4 points"),
    ],
)
def test_partings_that_do_not_fit_are_named(k, signs, words):
    with pytest.raises(ValueError, match=words):
        u_statistics(k, signs)
