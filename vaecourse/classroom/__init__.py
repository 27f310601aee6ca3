"""A class: one file that a learner hands in, and what a teacher makes of many.

``python -m vaecourse hand-in`` writes the file, ``python -m vaecourse class FOLDER`` runs each answer again and counts.
docs/class.md says how, and what is not protected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vaecourse import files, foreign
from vaecourse.classroom import handin, judging, pages
from vaecourse.classroom.counting import Report, report

__all__ = ["Report", "handin", "pages", "report", "written"]


def written(folder: Path, to: Path, seconds: float = judging.SECONDS) -> Iterator[str]:
    """Run again what was handed in below ``folder`` and write the report to ``to``; what there is to say meanwhile."""
    _ask(folder, to)
    found = yield from report(folder, to.resolve(), seconds)
    yield from (foreign.plain(line, 1000) for line in found.lines)
    paths = pages.write(found, to)
    yield f"{len(found.people)} people, and {len(found.lines)} lines about files. Written:"
    yield from map(files.shown, paths)


def _ask(folder: Path, to: Path) -> None:
    """Raise ``ValueError`` where ``folder`` cannot be read from, or the report not be written to ``to``."""
    if not folder.is_dir():
        raise ValueError(f"folder must be one with hand-ins, and {files.shown(folder)} is no folder.")
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ValueError(
            f"folder must not be the one that you are in, {files.shown(Path.cwd())}, nor hold it: Python takes modules "
            "from there, and a file of that name that somebody handed in would be run. Go to another folder first."
        )
    if folder.resolve().is_relative_to(to.resolve()):
        raise ValueError(f"to must be a folder of the report's own, and the hand-ins lie in {files.shown(to)}.")
    pages.refuse(to)
