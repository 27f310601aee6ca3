"""The records of hierarchical inference: each belongs to the experiment that ships with it, and is whole."""

import pytest
import torch

from tests.test_recorded import settings_of
from vaecourse import recorded
from vaecourse.hierarchical import samplers


@pytest.mark.parametrize("name", ["hierarchical_digits", "samplers"])
def test_a_record_is_what_its_experiment_makes(name):
    result = recorded.load(name)
    assert result["settings"] == settings_of(name)
    assert {"processor", "threads", "torch", "python"} <= set(result["machine"])
    for run in result["runs"]:
        assert 0 < run["processor_seconds"] <= run["wall_seconds"] + 0.1


def test_samplers_are_there_for_every_setting():
    result = recorded.load("samplers")
    assert recorded.path("samplers").stat().st_size < 305_000
    done = [(run["target"], run["K"], run["tau"]) for run in result["runs"]]
    settings = result["settings"]
    assert len(done) == len(set(done)) == len(settings["targets"]) * len(settings["K"]) * len(settings["tau"])
    assert set(result["gaussian_kl"]) == set(samplers.TARGETS)


def test_samplers_with_more_psi_and_a_learned_tau_come_nearer():
    result = recorded.load("samplers")
    kl = {(run["target"], run["K"], run["tau"]): run["moments"][-1]["kl"] for run in result["runs"]}
    for target, gaussian in result["gaussian_kl"].items():
        assert kl[target, 20, "learned"] < 0.1 * gaussian
        assert kl[target, 20, "learned"] < kl[target, 0, "learned"]
        assert kl[target, 20, "learned"] < kl[target, 20, "prior"] + 0.005
        assert kl[target, 5, "learned"] < kl[target, 5, "prior"] + 0.005


def log_p(row, key="log_p"):
    """One number a seed, the seeds in order: ``[S]``."""
    runs = [run for run in recorded.load("hierarchical_digits")["runs"] if run["row"] == row]
    return torch.tensor([run[key] for run in sorted(runs, key=lambda run: run["seed"])], dtype=torch.float64)


def test_digits_compare_all_rows_on_the_same_seeds():
    result = recorded.load("hierarchical_digits")
    done = [(run["row"], run["seed"]) for run in result["runs"]]
    seeds = {seed for _, seed in done}
    assert len(done) == len(set(done)) and len(seeds) >= 3
    assert set(done) == {(row, seed) for row in result["settings"]["rows"] for seed in seeds}
    for run in result["runs"]:
        assert run["elbo"] < run["log_p"] < -20


def test_digits_gain_from_width_and_from_the_vampprior_and_not_from_the_law_of_q():
    """Seed by seed where the sign is the same each time; a z-score where it is not."""
    for row in ("Gaussian, wide", "Gaussian, VampPrior"):
        assert (log_p(row) > log_p("Gaussian")).all()
    assert log_p("IWHVI", "encoder_parameters")[0] >= log_p("Gaussian, wide", "encoder_parameters")[0]
    for row in ("HVM", "SIVI", "IWHVI"):
        assert (log_p(row) < log_p("Gaussian, wide")).all()
        gain = log_p(row) - log_p("Gaussian")
        assert gain.mean().abs() < 4 * gain.std() / len(gain) ** 0.5
