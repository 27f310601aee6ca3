"""What every chapter's pair of files must be: one function = one rule, and ``rule`` puts it into ``RULES``.

Those of what a learner reads, does and is asked are in exercise_rules.py.
"""

from __future__ import annotations

import ast
import copy
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools import exercise_rules, typed
from tools.chapter import ROOT, TO_FILL_IN, WIDGET, Chapter, alt, folded, has_picture, place, shown, slide_type, tags
from tools.ruling import REFRESH, RULES, Finding, rule
from vaecourse import labs

__all__ = ["RULES", "exercise_rules", "problems"]

CELL_BYTES, NOTEBOOK_BYTES = 1_500_000, 2_000_000
SLIDES = {"slide", "subslide", "fragment", "notes", "skip", "-"}
TAGS = {"exercise", "stub", "check", "solution", "instructor", "hide-input", "nbval-ignore-output", "quiz", "recall"}
TAGS |= {"pause"}
METADATA = {"tags", "slideshow", "editable", "name", "mystnb", "jupyter"}  # as in pyproject.toml, [tool.jupytext]


@rule
def pair_agrees(chapter: Chapter) -> Iterator[Finding]:
    """The notebook has the cells of the text file: kind, source and metadata, one by one."""
    text, stored = ([_identity(cell) for cell in nb.cells] for nb in (chapter.text, chapter.notebook))
    for what, a, _, c, _ in difflib.SequenceMatcher(None, text, stored, autojunk=False).get_opcodes():
        if what == "insert":
            yield c, f"is only in the .ipynb; {REFRESH}"
        elif what == "delete":
            yield None, f"has {place(a, chapter.text.cells[a])} only in the .py; {REFRESH}"
        elif what == "replace":
            different = [name for name, x, y in zip(_IDENTITY, text[a], stored[c]) if x != y]
            yield a, f"has another {' and '.join(different)} in the .py than in the .ipynb; {REFRESH}"


_IDENTITY = ("kind", "source", "metadata")


def _identity(cell: NotebookNode) -> tuple[str, str, str]:
    return cell.cell_type, cell.source, json.dumps(cell.metadata, sort_keys=True)


@rule
def knows_its_cells(chapter: Chapter) -> Iterator[Finding]:
    """The notebook's mark has its cells as they are: else `make update` takes the course's words for a learner's."""
    marked, now = typed.marks(chapter.notebook), copy.deepcopy(chapter.notebook)
    for i, cell in enumerate(chapter.notebook.cells):
        if marked.get(cell.id) != typed.sum_of(cell):
            yield i, f"is not as the notebook's mark knows it; {REFRESH}"
    typed.mark(now)
    if now.metadata["vaecourse"] != chapter.notebook.metadata.get("vaecourse"):
        yield None, f"has cells, exercises or settings that the notebook's mark does not know; {REFRESH}"


@rule
def metadata_is_known(chapter: Chapter) -> Iterator[Finding]:
    """Metadata that jupytext would drop, and tags that nothing reads, are slips of the pen."""
    for i, cell in enumerate(chapter.text.cells):
        if unknown := set(cell.metadata) - METADATA:
            yield i, f"has metadata {sorted(unknown)}; only {sorted(METADATA)} survive jupytext"
        if unknown := set(tags(cell)) - TAGS:
            yield i, f"has tags {sorted(unknown)}; the course knows {sorted(TAGS)}"


@rule
def executed(chapter: Chapter) -> Iterator[Finding]:
    """nbval compares nothing for a cell that was not run, so an unrun notebook would pass."""
    for i, cell in chapter.code:
        if cell.source.strip() and cell.execution_count is None:
            yield i, f"has not been run; {REFRESH}"


@rule
def nothing_is_skipped(chapter: Chapter) -> Iterator[Finding]:
    """nbval obeys comments too; what it skips should be seen in the tags, where all else is."""
    for i, cell in chapter.code:
        if found := re.search(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)", cell.source):
            yield i, f"holds the comment {found[1]}; if its output cannot be compared, tag it `nbval-ignore-output`"


@rule
def outputs_are_stored(chapter: Chapter) -> Iterator[Finding]:
    """A cell that prints or shows something has that output in the notebook."""
    if not any(cell.outputs for _, cell in chapter.code):
        yield None, f"has no stored outputs at all; {REFRESH}"
    for i, cell in chapter.code:
        if cell.execution_count is not None and not cell.outputs and _should_print(cell.source):
            yield i, f"prints or shows something when run, but stores no output; {REFRESH}"


def _should_print(source: str) -> bool:
    """Surely produces output: a top-level print, display or show, or a bare check, lab or name at the end."""
    body = ast.parse(source).body
    calls = [s.value for s in body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call)]
    if any(re.search(r"^(print|display)$|\.show$", ast.unparse(call.func)) for call in calls):
        return True
    last = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    if isinstance(last, ast.Call):
        return ast.unparse(last.func).startswith(("checks.ALL[", "labs.ALL["))
    return isinstance(last, ast.Name)


@rule
def no_errors(chapter: Chapter) -> Iterator[Finding]:
    """No stored output is an exception, and none is a warning either."""
    for i, cell in chapter.code:
        for output in cell.outputs:
            if output.output_type == "error":
                yield i, f"ends in {output.ename}: {output.evalue}; mend the cell"
            elif output.get("name") == "stderr" and "Warning" in output.text:
                yield i, f"shows a warning: {output.text.strip().splitlines()[0]}; mend its cause"


