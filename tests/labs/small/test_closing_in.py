"""The lab of the two bounds: by another law of the same ratio, one above log q(z) and one below at every z."""

import math

import pytest
import torch
from torch.distributions import Normal

from vaecourse import exact
from vaecourse.labs.small.closing_in import AT, GUESSES, LAW, ClosingIn, Z


@pytest.fixture(scope="module")
def lab():
    return ClosingIn().live()


def by_a_grid_of_psi(z, slope, std):
    """The law of r under tau over a grid of psi, and log q(z): not by the distance that ``Ratio`` goes by."""
    eps = torch.linspace(-9, 9, 801, dtype=torch.float64)
    psi, log_tau = slope * z + std * eps, Normal(0.0, 1.0).log_prob(eps) - math.log(std)
    joint = Normal(0.0, 2.0).log_prob(psi) + Normal(psi, 1.0).log_prob(torch.tensor(z))
    mass = Normal(0.0, 1.0).log_prob(eps).exp() * (eps[1] - eps[0])
    return exact.WeightLaw(joint - log_tau, mass), Normal(0.0, math.sqrt(5)).log_prob(torch.tensor(z)).item()


@pytest.mark.parametrize("tau", list(GUESSES))
@pytest.mark.parametrize("K", [1, 8])
def test_both_bounds_are_right(lab, tau, K):
    data = lab.experiment.compute(K, tau)
    for place in (4, 14, 20, 24):
        law, log_q = by_a_grid_of_psi(float(Z[place]), *GUESSES[tau])
        assert data.over_z[:, place] == pytest.approx(
            [law.upper(K).item() - log_q, law.lower(K).item() - log_q], abs=1e-3
        )


@pytest.mark.parametrize("tau", list(GUESSES))
def test_they_close_in(lab, tau):
    data = lab.experiment.compute(100, tau)
    (upper, lower), steps = data.over_K, len(data.Ks)
    assert (upper > 0).all() and (lower < 0).all() and data.Ks[-1] == 100
    assert all(upper[i] >= upper[i + 1] - 1e-6 and lower[i] <= lower[i + 1] + 1e-6 for i in range(steps - 1))
    assert (data.over_z[0] > -1e-6).all() and (data.over_z[1] < 1e-6).all()


def test_a_tau_that_looks_is_closer(lab):
    apart = [lab.experiment.compute(8, tau).over_K[:, -1] for tau in GUESSES]
    assert apart[0][0] > 5 * apart[1][0] > 25 * apart[2][0]
    assert LAW.log_prob(torch.tensor([[AT]])).item() == pytest.approx(by_a_grid_of_psi(AT, 0.0, 2.0)[1], abs=1e-6)


def test_the_picture_follows(lab):
    lab.apply("SIVI, K = 100")
    assert lab._canvas.artists.upper[1].get_xdata()[-1] == 100 and "K = 100" in lab.sentence.value
    lab.reset()
    assert list(lab._canvas.artists.upper[1].get_xdata()) == [1]
