"""Which file a page may name. A page is whoever has its address: it reaches one folder, and while presenting none.

What is called from Python, ``lab.save(path)``, is the user's own code and may name any place.
"""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import anywidget
from traitlets import Unicode

from vaecourse import labs
from vaecourse.labs.controls import HERE, STYLE, FromPage, text

ENDING = ".safetensors"
LONGEST = 500  # characters of a file's name


class Store(FromPage, anywidget.AnyWidget):
    """A file's name, save and load."""

    from_page = ("file",)
    _esm = text(HERE / "js/store.js")
    _css = STYLE
    file = Unicode().tag(sync=True)


class Refused(ValueError):
    """What a page asked for and does not get, in a sentence for its panel."""


def presenting() -> bool:
    """Whether the labs are shown to others, who may turn them and reach no file."""
    return os.environ.get("VAECOURSE_PRESENTING", "") not in ("", "0")


def inside(file: object) -> Path:
    """The place of the file that a page names, all links followed. Raises ``Refused`` if it is not the page's."""
    if presenting():
        raise Refused("While the labs are presented, nothing is saved or loaded from the page.")
    if not isinstance(file, str):
        raise Refused(f"The name of a file must be text, got {type(file).__name__}.")
    if len(file) > LONGEST:
        raise Refused(f"The name of a file must have at most {LONGEST} characters, got {len(file)}.")
    if not file.strip():
        raise Refused(f"Name a file, for example run{ENDING}.")
    if not file.isprintable():
        raise Refused(f"The name of a file must have printable characters only, got {file!r}.")
    if labs.STARTED is None:
        raise Refused("The folder in which the course was started is gone: nothing can be saved there or loaded.")
    file = file.strip()
    own = Path(file).drive  # none but on Windows
    other = own.lower() not in ("", labs.STARTED.drive.lower()) or (PureWindowsPath(file).drive and not own)
    if other or ":" in file[len(own) :]:  # asked before the system is, which would call on the machine
        raise Refused(f"{file!r} names a drive, a machine or a stream: name a file in {labs.STARTED}.")
    if os.sep == "/" and "\\" in file:
        raise Refused(f"{file!r} must have / between its folders.")
    if file.startswith("~"):
        raise Refused(f"{file!r} must not begin with ~: name a file in {labs.STARTED}.")
    try:
        place = (labs.STARTED / file).resolve()
        special = place.exists() and not place.is_file()
    except (OSError, RuntimeError) as failure:  # links in a circle, or a name that is too long
        raise Refused(f"{file!r} leads nowhere ({failure}).") from failure
    if not place.is_relative_to(labs.STARTED):
        raise Refused(f"{file!r} is not in the folder in which the course was started: name a file in {labs.STARTED}.")
    for path in (Path(file), place.relative_to(labs.STARTED)):
        if any(part.startswith(".") and part != ".." for part in path.parts):
            raise Refused(f"{file!r} is hidden: name a file without a dot at its beginning.")
        if path.suffix != ENDING:
            raise Refused(f"{file!r} must end in {ENDING}.")
    if special:
        raise Refused(f"{file!r} is no file.")
    return place


def within(place: Path) -> str:
    """How the panel calls a file from ``inside``: by its way from the folder in which the course was started."""
    return place.relative_to(labs.STARTED).as_posix() if labs.STARTED else str(place)
