"""Files from outside: forged checkpoints, records, images and mirrors. Each is refused in one sentence, and left alone.

The corpus is made here, from seeds. A limit on the memory of this process turns any allocation of gigabytes into a
failure. The tests that say "item" are an attacker's reproductions, which this package once failed.
"""

import contextlib
import copy
import gzip
import json
import math
import os
import random
import shlex
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
import zlib
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from tests.labs.test_live import GOAL, GoalTrainer
from tests.test_data import contents, idx, server, source  # noqa: F401 - fixtures
from tests.test_train import X, new_model, run, same
from vaecourse import checkpoint, data, description, doctor, recorded, reproduce, train
from vaecourse.__main__ import app
from vaecourse.labs.latent_space import LatentTrainer
from vaecourse.models import VAE

SPARE = 2**30  # bytes that a test may take on top of what it begins with


@pytest.fixture(autouse=True)
def little_memory():
    """Nothing here may allocate gigabytes."""
    resource = pytest.importorskip("resource", reason="Windows has no limit on the memory of a process")
    if not Path("/proc/self/statm").exists():
        yield  # the limit is there, and does not count what was taken before
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + SPARE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def at_most(size):
    """Python's own objects take no more bytes than this at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def told(call, *names, must=True):
    """The sentence that a call refuses its input with, in one line that names it; None if it takes it, if it may."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except (ValueError, TypeError, OSError) as failure:
            said = str(failure)
            assert "\n" not in said and len(said) < 5000, said
            assert not isinstance(failure, UnicodeError), failure
            assert all(name in said for name in names), f"{names} are not named: {said}"
            return said
    assert not must, "it was taken"
    return None


@contextlib.contextmanager
def untouched(path):
    """The file stays byte for byte as it is."""
    before = path.read_bytes() if path.is_file() and path.stat().st_size < 10**7 else None
    status = path.stat()
    yield
    assert before is None or path.read_bytes() == before
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)


# Checkpoints ---------------------------------------------------------------------------------------------------------


def parsed(content):
    """Tensors and run of a checkpoint."""
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length])["__metadata__"]["run"]
    return safetensors.torch.load(content), json.loads(text)


