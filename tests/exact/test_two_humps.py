"""The Gaussians that fit two humps: against a general minimiser, moments by quadrature, and the law's own mean."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize

from vaecourse.exact import TwoHumps

DISTANCES = [0.0, 1.5, 3.0, 5.0, 8.0]


def density(z, distance):
    normal = lambda at: math.exp(-0.5 * (z - at) ** 2) / math.sqrt(2 * math.pi)
    return 0.5 * normal(-distance / 2) + 0.5 * normal(distance / 2)


def kl(q, distance):
    """KL(q || p) by adaptive quadrature."""
    mean, std = q
    log_q = lambda z: -0.5 * ((z - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))
    inside = lambda z: math.exp(log_q(z)) * (log_q(z) - math.log(density(z, distance)))
    return integrate.quad(inside, mean - 9 * std, mean + 9 * std, points=[0.0, mean], limit=200)[0]


@pytest.mark.parametrize("distance", DISTANCES)
def test_it_is_a_density(distance):
    total = integrate.quad(density, -20, 20, (distance,), limit=200)[0]
    assert total == pytest.approx(1.0)
    at = torch.tensor([-3.0, 0.2, 5.0], dtype=torch.float64)
    assert TwoHumps(distance).log_prob(at).exp().tolist() == pytest.approx([density(z, distance) for z in at.tolist()])


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("q", [(0.0, 1.0), (2.0, 0.6), (0.5, 4.0)])
def test_its_kl(distance, q):
    humps = TwoHumps(distance)
    assert humps.kl(*q) == pytest.approx(kl(q, distance), abs=1e-7)
    assert -humps.law(*q).lower(1).item() == pytest.approx(kl(q, distance), abs=1e-5)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_one_that_seeks_has_the_least_kl(distance):
    humps = TwoHumps(distance)
    starts = [(distance / 2, 1.0), (0.0, math.hypot(1, distance / 2)), (1.0, 0.7)]
    of = lambda v: kl((v[0], math.exp(v[1])), distance)
    found = [optimize.minimize(of, (mean, math.log(std)), method="Nelder-Mead").fun for mean, std in starts]
    assert humps.kl(*humps.seeking()) == pytest.approx(min(found), abs=1e-6)
    assert humps.kl(*humps.seeking()) <= humps.kl(*humps.covering()) + 1e-12


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_one_that_covers_has_the_moments(distance):
    mean, std = TwoHumps(distance).covering()
    second = integrate.quad(lambda z: z * z * density(z, distance), -20, 20, limit=200)[0]
    assert (mean, std) == (0.0, pytest.approx(math.sqrt(second)))


def test_the_law_of_its_weights():
    humps = TwoHumps(6.0)
    law = humps.law(*humps.covering())
    assert law.log_mean.item() == pytest.approx(0.0, abs=1e-9)  # p is a density: E[w] = 1
    z = humps.covering()[1] * torch.randn(40_000, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_w = humps.log_prob(z) - torch.distributions.Normal(*humps.covering()).log_prob(z)
    runs = log_w.logsumexp(1) - math.log(8)
    assert abs(runs.mean() - law.lower(8)) < 4 * runs.std() / 200
    assert np.isfinite(law.upper(3).item()) and law.upper(3) > 0


@pytest.mark.parametrize("distance", [-1.0, math.inf, math.nan])
def test_refusals(distance):
    with pytest.raises(ValueError, match="distance must"):
        TwoHumps(distance)
    with pytest.raises(ValueError, match="std must"):
        TwoHumps(1.0).kl(0.0, 0.0)
