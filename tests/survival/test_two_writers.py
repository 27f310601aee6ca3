"""Two at once on one table, one checkpoint, one saved lab: nothing is lost, and the second is told of the first."""

import json
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.test_data import contents, server, source  # noqa: F401 - fixtures
from tests.test_train import X, new_model, run
from vaecourse import checkpoint, data, files, labs, recorded, reproduce, train
from vaecourse.__main__ import app
from vaecourse.labs import training_panel
from vaecourse.labs.cockpit import TrainingCockpit
from vaecourse.labs.latent_space import LatentSpace

ROOT = Path(__file__).parents[2]
TINY = reproduce.Scale("digits", epochs=1, limit=40, samples=9)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be forked here")

# Once torch is loaded, so that they really are at work at the same time.
TOGETHER = """
import os, sys, time
from pathlib import Path
import torch, filelock
from vaecourse import recorded, reproduce
torch.set_num_threads(1)
reproduce.tables.ALL["iwae"].settings(reproduce.Scale("digits"))
file = Path(sys.argv[1])
work = {work}
children = []
for number in range({count}):
    child = os.fork()
    if not child:
        try:
            work(number)
            os._exit(0)
        except BaseException as failure:
            print(type(failure).__name__, failure, file=sys.stderr, flush=True)
            os._exit(1)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children) > 0)
"""


LETTERS = """
import time
from vaecourse.reproduce.table import Table, one_by_one

def measure(row, seed, scale, machinery):
    with open({log!r}, "a") as log:
        log.write(f"{{row}} {{seed}}\\n")
    time.sleep(0.05)
    return {{"row": row, "seed": seed, "number": 1.0}}

rows, settings = dict.fromkeys("abc", {{}}), lambda scale: {{"K": 4}}
TABLE = Table("letters", "Letters", "", rows, {{"number": "number"}}, {{}}, settings, one_by_one(measure), lambda _: "")
"""  # an experiment


