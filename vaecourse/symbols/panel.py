"""A field for a symbol of another text, and what it is here."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets

from vaecourse import symbols
from vaecourse.labs.picture import Sentence
from vaecourse.labs.shown import view_of
from vaecourse.symbols import page

MOST = 8  # rows that are shown: a page draws their formulas at every letter
ASKED = "Type a symbol of another text, as q_r(x|z), ψ or psi, or a word, as prior or 先验."


class Search:
    """As the last line of a cell it shows itself. ``field``, ``everything``, ``said`` and ``found`` are its widgets."""

    def __init__(self) -> None:
        wide = {"description_width": "initial"}
        self.field = ipywidgets.Text(
            description="their symbol, or a word", style=wide, layout={"width": "min(100%, 480px)"}
        )
        self.everything = ipywidgets.Checkbox(description="show all tables", indent=False, style=wide)
        self.said, self.found = Sentence(), ipywidgets.HTMLMath()
        for control in (self.field, self.everything):
            control.observe(lambda _: self._look(), "value")
        top = ipywidgets.Box([self.field, self.everything]).add_class("vaecourse-row")
        self.widget = ipywidgets.VBox([top, self.said, self.found]).add_class("vaecourse-lab")
        self._look()

    def _look(self) -> None:
        word = self.field.value.strip()
        rows = symbols.find(word)
        self.said.value = html.escape(sentence(word, len(rows)))
        self.found.value = page.whole() if self.everything.value and not word else page.found(rows[:MOST])

    def _repr_mimebundle_(self, **more: Any) -> dict[str, Any]:
        """Without a kernel: all tables."""
        return {
            **view_of(self.widget, **more),
            "text/html": page.whole(),
            "text/plain": f"{len(symbols.rows())} symbols and words",
        }


def sentence(word: str, number: int) -> str:
    """How much was found, for whoever hears it."""
    if not word:
        return ASKED
    if not number:
        return f"Nothing has {word}. Capital letters count in a symbol; a part of it finds more."
    more = f", of which you see {MOST}: type more of it" if number > MOST else ""
    return f"{number} {'row has' if number == 1 else 'rows have'} {word}{more}."
