"""What gave another number without a word: each is right now, or refused with a sentence. See issue 16."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.distributions import (
    Bernoulli,
    Beta,
    Binomial,
    Exponential,
    Gamma,
    Gumbel,
    HalfNormal,
    Independent,
    Kumaraswamy,
    Laplace,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    OneHotCategoricalStraightThrough,
    Pareto,
    Poisson,
    StudentT,
    TransformedDistribution,
    Uniform,
    Weibull,
)
from torch.distributions.transforms import (
    AffineTransform,
    ExpTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
)
from torch.utils.checkpoint import checkpoint

from tests.test_composition import Pair
from vaecourse import (
    arguments,
    bounds,
    divergences,
    evaluate,
    exact,
    families,
    hierarchical,
    models,
    objectives,
    priors,
)
from vaecourse.models import VAE, DeepLatentVariableModel, OverSamples

M, K, B, D, L = 3, 4, 5, 6, 2
X = torch.rand(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


class Around(nn.Module):
    """A Gaussian about a network's output; ``through`` is a checkpoint, or a plain call."""

    def __init__(self, inputs, outputs, through=None):
        super().__init__()
        layers = nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2 * outputs)
        self.network, self.through = nn.Sequential(*layers), through

    def forward(self, y):
        out = self.network(y) if self.through is None else checkpoint(self.network, y, use_reentrant=self.through)
        mean, log_std = out.chunk(2, -1)
        return Independent(Normal(mean, log_std.exp()), 1)


class Layers(nn.Module):
    def __init__(self, through=None):
        super().__init__()
        self.first, self.second = Around(D, L), Around(L, L, through)

    def forward(self, x):
        return Pair(self.first(x), self.second)


class Top(nn.Module):
    def log_prob(self, z):
        return sum(Normal(0.0, 1.0).log_prob(part).sum(-1) for part in z)


class Below(Around):
    def forward(self, z):
        return super().forward(torch.cat(z, -1))


def two_layers(through=None):
    torch.manual_seed(2)
    return DeepLatentVariableModel(Below(2 * L, D), Layers(through), Top()).double()


def gradient(loss, model):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


# phi held fixed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iwae", "stl", "dreg"])
def test_a_checkpoint_in_a_layer_of_q_changes_no_gradient(name):
    """It asks the layer once more on the way back: with weights that were detached for log q it was 2000 % off."""
    found, expected = (two_layers(through) for through in (False, None))
    torch.manual_seed(3)
    backwards = objectives.loss(found, X, name, M, K)
    backwards.backward()
    torch.manual_seed(3)
    truth = gradient(objectives.loss(expected, X, name, M, K), expected)
    torch.testing.assert_close(torch.cat([p.grad.flatten() for p in found.parameters()]), truth)


def test_a_checkpoint_that_cannot_tell_of_z_alone_is_refused():
    with pytest.raises(ValueError, match="use_reentrant=True"):
        objectives.loss(two_layers(True), X, "dreg", M, K)
    objectives.loss(two_layers(True), X, "iwae", M, K).backward()


class Tied(Around):
    """A transform that is kept, and remembers its last z and the noise behind it."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.kept = TanhTransform(cache_size=1)

    def forward(self, y):
        return TransformedDistribution(super().forward(y), [self.kept, AffineTransform(0.0, 2.0, 1)])


class Untied(Tied):
    def forward(self, y):
        self.kept = TanhTransform()
        return super().forward(y)


@pytest.mark.parametrize("name", ["iwae", "stl", "dreg"])
def test_a_transform_that_remembers_is_no_mistake(name):
    slopes = []
    for kind in (Tied, Untied):
        torch.manual_seed(2)
        model = DeepLatentVariableModel(Around(L, D), kind(D, L)).double()
        slopes.append(gradient(objectives.loss(model, X, name, M, K, seeded()), model))
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("name", ["stl", "dreg"])
def test_an_x_that_a_network_made_learns_as_with_the_vae(name):
    """x moves q as phi does, so it is held fixed in log q, too."""
    torch.manual_seed(2)
    vae = VAE(D, L, likelihood="gaussian", encoder=Around(D, L).network, decoder=nn.Linear(L, D)).double()

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = vae.decoder

        def forward(self, z):
            return Independent(Normal(self.network(z), 1.0), 1)

    model = DeepLatentVariableModel(Mean(), Around(D, L)).double()
    model.posterior.network.load_state_dict(vae.encoder.state_dict())
    x = X.clone().requires_grad_()
    found = objectives.estimate(model, x, name, M, K, seeded())
    mean, log_std = vae.encode(x)
    eps = ((found.z - mean) / log_std.exp()).detach()
    expected = objectives.at(vae, x, name, *vae.draw(x, eps, False), M, K)
    torch.testing.assert_close(*(torch.autograd.grad(one.loss, x)[0] for one in (found, expected)))


class Flat(nn.Module):
    """A uniform q: its log density knows no z."""

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(D, L)

    def forward(self, x):
        return Independent(Uniform(self.network(x) - 1, self.network(x) + 1, validate_args=False), 1)


def test_a_uniform_q_has_no_gradient_without_its_score():
    """The mean of its score is not 0, as its support moves: under N(0, 1) for p, dreg has 15 % of iwae's gradient."""
    model = DeepLatentVariableModel(Around(L, D), Flat()).double()
    for name in ("stl", "dreg"):
        with pytest.raises(ValueError, match="flat in z, as that of a uniform q"):
            objectives.loss(model, X, name, M, K)
    objectives.loss(model, X, "iwae", M, K).backward()
    centre = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    z = centre + 3 * torch.rand(1, 4, 100_000, 1, dtype=torch.float64, generator=seeded()) - 1.5
    log_p = Normal(0.0, 1.0).log_prob(z).sum(-1)
    shares = log_p.detach().softmax(1)
    iwae, dreg = (
        torch.autograd.grad((b * log_p).sum(1).mean(), centre, retain_graph=True)[0] for b in (shares, shares**2)
    )
    assert iwae.abs() > 5 * dreg.abs() > 0


