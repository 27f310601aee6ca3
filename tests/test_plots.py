import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from vaecourse import plots

OKABE_ITO = {"#000000", "#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#F0E442", "#8C8C8C"}


def test_colours_are_those_that_the_colour_blind_tell_apart():
    colours = {value for name, value in vars(plots).items() if name.isupper() and isinstance(value, str)}
    assert colours <= OKABE_ITO
    assert plots.EXACT == "#000000"


def test_the_style_stays_inside_its_block():
    before = plt.rcParams["font.size"]
    with plots.style():
        assert plt.rcParams["font.size"] >= 12
        assert to_rgb(plt.rcParams["figure.facecolor"]) == (1, 1, 1)
    assert plt.rcParams["font.size"] == before


def test_an_exact_value_is_black_and_dashed():
    axes = Figure().subplots()
    for vertical in (False, True):
        line = plots.exact_line(axes, -1.7463, "log p(x)", vertical)
        assert to_rgb(line.get_color()) == (0, 0, 0)
        assert line.get_linestyle() == "--"


def test_mosaic_puts_every_image_in_its_place():
    images = np.arange(5)[:, None, None] * np.ones((5, 2, 3))
    grid = plots.mosaic(images, columns=3, gap=1)
    assert grid.shape == (2 * 3 - 1, 3 * 4 - 1)
    for n in range(5):
        row, column = divmod(n, 3)
        np.testing.assert_array_equal(grid[row * 3 : row * 3 + 2, column * 4 : column * 4 + 3], images[n])
    assert np.isnan(grid).sum() == grid.size - 5 * 6


@pytest.mark.parametrize("gap", [0, 2])
def test_mosaic_gap(gap):
    assert plots.mosaic(np.zeros((4, 2, 2)), columns=2, gap=gap).shape == (4 + gap, 4 + gap)


def test_mosaic_refuses():
    with pytest.raises(ValueError, match=r"images must have the 3 axes \[N, H, W\], got shape \[4, 4\]"):
        plots.mosaic(np.zeros((4, 4)), columns=2)
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        plots.mosaic(np.zeros((4, 4, 4)), columns=0)
