"""The checks of chapter 01."""

from __future__ import annotations

from vaecourse.checks.frame import Check

CHECKS: list[Check] = []
