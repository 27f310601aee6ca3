"""What a rule of the chapters is, and all of them by their names; rules.py and exercise_rules.py have them.

A rule takes a ``Chapter`` and yields ``(cell number or None, what to do)``. Nothing is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tools.chapter import Chapter

Finding = tuple[int | None, str]
Rule = Callable[[Chapter], Iterator[Finding]]
RULES: dict[str, Rule] = {}
REFRESH = "run `make chapters`"


def rule(check: Rule) -> Rule:
    """Whatever is decorated with it holds for every chapter."""
    RULES[check.__name__] = check
    return check