class Own(nn.Module):
    """A log q whose slope along z is the loss's, twice differentiated."""

    def forward(self, x):
        return Independent(Normal(x[:, :L], 1.0), 1)


def test_log_q_at_a_fixed_phi_has_one_derivative_and_says_so():
    z = torch.zeros(M, K, B, L, dtype=torch.float64, requires_grad=True)
    log_q = families.log_prob_at_fixed(Own()(X), 2 * z)
    (once,) = torch.autograd.grad(log_q.sum(), z, create_graph=True)
    torch.testing.assert_close(once.detach(), 2 * X[:, :L].expand_as(z))
    with pytest.raises(RuntimeError, match="differentiated once"):
        torch.autograd.grad(once.sum(), z)


def test_torch_func_and_compile_hold_phi_fixed_too():
    torch.manual_seed(2)
    model = DeepLatentVariableModel(Around(L, D), Around(D, L)).double()
    named = dict(model.named_parameters())
    torch.manual_seed(3)
    expected = torch.autograd.grad(objectives.loss(model, X, "dreg", M, K), list(named.values()))

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self):
            return objectives.loss(self.model, X, "dreg", M, K)

    loss = Loss()
    given = {f"model.{name}": p.detach() for name, p in named.items()}
    torch.manual_seed(3)
    found = torch.func.grad(lambda given: torch.func.functional_call(loss, given, ()))(given)
    torch.testing.assert_close(tuple(found.values()), expected)
    torch._dynamo.reset()
    torch.manual_seed(3)
    whole = torch.compile(loss, fullgraph=True, backend="aot_eager")()
    torch.testing.assert_close(torch.autograd.grad(whole, list(named.values())), expected)


# Half precision ------------------------------------------------------------------------------------------------------


class Correlated(Around):
    def forward(self, y):
        q = super().forward(y).base_dist
        return MultivariateNormal(q.loc, scale_tril=torch.diag_embed(q.scale))


class Mixed(Around):
    def forward(self, y):
        q = super().forward(y).base_dist
        several = Independent(Normal(torch.stack([q.loc, q.loc + 1], -2), q.scale.unsqueeze(-2)), 1)
        weights = torch.distributions.Categorical(logits=torch.zeros(*y.shape[:-1], 2, dtype=y.dtype))
        return MixtureSameFamily(weights, several)


@pytest.mark.parametrize("kind", [Around, Tied, Correlated, Mixed])
def test_a_family_in_float32_is_the_same_family(kind):
    """Every tensor in it is widened, and nothing else changes; a family that is wide already is itself."""
    torch.manual_seed(2)
    half = kind(D, L).bfloat16()
    q, z = half(X.bfloat16()), torch.full((B, L), 0.25)
    wide, exact = families.in_float32(q), copy.deepcopy(half).double()(X.bfloat16().double())
    assert type(wide) is type(q) and wide.log_prob(z).dtype == torch.float32
    torch.testing.assert_close(wide.log_prob(z).double(), exact.log_prob(z.double()), rtol=0.05, atol=0.05)
    assert families.in_float32(wide) is wide
    assert wide.sample().dtype == torch.float32


class Pixels(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, z):
        return Independent(Bernoulli(logits=self.network(z), validate_args=False), 1, validate_args=False)


def deep(latent=50, pixels=64):
    torch.manual_seed(2)
    network = nn.Sequential(nn.Linear(latent, 32), nn.Tanh(), nn.Linear(32, pixels))
    return DeepLatentVariableModel(Pixels(network), Around(pixels, latent))


@pytest.mark.parametrize("make", [deep, lambda: two_layers().float()], ids=["one layer", "two layers"])
def test_autocast_leaves_z_and_every_density_in_float32(make):
    model = make()
    x = torch.rand(B, 64 if model.prior is None else D, generator=seeded()).round()
    with torch.autocast("cpu", torch.bfloat16):
        z, log_q = model.propose(x, M, K, False)
        log_p = model.log_joint(x, z)
        prior = model._log_prior(z, "cpu")
    parts = z if isinstance(z, tuple) else (z,)
    assert {one.dtype for one in (*parts, log_q, log_p, prior)} == {torch.float32}
    assert all((part != part.bfloat16()).any() for part in parts)  # drawn in float32, not widened afterwards
    exact = sum(Normal(0.0, 1.0).log_prob(part.double()).sum(-1) for part in parts)
    torch.testing.assert_close(prior.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["iwae", "dreg", "piwae"])
