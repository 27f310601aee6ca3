"""03.too_good_a_law: which line of a proof of the 1/K law asks for a q that is wide enough."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "03.too_good_a_law",
    "C",
    praise="Yes: chi-squared is infinite for this q. The gap closes all the same, but more slowly than 1/K.",
)


@check.mistake("""A holds: a weight has the mean p(x) for every q that is nowhere 0 where the posterior is not, and a
    Gaussian is nowhere 0.""")
def a_mean_of_zero() -> str:
    return "A"


@check.mistake("""B holds for every q: L_K is E[log(p(x) (1 + e))], so log p(x) less that is -E[log(1 + e)], and nothing
    is left out.""")
def gap_as_a_mean_of_logarithms() -> str:
    return "B"


@check.mistake("""D falls as well, and not by itself: the expansion is right where e is small, and its mean needs
    something that a line before it claims. Which one?""")
def expansion_of_the_logarithm() -> str:
    return "D"
