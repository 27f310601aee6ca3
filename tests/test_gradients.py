"""Score-function gradients, VarGrad and signal-to-noise against exact gradients, with M != K != B and D != L."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from tests.stats import assert_mean, assert_not_mean
from vaecourse import arguments, bounds, exact, gradients, objectives
from vaecourse.models import VAE, DeepLatentVariableModel

M, K, B = 2, 5, 3
UNBIASED = ["none", "leave_one_out", "optimal"]


@pytest.fixture(scope="module")
def case():
    """B = 3 data points on a model with D = 4, L = 2, and a q beside each posterior."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    model = exact.LinearGaussian(draw(4, 2), 0.6, draw(4))
    x = draw(B, 4)
    posterior = model.posterior(x)
    return exact.Case(model, x, posterior.mean + 0.3 * draw(B, 2), posterior.stddev * (1.1 + 0.2 * draw(B, 2).abs()))


def exact_gradient(case):
    """Of the ELBO for the mean and the log standard deviation of q: ``[B, 2 L]``."""
    mean, log_std = case.mean.clone().requires_grad_(), case.std.log().requires_grad_()
    value = case.model.elbo(case.x, mean, log_std.exp()).sum()
    return torch.cat(torch.autograd.grad(value, (mean, log_std)), -1)


def samples(case, M, K, seed):
    """mean, log_std (leaves), log w and log q at fixed z: two leaves ``[B, L]``, two tensors ``[M, K, B]``."""
    mean, log_std = case.mean.clone().requires_grad_(), case.std.log().requires_grad_()
    eps = torch.randn(M, K, *mean.shape, generator=torch.Generator().manual_seed(seed), dtype=mean.dtype)
    z = (mean + log_std.exp() * eps).detach()
    log_q = Normal(mean, log_std.exp()).log_prob(z).sum(-1)
    return mean, log_std, case.model.log_joint(case.x, z) - log_q, log_q


