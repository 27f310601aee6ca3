"""``objectives.loss`` as a scalar among others: scaled, accumulated, mapped, compiled, in half precision."""

import copy
import math
import re

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal
from torch.func import functional_call, grad, vmap
from torch.utils.checkpoint import checkpoint

from vaecourse import arguments, gradients, objectives
from vaecourse.hierarchical.vae import HierarchicalVAE
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE, DeepLatentVariableModel
from vaecourse.priors import VampPrior

M, K, B, D, L = 3, 4, 5, 6, 2
X = torch.rand(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
NAMES = list(objectives.TABLE)


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def plain():
    return VAE(D, L, hidden=(7, 6))


def vamp():
    encoder = nn.Linear(D, 2 * L)
    return VAE(D, L, encoder=encoder, prior=VampPrior(encoder, X[:4].float()))


def tied():
    """Its decoder is the encoder's weight, turned round: theta and phi are the same numbers."""

    class Back(nn.Module):
        def __init__(self, encoder):
            super().__init__()
            self.encoder = (encoder,)
            self.bias = nn.Parameter(torch.zeros(D))

        def forward(self, z):
            return z @ self.encoder[0].weight[:L] + self.bias

    encoder = nn.Linear(D, 2 * L)
    return VAE(D, L, encoder=encoder, decoder=Back(encoder))


MODELS = {"plain": plain, "vamp": vamp, "tied": tied, "gaussian": lambda: VAE(D, L, (5,), likelihood="gaussian")}


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(2)
    return MODELS[request.param]().double()


def gradient(loss, model):
    return [
        torch.zeros_like(p) if g is None else g
        for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
    ]


def close(found, expected, **more):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **more)


def written_out(model, x, row, seed=1):
    """a log p for the direct path; b log p through z; b log q: three surrogates, with z cut where they end."""
    z, log_q = model.propose(x, M, K, row.keeps_score, seeded(seed))
    log_w = (model.log_joint(x, z) - log_q).detach()
    a, b = row.theta_weights(log_w), row.phi_weights(log_w)
    direct = (a * model.log_joint(x, z.detach())).sum()
    leaf = z.detach().requires_grad_()
    (slope,) = torch.autograd.grad((b * model.log_joint(x, leaf)).sum(), leaf)
    return -(direct + (slope.detach() * z).sum() - (b * log_q).sum()) / B


@pytest.mark.parametrize("name", NAMES)
def test_its_gradient_is_the_row_written_out(model, name):
    row = objectives.get(name)
    found = objectives.estimate(model, X, row, M, K, seeded())
    close(gradient(found.loss, model), gradient(written_out(model, X, row), model))
    torch.testing.assert_close(found.loss, -found.bound.mean())
    torch.testing.assert_close(found.bound, row.value(found.log_w))
    assert found.log_w.shape == (M, K, B) and found.z.shape == (M, K, B, L)
    assert not (found.bound.requires_grad or found.log_w.requires_grad or found.z.requires_grad)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_scalar_like_any_other(model, name):
    """Scaled, twice in one sum, beside a regulariser, and clipped."""
    loss = lambda seed=1: objectives.loss(model, X, name, M, K, seeded(seed))
    once, twice = gradient(loss(), model), gradient(loss(2), model)
    close(gradient(-3.5 * loss(), model), [-3.5 * g for g in once])
    close(gradient(0.0 * loss(), model), [0.0 * g for g in once])
    decay = sum(p.square().sum() for p in model.parameters())
    close(
        gradient(loss() + 2 * loss(2) + decay, model),
        [g + 2 * h + 2 * p for g, h, p in zip(once, twice, model.parameters(), strict=True)],
    )
    for seed in (1, 2):
        (loss(seed) / 2).backward()
    close([p.grad for p in model.parameters()], [(g + h) / 2 for g, h in zip(once, twice, strict=True)])


