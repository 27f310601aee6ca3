"""A fresh encoder for a frozen decoder: where the posterior is in its family, it finds log p(x) again."""

import copy
import math

import pytest
import torch
from torch import nn

from vaecourse import evaluate, exact
from vaecourse.models import VAE, DeepLatentVariableModel
from vaecourse.priors import VampPrior

D, L, NOISE = 4, 2, 0.7


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def case():
    """Probabilistic PCA whose posterior is diagonal, with an encoder that sends every point to the wrong place."""
    weight = torch.tensor([[1.5, 0.0], [0.0, 0.8], [0.0, 0.0], [0.5, 0.0]])
    model = VAE(D, L, likelihood="gaussian", encoder=nn.Linear(D, 2 * L), decoder=nn.Linear(L, D))
    with torch.no_grad():
        model.decoder.weight.copy_(weight)
        model.decoder.bias.zero_()
        model.log_noise.fill_(0.5 * torch.tensor(NOISE).log())
        model.encoder.weight.zero_()
        model.encoder.bias.copy_(torch.tensor([3.0, -3.0, -2.0, -2.0]))
    law = exact.LinearGaussian(weight, NOISE)
    x = law.weight @ torch.randn(L, 600, generator=seeded()) + NOISE**0.5 * torch.randn(D, 600, generator=seeded(1))
    return model, x.T.contiguous(), law


def test_it_finds_what_the_own_encoder_has_lost(case):
    model, x, law = case
    before = copy.deepcopy(model.state_dict())
    judged = evaluate.refit(model, x[:500], epochs=60, learning_rate=0.02)
    truth = law.log_likelihood(x[500:]).mean()
    own, anew = (evaluate.bound(of, x[500:], "elbo", M=50, generator=seeded()).mean() for of in (model, judged.model))
    assert own < truth - 10 and truth - 0.02 < anew < truth + 0.02
    assert all(bool((value == before[name]).all()) for name, value in model.state_dict().items())
    assert all(bool((p == before[name]).all()) for name, p in judged.model.theta().items()), "bit for bit"
    assert abs(judged.rising) < 0.05 and len(judged.curve) == 60 and judged.curve[0] < judged.curve[-1] - 1


def test_few_passes_say_that_more_would_pay(case):
    model, x, _ = case
    assert evaluate.refit(model, x, epochs=4, learning_rate=0.005).rising > 0.1


def test_a_small_rise_proves_nothing(case):
    """The rate falls to 0, so the curve is flat in the end however far it is from where it could be."""
    model, x, law = case
    slow = evaluate.refit(model, x, epochs=60, learning_rate=1e-4)
    assert slow.rising < 0.1 < 1 < law.log_likelihood(x).mean() - slow.curve[-1]
    assert math.isnan(evaluate.refit(model, x, epochs=1).rising)


def test_a_prior_of_the_encoder_is_refused():
    encoder, x = nn.Sequential(nn.Linear(12, 4)), torch.rand(20, 12, generator=seeded()).round()
    model = VAE(12, 2, encoder=encoder, prior=VampPrior(encoder, x))
    with pytest.raises(ValueError, match="the same p\\(x, z\\) whatever phi is"):
        evaluate.refit(model, x)


def test_an_anew_that_changes_theta_is_refused(case):
    model, x, _ = case
    with pytest.raises(ValueError, match="an anew that changes theta"):
        evaluate.refit(model, x, anew=lambda judge: nn.init.zeros_(judge.decoder.weight))


def test_a_seed_decides_all(case):
    model, x, _ = case
    first, again, other = (evaluate.refit(model, x, epochs=2, seed=seed).curve for seed in (3, 3, 4))
    assert first == again != other


def test_the_global_generator_and_the_flags_are_left(case):
    model, x, _ = case
    state = torch.get_rng_state()
    evaluate.refit(model, x, "iwae", K=3, epochs=1)
    assert bool((torch.get_rng_state() == state).all())
    assert all(p.requires_grad and p.grad is None for p in model.parameters()) and model.training


def test_grey_pixels_are_drawn_anew():
    model, grey = VAE(9, 2, hidden=(5,)), torch.full((40, 9), 0.5)
    drawn = evaluate.refit(model, grey, epochs=1).curve
    assert drawn != evaluate.refit(model, grey, epochs=1, binarise=False).curve


class Around(nn.Linear):
    def forward(self, y):
        return torch.distributions.Independent(torch.distributions.Normal(super().forward(y), 1.0), 1)


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return torch.distributions.Independent(torch.distributions.Normal(self.mean.expand(len(x), 2), 1.0), 1)


def test_any_model_and_one_that_must_be_told_how():
    x = torch.randn(30, 7, generator=seeded())
    composed = DeepLatentVariableModel(Around(2, 7), Around(7, 2))
    judged = evaluate.refit(composed, x, epochs=2)
    assert bool((judged.model.posterior.weight != composed.posterior.weight).all())
    assert bool((judged.model.likelihood.weight == composed.likelihood.weight).all())
    bare = DeepLatentVariableModel(Around(2, 7), Bare())
    with pytest.raises(TypeError, match="anew must be given.*'posterior'"):
        evaluate.refit(bare, x)
    told = evaluate.refit(bare, x, epochs=1, anew=lambda model: nn.init.ones_(model.posterior.mean))
    assert told.model.posterior.mean.mean() > 0.9 and bool((bare.posterior.mean == 0).all())


@pytest.mark.parametrize(
    "argument, value, words",
    [
        ("epochs", 0, "epochs must be at least 1, got 0"),
        ("learning_rate", 0, "learning_rate must lie in"),
        ("objective", "iwa", "objective"),
        ("K", 0, "K must be at least 1"),
        ("batch_size", 0, "batch_size must be at least 1"),
    ],
)
def test_what_is_out_of_range(case, argument, value, words):
    model, x, _ = case
    with pytest.raises((ValueError, KeyError), match=words):
        evaluate.refit(model, x, **{argument: value})
    with pytest.raises(TypeError, match="latent-variable model"):
        evaluate.refit(nn.Linear(2, 2), x)
