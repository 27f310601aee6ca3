"""The M step against gradients, and what EM promises: the likelihood never falls, and ends at its highest."""

import pytest
import torch

from vaecourse import exact


def model_and_data(D=3, L=2, B=40):
    draw = torch.Generator().manual_seed(3)
    normal = lambda *shape: torch.randn(*shape, generator=draw, dtype=torch.float64)
    model = exact.LinearGaussian(normal(D, L), 0.6, normal(D))
    return model, normal(B, D) * 1.5, normal(B, L), normal(B, L).exp()


def test_it_is_where_the_slope_of_the_elbo_is_zero():
    model, x, mean, std = model_and_data()
    best = exact.m_step(model, x, mean, std)
    weight = best.weight.clone().requires_grad_()
    elbo = exact.LinearGaussian(weight, model.noise_variance, model.bias).elbo(x, mean, std).mean()
    assert torch.autograd.grad(elbo, weight)[0].abs().max() < 1e-9
    for step in torch.randn(20, *weight.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64):
        moved = exact.LinearGaussian(best.weight + 0.01 * step, model.noise_variance, model.bias)
        assert moved.elbo(x, mean, std).mean() < elbo
    assert torch.equal(best.bias, model.bias) and best.noise_variance == model.noise_variance


def test_one_q_may_stand_for_all_points():
    model, x, mean, std = model_and_data()
    one, all_of_it = (mean[:1], std[:1]), (mean[:1].expand(len(x), -1), std[:1].expand(len(x), -1))
    assert torch.allclose(exact.m_step(model, x, *one).weight, exact.m_step(model, x, *all_of_it).weight)


def test_in_turns_with_the_posterior_it_ends_at_the_highest_likelihood():
    """With one latent dimension the exact posterior is diagonal. W'W + s2 ends at the largest variance of the data."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(400, 2, generator=draw, dtype=torch.float64) @ torch.tensor([[2.0, 0.5], [0.0, 1.0]]).double()
    model, before = exact.LinearGaussian(torch.tensor([[0.1], [0.3]]).double(), 0.5), -torch.inf
    for _ in range(300):
        posterior = model.posterior(x)
        model = exact.m_step(model, x, posterior.mean, posterior.variance.sqrt())
        now = model.log_likelihood(x).mean().item()
        assert now > before - 1e-12
        before = now
    largest = torch.linalg.eigvalsh(x.T @ x / len(x))[-1].item()
    assert model.weight.square().sum().item() + 0.5 == pytest.approx(largest, rel=1e-6)


def test_refusals():
    model, x, mean, std = model_and_data()
    with pytest.raises(ValueError, match="std"):
        exact.m_step(model, x, mean, -std)
    with pytest.raises(ValueError, match="mean"):
        exact.m_step(model, x, mean[:, :1], std)
