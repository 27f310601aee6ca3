"""Real processes, killed again and again: what they leave behind is whole, and the run goes on as if nothing had been.

One process imports torch and forks the others, so that a death costs milliseconds.
"""

import builtins
import functools
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.test_train import X, new_model, run
from vaecourse import checkpoint, files, reproduce
from vaecourse.reproduce import scheduled_vaes, training

ROOT = Path(__file__).parents[2]
EPOCHS = 80  # of five steps each: more than twenty lives can get through

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be forked here")


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# The moments ---------------------------------------------------------------------------------------------------------


def at_a_call(count: int) -> None:
    """When Python calls its function number ``count``, of whatever module, torch's and json's too."""
    calls = iter(range(count))

    def watch(frame: object, event: str, arg: object) -> None:
        if event in ("call", "c_call") and next(calls, None) is None:
            die()

    sys.setprofile(watch)


def before(module: object, name: str, count: int) -> None:
    """Before the function of this name is called for the time number ``count``."""
    original, calls = getattr(module, name), iter(range(1, count))

    def dying(*args: object, **options: object) -> object:
        if next(calls, None) is None:
            die()
        return original(*args, **options)

    setattr(module, name, dying)


def in_a_write(count: int) -> None:
    """When half of the bytes of file number ``count`` are written."""
    opened = iter(range(1, count))

    class Half:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> "Half":
            return self

        def write(self, content: bytes) -> None:
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            die()

        def __exit__(self, *_: object) -> None:
            pass

    def opening(*args: object) -> object:
        file = builtins.open(*args)
        return Half(file) if next(opened, None) is None else file

    files.whole.open = opening


MOMENTS: dict[str, Callable[[int], None]] = {
    "at a call": at_a_call,
    "in a write": in_a_write,
    "before it is on the disk": lambda count: before(files.os, "fsync", count),
    "before it has its name": lambda count: before(files.os, "replace", count),
    "after it has its name": lambda count: before(files.whole, "_sync_folder", count),
    "by the clock": lambda count: None,  # its parent's
}


# The process that sends the others to their death --------------------------------------------------------------------


def train_on(file: str) -> None:
    run(held_out=X[:11], checkpoint=file, epochs=EPOCHS)


def reproduce_on(file: str) -> None:
    scheduled_vaes.train_ensemble = functools.partial(
        training.train_ensemble, every=0.0
    )  # a checkpoint after each pass, not each ten seconds
    scale = reproduce.Scale("digits", epochs=6, limit=40, samples=9)
    reproduce.make("iwae", Path(file), scale, seeds=2, rows=["k = 1"], together=1)


def serve(work: str, file: str, deaths: list[tuple[str, int]], threads: int) -> None:
    """Let one child after the other go on with the work on a file and die; keep what each has left behind."""
    torch.set_num_threads(threads)
    for late in ("filelock", "torch._dynamo", "sklearn.datasets", "sklearn.model_selection"):
        importlib.import_module(late)  # or each child would import them again
    for number, (moment, count) in enumerate(deaths):
        if not (child := os.fork()):
            MOMENTS[moment](count)
            globals()[work](file)
            os._exit(0)
        if moment == "by the clock":
            time.sleep(count / 1000)
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == -signal.SIGKILL, f"death {number}, {moment} {count}: the process ended with {code}"
        if os.path.exists(file):
            shutil.copy(file, f"{file}.{number:02}")


def let_them_die(work: Callable[[str], None], file: Path, deaths: list[tuple[str, int]]) -> None:
    arguments = json.dumps([work.__name__, str(file), deaths, torch.get_num_threads()])
    program = "import json, sys; from tests.survival.test_killed import serve; serve(*json.loads(sys.argv[1]))"
    ended = subprocess.run([sys.executable, "-c", program, arguments], cwd=ROOT, timeout=300, stderr=subprocess.PIPE)
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]


# The tests -----------------------------------------------------------------------------------------------------------


def twenty(seed: int) -> list[tuple[str, int]]:
    """Twenty moments: each kind at least twice, the rest at any call of the next epochs, in random order."""
    draw = random.Random(seed)
    deaths = [(moment, draw.randint(1, 3)) for moment in MOMENTS if "it" in moment or "write" in moment] * 2
    deaths += [("by the clock", draw.randint(1, 90)) for _ in range(4)]
    deaths += [("at a call", draw.randint(1, 110_000)) for _ in range(20 - len(deaths))]
    draw.shuffle(deaths)
    return deaths


def test_twenty_kills_change_nothing(tmp_path):
    file = tmp_path / "killed.safetensors"
    model, history = run(held_out=X[:11], checkpoint=tmp_path / "whole", epochs=EPOCHS)
    let_them_die(train_on, file, twenty(seed=0))
    left = [checkpoint.read(path)[1]["history"] for path in sorted(tmp_path.glob("killed.safetensors.??"))]
    done = [len(epochs) for epochs in left]
    assert len(left) >= 19 and done == sorted(done) and 5 < done[-1] < EPOCHS and len(set(done)) > 10
    for epochs in left:  # each is a whole checkpoint of the very run
        assert [epoch[:2] for epoch in epochs] == [list(epoch[:2]) for epoch in history.epochs[: len(epochs)]]
    again, resumed = run(new_model(), held_out=X[:11], checkpoint=file, epochs=EPOCHS)
    assert resumed.train == history.train and resumed.held_out == history.held_out
    ours, theirs = checkpoint.read(file)[0], checkpoint.read(tmp_path / "whole")[0]  # weights, Adam, random numbers
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all(torch.equal(one, other) for one, other in zip(again.parameters(), model.parameters(), strict=True))


def test_the_kills_of_a_seed_are_of_every_kind():
    deaths = twenty(seed=0)
    assert len(deaths) == 20 and {moment for moment, _ in deaths} == set(MOMENTS)


def test_a_table_whose_process_is_killed_ten_times_is_the_same_table(tmp_path):
    """In its checkpoints, in its record, in its Markdown, in its steps; what differs is the time it took."""
    whole, file = tmp_path / "whole" / "iwae.json", tmp_path / "killed" / "iwae.json"
    draw = random.Random(1)
    deaths = [(moment, draw.randint(1, 2)) for moment in MOMENTS if "it" in moment or "write" in moment]
    deaths += [("at a call", draw.randint(1, 20_000)) for _ in range(4)] + [("in a write", 1), ("in a write", 2)]
    draw.shuffle(deaths)
    let_them_die(reproduce_on, file, deaths)
    reproduce_on(whole)
    reproduce_on(file)
    runs = [
        [{key: value for key, value in run.items() if not key.endswith("_seconds")} for run in record["runs"]]
        for record in (json.loads(path.read_text()) for path in (whole, file))
    ]
    assert runs[0] == runs[1] and len(runs[0]) == 2
    assert not list(tmp_path.rglob("*.safetensors"))  # none is left that waits to be gone on with