def together(file, count, work):
    program = TOGETHER.format(work=work, count=count)
    ended = subprocess.run([sys.executable, "-c", program, file], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def rows_of(file):
    return sorted((run["row"], run["seed"]) for run in json.loads(file.read_text())["runs"])


def test_three_rows_of_a_table_made_by_three_processes_are_three_rows(tmp_path):
    file, rows = tmp_path / "iwae.json", ["k = 1", "VAE, k = 5", "IWAE, k = 5"]
    scale = 'reproduce.Scale("digits", epochs=1, limit=40, samples=9)'
    together(file, 3, f'lambda number: reproduce.make("iwae", file, {scale}, rows=[{rows}[number]])')
    assert rows_of(file) == sorted((row, 0) for row in rows)
    published = file.with_suffix(".md").read_text()
    again = reproduce.make("iwae", file, TINY, rows=rows)
    assert again in published and all(f"| {row} | 1 |" in published for row in rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["iwae.json", "iwae.md"]


def test_seeds_that_were_trained_side_by_side_are_recorded_at_once(tmp_path, monkeypatch):
    """Ended between two of them, the same line again would train the others anew: their file has another name."""
    file, written = tmp_path / "iwae.json", reproduce._Published.write

    def ended(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce._Published, "write", ended)
    with pytest.raises(KeyboardInterrupt):
        reproduce.make("iwae", file, TINY, seeds=3, rows=["k = 1"], together=3)
    assert rows_of(file) == [("k = 1", seed) for seed in range(3)]
    monkeypatch.setattr(reproduce._Published, "write", written)
    monkeypatch.setattr(reproduce.scheduled_vaes, "train_ensemble", lambda *_, **__: pytest.fail("trained again"))
    assert "| k = 1 | 3 |" in reproduce.make("iwae", file, TINY, seeds=3, rows=["k = 1"], together=3)
    assert len({run["nll"] for run in json.loads(file.read_text())["runs"]}) == 3


def test_a_table_is_printed_with_what_others_have_added_meanwhile(tmp_path, monkeypatch):
    """One has its row and is about to print; another adds its own and prints; then the first one does."""
    file, written = tmp_path / "iwae.json", reproduce._Published.write

    def late(self):
        monkeypatch.setattr(reproduce._Published, "write", written)
        reproduce.make("iwae", file, TINY, rows=["VAE, k = 5"])
        return written(self)

    monkeypatch.setattr(reproduce._Published, "write", late)
    reproduce.make("iwae", file, TINY, rows=["k = 1"])
    assert all(f"| {row} | 1 |" in file.with_suffix(".md").read_text() for row in ("k = 1", "VAE, k = 5"))


def test_processes_that_fill_the_same_record_make_each_run_once(tmp_path):
    file, log = tmp_path / "result.json", tmp_path / "log"
    (tmp_path / "letters.py").write_text(LETTERS.format(log=str(log)))
    work = f"""lambda number: (
        reproduce.tables.__path__.append({str(tmp_path)!r}),
        reproduce.make("letters", file, seeds=3, tell=lambda words: print(words, flush=True)),
    )"""
    said = together(file, 3, work)
    every = sorted((row, seed) for row in "abc" for seed in range(3))
    assert rows_of(file) == every
    made = sorted(tuple(line.split()) for line in log.read_text().splitlines())
    assert made == [(row, str(seed)) for row, seed in every]
    assert "left to process" in said and "which has been making row" in said


def test_a_record_changed_meanwhile_keeps_what_was_written_into_it(tmp_path):
    record = recorded.Record(tmp_path / "result.json", {"K": 4})
    record.add({"row": "a", "seed": 0})
    content = json.loads(record.file.read_text())
    content["remark"] = "my own"
    content["runs"][0]["note"] = "odd"
    record.file.write_text(json.dumps(content))
    record.add({"row": "b", "seed": 0})
    now = json.loads(record.file.read_text())
    assert now["remark"] == "my own" and now["runs"][0]["note"] == "odd"
    assert rows_of(record.file) == [("a", 0), ("b", 0)]


def test_a_record_whose_file_became_somebodys_is_written_beside_it(tmp_path):
    record = recorded.Record(tmp_path / "result.json", {"K": 4})
    record.add({"row": "a", "seed": 0})
    record.file.write_text("mine")
    with pytest.raises(ValueError, match=r"not a recorded result.* The 2 runs in hand are in .*result-.*\.json"):
        record.add({"row": "b", "seed": 0})
    (aside,) = tmp_path.glob("result-*.json")
    assert record.file.read_text() == "mine" and rows_of(aside) == [("a", 0), ("b", 0)]


def test_a_finished_row_leaves_the_checkpoint_of_a_seed_that_another_trains(tmp_path):
    file = tmp_path / "iwae.json"
    folder = tmp_path / "iwae.json.runs"
    run(epochs=1, checkpoint=folder / "k___1-1.safetensors")  # another process is at work on seed 1
    (folder / "k___1-0.safetensors.txt").write_text("a note")
    reproduce.make("iwae", file, TINY, rows=["k = 1"])
    assert sorted(path.name for path in folder.iterdir()) == ["k___1-0.safetensors.txt", "k___1-1.safetensors"]


# What is somebody else's ---------------------------------------------------------------------------------------------


def call(*words):
    result = CliRunner().invoke(app, ["reproduce", *map(str, words)])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


SMALL = ["iwae", "--data", "digits", "--epochs", 1, "--limit", 40, "--samples", 9, "--row", "k = 1"]


@pytest.mark.parametrize("name", ["README", "x.md", "notes.txt"])
def test_a_table_goes_into_a_json_file_only(tmp_path, name):
    (tmp_path / "README.md").write_text("# My project")
    code, said = call(*SMALL, "--to", tmp_path / name)
    assert code == 2 and "must end in .json, got" in said
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "# My project"


def test_a_table_beside_which_lies_somebodys_page_is_refused_before_the_first_run(tmp_path):
    (tmp_path / "README.md").write_text("# My project")
    code, said = call(*SMALL, "--to", tmp_path / "README.json")
    assert code == 2 and "README.md is not a text that vaecourse made: it is left as it is" in said
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_remark_in_a_published_table_is_kept(tmp_path):
    file = tmp_path / "t.json"
    assert call(*SMALL, "--to", file)[0] == 0
    table = file.with_suffix(".md")
    table.write_text(remarked := table.read_text() + "\nMy remark.\n")
    code, said = call(*SMALL, "--to", file, "--seeds", 2)
    (copy,) = (tmp_path / "kept").iterdir()
    assert code == 0 and copy.read_text() == remarked and copy.name in said and "My remark" not in table.read_text()


@pytest.mark.parametrize(
    "runs",
    [
        '[{"row": "k = 1", "seed": 0}]',
        '[{"row": 3}]',
        '[{"row": "k = 1", "nll": "x"}]',
        "[{}]",
        '[{"row": "k = 1", "seed": 0, "nll": 1, "active_units": 1, "wall_seconds": 1, "side_by_side": 0}]',
    ],
)
def test_runs_of_something_else_are_told_in_a_sentence(tmp_path, runs):
    file = tmp_path / "t.json"
    assert call(*SMALL, "--to", file)[0] == 0
    content = json.loads(file.read_text())
    content["runs"] = json.loads(runs)
    file.write_text(before := json.dumps(content))
    code, said = call(*SMALL, "--to", file)
    assert code == 2 and "has runs that are not of the table iwae" in said and "Traceback" not in said
    assert file.read_text() == before


# One checkpoint ------------------------------------------------------------------------------------------------------


def test_a_second_run_of_a_checkpoint_is_told_of_the_first(tmp_path):
    file = tmp_path / "file.safetensors"
    with files.locked(file, "training"):
        before = new_model()
        with pytest.raises(files.Busy, match="in use by this very process, which has been training since"):
            run(before, checkpoint=file)
        assert before.training and all(torch.equal(a, b) for a, b in zip(before.parameters(), new_model().parameters()))
    run(checkpoint=file)


def test_a_checkpoint_that_somebody_changed_during_the_run_is_kept(tmp_path, monkeypatch):
    file, other = tmp_path / "file.safetensors", tmp_path / "other.safetensors"
    run(epochs=1, seed=7, checkpoint=other)
    held, write = other.read_bytes(), checkpoint.Checkpoint.save

    def save(self, history, *more):
        if len(history) == 2:
            file.write_bytes(held)
        write(self, history, *more)

    monkeypatch.setattr(checkpoint.Checkpoint, "save", save)
    with pytest.warns(UserWarning, match="what it held is kept in"):
        run(epochs=3, checkpoint=file)
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.read_bytes() == held and len(checkpoint.read(file)[1]["history"]) == 3


def test_a_foreign_file_put_in_its_place_ends_the_run_and_stays(tmp_path, monkeypatch):
    file, write = tmp_path / "file.safetensors", checkpoint.Checkpoint.save

    def save(self, history, *more):
        if len(history) == 2:
            file.write_text("thesis")
        write(self, history, *more)

    monkeypatch.setattr(checkpoint.Checkpoint, "save", save)
    with pytest.raises(ValueError, match="is not a checkpoint that this run may replace: it is left as it is"):
        run(epochs=3, checkpoint=file)
    assert file.read_text() == "thesis"


# One cache -----------------------------------------------------------------------------------------------------------


def test_two_who_want_the_same_images_fetch_them_once(source, server, monkeypatch):  # noqa: F811
    asked, received = [], data.fetching._received

    def slowly(url, expected):
        asked.append(url)
        time.sleep(0.3)
        return received(url, expected)

    monkeypatch.setattr(data.fetching, "_received", slowly)
    found = []
    threads = [threading.Thread(target=lambda: found.append(data.mnist())) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    living = [url for url in asked if url.startswith(source.mirrors[-1])]
    assert len(found) == 3 and len(living) == len(set(living)) == 4
    assert not list(data.places.cache_folder().rglob(".*"))


# A saved lab ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab():
    made = TrainingCockpit().live()
    made.step(2)
    yield made
    made.close()


@pytest.mark.parametrize("content", ["# My thesis", '{"cells": [], "metadata": {}, "nbformat": 4}', ""])
def test_save_does_not_replace_somebodys_file(tmp_path, lab, content):
    file = tmp_path / "thesis.txt"
    file.write_text(content)
    with pytest.raises(ValueError, match="it is left as it is"):
        lab.save(file)
    assert file.read_text() == content


def test_save_does_not_replace_a_run_or_another_lab(tmp_path, lab):
    run(held_out=X[:11], checkpoint=tmp_path / "run.safetensors", epochs=1)
    other = LatentSpace().live()
    other.step(1)
    other.save(tmp_path / "latent.safetensors")
    other.close()
    for name in ("run", "latent"):
        before = (tmp_path / f"{name}.safetensors").read_bytes()
        with pytest.raises(ValueError, match="it is left as it is"):
            lab.save(tmp_path / f"{name}.safetensors")
        assert (tmp_path / f"{name}.safetensors").read_bytes() == before


def test_save_keeps_another_training_of_the_same_lab_and_replaces_its_own(tmp_path, lab):
    file = tmp_path / "cockpit.safetensors"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.save(file)
        lab.step(1)
        lab.save(file)  # its own
    other = TrainingCockpit().live()
    other.step(1)
    with pytest.warns(UserWarning, match="kept in"):
        other.save(file)
    other.close()
    (copy,) = (tmp_path / "kept").iterdir()
    lab.reinitialise(0)
    lab.load(copy)
    assert lab.trainer.steps == 3


def test_a_lab_knows_the_files_that_it_has_written(tmp_path, lab):
    """Save p, save q, save p, save q: one training that goes on, and nobody else's work is in q."""
    p, q = tmp_path / "p.safetensors", tmp_path / "q.safetensors"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.save(p)
        lab.step(1)
        lab.save(q)
        lab.save(p)
        lab.step(1)
        lab.save(q)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("by", ["history", "controls"])
def test_a_file_that_could_not_be_loaded_is_not_known_and_is_kept(tmp_path, lab, by):
    file, settings = tmp_path / "p.safetensors", dict(lab.settings)
    if by == "controls":
        settings.pop("beta")
    else:
        lab.trainer.turns = [10**6]
    lab.trainer.known = {}
    lab.trainer.save(file, settings)
    lab.trainer.turns = []
    before = file.read_bytes()
    other = TrainingCockpit().live()
    with pytest.raises(ValueError, match="p.safetensors"):
        other.load(file)
    with pytest.raises(ValueError) if by == "history" else warnings.catch_warnings():
        other.trainer.load(file)
    if by == "history":
        with pytest.warns(UserWarning, match="kept in"):
            other.trainer.save(file, other.settings)
    other.close()
    copies = [path.read_bytes() for path in (tmp_path / "kept").iterdir()] if by == "history" else [before]
    assert copies == [before]


def test_the_panel_says_where_another_training_is_kept(tmp_path, lab, monkeypatch):
    monkeypatch.setattr(labs, "STARTED", tmp_path.resolve())
    lab.save(tmp_path / "cockpit.safetensors")
    other = TrainingCockpit().live()
    other.step(1)
    other._obey({"do": "save", "file": "cockpit.safetensors"}, training_panel.FILES)
    (copy,) = (tmp_path / "kept").iterdir()
    assert "saved in cockpit.safetensors" in other.transport.state and copy.name in other.transport.state
    (tmp_path / "run.safetensors").write_text("mine")
    other._obey({"do": "save", "file": "run.safetensors"}, training_panel.FILES)
    assert "it is left as it is" in other.transport.state and (tmp_path / "run.safetensors").read_text() == "mine"
    other.close()


def test_two_trainings_that_save_at_once_both_stay(tmp_path):
    file = tmp_path / "cockpit.safetensors"
    labs = [TrainingCockpit().live() for _ in range(2)]
    for number, one in enumerate(labs, 1):
        one.step(number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=one.trainer.save, args=(file, one.settings)) for one in labs]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    found = [file, *(tmp_path / "kept").iterdir()]
    assert sorted(checkpoint.read(path)[1]["settings"]["steps"] for path in found) == [1, 2]
    [one.close() for one in labs]


def test_a_run_whose_model_is_at_hand_can_be_loaded_while_it_is_locked(tmp_path):
    file = tmp_path / "file.safetensors"
    model, _ = run(checkpoint=file)
    with files.locked(file, "training"):
        assert all(torch.equal(a, b) for a, b in zip(train.load(file).parameters(), model.parameters(), strict=True))


def test_a_checkpoint_that_may_not_be_written_is_told_before_the_first_step(tmp_path, monkeypatch):
    file = tmp_path / "file.safetensors"
    run(epochs=1, checkpoint=file)
    os.link(file, tmp_path / "backup.safetensors")
    monkeypatch.setattr(train.steps, "step", lambda *_: pytest.fail("a step was taken"))
    with pytest.raises(OSError, match="it has 2 names, hard links"):
        run(epochs=2, checkpoint=file)


def test_a_record_with_a_name_or_a_run_twice_is_told(tmp_path):
    file = tmp_path / "t.json"
    assert call(*SMALL, "--to", file)[0] == 0
    whole = file.read_text()
    file.write_text(whole.replace('"settings"', '"remark": 1,\n "remark": 2,\n "settings"', 1))
    assert "is not a recorded result" in call(*SMALL, "--to", file)[1]
    content = json.loads(whole)
    content["runs"] *= 2
    file.write_text(json.dumps(content))
    code, said = call(*SMALL, "--to", file)
    assert code == 2 and "a run stands there twice" in said


def test_a_save_between_the_reading_and_the_saving_of_a_lab_is_kept(tmp_path, lab, monkeypatch):
    file = tmp_path / "cockpit.safetensors"
    lab.save(file)
    other, read = TrainingCockpit().live(), checkpoint.read
    other.step(7)

    def late(*arguments):
        found = read(*arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other.save(file)
        return found

    monkeypatch.setattr(checkpoint, "read", late)
    lab.load(file)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="kept in"):
        lab.save(file)
    steps = [checkpoint.read(path)[1]["settings"]["steps"] for path in (tmp_path / "kept").iterdir()]
    assert 7 in steps
    other.close()
