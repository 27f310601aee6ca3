"""Annealed importance sampling against log p(x) of a linear VAE, and between its own two sides."""

import math

import pytest
import torch
from torch import nn

from tests.stats import assert_mean, assert_not_mean
from vaecourse import evaluate, exact
from vaecourse.evaluate import annealing
from vaecourse.models import VAE, DeepLatentVariableModel

D, L, B, NOISE = 5, 2, 7, 0.7


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def case():
    """A VAE that is probabilistic PCA, with an encoder that knows nothing; its points, and their exact log p(x)."""
    weight = torch.randn(D, L, generator=seeded(), dtype=torch.float64)
    model = VAE(D, L, hidden=(3,), likelihood="gaussian", decoder=nn.Linear(L, D)).double()
    with torch.no_grad():
        model.decoder.weight.copy_(weight)
        model.decoder.bias.zero_()
        model.log_noise.fill_(0.5 * math.log(NOISE))
    x = 2 * torch.randn(B, D, generator=seeded(1), dtype=torch.float64)
    return model, x, exact.LinearGaussian(weight, NOISE).log_likelihood(x)


def weights(model, x, T=20, chains=4000, seed=2):
    """Single log-weights ``[C, B]``, by the very steps of ``ais``."""
    path, noise = annealing._path(model, x, annealing._schedule(T)), seeded(seed)
    z = lambda: torch.randn(1, chains, len(x), L, generator=noise, dtype=torch.float64)
    with torch.no_grad():
        sizes, _, _ = annealing._anneal(path, z()[:, :50], 3, noise)
        return annealing._anneal(path, z(), 3, noise, sizes)[1]


def test_the_mean_weight_is_p_of_x(case):
    model, x, truth = case
    ratio = (weights(model, x) - truth).exp()
    assert_mean(ratio, 1.0)
    assert_not_mean(ratio, 1.15)


def test_more_temperatures_come_closer(case):
    model, x, truth = case
    few, many = (evaluate.ais(model, x, T, chains=8, generator=seeded(3)) for T in (10, 300))
    assert (many.log_p - truth).abs().mean() < 0.1 < (few.log_p - truth).abs().mean()
    assert many.error.mean() < 0.2 and 0.75 < many.acceptance.mean() < 0.95
    assert many.log_p.dtype == x.dtype and many.log_p.shape == many.error.shape == (B,)


def test_the_error_is_that_of_repeated_runs(case):
    model, x, truth = case
    runs = [evaluate.ais(model, x[:2], 20, chains=30, generator=seeded(seed)) for seed in range(30)]
    off = torch.stack([run.log_p for run in runs]).std(0)
    told = torch.stack([run.error for run in runs]).mean(0)
    assert (off / told - 1).abs().max() < 0.4


def test_the_sandwich_closes_around_the_truth(case):
    model, _, _ = case
    found = evaluate.sandwich(model, 40, 300, generator=seeded(4))
    assert abs(found.width) < 0.05
    z, x = annealing._made_by(model, 40, seeded(4))
    truth = exact.LinearGaussian(model.decoder.weight.detach(), NOISE).log_likelihood(x)
    assert (found.lower - truth).mean().abs() < 0.03 and (found.upper - truth).mean().abs() < 0.03


def test_the_sandwich_of_few_temperatures_is_wide_and_the_right_way_round(case):
    model, _, _ = case
    few = evaluate.sandwich(model, 200, 3, chains=1, generator=seeded(5))
    assert few.width > 1
    z, x = annealing._made_by(model, 200, seeded(5))
    truth = exact.LinearGaussian(model.decoder.weight.detach(), NOISE).log_likelihood(x)
    assert (few.lower - truth).mean() < -0.3 and (few.upper - truth).mean() > 0.3


def test_no_encoder_is_asked(case):
    model, x, _ = case
    before = evaluate.ais(model, x, 10, chains=3, generator=seeded(6)).log_p
    with torch.no_grad():
        for parameter in model.phi().values():
            parameter.add_(1.0)
    assert (evaluate.ais(model, x, 10, chains=3, generator=seeded(6)).log_p == before).all()


def test_batches_and_a_bernoulli_decoder(case):
    torch.manual_seed(0)
    model = VAE(6, 3, hidden=(4,))
    x = torch.rand(5, 6, generator=seeded()).round()
    found = evaluate.ais(model, x, 100, chains=20, generator=seeded(7), batch_size=2)
    z = torch.randn(100_000, 1, 3, generator=seeded(8))  # of the prior: enough here, and no encoder either
    with torch.no_grad():
        truth = model.log_likelihood(x, z).logsumexp(0) - math.log(len(z))
    assert (found.log_p - truth).abs().max() < 0.06
    assert evaluate.sandwich(model, 3, 10, chains=4).upper.shape == (3,)


class Around(nn.Linear):
    def forward(self, y):
        return torch.distributions.Independent(torch.distributions.Normal(super().forward(y), 1.0), 1)


@pytest.mark.parametrize("prior", [None, torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))])
def test_a_composed_model(prior):
    torch.manual_seed(0)
    model, x = DeepLatentVariableModel(Around(2, 7), Around(7, 2), prior), torch.randn(3, 7)
    found = evaluate.ais(model, x, 200, chains=20, generator=seeded())
    law = exact.LinearGaussian(model.likelihood.weight.detach(), 1.0, model.likelihood.bias.detach())
    assert (found.log_p - law.log_likelihood(x)).abs().max() < 0.15
    with pytest.raises(TypeError, match="simulate must be given for a DeepLatentVariableModel"):
        evaluate.sandwich(model)


@pytest.mark.parametrize(
    "argument, value, words",
    [
        ("temperatures", 1, "temperatures must be at least 2, got 1"),
        ("chains", 0, "chains must be at least 1, got 0"),
        ("leapfrog", 0, "leapfrog must be at least 1, got 0"),
    ],
)
def test_what_is_out_of_range(case, argument, value, words):
    model, x, _ = case
    for call in (lambda **of: evaluate.ais(model, x, **of), lambda **of: evaluate.sandwich(model, 3, **of)):
        with pytest.raises(ValueError, match=words):
            call(**{argument: value})
    with pytest.raises(TypeError, match="latent-variable model"):
        evaluate.ais(nn.Linear(2, 2), x)


def test_a_prior_that_cannot_be_drawn_from(case):
    class Silent(nn.Module):
        def log_prob(self, z):
            return -0.5 * z.square().sum(-1)

    with pytest.raises(TypeError, match="prior of the model must have log_prob and sample, got Silent"):
        evaluate.ais(VAE(6, 3, hidden=(4,), prior=Silent()), torch.zeros(2, 6), 3)
