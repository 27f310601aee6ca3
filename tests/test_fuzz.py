"""What hypothesis thinks of: properties of each bound, kernel and exact model, and a sentence for each bad argument.

CI draws the same examples each time. FUZZ=2000 pytest tests/test_fuzz.py draws so many, new ones.
"""

import math
import os
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.refusals import NO_CHOICE, NO_COUNT, NO_NUMBER, OFTEN, ranks, taken_and_refused
from vaecourse import bounds, divergences, exact, gradients, hierarchical, objectives
from vaecourse.models import VAE

FUZZ = int(os.environ.get("FUZZ", 0))
fuzz = settings(max_examples=FUZZ or 25, derandomize=not FUZZ, deadline=None, database=None)
DTYPES = st.sampled_from([torch.float32, torch.float64])
sizes = partial(st.integers, 1)


def tensors(*shape, low=-1e4, high=1e4, zeros=False, dtype=DTYPES):
    """Tensors of this shape, an int or a strategy for each axis; with ``zeros`` some entries are -inf."""
    entry = st.floats(low, high, width=32, allow_subnormal=False)
    entry = st.one_of(entry, st.just(-math.inf)) if zeros else entry
    axes = st.tuples(*(st.just(size) if isinstance(size, int) else size for size in shape))
    values = axes.flatmap(lambda whole: arrays(np.float64, whole, elements=entry))
    return st.builds(lambda value, kind: torch.tensor(value, dtype=kind), values, dtype)


def log_weights(least=1, **options):
    return tensors(sizes(4), st.integers(least, 5), sizes(3), **options)


def rounding(*values):
    """How much rounding may move a sum of numbers of this size."""
    largest = max(float(value[value.isfinite()].abs().max()) if value.isfinite().any() else 0 for value in values)
    return 64 * torch.finfo(values[0].dtype).eps * (1 + largest)


def close(one, other, tolerance):
    """Both finite and near, or infinite in the same places."""
    torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


# Bounds ---------------------------------------------------------------------------------------------------------------

BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae": bounds.miwae,
    "ciwae": partial(bounds.ciwae, beta=0.3),
    "vr_iwae": partial(bounds.vr_iwae, alpha=0.6),
}
of_every_bound = pytest.mark.parametrize("name", BOUNDS)


@fuzz
@given(log_weights(zeros=True), st.floats(0, 1), st.floats(0, 1))
def test_bounds_stand_in_their_order(log_w, share, other):
    alpha, more = sorted((share, other))
    chain = [
        bounds.elbo(log_w),
        bounds.vr_iwae(log_w, more),
        bounds.vr_iwae(log_w, alpha),
        bounds.miwae(log_w),
        bounds.iwae(log_w),
    ]
    near = rounding(log_w)
    for value in chain:
        assert value.shape == log_w.shape[2:] and value.dtype == log_w.dtype and not value.isnan().any()
    for lower, upper in zip(chain, chain[1:]):
        assert (lower <= upper + near).all(), (lower, upper)
    mixed = bounds.ciwae(log_w, share)
    assert (mixed >= chain[0] - near).all() and (mixed <= chain[3] + near).all()


@of_every_bound
@fuzz
@given(log_w=log_weights(zeros=True), shift=st.floats(-1e4, 1e4))
def test_a_shift_of_the_weights_is_a_shift_of_the_bound(name, log_w, shift):
    moved = BOUNDS[name](log_w + shift)
    close(moved, BOUNDS[name](log_w) + shift, rounding(log_w, log_w + shift))


@of_every_bound
@fuzz
@given(log_w=log_weights(zeros=True), seed=st.integers(0, 99))
def test_the_order_of_samples_and_of_estimates_does_not_matter(name, log_w, seed):
    generator = torch.Generator().manual_seed(seed)
    within = torch.rand(log_w.shape, generator=generator).argsort(1)
    mixed = log_w.gather(1, within)[torch.randperm(len(log_w), generator=generator)]
    close(BOUNDS[name](mixed), BOUNDS[name](log_w), rounding(log_w))


@of_every_bound
@fuzz
@given(log_w=log_weights())
def test_gradients_are_finite_shares_that_add_up_to_one(name, log_w):
    log_w.requires_grad_()
    (shares,) = torch.autograd.grad(BOUNDS[name](log_w).sum(), log_w)
    assert shares.isfinite().all() and (shares >= 0).all()
    close(shares.sum((0, 1)), torch.ones_like(shares[0, 0]), rounding(log_w.detach()))