def test_autocast_costs_a_composed_model_what_it_costs_the_vae(name):
    """The same networks and noise, against float64: phi was 10 times further off, with z and log q in bfloat16."""
    torch.manual_seed(2)
    x = torch.rand(40, 64, generator=seeded()).round()
    model = deep()
    vae = VAE(64, 50, encoder=model.posterior.network, decoder=model.likelihood.network)
    wide = copy.deepcopy(vae).double()
    row = objectives.get(name)

    def of(loss, model):
        return torch.cat([g.double().flatten() for g in torch.autograd.grad(loss, list(model.encoder.parameters()))])

    with torch.autocast("cpu", torch.bfloat16):
        found = objectives.estimate(model, x, row, M, K, seeded())
        mean, log_std = (part.float() for part in vae.encode(x))
        eps = ((found.z - mean) / log_std.exp().bfloat16().float()).detach()
        beside = objectives.at(vae, x, row, *vae.draw(x, eps, row.keeps_score), M, K)
    truth = objectives.at(wide, x.double(), row, *wide.draw(x.double(), eps.double(), row.keeps_score), M, K)
    slopes = [of(found.loss, vae), of(beside.loss, vae), of(truth.loss, wide)]
    error, of_vae = ((slope - slopes[2]).norm() / slopes[2].norm() for slope in slopes[:2])
    assert error < 2 * of_vae + 0.01
    assert (found.bound - truth.bound).abs().max() < 2 * (beside.bound - truth.bound).abs().max() + 0.05


def test_a_model_that_is_half_as_a_whole_weighs_in_float32():
    model = deep().bfloat16()
    x = torch.rand(B, 64, generator=seeded()).round().bfloat16()
    z, log_q = model.propose(x, M, K)
    log_p = model.log_joint(x, z)
    assert z.dtype == torch.bfloat16 and log_q.dtype == log_p.dtype == torch.float32
    q = model.posterior(x).base_dist
    exact = Normal(q.loc.double(), q.scale.double()).log_prob(z.double()).sum(-1)
    torch.testing.assert_close(log_q.double(), exact, rtol=1e-5, atol=1e-3)
    model.zero_grad()
    objectives.loss(model, x, "dreg", M, K).backward()
    assert models.check(model, x) == []


class Hidden(nn.Module):
    """A family that asks a network at a code that autocast made half, and nobody sees."""

    def __init__(self):
        super().__init__()
        self.encoder, self.network = nn.Linear(D, 4), nn.Linear(4, 2 * L)

    def forward(self, x):
        code = self.encoder(x)

        class Lazy:
            def rsample(self, shape):
                return self.now().rsample(shape)

            def log_prob(self, z):
                return self.now().log_prob(z)

            def now(inner):
                mean, log_std = self.network(code).chunk(2, -1)
                return Independent(Normal(mean, log_std.exp()), 1)

        return Lazy()


def test_a_code_that_is_half_and_hidden_is_told():
    model = DeepLatentVariableModel(Around(L, D), Hidden())
    objectives.loss(model, X.float(), "iwae", M, K)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(TypeError, match="give it .float.. first"):
        objectives.loss(model, X.float(), "iwae", M, K)


@pytest.mark.parametrize("log_std", [-3.0, 0.5])
def test_densities_of_a_wide_code_are_summed_in_float32(log_std):
    """log_std of 50 dimensions, summed in bfloat16, is off by up to half a nat."""
    both = torch.full((B, 50), log_std).bfloat16()
    z = torch.zeros(B, 50)
    exact = Normal(both.double() * 0, both.double().exp()).log_prob(z.double()).sum(-1)
    found = priors.gaussian_log_prob(z, both * 0, both).double()
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-4)


class Opaque(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, weight):
        ctx.save_for_backward(z, weight)
        return (z.half() @ weight.half()).float()

    @staticmethod
    def backward(ctx, out):
        z, weight = ctx.saved_tensors
        return (out.half() @ weight.half().T).float(), (z.half().flatten(0, -2).T @ out.half().flatten(0, -2)).float()


class Hides(nn.Module):
    """float16 inside a Function of one's own, or inside a reentrant checkpoint."""

    def __init__(self, way):
        super().__init__()
        self.weight, self.way = nn.Parameter(60 * torch.randn(L, 40)), way

    def forward(self, z):
        if self.way == "function":
            mean = Opaque.apply(z, self.weight)
        elif self.way == "checkpoint":
            half = lambda z: (z.half() @ self.weight.half()).float()
            mean = checkpoint(half, z, use_reentrant=True)
        else:
            mean = z @ self.weight
        return Independent(Normal(mean, 8.0), 1)


def test_float16_in_a_function_of_ones_own_loses_nothing():
    slopes = []
    for way in ("function", "plain"):
        torch.manual_seed(2)
        model = DeepLatentVariableModel(Hides(way), Around(40, L))
        x = 20 * torch.randn(B, 40, generator=seeded())
        loss = objectives.estimate(model, x, "piwae", M, K, seeded())
        slopes.append(
            torch.cat([g.flatten() for g in torch.autograd.grad(loss.loss, list(model.posterior.parameters()))])
        )
    assert (loss.log_w.amax(1).amax(0) - loss.log_w.amax(1).amin(0)).max() > 20
    assert (slopes[0] - slopes[1]).norm() < 0.05 * slopes[1].norm()


def test_check_sees_float16_in_a_checkpoint():
    torch.manual_seed(2)
    x = torch.randn(B, 40, generator=seeded())
    (said,) = models.check(DeepLatentVariableModel(Hides("checkpoint"), Around(40, L)), x)
    assert "computes in float16 where autograd's graph does not show it" in said
    for way in ("function", "plain"):
        assert models.check(DeepLatentVariableModel(Hides(way), Around(40, L)), x) == []


