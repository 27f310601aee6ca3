"""Every chapter as slides that work from disk with no network: ``make slides`` writes build/slides/NN-name.html.

    python -m tools.slides           every chapter
    python -m tools.slides 01 03     these chapters

What is on a slide says the cells' slide metadata. The `instructor` cells become the speaker's notes (key S).
site/slides/layout.js lays the cells out in the browser, on as many slides as they need.
"""

from __future__ import annotations

import argparse
import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools import chapter, ending, made, site, vendor
from tools.bundle import script
from vaecourse import files, labs
from vaecourse.labs.training import TrainingPanel

FOLDER = chapter.ROOT / "build/slides"
OWN = chapter.ROOT / "site/slides"
FILES = ["reveal.js/dist/reveal.css", "reveal.js/dist/reveal.js", "reveal.js/plugin/notes/notes.js", vendor.MATHJAX]
STYLE = "a11y-high-contrast-light"
LATER = ' data-step="later"'  # of what is shown one step after what is beside it


@dataclass
class Slide:
    """HTML blocks, and what the teacher sees beside them. A block's ``data-step`` says when it appears."""

    blocks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: int = 0


def stacks(notebook: NotebookNode) -> list[list[Slide]]:
    """The slides of a chapter: `slide` begins a stack, `subslide` a slide in it, `fragment` a step of that slide."""
    found: list[list[Slide]] = []
    for cell in notebook.cells:
        kind = chapter.slide_type(cell)
        if kind == "slide" or not found:
            found.append([Slide()])
        elif kind == "subslide":
            found[-1].append(Slide())
        slide = found[-1][-1]
        if kind == "notes":
            slide.notes.append(markdown(cell.source))
        elif kind != "skip":
            slide.steps += kind == "fragment"
            step = f' data-step="{slide.steps}"' if kind == "fragment" else ""
            shown = blocks(cell)
            slide.steps += any(LATER in block for block in shown)
            stepped = [block.replace(LATER, f' data-step="{slide.steps}"', 1) for block in shown]
            slide.blocks += [
                block if LATER in was else block.replace(">", f"{step}>", 1) for was, block in zip(shown, stepped)
            ]
    return found


# One cell ------------------------------------------------------------------------------------------------------------


def blocks(cell: NotebookNode) -> list[str]:
    """The HTML of a cell, a list of elements of which each can stand on a slide by itself."""
    if cell.cell_type == "markdown":
        return elements(markdown(cell.source))
    if found := chapter.labs_of(cell):
        return [state for name in found for state in lab_states(name)]
    found = [] if chapter.folded(cell) else [code(cell.source)]
    return found + [block for output in cell.outputs if (block := shown(output, chapter.alt(cell)))]


def markdown(source: str) -> str:
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    reader.use(dollarmath_plugin, allow_labels=False, double_inline=True, renderer=_formula)
    reader.add_render_rule("fence", lambda self, tokens, index, options, env: code(tokens[index].content.rstrip()))
    return reader.render(site.unfolded(site.linked(source)))


def _formula(content: str, options: dict[str, bool]) -> str:
    text = html.escape(content)
    return rf"\[{text}\]" if options["display_mode"] else rf"\({text}\)"


def elements(text: str) -> list[str]:
    """The top-level elements of a piece of HTML, as strings."""
    found, depth, start = [], 0, 0
    for tag in re.finditer(r"<(/?)(\w+)[^>]*?(/?)>|<!--.*?-->", text, flags=re.DOTALL):
        if tag[2] is None or tag[2] in VOID or tag[3]:
            continue
        if not tag[1]:
            start = tag.start() if depth == 0 else start
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                found.append(text[start : tag.end()])
    return found


VOID = {"br", "hr", "img", "input"}


def code(source: str) -> str:
    lines = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    return f'<pre class="code highlight" style="--columns: {_columns(source)}">{lines}</pre>'


def _columns(text: str) -> int:
    """What the letters' size follows; a longer line is wrapped rather than made illegible."""
    return min(max(map(len, text.splitlines()), default=1) + 2, 116)