@rule
def nothing_volatile(chapter: Chapter) -> Iterator[Finding]:
    """No address, no widget model, no folder of the author's machine in what is stored."""
    for i, cell in chapter.code:
        if any(WIDGET in output.get("data", {}) for output in cell.outputs):
            yield i, f"stores a widget model, which no reader has; {REFRESH}"
        if found := re.search(r"0x[0-9a-f]{6,16}\b", shown(cell)):
            yield i, f"shows the address {found[0]}; end the cell with something readable, or with `_ = ...`"
        if str(ROOT) in shown(cell):
            yield i, f"shows the folder {ROOT} of this machine; print a relative path"


@rule
def sizes(chapter: Chapter) -> Iterator[Finding]:
    """A notebook stays light enough for GitHub and for a slow line."""
    for i, cell in chapter.code:
        if (size := len(json.dumps(cell.outputs))) > CELL_BYTES:
            yield i, f"has outputs of {size / 1e6:.1f} MB; at most {CELL_BYTES / 1e6} MB: fewer points or a lower dpi"
    if (size := chapter.source.with_suffix(".ipynb").stat().st_size) > NOTEBOOK_BYTES:
        yield None, f"is {size / 1e6:.1f} MB; at most {NOTEBOOK_BYTES / 1e6:.0f} MB"


@rule
def pictures_have_words(chapter: Chapter) -> Iterator[Finding]:
    """Whoever cannot see a picture is told what it shows."""
    for i, cell in enumerate(chapter.notebook.cells):
        if has_picture(cell):
            if len(alt(cell).split()) < 4:
                yield i, 'shows a picture without words; add mystnb={"image": {"alt": "what the picture shows"}}'
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            yield i, "shows a picture without words; write them between the brackets of ![...](...)"


@rule
def slides(chapter: Chapter) -> Iterator[Finding]:
    """Every cell knows its place on the projector."""
    for i, cell in enumerate(chapter.notebook.cells):
        if (kind := slide_type(cell)) not in SLIDES:
            yield i, f'has slide_type {kind!r}; write slideshow={{"slide_type": ...}} with one of {sorted(SLIDES)}'


@rule
def folding(chapter: Chapter) -> Iterator[Finding]:
    """Solutions and plumbing are folded, and nothing else is."""
    for i, cell in enumerate(chapter.notebook.cells):
        meant = bool({"solution", "hide-input"} & set(tags(cell)))
        if meant and not folded(cell):
            yield i, 'is a solution or plumbing and lies open; add jupyter={"source_hidden": true}'
        if folded(cell) and not meant:
            yield i, "is folded; tag it `solution` or `hide-input`, or open it"


@rule
def nothing_but_labs(chapter: Chapter) -> Iterator[Finding]:
    """A chapter takes from ``labs`` nothing but labs: what is theory stands under it, where everybody finds it."""
    for i, cell in chapter.code:
        for name in _taken_from_labs(ast.parse(cell.source)):
            if name not in {"ALL", *labs.PLACES.values()}:
                yield i, f"takes labs.{name}, which is no lab; theory stands in `exact`, `divergences` or `bounds`"


def _taken_from_labs(code: ast.Module) -> Iterator[str]:
    """What is imported from ``vaecourse.labs``, and what is looked up in ``labs`` itself, as "file.Name" or "Name"."""
    for node in ast.walk(code):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"(vaecourse\.)?labs", ast.unparse(node.value)):
            names = [f"vaecourse.labs.{node.attr}"]
        yield from (name.removeprefix("vaecourse.labs.") for name in names if name.startswith("vaecourse.labs."))


@rule
def notes_for_the_teacher(chapter: Chapter) -> Iterator[Finding]:
    """Someone who teaches the chapter finds notes in it, and a projector does not show them."""
    if not chapter.tagged("instructor"):
        yield None, "has no teaching notes; add text cells tagged `instructor`"
    for i, cell in chapter.tagged("instructor"):
        if cell.cell_type != "markdown":
            yield i, "is tagged `instructor` and is not text"
        if slide_type(cell) not in {"notes", "skip"}:
            yield i, 'is a teaching note on a slide; give it slideshow={"slide_type": "notes"}'


@rule
def begins_with_its_title(chapter: Chapter) -> Iterator[Finding]:
    """One heading of the first level, in the first cell."""
    first = chapter.notebook.cells[0] if chapter.notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield 0, "must be text that begins with `# `, the chapter's title"
    titles = Counter(
        i for i, cell in enumerate(chapter.notebook.cells) if cell.cell_type == "markdown" and _headings(cell.source)
    )
    for i in titles:
        if i != 0:
            yield i, "has a second heading of the first level; use ## and below"


def _headings(markdown: str) -> list[str]:
    return re.findall(r"^# .+", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL), flags=re.MULTILINE)


@rule
def filled_in(chapter: Chapter) -> Iterator[Finding]:
    """Nothing of what tools/templates leave to the author is left."""
    for i, cell in enumerate(chapter.notebook.cells):
        if found := re.findall(rf"{TO_FILL_IN}.*", f"{cell.source}\n{alt(cell)}"):
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            yield i, f'says "{found[0]}"{more}'


def problems(source: Path, names: list[str] | None = None) -> list[str]:
    """Every problem of a chapter as a sentence that names the chapter, the cell and what to do."""
    if not source.with_suffix(".ipynb").exists():
        return [f"{source.stem}: there is no .ipynb beside the .py; {REFRESH}"]
    chapter = Chapter(source)
    found = []
    for name in names or RULES:
        for index, what in RULES[name](chapter):
            cells = chapter.notebook.cells
            where = "" if index is None else f", cell {index + 1}"
            if index is not None and index < len(cells):
                where = f", {place(index, cells[index])}"
            found.append(f"{source.stem}{where} {what}  [{name}]")
    return found
