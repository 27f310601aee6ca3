"""The learner's edition: the chapters to work in, in learn/, without solutions, teaching notes, grey rows and outputs.

    python -m tools.edition                         make learn/, or bring it up to date: every answer stays
    python -m tools.edition again 03                chapter 03 as at the start
    python -m tools.edition again 03.iwae_bound     this exercise as at the start

It is made of the chapters' notebooks as the course has them: what is typed or run in chapters/ changes nothing in it,
but a notebook that is not there yet begins with the answers that are in its chapter. Where a chapter has a new text,
what was typed into the learner's goes into that as in an update (``put_back``): an answer to the exercise of its name,
a cell of one's own behind the cell that it stood behind; and the notebook as it was is kept in learn/kept first. git
ignores the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

from tools import chapter, ending, learner, made, released, typed, withheld
from tools.put_back import Merged, called_otherwise, text
from vaecourse import files

FOLDER = chapter.ROOT / "learn"
MAP, LETTERS = "A map of the course", "Appendix: their symbol, ours"  # sections of the first chapter
BEFORE = """\
The third symbol at the left edge lists this page's headings. The folded cell below, once run, says what you have
solved, and where to go on."""
WAIT = 60.0  # seconds for another one that makes the edition


def edition(chapters: list[Path], place: int) -> typed.Notebook:
    """The learner's notebook of the chapter at ``place`` among ``chapters``, marked as the course's."""
    stored = released.notebook(chapters[place])
    way, number = _way(chapters, place), chapters[place].name[:2]
    note = nbformat.v4.new_markdown_cell(f"{way}\n\n{BEFORE}", id="the-way", metadata=learner.SKIP)
    title, note, *cells = withheld.without_answers(stored, note, learner.GO_ON, assertions=False).cells
    end = nbformat.v4.new_markdown_cell(way, id="the-way-on", metadata=learner.SKIP)
    notebook = nbformat.v4.new_notebook(metadata=chapter.METADATA)
    notebook.cells = [title, note, learner.line(number), *learner.cells(cells, number), end]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    typed.mark(notebook)
    found: typed.Notebook = json.loads(nbformat.writes(notebook))
    return found


def _way(chapters: list[Path], place: int) -> str:
    """Links to the chapter before, to the map, to the letters of other texts and to the chapter after."""
    before = [f"[← {_title(chapters[place - 1])}]({chapters[place - 1].name})"] if place else []
    after = [f"[{_title(chapters[place + 1])} →]({chapters[place + 1].name})"] if place + 1 < len(chapters) else []
    return " · ".join([*before, _sections(chapters[0]), *after])


def _sections(first: Path) -> str:
    """Links to the sections of the first chapter that every other one needs."""
    cells = nbformat.read(first, as_version=4).cells
    sections = [("map of the course", MAP), ("their symbol, ours", LETTERS)]
    return " · ".join(f"[{name}]({first.name}{_cell_of(cells, section)})" for name, section in sections)


def _cell_of(cells: Sequence[nbformat.NotebookNode], section: str) -> str:
    """Where a section is in its notebook. By its heading JupyterLab does not go there while it opens the page."""
    found = [cell.id for cell in cells if cell.cell_type == "markdown" and cell.source.startswith(f"## {section}\n")]
    return f"#cell-id={found[0]}" if found else ""


def _title(path: Path) -> str:
    """The number of a chapter and its title up to the colon."""
    text = files.content(path.with_suffix(".py"), files.LONGEST_TEXT).decode(errors="replace")
    heading = next((line for line in text.splitlines() if line.startswith("# # ")), path.stem[3:])
    return f"{path.name[:2]} {heading.removeprefix('# # ').split(':')[0]}"


def renew(folder: Path = FOLDER, chapters: Path = chapter.CHAPTERS, in_use: bool = False) -> Iterator[str]:
    """Make the notebooks that are not there, and unless ``in_use`` bring the others up to date; say what became of it.

    One that is not a file stays, and so does one whose chapter cannot be told from what was typed into that. Raises
    ``Refused`` where a notebook would be written over a chapter.
    """
    sources = released.chapters(chapters)
    folder.mkdir(exist_ok=True)
    targets = [_target(folder, source) for source in sources]
    for place, target in enumerate(targets):
        if target.exists() and not target.is_file():
            yield f"{files.shown(target)} is no file, and stays: move it away, then the same command again."
        elif not (in_use and target.exists()):
            try:
                there = edition(sources, place)
            except ending.Refused as refused:
                yield f"{target.name} {'stays as it is' if target.exists() else 'is not made'}: {refused}"
                continue
            with files.locked(target, "making the learner's edition", wait=WAIT):
                yield from _renew(target, there, sources[place])


def _target(folder: Path, source: Path) -> Path:
    """The learner's notebook of a chapter; ``Refused`` if a link makes it the chapter itself."""
    target = folder / source.name
    if files.real(target) == files.real(source):
        raise ending.Refused(
            f"{files.shown(target)} leads to the chapter {files.shown(source)}, which would be written over. "
            "Move the link away, then the same command again."
        )
    return target