# Whose parameters ----------------------------------------------------------------------------------------------------


class Around1(nn.Linear):
    def forward(self, y):
        return Independent(Normal(super().forward(y), 1.0), 1)


class Holder:
    """A prior of one's own that is no module."""

    def __init__(self, held):
        self.held = held

    def log_prob(self, z):
        return Normal(0.0, 1.0).log_prob(z).sum(-1)


@pytest.mark.parametrize(
    "prior",
    [
        lambda: Independent(Normal(nn.Parameter(torch.zeros(L)), 1.0), 1),
        lambda: Independent(Normal(torch.zeros(L), nn.Parameter(torch.zeros(L)).exp()), 1),
        lambda: TransformedDistribution(
            Normal(torch.zeros(L), 1.0), [AffineTransform(nn.Parameter(torch.zeros(L)), 1.0)]
        ),
        lambda: Holder(nn.Parameter(torch.zeros(L))),
        lambda: Holder(nn.Linear(L, L)),
    ],
)
def test_a_prior_with_a_parameter_must_be_a_module(prior):
    """It was in neither parameters() nor theta(), and never trained."""
    for make in (
        lambda: DeepLatentVariableModel(Around1(L, D), Around1(D, L), prior()),
        lambda: VAE(D, L, prior=prior()),
    ):
        with pytest.raises(ValueError, match="prior must be a module if it learns"):
            make()


def test_a_prior_without_one_may_be_anything():
    shared = Around1(D, L)
    for prior in (Independent(Normal(torch.zeros(L), 1.0), 1), Holder(torch.ones(2)), Holder(shared)):
        DeepLatentVariableModel(Around1(L, D), shared, prior)
    VAE(D, L, prior=priors.VampPrior(nn.Linear(D, 2 * L), X.float()))


class Elsewhere(nn.Module):
    """A likelihood whose scale is a parameter in a closure."""

    def __init__(self, log_scale):
        super().__init__()
        self.network, self.scale = nn.Linear(L, D), lambda: log_scale.exp()

    def forward(self, z):
        return Independent(Normal(self.network(z), self.scale()), 1)


def test_check_sees_a_parameter_that_is_nobodys():
    x = X.float()
    (said,) = models.check(DeepLatentVariableModel(Elsewhere(nn.Parameter(torch.zeros(D))), Around1(D, L)), x)
    assert "1 parameter(s) that are not the model's, of shape [6]" in said
    assert models.check(DeepLatentVariableModel(Elsewhere(torch.zeros(D)), Around1(D, L)), x) == []
    learned = x.clone().requires_grad_()
    assert models.check(DeepLatentVariableModel(Around1(L, D), Around1(D, L)), learned * 2) == []


class Steps(nn.Module):
    def forward(self, x):
        return OneHotCategoricalStraightThrough(logits=x[:, :L])


def test_a_biased_rsample_is_refused():
    """has_rsample is True of it: the elbo's gradient for phi had another sign in one entry of four."""
    model = DeepLatentVariableModel(Around1(L, D), Steps())
    with pytest.raises(TypeError, match="OneHotCategoricalStraightThrough, which passes a biased one"):
        objectives.loss(model, X.float(), "elbo", M, K)
    assert "StraightThrough" in models.check(model, X.float())[0]


class Raises(Around1):
    def forward(self, z):
        raise KeyError("no such layer")


class Meets(Layers):
    def __init__(self):
        super().__init__()
        self.second = nn.Sequential(OverSamples(nn.BatchNorm1d(L)), Around(L, L))


def test_check_says_what_the_model_raises_and_where_samples_meet_in_q():
    (said,) = models.check(DeepLatentVariableModel(Raises(L, D), Around1(D, L)), X.float())
    assert said == "KeyError: 'no such layer'"
    (said,) = models.check(DeepLatentVariableModel(Below(2 * L, D), Meets(), Top()), X.float())
    assert "samples meet in log q(z | x): stl and dreg" in said and "BatchNorm" not in said.split("posterior")[0]


# Axes that broadcast -------------------------------------------------------------------------------------------------


class Wide(nn.Module):
    """A likelihood of one number, or of an image with a channel, for an encoder that flattens whatever comes."""

    def __init__(self, event):
        super().__init__()
        self.network, self.event = nn.Linear(L, math.prod(event)), event

    def forward(self, z):
        return Independent(Normal(self.network(z).unflatten(-1, self.event), 1.0), len(self.event))


class Flattens(Around1):
    def forward(self, x):
        return super().forward(x.flatten(1) if x.dim() > 1 else x[:, None])


BROADCASTS = {  # an x beside the event of a likelihood that PyTorch broadcasts against it
    "no axis for one number": (torch.randn(B, generator=seeded()), (1,)),
    "no axis for the channel": (torch.randn(B, 2, 3, generator=seeded()), (1, 2, 3)),
    "one column": (torch.randn(B, 1, generator=seeded()), (6,)),
}


