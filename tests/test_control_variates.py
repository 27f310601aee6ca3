"""Score-function gradients of L_K: each formula by hand, its mean against exact gradients, enumerated or integrated."""

import functools
import itertools
import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import control_variates, exact

M, K, B = 2, 5, 3
UNBIASED = {
    "none": control_variates.none,
    "vimco": control_variates.vimco,
    "vimco_arithmetic": control_variates.vimco_arithmetic,
    "ovis": control_variates.ovis,
}
EVERY = UNBIASED | {"ovis_1": lambda log_w: control_variates.ovis(log_w, gamma=1.0)}
WIDTHS = [(1.3, 0.5), (2.5, 0.3), (0.5, 0.2), (1.0, 1.5)]  # the reference q, too wide, too narrow, shifted


def normal(*shape, seed=0, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(*shape, dtype=torch.float64, generator=generator)


# The formulas, one sample after the other ---------------------------------------------


def log_mean(w):
    return math.log(sum(w) / len(w))


def by_hand(name, w, k):
    """The signal of sample k less its control variate, from K weights, as the papers have it."""
    size, others = len(w), w[:k] + w[k + 1 :]
    signal = log_mean(w) - w[k] / sum(w)
    if name == "none":
        return signal
    if name == "vimco":
        stand_in = math.prod(others) ** (1 / len(others))
        return signal - log_mean([*others, stand_in])
    if name == "vimco_arithmetic":
        return signal - log_mean([*others, sum(others) / len(others)])
    if name == "ovis":
        return signal - log_mean([*others, 0.0])
    return signal - (log_mean(others) - w[k] / sum(w) + 0 * math.log(1 - 1 / size))  # gamma = 1


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
def test_each_is_its_formula(name, scale):
    log_w = normal(M, K, B, scale=scale)
    found = EVERY[name](log_w)
    assert found.shape == (M, K, B) and found.dtype == torch.float64
    for m, k, b in itertools.product(range(M), range(K), range(B)):
        expected = by_hand(name, log_w[m, :, b].exp().tolist(), k) / M
        assert found[m, k, b].item() == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_monte_carlo_is_its_formula():
    S = 4
    log_w, extra = normal(M, K, B, scale=2), normal(M, S, B, seed=1, scale=2)
    found = control_variates.ovis_monte_carlo(log_w, extra)
    for m, k, b in itertools.product(range(M), range(K), range(B)):
        w = log_w[m, :, b].exp().tolist()
        swapped = [w[:k] + [one] + w[k + 1 :] for one in extra[m, :, b].exp().tolist()]
        expected = by_hand("none", w, k) - sum(by_hand("none", v, k) for v in swapped) / S
        assert found[m, k, b].item() == pytest.approx(expected / M, rel=1e-9)


# The mean: a discrete z, where every outcome can be added up --------------------------

P = torch.tensor([0.5, 0.1, 0.02], dtype=torch.float64)  # p(x, z), for one x
LOGITS = {"wide": [0.1, 0.0, -0.1], "narrow": [4.0, 0.0, -1.0], "elsewhere": [-1.0, 0.0, 3.0]}


def enumerated(logits, coefficient, K):
    """Exact E[sum of coefficient grad log q], and the exact gradient of E[L_K], for q's logits: 2 x [3]."""
    leaf = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    log_q = leaf.log_softmax(0)
    outcomes = torch.tensor(list(itertools.product(range(3), repeat=K))).T  # [K, 3^K]
    log_q_z = log_q[outcomes]
    log_w = P.log()[outcomes] - log_q_z
    probability = log_q_z.sum(0).exp()
    exact_value = (probability * (log_w.logsumexp(0) - math.log(K))).sum()
    weights = coefficient(log_w.detach()[None])[0]
    surrogate = (probability.detach() * (weights * log_q_z).sum(0)).sum()
    found = torch.autograd.grad(surrogate, leaf, retain_graph=True)[0]
    return found, torch.autograd.grad(exact_value, leaf)[0]


@pytest.mark.parametrize("name", UNBIASED)
@pytest.mark.parametrize("where", LOGITS)
def test_unbiased_for_a_discrete_z_to_the_last_digit(name, where):
    found, truth = enumerated(LOGITS[where], UNBIASED[name], K=4)
    assert torch.allclose(found, truth, rtol=1e-9, atol=1e-12)


def own_sample_too(log_w):
    """A baseline that looks at its own sample: the bound itself."""
    return control_variates.none(log_w) - (log_w.logsumexp(1, keepdim=True) - math.log(log_w.shape[1]))


def without_the_direct_term(log_w):
    """The reward alone, as if L did not contain log q."""
    return control_variates.none(log_w) + log_w.softmax(1)


@pytest.mark.parametrize("wrong", [own_sample_too, without_the_direct_term, EVERY["ovis_1"]])
@pytest.mark.parametrize("where", LOGITS)
def test_a_wrong_variant_is_seen(wrong, where):
    found, truth = enumerated(LOGITS[where], wrong, K=4)
    if wrong is without_the_direct_term:  # less by E sum v s, whatever q is
        assert (found - truth).abs().max() > 1e-3
    assert not torch.allclose(found, truth, rtol=1e-3)


# The mean on the reference model, for any q -------------------------------------------


@functools.cache
def rows_of(width, shift):
    return exact.RowGradients(exact.case_with(width, shift))


def drawn(case, M, K, draws, parameter="mean", seed=1):
    eps = normal(M, K, draws, seed=seed)
    return exact.slopes(case, eps, parameter)


@pytest.mark.parametrize("name", UNBIASED)
@pytest.mark.parametrize("width, shift", WIDTHS)
@pytest.mark.parametrize("parameter", ["mean", "std"])
def test_unbiased_for_any_q(name, width, shift, parameter):
    of = drawn(exact.case_with(width, shift), M, K, 40_000, parameter)
    truth = rows_of(width, shift).mean("miwae", parameter, M=M, K=K)
    assert_mean((UNBIASED[name](of.log_w) * of.score).sum((0, 1)), truth)


@pytest.mark.parametrize("width, shift", WIDTHS)
def test_monte_carlo_is_unbiased_for_any_q_and_a_single_sample(width, shift):
    case = exact.case_with(width, shift)
    for size in (1, K):
        of, extra = drawn(case, M, size, 40_000), drawn(case, M, 4, 40_000, seed=2).log_w
        found = (control_variates.ovis_monte_carlo(of.log_w, extra) * of.score).sum((0, 1))
        assert_mean(found, rows_of(width, shift).mean("miwae", "mean", M=M, K=size))


def test_gamma_is_biased_by_gamma_wakes():
    """E sum v s: for many samples the wake update, which does not vanish."""
    rows, of = rows_of(*WIDTHS[0]), drawn(exact.case_with(*WIDTHS[0]), M, K, 60_000)
    truth = rows.mean("miwae", "mean", M=M, K=K)
    wake = exact.WeightedSum(rows.log_w, rows.mass, rows.slopes().score).moments(K).mean
    for gamma in (0.3, 1.0):
        found = (control_variates.ovis(of.log_w, gamma) * of.score).sum((0, 1))
        assert_mean(found, truth + gamma * wake)
        assert_not_mean(found, truth)


# The noise -----------------------------------------------------------------------------


@functools.cache
def ratio(name, width, shift, K):
    """|exact mean| over a measured standard deviation."""
    of = drawn(exact.case_with(width, shift), 1, K, 10_000)
    sd = (UNBIASED[name](of.log_w) * of.score).sum((0, 1)).std().item()
    return abs(rows_of(width, shift).mean("iwae", "mean", K=K)) / sd


def noise_of_groups_with_a_large_share(width, shift, K):
    """Which part of OVIS's squares is that of groups in which one share is above one half."""
    of = drawn(exact.case_with(width, shift), 1, K, 10_000)
    squares = (control_variates.ovis(of.log_w) * of.score).sum((0, 1)).square()
    large = of.log_w.softmax(1).amax((0, 1)) > 0.5
    return (squares[large].sum() / squares.sum()).item()


@pytest.mark.parametrize("width, shift", [(1.3, 0.5), (2.5, 0.3), (0.9, 0.1)])
def test_order_of_the_ratios_where_shares_are_small(width, shift):
    """Whether q is wider than the posterior or narrower."""
    plain, vimco, arithmetic, ovis = (ratio(name, width, shift, 64) for name in UNBIASED)
    assert plain < 0.1 * arithmetic and arithmetic < vimco and vimco < 0.2 * ovis
    assert noise_of_groups_with_a_large_share(width, shift, 64) < 0.01


@pytest.mark.parametrize("width, shift", [(0.5, 0.2), (1.0, 1.5), (1.3, 1.5)])
def test_where_the_noise_is_that_of_shares_near_one_all_three_control_variates_are_alike(width, shift):
    plain, vimco, arithmetic, ovis = (ratio(name, width, shift, 64) for name in UNBIASED)
    assert plain < 0.2 * arithmetic and vimco == pytest.approx(ovis, rel=0.02) == arithmetic
    assert noise_of_groups_with_a_large_share(width, shift, 64) > 0.9


def test_a_ratio_falls_with_vimco_and_rises_with_ovis():
    early, late = ({name: ratio(name, *WIDTHS[0], K) for name in UNBIASED} for K in (32, 256))
    slopes = {name: math.log(late[name] / early[name]) / math.log(8) for name in UNBIASED}
    assert slopes["none"] < -1.2, slopes
    for name in ("vimco", "vimco_arithmetic"):
        assert -0.6 < slopes[name] < -0.4, slopes
    assert 0.4 < slopes["ovis"] < 0.65, slopes


# Numbers, types and refusals ------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_only_the_plain_score_function_knows_the_unit_of_x(name):
    log_w = normal(M, K, B, scale=3)
    here, far = EVERY[name](log_w), EVERY[name](log_w - 800)
    shift = -800 / M if name == "none" else 0.0
    assert torch.allclose(far, here + shift, rtol=1e-9, atol=1e-12)


def test_a_small_share_keeps_its_digits_in_float32():
    log_w = torch.zeros(1, 4000, 1)
    v = 1 / 4000
    expected = -math.log1p(-v) - v
    assert control_variates.ovis(log_w)[0, 0, 0].item() == pytest.approx(expected, rel=1e-5)
    assert control_variates.ovis(log_w.double()).max().item() == pytest.approx(
        v**2 / 2 + v**3 / 3 + v**4 / 4, rel=1e-10
    )


def test_the_series_and_the_logarithm_meet():
    """A share just below and just above a hundredth, against sixty terms of the series."""
    for v in (0.0099, 0.0101, 0.49, 0.51):
        log_w = torch.tensor([math.log(v), math.log1p(-v)], dtype=torch.float64)[None, :, None]
        exact_value = sum(v**n / n for n in range(2, 400))
        assert control_variates.ovis(log_w)[0, 0, 0].item() == pytest.approx(exact_value, rel=1e-12)


def test_one_share_of_almost_one_has_a_finite_bracket():
    log_w = torch.tensor([0.0, -900.0, -901.0])[None, :, None]
    found = control_variates.ovis(log_w).flatten()
    assert found[0].item() == pytest.approx(900 - math.log(1 + math.exp(-1)) - 1, rel=1e-6)
    assert found[1:].abs().max() == 0


@pytest.mark.parametrize("name", EVERY)
def test_types(name):
    log_w = normal(M, K, B).float()
    assert EVERY[name](log_w.bfloat16()).dtype == torch.float32 and EVERY[name](log_w).dtype == torch.float32
    leaf = log_w.clone().requires_grad_()
    assert not EVERY[name](leaf).requires_grad
    assert torch.allclose(EVERY[name](log_w).double(), EVERY[name](log_w.double()), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", EVERY)
def test_a_weight_of_zero_is_a_very_small_one(name):
    log_w = normal(M, K, B)
    zero, tiny = log_w.clone(), log_w.clone()
    zero[0, 1, 2], tiny[0, 1, 2] = -math.inf, -3000.0
    assert torch.allclose(EVERY[name](zero), EVERY[name](tiny), atol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_refusals(name):
    coefficient = EVERY[name]
    empty = torch.full((M, K, B), -math.inf)
    one = empty.clone()
    one[:, 0] = 0.0
    with pytest.raises(ValueError, match="above zero"):
        coefficient(empty)
    if name == "none":
        assert coefficient(one).isfinite().all() and coefficient(torch.zeros(1, 1, 1)).item() == -1.0
    else:
        with pytest.raises(ValueError, match="at least 2 weights above zero"):
            coefficient(one)
        with pytest.raises(ValueError, match="K >= 2"):
            coefficient(torch.zeros(M, 1, B))
    for wrong, error in (
        ("x", TypeError),
        (torch.zeros(2, 3), ValueError),
        (torch.full((1, 2, 1), math.nan), ValueError),
    ):
        with pytest.raises(error, match="log_w"):
            coefficient(wrong)


def test_refusals_of_what_only_some_take():
    log_w = torch.zeros(M, K, B)
    for gamma in (-0.1, 1.1, math.nan, "0"):
        with pytest.raises((ValueError, TypeError), match="gamma"):
            control_variates.ovis(log_w, gamma)
    for extra in (torch.zeros(M + 1, 2, B), torch.zeros(M, 2, B + 1)):
        with pytest.raises(ValueError, match="extra must be"):
            control_variates.ovis_monte_carlo(log_w, extra)
    with pytest.raises(ValueError, match="extra"):
        control_variates.ovis_monte_carlo(torch.zeros(1, 1, 1), torch.full((1, 1, 1), -math.inf))
