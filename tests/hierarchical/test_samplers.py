"""The toys of SIVI: exact densities by quadrature, exact samples, and samplers that learn them from p~ alone."""

import math

import pytest
import torch
from torch.distributions import Independent, MixtureSameFamily, MultivariateNormal, Normal

from tests.stats import assert_mean, assert_not_mean
from vaecourse import data, train
from vaecourse.hierarchical import MixingPrior, learn, log_ratios, samplers, toy, upper_bound
from vaecourse.infovae import InfoVAE
from vaecourse.models import VAE

FINE = {"dtype": torch.float64}
X, Y = torch.linspace(-14, 14, 561, **FINE), torch.linspace(-12, 50, 1241, **FINE)
AREA = ((X[1] - X[0]) * (Y[1] - Y[0])).item()
GRID = torch.stack(torch.meshgrid(X, Y, indexing="xy"), -1)  # [Y, X, 2]
TARGETS = list(samplers.TARGETS.values())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_normaliser_is_the_integral(target):
    assert (target.log_unnormalised(GRID).exp().sum() * AREA).log().item() == pytest.approx(
        target.log_normaliser, abs=1e-6
    )
    assert (target.log_prob(GRID).exp().sum() * AREA).item() == pytest.approx(1, abs=1e-6)


def test_the_densities_are_those_of_the_paper():
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double() * 2
    pair = lambda means, covariances: MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(2).double()), MultivariateNormal(means, covariances)
    )
    two = torch.tensor([[2.0, 1.8], [1.8, 2.0]], **FINE)
    expected = {
        "banana": Normal(0, 2).log_prob(z[:, 0]) + Normal(z[:, 0] ** 2 / 4, 1).log_prob(z[:, 1]),
        "X": pair(torch.zeros(2, 2).double(), torch.stack([two, two * (2 * torch.eye(2) - 1)])).log_prob(z),
        "two modes": pair(torch.tensor([[2.0, 0], [-2, 0]]).double(), torch.eye(2).double().expand(2, 2, 2)).log_prob(
            z
        ),
    }
    for target in TARGETS:
        torch.testing.assert_close(target.log_prob(z), expected[target.name])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_samples_have_the_moments_of_the_density(target):
    z = target.sample(40_000, torch.Generator().manual_seed(1)).double()
    p = target.log_prob(GRID).exp() * AREA
    for statistic in (
        lambda z: z,
        lambda z: z.square(),
        lambda z: z.prod(-1, keepdim=True).square(),
        lambda z: z[..., :1] ** 2 * z[..., 1:],
        lambda z: target.log_prob(z).unsqueeze(-1),
    ):
        exact = (p.unsqueeze(-1) * statistic(GRID)).sum((0, 1))
        assert_mean(statistic(z), exact)
    assert_not_mean(z.square(), 1.0)


def sampler(seed=0):
    torch.manual_seed(seed)
    made = samplers.NeuralSampler((8,))
    with torch.no_grad():
        made.mean[-1].weight.mul_(3)
        made.log_std.copy_(torch.tensor([-0.5, 0.2]))
    return made


def test_the_density_on_a_grid_integrates_to_one_and_is_that_of_many_gaussians():
    made, x, y = sampler(), torch.linspace(-8, 8, 161), torch.linspace(-9, 9, 145)
    q = samplers.density(made, x, y)
    assert q.shape == (145, 161)
    assert (q.sum() * (x[1] - x[0]) * (y[1] - y[0])).item() == pytest.approx(1, abs=1e-4)
    with torch.no_grad():
        psi = torch.randn(40_000, 2, generator=torch.Generator().manual_seed(3))
        for i, j in ((70, 80), (100, 60), (72, 90)):
            z = torch.stack([x[j], y[i]])
            components = Independent(Normal(made.mean(psi), made.log_std.exp()), 1).log_prob(z).exp()
            assert_mean(components, q[i, j].double())


def test_samples_have_the_density():
    made, x = sampler(), torch.linspace(-8, 8, 321)
    q = samplers.density(made, x, x).double() * (x[1] - x[0]).double() ** 2
    with torch.no_grad():
        z, psi = made.sample(20_000, torch.Generator().manual_seed(1))
    assert_mean(z[:, 0], (q.sum(0) * x).sum())
    assert_mean(z[:, 1].square(), (q.sum(1) * x.square()).sum())
    expected = Independent(Normal(made.mean(psi), made.log_std.exp()), 1).log_prob(z)
    torch.testing.assert_close(made.log_conditional(z, psi), expected)