def forged(content, change):
    """The checkpoint with other content and the sha256 of that; ``change`` may give the text of the run itself."""
    tensors, said = parsed(content)
    instead = change(tensors, said)
    text = instead if isinstance(instead, str) else json.dumps(said)
    metadata = {"format": checkpoint.FORMAT, "run": text, "sha256": checkpoint.digest(tensors, text)}
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A checkpoint of ``fit`` and one of a lab."""
    folder = tmp_path_factory.mktemp("good")
    run(epochs=2, checkpoint=folder / "fit", held_out=X[:11])
    GoalTrainer(3).train(GOAL, 12).save(folder / "lab", GOAL)
    return {name: (folder / name).read_bytes() for name in ("fit", "lab")}


def state_of(kept):
    """All that a refused file must leave alone, bit for bit."""
    states = [kept.model.state_dict(), kept.optimizer.state_dict(), [g.get_state() for g in kept.generators.values()]]
    return copy.deepcopy(states + [torch.default_generator.get_state()])


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other))
    return one == other


def resume(path):
    """``Checkpoint.resume`` of a run that is under way; a refusal leaves model, optimizer and generators alone."""
    model, settings = new_model(), parsed_settings
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    generators = {name: torch.Generator().manual_seed(9) for name in ("pixels", "noise", "layers")}
    kept = checkpoint.Checkpoint(path, settings, model, optimizer, generators)
    before = state_of(kept)
    try:
        kept.resume(4)
    except BaseException:
        assert equal(state_of(kept), before), "a refused file has changed the run"
        raise


parsed_settings: dict = {}


@pytest.fixture(scope="module", autouse=True)
def settings_of_the_run(files):
    parsed_settings.update(parsed(files["fit"])[1]["settings"])


def fit(path):
    model = new_model()
    try:
        run(model, epochs=3, checkpoint=path, held_out=X[:11])
    except BaseException:
        assert same(model, new_model()), "a refused file has changed the model"
        raise


def lab(path):
    trainer = GoalTrainer(0).train(GOAL, 4)
    before = [getattr(trainer, name) for name in ("steps", "seed", "history", "turns", "_before")]
    states = state_of(trainer._checkpoint(path))
    try:
        trainer.load(path)
        trainer.train(GOAL, 2)
        assert len(trainer.curve("distance")[0]) == len(trainer.history)
    except BaseException:
        assert [getattr(trainer, name) for name in ("steps", "seed", "history", "turns", "_before")] == before
        assert equal(state_of(trainer._checkpoint(path)), states), "a refused file has changed the trainer"
        raise


def put(place, value):
    """A change that puts a value at a place of the run, as in "settings.model.dtype"."""

    def change(_, said):
        *above, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
        for part in above:
            said = said[part]
        said[last] = value

    return change


def drop(place):
    def change(_, said):
        *above, last = place.split(".")
        for part in above:
            said = said[part]
        del said[last]

    return change


def tensor(name, value):
    """A change that puts a tensor in the place of another, or of none; a function gets the one that is there."""

    def change(tensors, _):
        tensors[name] = value(tensors[name]) if callable(value) else value

    return change


def lacks(*names):
    def change(tensors, _):
        for name in names:
            del tensors[name]

    return change


def text(value):
    """A change of the whole run into this text."""
    return lambda *_: value if isinstance(value, str) else json.dumps(value)


def history(row):
    """A change that adds a row to the history."""
    return lambda _, said: said["history"].append(row)


NAN, FAR = float("nan"), 10**400
DEEP = "[" * 100_000 + "]" * 100_000
NO_RUN = {
    "no json": text("my thesis"), "an empty run": text(""), "a list": text([]), "null": text("null"),
    "a number": text("7"), "deep": text(DEEP),
    "deep settings": text(f'{{"settings": {{"model": {DEEP}}}, "history": []}}'),
    "a bit deep": text('{"settings": {"model": ' + "[" * 500 + "]" * 500 + '}, "history": []}'),
    "deep history": text(f'{{"settings": {{}}, "history": {DEEP}}}'),
    "huge": text('{"settings": ' + "9" * 10_000 + "}"),
    "huge after all": text('{"settings": {}, "history": [[' + "9" * 500 + ", null, 1.0]]}"),
    "no settings": drop("settings"), "no history": drop("history"), "settings text": put("settings", "all"),
    "settings list": put("settings", [1]), "settings null": put("settings", None),
    "history text": put("history", "long"), "history number": put("history", 3),
    "history dict": put("history", {"0": [1, None, 1]}), "rows text": put("history", ["row"]),
    "rows null": put("history", [None]), "rows numbers": put("history", [1, 2]),
    "no tensors": lambda tensors, _: tensors.clear(), "another tensor": tensor("thesis", torch.ones(3)),
    "many tensors": lambda tensors, _: tensors.update({f"model.{n}": torch.zeros(1) for n in range(3000)}),
    "a weight less": lambda tensors, _: lacks(next(name for name in tensors if name.startswith("model.")))(tensors, _),
    "a weight more": tensor("model.more", torch.ones(3)), "a name of nothing": tensor("", torch.ones(3)),
    "a name with a line": tensor("model.a\nb", torch.ones(3)), "a name as a path": tensor("../../etc", torch.ones(3)),
}  # fmt: skip

WEIGHT, BIAS = "model.encoder.0.weight", "model.encoder.0.bias"
NO_MODEL = {
    "wide": put("settings.model.config.latent_dim", 10**9), "wider": put("settings.model.config.latent_dim", 10**18),
    "widest": put("settings.model.config.latent_dim", FAR), "data wide": put("settings.model.config.data_dim", 10**9),
    "hidden wide": put("settings.model.config.hidden", [10**9, 10**9]),
    "deep net": put("settings.model.config.hidden", [1] * 10**6),
    "latent none": put("settings.model.config.latent_dim", 0),
    "latent negative": put("settings.model.config.latent_dim", -2),
    "latent text": put("settings.model.config.latent_dim", "2"),
    "latent float": put("settings.model.config.latent_dim", 2.5),
    "latent true": put("settings.model.config.latent_dim", True),
    "latent list": put("settings.model.config.latent_dim", [2]),
    "hidden text": put("settings.model.config.hidden", "65"), "hidden null": put("settings.model.config.hidden", None),
    "hidden of text": put("settings.model.config.hidden", ["6", "5"]),
    "hidden deep": put("settings.model.config.hidden", [[6], 5]),
    "likelihood": put("settings.model.config.likelihood", "poisson"),
    "likelihood null": put("settings.model.config.likelihood", None),
    "an encoder": put("settings.model.config.encoder", "mine"), "a prior": put("settings.model.config.prior", {"a": 1}),
    "config text": put("settings.model.config", "VAE"), "config list": put("settings.model.config", [9, 2]),
    "config empty": put("settings.model.config", {}), "config null": put("settings.model.config", None),
    "no config": drop("settings.model.config"), "no latent": drop("settings.model.config.latent_dim"),
    "no dtype": drop("settings.model.dtype"), "dtype load": put("settings.model.dtype", "load"),
    "dtype long": put("settings.model.dtype", "int64"), "dtype list": put("settings.model.dtype", ["float32"]),
    "dtype double": put("settings.model.dtype", "float64"), "no model": drop("settings.model"),
    "model text": put("settings.model", "VAE"), "model null": put("settings.model", None),
    "weight turned": tensor(WEIGHT, lambda x: x.T), "weight flat": tensor(WEIGHT, lambda x: x.flatten()),
    "weight long": tensor(WEIGHT, lambda x: x.repeat(2, 1)), "weight scalar": tensor(WEIGHT, torch.zeros(())),
    "weight empty": tensor(WEIGHT, torch.zeros(0)), "weight whole": tensor(WEIGHT, lambda x: x.long()),
    "weight half": tensor(WEIGHT, lambda x: x.half()), "weight double": tensor(WEIGHT, lambda x: x.double()),
    "weight bool": tensor(WEIGHT, lambda x: x > 0), "weight nan": tensor(WEIGHT, lambda x: x * NAN),
    "bias inf": tensor(BIAS, lambda x: x / 0),
    "all double": lambda tensors, _: tensors.update({k: x.double() for k, x in tensors.items() if k[:6] == "model."}),
}  # fmt: skip

ADAM = "optimizer.0."
NO_OPTIMIZER = {
    "index far": tensor("optimizer.99.step", torch.ones(())),
    "index huge": tensor("optimizer.9999999999999.step", torch.ones(())),
    "index negative": tensor("optimizer.-1.step", torch.ones(())),
    "index text": tensor("optimizer.x.step", torch.ones(())),
    "index arabic": tensor("optimizer.٣.step", torch.ones(())),
    "index zeros": tensor("optimizer.00.step", torch.ones(())), "no name": tensor("optimizer.0", torch.ones(())),
    "empty name": tensor("optimizer.0.", torch.ones(())), "another name": tensor(ADAM + "momentum", torch.ones(())),
    "a name more": tensor(ADAM + "max_exp_avg_sq", torch.ones(6, 9)), "no exp_avg": lacks(ADAM + "exp_avg"),
    "no exp_avg_sq": lacks(ADAM + "exp_avg_sq"), "no step": lacks(ADAM + "step"),
    "only step": lacks(ADAM + "exp_avg", ADAM + "exp_avg_sq"),
    "exp_avg flat": tensor(ADAM + "exp_avg", lambda x: x.flatten()),
    "exp_avg scalar": tensor(ADAM + "exp_avg", torch.zeros(())),
    "exp_avg double": tensor(ADAM + "exp_avg", lambda x: x.double()),
    "exp_avg whole": tensor(ADAM + "exp_avg", lambda x: x.long()),
    "exp_avg nan": tensor(ADAM + "exp_avg", lambda x: x * NAN),
    "exp_avg inf": tensor(ADAM + "exp_avg", lambda x: x + math.inf),
    "exp_avg_sq negative": tensor(ADAM + "exp_avg_sq", lambda x: -x - 1),
    "exp_avg_sq inf": tensor(ADAM + "exp_avg_sq", lambda x: x + math.inf),
    "step nan": tensor(ADAM + "step", torch.tensor(NAN)), "step inf": tensor(ADAM + "step", torch.tensor(math.inf)),
    "step negative": tensor(ADAM + "step", torch.tensor(-1.0)), "step huge": tensor(ADAM + "step", torch.tensor(1e30)),
    "step half": tensor(ADAM + "step", torch.tensor(1.5)), "step list": tensor(ADAM + "step", torch.ones(3)),
    "step whole": tensor(ADAM + "step", torch.tensor(3)),
}  # fmt: skip


def generator_states(name):
    key, drawn = f"random.{name}", torch.Generator().manual_seed(5)
    return {
        "no state": lacks(key), "a short state": tensor(key, lambda x: x[:-1]),
        "a long state": tensor(key, lambda x: torch.cat([x, x])),
        "an empty state": tensor(key, torch.zeros(0, dtype=torch.uint8)),
        "a state of floats": tensor(key, lambda x: x.float()), "a state of zeros": tensor(key, lambda x: x * 0),
        "a state of ones": tensor(key, lambda x: x * 0 + 255),
        "a random state": tensor(key, lambda x: torch.randint(0, 256, x.shape, dtype=torch.uint8, generator=drawn)),
        "a signed state": tensor(key, lambda x: x.to(torch.int8)),
        "a square state": tensor(key, lambda x: x.view(2, -1)),
        "a state more": tensor("random.more", torch.zeros(5056, dtype=torch.uint8)),
    }  # fmt: skip


NO_EPOCH = {
    "short": history([1.0]), "empty": history([]), "long": history([1.0, 2.0, 3.0, 4.0]),
    "text": history(["a", "b", "c"]), "null": history([None, None, None]), "nan": history([NAN, 1.0, 1.0]),
    "inf": history([math.inf, 1.0, 1.0]), "list": history([[1.0], 1.0, 1.0]), "true": history([True, 1.0, 1.0]),
    "held out text": history([1.0, "b", 1.0]), "seconds null": history([1.0, 1.0, None]),
    "seconds nan": history([1.0, 1.0, NAN]), "deep": history([[[]], 1.0, 1.0]), "dict": history({"train": 1.0}),
    "far": history([FAR, 1.0, 1.0]), "many": lambda _, said: said["history"].extend(said["history"] * 9),
}  # fmt: skip
NO_LAB = {
    "steps text": put("settings.steps", "many"), "steps negative": put("settings.steps", -1),
    "steps float": put("settings.steps", 12.0), "steps null": put("settings.steps", None),
    "steps nan": put("settings.steps", NAN), "steps far": put("settings.steps", 10**30),
    "steps true": put("settings.steps", True), "steps list": put("settings.steps", [12]),
    "steps few": put("settings.steps", 2), "no steps": drop("settings.steps"), "seed text": put("settings.seed", "0"),
    "seed negative": put("settings.seed", -1), "seed far": put("settings.seed", 2**64),
    "seed float": put("settings.seed", 0.5), "no seed": drop("settings.seed"), "seed null": put("settings.seed", None),
    "turns text": put("settings.turns", "none"), "turns null": put("settings.turns", None),
    "turns late": put("settings.turns", [13]), "turns falling": put("settings.turns", [7, 3]),
    "turns negative": put("settings.turns", [-1]), "turns of text": put("settings.turns", ["3"]),
    "turns nan": put("settings.turns", [NAN]), "no turns": drop("settings.turns"),
    "before text": put("settings.before", "x"), "before list": put("settings.before", [1]),
    "no controls": drop("settings.controls"), "before nan": put("settings.before", {"goal": NAN}),
    "controls null": put("settings.controls", None), "controls list": put("settings.controls", [1.0]),
    "control list": put("settings.controls", {"goal": [1]}), "control null": put("settings.controls", {"goal": None}),
    "control nan": put("settings.controls", {"goal": NAN}), "control inf": put("settings.controls", {"goal": math.inf}),
    "control far": put("settings.controls", {"goal": FAR}),
    "control dict": put("settings.controls", {"goal": {"a": 1}}),
    "control long": put("settings.controls", {"goal": "x" * 10**6}),
    "a name of lines": put("settings.controls", {"go\nal": 1.0}), "no name": put("settings.controls", {"": 1.0}),
    "trainer": put("settings.trainer", "Other"), "trainer list": put("settings.trainer", []),
    "columns": put("settings.columns", ["a"]), "columns text": put("settings.columns", "distance"),
    "no trainer": drop("settings.trainer"), "shapes": put("settings.shapes", {}), "row short": history([12]),
    "row long": history([12, 1.0, 1.0, 1.0]), "row text": history([12, "a", 1.0]), "row null": history([12, None, 1.0]),
    "row true": history([12, True, 1.0]), "row list": history([12, [1.0], 1.0]), "row late": history([13, 1.0, 1.0]),
    "row early": history([3, 1.0, 1.0]), "row negative": put("history", [[-1, 1.0, 1.0]]),
    "row half": put("history", [[0.5, 1.0, 1.0]]), "row nan": put("history", [[NAN, 1.0, 1.0]]),
    "row far": put("history", [[0, FAR, 1.0]]), "row step text": put("history", [["0", 1.0, 1.0]]),
    "row empty": put("history", [[]]), "row dict": put("history", [{"0": 1}]),
    "rows many": put("history", [[0, 1.0, 1.0]] * 500), "at nan": tensor("model.at", torch.tensor([NAN, 0, 0])),
    "at short": tensor("model.at", torch.zeros(2)),
}  # fmt: skip

FORGED = {f"run, {name}": ("fit", change, [train.load, fit, resume]) for name, change in NO_RUN.items()}
FORGED |= {f"lab's run, {name}": ("lab", change, [lab]) for name, change in NO_RUN.items() if name != "rows numbers"}
FORGED |= {f"model, {name}": ("fit", change, [train.load, fit, resume]) for name, change in NO_MODEL.items()}
FORGED |= {f"optimizer, {name}": ("fit", change, [fit, resume]) for name, change in NO_OPTIMIZER.items()}
FORGED |= {f"lab's optimizer, {n}": ("lab", c, [lab]) for n, c in NO_OPTIMIZER.items() if n != "exp_avg flat"}  # it is
FORGED |= {f"generator, {n}": ("fit", c, [fit, resume]) for n, c in generator_states("pixels").items()}
FORGED |= {f"lab's generator, {n}": ("lab", c, [lab]) for n, c in generator_states("trainer").items()}
FORGED |= {f"history, {name}": ("fit", change, [fit, resume]) for name, change in NO_EPOCH.items() if name != "list"}
FORGED |= {"history, list": ("fit", NO_EPOCH["list"], [fit])}  # side by side, seeds have one bound each
FORGED |= {f"lab, {name}": ("lab", change, [lab]) for name, change in NO_LAB.items()}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_checkpoint_is_refused_and_nothing_has_changed(files, tmp_path, name):
    """Items 11 and 12: its digest is right, for who forges a file can compute that, too."""
    which, change, uses = FORGED[name]
    path = tmp_path / "forged.file"
    path.write_bytes(forged(files[which], change))
    with untouched(path):
        for use in uses:
            told(partial(use, path), "forged.file")
    if uses[0] is train.load and len(name) % 5 == 0:  # a sample of them
        assert_one_line(["evaluate", path], path)


def assert_one_line(words, path):
    """The command line answers with one line and exit code 2."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit), (result.exception, result.output)
    said = result.stderr.strip()
    assert said.startswith("error: ") and "\n" not in said and "Traceback" not in said and path.name in said, said


