"""Results that take too long for a page: each is a JSON file with its settings, seeds, versions, machine and times.

The script that made ``NAME.json`` is benchmarks/NAME.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from vaecourse import arguments, atomic

FOLDER = Path(__file__).parent


def path(name: str) -> Path:
    """Where the result of this name is, or will be."""
    return FOLDER / f"{name}.json"


def load(name: str) -> dict[str, Any]:
    """The recorded result of this name. Raises ``ValueError``, with the nearest known name, if there is none of it.

    >>> load("one_budget")["settings"]["schedule"]["epochs"]
    50
    """
    known = sorted(file.stem for file in FOLDER.glob("*.json"))
    return json.loads(path(arguments.choice("name", name, known)).read_text())


class Record:
    """A result that grows run by run: each run is on disk once it is done, and a second call goes on after the last.

    Arguments:
        file: a JSON file of ``settings``, ``machine`` and ``runs``. One that is there already is gone on with.
        settings: what all runs have in common.
        facts: what else belongs to the result, and to no run.

    Raises ``ValueError`` if the file holds runs with other settings, or is no such file. It is left as it is.
    """

    def __init__(self, file: str | Path, settings: dict[str, Any], **facts: Any) -> None:
        self.file = Path(file)
        self.settings = json.loads(json.dumps(settings))  # as they will be read back: no tuples
        self.machine = machine()
        self.facts = facts
        self.runs: list[dict[str, Any]] = []
        if self.file.exists():
            self._go_on()

    def has(self, **keys: object) -> bool:
        """Whether a run with these entries is there."""
        return any(all(run.get(key) == value for key, value in keys.items()) for run in self.runs)

    def add(self, run: dict[str, Any]) -> None:
        """Append a run and write the file, whole or not at all. A run made on another machine says so."""
        here = machine()
        self.runs.append(run if here == self.machine else run | {"machine": here})
        content = {"settings": self.settings, "machine": self.machine, "runs": self.runs, **self.facts}
        atomic.write(self.file, (json.dumps(content, indent=1) + "\n").encode())

    def _go_on(self) -> None:
        try:
            before = json.loads(self.file.read_text(encoding="utf-8"))
            settings, self.machine, self.runs = before["settings"], before["machine"], before["runs"]
        except (ValueError, KeyError, TypeError) as failure:
            raise ValueError(f"{self.file} is not a recorded result: name another file, or move it away.") from failure
        if settings != self.settings:
            raise ValueError(f"{self.file} holds runs with other settings: name another file, or move it away.")


def fill(
    name: str,
    description: str | None,
    settings: dict[str, Any],
    rows: Iterable[str],
    measure: Callable[[str, int], dict[str, Any]],
    seeds: int,
) -> None:
    """The command line of benchmarks/NAME.py: ``measure(row, seed)`` for every row and seed that is not there yet."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--to", type=Path, default=path(name))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    record = Record(options.to, settings)
    for seed in range(options.seeds):
        for row in rows:
            if not record.has(row=row, seed=seed):
                record.add(measure(row, seed))
                print(record.runs[-1], flush=True)


def machine() -> dict[str, Any]:
    """Where and with what a result is made."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
