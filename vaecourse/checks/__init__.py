"""What an exercise calls: ``checks.ALL["03.iwae_bound"](answer)`` gives a verdict that names the mistake.

One file is one exercise: ``chapter_03/iwae_bound.py`` has what is right, the cases, and each known mistake. A file in a
chapter's folder is found, and read when its check is first asked for.
"""

from __future__ import annotations

from vaecourse.checks.folders import Exercises
from vaecourse.checks.frame import Check, Mistake, Verdict

__all__ = ["ALL", "Check", "Mistake", "Verdict"]

ALL = Exercises(__path__)
