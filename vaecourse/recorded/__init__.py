"""Results that take too long for a page: each is a JSON file with its settings, seeds, machine, commit and times.

``python -m vaecourse reproduce`` makes them. A record's settings name the experiment and the scale: NAME.json, or
NAME_DATA.json where it is there for several images, with a word more for another schedule, is made by
``vaecourse/reproduce/tables/NAME.py``. The table beside it, NAME.md, is printed from it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from vaecourse import __version__, arguments, files

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
    return json.loads(path(arguments.choice("name", name, known)).read_text(encoding="utf-8"))


class Record:
    """A result that grows run by run: each run is on disk once it is done, and a second call goes on after the last.

    Several processes may fill one record: each reads again before it writes, and ``claim`` shares out the runs.

    Arguments:
        file: a JSON file of ``settings``, ``machine``, ``commit`` and ``runs``. One that is there already is gone on
            with; what else somebody wrote into it stays.
        settings: what all runs have in common.
        facts: what else belongs to the result, and to no run.

    Raises ``ValueError`` if the file holds runs with other settings, or is no such file. It is left as it is.
    """

    def __init__(self, file: str | Path, settings: dict[str, Any], **facts: Any) -> None:
        self.file = Path(file)
        self.settings = json.loads(json.dumps(settings))  # as they will be read back: no tuples
        self.machine = machine()
        self.commit: str | None = commit()
        self.facts = facts
        self.runs: list[dict[str, Any]] = []
        self._unwritten: list[dict[str, Any]] = []
        self._known: files.Known = {}
        self._other_keys: dict[str, Any] = {}  # what is in the file and not of this class
        self.read()

    def has(self, **keys: object) -> bool:
        """Whether a run with these entries is there."""
        return any(all(run.get(key) == value for key, value in keys.items()) for run in self.runs)

    @contextlib.contextmanager
    def claim(self, **keys: object) -> Iterator[bool]:
        """For as long as the block runs, nobody else makes the run with these entries; whether it is still to be made.

        Raises ``files.Busy`` if somebody makes it, which says who.
        """
        words = ", ".join(f"{key} {value}" for key, value in keys.items())
        name = "-".join(slug(str(value)) for value in keys.values())
        with files.locked(self.file.with_name(f"{self.file.name}.{name}"), f"making {words}"):
            self.read()
            yield not self.has(**keys)

    def add(self, *runs: dict[str, Any]) -> None:
        """Append runs and write the file, whole or not at all. A run of another machine or another commit says so.

        What other processes have added meanwhile stays. Raises ``ValueError`` if somebody has put another file in the
        place of this one: it is left as it is, and what was made is in a new file that the error names. Raises
        ``OSError`` if nothing can be written; then the runs in hand are in the error itself.
        """
        here = machine()
        own: dict[str, Any] = {} if here == self.machine else {"machine": here}
        own |= {} if commit() == self.commit else {"commit": commit()}
        made = [run | own for run in runs]
        self.runs += made
        self._unwritten += made
        try:
            try:
                self.write()
            except (ValueError, files.Busy) as failure:
                aside = self.file.with_name(
                    f"{files.short(self.file.stem)}-{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}.json"
                )
                files.replace(aside, self._bytes())
                raise type(failure)(f"{failure} The {len(self.runs)} runs in hand are in {aside}.") from failure
        except files.Busy:
            raise
        except OSError as failure:
            words = f"{failure.strerror or failure} What was measured: {json.dumps(self._unwritten)}"
            raise (OSError(words) if failure.errno is None else OSError(failure.errno, words)) from failure

    def write(self) -> None:
        """Write the file as it stands: that it can be written is better known before the work than after it."""
        with files.locked(self.file, "adding a run", wait=60):
            self.read()
            files.write(self.file, self._bytes(), files.Kind(KIND, lambda path: True), self._known)
            self._unwritten.clear()

    def read(self) -> None:
        """Take in what is in the file; runs that are not there yet stay in hand, after those that are."""
        if not os.path.lexists(self.file):
            return
        now = files.stamp(self.file)
        before = content(self.file)
        if before["settings"] != self.settings:
            raise ValueError(f"{self.file} holds runs with other settings: name another file, or move it away.")
        self.machine, self.commit = before["machine"], before.get("commit")
        self.runs = [*before["runs"], *self._unwritten]
        if now is not None:
            self._known[files.real(self.file)] = now
        self._other_keys = {key: value for key, value in before.items() if key not in OWN}

    def holds(self, fact: str) -> bool:
        """Whether the file has a fact of this name."""
        return fact in self._other_keys

    def content(self) -> dict[str, Any]:
        """What the file holds, once it is written."""
        own = {"settings": self.settings, "machine": self.machine, "commit": self.commit, "runs": self.runs}
        return {**own, **self._other_keys, **self.facts}

    def _bytes(self) -> bytes:
        return (json.dumps(self.content(), indent=1) + "\n").encode()


OWN = ("settings", "machine", "commit", "runs")  # the parts of a record; its commit is null where that was not recorded


KIND = "a recorded result"
LARGEST = 8_000_000  # bytes; the largest of the course has 300 kB, and with a table's most_seeds it has up to 6 MB


def content(file: Path) -> dict[str, Any]:
    """What is in the file of a record. Raises ``ValueError`` if that is none, and ``OSError`` if it cannot be read."""
    wrong = ValueError(f"{files.shown(file)} is not {KIND}: name another file, or move it away.")
    if not file.is_file():
        raise wrong
    try:
        text = files.content(file, LARGEST)
    except ValueError as failure:
        raise ValueError(f"{failure} No recorded result has so many: name another file, or move it away.") from failure
    try:
        found = json.loads(text, object_pairs_hook=_once)
        parts = found["settings"], found["machine"], found["runs"]
    except (ValueError, KeyError, TypeError, RecursionError) as failure:
        raise wrong from failure
    if not all(isinstance(part, of) for part, of in zip(parts, (dict, dict, list))):
        raise wrong
    if not all(isinstance(run, dict) for run in found["runs"]) or not isinstance(found.get("commit"), str | None):
        raise wrong
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of whose names none may stand twice: one of the values would be dropped."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def slug(words: str) -> str:
    """``words`` as part of a file's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in words)


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


ROOT = Path(__file__).parents[2]  # of a checkout; for an installed package, some folder of Python's


@functools.lru_cache(maxsize=1)
def commit() -> str:
    """The commit of the checkout that this package lies in, "+changed" if it differs from that; else the version.

    The records that lie in the package, which may just be growing, change nothing of it.
    """
    git = ["git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C", str(ROOT)]
    status = ["status", "--porcelain", "--", "vaecourse", ":(exclude)vaecourse/recorded/*.json"]
    status += [":(exclude)vaecourse/recorded/*.md"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook's repository
    try:
        if not (ROOT / ".git").exists():  # or git would look for a checkout above, which may be of something else
            raise FileNotFoundError
        head, changed = (
            subprocess.check_output([*git, *words], env=own, stderr=subprocess.DEVNULL, encoding="utf-8", timeout=60)
            for words in (["rev-parse", "HEAD"], status)
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return f"version {__version__}"
    return f"{head.strip()}{'+changed' if changed else ''}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
