"""Evaluation against a VAE that is an exact linear Gaussian model, against bounds on the same noise, and in memory."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, evaluate, objectives
from vaecourse.exact import LinearGaussian
from vaecourse.models import VAE

D, L = 4, 2


@pytest.fixture
def linear():
    """A VAE without hidden layers is probabilistic PCA: the model, its exact twin, data, and q's mean and std."""
    torch.manual_seed(0)
    model = VAE(D, L, hidden=(), likelihood="gaussian").double()
    model.log_noise.data.fill_(-0.3)
    twin = LinearGaussian(model.decoder[0].weight.data, math.exp(-0.6), model.decoder[0].bias.data)
    x, _ = twin.sample(7, torch.Generator().manual_seed(1))
    encoder = model.encoder[0]  # the exact posterior, half a unit off and 1.2 times as wide
    encoder.weight.data[:L] = (twin.weight @ twin.covariance / twin.noise_variance).T
    encoder.bias.data[:L] = 0.3
    encoder.weight.data[L:] = 0
    encoder.bias.data[L:] = twin.covariance.diagonal().sqrt().mul(1.2).log()
    return model, twin, x


@pytest.fixture
def vae():
    torch.manual_seed(2)
    return VAE(9, 3, hidden=(7, 6)), torch.rand(11, 9).round()


@pytest.mark.parametrize("K, chunk", [(1, 3), (6, 2), (7, 3), (5, 50)])
def test_exp_of_it_is_unbiased_for_p_of_x(linear, K, chunk):
    """E[exp(L_K)] = p(x) for every K and every chunk: a chunk counted twice, or a wrong log K, would show."""
    model, twin, x = linear
    many = x[:3].repeat(20_000, 1)
    estimates = evaluate.log_likelihood(model, many, K, torch.Generator().manual_seed(3), chunk, batch_size=4096)
    ratio = (estimates.view(-1, 3) - twin.log_likelihood(x[:3])).exp()
    assert_mean(ratio, 1.0)
    assert_not_mean(ratio, (K + 1) / K if K < 7 else 1.1)


def test_at_5000_samples_it_is_log_p(linear):
    model, twin, x = linear
    mean, log_std = model.encode(x)
    bias = twin.chi_squared(x, mean, log_std.exp()).max() / 10_000
    runs = torch.stack(
        [evaluate.log_likelihood(model, x, generator=torch.Generator().manual_seed(s)) for s in range(30)]
    )
    assert bias < 1e-3
    assert_mean(runs + bias.item(), twin.log_likelihood(x))


def test_one_chunk_is_the_iwae_bound_on_the_same_noise(vae):
    model, x = vae
    value = evaluate.log_likelihood(model, x, 13, torch.Generator().manual_seed(4), chunk=13, batch_size=11)
    with torch.no_grad():
        assert torch.equal(value, bounds.iwae(model.log_weights(x, 1, 13, torch.Generator().manual_seed(4))))


def test_chunks_are_the_iwae_bound_of_their_weights_together(vae):
    model, x = vae
    value = evaluate.log_likelihood(model, x, 13, torch.Generator().manual_seed(4), chunk=5, batch_size=4)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for start in range(0, 11, 4):
            points = x[start : start + 4]
            log_w = torch.cat([model.log_weights(points, 1, k, generator) for k in (5, 5, 3)], 1)
            torch.testing.assert_close(value[start : start + 4], bounds.iwae(log_w))


def test_each_point_is_encoded_once_and_no_gradient_is_kept(vae):
    model, x = vae
    encoded = []
    model.encoder.register_forward_hook(lambda module, given, result: encoded.append(len(given[0])))
    value = evaluate.log_likelihood(model, x, 100, chunk=7, batch_size=4)
    assert sum(encoded) == len(x) and not value.requires_grad


def test_no_more_than_a_chunk_of_a_group_is_in_the_decoder(vae):
    model, x = vae
    rows = []
    model.decoder[0].register_forward_hook(lambda module, given, result: rows.append(result[..., 0].numel()))
    for K in (50, 500):
        evaluate.log_likelihood(model, x, K, chunk=7, batch_size=4)
    assert max(rows) == 28


def test_the_mode_of_the_model_comes_back(vae):
    model, x = vae
    for mode in (True, False):
        model.train(mode)
        evaluate.log_likelihood(model, x, 3)
        assert model.training is mode
    model.train()
    with pytest.raises(ValueError):
        evaluate.log_likelihood(model, x + 1)
    assert model.training


@pytest.mark.parametrize("name", objectives.TABLE)
def test_bound_is_the_row_on_the_same_noise(vae, name):
    model, x = vae
    value = evaluate.bound(model, x, name, M=3, K=2, generator=torch.Generator().manual_seed(5), batch_size=11)
    with torch.no_grad():
        log_w = model.log_weights(x, 3, 2, torch.Generator().manual_seed(5))
    assert torch.equal(value, objectives.get(name).value(log_w))
    assert evaluate.bound(model, x, name, M=3, K=2, batch_size=4).shape == (11,)