@of_every_bound
@fuzz
@given(log_w=log_weights(dtype=st.just(torch.float32), zeros=True))
def test_float32_is_float64_but_for_rounding(name, log_w):
    close(BOUNDS[name](log_w).double(), BOUNDS[name](log_w.double()), rounding(log_w))


@fuzz
@given(log_weights(zeros=True))
def test_effective_sample_size_lies_between_one_and_k(log_w):
    assume(not (log_w == -math.inf).all(1).any())
    found, near = bounds.effective_sample_size(log_w), rounding(log_w)
    assert found.shape == (log_w.shape[0], log_w.shape[2])
    assert (found >= 1 - near).all() and (found <= log_w.shape[1] * (1 + near)).all()


@fuzz
@given(log_weights(least=3), st.floats(-100, 100))
def test_jackknife_of_what_is_equal_is_that_and_order_zero_is_miwae(log_w, level):
    near = 100 * rounding(log_w)
    close(bounds.jackknife(log_w, 0), bounds.miwae(log_w), near)
    for order in (1, 2):
        constant = torch.full_like(log_w, level)
        close(bounds.jackknife(constant, order), constant[0, 0], 100 * rounding(constant))
        assert bounds.jackknife(log_w, order).isfinite().all()


# Objectives and gradients ---------------------------------------------------------------------------------------------

ROWS = [*objectives.TABLE.values(), objectives.get("ciwae", beta=0.9), objectives.get("vr_iwae", alpha=0.95)]


@pytest.mark.parametrize("row", ROWS, ids=str)
@fuzz
@given(log_w=log_weights(zeros=True), shift=st.floats(-1e3, 1e3))
def test_the_weights_of_a_row_are_the_gradient_of_its_value(row, log_w, shift):
    assume(not (log_w == -math.inf).all(1).any())
    theta, phi = row.theta_weights(log_w), row.phi_weights(log_w)
    for weights in (theta, phi):
        assert weights.shape == log_w.shape and weights.dtype == log_w.dtype
        assert weights.isfinite().all() and (weights >= 0).all() and (weights <= 1 + 1e-6).all()
    close(theta.sum((0, 1)), torch.ones_like(theta[0, 0]), rounding(theta))
    close(row.phi_weights(log_w + shift), phi, 4 * rounding(log_w, log_w + shift))
    finite = log_w.clamp_min(-1e4).requires_grad_()
    (slope,) = torch.autograd.grad(row.value(finite).sum(), finite)
    close(slope, row.theta_weights(finite), rounding(finite))


@pytest.mark.parametrize("row", ROWS, ids=str)
@settings(fuzz, max_examples=FUZZ or 8)
@given(M=sizes(4), K=sizes(5), x=tensors(sizes(3), 4, low=0, high=1), seed=st.integers(0, 99))
def test_backward_fills_every_gradient_with_numbers(row, M, K, x, seed):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = VAE(4, 2, hidden=(3,)).to(x.dtype)
    value = objectives.backward(model, x, row, M, K, torch.Generator().manual_seed(seed))
    assert value.shape == (len(x),) and value.dtype == x.dtype and not value.requires_grad
    close(value, row.value(model.log_weights(x, M, K, torch.Generator().manual_seed(seed)).detach()), 1e-4)
    assert all(p.grad.isfinite().all() for p in model.parameters())


@fuzz
@given(log_weights(least=2))
def test_baselines_shift_with_the_weights_and_leave_one_out_averages_to_the_mean(log_w):
    near = 10 * rounding(log_w)
    squares = torch.ones_like(log_w)
    alone = gradients.baseline(log_w, "leave_one_out")
    close(gradients.baseline(log_w, "optimal", squares), alone, near)
    close(alone.mean(1), gradients.baseline(log_w, "mean")[:, 0], near)
    assert (gradients.log_variance(log_w) >= 0).all()


# Divergences ----------------------------------------------------------------------------------------------------------

KERNELS = {"rbf": divergences.rbf, "imq": divergences.imq}
scales = st.floats(0.01, 100)


