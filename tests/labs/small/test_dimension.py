"""The lab of the dimensions: its bound is that of draws in D dimensions, and only the distance of q counts."""

import math

import pytest
import torch

from vaecourse.labs.small.dimension import BARS, Dimension


@pytest.fixture(scope="module")
def lab():
    return Dimension().live()


@pytest.mark.parametrize("D, K, shift", [(1, 64, 0.5), (10, 64, 0.5), (30, 16, 0.3)])
def test_the_bound_is_that_of_draws(lab, D, K, shift):
    data, N = lab.experiment.compute(D, K, shift), 4000
    z = shift + torch.randn(N, K, D, generator=torch.Generator().manual_seed(7))
    log_w = (-0.5 * z.square() + 0.5 * (z - shift).square()).sum(-1)
    runs = math.log(K) - log_w.logsumexp(1)
    assert abs(runs.mean() - data.gaps[-1]) < 4 * runs.std() / N**0.5
    assert data.kls[-1] == pytest.approx(0.5 * D * shift**2)


def test_only_the_distance_counts(lab):
    one, many = lab.experiment.compute(1, 64, 1.0), lab.experiment.compute(100, 64, 0.1)
    assert one.gaps[-1] == pytest.approx(many.gaps[-1], abs=1e-9)
    assert one.shares == pytest.approx(many.shares)
    assert one.chi_squared == pytest.approx(math.e - 1)


def test_the_curve_is_close_to_the_exact_point(lab):
    data = lab.experiment.compute(60, 64, 0.5)
    for D in (5, 20, 59):
        assert data.gaps[D - 1] == pytest.approx(lab.experiment.compute(D, 64, 0.5).gaps[-1], abs=3e-3)


def test_weights_collapse(lab):
    shares = {D: lab.experiment.compute(D, 64, 0.5).shares for D in (1, 10, 50)}
    assert shares[1][0] < 0.1 < shares[10][0] < shares[50][0] and shares[50][0] > 0.8
    assert all(len(some) == BARS and some.sum() <= 1 + 1e-9 for some in shares.values())
    assert lab.experiment.compute(3, 4, 0.5).shares[4:].sum() == 0


def test_the_sentence_says_the_edge(lab):
    lab.controls["shift"].value, lab.controls["D"].value = 1.0, 100
    assert "12 is the edge" in lab.sentence.value and "some 10^" in lab.sentence.value
    lab.reset()
    assert "edge" not in lab.sentence.value