def shown(output: NotebookNode, alt: str) -> str | None:
    """A stored output: the picture, or else the words."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "image/png" in data:
        return figure(data["image/png"], alt)
    if "text/html" in data:
        return f'<div class="html">{data["text/html"]}</div>'
    text = chapter.plain(data.get("text/plain", "")).rstrip()
    return f'<pre class="output" style="--columns: {_columns(text)}">{html.escape(text)}</pre>' if text else None


def figure(png: str, alt: str, caption: str = "", step: str = "") -> str:
    words = f"<figcaption>{caption}</figcaption>" if caption else ""
    kind = ' class="wide"' if caption else ""
    return (
        f'<figure{kind}{step}><img src="data:image/png;base64,{png.strip()}" alt="{html.escape(alt)}">{words}</figure>'
    )


def lab_states(name: str) -> Iterator[str]:
    """A lab as its pictures one by one, each with its sentence: what it shows live is a matter of ``make present``."""
    lab = labs.ALL[name]()
    guess = lab.experiment.guess
    step = LATER if guess is not None else ""  # the pictures have the answer
    if guess is not None:
        yield f"<p><strong>Guess first.</strong> {html.escape(guess.question)}</p>"
        if choices := guess.choices():
            yield "<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in choices) + "</ul>"
    for settings in lab.stills:
        for control, value in settings.items():
            lab.controls[control].value = value
        if isinstance(lab, TrainingPanel):
            lab.trained()
        lab.flush()
        sentence = re.sub("<.*?>", "", lab.sentence.value)
        yield figure(base64.b64encode(lab.image.value).decode(), html.unescape(sentence), sentence, step)
    if guess is not None:
        yield f"<p{step}>{html.escape(guess.explained(lab.experiment))}</p>"


# The deck ------------------------------------------------------------------------------------------------------------

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="vendor/reveal.css">
<link rel="stylesheet" href="slides.css">
<style>{code_style}</style>
<script>window.MathJax = {{svg: {{fontCache: "global"}}, options: {{enableMenu: false}}}};</script>
<script defer src="vendor/tex-svg.js"></script>
<script defer src="vendor/reveal.js"></script>
<script defer src="vendor/notes.js"></script>
<script defer src="slides.js"></script>
</head>
<body>
<main class="reveal"><div class="slides" id="deck"></div></main>
<div id="source" hidden>
{stacks}
</div>
</body>
</html>
"""


def deck(path: Path) -> str:
    """The whole page of the chapter whose notebook is at ``path``."""
    notebook = chapter.stored(path)
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    parts = ["<section>" + "\n".join(map(_section, stack)) + "</section>" for stack in stacks(notebook)]
    style = HtmlFormatter(style=STYLE).get_style_defs(".highlight").replace("background:", "--unused:")
    return PAGE.format(title=html.escape(title), code_style=style, stacks="\n".join(parts))


def _section(slide: Slide) -> str:
    notes = f'<aside class="notes">{"".join(slide.notes)}</aside>' if slide.notes else ""
    return "<section>" + "\n".join([*slide.blocks, notes]) + "</section>"


def write(source: Path, folder: Path = FOLDER) -> Path:
    """Write the deck of a chapter (its .py) and what it loads."""
    for file in FILES:
        vendor.copy(file, folder / "vendor")
    files.replace(folder / "slides.js", script(OWN / "slides.js").encode())
    files.replace(folder / "slides.css", (OWN / "slides.css").read_bytes())
    path = folder / f"{source.stem}.html"
    files.replace(path, deck(source.with_suffix(".ipynb")).encode())
    return path


@ending.reports("slides")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.slides", description="Chapters as slides.")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="chapter numbers, for example 01 03; all by default")
    options = parser.parse_args(arguments)
    with made.building(FOLDER) as folder:
        for source in chapter.sources(options.numbers):
            print(FOLDER / write(source, folder).name, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
