"""The Stein direction against its closed form for Gaussian particles, by z-score; with N != L."""

from functools import partial

import pytest
import torch
from torch.distributions import Normal

from tests.stats import assert_mean, assert_not_mean
from vaecourse.divergences import imq, rbf, stein_direction

N, L, H = 9, 2, 1.4
KERNEL = partial(rbf, bandwidth=H)
MEAN, STD = torch.tensor([0.8, -0.5], dtype=torch.float64), torch.tensor([0.6, 1.5], dtype=torch.float64)
AT = torch.tensor([1.2, 0.4], dtype=torch.float64)
NULL = torch.zeros(L, dtype=torch.float64), torch.ones(L, dtype=torch.float64)


def expected(at, mean, std):
    """E_q[k(z, at) (-z) + grad_z k(z, at)] for q = N(mean, diag(std^2)): a Gaussian times the kernel is a Gaussian."""
    v = 1 / (1 / std**2 + 1 / H**2)
    centre = v * (mean / std**2 + at / H**2)
    mass = (H / (H**2 + std**2).sqrt() * (-0.5 * (at - mean) ** 2 / (H**2 + std**2)).exp()).prod(-1, keepdim=True)
    return mass * (-centre - (centre - at) / H**2)


def directions_at(mean, std, repeats=4000):
    """The direction of one particle held at AT, among N - 1 random ones, without its own share: [repeats, L]."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(repeats):
        others = mean + std * torch.randn(N - 1, L, generator=generator, dtype=torch.float64)
        z = torch.cat([AT[None], others])
        found.append((N * stein_direction(z, -z, KERNEL)[0] + AT) / (N - 1))
    return torch.stack(found)


def test_expectation_is_the_closed_form():
    found = directions_at(MEAN, STD)
    assert_mean(found, expected(AT, MEAN, STD))
    assert_not_mean(found, 0.0)


def test_expectation_is_zero_when_the_particles_come_from_p():
    torch.testing.assert_close(expected(AT, *NULL), torch.zeros(L, dtype=torch.float64))
    found = directions_at(*NULL)
    assert_mean(found, 0.0)
    without_repulsion = found - expected(AT, MEAN, STD)
    assert_not_mean(without_repulsion, 0.0)


@pytest.mark.parametrize("mean, std", [(0.8, 0.6), (-0.5, 1.5), (0.0, 1.0)])
def test_kl_falls_along_it_at_the_rate_of_the_kernel_stein_discrepancy(mean, std):
    """d/de KL(law of z + e phi(z) || p) = -E_q[phi . (score of p - score of q)]; below 0 unless q = p."""
    grid = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    q, p = Normal(torch.tensor(mean, dtype=torch.float64), std), Normal(0.0, 1.0)
    density, phi = q.log_prob(grid).exp(), expected(grid[:, None], q.mean[None], q.stddev[None])[:, 0]

    def kl(step):
        slope = 1 + step * torch.gradient(phi, spacing=(grid,))[0]
        return torch.trapezoid(density * (q.log_prob(grid) - slope.log() - p.log_prob(grid + step * phi)), grid)

    score_difference = -grid + (grid - mean) / std**2
    squared_discrepancy = torch.trapezoid(density * phi * score_difference, grid)
    torch.testing.assert_close((kl(1e-4) - kl(-1e-4)) / 2e-4, -squared_discrepancy, rtol=1e-4, atol=1e-6)
    assert squared_discrepancy > 0.01 if (mean, std) != (0.0, 1.0) else squared_discrepancy.abs() < 1e-10


@pytest.mark.parametrize("kernel", [partial(rbf, bandwidth=0.7), partial(imq, scale=0.7)])
def test_fixed_point_on_a_gaussian(kernel):
    """Particles far off and far too close together settle as a sample of p would lie."""
    z = 3 + 0.1 * torch.randn(60, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for _ in range(1500):
        z = z + 0.5 * stein_direction(z, -z, kernel)
    assert stein_direction(z, -z, kernel).abs().max() < 1e-3
    assert abs(z.mean()) < 0.01
    assert 0.9 < z.std() < 1.1
    assert (z.abs() < 1).double().mean() == pytest.approx(0.68, abs=0.05)


def test_without_the_repulsion_the_particles_would_collapse():
    z = torch.randn(30, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for _ in range(300):
        k = KERNEL(z, z)
        z = z + 0.5 * (k.T @ -z) / len(z)
    assert z.std() < 0.2


def test_general_kernels_by_hand():
    """Particle by particle with autograd through the first argument."""
    z = torch.randn(N, L, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    score = -3 * z + 1
    for kernel in (KERNEL, partial(imq, scale=2.0)):
        for i in range(N):
            first = z.clone().requires_grad_()
            k = kernel(first, z[i : i + 1])
            (repulsion,) = torch.autograd.grad(k.sum(), first)
            by_hand = (k.detach() * score + repulsion).mean(0)
            torch.testing.assert_close(stein_direction(z, score, kernel)[i], by_hand)


def test_carries_no_gradient_and_works_without_grad_mode():
    z = torch.randn(N, L, requires_grad=True)
    assert not stein_direction(z, -z, KERNEL).requires_grad
    with torch.no_grad():
        assert stein_direction(z, -z, KERNEL).shape == (N, L)
    assert z.grad is None


def test_bad_input():
    z = torch.zeros(4, 2)
    with pytest.raises(ValueError, match="^z contains NaN"):
        stein_direction(z * float("nan"), z, KERNEL)
    with pytest.raises(ValueError, match=r"^score must have the shape of z, \[4, 2\], got \[4, 3\]"):
        stein_direction(z, torch.zeros(4, 3), KERNEL)
    with pytest.raises(
        TypeError, match="^score must share type and device with z, torch.float32 on cpu, got torch.float64"
    ):
        stein_direction(z, z.double(), KERNEL)
    with pytest.raises(ValueError, match=r"^kernel must give one number for each pair, \[4, 4\], got \[4, 1\]"):
        stein_direction(z, z, lambda x, y: KERNEL(x, y)[:, :1])
    with pytest.raises(ValueError, match="^score contains NaN"):
        stein_direction(z, z * float("nan"), KERNEL)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_and_comes_back_in_float32(dtype):
    z = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    kernel = partial(rbf, bandwidth=1.5)
    found = stein_direction(z, -z, kernel)
    assert found.dtype == torch.float32 and torch.equal(found, stein_direction(z.float(), -z.float(), kernel))
