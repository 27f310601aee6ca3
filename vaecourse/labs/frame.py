"""The frame of a live lab. Its author writes one ``Experiment``; ``Panel`` makes it live.

.. code-block:: python

    class Bound(NamedTuple):                       # what compute finds out: numbers and arrays
        K: int
        value: float

    class FirstBound(Experiment):
        title = "One bound, one slider"
        controls = [Whole("K", "K, samples in the bound", 1, 1000, default=8, log=True), Seed()]
        presets = {"K = 1": {"K": 1}}              # what a preset does not name goes back to its default
        stills = ["K = 1", {"K": 64, "seed": 2}]   # shown one under the other where there is no kernel

        def compute(self, K, seed): ...            # -> Bound; pure; gets every control by name
        def build(self, figure): ...               # once: draws all; returns SimpleNamespace(line=..., bars=[...])
        def update(self, artists, data): ...       # artists.line.set_data(...); no new artist
        def sentence(self, data): ...              # -> "K = 8: the bound is ..."

Keep axis limits, titles and legends fixed in ``build``: then only the artists it returned are drawn again, which takes
some 15 ms. An update may change the rest as well; the frame sees it and draws all, which takes three times as long.
"""

from __future__ import annotations

import asyncio
import base64
import difflib
import html
import textwrap
import weakref
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaecourse import plots
from vaecourse.labs import shown
from vaecourse.labs.asking import WAITING, Asks
from vaecourse.labs.controls import Choice, Control, Number, Seed, SeedWidget, Switch, Whole
from vaecourse.labs.guess import Curve, Guess, OnAxis, OneOf
from vaecourse.labs.picture import DPI, Canvas, Picture, Sentence, drawn, fast_png, small_png
from vaecourse.labs.shown import while_there
from vaecourse.labs.turns import in_turn

__all__ = ["Choice", "Curve", "Experiment", "Number", "OnAxis", "OneOf", "Panel", "Seed", "Switch", "Whole"]

PAUSE = 0.010  # seconds in which further events are gathered before the picture is drawn


