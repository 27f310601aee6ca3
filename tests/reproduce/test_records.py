"""Recorded reproductions: each is what its table makes at its scale; the Markdown in benchmarks is printed from it."""

import json

import pytest

from tools import chapter
from vaecourse import files, recorded, reproduce
from vaecourse.reproduce import report

RECORDS = sorted(file.stem for file in recorded.FOLDER.glob("reproduce_*.json"))


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_what_its_table_makes(name):
    record = recorded.load(name)
    said, table = record["settings"], reproduce.TABLES[record["settings"]["table"]]
    if said.get("data", "digits") == "digits":  # other images may not be on this machine
        scale = reproduce.Scale(**said["scale"])
        assert said == json.loads(json.dumps({"table": table.name, "scale": said["scale"], **table.settings(scale)}))
    assert said["rows"] == table.rows
    done = [(run["row"], run["seed"]) for run in record["runs"]]
    assert len(done) == len(set(done)) and {row for row, _ in done} <= set(table.rows)
    for run in record["runs"]:
        assert set(table.measures) <= set(run) and run["wall_seconds"] >= 0 and run["device"]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_as_many_seeds_as_may_be_asked_for_can_be_read_again(name):
    """Each run on another machine, which is named in it then."""
    record = recorded.load(name)
    rows = reproduce.TABLES[record["settings"]["table"]].rows
    longest = max(len(json.dumps([run | {"machine": record["machine"]}], indent=2)) for run in record["runs"])
    assert longest * len(rows) * reproduce.MOST_SEEDS < recorded.LARGEST


@pytest.mark.parametrize("name", RECORDS)
def test_the_table_is_printed_from_the_record(name):
    record = recorded.load(name)
    printed = chapter.ROOT / "benchmarks" / f"{name}.md"
    table = reproduce.TABLES[record["settings"]["table"]]
    assert printed.read_bytes() == files.signed(report.markdown(table, record))