def test_the_corpus_is_large():
    others = 120 + len(NO_FILES) + len(IMAGES) + len(MIRRORS) + len(RECORDS) + len(FOLDERS)
    assert len(FORGED) + others >= 400, (len(FORGED), others)


def places(value, before=()):
    """Every place in a run."""
    yield before
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*before, key))
    elif isinstance(value, list):
        for number in range(len(value)):
            yield from places(value[number], (*before, number))


WRONG = [None, True, -1, 0, 2**70, 1e308, NAN, math.inf, "", "\ud800", "a\nb\x1b[31m", "x" * 10_000, [], [[]], {}]


@pytest.mark.parametrize("number", range(120))
def test_whatever_is_put_anywhere_is_taken_or_told(files, tmp_path, number):
    """A value at a random place of the run, a tensor of another kind, or flipped bits: no error but a sentence."""
    draw = random.Random(number)
    which = draw.choice(["fit", "lab"])

    def change(tensors, said):
        if draw.random() < 0.5:
            *above, last = draw.choice([place for place in places(said) if place])
            for part in above:
                said = said[part]
            said[last] = draw.choice(WRONG)
        else:
            name = draw.choice(sorted(tensors))
            kind = draw.choice([torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.bfloat16])
            shape = [draw.randint(0, 4) for _ in range(draw.randint(0, 3))]
            tensors[draw.choice([name, f"{name}.{number}", name[:-1], f"optimizer.{number}.step"])] = torch.zeros(
                shape, dtype=kind
            )

    content = forged(files[which], change)
    if number % 4 == 0:
        content = bytearray(files[which])
        for _ in range(draw.randint(1, 8)):
            content[draw.randrange(len(content) if number % 8 else 1500)] ^= 1 << draw.randrange(8)
    path = tmp_path / "forged.file"
    for use in [train.load, resume, fit] if which == "fit" else [lab]:
        path.write_bytes(content)
        said = told(partial(use, path), "forged.file", must=False)
        assert use is fit or said is None or path.read_bytes() == bytes(content)


def test_a_model_that_is_cheap_to_keep_and_dear_to_use_is_refused(tmp_path):
    """48 MB in the file, and 22 GB for its log-weights."""
    path, model = tmp_path / "wide", VAE(64, description.LARGEST_LATENT + 1, (1,))
    settings = {"model": {"config": model.config(), "dtype": "float32"}}
    checkpoint.Checkpoint(path, settings, model, torch.optim.Adam(model.parameters()), {}).save([])
    assert "10000 are the most" in told(lambda: train.load(path), "wide")


def test_item_11_a_latent_dim_of_a_billion_allocates_nothing(files, tmp_path):
    path = tmp_path / "wide"
    path.write_bytes(forged(files["fit"], put("settings.model.config.latent_dim", 10**9)))
    assert "is needed" in told(lambda: train.load(path), "wide")


def test_item_11_a_file_of_eighty_gigabytes_of_nothing_is_not_read(files, tmp_path):
    """It says that it has a weight of that size, and so it has: a hole in a file takes no room."""
    path = tmp_path / "sparse"
    content = forged(files["fit"], put("settings.model.config.latent_dim", 10**9))
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    end = max(value["data_offsets"][1] for name, value in head.items() if name != "__metadata__")
    head["model.hole"] = {"dtype": "F32", "shape": [20 * 10**9], "data_offsets": [end, end + 80 * 10**9]}
    text = json.dumps(head).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        try:
            file.truncate(8 + len(text) + end + 80 * 10**9)
        except OSError:
            pytest.skip("no file here can be so large")
    began = time.monotonic()
    for use in (train.load, fit, resume):
        told(partial(use, path), "sparse")
    assert time.monotonic() - began < 5


