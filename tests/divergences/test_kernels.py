"""Kernels: their formulas, their gradients, positive definiteness, float32 far from the origin; with N != P != L."""

import math
import re
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from vaecourse import divergences
from vaecourse.divergences import imq, median_distance, multi_scale, rbf, squared_distance

N, P, L = 7, 5, 3
KERNELS = {
    "rbf": partial(rbf, bandwidth=1.3),
    "imq": partial(imq, scale=2.5),
    "rbf over scales": multi_scale(rbf, [0.5, 1.0, 4.0]),
    "imq over scales": multi_scale(imq, (0.2, 2.0)),
}
of_every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())


def clouds(n=N, p=P, width=L, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, width, generator=generator, dtype=dtype) for size in (n, p)]


def test_formulas_pair_by_pair():
    x, y = clouds()
    k, c = rbf(x, y, 1.3), imq(x, y, 2.5)
    assert k.shape == c.shape == (N, P)
    for n in range(N):
        for p in range(P):
            squared = sum((float(a) - float(b)) ** 2 for a, b in zip(x[n], y[p]))
            assert math.isclose(k[n, p], math.exp(-squared / (2 * 1.3**2)), rel_tol=1e-12)
            assert math.isclose(c[n, p], 2.5 / (2.5 + squared), rel_tol=1e-12)


def test_known_wrong_forms_are_told_apart():
    """A known fault: exp(-r^2 / sigma), coded as exp(-r^2 / (2 L^2 v)) or divided by L twice, is blind at large L."""
    x, y = clouds(width=20)
    r2 = (x[:, None] - y).square().sum(-1)
    for wrong in ((-r2 / 1.3).exp(), (-r2 / (2 * 20**2 * 1.3)).exp(), (-r2 / (2 * 1.3**2 * 20)).exp()):
        assert (rbf(x, y, 1.3) / wrong - 1).abs().min() > 0.1


def test_scales_are_averaged():
    x, y = clouds()
    torch.testing.assert_close(multi_scale(rbf, [0.5, 2.0])(x, y), (rbf(x, y, 0.5) + rbf(x, y, 2.0)) / 2)
    torch.testing.assert_close(multi_scale(imq, [3.0])(x, y), imq(x, y, 3.0))


@of_every_kernel
def test_symmetric_positive_definite_one_on_the_diagonal(kernel):
    x, _ = clouds(n=40, width=2)
    k = kernel(x, x)
    torch.testing.assert_close(k, k.T)
    torch.testing.assert_close(k.diagonal(), torch.ones(40, dtype=torch.float64))
    assert torch.linalg.eigvalsh(k).min() > -1e-12
    assert (0 < k).all() and (k <= 1).all()


def test_a_kernel_that_is_not_positive_definite_would_be_noticed():
    x, _ = clouds(n=40, width=2)
    assert torch.linalg.eigvalsh((squared_distance(x, x) < 1).double()).min() < -0.1


@of_every_kernel
def test_gradients(kernel):
    x, y = (cloud.requires_grad_() for cloud in clouds())
    assert gradcheck(kernel, (x, y))
    x.grad = y.grad = None
    kernel(x, x.detach().clone()).sum().backward()
    assert x.grad.isfinite().all()


@of_every_kernel
def test_gradient_is_zero_where_two_points_coincide(kernel):
    x = torch.tensor([[1.0, -2.0]], requires_grad=True)
    kernel(x, torch.tensor([[1.0, -2.0]])).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("away", [0.0, 1e2, 1e4])
def test_float32_is_as_good_as_float64_far_away(away):
    x, y = (cloud + away for cloud in clouds(40, 30, dtype=torch.float32))
    torch.testing.assert_close(
        squared_distance(x, y).double(), squared_distance(x.double(), y.double()), rtol=1e-6, atol=0
    )
    gram = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    if away:  # the formula that cancels is what this test is there for
        assert (gram.double() / squared_distance(x.double(), y.double()) - 1).abs().max() > 1e-3


def test_float32_within_a_cloud_of_two_far_groups():
    """Centring the cloud would not help here."""
    x = torch.cat(clouds(20, 20, dtype=torch.float32)) + torch.tensor([[0.0]] * 20 + [[1e4]] * 20)
    exact = rbf(x.double(), x.double(), 1.0)
    torch.testing.assert_close(rbf(x, x, 1.0).double(), exact, rtol=1e-5, atol=1e-12)


