"""A model with a way of drawing of its own: what trains, what evaluates and what measures it draw the same z."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal
from torch.utils.checkpoint import checkpoint

from tests.stats import assert_mean
from vaecourse import evaluate, gradients, infovae, models, objectives
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE, DeepLatentVariableModel

B, D, L = 5, 6, 2
X = (torch.rand(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) < 0.5).double()


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def wide(model, x, eps, keeps_score):
    """z three times as far from the mean as the encoder says."""
    mean, log_std = model.encode(x)
    log_std = log_std + math.log(3)
    z = mean + log_std.exp() * eps
    mean, log_std = (mean, log_std) if keeps_score else (mean.detach(), log_std.detach())
    return z, Normal(mean, log_std.exp()).log_prob(z).sum(-1)


class OwnDraw(VAE):
    def draw(self, x, eps, keeps_score=True):
        return wide(self, x, eps, keeps_score)


class OwnPropose(VAE):
    def propose(self, x, M, K, keeps_score=True, generator=None):
        return wide(self, x, self.noise(x, M, K, generator), keeps_score)


class OwnNoise(VAE):
    """Antithetic pairs."""

    def noise(self, x, M, K, generator=None):
        half = super().noise(x, M, K // 2, generator)
        return torch.cat([half, -half], 1)


class Around(nn.Linear):
    def forward(self, y):
        return Independent(Normal(super().forward(y), 1.0), 1)


class Composed(DeepLatentVariableModel):
    def propose(self, x, M, K, keeps_score=True, generator=None):
        mean = self.posterior(x).mean
        z = mean + 3 * torch.randn(M, K, *mean.shape, dtype=x.dtype, generator=generator)
        return z, Independent(Normal(mean if keeps_score else mean.detach(), 3.0), 1).log_prob(z)


class Alone(LatentVariableModel):
    """What training needs and no more."""

    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(D, L)

    def propose(self, x, M, K, keeps_score=True, generator=None):
        mean = self.mean(x)
        z = mean + torch.randn(M, K, *mean.shape, dtype=x.dtype, generator=generator)
        return z, Normal(mean if keeps_score else mean.detach(), 1.0).log_prob(z).sum(-1)

    def log_joint(self, x, z):
        return Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z.sum(-1, keepdim=True), 1.0).log_prob(x).sum(-1)


class Named(Alone):
    def theta(self):
        return {}

    def phi(self):
        return dict(self.named_parameters())


OWN = {
    "draw": lambda: OwnDraw(D, L, (7,)),
    "propose": lambda: OwnPropose(D, L, (7,)),
    "noise": lambda: OwnNoise(D, L, (7,)),
    "composed": lambda: Composed(Around(L, D), Around(D, L)),
    "propose alone": Named,
}


@pytest.fixture(params=OWN)
def model(request):
    torch.manual_seed(2)
    return OWN[request.param]().double()


def test_it_is_evaluated_with_the_samples_it_is_trained_with(model):
    """The same seed gives the same bound: own ``draw`` was 46 nats off, as ``encode`` was asked in its place."""
    assert models.check(model, X, 2, 4) == []
    for name in ("elbo", "iwae", "miwae"):
        trained = objectives.estimate(model, X, name, 2, 4, seeded()).bound
        torch.testing.assert_close(evaluate.bound(model, X, name, 2, 4, seeded()), trained)
    trained = objectives.estimate(model, X, "iwae", 1, 8, seeded()).bound
    torch.testing.assert_close(evaluate.log_likelihood(model, X, 8, seeded()), trained)


def test_its_signal_to_noise_is_that_of_its_gradients(model):
    found = gradients.signal_to_noise(model, X, "dreg", 1, 4, draws=5, generator=seeded(), chunk=2)
    generator, rows = seeded(), []
    for _ in range(5):
        model.zero_grad()
        objectives.backward(model, X, "dreg", 1, 4, generator)
        halves = [half.values() for half in (model.theta(), model.phi())]
        rows.append([torch.cat([X[:0, 0], *(p.grad.flatten() for p in half)]) for half in halves])
    for ratio, row in zip(found, zip(*rows, strict=True), strict=True):
        row = torch.stack(row)
        assert ratio.shape == row[0].shape
        if len(ratio):
            torch.testing.assert_close(ratio, row.mean(0).abs() / row.std(0), equal_nan=True)


@pytest.mark.parametrize("kind", [OwnDraw, OwnPropose])
def test_infovae_draws_with_it_too(kind):
    torch.manual_seed(2)
    model = kind(D, L, (7,)).double()
    terms = infovae.InfoVAE("mmd-imq").backward(model, X, seeded(), M=3)
    z, log_q = model.propose(X, 3, 1, generator=seeded())
    torch.testing.assert_close(terms.rate, (log_q - model.prior.log_prob(z)).mean((0, 1)).detach())
    with pytest.raises(TypeError, match="a draw of its own"):
        infovae.InfoVAE("kl-minibatch", lambda_=2.0).backward(model, X, seeded())


def test_a_draw_that_is_put_on_the_instance_counts_too():
    torch.manual_seed(2)
    model = VAE(D, L, (7,)).double()
    model.draw = lambda x, eps, keeps_score=True: wide(model, x, eps, keeps_score)
    trained = objectives.estimate(model, X, "elbo", 2, 4, seeded()).bound
    torch.testing.assert_close(evaluate.bound(model, X, "elbo", 2, 4, seeded()), trained)


def test_the_elbo_of_an_own_propose_is_unbiased():
    """Against the integral over z, which a standard normal prior and a Gaussian likelihood allow."""
    model = Named().double()
    mean = model.mean(X[:1])
    s = mean.sum()
    exact = L / 2 - 0.5 * (mean.square().sum() + L) + Normal(0.0, 1.0).log_prob(X[:1] - s).sum() - 0.5 * D * L
    assert_mean(
        evaluate.bound(model, X[:1].expand(20_000, D), "elbo", generator=seeded(), batch_size=20_000), exact.item()
    )


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("model must have theta", lambda: gradients.signal_to_noise(Alone().double(), X, "dreg", 1, 2, draws=2)),
        ("model must have theta", lambda: Alone().theta()),
        ("model must have phi", lambda: Alone().phi()),
        ("model must have draw.*or propose", lambda: LatentVariableModel().draw(X, X)),
        ("model must have noise.*or propose", lambda: objectives.loss(LatentVariableModel(), X, "iwae", 1, 2)),
        ("model must have log_joint", lambda: LatentVariableModel().log_joint(X, X)),
    ],
)
def test_what_a_model_lacks_is_said(words, call):
    with pytest.raises(NotImplementedError, match=words):
        call()


def test_check_says_what_a_model_lacks_and_looks_on():
    assert objectives.loss(Alone().double(), X, "dreg", 1, 2).isfinite()
    (said,) = models.check(Alone().double(), X)
    assert "model must have theta" in said
    assert evaluate.bound(Alone().double(), X, "iwae", K=3).shape == (B,)


class Forgot(VAE):
    def draw(self, x, eps, keeps_score=True):
        return super().draw(x, eps)


def test_signal_to_noise_sees_a_score_term_that_is_still_there():
    """Under vmap nobody can look: the first estimate is taken alone."""
    with pytest.raises(ValueError, match="hold the parameters of q fixed"):
        gradients.signal_to_noise(Forgot(D, L, (7,)).double(), X, "dreg", 1, 4, draws=4)
    gradients.signal_to_noise(Forgot(D, L, (7,)).double(), X, "iwae", 1, 4, draws=4)


class Pixels(nn.Module):
    """A likelihood under activation checkpointing."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(L, 4), nn.Tanh(), nn.Linear(4, D))

    def forward(self, z):
        return Independent(Normal(checkpoint(self.network, z, use_reentrant=False), 1.0), 1)


def test_signal_to_noise_with_frozen_weights_under_a_checkpoint():
    """The way back asks the network once more, and must find the same weights in it."""
    torch.manual_seed(2)
    model = DeepLatentVariableModel(Pixels(), Around(D, L)).double()
    free = gradients.signal_to_noise(model, X, "iwae", 1, 4, draws=3, generator=seeded())
    model.likelihood.network[0].requires_grad_(False)
    frozen = gradients.signal_to_noise(model, X, "iwae", 1, 4, draws=3, generator=seeded())
    torch.testing.assert_close(frozen, free, equal_nan=True)
