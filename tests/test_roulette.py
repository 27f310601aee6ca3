"""SUMO: its roulette, its mean for any q, and which of mean, cost and variance there is."""

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
    return case.log_weights(case.x, draws, K, seeded(2)).permute(2, 1, 0).detach()


def log_p(width=1.3, shift=0.5):
    case = exact.case_with(width, shift)
    return case.model.log_likelihood(case.x).item()


def test_lengths_follow_the_survival_function_up_to_the_longest():
    N, k = roulette.lengths(2, 500_000, 200, seeded(0)), torch.tensor([2, 3, 10, 79, 80, 81, 200])
    assert N.dtype == torch.int64 and N.shape == (2, 500_000) and N.min() == 1 and N.max() == 200
    assert_mean((N.flatten()[:, None] >= k).double(), roulette.survival(k))


def test_lengths_at_the_ends_of_a_uniform(monkeypatch):
    two, last = 2**-1.2, 2.0**-53  # P(N >= 2), and the smallest u
    far = 2 ** (53 / 1.2)
    for u, longest, N in ((1.0, 9, 1), (two + 1e-12, 9, 1), (two - 1e-12, 9, 2), (last, 9, 9), (last, 10**15, far)):
        monkeypatch.setattr(torch, "rand", lambda *_, u=u, **__: torch.full((1, 1), 1 - u, dtype=torch.float64))
        assert roulette.lengths(1, 1, longest).item() == pytest.approx(N, rel=1e-9)


def test_the_cost():
    """zeta(1.2) + 1 without a cut: a sum, and the integral of what it leaves out."""
    k = torch.arange(1, 100_000)
    assert 1 + roulette.survival(k[:80]).sum().item() == pytest.approx(4.513, abs=1e-3)
    assert 1 + roulette.survival(k).sum().item() + 5 * (1e5 - 0.5) ** -0.2 == pytest.approx(6.5916, abs=1e-4)


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
    second_step, third_step = L(0.5, 2, 4) - L(0.5, 2), L(0.5, 2, 4, 7) - L(0.5, 2, 4)
    first = L(0.5) + (L(0.5, 2) - L(0.5)) + 2**1.2 * second_step + 3**1.2 * third_step
    second = L(1, 1)
    assert roulette.sumo(w.log()[..., None], N).item() == pytest.approx((first + second) / 2, rel=1e-12)


@pytest.mark.parametrize("width, shift", WIDTHS)
@pytest.mark.parametrize("start", [1, 8])
def test_a_roulette_that_ends_at_20_terms_is_unbiased_for_the_bound_there(width, shift, start):
    """Whatever q is: cut off, every estimate has a finite variance."""
    log_w = drawn(width, shift, 400, 10_000)
    found = roulette.sumo(log_w, roulette.lengths(1, 10_000, 20, seeded(3)), start)
    law = exact.WeightLaw.of(exact.case_with(width, shift))
    assert_mean(found, law.lower(start + 20).item())
    if start == 1:
        assert_not_mean(found, law.lower(1).item())


@pytest.mark.parametrize("width, shift", [(1.3, 0.5), (2.5, 0.3), (0.6, 0.2)])
def test_with_a_far_cut_the_mean_is_as_good_as_log_p(width, shift):
    """Near the posterior; far from it 10 000 estimates do not show it."""
    log_w = drawn(width, shift, 400, 10_000)
    for start, seed in ((1, 3), (8, 4)):
        N = roulette.lengths(1, 10_000, 392, seeded(seed))
        assert_mean(roulette.sumo(log_w, N, start), log_p(width, shift))
    assert_not_mean(log_w[0, 0], log_p(width, shift))  # without the series


def test_a_roulette_that_is_off_by_one_is_seen():
    """Divided by P(N >= k + 1): what a count from 0 would do."""
    log_w, N = drawn(*WIDTHS[0], 400, 10_000), roulette.lengths(1, 10_000, 399, seeded(3))
    running = log_w.logcumsumexp(1) - torch.arange(1, 401).log()[:, None]
    k = torch.arange(1, 400)[:, None]
    terms = (k <= N[:, None]) * running.diff(dim=1)
    wrong = running[:, 0] + (terms / roulette.survival(k + 1)).sum(1)
    assert_mean(running[0, 0] + (terms / roulette.survival(k)).sum(1)[0], log_p())
    assert_not_mean(wrong[0], log_p())


def estimates(survival, steps):
    """Y_n - log p(x) for every length n, of 10 000 groups of weights: [steps, 10000]."""
    L = drawn(*WIDTHS[0], 400, 10_000)[0, : steps + 1].logcumsumexp(0)
    L = L - torch.arange(1, steps + 2).double().log()[:, None] - log_p()
    return L, L[0] + (L.diff(dim=0) / survival[:steps, None]).cumsum(0)


