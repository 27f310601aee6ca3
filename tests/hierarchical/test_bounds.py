"""Bounds on log q(z) against laws whose marginal, posterior and chi-square are exact: at fixed z, and by z-score."""

import itertools
import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean, z_score
from vaecourse import exact, hierarchical
from vaecourse.hierarchical import LinearInverse, MixingPrior, Posterior

GAUSSIAN, LAPLACE = exact.MeanMixture(3), exact.LaplaceMixture(3)
TAU = {"slope": 0.6, "std": 1.1}  # beside the posterior N(.8 z, .894^2)
FIXED = [[0.0, 0.0, 0.0], [1.5, -0.7, 2.2], [-6.0, 0.2, 0.1]]  # a z in the middle, a usual one, one far out


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def at(law, z, n, seed=0):
    """One z, n times, each with a psi_0 of its own from the exact posterior: 2 x [n, 3]."""
    z = torch.tensor(z).expand(n, 3)
    return z, law.sample_posterior(z, 1, generator(seed))[0]


def errors(bound, law, tau, z, psi_0, K, seed=1):
    """bound - log q(z) of independent estimates: [n]."""
    return bound(hierarchical.log_ratios(law, tau, z, psi_0, K, generator(seed))) - law.log_prob(z)


# The bounds ----------------------------------------------------------------------------------------------------------


def test_values_by_hand():
    log_ratio = torch.tensor([3.0, 1.0, 5.0]).log()
    torch.testing.assert_close(hierarchical.upper_bound(log_ratio), torch.tensor(3.0).log())
    torch.testing.assert_close(hierarchical.lower_bound(log_ratio), torch.tensor(3.0).log())
    torch.testing.assert_close(hierarchical.lower_bound(log_ratio[:2]), torch.tensor(0.0))
    torch.testing.assert_close(hierarchical.midpoint(log_ratio[:2]), torch.tensor(0.5 * math.log(2)))


@pytest.mark.parametrize("shape", [(1,), (6, 7), (6, 2, 7)])
def test_shapes_and_ratios_that_exp_would_not_survive(shape):
    log_ratio = torch.full(shape, -4000.0)
    assert hierarchical.upper_bound(log_ratio).shape == shape[1:]
    assert (hierarchical.upper_bound(log_ratio) == -4000).all()


@pytest.mark.parametrize("z", FIXED)
@pytest.mark.parametrize("K", [0, 1, 5])
@pytest.mark.parametrize("law", [GAUSSIAN, LAPLACE])
def test_upper_bound_holds_at_every_z(law, K, z):
    """Not only in the mean over z."""
    found = errors(hierarchical.upper_bound, law, MixingPrior(law), *at(law, z, 8000), K)
    assert z_score(found, 0.0) > 8


@pytest.mark.parametrize("z", FIXED)
def test_without_inner_samples_the_gap_is_the_kl_of_tau(z):
    """K = 0 is HVM: E[U_0] - log q(z) = KL(q(psi|z) || tau)."""
    t, v = TAU["std"] ** 2, GAUSSIAN.std**2
    offset = (TAU["slope"] - GAUSSIAN.slope) * torch.tensor(z)
    kl = (0.5 * (v / t - 1 + math.log(t / v)) + offset.square() / (2 * t)).sum()
    found = errors(hierarchical.upper_bound, GAUSSIAN, LinearInverse(**TAU), *at(GAUSSIAN, z, 20_000), 0)
    assert_mean(found.detach(), kl)
    assert_not_mean(found.detach(), 0.0)


@pytest.mark.parametrize("law", [GAUSSIAN, LAPLACE])
def test_bounds_close_monotonically_on_the_exact_value(law):
    z, psi_0 = law.sample(20_000, generator())
    curve = hierarchical.curve(law, MixingPrior(law), z, psi_0, [0, 1, 2, 5, 20, 100], generator(1))
    exact_value = law.log_prob(z)
    assert (z_score((curve.upper[:-1] - curve.upper[1:]).T, 0.0) > 8).all()
    assert (z_score((curve.lower[3:] - curve.lower[2:-1]).T, 0.0) > 8).all()  # E[L_1] is -inf for the Laplace law
    assert (z_score((curve.upper - exact_value).T, 0.0) > 8).all()
    assert (z_score((exact_value - curve.lower[2:]).T, 0.0) > 8).all()


