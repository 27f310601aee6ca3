"""What a table to reproduce is: rows, what is measured in each, and what its paper says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vaecourse import arguments, evaluate
from vaecourse.reproduce import schedule
from vaecourse.reproduce.climb import Machinery


class Quoted(NamedTuple):
    """A number of a paper, its ± if it has one, and whether we read it in the paper or beside it."""

    value: float
    error: float | None = None
    checked: bool = True

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.2f}"
        return f"{plain(self.value)}{error}{'' if self.checked else ' †'}"


def plain(value: float, digits: int = 2) -> str:
    """A count as it is, anything else with ``digits`` decimals."""
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


@dataclass(frozen=True)
class Scale:
    """How much of the full experiment is done. What a table has no use for, it leaves alone.

    Arguments:
        data: the images.
        stages: of the schedule of ``schedule.rates``.
        epochs: stop after so many passes; all of them if not given. For a toy, which has no data, 100 steps are one.
        limit: use the first images, training and test, only. For a toy, the draws that it is judged by.
        test: use the first test images only.
        samples: K of log p^.
    """

    data: str = "mnist"
    stages: int = 8
    epochs: int | None = None
    limit: int | None = None
    test: int | None = None
    samples: int = 5000

    def __post_init__(self) -> None:
        for name, most in (("stages", schedule.STAGES), ("samples", evaluate.MOST_SAMPLES)):
            arguments.count(name, getattr(self, name), at_most=most)
        for name in ("epochs", "limit", "test"):
            if getattr(self, name) is not None:
                arguments.count(name, getattr(self, name))


Run = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Arguments:
        name: as the command line calls it.
        title: and ``source``, for the head of the Markdown table.
        rows: the name of every row, with its settings.
        measures: what is measured, with its heading.
        paper: measure -> row -> number.
        settings: what all runs have in common, at a scale.
        measure: the finished runs of a row: (row, seeds, scale, machinery, checkpoint, progress) -> one run a seed,
            from a generator where seeds are trained one by one: what it gives is recorded at once.
        remark: what a reader of the Markdown table must know, by the settings in a record.
        comparable: whether the paper's numbers and ours are of the same experiment, by the settings in a record.
        beside: the heading of the numbers beside ours.
        shared: whether several processes can share a run.
        side_by_side: whether a row's seeds are faster together than one by one.
        digits: decimals of what is measured.
    """

    name: str
    title: str
    source: str
    rows: dict[str, dict[str, Any]]
    measures: dict[str, str]
    paper: dict[str, dict[str, Quoted]]
    settings: Callable[[Scale], dict[str, Any]]
    measure: Callable[[str, Sequence[int], Scale, Machinery, Path, bool], Iterable[Run]]
    remark: Callable[[dict[str, Any]], str]
    comparable: Callable[[dict[str, Any]], bool]
    beside: str = "paper"
    shared: bool = False
    side_by_side: Callable[[str, Scale, Machinery], bool] = lambda row, scale, machinery: False
    digits: int = 2
