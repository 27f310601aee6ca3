"""Recorded results: each belongs to the script that ships with it, and is whole."""

import importlib.util
import json
from pathlib import Path

import pytest

from vaecourse import recorded

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_unknown_name_is_told_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'one_budget'"):
        recorded.load("one_buget")


def test_a_record_goes_on_where_it_stopped(tmp_path):
    file = tmp_path / "result.json"
    first = recorded.Record(file, {"rows": (1, 2)})
    first.add({"row": "a", "seed": 0})
    again = recorded.Record(file, {"rows": (1, 2)})
    assert again.has(row="a", seed=0) and not again.has(row="a", seed=1)
    again.add({"row": "a", "seed": 1})
    assert json.loads(file.read_text())["runs"] == [{"row": "a", "seed": 0}, {"row": "a", "seed": 1}]


def test_a_run_on_another_machine_says_so(tmp_path, monkeypatch):
    file = tmp_path / "result.json"
    recorded.Record(file, {}).add({"seed": 0})
    monkeypatch.setattr(recorded.platform, "platform", lambda: "elsewhere")
    again = recorded.Record(file, {})
    again.add({"seed": 1})
    assert again.machine["system"] != "elsewhere" and again.runs[1]["machine"]["system"] == "elsewhere"


@pytest.mark.parametrize("content", ["", "[]", '{"settings": {}}', '{"settings": {"K": 5}, "machine": {}, "runs": []}'])
def test_a_file_with_something_else_is_refused_and_kept(tmp_path, content):
    file = tmp_path / "result.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="name another file"):
        recorded.Record(file, {"K": 4})
    assert file.read_text() == content


def test_one_budget_is_what_its_script_makes():
    result, made_by = recorded.load("one_budget"), script("one_budget")
    assert result["settings"] == json.loads(json.dumps(made_by.settings()))
    assert {"processor", "threads", "torch", "python"} <= set(result["machine"])
    assert all(row["M"] * row["K"] == made_by.BUDGET for row in result["settings"]["rows"].values())


def test_one_budget_compares_all_rows_on_the_same_seeds():
    result = recorded.load("one_budget")
    done = [(run["row"], run["seed"]) for run in result["runs"]]
    assert len(done) == len(set(done))
    seeds = {seed for _, seed in done}
    assert len(seeds) >= 5
    assert set(done) == {(row, seed) for row in result["settings"]["rows"] for seed in seeds}
    for run in result["runs"]:
        assert run["elbo"] < run["iwae_64"] < run["log_p"]
        assert 0 < run["processor_seconds"] <= run["wall_seconds"]