def squared_score(case, M, K, seed):
    """|d log q / d (mean, log_std)|^2 by its formula, at the same draws as ``samples``: ``[M, K, B]``."""
    eps = torch.randn(M, K, *case.mean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ((eps / case.std).square() + (eps.square() - 1).square()).sum(-1)


def estimates(case, kind, K, n=20_000, seed=1):
    """n independent estimates of the gradient from K samples each: ``[n, B, 2 L]``."""
    wide = exact.Case(case.model, *(t.repeat(n, 1) for t in case[1:]))  # n copies of the batch, one after another
    mean, log_std, log_w, log_q = samples(wide, 1, K, seed)
    c = gradients.baseline(log_w, kind, squared_score(wide, 1, K, seed))
    surrogate = gradients.score_function(log_w, log_q, c).sum()
    return torch.cat(torch.autograd.grad(surrogate, (mean, log_std)), -1).reshape(n, B, -1)


def test_the_score_has_mean_zero_and_its_square_is_the_formula(case):
    mean, log_std, _, log_q = samples(case, M, K, seed=3)
    squares = torch.zeros(M, K, B, dtype=torch.float64)
    for m in range(M):
        for k in range(K):
            score = torch.autograd.grad(log_q[m, k].sum(), (mean, log_std), retain_graph=True)
            squares[m, k] = torch.cat(score, -1).square().sum(-1)
    torch.testing.assert_close(squares, squared_score(case, M, K, seed=3))


@pytest.mark.parametrize("kind", UNBIASED)
@pytest.mark.parametrize("samples_each", [2, 5])
def test_unbiased_baselines_have_the_exact_gradient_as_mean(case, kind, samples_each):
    truth = exact_gradient(case)
    gradient = estimates(case, kind, samples_each)
    assert_mean(gradient, truth)
    assert_not_mean(gradient, truth * (samples_each - 1) / samples_each)


@pytest.mark.parametrize("samples_each", [2, 5])
def test_mean_baseline_shrinks_by_exactly_one_over_K(case, samples_each):
    """A sample in its own baseline, a known fault."""
    truth = exact_gradient(case)
    gradient = estimates(case, "mean", samples_each)
    assert_mean(gradient, truth * (samples_each - 1) / samples_each)
    assert_not_mean(gradient, truth)
    stretched = gradient * samples_each / (samples_each - 1)
    torch.testing.assert_close(stretched, estimates(case, "leave_one_out", samples_each))


def test_one_sample_in_its_own_baseline_gives_no_gradient_at_all(case):
    assert estimates(case, "mean", 1, n=3).abs().max() == 0
    assert_mean(estimates(case, "none", 1), exact_gradient(case))


@pytest.mark.parametrize("kind", ["mean", "leave_one_out", "optimal"])
def test_baselines_by_their_definition(kind):
    generator = torch.Generator().manual_seed(4)
    log_w, squares = (torch.randn(M, K, B, generator=generator, dtype=torch.float64) for _ in range(2))
    squares = squares.square()
    found = gradients.baseline(log_w, kind, squares)
    for m, k, b in [(0, 0, 0), (1, 4, 2), (0, 3, 1)]:
        others = [j for j in range(K) if j != k or kind == "mean"]
        share = squares[m, others, b] if kind == "optimal" else torch.ones(len(others), dtype=torch.float64)
        assert found[m, k, b] == pytest.approx(((share * log_w[m, others, b]).sum() / share.sum()).item())


def test_baselines_do_not_see_their_own_sample():
    log_w = torch.randn(M, K, B, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    squares = torch.rand(M, K, B, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    changed = log_w.clone()
    changed[1, 2, 0] += 7.0
    for kind, blind in [("none", True), ("leave_one_out", True), ("optimal", True), ("mean", False)]:
        before, after = (gradients.baseline(value, kind, squares) for value in (log_w, changed))
        assert before[1, 2, 0].isclose(after[1, 2, 0]) == blind
        assert before[0].equal(after[0]) and before[..., 1:].equal(after[..., 1:])


def test_leave_one_out_and_optimal_are_the_better_the_more_samples(case):
    """K times the variance falls to that of the best constant; no baseline stays where it is."""
    noise = lambda kind, K: (K * estimates(case, kind, K, n=4_000).var(0)).sum()
    assert noise("leave_one_out", 20) < 0.8 * noise("leave_one_out", 2)
    assert noise("leave_one_out", 20) < 0.5 * noise("none", 20)
    assert noise("optimal", 40) < 1.1 * noise("leave_one_out", 40)


@pytest.mark.parametrize(
    "squares, truth",
    [
        ([1e6, 0.1, 0.2, 0.05], -(0.1 * 1 + 0.2 * 3 + 0.05 * 10) / 0.35),
        ([1e8, 1.0, 1.0, 2.0], -6.0),
        ([1e30, 1e-30, 1e-30, 2e-30], -6.0),
        ([3.0, 0.0, 0.0, 0.0], -14 / 3),  # the others have no score: they count alike
        ([0.0, 0.0, 0.0, 0.0], -14 / 3),
    ],
)
def test_optimal_does_not_cancel_against_the_sample_left_out(squares, truth):
    log_w = torch.tensor([-5.0, -1.0, -3.0, -10.0]).view(1, 4, 1)
    found = gradients.baseline(log_w, "optimal", torch.tensor(squares).view(1, 4, 1))
    assert found.isfinite().all() and found[0, 0, 0].item() == pytest.approx(truth, rel=1e-6)


def test_leave_one_out_does_not_cancel_against_the_sample_left_out():
    log_w = torch.tensor([-1e9, -1.0, -3.0, -10.0]).view(1, 4, 1)
    assert gradients.baseline(log_w, "leave_one_out")[0, 0, 0].item() == pytest.approx(-14 / 3, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_and_comes_back_in_float32(dtype):
    """Squares of some hundred nats, and products with log q, are beyond what float16 holds."""
    log_w = torch.tensor([0.0, -600.0, -900.0, -100.0, -1e4]).view(1, 5, 1).to(dtype)
    squares, log_q = torch.tensor([3.0, 1e4, 2.0, 5.0, 1.0]).view(1, 5, 1).to(dtype), (log_w / 100).requires_grad_()
    for kind in gradients.BASELINES:
        found, wide = (gradients.baseline(w, kind, s) for w, s in ((log_w, squares), (log_w.float(), squares.float())))
        assert found.dtype == torch.float32 and found.equal(wide)
    assert gradients.log_variance(log_w).dtype == torch.float32
    assert gradients.log_variance(log_w).equal(gradients.log_variance(log_w.float()))
    value = gradients.score_function(log_w, log_q, torch.zeros_like(log_w))
    assert value.dtype == torch.float32
    assert value.equal(gradients.score_function(log_w.float(), log_q.float(), torch.zeros_like(log_w).float()))


def test_a_weight_of_zero_has_no_reward():
    """log w = -inf, and with it the ELBO: its gradient does not exist."""
    log_w = torch.zeros(M, K, B)
    log_w[1, 2, 0] = -math.inf
    zeros, words = torch.zeros(M, K, B), "^log_w contains -inf, a weight of zero: the ELBO is -inf and has no gradient"
    for kind in gradients.BASELINES:
        with pytest.raises(arguments.NotFinite, match=words):
            gradients.baseline(log_w, kind, zeros + 1)
    for call in (lambda: gradients.score_function(log_w, zeros, zeros), lambda: gradients.log_variance(log_w)):
        with pytest.raises(arguments.NotFinite, match=words):
            call()
    for bad in ("squared_score", "log_q", "c"):
        with pytest.raises(arguments.NotFinite, match=f"^{bad} contains inf"):
            if bad == "squared_score":
                gradients.baseline(zeros, "optimal", -log_w)
            else:
                gradients.score_function(zeros, **{"log_q": zeros, "c": zeros} | {bad: log_w})


def test_a_baseline_carries_no_gradient(case):
    _, _, log_w, _ = samples(case, M, K, seed=7)
    for kind in gradients.BASELINES:
        assert not gradients.baseline(log_w, kind, squared_score(case, M, K, seed=7)).requires_grad


def test_score_function_ignores_the_gradient_of_log_w(case):
    """Log w is the reward, a number."""
    found = []
    for stop in (False, True):
        mean, _, log_w, log_q = samples(case, M, K, seed=8)
        log_w = log_w.detach() if stop else log_w
        surrogate = gradients.score_function(log_w, log_q, gradients.baseline(log_w, "leave_one_out")).sum()
        found.append(torch.autograd.grad(surrogate, mean)[0])
    assert found[0].equal(found[1])


def test_log_variance_has_minus_the_leave_one_out_gradient_at_the_same_samples(case):
    mean, log_std, log_w, log_q = samples(case, M, K, seed=9)
    by_variance = torch.autograd.grad(gradients.log_variance(log_w).sum(), (mean, log_std), retain_graph=True)
    c = gradients.baseline(log_w, "leave_one_out")
    by_score = torch.autograd.grad(gradients.score_function(log_w, log_q, c).sum(), (mean, log_std))
    for one, other in zip(by_variance, by_score):
        torch.testing.assert_close(one, -other)


def test_log_variance_of_two_samples():
    log_w = torch.tensor([[[1.0], [4.0]], [[0.0], [2.0]]])
    torch.testing.assert_close(gradients.log_variance(log_w), torch.tensor([0.5 * (4.5 + 2.0) / 2]))


def test_log_variance_by_quadrature_has_minus_the_elbo_s_gradient():
    """With no sampling: grad of half Var_r[log w] at r = q, r fixed, on the reference case."""
    model, x, mean, std = exact.reference(torch.float64)
    t = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    mass = torch.exp(-0.5 * t**2) / math.sqrt(2 * math.pi) * (t[1] - t[0])
    mu = mean.clone().requires_grad_()
    z = (mean + std * t[:, None]).detach()  # [N, 1]
    log_w = model.log_joint(x, z[:, None])[:, 0] - Normal(mu, std).log_prob(z)[:, 0]
    half_variance = 0.5 * ((mass * log_w.square()).sum() - (mass * log_w).sum().square())
    moved = mean.clone().requires_grad_()
    slope = torch.autograd.grad(model.elbo(x, moved, std).sum(), moved)[0]
    assert slope.item() == pytest.approx(-2.107, abs=5e-4)
    torch.testing.assert_close(torch.autograd.grad(half_variance, mu)[0], -slope)


def test_log_variance_is_zero_exactly_at_the_posterior():
    model, x, _, _ = exact.reference(torch.float64)
    posterior = model.posterior(x)
    at = lambda std: gradients.log_variance(model.log_weights(x, posterior.mean, std, M, K, torch.Generator()))
    assert at(posterior.stddev).item() == pytest.approx(0.0, abs=1e-20)
    assert at(1.1 * posterior.stddev).item() > 1e-4


# Signal to noise ------------------------------------------------------------------------------------------------------


class OneGaussian(nn.Module):
    """An encoder that gives every x the reference q."""

    def __init__(self, case):
        super().__init__()
        self.mean, self.log_std = nn.Parameter(case.mean.clone()), nn.Parameter(case.std.log())

    def forward(self, x):
        return torch.cat([self.mean, self.log_std], -1).expand(len(x), -1)


@pytest.fixture(scope="module")
def reference():
    """The reference case as a VAE: theta is (noise, weight, bias), phi is (mean, log_std)."""
    case = exact.reference(torch.float64)
    decoder = nn.Linear(1, 1).double()
    vae = VAE(1, 1, likelihood="gaussian", encoder=OneGaussian(case), decoder=decoder).double()
    with torch.no_grad():
        decoder.weight.fill_(1.5)
        decoder.bias.zero_()
        vae.log_noise.fill_(0.5 * math.log(0.7))
    return vae, case.x


def one_by_one(model, x, name, draws):
    """|mean| / std for theta and for phi, of gradients that ``backward`` makes from ``seed`` 1."""
    generator, rows = torch.Generator().manual_seed(1), []
    for _ in range(draws):
        model.zero_grad()
        objectives.backward(model, x, name, M, K, generator)
        rows.append([torch.cat([p.grad.flatten() for p in part.values()]) for part in (model.theta(), model.phi())])
    return [torch.stack(row).mean(0).abs() / torch.stack(row).std(0) for row in zip(*rows)]


def test_signal_to_noise_is_that_of_the_gradients_that_backward_makes(reference):
    vae, x = reference
    x = x.expand(B, 1)
    for name in ("iwae", "piwae", "dreg", "miwae", objectives.get("ciwae", beta=0.1)):
        found = gradients.signal_to_noise(
            vae, x, name, M, K, draws=7, generator=torch.Generator().manual_seed(1), chunk=3
        )
        for ratio, expected in zip(found, one_by_one(vae, x, name, 7)):
            torch.testing.assert_close(ratio, expected)


def test_signal_to_noise_of_the_elbo_is_exact(reference):
    """For q's mean the reparameterised gradient of one sample is -(z - m) / v: SNR = sqrt(MK) |offset| / std."""
    vae, x = reference
    expected = math.sqrt(M * K) * 0.5 / exact.reference().std.item()
    found = gradients.signal_to_noise(vae, x, "elbo", M, K, draws=8_000, generator=torch.Generator().manual_seed(2))
    error = math.sqrt((1 + expected**2 / 2) / 8_000)  # of |mean| / sd for Gaussian estimates
    assert abs(found.phi[0].item() - expected) < 4 * error


@pytest.mark.parametrize(
    "name, part, power",
    [("iwae", "theta", 0.5), ("iwae", "phi", -0.5), ("dreg", "phi", 0.5)],
)
def test_signal_to_noise_scales_as_the_theorem_says(reference, name, part, power):
    """SNR_theta ~ sqrt(MK), SNR_phi ~ sqrt(M / K), DReG_phi ~ sqrt(MK): arXiv 1802.04537, eq. 8-9; 1810.04152."""
    vae, x = reference
    place = list(vae.theta()).index("decoder.weight") if part == "theta" else 0
    ratios, draws = [], 6_000
    for K_now in (8, 128):
        generator = torch.Generator().manual_seed(K_now)
        found = gradients.signal_to_noise(vae, x, name, 1, K_now, draws, generator, chunk=500)
        ratios.append(getattr(found, part)[place].item())
    slope = math.log(ratios[1] / ratios[0]) / math.log(16)
    error = math.sqrt(sum((1 / ratio**2 + 0.5) / draws for ratio in ratios)) / math.log(16)
    assert abs(slope - power) < 0.08 + 4 * error  # the power is that of large K; at K = 8 it is not quite reached
    assert abs(slope + power) > 0.08 + 4 * error


def test_signal_to_noise_is_never_signed_and_leaves_no_gradient_behind(reference):
    """On the reference case the signed ratio for q's mean is negative."""
    vae, x = reference
    vae.zero_grad()
    found = gradients.signal_to_noise(vae, x, "elbo", 1, 1, draws=50, generator=torch.Generator().manual_seed(3))
    assert all((part >= 0).all() for part in found)
    assert all(p.grad is None for p in vae.parameters())


def test_chunks_change_nothing(reference):
    vae, x = reference
    at = lambda chunk: gradients.signal_to_noise(vae, x, "iwae", M, K, 23, torch.Generator().manual_seed(4), chunk)
    for one, other in zip(at(5), at(100)):
        torch.testing.assert_close(one, other)


def pixels(n=B):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def small(*layers):
    """A VAE of 6 pixels whose encoder has these layers behind its first."""
    torch.manual_seed(6)
    return VAE(6, 2, hidden=(4,), encoder=nn.Sequential(nn.Linear(6, 8), *layers, nn.Linear(8, 4))).double()


def test_dropout_has_a_mask_of_its_own_in_every_draw():
    vae, x, draws = small(nn.Dropout(0.5)), pixels(), 1500
    torch.manual_seed(7)
    found = gradients.signal_to_noise(vae, x, "iwae", M, K, draws, torch.Generator().manual_seed(2))
    for ratio, expected in zip(found, one_by_one(vae, x, "iwae", draws)):
        error = ((2 + ratio.square() / 2 + expected.square() / 2) / draws).sqrt()
        assert ((ratio - expected) / error).abs().max() < 4
    vae.noise = lambda x, M, K, generator=None: torch.zeros(M, K, len(x), 2, dtype=x.dtype)  # the masks are left
    assert (gradients.signal_to_noise(vae, x, "iwae", M, K, 50, chunk=50).phi[:56] < 100).all()  # of the first layer


def test_batch_norm_takes_its_batch_and_is_left_as_it_was():
    vae, x = small(nn.BatchNorm1d(8)), pixels()
    found = gradients.signal_to_noise(vae, x, "dreg", M, K, 7, torch.Generator().manual_seed(1), chunk=3)
    assert vae.encoder[1].num_batches_tracked == 0 and vae.encoder[1].running_mean.abs().max() == 0
    for ratio, expected in zip(found, one_by_one(vae, x, "dreg", 7)):
        torch.testing.assert_close(ratio, expected)


def test_a_row_that_uses_autograd_for_its_weights():
    def weights(log_w):
        log_w = log_w.detach().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(bounds.iwae(log_w).sum(), log_w)[0]

    vae, x = small(), pixels()
    of = lambda row: gradients.signal_to_noise(vae, x, row, M, K, 7, torch.Generator().manual_seed(1), chunk=3)
    for ratio, expected in zip(of(objectives.Objective("own", bounds.iwae, weights, weights)), of("iwae")):
        torch.testing.assert_close(ratio, expected)


def test_a_gradient_that_is_nan_is_no_ratio():
    row = objectives.Objective("own", bounds.iwae, lambda log_w: log_w * math.nan, lambda log_w: log_w * math.nan)
    with pytest.raises(arguments.NotFinite, match="NaN"):
        gradients.signal_to_noise(small(), pixels(), row, M, K, 7)


class Around(nn.Linear):
    def forward(self, at):
        return torch.distributions.Independent(Normal(super().forward(at), 1.0), 1)


@pytest.mark.parametrize("part", ["encoder", "posterior", "likelihood"])
def test_a_frozen_part_is_measured_as_if_it_were_free(part):
    torch.manual_seed(8)
    model = small() if part == "encoder" else DeepLatentVariableModel(Around(2, 6), Around(6, 2)).double()
    of = lambda: gradients.signal_to_noise(model, pixels(), "dreg", M, K, 7, torch.Generator().manual_seed(1), chunk=3)
    free = of()
    getattr(model, part).requires_grad_(False)
    for ratio, expected in zip(of(), free):
        torch.testing.assert_close(ratio, expected)
    assert not any(p.requires_grad for p in getattr(model, part).parameters())


LOG_W = torch.zeros(M, 1, B)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: gradients.baseline(torch.zeros(M, K, B), "leave-one-out"), "^baseline must be.* mean 'leave_one_out'"),
        (lambda: gradients.baseline(LOG_W, "leave_one_out"), "needs K >= 2, got K = 1"),
        (lambda: gradients.baseline(LOG_W, "optimal", LOG_W), "needs K >= 2, got K = 1"),
        (
            lambda: gradients.baseline(torch.zeros(M, K, B), "optimal"),
            r"^baseline .* needs squared_score, .* \[M, K, B\]\.$",
        ),
        (lambda: gradients.baseline(torch.zeros(K, B), "none"), "3 axes"),
        (lambda: gradients.baseline(torch.full((M, K, B), math.nan), "mean"), "contains NaN"),
        (lambda: gradients.log_variance(LOG_W), "^log_variance needs K >= 2 samples, got K = 1.$"),
        (lambda: gradients.signal_to_noise(VAE(3, 2), torch.zeros(B, 3), "iwea", 1, 2, 5), "Did you mean 'iwae'"),
        (lambda: gradients.signal_to_noise(VAE(3, 2), torch.zeros(B, 3), "iwae", 1, 2, 1), "draws must be at least 2"),
        (lambda: gradients.signal_to_noise(VAE(3, 2), torch.zeros(B, 3), "iwae", 1, 0, 5), "K must be at least 1"),
    ],
)
def test_bad_input_is_told_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


ZEROS = torch.zeros(2, 3, 4)


@pytest.mark.parametrize(
    "name, call",
    [
        ("squared_score", lambda value: gradients.baseline(ZEROS, "optimal", value)),
        ("log_q", lambda value: gradients.score_function(ZEROS, value, ZEROS)),
        ("c", lambda value: gradients.score_function(ZEROS, ZEROS, value)),
    ],
)
def test_what_is_not_like_the_weights_is_told_in_a_whole_sentence(name, call):
    with pytest.raises(ValueError, match=rf"^{name} must have the shape of log_w, \[2, 3, 4\], got \[2, 3, 5\]\.$"):
        call(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match=rf"^{name} must have the 3 axes \[M, K, B\], got shape \[2, 3\]\.$"):
        call(torch.zeros(2, 3))


def test_a_chunk_is_a_count():
    toy = exact.GaussianToy(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="^chunk must be at least 1, got 0.$"):
        gradients.signal_to_noise(toy, torch.zeros(3, 2), "iwae", 2, 4, draws=5, chunk=0)


@pytest.mark.parametrize("order, K", [(0, 3), (1, 5), (2, 6), (3, 7), (4, 8)])
def test_the_jackknife_s_gradient_is_that_of_autograd_and_its_value_that_of_bounds(order, K):
    log_w = 2 * torch.randn(K, 9, generator=torch.Generator().manual_seed(order), dtype=torch.float64) - 30
    slope = torch.randn(K, 9, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    found, values = gradients.jackknife_gradient(log_w, slope, order)
    moved = log_w[None].clone().requires_grad_()
    right = bounds.jackknife(moved, order)
    torch.testing.assert_close(values, right.detach(), rtol=1e-7, atol=1e-7)
    weights = torch.autograd.grad(right.sum(), moved)[0][0]
    torch.testing.assert_close(found, (weights * slope).sum(0), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "log_w, slope, order, words",
    [
        (torch.zeros(3, 2), torch.zeros(3, 1), 1, r"slope must have the shape of log_w, \[3, 2\], got \[3, 1\]"),
        (torch.zeros(3, 2), torch.zeros(3, 2), 3, "order must be below the number of samples K = 3, got 3"),
        (torch.tensor([[0.0], [-math.inf]]), torch.zeros(2, 1), 1, "log_w"),
    ],
)
def test_the_jackknife_s_gradient_names_bad_input(log_w, slope, order, words):
    with pytest.raises(ValueError, match=words):
        gradients.jackknife_gradient(log_w, slope, order)


class Nicknamed(VAE):
    """theta and phi as the layers call them, whose names meet."""

    def theta(self):
        return dict(self.decoder.named_parameters())

    def phi(self):
        return dict(self.encoder.named_parameters())


def test_signal_to_noise_knows_parameters_by_what_they_are():
    """Names of one's own gave NaN for all of them: nobody had been given the parameters under these names."""
    torch.manual_seed(0)
    own = Nicknamed(6, 2, hidden=(5,))
    plain = VAE(6, 2, hidden=(5,))
    plain.load_state_dict(own.state_dict())
    x = torch.rand(4, 6)
    found, expected = (
        gradients.signal_to_noise(m, x, "dreg", 1, 3, draws=7, generator=torch.Generator().manual_seed(1))
        for m in (own, plain)
    )
    torch.testing.assert_close(found, expected)
    assert not found.phi.isnan().all()


def test_signal_to_noise_refuses_a_parameter_that_is_not_the_models():
    model = VAE(6, 2, hidden=(5,))
    model.theta = lambda: {"elsewhere": nn.Parameter(torch.zeros(3))}
    with pytest.raises(ValueError, match="model.theta\\(\\) must hold parameters of the model, got 'elsewhere'"):
        gradients.signal_to_noise(model, torch.rand(4, 6), "elbo", 1, 1, draws=2)


class Constant(VAE):
    """log p moves with a bias by numbers that float32 adds up inexactly."""

    def log_joint(self, x, z):
        return super().log_joint(x, z) + (self.shift * torch.tensor([0.1, 0.7, 1.3])).sum()

    def __init__(self):
        super().__init__(6, 2, hidden=(5,))
        self.shift = nn.Parameter(torch.zeros(3))


def test_a_gradient_that_never_varies_has_no_noise():
    """In float32 the mean of 37 equal numbers was not that number, and the ratio 13 million."""
    model = Constant()
    found = gradients.signal_to_noise(model, torch.rand(4, 6), "elbo", 1, 1, draws=37).theta
    place = [name for name, p in model.theta().items() for _ in range(p.numel())]
    assert all(ratio == math.inf for ratio, name in zip(found.tolist(), place) if name == "shift")
    assert found.dtype == torch.float32


@pytest.mark.parametrize(("order", "dtype"), [(1, torch.float32), (1, torch.float64), (2, torch.float64)])
def test_the_jackknife_s_gradient_beside_a_weight_that_dwarfs_the_others(order, dtype):
    """What is left without it was taken as a difference: nan and inf, from 17 nats on in float32."""
    log_w = torch.tensor([0.0, -30.0, -800.0, -801.0], dtype=dtype)[:, None].requires_grad_()
    slope = torch.tensor([1.0, 2.0, -3.0, 4.0], dtype=dtype)[:, None]
    found = gradients.jackknife_gradient(log_w.detach(), slope, order)
    value = bounds.jackknife(log_w[None], order)
    (share,) = torch.autograd.grad(value.sum(), log_w)
    torch.testing.assert_close(found, ((share * slope).sum(0), value.detach()))
    assert not found[1].requires_grad