CUT_WHILE_IT_IS_READ = """
import os, sys
from pathlib import Path
from vaecourse import checkpoint

file, place = Path(sys.argv[1]), sys.argv[2]
size = file.stat().st_size

def cut(*_):
    os.truncate(file, 4096)

if place == "compare":
    compare = cut
else:  # at the last moment before its values are looked at
    compare, digest = None, checkpoint.content.digest
    checkpoint.content.digest = lambda *arguments: (cut(), digest(*arguments))[1]
try:
    tensors, _ = checkpoint.read(file, compare)
    print("taken", sum(float(x.double().sum()) for x in tensors.values()) is not None)
except ValueError as failure:
    print(failure)
"""


@pytest.mark.parametrize("place", ["compare", "digest"])
def test_a_checkpoint_cut_short_while_it_is_read_does_not_end_the_process(tmp_path, place):
    """A file mapped into memory loses its pages then, and the process ends by SIGBUS."""
    model, file = VAE(400, 20, (400,)), tmp_path / "big"
    optimizer = torch.optim.Adam(model.parameters())
    checkpoint.Checkpoint(file, {"model": "big"}, model, optimizer, {}).save([])
    assert file.stat().st_size > 10**6
    command = [sys.executable, "-c", CUT_WHILE_IT_IS_READ, file, place]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, f"ended by signal {-ended.returncode}: {ended.stderr}"
    wanted = "big is a damaged checkpoint: somebody has changed it while it was read" if place == "compare" else "taken"
    assert wanted in ended.stdout and ended.stdout.count("\n") == 1


def test_a_checkpoint_is_opened_once(files, tmp_path, monkeypatch):
    """What gets its name after it was opened is another file, and is not read."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(files["fit"])
    other.write_bytes(files["lab"])
    tensors, _ = checkpoint.read(path, lambda *_: os.replace(other, path))
    assert tensors.keys() == parsed(files["fit"])[0].keys()


def test_bytes_that_no_tensor_needs_are_not_read(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(files["fit"])
    os.truncate(path, 2**29)
    with at_most(10**7), untouched(path):
        told(
            lambda: checkpoint.read(path),
            "file is not a checkpoint, or is a damaged one (its tensors need ",
            "bytes, and it has 53",
        )


@pytest.mark.parametrize("length", [2**63, 2**40, 2**25, 99_999_999, 0])
def test_a_head_without_an_end_is_not_read(tmp_path, length):
    path = tmp_path / "headless"
    with open(path, "wb") as file:
        file.write(length.to_bytes(8, "little") + b'{"__metadata__": {')
        file.truncate(2**27)
    for use in (train.load, fit, resume, lab):
        told(partial(use, path), "headless")


def test_item_11_a_lab_with_text_for_steps_and_seed_changes_nothing(tmp_path):
    """The cockpit's trainer keeps two optimizers as one."""
    path = tmp_path / "cockpit"
    controls = {"divergence": "none", "alpha": 0.0, "lambda_": 1.0, "width": 1.0}
    good = LatentTrainer(0)
    good.save(path, controls)
    content = path.read_bytes()
    trainer = LatentTrainer(1)
    before = state_of(trainer._checkpoint(path))
    for change in (
        put("settings.steps", "many"),
        put("settings.seed", "zero"),
        put("settings.controls", "all"),
        tensor("optimizer.12.exp_avg", torch.zeros(3)),
        tensor("optimizer.999.step", torch.zeros(())),
        tensor("model.critic.0.weight", torch.zeros(3)),
    ):
        path.write_bytes(forged(content, change))
        with untouched(path):
            told(lambda: trainer.load(path), "cockpit")
        assert equal(state_of(trainer._checkpoint(path)), before) and trainer.steps == 0 and trainer.seed == 1
    path.write_bytes(content)
    assert trainer.load(path) == controls and trainer.seed == 0 and same(trainer.model, good.model)


class Wandering(torch.optim.Optimizer):
    """Somebody's own optimizer, whose state has another name after each step, and an infinity."""

    def __init__(self, weights, lr):
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                count = int(self.state[weight].get("count", 0)) + 1
                self.state[weight] = {"count": count, f"best_{count}": torch.tensor(math.inf)}
                weight -= group["lr"] * weight.grad


def test_an_optimizer_of_ones_own_goes_on_as_it_likes(tmp_path):
    whole, _ = run(optimizer=Wandering)
    run(optimizer=Wandering, epochs=2, checkpoint=tmp_path / "file")
    assert same(run(optimizer=Wandering, checkpoint=tmp_path / "file")[0], whole)
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(forged(content, tensor("optimizer.99.count", torch.tensor(1))))
    told(lambda: run(optimizer=Wandering, checkpoint=tmp_path / "file"), "file", "optimizer.99.count")


def test_a_bound_of_minus_infinity_on_held_out_data_is_a_bound(files, tmp_path):
    """A Gaussian likelihood underflows on a point that is far off: the run that met it can go on."""
    path = tmp_path / "file"
    path.write_bytes(forged(files["fit"], put("history.1.1", -math.inf)))
    resume(path)
    fit(path)


# What is no file -----------------------------------------------------------------------------------------------------


def socketed(path):
    """A socket of this name, which stays when nobody listens any more; its address may have 107 letters."""
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


