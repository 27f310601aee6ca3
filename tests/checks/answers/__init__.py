"""Answers to the exercises, written from the exercises' text alone by people who had not read the checks.

``@right("03.iwae_bound")`` stands over a right answer, ``@wrong("03.iwae_bound", "log K is missing")`` over a wrong one
with what its author meant to get wrong. Where an answer is no function, the function takes nothing and returns it.
``told.json`` has what each is told, read and found true; ``make check-answers`` prints the rates.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaecourse import checks

TOLD = Path(__file__).with_name("told.json")


@dataclass(frozen=True)
class Written:
    """One answer; ``meant`` is what its author meant to get wrong, None for a right one."""

    exercise: str
    function: Callable[..., Any]
    meant: str | None

    @property
    def name(self) -> str:
        return f"{self.exercise}/{self.function.__name__}"

    def judged(self) -> checks.Verdict:
        check = checks.ALL[self.exercise]
        return check(self.function if callable(check.solution) else self.function())


WRITTEN: list[Written] = []


def right(exercise: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return _written(exercise, None)


def wrong(exercise: str, meant: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return _written(exercise, meant)


def _written(exercise: str, meant: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        WRITTEN.append(Written(exercise, function, meant))
        return function

    return keep


def all_of_them() -> list[Written]:
    """Every answer of the files beside this one."""
    for found in pkgutil.iter_modules(__path__):
        if found.name.startswith("chapter_"):
            importlib.import_module(f"{__name__}.{found.name}")
    return WRITTEN


def told() -> dict[str, str | None]:
    """The mistake that each wrong answer is told by name, None for one that is told a difference only."""
    found: dict[str, str | None] = json.loads(TOLD.read_text(encoding="utf-8"))
    return found
