"""Answers survive a new version of the course.

    python -m tools.answers update                  the newest version, with git; then every answer is put into it
    python -m tools.answers keep                    copies of the notebooks in which something was typed
    python -m tools.answers back FILE [FILE ...]    put the answers that are in these notebooks into the chapters

An answer goes to the exercise of its name, wherever that stands now. Where the exercise's own cell has changed as well,
both stay, one after the other. A cell of one's own goes behind the cell that it stood behind. The course's own cells,
changed by hand, stay in the copies only. Every copy is in chapters/kept, and nothing there is ever removed.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import ending, made, typed
from vaecourse import files

CHAPTERS = made.ROOT / "chapters"
PATTERN = "[0-9][0-9]-*.ipynb"

Notebook = dict[str, Any]


def keep(folder: Path = CHAPTERS) -> dict[Path, Path]:
    """Copy every notebook of ``folder`` in which something was typed; return {notebook: its copy}."""
    changed = [path for path in sorted(folder.glob(PATTERN)) if not typed.is_untouched(path)]
    return {path: files.keep(path) for path in changed}


def back(old: Path, folder: Path = CHAPTERS) -> Iterator[str]:
    """Put what was typed in the notebook ``old`` into the one of its chapter in ``folder``; say what became of it."""
    target = chapter_of(old, folder)
    there = typed.read(target)
    before = typed.is_untouched(target)
    if not typed.marks(mine := typed.read(old)):
        raise ending.Refused(f"{old} has no mark of the course, so its text and yours look alike: copy by hand.")
    found = list(typed.typed(mine))
    said = [_put(cell, there) for cell in found]
    if any(said):
        kind = files.Kind("a notebook", Path.is_file, lambda path: before)
        text = json.dumps(there, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        files.write(target, text.encode(), kind, tell=made.tell)
    put = sum(bool(one) for one in said)
    yield f"{target.name}: {put} of {len(found)} cells that were typed are in it again."
    if put < len(found):
        yield f"  {len(found) - put} are the course's own, changed by hand: they are in {old}."


def chapter_of(old: Path, folder: Path) -> Path:
    """The notebook in ``folder`` whose copy ``old`` is: 01-elbo-2026-11-26-101500.ipynb belongs to 01-elbo.ipynb."""
    found = [path for path in folder.glob(PATTERN) if old.stem == path.stem or old.stem.startswith(f"{path.stem}-2")]
    if not found:
        raise ending.Refused(f"{old} is of no chapter in {folder}: what is in it stays there.")
    return max(found, key=lambda path: len(path.stem))


def _put(one: typed.Typed, there: Notebook) -> bool:
    """Put one typed cell into the notebook ``there``; False if it is the course's own, changed."""
    cells = there["cells"]
    if any(typed.source(cell) == typed.source(one.cell) for cell in cells):
        return True  # it is there already
    if one.exercise in (stubs := typed.stubs(there)):
        place = stubs[one.exercise]
        if one.given == typed.sum_of(cells[place]):  # the cell that the answer was written into has not changed
            cells[place]["source"] = one.cell["source"]
            return True
        return _insert(one, place + 1, there)
    if one.given is not None and one.exercise is None:
        return False
    places = [place for place, cell in enumerate(cells) if typed.sum_of(cell) == one.after]
    return _insert(one, places[0] + 1 if places else len(cells), there)


def _insert(one: typed.Typed, place: int, there: Notebook) -> bool:
    taken = {cell.get("id") for cell in there["cells"]}
    cell = copy.deepcopy(dict(one.cell))
    if cell["cell_type"] == "code":
        cell |= {"outputs": [], "execution_count": None}
    number = 1
    while (name := f"{cell.get('id', 'yours')[:50]}-{number}" if number > 1 else cell.get("id", "yours")) in taken:
        number += 1
    there["cells"].insert(place, cell | {"id": name})
    return True


# With git ------------------------------------------------------------------------------------------------------------


def update(folder: Path = CHAPTERS, more: tuple[str, ...] = ()) -> None:
    """Copy what was typed, take the newest version, put the answers back. If git cannot: all is as it was before."""
    root = folder.parent
    if not (root / ".git").exists():
        raise ending.Refused(
            f"{root} was not cloned with git. Unpack the new version beside it, and there: "
            f"python -m tools.answers back {folder}/*.ipynb"
        )
    copies = keep(folder)
    for path, kept in copies.items():
        print(f"{path.name}: what you typed is also in {kept}", flush=True)
    run = [path for path in sorted(folder.glob(PATTERN)) if _git(root, "status", "--porcelain", "--", str(path))]
    before = {path: path.read_bytes() for path in run}
    tracked = [path for path in run if _git(root, "ls-files", "--", str(path))]
    try:
        if tracked:
            _git(root, "checkout", "--quiet", "HEAD", "--", *map(str, tracked))
        print(_git(root, "pull", "--ff-only", *more), flush=True)
    except BaseException:
        for path in tracked:
            files.replace(path, before[path])
        raise
    for path, kept in copies.items():
        if path in tracked:
            try:
                print(*back(kept, folder), sep="\n", flush=True)
            except ending.Refused as refused:
                print(refused)


def _git(root: Path, *words: str) -> str:
    try:
        ran = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError as missing:
        raise ending.Refused("git is not on this machine") from missing
    if ran.returncode:
        raise ending.Refused(f"git {words[0]} said:\n{ran.stderr.strip()}\nYour notebooks are as they were.")
    return ran.stdout.strip()


@ending.told("answers")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.answers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["update", "keep", "back"])
    parser.add_argument("files", nargs="*", type=Path, help="for back: the notebooks that hold answers")
    options, more = parser.parse_known_args(arguments)
    if options.command == "update":
        update(more=(*map(str, options.files), *more))
    elif options.command == "keep":
        for path, kept in keep().items():
            print(f"{path.name}: {kept}")
    elif not options.files:
        raise ending.Refused("back needs the notebooks that hold your answers: python -m tools.answers back FILE")
    else:
        for old in options.files:
            print(*back(old), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