def clouds(high=1e3, dtype=DTYPES):
    """Two clouds ``[N, L], [P, L]`` of one type."""
    both = st.tuples(sizes(6), sizes(5), sizes(3), dtype)
    return both.flatmap(
        lambda s: st.tuples(*(tensors(n, s[2], low=-high, high=high, dtype=st.just(s[3])) for n in s[:2]))
    )


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@fuzz
@given(clouds(), scales, scales)
def test_a_kernel_is_one_at_home_symmetric_and_falls_with_distance(kernel, both, scale, other):
    x, y = both
    k, (narrow, wide) = kernel(x, y, scale), sorted((scale, other))
    assert k.shape == (len(x), len(y)) and k.dtype == x.dtype
    assert (k >= 0).all() and (k <= 1 + 1e-6).all()
    close(kernel(x, x, scale).diagonal(), torch.ones_like(x[:, 0]), 1e-6)
    close(kernel(y, x, scale).T, k, 1e-6)
    assert (kernel(x, y, narrow) <= kernel(x, y, wide) + 1e-6).all()


@pytest.mark.parametrize("name", KERNELS)
@fuzz
@given(both=clouds(), scale=scales)
def test_mmd_is_symmetric_never_negative_as_v_and_zero_of_a_cloud_with_itself(name, both, scale):
    (x, y), kernel = both, lambda a, b: KERNELS[name](a, b, scale)
    v = divergences.mmd2(x, y, kernel, unbiased=False)
    assert v.dtype == x.dtype and v.shape == () and v > -1e-5
    close(v, divergences.mmd2(y, x, kernel, unbiased=False), 1e-5)
    close(divergences.mmd2(x, x.flip(0), kernel, unbiased=False), 0 * v, 1e-5)
    if min(len(x), len(y)) > 1:
        n, p = len(x), len(y)
        within = [(size * kernel(c, c).mean() - 1) / (size - 1) for size, c in ((n, x), (p, y))]
        u = divergences.mmd2(x, y, kernel)
        close(u, within[0] + within[1] - 2 * kernel(x, y).mean(), 1e-5)
    leaf = x.clone().requires_grad_()
    divergences.mmd2(leaf, y, kernel, unbiased=False).backward()
    assert leaf.grad.isfinite().all()
    f = [divergences.witness(at, x, y, kernel).mean() for at in (x, y)]
    close(f[0] - f[1], v, 1e-5)


@fuzz
@given(clouds(high=50), scales, st.integers(0, 99))
def test_stein_direction_moves_with_its_particles(both, scale, seed):
    z, kernel = both[0], lambda a, b: divergences.rbf(a, b, scale)
    found = divergences.stein_direction(z, -z, kernel)
    assert found.shape == z.shape and found.dtype == z.dtype and found.isfinite().all()
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
    near = 1e-4 * (1 + float(found.abs().max()) + float(z.abs().max()) / scale**2)
    close(divergences.stein_direction(z[order], -z[order], kernel), found[order], near)


@fuzz
@given(tensors(2, 3, 2, low=-30, high=30), st.data())
def test_minibatch_kl_is_a_number_and_its_own_component_can_only_help(z, data):
    mean = data.draw(tensors(3, 2, low=-30, high=30, dtype=st.just(z.dtype))).requires_grad_()
    log_std = data.draw(tensors(3, 2, low=-3, high=3, dtype=st.just(z.dtype))).requires_grad_()
    own = divergences.minibatch_kl(z, mean, log_std)
    assert own.shape == () and own.dtype == z.dtype
    for value in (own, divergences.minibatch_kl(z, mean, log_std, own=False)):
        slopes = torch.autograd.grad(value, (mean, log_std))
        assert value.isfinite() and all(slope.isfinite().all() for slope in slopes)
        assert own >= value - math.log(3 / 2) - rounding(own.detach())  # 3 terms over 3 against 2 of them over 2


@fuzz
@given(tensors(sizes(6)), st.data())
def test_js_is_at_most_log_2_whatever_the_discriminator_says(logits_q, data):
    logits_p = data.draw(tensors(sizes(5), dtype=st.just(logits_q.dtype)))
    js, other = (divergences.adversarial_js(logits_q, logits_p, saturating) for saturating in (True, False))
    assert js <= math.log(2) + 1e-6 and js.isfinite()
    close(other, js, rounding(logits_q))
    close(divergences.adversarial_kl(logits_q + 1), divergences.adversarial_kl(logits_q) + 1, rounding(logits_q))


