r"""The Markdown table of a record: ours, the paper's number beside it, and the z-score of the difference.

.. math:: z = \frac{\text{ours} - \text{paper}}{\sqrt{s^2 / S + s_x^2 (1/n - 1/N) + e^2}}

s is the standard deviation over S seeds, s_x the one over n of the N test images, e the paper's own ±.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from vaecourse.reproduce.table import Quoted, Scale, Table, plain

WHOLE_TEST = 10_000  # images, of MNIST


def markdown(table: Table, scale: Scale, record: dict[str, Any]) -> str:
    """The table, with a head that says what was done and a foot that says what the marks mean."""
    comparable = table.comparable(scale)
    heads = [cell for head in table.measures.values() for cell in (head, "paper", *(["z"] if comparable else []))]
    lines = [
        f"# {table.title}",
        f"Paper: {table.source}. {table.remark(scale)}",
        "",
        f"| {table.heading} | seeds | {' | '.join(heads)} |",
        f"|{'---|' * (len(heads) + 2)}",
    ]
    runs = record["runs"]
    for row in table.rows:
        own = [run for run in runs if run["row"] == row]
        images = record["settings"].get("test_images", WHOLE_TEST)
        cells = [cell for name in table.measures for cell in _cells(table, name, row, own, comparable, images)]
        lines.append(f"| {row} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_foot(table, comparable, record)]) + "\n"


def z_score(ours: list[float], paper: Quoted, spread: float = 0.0, images: int = WHOLE_TEST) -> float | None:
    """The z of the formula above; None if there is nothing to divide by, which one seed on all test images is."""
    seeds = statistics.variance(ours) / len(ours) if len(ours) > 1 else 0.0
    part = spread**2 * max(0.0, 1 / images - 1 / WHOLE_TEST)
    error = math.sqrt(seeds + part + (paper.error or 0.0) ** 2)
    return (statistics.mean(ours) - paper.value) / error if error > 0 and len(ours) > 1 else None


def _cells(
    table: Table, measure: str, row: str, runs: list[dict[str, Any]], comparable: bool, images: int
) -> list[str]:
    """Ours, the paper's, and z if it makes sense."""
    paper = table.paper.get(measure, {}).get(row)
    ours = [run[measure] for run in runs if measure in run]
    cells = [_mean(ours), "" if paper is None else str(paper)]
    if not comparable:
        return cells
    z = None
    if ours and paper is not None:
        spread = statistics.mean(run.get(f"{measure}_spread", 0.0) for run in runs)
        z = z_score(ours, paper, spread, images)
    return [*cells, "" if z is None else f"{z:+.1f}"]


def _mean(values: list[float]) -> str:
    if not values:
        return "not run"
    if len(values) == 1:
        return plain(values[0])
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values) / len(values) ** 0.5:.2f}"


def _foot(table: Table, comparable: bool, record: dict[str, Any]) -> list[str]:
    runs, machine = record["runs"], record["machine"]
    said = ["±: standard error over the seeds."]
    if comparable:
        said.append("z: (ours - paper) / standard error, which counts our seeds, our test images and the paper's ±.")
    elif table.paper:
        said.append("The paper's numbers are of its own, full experiment, so there is no z.")
    if any(not number.checked for numbers in table.paper.values() for number in numbers.values()):
        said.append("†: the paper's number is unchecked.")
    hours = sum(run.get("wall_seconds", 0.0) / run.get("side_by_side", 1) for run in runs) / 3600
    devices = ", ".join(sorted({run["device"] for run in runs if "device" in run}))
    said.append(
        f"{len(runs)} runs, {hours:.2f} hours of training on {devices or 'cpu'}; {machine['processor']}, "
        f"torch {machine['torch']}."
    )
    return said
