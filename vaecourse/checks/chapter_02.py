"""The checks of chapter 02."""

from __future__ import annotations

from vaecourse.checks.frame import Check

CHECKS: list[Check] = []
