"""Whose a file is: the kinds that the course writes, and the mark at the end of a text by which it knows its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vaecourse.files.whole import content


class NotOurs(ValueError):
    """A file is there that the course did not write, or not for this purpose. It is left as it is."""


@dataclass(frozen=True)
class Kind:
    """A kind of file that the course writes.

    Arguments:
        called: for sentences, "a checkpoint of vaecourse".
        is_ours: whether the file at a path has the mark of this kind.
        is_untouched: whether the file at a path is as the course left it, as far as the file itself can tell.
    """

    called: str
    is_ours: Callable[[Path], bool]
    is_untouched: Callable[[Path], bool] = lambda path: False


LONGEST_TEXT = 64_000_000  # bytes; the longest of the course has 20 kB
_MARK = "<!-- made by vaecourse; sha256 of all above: {} -->\n"  # a comment in Markdown and in HTML


def signed(text: str) -> bytes:
    """The text with a last line by which ``TEXT`` knows it again, and knows whether it was changed."""
    text = text if text.endswith("\n") else text + "\n"
    return (text + _MARK.format(hashlib.sha256(text.encode()).hexdigest())).encode()


def _signature(path: Path) -> tuple[bytes, str] | None:
    """What stands above the mark, and the sum in the mark; None if there is no mark."""
    text, start, mark = content(path, LONGEST_TEXT).rpartition(_MARK[:4].encode())
    found = re.fullmatch(
        re.escape(_MARK.strip()).replace(r"\{\}", "([0-9a-f]{64})"), (start + mark).decode("utf-8", "replace").strip()
    )
    return (text, found[1]) if found else None


def _is_as_signed(path: Path) -> bool:
    found = _signature(path)
    return found is not None and hashlib.sha256(found[0]).hexdigest() == found[1]


def _is_signed(path: Path) -> bool:
    try:
        return _MARK[:22].encode() in content(path, LONGEST_TEXT)
    except ValueError:  # too long to be ours
        return False


TEXT = Kind("a text that vaecourse made", _is_signed, _is_as_signed)
