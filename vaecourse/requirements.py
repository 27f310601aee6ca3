"""What the installed course asks for, and what of it is here; it imports at its top only what Python itself brings."""

from __future__ import annotations

import re
from importlib import metadata


def parse(requirement: str) -> tuple[str, str, str | None]:
    """Name, least version and extra of a line such as ``jupyterlab>=4.2; extra == "lab"``.

    >>> parse('jupyterlab>=4.2; extra == "lab"')
    ('jupyterlab', '4.2', 'lab')
    """
    name, least = re.match(r"([\w.-]+)(?:\[[\w,-]*\])?\s*(?:>=\s*([\w.]+))?", requirement).groups()  # type: ignore[union-attr]
    extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", requirement)
    return name, least or "0", extra and extra[1]


def of_the_course() -> list[str]:
    """What the installed course asks for, and not what a build has left in the folder from which Python was started."""
    found = sorted(metadata.distributions(name="vaecourse"), key=lambda one: one.read_text("RECORD") is None)
    if not found:
        raise metadata.PackageNotFoundError("vaecourse")
    return found[0].requires or []


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing.

    >>> numbers("2.13.0+cpu") >= numbers("2.4")
    True
    """
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)  # type: ignore[index]


def version(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
