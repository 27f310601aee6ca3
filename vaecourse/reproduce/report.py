r"""The Markdown table of a record: ours, the paper's number beside it, and the z-score of the difference.

.. math:: z = \frac{\text{ours} - \text{paper}}{\sqrt{s^2 / S + s_x^2 (1/n - 1/N) + e^2}}

s is the standard deviation over S seeds, s_x the one over n of the N test images, e the paper's own ±. A single
run that knows its own standard error has that in place of the first term; one that does not has no z.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from vaecourse.foreign import in_markdown
from vaecourse.reproduce.table import Quoted, Table, plain

WHOLE_TEST = 10_000  # images, of MNIST


def markdown(table: Table, record: dict[str, Any]) -> str:
    """The table of a record, with a head that says what was done and a foot that says what the marks mean."""
    comparable = table.comparable(record["settings"])
    elsewhere = ", MNIST" if record["settings"].get("data", "mnist") != "mnist" else ""
    heads = [cell for name in table.measures for cell in _heads(table, name, comparable, elsewhere)]
    lines = [
        f"# {table.title}",
        "",
        f"Source: {table.source}. {table.remark(record['settings'])}",
        "",
        f"| row | seeds | {' | '.join(heads)} |",
        f"|{'---|' * (len(heads) + 2)}",
    ]
    images = record["settings"].get("test_images", WHOLE_TEST)
    for row in table.rows:
        own = [table.numbers(run) for run in record["runs"] if run["row"] == row]
        cells = [cell for name in table.measures for cell in _cells(table, name, row, own, comparable, images)]
        lines.append(f"| {row} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_foot(table, comparable, record)]) + "\n"


def z_score(
    ours: Sequence[float], paper: Quoted, spread: float = 0.0, images: int = WHOLE_TEST, error: float | None = None
) -> float | None:
    """The z of the formula above; ``error`` is the standard error that a single run knows of itself."""
    if len(ours) < 2 and error is None:
        return None
    seeds = statistics.variance(ours) / len(ours) if len(ours) > 1 else float(error or 0.0) ** 2
    part = spread**2 * max(0.0, 1 / images - 1 / WHOLE_TEST)
    total = math.sqrt(seeds + part + (paper.error or 0.0) ** 2)
    return (statistics.mean(ours) - paper.value) / total if total > 0 else None


def _heads(table: Table, measure: str, comparable: bool, elsewhere: str) -> list[str]:
    """The headings of a measure: ours, and what stands beside it, which is nothing if nobody printed such a number."""
    if measure not in table.paper:
        return [table.measures[measure]]
    return [table.measures[measure], f"{table.beside}{elsewhere}", *(["z"] if comparable else [])]


def _cells(
    table: Table, measure: str, row: str, runs: list[dict[str, Any]], comparable: bool, images: int
) -> list[str]:
    """Ours, the number beside it, and z if it makes sense."""
    paper = table.paper.get(measure, {}).get(row)
    ours = [run[measure] for run in runs]
    cells = [_mean(ours, runs[0].get(f"{measure}_error") if runs else None, table.digits)]
    if measure not in table.paper:
        return cells
    cells.append("" if paper is None else str(paper))
    if not comparable:
        return cells
    z = None
    if ours and paper is not None:
        spread = statistics.mean(run.get(f"{measure}_spread", 0.0) for run in runs)
        z = z_score(ours, paper, spread, images, runs[0].get(f"{measure}_error"))
    return [*cells, "" if z is None else f"{z:+.1f}"]


def _mean(values: list[float], error: float | None, digits: int) -> str:
    if not values:
        return "not run"
    if len(values) == 1:
        return plain(values[0], digits) + ("" if error is None else f" ± {error:.{digits}f}")
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


def _foot(table: Table, comparable: bool, record: dict[str, Any]) -> list[str]:
    runs, machine = [table.numbers(run) for run in record["runs"]], record["machine"]
    lines = ["±: standard error over the seeds; of a single run, its own where it knows one."]
    if table.paper and comparable:
        lines.append(f"z: (ours - {table.beside}) / standard error, which counts seeds, test images and the other's ±.")
    elif table.paper:
        lines.append("The paper's numbers are of its own, full experiment, so there is no z.")
    if any(not number.checked for numbers in table.paper.values() for number in numbers.values()):
        lines.append("†: the paper's number is unchecked.")
    hours = sum(_seconds(run) / run.get("side_by_side", 1) for run in runs) / 3600
    devices = ", ".join(sorted({in_markdown(run["device"]) for run in runs if "device" in run}))
    lines.append(
        f"{len(runs)} runs, {hours:.2f} hours of training on {devices or 'cpu'}; "
        f"{in_markdown(machine['processor'])}, "
        f"{in_markdown(machine.get('threads', '?'))} threads, torch {in_markdown(machine['torch'])}; "
        f"{_commits(record)}."
    )
    return lines


def _seconds(run: dict[str, Any]) -> float:
    """Of its training: by the clock, or of its stages where it has those."""
    stages = (value for name, value in run.items() if name.endswith("_seconds"))
    return run["wall_seconds"] if "wall_seconds" in run else sum(stages)


def _commits(record: dict[str, Any]) -> str:
    """The commits whose code made the runs, as far as the record says it."""
    first = record.get("commit")
    commits = {run.get("commit", first) for run in record["runs"]} or {first}
    named = sorted(f"commit {in_markdown(commit)}" for commit in commits if commit is not None)
    return ", ".join([*named, *(["commit not recorded"] if None in commits else [])])
