"""The lab of the log-weight along z: its curve, its mean under q, and what its words say of every q."""

import numpy as np
import pytest

from vaecourse.exact import case_with
from vaecourse.labs.small.flat import LOG_P, FlatWeight, Z

LAB = FlatWeight()
QS = [(1.3, 0.5), (2.0, 0.0), (0.5, 0.0), (1.0, 0.7), (0.6, -0.4)]


@pytest.mark.parametrize("width, shift", QS)
def test_the_elbo_is_the_mean_of_the_curve_under_q(width, shift):
    data = LAB.compute(width, shift)
    z = np.linspace(-12, 14, 20_001)
    mean, std = (part.item() for part in case_with(width, shift)[2:])
    q = np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
    log_w = -0.5 * (z**2 + (1.3 - 1.5 * z) ** 2 / 0.7) - 0.5 * np.log(2 * np.pi) - 0.5 * np.log(2 * np.pi * 0.7)
    log_w -= -0.5 * ((z - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
    assert data.elbo == pytest.approx(np.trapezoid(q * log_w, z), abs=1e-9)
    np.testing.assert_allclose(data.log_w, np.interp(Z, z, log_w), atol=1e-5)


@pytest.mark.parametrize("width, shift", QS)
def test_it_is_log_p_minus_the_log_ratio_of_q_and_posterior(width, shift):
    data, posterior = LAB.compute(width, shift), LAB.compute(1.0, 0.0)
    np.testing.assert_allclose(np.exp(data.log_w - LOG_P) * data.q, posterior.q, atol=1e-12)


def test_it_is_flat_for_the_posterior_and_a_line_for_one_as_wide():
    assert np.ptp(LAB.compute(1.0, 0.0).log_w) < 1e-12
    assert np.abs(np.diff(LAB.compute(1.0, 0.7).log_w, 2)).max() < 1e-12
    assert (np.diff(LAB.compute(2.0, 0.3).log_w, 2) < 0).all()
    assert (np.diff(LAB.compute(0.5, 0.3).log_w, 2) > 0).all()


@pytest.mark.parametrize(
    "width, shift, words",
    [(1.0, 0.0, "flat"), (1.0, 0.5, "straight line"), (1.5, 0.0, "bends down"), (0.5, 0.4, "bends up")],
)
def test_the_words_are_those_of_the_curve(width, shift, words):
    assert words in LAB.sentence(LAB.compute(width, shift))


def test_what_is_bold_is_where_q_looks():
    for width, shift in QS[:3]:
        data = LAB.compute(width, shift)
        assert np.trapezoid(data.q[data.seen], Z[data.seen]) == pytest.approx(0.95, abs=0.03)
