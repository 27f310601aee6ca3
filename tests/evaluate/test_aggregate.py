"""What parts codes from prior, against the exact divergences of an aggregate that is a Gaussian."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from vaecourse import evaluate
from vaecourse.models import VAE

B = 4000


def model_of(gain, std):
    """One latent dimension: q(z | x) = N(gain x, std^2), so q(z) = N(0, gain^2 + std^2) where x is N(0, 1)."""
    model = VAE(1, 1, likelihood="gaussian", encoder=nn.Linear(1, 2), decoder=nn.Linear(1, 1))
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[gain], [0.0]]))
        model.encoder.bias.copy_(torch.tensor([0.0, math.log(std)]))
    return model


def exact_gap(variance):
    z = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    p, q = (Normal(0, s).log_prob(z).exp() for s in (torch.tensor(1.0).double(), variance**0.5))
    mean, step = 0.5 * (p + q), z[1] - z[0]
    kl = lambda a, b: torch.where(a > 0, a * (a / b).log(), 0).sum() * step
    return float(0.5 * kl(p, mean) + 0.5 * kl(q, mean)), float(kl(q, p))


@pytest.mark.parametrize("gain, std", [(0.8, 0.6), (0.5, 0.1), (1.4, 0.5)])
def test_bounds_are_below_the_truth_and_near(gain, std):
    x = torch.randn(B, 1, generator=torch.Generator().manual_seed(0))
    found = evaluate.aggregate_gap(model_of(gain, std), x, steps=600)
    js, kl = exact_gap(torch.tensor(gain**2 + std**2).double())
    assert js - 0.02 < found.js < js + 4 * found.js_error
    assert kl - 0.06 < found.kl < kl + 4 * found.kl_error
    if gain == 0.5:
        assert found.js > 8 * found.js_error, "the test tells it from 0"


def test_the_ceiling_is_that_of_the_points():
    x = torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    model = model_of(1.0, 1e-4)
    found = evaluate.aggregate_gap(model, x, steps=2)
    with torch.no_grad():
        mean, log_std = model.encode(x)
    rate = float(0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1).mean())
    told = rate - evaluate.mutual_information(model, x, generator=torch.Generator().manual_seed(1))
    assert found.rate_less_log_b == pytest.approx(rate - math.log(50), abs=1e-4)
    assert told == pytest.approx(found.rate_less_log_b, abs=0.01) and told > 3, "the codes are those of the prior"


def test_the_rate_is_that_to_the_models_own_prior():
    """A prior wider than N(0, I) by far: the KL of a code to it, in closed form."""

    class Wide(nn.Module):
        def log_prob(self, z):
            return Normal(0.0, 5.0).log_prob(z).sum(-1)

        def sample(self, n, like, generator=None):
            return 5 * torch.randn(n, len(like), generator=generator)

    x = torch.randn(400, 1, generator=torch.Generator().manual_seed(0))
    model = model_of(1.0, 0.5)
    model.prior = Wide()
    found = evaluate.aggregate_gap(model, x, steps=1)
    with torch.no_grad():
        mean, log_std = model.encode(x)
    exact = torch.distributions.kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 5.0)).mean()
    assert found.rate_less_log_b + math.log(400) == pytest.approx(float(exact), abs=0.02)
    assert evaluate.aggregate_gap(model_of(1.0, 0.5), x, steps=1).rate_less_log_b != pytest.approx(
        found.rate_less_log_b, abs=0.1
    )


def test_codes_of_one_half_are_judged_only():
    """A discriminator that has learned 8 codes by heart proves nothing about others."""
    x = torch.randn(16, 1, generator=torch.Generator().manual_seed(0))
    found = evaluate.aggregate_gap(model_of(1.0, 0.01), x, steps=300)
    assert found.js < 0.1


def test_what_it_refuses():
    with pytest.raises(ValueError, match="x must hold at least 8 points.*got 7"):
        evaluate.aggregate_gap(model_of(1, 1), torch.zeros(7, 1))
    with pytest.raises(ValueError, match="steps must be at least 1"):
        evaluate.aggregate_gap(model_of(1, 1), torch.zeros(9, 1), steps=0)
    with pytest.raises(TypeError, match="encode"):
        evaluate.aggregate_gap(nn.Linear(1, 1), torch.zeros(5, 1))
