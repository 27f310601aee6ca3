"""The toy of Rainforth et al. against torch.distributions, Monte Carlo, and the paper's rates; M != K != B != D."""

import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from tests.stats import assert_mean, assert_not_mean, z_score
from vaecourse import bounds, exact, gradients, objectives

B, D = 6, 4


@pytest.fixture
def x():
    return 1.5 + torch.randn(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def toy(x):
    return exact.GaussianToy(x).perturb(0.3, torch.Generator().manual_seed(1))


def posterior_of(toy, x):
    return Independent(Normal((x + toy.mu) / 2, math.sqrt(0.5)), 1)


def test_likelihood_is_that_of_the_stated_model(toy, x):
    marginal = MultivariateNormal(toy.mu, 2 * torch.eye(D, dtype=x.dtype))
    torch.testing.assert_close(toy.log_likelihood(x), marginal.log_prob(x))
    z = torch.randn(3, B, D, dtype=x.dtype)
    by_bayes = toy.log_joint(x, z) - posterior_of(toy, x).log_prob(z)
    torch.testing.assert_close(by_bayes, toy.log_likelihood(x).expand(3, B))


def test_elbo_is_log_likelihood_minus_kl(toy, x):
    q = Independent(Normal(x @ toy.A.T + toy.b, math.sqrt(2 / 3)), 1)
    torch.testing.assert_close(toy.elbo(x), toy.log_likelihood(x) - kl_divergence(q, posterior_of(toy, x)))


def test_weights_have_the_exact_mean_and_the_exact_elbo(toy, x):
    log_w = toy.log_weights(x, 100_000, 3, torch.Generator().manual_seed(2)).detach()
    assert_mean((log_w - toy.log_likelihood(x)).exp().mean(1), 1.0)
    assert_mean(log_w.mean(1), toy.elbo(x).detach())
    standard_deviation_not_variance = exact.GaussianToy(x, variance=4 / 9)
    standard_deviation_not_variance.load_state_dict(toy.state_dict())
    assert_not_mean(log_w.mean(1), standard_deviation_not_variance.elbo(x).detach())


def test_at_its_optimum_every_gradient_vanishes_for_one_sample(x):
    toy = exact.GaussianToy(x)
    toy.log_likelihood(x).mean().backward()
    torch.testing.assert_close(toy.mu.grad, torch.zeros(D, dtype=x.dtype))
    toy.zero_grad()
    toy.elbo(x).sum().backward()
    for parameter in toy.phi().values():
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter))


def test_perturb_moves_every_parameter_by_its_scale(x):
    still, moved = exact.GaussianToy(x), exact.GaussianToy(x).perturb(0.01, torch.Generator().manual_seed(3))
    shifts = torch.cat([(a - b).flatten() for a, b in zip(moved.parameters(), still.parameters())])
    assert (shifts != 0).all()
    assert abs(z_score(shifts.square()[:, None], 1e-4)) < 4


@pytest.mark.parametrize("name", ["iwae", "piwae", "dreg"])
def test_backward_takes_the_toy_as_it_takes_a_vae(toy, x, name):
    value = objectives.backward(toy, x, name, M=2, K=5, generator=torch.Generator().manual_seed(4))
    log_w = toy.log_weights(x, 2, 5, torch.Generator().manual_seed(4))
    torch.testing.assert_close(value, objectives.get(name).value(log_w).detach())
    bounds.iwae(log_w).mean().backward()
    assert all(parameter.grad is not None for parameter in toy.parameters())


def test_draw_is_the_reparameterised_law_of_the_encoder(toy, x):
    eps = torch.randn(2, 3, B, D, dtype=x.dtype, generator=torch.Generator().manual_seed(7))
    z, log_q = toy.draw(x, eps)
    law = Independent(Normal(x @ toy.A.T + toy.b, math.sqrt(toy.variance)), 1)
    torch.testing.assert_close(z, law.mean + math.sqrt(toy.variance) * eps)
    torch.testing.assert_close(log_q, law.log_prob(z))
    slope = lambda keeps: torch.autograd.grad(toy.draw(x, eps, **keeps)[1].sum(), toy.b)[0]
    torch.testing.assert_close(slope({}), torch.zeros(D, dtype=x.dtype))  # log q(z) depends on eps alone
    torch.testing.assert_close(slope({"keeps_score": True}), slope({}))
    torch.testing.assert_close(slope({"keeps_score": False}), -eps.sum((0, 1, 2)) / math.sqrt(toy.variance))


def test_parameters_go_by_the_names_of_the_paper(toy):
    assert {**toy.theta(), **toy.phi()} == dict(toy.named_parameters())
    assert list(toy.theta()) == ["mu"] and list(toy.phi()) == ["A", "b"]


def test_perturb_draws_from_its_generator_in_the_type_of_the_parameters(x):
    moved = exact.GaussianToy(x).perturb(generator=torch.Generator().manual_seed(3))
    noise = torch.Generator().manual_seed(3)
    for parameter, still in zip(moved.parameters(), exact.GaussianToy(x).parameters()):
        shift = torch.randn(parameter.shape, generator=noise, dtype=x.dtype)
        torch.testing.assert_close(parameter.detach(), still.detach() + 0.01 * shift, rtol=0, atol=1e-15)


def test_whole_sentences(toy, x):
    shares = "must share type and device with mu, torch.float64 on cpu, got torch.float32 on cpu.$"
    for name, call in {
        "x": lambda: toy.elbo(x.float()),
        "eps": lambda: toy.draw(x, torch.zeros(B, D)),
        "z": lambda: toy.log_joint(x, torch.zeros(B, D)),
    }.items():
        with pytest.raises(TypeError, match=f"^{name} {shares}"):
            call()
    with pytest.raises(ValueError, match=rf"^x must have D = {D} columns, got shape \[{B}, {D + 1}\]\.$"):
        toy.elbo(torch.zeros(B, D + 1))
    with pytest.raises(ValueError, match=rf"^z must have the shape \[\.\.\., {D}\], got \[{B}, 1\]\.$"):
        toy.log_joint(x, x[:, :1])
    with pytest.raises(ValueError, match="^z must broadcast with x in all axes but the last, got z"):
        toy.log_joint(x, x[1:])


def test_signal_to_noise_follows_the_rates(x):
    """sqrt(M) for both, exactly, as estimates are averaged; 1 / sqrt(K) for the encoder, once K is large enough."""
    toy = exact.GaussianToy(x).perturb(0.1, torch.Generator().manual_seed(5))
    snr = lambda M, K, draws: gradients.signal_to_noise(
        toy, x, "miwae", M, K, draws, torch.Generator().manual_seed(6), chunk=400
    )
    one, many, deep = snr(1, 16, 4000), snr(9, 16, 2000), snr(1, 256, 4000)
    assert 2.7 < (many.theta / one.theta).median() < 3.3  # 3 = sqrt(9)
    assert 2.7 < (many.phi / one.phi).median() < 3.3
    assert 2.5 < (one.phi / deep.phi).median() < 6  # 4 = sqrt(256 / 16)


def test_bad_input_is_named(x):
    with pytest.raises(ValueError, match="variance"):
        exact.GaussianToy(x, variance=0.0)
    with pytest.raises(ValueError, match=r"x must .*\[B, D\]"):
        exact.GaussianToy(x[0])
    with pytest.raises(ValueError, match="K"):
        exact.GaussianToy(x).log_weights(x, 1, 0)
    with pytest.raises(ValueError, match="scale"):
        exact.GaussianToy(x).perturb(-1.0)
