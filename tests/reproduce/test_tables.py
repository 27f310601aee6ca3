"""The experiments: one file with one table each, found by their folder; they run at any scale and outlive a kill."""

import dataclasses
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tests.tools.test_docs import examples
from tools import site
from vaecourse import recorded, reproduce
from vaecourse.__main__ import app
from vaecourse.reproduce import tables
from vaecourse.reproduce.table import Table


def call(*words):
    result = CliRunner().invoke(app, ["reproduce", *map(str, words)])
    return result.exit_code, result.stdout + result.stderr


FILES = [found.name for found in pkgutil.iter_modules(tables.__path__)]


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_one_table_of_its_name(name):
    module = importlib.import_module(f"vaecourse.reproduce.tables.{name}")
    (table,) = (value for value in vars(module).values() if isinstance(value, Table))
    assert table is module.TABLE is reproduce.TABLES[name] and table.name == name


TINY = ["--data", "digits", "--epochs", 1, "--limit", 40, "--samples", 9]


@pytest.mark.parametrize("name", FILES)
def test_a_table_runs_at_a_tiny_scale_and_its_record_says_how(name, tmp_path):
    table, file = reproduce.TABLES[name], tmp_path / f"{name}.json"
    row = list(table.rows)[-1] if name != "tighter" else "VAE"
    code, said = call(name, *TINY, "--row", row, "--to", file)
    assert code == 0, said
    record = json.loads(file.read_text())
    assert record["settings"]["table"] == name and record["settings"]["scale"]["limit"] == 40
    assert record["machine"] == recorded.machine() and record["commit"] == recorded.commit()
    (run,) = record["runs"]
    assert (run["row"], run["seed"]) == (row, 0) and set(table.measures) <= table.numbers(run).keys()
    assert f"| {row} | 1 |" in file.with_suffix(".md").read_text() and table.facts.keys() <= record.keys()
    before = file.read_bytes()
    assert call(name, *TINY, "--row", row, "--to", file)[0] == 0 and file.read_bytes() == before


def test_what_is_not_asked_for_is_the_tables_own(tmp_path):
    for name, own in {"iwae": ("mnist", 5000), "hierarchical_digits": ("digits", 1000)}.items():
        full = reproduce.TABLES[name].full
        assert (full.data, full.samples, full.stages) == (*own, 8)
    file = tmp_path / "b.json"
    assert call("better_gradients", "--epochs", 1, "--limit", 30, "--samples", 5, "--row", "STL", "--to", file)[0] == 0
    assert json.loads(file.read_text())["settings"]["scale"]["data"] == "digits"


def test_every_record_is_made_by_a_command_on_its_page():
    page = (recorded.FOLDER / "README.md").read_text()
    lines = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| `python -m vaecourse reproduce (.+?)` \|", page, re.MULTILINE))
    assert lines.keys() == {file.stem for file in recorded.FOLDER.glob("*.json")}
    for name, line in lines.items():
        record, (table, *options) = recorded.load(name), line.split()
        given = dict(zip(options[::2], options[1::2], strict=True))
        assert table == record["settings"]["table"]
        seeds = {run["seed"] for run in record["runs"]}
        assert seeds == set(range(int(given.pop("--seeds", 1))))
        options = {key.removeprefix("--"): int(v) if v.isdecimal() else v for key, v in given.items()}
        assert record["settings"]["scale"] == dataclasses.replace(reproduce.TABLES[table].full, **options).named()


# An experiment that is added -----------------------------------------------------------------------------------------


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The experiment of docs/adding-an-experiment.md, in a folder of its own."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (source,) = examples("adding-an-experiment.md")
    (folder / "gap_of_k.py").write_text(source)
    monkeypatch.setattr(tables, "__path__", [*tables.__path__, str(folder)])
    yield folder
    sys.modules.pop("vaecourse.reproduce.tables.gap_of_k", None)


def test_an_added_experiment_is_seen_by_command_help_and_site(added, tmp_path):
    file = tmp_path / "gap.json"
    code, said = call("gap_of_k", "--seeds", 2, "--to", file)
    gaps = [float(gap) for gap in re.findall(r"\| K = \d+ \| 2 \| ([\d.]+) ± [\d.]+ \|", said)]
    assert code == 0 and len(gaps) == 3 and gaps[0] > gaps[1] > gaps[2] > 0
    assert len(json.loads(file.read_text())["runs"]) == 6 and file.with_suffix(".md").exists()
    assert re.search(r"\bgap_of_k\b", call("--help")[1]) and "gap_of_k" in reproduce.TABLES
    assert "automodule:: vaecourse.reproduce.tables.gap_of_k" in site.api_page("reproduce")
    code, said = call("gap_of_j")
    assert code == 2 and "Did you mean 'gap_of_k'" in " ".join(said.split())


def test_help_names_every_experiment_and_no_other():
    said = " ".join(call("--help")[1].split())
    assert ", ".join(FILES) in said and "gap_of_k" not in said


def test_a_file_whose_table_has_another_name_is_told(added):
    (added / "other.py").write_text((added / "gap_of_k.py").read_text())
    with pytest.raises(ValueError, match=r"in other\.py must have the name 'other', got 'gap_of_k'"):
        reproduce.TABLES["other"]


def test_an_unknown_experiment_is_told():
    with pytest.raises(KeyError, match="no experiment 'iwea', only better_gradients, .*iwae"):
        reproduce.TABLES["iwea"]


KILLED = """
import os, sys
from pathlib import Path
from vaecourse import reproduce
from vaecourse.reproduce import tables

tables.__path__.append(sys.argv[1])
made = []

def counted(self, run, add=reproduce.Record.add):
    add(self, run)
    made.append(run)
    if len(made) == int(sys.argv[3]):
        os.kill(os.getpid(), 9)

reproduce.Record.add = counted
reproduce.make("gap_of_k", Path(sys.argv[2]), seeds=2)
print(len(made))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_experiment_goes_on_after_its_last_run(added, tmp_path):
    file, whole = tmp_path / "killed.json", tmp_path / "whole.json"

    def run(to, dies):
        command = [sys.executable, "-c", KILLED, added, to, str(dies)]
        return subprocess.run(command, cwd=site.ROOT, capture_output=True, text=True, timeout=120)

    assert run(file, 4).returncode == -9 and len(json.loads(file.read_text())["runs"]) == 4
    again = run(file, 99)
    assert again.returncode == 0 and again.stdout.split()[-1] == "2", again.stderr
    assert run(whole, 99).returncode == 0
    assert file.read_bytes() == whole.read_bytes()
    assert file.with_suffix(".md").read_bytes() == whole.with_suffix(".md").read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_somebody_elses_file_is_refused_and_kept(name, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text("mine")
    code, said = call(name, *TINY, "--to", file)
    assert code == 2 and "is not a recorded result" in " ".join(said.split()) and file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
