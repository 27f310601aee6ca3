"""Priors that learn: densities against torch.distributions and by enumeration, both bounds on their sides, training."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tests.stats import assert_mean, assert_not_mean
from vaecourse import checkpoint, evaluate, objectives, train
from vaecourse.models import VAE, check, mlp
from vaecourse.priors import AggregatePosterior, VampPrior, mixture_log_prob

M, K, B, L, N, D = 3, 4, 5, 2, 7, 9
X = torch.rand(B, D, generator=torch.Generator().manual_seed(1)).round()


def new_model(seed=0, pseudo=N, **changes):
    torch.manual_seed(seed)
    encoder = mlp([D, 6, 2 * L])
    prior = VampPrior(encoder, torch.rand(pseudo, D))
    return VAE(D, L, **({"hidden": (6,)} | changes), encoder=encoder, prior=prior)


def components(n=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean = 1.5 * torch.randn(n, L, generator=generator, dtype=torch.float64)
    return mean, 0.4 * torch.randn(n, L, generator=generator, dtype=torch.float64) - 0.3


def reference(mean, log_std):
    return MixtureSameFamily(
        Categorical(logits=torch.zeros(len(mean), dtype=mean.dtype)), Independent(Normal(mean, log_std.exp()), 1)
    )


def test_the_density_of_a_mixture_is_that_of_torch():
    mean, log_std = components()
    z = torch.randn(M, K, B, L, dtype=torch.float64)
    torch.testing.assert_close(mixture_log_prob(z, mean, log_std), reference(mean, log_std).log_prob(z))


def test_a_mixture_integrates_to_one_and_has_no_ghost_modes():
    """A known fault: a logsumexp for each dimension puts mass at the corners that no component has."""
    mean = torch.tensor([[3.0, 3.0], [-3.0, -3.0]], dtype=torch.float64)
    log_std = torch.full_like(mean, -0.7)
    side = torch.linspace(-8, 8, 401, dtype=torch.float64)
    z = torch.cartesian_prod(side, side)
    area = (side[1] - side[0]) ** 2
    assert (mixture_log_prob(z, mean, log_std).exp().sum() * area).item() == pytest.approx(1, abs=1e-9)
    corner = torch.tensor([[3.0, -3.0]], dtype=torch.float64)
    per_dimension = Normal(mean, log_std.exp()).log_prob(corner.unsqueeze(-2)).logsumexp(-2).sum(-1) - math.log(4)
    assert per_dimension.item() > -2.5  # the fault: as likely as the modes themselves, and normalised, too
    assert mixture_log_prob(corner, mean, log_std).item() < -70


def test_the_prior_is_the_mixture_of_the_encoders_answers():
    model = new_model().double()
    z = torch.randn(M, K, B, L, dtype=torch.float64)
    mean, log_std = model.encode(model.prior.inputs.detach())
    torch.testing.assert_close(model.prior.log_prob(z), reference(mean, log_std).log_prob(z))
    difference = model.log_joint(X.double(), z) - model.log_likelihood(X.double(), z)
    torch.testing.assert_close(difference, reference(mean, log_std).log_prob(z))


def test_samples_of_the_prior_have_its_moments():
    prior = new_model(pseudo=3).double().prior
    with torch.no_grad():
        prior.inputs.mul_(8)  # components that lie apart
        mean, log_std = prior.components()
        z = prior.sample(20_000, torch.zeros(L, dtype=torch.float64), torch.Generator().manual_seed(0))
    assert z.dtype == torch.float64
    assert_mean(z, mean.mean(0))
    assert_mean(z.square(), (mean.square() + (2 * log_std).exp()).mean(0))
    assert_not_mean(z.square(), mean.square().mean(0))


def test_theta_has_the_pseudo_inputs_and_phi_the_encoder():
    model = new_model()
    assert "prior.inputs" in model.theta() and set(model.phi()) == {
        f"encoder.{i}.{p}" for i in (0, 2) for p in ("weight", "bias")
    }
    assert sorted([*model.theta(), *model.phi()]) == sorted(name for name, _ in model.named_parameters())
    assert [name for name in model.state_dict() if name.startswith("prior.")] == ["prior.inputs"]


def test_a_copy_of_the_model_looks_at_its_own_encoder():
    model = new_model()
    other = copy.deepcopy(model).double()
    with torch.no_grad():
        other.encoder[0].weight.zero_()
    assert other.prior.components()[0].dtype == torch.float64
    assert model.prior.components()[0].std(0).min() > 0 and other.prior.components()[0].std(0).max() == 0


@pytest.mark.parametrize("objective", ["elbo", "iwae", "miwae"])
def test_gradient_is_that_of_the_bound(objective):
    """Autograd through the reducer, prior included: the encoder's gradient has both its parts."""
    model = new_model().double()
    objectives.backward(model, X.double(), objective, M, K, torch.Generator().manual_seed(3))
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    log_w = model.log_weights(X.double(), M, K, torch.Generator().manual_seed(3))
    (-objectives.get(objective).value(log_w).mean()).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad)
        assert found[name].abs().max() > 0