NO_FILES = {
    "folder": (lambda path: path.mkdir(), "folder"), "pipe": (os.mkfifo, "pipe"), "socket": (socketed, "socket"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "device"),
    "terminal": (lambda path: path.symlink_to("/dev/tty"), "device"),
    "loop": (lambda path: path.symlink_to(path), "cannot be read"),
    "loop of two": (lambda path: (path.symlink_to(f"{path}2"), Path(f"{path}2").symlink_to(path)), "cannot be read"),
    "link to a pipe": (lambda path: (os.mkfifo(f"{path}2"), path.symlink_to(f"{path}2")), "pipe"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_FILES)
def test_item_9_what_is_no_file_is_told_as_what_it_is_and_never_waited_for(tmp_path, name):
    make, what = NO_FILES[name]
    path = tmp_path / "named"
    make(path)
    for use in (train.load, resume, lab):
        assert what in told(partial(use, path), "named")
    told(partial(fit, path), "named")
    assert_one_line(["evaluate", path], path)
    assert os.path.lexists(path)


@pytest.mark.parametrize(
    "path, said",
    [
        ("nul\0here", "a name that no file can have"),
        ("x" * 300, "cannot be read"),
        ("\ud800", "a name that no file can have"),
        ("no such\nfile\x1b[31m", r"'no such\nfile\x1b[31m'"),
        ("", "folder"),
    ],
)
def test_item_9_a_name_that_no_file_can_have_is_told(tmp_path, monkeypatch, path, said):
    monkeypatch.chdir(tmp_path)
    for use in (train.load, lab):
        assert said in told(partial(use, Path(path)))
    if path.isprintable() or "\n" in path:
        result = CliRunner().invoke(app, ["evaluate", path])
        assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
        assert len(result.stderr.strip().splitlines()) == 1


@contextlib.contextmanager
def nobody(*folders):
    """Somebody who may not read what others closed to him."""
    if os.geteuid():
        yield  # nobody in particular, but not root
        return
    for folder in folders:
        for above in (folder, *list(folder.parents)[:-2]):
            above.chmod(above.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_item_9_an_unreadable_checkpoint_is_not_told_as_none(files, tmp_path):
    path = tmp_path / "closed" / "theirs"
    path.parent.mkdir()
    path.write_bytes(files["fit"])
    path.chmod(0)
    with nobody(path.parent):
        for use in (train.load, resume, lab):
            assert "change its rights" in told(partial(use, path), "theirs", "cannot be read")
    path.chmod(0o644)
    path.parent.chmod(0)
    try:
        with nobody(tmp_path):
            for use in (train.load, resume, lab):
                assert "no file" not in told(partial(use, path), "theirs", "cannot be read")
    finally:
        path.parent.chmod(0o755)


def test_a_name_that_is_free_is_taken(tmp_path):
    """A link to nothing is one: what it points to is made."""
    (tmp_path / "link").symlink_to(tmp_path / "made")
    run(epochs=1, checkpoint=tmp_path / "link")
    assert (tmp_path / "made").is_file() and (tmp_path / "link").is_symlink()


# Images --------------------------------------------------------------------------------------------------------------

FIRST = "train-images-idx3-ubyte"


def packed_twice(content):
    return gzip.compress(content) + gzip.compress(b"more")


def flipped(content, seed):
    draw, content = random.Random(seed), bytearray(content)
    for _ in range(draw.randint(1, 6)):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(content)


def cut(content, seed):
    return content[: random.Random(seed).randrange(len(content))]


def claims(*sizes):
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


IMAGES = {  # from the right content to what a file of that name holds
    "empty": lambda right: b"", "text": lambda right: b"my thesis", "one byte less": lambda right: right[:-1],
    "one byte more": lambda right: right + b"x", "another byte": lambda right: right[:-1] + bytes([right[-1] ^ 1]),
    "zeros": lambda right: bytes(len(right)), "noise": lambda right: random.Random(0).randbytes(len(right)),
    "a claim": lambda right: claims(2**32 - 1, 2**32 - 1, 2**32 - 1), "html": lambda right: b"<html>log in</html>",
    "a claim of that size": lambda right: claims(2**31, 28, 28).ljust(len(right), b"\1"),
    "gzip of nothing": lambda right: gzip.compress(b""), "gzip of more": lambda right: gzip.compress(right + b"x"),
    "gzip of less": lambda right: gzip.compress(right[:-1]),
    "gzip and more": lambda right: gzip.compress(right) + b"more", "gzip twice": packed_twice,
    "gzip's name": lambda right: b"\x1f\x8b", "gzip of gzip": lambda right: gzip.compress(gzip.compress(right)),
    "zlib": zlib.compress, "half a gzip": lambda right: gzip.compress(right)[:-9],
    "no checksum": lambda right: gzip.compress(right)[:-8],
    "another checksum": lambda right: gzip.compress(right)[:-8] + bytes(8),
    "parts of nothing": lambda right: gzip.compress(b"") * 2, "a bomb": lambda right: gzip.compress(bytes(2**26)),
    "a bomb of parts": lambda right: gzip.compress(bytes(2**24)) * 200,
    "a bomb behind it": lambda right: gzip.compress(right) + gzip.compress(bytes(2**26)),
    "a bomb of a name": lambda right: b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 2**20,
} | {f"flipped {seed}": partial(flipped, seed=seed) for seed in range(25)} | {
    f"flipped gzip {seed}": lambda right, seed=seed: flipped(gzip.compress(right), seed) for seed in range(25)
} | {f"cut {seed}": lambda right, seed=seed: cut(gzip.compress(right), seed) for seed in range(10)}  # fmt: skip


def lay(folder, contents, wrong=None, name=FIRST):  # noqa: F811
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    if wrong is not None:
        (folder / FIRST).unlink()
        (folder / name).write_bytes(wrong)
    return folder / name


@pytest.mark.parametrize("name", IMAGES)
def test_a_damaged_image_file_is_refused_and_stays(source, contents, monkeypatch, tmp_path, name):  # noqa: F811
    """In the user's own folder it is left; in the cache it is fetched again, or what to do is said."""
    wrong = IMAGES[name](contents[FIRST])
    right = gzip.compress(contents[FIRST])
    same_content = wrong[:2] == right[:2] and len(wrong) == len(right) and wrong[10:] == right[10:]  # its time, say
    for suffix in ("", ".gz"):
        path = lay(tmp_path / f"own{suffix}", contents, wrong, FIRST + suffix)
        monkeypatch.setenv(data.FOLDER_VARIABLE, str(path.parent))
        with untouched(path):
            told(data.mnist, f"{path} ", must=not same_content)
        monkeypatch.delenv(data.FOLDER_VARIABLE)
        cached = lay(data.places.cache_folder() / "mnist", contents, wrong, FIRST + suffix)
        with monkeypatch.context() as offline, untouched(cached):
            offline.setattr(data.sources, "MNIST", source._replace(mirrors=()))
            told(data.mnist, str(cached), "data.digits()", must=not same_content)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert data.mnist().train.shape == (7, 6)
        assert same_content or [str(cached) in str(warning.message) for warning in said] == [True]
        shutil.rmtree(data.places.cache_folder())


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_make_idx_fail_otherwise(seed):
    draw = random.Random(seed)
    content = bytes([0, 0, 8, draw.randrange(256)]) + draw.randbytes(draw.randrange(2000))
    assert "idx" in told(lambda: data.read_idx(content))


def test_item_13_a_bomb_is_not_unpacked(source, contents, monkeypatch, tmp_path):  # noqa: F811
    """Some 0.4 MB that would take hundreds of MB, as one part and as many; nothing of that size is ever held."""
    packer = zlib.compressobj(9, wbits=31)
    whole = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    bombs = {"one": whole, "many": gzip.compress(bytes(2**22)) * 100, "empty parts": gzip.compress(b"") * 20_000}
    for name, bomb in bombs.items():
        assert len(bomb) < 500_000
        path = lay(tmp_path / name, contents, bomb, f"{FIRST}.gz")
        monkeypatch.setenv(data.FOLDER_VARIABLE, str(path.parent))
        with at_most(5_000_000):
            told(data.mnist, str(path))
    larger = data.Held(2**22, "0" * 64)  # where so large a gzip file can be the right one
    for bomb in bombs.values():
        with at_most(20_000_000):
            told(partial(data.verified, bomb, larger, "the bomb"), "the bomb")


def test_a_gzip_file_of_several_parts_is_read(contents, source):  # noqa: F811
    right, known = contents[FIRST], source.sums[FIRST]
    parts = [right[start : start + 7] for start in range(0, len(right), 7)]
    packed = b"".join(map(gzip.compress, parts))
    assert data.verified(packed, known, "it") == data.verified(packed + bytes(512), known, "it") == right


def test_item_13_a_huge_file_is_not_read(source, contents, monkeypatch, tmp_path):  # noqa: F811
    for name in (FIRST, f"{FIRST}.gz"):
        path = lay(tmp_path / name, contents, b"\x1f\x8b", name)
        os.truncate(path, 2**36)
        monkeypatch.setenv(data.FOLDER_VARIABLE, str(path.parent))
        began = time.monotonic()
        told(data.mnist, str(path))
        assert [finding.what for finding in doctor.images() if finding.mend][:1] == ["mnist"]
        assert time.monotonic() - began < 5


def test_item_14_a_good_file_beside_a_damaged_one_is_used(source, server, contents, monkeypatch, tmp_path):  # noqa: F811
    """Each time, without asking a mirror, and with one warning that names the damaged one."""
    for place in (tmp_path / "own" / "mnist", data.places.cache_folder() / "mnist", data.places.DEBIAN / "mnist"):
        lay(place, contents)
        damaged = place / f"{FIRST}.gz"
        damaged.write_bytes(b"\x1f\x8b half")
        if place.is_relative_to(tmp_path / "own"):
            monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "own"))
        for _ in range(2):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                assert data.mnist().train.shape == (7, 6)
            (warning,) = said
            assert str(damaged) in str(warning.message) and f"passed over for {place / FIRST}" in str(warning.message)
        assert damaged.read_bytes() == b"\x1f\x8b half" and server[2] == []
        monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
        shutil.rmtree(place)


