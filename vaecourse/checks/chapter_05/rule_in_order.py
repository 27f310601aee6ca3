"""05.rule_in_order: on paper, the lines from any weights a to a - da/dlog w in order, and one to leave out."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "05.rule_in_order",
    "CEBA",
    praise="Wanted, score to path, chain rule, back into the first. None of them knows which bound it was.",
)

# The first place that is wrong decides. Line D is left out, and wherever it stands it is told.
PRODUCT = """Line D does not hold for every V, and is left out. The score alone has mean zero; where a_k goes up and
    down with the same z_k, the mean of their product is not the product of their means."""


def begins(name: str, letters: str, message: str) -> None:
    def order() -> str:
        return letters + "..."

    order.__name__ = name
    check.mistake(message)(order)


for place, letters in enumerate(("D", "CD", "CED", "CEBD", "CEBAD"), 1):
    begins(f"product of means at place {place}", letters, PRODUCT)

begins("result first", "A", 'A comes last: it says "into the first line". Begin with what is wanted.')
begins("chain rule first", "B", "B speaks of a line before it, and there is none. Begin with what is wanted.")
begins("score to path first", "E", "E is true by itself, but the first line is to say what is wanted.")
begins("chain rule without a derivative", "CB", """B rewrites the right side of the line before it by the chain rule. In
    yours no derivative for z stands there yet.""")  # fmt: skip
begins("result without a reason", "CA", """A replaces E[a s] in the first line by something. First it must be shown what
    it is equal to.""")  # fmt: skip
begins("result before the chain rule", "CEA", """A has the derivative for log w, and E the derivative for z. What leads
    from one to the other comes before A.""")  # fmt: skip