class Experiment:
    """What the author of a lab writes. ``size`` is in inches: at 100 pixels each, 8.8 fill a notebook's width."""

    title: ClassVar[str]
    controls: ClassVar[Sequence[Control]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    stills: ClassVar[Sequence[str | Mapping[str, Any]]] = ()
    size: ClassVar[tuple[float, float]] = (8.8, 3.8)
    guess: ClassVar[Guess | None] = None  # a question that opens the lab: ``vaecourse.labs.guess``

    def compute(self, *args: Any, **settings: Any) -> Any:
        """The numbers behind the picture. Gets every control's value by name, and depends on nothing else."""
        raise NotImplementedError

    def build(self, figure: Figure) -> SimpleNamespace:
        """Draw on the empty figure; return, by name, the artists (or lists of artists) that ``update`` will change."""
        raise NotImplementedError

    def update(self, artists: SimpleNamespace, data: Any) -> None:
        """Put the data into the artists."""
        raise NotImplementedError

    def sentence(self, data: Any) -> str:
        """What the picture shows, in words and numbers."""
        raise NotImplementedError

    def at(self, **settings: Any) -> Any:
        """What ``compute`` finds with these controls, and the others at their default."""
        return self.compute(**{control.name: control.default for control in self.controls} | settings)

    def live(self) -> Panel:
        """The panel around it."""
        return Panel(self)


class Panel(Asks):
    """An experiment made live: as the last line of a cell it shows itself.

    ``controls`` {name: widget}, ``image``, ``sentence``, ``presets`` {name: {control: value}}, ``apply``, ``reset``,
    ``settings``, ``error`` (None, or what the last update stopped with), ``widget`` (what the cell shows), ``close``.

    It lives as long as a cell shows it or a name holds it; then, or with ``close``, its widgets go, in the browser too.
    """

    @in_turn
    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.controls = {control.name: control.make() for control in experiment.controls}
        shown.remember(experiment, self.controls)
        self.defaults = {name: widget.value for name, widget in self.controls.items()}
        self.presets = {name: dict(settings) for name, settings in experiment.presets.items()}
        self.error: str | None = None
        self.updates = 0  # how often the picture was drawn
        self._due: asyncio.TimerHandle | None = None
        self._canvas = self._build()
        width, _ = experiment.size
        self._image = Picture(layout={"width": "100%", "max_width": f"{100 * width:.0f}px"})
        self._sentence = Sentence()
        self.flush()
        self._heard = while_there(self, lambda lab, change: lab._ask(change))
        for widget in self.controls.values():
            widget.observe(self._heard, "value")
        self._begin()
        self._panel = self._arrange()
        self._take_away = weakref.finalize(self, shown.take_away, self._panel)
        self._take_away.atexit = False

    @property
    def widget(self) -> ipywidgets.VBox:
        """The panel. Who asks for it shows it by himself: so the lab lives as if it were shown here."""
        if self._take_away.alive:
            shown.keep(self)
        return self._panel

    @property
    def settings(self) -> dict[str, Any]:
        """The controls' values now."""
        return {name: widget.value for name, widget in self.controls.items()}

    @property
    def stills(self) -> list[dict[str, Any]]:
        """Every control's value in each of the states that are shown where there is no kernel."""
        stills = self.experiment.stills or [{}]
        return [self.defaults | dict(self._preset(still) if isinstance(still, str) else still) for still in stills]

    @property
    def image(self) -> Picture:
        """The picture's widget; what one reads here is never behind the controls."""
        self._flush_if_due()
        return self._image

    @property
    def sentence(self) -> Sentence:
        """The sentence's widget; what one reads here is never behind the controls."""
        self._flush_if_due()
        return self._sentence

    @property
    def pending(self) -> bool:
        """Whether a control has moved since the picture was drawn."""
        return self._due is not None

    @in_turn
    def apply(self, preset: str) -> None:
        """Put the lab into a named state. Raises ``ValueError``, naming the nearest preset, if there is none of it."""
        self._set(self._preset(preset))
        self._flush_if_due()

    @in_turn
    def reset(self) -> None:
        """Put every control back to where it was at the start."""
        self._set(self.defaults)
        self._flush_if_due()

    @in_turn
    def flush(self) -> None:
        """Bring picture and sentence up to date with the controls, now."""
        self._call_off()
        self._tell(self._draw())

    def leave(self) -> shown.Left | None:
        """What the lab of the next run of this cell goes on from."""
        return None

    def go_on(self) -> None:
        """Go on from what the lab of the former run of this cell has left."""

    def settle(self) -> None:
        """Its cell has run to its end."""

    @in_turn
    def close(self) -> None:
        """Take the panel away, here and in the browser."""
        self._call_off()
        self._take_away()
        shown.forget(self)

    @in_turn
    def still(self) -> bytes:
        """PNG bytes of the experiment's ``stills``, one under the other, each with its sentence."""
        panels = []
        with self._as_on_paper():
            for settings in self.stills:
                data = self.experiment.compute(**settings)
                self.experiment.update(self._canvas.artists, data)
                panels += [self._caption(self.experiment.sentence(data)), self._canvas.pixels().copy()]
        return small_png(np.concatenate(panels))

    def __repr__(self) -> str:
        return f"Live lab: {self.experiment.title} (controls: {', '.join(self.controls)})"

    @in_turn
    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live widget, and a still picture for where there is no kernel."""
        self._flush_if_due()
        shown.say_how_to_start()
        picture = base64.b64encode(self.still()).decode()
        width = round(100 * self.experiment.size[0])
        view = shown.view_of(self.widget, **kwargs)
        return {**view, "text/plain": repr(self), "image/png": picture}, {"image/png": {"width": width}}

    @in_turn
    def _ask(self, _change: object) -> None:
        """A control has moved: with an event loop draw soon, once for all that moves until then; without one, now."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._due is None:
            self._due = loop.call_later(PAUSE, self.flush)

    @in_turn
    def _flush_if_due(self) -> None:
        if self.pending:
            self.flush()

    def _call_off(self) -> None:
        """No picture is due."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _draw(self) -> str:
        """Draw the picture of the settings; return what there is to tell of it, or why there is no new one."""
        self.updates += 1
        try:
            data = self._compute(self.settings)
            self.experiment.update(self._canvas.artists, data)
            picture, sentence = fast_png(self._canvas.pixels()), self.experiment.sentence(data)
        except Exception as error:  # noqa: BLE001 - it must be told in the lab, where the learner looks; a timer has no cell
            self.error = f"{type(error).__name__}: {error}"
            return f"This setting cannot be shown. {self.error} The picture is that of the setting before."
        self.error = None
        self._image.value = picture
        return sentence

    def _tell(self, sentence: str) -> None:
        if self.asking and self.error is None:
            sentence = WAITING[self._asked().kind]
        self._image.alt = f"{self.experiment.title}. {sentence}"
        self._sentence.value = html.escape(sentence, quote=False)

    def _compute(self, settings: Mapping[str, Any]) -> Any:
        return self.experiment.compute(**settings)

    def _preset(self, name: str) -> dict[str, Any]:
        if name not in self.presets:
            near = difflib.get_close_matches(str(name), self.presets, n=1, cutoff=0.0)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"preset must be one of {', '.join(map(repr, self.presets))}, got {name!r}.{hint}")
        return self.defaults | self.presets[name]

    @in_turn
    def _set(self, settings: Mapping[str, Any]) -> None:
        """Move the controls to ``settings`` and draw once, not once for each of them."""
        for widget in self.controls.values():
            widget.unobserve(self._heard, "value")
        before = self.settings
        try:
            for name, value in settings.items():
                self.controls[name].put(value)
        finally:
            for widget in self.controls.values():
                widget.observe(self._heard, "value")
        if self.settings != before:
            self._ask(None)

    def _build(self) -> Canvas:
        with plots.style():
            figure = Figure(figsize=self.experiment.size, dpi=DPI)
            return Canvas(figure, self._draw_guess(self.experiment.build(figure)))

    def _arrange(self) -> ipywidgets.VBox:
        """The picture with its sentence, and the desk with what is moved: beside it, or under it (lab.css)."""
        title = ipywidgets.HTML(f"<h4>{html.escape(self.experiment.title)}</h4>")
        set_to = while_there(self, lambda lab, name: lab._set(lab._preset(name)))
        buttons = [self._button(name, lambda _, name=name: set_to(name)) for name in self.presets]
        buttons += [widget for widget in self.controls.values() if isinstance(widget, SeedWidget)]
        buttons.append(self._button("Reset", while_there(self, lambda lab, _: lab.reset()), "vaecourse-reset"))
        settings = [widget for widget in self.controls.values() if not isinstance(widget, SeedWidget)]
        stage = ipywidgets.VBox([self._image, self._sentence]).add_class("vaecourse-stage")
        buttons += [self.question] if self.question is not None else []
        rows = [ipywidgets.Box(boxes).add_class("vaecourse-row") for boxes in (settings, buttons)]
        desk = ipywidgets.VBox(rows).add_class("vaecourse-desk")
        sides = ipywidgets.Box([stage, desk]).add_class("vaecourse-sides")
        return ipywidgets.VBox([title, sides]).add_class("vaecourse-lab")

    @staticmethod
    def _button(text: str, action: Any, *classes: str) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text, layout={"width": "auto"})
        button.on_click(action)
        for name in ("vaecourse-button", *classes):
            button.add_class(name)
        return button

    def _caption(self, sentence: str) -> NDArray[np.uint8]:
        """A strip of text as wide as the picture."""
        width = self.experiment.size[0]
        lines = textwrap.wrap(sentence, round(9.8 * width))
        with plots.style():
            figure = Figure(figsize=(width, 0.15 + 0.22 * len(lines)), dpi=DPI)
            figure.set_layout_engine("none")
            figure.text(0.012, 0.0, "\n".join(lines), fontsize=12, va="bottom", weight="bold")
            return drawn(figure)
