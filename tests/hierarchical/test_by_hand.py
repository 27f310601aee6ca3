"""What training, noise and networks do, against the same thing written out; and the sentences of what is refused."""

import inspect
import math
import re
from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Normal

from vaecourse import exact, hierarchical
from vaecourse.hierarchical import GatedInverse, LinearInverse, MixingPrior, learning, ratios, samplers, toy, vae
from vaecourse.priors import VampPrior

LAW = exact.LaplaceMixture(3)
Z, PSI = torch.ones(5, 3), torch.ones(5, 3)


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


# Bounds --------------------------------------------------------------------------------------------------------------


def test_midpoint_lies_between_two_bounds_that_differ():
    log_ratio = torch.randn(4, 3, generator=seeded())
    upper, lower = hierarchical.upper_bound(log_ratio), hierarchical.lower_bound(log_ratio)
    torch.testing.assert_close(hierarchical.midpoint(log_ratio), 0.5 * upper + 0.5 * lower)
    assert lower.abs().min() > 0.01


def test_jackknife_of_one_ratio_is_that_ratio():
    log_ratio = torch.randn(1, 3, generator=seeded())
    torch.testing.assert_close(hierarchical.jackknife(log_ratio, 0), log_ratio[0])


def test_an_empty_axis_is_told():
    with pytest.raises(
        ValueError, match=r"^log_ratio must have at least one entry along \.\.\., got shape \[2, 0\]\.$"
    ):
        hierarchical.upper_bound(torch.zeros(2, 0))


# Laws and inverse models ---------------------------------------------------------------------------------------------


def lacks(methods, missing):
    return SimpleNamespace(**{name: lambda *_, **__: None for name in methods.split() if name != missing})


OF_LAW, OF_TAU = "log_mixing log_conditional", "sample log_prob"
NEEDS = [
    ("law", OF_LAW, lambda law: hierarchical.dreg(law, MixingPrior(LAW), Z, PSI, 2)),
    ("tau", OF_TAU, lambda tau: hierarchical.dreg(LAW, tau, Z, PSI, 2)),
    ("law", OF_LAW, lambda law: ratios.log_ratio(law, MixingPrior(LAW), Z, PSI[None])),
    ("tau", OF_TAU, lambda tau: ratios.log_ratio(LAW, tau, Z, PSI[None])),
    ("tau", OF_TAU, lambda tau: hierarchical.log_ratios(LAW, tau, Z, PSI, 2)),
    ("law", f"sample {OF_LAW}", lambda law: hierarchical.learn(law, GatedInverse((3,)), 1)),
    ("tau", f"{OF_TAU} parameters", lambda tau: hierarchical.learn(LAW, tau, 1)),
    ("law", "log_mixing sample_mixing", MixingPrior),
    ("law", "sample_posterior log_posterior", hierarchical.Posterior),
]


@pytest.mark.parametrize(
    "name, methods, call, missing",
    [(name, methods, call, missing) for name, methods, call in NEEDS for missing in methods.split()],
)
def test_a_method_that_is_missing_is_told(name, methods, call, missing):
    with pytest.raises(TypeError, match=f"^{name} must have .* without {missing}.$"):
        call(lacks(methods, missing))


