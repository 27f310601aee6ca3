"""Recorded results: each belongs to the experiment that ships with it, and is whole."""

import errno
import json
import math
import subprocess

import pytest
import torch

from vaecourse import files, infovae, recorded, reproduce
from vaecourse.hierarchical import toy
from vaecourse.reproduce import budget_vaes
from vaecourse.reproduce.table import Table, one_by_one


def settings_of(name):
    """What the experiment of this name would write, as it is read back."""
    table = reproduce.TABLES[name]
    return json.loads(json.dumps(reproduce.settings_of(table, table.full)))


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


def test_rows_and_seeds_that_are_not_there_yet_are_filled_in(tmp_path, monkeypatch):
    file, measured = tmp_path / "result.json", []

    def measure(row, seed, scale, machinery):
        measured.append((row, seed))
        return {"row": row, "seed": seed, "number": 1.0}

    rows, settings = {"a": {}, "b": {}}, lambda scale: {"K": 4}
    table = Table("ab", "A", "", rows, {"number": "number"}, {}, settings, one_by_one(measure), lambda _: "")
    monkeypatch.setattr(reproduce, "TABLES", {"ab": table})
    for seeds in (1, 2):
        reproduce.make("ab", file, seeds=seeds)
    assert measured == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert [(run["row"], run["seed"]) for run in json.loads(file.read_text())["runs"]] == measured


def test_facts_of_a_record_belong_to_no_run(tmp_path):
    file = tmp_path / "result.json"
    recorded.Record(file, {}, exact=1.5).add({"seed": 0})
    assert json.loads(file.read_text())["exact"] == 1.5


def test_a_run_on_another_machine_says_so(tmp_path, monkeypatch):
    file = tmp_path / "result.json"
    recorded.Record(file, {}).add({"seed": 0})
    monkeypatch.setattr(recorded.platform, "platform", lambda: "elsewhere")
    again = recorded.Record(file, {})
    again.add({"seed": 1})
    assert again.machine["system"] != "elsewhere" and again.runs[1]["machine"]["system"] == "elsewhere"


