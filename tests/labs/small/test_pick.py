"""The lab of the pick by weight: its picks follow the exact law, which moves from q to the posterior."""

import numpy as np
import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse.labs.frame import Panel
from vaecourse.labs.small.pick import MEAN, STD, PickByWeight, Z

LAB = PickByWeight()
SETTINGS = [(1, 1.3), (3, 1.3), (20, 1.3), (20, 0.4), (10, 2.5), (5, 1.0)]


@pytest.mark.parametrize("K, width", SETTINGS)
def test_picks_follow_the_exact_law(K, width):
    data = LAB.compute(K, width, 1)
    picks, z = torch.from_numpy(data.picks), np.linspace(Z[0], Z[-1], 4001)
    law = np.interp(z, Z, data.law)
    assert np.trapezoid(law, z) == pytest.approx(1, abs=5e-3)
    for below in (0.2, 0.7, 1.2):
        share = np.trapezoid(law[z <= below], z[z <= below])
        if share < 1e-3:  # nobody comes there
            assert (picks < below).double().mean() < 5e-3
        else:
            assert_mean((picks < below).double(), share)
    if K > 1 and width > 0.5:
        as_q = np.trapezoid(np.interp(z[z <= 0.7], Z, data.q), z[z <= 0.7])
        assert_not_mean((picks < 0.7).double(), as_q)


@pytest.mark.parametrize("K, width", SETTINGS)
def test_the_kl_is_that_of_the_drawn_law_and_under_the_gap(K, width):
    data = LAB.compute(K, width, 0)
    posterior = np.exp(-0.5 * ((Z - MEAN) / STD) ** 2) / (STD * np.sqrt(2 * np.pi))
    seen = data.law > 1e-12
    integrand = data.law[seen] * np.log(data.law[seen] / posterior[seen])
    assert data.kl == pytest.approx(np.trapezoid(integrand, Z[seen]), abs=0.02)
    assert -1e-9 <= data.kl <= data.gap + 1e-9 <= data.kl_of_q + 1e-8


def test_one_of_one_is_a_draw_of_q():
    data = LAB.compute(1, 1.3, 0)
    assert (
        data.kl == pytest.approx(data.kl_of_q, abs=1e-6)
        and data.gap == pytest.approx(data.kl_of_q, abs=1e-6)
        and data.chosen == 0
    )
    np.testing.assert_allclose(data.law, data.q, atol=5e-3)


@pytest.mark.parametrize("width", [0.4, 1.3, 2.5])
def test_more_draws_bring_it_nearer(width):
    kls = [LAB.compute(K, width, 0).kl for K in (1, 2, 5, 12, 30)]
    assert (np.diff(kls) < 0).all()


def test_the_star_is_one_of_the_stems():
    lab = Panel(LAB)
    lab.apply("K = 20")
    data = LAB.compute(**lab.settings)
    assert data.shares.sum() == pytest.approx(1) and len(data.z) == 20
    assert lab._canvas.artists.star.get_xdata()[0] == data.z[data.chosen] == data.picks[0]
    assert f"{data.shares[data.chosen]:.0%}" in lab.sentence.value
