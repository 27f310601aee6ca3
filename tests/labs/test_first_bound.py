"""The exact E[L_K] of the first lab, against closed forms and against sampling."""

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact
from vaecourse.labs.first_bound import RUNS, ExpectedBound, FirstBound


@pytest.fixture(scope="module")
def expected():
    return ExpectedBound()


@pytest.fixture(scope="module")
def case():
    return exact.reference(torch.float64)


def test_one_sample_is_the_elbo(expected, case):
    assert expected(1) == pytest.approx(case.model.elbo(*case[1:]).item(), abs=1e-9)


def test_many_samples_have_the_rate_of_chi_squared(expected, case):
    chi_squared = case.model.chi_squared(*case[1:]).item()
    scaled = [(expected.log_likelihood - expected(K)) * 2 * K / chi_squared for K in (10, 100, 1000)]
    assert scaled == pytest.approx([1.0753, 1.0069, 1.0007], abs=2e-4)


@pytest.mark.parametrize("K", [2, 7, 40])
def test_between_them_it_is_the_mean_of_the_bound(expected, case, K):
    log_w = case.model.log_weights(*case[1:], 40_000, K, torch.Generator().manual_seed(K))
    runs = bounds.iwae(log_w.permute(2, 1, 0))  # each of the M estimates as a data point of its own
    assert_mean(runs, expected(K))
    assert_not_mean(runs, expected(K + 1) if K == 2 else expected(1))


def test_the_runs_are_estimates_of_the_bound_at_every_K(expected):
    experiment = FirstBound()
    for K in (1, 3, 30, 1000):
        data = experiment.compute(K=K, seed=5)
        assert data.runs.shape == (RUNS,)
        assert data.expected == expected(K)
        assert_mean(torch.from_numpy(data.runs.copy()), data.expected)
