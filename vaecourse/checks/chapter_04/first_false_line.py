"""04.first_false_line: which line of the encoder's mechanism stops holding with theta in the place of phi."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "04.first_false_line",
    "B",
    praise="Yes: log p(x) moves with theta and not with phi. The two ratios differ by this line alone.",
)


@check.mistake("""A is about a value, and no parameter is named in it: it holds whichever of the two is turned
    afterwards.""")
def expansion_of_the_value() -> str:
    return "A"


@check.mistake("""C is false for theta, and it is not the first: it follows from A by a line before it. Which one no
    longer holds?""")
def conclusion_in_place_of_its_reason() -> str:
    return "C"


@check.mistake("""D holds for theta too: e has the mean 0 for every theta, so its gradient has the mean 0 and scatters
    like 1/sqrt(K). The noise of both networks falls.""")
def noise() -> str:
    return "D"