def test_median_distance_takes_each_pair_once():
    x, y = clouds()
    pairs = [float((a - b).norm()) for i, a in enumerate(x) for b in x[:i]]
    assert math.isclose(median_distance(x), sorted(pairs)[(len(pairs) - 1) // 2], rel_tol=1e-12)
    assert median_distance(x, y) == median_distance(torch.cat([y, x]))
    assert median_distance(2 * x, 2 * y) == pytest.approx(2 * median_distance(x, y))
    every, _ = clouds(2000, width=20)
    assert median_distance(every) == pytest.approx(math.sqrt(2 * 20), rel=0.02)  # r^2 / 2 is chi-square with 20 degrees


def test_median_distance_of_two_points_is_their_distance():
    assert median_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0]])) == 5.0
    assert median_distance(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])) == 5.0


def test_type_and_device_are_kept():
    for dtype in (torch.float32, torch.float64):
        x, y = clouds(dtype=dtype)
        assert {kernel(x, y).dtype for kernel in KERNELS.values()} == {dtype}


CLOUD = torch.zeros(4, 2)


@pytest.mark.parametrize("call, name", [(rbf, "bandwidth"), (imq, "scale")])
@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, 1e-16, 1e16, 10**400])
def test_scale_must_be_positive_and_its_square_a_number(call, name, scale):
    with pytest.raises(ValueError, match=rf"^{name} must lie in \[1e-15, 1e\+15\], got {re.escape(str(scale))}\.$"):
        call(CLOUD, CLOUD, scale)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("call", [rbf, imq])
def test_the_narrowest_and_the_widest_scale_give_the_limits(call, dtype):
    x = torch.tensor([[0.0], [1.0]], dtype=dtype)
    torch.testing.assert_close(call(x, x, 1e-15), torch.eye(2, dtype=dtype))
    torch.testing.assert_close(call(x, x, 1e15), torch.ones(2, 2, dtype=dtype))


@pytest.mark.parametrize("scales", [3.0, "12", None])
def test_scales_are_a_sequence(scales):
    words = rf"^scales must be a sequence of numbers, got {scales!r} of type {type(scales).__name__}\.$"
    with pytest.raises(TypeError, match=words):
        multi_scale(rbf, scales)


def test_a_kernel_is_a_function():
    with pytest.raises(
        TypeError, match=r"^kernel must be a function of two clouds and a scale, got 'rbf' of type str\.$"
    ):
        multi_scale("rbf", [1.0])


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: rbf(CLOUD, torch.zeros(4, 3), 1.0), r"same width L, got shapes \[4, 2\] and \[4, 3\]"),
        (lambda: rbf(torch.zeros(4), CLOUD, 1.0), r"x must have the 2 axes \[N, L\], got shape \[4\]"),
        (lambda: rbf(CLOUD, torch.zeros(0, 2), 1.0), "y must have at least one entry along N"),
        (lambda: rbf(CLOUD, CLOUD * math.nan, 1.0), "y contains NaN"),
        (lambda: imq(CLOUD + math.inf, CLOUD, 1.0), "x contains inf"),
        (lambda: imq(CLOUD, CLOUD.double(), 1.0), "share type and device"),
        (lambda: multi_scale(rbf, []), r"^scales must hold at least one scale, got none\.$"),
        (lambda: multi_scale(rbf, [1.0, -2.0])(CLOUD, CLOUD), "bandwidth must lie in"),
        (lambda: median_distance(CLOUD[:1]), r"^x and y must hold at least 2 points together, got 1\.$"),
        (
            lambda: median_distance(CLOUD),
            r"^half of all pairs of points coincide, and their median distance 0 is no bandwidth\.$",
        ),
        (
            lambda: median_distance(CLOUD, torch.rand(3, CLOUD.shape[1] + 1)),
            rf"^x and y must have the same width L, got shapes \[{len(CLOUD)}, {CLOUD.shape[1]}\] and",
        ),
        (lambda: median_distance(CLOUD * math.nan), "^x contains NaN"),
        (lambda: median_distance(CLOUD * math.nan, CLOUD), "^x contains NaN"),
        (lambda: median_distance(CLOUD, CLOUD * math.nan), "^y contains NaN"),
        (lambda: median_distance(CLOUD + math.inf), r"^x contains inf: it must be finite\.$"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_all_names_are_there():
    assert all(hasattr(divergences, name) for name in divergences.__all__)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_and_comes_back_in_float32(dtype):
    x, y = (cloud.to(dtype) for cloud in clouds())
    for kernel in KERNELS.values():
        assert kernel(x, y).dtype == torch.float32 and torch.equal(kernel(x, y), kernel(x.float(), y.float()))
    assert median_distance(x, y) == median_distance(x.float(), y.float())