@pytest.mark.parametrize("how", BROADCASTS)
def test_an_x_of_another_shape_than_the_event_is_refused(how):
    """Each point was compared with all B of the batch: -224 nats in place of -44, and check found nothing."""
    x, event = BROADCASTS[how]
    model = DeepLatentVariableModel(Wide(event), Flattens(x[0].numel(), L))
    for call in (objectives.loss, evaluate.bound):
        with pytest.raises(ValueError, match="likelihood must give a distribution of events of the shape of one x"):
            call(model, x, "iwae", M=2, K=B)
    assert "events of the shape of one x" in models.check(model, x)[0]
    right = x.reshape(B, *event) if x[0].numel() == math.prod(event) else x.expand(B, *event)
    model = DeepLatentVariableModel(Wide(event), Flattens(math.prod(event), L))
    assert models.check(model, right) == []
    z, log_q = model.propose(right, 2, 3)
    expected = Normal(model.likelihood(z).mean, 1.0).log_prob(right).flatten(3).sum(-1)
    torch.testing.assert_close(model.log_joint(right, z), expected + Normal(0.0, 1.0).log_prob(z).sum(-1))


def test_images_without_a_channel_where_K_is_B_are_refused():
    """[B, 1, 2, 3] against [M, K, B, 2, 3] broadcasts where K = B: another number, of the right shape."""
    model = DeepLatentVariableModel(Wide((2, 3)), Flattens(6, L))
    with pytest.raises(ValueError, match="one x, \\[1, 2, 3\\], got the event shape \\[2, 3\\]"):
        evaluate.bound(model, torch.randn(B, 1, 2, 3, generator=seeded()), "iwae", K=B)


def test_a_prior_of_another_width_than_z_is_refused():
    """log p(z) of one number was counted four times."""
    narrow = DeepLatentVariableModel(Around1(1, D), Around1(D, 1), Independent(Normal(torch.zeros(4), 1.0), 1))
    with pytest.raises(ValueError, match="prior must give .* one z, \\[1\\], got the event shape \\[4\\]"):
        objectives.loss(narrow, X.float(), "iwae", M, K)
    narrow.prior = Independent(Normal(torch.zeros(1), 1.0), 1)
    assert models.check(narrow, X.float()) == []


class Sums(nn.Module):
    """A log_prob of its own, in which the axes of x and of the mean broadcast."""

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(L, 1)

    def log_prob(self, x, z):
        return Normal(self.network(z), 1.0).log_prob(x).sum(-1)


def test_check_sees_a_point_that_moves_with_another():
    model = DeepLatentVariableModel(Sums(), Flattens(1, L))
    x = torch.randn(B, generator=seeded())
    (said,) = models.check(model, x)
    assert said.startswith("log p(x, z) of a point moves with the x of other points")
    assert models.check(model, x[:, None]) == []


def test_check_takes_a_decoder_with_dropout():
    model = DeepLatentVariableModel(Around1(L, D), Around1(D, L))
    model.likelihood = nn.Sequential(nn.Dropout(0.5), model.likelihood)
    assert models.check(model, X.float()) == []


COUNTS = {
    "binomial": lambda rate: Binomial(255, logits=rate),
    "poisson": lambda rate: Poisson((rate + 4).exp()),
}


class Counted(nn.Linear):
    """Counts of a law whose logits, or log rates, a network gives."""

    def __init__(self, of):
        super().__init__(L, D)
        self.of = of

    def forward(self, z):
        return Independent(self.of(super().forward(z)), 1)


class Brightness(Around):
    def forward(self, x):
        return super().forward(x.double() / 255)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
def test_counts_in_a_narrow_type_are_those_numbers(name, dtype):
    """log p of a pixel of 255 in uint8 was -inf: PyTorch's lgamma(x + 1) took 255 + 1 for 0."""
    model = DeepLatentVariableModel(Counted(COUNTS[name]), Brightness(D, L)).double()
    x = torch.tensor([0, 1, 127, 128, 254, 255]).expand(2, D)
    if dtype == torch.int16 and name == "poisson":
        x = x + torch.iinfo(dtype).max - 255
    found, expected = (evaluate.log_likelihood(model, y, 20, seeded()) for y in (x.to(dtype), x.double()))
    torch.testing.assert_close(found, expected)
    losses = [objectives.loss(model, y, "dreg", M, K, seeded()).item() for y in (x.to(dtype), x.double())]
    assert losses[0] == pytest.approx(losses[1])


# A support that moves ------------------------------------------------------------------------------------------------


class Of(nn.Module):
    """A q made of two parameters by ``make``."""

    def __init__(self, make):
        super().__init__()
        self.make, self.p = make, nn.Parameter(torch.tensor([0.3, 0.4], dtype=torch.float64))

    def forward(self, x):
        a, b = (number.expand(len(x), 1) for number in self.p)
        return Independent(self.make(a, b), 1)


def shifted(base, *transforms):
    return TransformedDistribution(base, [*transforms])


def tail(like, scale):
    return Laplace(0 * like.detach(), scale)


