"""The lab of three widths: its ratios are those of sampled gradients; only a q of finite chi-square keeps the rates."""

import pytest
import torch

from vaecourse import exact
from vaecourse.labs.small.three_widths import FOR, SHIFT, WIDTHS, ThreeWidths


@pytest.fixture(scope="module")
def lab():
    return ThreeWidths().live()


@pytest.mark.parametrize("of", list(FOR))
def test_a_ratio_is_that_of_drawn_gradients(lab, of):
    R, K = 20_000, 8
    data = lab.experiment.compute(K, of)
    for width, values in zip(WIDTHS, data.curves):
        eps = torch.randn(R, K, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        slopes = exact.slopes(exact.case_with(width, SHIFT), eps, FOR[of])
        runs = (slopes.log_w.softmax(1) * slopes.whole(FOR[of])).sum(1)
        drawn = (runs.mean().abs() / runs.std()).item()
        assert abs(drawn - values[-1]) < 4 * ((1 + drawn**2) / R) ** 0.5 + 0.03 * values[-1]


def test_the_rates_hold_where_chi_square_is_finite(lab):
    for of in FOR:
        early, late = (lab.experiment.compute(K, of).curves[:, -1] for K in (256, 1024))
        power = 2.0 if FOR[of] == "weight" else 0.5
        assert late[1:] / early[1:] == pytest.approx([power, power], rel=0.03)
    narrow = lab.experiment.compute(1024, "the mean of q").curves[0]
    assert narrow[-1] > 0.5 * narrow[0]
    assert exact.case_with(0.5, SHIFT).model.chi_squared(*exact.case_with(0.5, SHIFT)[1:]).isinf().all()


def test_the_picture_ends_at_k(lab):
    for K in (1, 30, 1024):
        lab.controls["K"].value = K
        assert [curve.get_xdata()[-1] for curve in lab._canvas.artists.curves] == [K] * 3
    lab.reset()
    assert "It was" not in lab.sentence.value
