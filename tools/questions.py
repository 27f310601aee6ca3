"""What a chapter asks, read out of its text: the card of an exercise, the questions of its quiz and its recall."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

CARD = re.compile(
    r"^### Exercise (\d+)(?: †)? · (.+) \((pen and paper, )?(easy|medium|hard), (\d+) minutes?\)$", re.MULTILINE
)
HINT = re.compile(r"<details><summary>([^<]*)</summary>(.*?)</details>", re.DOTALL)


@dataclass(frozen=True)
class Card:
    """The heading of an exercise: ``### Exercise 2 · The bound (easy, 5 minutes)``."""

    number: int
    title: str
    on_paper: bool
    difficulty: str
    minutes: int


def card(source: str) -> Card | None:
    """The card of a cell tagged `exercise`; None where its heading is not one."""
    found = CARD.search(source)
    return found and Card(int(found[1]), found[2], bool(found[3]), found[4], int(found[5]))


def hints(source: str) -> list[tuple[str, str]]:
    """What a card's details are called, and what is in them: ("Hint 1", its text as it is written)."""
    return HINT.findall(source)


def without_hints(source: str) -> str:
    """The task alone."""
    return re.sub(rf"\n*{HINT.pattern}", "", source, flags=re.DOTALL).rstrip()


def asked(source: str) -> list[str]:
    """The questions of a cell tagged `quiz` or `recall`, each from behind its number on."""
    return re.split(r"^\*\*\d · ?(?:\*\* |(?=\(from))", source, flags=re.MULTILINE)[1:]


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
    longest = sorted(found, key=lambda choice: len(choice[1]))[-2:]
    if len(longest) == 2 and is_right(longest[1][2]) and len(longest[0][1]) < len(longest[1][1]):
        yield f"its right choice {longest[1][0]} as the longest of all; shorten it, or say more in a wrong one"


def choices(question: str) -> list[tuple[str, str, str]]:
    """Letter, summary and text of each choice."""
    choice = r"^<details><summary>([A-Z]) · (.+?)</summary>\n\n(.*?)\n\n</details>$"
    return re.findall(choice, question, flags=re.MULTILINE | re.DOTALL)


def is_right(text: str) -> bool:
    return text.startswith("Right.")