@pytest.mark.parametrize("z", FIXED[:2])
def test_biases_are_those_of_chi_squared_and_the_midpoint_cancels_them(z):
    """At one z: + chi^2 / (2 (K + 1)) above, - chi^2 / (2 K) below."""
    K, n, tau = 100, 60_000, LinearInverse(0.7, 1.0)
    chi_squared = GAUSSIAN.chi_squared(torch.tensor(z), 0.7, 1.0).item()
    with torch.no_grad():
        log_ratio = hierarchical.log_ratios(GAUSSIAN, tau, *at(GAUSSIAN, z, n), K, generator(1))
    log_ratio = log_ratio - GAUSSIAN.log_prob(torch.tensor(z))
    upper, lower = hierarchical.upper_bound(log_ratio), hierarchical.lower_bound(log_ratio)
    assert_mean(upper, chi_squared / (2 * (K + 1)))
    assert_mean(lower, -chi_squared / (2 * K))
    assert_mean(hierarchical.midpoint(log_ratio), 0.0)
    assert_not_mean(upper - lower, 0.0)


def test_chi_squared_is_the_variance_of_the_ratios():
    z = torch.tensor(FIXED[1])
    tau = LinearInverse(**TAU)
    psi = tau.sample(z, 100_000, generator()).detach()
    ratio = (GAUSSIAN.log_posterior(psi, z) - tau.log_prob(psi, z)).exp().detach()
    assert_mean(ratio, 1.0)
    assert_mean((ratio - 1).square(), GAUSSIAN.chi_squared(z, **TAU))
    assert GAUSSIAN.chi_squared(z, GAUSSIAN.slope, GAUSSIAN.std) == pytest.approx(0.0, abs=1e-6)
    assert GAUSSIAN.chi_squared(z, 0.8, 0.7 * GAUSSIAN.std) == math.inf


# The family ----------------------------------------------------------------------------------------------------------


def test_prior_as_tau_is_sivi():
    z, psi_0 = LAPLACE.sample(7, generator())
    found = hierarchical.upper_bound(hierarchical.log_ratios(LAPLACE, MixingPrior(LAPLACE), z, psi_0, 5, generator(1)))
    psi = torch.cat([psi_0[None], LAPLACE.sample_mixing((5, 7), generator(1))])
    sivi = LAPLACE.log_conditional(z, psi).exp().mean(0).log()
    torch.testing.assert_close(found, sivi)


@pytest.mark.parametrize("law", [exact.MeanMixture(4), exact.LaplaceMixture(4)])
@pytest.mark.parametrize("K", [0, 1, 6])
def test_posterior_as_tau_is_exact_in_every_draw(law, K):
    z, psi_0 = law.sample(50, generator())
    log_ratio = hierarchical.log_ratios(law, Posterior(law), z.double(), psi_0.double(), K, generator(1))
    torch.testing.assert_close(log_ratio, law.log_prob(z.double()).expand(K + 1, 50))


def test_without_psi_0_the_elbo_is_overestimated():
    """Without psi_0, for a p(x, z) that is proportional to q(z): every nat above 0 is an ELBO too high."""
    z, psi_0 = GAUSSIAN.sample(20_000, generator())
    log_ratio = hierarchical.log_ratios(GAUSSIAN, MixingPrior(GAUSSIAN), z, psi_0, 5, generator(1))
    elbo_error = {
        name: GAUSSIAN.log_prob(z) - bound(log_ratio)
        for name, bound in {"with": hierarchical.upper_bound, "without": hierarchical.lower_bound}.items()
    }
    assert z_score(elbo_error["with"], 0.0) < -8
    assert z_score(elbo_error["without"], 0.0) > 8


# The jackknife -------------------------------------------------------------------------------------------------------


def test_jackknife_of_order_0_and_1_by_hand():
    log_ratio = torch.randn(5, 7, generator=generator(), dtype=torch.float64)
    upper = hierarchical.upper_bound(log_ratio)
    torch.testing.assert_close(hierarchical.jackknife(log_ratio, 0), upper)
    keep = [[0, *(j for j in range(1, 5) if j != out)] for out in range(1, 5)]  # psi_0 is in every subset
    left_out = torch.stack([hierarchical.upper_bound(log_ratio[kept]) for kept in keep]).mean(0)
    torch.testing.assert_close(hierarchical.jackknife(log_ratio, 1), 5 * upper - 4 * left_out)


def test_jackknife_removes_the_powers_of_one_over_n():
    """An expectation a + b/n + c/n^2 is turned into a by order 2: its coefficients see nothing else."""
    n = 6
    for power, rest in ((0, 1.0), (1, 0.0), (2, 0.0)):
        total = sum(
            (-1) ** j * (n - j) ** 2 / (math.factorial(2 - j) * math.factorial(j)) * (n - j) ** -power for j in range(3)
        )
        assert total == pytest.approx(rest, abs=1e-12)
    log_ratio = torch.randn(n, 4, generator=generator(), dtype=torch.float64)
    by_hand = torch.zeros(4, dtype=torch.float64)
    for j in range(3):
        subsets = [[0, *others] for others in itertools.combinations(range(1, n), n - 1 - j)]
        mean = torch.stack([hierarchical.upper_bound(log_ratio[kept]) for kept in subsets]).mean(0)
        by_hand += (-1) ** j * (n - j) ** 2 / (math.factorial(2 - j) * math.factorial(j)) * mean
    torch.testing.assert_close(hierarchical.jackknife(log_ratio, 2), by_hand)