@pytest.mark.parametrize("name", NAMES)
def test_backward_is_its_backward(model, name):
    bound = objectives.backward(model, X, name, M, K, seeded())
    expected = objectives.estimate(model, X, name, M, K, seeded())
    torch.testing.assert_close(bound, expected.bound, rtol=0, atol=0)
    close([p.grad for p in model.parameters()], gradient(expected.loss, model), rtol=0, atol=0)


class AtNoise(nn.Module):
    """A loss as a function of the noise, for ``functional_call``."""

    def __init__(self, model, row):
        super().__init__()
        self.model, self.row = model, row

    def forward(self, x, eps):
        return objectives.at(self.model, x, self.row, *self.model.draw(x, eps, self.row.keeps_score), M, K).loss


@pytest.mark.parametrize("name", NAMES)
def test_torch_func_maps_it_over_seeds(model, name):
    row, inner = objectives.get(name), AtNoise(model, objectives.get(name))
    eps = torch.stack([model.noise(X, M, K, seeded(seed)) for seed in (1, 2)])
    parameters = {name: p.detach() for name, p in inner.named_parameters()}
    slope = grad(lambda parameters, eps: functional_call(inner, parameters, (X, eps)))
    found = vmap(slope, (None, 0))(parameters, eps)
    for i, seed in enumerate((1, 2)):
        expected = gradient(objectives.loss(model, X, row, M, K, seeded(seed)), model)
        close([found[key][i] for key in parameters], expected)


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_without_a_break(name):
    """To one graph, with the same numbers."""
    torch.manual_seed(2)
    model = plain().double()
    eps = model.noise(X, M, K, seeded())
    row = objectives.get(name)
    torch._dynamo.reset()
    compiled = torch.compile(AtNoise(model, row), fullgraph=True, backend="aot_eager")
    close(gradient(compiled(X, eps), model), gradient(objectives.loss(model, X, row, M, K, seeded()), model))
    whole = torch.compile(lambda x: objectives.loss(model, x, row, M, K), fullgraph=True, backend="aot_eager")
    assert whole(X).isfinite()


def compiled_under_autocast(name, dtype, bound, **how):
    """The loss under autocast, compiled and not: gradients apart by ``bound`` at most. And what it is made of."""
    torch.manual_seed(2)
    model, x = plain(), X.float()
    eps = model.noise(x, M, K, seeded())
    loss = AtNoise(model, objectives.get(name))
    torch._dynamo.reset()
    compiled = torch.compile(loss, backend="aot_eager", **how)
    with torch.autocast("cpu", dtype):
        found, expected = compiled(x, eps), loss(x, eps)
    for g, h in zip(gradient(found, model), gradient(expected, model)):
        assert (g - h).norm() <= bound * h.norm()
    return found, loss, (x, eps)


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_under_autocast(name):
    """To one graph, with the same numbers, and log-weights in float32."""
    found, *_ = compiled_under_autocast(name, torch.bfloat16, 0.02, fullgraph=True)
    assert found.dtype == torch.float32


def test_a_second_size_compiles_too():
    """With symbolic M and K, and without a break."""
    torch._dynamo.reset()
    model = plain().double()
    compiled = torch.compile(lambda M, K: objectives.loss(model, X, "piwae", M, K), fullgraph=True, backend="aot_eager")
    for M, K in ((3, 4), (5, 2), (2, 7)):
        compiled(M, K).backward()


@pytest.mark.parametrize("name", NAMES)
def test_log_densities_from_anywhere_have_the_same_gradient(model, name):
    row = objectives.get(name)
    z, log_q = model.propose(X, M, K, row.keeps_score, seeded())
    found = objectives.surrogate(model.log_joint(X, z), log_q, z, row)
    close(gradient(2 * found.loss, model), [2 * g for g in gradient(written_out(model, X, row), model)])
    torch.testing.assert_close(found.loss, -found.bound.mean())


