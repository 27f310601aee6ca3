"""Every row of the table, every kind of model, every type: values and gradients are those of the CPU in float64."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal

from vaecourse import bounds, control_variates, gradients, objectives, roulette
from vaecourse.models import VAE, DeepLatentVariableModel
from vaecourse.priors import VampPrior

M, K, B, D, L = 3, 4, 5, 9, 2
TYPES = {torch.float64: 1e-10, torch.float32: 2e-4, torch.bfloat16: 0.1}  # how far from float64, relative


class Pixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(L, 7), nn.Tanh(), nn.Linear(7, D))

    def forward(self, z):
        return Independent(Bernoulli(logits=self.net(z)), 1)


class Code(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(D, 7), nn.Tanh(), nn.Linear(7, 2 * L))

    def forward(self, x):
        mean, log_std = self.net(x).chunk(2, -1)
        return Independent(Normal(mean, log_std.exp()), 1)


class Composed(DeepLatentVariableModel):
    """It draws with noise that it is given, so that two devices can have the same."""

    def propose(self, x, M, K, keeps_score=True, generator=None):
        q = self.posterior(x).base_dist
        z = q.loc + q.scale * self.eps
        if keeps_score:
            return z, Normal(q.loc, q.scale).log_prob(z).sum(-1)
        return z, Normal(q.loc.detach(), q.scale.detach()).log_prob(z).sum(-1)


def a_model(kind):
    torch.manual_seed(7)
    if kind == "composed":
        return Composed(Pixels(), Code())
    model = VAE(D, L, (7,), "gaussian" if kind == "gaussian" else "bernoulli")
    if kind == "vamp":
        model.prior = VampPrior(model.encoder, torch.rand(4, D))
    return model


def gradients_of(model, x, eps, name, device, dtype, autocast=None):
    """The bound and the gradient of every parameter, on this device in this type, as float64 on the CPU."""
    model, x, eps = copy.deepcopy(model).to(device, dtype), x.to(device, dtype), eps.to(device, dtype)
    row = objectives.get(name)
    with torch.autocast(device.type, autocast or torch.bfloat16, enabled=autocast is not None):
        if isinstance(model, Composed):
            model.eps = eps
            found = objectives.estimate(model, x, row, M, K)
        else:
            found = objectives.at(model, x, row, *model.draw(x, eps, row.keeps_score), M, K)
    found.loss.backward()
    assert found.bound.device.type == device.type
    flat = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return found.bound.detach().cpu().double(), flat.cpu().double()


@pytest.fixture(scope="module")
def points():
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(B, D, dtype=torch.float64, generator=generator).round()
    return x, torch.randn(M, K, B, L, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("dtype", list(TYPES), ids=str)
@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "vamp", "composed"])
@pytest.mark.parametrize("name", list(objectives.TABLE))
def test_a_row_is_that_of_the_cpu(name, kind, dtype, points, device):
    model = a_model(kind)
    wanted, slope = gradients_of(model, *points, name, torch.device("cpu"), torch.float64)
    half = dtype == torch.bfloat16
    autocast = torch.bfloat16 if half else None
    bound, found = gradients_of(model, *points, name, device, torch.float32 if half else dtype, autocast)
    torch.testing.assert_close(bound, wanted, rtol=TYPES[dtype], atol=TYPES[dtype])
    assert (found - slope).norm() <= TYPES[dtype] * slope.norm()


def a_value(function):
    """A function of log-weights [M, K, B] with a gradient: its value and its slope on a device."""

    def on(log_w, device):
        log_w = log_w.to(device).requires_grad_()
        value = function(log_w)
        (slope,) = torch.autograd.grad(value.sum(), log_w) if value.requires_grad else (torch.zeros(()),)
        return value.detach().cpu(), slope.cpu()

    return on


N = torch.tensor([[1, 3, 2, 3, 1], [2, 2, 1, 3, 3], [3, 1, 1, 2, 3]])
OF_WEIGHTS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae": bounds.miwae,
    "ciwae": lambda w: bounds.ciwae(w, 0.3),
    "vr_iwae": lambda w: bounds.vr_iwae(w, 0.4),
    "jackknife": lambda w: bounds.jackknife(w, 2),
    "sample size": bounds.effective_sample_size,
    "log variance": gradients.log_variance,
    "none": control_variates.none,
    "vimco": control_variates.vimco,
    "arithmetic": control_variates.vimco_arithmetic,
    "ovis": lambda w: control_variates.ovis(w, 0.2),
    "roulette": lambda w: roulette.sumo(w, N.to(w.device)),
}


@pytest.mark.parametrize("name", list(OF_WEIGHTS))
def test_a_function_of_log_weights_is_that_of_the_cpu(name, device):
    log_w = 3 * torch.randn(M, K, B, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    log_w[1, 2, 3] = -math.inf if name in ("iwae", "miwae") else -30.0
    one, other = (a_value(OF_WEIGHTS[name])(log_w, place) for place in (torch.device("cpu"), device))
    for wanted, found in zip(one, other, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_a_score_function_is_that_of_the_cpu(device):
    generator = torch.Generator().manual_seed(2)
    log_w, log_q = torch.randn(2, M, K, B, dtype=torch.float64, generator=generator)
    found = {}
    for place in (torch.device("cpu"), device):
        q = log_q.to(place).detach().requires_grad_()
        w = log_w.to(place)
        gradients.score_function(w, q, gradients.baseline(w, "leave_one_out")).sum().backward()
        found[place.type] = q.grad.cpu()
    torch.testing.assert_close(found[device.type], found["cpu"])


def test_what_is_not_finite_is_told_on_the_device_too(device):
    log_w = torch.zeros(M, K, B, device=device)
    log_w[0, 1, 2] = math.nan
    with pytest.raises(ValueError, match="log_w contains NaN"):
        bounds.iwae(log_w)
    model = a_model("bernoulli").to(device)
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\]"):
        objectives.loss(model, torch.full((B, D), 1.5, device=device), "iwae", M, K)


def test_lengths_come_from_a_generator_of_the_device(device):
    assert (roulette.lengths(M, B, 8, torch.Generator(device)) >= 1).all()


def test_float16_with_a_scaler_steps(device):
    if device.type == "cpu":
        pytest.skip("a scaler of this kind is the GPU's")
    model, x = a_model("bernoulli").to(device), torch.rand(64, D, device=device).round()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    scaler = torch.amp.GradScaler(device.type)
    first = None
    for _ in range(60):
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.float16):
            loss = objectives.loss(model, x, "dreg", 1, 16)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        first = first or loss.item()
    assert loss.item() < first - 0.3
