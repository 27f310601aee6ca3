"""The table of chapter 04: every objective with M K = 64 samples a step, on the digits."""

from __future__ import annotations

from vaecourse.reproduce.budget_vaes import ROWS, table

TABLE = table("one_budget", "One budget: every objective with 64 samples a step", "the course, chapter 04", ROWS)