MOVING = {
    "pareto": lambda a, b: Pareto(a.exp(), 3 + b.exp()),
    "shifted exponential": lambda a, b: shifted(Exponential(b.exp()), AffineTransform(a, 1.0)),
    "scaled beta of a flat end": lambda a, b: shifted(Beta(1 + 0 * a, 1 + 0 * b), AffineTransform(0.0, a.exp())),
    "log-uniform": lambda a, b: shifted(Uniform(a - 1, a + b.exp()), ExpTransform()),
    "shifted exponential of a Laplace": lambda a, b: shifted(tail(a, 1.0), ExpTransform(), AffineTransform(a, 1.0)),
    "shifted softplus of a Laplace": lambda a, b: shifted(tail(a, 1.0), SoftplusTransform(), AffineTransform(a, 1.0)),
    "scaled sigmoid of a Laplace": lambda a, b: shifted(
        tail(a, 1.0), SigmoidTransform(), AffineTransform(0.0, b.exp())
    ),
    "scaled tanh of a Student's t": lambda a, b: shifted(
        StudentT(3.0, 0 * a.detach(), 1.0), TanhTransform(), AffineTransform(0.0, b.exp())
    ),
}
FIXED = {
    "exponential": lambda a, b: shifted(Exponential(b.exp()), AffineTransform(0.0, a.exp())),
    "gumbel": lambda a, b: Gumbel(a, b.exp()),
    "kumaraswamy": lambda a, b: Kumaraswamy(a.exp(), b.exp()),
    "weibull": lambda a, b: Weibull(a.exp(), 1 + b.exp()),
    "half normal": lambda a, b: HalfNormal((a + b).exp()),
    "logistic": lambda a, b: shifted(
        Uniform(0 * a.detach(), 1 + 0 * a.detach()), SigmoidTransform().inv, AffineTransform(a, b.exp())
    ),
    "gamma that begins at 0, shifted": lambda a, b: shifted(Gamma(3 + b.exp(), 1 + 0 * b), AffineTransform(a, 1.0)),
    "shifted exponential of a normal": lambda a, b: shifted(
        Normal(0 * a, b.exp()), ExpTransform(), AffineTransform(a, 1.0)
    ),
    "scaled sigmoid of a normal": lambda a, b: shifted(
        Normal(a, 1.0), SigmoidTransform(), AffineTransform(0.0, b.exp())
    ),
    "scaled sigmoid of a narrow Laplace": lambda a, b: shifted(
        tail(a, 0.5), SigmoidTransform(), AffineTransform(0.0, b.exp())
    ),
    "sigmoid of a wide Laplace, not moved": lambda a, b: shifted(Laplace(a, 1 + b.exp()), SigmoidTransform()),
}


def of(make):
    return DeepLatentVariableModel(Around1(1, D), Of(make), Independent(Normal(torch.zeros(1), 2.0), 1)).double()


@pytest.mark.parametrize("name", MOVING)
def test_a_support_that_moves_is_refused_without_the_score(name):
    """dreg gave a Pareto -0.98 where iwae has +2.61: the mean of the score is not 0, and its slope along z is not 0."""
    model = of(MOVING[name])
    for row in ("stl", "dreg"):
        with pytest.raises(ValueError, match="support that does not move with phi|flat in z"):
            objectives.loss(model, X, row, M, K)
    objectives.loss(model, X, "piwae", M, K).backward()


@pytest.mark.parametrize("name", FIXED)
def test_a_support_that_stays_has_the_gradient_of_iwae(name):
    """In the mean, for K = 1, where stl is the elbo without a term of mean 0."""
    model, x = of(FIXED[name]), X[:1].expand(20_000, D)
    draws = {}
    for row in ("iwae", "stl"):
        made = [
            torch.autograd.grad(objectives.loss(model, x, row, 1, 1, seeded(n)), model.posterior.p)[0]
            for n in range(12)
        ]
        draws[row] = torch.stack(made)
    difference = draws["iwae"] - draws["stl"]
    error = difference.std(0) / 12**0.5 + 1e-12
    assert ((difference.mean(0) / error).abs() < 5).all(), (difference.mean(0), error)


class Unsaid(Independent):
    @property
    def support(self):
        raise NotImplementedError


def test_a_distribution_need_not_say_its_support():
    model = of(lambda a, b: Unsaid(Normal(a, b.exp()), 0))
    objectives.loss(model, X, "dreg", M, K).backward()


def test_each_part_of_z_must_move_log_q():
    """Of a normal z1 and a uniform z2 the second got -0.02 where iwae has -0.27."""
    centre = torch.zeros(2, B, 1, dtype=torch.float64, requires_grad=True)
    z1, z2 = centre[0] + torch.randn(M, K, B, 1), centre[1] + torch.rand(M, K, B, 1)
    log_p = sum(Normal(0.0, 1.0).log_prob(z).sum(-1) for z in (z1, z2))
    log_q = Normal(centre[0].detach(), 1.0).log_prob(z1).sum(-1)
    for name in ("stl", "dreg"):
        with pytest.raises(ValueError, match="does not move with part 1 of 2"):
            objectives.surrogate(log_p, log_q, (z1, z2), name)
        objectives.surrogate(log_p, log_q + Normal(0.0, 1.0).log_prob(z2).sum(-1), (z1, z2), name)
    objectives.surrogate(log_p, log_q, (z1, z2), "iwae").loss.backward()


# What nobody asks ----------------------------------------------------------------------------------------------------


class Weighs(VAE):
    def log_weights(self, x, M, K, generator=None):
        return 2 * super().log_weights(x, M, K, generator)


def test_log_weights_of_ones_own_are_refused():
    """evaluate.bound followed them, log_likelihood and the loss did not."""
    model = Weighs(D, L)
    for call in (evaluate.bound, objectives.loss):
        with pytest.raises(TypeError, match="no log_weights of its own, got that of Weighs"):
            call(model, X.float(), "iwae", M=1, K=2)
    with pytest.raises(TypeError, match="no log_weights of its own"):
        evaluate.log_likelihood(model, X.float(), K=2)
    assert "no log_weights of its own" in models.check(model, X.float())[0]


# Log-densities from anywhere -----------------------------------------------------------------------------------------

