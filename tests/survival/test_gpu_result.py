"""What `make gpu` writes: minutes of a rented GPU are not written over, nor is a file of somebody's."""

import json
import sys

import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import training
from vaecourse import files, recorded, reproduce

MEASURED = {"passed": 1, "skipped": 0, "failed": 0, "failures": []}


@pytest.fixture
def call(monkeypatch, tmp_path):
    """The command with one part, which takes no time."""
    monkeypatch.setattr(gpu, "PARTS", {"tests": lambda *_: dict(MEASURED)})

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["gpu", "--rehearse", "--to", str(tmp_path / "result.json"), *words])
        return gpu.main()

    return call


def test_what_another_machine_measured_is_kept(call, tmp_path):
    assert call() == 0 and call("--part", "tests") == 0 and not (tmp_path / "kept").exists()
    file = tmp_path / "result.json"
    other = json.loads(file.read_text())
    other["machine"]["device"] = "NVIDIA H100"
    file.write_text(json.dumps(other))
    before = {path.suffix: path.read_bytes() for path in (file, file.with_suffix(".md"))}
    file.with_suffix(".md").write_bytes(before[".md"].replace(b"# On one", b"My remark. # On one"))
    before[".md"] = file.with_suffix(".md").read_bytes()
    with pytest.warns(UserWarning, match="kept in"):
        assert call() == 0
    assert {path.suffix: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    assert json.loads(file.read_text())["machine"]["device"] == "cpu"


@pytest.mark.parametrize(
    "name, content", [("result.json", '{"thesis": 1}'), ("result.json", "no JSON"), ("result.md", "my page")]
)
def test_a_strangers_file_is_refused_before_anything_is_measured(call, tmp_path, monkeypatch, name, content):
    (tmp_path / name).write_text(content)
    monkeypatch.setattr(gpu, "PARTS", {"tests": lambda *_: pytest.fail("measured")})
    with pytest.raises(files.NotOurs):
        call()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, content)]


def test_a_name_without_json_is_refused(call, tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("my page")
    with pytest.raises(ValueError, match="must end in .json"):
        call("--to", str(tmp_path / "page.md"))
    assert (tmp_path / "page.md").read_text() == "my page"


def test_a_training_that_was_ended_goes_on_with_its_own_number_of_passes(tmp_path):
    """How many fit is measured, and so is another number each time: the record would be one with other settings."""
    scale, file = reproduce.Scale("digits", schedule="short", limit=40, samples=9), tmp_path / "result.json"
    record, passes = training.record_of(file, scale, 7)
    assert (record.name, passes) == ("result-iwae.json", 7)
    settings = reproduce.settings_of(reproduce.TABLES["iwae"], reproduce.Scale(**{**scale.__dict__, "epochs": 7}))
    recorded.Record(record, settings).add({"row": "k = 1", "seed": 0})
    assert training.record_of(file, scale, 9) == (record, 7)
    found = json.loads(record.read_text())
    record.write_text(json.dumps(found | {"machine": found["machine"] | {"cores": 999}}))  # of another machine
    assert training.record_of(file, scale, 9) == (tmp_path / "result-iwae-2.json", 9)
