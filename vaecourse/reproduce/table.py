"""What an experiment is: rows, what is measured in each, what all of it is worth beside somebody else's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vaecourse import arguments
from vaecourse.evaluate.importance import MOST_SAMPLES
from vaecourse.reproduce import schedule
from vaecourse.reproduce.machinery import Machinery


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
        stages: of the paper's schedule.
        epochs: stop after so many passes; all of them if not given. Without data, 100 steps are one.
        limit: use the first images, training and test, only. Without data, the draws that a row is judged by.
        test: use the first test images only.
        samples: K of log p^.
        schedule: ``"paper"`` or ``"short"``, see schedule.py.
    """

    data: str = "mnist"
    stages: int = 8
    epochs: int | None = None
    limit: int | None = None
    test: int | None = None
    samples: int = 5000
    schedule: str = "paper"

    def __post_init__(self) -> None:
        arguments.choice("schedule", self.schedule, schedule.NAMES)
        for name, most in (("stages", schedule.STAGES), ("samples", MOST_SAMPLES)):
            arguments.count(name, getattr(self, name), at_most=most)
        for name in ("epochs", "limit", "test"):
            if getattr(self, name) is not None:
                arguments.count(name, getattr(self, name))

    def named(self) -> dict[str, Any]:
        """What a record keeps of it: records are older than the choice of a schedule, so the paper's goes unsaid."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("schedule", "paper")}

    def steps(self, full: int) -> int:
        """The steps of a training without data, which has ``full`` of them."""
        return full if self.epochs is None else min(full, STEPS_OF_AN_EPOCH * self.epochs)


STEPS_OF_AN_EPOCH = 100  # of a training without data

Run = dict[str, Any]
Measure = Callable[[str, Sequence[int], Scale, Machinery, Path, bool], Iterable[Run]]


def one_by_one(measure: Callable[[str, int, Scale, Machinery], Run]) -> Measure:
    """The measure of a table whose seeds are trained one after the other: a run is recorded as soon as it is done."""

    def runs(
        row: str, seeds: Sequence[int], scale: Scale, machinery: Machinery, checkpoint: Path, progress: bool
    ) -> Iterator[Run]:
        for seed in seeds:
            yield measure(row, seed, scale, machinery)

    return runs


def as_it_is(run: Run) -> Run:
    """What a run holds, where its measures stand in it by their names."""
    return run


@dataclass(frozen=True)
class Table:
    """An experiment, of a paper or of the course.

    Arguments:
        name: as the command line calls it: that of the file in ``tables/`` that holds it.
        title: and ``source``, for the head of the Markdown table.
        rows: the name of every row, with its settings.
        measures: what is measured, with its heading.
        paper: measure -> row -> number of somebody else, to stand beside ours; empty if there is none.
        settings: what all runs have in common, at a scale.
        measure: the finished runs of a row: (row, seeds, scale, machinery, checkpoint, progress) -> one run a seed,
            from a generator where seeds are trained one by one: each is recorded when it comes, those of a list
            together.
        remark: what a reader of the Markdown table must know, by the settings in a record.
        comparable: whether the paper's numbers and ours are of the same experiment, by the settings in a record.
        full: the scale of the whole experiment, where a caller names no other.
        beside: the heading of the numbers beside ours.
        shared: whether several processes can share a run.
        side_by_side: whether a row's seeds are faster together than one by one.
        digits: decimals of what is measured.
        most_seeds: of a row; a record of as many can still be read.
        numbers: the measures of a run by their names, where it holds them otherwise.
        facts: what else belongs to a record and to no run, each computed once.
    """

    name: str
    title: str
    source: str
    rows: dict[str, dict[str, Any]]
    measures: dict[str, str]
    paper: dict[str, dict[str, Quoted]]
    settings: Callable[[Scale], dict[str, Any]]
    measure: Measure
    remark: Callable[[dict[str, Any]], str]
    comparable: Callable[[dict[str, Any]], bool] = lambda settings: False
    full: Scale = Scale()
    beside: str = "paper"
    shared: bool = False
    side_by_side: Callable[[str, Scale, Machinery], bool] = lambda row, scale, machinery: False
    digits: int = 2
    most_seeds: int = 1000
    numbers: Callable[[Run], Run] = as_it_is
    facts: dict[str, Callable[[], Any]] = field(default_factory=dict)
