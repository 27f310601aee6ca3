"""The lab of the jackknife's line: the diamond is where the drawn curve meets 0, and the bias that the theory has."""

import numpy as np
import pytest

from vaecourse import exact
from vaecourse.labs.small.jackknife_line import KS, ORDERS, JackknifeLine


@pytest.fixture(scope="module")
def lab():
    return JackknifeLine().live()


@pytest.mark.parametrize("width", [0.4, 1.3, 2.5])
@pytest.mark.parametrize("order", range(ORDERS))
def test_the_jackknife_is_the_intercept_of_a_polynomial_in_one_over_k(lab, width, order):
    for K in (6, 8, 20):
        data = lab.experiment.compute(K, order, width)
        assert len(data.nodes) == order + 1
        fit = np.polynomial.Polynomial.fit(1 / data.nodes, data.bound[data.nodes - 1], order)
        assert fit(0.0) == pytest.approx(data.bias, abs=1e-6)


@pytest.mark.parametrize("order", range(3))
def test_the_bias_is_that_of_the_rows(lab, order):
    case = exact.case_with(1.3, 0.5)
    rows, log_p = exact.RowGradients(case), case.model.log_likelihood(case.x).item()
    data = lab.experiment.compute(8, order, 1.3)
    assert data.bias == pytest.approx(rows.value("jackknife", K=8, order=order) - log_p, abs=1e-6)


def test_what_is_drawn_meets_the_diamond(lab):
    for preset in lab.presets:
        lab.apply(preset)
        artists = lab._canvas.artists
        x, y = artists.through.get_data()
        assert x[0] == 0 and y[0] == pytest.approx(artists.meets.get_ydata()[0], abs=1e-9)
        used = 1 / artists.dots.get_xdata()
        assert used == pytest.approx(lab.experiment.compute(**lab.settings).nodes)
    lab.reset()


def test_which_side_depends_on_q(lab):
    wide, narrow = (lab.experiment.compute(6, 1, width).biases[1] for width in (1.3, 0.4))
    assert (wide > 0).all() and (narrow < 0).all() and len(wide) == len(KS)
    lab.apply("q too narrow")
    assert "below log p(x)" in lab.sentence.value
    lab.apply("q too wide")
    assert "above log p(x)" in lab.sentence.value
    lab.reset()
