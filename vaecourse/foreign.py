"""Words out of a file or from another process, as a terminal or a Markdown page can show them: as words, and no more.

It imports only what Python itself brings, and runs on old Pythons, for the doctor speaks through it.
"""

from __future__ import annotations

import html
import re


def plain(words: object, most: int = 200) -> str:
    r"""One line of printable characters, at most so many; any other character is written as its escape.

    >>> plain("CPU\x1b[2J\nof mine")
    'CPU\\x1b[2J of mine'
    """
    shown = visible(" ".join(str(words)[: 10 * most].split()))
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def visible(words: object) -> str:
    """All of it in one line, the unprintable characters as their escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(words))


def in_markdown(words: object, most: int = 200) -> str:
    r"""The same for a cell or a sentence of a Markdown page, where no letter of it is a mark.

    >>> in_markdown("a | b <i> [c](d)")
    'a \\| b &lt;i&gt; \\[c\\](d)'
    """
    return re.sub(r"([\\`*_|\[\]~$])", r"\\\1", html.escape(plain(words, most), quote=False))
