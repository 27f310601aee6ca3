"""Models put together from parts: against the VAE, against gradients written out, and what ``check`` finds."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, TransformedDistribution
from torch.distributions.transforms import AffineTransform, TanhTransform

from vaecourse import arguments, evaluate, gradients, inspection, models, objectives
from vaecourse.models import DeepLatentVariableModel, OverSamples

M, K, B, D, L = 3, 4, 5, 6, 2
X = torch.rand(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


class Gaussian(nn.Module):
    """q(z | x) or p(x | z): a diagonal Gaussian about a network's output."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, y):
        mean, log_std = self.network(y).chunk(2, -1)
        return Independent(Normal(mean, log_std.exp()), 1)


class Pixels(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, z):
        return Independent(Bernoulli(logits=self.network(z), validate_args=False), 1)


class Chain(nn.Module):
    """Two stochastic layers: q(z1 | x) q(z2 | z1), and z is the pair."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Gaussian(nn.Linear(D, 2 * L)), Gaussian(nn.Linear(L, 2 * 3))

    def forward(self, x):
        return Pair(self.first(x), self.second)


class Pair:
    def __init__(self, first, second):
        self.first, self.second = first, second

    def rsample(self, shape):
        one = self.first.rsample(shape)
        return one, self.second(one).rsample()

    def log_prob(self, z):
        return self.first.log_prob(z[0]) + self.second(z[0]).log_prob(z[1])


class Top(nn.Module):
    """p(z2) p(z1 | z2)."""

    def __init__(self):
        super().__init__()
        self.given = Gaussian(nn.Linear(3, 2 * L))

    def log_prob(self, z):
        return Normal(0.0, 1.0).log_prob(z[1]).sum(-1) + self.given(z[1]).log_prob(z[0])


class Below(Pixels):
    def forward(self, z):
        return super().forward(z[0])


class Squashed(nn.Module):
    """A flow: a Gaussian, through a learned affine map and a tanh."""

    def __init__(self):
        super().__init__()
        self.base = Gaussian(nn.Linear(D, 2 * L))
        self.scale = nn.Parameter(torch.tensor([0.7, 1.3]))

    def forward(self, x):
        moved = AffineTransform(0.1, self.scale.exp(), event_dim=1)
        return TransformedDistribution(self.base(x), [moved, TanhTransform(cache_size=1), AffineTransform(0.0, 3.0, 1)])


class Correlated(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean, self.factor = nn.Linear(D, L), nn.Parameter(torch.tensor([[0.6, 0.0], [0.3, 0.8]]))

    def forward(self, x):
        return MultivariateNormal(self.mean(x), scale_tril=self.factor.tril())


def decoder():
    return Pixels(nn.Sequential(nn.Linear(L, 7), nn.Tanh(), nn.Linear(7, D)))


KINDS = {
    "gaussian": lambda: DeepLatentVariableModel(decoder(), Gaussian(nn.Linear(D, 2 * L))),
    "dropout": lambda: DeepLatentVariableModel(
        decoder(), Gaussian(nn.Sequential(nn.Linear(D, 9), nn.Dropout(0.4), nn.Linear(9, 2 * L)))
    ),
    "flow": lambda: DeepLatentVariableModel(decoder(), Squashed()),
    "correlated": lambda: DeepLatentVariableModel(decoder(), Correlated()),
    "two layers": lambda: DeepLatentVariableModel(Below(nn.Linear(L, D)), Chain(), Top()),
    "two likelihood axes": lambda: DeepLatentVariableModel(
        Gaussian(nn.Linear(L, 2 * D)), Gaussian(nn.Linear(D, 2 * L)), Independent(Normal(torch.zeros(L), 1.0), 1)
    ),
}


@pytest.fixture(params=KINDS)
def model(request):
    torch.manual_seed(3)
    return KINDS[request.param]().double()


def test_nothing_is_wrong_with_them(model):
    assert models.check(model, X) == []


@pytest.mark.parametrize("name", objectives.TABLE)
def test_the_gradient_is_the_row_written_out(model, name):
    """b (log p - log q) for phi and a log p for theta, with phi held fixed in log q where the row asks for it."""
    row = objectives.get(name)
    model.zero_grad()
    objectives.loss(model, X, row, M, K, seeded()).backward()
    z, log_q = model.propose(X, M, K, row.keeps_score, seeded())
    log_p = model.log_joint(X, z)
    log_w = (log_p - log_q).detach()
    theta, phi = list(model.theta().values()), list(model.phi().values())
    by_theta = torch.autograd.grad(-(row.theta_weights(log_w) * log_p).sum() / B, theta, retain_graph=True)
    by_phi = torch.autograd.grad(-(row.phi_weights(log_w) * (log_p - log_q)).sum() / B, phi, allow_unused=True)
    for parameter, gradient in zip(theta + phi, by_theta + by_phi):
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter) if gradient is None else gradient)
    assert any(p.grad.abs().max() > 1e-4 for p in phi)


def test_a_fixed_phi_changes_no_value_and_leaves_only_the_path(model):
    (z, kept), (_, fixed) = (model.propose(X, M, K, keeps, seeded()) for keeps in (True, False))
    torch.testing.assert_close(kept, fixed, rtol=1e-10, atol=1e-10)
    parts = z if isinstance(z, tuple) else (z,)
    assert not any(part.requires_grad for part in parts) or fixed.requires_grad


def test_it_is_the_vae_of_the_same_networks():
    torch.manual_seed(4)
    vae = models.VAE(D, L, hidden=(7,)).double()
    composed = DeepLatentVariableModel(Pixels(vae.decoder), Gaussian(vae.encoder))
    z, log_q = composed.propose(X, M, K, True, seeded())
    mean, log_std = vae.encode(X)
    eps = (z - mean) / log_std.exp()
    torch.testing.assert_close(composed.log_joint(X, z) - log_q, vae.weigh(X)(eps))
    assert set(composed.phi()) == {f"posterior.network.{n}" for n, _ in vae.encoder.named_parameters()}
    assert set(composed.theta()) == {f"likelihood.network.{n}" for n, _ in vae.decoder.named_parameters()}


def test_a_generator_makes_it_again_and_leaves_the_global_one():
    model = KINDS["dropout"]()
    x = X.float()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, other = (model.log_weights(x, M, K, seeded()) for _ in range(2))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    generator = seeded()
    first, second = (model.log_weights(x, M, K, generator) for _ in range(2))
    assert not torch.equal(first, second)


def test_images_of_any_shape_and_a_network_that_knows_one_batch_axis():
    class Images(nn.Module):
        def __init__(self):
            super().__init__()
            layers = nn.Unflatten(-1, (4, 2, 2)), nn.ConvTranspose2d(4, 1, 3, stride=2)
            self.network = OverSamples(nn.Sequential(nn.Linear(L, 16), *layers))

        def forward(self, z):
            return Independent(Bernoulli(logits=self.network(z)), 3)

    see = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(27, 2 * L))
    model = DeepLatentVariableModel(Images(), Gaussian(see)).double()
    x = (torch.rand(B, 1, 5, 5, generator=seeded()) > 0.5).double()
    assert models.check(model, x) == []
    assert objectives.backward(model, x, "dreg", M, K).shape == (B,)
    one = torch.cat([model.log_weights(x[i : i + 1], 1, 1, seeded()) for i in range(2)], -1)
    assert one.shape == (1, 1, 2)


def test_x_may_be_a_pair():
    class Masked(nn.Module):
        """p(x observed | z)."""

        def __init__(self):
            super().__init__()
            self.network = nn.Linear(L, D)

        def log_prob(self, x, z):
            return (Normal(self.network(z), 1.0).log_prob(x[0]) * x[1]).sum(-1)

    class Seen(Gaussian):
        def forward(self, x):
            return super().forward(x[0] * x[1])

    model = DeepLatentVariableModel(Masked(), Seen(nn.Linear(D, 2 * L))).double()
    seen = (torch.rand(B, D, generator=seeded()) > 0.3).double()
    assert models.check(model, (X, seen)) == []
    assert objectives.backward(model, (X, seen), "miwae", M, K).shape == (B,)


class Flattens(Pixels):
    def forward(self, z):
        return super().forward(z.reshape(-1, L))


class Sums(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Linear(L, D)

    def log_prob(self, x, z):
        return Normal(self.network(z), 1.0).log_prob(x).sum((-1, -3))[:, None]  # [M, 1, B]: broadcasts


class Discrete(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Linear(D, L)

    def forward(self, x):
        return Independent(Bernoulli(logits=self.network(x)), 1)


class Unmoved(models.VAE):
    """Forgets to hold phi fixed."""

    def draw(self, x, eps, keeps_score=True):
        return super().draw(x, eps)


def test_check_says_what_is_wrong():
    gaussian = Gaussian(nn.Linear(D, 2 * L))
    x = X.float()
    batchnorm = nn.Sequential(OverSamples(nn.BatchNorm1d(L)), nn.Linear(L, D))
    spare = models.VAE(D, L)
    spare.phi = dict
    cases = {
        r"got shapes \[2, 1, 5\] and \[2, 3, 5\].*OverSamples": DeepLatentVariableModel(Sums(), gaussian),
        r"got shapes \[30\] and \[2, 3, 5\].*OverSamples": DeepLatentVariableModel(Flattens(nn.Linear(L, D)), gaussian),
        "rsample": DeepLatentVariableModel(Pixels(nn.Linear(L, D)), Discrete()),
        "hold the parameters of q fixed": Unmoved(D, L),
        "samples meet.*BatchNorm|samples meet.*in train mode": DeepLatentVariableModel(Pixels(batchnorm), gaussian),
        "neither in theta nor in phi": spare,
        "prior must be given": DeepLatentVariableModel(Below(nn.Linear(L, D)), Chain()),
    }
    for words, model in cases.items():
        with pytest.raises(AssertionError, match=words):
            assert not models.check(model, x), " ".join(models.check(model, x))
    normalised = DeepLatentVariableModel(Pixels(batchnorm), gaussian)
    before = [buffer.clone() for buffer in normalised.buffers()]
    models.check(normalised, x)
    assert all(torch.equal(one, other) for one, other in zip(before, normalised.buffers()))
    assert models.check(normalised.eval(), x) == []


def test_bad_parts_are_refused():
    gaussian = Gaussian(nn.Linear(D, 2 * L))
    with pytest.raises(TypeError, match="likelihood must be a torch.nn.Module, got function"):
        DeepLatentVariableModel(lambda z: z, gaussian)
    with pytest.raises(TypeError, match="posterior must be a torch.nn.Module, got Normal"):
        DeepLatentVariableModel(decoder(), Normal(0.0, 1.0))
    with pytest.raises(TypeError, match="prior must have log_prob, or be a module"):
        DeepLatentVariableModel(decoder(), gaussian, prior=3)
    with pytest.raises(ValueError, match="K must be at least 1"):
        objectives.loss(DeepLatentVariableModel(decoder(), gaussian), X.float(), "iwae", 2, 0)
    with pytest.raises(TypeError, match="model must be a LatentVariableModel, got Linear"):
        models.check(nn.Linear(2, 2), X)
    with pytest.raises(ValueError, match="hold the parameters of q fixed"):
        objectives.loss(Unmoved(D, L), X.float(), "dreg", M, K)
    with pytest.raises(arguments.NotFinite, match="log_w is -inf for all K samples of point 2 .m = 1"):
        log_p = torch.zeros(M, K, B)
        log_p[1, :, 2] = -torch.inf
        objectives.surrogate(log_p, torch.zeros(M, K, B), torch.zeros(M, K, B, L), "miwae")


def test_a_learned_prior_is_called_and_trained():
    class Bumps(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = nn.Parameter(torch.zeros(L))

        def forward(self):
            return Independent(Normal(self.mean, 1.0), 1)

    model = DeepLatentVariableModel(decoder(), Gaussian(nn.Linear(D, 2 * L)), Bumps()).double()
    objectives.backward(model, X, "piwae", M, K)
    assert model.prior.mean.grad.abs().min() > 0 and "prior.mean" in model.theta()


def test_its_signal_to_noise_is_that_of_its_gradients(model):
    found = gradients.signal_to_noise(model, X, "dreg", M, K, draws=5, generator=seeded(), chunk=2)
    generator, rows = seeded(), []
    for _ in range(5):
        model.zero_grad()
        objectives.backward(model, X, "dreg", M, K, generator)
        rows.append([torch.cat([p.grad.flatten() for p in half.values()]) for half in (model.theta(), model.phi())])
    for ratio, row in zip(found, zip(*rows, strict=True), strict=True):
        row = torch.stack(row)
        torch.testing.assert_close(ratio, row.mean(0).abs() / row.std(0), equal_nan=True)


def test_it_is_evaluated_like_any_other(model):
    """log p(x) at K samples is the bound of the same draws, in groups of points and of samples."""
    found = evaluate.log_likelihood(model.eval(), X, K=7, chunk=7, generator=seeded(), batch_size=B)
    q = model.log_weights(X, 1, 7, seeded())
    torch.testing.assert_close(found, q[0].logsumexp(0) - math.log(7))
    assert evaluate.log_likelihood(model, [X[:2], X[2:]], K=7).shape == (B,)
    assert evaluate.bound(model, X, "miwae", M, K).shape == (B,)


class Dropping(nn.Module):
    """A q with dropout from a generator that is not the CPU's, as a GPU's is not."""

    def __init__(self, generator):
        super().__init__()
        self.network, self.generator, self.seen = Gaussian(nn.Linear(D, 2 * L)), generator, []

    def forward(self, x):
        kept = torch.bernoulli(torch.full_like(x, 0.5), generator=self.generator)
        self.seen.append(kept)
        return self.network(x * kept)


def test_z_is_drawn_and_weighed_by_one_q_with_one_dropout():
    """On any device: there is one pass of the encoder, whether phi is held fixed in log q or not."""
    there = seeded(8)
    model = DeepLatentVariableModel(decoder(), Dropping(there)).double()
    for generator in (None, seeded()):
        model.posterior.seen.clear()
        state = there.get_state()
        z, log_q = model.propose(X, M, K, keeps_score=False, generator=generator)
        (first,) = model.posterior.seen
        there.set_state(state)
        torch.testing.assert_close(log_q, model.posterior(X).log_prob(z))
        model.propose(X, M, K, keeps_score=False, generator=generator)
        assert not torch.equal(model.posterior.seen[2], first)  # and goes on where the first pass left it


def test_the_places_of_a_model_are_those_of_its_tensors_and_of_x():
    model = DeepLatentVariableModel(decoder(), Gaussian(nn.Linear(D, 2 * L)))
    cpu, meta = torch.device("cpu"), torch.device("meta")
    assert inspection._places(model, X) == {cpu}
    assert inspection._places(model, (X, X.to(meta))) == {cpu, meta}
    assert inspection._places(model.to(meta), X) == {cpu, meta}
    assert inspection._places(nn.Identity(), X) == {cpu}
    assert inspection.GENERATORS["cuda"] == (torch.cuda.get_rng_state, torch.cuda.set_rng_state)


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_z_is_drawn_and_weighed_at_one_spectral_norm(norm):
    """A pass in train mode takes a step of the power iteration: there must not be another one for log q."""
    torch.manual_seed(3)
    model = DeepLatentVariableModel(decoder(), Gaussian(norm(nn.Linear(D, 2 * L)))).double()
    seen = []
    model.posterior.network.register_forward_hook(lambda module, given, out: seen.append(out.detach().clone()))
    z, log_q = model.propose(X, M, K, keeps_score=False)
    mean, log_std = seen[0].chunk(2, -1)
    assert len(seen) == 1
    torch.testing.assert_close(log_q, Normal(mean, log_std.exp()).log_prob(z).sum(-1), rtol=1e-12, atol=1e-12)
    buffers = [buffer.clone() for buffer in model.buffers()]
    model.log_weights(X, M, K)
    assert not all(map(torch.equal, buffers, model.buffers()))  # the first pass moves them, as ever
