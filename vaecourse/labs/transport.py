"""The buttons of a training: what is pressed, what is told beside them, what is told once the kernel has ended."""

from __future__ import annotations

import anywidget
from traitlets import Bool, Float, Int, Unicode

from vaecourse.labs.controls import HERE, STYLE, FromPage, text


class Transport(FromPage, anywidget.AnyWidget):
    """Start and pause, so many steps, how fast, and states to show. ``seen`` is the page's answer to ``shown``."""

    from_page = ("seen", "speed")
    _esm = text(HERE / "js/transport.js")
    _css = STYLE
    running = Bool(False).tag(sync=True)
    state = Unicode().tag(sync=True)  # what is told beside the buttons
    at_stake = Unicode().tag(sync=True)  # what is told of the training once the kernel has ended
    speed = Float(0.0, min=0.0).tag(sync=True)  # steps in a second; 0, as fast as it can
    shown = Int(0).tag(sync=True)
    seen = Int(0).tag(sync=True)
