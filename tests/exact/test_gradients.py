"""Exact moments of every row's gradient against autograd, closed forms, the bounds' own slopes, and sampling by the
table of objectives, for a q that is too wide, too narrow, or beside the posterior."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact, objectives
from vaecourse.exact import gradients

WIDTHS = [(1.3, 0.5), (2.0, 0.3), (0.8, 1.0)]  # the reference q, one too wide, one too narrow and beside
ALL = list(gradients.PARAMETERS)


def moved_case(case, parameter):
    """The case with a leaf in place of the parameter, and the leaf."""
    leaf = {"mean": case.mean, "std": case.std, "weight": case.model.weight}[parameter].clone().requires_grad_()
    if parameter == "weight":
        return exact.Case(exact.LinearGaussian(leaf, case.model.noise_variance), *case[1:]), leaf
    return case.replace(**{parameter: leaf}), leaf


def autograd_slope(case, parameter, value):
    """The derivative by autograd of an exact quantity of the case."""
    moved, leaf = moved_case(case, parameter)
    return torch.autograd.grad(value(moved).sum(), leaf)[0].item()


def sampled(case, row, parameter, M, K, draws, seed=1):
    """Independent gradients by the weights of the table of objectives: ``[draws]``."""
    eps = torch.randn(M, K, draws, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    slopes = exact.slopes(case, eps, parameter)  # [M, K, draws]: every draw is a data point
    if gradients.PARAMETERS[parameter] == "theta":
        return (row.theta_weights(slopes.log_w) * slopes.weight).sum((0, 1))
    return (row.phi_weights(slopes.log_w) * (slopes.whole(parameter) if row.keeps_score else slopes.path)).sum((0, 1))


def test_rows_are_those_of_the_table():
    assert gradients.ROWS == list(objectives.TABLE)


@pytest.mark.parametrize("parameter", ALL)
@pytest.mark.parametrize("width, shift", WIDTHS)
def test_slopes_are_those_of_autograd(parameter, width, shift):
    case, eps = exact.case_with(width, shift), torch.linspace(-2, 2, 5, dtype=torch.float64)
    found = exact.slopes(case, eps, parameter)
    for i, e in enumerate(eps):

        def log_w(moved, held=False, e=e):
            z = moved.mean + moved.std * e
            q = torch.distributions.Normal(moved.mean, moved.std)
            if held:
                q = torch.distributions.Normal(moved.mean.detach(), moved.std.detach())
            return (moved.model.log_joint(moved.x, z) - q.log_prob(z)).sum()

        assert found.whole(parameter)[i].item() == pytest.approx(autograd_slope(case, parameter, log_w), abs=1e-12)
        assert found.log_w[i].item() == pytest.approx(log_w(case).item())
        if parameter != "weight":
            path = autograd_slope(case, parameter, lambda moved, log_w=log_w: log_w(moved, held=True))
            assert found.path[i].item() == pytest.approx(path, abs=1e-12)


ROWS = [(row, {}) for row in ("elbo", "iwae", "miwae", "piwae", "stl", "dreg")]
ROWS += [("ciwae", {"beta": 0.3}), ("ciwae", {"beta": 1.0}), ("vr_iwae", {"alpha": 0.4}), ("vr_iwae", {"alpha": 1.0})]
ROWS += [(row, {}) for row in objectives.TABLE if row not in {known for known, _ in ROWS}]


@pytest.mark.parametrize("parameter", ALL)
@pytest.mark.parametrize("row, settings", ROWS, ids=str)
def test_moments_are_those_of_samples(row, settings, parameter):
    for (width, shift), (M, K) in zip(WIDTHS, [(3, 2), (2, 7), (3, 4)]):
        case = exact.case_with(width, shift)
        exactly = exact.RowGradients(case).moments(row, parameter, M, K, **settings)
        runs = sampled(case, objectives.get(row, **settings), parameter, M, K, 40_000)
        assert_mean(runs, exactly.mean)
        assert_mean((runs - exactly.mean).square(), exactly.variance)
        assert_not_mean((runs - exactly.mean).square(), 1.3 * exactly.variance)


@pytest.mark.parametrize("parameter", ALL)
@pytest.mark.parametrize("width, shift", WIDTHS)
@pytest.mark.parametrize("K", [1, 5, 64])
def test_mean_of_iwae_is_the_slope_of_the_exact_bound(parameter, width, shift, K):
    case = exact.case_with(width, shift)
    slope = autograd_slope(case, parameter, lambda moved: exact.WeightLaw.of(moved).lower(K))
    assert exact.RowGradients(case).moments("iwae", parameter, K=K).mean == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("parameter", ["mean", "std"])
@pytest.mark.parametrize("width, shift", WIDTHS)
def test_one_sample_gives_the_exact_gradient_of_the_elbo(parameter, width, shift):
    case = exact.case_with(width, shift)
    slope = autograd_slope(case, parameter, lambda moved: moved.model.elbo(moved.x, moved.mean, moved.std))
    rows = exact.RowGradients(case)
    for row in ("elbo", "iwae", "miwae", "stl", "dreg", "vr_iwae"):
        assert rows.moments(row, parameter).mean == pytest.approx(slope, abs=1e-8), row
    if parameter == "mean":
        assert rows.moments("elbo", "mean", 1, 4).sd == pytest.approx(
            case.std.item() * case.model.precision.item() / 2, abs=1e-9
        )  # sd of (z - m) / v over sqrt(4)


def test_one_sample_is_a_number_where_a_weight_is_beyond_all_t():
    """At K = 1 the transform of no other weight is 1, also where that of one weight is 0: no NaN."""
    log_w, mass = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([0.5, 0.5], dtype=torch.float64)
    g = torch.tensor([2.0, -1.0], dtype=torch.float64)
    for r in (1, 2):
        found = exact.WeightedSum(log_w, mass, g, r).moments(1)  # the weight is 1: a plain g
        assert found.mean == pytest.approx(0.5, abs=1e-9) and found.variance == pytest.approx(2.25, abs=1e-9)


@pytest.mark.parametrize("r", [1, 2])
def test_moments_of_two_point_weights_by_hand(r):
    """w is 1 or e, K = 2: four outcomes."""
    log_w, mass = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([0.3, 0.7], dtype=torch.float64)
    g, w, beta = [2.0, -1.0], [1.0, math.e], 0.4
    outcomes = []
    for i in range(2):
        for j in range(2):
            shares = [(a / (w[i] + w[j])) ** r for a in (w[i], w[j])]
            value = beta * (g[i] + g[j]) / 2 + (1 - beta) * (shares[0] * g[i] + shares[1] * g[j])
            outcomes.append(((mass[i] * mass[j]).item(), value))
    mean = sum(p * value for p, value in outcomes)
    variance = sum(p * (value - mean) ** 2 for p, value in outcomes)
    found = exact.WeightedSum(log_w, mass, torch.tensor(g, dtype=torch.float64), r).moments(2, beta)
    assert found.mean == pytest.approx(mean, abs=1e-9) and found.variance == pytest.approx(variance, abs=1e-9)


@pytest.mark.parametrize("parameter", ["mean", "std"])
@pytest.mark.parametrize("width, shift", WIDTHS)
@pytest.mark.parametrize("K", [1, 2, 7, 64, 256])
def test_dreg_has_the_mean_of_iwae_and_stl_has_not(width, shift, parameter, K):
    rows = exact.RowGradients(exact.case_with(width, shift))
    iwae, dreg, stl = (rows.moments(name, parameter, K=K).mean for name in ("iwae", "dreg", "stl"))
    assert dreg == pytest.approx(iwae, abs=1e-8)
    assert (abs(stl - iwae) < 1e-8) == (K == 1)


def test_theta_tends_to_the_gradient_of_log_p():
    case = exact.reference(torch.float64)
    rows = exact.RowGradients(case)
    slope = autograd_slope(case, "weight", lambda moved: moved.model.log_likelihood(moved.x))
    assert rows.of_log_p("weight") == pytest.approx(slope) and rows.of_log_p("mean") == rows.of_log_p("std") == 0
    gap = [abs(rows.moments("iwae", "weight", K=K).mean - slope) for K in (500, 1000, 20_000)]
    assert gap[1] < 5e-4 and gap[2] < 1e-4
    assert gap[0] / gap[1] == pytest.approx(2, rel=0.01)  # O(1/K)


@pytest.mark.parametrize("width, shift", WIDTHS[:2])  # the third has chi squared, and not the moments of the next term
def test_rates(width, shift):
    rows = exact.RowGradients(exact.case_with(width, shift))
    ratio = lambda row, of, K: rows.signal_to_noise(row, of, 1, 4 * K) / rows.signal_to_noise(row, of, 1, K)
    assert ratio("iwae", "weight", 4096) == pytest.approx(2, rel=0.03)
    assert ratio("iwae", "std", 4096) == pytest.approx(0.5, rel=0.03)
    assert ratio("dreg", "std", 4096) == pytest.approx(2, rel=0.03)
    assert ratio("iwae", "mean", 4096) == pytest.approx(0.5, rel=0.03)
    for of in ("weight", "std"):
        many, one = (rows.signal_to_noise("ciwae", of, M, 5, beta=0.2) for M in (9, 1))
        assert many == pytest.approx(3 * one)


def test_values_are_those_of_the_bounds():
    case = exact.reference(torch.float64)
    rows, M, K = exact.RowGradients(case), 2, 3
    log_w = case.model.log_weights(*case[1:], M * 40_000, K, torch.Generator().manual_seed(4))
    log_w = log_w.view(40_000, M, K).permute(1, 2, 0)  # [M, K, draws]
    for row, settings in [(name, {}) for name in objectives.TABLE] + [("vr_iwae", {"alpha": 1.0})]:
        assert_mean(objectives.get(row, **settings).value(log_w), rows.value(row, M, K, **settings))
    assert_mean(bounds.jackknife(log_w, 2), rows.value("jackknife", M, K, order=2))
    assert rows.value("elbo") == pytest.approx(case.model.elbo(*case[1:]).item(), abs=1e-9)


def test_the_jackknife_has_the_mean_gradient_of_its_samples():
    case = exact.reference(torch.float64)
    eps = torch.randn(1, 4, 5000, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    rows = exact.RowGradients(case)
    for parameter in ALL:
        slopes = exact.slopes(case, eps, parameter)
        log_w = slopes.log_w.clone().requires_grad_()
        weights = torch.autograd.grad(bounds.jackknife(log_w, 1).sum(), log_w)[0]
        runs = (weights * slopes.whole(parameter)).sum((0, 1))
        assert_mean(runs, rows.mean("jackknife", parameter, K=4, order=1))
        assert_not_mean(runs, rows.mean("jackknife", parameter, K=4, order=1) + 1)


def test_what_is_unknown_is_named():
    rows = exact.RowGradients(exact.reference(torch.float64))
    with pytest.raises(ValueError, match="row must be one of"):
        rows.moments("jackknife", "mean")
    with pytest.raises(ValueError, match="parameter must be one of"):
        rows.moments("iwae", "phi")
    with pytest.raises(ValueError, match="order must be below the number of samples K = 2, got 2"):
        rows.mean("jackknife", "mean", K=2, order=2)


@pytest.mark.parametrize("width, shift", WIDTHS)
def test_optimal_baseline_has_the_smallest_variance(width, shift):
    case = exact.case_with(width, shift)
    eps = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    mass = torch.exp(-0.5 * eps**2) / math.sqrt(2 * math.pi) * (eps[1] - eps[0])
    log_w, _, score, _ = exact.slopes(case, eps)
    second = lambda c: (mass * ((log_w - c) * score).square()).sum().item()
    best = exact.optimal_baseline(case)
    assert all(second(best + step) > second(best) for step in (-0.05, 0.05))
    assert best == pytest.approx(((mass * score**2 * log_w).sum() / (mass * score**2).sum()).item())


def test_a_q_too_wide_for_the_points_is_refused():
    """At 15 times the posterior's width 601 points had -.551 for iwae and -.548 for dreg, whose mean is the same."""
    case = exact.case_with(15.0, 0.37)
    with pytest.raises(ValueError, match="points must be at least 8[0-9]{3} for a q whose log w moves by 224 nats"):
        exact.RowGradients(case)
    wide = exact.case_with(6.0, 0.37)
    with pytest.raises(ValueError, match="points must be at least 1[0-9]{3} "):
        exact.RowGradients(wide)
    rows = exact.RowGradients(wide, points=1401)
    for parameter in ("mean", "std"):
        iwae, dreg = (rows.moments(row, parameter, K=2).mean for row in ("iwae", "dreg"))
        assert iwae == pytest.approx(dreg, abs=1e-6)
        assert_mean(sampled(wide, objectives.get("dreg"), parameter, 1, 2, 400_000), dreg)
