"""What a symbol looks like when it is typed: TeX and Markdown as plain letters, and whether a word is in them."""

from __future__ import annotations

import functools
import re
import unicodedata

GREEK = re.compile(r"GREEK (?:SMALL LETTER )?(\w+)(?: SYMBOL)?")  # how Unicode calls a letter, and lambda lamda
TEX = {
    "mid": "|",
    "Vert": "||",
    "lVert": "||",
    "rVert": "||",
    "varepsilon": "epsilon",
    "dots": "...",
    "cdot": "·",
    "sim": "~",
}
DRAWN_AS = {"mathcal", "mathrm", "mathbb", "text", "rm"}  # how letters look, and not what they are
SYMBOL = 2  # letters at most of a word that is taken as a symbol


@functools.lru_cache(4096)
def plain(text: str) -> str:
    """The text as somebody would type it.

    >>> plain(r"$q_\\phi(z \\mid x)$, the **encoder**")
    'q_phi(z | x), the encoder'
    """
    text = text.replace("‖", "||").replace("∥", "||").replace("∣", "|").replace("−", "-")
    text = "".join(map(_letter, text))
    text = re.sub(r"\\([A-Za-z]+)", lambda found: _command(found[1]), text)
    text = re.sub(r"\\.|[${}`]|\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)", "", text)
    letters = unicodedata.normalize("NFKD", text)
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def _letter(letter: str) -> str:
    greek = GREEK.fullmatch(unicodedata.name(letter, ""))
    return greek[1].lower().replace("lamda", "lambda") if greek else letter


def _command(name: str) -> str:
    return "" if name in DRAWN_AS else TEX.get(name, name)


def rank(word: str, text: str) -> int | None:
    """How near a text is to a word: 0 where it is one of its symbols, 1 where it has it alone, 2 within others."""
    asked, there = plain(word), plain(text)
    short = asked.replace(" ", "")
    if not short:
        return None
    if len(short) > SYMBOL:
        asked, short, there = asked.lower(), short.lower(), there.lower()
    symbols = [piece.replace(" ", "") for piece in re.split(r"[,;:] |\. ", there)]
    if short in symbols:
        return 0
    if re.search(rf"(?<!\w){re.escape(asked)}(?!\w)", there):
        return 1
    if len(short) <= SYMBOL and short.isascii():
        return None
    within = short in there.replace(" ", "") or all(part in there for part in asked.split())
    return 2 if within else None
