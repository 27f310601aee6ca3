"""The picture of a lab: one figure that stays, whose moving artists alone are drawn again, and the widgets that show it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import anywidget
import ipywidgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from traitlets import Unicode

HERE = Path(__file__).parent
DPI = 150  # sharp on a projector and on a laptop at 150 % zoom; the figure is shown at 100 pixels an inch


class Picture(anywidget.AnyWidget, ipywidgets.Image):
    """An image widget with a name that a screen reader says: ``alt``."""

    _esm = HERE / "picture.js"
    _css = HERE / "lab.css"
    alt = Unicode().tag(sync=True)


class Sentence(anywidget.AnyWidget, ipywidgets.HTML):
    """A line of text that a screen reader says whenever it changes."""

    _esm = HERE / "sentence.js"
    _css = HERE / "lab.css"


class Canvas:
    """A figure outside of pyplot. ``pixels`` draws the moving artists on a kept background.

    The artists are set animated, so they do not mark the figure as stale; whatever else an update touches (axis limits,
    a title) does, and then the background is drawn anew.
    """

    def __init__(self, figure: Figure, artists: SimpleNamespace) -> None:
        self.figure, self.artists = figure, artists
        self.canvas = FigureCanvasAgg(figure)
        self.moving = sorted(_flat(vars(artists).values()), key=lambda artist: artist.get_zorder())
        for artist in self.moving:
            artist.set_animated(True)
        self.canvas.draw()
        figure.set_layout_engine("none")  # the axes stay where the first drawing put them
        self._keep_background()

    def pixels(self) -> NDArray[np.uint8]:
        """The figure as it stands now, ``[height, width, 3]``."""
        if self.figure.stale:
            self._keep_background()
        self.canvas.restore_region(self.background)
        renderer = self.canvas.get_renderer()
        for artist in self.moving:
            artist.draw(renderer)
        return np.asarray(self.canvas.buffer_rgba())[..., :3]

    def _keep_background(self) -> None:
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(self.figure.bbox)


def fast_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes, quickly: a live picture is looked at for 20 milliseconds."""
    return _png(Image.fromarray(pixels), compress_level=1)


def small_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes, few of them: a still picture is stored in a notebook."""
    return _png(Image.fromarray(pixels).quantize(128, dither=Image.Dither.NONE), optimize=True)


def _png(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _flat(artists: object) -> Iterable[Artist]:
    """Artists, from artists, and lists, tuples and containers of them."""
    if isinstance(artists, Artist):
        yield artists
    elif isinstance(artists, Iterable):
        for artist in artists:
            yield from _flat(artist)
    else:
        raise TypeError(f"build must return artists, or lists of artists, by name; got {artists!r}.")
