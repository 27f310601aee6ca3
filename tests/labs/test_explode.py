"""The numbers behind lab "06.explode"; the terms themselves have tests/exact/test_exploding.py."""

import pytest

from vaecourse import labs
from vaecourse.labs import explode

LAB = explode.ExplodingLatentSpace()


def test_the_bound_has_no_top_and_lambda_and_noise_give_it_one():
    burst = LAB.compute(tau=0.1, lam=1.0, floor=0.0)
    assert burst.curves[1].argmax() == len(burst.curves[1]) - 1 and burst.now.posterior_kl > 1.5
    held = LAB.compute(tau=0.1, lam=10.0, floor=0.2)
    best = held.curves[0][held.curves[1].argmax()]
    assert 0.5 < best < 0.9
    assert held.objective == pytest.approx((held.now.elbo - 9 * held.now.aggregate_kl).item())


@pytest.mark.parametrize("tau", [0.4, 1.5])
def test_curves_end_at_the_width_and_have_its_terms(tau):
    data = LAB.compute(tau=tau, lam=3.0, floor=0.2)
    assert data.curves[0][-1] == tau and (data.curves[0][:-1] > tau).all() and data.noise >= 0.2
    assert data.curves[2][-1] == data.now.log_likelihood.item() and data.curves[3][-1] == data.now.posterior_kl.item()


def test_objective_at_lambda_one_is_the_elbo():
    data = LAB.compute(tau=0.5, lam=1.0, floor=0.0)
    assert data.objective == data.now.elbo.item() and data.curves.shape[0] == 4 and data.curves[0][-1] == 0.5


def test_live():
    lab = labs.ALL["06.explode"]()
    assert "τ = 0.70" in lab.sentence.value
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None, preset
    lab.apply("τ = 0.1: burst")
    assert "ELBO 9.27" in lab.sentence.value
    lab.reset()
    assert lab.settings == {"tau": 0.7, "lam": 1.0, "floor": 0.0}
