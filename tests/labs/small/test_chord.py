"""The lab of Jensen's inequality: two weights, their mix, and how far the chord lies under the logarithm."""

import math

import pytest
import torch

from vaecourse import bounds
from vaecourse.labs.frame import Panel
from vaecourse.labs.small.chord import Chord

LAB = Chord()


@pytest.mark.parametrize("heavy, share", [(9.0, 0.5), (9.0, 0.1), (2.5, 0.75), (10.0, 0.95)])
def test_it_is_iwae_and_elbo_of_so_many_weights(heavy, share):
    """A thousand weights in these shares: the log of their mean, and the mean of their logs."""
    count = round(1000 * share)
    log_w = torch.tensor([math.log(heavy)] * count + [0.0] * (1000 - count), dtype=torch.float64).reshape(1, 1000, 1)
    data = LAB.compute(heavy, share)
    assert data.log_of_mean == pytest.approx(bounds.iwae(log_w).item(), abs=1e-12)
    assert data.mean_of_logs == pytest.approx(bounds.elbo(log_w).item(), abs=1e-12)
    assert data.mean == pytest.approx(1 + share * (heavy - 1))


def test_the_chord_is_under_the_log_and_touches_it_where_nothing_varies():
    for heavy in (1.0, 1.5, 9.0):
        for share in (0.0, 0.05, 0.5, 0.95, 1.0):
            data = LAB.compute(heavy, share)
            gap = data.log_of_mean - data.mean_of_logs
            assert (gap > 1e-6) == (heavy > 1 and 0 < share < 1)
            assert ("nothing is lost" in LAB.sentence(data)) == (gap < 1e-9)


def test_the_square_stands_on_the_chord():
    lab = Panel(LAB)
    lab._set({"heavy": 6.0, "share": 0.3})
    artists = lab._canvas.artists
    (left, right), (low, high) = artists.chord.get_data()
    (x,), (y,) = artists.under.get_data()
    assert y == pytest.approx(low + (high - low) * (x - left) / (right - left))
    assert artists.over.get_ydata()[0] == pytest.approx(math.log(x))


def test_few_heavy_weights_cost_more_than_few_light_ones():
    """The gap is widest where the mean is 8 / log 9, at 33 % of heavy weights: the slope of the log is the chord's."""
    gap = lambda share: LAB.compute(9.0, share).log_of_mean - LAB.compute(9.0, share).mean_of_logs
    widest = max((gap(i / 1000), i / 1000) for i in range(1001))[1]
    assert widest == pytest.approx((8 / math.log(9) - 1) / 8, abs=1e-3)
    assert gap(0.1) > 2 * gap(0.9)
