import ast
import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from tests import colours
from tools import chapter
from vaecourse import labs, plots

OKABE_ITO = {"#000000", "#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#F0E442", "#8C8C8C"}
NOT_OF_THEM = {plots.GUESS}  # always dashed, and its line says whose it is


def test_colours_are_those_that_the_colour_blind_tell_apart():
    colours = {value for name, value in vars(plots).items() if name.isupper() and isinstance(value, str)}
    assert colours <= OKABE_ITO | NOT_OF_THEM
    assert plots.EXACT == "#000000"


# Colour blindness -----------------------------------------------------------------------------------------------------

FAR = 12  # CIEDE2000; below it two thin lines are taken for each other


def close(one, other):
    return to_hex(one) != to_hex(other) and colours.apart(one, other)[0] < FAR


def test_the_ruler_measures_as_its_authors_do():
    published = [((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, 2.5, 0), (73, 25, -18), 27.1492)]
    published += [((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644)]
    for one, other, difference in published:
        assert colours.ciede2000(one, other) == pytest.approx(difference, abs=1e-4)
    np.testing.assert_allclose(colours.lab([[1, 1, 1], [1, 0, 0]]), [[100, 0, 0], [53.24, 80.09, 67.20]], atol=0.01)
    for sight in colours.SIGHT:
        np.testing.assert_allclose(colours.seen([0.5, 0.5, 0.5], sight), 0.5, atol=1e-3)
    assert colours.apart("red", "green")[0] < 35 < colours.ciede2000(*colours.lab([to_rgb("red"), to_rgb("green")]))


def test_few_pairs_of_the_palette_need_a_second_sign():
    names = {value: name for name, value in vars(plots).items() if name.isupper() and isinstance(value, str)}
    assert {frozenset(pair) for pair in itertools.combinations(names, 2) if close(*pair)} == {
        frozenset({plots.CIWAE, plots.PRIOR}),
        frozenset({plots.PIWAE, plots.PRIOR}),
        frozenset({plots.PIWAE, plots.Q}),
        frozenset({plots.GUESS, plots.IWAE}),
    }


def signs(artist):
    """(colour, what else it is told by), of a line, an area or a row of marks; None for what is not seen."""
    if isinstance(artist, Line2D) and not len(artist.get_xdata()) and not artist.get_animated():
        return None  # a line for the legend alone
    if isinstance(artist, Line2D):
        broad = "broad" if artist.get_linewidth() >= 3 else "thin" if artist.get_linewidth() <= 1.5 else "line"
        stroke = artist.get_linestyle() if artist.get_linestyle() in {"None", "--", ":", "-."} else broad
        return artist.get_color(), (stroke, str(artist.get_marker()))
    if isinstance(artist, Rectangle) and artist.get_width() < 1:
        return artist.get_facecolor(), ("a bar with its name under it", artist.get_x())
    if isinstance(artist, Patch):
        fill = artist.get_fill()
        return (artist.get_facecolor() if fill else artist.get_edgecolor()), ("area" if fill else "outline",)
    if isinstance(artist, Collection) and len(artist.get_facecolor()) == 1:
        return artist.get_facecolor()[0], ("area",)
    return None


@pytest.mark.parametrize("name", labs.ALL)
def test_in_a_lab_close_colours_have_a_second_sign(name):
    for axes in labs.ALL[name]()._canvas.figure.axes:
        drawn = {(to_hex(colour), sign) for colour, sign in filter(None, map(signs, axes.get_children()))}
        for (one, sign), (other, same) in itertools.combinations(drawn, 2):
            assert sign != same or not close(one, other), f"{one} and {other} are both {sign} in {axes.get_title()!r}"


SECOND_SIGN = re.compile(  # a stroke or a shape of its own, a name beside it, an area beside a line
    r"""linestyle|marker"?[=:]|hatch|annotate|ax[hv]line|hist\(|bar\(|fill_between|stairs|["'][osv^xD*+.]?(--|:|-\.)["']"""
)


@pytest.mark.parametrize("source", chapter.sources(), ids=lambda path: path.stem)
def test_in_a_chapter_close_colours_have_a_second_sign(source):
    for cell in chapter.read(source).cells:
        if cell.cell_type == "code":
            nodes = (node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Attribute))
            used = {node.attr for node in nodes if ast.unparse(node.value) == "plots" and node.attr.isupper()}
            pairs = itertools.combinations(sorted(used - {"STYLE"}), 2)
            near = [pair for pair in pairs if close(*(getattr(plots, name) for name in pair))]
            assert not near or SECOND_SIGN.search(cell.source), f"{near} in\n{cell.source}"


# The style -----------------------------------------------------------------------------------------------------------


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


def test_pictures_have_the_name_of_a_row_at_its_middle():
    axes = Figure().subplots()
    image = plots.pictures(axes, np.zeros((6, 3, 5)), columns=3, gap=2, rows=["first", "second"])
    assert image.get_array().shape == (2 * 5 - 2, 3 * 7 - 2)
    assert list(axes.get_yticks()) == [1, 6] and list(axes.get_xticks()) == []
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    plots.pictures(axes, np.zeros((6, 3, 5)), columns=3)
    assert list(axes.get_yticks()) == [] and not axes.get_frame_on()
    with pytest.raises(ValueError, match="a name for each of the 2 rows of images, got 1 names"):
        plots.pictures(axes, np.zeros((6, 3, 5)), columns=3, rows=["first"])