# Exact models ---------------------------------------------------------------------------------------------------------

f64 = st.just(torch.float64)


@st.composite
def linear_cases(draw):
    """A pPCA model with B data points and a q beside each posterior."""
    D, L, B = draw(sizes(4)), draw(sizes(3)), draw(sizes(3))
    small = lambda *shape, low=-3.0, high=3.0: draw(tensors(*shape, low=low, high=high, dtype=f64))
    model = exact.LinearGaussian(small(D, L), draw(st.floats(0.05, 10)), small(D))
    return exact.Case(model, small(B, D), small(B, L), small(B, L, low=0.0625, high=4.0))


@fuzz
@given(linear_cases(), sizes(3), sizes(4))
def test_log_p_lies_between_both_bounds_of_any_gaussian(case, M, K):
    model, q = case.model, case[1:]
    log_p = model.log_likelihood(case.x)
    near = 1e-8 * (1 + log_p.abs() + model.elbo(*q).abs() + model.eubo(*q).abs())
    assert log_p.shape == (len(case.x),)
    assert (model.elbo(*q) <= log_p + near).all() and (log_p <= model.eubo(*q) + near).all()
    assert (model.kl(*q) >= -near).all() and (model.reverse_kl(*q) >= -near).all()
    assert (model.chi_squared(*q).log1p() >= model.reverse_kl(*q) - near).all()  # Renyi's divergences rise with order
    posterior = model.posterior(case.x)
    z = model.sample(len(case.x), torch.Generator().manual_seed(0))[1]
    close(model.log_joint(case.x, z) - posterior.log_prob(z), log_p, 1e-6 * (1 + float(log_p.abs().max())))
    log_w = model.log_weights(*q, M, K, torch.Generator().manual_seed(0))
    assert log_w.shape == (M, K, len(case.x)) and log_w.isfinite().all()


@fuzz
@given(linear_cases(), st.floats(-3, 3), st.floats(-3, 3))
def test_terms_of_infovae_keep_their_identities(case, alpha, lambda_):
    L = case.model.weight.shape[1]
    encoder = exact.Channel(case.model.weight.T, case.mean[0], torch.diag(case.std[0] ** 2))
    terms = exact.Information.of(case.model, encoder)
    size = 1e-8 * (1 + float(terms.rate().abs() + terms.reconstruction().abs()))
    close(terms.rate(), terms.mutual_information() + terms.aggregate_kl(), size)
    close(terms.elbo(), -terms.data_entropy() - terms.posterior_kl() - terms.marginal_kl(), 10 * size)
    for name in ("mutual_information", "aggregate_kl", "rate", "posterior_kl", "marginal_kl", "decoder_kl"):
        assert getattr(terms, name)() >= -size, name
    written = alpha * terms.mutual_information() - terms.decoder_kl() - lambda_ * terms.aggregate_kl()
    close(terms.objective(alpha, lambda_), written - terms.data_entropy(), 10 * size)
    assert terms.prior.event_shape == (L,)


@fuzz
@given(tensors(sizes(6), low=0.03125, high=8, dtype=DTYPES))
def test_the_exploding_toy_stays_consistent(tau):
    terms = exact.exploding_latent_space(tau)
    for name, value in terms._asdict().items():
        assert value.shape == tau.shape and value.dtype == torch.float64 and value.isfinite().all(), name
    close(terms.log_likelihood - terms.elbo, terms.posterior_kl, 1e-6)
    assert (terms.posterior_kl >= -1e-9).all() and (terms.aggregate_kl >= -1e-9).all()
    assert (terms.mutual_information >= -1e-9).all() and (terms.mutual_information <= math.log(2) + 1e-9).all()


@fuzz
@given(tensors(sizes(3), low=-5, high=5, dtype=f64), st.sampled_from(["rbf", "imq"]), scales, st.data())
def test_exact_mmd_is_a_distance(mean, kernel, scale, data):
    std = data.draw(tensors(len(mean), low=0.0625, high=4, dtype=f64))
    found = exact.gaussian_mmd2(mean, std, kernel, scale)
    assert -1e-9 <= found <= 2
    close(exact.gaussian_mmd2(-mean, std, kernel, scale), found, 1e-9)
    close(exact.gaussian_mmd2(0 * mean, torch.ones_like(std), kernel, scale), 0 * found, 1e-9)


