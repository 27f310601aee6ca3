"""Recorded results: each is what its table makes at its scale; the Markdown beside it is printed from it."""

import json
import statistics

import pytest

from vaecourse import files, recorded, reproduce
from vaecourse.reproduce import report

RECORDS = sorted(file.stem for file in recorded.FOLDER.glob("*.json"))


def table_of(record):
    return reproduce.TABLES[record["settings"]["table"]]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_what_its_table_makes(name):
    record = recorded.load(name)
    said, table = record["settings"], table_of(record)
    scale = reproduce.Scale(**said["scale"])
    if said.get("data") != "mnist":  # other images may not be on this machine
        assert said == json.loads(json.dumps(reproduce.settings_of(table, scale)))
        assert json.loads(json.dumps(said["rows"])) == {**table.rows, **said["rows"]}
    assert said["rows"].keys() == table.rows.keys()
    done = [(run["row"], run["seed"]) for run in record["runs"]]
    assert len(done) == len(set(done)) and {row for row, _ in done} <= set(table.rows)
    assert {"processor", "threads", "torch", "python"} <= set(record["machine"])
    for run in map(table.numbers, record["runs"]):
        took = [value for name, value in run.items() if name.endswith("seconds")]
        assert set(table.measures) <= set(run) and took and min(took) >= 0


PAPERS = [
    "infovae_digits",
    "iwae_digits",
    "iwae_mnist",
    "iwae_mnist_short",
    "iwae_mnist_long",
    "laplace",
    "sivi",
    "tighter_digits",
]


@pytest.mark.parametrize("name", PAPERS)
def test_a_record_of_a_papers_table_has_its_rows_and_says_the_device(name):
    record = recorded.load(name)
    assert record["settings"]["rows"] == table_of(record).rows
    assert all(run["device"] for run in record["runs"])


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_the_name_of_its_table(name):
    settings = recorded.load(name)["settings"]
    own, word = f"{settings['table']}_{settings['scale']['data']}", name.rpartition("_")[2]
    assert name in (settings["table"], own) or (name == f"{own}_{word}" and "schedule" in settings["scale"])


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_says_its_commit_or_that_it_was_not_recorded(name):
    """The runs of before this was recorded have none, and nobody has made one up."""
    record, printed = recorded.load(name), recorded.path(name).with_suffix(".md").read_text()
    assert "commit" in record
    for run in record["runs"]:
        commit = run.get("commit", record["commit"])
        assert ("commit not recorded" if commit is None else commit) in printed


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_as_many_seeds_as_may_be_asked_for_can_be_read_again(name):
    """Each run on another machine, which is named in it then."""
    record = recorded.load(name)
    more = {"machine": record["machine"], "commit": "0" * 40 + "+changed"}
    longest = max(len(json.dumps([run | more], indent=2)) for run in record["runs"])
    table = table_of(record)
    assert longest * len(table.rows) * table.most_seeds < recorded.LARGEST
    assert table.most_seeds >= (1000 if name in PAPERS else 20)


@pytest.mark.parametrize("name", RECORDS)
def test_the_table_is_printed_from_the_record(name):
    record = recorded.load(name)
    printed = recorded.path(name).with_suffix(".md")
    assert printed.read_bytes() == files.signed(report.markdown(table_of(record), record))
    assert not [line for line in printed.read_text().splitlines() if line != line.rstrip()]


def test_the_readme_has_the_numbers_of_the_record():
    page = (recorded.ROOT / "README.md").read_text()
    for row in reproduce.TABLES["iwae"].rows:
        runs = [run for run in recorded.load("iwae_mnist_short")["runs"] if run["row"] == row]
        nll, units = ([run[key] for run in runs] for key in ("nll", "active_units"))
        error = f"{statistics.stdev(nll) / len(nll) ** 0.5:.2f}".removeprefix("0")
        paper = reproduce.TABLES["iwae"].paper
        ours = f"| {row} | {statistics.mean(nll):.2f} ± {error} | {paper['nll'][row]} "
        assert f"{ours}| {statistics.mean(units):.1f} | {paper['active_units'][row]} |" in page
    (long,) = recorded.load("iwae_mnist_long")["runs"]
    assert f"| {long['row']}, 578 passes, one seed | {long['nll']:.2f} |" in page
