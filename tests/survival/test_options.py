"""Every option of every command, with every hostile value: a sentence and exit code 1 or 2, or it is taken.

The options are those that the command line itself declares, so that a new one is tried as well.
"""

import os
import re
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
import typer
from typer.testing import CliRunner

from tests.survival.test_hostile import little_memory  # noqa: F401 - a fixture
from vaecourse import arguments, data, objectives, train
from vaecourse.commands import app

HUGE, MOST = 10**30, 2**63 - 1
NUMBERS = [0, -1, HUGE, -HUGE, MOST, 2**62, "nan", "inf", "-inf", "", " ", "x", "1e308", "1e400", "9" * 5000]
WORDS = ["", " ", "x", "\x1b[2J", "a\nb", "a\0b", "\u202e", "x" * 5000, "-1", "../..", "cpu:99", "cuda:99", "meta"]
PLACES = ["", ".", "..", "/dev/null", "/dev/full", "/proc/nobody/x", "x" * 5000, "FILE/below", "PIPE", "LOOP"]
PLACES += ["FOLDER.json", "FILE", "/proc/x.json", "FILE/below.json", "\x1b[2J.json/", "x" * 300 + ".json"]
if hasattr(typer, "_click"):  # no system hands these on, and an older typer has no sentence for them
    PLACES += ["a\0b", "a\0b.json"]

SHORT = {
    "train": ["digits", "--limit", 20, "--epochs", 1],
    "evaluate": ["CHECKPOINT", "--limit", 20, "--K", 2],
    "reproduce": ["iwae", "--to", "NEW.json", "--data", "digits", "--limit", 20, "--epochs", 1, "--samples", 4]
    + ["--row", "k = 1"],
    "doctor": [],
    "progress": ["."],
    "hand-in": [".", "--name", "Ada", "--to", "NEW.json"],
    "class": ["."],
}
OF_ROWS = {of.name for row in objectives.TABLE.values() for of in row.takes}
TAKEN = {"limit", "test", "batch_size", "seed", "M", "K", "learning_rate"}  # which may be as large as anybody likes


def cases():
    command = typer.main.get_command(app)
    assert command.commands.keys() == SHORT.keys()
    hints = {of.name or of.callback.__name__: get_type_hints(of.callback) for of in app.registered_commands}
    for name, of in command.commands.items():
        with of.make_context(name, [], resilient_parsing=True) as context:
            options = of.get_params(context)  # those of the table's rows too
        for option in options:
            kind = "float" if option.name in OF_ROWS else str(hints[name].get(option.name, "help"))
            if "bool" in kind or kind == "help":
                continue
            values = NUMBERS if re.search("int|float", kind) else PLACES if "Path" in kind else WORDS
            yield pytest.param(name, option, values, id=f"{name}-{option.name}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("options") / "run"
    images = data.digits()
    images = images._replace(train=images.train[:20])
    train.fit(train.untrained(images), images, "iwae", 1, 2, 1, progress=False, checkpoint=path, device="cpu")
    return path


def call(words):
    """Exit code, output and error output, each printable but for its lines."""
    ended = CliRunner().invoke(app, words)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert all(letter.isprintable() or letter in "\r\n\t" for letter in ended.stdout + ended.stderr), ended.stderr
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.mark.parametrize("name, option, values", [*cases()])
def test_an_option_is_taken_or_refused_in_a_sentence(tmp_path, monkeypatch, checkpoint, name, option, values):
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("mine")
    os.mkfifo("PIPE")
    Path("LOOP").symlink_to("LOOP")
    Path("FOLDER.json").mkdir()
    for number, value in enumerate(values):
        words = [
            str(word).replace("CHECKPOINT", str(checkpoint)).replace("NEW", f"new-{number}") for word in SHORT[name]
        ]
        if option.param_type_name == "argument":
            words[0] = str(value)
            words.insert(0, "--") if str(value).startswith("-") else None
            words = [*words[2:], "--", words[1]] if words[0] == "--" else words
        else:
            words += [option.opts[0], str(value)]
        code, _, said = call([name, *words])
        assert code in (0, 1, 2), f"{value!r:.40}: {said}"
        if code:
            line = said.strip().splitlines()[-1]
            assert re.match("error: |Error: ", line, re.I) and len(line) < 6000, f"{value!r:.40}: {said}"
        elif values is NUMBERS:
            assert option.name in TAKEN and value in (0, MOST, 2**62), f"{value!r:.40} is taken for {option.name}"
        assert Path("FILE").read_text() == "mine"


@pytest.mark.parametrize("words", [["--seed", HUGE], ["--epochs", HUGE], ["--K", HUGE], ["--device", "cpu:7"]])
def test_a_wrong_range_is_refused_before_any_work(monkeypatch, words):
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("the images were read"))
    monkeypatch.setattr(train, "load", lambda *_: pytest.fail("the model was read"))
    for command in (["train"], ["evaluate", "x"]):
        if command == ["evaluate", "x"] and words[0] == "--epochs":
            continue
        code, _, said = call([*command, *map(str, words)])
        assert code == 2 and f"error: {words[0].strip('-')} must be " in said


def test_too_much_for_the_memory_names_what_takes_it(monkeypatch):
    """Asked beforehand, for Linux promises more than there is and ends the process; told where it fails after all."""
    code, _, said = call(["train", "--limit", "20", "--epochs", "1", "--K", "100000000"])
    assert code == 2 and re.search(
        "error: M = 1, K = 100000000, batch_size = 100 must be smaller: .* GB are here", said
    )
    monkeypatch.setattr("vaecourse.commands.memory", lambda: float("inf"))
    code, _, said = call(["train", "--limit", "20", "--epochs", "1", "--K", "10000000"])
    assert code == 2 and re.search("error: M = 1, K = 10000000, batch_size = 100 must be smaller: .*allocate", said)


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(train, "fit", broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        call(["train", "--limit", "20"])


def test_what_is_of_memory_and_what_is_not():
    for size in ([10**15], [10**10, 10**10], [2**62, 8]):
        with pytest.raises(RuntimeError) as failure:
            torch.empty(*size)
        assert arguments.is_of_memory(failure.value)
    assert arguments.is_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried")) and arguments.is_of_memory(
        MemoryError()
    )
    assert not arguments.is_of_memory(RuntimeError("shapes differ")) and not arguments.is_of_memory(
        ValueError("out of memory")
    )
