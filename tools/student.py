"""The class's notebooks: every chapter without its solutions, its teaching notes and its outputs.

    python -m tools.student                 every chapter -> build/student/
    python -m tools.student 01 03           these chapters
    python -m tools.student --run           and run each: the stubs must run as they stand, and every check be kind

The chapters themselves are never written. Outputs are left out because they answer the questions under *Predict*.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import chapter, ending, made, notebooks, withheld

FOLDER = chapter.ROOT / "build/student"
UNSOLVED = "Not solved yet"  # how a check begins its answer to a stub

NOTE = """\
*This is the class's version: solutions and teaching notes are with your teacher. A check does not need them, and you
can go on with an exercise unsolved.*"""


def without_answers(source: Path) -> NotebookNode:
    """The chapter at ``source`` (its .py) as a class gets it: not run, no solution, no teaching note."""
    note = nbformat.v4.new_markdown_cell(NOTE, id="class-version", metadata={"slideshow": {"slide_type": "skip"}})
    return withheld.without_answers(chapter.read(source), note)


def write(source: Path, folder: Path = FOLDER) -> Path:
    """Write the class's version of a chapter into ``folder``, which is not the chapter's own.

    Answers in one that is there already are kept as a copy, and told.
    """
    path = folder / source.with_suffix(".ipynb").name
    if path.resolve().parent == source.parent.resolve():
        raise chapter.ChapterError(f"{path} is a chapter itself: name another one")
    notebooks.write(without_answers(source), path)
    return path


def run(source: Path, folder: Path) -> NotebookNode:
    """Run the class's version in ``folder``; ``ChapterError`` where a cell fails, or a check is not kind to a stub."""
    notebook = without_answers(source)
    notebooks.execute(notebook, source.stem, folder)
    for index, cell in enumerate(notebook.cells):
        if "check" in chapter.tags(cell) and UNSOLVED not in chapter.shown(cell):
            output = chapter.shown(cell)
            raise chapter.ChapterError(
                f"{source.stem}, {chapter.place(index, cell)} does not say {UNSOLVED!r}: {output}"
            )
    return notebook


@ending.reports("student")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.student", description="Chapters without answers.")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="chapter numbers, for example 01 03; all by default")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    parser.add_argument("--run", action="store_true", help="run each of them too")
    options = parser.parse_args(arguments)
    sources = chapter.sources(options.numbers)
    if options.folder.resolve() == chapter.CHAPTERS:
        raise chapter.ChapterError(f"{options.folder} holds the chapters themselves: name another one")
    with made.building(options.folder) as folder:
        for source in sources:
            path = write(source, folder)
            if options.run:
                run(source, folder)
            print(f"{options.folder / path.name}{'  runs' if options.run else ''}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
