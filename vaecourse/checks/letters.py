"""Answers in letters: a choice, "B", or lines in their order, "BCA".

Small letters, commas, arrows and spaces between them make no difference: ``"b, c, a"`` and ``["B", "C", "A"]`` are
"BCA". A known mistake that ends in "..." is every order that begins so: what comes after a step that cannot stand
there is not looked at.
"""

from __future__ import annotations

BEGINS = "..."


def read(value: object) -> str | None:
    """The letters in ``value``, in capitals and without what stands between them; None if it is no text."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, str) for part in value):
        value = "".join(value)
    if not isinstance(value, str):
        return None
    found = "".join(letter for letter in value.upper() if letter.isalpha())
    return found + BEGINS if value.endswith(BEGINS) else found


def same(value: object, need: str) -> bool:
    """Is ``value`` what is needed, or does it begin so?"""
    found = read(value)
    return found is not None and (found.startswith(need[: -len(BEGINS)]) if need.endswith(BEGINS) else found == need)


def difference(value: object, need: str) -> str:
    """How ``value`` differs from the letters that are needed, without giving them away."""
    found = read(value)
    if found is None:
        example = '"B"' if len(need) == 1 else '"BCA"'
        return f"is of type {type(value).__name__}; letters in quotation marks are needed, like {example}."
    if len(need) == 1:
        return (
            f'is "{found}"; the letter of one choice is needed.' if len(found) != 1 else f'is "{found}": not this one.'
        )
    faults = [f"{letter} is missing" for letter in sorted(need) if letter not in found]
    faults += [
        f"{letter} stands there {found.count(letter)} times" for letter in sorted(need) if found.count(letter) > 1
    ]
    faults += [f"{letter} does not belong there" for letter in sorted(set(found) - set(need))]
    if faults:
        return f'is "{found}": {", ".join(faults)}. Each line that belongs there stands once.'
    right = next(place for place, (a, b) in enumerate(zip(found, need)) if a != b)
    before = "The" if not right else f"The first {right} are right; the" if right > 1 else "The first is right; the"
    return f'is "{found}". {before} line {found[right]} cannot stand at place {right + 1}.'
