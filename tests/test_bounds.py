"""Every bound against its formula, its limits, and its exact expectation on the reference case."""

import itertools
import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact

M, K, B = 4, 6, 3
KS = (1, 2, 5, 10, 40)
EVERY = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae": bounds.miwae,
    "ciwae": lambda log_w: bounds.ciwae(log_w, 0.3),
    "vr_iwae": lambda log_w: bounds.vr_iwae(log_w, 0.4),
    "jackknife": lambda log_w: bounds.jackknife(log_w, 2),
}


def normal(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def estimates(K, n=40_000, seed=0):
    """n independent sets of K log-weights of the reference case, as n data points: [1, K, n]."""
    model, x, mean, std = exact.reference(torch.float64)
    log_w = model.log_weights(x, mean, std, M=n, K=K, generator=torch.Generator().manual_seed(seed))
    return log_w.permute(2, 1, 0)


def truth(K, power=1.0):
    """E[(1 / power) log mean_K w^power] of the reference case, by quadrature."""
    law = exact.WeightLaw.of(exact.reference(torch.float64))
    return exact.WeightLaw(power * (law.log_w + law.log_mean), law.mass).lower(K).item() / power


def log_p():
    case = exact.reference(torch.float64)
    return case.model.log_likelihood(case.x).item()


# Formulas written out, with M != K != B -----------------------------------------------


def test_each_bound_is_its_formula():
    log_w = normal(M, K, B, scale=2)
    w = log_w.exp()
    l_k = w.mean(1).log().mean(0)
    expected = {
        "elbo": log_w.mean((0, 1)),
        "iwae": w.mean((0, 1)).log(),
        "miwae": l_k,
        "ciwae": 0.3 * log_w.mean((0, 1)) + 0.7 * l_k,
        "vr_iwae": ((w**0.6).mean(1).log() / 0.6).mean(0),
        "jackknife": _jackknife_by_hand(log_w, 2),
    }
    for name, bound in EVERY.items():
        torch.testing.assert_close(bound(log_w), expected[name], msg=lambda text, name=name: f"{name}: {text}")


def _jackknife_by_hand(log_w, m):
    K = log_w.shape[1]
    value = 0.0
    for j in range(m + 1):
        subsets = [list(s) for s in itertools.combinations(range(K), K - j)]
        mean = sum(log_w[:, s].exp().mean(1).log() for s in subsets) / len(subsets)
        value = value + (-1) ** j * (K - j) ** m / math.factorial(m - j) / math.factorial(j) * mean
    return value.mean(0)


@pytest.mark.parametrize("order", range(6))
def test_jackknife_is_the_sum_over_subsets(order):
    log_w = normal(M, K, B, seed=1)
    torch.testing.assert_close(bounds.jackknife(log_w, order), _jackknife_by_hand(log_w, order))


def test_jackknife_with_many_subsets_is_cut_into_pieces(monkeypatch):
    log_w = normal(2, 9, 3, seed=2)
    whole = bounds.jackknife(log_w, 3)
    islice = itertools.islice
    monkeypatch.setattr(bounds.itertools, "islice", lambda it, n: islice(it, 5))
    torch.testing.assert_close(bounds.jackknife(log_w, 3), whole)


def test_effective_sample_size():
    log_w = normal(M, K, B, seed=3, scale=2)
    w = log_w.exp()
    ess = bounds.effective_sample_size(log_w)
    torch.testing.assert_close(ess, w.sum(1) ** 2 / (w**2).sum(1))
    assert ess.shape == (M, B)
    assert (ess >= 1).all() and (ess <= K).all()
    torch.testing.assert_close(bounds.effective_sample_size(torch.full((1, 7, 2), -3.0)), torch.full((1, 2), 7.0))
    one = torch.full((1, 7, 1), -math.inf)
    one[0, 3] = -1e4
    torch.testing.assert_close(bounds.effective_sample_size(one), torch.ones(1, 1))


# Relations that hold for every set of weights -----------------------------------------------


def test_one_sample_makes_every_bound_the_elbo():
    log_w = normal(M, 1, B, seed=4)
    for bound in (bounds.miwae, lambda w: bounds.ciwae(w, 0.3), lambda w: bounds.vr_iwae(w, 0.4)):
        torch.testing.assert_close(bound(log_w), bounds.elbo(log_w))
    torch.testing.assert_close(bounds.iwae(log_w[:1]), bounds.elbo(log_w[:1]))
    torch.testing.assert_close(bounds.jackknife(log_w, 0), bounds.elbo(log_w))


def test_order_of_the_bounds_sample_by_sample():
    """Jensen orders them not only on average: elbo <= ciwae <= miwae <= iwae, and vr_iwae falls with alpha."""
    log_w = normal(M, K, B, seed=5, scale=3)
    chain = [bounds.elbo(log_w), bounds.ciwae(log_w, 0.3), bounds.miwae(log_w), bounds.iwae(log_w)]
    falling = [bounds.vr_iwae(log_w, alpha) for alpha in (1.0, 0.9, 0.5, 0.1, 0.0)]
    for low, high in [*itertools.pairwise(chain), *itertools.pairwise(falling)]:
        assert (low < high).all()


def test_pooling_is_miwae_of_one_group():
    log_w = normal(M, K, B, seed=6)
    torch.testing.assert_close(bounds.iwae(log_w), bounds.miwae(log_w.flatten(0, 1)[None]))


@pytest.mark.parametrize("beta, end", [(0.0, bounds.miwae), (1.0, bounds.elbo)])
def test_ciwae_ends(beta, end):
    log_w = normal(M, K, B, seed=7)
    torch.testing.assert_close(bounds.ciwae(log_w, beta), end(log_w))


def test_vr_iwae_ends():
    log_w = normal(M, K, B, seed=8, scale=2)
    torch.testing.assert_close(bounds.vr_iwae(log_w, 0.0), bounds.miwae(log_w))
    torch.testing.assert_close(bounds.vr_iwae(log_w, 1.0), bounds.elbo(log_w))


@pytest.mark.parametrize("dtype, closeness", [(torch.float64, 1e-9), (torch.float32, 1e-6)])
def test_vr_iwae_goes_to_the_elbo_as_alpha_goes_to_one(dtype, closeness):
    """The distance is (1 - alpha)/2 times the variance of log w; dividing by 1 - alpha must not magnify rounding."""
    log_w = normal(M, K, B, seed=9).to(dtype)
    gap = bounds.vr_iwae(log_w, 1 - closeness) - bounds.elbo(log_w)
    assert gap.abs().max() < 10 * max(closeness, torch.finfo(dtype).eps)
    slope = (bounds.vr_iwae(log_w.double(), 0.999) - bounds.elbo(log_w.double())) / 0.001
    torch.testing.assert_close(slope, 0.5 * log_w.double().var(1, correction=0).mean(0), rtol=0.01, atol=0)


def test_shifting_every_log_weight_shifts_the_bound():
    log_w = normal(M, K, B, seed=10)
    for name, bound in EVERY.items():
        for shift in (-1e4, 1e4):
            torch.testing.assert_close(bound(log_w + shift), bound(log_w) + shift, msg=f"{name} shifted by {shift}")


# Expectations on the reference case, exact -----------------------------------------------


def test_first_bound_is_the_elbo_on_average():
    case = exact.reference(torch.float64)
    elbo = case.model.elbo(*case[1:]).item()
    assert abs(truth(1) - elbo) < 1e-9
    assert_mean(bounds.iwae(estimates(1)), elbo)


@pytest.mark.parametrize("K", KS)
def test_iwae_has_the_exact_expectation(K):
    values = bounds.iwae(estimates(K, seed=K))
    assert_mean(values, truth(K))
    assert_mean(bounds.miwae(estimates(K, seed=K + 1)), truth(K))


def test_the_test_can_tell_known_wrong_bounds():
    """Faults of known code: each of them fails the test above by far."""
    log_w = estimates(5)[0]  # [K, n]
    right = truth(5)
    assert_not_mean(log_w.logsumexp(0), right)  # missing log K
    assert_not_mean(log_w.mean(0), right)  # mean of logs
    assert_not_mean((log_w.softmax(0) * log_w).sum(0), right)  # the surrogate reported as the bound
    assert_not_mean(((-log_w).softmax(0) * log_w).sum(0), right)  # weights of the wrong sign
    assert_not_mean(log_w.exp().mean(0).log() + 0.02, right)  # a slip of a fiftieth of a nat


def test_monotone_in_K():
    """L_K rises: by paired differences of the same samples, each of them many standard errors above zero."""
    log_w = estimates(40, seed=3)
    steps = [bounds.iwae(log_w[:, :k]) for k in KS]
    for low, high in itertools.pairwise(steps):
        difference = high - low
        assert difference.mean() / (difference.std() / len(difference) ** 0.5) > 8
    assert all(truth(a) < truth(b) < log_p() for a, b in itertools.pairwise(KS))


def test_subset_averages_never_exceed_the_whole():
    """The proof of monotonicity, for any numbers: the mean of L over subsets of K - 1 samples is at most L_K."""
    log_w = normal(1, K, B, seed=11, scale=3)
    subsets = [log_w[:, [k for k in range(K) if k != gone]] for gone in range(K)]
    assert (sum(bounds.iwae(s) for s in subsets) / K < bounds.iwae(log_w)).all()


def test_bias_falls_as_chi_squared_over_two_K():
    case = exact.reference(torch.float64)
    chi_squared = case.model.chi_squared(*case[1:]).item()
    ratio = [(log_p() - truth(K)) * 2 * K / chi_squared for K in (10, 100, 1000)]
    assert abs(ratio[-1] - 1) < 1e-3
    assert abs(ratio[0] - 1) > abs(ratio[1] - 1) > abs(ratio[2] - 1)
    K = 40
    assert_mean(
        (log_p() - bounds.iwae(estimates(K, seed=12))) * 2 * K / chi_squared, (log_p() - truth(K)) * 2 * K / chi_squared
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_jackknife_has_the_exact_expectation(order):
    K = 6
    values = bounds.jackknife(estimates(K, n=60_000, seed=13), order)
    assert_mean(values, jackknife_truth(K, order))
    assert_not_mean(values, truth(K))


def jackknife_truth(K, m):
    factor = lambda j: (-1) ** j * (K - j) ** m / math.factorial(m - j) / math.factorial(j)
    return sum(factor(j) * truth(K - j) for j in range(m + 1))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_jackknife_lowers_the_order_of_the_bias(order):
    """From K to 2 K the bias falls by 2^(order + 1), more and more exactly."""
    bias = [abs(jackknife_truth(K, order) - log_p()) for K in (160, 320)]
    assert bias[0] / bias[1] == pytest.approx(2 ** (order + 1), rel=0.03)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_vr_iwae_has_the_exact_expectation(alpha):
    values = bounds.vr_iwae(estimates(5, seed=14), alpha)
    assert_mean(values, truth(5, 1 - alpha))


def test_ciwae_has_the_exact_expectation():
    assert_mean(bounds.ciwae(estimates(5, seed=15), 0.25), 0.25 * truth(1) + 0.75 * truth(5))


def test_effective_sample_size_tells_chi_squared():
    """ESS / K tends to 1 / (1 + chi^2)."""
    case = exact.reference(torch.float64)
    ess = bounds.effective_sample_size(estimates(4000, n=400, seed=16))
    expected = 1 / (1 + case.model.chi_squared(*case[1:]).item())
    assert ess.mean() / 4000 == pytest.approx(expected, rel=0.01)


# Numbers that break naive code -----------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [-1e4, -800.0, 800.0, 1e4])
def test_extreme_weights_stay_finite(dtype, level):
    log_w = (normal(M, K, B, seed=17) + level).to(dtype)
    for name, bound in EVERY.items():
        value = bound(log_w)
        assert value.dtype == dtype, name
        tolerance = 0.5 if name == "jackknife" and dtype == torch.float32 else 5  # in units of the spread
        assert value.isfinite().all() and (value - level).abs().max() < max(tolerance, 5), name
    assert bounds.effective_sample_size(log_w).isfinite().all()


def test_float64_is_kept_and_precise():
    log_w = torch.tensor([[[-1e4], [-1e4 + 1e-9]]], dtype=torch.float64)
    assert (bounds.iwae(log_w) + 1e4).item() == pytest.approx(5e-10, abs=2e-12)


def test_some_weights_of_zero():
    log_w = normal(M, K, B, seed=18)
    log_w[:, 0] = -math.inf
    rest = log_w[:, 1:]
    torch.testing.assert_close(bounds.miwae(log_w), bounds.miwae(rest) + math.log((K - 1) / K))
    torch.testing.assert_close(bounds.iwae(log_w), bounds.iwae(rest) + math.log((K - 1) / K))
    tilted = bounds.vr_iwae(rest, 0.4) + math.log((K - 1) / K) / 0.6
    torch.testing.assert_close(bounds.vr_iwae(log_w, 0.4), tilted)
    assert (bounds.elbo(log_w) == -math.inf).all()
    assert (bounds.ciwae(log_w, 0.3) == -math.inf).all()
    rounded = bounds.ciwae(log_w.float(), 1e-300)  # float32 makes that beta 0
    torch.testing.assert_close(rounded, bounds.miwae(log_w.float()))
    assert (bounds.effective_sample_size(log_w) <= K - 1).all()


def test_all_weights_of_zero():
    nothing = torch.full((M, K, B), -math.inf)
    for name in ("elbo", "iwae", "miwae", "vr_iwae"):
        assert (EVERY[name](nothing) == -math.inf).all(), name


def test_gradients_are_the_normalised_weights():
    log_w = normal(M, K, B, seed=19).requires_grad_()
    expected = {
        "elbo": torch.full((M, K, B), 1 / (M * K), dtype=torch.float64),
        "iwae": log_w.detach().flatten(0, 1).softmax(0).view(M, K, B),
        "miwae": log_w.detach().softmax(1) / M,
        "ciwae": 0.3 / (M * K) + 0.7 * log_w.detach().softmax(1) / M,
        "vr_iwae": (0.6 * log_w.detach()).softmax(1) / M,
    }
    for name, weights in expected.items():
        (gradient,) = torch.autograd.grad(EVERY[name](log_w).sum(), log_w)
        torch.testing.assert_close(gradient, weights, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("name", ["miwae", "ciwae", "vr_iwae", "jackknife"])
def test_groups_and_points_far_apart_do_not_feel_each_other(name):
    """A maximum taken over too much would underflow all but one of them."""
    far = normal(M, K, B, seed=31) + 1000 * torch.arange(M * B).view(M, 1, B)
    alone = torch.stack([EVERY[name](far[m : m + 1, :, b : b + 1]) for m in range(M) for b in range(B)]).view(M, B)
    torch.testing.assert_close(EVERY[name](far), alone.mean(0))


@pytest.mark.parametrize("name", ["elbo", "iwae", "miwae", "ciwae", "vr_iwae", "jackknife"])
def test_gradcheck(name):
    log_w = normal(2, 4, 3, seed=20).requires_grad_()
    assert torch.autograd.gradcheck(EVERY[name], log_w)


# Bad input -----------------------------------------------

GOOD = torch.zeros(M, K, B)
BAD = [
    ("list", [[[0.0]]], TypeError, "log_w must be a torch.Tensor"),
    ("integers", torch.zeros(M, K, B, dtype=torch.long), TypeError, "log_w must hold floating-point numbers"),
    ("two axes", torch.zeros(K, B), ValueError, r"log_w must have the 3 axes \[M, K, B\], got shape \[6, 3\]"),
    ("no samples", torch.zeros(M, 0, B), ValueError, "log_w must have at least one entry along K"),
    ("NaN", torch.full((M, K, B), math.nan), ValueError, "log_w contains NaN"),
    ("+inf", torch.full((M, K, B), math.inf), ValueError, r"log_w contains \+inf"),
]


@pytest.mark.parametrize("name", [*EVERY, "effective_sample_size"])
@pytest.mark.parametrize("log_w, error, message", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_log_weights_are_told_in_a_sentence(name, log_w, error, message):
    with pytest.raises(error, match=message):
        EVERY.get(name, bounds.effective_sample_size)(log_w)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: bounds.ciwae(GOOD, 1.5), ValueError, r"beta must lie in \[0, 1\], got 1.5"),
        (lambda: bounds.ciwae(GOOD, -0.1), ValueError, r"beta must lie in \[0, 1\], got -0.1"),
        (lambda: bounds.ciwae(GOOD, math.nan), ValueError, "beta must lie in"),
        (lambda: bounds.ciwae(GOOD, "half"), TypeError, "beta must be a number"),
        (lambda: bounds.vr_iwae(GOOD, 1.5), ValueError, r"alpha must lie in \[0, 1\], got 1.5"),
        (lambda: bounds.vr_iwae(GOOD, -1), ValueError, r"alpha must lie in \[0, 1\], got -1"),
        (lambda: bounds.jackknife(GOOD, K), ValueError, "order must be below the number of samples K = 6, got 6"),
        (lambda: bounds.jackknife_coefficients(6, 6), ValueError, "order must be below the number of samples K = 6"),
        (lambda: bounds.jackknife_coefficients(0, 0), ValueError, "K must be at least 1, got 0"),
        (lambda: bounds.jackknife(GOOD, -1), ValueError, "order must be at least 0, got -1"),
        (lambda: bounds.jackknife(GOOD, 1.0), TypeError, "order must be a whole number"),
        (lambda: bounds.jackknife(GOOD, True), TypeError, "order must be a whole number"),
    ],
)
def test_bad_parameters_are_told_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("beta, bound", [(0.0, bounds.miwae), (1.0, bounds.elbo)])
def test_ciwae_at_its_ends_is_the_one_bound_even_where_the_other_is_infinite(beta, bound):
    """A weight of zero makes the ELBO -inf, and 0 * -inf is NaN."""
    log_w = torch.tensor([[[0.0, -math.inf], [-math.inf, -math.inf]]])
    assert torch.equal(bounds.ciwae(log_w, beta), bound(log_w))