def test_a_good_file_further_on_is_used_for_the_users_damaged_one(source, server, contents, monkeypatch, tmp_path):  # noqa: F811
    own = lay(tmp_path / "own", contents, b"damaged")
    lay(data.places.cache_folder() / "mnist", contents)
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "own"))
    with untouched(own), pytest.warns(UserWarning, match=f"{own} is the wrong file.*passed over for .*cache"):
        assert data.mnist().train.shape == (7, 6)
    (data.places.cache_folder() / "mnist" / FIRST).unlink()
    with untouched(own):
        told(data.mnist, str(own), "left as it is: put the right file there")
    assert server[2] == []


def test_the_other_set_under_the_same_names_is_not_damaged(source, contents, monkeypatch, tmp_path):  # noqa: F811
    """A folder with the four files of MNIST has none of Fashion-MNIST: nobody is told to move them away."""
    lay(tmp_path / "own", contents)
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "own"))
    sums = {name: data.Held(known.size, "0" * 64) for name, known in source.sums.items()}
    monkeypatch.setattr(data.sources, "FASHION_MNIST", data.Source("fashion-mnist", (), sums))
    assert data.mnist().train.shape == (7, 6)
    assert "fashion-mnist is not on this machine" in told(data.fashion_mnist)
    assert not any("mv " in (found.mend or "") or "rm " in (found.mend or "") for found in doctor.images())


def test_a_damaged_file_of_the_system_is_fetched(source, server, contents):  # noqa: F811
    path = lay(data.places.DEBIAN / "mnist", contents, b"damaged")
    with untouched(path), pytest.warns(UserWarning, match="damaged|wrong file.*fetched again"):
        assert data.mnist().train.shape == (7, 6)
    assert len(server[2]) == 1


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
def test_a_pipe_or_a_device_of_an_images_name_is_never_opened(source, server, contents, monkeypatch, tmp_path, make):  # noqa: F811
    lay(tmp_path / "own", contents)
    (tmp_path / "own" / FIRST).unlink()
    make(tmp_path / "own" / FIRST)
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "own"))
    assert data.mnist().train.shape == (7, 6) and len(server[2]) == 1
    list(doctor.images())
    with pytest.raises(ValueError, match="wrong file|cannot be read"):  # and not if it comes between a look and reading
        data.content.read(tmp_path / "own" / FIRST, source.sums[FIRST])


def test_an_image_file_that_may_not_be_read_is_told(source, contents, monkeypatch, tmp_path):  # noqa: F811
    path = lay(tmp_path / "own", contents)
    path = tmp_path / "own" / FIRST
    path.chmod(0)
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(path.parent))
    with nobody(path.parent):
        told(data.mnist, str(path), "cannot be read")
        assert any("cannot be read" in finding.detail for finding in doctor.images())


# The folder that VAECOURSE_DATA names --------------------------------------------------------------------------------

