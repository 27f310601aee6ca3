"""The lab of the two humps: at K = 1 the one that seeks is better, with many samples the one that covers."""

import pytest
import torch

from vaecourse import exact
from vaecourse.labs.small.two_humps import SeekOrCover


@pytest.fixture(scope="module")
def lab():
    return SeekOrCover().live()


@pytest.mark.parametrize("distance", [0.0, 3.0, 6.0, 8.0])
def test_one_sample_is_the_kl(lab, distance):
    data, humps = lab.experiment.compute(1, distance), exact.TwoHumps(distance)
    assert data.gaps[:, 0] == pytest.approx([humps.kl(*data.seeking), humps.kl(*data.covering)], abs=1e-5)


def test_who_is_better_turns_with_k(lab):
    middle, side = (lab.experiment.compute(1, distance).seeking[0] for distance in (4.0, 6.0))
    assert abs(middle) < 1e-6 and side > 2.9  # humps that close are one to the q that seeks, too
    for distance in (6.0, 8.0):
        (seek, cover), (seek_64, cover_64) = (lab.experiment.compute(K, distance).gaps[:, -1] for K in (1, 64))
        assert seek < cover and seek_64 > 10 * cover_64
    lab.apply("the ELBO (K = 1)")
    assert "the one that seeks is better" in lab.sentence.value
    lab.apply("K = 64")
    assert "the one that covers is better" in lab.sentence.value
    lab.reset()


def test_the_bound_is_the_mean_of_draws(lab):
    data, humps = lab.experiment.compute(16, 5.0), exact.TwoHumps(5.0)
    for q, gap in zip((data.seeking, data.covering), data.gaps[:, -1]):
        law = torch.distributions.Normal(*torch.tensor(q, dtype=torch.float64))
        torch.manual_seed(2)
        z = law.sample((20_000, 16))
        runs = -(humps.log_prob(z) - law.log_prob(z)).exp().mean(1).log()
        assert abs(runs.mean() - gap) < 4 * runs.std() / 20_000**0.5


def test_the_curve_ends_at_k(lab):
    for K in (1, 7, 1000):
        data = lab.experiment.compute(K, 6.0)
        assert data.Ks[-1] == K and (data.gaps >= -1e-9).all() and (data.gaps[:, :-1] >= data.gaps[:, 1:] - 1e-9).all()