def test_the_bound_of_an_exact_model_is_its_elbo(linear):
    model, twin, x = linear
    mean, log_std = model.encode(x)
    noise = torch.Generator().manual_seed(6)
    runs = torch.stack([evaluate.bound(model, x, generator=noise) for _ in range(500)])
    assert_mean(runs, twin.elbo(x, mean, log_std.exp()))
    assert_not_mean(runs, twin.log_likelihood(x))


def test_active_units_are_those_whose_mean_moves():
    """Three units: one follows x, one moves with variance below the threshold, one stands still."""
    model = VAE(3, 3, hidden=())
    x = torch.rand(5000, 3, generator=torch.Generator().manual_seed(7)).round()  # variance 1/4 each
    model.encoder[0].weight.data = torch.cat([torch.diag(torch.tensor([1.0, 0.18, 0.0])), torch.ones(3, 3)])
    variance = x.var(0) * torch.tensor([1.0, 0.18**2, 0.0])
    torch.testing.assert_close(evaluate.activity(model, x, batch_size=37), variance)
    assert evaluate.active_units(model, x) == 1
    assert evaluate.active_units(model, x, threshold=0.005) == 2
    assert evaluate.active_units(model, x, threshold=0.0) == 2


def test_mutual_information_is_that_of_the_mixture(linear):
    """Against torch.distributions: the mean over points of KL(q(z | x_b) || q(z)), each KL by many draws."""
    model, _, x = linear
    mean, log_std = (part.detach() for part in model.encode(x))
    parts = Independent(Normal(mean, log_std.exp()), 1)
    whole = MixtureSameFamily(Categorical(torch.ones(len(x))), parts)
    torch.manual_seed(8)
    z = parts.sample((20_000,))
    draws = (parts.log_prob(z) - whole.log_prob(z)).mean(1)
    truth, error = draws.mean(), draws.std() / len(draws) ** 0.5
    noise = torch.Generator().manual_seed(9)
    runs = torch.tensor([evaluate.mutual_information(model, x, 10, noise, batch_size=3) for _ in range(100)])
    z_score = (runs.mean() - truth) / (error**2 + runs.var() / len(runs)).sqrt()
    assert z_score.abs() < 4
    assert_not_mean(runs, truth + 0.1)


def test_mutual_information_from_nothing_to_log_B():
    model = VAE(3, 2, hidden=())
    x = torch.eye(3)
    model.encoder[0].weight.data.zero_()
    assert abs(evaluate.mutual_information(model, x)) < 1e-12  # the same q for every x
    model.encoder[0].weight.data[:2] = 50 * torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    assert abs(evaluate.mutual_information(model, x) - math.log(3)) < 1e-9  # q's that never meet: log B


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda m, x: evaluate.log_likelihood(m, x, K=0), ValueError, "K must be at least 1, got 0"),
        (lambda m, x: evaluate.log_likelihood(m, x, K=1.5), TypeError, "K must be a whole number, got 1.5"),
        (lambda m, x: evaluate.log_likelihood(m, x, chunk=0), ValueError, "chunk must be at least 1, got 0"),
        (lambda m, x: evaluate.log_likelihood(m, x, batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
        (
            lambda m, x: evaluate.log_likelihood(m, x[0]),
            ValueError,
            r"x must have the 2 axes \[B, D\], got shape \[9\]",
        ),
        (lambda m, x: evaluate.log_likelihood(m, x[:, :5]), ValueError, r"x must have data_dim = 9.*\[11, 5\]"),
        (lambda m, x: evaluate.log_likelihood(m, 2 * x), ValueError, r"x must lie in \[0, 1\].*to 2"),
        (lambda m, x: evaluate.log_likelihood(m, x / 0), ValueError, "x contains NaN"),
        (lambda m, x: evaluate.bound(m, x, "iwea"), ValueError, "objective must be .*'iwea'.*'iwae'"),
        (lambda m, x: evaluate.bound(m, x, M=0), ValueError, "M must be at least 1, got 0"),
        (lambda m, x: evaluate.bound(m, x, K=0), ValueError, "K must be at least 1, got 0"),
        (lambda m, x: evaluate.active_units(m, x, -1), ValueError, r"threshold must lie in \[0, inf\), got -1"),
        (lambda m, x: evaluate.active_units(m, x[:1]), ValueError, "x must hold at least 2 points.*got 1"),
        (lambda m, x: evaluate.mutual_information(m, x, 0), ValueError, "samples must be at least 1, got 0"),
    ],
)
def test_bad_input_is_told(vae, call, error, said):
    with pytest.raises(error, match=said):
        call(*vae)
