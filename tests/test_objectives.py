"""The table and ``backward``: against formulas written out, exact gradients, and the known wrong answers."""

import copy

import pytest
import torch
from torch import nn

from tests import reference
from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact, objectives
from vaecourse.models import VAE

M, K, B, D, L = 3, 5, 4, 12, 2
ROWS = [
    *objectives.TABLE.values(),
    objectives.get("ciwae", beta=0.05),
    objectives.get("vr_iwae", alpha=0.9),
]
REPARAMETERISED = [
    "elbo",
    "iwae",
    "miwae",
    "ciwae",
    "vr_iwae",
]  # whose gradient is that of their value


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VAE(D, L, hidden=(7, 6)).double()


@pytest.fixture
def x():
    return torch.rand(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def gradients_by(model, x, objective, M=M, K=K, seed=2):
    """The gradients of the mean bound that ``backward`` leaves: theta's, phi's."""
    model.zero_grad()
    value = objectives.backward(model, x, objective, M, K, torch.Generator().manual_seed(seed))
    flat = lambda named: torch.cat([-p.grad.flatten() for p in named.values()])
    return value, flat(model.theta()), flat(model.phi())


def log_p_and_log_q(model, x, keeps_score=True, seed=2, M=M, K=K):
    return model(x, model.noise(x, M, K, torch.Generator().manual_seed(seed)), keeps_score)


def flat_gradient(value, named):
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(named.values()), retain_graph=True)])


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_backward_is_the_row_written_out(model, x, row):
    value, theta, phi = gradients_by(model, x, row)
    log_p, log_q = log_p_and_log_q(model, x, row.keeps_score)
    log_w = (log_p - log_q).detach()
    torch.testing.assert_close(value, row.value(log_w))
    torch.testing.assert_close(
        theta,
        flat_gradient((row.theta_weights(log_w) * log_p).sum() / B, model.theta()),
    )
    torch.testing.assert_close(
        phi,
        flat_gradient((row.phi_weights(log_w) * (log_p - log_q)).sum() / B, model.phi()),
    )


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_gradient_is_that_of_the_value(model, x, name):
    row = objectives.get(name)
    _, theta, phi = gradients_by(model, x, row)
    log_w = model.log_weights(x, M, K, torch.Generator().manual_seed(2))
    torch.testing.assert_close(theta, flat_gradient(row.value(log_w).mean(), model.theta()))
    torch.testing.assert_close(phi, flat_gradient(row.value(log_w).mean(), model.phi()))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_weights_are_those_of_the_table(row):
    log_w = 3 * torch.randn(M, K, B, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    w = log_w.exp()
    over_all, over_k = w / w.sum((0, 1)), w / w.sum(1, keepdim=True) / M
    beta, alpha = row.parameters.get("beta"), row.parameters.get("alpha")
    flat = torch.full_like(w, 1 / (M * K))
    tilted = w ** (1 - alpha) / (w ** (1 - alpha)).sum(1, keepdim=True) / M if alpha is not None else None
    mixed = beta * flat + (1 - beta) * over_k if beta is not None else None
    by_hand = {
        "elbo": (flat, flat),
        "iwae": (over_all, over_all),
        "miwae": (over_k, over_k),
        "ciwae": (mixed, mixed),
        "piwae": (over_all, over_k),
        "stl": (over_all, over_all),
        "dreg": (over_all, over_all**2),
        "vr_iwae": (tilted, tilted),
    }
    expected = by_hand.get(row.name) or reference.weights(row.name, log_w, *row.parameters.values())
    torch.testing.assert_close(row.theta_weights(log_w), expected[0])
    torch.testing.assert_close(row.phi_weights(log_w), expected[1])
    assert row.keeps_score == reference.KEEPS_SCORE[row.name]


def test_parameters_are_taken_and_told():
    row = objectives.get("ciwae", beta=0.05)
    assert row.parameters == {"beta": 0.05} and str(row) == "ciwae(beta=0.05)"
    assert objectives.get("ciwae").parameters == {"beta": 0.5}  # the table's own row is as it was
    assert str(objectives.get("iwae")) == "iwae"
    log_w = torch.randn(M, K, B, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(row.value(log_w), bounds.ciwae(log_w, 0.05))
    several = objectives.Objective("mine", bounds.elbo, objectives.uniform, objectives.uniform, True, {"a": 1, "b": 2})
    assert str(several) == "mine(a=1, b=2)"
    assert objectives.get(several) == several  # a row of one's own is taken as it is
    assert objectives.get(row, beta=0.2).parameters == {"beta": 0.2}


def test_a_row_with_two_parameters_names_both(monkeypatch):
    row = objectives.Objective("two", bounds.elbo, objectives.uniform, objectives.uniform, True, {"a": 0.1, "b": 0.2})
    monkeypatch.setitem(objectives.TABLE, "two", row)
    with pytest.raises(TypeError, match="^objective 'two' takes a, b, got c.$"):
        objectives.get("two", c=0.3)


def test_weights_carry_no_gradient():
    log_w = torch.zeros(M, K, B, requires_grad=True)
    for row in ROWS:
        assert not row.theta_weights(log_w).requires_grad and not row.phi_weights(log_w).requires_grad


def test_the_tilt_that_is_none_gives_uniform_weights_also_to_samples_of_weight_zero():
    log_w = torch.tensor([[[0.0], [-torch.inf], [1.0]]])
    torch.testing.assert_close(objectives.get("vr_iwae", alpha=1.0).phi_weights(log_w), torch.full((1, 3, 1), 1 / 3))


def test_piwae_is_iwae_for_theta_and_miwae_for_phi(model, x):
    _, theta, phi = gradients_by(model, x, "piwae")
    torch.testing.assert_close(theta, gradients_by(model, x, "iwae")[1])
    torch.testing.assert_close(phi, gradients_by(model, x, "miwae")[2])


def jackknifed(log_w):
    """The jackknife's gradient for log w: weights of both signs."""
    with torch.enable_grad():
        log_w = log_w.detach().requires_grad_()
        return torch.autograd.grad(bounds.jackknife(log_w, 1).sum(), log_w)[0]


@pytest.mark.parametrize("phi", [jackknifed, lambda log_w: jackknifed(log_w)], ids=["one set", "two sets"])
def test_weights_of_both_signs_keep_them(model, x, phi):
    """The jackknife as a row of one's own has autograd's gradient through it, on each of the three ways."""
    row = objectives.Objective("jackknife", lambda log_w: bounds.jackknife(log_w, 1), jackknifed, phi)
    generator = lambda: torch.Generator().manual_seed(2)
    named = dict(model.named_parameters())
    with torch.no_grad():
        model.decoder[-1].weight.mul_(5)
    log_p, log_q = log_p_and_log_q(model, x)
    assert (row.theta_weights((log_p - log_q).detach()) < 0).any()
    expected = flat_gradient(-bounds.jackknife(log_p - log_q, 1).mean(), named)
    z, log_q = model.propose(x, M, K, True, generator())
    for found in (
        objectives.loss(model, x, row, M, K, generator()),
        objectives.at(model, x, row, z, log_q, M, K).loss,
        objectives.surrogate(model.log_joint(x, z), log_q, z, row).loss,
    ):
        torch.testing.assert_close(flat_gradient(found, named), expected)


def test_at_takes_a_name_as_loss_does(model, x):
    drawn = model.propose(x, M, K, True, torch.Generator().manual_seed(2))
    found, expected = (objectives.at(model, x, row, *drawn, M, K).bound for row in ("ciwae", objectives.get("ciwae")))
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="Did you mean 'iwae'"):
        objectives.at(model, x, "iwea", *drawn, M, K)


def test_one_sample_makes_every_bound_the_elbo(model, x):
    elbo = gradients_by(model, x, "elbo", 1, 1)
    for name in ("iwae", "miwae", "ciwae", "piwae", "vr_iwae"):
        for mine, of_elbo in zip(gradients_by(model, x, name, 1, 1), elbo, strict=True):
            torch.testing.assert_close(mine, of_elbo)


def test_weights_that_underflow_keep_their_place_in_the_other_gradient(x):
    """In PIWAE a whole group may be worth exp(-300) of the others: nothing for theta, 1/M for phi, also in float32."""
    torch.manual_seed(0)
    model = VAE(D, L, hidden=(7,))
    with torch.no_grad():
        model.decoder[0].weight.mul_(60)
        model.decoder[2].weight.mul_(60)
    x, M, K = x.float().round(), 5, 2
    spread = bounds.miwae(log := model.log_weights(x, M, K, torch.Generator().manual_seed(2))) - bounds.iwae(log)
    assert spread.min() < -100
    _, theta, phi = gradients_by(model, x, "piwae", M, K)
    _, theta64, phi64 = gradients_by_noise(copy.deepcopy(model).double(), x.double(), "piwae", model, M, K)
    torch.testing.assert_close(theta.double(), theta64, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(phi.double(), phi64, rtol=1e-3, atol=1e-3)
    assert theta.isfinite().all()
    assert phi.isfinite().all()


def gradients_by_noise(model64, x64, name, model32, M, K):
    row, eps = (
        objectives.get(name),
        model32.noise(x64.float(), M, K, torch.Generator().manual_seed(2)).double(),
    )
    log_p, log_q = model64(x64, eps)
    log_w = (log_p - log_q).detach()
    theta = flat_gradient((row.theta_weights(log_w) * log_p).sum() / len(x64), model64.theta())
    phi = flat_gradient((row.phi_weights(log_w) * (log_p - log_q)).sum() / len(x64), model64.phi())
    return row.value(log_w), theta, phi


class OneGaussian(nn.Module):
    """An encoder that gives N reference points the same q, each its own copy: N independent estimates at once."""

    def __init__(self, case, n):
        super().__init__()
        self.mean = nn.Parameter(case.mean.expand(n, 1).clone())
        self.log_std = nn.Parameter(case.std.log().expand(n, 1).clone())

    def forward(self, x):
        return torch.cat([self.mean, self.log_std], -1)


def reference_vae(n):
    """The reference case as a VAE, and n copies of its x: the gradient for mean[i] is an estimate of its own."""
    case = exact.reference(torch.float64)
    decoder = nn.Linear(1, 1).double()
    model = VAE(1, 1, likelihood="gaussian", encoder=OneGaussian(case, n), decoder=decoder).double()
    with torch.no_grad():
        decoder.weight.fill_(1.5)
        decoder.bias.zero_()
        model.log_noise.fill_(0.5 * torch.tensor(0.7).log())
    return case, model, case.x.expand(n, 1)


def mean_gradients(name, M, K, n=40_000, seed=5):
    """n independent estimates of the gradient for the mean of q on the reference case."""
    _, model, x = reference_vae(n)
    objectives.backward(model, x, name, M, K, torch.Generator().manual_seed(seed))
    return -n * model.encoder.mean.grad[:, 0]


def test_elbo_gradient_is_exact_on_average():
    case = exact.reference(torch.float64)
    mean, std = case.mean.clone().requires_grad_(), case.std.clone().requires_grad_()
    case.model.elbo(case.x, mean, std).backward()
    assert_mean(mean_gradients("elbo", M=2, K=3), mean.grad.item())


@pytest.mark.parametrize("M, K", [(1, 8), (2, 5)])
def test_dreg_has_the_mean_of_the_iwae_gradient_and_stl_has_not(M, K):
    iwae, dreg, stl = (mean_gradients(name, M, K, seed=seed) for seed, name in enumerate(("iwae", "dreg", "stl")))
    error = (iwae.var() / len(iwae)) ** 0.5
    assert abs(dreg.mean() - iwae.mean()) < 4 * (error**2 + dreg.var() / len(dreg)) ** 0.5
    assert abs(stl.mean() - iwae.mean()) > 8 * (error**2 + stl.var() / len(stl)) ** 0.5


def test_axes_are_estimates_then_samples():
    """A known fault: with M and K swapped the encoder's gradient at (1, 50) is that of the ELBO-like MIWAE(50, 1)."""
    right = mean_gradients("miwae", M=1, K=50, n=20_000)
    assert_mean(right, mean_gradients("iwae", M=1, K=50, n=400_000, seed=9).mean().item())
    assert_not_mean(right, mean_gradients("miwae", M=50, K=1, n=20_000).mean().item())


def test_gradients_add_up(model, x):
    _, theta, _ = gradients_by(model, x, "iwae")
    objectives.backward(model, x, "iwae", M, K, torch.Generator().manual_seed(2))
    torch.testing.assert_close(torch.cat([-p.grad.flatten() for p in model.theta().values()]), 2 * theta)


def test_value_is_detached_and_the_generator_is_what_decides(model, x):
    values = [objectives.backward(model, x, "dreg", M, K, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert not values[0].requires_grad
    assert values[0].equal(values[1])
    assert not values[0].equal(values[2])


@pytest.mark.parametrize(
    "error, call, message",
    [
        (ValueError, lambda: objectives.get("iwea"), "Did you mean 'iwae'"),
        (TypeError, lambda: objectives.get(3), "objective must be one of"),
        (
            TypeError,
            lambda: objectives.get("iwae", beta=0.5),
            "takes no parameters, got beta",
        ),
        (ValueError, lambda: objectives.get("ciwae", beta=1.5), "beta must lie in"),
        (
            ValueError,
            lambda: objectives.get("ciwae", beta=float("nan")),
            "beta must lie in",
        ),
        (
            ValueError,
            lambda: objectives.get("vr_iwae", alpha=-0.1),
            "alpha must lie in",
        ),
        (
            ValueError,
            lambda: objectives.backward(VAE(D, L), torch.zeros(B, D), "iwae", 0, 1),
            "M must be at least 1",
        ),
        (
            ValueError,
            lambda: objectives.backward(VAE(D, L), torch.zeros(B, D), "iwae", 1, 0),
            "K must be at least 1",
        ),
        (
            TypeError,
            lambda: objectives.backward(VAE(D, L), torch.zeros(B, D), "iwae", 1, 2.0),
            "K must be a whole",
        ),
        (
            TypeError,
            lambda: objectives.get("ciwae", gamma=1.0, alpha=0.5),
            "^objective 'ciwae' takes beta, got alpha, gamma.$",
        ),
        (
            ValueError,
            lambda: objectives.get("iwae").theta_weights(torch.zeros(3, 4)),
            "log_w must have the 3 axes",
        ),
    ],
)
def test_bad_input_is_told_in_a_sentence(error, call, message):
    with pytest.raises(error, match=message):
        call()


def test_weights_of_a_row_of_ones_own_are_one_for_each_sample():
    """A mean over K that kept its axis would be broadcast in silence."""
    row = objectives.Objective("wide", bounds.elbo, *[lambda log_w: log_w.softmax(1).mean(1, keepdim=True)] * 2)
    log_p = torch.zeros(3, 4, 5, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"the weights of 'wide' must be \[3, 4, 5\], one for each sample, got \[3, 1, 5\]"
    ):
        objectives.surrogate(log_p, torch.zeros(3, 4, 5), torch.zeros(3, 4, 5, 2), row)