def test_doubly_reparameterised_gradient_has_the_mean_of_the_plain_one():
    """The encoder's part through log p(z) must keep theta's weights: with phi's it would lose most of itself."""
    runs, x = 200, X[:1].double().expand(40, D)  # every run is the mean of 40 independent estimates
    torch.manual_seed(2)
    encoder = mlp([D, 2])
    model = VAE(D, 1, (), encoder=encoder, prior=VampPrior(encoder, torch.rand(2, D))).double()
    gradients = {}
    for name in ("iwae", "dreg"):
        generator, rows = torch.Generator().manual_seed(4), []
        for _ in range(runs):
            model.zero_grad()
            objectives.backward(model, x, name, 1, K, generator)
            rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        gradients[name] = torch.stack(rows)
    one, other = gradients["iwae"], gradients["dreg"]
    difference, error = one.mean(0) - other.mean(0), ((one.var(0) + other.var(0)) / runs).sqrt()
    assert (difference.abs() <= 4 * error + 1e-12).all()
    assert (one.mean(0).abs() > 8 * error).any()


def exact_bounds(log_q, kind):
    """E U_1 or E L_2 at one z by enumeration. Shapes: ``[N] -> number``."""
    n = len(log_q)
    own, total = log_q.softmax(0), 0.0
    for i, j in itertools.product(range(n), repeat=2):
        weight = (own[i] if kind == "upper" else 1 / n) / n
        total += weight * (torch.logaddexp(log_q[i], log_q[j]) - math.log(2))
    return total


def test_both_bounds_have_the_means_that_enumeration_gives():
    mean, log_std = components(3)
    q = AggregatePosterior(mean, log_std)
    z = torch.tensor([0.3, -0.8], dtype=torch.float64)
    log_q = Independent(Normal(mean, log_std.exp()), 1).log_prob(z)
    runs = 40_000
    points = z.expand(runs, L)
    generator = torch.Generator().manual_seed(0)
    index = torch.multinomial(log_q.softmax(0), runs, replacement=True, generator=generator)  # psi_0 given this z
    upper, lower = q.upper_bound(points, index, 1, generator), q.lower_bound(points, 2, generator)
    assert_mean(upper, exact_bounds(log_q, "upper"))
    assert_mean(lower, exact_bounds(log_q, "lower"))
    assert exact_bounds(log_q, "lower") < q.log_prob(z) < exact_bounds(log_q, "upper")
    assert_not_mean(upper, q.log_prob(z))
    assert_not_mean(lower, q.log_prob(z))
    without = q.log_ratios(points, index, 2, generator)[1:].logsumexp(0) - math.log(2)  # a known fault: psi_0 dropped
    assert_not_mean(without, exact_bounds(log_q, "upper"))


def test_bounds_close_on_the_density_from_both_sides():
    q = AggregatePosterior(*components(40))
    z, index = q.sample(20_000, torch.Generator().manual_seed(0))
    truth = q.log_prob(z)
    above, below = [], []
    for k in (1, 5, 40):
        above.append(q.upper_bound(z, index, k, torch.Generator().manual_seed(k)) - truth)
        below.append(truth - q.lower_bound(z, k, torch.Generator().manual_seed(k)))
    for gaps in (above, below):
        means = [gap.mean().item() for gap in gaps]
        assert means[0] > means[1] > means[2] > 0
        assert_not_mean(gaps[-1], 0.0)
    own = Independent(Normal(q.mean[index], q.log_std[index].exp()), 1).log_prob(z)
    torch.testing.assert_close(q.upper_bound(z, index, 0), own)  # K = 0: only the component that made z


def test_only_the_lower_bound_may_be_a_prior():
    """On a model whose log p(x) is exact, an upper bound of log p(z) lifts the 'ELBO' above it."""
    mean = torch.tensor([[-2.0], [2.0]], dtype=torch.float64)
    prior = AggregatePosterior(mean, torch.zeros(2, 1, dtype=torch.float64))
    noise, x = 0.5, torch.tensor([0.7], dtype=torch.float64)  # x | z ~ N(z, noise)
    truth = mixture_log_prob(x, mean, torch.full((2, 1), 0.5 * math.log(1 + noise), dtype=torch.float64))
    responsible = Normal(mean[:, 0], math.sqrt(1 + noise)).log_prob(x).softmax(0)
    runs, generator = 40_000, torch.Generator().manual_seed(0)
    own = torch.multinomial(responsible, runs, replacement=True, generator=generator)
    center = (mean[own, 0] * noise + x) / (1 + noise)  # z from the exact posterior: the ELBO would be log p(x)
    z = (center + math.sqrt(noise / (1 + noise)) * torch.randn(runs, generator=generator, dtype=torch.float64))[:, None]
    posterior = prior.log_prob(z) + Normal(x, math.sqrt(noise)).log_prob(z)[:, 0] - truth
    made = torch.multinomial(Normal(mean[:, 0], 1.0).log_prob(z).softmax(1), 1, generator=generator)[:, 0]
    rest = Normal(x, math.sqrt(noise)).log_prob(z)[:, 0] - posterior
    with_upper, with_lower = prior.upper_bound(z, made, 1, generator) + rest, prior.lower_bound(z, 2, generator) + rest
    torch.testing.assert_close(prior.log_prob(z) + rest, truth.expand(runs))
    assert with_lower.mean() < truth - 0.05
    assert with_upper.mean() > truth + 0.05
    assert_not_mean(with_upper, truth)


