"""The lab of the pull on q: its arrows are slopes of the exact bound, straight down the KL for one sample."""

import numpy as np
import pytest

from vaecourse import exact
from vaecourse.exact import case_with
from vaecourse.labs.small.encoder_pull import LONGEST, MARKED, PLACES, TURN, WIDTH, EncoderPull


@pytest.fixture(scope="module")
def lab():
    return EncoderPull().live()


def bound(shift, width, K):
    return exact.WeightLaw.of(case_with(width, shift * WIDTH)).lower(K).item()


def test_one_sample_runs_straight_down_the_kl(lab):
    data = lab.experiment.compute(K=1, arrows=TURN)
    shift, width = np.array([*PLACES, MARKED]).T
    assert data.pull == pytest.approx(
        np.stack([-shift, 1 / width - width], 1), abs=1e-9
    )  # of the KL in the lab's units
    assert data.angles == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("place", [0, 12, 16, 33, -1])
def test_an_arrow_is_the_slope_of_the_exact_bound(lab, place):
    shift, width = [*PLACES, MARKED][place]
    for K in (8, 64):
        data, h = lab.experiment.compute(K=K, arrows=TURN), 1e-4
        assert data.pull[place] == pytest.approx(
            [
                (bound(shift + h, width, K) - bound(shift - h, width, K)) / (2 * h),
                (bound(shift, width + h, K) - bound(shift, width - h, K)) / (2 * h),
            ],
            abs=3e-4,
        )


def test_what_the_chapter_says_of_the_arrows(lab):
    """No arrow raises the KL; where chi-square is finite the pull falls like 1/K, and below it stays."""
    for K in (2, 8, 64, 1024):
        data = lab.experiment.compute(K=K, arrows=TURN)
        assert data.angles.max() < 90
    many, more = (lab.experiment.compute(K=K, arrows=TURN).sizes for K in (256, 1024))
    wide, narrow = PLACES[:, 1] > 1.3, PLACES[:, 1] < 0.5
    off = np.abs(PLACES[:, 0]) < 1
    assert many[:-1][wide & off] / more[:-1][wide & off] == pytest.approx(4, abs=0.25)
    assert (many[:-1][narrow] / more[:-1][narrow]).max() < 1.6


def test_the_picture_follows(lab):
    lab.apply("K = 64")
    artists = lab._canvas.artists
    drawn = np.hypot(artists.everywhere.U, artists.everywhere.V)
    assert drawn.max() <= LONGEST + 1e-9 and drawn.max() > 20 * np.median(drawn)
    lab.apply("K = 64, direction only")
    drawn = np.hypot(artists.everywhere.U, artists.everywhere.V)
    assert drawn == pytest.approx(drawn[0], abs=1e-9)
    lab.reset()
    assert "straight down" in lab.sentence.value
