"""Every recorded experiment, the papers' tables and the course's own: ``python -m vaecourse reproduce iwae``.

An experiment is one file in ``tables/`` with one ``TABLE``: rows, a measure of each, and the numbers to compare with.
``make`` fills a record run by run and writes the Markdown table beside it. It may be killed at any moment: the same
call goes on, inside a run from its last checkpoint where the table's training has one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from vaecourse import arguments, checkpoint, files, foreign
from vaecourse.recorded import Record, slug
from vaecourse.reproduce import report, tables
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Scale, Table

__all__ = ["TABLES", "Machinery", "Scale", "Table", "make", "settings_of"]

TABLES = tables.ALL

MOST_TOGETHER = 100  # seeds of one run, each of which holds a file open


def make(
    name: str,
    file: Path,
    scale: Scale | None = None,
    seeds: int = 1,
    rows: Sequence[str] | None = None,
    together: int | None = None,
    machinery: Machinery | None = None,
    progress: bool = False,
    tell: Callable[[str], object] = files.say,
) -> str:
    """Run what is missing of a table, keep it in ``file``, and return the Markdown table, which is beside it.

    Several calls may fill one file: a run that another has begun is left to it, and ``tell`` says so.

    Arguments:
        file: NAME.json, a ``recorded.Record``. NAME.md gets the table, and NAME.json.runs holds the run under way.
        scale: that of the whole experiment if not given.
        seeds: 0, 1, ... of each row; seed by seed, so that what is there compares all rows.
        rows: these only; all if not given.
        together: how many seeds are trained side by side; if not given all or one, whichever was found faster.

    Raises ``ValueError`` for an unknown table or row, for a file with other settings or a NAME.md that is no table of
    ours, and for several processes where only one can work.
    """
    table = TABLES[arguments.choice("table", name, list(TABLES))]
    scale = scale or table.full
    chosen = [arguments.choice("row", row, list(table.rows)) for row in rows or table.rows]
    seeds = arguments.count("seeds", seeds, at_most=table.most_seeds)
    machinery = machinery or Machinery()
    processes = machinery.processes
    together = None if together is None else arguments.count("together", together, at_most=MOST_TOGETHER)
    if processes.size > 1 and not table.shared:
        raise ValueError(f"{name} has runs that are too short to share: start it without torchrun, as one process.")
    if file.suffix != ".json":
        raise ValueError(f"file must end in .json, got {file}: the table goes beside it, with .md in its place.")
    record = Record(file, settings_of(table, scale))
    published = _Published(table, record, file.with_suffix(".md"), tell)
    published.markdown()  # fails now rather than after the first run
    folder = file.with_name(f"{files.short(file.name)}.runs")
    for seed in range(seeds):
        for row in chosen:
            wide = together or (min(seeds, MOST_TOGETHER) if table.side_by_side(row, scale, machinery) else 1)
            with contextlib.ExitStack() as claims:
                group = _claimed(record, row, range(seed, seeds)[:wide], claims, tell) if processes.leads else []
                if seed in group:
                    _facts(record, table)
                    record.write()  # fails now rather than after the training
                group = processes.agree(group)
                if seed not in group:
                    continue
                under_way = folder / f"{slug(row)}-{'-'.join(map(str, group))}.safetensors"
                made = table.measure(row, group, scale, machinery, under_way, progress)
                for runs in [made] if isinstance(made, list) else ([run] for run in made):
                    if processes.leads:
                        record.add(*runs)  # those made side by side at once, for their checkpoint is of all of them
                        published.write()
                        _clear(folder, record, row)
    return published.write() if processes.leads else ""


def settings_of(table: Table, scale: Scale) -> dict[str, object]:
    """What a record of this table at this scale begins with."""
    return {"table": table.name, "scale": scale.named(), **table.settings(scale)}


def _facts(record: Record, table: Table) -> None:
    """Give the record those facts of the table that it has not."""
    record.facts |= {name: compute() for name, compute in table.facts.items() if not record.holds(name)}


def _claimed(
    record: Record, row: str, seeds: Sequence[int], claims: contextlib.ExitStack, tell: Callable[[str], object]
) -> list[int]:
    """Those of the seeds that are still to be made and that nobody else makes now; ``claims`` holds them."""
    free = []
    for seed in seeds:
        if record.has(row=row, seed=seed):
            continue
        try:
            if claims.enter_context(record.claim(row=row, seed=seed)):
                free.append(seed)
        except files.Busy as busy:
            tell(f"{row}, seed {seed}: left to {busy.holder}. The same line again makes it if that fails.")
    return free


class _Published:
    """The Markdown table beside a record."""

    def __init__(self, table: Table, record: Record, file: Path, tell: Callable[[str], object]) -> None:
        self.table, self.record, self.file, self.tell = table, record, file, tell
        self.known: files.Known = {}
        files.refuse(file, files.TEXT)

    def markdown(self) -> str:
        """The table of the runs that are there. Raises ``ValueError`` where they are not what the table measures."""
        try:
            if strange := {run["row"] for run in self.record.runs} - self.table.rows.keys():
                raise ValueError(f"no row is called {strange}")
            done = [(run["row"], run["seed"]) for run in self.record.runs]
            if len(done) > len(set(done)):
                raise ValueError("a run stands there twice")
            content = json.loads(json.dumps(self.record.content()))  # as a reader of the file sees it
            return report.markdown(self.table, content)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as failure:
            others = (
                "a number in them cannot be" if isinstance(failure, ArithmeticError) else "something is missing in them"
            )
            why = foreign.plain(failure) if isinstance(failure, ValueError) else others
            raise ValueError(
                f"{self.record.file} has runs that are not of the table {self.table.name} ({why}): name another file."
            ) from failure

    def write(self) -> str:
        """Write the table and return it. What somebody has changed in it is kept as a copy, and told."""
        with files.locked(self.file, "writing the table", wait=60):
            self.record.read()  # or what another has added and printed meanwhile would be missing
            text = self.markdown()
            files.write(self.file, files.signed(text), files.TEXT, self.known, self.tell)
        return text


def _clear(folder: Path, record: Record, row: str) -> None:
    """Remove the row's checkpoints whose runs are all in the record, and the folder once it is empty."""
    for file in folder.glob(f"{slug(row)}-*.safetensors"):
        seeds = file.stem.removeprefix(f"{slug(row)}-").split("-")
        done = all(seed.isdecimal() and record.has(row=row, seed=int(seed)) for seed in seeds)
        if done and checkpoint.run_of(file) is not None:
            file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something else is in it
        folder.rmdir()