FOLDERS = {
    "nobody's home": ("~nosuchuser/x", "nobody here"), "a file": ("FILE", "no folder but a file"),
    "nothing": ("NOTHING", "no folder"), "below a file": ("FILE/x", "no folder"),
    "a pipe": ("PIPE", "no folder but a file"), "a device": ("/dev/zero", "no folder but a file"),
    "nul": ("a\0b", "no folder"), "long": ("x" * 5000, "no folder"), "a loop": ("LOOP", "no folder"),
    "blank": ("  ", "no folder"), "a line": ("a\nb", "no folder"), "no letter": ("\ud800", "no folder"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_item_10_a_data_folder_that_is_none_is_told(source, monkeypatch, tmp_path, name):  # noqa: F811
    named, said = FOLDERS[name]
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for word in ("FILE", "NOTHING", "PIPE", "LOOP"):
        named = named.replace(word, str(tmp_path / word.lower()))
    monkeypatch.setattr(data.places.os, "environ", {**os.environ, data.FOLDER_VARIABLE: named})
    told(data.mnist, f"VAECOURSE_DATA must name a folder, got {named!r:.300}, which ", said)
    _, finding = doctor.images()
    assert finding.needed and said in finding.detail and finding.mend.startswith("unset VAECOURSE_DATA, or let it name")
    told(lambda: data.load("mnist", otherwise="digits"), "VAECOURSE_DATA")
    assert all(found.what.startswith("disk") for found in doctor.disk())


def test_item_10_a_data_folder_that_may_not_be_read_is_told(source, monkeypatch, tmp_path):  # noqa: F811
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    with nobody(tmp_path):
        pass  # the folders above are open now
    closed.chmod(0)
    try:
        with nobody():
            for folder in (closed, closed / "inner"):
                monkeypatch.setenv(data.FOLDER_VARIABLE, str(folder))
                told(data.mnist, str(folder), "that you may not look into")
                (finding,) = [found for found in doctor.images() if found.what == data.FOLDER_VARIABLE]
                assert "that you may not look into" in finding.detail and "unset" in finding.mend
            monkeypatch.setattr(data.places, "cache_folder", lambda: closed / "inner" / "cache")
            for found in doctor.disk():
                assert "chmod" not in (found.mend or "") and "chown" not in (found.mend or "")
    finally:
        closed.chmod(0o755)


def test_an_empty_variable_is_one_that_is_not_set(source, monkeypatch):  # noqa: F811
    monkeypatch.setenv(data.FOLDER_VARIABLE, "")
    assert data.find(source, FIRST) is None


def test_item_10_the_doctor_never_removes_what_is_not_the_courses(source, contents, monkeypatch, tmp_path):  # noqa: F811
    """It gives a damaged file another name, one that is free; its command is one that works."""
    own = lay(tmp_path / "the user's own", contents, b"damaged")
    (own.parent / f"{FIRST}.damaged").write_bytes(b"an earlier one")
    cached = lay(data.places.cache_folder() / "mnist", contents, b"damaged")
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(own.parent))
    mends = [found.mend for found in doctor.images() if found.what == "mnist" and found.mend]
    assert len(mends) == 2 and not any("reinstall" in mend or "chown" in mend for mend in mends)
    assert mends[1] == f"rm {cached}, and it is fetched again"
    command = mends[0].removesuffix(", and put the right file there")
    assert shlex.split(command)[:2] == ["mv", str(own)]
    subprocess.run(command, shell=True, check=True)
    assert (own.parent / f"{FIRST}.damaged").read_bytes() == b"an earlier one" and not own.exists()
    assert sorted(path.read_bytes() for path in own.parent.glob("*.damaged*")) == [b"an earlier one", b"damaged"]


def test_the_doctor_in_a_folder_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert any("cannot be looked at" in found.detail and found.mend.startswith("cd ") for found in doctor.disk())


# Mirrors -------------------------------------------------------------------------------------------------------------


def answer(head, body=b"", pause=0.0, times=1):
    """What a mirror does once it is asked."""

    def send(connection):
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(body)
            time.sleep(pause)

    return send


def ok(*lines):
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


def moved(to, *lines, body=b"", times=1):
    lines = lines or ("Content-Length: 0",)
    return answer("\r\n".join(["HTTP/1.1 302 Found", f"Location: {to}", *lines, "", ""]).encode(), body, times=times)


def bomb():
    return gzip.compress(bytes(2**26))


MIRRORS = {
    "endless": answer(ok(), bytes(2**16), times=10**6),
    "endless chunks": answer(ok("Transfer-Encoding: chunked"), b"4\r\nabcd\r\n", times=10**6),
    "slow": answer(ok("Content-Length: 1000"), b"x", 0.05, 10**4),
    "slow head": answer(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05, 10**4),
    "slow first line": answer(b"", b"H", 0.05, 10**4), "silent": answer(b"", b"", 10.0), "nothing": answer(b""),
    "long head": answer(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", times=10**5),
    "long line": answer(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 2**16, times=100), "no http": answer(b"SSH-2.0-OpenSSH\r\n"),
    "no number": answer(b"HTTP/1.1 abc\r\n\r\n"), "too short": answer(ok("Content-Length: 1000"), b"x"),
    "length text": answer(ok("Content-Length: many"), b"x"), "length negative": answer(ok("Content-Length: -5"), b"x"),
    "length far": answer(ok(f"Content-Length: {10**30}"), b"x"),
    "bad chunk": answer(ok("Transfer-Encoding: chunked"), b"zz\r\nx\r\n"),
    "huge chunk": answer(ok("Transfer-Encoding: chunked"), b"ffffffffffff\r\nx"), "a bomb": answer(ok(), bomb()),
    "a bomb in transit": answer(ok("Content-Encoding: gzip"), bomb()),
    "no gzip in transit": answer(ok("Content-Encoding: gzip"), b"x" * 99),
    "unknown in transit": answer(ok("Content-Encoding: br"), b"x" * 99),
    "a page": answer(ok("Content-Type: text/html"), b"<html>log in</html>"), "empty": answer(ok("Content-Length: 0")),
    "404": answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    "500": answer(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), "in a circle": moved("/again"),
    "to a file": moved("file:///etc/passwd"), "to ftp": moved("ftp://127.0.0.1/x"),
    "to nowhere": moved("http://127.0.0.1:9/"), "to no address": moved("http://[::bad/"), "to nothing": moved(""),
    "in a circle, without an end": moved("/again", "Content-Type: text/html", body=bytes(2**20), times=10**4),
    "to a strange place": moved("http://x\xe9.invalid/\x00"),
}  # fmt: skip


@contextlib.contextmanager
def mirror(send, dress=lambda connection: connection):
    """A server that does what it is told with everybody who asks."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        asked, ended = [], threading.Event()

        def serve():
            while True:
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                if ended.is_set():
                    return connection.close()
                connection.settimeout(5)
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection):
            with contextlib.suppress(OSError, ssl.SSLError), dress(connection) as dressed:
                asked.append(dressed.recv(10_000))
                send(dressed)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", asked
        ended.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listening.getsockname()).close()
        thread.join()


@pytest.mark.parametrize("name", MIRRORS)
def test_item_13_no_mirror_can_fill_the_memory_or_hold_us(source, monkeypatch, name):  # noqa: F811
    monkeypatch.setattr(data.fetching, "PATIENCE", 0.6)
    monkeypatch.setattr(data.fetching, "SILENCE", 0.4)
    with mirror(MIRRORS[name]) as (address, _):
        monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=(f"http://{address}/",)))
        began = time.monotonic()
        with at_most(40_000_000):
            told(data.mnist, FIRST, "data.digits()")
        assert time.monotonic() - began < 5
    assert not data.places.cache_folder().exists()


def test_item_13_a_bomb_in_a_redirect_is_not_unpacked(source, monkeypatch):  # noqa: F811
    """What is sent beside the new address is read by nobody, but requests would unpack all of it."""
    with mirror(moved("/again", "Content-Encoding: gzip", body=bomb())) as (address, asked):
        monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=(f"http://{address}/",)))
        with at_most(40_000_000):
            told(data.mnist, FIRST, "data.digits()")
        assert len(asked) > 10, "a redirect is followed all the same"


def test_a_slow_mirror_is_left_for_the_next(source, server, monkeypatch):  # noqa: F811
    monkeypatch.setattr(data.fetching, "PATIENCE", 0.6)
    with mirror(MIRRORS["slow"]) as (address, _):
        monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=(f"http://{address}/", server[1])))
        assert data.mnist().train.shape == (7, 6)


def test_item_13_every_mirror_is_https():
    assert data.fetching.SCHEMES == ("https",)
    for known in (data.sources.MNIST, data.sources.FASHION_MNIST):
        assert len(known.mirrors) == 2 and all(address.startswith("https://") for address in known.mirrors)


def test_item_13_http_is_not_asked(source, monkeypatch):  # noqa: F811
    monkeypatch.setattr(data.fetching, "SCHEMES", ("https",))
    with mirror(answer(ok())) as (address, asked):
        for scheme in ("http", "HTTP", "ftp", "file"):
            monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=(f"{scheme}://{address}/",)))
            told(data.mnist, "data.digits()")
        assert asked == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for this machine, by nobody."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    made = ["openssl", *words.split(), "-keyout", folder / "key", "-out", folder / "certificate"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return folder / "certificate", partial(context.wrap_socket, server_side=True)


def test_item_13_a_redirect_to_http_is_refused_before_it_is_followed(source, contents, monkeypatch, certificate):  # noqa: F811
    """From a real https server; one that sends the file itself, or another https address, is believed."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    monkeypatch.setattr(data.fetching, "SCHEMES", ("https",))
    packed = gzip.compress(contents[FIRST])
    good = answer(ok(f"Content-Length: {len(packed)}", "Connection: close"), packed)
    with mirror(good) as (plain, asked), mirror(good, certificate[1]) as (safe, _):
        for to in (f"http://{plain}/x", f"HTTP://{plain}/x", f"hTtP://{plain}", f"http:\\\\{plain}"):
            with mirror(moved(to), certificate[1]) as (address, _):
                monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=(f"https://{address}/",)))
                told(data.mnist, "data.digits()")
        assert asked == []
        assert data.fetching._received(f"https://{safe}/{FIRST}.gz", source.sums[FIRST]) == packed
        for to in (f"https://{safe}/x", f"//{safe}/x"):
            with mirror(moved(to), certificate[1]) as (address, _):
                assert data.fetching._received(f"https://{address}/x", source.sums[FIRST]) == packed


def test_who_has_no_certificate_is_not_believed(source, monkeypatch, certificate):  # noqa: F811
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with mirror(answer(ok()), certificate[1]) as (address, asked):
        monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=(f"https://{address}/",)))
        told(data.mnist, "data.digits()")
    assert asked == []


# Records -------------------------------------------------------------------------------------------------------------

SCALE = reproduce.Scale("digits", epochs=1, limit=20, samples=4)


def record_of(**changes):
    """The text of a record of the table laplace's shape, with other content."""
    whole = {"settings": {"K": 4}, "machine": {"torch": "2"}, "runs": [{"row": "a", "seed": 0}]}
    return json.dumps({**whole, **changes})


