"""Run an answer again, in a process that is not this one: what it says of itself counts nothing.

The process has an empty environment, no open files of ours, and an empty folder that is gone afterwards. If an answer
ends it all the same, a new one goes on with the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaecourse import foreign
from vaecourse.classroom import apart, worker
from vaecourse.classroom.notebooks import Answer

SECONDS = 30.0  # of the processor for one answer, whose check stops it by itself after 20
START = 300.0  # for torch, on a slow disk and a busy machine
STATES = ("solved", "mistake", "wrong", "empty", "stopped")
BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from vaecourse.classroom import worker; worker.main()"


@dataclass(frozen=True)
class Judged:
    """What became of an answer: one of ``STATES``, what is to be told, and the name of a known mistake."""

    state: str
    message: str
    mistake: str | None = None


CANNOT = "The process that runs answers cannot begin, and no report was written: {}"


class CannotRun(OSError):
    """The process that runs answers does not begin."""


class Judge:
    """Holds the process that runs answers; a context, at whose end nothing of it is left."""

    def __init__(self, seconds: float = SECONDS, apart: Path | None = None) -> None:
        """``apart`` is a folder from which nothing may be imported: that of the hand-ins."""
        self.seconds, self.apart = seconds, apart
        self._process: subprocess.Popen[bytes] | None = None
        self._said: queue.Queue[bytes] = queue.Queue()
        self._folder: str | None = None
        self._errors = tempfile.TemporaryFile()

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._errors.close()

    def __call__(self, exercise: str, answer: Answer) -> Judged:
        """The verdict on one answer; never an exception for what the answer does, ``CannotRun`` if none can be run."""
        job = {"exercise": exercise, "name": answer.name, "source": answer.source, "before": answer.before}
        try:
            if self._process is None:
                self._begin()
            self._write(json.dumps({**job, "seconds": self.seconds}).encode() + b"\n")
            raw = self._said.get(timeout=worker.PATIENCE * self.seconds + 10.0)
        except queue.Empty:
            self.end()
            return Judged(**worker.stopped("No verdict came, so it was stopped."))
        except BrokenPipeError:
            raw = b""
        found = _verdict(raw)
        if found is None:
            self.end()
            found = Judged(**worker.stopped("The answer ended the process in which it was run."))
        return found

    def next_person(self) -> None:
        """Where the system cannot fork, nothing that one person's answers have changed reaches another's."""
        if not worker.FORKS:
            self.end()

    def end(self) -> None:
        """End the process, and remove its folder."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                if os.name == "posix":
                    os.killpg(self._process.pid, 9)
                else:
                    self._process.kill()
            self._process.wait()
            self._process = None
        if self._folder is not None:
            apart.remove(self._folder)
            self._folder = None

    def _begin(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="vaecourse-class-")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", BEGIN, json.dumps(self._path())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                cwd=self._folder,
                env=self._environment(self._folder),
                start_new_session=True,
            )
        except OSError as failure:
            raise CannotRun(CANNOT.format(foreign.plain(failure))) from failure
        self._said = queue.Queue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._said), daemon=True).start()
        try:
            ready = self._said.get(timeout=START) == worker.READY.encode()
        except queue.Empty:
            ready = False
        if not ready:
            raise CannotRun(self._why())

    def _why(self) -> str:
        """What the process said before it ended."""
        self._errors.seek(0)
        words = self._errors.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        told = foreign.plain(words[-1]) if words else f"nothing was heard of it for {START:.0f} seconds"
        return CANNOT.format(told)

    def _write(self, line: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _path(self) -> list[str]:
        """Where Python looks for modules: as here, without the folder that one is in and that of the hand-ins."""
        own = Path(worker.__file__).resolve().parents[2]
        places = [Path(place).resolve() for place in sys.path if place]
        apart = [place for place in (Path.cwd(), self.apart) if place is not None]
        kept = [place for place in places if not any(place == folder.resolve() for folder in apart)]
        return [str(place) for place in dict.fromkeys([*kept, own])]

    @staticmethod
    def _environment(folder: str) -> dict[str, str]:
        """Nothing of ours but what Windows needs to start a program."""
        own = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        own |= dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), folder)
        return own | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg", "LC_ALL": "C.UTF-8"}


def _listen(stream: Any, said: queue.Queue[bytes]) -> None:
    """Hand on each line; an empty one when there are no more."""
    with contextlib.suppress(OSError, ValueError), stream:
        while line := stream.readline(2 * worker.LONGEST):
            said.put(line)
    said.put(b"")


def _verdict(raw: bytes) -> Judged | None:
    """What a line says, if it is of the kind that the worker writes."""
    try:
        found = Judged(**json.loads(raw))
    except (ValueError, TypeError, RecursionError):
        return None
    if not (isinstance(found.message, str) and isinstance(found.mistake, str | None) and found.state in STATES):
        return None
    mistake = None if found.mistake is None else foreign.plain(found.mistake, 100)
    return Judged(found.state, foreign.visible(found.message[:5000]), mistake)