@st.composite
def mixtures(draw):
    dim = draw(sizes(3))
    if draw(st.booleans()):
        return exact.LaplaceMixture(dim)
    return exact.MeanMixture(dim, draw(st.floats(0.1, 10)), draw(st.floats(0.1, 10)))


@fuzz
@given(mixtures(), sizes(5), st.integers(0, 99))
def test_mixtures_obey_bayes_rule(law, n, seed):
    z, psi = (value.double() for value in law.sample(n, torch.Generator().manual_seed(seed)))
    joint = law.log_mixing(psi) + law.log_conditional(z, psi)
    close(joint - law.log_posterior(psi, z), law.log_prob(z), 1e-6 * (1 + float(joint.abs().max())))
    again = law.sample_posterior(z, 3, torch.Generator().manual_seed(seed))
    assert again.shape == (3, n, law.dim) and law.log_posterior(again, z).isfinite().all()


@fuzz
@given(mixtures(), st.floats(-3, 3), st.floats(0.1, 10))
def test_chi_squared_of_a_mean_mixture_is_least_at_its_posterior(law, slope, std):
    assume(isinstance(law, exact.MeanMixture))
    z = torch.linspace(-2, 2, 4 * law.dim, dtype=torch.float64).view(4, law.dim)
    close(law.chi_squared(z, law.slope, law.std), torch.zeros(4, dtype=torch.float64), 1e-9)
    assert (law.chi_squared(z, slope, std) >= 0).all()


@fuzz
@given(tensors(st.integers(1, 4), st.integers(1, 3), low=-5, high=5), st.floats(0.05, 5), st.integers(0, 99))
def test_elbo_of_the_toy_is_below_log_p(x, variance, seed):
    toy = exact.GaussianToy(x, variance).perturb(0.5, torch.Generator().manual_seed(seed))
    gap = toy.log_likelihood(x) - toy.elbo(x)
    assert gap.shape == (len(x),) and gap.dtype == x.dtype and (gap >= -rounding(toy.elbo(x))).all()


# Hierarchical bounds --------------------------------------------------------------------------------------------------

RATIOS = {
    "upper": (hierarchical.upper_bound, 0),
    "lower": (hierarchical.lower_bound, 1),
    "midpoint": (hierarchical.midpoint, 1),
    "jackknife": (partial(hierarchical.jackknife, order=1), 1),
}


@pytest.mark.parametrize("name", RATIOS)
@fuzz
@given(log_ratio=tensors(st.integers(2, 6), sizes(3), sizes(2)), shift=st.floats(-1e4, 1e4), seed=st.integers(0, 99))
def test_bounds_on_log_q_shift_and_do_not_mind_the_order_of_psi(name, log_ratio, shift, seed):
    bound = RATIOS[name][0]
    value, near = bound(log_ratio), 20 * rounding(log_ratio, log_ratio + shift)
    assert value.shape == log_ratio.shape[1:] and value.dtype == log_ratio.dtype and value.isfinite().all()
    close(bound(log_ratio + shift), value + shift, near)
    order = 1 + torch.randperm(len(log_ratio) - 1, generator=torch.Generator().manual_seed(seed))
    close(bound(torch.cat([log_ratio[:1], log_ratio[order]])), value, near)
    leaf = log_ratio.clone().requires_grad_()
    (shares,) = torch.autograd.grad(bound(leaf).sum(), leaf)
    close(shares.sum(0), torch.ones_like(value), near)


@fuzz
@given(tensors(st.integers(1, 6), sizes(3), zeros=True))
def test_u_k_lies_below_the_largest_ratio_and_not_far(log_ratio):
    value, near = hierarchical.upper_bound(log_ratio), rounding(log_ratio)
    assert (value <= log_ratio.amax(0) + near).all()
    assert (value >= log_ratio.amax(0) - math.log(len(log_ratio)) - near).all()
    if len(log_ratio) > 1:
        others = hierarchical.lower_bound(log_ratio)
        assert (others <= log_ratio[1:].amax(0) + near).all() and not others.isnan().any()