DENSITIES = {
    "linear": (LinearInverse(), 3),
    "gated": (GatedInverse((4,)), 3),
    "sampler's inverse": (samplers.GaussianInverse((4,)), 2),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_psi_and_z_of_an_inverse_model_are_told_in_whole_sentences(name):
    tau, width = DENSITIES[name]
    z = torch.ones(5, width)
    apart = rf"^psi must broadcast with z in all axes but the last, got psi \[4, {width}\] and z \[5, {width}\]\.$"
    with pytest.raises(ValueError, match=apart):
        tau.log_prob(torch.ones(4, width), z)
    with pytest.raises(
        TypeError, match=r"^z must be a floating-point torch.Tensor of shape \[\.\.\., (L|2)\], got int"
    ):
        tau.log_prob(z, 3)
    with pytest.raises(ValueError, match=rf"^psi must have the shape \[\.\.\., {width}\], got \[5, {width + 1}\]\.$"):
        tau.log_prob(torch.ones(5, width + 1), z)


def test_z_of_the_samplers_inverse_has_two_numbers():
    tau, z = samplers.GaussianInverse((4,)), torch.ones(5, 3)
    for call in (lambda: tau.sample(z, 2), lambda: tau.log_prob(torch.ones(5, 2), z)):
        with pytest.raises(ValueError, match=r"^z must have the shape \[\.\.\., 2\], got \[5, 3\]\.$"):
            call()


def test_psi_and_z_of_a_sampler_are_told_in_a_whole_sentence():
    words = r"^psi must broadcast with z in all axes but the last, got psi \[4, 2\] and z \[5, 2\]\.$"
    with pytest.raises(ValueError, match=words):
        samplers.NeuralSampler((4,)).log_conditional(torch.ones(5, 2), torch.ones(4, 2))


def test_the_samplers_inverse_takes_any_axes_before_the_last():
    torch.manual_seed(0)
    tau, z = samplers.GaussianInverse((4,)), torch.randn(3, 7, 2)
    torch.nn.init.normal_(tau.network[-1].weight)
    mean, log_std = tau.network(z)[..., :2], tau.network(z)[..., 2:]
    eps = torch.randn(5, 3, 7, 2, generator=seeded())
    torch.testing.assert_close(tau.sample(z, 5, seeded()), mean + log_std.exp() * eps)
    torch.testing.assert_close(tau.log_prob(eps, z), Normal(mean, log_std.exp()).log_prob(eps).sum(-1))


def test_a_linear_inverse_draws_in_the_type_of_z():
    tau, z = LinearInverse(0.5, 2.0).double(), torch.ones(5, 3, dtype=torch.float64)
    eps = torch.randn(4, 5, 3, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(tau.sample(z, 4, seeded()), 0.5 * z + 2.0 * eps)


def test_layers_of_a_gated_inverse_may_differ_in_width():
    shape, rate = GatedInverse((5, 4, 3)).shape_and_rate(Z)
    torch.testing.assert_close(shape, torch.ones(5, 3)), torch.testing.assert_close(rate, 0.5 * torch.ones(5, 3))


def test_no_draws_of_a_sampler_are_none():
    assert samplers.NeuralSampler((4,)).sample_mixing((0, 3)).shape == (0, 3, 2)


# Training ------------------------------------------------------------------------------------------------------------


def defaults(function):
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def test_defaults_are_those_of_the_recorded_runs():
    assert defaults(learning.learn).items() >= {"K": 5, "batch": 64, "learning_rate": 1e-2}.items()
    fit = {"tau": "learned", "steps": 1500, "seed": 0, "batch_size": 100, "learning_rate": 5e-3}
    assert defaults(samplers.fit).items() >= fit.items()
    assert defaults(toy.untrained) == {"seed": 0}


def test_learning_draws_from_its_generator():
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        tau = GatedInverse((4,))
        torch.rand(len(runs) + 1)  # what the global generator does is another matter
        runs.append(hierarchical.learn(LAW, tau, 3, K=2, batch=5, generator=seeded()))
    torch.testing.assert_close(*runs, rtol=0, atol=0)


@pytest.mark.parametrize("tau", samplers.TAUS)
def test_a_sampler_is_trained_by_adam_with_a_rate_that_falls_to_a_tenth(tau):
    target, rate, steps, seen = samplers.TARGETS["banana"], 0.02, 3, []
    watch = lambda step, fitted: seen.append((step, fitted))
    found = samplers.fit(target, 2, tau, steps, seed=4, batch_size=6, learning_rate=rate, watch=watch)
    assert [step for step, _ in seen] == [0, 1, 2, 3] and all(fitted is found for _, fitted in seen)
    torch.manual_seed(4)
    sampler, inverse, generator = samplers.NeuralSampler(), samplers.GaussianInverse(), seeded(4)
    optimizer = torch.optim.Adam([*sampler.parameters(), *inverse.parameters()])
    for step in range(steps):
        z, psi_0 = sampler.sample(6, generator)
        if tau == "learned":
            u = hierarchical.dreg(sampler, inverse, z, psi_0, 2, generator)
        else:
            prior = MixingPrior(sampler)
            u = hierarchical.upper_bound(hierarchical.log_ratios(sampler, prior, z, psi_0, 2, generator))
        optimizer.zero_grad()
        (-(target.log_unnormalised(z) - u).mean()).backward()
        optimizer.param_groups[0]["lr"] = rate * (1 - 0.9 * step / steps)
        optimizer.step()
    pairs = [(found.sampler, sampler), *([(found.tau, inverse)] if tau == "learned" else [])]
    for one, other in pairs:
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b)
    assert isinstance(found.tau, samplers.GaussianInverse if tau == "learned" else MixingPrior)


@pytest.mark.parametrize("name", ["points", "starts"])
def test_a_gaussian_is_fitted_from_some_points_and_starts(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got 0.$"):
        samplers.gaussian_fit(samplers.TARGETS["X"], **{name: 0})


# The VAE -------------------------------------------------------------------------------------------------------------

X = torch.rand(4, 6, generator=seeded(), dtype=torch.float64)


def test_a_split_network_is_the_network_of_the_pair():
    torch.manual_seed(0)
    net = vae.SplitMLP(6, 2, (5, 4), 3)
    x, y = torch.randn(7, 6), torch.randn(7, 2)
    _, second, _, last = net.rest
    for layer in (net.project, second, last):
        torch.nn.init.normal_(layer.bias)
    h = torch.tanh(x @ net.project.weight.T + net.project.bias + y @ net.other.weight.T)
    h = torch.tanh(h @ second.weight.T + second.bias)
    torch.testing.assert_close(net(net.project(x), y), h @ last.weight.T + last.bias)
    assert net.other.bias is None


def test_a_network_that_starts_at_zero_has_a_last_layer_of_zeros_and_no_other():
    net = vae.SplitMLP(6, 2, (5, 4), 3).start_at_zero()
    assert not net.rest[-1].weight.any() and not net.rest[-1].bias.any()
    assert net.rest[1].weight.all() and net.project.weight.all() and net.other.weight.all()


def test_defaults_and_parts_of_a_hierarchical_vae():
    prior, decoder = VampPrior(torch.nn.Linear(6, 4), torch.rand(3, 6)), torch.nn.Linear(2, 6)
    model = vae.HierarchicalVAE(6, 2, prior=prior, decoder=decoder)
    assert model.prior is prior and model.decoder is decoder and model.mixing_dim == 2
    assert model.traits() == {"inner": 0, "shared": False, "gradient": "plain"}
    assert model.tau == "learned" and model.likelihood == "bernoulli"


def test_noise_has_the_type_of_x_and_the_order_that_is_said():
    model = vae.HierarchicalVAE(6, 2, 3, (5,), inner=2).double()
    generator = seeded()
    own = torch.randn(2, 5, 4, 2 + 3, generator=generator, dtype=torch.float64)
    others = torch.randn(2, 5, 4, 2 * 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(model.noise(X, 2, 5, seeded()), torch.cat([own, others], -1), rtol=0, atol=0)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("tau", vae.TAUS)
@pytest.mark.parametrize("L, P", [(3, 1), (1, 3)])
def test_the_bound_in_a_draw_is_that_of_its_ratios(L, P, tau, shared):
    """One inner psi of one number, and more samples than two."""
    torch.manual_seed(0)
    model = vae.HierarchicalVAE(6, L, P, (5,), tau=tau, inner=1, shared=shared).double()
    if tau == "learned":
        torch.nn.init.normal_(model.encoder.inverse.rest[-1].weight)
    eps = model.noise(X, 2, 3, seeded())
    z, u = model.draw(X, eps)
    gaussian = lambda out, n: Normal(out[..., :n], out[..., n:].exp())
    mixing, net = gaussian(model.encoder.mixing(X), P), model.encoder.conditional
    conditional = lambda psi: gaussian(net(net.project(X), psi), L)
    psi_0 = mixing.mean + mixing.stddev * eps[..., L : L + P]
    torch.testing.assert_close(z, conditional(psi_0).mean + conditional(psi_0).stddev * eps[..., :L])
    inverse = mixing
    if tau == "learned":
        out = model.encoder.inverse(model.encoder.inverse.project(X), z)
        inverse = Normal(mixing.mean + mixing.stddev * out[..., :P], mixing.stddev * out[..., P:].exp())
    psi_1 = inverse.mean + inverse.stddev * eps[..., L + P :]
    log_r = [
        (conditional(psi).log_prob(z).sum(-1) + mixing.log_prob(psi).sum(-1) - inverse.log_prob(psi).sum(-1))
        for psi in (psi_0, psi_1)
    ]
    torch.testing.assert_close(u, torch.logaddexp(*log_r) - math.log(2))


def test_what_a_hierarchical_encoder_cannot_do_is_told_in_whole_sentences():
    model = vae.HierarchicalVAE(6, 2, 3, (5,)).double()
    no_mean = (
        "a hierarchical encoder has no mean and log_std of q(z | x). For samples of z use draw, for log p(x) "
        "evaluate.log_likelihood."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(no_mean)}$"):
        model.encode(X)
    no_score = (
        "keeps_score=False (the rows stl and dreg) needs log q(z | x), of which a hierarchical encoder has only an "
        "upper bound: use elbo, iwae, miwae, ciwae, piwae or vr_iwae."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(no_score)}$"):
        model.draw(X, model.noise(X, 1, 1), keeps_score=False)