def test_several_latent_variables_each_get_their_weights():
    mean, scale = torch.zeros(B, L, dtype=torch.float64).requires_grad_(), torch.ones(L).double().requires_grad_()
    first = mean + torch.randn(M, K, B, L, dtype=torch.float64, generator=seeded())
    second = scale * torch.randn(M, K, B, L, dtype=torch.float64, generator=seeded(2))
    log_p = -((first * second).sum(-1) - 1).square()
    log_q = Normal(mean.detach(), 1.0).log_prob(first).sum(-1) + Normal(0, scale.detach()).log_prob(second).sum(-1)
    found = objectives.surrogate(log_p, log_q, (first, second), "dreg").loss
    log_w = (log_p - log_q).detach()
    b = objectives.get("dreg").phi_weights(log_w)
    expected = torch.autograd.grad(-(b * (log_p - log_q)).sum() / B, (mean, scale), retain_graph=True)
    close(torch.autograd.grad(found, (mean, scale)), expected)


@pytest.mark.parametrize("name", ["piwae", "dreg"])
def test_signal_to_noise_has_one_rule_with_it(model, name):
    """Also where phi moves log p without z, as under a VampPrior and with shared weights."""
    found = gradients.signal_to_noise(model, X, name, M, K, draws=7, generator=seeded(), chunk=3)
    generator, rows = seeded(), []
    for _ in range(7):
        by_name = dict(
            zip(
                dict(model.named_parameters()),
                gradient(objectives.loss(model, X, name, M, K, generator), model),
                strict=True,
            )
        )
        rows.append([torch.cat([by_name[n].flatten() for n in half]) for half in (model.theta(), model.phi())])
    for ratio, row in zip(found, zip(*rows, strict=True), strict=True):
        row = torch.stack(row)
        torch.testing.assert_close(ratio, row.mean(0).abs() / row.std(0))