@fuzz
@given(mixtures(), sizes(3), sizes(4), st.integers(0, 5), st.integers(0, 99))
def test_curve_and_dreg_have_the_value_of_the_plain_bound(law, n, m, K, seed):
    z, psi_0 = (torch.stack(part) for part in zip(*(law.sample(n, torch.Generator().manual_seed(seed)),) * m))
    tau = hierarchical.MixingPrior(law)
    again = lambda: torch.Generator().manual_seed(seed)
    log_ratio = hierarchical.log_ratios(law, tau, z, psi_0, K, again())
    upper = hierarchical.upper_bound(log_ratio)
    assert log_ratio.shape == (K + 1, m, n)
    curve = hierarchical.curve(law, tau, z, psi_0, [K], again())
    close(curve.upper[0], upper, 1e-3)
    close(hierarchical.dreg(law, tau, z, psi_0, K, again()), upper, 1e-3)
    if K:
        close(curve.lower[0], hierarchical.lower_bound(log_ratio), 1e-3)


# Every bad argument is named; those of other modules stand in their own tests -----------------------------------------

LOG_W = torch.zeros(2, 3, 4)
MKB = ranks(3) + [LOG_W + math.inf]
OTHER_MKB = ranks(3) + [torch.zeros(3, 2, 4), torch.zeros(1, 3, 4)]
SHARE = [*NO_NUMBER, -0.1, 1.1]
X = torch.zeros(3, 4)
BD = [*ranks(2, 4), X + math.inf]
TINY = VAE(4, 2, hidden=(3,))
CALLS = [  # function, good arguments, and for each argument what must be refused
    *[(function, {"log_w": LOG_W}, {"log_w": MKB}) for function in (bounds.elbo, bounds.iwae, bounds.miwae)],
    (bounds.ciwae, {"log_w": LOG_W, "beta": 0.5}, {"log_w": MKB, "beta": SHARE}),
    (bounds.vr_iwae, {"log_w": LOG_W, "alpha": 0.5}, {"log_w": MKB, "alpha": SHARE}),
    (bounds.jackknife, {"log_w": LOG_W, "order": 1}, {"log_w": MKB, "order": [*NO_COUNT, 3, 10**30]}),
    (bounds.jackknife_coefficients, {"K": 3, "order": 1}, {"K": [*NO_COUNT, 0, 1], "order": [*NO_COUNT, 3]}),
    (bounds.effective_sample_size, {"log_w": LOG_W}, {"log_w": MKB}),
    *[(row.theta_weights, {"log_w": LOG_W}, {"log_w": MKB}) for row in ROWS],
    *[(row.phi_weights, {"log_w": LOG_W}, {"log_w": MKB}) for row in ROWS],
    *[(row.value, {"log_w": LOG_W}, {"log_w": MKB}) for row in ROWS],
    (objectives.get, {"name": "elbo"}, {"name": NO_CHOICE}),
    (partial(objectives.get, "ciwae"), {"beta": 0.1}, {"beta": SHARE}),
    (partial(objectives.get, "vr_iwae"), {"alpha": 0.1}, {"alpha": SHARE}),
    (
        objectives.backward,
        {"model": TINY, "x": X, "objective": "iwae", "M": 2, "K": 3},
        {"x": BD, "objective": NO_CHOICE, **OFTEN},
    ),
    (
        gradients.baseline,
        {"log_w": LOG_W, "kind": "optimal", "squared_score": LOG_W + 1},
        {"log_w": MKB, "kind": NO_CHOICE, "squared_score": OTHER_MKB},
    ),
    (
        gradients.score_function,
        {"log_w": LOG_W, "log_q": LOG_W, "c": LOG_W},
        {"log_w": MKB, "log_q": OTHER_MKB, "c": OTHER_MKB},
    ),
    (gradients.log_variance, {"log_w": LOG_W}, {"log_w": MKB}),
    (
        gradients.signal_to_noise,
        {"model": TINY, "x": X, "objective": "iwae", "M": 2, "K": 3, "draws": 2, "chunk": 2},
        {"x": BD, "objective": NO_CHOICE, **OFTEN, "draws": [*NO_COUNT, 0, 1], "chunk": [*NO_COUNT, 0]},
    ),
]

test_good_arguments_are_taken, test_a_bad_argument_is_named_and_nothing_else_is_raised = taken_and_refused(CALLS)