def _renew(target: Path, there: typed.Notebook, source: Path) -> Iterator[str]:
    known = {files.real(target): files.stamp(target)}
    if not target.exists() and (old := _of_before(target, source)):
        merged = Merged(typed.read(old), there, old, target)
        files.write(target, merged.text or text(there, old, target), typed.NOTEBOOK, known, tell=made.tell)
        yield f"{target.name} begins with your answers in {files.shown(old)}, which stays as it is."
        yield from merged.outcome()
        return
    if not target.exists() or typed.is_untouched(target):
        if not target.exists() or not _is_of(was := typed.read(target), there):
            if target.exists() and any(cell.get("outputs") for cell in was["cells"]):
                yield f"{target.name} has a new text; as it was, it is in {files.shown(files.keep(target))}."
            files.write(target, text(there, target, target), typed.NOTEBOOK, known, tell=made.tell)
        return
    try:
        mine = typed.read(target)
    except ValueError:
        yield f"{target.name} cannot be read: it is in {files.shown(files.keep(target))}, and begins again."
        files.write(target, text(there, target, target), typed.NOTEBOOK, known, tell=made.tell)
        return
    if not _is_of(mine, there):
        copy = files.keep(target)
        if not typed.marks(mine):  # some programs drop them: then the course's cells are those of this text
            mine["metadata"]["vaecourse"] = there["metadata"]["vaecourse"]
        merged = Merged(mine, there, copy, target)
        files.write(target, merged.text or text(there, copy, target), typed.NOTEBOOK, known, tell=made.tell)
        yield f"{target.name} has a new text; as it was, it is in {files.shown(copy)}."
        yield from merged.outcome()


def _of_before(target: Path, source: Path) -> Path | None:
    """Where answers are: the learner's notebook of a chapter that had another name before, or the chapter itself."""
    found = (path for path in typed.notebooks(target.parent) if called_otherwise(path, source.parent) == source)
    return next((path for path in found if not typed.is_untouched(path)), source if _has_answers(source) else None)


def _has_answers(source: Path) -> bool:
    """Whether something was typed into a chapter, and can be told from the course's own text."""
    with contextlib.suppress(ValueError):
        found = typed.read(source)
        return bool(typed.marks(found)) and any(typed.typed(found))
    return False


def _is_of(mine: typed.Notebook, there: typed.Notebook) -> bool:
    """Whether a notebook is made of this text, whatever was typed since."""
    return bool(mine["metadata"].get("vaecourse") == there["metadata"]["vaecourse"])


def again(name: str, folder: Path = FOLDER, chapters: Path = chapter.CHAPTERS) -> str:
    """Put a chapter ("03") or an exercise ("03.iwae_bound") back to its start; return where the notebook is kept."""
    sources = released.chapters(chapters)
    place = next((place for place, source in enumerate(sources) if source.name.startswith(name[:2] + "-")), None)
    there = edition(sources, place) if place is not None and len(name) >= 2 else None
    if there is None or len(name) > 2 and name not in typed.stubs(there):
        raise ending.Refused(f"there is no chapter or exercise {name!r}; there are 03, or 03.iwae_bound, for example.")
    target = _target(folder, sources[place])  # type: ignore[index]
    if not target.exists():
        raise ending.Refused(f"{files.shown(target)} is not there: it begins at its start.")
    with files.locked(target, "beginning again", wait=WAIT):
        known = {files.real(target): files.stamp(target)}
        copy = files.keep(target)
        if len(name) > 2:
            there = _with_stub(typed.read(target), there, name)
        files.write(target, text(there, copy, target), typed.NOTEBOOK, known, tell=made.tell)
    return f"{name} is as at the start. The notebook as it was: {files.shown(copy)}"


def _with_stub(mine: typed.Notebook, there: typed.Notebook, name: str) -> typed.Notebook:
    """The learner's notebook with one exercise's cell as the course gives it."""
    places, stub = typed.stubs(mine), there["cells"][typed.stubs(there)[name]]
    if name not in places:
        raise ending.Refused(f"the cell of {name} is gone: `again {name[:2]}` begins the whole chapter again.")
    cell = mine["cells"][places[name]]
    own_name = {"id": cell["id"]} if "id" in cell else {}  # notebooks of before have none
    mine["cells"][places[name]] = {key: value for key, value in stub.items() if key != "id"} | own_name
    return mine


@ending.reports("edition")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.edition", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["renew", "again"], default="renew")
    parser.add_argument("name", nargs="?", help="for again: a chapter, 03, or an exercise, 03.iwae_bound")
    options = parser.parse_args(arguments)
    if options.command == "again":
        if not options.name:
            raise ending.Refused("again needs a chapter or an exercise: python -m tools.edition again 03")
        print(again(options.name))
        return 0
    if users := made.uses(chapter.ROOT):
        ending.say(f"learn/ stays as it is, for it may be in use by {users[0]}: it is renewed at the next start.")
    for sentence in renew(in_use=bool(users)):
        ending.say(sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