def git(folder, *words):
    own = ["-c", "user.name=a", "-c", "user.email=a", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    ended = subprocess.run(["git", *own, *words], cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with a package, and how the record of a run calls it."""
    folder = tmp_path / "checkout"
    (folder / "vaecourse/recorded").mkdir(parents=True)
    (folder / "vaecourse/train.py").write_text("rate = 1\n")
    (folder / "vaecourse/recorded/iwae.json").write_text("{}\n")
    monkeypatch.setattr(recorded, "ROOT", folder)
    yield folder, recorded.commit.__wrapped__
    recorded.commit.cache_clear()


def test_a_record_has_the_commit_that_made_it(checkout, monkeypatch):
    folder, commit = checkout
    git(folder, "init", "--quiet")
    assert commit() == f"version {recorded.__version__}", "there is no commit yet"
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    head = git(folder, "rev-parse", "HEAD")
    assert commit() == head and len(head) == 40
    for name in ("README.md", "vaecourse/recorded/iwae.json", "vaecourse/recorded/new.md"):
        (folder / name).write_text("the record grows, and no number depends on it")
        assert commit() == head
    monkeypatch.setenv("GIT_DIR", str(folder.parent / "of a hook"))
    assert commit() == head
    (folder / "vaecourse/new.py").write_text("")
    assert commit() == f"{head}+changed"
    (folder / "vaecourse/new.py").unlink()
    (folder / "vaecourse/train.py").write_text("rate = 2\n")
    assert commit() == f"{head}+changed"


def test_without_a_checkout_a_record_has_the_version(checkout, monkeypatch):
    folder, commit = checkout
    git(folder.parent, "init", "--quiet")
    git(folder.parent, "add", "--all")
    git(folder.parent, "commit", "--quiet", "--message", "somebody's project, which the package is installed in")
    assert commit() == f"version {recorded.__version__}"
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    assert len(commit()) == 40
    monkeypatch.setenv("PATH", "")
    assert commit() == f"version {recorded.__version__}", "there is no git"


def test_a_run_of_another_commit_says_so(tmp_path, monkeypatch):
    file = tmp_path / "result.json"
    monkeypatch.setattr(recorded, "commit", lambda: "aaa")
    recorded.Record(file, {}).add({"seed": 0})
    monkeypatch.setattr(recorded, "commit", lambda: "bbb+changed")
    recorded.Record(file, {}).add({"seed": 1})
    content = json.loads(file.read_text())
    assert content["commit"] == "aaa"
    assert content["runs"] == [{"seed": 0}, {"seed": 1, "commit": "bbb+changed"}]


def test_a_record_that_has_no_commit_gets_none_made_up(tmp_path):
    file = tmp_path / "result.json"
    file.write_text(json.dumps({"settings": {}, "machine": recorded.machine(), "runs": [{"seed": 0}]}))
    recorded.Record(file, {}).add({"seed": 1})
    content = json.loads(file.read_text())
    assert content["commit"] is None
    assert content["runs"] == [{"seed": 0}, {"seed": 1, "commit": recorded.commit()}]


@pytest.mark.parametrize("content", ["", "[]", '{"settings": {}}', '{"settings": {"K": 5}, "machine": {}, "runs": []}'])
def test_a_file_with_something_else_is_refused_and_kept(tmp_path, content):
    file = tmp_path / "result.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="name another file"):
        recorded.Record(file, {"K": 4})
    assert file.read_text() == content


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    """Sixty megabytes of lists took two gigabytes and most of a minute."""
    file = tmp_path / "result.json"
    recorded.Record(file, {"K": 4}, filler="x" * 2**20).write()
    recorded.Record(file, {"K": 4})
    with file.open("ab") as end:
        end.write(b" " * (8 * 10**6 + 1 - file.stat().st_size))
    monkeypatch.setattr(recorded, "_once", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(ValueError, match=r"result.json has more than 8000000 bytes.*name another file"):
        recorded.Record(file, {"K": 4})


def test_the_records_of_the_course_have_room():
    assert max(file.stat().st_size for file in recorded.FOLDER.glob("*.json")) * 20 < recorded.LARGEST


def test_a_record_can_be_written_before_the_first_run(tmp_path):
    file = tmp_path / "result.json"
    recorded.Record(file, {"K": 4}).write()
    assert json.loads(file.read_text())["runs"] == []
    first, second = recorded.Record(file, {"K": 4}), recorded.Record(file, {"K": 4})
    first.add({"seed": 0})
    second.write()
    assert json.loads(file.read_text())["runs"] == [{"seed": 0}], "what others have added stays"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("other", [False, True])
def test_a_run_that_cannot_be_written_is_in_the_error(tmp_path, monkeypatch, other):
    """On a full disk; where somebody has put another file in the record's place nothing can be written beside it."""
    record = recorded.Record(tmp_path / "result.json", {"K": 4})
    record.write()
    if other:
        record.file.write_text("mine")
    before = record.file.read_bytes()

    def full(path, *_, **__):
        raise OSError(errno.ENOSPC, f"{path} could not be written.")

    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(
        OSError, match=r'could not be written. What was measured: \[{"seed": 0, "log_p": -1.25}\]'
    ) as told:
        record.add({"seed": 0, "log_p": -1.25})
    assert told.value.errno == errno.ENOSPC and record.file.read_bytes() == before


def test_one_budget_is_what_its_experiment_makes():
    result = recorded.load("one_budget")
    assert result["settings"] == settings_of("one_budget")
    assert {"processor", "threads", "torch", "python"} <= set(result["machine"])
    assert all(row["M"] * row["K"] == budget_vaes.BUDGET for row in result["settings"]["rows"].values())


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


def test_laplace_is_what_its_experiment_makes():
    result = recorded.load("laplace_steps")
    assert result["settings"] == settings_of("laplace_steps")
    assert {"processor", "threads", "torch", "python"} <= set(result["machine"])
    done = [(run["steps"], run["seed"]) for run in result["runs"]]
    seeds = {seed for _, seed in done}
    assert len(done) == len(set(done)) and len(seeds) >= 3
    assert set(done) == {(steps, seed) for steps in (0, 10, 30, 100, 300, 1000, 3000) for seed in seeds}
    for run in result["runs"]:
        assert result["settings"]["rows"][run["row"]] == {"steps": run["steps"]}


def test_laplace_reproduces_sivi():
    """SIVI on the Laplace law: its standard errors are .02 to .06, and U_0 is known in closed form."""
    sivi = toy.averages(recorded.load("laplace_steps"))[0]
    known = [-73.85, -74.52, -75.63, -76.22, -77.14, -77.77, -78.41, -80.53]
    assert sivi.K == (0, 1, 5, 10, 25, 50, 100, 1000) and sivi.exact == pytest.approx(-84.657, abs=1e-3)
    for ours, error, theirs in zip(sivi.upper.tolist(), sivi.upper_error.tolist(), known):
        assert abs(ours - theirs) < 4 * math.hypot(error, 0.02)
    closed = -25 * (math.log(2 * math.pi) + 1 + math.log(2) - 0.5772156649)
    assert abs(sivi.upper[0] - closed) < 4 * sivi.upper_error[0]


def test_laplace_bounds_are_above_and_below_and_close_with_K():
    for curve in toy.averages(recorded.load("laplace_steps")).values():
        known = ~curve.lower.isnan()
        assert (curve.upper > curve.exact - 4 * curve.upper_error).all()
        assert (curve.lower < curve.exact + 4 * curve.lower_error)[known].all()
        assert (curve.upper.diff() < 4 * curve.upper_error[1:]).all()
        assert (curve.lower[known].diff() > -4 * curve.lower_error[known][1:]).all()


def test_laplace_training_removes_the_gap_of_sivi():
    """300 steps on: 87 % at K = 0, 95 % at K = 5, 98 % from K = 50 on; ten steps remove a fifth to a half."""
    curves = toy.averages(recorded.load("laplace_steps"))
    gap = {steps: curve.upper - curve.exact for steps, curve in curves.items()}
    for steps in (300, 1000, 3000):
        removed = dict(zip(curves[0].K, (1 - gap[steps] / gap[0]).tolist()))
        assert removed[0] > 0.87 and removed[5] > 0.95
        assert min(removed[50], removed[100], removed[1000]) > 0.98
    assert 0.2 < 1 - gap[10][0] / gap[0][0] < 0.5
    for fewer, more in ((0, 10), (10, 30), (30, 100), (100, 300)):
        assert (gap[more] < gap[fewer] + 4 * curves[more].upper_error).all()


def test_better_gradients_is_one_budget_with_other_rows():
    result, other = recorded.load("better_gradients"), recorded.load("one_budget")
    assert result["settings"] == settings_of("better_gradients")
    own = {"table": None, "rows": None}
    assert {**result["settings"], **own} == {**other["settings"], **own}
    assert result["machine"] == other["machine"]
    assert not result["settings"]["rows"].keys() & other["settings"]["rows"].keys()
    assert all(row["M"] * row["K"] == 64 for row in result["settings"]["rows"].values())
    done = [(run["row"], run["seed"]) for run in result["runs"]]
    assert sorted(done) == sorted((row, seed) for row in result["settings"]["rows"] for seed in range(6))
    assert all(run["elbo"] < run["iwae_64"] < run["log_p"] for run in result["runs"])


def test_one_decoder_is_what_its_experiment_makes():
    """The decoders are those of one_budget up to rounding, and nothing that is done to an encoder moves log p(x)."""
    result, budget = recorded.load("one_decoder"), recorded.load("one_budget")
    assert result["settings"] == settings_of("one_decoder")
    assert result["settings"]["schedule"] == budget["settings"]["schedule"]
    rows = result["settings"]["rows"]
    runs = {(run["row"], run["seed"]): run for run in result["runs"]}
    seeds = {seed for _, seed in runs}
    assert len(seeds) >= 4 and runs.keys() == {(row, seed) for row in rows for seed in seeds}
    before = {(run["row"], run["seed"]): run for run in budget["runs"]}
    for (row, seed), run in runs.items():
        same = before[rows[row]["decoder"], seed]
        assert run["elbo"] < run["iwae_64"] < run["log_p"]
        assert abs(run["log_p"] - same["log_p"]) < 0.06 and abs(run["active_units"] - same["active_units"]) <= 2
        if rows[row]["passes"]:
            assert rows[row]["M"] * rows[row]["K"] == budget_vaes.BUDGET


def test_infovae_is_what_its_experiment_makes():
    result = recorded.load("infovae_map")
    assert result["settings"] == settings_of("infovae_map")
    assert {"processor", "threads", "torch", "python"} <= set(result["machine"])
    for row in result["settings"]["rows"].values():
        infovae.InfoVAE(row["divergence"], row["alpha"], row["lambda"])  # none is refused


def by_row(name):
    """Every measured entry, row by row, over the seeds in order: {row: {entry: [S]}}."""
    runs = sorted(recorded.load("infovae_map")["runs"], key=lambda run: run["seed"])
    rows = {row: [run for run in runs if run["row"] == row] for row in recorded.load("infovae_map")["settings"]["rows"]}
    return {row: torch.tensor([run[name] for run in found], dtype=torch.float64) for row, found in rows.items()}


def test_infovae_compares_all_rows_on_the_same_seeds():
    result = recorded.load("infovae_map")
    done = [(run["row"], run["seed"]) for run in result["runs"]]
    seeds = {seed for _, seed in done}
    assert len(done) == len(set(done)) and len(seeds) >= 3
    assert set(done) == {(row, seed) for row in result["settings"]["rows"] for seed in seeds}
    for run in result["runs"]:
        assert run["reconstruction"] - run["rate"] < run["log_p"] < 0 < run["aggregate_kl"]
        assert 0 < run["mutual_information"] < math.log(1437) + 1e-3
        assert 0.1 < run["linear_probe"] <= 1 and 0.1 < run["nearest_5"] <= 1


FAR = "KL adversarial", "AAE (JS adversarial)", "Stein"  # their encoders miss the posterior of their decoders


def test_judges_agree_where_the_own_encoder_does_not():
    result, map_of = recorded.load("infovae_judges"), by_row("log_p")
    assert result["settings"] == settings_of("infovae_judges")
    runs = {(run["row"], run["seed"]): run for run in result["runs"]}
    assert set(runs) == {(row, seed) for row in result["settings"]["rows"] for seed in (0, 1)}
    for (row, seed), run in runs.items():
        assert run["refit"] > run["own"] - 0.01 and abs(run["ais"] - run["refit"]) < 0.1 and run["refit_rising"] < 0.1
        assert run["js"] < math.log(2)
        if row in FAR:
            assert run["refit"] - run["own"] > 3 and abs(run["refit"] - runs["VAE", seed]["refit"]) < 0.15
            assert run["rate_less_log_b"] > 4 > run["kl"], "the difference has a floor that the divergence has not"
        if "adversarial" not in row and row != "Stein":
            assert abs(run["own"] - map_of[row][seed]) < 0.2, "the map's own training"


def test_infovae_information_is_bought_by_alpha():
    """Seed by seed, so every difference has its sign each time; log p by the own encoder, as ``FAR`` shows."""
    information, log_p, apart = by_row("mutual_information"), by_row("log_p"), by_row("aggregate_kl")
    assert (information["beta-VAE 2"] < information["VAE"]).all()
    assert (information["InfoVAE 0, MMD-IMQ"] < information["VAE"]).all()  # alpha = 0 pays nothing for it
    undecided = {"InfoVAE 0, MMD-IMQ", "MMD-VAE, RBF"}  # RBF is above the VAE with three seeds and below with one
    for row in set(information) - {"VAE", "beta-VAE 2"} - undecided:
        assert (information[row] > information["VAE"]).all(), row
    for row in FAR:
        assert (apart[row] > 2).all() and (log_p[row] < log_p["VAE"] - 2).all()
    for row in ("beta-VAE .5", "InfoVAE .5, KL minibatch", "KL minibatch"):  # more information, and a better model
        assert (log_p[row] > log_p["VAE"]).all()