@pytest.mark.parametrize("longest", [1, 2, 30])
def test_the_exact_error_of_a_cut_roulette(longest):
    """E(Y - log p)^2 = sum (m_k - m_k+1) / P(N >= k) - m_1 + 2 E[e_T+1 (Y_T - log p)], for fixed weights exactly."""
    survival = roulette.survival(torch.arange(1, longest + 1))
    e, y = estimates(survival, longest)
    chance = survival - torch.cat([survival[1:], torch.zeros(1)])
    over_lengths = (chance[:, None] * y**2).sum(0)
    identity = -(e.square().diff(dim=0) / survival[:, None]).sum(0) - e[0] ** 2
    assert torch.allclose(over_lengths, identity + 2 * e[-1] * y[-1])
    law = exact.WeightLaw.of(exact.case_with(*WIDTHS[0]))
    assert_mean(e[-1] ** 2, law.variance(longest + 1).item() + (law.lower(longest + 1).item() - log_p()) ** 2)
    if longest == 1:
        assert torch.allclose(over_lengths, e[1] ** 2)  # always the bound of two samples: m_2, and no draw of N
        return
    found = roulette.sumo(drawn(*WIDTHS[0], 400, 10_000), roulette.lengths(1, 10_000, longest, seeded(5))) - log_p()
    assert_mean(found.square() - over_lengths, 0.0)


def test_a_power_tail_has_a_mean_and_a_geometric_tail_has_none():
    """n P(N = n) E|Y_n| falls like n^-1/2, or stays: chi (1 - r) sqrt(2 / pi / (1 - r^2)) for the factor r."""
    case = exact.reference(torch.float64)
    chi = case.model.chi_squared(*case[1:]).item() ** 0.5
    k = torch.arange(1, 401)
    tails = {"power": roulette.survival(k), "geometric": 1 / k.clamp(max=80) * 0.9 ** (k - 80).clamp(min=0)}
    share = {}
    for name, survival in tails.items():
        y = estimates(survival, 399)[1]
        for n in (150, 390):
            share[name, n] = n * (survival[n - 1] - survival[n]).item() * y[n - 1].abs()
    assert_mean(share["geometric", 390] - share["geometric", 150], 0.0)
    assert share["geometric", 390].mean().item() == pytest.approx(0.1 * chi * (2 / math.pi / 0.19) ** 0.5, rel=0.05)
    fall = math.log(share["power", 390].mean() / share["power", 150].mean()) / math.log(390 / 150)
    assert fall == pytest.approx(-0.5, abs=0.06)


def test_a_step_of_one_sample_is_of_the_order_chi_over_k():
    """So sum of 1 / (k^2 P(N >= k)) is the variance: with k^-a it is finite for a < 1 only."""
    case = exact.reference(torch.float64)
    chi_squared = case.model.chi_squared(*case[1:]).item()
    L = estimates(torch.ones(399), 399)[0]
    for k in (100, 380):
        assert L.diff(dim=0)[k - 1].square().mean().item() * k * (k + 1) == pytest.approx(chi_squared, rel=0.1)


def test_steps_that_double_the_samples_and_subtract_both_halves_have_cost_and_variance():
    """Delta = L_n - (mean of the halves' L) is (d_1 - d_2)^2 / 8 to leading order, each d of variance 2 chi^2 / n.

    So E[Delta^2] = 3 chi^4 / (4 n^2). With P(level l) = 2^(-1.5 l) cost and variance fall by sqrt 2 at each level.
    """
    case, found = exact.reference(torch.float64), {}
    chi_squared = case.model.chi_squared(*case[1:]).item()
    log_w = case.log_weights(case.x, 20_000, 512, seeded(8))[..., 0].T  # [512, 20000]
    L = lambda some: some.logsumexp(0) - math.log(len(some))
    for n in (128, 256, 512):
        delta = L(log_w[:n]) - (L(log_w[: n // 2]) + L(log_w[n // 2 : n])) / 2
        assert delta.min() > -1e-12  # the logarithm is concave
        found[n] = delta.square().mean().item() * n**2 / (0.75 * chi_squared**2)
    assert found[512] == pytest.approx(1, abs=0.12), found
    assert abs(found[512] - 1) < abs(found[128] - 1), found


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
    for M, B, longest in ((0, 1, 9), (1, 0, 9), (1, 1, 0)):
        with pytest.raises(ValueError, match="(M|B|longest) must be"):
            roulette.lengths(M, B, longest)
