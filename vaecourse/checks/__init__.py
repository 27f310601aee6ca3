"""What an exercise calls: ``checks.ALL["03.iwae_bound"](answer)`` gives a verdict that names the mistake."""

from __future__ import annotations

from vaecourse.checks import (
    chapter_00,
    chapter_01,
    chapter_02,
    chapter_03,
    chapter_04,
    chapter_05,
    chapter_06,
    chapter_07,
    chapter_08,
)
from vaecourse.checks.frame import Check, Mistake, Verdict

__all__ = ["ALL", "Check", "Mistake", "Verdict"]

CHAPTERS = (chapter_00, chapter_01, chapter_02, chapter_03, chapter_04, chapter_05, chapter_06, chapter_07, chapter_08)

ALL: dict[str, Check] = {check.name: check for chapter in CHAPTERS for check in chapter.CHECKS}
