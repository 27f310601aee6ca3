"""The checks of chapter 00."""

from __future__ import annotations

from vaecourse.checks.frame import Check

CHECKS: list[Check] = []