def test_the_inverse_model_is_a_gaussian_that_begins_as_the_prior():
    torch.manual_seed(0)
    tau, z = samplers.GaussianInverse(), torch.randn(7, 2)
    psi = tau.sample(z, 5, torch.Generator().manual_seed(0))
    assert psi.shape == (5, 7, 2)
    torch.testing.assert_close(tau.log_prob(psi, z), sampler().log_mixing(psi))
    with torch.no_grad():
        tau.network[-1].weight.normal_()
    mean, log_std = tau.network(z).chunk(2, -1)
    torch.testing.assert_close(tau.log_prob(psi, z), Independent(Normal(mean, log_std.exp()), 1).log_prob(psi))
    draws = tau.sample(z[:1], 20_000, torch.Generator().manual_seed(1))[:, 0]
    assert_mean(draws, mean[0])
    assert_mean((draws - mean[0]).square(), (2 * log_std[0]).exp())


@pytest.mark.parametrize("K", [0, 1, 6])
def test_the_bound_is_below_log_z_by_kl_and_looseness(K):
    target, made = samplers.TARGETS["X"], sampler()
    fitted = samplers.Fit(made, MixingPrior(made))
    runs = samplers.bound(target, fitted, K, 20_000, torch.Generator().manual_seed(0))
    assert runs.shape == (20_000,)
    with torch.no_grad():
        z, psi_0 = made.sample(4000, torch.Generator().manual_seed(1))
        u = upper_bound(log_ratios(made, fitted.tau, z, psi_0, K, torch.Generator().manual_seed(2)))
    x = torch.linspace(-9, 9, 181)
    q, grid = samplers.density(made, x, x), torch.stack(torch.meshgrid(x, x, indexing="xy"), -1)
    area = (x[1] - x[0]) ** 2
    entropy = (q * q.clamp_min(1e-30).log()).sum() * area
    kl = entropy - (q * target.log_prob(grid)).sum() * area
    assert kl.item() == pytest.approx(samplers.divergence(made, target), rel=1e-3)  # tails beyond this grid
    assert runs.mean() < target.log_normaliser - kl + 4 * runs.std() / 20_000**0.5
    looseness = (u.mean() - entropy).item()
    error = (runs.var() / 20_000 + u.var() / 4000).sqrt().item()
    assert abs(runs.mean().item() - (target.log_normaliser - kl.item() - looseness)) < 4 * error + 2e-3


@pytest.mark.parametrize("tau, K, steps", [("learned", 4, 300), ("prior", 12, 500)])
def test_training_finds_both_modes(tau, K, steps):
    """The Gaussian's KL is .221: what is left after a short training is a part of it."""
    target = samplers.TARGETS["two modes"]
    seen = []
    fitted = samplers.fit(target, K, tau, steps=steps, seed=1, watch=lambda step, _: seen.append(step))
    assert seen == list(range(steps + 1))
    kl = samplers.divergence(fitted.sampler, target)
    assert 0 < kl < 0.1
    assert_not_mean(samplers.bound(target, fitted, K, 5000) - target.log_normaliser, 0.0)


def test_the_seed_decides_everything_and_nothing_else_is_touched():
    runs, target = [], samplers.TARGETS["banana"]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for seed in (0, 0, 1):
        fitted = samplers.fit(target, 2, steps=5, seed=seed)
        runs.append(torch.cat([p.flatten() for p in [*fitted.sampler.parameters(), *fitted.tau.parameters()]]))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_gaussian_is_nearer_than_the_gaussian_fit(target):
    """Quadrature of KL(q || p), at the fit and beside it."""
    best = samplers.gaussian_fit(target)

    def kl(mean, scale):
        q = MultivariateNormal(mean.double(), scale_tril=scale.double()).log_prob(GRID)
        return ((q.exp() * (q - target.log_prob(GRID))).sum() * AREA).item()

    least = kl(best.mean, best.scale_tril)
    assert 0.2 < least < 0.4
    assert samplers.divergence(best, target) == pytest.approx(least, abs=1e-4)
    for shift in ((0.1, 0.0), (0.0, 0.1), (-0.1, 0.0), (0.0, -0.1)):
        assert kl(best.mean + torch.tensor(shift), best.scale_tril) > least
    for factor in (0.93, 1.07):
        assert kl(best.mean, best.scale_tril * torch.tensor([factor, 1.0])) > least
        assert kl(best.mean, best.scale_tril * torch.tensor([[1.0], [factor]])) > least
    assert math.isfinite(least)


