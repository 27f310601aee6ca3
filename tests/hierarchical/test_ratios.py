"""Log-ratios and the bounds along K: shapes, the same numbers in pieces, flat memory, errors."""

import math

import pytest
import torch

from tests.stats import assert_mean
from vaecourse import exact, hierarchical
from vaecourse.hierarchical import GatedInverse, LinearInverse, MixingPrior, Posterior

LAW = exact.MeanMixture(3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("batch", [(), (7,), (2, 7)])
@pytest.mark.parametrize("K", [0, 1, 5])
def test_shapes(batch, K):
    law = exact.LaplaceMixture(3)
    psi_0 = law.sample_mixing(batch, generator())
    z = psi_0.sqrt() * torch.randn(psi_0.shape, generator=generator(1))
    for tau in (MixingPrior(law), Posterior(law), GatedInverse(), LinearInverse()):
        if not (isinstance(tau, LinearInverse) and K):  # its draws may be below 0
            assert hierarchical.log_ratios(law, tau, z, psi_0, K, generator(2)).shape == (K + 1, *batch)


def test_psi_0_comes_first():
    z, psi_0 = LAW.sample(7, generator())
    tau = LinearInverse(0.5, 1.2)
    first = hierarchical.log_ratios(LAW, tau, z, psi_0, 5, generator(1))[0]
    by_hand = LAW.log_mixing(psi_0) + LAW.log_conditional(z, psi_0) - tau.log_prob(psi_0, z)
    torch.testing.assert_close(first, by_hand)


def test_curve_is_the_bounds_of_the_same_draws():
    z, psi_0 = LAW.sample(7, generator())
    tau = MixingPrior(LAW)
    log_ratio = hierarchical.log_ratios(LAW, tau, z, psi_0, 5, generator(1))
    found = hierarchical.curve(LAW, tau, z, psi_0, [5], generator(1))
    torch.testing.assert_close(found.upper[0], hierarchical.upper_bound(log_ratio))
    torch.testing.assert_close(found.lower[0], hierarchical.lower_bound(log_ratio))


def test_curve_starts_at_hvm_where_there_is_no_lower_bound():
    z, psi_0 = LAW.sample(7, generator())
    found = hierarchical.curve(LAW, MixingPrior(LAW), z, psi_0, [0, 3], generator(1))
    torch.testing.assert_close(found.upper[0], LAW.log_conditional(z, psi_0))
    assert (found.lower[0] == -math.inf).all() and found.lower[1].isfinite().all()


class Counting(MixingPrior):
    """Remembers how many draws were asked for at once."""

    def __init__(self, law):
        super().__init__(law)
        self.asked = []

    def sample(self, z, K, generator=None):
        self.asked.append(K)
        return super().sample(z, K, generator)


def test_pieces_are_small_and_give_the_same_expectation():
    z, psi_0 = LAW.sample(20_000, generator())
    tau = Counting(LAW)
    pieces = hierarchical.curve(LAW, tau, z, psi_0, [4, 11], generator(1), chunk=3)
    assert max(tau.asked) == 3 and sum(tau.asked) == 11
    whole = hierarchical.curve(LAW, tau, z, psi_0, [4, 11], generator(2), chunk=100)
    assert_mean((pieces.upper - whole.upper).T, 0.0)
    assert_mean((pieces.lower - whole.lower).T, 0.0)
    assert not pieces.upper.requires_grad


def test_a_thousand_draws_of_fifty_dimensions_in_flat_memory():
    law = exact.LaplaceMixture(50)
    z, psi_0 = law.sample(20, generator())
    tau = Counting(law)
    found = hierarchical.curve(law, tau, z, psi_0, [1000], generator(1))
    assert max(tau.asked) == 50 and sum(tau.asked) == 1000
    assert (found.upper > found.lower).all()


@pytest.mark.parametrize("K", [[], [-1], [3, 3], [5, 2]])
def test_K_must_rise(K):
    z, psi_0 = LAW.sample(7, generator())
    with pytest.raises(ValueError, match="K must"):
        hierarchical.curve(LAW, MixingPrior(LAW), z, psi_0, K)


def test_bad_arguments_are_named():
    z, psi_0 = LAW.sample(7, generator())
    tau = MixingPrior(LAW)
    with pytest.raises(ValueError, match="^K must be at least 0, got -1"):
        hierarchical.log_ratios(LAW, tau, z, psi_0, -1)
    with pytest.raises(
        ValueError, match=r"^psi_0 must hold the psi that made each z: .* got z \[7, \d\] and psi_0 \[5, \d\]\.$"
    ):
        hierarchical.log_ratios(LAW, tau, z, psi_0[:5], 3)
    with pytest.raises(TypeError, match="^z must be a floating-point"):
        hierarchical.log_ratios(LAW, tau, z.long(), psi_0, 3)
    with pytest.raises(ValueError, match=r"^psi_0 must have the shape \[\.\.\., L\], got \[\]\.$"):
        hierarchical.log_ratios(LAW, tau, z[0], torch.tensor(1.0), 3)
    with pytest.raises(ValueError, match="^chunk must be at least 1, got 0"):
        hierarchical.curve(LAW, tau, z, psi_0, [3], chunk=0)
    with pytest.raises(TypeError, match="^law must have log_mixing and log_conditional, got object without log_mixing"):
        hierarchical.log_ratios(object(), tau, z, psi_0, 0)
    with pytest.raises(TypeError, match="^tau must have sample and log_prob, got object without sample"):
        hierarchical.log_ratios(LAW, object(), z, psi_0, 2)
    with pytest.raises(TypeError, match=r"^K must be a sequence of whole numbers, got 3 of type int\.$"):
        hierarchical.curve(LAW, tau, z, psi_0, 3)


def test_log_ratios_by_hand():
    z, psi_0 = LAW.sample(7, generator())
    tau = MixingPrior(LAW)
    psi = torch.cat([psi_0[None], tau.sample(z, 3, generator(1))])
    by_hand = torch.stack([LAW.log_mixing(p) + LAW.log_conditional(z, p) - LAW.log_mixing(p) for p in psi])
    torch.testing.assert_close(hierarchical.log_ratios(LAW, tau, z, psi_0, 3, generator(1)), by_hand)
    found = hierarchical.curve(LAW, tau, z, psi_0, [0, 3], generator(1))
    torch.testing.assert_close(found.upper[0], by_hand[0])
    torch.testing.assert_close(found.upper[1], by_hand.exp().mean(0).log())
    torch.testing.assert_close(found.lower[1], by_hand[1:].exp().mean(0).log())
    assert (found.lower[0] == -torch.inf).all()
