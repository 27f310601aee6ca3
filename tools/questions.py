"""The questions of a chapter's quiz: their choices, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterator


def faults_of(question: str) -> Iterator[str]:
    found = choices(question)
    letters = "".join(letter for letter, _, _ in found)
    if letters not in {"ABC", "ABCD"} or question.count("<details>") != len(found):
        yield f"the choices {letters!r}; 3 or 4 are wanted, from A on, with a blank line around each text"
    if short := [letter for letter, _, text in found if len(text.split()) < 6]:
        yield f"no reason for {short}; say why it is right, or what leads there"
    if len(right := [letter for letter, _, text in found if is_right(text)]) != 1:
        yield f"{right} as right answers; exactly one text begins with `Right.`"
    if formulas := [letter for letter, summary, _ in found if "$" in summary]:
        yield f"a formula in the summary of {formulas}; nothing renders it there, so write letters"


def choices(question: str) -> list[tuple[str, str, str]]:
    """Letter, summary and text of each choice."""
    choice = r"^<details><summary>([A-Z]) · (.+?)</summary>\n\n(.*?)\n\n</details>$"
    return re.findall(choice, question, flags=re.MULTILINE | re.DOTALL)


def is_right(text: str) -> bool:
    return text.startswith("Right.")
