"""The lab of the effective sample size: exact shares by chi-square in L dimensions, estimates by weights of a model."""

import numpy as np
import pytest
import torch

from tests.stats import assert_mean
from vaecourse import bounds, exact
from vaecourse.labs.small.worth import DIMENSIONS, LARGEST_K, SETS, Worth, _squares

LAB = Worth()


def of_dimensions(L, width):
    model = exact.LinearGaussian(1.5 * torch.eye(L, dtype=torch.float64), 0.7)
    x = torch.full((1, L), 1.3, dtype=torch.float64)
    return model, x, model.posterior(x).mean, torch.full((1, L), width, dtype=torch.float64) * (0.7 / 2.95) ** 0.5


@pytest.mark.parametrize("width", [0.6, 0.8, 1.0, 1.3, 2.0])
def test_the_dashed_line_is_that_of_chi_squared(width):
    found = LAB.compute(width, 100, 0).exact
    for L, share in zip(DIMENSIONS.tolist(), found):
        model, *case = of_dimensions(L, width)
        assert share == pytest.approx(1 / (1 + model.chi_squared(*case).item()), rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("width, L", [(1.3, 5), (0.6, 1), (2.0, 20)])
def test_the_dots_are_those_of_a_models_weights(width, L):
    model, *case = of_dimensions(L, width)
    log_w = model.log_weights(*case, M=2000, K=100, generator=torch.Generator().manual_seed(1))
    here = DIMENSIONS.tolist().index(L)
    said = [LAB.compute(width, 100, seed).said[here] for seed in range(12)]
    assert_mean(torch.tensor(np.array(said)), (bounds.effective_sample_size(log_w).mean() / 100).item())


def test_the_sums_are_those_of_so_many_squares():
    sums = _squares(0)
    assert sums.shape == (SETS, LARGEST_K, len(DIMENSIONS))
    assert_mean(sums.reshape(-1, len(DIMENSIONS)), torch.from_numpy(DIMENSIONS))
    assert (sums.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("width", [0.5, 1.3, 2.0])
@pytest.mark.parametrize("K", [10, 1000])
def test_it_never_says_less_than_one_of_k(width, K):
    said = LAB.compute(width, K, 0).said
    assert (said >= 1 / K * (1 - 1e-6)).all() and (said <= 1 + 1e-6).all()


def test_the_words():
    assert "worth 10 draws" in LAB.sentence(LAB.compute(1.3, 1000, 0))
    assert "infinite" in LAB.sentence(LAB.compute(0.7, 1000, 0))
    assert "infinite" not in LAB.sentence(LAB.compute(0.72, 1000, 0))
    assert "worth 1000 draws" in LAB.sentence(LAB.compute(1.0, 1000, 0))