MEAN = torch.randn(B, L + 3, dtype=torch.float64, generator=seeded())
EPS = torch.randn(M, K, B, L + 3, dtype=torch.float64, generator=seeded(2))


def whole(z):
    """A prior of all of z, and a likelihood of its two pieces."""
    return Normal(0.0, 1.0).log_prob(z).sum(-1) - (z[..., :L].sum(-1) - z[..., L:].mean(-1)).square()


PIECES = {
    "split": lambda z: z.split([L, 3], -1),
    "slices": lambda z: (z[..., :L], z[..., L:]),
    "one slice": lambda z: (z[..., :L],),
    "one of a split": lambda z: (z.split([L, 3], -1)[0],),
    "unbind": lambda z: z.unbind(-1),
    "select": lambda z: (z.select(-1, 0),),
    "narrow": lambda z: (z.narrow(-1, 0, 2), z.narrow(-1, 2, 3)),
    "chunk": lambda z: z.chunk(2, -1),
    "diagonal": lambda z: (z.unsqueeze(-1).expand(*z.shape, L + 3).diagonal(dim1=-2, dim2=-1),),
    "unfold": lambda z: (z.unfold(-1, 2, 1),),
    "as_strided": lambda z: (z.as_strided(z.shape, z.stride()),),
    "index": lambda z: (z[..., torch.tensor([0, 1])], z[..., torch.tensor([2, 3, 4])]),
    "gather": lambda z: (z.gather(-1, torch.zeros(M, K, B, 1, dtype=torch.long)),),
    "clone": lambda z: (z.clone(),),
    "exp": lambda z: (z.exp(),),
    "movedim": lambda z: (z.movedim(-1, 0).movedim(0, -1),),
}


@pytest.mark.parametrize("name", ["piwae", "dreg"])
@pytest.mark.parametrize("how", PIECES)
def test_a_log_p_of_more_than_the_z_given_is_refused(how, name):
    """Its gradient for phi would go with theta's weights past the pieces: 29 % off for two slices."""
    mean = MEAN.clone().requires_grad_()
    z = mean + 0.7 * EPS
    pieces = PIECES[how](z)
    held = mean if objectives.get(name).keeps_score else mean.detach()
    log_p = whole(z) + sum(piece.reshape(M, K, B, -1).sum(-1) for piece in pieces)
    log_q = Normal(held, 0.7).log_prob(z).sum(-1)
    with pytest.raises(ValueError, match="log_[pq] must be computed from this z"):
        objectives.surrogate(log_p, log_q, pieces, name)


@pytest.mark.parametrize("folded", [(M * K, B), (M, K * B), (M * K * B,)])
def test_a_sample_that_comes_before_is_known_with_folded_axes(folded):
    mean = MEAN.clone().requires_grad_()
    before = (mean + 0.7 * EPS).reshape(*folded, L + 3)
    z = before.tanh().reshape(M, K, B, L + 3)
    log_p = whole(z) - before.square().sum(-1).reshape(M, K, B)
    with pytest.raises(ValueError, match="log_p must be computed from this z"):
        objectives.surrogate(log_p, Normal(mean, 0.7).log_prob(z).sum(-1), z, "piwae")


def test_what_has_no_samples_may_be_in_p_and_in_q():
    """Features of a condition, and the pieces where log p is computed from nothing but them."""
    mean = MEAN.clone().requires_grad_()
    features = mean.tanh()
    first, second = features[:, :L] + EPS[..., :L], features[:, L:] + EPS[..., L:]
    log_p = whole(torch.cat([first, second], -1)) + features.sum(-1)
    log_q = Normal(features, 1.0).log_prob(torch.cat([first, second], -1)).sum(-1)
    found = objectives.surrogate(log_p, log_q, (first, second), "piwae")
    b = objectives.get("piwae").phi_weights(found.log_w)
    a = objectives.get("piwae").theta_weights(found.log_w)
    expected = -(b * (log_p - features.sum(-1) - log_q) + a * features.sum(-1)).sum() / B
    torch.testing.assert_close(
        *(torch.autograd.grad(loss, mean, retain_graph=True)[0] for loss in (found.loss, expected))
    )
    alone = mean + 0.7 * EPS
    pieces = alone.split([L, 3], -1)
    objectives.surrogate(whole(torch.cat(pieces, -1)), Normal(mean, 0.7).log_prob(alone).sum(-1), pieces, "piwae")


# Weights of zero, and rows of one's own ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", objectives.TABLE)
def test_a_dead_group_is_refused_where_the_bound_is_minus_infinity(name):
    """Pooled over M, the other groups are still there: bound and gradient are finite."""
    z = torch.zeros(M, K, B, L, dtype=torch.float64, requires_grad=True)
    log_p = -(z - torch.randn(M, K, B, L, dtype=torch.float64, generator=seeded())).square().sum(-1)
    log_p = torch.where(torch.arange(M)[:, None, None] == 1, -torch.inf, log_p)
    moving = lambda: objectives.surrogate(log_p, (0.1 * z).sum(-1), z, name)
    value = objectives.get(name).value((log_p - 0.1 * z.sum(-1)).detach())
    if value.isfinite().all():
        found = moving()
        torch.testing.assert_close(found.bound, value)
        (slope,) = torch.autograd.grad(found.loss, z)
        assert slope.isfinite().all() and slope[1].abs().max() == 0 and slope[0].abs().max() > 0
    else:
        with pytest.raises(arguments.NotFinite, match=f"point 0 .m = 1.: the bound of '{name}' is -inf"):
            moving()


