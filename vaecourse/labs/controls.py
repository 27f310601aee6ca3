"""The controls of a lab: what its author declares, and the widget that the learner sees.

Each has ``.make() -> widget``; the widget's ``.value`` is what ``compute`` gets under the control's name. A value set
from Python is checked and brought into the control's range; one that cannot be understood raises ``TraitError``.
"""

from __future__ import annotations

import math
import reprlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import numpy as np
from traitlets import Bool, Float, Int, List, TraitError, TraitType, Unicode, validate

from vaecourse.labs.turns import in_turn

HERE = Path(__file__).parent
LARGEST_SEED = 2**32 - 1


def text(file: Path) -> str:
    """What is in the file. anywidget takes a path as well, but keeps every widget made from one for ever."""
    return file.read_text(encoding="utf-8")


KERNEL_NOW = secrets.token_hex(8)  # names this process: a value that another one's page has kept is taken up again
KERNEL = text(HERE / "kernel.css")
STYLE = KERNEL + text(HERE / "lab.css")


class FromPage:
    """A widget of which a page may write what is in ``from_page`` and nothing else: not its ends, not its options."""

    from_page: ClassVar[tuple[str, ...]] = ()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        super().set_state({name: value for name, value in sync_data.items() if name in self.from_page})  # type: ignore[misc]


class ControlWidget(FromPage, anywidget.AnyWidget):
    """A native HTML control with a label that is bound to it, drawn by control.js.

    ``turn`` counts how often the lab itself has set the value, and with each value the page sends the ``heard`` one.
    While the kernel is busy a page holds the newest value back, and a click on "Reset" overtakes it: a value that comes
    from before the last turn is dropped.
    """

    from_page = ("value", "heard")
    _esm = text(HERE / "js/control.js")
    _css = STYLE
    kind = Unicode().tag(sync=True)
    label = Unicode().tag(sync=True)
    memory = Unicode().tag(sync=True)  # where the page keeps the value, for the next kernel (shown.memory)
    kernel = Unicode(KERNEL_NOW).tag(sync=True)
    turn, heard = Int(0).tag(sync=True), Int(0).tag(sync=True)

    @in_turn
    def put(self, value: Any) -> None:
        """Set the value from here. What the page has sent before it hears of it no longer counts."""
        self.value = value
        self.turn += 1
        self.send_state(["value", "turn"])  # a page that holds back another value has it no longer either

    @in_turn
    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page sends, unless it is older than what was put here."""
        if sync_data.get("heard", self.heard) != self.turn:
            sync_data = {name: value for name, value in sync_data.items() if name != "value"}
        super().set_state(sync_data)


class Slider(ControlWidget):
    """A range input. The handle moves over ``stops``; from Python any value between ``min`` and ``max`` is taken."""

    value: TraitType = TraitType(0).tag(sync=True)
    min, max, step = Float().tag(sync=True), Float().tag(sync=True), Float().tag(sync=True)
    stops = List(Float()).tag(sync=True)
    digits = Int(0).tag(sync=True)
    whole = Bool(False).tag(sync=True)

    @validate("value")
    def _inside(self, proposal: dict) -> float:
        value = proposal["value"]
        if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
            raise TraitError(f"{self.label} must be a number from {self.min:g} to {self.max:g}, got {value!r}.")
        inside = min(max(float(value), self.min), self.max)
        return round(inside) if self.whole else inside


class ChoiceWidget(ControlWidget):
    """A group of radio buttons."""

    value = Unicode().tag(sync=True)
    options = List(Unicode()).tag(sync=True)

    @validate("value")
    def _known(self, proposal: dict) -> str:
        if proposal["value"] not in self.options:
            raise TraitError(f"{self.label} must be one of {', '.join(self.options)}, got {proposal['value']!r}.")
        return proposal["value"]


class SwitchWidget(ControlWidget):
    """A check box."""

    value = Bool().tag(sync=True)


class SeedWidget(ControlWidget):
    """A button that goes on to the next seed, and says which one is in use."""

    value: TraitType = TraitType(0).tag(sync=True)

    @validate("value")
    def _whole(self, proposal: dict) -> int:
        value = proposal["value"]
        if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) <= LARGEST_SEED:
            got = reprlib.repr(value)
            raise TraitError(f"{self.label} must be a whole number from 0 to {LARGEST_SEED}, got {got}.")
        return int(value)


@dataclass(frozen=True)
class Whole:
    """A slider over whole numbers; with ``log`` its handle moves in equal ratios."""

    name: str
    label: str
    low: int
    high: int
    default: int
    log: bool = False

    def make(self) -> Slider:
        if self.log:
            # Every whole number while they are few, then about 24 stops a decade.
            ratios = np.geomspace(self.low, self.high, 1 + round(24 * math.log10(self.high / self.low)))
            stops = sorted({round(stop) for stop in ratios})
        else:
            stops = list(range(self.low, self.high + 1))
        return Slider(
            kind="slider", label=self.label, whole=True, digits=0, stops=[float(stop) for stop in stops],
            min=self.low, max=self.high, step=1, value=self.default,
        )  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A slider over real numbers with ``stops`` places for its handle; with ``log`` they lie in equal ratios."""

    name: str
    label: str
    low: float
    high: float
    default: float
    log: bool = False
    stops: int = 101
    digits: int = 2

    def make(self) -> Slider:
        space = np.geomspace if self.log else np.linspace
        stops = [float(f"{stop:.12g}") for stop in space(self.low, self.high, self.stops)]
        return Slider(
            kind="slider", label=self.label, whole=False, digits=self.digits, stops=stops,
            min=self.low, max=self.high, step=stops[1] - stops[0], value=self.default,
        )  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    name: str
    label: str
    options: Sequence[str]
    default: str

    def make(self) -> ChoiceWidget:
        return ChoiceWidget(kind="choice", label=self.label, options=list(self.options), value=self.default)


@dataclass(frozen=True)
class Switch:
    """On or off."""

    name: str
    label: str
    default: bool = False

    def make(self) -> SwitchWidget:
        return SwitchWidget(kind="switch", label=self.label, value=self.default)


@dataclass(frozen=True)
class Seed:
    """A button "New noise" beside the seed in use: whatever is random in the lab is drawn from it."""

    name: str = "seed"
    label: str = "New noise"
    default: int = 0

    def make(self) -> SeedWidget:
        return SeedWidget(kind="seed", label=self.label, value=self.default)


Control = Whole | Number | Choice | Switch | Seed