def test_a_hierarchical_encoder_has_it_too():
    model = HierarchicalVAE(D, L, 3, (7,), inner=2).double()
    close(
        gradient(objectives.loss(model, X, "piwae", M, K, seeded()), model),
        gradient(written_out(model, X, objectives.get("piwae")), model),
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_weighs_in_float32(name, dtype):
    """Weights that half precision would round to zero: finite gradients, near those of float64."""
    torch.manual_seed(2)
    model = plain()
    with torch.no_grad():
        model.decoder[-1].weight.mul_(20)
    x = X.float().round()
    half = copy.deepcopy(model).to(dtype)
    wide = copy.deepcopy(half).double()
    eps = half.noise(x.to(dtype), M, K)
    row = objectives.get(name)
    at = lambda model, x, eps: objectives.at(model, x, row, *model.draw(x, eps, row.keeps_score), M, K)
    found, expected = at(half, x.to(dtype), eps), at(wide, x.double(), eps.double())
    assert found.bound.dtype == found.log_w.dtype == torch.float32
    scale = 128.0  # as a GradScaler does
    slopes = [g.double() / scale for g in gradient(scale * found.loss, half)]
    truth = gradient(expected.loss, wide)
    error = math.sqrt(sum(float((g - h).square().sum()) for g, h in zip(slopes, truth, strict=True)))
    size = math.sqrt(sum(float(h.square().sum()) for h in truth))
    assert error < {torch.bfloat16: 0.15, torch.float16: 0.03}[dtype] * size


def test_autocast_is_taken_as_it_comes():
    torch.manual_seed(2)
    model, x = plain(), X.float()
    with torch.autocast("cpu", torch.bfloat16):
        found = objectives.estimate(model, x, "piwae", M, K, seeded())
    found.loss.backward()
    expected = objectives.estimate(model, x, "piwae", M, K, seeded())
    assert (found.bound - expected.bound).abs().max() < 0.05 and found.bound.dtype == torch.float32
    close([p.grad for p in model.parameters()], gradient(expected.loss, model), rtol=0.1, atol=2e-2)


@pytest.mark.parametrize("name", ["iwae", "miwae", "piwae", "dreg", "vr_iwae"])
def test_samples_of_weight_zero_do_no_harm(name):
    mean = torch.zeros(B, L, dtype=torch.float64, requires_grad=True)
    z = mean + torch.randn(M, K, B, L, dtype=torch.float64, generator=seeded())
    log_p = -z.square().sum(-1)
    log_p = torch.where(torch.arange(K)[:, None] == 1, -torch.inf, log_p)
    log_q = Normal(mean.detach(), 1.0).log_prob(z).sum(-1)
    found = objectives.surrogate(log_p, log_q, z, name)
    (slope,) = torch.autograd.grad(found.loss, mean)
    assert found.bound.isfinite().all() and slope.isfinite().all() and slope.abs().max() > 0


class Keeps(VAE):
    def draw(self, x, eps, keeps_score=True):
        return super().draw(x, eps)


class Sampled(VAE):
    """Draws without the path."""

    def draw(self, x, eps, keeps_score=True):
        z, log_q = super().draw(x, eps, keeps_score)
        return z.detach(), log_q


class Narrow(VAE):
    def log_joint(self, x, z):
        return super().log_joint(x, z)[:, :1]


class Wide(VAE):
    def draw(self, x, eps, keeps_score=True):
        z, log_q = super().draw(x, eps, keeps_score)
        return z, log_q.sum(1, keepdim=True)


def density(*shape, grad=False):
    return torch.zeros(*shape, requires_grad=grad)


Z = torch.zeros(M, K, B, L)
REFUSALS = {
    "model.log_joint must have the shape [M, K, B] = [3, 4, 5]": lambda: objectives.loss(
        Narrow(D, L), X.float(), "iwae", M, K
    ),
    "log_q must have the shape [M, K, B] = [3, 4, 5]": lambda: objectives.loss(Wide(D, L), X.float(), "iwae", M, K),
    "must hold the parameters of q fixed": lambda: objectives.loss(Keeps(D, L), X.float(), "stl", M, K),
    "log_q must have": lambda: objectives.surrogate(density(M, K, B), density(M, 1, B), Z, "iwae"),
    "z must begin with the axes [M, K, B] = [3, 4, 5], got shape [4, 3, 5, 2]": lambda: objectives.surrogate(
        density(M, K, B), density(M, K, B), Z.transpose(0, 1), "iwae"
    ),
    "z must be a torch.Tensor, or a tuple of several, got list": lambda: objectives.surrogate(
        density(M, K, B), density(M, K, B), [Z], "iwae"
    ),
    "z must carry the gradient of phi": lambda: objectives.surrogate(
        density(M, K, B), density(M, K, B, grad=True), Z, "iwae"
    ),
    "z must carry the gradient of phi (rsample": lambda: objectives.surrogate(
        density(M, K, B), density(M, K, B, grad=True), (Z.clone().requires_grad_(), Z), "iwae"
    ),
    "z must carry": lambda: objectives.loss(Sampled(D, L), X.float(), "iwae", M, K),
    "model must be a latent-variable model": lambda: objectives.loss(nn.Linear(2, 2), X.float(), "iwae", M, K),
    ".module": lambda: objectives.loss(nn.DataParallel(plain()), X.float(), "iwae", M, K),
    "x must have the type of the model's parameters, torch.float32, got torch.float64": lambda: objectives.loss(
        plain(), X, "iwae", M, K
    ),
    "log_p must have the 3 axes": lambda: objectives.surrogate(density(K, B), density(K, B), Z, "iwae"),
    "log_p contains NaN": lambda: objectives.surrogate(density(M, K, B) / 0, density(M, K, B), Z, "iwae"),
    "log_w is -inf for all K samples of point 0 (m = 0)": lambda: objectives.surrogate(
        density(M, K, B) - torch.inf, density(M, K, B), Z, "elbo"
    ),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_what_would_be_another_number_is_refused(words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        REFUSALS[words]()


def test_without_a_gradient_in_q_theta_learns_alone():
    weight = torch.ones(L, requires_grad=True)
    found = objectives.surrogate((Z * weight).sum(-1) - weight.square().sum(), density(M, K, B), Z, "piwae")
    torch.testing.assert_close(torch.autograd.grad(found.loss, weight)[0], 2 * torch.ones(L))


def test_a_model_of_ones_own_needs_three_methods():
    class Own(LatentVariableModel):
        def __init__(self):
            super().__init__()
            self.mean, self.weight = nn.Parameter(torch.zeros(L)), nn.Parameter(torch.ones(L, D))

        def noise(self, x, M, K, generator=None):
            return torch.randn(M, K, len(x), L, generator=generator)

        def draw(self, x, eps, keeps_score=True):
            mean = self.mean if keeps_score else self.mean.detach()
            z = self.mean + eps
            return z, Independent(Normal(mean, 1.0), 1).log_prob(z)

        def log_joint(self, x, z):
            return Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ self.weight, 1.0).log_prob(x).sum(-1)

    for name in NAMES:
        assert objectives.backward(Own(), X.float(), name, M, K, seeded()).shape == (B,)


def test_nan_is_told_as_what_it_is():
    model = plain()
    with torch.no_grad():
        model.decoder[0].weight.fill_(math.nan)
    with pytest.raises(arguments.NotFinite, match="log_w contains NaN"):
        objectives.loss(model, X.float(), "iwae", M, K)


def test_log_weights_are_looked_at_once(monkeypatch):
    """Each look waits for a GPU. And what is wrong with them is still told."""
    seen = []
    look = arguments.looks
    monkeypatch.setattr(arguments, "looks", lambda value: look(value) and (seen.append(1) or True))
    for name in NAMES:
        seen.clear()
        objectives.loss(plain(), X.float(), name, M, K)
        assert len(seen) == 1, name
    with pytest.raises(arguments.NotFinite), arguments.looked_at():
        raise arguments.NotFinite
    with pytest.raises(arguments.NotFinite, match="log_w contains NaN"):
        objectives.get("iwae").value(torch.full((M, K, B), math.nan))


@pytest.mark.parametrize("name", ["piwae", "dreg"])
def test_float16_loses_no_gradient_where_a_weight_underflows(name):
    """A spread of hundreds of nats: for theta most samples are nothing, for PIWAE's phi a group of them is 1 / M."""
    torch.manual_seed(2)
    model = VAE(D, L, hidden=(7,))
    with torch.no_grad():
        model.decoder[0].weight.mul_(20)
        model.decoder[-1].weight.mul_(40)
    x, row = X.float().round(), objectives.get(name)
    half = copy.deepcopy(model).half()
    wide = copy.deepcopy(half).double()
    eps = half.noise(x.half(), M, K, seeded())
    at = lambda model, x, eps: objectives.at(model, x, row, *model.draw(x, eps, row.keeps_score), M, K)
    found, expected = at(half, x.half(), eps), at(wide, x.double(), eps.double())
    groups = expected.log_w.amax(1)
    assert (groups.amax(0) - groups.amin(0)).max() > 20
    slopes = [g.double() / 16 for g in gradient(16 * found.loss, half)]
    truth = gradient(expected.loss, wide)
    error = sum(float((g - h).square().sum()) for g, h in zip(slopes, truth, strict=True))
    assert math.sqrt(error) < 0.05 * math.sqrt(sum(float(h.square().sum()) for h in truth))


def test_where_samples_meet_a_surrogate_is_still_right():
    """BatchNorm in the decoder: the second pass knows what came from which sample."""
    torch.manual_seed(2)
    model = VAE(D, L, decoder=nn.Sequential(nn.Flatten(0, 2), nn.BatchNorm1d(L), nn.Linear(L, D),
                                            nn.Unflatten(0, (M, K, B)))).double()  # fmt: skip
    row = objectives.get("piwae")
    z, log_q = model.propose(X, M, K, True, seeded())
    log_p = model.log_joint(X, z)
    log_w = (log_p - log_q).detach()
    a, b = row.theta_weights(log_w), row.phi_weights(log_w)
    theta, phi = list(model.theta().values()), list(model.phi().values())
    found = torch.autograd.grad(objectives.surrogate(log_p, log_q, z, row).loss, theta + phi, retain_graph=True)
    by_theta = torch.autograd.grad(-(a * log_p).sum() / B, theta, retain_graph=True)
    by_phi = torch.autograd.grad(-(b * (log_p - log_q)).sum() / B, phi)
    close(found, [*by_theta, *by_phi])


# A log p and a log q that do not hang on z as they must --------------------------------------------------------------

EPS = torch.randn(M, K, B, L, generator=seeded())
OFFSETS = 2 * torch.randn(M, K, B, generator=seeded(2))


def densities(mean):
    """log p, log q with phi held fixed, and the z of both."""
    z = mean + EPS
    return OFFSETS - (z - 1).square().sum(-1), -0.5 * (z - mean.detach()).square().sum(-1), z


def of_a_view(mean):
    log_p, log_q, z = densities(mean)
    return log_p, log_q, z.view(M, K, B, L)


def of_its_base(mean):
    """The likelihood hangs on z, the prior on what z is a view of."""
    base = (mean + EPS).flatten(0, 2)
    z = base.view(M, K, B, L)
    prior = -0.5 * base.square().sum(-1).view(M, K, B)
    return prior - (z - 1).square().sum(-1), -0.5 * (z - mean.detach()).square().sum(-1), z


def of_one_part(mean):
    log_p, log_q, z = densities(mean)
    return log_p, log_q, (z, mean * EPS)


def without_a_gradient(mean):
    log_p, log_q, z = densities(mean)
    return log_p.detach(), log_q, z


compiled_densities = torch.compile(densities, backend="aot_eager")


@pytest.mark.parametrize("name", ["piwae", "dreg"])
@pytest.mark.parametrize("of", [of_a_view, of_its_base, of_one_part, without_a_gradient, compiled_densities])
def test_a_log_p_of_another_z_is_refused_where_phi_has_weights_of_its_own(of, name):
    """The second pass would find no slope along z, and phi would get theta's weights."""
    mean = torch.zeros(B, L, requires_grad=True)
    torch._dynamo.reset()
    refused = "log_p must be computed from this z"
    if name == "dreg" and of in (of_one_part, compiled_densities):  # whose log q is looked at first
        refused = "log_q must move with each part" if of is of_one_part else "log_q must be computed from this z"
    with pytest.raises(ValueError, match=refused):
        objectives.surrogate(*of(mean), name)


@pytest.mark.parametrize("name", ["iwae", "dreg"])
def test_what_holds_for_a_surrogate_under_compile(name):
    """One set of weights: all compiles. Two: the surrogate alone, with a break, and all else raises."""
    mean = torch.zeros(B, L, requires_grad=True)
    slope = lambda found: torch.autograd.grad(found, mean)[0]
    loss = lambda *drawn: objectives.surrogate(*drawn, name).loss
    whole = lambda mean: loss(*densities(mean))
    compiled = lambda of, full: torch.compile(of, fullgraph=full, backend="aot_eager")
    expected = slope(whole(mean))
    torch._dynamo.reset()
    torch.testing.assert_close(slope(compiled(loss, False)(*densities(mean))), expected)
    if not objectives.get(name).turns:
        torch.testing.assert_close(slope(compiled(whole, True)(mean)), expected)
        return
    with pytest.raises(torch._dynamo.exc.Unsupported):
        compiled(whole, True)(mean)
    torch._dynamo.reset()
    with pytest.raises(ValueError, match="log_p must be computed from this z"):
        compiled(whole, False)(mean)


@pytest.mark.parametrize("name", ["piwae", "dreg"])
def test_float16_compiles_with_a_break(name):
    """For the second pass; the numbers are those without ``torch.compile``."""
    _, loss, given = compiled_under_autocast(name, torch.float16, 1e-3)
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported), torch.autocast("cpu", torch.float16):
        torch.compile(loss, fullgraph=True, backend="aot_eager")(*given)


def test_a_part_of_z_that_the_model_does_not_use_is_no_mistake():
    """``at`` gives z to the model itself, so nothing was lost on the way: in float16, too."""

    class Two(LatentVariableModel):
        def __init__(self):
            super().__init__()
            self.mean = nn.Parameter(torch.zeros(B, L))

        def draw(self, x, eps, keeps_score=True):
            z = self.mean.half() + EPS.half()
            return (z, 2 * z), Normal(self.mean, 1.0).log_prob(z.float()).sum(-1)

        def log_joint(self, x, z):
            return OFFSETS - (z[0].float() - 1).square().sum(-1)

    model = Two()
    found = objectives.at(model, X, "piwae", *model.draw(X, EPS), M, K)
    assert gradient(found.loss, model)[0].abs().max() > 0


class Detached(VAE):
    """Holds phi fixed by leaving z out as well."""

    def draw(self, x, eps, keeps_score=True):
        z, log_q = super().draw(x, eps, keeps_score)
        return z, log_q if keeps_score else log_q.detach()


@pytest.mark.parametrize("name", ["stl", "dreg"])
def test_without_the_score_term_log_q_must_still_move_with_z(name):
    mean = torch.zeros(B, L, requires_grad=True)
    log_p, log_q, z = densities(mean)
    with pytest.raises(ValueError, match="log_q must move with z"):
        objectives.surrogate(log_p, log_q.detach(), z, name)
    with pytest.raises(ValueError, match="model.draw with keeps_score=False must move with z"):
        objectives.loss(Detached(D, L), X.float(), name, M, K)
    with torch.no_grad():
        assert objectives.surrogate(log_p, log_q.detach(), z, name).bound.isfinite().all()


@pytest.mark.parametrize("name", ["elbo", "iwae", "piwae"])
def test_a_q_of_fixed_width_may_say_its_density_by_the_noise(name):
    """At a fixed noise log q does not move with phi, so it has no gradient, and that is right."""
    mean = torch.zeros(B, L, requires_grad=True)
    log_p, _, z = densities(mean)
    said = [Normal(mean, 1.0).log_prob(z).sum(-1), Normal(0.0, 1.0).log_prob(EPS).sum(-1)]
    slopes = [torch.autograd.grad(objectives.surrogate(log_p, q, z, name).loss, mean, retain_graph=True) for q in said]
    close(*slopes)


class Family:
    """A Gaussian whose log_prob asks its network once more, under activation checkpointing."""

    def __init__(self, network, x, use_reentrant):
        self.network, self.x, self.use_reentrant = network, x, use_reentrant

    def rsample(self, shape):
        return self.network(self.x) + torch.randn(*shape, len(self.x), L)

    def log_prob(self, z):
        density = lambda z: Normal(self.network(self.x), 1.0).log_prob(z).sum(-1)
        return density(z) if self.use_reentrant is None else checkpoint(density, z, use_reentrant=self.use_reentrant)


class Checkpointed(nn.Module):
    def __init__(self, use_reentrant):
        super().__init__()
        self.network, self.use_reentrant = nn.Linear(D, L), use_reentrant

    def forward(self, x):
        return Family(self.network, x, self.use_reentrant)


class Pixels(nn.Module):
    """A likelihood whose network computes in another type than its z, by itself: ``way`` is how."""

    def __init__(self, way="plain"):
        super().__init__()
        self.network, self.way = nn.Sequential(nn.Linear(L, 8), nn.Tanh(), nn.Linear(8, D)), way

    def forward(self, z):
        with torch.autocast("cpu", torch.float16, enabled=self.way == "autocast"):
            if self.way == "half":
                half = {name: p.half() for name, p in self.network.named_parameters()}
                logits = functional_call(self.network, half, (z.half(),))
            else:
                logits = self.network(z)
        return Independent(Bernoulli(logits=logits.float(), validate_args=False), 1, validate_args=False)


@pytest.mark.parametrize("name", ["stl", "dreg"])
def test_checkpointing_that_hides_the_score_term_is_refused(name):
    """The reentrant kind asks q once more on the way back, when phi is no longer held fixed."""
    torch.manual_seed(2)
    x, model = X.float(), DeepLatentVariableModel(Pixels(), Checkpointed(True))
    with pytest.raises(ValueError, match="use_reentrant=True"):
        objectives.loss(model, x, name, M, K)
    objectives.loss(model, x, "iwae", M, K).backward()


@pytest.mark.parametrize("way", ["autocast", "half"])
@pytest.mark.parametrize("name", ["piwae", "dreg"])
def test_float16_inside_the_likelihood_loses_nothing_either(name, way):
    """Where z is float32 and no autocast is on outside, as in a model that chooses its types itself."""
    torch.manual_seed(2)
    x, posterior = X.float().round(), Checkpointed(None)
    posterior.network.weight.data.mul_(20)
    model, plain = (DeepLatentVariableModel(Pixels(kind), posterior) for kind in (way, "plain"))
    plain.load_state_dict(model.state_dict())
    for one in (model, plain):
        one.likelihood.network[2].weight.data.mul_(200)
    found, expected = (objectives.estimate(one, x, name, M, K, seeded()) for one in (model, plain))
    groups = expected.log_w.amax(1)
    assert (groups.amax(0) - groups.amin(0)).max() > 20
    slopes, truth = [g / 16 for g in gradient(16 * found.loss, model)], gradient(expected.loss, plain)
    for g, h in list(zip(slopes, truth, strict=True))[-2:]:  # phi's
        assert (g - h).norm() < 0.02 * h.norm()


# A second derivative -------------------------------------------------------------------------------------------------


def bound_at(model, row, eps):
    log_p, log_q = model(X, eps)
    return -row.value(log_p - log_q).mean()


@pytest.mark.parametrize("name", NAMES)
def test_a_second_derivative_is_right_or_refused(name):
    """The weights depend on log w and are held fixed: only the elbo's do not."""
    torch.manual_seed(2)
    model, row = plain().double(), objectives.get(name)
    eps, parameters = model.noise(X, M, K, seeded()), list(model.parameters())
    drawn = lambda: model.draw(X, eps, row.keeps_score)

    def twice(loss):
        once = torch.autograd.grad(loss, parameters, create_graph=True)
        close([g.detach() for g in once], torch.autograd.grad(loss, parameters, retain_graph=True))
        return torch.autograd.grad(sum(g.square().sum() for g in once), parameters)

    z, log_q = drawn()
    losses = [lambda: objectives.at(model, X, row, *drawn(), M, K).loss]
    losses += [lambda: objectives.surrogate(model.log_joint(X, z), log_q, z, row).loss]
    for loss in losses:
        if name == "elbo":
            close(twice(loss()), twice(bound_at(model, row, eps)))
        else:
            with pytest.raises(RuntimeError, match="differentiated once"):
                twice(loss())


@pytest.mark.parametrize("name", ["elbo", "iwae", "dreg"])
def test_torch_func_differentiates_once_or_says_so(name):
    torch.manual_seed(2)
    model, row = plain().double(), objectives.get(name)
    eps, inner = model.noise(X, M, K, seeded()), AtNoise(model, row)
    parameters = {name: p.detach() for name, p in inner.named_parameters()}
    once = grad(lambda parameters: functional_call(inner, parameters, (X, eps)))
    length = lambda parameters: sum(g.square().sum() for g in once(parameters).values())
    assert length(parameters) > 0
    if name == "elbo":
        truth = torch.autograd.grad(bound_at(model, row, eps), list(model.parameters()), create_graph=True)
        expected = torch.autograd.grad(sum(g.square().sum() for g in truth), list(model.parameters()))
        close(grad(length)(parameters).values(), expected)
    else:
        with pytest.raises(RuntimeError, match="differentiated once"):
            grad(length)(parameters)


def test_a_gradient_may_be_differentiated_by_what_it_was_scaled_with():
    """Its weights do not depend on that."""
    model, scale = plain().double(), torch.tensor(3.0, requires_grad=True, dtype=torch.float64)
    loss = scale * objectives.loss(model, X, "iwae", M, K)
    length = sum(g.sum() for g in torch.autograd.grad(loss, list(model.parameters()), create_graph=True))
    torch.testing.assert_close(torch.autograd.grad(length, scale)[0], length.detach() / 3)
