"""The lab of path and score: the chapter's three numbers, and what the band and the words say of every q."""

import numpy as np
import pytest

from vaecourse.labs.frame import Panel
from vaecourse.labs.small.quieter import STD, WIDTHS, Quieter

LAB = Quieter()


def test_the_reference_has_the_numbers_of_the_chapter():
    data = LAB.compute(0.5 / STD, 1)
    assert [round(value, 2) for value in data.at_reference] == [7.12, 10.66]
    assert np.interp(1.3, WIDTHS, data.bare) == pytest.approx(33.79, rel=2e-3)
    assert data.quieter is None and "for no width" in LAB.sentence(data)


@pytest.mark.parametrize("shift, L", [(0.0, 1), (0.5, 1), (0.0, 10), (0.3, 100)])
def test_the_band_is_where_the_curves_say(shift, L):
    lab = Panel(LAB)
    lab._set({"shift": shift, "L": L})
    data = LAB.compute(shift, L)
    x = lab._canvas.artists.band.get_paths()[0].vertices[:, 0] if data.quieter else np.array([1.0])
    inside = (x.min() < WIDTHS) & (x.max() > WIDTHS)
    np.testing.assert_array_equal(data.score < data.path, inside)
    assert (data.bare >= data.score - 1e-9).all()


def test_more_dimensions_leave_the_path_as_it_is():
    one, many = LAB.compute(0.5, 1), LAB.compute(0.5, 30)
    np.testing.assert_array_equal(one.path, many.path)
    assert (many.score > one.score).all()
