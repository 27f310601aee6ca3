"""The first lab's numbers, against closed forms and against sampling."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tests.stats import assert_mean
from vaecourse import exact
from vaecourse.labs.first_bound import LARGEST_K, RUNS, FirstBound


@pytest.fixture(scope="module")
def experiment():
    return FirstBound()


def test_one_sample_is_the_elbo(experiment):
    model, *point = exact.reference(torch.float64)
    assert experiment.compute(K=1, seed=0).expected == pytest.approx(model.elbo(*point).item(), abs=1e-6)


def test_the_bound_rises_towards_log_p_at_the_rate_of_chi_squared(experiment):
    model, *point = exact.reference(torch.float64)
    gap = experiment.log_likelihood - experiment.expected
    assert (np.diff(gap) < 0).all() and (gap > 0).all()
    assert gap[-1] * 2 * LARGEST_K == pytest.approx(model.chi_squared(*point).item(), rel=2e-3)


def test_it_opens_at_one_guess_and_draws_no_further_than_the_learner_went():
    lab = FirstBound()
    artists = lab.build(Figure())
    assert [control.default for control in lab.controls if control.name == "K"] == [1]
    for K in (1, 9, 1000):
        lab.update(artists, lab.compute(K=K, seed=0))
        assert artists.line.get_xdata().max() == K


@pytest.mark.parametrize("K", [1, 3, 30, 1000])
def test_the_runs_are_estimates_of_the_bound(experiment, K):
    data = experiment.compute(K=K, seed=5)
    assert data.runs.shape == (RUNS,)
    assert_mean(torch.from_numpy(data.runs), data.expected)


def test_a_new_seed_is_new_noise(experiment):
    one, two, again = (experiment.compute(K=8, seed=seed).runs for seed in (0, 1, 0))
    assert (one != two).all()
    assert (one == again).all()