def gaussian_target(law):
    return samplers.Target("Gaussian", law.log_prob, 0.0, lambda eps, sign: law.loc + eps @ law.scale_tril.T)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_target_draws_from_its_generator(target):
    one, other, third = (target.sample(6, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == (6, 2) and one.equal(other) and not one.equal(third)


def test_the_gaussian_fit_of_a_gaussian_is_that_gaussian():
    law = MultivariateNormal(torch.tensor([2.0, -1.0]).double(), torch.tensor([[2.0, 1.2], [1.2, 1.0]]).double())
    best = samplers.gaussian_fit(gaussian_target(law), points=512, starts=1)
    torch.testing.assert_close(best.mean, law.mean.float(), rtol=0, atol=2e-2)
    torch.testing.assert_close(best.covariance_matrix, law.covariance_matrix.float(), rtol=0, atol=5e-2)


def test_the_gaussian_fit_is_a_stationary_point_of_its_objective_and_draws_from_nobody():
    target = samplers.TARGETS["banana"]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    best, again = (samplers.gaussian_fit(target, points=256, starts=2) for _ in range(2))
    assert best.mean.equal(again.mean) and best.scale_tril.equal(again.scale_tril)
    assert torch.get_rng_state().equal(before)
    mean, scale = (part.detach().double().requires_grad_() for part in (best.mean, best.scale_tril))
    eps = samplers._sobol(256).double()
    value = -scale.diagonal().log().sum() - target.log_unnormalised(mean + eps @ scale.T).mean()
    slopes = torch.autograd.grad(value, [mean, scale])
    for slope in (slopes[0], slopes[1].tril()):
        torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-5)


def test_bad_input():
    target = samplers.TARGETS["X"]
    for bad, match in (
        ({"K": -1}, "K must be at least 0"),
        ({"K": 1, "tau": "gamma"}, "tau must be one of learned, prior"),
        ({"K": 1, "steps": 0}, "steps must be at least 1"),
        ({"K": 1, "batch_size": 0}, "batch_size must be at least 1"),
        ({"K": 1, "learning_rate": 0.0}, r"learning_rate must lie in \(0, inf\)"),
        ({"K": 1, "seed": -1}, "seed must be at least 0"),
    ):
        with pytest.raises(ValueError, match=f"^{match}"):
            samplers.fit(target, **bad)


def test_a_sampler_follows_its_type():
    sampler, tau = samplers.NeuralSampler().double(), samplers.GaussianInverse().double()
    z, psi = sampler.sample(7, torch.Generator().manual_seed(0))
    assert z.dtype == psi.dtype == tau.sample(z, 3).dtype == torch.float64
    assert log_ratios(sampler, tau, z, psi, 3).dtype == torch.float64
    x, y = torch.linspace(-1, 1, 3).double(), torch.linspace(-1, 1, 5).double()
    fine = samplers.density(sampler, x, y)
    assert fine.dtype == torch.float64
    torch.testing.assert_close(samplers.density(sampler.float(), x.float(), y.float()), fine.float())


def test_first_weights_leave_the_generators_of_a_gpu_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail(f"the GPU was seeded with {seed}"))
    samplers.fit(samplers.TARGETS["banana"], 1, steps=1)
    toy.untrained()
    train.untrained(data.digits())
    InfoVAE("js-adversarial", 1.0, 2.0).backward(VAE(4, 2, (3,)), torch.zeros(5, 4))


def test_learning_tau_leaves_no_gradient_at_the_law():
    law, tau = samplers.NeuralSampler(), samplers.GaussianInverse()
    learn(law, tau, steps=2, K=3, batch=5)
    assert all(p.grad is None for p in law.parameters())
    assert all(p.grad is not None for p in tau.parameters())


def test_a_target_is_a_target():
    words = r"^target must be a Target, such as TARGETS\['banana'\], got 'X'\.$"
    for call in (lambda: samplers.fit("X", 1), lambda: samplers.gaussian_fit("X")):
        with pytest.raises(TypeError, match=words):
            call()


def test_a_sampler_and_its_inverse_are_the_gaussians_they_say():
    torch.manual_seed(0)
    sampler, tau = samplers.NeuralSampler((5,)), samplers.GaussianInverse((5,))
    torch.nn.init.normal_(tau.network[-1].weight)
    z, psi = torch.randn(7, 2), torch.randn(3, 7, 2)
    q = torch.distributions.Normal(sampler.mean(psi), 0.2)
    torch.testing.assert_close(sampler.log_conditional(z, psi), q.log_prob(z).sum(-1))
    mean, log_std = tau.network(z).chunk(2, -1)
    torch.testing.assert_close(
        tau.log_prob(psi, z), torch.distributions.Normal(mean, log_std.exp()).log_prob(psi).sum(-1)
    )
    seeded = lambda: torch.Generator().manual_seed(1)
    eps = torch.randn(3, 7, 2, generator=seeded())
    torch.testing.assert_close(tau.sample(z, 3, seeded()), mean + log_std.exp() * eps)
    generator = seeded()
    noise = torch.randn(7, 2, generator=generator)
    expected = sampler.mean(noise) + 0.2 * torch.randn(7, 2, generator=generator)
    for found, by_hand in zip(sampler.sample(7, seeded()), (expected, noise)):
        torch.testing.assert_close(found, by_hand)
