"""The lab of EM: what each step does to bound and likelihood, by the model's own two lines."""

import math

import numpy as np
import pytest

from vaecourse.labs.frame import Panel
from vaecourse.labs.small.turns import NOISE, SLOPES, STEPS, Turns, X

LAB = Turns()
STARTS = [0.05, 0.3, 1.0, 1.8]


def by_hand(W, V):
    """Mean ELBO at slope W of the posteriors of slope V, with expectations in place of samples."""
    variance = NOISE / (V**2 + NOISE)
    mean = V * X / (V**2 + NOISE)
    fit = -0.5 * math.log(2 * math.pi * NOISE) - ((X - W * mean).square() + W**2 * variance) / (2 * NOISE)
    kl = 0.5 * (mean.square() + variance - 1 - math.log(variance))
    return (fit - kl).mean().item()


def log_p(W):
    variance = W**2 + NOISE
    return (-0.5 * math.log(2 * math.pi * variance) - 0.5 * X.square() / variance).mean().item()


@pytest.mark.parametrize("start", STARTS)
def test_e_closes_the_gap_and_m_climbs_the_curve(start):
    data = LAB.compute(STEPS, start)
    for step in range(1, STEPS + 1):
        W, before = data.slopes[step], data.slopes[step - 1]
        if step % 2:
            assert W == before
            assert data.elbos[step] == pytest.approx(log_p(W), abs=1e-9)
        else:
            assert data.elbos[step] == pytest.approx(by_hand(W, before), abs=1e-9)
            assert data.elbos[step] > max(by_hand(W + 0.01, before), by_hand(W - 0.01, before))
            gain, rise = np.diff(data.log_likelihoods)[step - 1], np.diff(data.elbos)[step - 1]
            assert gain >= rise - 1e-12  # the gap opens: log p(x) gains what the ELBO gains, and more
    assert (np.diff(data.log_likelihoods) > -1e-12).all() and (np.diff(data.elbos) > -1e-12).all()


@pytest.mark.parametrize("start", STARTS)
def test_it_goes_towards_the_maximum_of_the_likelihood(start):
    best = math.sqrt(X.square().mean().item() - NOISE)
    slopes = LAB.compute(STEPS, start).slopes
    distances = np.abs(np.array(slopes) - best)
    assert (np.diff(distances) < 1e-12).all()
    if start > 0.2:
        assert distances[-1] < 0.05


def test_from_zero_it_never_leaves():
    """A saddle: with W = 0 the posterior is the prior, which tells nothing of x."""
    data = LAB.compute(STEPS, 0.0)
    assert data.slopes == [0.0] * (STEPS + 1) and "tells nothing of x" in LAB.sentence(data)


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_the_curve_is_the_elbo_of_this_q(steps):
    data = LAB.compute(steps, 0.3)
    if steps:
        q_of = data.slopes[steps - 1] if steps % 2 == 0 else data.slopes[steps]
        np.testing.assert_allclose(data.elbo, [by_hand(W, q_of) for W in SLOPES], atol=1e-9)
    assert np.interp(data.slopes[-1], SLOPES, data.elbo) == pytest.approx(data.elbos[-1], abs=1e-3)
    assert (data.elbo <= LAB.log_likelihood + 1e-9).all()


def test_words_and_picture():
    lab = Panel(LAB)
    assert "q is the prior" in lab.sentence.value
    lab.apply("E: q to the posterior")
    assert "Step 1, E" in lab.sentence.value and "touches" in lab.sentence.value
    lab.apply("M: then W")
    assert "Step 2, M" in lab.sentence.value and "gap" in lab.sentence.value
    assert len(lab._canvas.artists.path.get_xdata()) == 3