# What is drawn over and over again -----------------------------------------------------------------------------------


def test_a_band_lies_about_its_line_in_its_colour():
    axes = Figure().subplots()
    x, middle, half = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 4.0]), np.array([0.5, 1.0, 0.25])
    line = plots.band(axes, x, middle, half, ":", color=plots.Q, label="of q")
    np.testing.assert_array_equal(line.get_xydata(), np.stack([x, middle], 1))
    assert (line.get_linestyle(), line.get_label(), to_hex(line.get_color()).upper()) == (":", "of q", plots.Q)
    (area,) = axes.collections
    corners = {tuple(corner) for corner in area.get_paths()[0].vertices}
    assert {(a, b) for a, b in zip(x, middle - half)} | {(a, b) for a, b in zip(x, middle + half)} <= corners
    assert to_rgb(area.get_facecolor()[0][:3]) == to_rgb(plots.Q)


@pytest.mark.parametrize("side", plots.SIDES)
def test_a_point_has_its_name_on_its_own_side(side):
    figure = Figure(figsize=(4, 4), dpi=100)
    axes = figure.subplots()
    axes.set(xlim=(-5, 5), ylim=(1e-3, 1e3), yscale="log")
    name = plots.name_point(axes, "VAE", (1.0, 1.0), side)
    box, (x, y) = name.get_window_extent(), axes.transData.transform((1.0, 1.0))
    if side == "above":
        assert y + 5 < box.y0 < y + 25 and box.x0 < x < box.x1
    else:
        assert box.y0 < y < box.y1
        assert x + 5 < box.x0 < x + 25 if side == "right" else x - 25 < box.x1 < x - 5
    with pytest.raises(ValueError, match="side must be one of right, left, above, got 'below'"):
        plots.name_point(axes, "VAE", (1.0, 1.0), "below")


def test_a_density_begins_below_and_at_black():
    axes = Figure().subplots()
    values = np.arange(1.0, 7).reshape(2, 3)
    image = plots.density(axes, values, "exact", top=9.0)
    np.testing.assert_array_equal(image.get_array(), values)
    assert (image.origin, image.get_clim(), axes.get_title()) == ("lower", (0, 9), "exact")
    assert list(axes.get_xticks()) == [] == list(axes.get_yticks())
    named = Figure().subplots()
    image = plots.density(named, values, extent=(-5, 5, -2, 2))
    assert image.get_clim() == (0, 6) and named.get_ylim() == (-2, 2) and len(named.get_xticks())


def test_a_key_has_the_looks_of_the_divergences_and_draws_nothing():
    axes = Figure().subplots()
    legend = plots.key(axes, plots.DIVERGENCES, loc="upper left")
    assert [text.get_text() for text in legend.get_texts()] == [*plots.DIVERGENCES]
    assert not axes.lines
    for line, look in zip(legend.get_lines(), plots.DIVERGENCES.values()):
        assert (line.get_color(), line.get_marker(), line.get_linestyle()) == (look["color"], look["marker"], "None")
    marks = [look["marker"] for look in plots.DIVERGENCES.values()]
    assert len({*marks}) == len(marks)  # the second sign of close colours
    assert {look["color"] for look in plots.DIVERGENCES.values()} <= OKABE_ITO


# A graph --------------------------------------------------------------------------------------------------------------


def test_a_graph_has_a_box_for_each_name_and_an_arrow_for_each_pair():
    axes = Figure().subplots()
    ways = {"arrows": [("x", "z"), ("z", "w")], "dashed": [("x", "w")], "back": [("w", "z")]}
    plots.graph(axes, {"x": (0, 0), "z": (1, 0.5), "w": (2, 0)}, **ways, title="a title")
    boxes = {text.get_text(): text.get_position() for text in axes.texts if text.get_text()}
    assert boxes == {"x": (0, 0), "z": (1, 0.5), "w": (2, 0)} and axes.get_title() == "a title"
    drawn = [(note.xyann, note.xy, to_hex(note.arrow_patch.get_edgecolor()), note.arrow_patch.get_linestyle())
             for note in axes.texts if not note.get_text()]  # fmt: skip
    grey, orange = plots.PRIOR.lower(), plots.ELBO.lower()
    assert drawn == [
        ((0, 0), (1, 0.5), grey, "-"),
        ((1, 0.5), (2, 0), grey, "-"),
        ((0, 0), (2, 0), grey, "--"),
        ((2, 0), (1, 0.5), orange, ":"),
    ]


def test_an_arrow_to_no_box_is_told():
    with pytest.raises(ValueError, match=r"arrows must join two of \['x', 'z'\], got 'y'"):
        plots.graph(Figure().subplots(), {"x": (0, 0), "z": (1, 0)}, [("x", "y")])


def test_a_ladder_has_an_arrow_for_each_step_that_leaves_something_open():
    axes = Figure().subplots()
    plots.ladder(axes, [("one", "gives a", "leaves b"), ("two", "gives b", "leaves c"), ("three", "gives c", "")])
    said = [text.get_text() for text in axes.texts if text.get_text()]
    assert said == ["one", "gives a", "leaves b", "two", "gives b", "leaves c", "three", "gives c"]
    assert [box.get_y() for box in axes.patches] == [-0.33, -1.33, -2.33]
    assert [(note.xyann[1], note.xy[1]) for note in axes.texts if not note.get_text()] == [(-0.1, -0.9), (-1.1, -1.9)]
