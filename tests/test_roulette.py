"""SUMO: its roulette, its mean log p(x) for any q, and what it says of its variance."""

import functools
import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, roulette

WIDTHS = [(1.3, 0.5), (2.5, 0.3), (0.6, 0.2), (1.0, 1.5)]  # the reference q, too wide, too narrow, shifted


def seeded(number):
    return torch.Generator().manual_seed(number)


@functools.cache
def drawn(width, shift, K, draws):
    """Log-weights of independent estimates, as so many data points: [1, K, draws]."""
    case = exact.case_with(width, shift)
    return case.log_weights(case.x, draws, K, seeded(2)).permute(2, 1, 0)


def log_p(width=1.3, shift=0.5):
    case = exact.case_with(width, shift)
    return case.model.log_likelihood(case.x).item()


def test_lengths_follow_the_survival_function():
    N, k = roulette.lengths(2, 500_000, seeded(0)), torch.tensor([2, 3, 10, 79, 80, 81, 100])
    assert N.dtype == torch.int64 and N.shape == (2, 500_000) and 1 <= N.min() and N.max() < 400
    assert_mean((N.flatten()[:, None] >= k).double(), roulette.survival(k))


def test_lengths_at_the_ends_of_a_uniform(monkeypatch):
    for u, N in ((0.0, 1), (0.49, 1), (0.5, 2), (1 - 1 / 80.5, 80), (1 - 2.0**-53, 387)):
        monkeypatch.setattr(torch, "rand", lambda *_, u=u, **__: torch.full((1, 1), u, dtype=torch.float64))
        assert roulette.lengths(1, 1).item() == N


def test_the_cost():
    assert 1 + roulette.survival(torch.arange(1, 2000)).sum().item() == pytest.approx(6.078, abs=1e-3)


@pytest.mark.parametrize("start", [1, 3])
def test_the_mean_over_lengths_telescopes_to_the_last_bound(start):
    """For fixed weights, with all that is left of the roulette on the longest length: an identity, no draw."""
    M, K, B = 2, 9, 3
    log_w = 2 * torch.randn(M, K, B, generator=seeded(1), dtype=torch.float64)
    longest = K - start
    chance = roulette.survival(torch.arange(1, longest + 1))
    mass = chance - torch.cat([chance[1:], torch.zeros(1)])
    each = torch.stack([roulette.sumo(log_w, torch.full((M, B), n), start) for n in range(1, longest + 1)])
    assert torch.allclose((mass[:, None] * each).sum(0), (log_w.logsumexp(1) - math.log(K)).mean(0))


def test_one_estimate_by_hand():
    w = torch.tensor([[0.5, 2.0, 4.0, 7.0], [1.0, 1.0, 0.2, 9.0]], dtype=torch.float64)  # [M, K]
    N = torch.tensor([[3], [1]])
    L = lambda *some: math.log(sum(some) / len(some))
    first = L(0.5) + (L(0.5, 2) - L(0.5)) + 2 * (L(0.5, 2, 4) - L(0.5, 2)) + 3 * (L(0.5, 2, 4, 7) - L(0.5, 2, 4))
    second = L(1, 1)
    assert roulette.sumo(w.log()[..., None], N).item() == pytest.approx((first + second) / 2, rel=1e-12)


@pytest.mark.parametrize("width, shift", WIDTHS)
@pytest.mark.parametrize("start", [1, 8])
def test_a_roulette_that_ends_at_20_terms_is_unbiased_for_the_bound_there(width, shift, start):
    """Whatever q is: cut off, every estimate has a finite variance."""
    log_w = drawn(width, shift, 400, 10_000)
    found = roulette.sumo(log_w, roulette.lengths(1, 10_000, seeded(3)).clamp(max=20), start)
    law = exact.WeightLaw.of(exact.case_with(width, shift))
    assert_mean(found, law.lower(start + 20).item())
    if start == 1:
        assert_not_mean(found, law.lower(1).item())


@pytest.mark.parametrize("width, shift", [(1.3, 0.5), (2.5, 0.3), (0.6, 0.2)])
def test_unbiased_for_log_p(width, shift):
    """Near the posterior; far from it 10 000 estimates do not show it, as the variance is infinite."""
    log_w = drawn(width, shift, 400, 10_000)
    for start, seed in ((1, 3), (8, 4)):
        assert_mean(roulette.sumo(log_w, roulette.lengths(1, 10_000, seeded(seed)), start), log_p(width, shift))
    assert_not_mean(log_w[0, 0], log_p(width, shift))  # without the series


