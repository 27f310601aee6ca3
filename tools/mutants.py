"""Mutation testing: plant every small bug that a machine can think of, and see whether the tests notice.

    python -m tools.mutants                    every room of ROOMS, which takes hours
    python -m tools.mutants bounds exact       these rooms

mutmut changes one operator, number, name or argument at a time and runs the tests that reach it. A bug that no test
notices is a *survivor*. tools/mutants.toml lists those that change nothing a test could or should see, each with its
reason; the others are printed as they stand in the code. The exit code is 1 if a room's score is below LEAST, or if a
survivor is not listed. Work happens in build/mutants; the package itself is never touched.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WORKSHOP = ROOT / "build/mutants"
KNOWN = ROOT / "tools/mutants.toml"
LEAST = 0.95  # of the mutants are noticed
ROOMS = {  # room of the package: the tests that must notice
    "bounds": ["tests/test_bounds.py"],
    "objectives": ["tests/test_objectives.py"],
    "gradients": ["tests/test_gradients.py"],
    "divergences": ["tests/divergences"],
    "hierarchical": ["tests/hierarchical"],
    "exact": ["tests/exact"],
}
SURVIVED, NO_TEST, NOT_RUN = {0}, {5, 33}, {None, 34}  # mutmut's exit codes; all others are a test that failed or hung


class Mutant(NamedTuple):
    """One planted bug: the lines before and after."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}\n  - {self.before}\n  + {self.after}"


class Report(NamedTuple):
    """What became of a room's mutants."""

    room: str
    total: int
    survivors: list[Mutant]
    known: int  # of the survivors, those that are listed with a reason

    @property
    def score(self) -> float:
        return 1 - len(self.survivors) / max(self.total, 1)

    @property
    def passed(self) -> bool:
        return self.total > 0 and self.score >= LEAST and self.known == len(self.survivors)

    def __str__(self) -> str:
        noticed = self.total - len(self.survivors)
        return f"{self.room:13} {noticed:5} of {self.total:5} noticed, {self.score:6.1%}; {self.known} survivors listed"


def test(room: str, workers: int) -> Report:
    """Plant the bugs of one room in a copy of the package and run its tests on each."""
    bench = WORKSHOP / room
    shutil.rmtree(bench, ignore_errors=True)
    bench.mkdir(parents=True)
    for part in ("vaecourse", "tests", "benchmarks", "README.md", "LICENSE"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, bench / part)
    (bench / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + settings(room))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(bench)}
    with open(bench / "log", "w") as log:
        mutmut(bench, environment, "run", "--max-children", str(workers), stdout=log)
    codes: dict[str, int | None] = {}
    for meta in (bench / "mutants").rglob("*.meta"):
        codes |= json.loads(meta.read_text())["exit_code_by_key"]
    if not codes or any(code in NOT_RUN for code in codes.values()):
        raise SystemExit(f"mutmut did not run all mutants of {room}: {bench / 'log'} says why.")
    left = [name for name, code in codes.items() if code in SURVIVED | NO_TEST]
    survivors = [changed_lines(name, mutmut(bench, environment, "show", name)) for name in left]
    return Report(room, len(codes), survivors, sum(is_known(room, mutant) for mutant in survivors))


def settings(room: str) -> str:
    """What mutmut must know, for the end of the copy's pyproject.toml."""
    package = ROOT / "vaecourse" / room
    source = f"vaecourse/{room}" if package.is_dir() else f"vaecourse/{room}.py"
    return (
        f"\n[tool.mutmut]\nsource_paths = {json.dumps([source])}\n"
        f"pytest_add_cli_args_test_selection = {json.dumps(ROOMS[room])}\n"
        'pytest_add_cli_args = ["-p", "no:cacheprovider", "-q"]\n'
        'also_copy = ["vaecourse", "tests", "benchmarks", "README.md", "LICENSE"]\n'
    )


def mutmut(bench: Path, environment: dict[str, str], *words: str, stdout: object = subprocess.PIPE) -> str:
    """Call mutmut in ``bench`` and return what it printed."""
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(
        command, cwd=bench, env=environment, stdout=stdout, stderr=subprocess.STDOUT, text=True, check=False
    )  # type: ignore[call-overload]
    return done.stdout or ""


def changed_lines(name: str, difference: str) -> Mutant:
    """The mutant in a unified difference."""
    lines = lambda sign: " ".join(
        line[1:].strip() for line in difference.splitlines() if re.match(rf"\{sign}(?!\{sign})", line)
    )
    return Mutant(name, lines("-"), lines("+"))


def is_known(room: str, mutant: Mutant) -> bool:
    """Whether the survivor is listed, with a reason, in tools/mutants.toml."""
    listed = tomllib.loads(KNOWN.read_text()).get(room, [])
    return any(mutant.before == row["before"] and mutant.after in row["after"] for row in listed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", choices=[[], *ROOMS], default=list(ROOMS), metavar="room")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    outcome = Counter[bool]()
    for room in options.rooms:
        report = test(room, options.workers)
        print(report, flush=True)
        for mutant in report.survivors:
            if not is_known(room, mutant):
                print(f"  survivor {mutant}", flush=True)
        outcome[report.passed] += 1
    return int(outcome[False] > 0)


if __name__ == "__main__":
    sys.exit(main())