def test_only_rows_that_pool_over_the_groups_take_a_dead_one():
    log_w = torch.zeros(M, K, B)
    log_w[1] = -torch.inf
    finite = {name for name, row in objectives.TABLE.items() if row.value(log_w).isfinite().all()}
    assert {"iwae", "piwae", "stl", "dreg"} <= finite and not finite & {"elbo", "miwae", "ciwae", "vr_iwae"}


def test_one_weight_of_zero_is_too_many_for_the_elbo():
    log_p = torch.zeros(M, K, B)
    log_p[2, 1, 3] = -torch.inf
    with pytest.raises(arguments.NotFinite, match="-inf for a sample of point 3 .m = 2, k = 1.: the bound of 'elbo'"):
        objectives.surrogate(log_p, torch.zeros(M, K, B), torch.zeros(M, K, B, L), "elbo")


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (lambda log_w: bounds.log_mean(log_w, 1), r"one number for each point, \[B\] = \[5\], got \[3, 5\]"),
        (lambda log_w: log_w.mean(), r"got \[\]"),
        (lambda log_w: 3.0, "got float"),
        (lambda log_w: log_w.mean((0, 1)) * math.nan, "is nan for point 0, whose weights are finite"),
    ],
)
def test_a_bound_of_ones_own_is_one_number_for_each_point(bound, words):
    row = objectives.Objective("mine", bound, objectives.within, objectives.within)
    with pytest.raises(ValueError, match=f"the bound of 'mine' .*{words}"):
        objectives.estimate(VAE(D, L).double(), X, row, M, K)


# Hierarchical --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratios", "order"), [((0, 1, 0), 1), ((0, 1, 1, 0), 2), ((0, 0), 1)])
def test_a_jackknife_of_too_few_ratios_above_zero_is_refused(ratios, order):
    """It was +inf."""
    log_ratio = torch.tensor(ratios, dtype=torch.float64).log().unsqueeze(1).expand(-1, 2)
    with pytest.raises(arguments.NotFinite, match=f"at least order . 1 = {order + 1} others above -inf"):
        hierarchical.jackknife(log_ratio, order)


@pytest.mark.parametrize(("ratios", "order"), [((1, 0, 0), 1), ((1, 0, 0), 2), ((0, 1, 1), 1), ((0, 1, 0), 0)])
def test_a_jackknife_of_enough_is_a_number(ratios, order):
    assert hierarchical.jackknife(torch.tensor(ratios, dtype=torch.float64).log(), order).isfinite()


class Tau:
    def sample(self, z, K, generator=None):
        return 0.5 * z + torch.randn(K, *z.shape, generator=generator)

    def log_prob(self, psi, z):
        return Normal(0.5 * z, 1.0).log_prob(psi)  # without .sum(-1)


class Summed(Tau):
    def log_prob(self, psi, z):
        return super().log_prob(psi, z).sum(-1)


class Law(exact.MeanMixture):
    def log_mixing(self, psi):
        return super().log_mixing(psi).unsqueeze(-1)


class Other(exact.MeanMixture):
    def log_conditional(self, z, psi):
        return super().log_conditional(z, psi).unsqueeze(-1)


@pytest.mark.parametrize("K", [0, 3])
@pytest.mark.parametrize(
    ("law", "tau", "words"),
    [
        (exact.MeanMixture, Tau, "tau.log_prob"),
        (Law, Summed, "law.log_mixing"),
        (Other, Summed, "law.log_conditional"),
    ],
)
def test_a_density_with_an_axis_too_many_is_refused(law, tau, words, K):
    """It would broadcast to [K + 1, B, B]."""
    law = law(1)
    z, psi = law.sample(4, seeded())
    for ratio in (hierarchical.log_ratios, hierarchical.dreg):
        with pytest.raises(
            ValueError, match=rf"{words} must give one number for each psi, \[{'1' if K == 0 else '.'}, 4\]"
        ):
            ratio(law, tau(), z, psi, K)
        assert ratio(exact.MeanMixture(1), Summed(), z, psi, K).shape[-1] == 4


# Second derivatives --------------------------------------------------------------------------------------------------


def test_what_goes_forwards_is_refused_and_two_ways_back_are_not():
    """As the docstrings say: PyTorch has no forward mode for these, and ``jacrev`` of ``grad`` is the Hessian."""
    model = VAE(D, L, (3,)).double()
    eps = model.noise(X, 1, 2, seeded())
    loss = lambda mean: objectives.at(model, X, "elbo", mean + eps, -eps.square().sum(-1) / 2, 1, 2).loss
    at = torch.zeros(L, dtype=torch.float64)
    for forwards in (lambda: torch.func.hessian(loss)(at), lambda: torch.func.jvp(loss, (at,), (at,))):
        with pytest.raises(NotImplementedError):
            forwards()
    assert torch.func.jacrev(torch.func.grad(loss))(at).shape == (L, L)
    cloud = torch.randn(4, L, generator=seeded()).requires_grad_()
    kernel = lambda x, y: divergences.rbf(x, y, 1.0)
    (once,) = torch.autograd.grad(divergences.mmd2(cloud, cloud.detach() + 1, kernel), cloud, create_graph=True)
    with pytest.raises((RuntimeError, NotImplementedError), match="cdist_backward"):
        torch.autograd.grad(once.sum(), cloud)