RECORDS = {
    "empty": "", "text": "my thesis", "a list": "[]", "null": "null", "a number": "7", "deep": DEEP, "html": "<html>",
    "far": "9" * 10_000, "no settings": '{"machine": {}, "runs": []}',
    "no runs": '{"settings": {"K": 4}, "machine": {}}', "no machine": '{"settings": {"K": 4}, "runs": []}',
    "settings list": record_of(settings=[1]), "settings null": record_of(settings=None),
    "settings deep": '{"settings": ' + "[" * 500 + "]" * 500 + ', "machine": {}, "runs": []}',
    "runs text": record_of(runs="none"), "runs null": record_of(runs=None), "runs dict": record_of(runs={}),
    "runs number": record_of(runs=3), "run text": record_of(runs=["a"]), "run null": record_of(runs=[None]),
    "run list": record_of(runs=[[1]]), "run number": record_of(runs=[1.5]), "machine text": record_of(machine="mine"),
    "machine null": record_of(machine=None), "machine list": record_of(machine=[]),
    "other settings": record_of(settings={"K": 5}), "no utf-8": b"\xff\xfe\x00", "zeros": bytes(1000),
    "half": record_of()[:40], "twice": record_of() * 2,
}  # fmt: skip
RUNS = {  # of a table that has the right settings
    "no row": [{"seed": 0}], "no seed": [{"row": "ROW"}], "row null": [{"row": None, "seed": 0}],
    "row list": [{"row": ["a"], "seed": 0}], "row dict": [{"row": {"a": 1}, "seed": 0}],
    "row unknown": [{"row": "x", "seed": 0}], "seed text": [{"row": "ROW", "seed": "0"}],
    "seed null": [{"row": "ROW", "seed": None}], "nothing measured": [{"row": "ROW", "seed": 0}], "empty": [{}],
    "machine text": [{"row": "ROW", "seed": 0, "machine": "x"}],
    "measured text": [{"row": "ROW", "seed": 0, "ALL": "good"}],
    "measured null": [{"row": "ROW", "seed": 0, "ALL": None}],
    "measured list": [{"row": "ROW", "seed": 0, "ALL": [1.0]}], "measured nan": [{"row": "ROW", "seed": 0, "ALL": NAN}],
    "measured inf": [{"row": "ROW", "seed": 0, "ALL": math.inf}],
    "measured deep": [{"row": "ROW", "seed": 0, "ALL": {"a": [[]]}}],
    "measured true": [{"row": "ROW", "seed": 0, "ALL": True}],
    "measured far": [{"row": "ROW", "seed": 0, "ALL": 10**400}],
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_item_12_a_record_that_is_none_is_refused(tmp_path, name):
    path = tmp_path / "record.json"
    content = RECORDS[name]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with untouched(path):
        told(lambda: recorded.Record(path, {"K": 4}), "record.json")
        told(lambda: reproduce.make("laplace", path, SCALE, rows=["x"]))
        told(lambda: reproduce.make("laplace", path, SCALE), "record.json")
    assert_one_line(["reproduce", "laplace", "--to", path], path)
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith(".")] == ["record.json"]


@pytest.mark.parametrize("name", RUNS)
def test_item_12_runs_that_no_table_makes_are_refused_or_printed(tmp_path, monkeypatch, name):
    table = reproduce.TABLES["laplace"]
    row = next(iter(table.rows))
    runs = json.loads(json.dumps(RUNS[name]).replace('"ROW"', json.dumps(row)))
    for entry in runs:
        if "ALL" in entry:
            entry |= dict.fromkeys([*table.measures, "wall_seconds", "processor_seconds"], entry.pop("ALL"))
    settings = {"table": "laplace", "scale": json.loads(json.dumps(SCALE.named())), **table.settings(SCALE)}
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"settings": settings, "machine": {}, "runs": runs}))
    monkeypatch.setattr(type(table), "measure", lambda *_, **__: iter(()), raising=False)
    with untouched(path):
        said = told(lambda: reproduce.make("laplace", path, SCALE, rows=[row]), "record.json", must=False)
    if name.startswith(("no ", "nothing", "empty", "measured text", "measured null", "measured list", "measured deep")):
        assert said is not None


@pytest.mark.parametrize("name", NO_FILES)
def test_item_12_a_record_that_is_no_file_is_told_and_never_waited_for(tmp_path, name):
    path = tmp_path / "named.json"
    NO_FILES[name][0](path)
    told(lambda: recorded.Record(path, {"K": 4}), "named.json")
    told(lambda: reproduce.make("laplace", path, SCALE), "named.json")
    assert os.path.lexists(path)


def test_item_12_a_huge_record_is_not_read(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b"{")
    os.truncate(path, 2**36)
    told(lambda: recorded.Record(path, {"K": 4}), "record.json")
    told(lambda: reproduce.make("laplace", path, SCALE), "record.json")


EVIL = "CPU\x1b[2J\x9b31m | <img src=x onerror=alert(1)> ![x](javascript:x) `a` \u202e\r\n# Head\n| a | b |"


def test_words_of_a_record_reach_terminal_and_markdown_as_words(tmp_path, monkeypatch):
    """No escape sequence, no mark of Markdown, no tag of HTML, no line of its own; and the letters are there."""
    table, path = reproduce.TABLES["laplace"], tmp_path / "record.json"
    settings = {"table": "laplace", "scale": json.loads(json.dumps(SCALE.named())), **table.settings(SCALE)}
    row = next(iter(table.rows))
    own = {"row": row, "seed": 0, "device": EVIL, "machine": {"processor": EVIL}, **dict.fromkeys(table.measures, -1.0)}
    machine = dict.fromkeys(("processor", "threads", "torch", "system"), EVIL)
    path.write_text(json.dumps({"settings": settings, "machine": machine, "runs": [own]}))
    words = ["reproduce", "laplace", "--to", path, "--row", row, "--limit", 20, "--epochs", 1, "--data", "digits"]
    ended = CliRunner().invoke(app, [*map(str, words), "--samples", "4"])
    assert ended.exit_code == 0, ended.output
    for shown in (ended.stdout, path.with_suffix(".md").read_text()):
        assert all(letter.isprintable() or letter == "\n" for letter in shown)
        foot = next(line for line in shown.splitlines() if "hours of training" in line)
        assert "<img" not in shown and foot.count("&lt;img") == 4
        assert r"CPU\\x1b\[2J\\x9b31m \| &lt;img" in foot and r"!\[x\](javascript:x) \`a\`" in foot and "# Head" in foot
        assert not [line for line in shown.splitlines() if line.startswith("# Head")]


def test_a_strange_row_of_a_record_is_told_in_printable_words(tmp_path):
    table, path = reproduce.TABLES["laplace"], tmp_path / "record.json"
    settings = {"table": "laplace", "scale": json.loads(json.dumps(SCALE.named())), **table.settings(SCALE)}
    path.write_text(json.dumps({"settings": settings, "machine": {}, "runs": [{"row": EVIL, "seed": 0}]}))
    assert told(lambda: reproduce.make("laplace", path, SCALE), "record.json").isprintable()


def test_what_safetensors_and_the_doctor_say_of_a_file_is_printable(files, tmp_path, monkeypatch):
    head = json.dumps(
        {"\x1b[2J": {"dtype": EVIL, "shape": [EVIL], "data_offsets": [0, 0]}, "__metadata__": {}}
    ).encode()
    for number, content in enumerate((head, head.replace(b"{}", json.dumps({"format": checkpoint.FORMAT}).encode()))):
        path = tmp_path / f"file-{number}"
        path.write_bytes(len(content).to_bytes(8, "little") + content)
        assert told(lambda path=path: train.load(path), path.name).isprintable()
    path.write_bytes(forged(files["fit"], lambda tensors, said: tensors.update({"model.\x1b[2J\u202e": torch.ones(1)})))
    assert told(lambda: train.load(path), path.name).isprintable()
    finding = doctor.Finding("anywidget", f"version {EVIL} hides", "rm 'a  b\x1b[2J'")
    assert all(letter.isprintable() or letter == "\n" for letter in str(finding)) and str(finding).count("\n") == 1
    assert "rm 'a  b\\x1b[2J'" in str(finding)


@pytest.mark.parametrize("bounds", [[-9.0], [], -9.0, [-9.0] * 3], ids=str)
def test_a_history_of_other_seeds_is_no_history_of_a_run(tmp_path, bounds):
    """Anybody can compute the digest: a row with a number too few was found out after the training, as a zip's."""
    scale = reproduce.Scale("digits", epochs=1, limit=40, samples=9)
    file, seeds, plan = tmp_path / "1.safetensors", [0, 1], reproduce.schedule.get("paper", epochs=1)

    def measured():
        return reproduce.TABLES["iwae"].measure("k = 1", seeds, scale, reproduce.Machinery(), file, False)

    assert len(plan.rates) == 1 and len(measured()) == 2
    tensors, run = checkpoint.read(file)
    run["history"] = [[bounds, *run["history"][0][1:]]]
    text = json.dumps(run)
    metadata = {"format": checkpoint.FORMAT, "run": text, "sha256": checkpoint.digest(tensors, text)}
    safetensors.torch.save_file(tensors, file, metadata)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="no checkpoint to go on from: row 1 of its history"):
        measured()
    assert file.read_bytes() == before