def test_jackknife_with_ratios_of_zero():
    """By hand where the mean is finite, and no NaN in the gradient; refused where a subset has no ratio above zero."""
    log_ratio = torch.randn(5, 4, generator=generator(), dtype=torch.float64)
    log_ratio[2, 0] = log_ratio[0, 1] = -math.inf
    log_ratio[1:, 2] = log_ratio[:, 3] = -math.inf
    with pytest.raises(ValueError, match="others above -inf for a jackknife of order 1"):
        hierarchical.jackknife(log_ratio, 1)
    leaf = log_ratio[:, :3].clone().requires_grad_()
    found = hierarchical.jackknife(leaf, 1)
    subsets = [[0, *(j for j in range(1, 5) if j != out)] for out in range(1, 5)]
    bound = lambda of: of.exp().mean(0).log()
    by_hand = 5 * bound(log_ratio) - 4 * torch.stack([bound(log_ratio[kept]) for kept in subsets]).mean(0)
    torch.testing.assert_close(found.detach(), by_hand[:3])
    (gradient,) = torch.autograd.grad(found.sum(), leaf)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient.sum(0), torch.ones(3, dtype=torch.float64))


def test_jackknife_is_nearer_and_no_bound():
    """On the reference model, x for z: U_4 is .073 too high, its jackknife .002 too *low*."""
    model, x, mean, std = exact.reference(torch.float64)
    n, K = 400_000, 4
    z_0 = model.posterior(x).mean + model.covariance.sqrt() * torch.randn(1, n, 1, generator=generator()).double()
    log_q = torch.distributions.Normal(mean, std).log_prob(z_0).sum(-1)
    first = model.log_joint(x, z_0[0][:, None])[:, 0] - log_q[0]
    others = model.log_weights(x, mean, std, n, K, generator(1))[..., 0].T
    log_ratio = torch.cat([first[None], others]) - model.log_likelihood(x)
    upper, corrected = hierarchical.upper_bound(log_ratio), hierarchical.jackknife(log_ratio, 1)
    assert z_score(upper, 0.0) > 8
    assert upper.mean().item() == pytest.approx(0.0730, abs=4 * 0.0006)
    assert -0.005 < corrected.mean().item() < 0 and corrected.std() > upper.std()
    lower = hierarchical.lower_bound(log_ratio)
    assert z_score(lower, 0.0) < -8


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, error, words",
    [
        ([1.0], TypeError, r"^log_ratio must be a torch\.Tensor of shape \[K \+ 1\], got list\.$"),
        (
            torch.ones(3, dtype=torch.long),
            TypeError,
            r"^log_ratio must hold floating-point numbers, got torch\.int64\.$",
        ),
        (
            torch.tensor(1.0),
            ValueError,
            r"^log_ratio must have the shape \[K \+ 1, \.\.\.\], psi_0 first, got a scalar\.$",
        ),
        (torch.ones(0, 3), ValueError, r"^log_ratio must have at least one entry along K \+ 1, got shape \[0, 3\]\.$"),
        (torch.tensor([1.0, math.nan]), ValueError, r"^log_ratio contains NaN \(1 of 2 entries\)\.$"),
        (
            torch.tensor([1.0, math.inf]),
            ValueError,
            r"^log_ratio contains \+inf: tau\(psi \| z\) must be positive wherever q\(z, psi\) is\.$",
        ),
    ],
)
def test_bad_log_ratios_are_named(value, error, words):
    for bound in (hierarchical.upper_bound, lambda r: hierarchical.jackknife(r, 0)):
        with pytest.raises(error, match=words):
            bound(value)


@pytest.mark.parametrize("bound", [hierarchical.lower_bound, hierarchical.midpoint])
def test_lower_bound_needs_a_draw_of_tau(bound):
    words = r"^log_ratio must hold psi_0 and at least K = 1 draws of tau for this bound, got 1 row\(s\): K = 0\.$"
    with pytest.raises(ValueError, match=words):
        bound(torch.zeros(1, 7))


@pytest.mark.parametrize("order", [-1, 5, 9])
def test_jackknife_order(order):
    words = (
        "^order must be at least 0, got -1" if order < 0 else f"^order must be at most K = 4, got {order}: each order"
    )
    with pytest.raises(ValueError, match=words):
        hierarchical.jackknife(torch.zeros(5, 3), order)
    assert hierarchical.jackknife(torch.zeros(5, 3), 4).shape == (3,)
