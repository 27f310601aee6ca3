"""What else computes with tensors: on the device it gives what the CPU gives, and it needs no default device."""

import math

import pytest
import torch

from vaecourse import divergences, evaluate, hierarchical, infovae, inspection, models, objectives, train
from vaecourse.gradients import signal_to_noise
from vaecourse.hierarchical import ratios, samplers
from vaecourse.models import VAE

M, K, B, D, L = 2, 3, 12, 9, 2


def cloud(seed, n=B, width=L):
    return torch.randn(n, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rbf(x, y):
    return divergences.rbf(x, y, 1.3)


OF_CLOUDS = {
    "rbf": lambda x, y: divergences.rbf(x, y, 1.3),
    "imq": lambda x, y: divergences.imq(x, y, 1.3),
    "mmd": lambda x, y: divergences.mmd2(x, y, rbf),
    "mmd, biased": lambda x, y: divergences.mmd2(x, y, rbf, unbiased=False),
    "witness": lambda x, y: divergences.witness(x[:3], x, y, rbf),
    "stein": lambda x, y: divergences.stein_direction(x, -x, rbf),
    "minibatch": lambda x, y: divergences.minibatch_kl(x[None], y[: len(x)], 0.1 * x.detach()),
    "median": lambda x, y: torch.tensor(divergences.median_distance(x.detach(), y), dtype=x.dtype, device=x.device),
    "upper": lambda x, y: hierarchical.upper_bound(x),
    "lower": lambda x, y: hierarchical.lower_bound(x),
    "midpoint": lambda x, y: hierarchical.midpoint(x),
    "prior": lambda x, y: models.standard_normal_log_prob(x),
    "rate": lambda x, y: models.rate(x, 0.1 * x),
}


@pytest.mark.parametrize("name", list(OF_CLOUDS))
def test_a_function_of_clouds_is_that_of_the_cpu(name, device):
    found = []
    for place in (torch.device("cpu"), device):
        x, y = cloud(1).to(place).requires_grad_(), cloud(2, 17).to(place)
        value = OF_CLOUDS[name](x, y)
        assert value.device.type == place.type
        slope = torch.autograd.grad(value.sum(), x)[0].cpu() if value.requires_grad else torch.zeros(())
        found.append((value.detach().cpu(), slope))
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-11)


@pytest.fixture
def model(device):
    torch.manual_seed(3)
    model = VAE(D, L, (7,))
    with torch.no_grad():
        model.encoder[-1].weight.mul_(0.1)  # a q near the prior, as the posterior of an untrained decoder is
    return model.to(device)


@pytest.fixture
def x():
    return torch.rand(B, D, generator=torch.Generator().manual_seed(5)).round()


JUDGES = {
    "log_likelihood": lambda m, x, g: evaluate.log_likelihood(m, x, 4000, g).mean(),
    "ais": lambda m, x, g: evaluate.ais(m, x, temperatures=60, chains=16, generator=g).log_p.mean(),
}


@pytest.mark.parametrize("name", list(JUDGES))
def test_a_judge_says_what_it_says_on_the_cpu(name, model, x, device):
    """With other noise: the two are estimates of one number, log p(x), and both are good to some hundredths here."""
    on_device = JUDGES[name](model, x, torch.Generator(device).manual_seed(1)).cpu()
    on_cpu = JUDGES[name](model.cpu(), x, torch.Generator().manual_seed(2))
    assert abs(float(on_device - on_cpu)) < 0.05


def test_the_other_judges_run_on_the_device(model, x, device):
    g = torch.Generator(device).manual_seed(1)
    many = torch.rand(200, D, generator=torch.Generator().manual_seed(6)).round()
    found = evaluate.sandwich(model, n=5, temperatures=30, chains=4, generator=g)
    assert (found.upper - found.lower).mean() < 1 and found.upper.device.type == device.type
    fresh = evaluate.refit(model, many, epochs=3)
    assert evaluate.bound(fresh.model, x, "elbo", K=4).isfinite().all()
    assert evaluate.aggregate_gap(model, many, steps=20, batch_size=50).js <= math.log(2)
    assert 0 <= evaluate.active_units(model, many) <= L
    assert evaluate.mutual_information(model, many, 2, g) < math.log(200)


def test_the_signal_of_a_gradient_is_measured_on_the_device(model, x, device):
    on_device = signal_to_noise(model, x.to(device)[:1], "iwae", 1, 8, draws=400, generator=torch.Generator(device))
    on_cpu = signal_to_noise(model.cpu(), x[:1], "iwae", 1, 8, draws=400, generator=torch.Generator())
    assert math.isclose(float(on_device.theta.nanmean()), float(on_cpu.theta.nanmean()), rel_tol=0.3)


def test_iwhvi_is_that_of_the_cpu(device):
    torch.manual_seed(1)
    sampler, tau = samplers.NeuralSampler().double(), samplers.GaussianInverse().double()
    torch.nn.init.normal_(tau.network[-1].weight, std=0.3)
    found = []
    for place in (torch.device("cpu"), device):
        sampler, tau = sampler.to(place), tau.to(place)
        z, psi = cloud(1).to(place), cloud(2).to(place)
        u = hierarchical.upper_bound(ratios.log_ratio(sampler, tau, z, torch.stack([psi, psi + 0.1, 0.5 * psi])))
        slopes = torch.autograd.grad(u.sum(), list(tau.parameters()))
        found.append([u.detach().cpu(), *(slope.cpu() for slope in slopes)])
        hierarchical.dreg(sampler, tau, z, psi, 5, torch.Generator(place)).sum().backward()
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-11)


def test_a_model_is_checked_on_the_device(model, x, device):
    assert inspection.check(model, x.to(device)) == []


def test_a_default_device_changes_nothing(device, x):
    """Whoever calls torch.set_default_device trains, draws and judges as before."""
    torch.set_default_device(device)
    try:
        torch.manual_seed(3)
        model, points = VAE(D, L, (7,)), torch.rand(50, D).round()
        assert next(model.parameters()).device.type == device.type
        for row in objectives.TABLE:
            objectives.loss(model, points, row, M, K).backward()
        train.fit(model, points, "piwae", M, K, 2, device=device, progress=False)
        train.fit(model, points, infovae.InfoVAE("mmd-imq", 1.0, 10.0), 1, 1, 2, device=device, progress=False)
        assert evaluate.log_likelihood(model, points, 50).isfinite().all()
        assert evaluate.ais(model, points[:4], temperatures=5, chains=2).log_p.isfinite().all()
        assert evaluate.refit(model, points, epochs=2).model is not model
        evaluate.aggregate_gap(model, points, steps=3, batch_size=10)
        evaluate.mutual_information(model, points, 2)
        samplers.fit(samplers.TARGETS["banana"], 3, steps=3)
        model.sample(4)
    finally:
        torch.set_default_device(None)
