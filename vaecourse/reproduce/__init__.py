"""The papers' tables, made again: ``python -m vaecourse reproduce iwae``.

A table is rows, a measure of each, and the paper's numbers. ``make`` fills a record run by run and writes the Markdown
table beside it. It may be killed at any moment: the same call goes on, inside a run from its last checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vaecourse import arguments, atomic
from vaecourse.recorded import Record
from vaecourse.reproduce import family, report, toys, vaes
from vaecourse.reproduce.climb import Machinery
from vaecourse.reproduce.table import Scale, Table

__all__ = ["TABLES", "Machinery", "Scale", "Table", "make"]

TABLES: dict[str, Table] = {
    table.name: table for table in (vaes.IWAE, vaes.TIGHTER, toys.LAPLACE, toys.SIVI, family.INFOVAE)
}


def make(
    name: str,
    file: Path,
    scale: Scale,
    seeds: int = 1,
    rows: Sequence[str] | None = None,
    together: int | None = None,
    machinery: Machinery | None = None,
    progress: bool = False,
) -> str:
    """Run what is missing of a table, keep it in ``file``, and return the Markdown table, which is beside it.

    Arguments:
        file: a JSON file, ``recorded.Record``. FILE.md gets the table; FILE.runs holds the run under way.
        seeds: 0, 1, ... of each row; seed by seed, so that what is there compares all rows.
        rows: these only; all if not given.
        together: how many seeds are trained side by side; if not given all or one, whichever was found faster.

    Raises ``ValueError`` for an unknown table or row, for a file with other settings, and for several processes where
    only one can work.
    """
    table = TABLES[arguments.choice("table", name, list(TABLES))]
    chosen = [arguments.choice("row", row, list(table.rows)) for row in rows or table.rows]
    seeds = arguments.count("seeds", seeds)
    machinery = machinery or Machinery()
    crew = machinery.crew
    together = None if together is None else arguments.count("together", together)
    if crew.size > 1 and not table.shared:
        raise ValueError(f"{name} has runs that are too short to share: start it without torchrun, as one process.")
    record = Record(file, {"table": name, "scale": asdict(scale), **table.settings(scale)})
    folder = file.with_name(f"{file.name}.runs")
    for seed in range(seeds):
        for row in chosen:
            wide = together or (seeds if table.side_by_side(row, scale, machinery) else 1)
            group = [other for other in range(seed, seeds)[:wide] if not record.has(row=row, seed=other)]
            group = crew.agree(group)
            if seed not in group:
                continue
            checkpoint = folder / f"{_slug(row)}-{'-'.join(map(str, group))}.safetensors"
            for run in table.measure(row, group, scale, machinery, checkpoint, progress):
                if crew.leads:
                    record.add(run)
            if crew.leads:
                _publish(table, record, file)
                _clear(folder, _slug(row))
    return _publish(table, record, file) if crew.leads else ""


def _publish(table: Table, record: Record, file: Path) -> str:
    text = report.markdown(table, _content(record))
    atomic.write(file.with_suffix(".md"), text.encode())
    return text


def _content(record: Record) -> dict[str, Any]:
    content = {"settings": record.settings, "machine": record.machine, "runs": record.runs}
    return json.loads(json.dumps(content))  # as a reader of the file sees it


def _clear(folder: Path, row: str) -> None:
    """Remove the checkpoints of a row whose runs are in the record, and the folder once it is empty."""
    for checkpoint in folder.glob(f"{row}-*.safetensors"):
        checkpoint.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _slug(row: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in row)
