"""02.first_false_line, pen and paper: where a proof of a 95% interval breaks for a q of half the posterior's width."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "02.first_false_line",
    "C",
    praise="The mean exists, so A and B hold. The variance is infinite at half the width, and D stands on C.",
)


@check.mistake("""A is true. A Gaussian is positive everywhere, so this q misses no place, and the mean weight is right
    on average: coverage gives the first moment.""")
def coverage() -> str:
    return "A"


@check.mistake("""B is true. The law of large numbers asks for a finite mean and for no more, and the mean weight is
    p(x). It does not say how fast.""")
def law_of_large_numbers() -> str:
    return "B"


@check.mistake("""D is false, and it is not the first. It stands on another line: what must be finite for s to mean
    anything?""")
def the_conclusion() -> str:
    return "D"