def test_a_roulette_that_is_off_by_one_is_seen():
    """Divided by P(N >= k + 1): what a count from 0 would do."""
    log_w, N = drawn(*WIDTHS[0], 400, 10_000), roulette.lengths(1, 10_000, seeded(3))
    running = log_w.logcumsumexp(1) - torch.arange(1, 401).log()[:, None]
    k = torch.arange(1, 400)[:, None]
    terms = (k <= N[:, None]) * running.diff(dim=1)
    wrong = running[:, 0] + (terms / roulette.survival(k + 1)).sum(1)
    assert_mean(running[0, 0] + (terms / roulette.survival(k)).sum(1)[0], log_p())
    assert_not_mean(wrong[0], log_p())


def test_the_variance_is_the_sum_that_it_says_and_has_no_end():
    """Cut at 30 terms it is E[(Y - log p)^2], sampled; the terms from 80 on grow."""
    log_w, most = drawn(*WIDTHS[0], 400, 10_000)[:, :31], 30
    law = exact.WeightLaw.of(exact.case_with(*WIDTHS[0]))
    of_k = lambda k: law.variance(k).item() + (law.lower(k).item() - log_p()) ** 2
    m = torch.tensor([of_k(k) for k in range(1, 402)], dtype=torch.float64)
    terms = (m[:-1] - m[1:]) / roulette.survival(torch.arange(1, 401))  # [400]
    N = roulette.lengths(1, 10_000, seeded(5)).clamp(max=most)
    squares = (roulette.sumo(log_w, N) - log_p()).square()
    assert_mean(squares, terms[:most].sum().item() - m[0].item())
    chi_squared = exact.reference(torch.float64)
    chi_squared = chi_squared.model.chi_squared(*chi_squared[1:]).item()
    assert terms[78].item() * 79 == pytest.approx(chi_squared, rel=0.05)  # chi^2 / k, whose sum grows like a logarithm
    assert terms[199] > 1000 * terms[99] > 0


def test_types_units_and_gradient():
    log_w, N = torch.randn(2, 6, 3, generator=seeded(6)), torch.tensor([[1, 2, 5], [4, 3, 1]])
    wide = roulette.sumo(log_w.double(), N)
    assert roulette.sumo(log_w.bfloat16(), N).dtype == torch.float32
    assert torch.allclose(roulette.sumo(log_w, N).double(), wide, rtol=1e-5)
    assert torch.allclose(roulette.sumo(log_w.double() - 800, N), wide - 800, rtol=1e-12)
    leaf = log_w.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda log_w: roulette.sumo(log_w, N), leaf)
    slope = torch.autograd.grad(roulette.sumo(leaf, N).sum(), leaf)[0]
    assert slope.sum((0, 1)).tolist() == pytest.approx([1, 1, 1])  # log p moves with log w
    assert slope[0, 2:, 0].abs().max() == 0  # beyond N + 1 nothing is looked at


def test_weights_of_zero():
    log_w, N = torch.randn(2, 6, 3, generator=seeded(7), dtype=torch.float64), torch.full((2, 3), 5)
    zero, tiny = log_w.clone(), log_w.clone()
    zero[1, 2, 1], tiny[1, 2, 1] = -math.inf, -1500.0
    leaf = zero.clone().requires_grad_()
    assert torch.allclose(roulette.sumo(leaf, N), roulette.sumo(tiny, N))
    assert torch.autograd.grad(roulette.sumo(leaf, N).sum(), leaf)[0].isfinite().all()
    zero[1, 0, 1] = -math.inf
    with pytest.raises(ValueError, match="above zero among the first start = 1"):
        roulette.sumo(zero, N)
    assert roulette.sumo(zero, N - 1, start=2).isfinite().all()


def test_refusals():
    log_w, N = torch.zeros(2, 4, 3), torch.ones(2, 3, dtype=torch.long)
    for wrong in (N.double(), N.bool(), [[1]], None):
        with pytest.raises(TypeError, match="whole numbers"):
            roulette.sumo(log_w, wrong)
    for wrong, words in ((N[:1], "N must be"), (0 * N, "at least 1"), (4 * N, "at most K - start = 3")):
        with pytest.raises(ValueError, match=words):
            roulette.sumo(log_w, wrong)
    for start in (0, 4, 1.0):
        with pytest.raises((ValueError, TypeError), match="start"):
            roulette.sumo(log_w, N, start)
    for M, B in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="[MB] must be"):
            roulette.lengths(M, B)
