"""The picture of a lab: one figure that stays, of which only the moving artists are drawn again, and its widgets."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
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

from vaecourse import plots
from vaecourse.labs.controls import HERE, STYLE, FromPage, text

DPI = 120  # the figure is shown at 100 pixels an inch; 150 would be sharper at 150 % zoom and cost twice the time


class Picture(FromPage, anywidget.AnyWidget, ipywidgets.Image):
    """An image widget with a name that a screen reader says: ``alt``."""

    _esm = text(HERE / "js/picture.js")
    _css = STYLE
    alt = Unicode().tag(sync=True)


class Sentence(FromPage, anywidget.AnyWidget, ipywidgets.HTML):
    """A line of text that a screen reader says whenever it changes."""

    _esm = text(HERE / "js/sentence.js")
    _css = STYLE


class Canvas:
    """A figure outside of pyplot. ``pixels`` draws the moving artists on a kept background.

    The artists are set animated, so they do not mark the figure as stale; whatever else an update touches (axis limits,
    a title) does, and then the background is drawn anew.
    """

    def __init__(self, figure: Figure, artists: SimpleNamespace) -> None:
        self.figure, self.artists = figure, artists
        self.hidden: frozenset[Artist] = frozenset()  # of the moving ones, those that are not drawn for now
        self.canvas = FigureCanvasAgg(figure)
        self.moving = sorted(_flat(vars(artists).values()), key=lambda artist: artist.get_zorder())
        for artist in self.moving:
            artist.set_animated(True)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the axes stay where the layout has put them
        self._keep_background()

    def pixels(self) -> NDArray[np.uint8]:
        """The figure as it stands now, ``[height, width, 3]``."""
        if self.figure.stale:
            self._keep_background()
        self.canvas.restore_region(self.background)
        renderer = self.canvas.get_renderer()
        for artist in self.moving:
            if artist not in self.hidden:
                artist.draw(renderer)
        return np.asarray(self.canvas.buffer_rgba())[..., :3]

    def _keep_background(self) -> None:
        with plots.style():  # the number of ticks follows the size of letters of this moment
            self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(self.figure.bbox)


def drawn(figure: Figure) -> NDArray[np.uint8]:
    """The pixels of a figure that is drawn once, ``[height, width, 3]``."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def fast_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes in half the time of PIL, which tries five filters on every row: a live picture is soon replaced."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter: 0, none
    inside = rows[:, 1:].reshape(height, width, 3)
    for channel in range(3):  # seven times as fast as all at once, where a fourth lies between
        inside[..., channel] = pixels[..., channel]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def small_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes, few of them: a still picture is stored in a notebook."""
    file = io.BytesIO()
    Image.fromarray(pixels).quantize(128, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
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
