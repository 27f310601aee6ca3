"""Score-function gradients, VarGrad and signal-to-noise against exact gradients, with M != K != B and D != L."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, gradients, objectives
from vaecourse.models import VAE

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
    """ERRATA B31: a sample in its own baseline."""
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


def test_a_baseline_carries_no_gradient(case):
    _, _, log_w, _ = samples(case, M, K, seed=7)
    for kind in gradients.BASELINES:
        assert not gradients.baseline(log_w, kind, squared_score(case, M, K, seed=7)).requires_grad


def test_score_function_ignores_the_gradient_of_log_w(case):
    """ERRATA A2: log w is the reward, a number."""
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
    """ERRATA B36, with no sampling: grad of half Var_r[log w] at r = q, r fixed, on the reference case."""
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


def test_signal_to_noise_is_that_of_the_gradients_that_backward_makes(reference):
    vae, x = reference
    x = x.expand(B, 1)
    for name in ("iwae", "piwae", "dreg", "miwae", objectives.get("ciwae", beta=0.1)):
        found = gradients.signal_to_noise(
            vae, x, name, M, K, draws=7, generator=torch.Generator().manual_seed(1), chunk=3
        )
        generator, rows = torch.Generator().manual_seed(1), []
        for _ in range(7):
            vae.zero_grad()
            objectives.backward(vae, x, name, M, K, generator)
            rows.append([torch.cat([p.grad.flatten() for p in part.values()]) for part in (vae.theta(), vae.phi())])
        for ratio, row in zip(found, zip(*rows)):
            row = torch.stack(row)
            torch.testing.assert_close(ratio, row.mean(0).abs() / row.std(0))


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
    """ERRATA B1: on the reference case the signed ratio for q's mean is negative."""
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
