"""Tables: what is measured, kept, gone on with, and printed beside the paper's numbers."""

import errno
import json
import math
import re

import pytest
import torch
from typer.testing import CliRunner

from vaecourse import data, evaluate, files, reproduce, train
from vaecourse.__main__ import app
from vaecourse.reproduce import budget_vaes, infovae_vaes, laplace_bounds, report, scheduled_vaes, training
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.images import images_of
from vaecourse.reproduce.processes import Processes
from vaecourse.reproduce.table import Quoted
from vaecourse.reproduce.tables import iwae, sivi, tighter


def call(*words):
    result = CliRunner().invoke(app, ["reproduce", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A table at the scale of CI, and what was said."""
    file = tmp_path_factory.mktemp("tables") / "iwae.json"
    words = ["iwae", "--data", "digits", "--epochs", 1, "--limit", 500, "--samples", 64, "--to", file]
    return file, words, call(*words)


def test_a_table_has_every_row_and_the_papers_numbers(small):
    file, _, (code, said, bar) = small
    assert code == 0 and "step" in bar
    for row, number in {"k = 1": "86.76", "IWAE, k = 5": "85.54", "IWAE, k = 50": "84.78"}.items():
        assert re.search(rf"\| {row} \| 1 \| \d\d\.\d\d \| {number} \| \d+ \|", said)
    assert "| row | seeds | NLL | paper, MNIST | active units | paper, MNIST |" in said
    assert "**A shortened schedule**, 1 passes of 3280; digits, 500 images" in said and "| z |" not in said
    kept = file.with_suffix(".md").read_text()
    assert kept.rpartition("<!-- made by vaecourse")[0] in said


def test_a_record_says_settings_seeds_versions_device_and_time(small):
    record = json.loads(small[0].read_text())
    assert record["settings"]["schedule"] == {"passes": 1, "of": 3280, "last_rate": 1e-3, "batch_size": 20}
    assert record["settings"]["train_images"] == 500 and record["settings"]["scale"]["limit"] == 500
    assert {"torch", "python", "processor"} <= set(record["machine"])
    for run in record["runs"]:
        assert run["seed"] == 0 and run["wall_seconds"] > 0 and run["device"] == "cpu, float32"
        assert 15 < run["nll"] < 40 and run["nll_spread"] > 1


def test_the_same_line_again_runs_nothing_and_more_seeds_add_runs(small):
    file, words, (_, said, _) = small
    before = file.read_bytes()
    assert call(*words)[1] == said and file.read_bytes() == before
    code, more, _ = call(*words, "--seeds", 3, "--row", "k = 1", "--together", 2)
    assert code == 0 and re.search(r"\| k = 1 \| 3 \| \d\d\.\d\d ± ", more)
    runs = json.loads(file.read_text())["runs"]
    assert [(run["seed"], run["side_by_side"]) for run in runs if run["row"] == "k = 1"] == [(0, 1), (1, 2), (2, 2)]
    assert not file.with_name("iwae.json.runs").exists()


def test_ctrl_c_says_that_the_same_line_goes_on(monkeypatch, tmp_path):
    def press(*_):
        raise KeyboardInterrupt

    words = ["iwae", "--data", "digits", "--epochs", 1, "--limit", 40, "--samples", 9, "--row", "k = 1"]
    monkeypatch.setattr(training, "step", press)
    code, _, error = call(*words, "--to", tmp_path / "file.json")
    assert code == 130 and "Interrupted" in error and "the same line goes on" in error
    monkeypatch.undo()
    code, said, _ = call(*words, "--to", tmp_path / "file.json")
    assert code == 0 and re.search(r"\| k = 1 \| 1 \| \d\d", said)


ONE_BY_ONE = {  # the tables that train seeds one by one: a row, and what trains one
    "infovae": ("VAE", infovae_vaes.infovae, "fit"),
    "laplace": ("IWHVI, 100 steps", laplace_bounds, "learn"),
    "sivi": ("banana: HVM", sivi.samplers, "fit"),
}


def trained(monkeypatch, name, stops_at=None):
    """The line that makes a row of this table, and a list that grows by one with each training."""
    row, module, what = ONE_BY_ONE[name]
    train_one, calls = getattr(module, what), []

    def counted(*args, **settings):
        calls.append(name)
        if len(calls) == stops_at:
            raise KeyboardInterrupt
        return train_one(*args, **settings)

    monkeypatch.setattr(module, what, counted)
    return [name, "--data", "digits", "--epochs", 1, "--limit", 40, "--samples", 9, "--row", row], calls


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_ctrl_c_keeps_the_seeds_that_are_done(name, monkeypatch, tmp_path):
    """Of three that are trained together."""
    file = tmp_path / "file.json"
    with monkeypatch.context() as patch:
        words, _ = trained(patch, name, stops_at=3)
        words += ["--seeds", 3, "--together", 3, "--to", file]
        code, _, error = call(*words)
    assert code == 130 and "keeps what is done" in error
    assert [run["seed"] for run in json.loads(file.read_text())["runs"]] == [0, 1]
    assert re.search(rf"\| {words[10]} \| 2 \|", file.with_suffix(".md").read_text())
    _, calls = trained(monkeypatch, name)
    code, said, _ = call(*words)
    assert code == 0 and len(calls) == 1 and f"| {words[10]} | 3 |" in said


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_record_that_cannot_be_written_is_told_before_the_training(name, monkeypatch, tmp_path):
    file, ours = tmp_path / "file.json", files.replace

    def full(path, content, *args, **settings):
        if path.name == file.name:
            raise OSError(errno.ENOSPC, f"{path} could not be written (No space left on device)")
        return ours(path, content, *args, **settings)

    monkeypatch.setattr(files, "replace", full)
    words, calls = trained(monkeypatch, name)
    code, _, error = call(*words, "--to", file)
    assert code == 2 and "could not be written" in error and calls == []


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_numbers_that_cannot_be_written_are_in_the_error(name, monkeypatch, tmp_path):
    file, writes, ours = tmp_path / "file.json", [], files.replace

    def full(path, content, *args, **settings):
        writes.append(path.name)
        if writes.count(file.name) > 1:  # the first is before the training
            raise OSError(errno.ENOSPC, f"{path} could not be written (No space left on device), it is as it was.")
        return ours(path, content, *args, **settings)

    monkeypatch.setattr(files, "replace", full)
    words, calls = trained(monkeypatch, name)
    code, _, error = call(*words, "--to", file)
    assert code == 2 and len(calls) == 1 and json.loads(file.read_text())["runs"] == []
    (run,) = json.loads(re.sub(r"\s+", " ", error).partition("What was measured: ")[2])
    assert run["row"] == words[10] and run.keys() >= reproduce.TABLES[name].measures.keys()


def test_another_scale_needs_another_file(small):
    code, _, error = call(*small[1], "--samples", 65)
    assert code == 2 and "holds runs with other settings" in error


@pytest.mark.parametrize(
    "words, said",
    [
        (["iwea"], "table must be one of .*'iwea'. Did you mean 'iwae'"),
        (["iwae", "--row", "k = 2"], "row must be one of k = 1,.*got 'k = 2'"),
        (["iwae", "--seeds", 0], "seeds must be at least 1, got 0"),
        (["iwae", "--limit", 0], "limit must be at least 1, got 0"),
        (["iwae", "--test", 0], "test must be at least 1, got 0"),
        (["iwae", "--samples", 0], "samples must be at least 1, got 0"),
        (["iwae", "--together", 0], "together must be at least 1, got 0"),
        (["iwae", "--stages", 9], "stages must be at most 8, got 9"),
        (["iwae", "--epochs", 0], "epochs must be at least 1, got 0"),
        (["iwae", "--precision", "fp8"], "precision must be one of float32, tf32, bf16, got 'fp8'"),
        (["iwae", "--precision", "tf32", "--device", "cpu"], "'tf32' needs a CUDA device, got cpu"),
        (["iwae", "--data", "minst"], "name must be one of .*Did you mean 'mnist'"),
    ],
)
def test_an_error_is_a_sentence(words, said, tmp_path):
    digits = [] if "--data" in words else ["--data", "digits"]
    code, _, error = call(*words, *digits, "--to", tmp_path / "file.json")
    assert code == 2 and re.search(said, re.sub(r"\s+", " ", error)) and "Traceback" not in error
    assert not (tmp_path / "file.json").exists()


def test_tighter_measures_what_its_names_say(tmp_path):
    scale = reproduce.Scale("digits", epochs=1, limit=60, samples=200)
    reproduce.make("tighter", tmp_path / "t.json", scale, rows=["PIWAE(4, 16)"])
    (run,) = json.loads((tmp_path / "t.json").read_text())["runs"]
    images = images_of(scale)
    ensemble = Ensemble([train.untrained(images, 0)])
    row, M, K = scheduled_vaes.row_of(tighter.ROWS["PIWAE(4, 16)"])
    training.train_ensemble(ensemble, images.train, row, M, K, [1e-3], [0])
    (model,) = ensemble.models()
    x, noises = images.binary_test(), [torch.Generator().manual_seed(seed) for seed in range(1, 17)]
    again = {
        "log_p": [evaluate.log_likelihood(model, x, 200, noise).mean() for noise in noises],
        "iwae_64": [evaluate.bound(model, x, "iwae", 1, 64, noise).mean() for noise in noises],
    }
    for name, values in again.items():
        values = torch.stack(values)
        assert abs(run[name] - values.mean()) / (values.std() * (1 + 1 / 16) ** 0.5) < 4
    assert run["minus_kl"] == pytest.approx(run["iwae_64"] - run["log_p"], abs=1e-3)


def test_the_rows_keep_to_the_budget_and_have_a_number_each():
    for row, setting in tighter.ROWS.items():
        _, M, K = scheduled_vaes.row_of(setting)
        assert M * K == budget_vaes.BUDGET and row in (setting["objective"].upper() + f"({M}, {K})", row.split("(")[0])
    for row, setting in iwae.ROWS.items():
        assert row.endswith(f"k = {scheduled_vaes.row_of(setting)[2]}") and setting["M"] == 1
    for table in reproduce.TABLES.values():
        for numbers in table.paper.values():
            assert numbers.keys() <= table.rows.keys()


def test_numbers_nobody_checked_carry_a_dagger():
    assert str(Quoted(-85.68, 0.06, checked=False)) == "-85.68 ± 0.06 †" and str(Quoted(19)) == "19"
    table = reproduce.TABLES["tighter"]
    for bound, log_p, gap in zip(*(table.paper[name].values() for name in table.measures), strict=True):
        assert gap.value == pytest.approx(bound.value - log_p.value, abs=0.011)


def test_a_z_score_counts_seeds_images_and_the_papers_error():
    ours = [86.0, 86.2, 86.4]
    assert report.z_score(ours, Quoted(86.0)) == pytest.approx(0.2 / math.sqrt(0.04 / 3))
    assert report.z_score(ours, Quoted(86.0, 0.3)) == pytest.approx(0.2 / math.sqrt(0.04 / 3 + 0.09))
    whole = report.z_score(ours, Quoted(86.0), spread=25.0, images=10_000)
    assert whole == pytest.approx(0.2 / math.sqrt(0.04 / 3))
    part = report.z_score(ours, Quoted(86.0), spread=25.0, images=1000)
    assert part == pytest.approx(0.2 / math.sqrt(0.04 / 3 + 625 * (1e-3 - 1e-4)))
    assert report.z_score([86.0], Quoted(85.0)) is None


def test_seeds_stand_side_by_side_where_that_was_faster():
    table, machinery = reproduce.TABLES["iwae"], reproduce.Machinery()
    assert table.side_by_side("IWAE, k = 50", reproduce.Scale("digits"), machinery)
    assert not reproduce.TABLES["laplace"].side_by_side("SIVI", reproduce.Scale(), machinery)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.ALL, "mnist", lambda: data.digits()._replace(train=torch.zeros(9, 784), name="mnist"))
        assert table.side_by_side("IWAE, k = 5", reproduce.Scale(), machinery)
        assert not table.side_by_side("IWAE, k = 50", reproduce.Scale(), machinery)


def test_z_is_printed_where_the_experiment_is_the_papers(monkeypatch):
    mnist = data.digits()._replace(train=torch.zeros(60_000, 1), test=torch.zeros(10_000, 1), name="mnist")
    monkeypatch.setitem(data.ALL, "mnist", lambda: mnist)
    table = reproduce.TABLES["iwae"]
    full, *less = (table.settings(reproduce.Scale(**short)) for short in ({}, {"stages": 7}, {"limit": 59_999}))
    assert table.comparable(full) and not any(table.comparable(other) for other in less)
    runs = [{"row": "k = 1", "seed": s, "nll": 86.7 + s / 10, "active_units": 19} for s in range(2)]
    record = {"settings": full, "machine": {"processor": "", "torch": ""}, "runs": runs}
    said = report.markdown(table, record)
    assert "| k = 1 | 2 | 86.75 ± 0.05 | 86.76 | -0.2 | 19.00 ± 0.00 | 19 |  |" in said and "The full schedule" in said


def test_the_laplace_toy_keeps_to_the_exact_value_and_the_known_bounds(tmp_path):
    scale = reproduce.Scale(epochs=1, limit=100)
    said = reproduce.make("laplace", tmp_path / "l.json", scale, rows=["SIVI", "IWHVI, 100 steps"])
    sivi, iwhvi = json.loads((tmp_path / "l.json").read_text())["runs"]
    known = reproduce.TABLES["laplace"].paper
    for K, name in zip((0, 5, 50, 1000), ("U_0", "U_5", "U_50", "U_1000"), strict=True):
        z = report.z_score([sivi[name]], known[name]["SIVI"], error=sivi[f"{name}_error"])
        assert z is not None and abs(z) < 4, (K, z)
        assert iwhvi[name] < sivi[name] - 1
        assert iwhvi[name] > -84.6574 - 4 * iwhvi[f"{name}_error"]
    assert "**Shortened**: no row has more than 100 steps" in said and "| IWHVI, 3000 steps | 0 | not run |" in said


def test_sivis_targets_are_held_against_the_exact_density(tmp_path):
    scale, rows = reproduce.Scale(epochs=1, limit=1000), ["banana: Gaussian", "banana: IWHVI, K = 20"]
    said = reproduce.make("sivi", tmp_path / "s.json", scale, rows=rows)
    gaussian, sampler = json.loads((tmp_path / "s.json").read_text())["runs"]
    assert gaussian["kl"] == gaussian["gap"] == pytest.approx(0.32, abs=0.02)
    assert 0 < sampler["kl"] < sampler["gap"] + 4 * sampler["gap_error"]
    assert "paper" not in said and "| z" not in said
    assert "| banana: Gaussian | 1 | 0.318 | 0.318 ± 0.000 |" in said and "| X: HVM | 0 | not run | not run |" in said


def test_the_family_measures_what_its_settings_say(tmp_path):
    scale = reproduce.Scale("digits", epochs=1, limit=200, samples=50)
    reproduce.make("infovae", tmp_path / "i.json", scale, rows=["VAE", "AAE"])
    record = json.loads((tmp_path / "i.json").read_text())
    for run in record["runs"]:
        assert 0 < run["information"] < math.log(200) and -40 < run["log_p"] < -20 and run["active_units"] <= 10
    assert record["settings"]["schedule"]["epochs"] == 1
    assert not (tmp_path / "i.json.runs").exists()


def test_what_cannot_be_shared_is_not(tmp_path):
    machinery = reproduce.Machinery(processes=Processes(0, 2))
    with pytest.raises(ValueError, match="laplace has runs that are too short to share"):
        reproduce.make("laplace", tmp_path / "l.json", reproduce.Scale(), machinery=machinery)
