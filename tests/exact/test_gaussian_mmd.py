"""The exact MMD^2 of Gaussians against direct integration and against sampled kernel means."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import divergences, exact

MEAN = torch.tensor([0.4, 0.0, -0.3], dtype=torch.float64)
STD = torch.tensor([1.2, 0.7, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("kernel, of", [("rbf", divergences.rbf), ("imq", divergences.imq)])
@pytest.mark.parametrize("scale", [0.1, 1.7, 60.0])
def test_against_integration_in_one_dimension(kernel, of, scale):
    grid = torch.linspace(-9, 9, 1501, dtype=torch.float64).unsqueeze(1)
    law = lambda mean, std: torch.distributions.Normal(mean, std).log_prob(grid[:, 0]).exp() * (grid[1] - grid[0])
    difference = law(0.4, 1.2) - law(0.0, 1.0)
    truth = difference @ of(grid, grid, scale) @ difference
    mmd2 = exact.gaussian_mmd2(MEAN[:1], STD[:1], kernel, scale)
    assert abs(mmd2 / truth - 1) < 1e-6


@pytest.mark.parametrize("kernel, of", [("rbf", divergences.rbf), ("imq", divergences.imq)])
def test_against_sampling_in_three_dimensions(kernel, of):
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn(200_000, 3, generator=generator, dtype=torch.float64)
    x, x2, y, y2 = MEAN + STD * draw(), MEAN + STD * draw(), draw(), draw()
    pairs = lambda a, b: _kernel_of_pairs(of, a, b, 1.7)
    values = pairs(x, x2) + pairs(y, y2) - pairs(x, y) - pairs(x2, y2)
    assert_mean(values, exact.gaussian_mmd2(MEAN, STD, kernel, 1.7))
    assert_not_mean(values, 0.0)


def _kernel_of_pairs(of, a, b, scale):
    """k(a_i, b_i), written again: the package only has all pairs."""
    squared = (a - b).square().sum(1)
    return (-squared / (2 * scale**2)).exp() if of is divergences.rbf else scale / (scale + squared)


def test_a_gaussian_kernel_has_all_digits_of_double_precision():
    """0.3 squared is no number of single precision."""
    h2, m, v = 0.3**2, 0.4, 1.2**2
    mean = lambda variance, offset: math.exp(-(offset**2) / 2 / (h2 + variance)) / math.sqrt(1 + variance / h2)
    expected = mean(2 * v, 0) + mean(2, 0) - 2 * mean(1 + v, m)
    assert float(exact.gaussian_mmd2(MEAN[:1], STD[:1], "rbf", 0.3)) == pytest.approx(expected, rel=1e-12)


def test_is_zero_for_the_prior_itself_and_bounded_by_two():
    one = torch.ones(3)
    for kernel in ("rbf", "imq"):
        assert abs(exact.gaussian_mmd2(0 * one, one, kernel, 2.0)) < 1e-6
        assert 1 < exact.gaussian_mmd2(100 * one, 1e-3 * one, kernel, 2.0) < 2


@pytest.mark.parametrize("std", [0.5, 3.0, 100.0])
def test_six_digits_where_the_scale_is_tiny_and_the_dimensions_are_many(std):
    """|x - y|^2 is v times a chi-square of L degrees, and E[C / (C + v R)] a series in C / v with known moments."""
    L, scale = 100, 1e-4
    series = lambda c: c / (L - 2) - c**2 / (L - 2) / (L - 4) + c**3 / (L - 2) / (L - 4) / (L - 6)
    expected = series(scale / (2 * std**2)) + series(scale / 2) - 2 * series(scale / (std**2 + 1))
    zero = torch.zeros(L, dtype=torch.float64)
    assert float(exact.gaussian_mmd2(zero, zero + std, "imq", scale)) == pytest.approx(expected, rel=1e-7)


def test_quadrature_gives_the_kernel_itself():
    t, weights = exact.gaussian_mmd._exponential_quadrature()
    for ratio in (0.0, 0.1, 1.0, 30.0):
        assert math.isclose(
            (weights * torch.exp(-torch.tensor(t) * ratio).numpy()).sum(), 1 / (1 + ratio), rel_tol=1e-8
        )


@pytest.mark.parametrize(
    "mean, std, kernel, scale, words",
    [
        (torch.zeros(2), torch.ones(3), "rbf", 1.0, "^mean and std must have the same width L, got 2 and 3"),
        (torch.zeros(2), torch.zeros(2), "rbf", 1.0, "^std must be positive, got 0 among its entries"),
        (torch.zeros(2), torch.ones(2), "rfb", 1.0, "Did you mean 'rbf'"),
        (torch.zeros(2), torch.ones(2), "imq", 0.0, "scale must lie in"),
        (torch.tensor([math.nan]), torch.ones(1), "imq", 1.0, "contains NaN"),
        (torch.ones(2, 2), torch.ones(1), "imq", 1.0, r"^mean must have the 1 axes \[L\]"),
    ],
)
def test_bad_input(mean, std, kernel, scale, words):
    with pytest.raises(ValueError, match=words):
        exact.gaussian_mmd2(mean, std, kernel, scale)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_answer_has_the_type_of_the_question(kernel, dtype):
    assert exact.gaussian_mmd2(torch.ones(3, dtype=dtype), torch.ones(3, dtype=dtype), kernel, 1.3).dtype == dtype


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_a_dimension_that_is_there_more_than_once_need_not_be_written_out(kernel):
    mean, std = torch.tensor([0.8, 0.0, 0.3]).double(), torch.tensor([1.3, 1.3, 0.6]).double()
    times = [1, 6, 2]
    repeated = [part.repeat_interleave(torch.tensor(times)) for part in (mean, std)]
    found = exact.gaussian_mmd2(mean, std, kernel, 1.7, times)
    torch.testing.assert_close(found, exact.gaussian_mmd2(*repeated, kernel, 1.7), rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match="times must have one entry for each of the L = 3 dimensions, got 2"):
        exact.gaussian_mmd2(mean, std, kernel, 1.7, [1, 2])
