"""The other side of ``judging``: a process that runs answers, each in a child of its own where the system can fork.

It reads a line of JSON for each answer and writes one with the verdict. Fork is what makes a class bearable: to import
torch takes seconds, a child of a process that has it a hundredth of one.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import importlib
import json
import linecache
import os
import secrets
import select
import signal
import sys
import tempfile
import time
from typing import Any, NoReturn

from vaecourse import foreign
from vaecourse.classroom import apart, limits
from vaecourse.classroom.slices import parsed

FORKS = sys.platform == "linux"  # macOS has fork, and libraries that do not survive it
AT_HAND = ["numpy", "torch.distributions", "scipy.stats"]  # what answers import, and takes a second each time
AT_HAND += [f"vaecourse.{name}" for name in "bounds exact divergences hierarchical models objectives gradients".split()]
AT_HAND += ["torch._dynamo"] if FORKS else []  # an optimizer's first step takes it, seconds in each child
READY = "ready\n"
CELL = "<the answer>"
LONGEST = 100_000  # bytes of a verdict
PATIENCE = 3.0  # seconds on the clock for each of the processor's: a busy machine makes no right answer wrong
LOOK = 0.25  # seconds between two looks at what was written
MOST = f"{apart.ENTRIES} files or wrote more than {apart.BYTES // 1_000_000} MB"
TOO_MUCH = f"The answer made more than {MOST}, so it was stopped."
Verdict = dict[str, Any]  # state: solved, mistake, wrong, empty or stopped; message; mistake


def main() -> None:
    """Judge until no more answers come."""
    jobs, verdicts = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    if FORKS:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # a child's children come to us when it ends: they are ended, too
    else:
        limits.of_files()
    from vaecourse import checks

    for module in AT_HAND:
        with contextlib.suppress(ImportError):  # what is not there, no answer can use
            importlib.import_module(module)
    _no_streams()
    verdicts.write(READY)
    verdicts.flush()
    for line in jobs:
        job = json.loads(line)
        checks.ALL[job["exercise"]]  # read before the fork, and then never again
        verdict = _in_a_child(job) if FORKS else _here(job)
        verdicts.write(json.dumps(verdict) + "\n")
        verdicts.flush()


def _no_streams() -> None:
    """Nothing comes in, and what is printed goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _here(job: dict[str, Any]) -> Verdict:
    """In this very process, which whoever asks ends when it takes too long; the folder is the asker's."""
    return judged(job)


def _in_a_child(job: dict[str, Any]) -> Verdict:
    with apart.folder("vaecourse-") as folder:
        reading, writing = os.pipe()
        word = secrets.token_hex(16)
        child = os.fork()
        if child == 0:
            _be_the_child(job, folder, writing, word)
        os.close(writing)
        try:
            raw = _heard(reading, time.monotonic() + PATIENCE * job["seconds"], folder)
        finally:
            os.close(reading)
            code = _ended(child)
        if raw is None and apart.has_too_much(folder):
            return stopped(TOO_MUCH)
        return _understood(raw, word, code, job["seconds"])


def _be_the_child(job: dict[str, Any], folder: str, writing: int, word: str) -> NoReturn:
    """Judge and say the verdict, with the word by which it is known; whatever happens, this process ends here."""
    try:
        os.setsid()
        os.dup2(writing, 3)
        os.closerange(4, 4096)
        os.chdir(folder)
        os.environ.update(HOME=folder, TMPDIR=folder)
        tempfile.tempdir = folder
        limits.lower(job["seconds"], folder)
        said = (json.dumps({"word": word, **judged(job)}) + "\n").encode()
        while said:
            said = said[os.write(3, said) :]
    finally:
        os._exit(0)


def _heard(reading: int, deadline: float, folder: str) -> bytes | None:
    """What a child says, up to the end of the line; None if it said nothing in time, or made too much in its folder."""
    raw = b""
    while (left := deadline - time.monotonic()) > 0 and not apart.has_too_much(folder):
        if select.select([reading], [], [], min(left, LOOK))[0]:
            more = os.read(reading, LONGEST)
            raw += more
            if not more or b"\n" in more or len(raw) > LONGEST:
                return raw
    return None


def _ended(child: int) -> int:
    """End a child and all that it has begun; return how it had ended, in the words of ``os.waitstatus_to_exitcode``."""
    time.sleep(0.001)  # one that has said its verdict is about to end
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it may have left its group, or not made it yet
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ChildProcessError):
        while True:  # what it has left behind is ours now
            for orphan in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            os.waitpid(-1, 0)
    return code


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(number) for number in file.read().split()]
    except OSError:
        return []


def _understood(raw: bytes | None, word: str, code: int, seconds: float) -> Verdict:
    from vaecourse.checks import messages

    if raw is None or code == -getattr(signal, "SIGXCPU", 0):
        return stopped(messages.TOO_LONG.format(seconds))
    try:
        said = json.loads(raw.partition(b"\n")[0])
        if said.pop("word") == word:
            return dict(said)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        pass
    if raw:
        return stopped("The answer wrote by itself to where its verdict is read from, so there is none.")
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return stopped(f"The answer ended its process before there was a verdict ({how}).")


def stopped(message: str) -> Verdict:
    return {"state": "stopped", "message": message, "mistake": None}


# One answer ----------------------------------------------------------------------------------------------------------


def judged(job: dict[str, Any]) -> Verdict:
    """Run an answer's cell behind the lines that it needs, and give what it made to the exercise's check."""
    import torch

    from vaecourse import checks
    from vaecourse.checks import messages

    torch.manual_seed(0)
    found: dict[str, Any] = {"__name__": "__main__", "display": _nothing, "get_ipython": _nothing}
    for line in getattr(parsed(job["before"]), "body", []):
        with contextlib.suppress(Exception, SystemExit):  # then what it would have made is missing, and that is told
            _run([line], found, "<lines above>")
    if (tree := parsed(job["source"])) is None:
        return _wrong(f"The cell is no Python: {_fault(job['source'])}.")
    lines = job["source"].splitlines(keepends=True)
    linecache.cache[CELL] = (len(job["source"]), None, lines, CELL)  # a check looks into the text
    try:
        _run(tree.body, found, CELL)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a learner's own lines
        if job["name"] not in found:
            told = foreign.plain(f"{type(error).__name__}: {error}")
            return stopped(f"The cell stops before `{job['name']}` is there ({told}).")
    if job["name"] not in found:
        return _wrong(f"The cell makes no `{foreign.plain(job['name'], 60)}`, which the exercise asks for.")
    verdict = checks.ALL[job["exercise"]](found[job["name"]])
    message = foreign.visible(str(verdict.message))[:5000]
    if verdict.passed is True:
        return {"state": "solved", "message": message, "mistake": None}
    if verdict.mistake is not None:
        return {"state": "mistake", "message": message, "mistake": str(verdict.mistake)[:100]}
    return _wrong(message) | ({"state": "empty"} if message.startswith(messages.UNSOLVED) else {})


def _wrong(message: str) -> Verdict:
    return {"state": "wrong", "message": message, "mistake": None}


def _run(lines: list[ast.stmt], found: dict[str, Any], called: str) -> None:
    exec(compile(ast.Module(lines, []), called, "exec"), found)  # noqa: S102 - that is what is asked for


def _nothing(*_: object, **__: object) -> None:
    """What only a notebook has."""


def _fault(source: str) -> str:
    try:
        ast.parse(source)
    except SyntaxError as error:
        return foreign.plain(f"line {error.lineno}, {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return foreign.plain(f"{type(error).__name__}: {error}")
    return "a line that only a notebook understands"
