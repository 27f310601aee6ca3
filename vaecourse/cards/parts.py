"""What cards are made of: a line that is said aloud, prose with formulas, buttons, links, code."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets

from vaecourse.labs import controls

SENTENCE = controls.text(controls.HERE / "js/sentence.js")
STYLE = controls.KERNEL + controls.text(Path(__file__).parent / "card.css")


class Said(controls.FromPage, anywidget.AnyWidget, ipywidgets.HTML):
    """HTML that a screen reader says whenever it changes."""

    _esm = SENTENCE
    _css = STYLE


def said(markup: str, *classes: str) -> Said:
    return named(Said(value=markup), "vaecourse-said", *classes)


def prose(markup: str, *classes: str) -> ipywidgets.HTMLMath:
    """HTML with formulas."""
    return named(ipywidgets.HTMLMath(value=markup), "vaecourse-prose", *classes)


def button(text: str, action: Callable[[Any], object], *classes: str) -> ipywidgets.Button:
    made = ipywidgets.Button(description=text, layout={"width": "auto"})
    made.on_click(action)
    return named(made, "vaecourse-press", *classes)


def row(children: Sequence[ipywidgets.Widget], *classes: str) -> ipywidgets.Box:
    return named(ipywidgets.Box(children), "vaecourse-presses", *classes)


def column(children: Sequence[ipywidgets.Widget], *classes: str) -> ipywidgets.VBox:
    return named(ipywidgets.VBox(children), *classes)


def page(markup: str) -> ipywidgets.Output:
    """HTML as JupyterLab itself shows it: a link in it opens the notebook that it leads to."""
    shown = {"output_type": "display_data", "data": {"text/html": markup, "text/plain": ""}, "metadata": {}}
    return named(ipywidgets.Output(outputs=(shown,)), "vaecourse-links")


def named(widget: Any, *classes: str) -> Any:
    """The widget with these CSS classes."""
    for name in classes:
        widget.add_class(name)
    return widget


def opened(words: str, markup: str) -> str:
    """HTML whose first paragraph begins with these words, in bold."""
    begun = f"<b>{html.escape(words, quote=False)}</b> "
    return f"<p>{begun}{markup.removeprefix('<p>')}" if markup.startswith("<p>") else f"<p>{begun}</p>{markup}"


def code(text: str) -> str:
    """Lines of Python as HTML, which the keyboard can scroll."""
    return f'<pre class="vaecourse-code" tabindex="0">{html.escape(text)}</pre>'


def words(message: str) -> str:
    """A check's message as HTML: what stands between backticks is code, between stars it is stressed."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(message, quote=False))
    pieces = re.split(r"(<code>.*?</code>)", marked)
    stress = r"(?<![\w*])\*([^\s*](?:[^*]*[^\s*])?)\*(?![\w*])"
    return "".join(one if one.startswith("<code>") else re.sub(stress, r"<em>\1</em>", one) for one in pieces)
