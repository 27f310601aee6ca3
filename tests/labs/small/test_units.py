"""The lab of collapse: its spectrum is that of the digits, and a unit lives if its eigenvalue is above beta s2."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

from vaecourse import data
from vaecourse.labs.frame import Panel
from vaecourse.labs.small.units import EIGENVALUES, LEARNT, DyingUnits, L

LAB = DyingUnits()


def test_the_spectrum_and_the_learned_noise_are_those_of_pca():
    digits = data.digits().train.double().numpy()
    found, n = PCA(L).fit(digits), len(digits)
    np.testing.assert_allclose(EIGENVALUES, found.explained_variance_ * (n - 1) / n, rtol=1e-6)
    assert LEARNT == pytest.approx(found.noise_variance_ * (n - 1) / n, rel=1e-6)


@pytest.mark.parametrize(
    "noise_variance, beta", [(0.01, 1.0), (0.1, 1.0), (0.1, 4.0), (0.5, 1.0), (1.0, 1.0), (0.7, 1.0)]
)
def test_who_lives_and_what_it_carries(noise_variance, beta):
    got = LAB.compute(noise_variance, beta)
    for eigenvalue, kl in zip(EIGENVALUES.tolist(), got.kl):
        assert kl == pytest.approx(max(0.0, 0.5 * math.log(eigenvalue / (beta * noise_variance))))
    assert got.alive == (EIGENVALUES > beta * noise_variance).sum().item()


def test_the_words():
    lab = Panel(LAB)
    lab.apply("½ squared error")
    assert "all 10 units are dead" in lab.sentence.value and "0.701" in lab.sentence.value
    lab.apply("squared error")
    assert "3 of 10 units live" in lab.sentence.value
    lab.apply("σ² learned")
    assert "10 of 10 units live" in lab.sentence.value
    lab._set({"noise_variance": 0.1, "beta": 4.0})
    one = lab.sentence.value
    lab._set({"noise_variance": 0.4, "beta": 1.0})
    assert lab.sentence.value == one  # only their product counts


def test_the_coloured_bars_are_twice_the_kl():
    """On the log axis the part above the line is log(lambda / beta s2)."""
    lab = Panel(LAB)
    for bar, kl in zip(lab._canvas.artists.bars, LAB.compute(0.1, 1.0).kl):
        if kl > 0:
            assert math.log((bar.get_y() + bar.get_height()) / bar.get_y()) == pytest.approx(2 * kl)