def run(model, **options):
    data = torch.rand(45, D, generator=torch.Generator().manual_seed(0))
    given = {"M": 2, "K": 3, "epochs": 4, "batch_size": 10, "progress": False, "device": "cpu", "held_out": data[:11]}
    return model, train.fit(model, data, "piwae", **(given | options))


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("stop", [1, 3])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, stop):
    whole, history = run(new_model())
    assert not same(whole, new_model()) and not torch.equal(whole.prior.inputs, new_model().prior.inputs)
    run(new_model(), epochs=stop, checkpoint=tmp_path / "file")
    model = new_model()
    nn.init.zeros_(model.prior.inputs)  # what the model was before does not count
    _, parts = run(model, checkpoint=tmp_path / "file")
    assert same(whole, model)
    assert parts.train == history.train and parts.held_out == history.held_out
    tensors, _ = checkpoint.read(tmp_path / "file")
    assert [name for name in tensors if name.startswith("model.prior")] == ["model.prior.inputs"]
    with pytest.raises(ValueError, match="networks, a prior or a class of its own"):
        train.load(tmp_path / "file")


def test_log_likelihood_by_samples_is_that_by_quadrature():
    torch.manual_seed(0)
    encoder = mlp([D, 2])
    nn.init.zeros_(encoder[-1].weight[1])  # one width for all: no weight has an infinite variance
    model = VAE(D, 1, (4,), encoder=encoder, prior=VampPrior(encoder, torch.rand(N, D))).double()
    z = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        truth = torch.trapezoid(model.log_joint(X.double(), z.expand(-1, B, 1)).exp(), z[:, 0, 0], dim=0).log()
        log_w = model.log_weights(X.double(), 4000, 1, torch.Generator().manual_seed(0))[:, 0]
    assert_mean((log_w - truth).exp(), 1.0)
    estimate = evaluate.log_likelihood(model, X.double(), K=20_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(estimate, truth, rtol=0, atol=0.05)


def test_bad_input():
    encoder = mlp([D, 2 * L])
    with pytest.raises(TypeError, match="encoder must be the VAE's own encoder"):
        VampPrior(None, torch.rand(N, D))
    with pytest.raises(ValueError, match="inputs"):
        VampPrior(encoder, torch.rand(D))
    with pytest.raises(ValueError, match="log_std must have the shape of mean"):
        AggregatePosterior(torch.zeros(N, L), torch.zeros(N, 1))
    q = AggregatePosterior(torch.zeros(N, L), torch.zeros(N, L))
    for bad in (lambda: q.upper_bound(torch.zeros(L), torch.tensor(0), -1), lambda: q.lower_bound(torch.zeros(L), 0)):
        with pytest.raises(ValueError, match="K must be at least"):
            bad()


def test_codes_of_another_width_do_not_broadcast():
    q, narrow = AggregatePosterior(torch.zeros(N, L), torch.zeros(N, L)), torch.zeros(B, 1)
    encoder = mlp([D, 2 * L])
    for density in (q.log_prob, lambda z: q.lower_bound(z, K), lambda z: q.upper_bound(z, torch.zeros(B).long(), K),
                    VampPrior(encoder, torch.rand(N, D)).log_prob):  # fmt: skip
        with pytest.raises(ValueError, match=r"z must have L = 2 as its last axis, got shape \[5, 1\]"):
            density(narrow)


def test_the_aggregate_posterior_of_a_model():
    model = VAE(D, L, (6,))
    q = AggregatePosterior.of(model, X)
    mean, log_std = model.encode(X)
    assert torch.equal(q.mean, mean) and torch.equal(q.log_std, log_std) and not q.mean.requires_grad
    assert q.sample(3)[0].shape == (3, L)


def test_check_notices_a_prior_that_looks_at_another_encoder():
    model = new_model()
    assert check(model, X) == []
    other = VAE(D, L, encoder=model.encoder, prior=VampPrior(copy.deepcopy(model.encoder), X))
    (said,) = check(other, X)
    assert "prior looks at an encoder that is not the model's" in said


def test_the_aggregate_posterior_is_that_of_the_model_in_evaluation_mode():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(D, 30), nn.Dropout(0.5), nn.Linear(30, 2 * L))
    model = VAE(D, L, encoder=encoder)
    encoder[0].eval()
    before = [layer.training for layer in model.modules()]
    q = AggregatePosterior.of(model, X)
    assert [layer.training for layer in model.modules()] == before
    assert torch.equal(q.mean, model.eval().encode(X)[0])
