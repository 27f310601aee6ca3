"""InfoVAE: its gradient against formulas written by hand, its divergences where the end is known; M != B != L."""

import math
from functools import partial

import pytest
import torch

from vaecourse import divergences, infovae, objectives, train
from vaecourse.infovae import DIVERGENCES, InfoVAE, coefficients
from vaecourse.models import VAE, mlp
from vaecourse.priors import VampPrior

M, B, D, L = 2, 5, 6, 3
of_every_divergence = pytest.mark.parametrize("name", DIVERGENCES)


def small(seed=0, **more):
    torch.manual_seed(seed)
    return VAE(D, L, hidden=(8,), **more).double()


def pixels(n=B):
    return torch.rand(n, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64).round()


def seeded(seed=2):
    return torch.Generator().manual_seed(seed)


def gradients(model):
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def by_hand(model, loss):
    """Gradients of a loss that the test wrote itself."""
    model.zero_grad()
    loss.backward()
    found = gradients(model)
    model.zero_grad()
    return found


def pieces(model, x, M=M):
    """z, log p(x|z), log q(z|x) - log p(z), from the same noise as ``backward`` with ``seeded()``."""
    mean, log_std = model.encode(x)
    eps = torch.randn(M, 1, len(x), L, generator=seeded(), dtype=x.dtype)
    z = mean + log_std.exp() * eps
    normal = torch.distributions.Normal
    rate = normal(mean, log_std.exp()).log_prob(z).sum(-1) - normal(0.0, 1.0).log_prob(z).sum(-1)
    return z.squeeze(1), model.log_likelihood(x, z), rate


# The coefficients


@pytest.mark.parametrize(
    "alpha, lambda_, expected",
    [(0.0, 1.0, (1.0, 0.0)), (1.0, 1000.0, (0.0, 1000.0)), (-3.0, 4.0, (4.0, 0.0)), (0.9, 0.1, (1 - 0.9, 0.0))],
)
def test_coefficients(alpha, lambda_, expected):
    assert coefficients(alpha, lambda_) == expected


@pytest.mark.parametrize("make", [coefficients, partial(InfoVAE, "mmd-imq")])
def test_negative_coefficients_are_refused(make):
    with pytest.raises(ValueError, match=r"= -0.999 of D\(q\(z\) \|\| p\) would reward"):  # ERRATA A11
        make(0.0, 1e-3)
    with pytest.raises(ValueError, match=r"alpha must be at most 1, got 1.5: the coefficient 1 - alpha = -0.5"):
        make(1.5, 10.0)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="lambda_ must lie in"):
            make(0.0, bad)


# The gradient


@of_every_divergence
def test_alpha_zero_lambda_one_is_the_elbo_number_for_number(name):
    model, x = small(), pixels()
    value = objectives.backward(model, x, "elbo", M, 1, seeded())
    truth = gradients(model)
    model.zero_grad()
    terms = InfoVAE(name, alpha=0.0, lambda_=1.0).backward(model, x, seeded(), M)
    torch.testing.assert_close(terms.reconstruction - terms.rate, value, rtol=1e-12, atol=1e-12)
    for key, grad in gradients(model).items():
        torch.testing.assert_close(grad, truth[key], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 4.0])
def test_alpha_plus_lambda_one_is_the_beta_vae(beta):
    model, x = small(), pixels()
    _, reconstruction, rate = pieces(model, x)
    truth = by_hand(model, (beta * rate - reconstruction).mean())
    InfoVAE("mmd-imq", alpha=1 - beta, lambda_=beta).backward(model, x, seeded(), M)
    for key, grad in gradients(model).items():
        torch.testing.assert_close(grad, truth[key], rtol=1e-10, atol=1e-12)


def divergence_by_hand(name, model, x, z):
    flat, log_std = z.reshape(-1, L), model.encode(x)[1]
    generator = seeded()
    torch.randn(M, 1, len(x), L, generator=generator, dtype=x.dtype)  # what the codes took
    prior = torch.randn(len(flat), L, generator=generator, dtype=x.dtype)
    if name.startswith("mmd"):
        kernel = partial(divergences.imq, scale=2.5) if name == "mmd-imq" else partial(divergences.rbf, bandwidth=0.8)
        return divergences.mmd2(flat, prior, kernel)
    if name == "stein":
        direction = divergences.stein_direction(flat, -flat, partial(divergences.rbf, bandwidth=0.8)).detach()
        return -(direction * flat).sum(1).mean()
    mean = model.encode(x)[0]
    return divergences.minibatch_kl(z, mean, log_std)


SETTINGS = {"mmd-imq": {"scale": 2.5}, "mmd-rbf": {"bandwidth": 0.8}, "stein": {"bandwidth": 0.8}, "kl-minibatch": {}}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("alpha, lambda_", [(1.0, 7.0), (-0.5, 4.0)])
def test_gradient_is_that_of_the_objective_written_by_hand(name, alpha, lambda_):
    model, x = small(), pixels()
    z, reconstruction, rate = pieces(model, x)
    divergence = divergence_by_hand(name, model, x, z)
    loss = (1 - alpha) * rate.mean() - reconstruction.mean() + (alpha + lambda_ - 1) * divergence
    truth = by_hand(model, loss)
    terms = InfoVAE(name, alpha, lambda_, **SETTINGS[name]).backward(model, x, seeded(), M)
    for key, grad in gradients(model).items():
        torch.testing.assert_close(grad, truth[key], rtol=1e-9, atol=1e-12)
    if name == "stein":  # no value, but how far the codes are from rest
        cloud = z.detach().reshape(-1, L)
        direction = divergences.stein_direction(cloud, -cloud, partial(divergences.rbf, bandwidth=0.8))
        torch.testing.assert_close(terms.divergence, direction.square().sum(1).mean())
    else:
        torch.testing.assert_close(terms.divergence, divergence.detach())
    torch.testing.assert_close(terms.reconstruction, reconstruction.mean((0, 1)).detach())
    torch.testing.assert_close(terms.rate, rate.mean((0, 1)).detach())
    assert not any(term.requires_grad for term in terms)


@of_every_divergence
def test_the_decoder_hears_of_the_reconstruction_alone(name):
    model, x = small(), pixels()
    _, reconstruction, _ = pieces(model, x)
    truth = by_hand(model, -reconstruction.mean())
    InfoVAE(name, alpha=1.0, lambda_=50.0).backward(model, x, seeded(), M)
    for key in model.theta():
        torch.testing.assert_close(model.get_parameter(key).grad, truth[key], rtol=1e-10, atol=1e-12)
    assert any((model.get_parameter(key).grad - truth[key]).abs().max() > 1e-6 for key in model.phi())


def test_gradients_add_up():
    model, x, objective = small(), pixels(), InfoVAE("mmd-imq", 0.0, 10.0)
    objective.backward(model, x, seeded())
    once = gradients(model)
    objective.backward(model, x, seeded())
    for key, grad in gradients(model).items():
        torch.testing.assert_close(grad, 2 * once[key])


@pytest.mark.parametrize("kind", ["kl", "js"])
def test_no_gradient_leaks_between_the_vae_and_its_discriminator(kind):
    model, x = small(), pixels()
    objective = InfoVAE(f"{kind}-adversarial", alpha=1.0, lambda_=10.0, steps=1)
    objective.backward(model, x, seeded(), M)
    discriminator = objective.divergence.discriminator
    objective.divergence.climber.step = lambda: None  # it stays as it is from here on
    model.zero_grad()
    objective.backward(model, x, seeded(), M)
    found, of_discriminator = gradients(model), gradients(discriminator)

    z, reconstruction, _ = pieces(model, x)
    flat, generator = z.reshape(-1, L), seeded()
    torch.randn(M, 1, B, L, generator=generator, dtype=x.dtype)
    prior = torch.randn(len(flat), L, generator=generator, dtype=x.dtype)
    own_step = divergences.discriminator_loss(discriminator(flat.detach()), discriminator(prior))
    for key, grad in by_hand(discriminator, own_step).items():
        torch.testing.assert_close(of_discriminator[key], grad)  # nothing of the VAE's step was added
    logits = discriminator(flat)
    divergence = logits.mean() if kind == "kl" else 0.5 * torch.nn.functional.softplus(logits).mean()
    for key, grad in by_hand(model, 10.0 * divergence - reconstruction.mean()).items():
        torch.testing.assert_close(found[key], grad)  # nothing of the discriminator's step was added


def test_saturating_js_is_there_on_request():
    model, x = small(), pixels()
    both = []
    for saturating in (True, False):
        objective = InfoVAE("js-adversarial", 1.0, 10.0, saturating=saturating)
        terms = objective.backward(model, x, seeded())
        both.append((terms.divergence, gradients(model)["encoder.0.weight"]))
        model.zero_grad()
    torch.testing.assert_close(both[0][0], both[1][0])
    assert (both[0][1] - both[1][1]).abs().max() > 1e-6


@of_every_divergence
def test_a_prior_that_learns(name):
    torch.manual_seed(0)
    encoder = mlp([D, 8, 2 * L])
    model = VAE(D, L, hidden=(8,), encoder=encoder, prior=VampPrior(encoder, torch.rand(4, D))).double()
    terms = InfoVAE(name, alpha=0.0, lambda_=3.0).backward(model, pixels(), seeded(), M)
    assert all(term.isfinite().all() for term in terms)
    assert model.prior.inputs.grad.abs().max() > 0


def test_minibatch_kl_counts_from_the_models_own_prior():
    """With the batch itself for pseudo-inputs q^(z) and p(z) are one mixture, and their KL is 0."""
    torch.manual_seed(0)
    encoder, x = mlp([D, 8, 2 * L]), pixels()
    model = VAE(D, L, hidden=(8,), encoder=encoder, prior=VampPrior(encoder, x.float())).double()
    terms = InfoVAE("kl-minibatch", 1.0, 1.0).backward(model, x, seeded(), M)
    assert abs(terms.divergence) < 1e-6


# What it is for


def far_from_the_prior():
    """One linear layer on Gaussian data: q(z) is Gaussian, and its KL to the prior is a matter of two moments."""
    torch.manual_seed(0)
    encoder = torch.nn.Linear(2, 2 * 2)
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor([[0.4, 0.1], [-0.1, 0.3], [0.0, 0.0], [0.0, 0.0]]))
        encoder.bias.copy_(torch.tensor([1.0, -1.0, -1.5, -1.5]))
    return VAE(2, 2, likelihood="gaussian", encoder=encoder, decoder=torch.nn.Linear(2, 2))


def aggregate_kl(model):
    """Exact for x ~ N(0, I)."""
    weight, bias = model.encoder.weight.detach().double(), model.encoder.bias.detach().double()
    A, bias, log_variance = weight[:2], bias[:2], 2 * bias[2:]
    covariance = A @ A.T + log_variance.exp().diag()
    return float(0.5 * (covariance.trace() + bias @ bias - 2 - torch.logdet(covariance)))


@of_every_divergence
def test_each_divergence_drives_the_codes_to_the_prior(name):
    """Exact KL(q(z) || p) falls to a twentieth with the divergence at work, and stays without: alpha = 1, no rate."""
    lambda_ = {"mmd-imq": 100.0, "mmd-rbf": 100.0, "stein": 10.0, "js-adversarial": 20.0}.get(name, 5.0)
    ends = []
    for objective in (InfoVAE(name, 1.0, lambda_), None):
        model, generator = far_from_the_prior(), torch.Generator().manual_seed(0)
        before = aggregate_kl(model)
        climber = torch.optim.Adam(model.phi().values(), lr=0.02)
        for _ in range(300):
            x = torch.randn(100, 2, generator=generator)
            climber.zero_grad()
            if objective is None:
                (-model.log_likelihood(x, model.draw(x, model.noise(x, 1, 1, generator))[0]).mean()).backward()
            else:
                objective.backward(model, x, generator)
            climber.step()
        ends.append(aggregate_kl(model))
    assert before > 1.5
    assert ends[0] < 0.05 * before, ends
    assert ends[1] > 0.3 * before, ends


# Training


def images(n=64):
    return torch.rand(n, D, generator=torch.Generator().manual_seed(1))


def trained(objective, seed=0, **how):
    torch.manual_seed(0)
    model = VAE(D, L, hidden=(8,))
    history = infovae.fit(model, images(), objective, 2, batch_size=10, seed=seed, progress=False, device="cpu", **how)
    return model, history


@of_every_divergence
def test_fit_is_seeded_and_forgets_what_the_run_before_taught(name):
    objective = InfoVAE(name, 0.0, 5.0)
    (one, history), (two, _) = trained(objective), trained(objective)
    other, _ = trained(objective, seed=1)
    same = lambda a, b: all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    assert same(one, two) and not same(one, other)
    assert len(history.train) == 2 and all(math.isfinite(value) for value in history.train)


@of_every_divergence
def test_the_random_numbers_of_others_are_left_alone(name):
    model, x = small(), pixels()
    state = torch.random.get_rng_state()
    InfoVAE(name, 0.0, 5.0).backward(model, x, seeded())
    assert torch.equal(state, torch.random.get_rng_state())


def test_alpha_zero_lambda_one_trains_the_very_vae():
    """The MMD that is measured beside it must not change a bit, but for the draws of the prior it takes."""
    model, history = trained(InfoVAE("kl-minibatch", 0.0, 1.0))
    torch.manual_seed(0)
    vae = VAE(D, L, hidden=(8,))
    plain = train.fit(vae, images(), "elbo", 1, 1, 2, batch_size=10, seed=0, progress=False, device="cpu")
    for p, q in zip(model.parameters(), vae.parameters()):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)
    assert history.train == pytest.approx(plain.train, rel=1e-5)


def test_history_is_the_elbo_and_held_out_is_measured():
    _, history = trained(InfoVAE("mmd-imq", 0.0, 1000.0), held_out=images(20))
    assert len(history.held_out) == 2
    assert all(-20 < value < 0 for value in history.train + history.held_out)


def test_a_checkpoint_goes_on_where_it_stopped(tmp_path):
    objective = InfoVAE("mmd-imq", 0.0, 5.0)
    whole, _ = trained(objective)
    half = {"batch_size": 10, "seed": 0, "progress": False, "device": "cpu", "checkpoint": tmp_path / "run"}
    for epochs in (1, 2):
        torch.manual_seed(0)
        model = VAE(D, L, hidden=(8,))
        infovae.fit(model, images(), objective, epochs, **half)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), whole.parameters()))
    with pytest.raises(ValueError, match=r"lambda_=6.0"):
        infovae.fit(model, images(), InfoVAE("mmd-imq", 0.0, 6.0), 2, **half)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: InfoVAE("mmd-imk", 0.0, 1.0), ValueError, "Did you mean 'mmd-imq'"),
        (
            lambda: InfoVAE("mmd-imq", 0.0, 1.0, bandwidth=1.0),
            TypeError,
            "'mmd-imq' takes scale, unbiased, got bandwidth",
        ),
        (lambda: InfoVAE("mmd-imq", 0.0, 1.0, scale=0.0), ValueError, "scale must lie in"),
        (lambda: InfoVAE("mmd-rbf", 0.0, 1.0, bandwidth=[1.0, -1.0]), ValueError, "bandwidth must lie in"),
        (lambda: InfoVAE("mmd-imq", 0.0, 2.0, scale=[]), ValueError, "scale must hold at least one number, got none"),
        (lambda: InfoVAE("kl-adversarial", 0.0, 2.0, saturating=True), ValueError, "KL has one gradient only"),
        (lambda: infovae.Adversarial("JS"), ValueError, "Did you mean 'js'"),
        (lambda: InfoVAE("stein", 0.0, 1.0, bandwidth=-1.0), ValueError, "bandwidth must lie in"),
        (lambda: InfoVAE("kl-adversarial", 0.0, 1.0, steps=0), ValueError, "steps must be at least 1"),
        (
            lambda: InfoVAE("mmd-imq", 0.0, 2.0).backward(small(), pixels(1)),
            ValueError,
            "x must hold at least 2 points",
        ),
        (lambda: train.fit(small(), pixels(), InfoVAE(), 1, 2, 1), ValueError, "K must be 1, as InfoVAE"),
        (lambda: trained(InfoVAE("js-adversarial", 1.0, 5.0), checkpoint="x"), ValueError, "without the discriminator"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_two_codes_of_one_point_have_no_other_component(monkeypatch):
    monkeypatch.setattr(train, "_step", lambda *_: pytest.fail("a step was taken"))
    for batch_size, M in ((10, 2), (1, 3)):
        with pytest.raises(ValueError, match="batch_size must leave no batch of one point"):
            objective = InfoVAE("kl-minibatch", 0.0, 5.0, own=False)
            infovae.fit(small(), pixels(21), objective, 1, M=M, batch_size=batch_size, progress=False, device="cpu")


def test_a_last_batch_of_one_point_is_refused_before_training():
    model = VAE(D, L, hidden=(8,))
    with pytest.raises(ValueError, match="batch_size must leave no batch of one point"):
        infovae.fit(model, images(21), InfoVAE("mmd-imq", 0.0, 5.0), 1, batch_size=10, progress=False, device="cpu")


def test_says_what_it_is():
    assert str(InfoVAE("mmd-imq", 0.0, 5.0, scale=2.0)) == "infovae(mmd-imq, alpha=0.0, lambda_=5.0, scale=2.0)"


def test_a_prior_that_learns_gets_its_gradient_of_the_adversarial_kl():
    r"""d KL(q || p) by the prior is -E_q d log p; the discriminator, which is held fixed, does not know it."""
    encoder = mlp([D, 7, 2 * L]).double()
    model = VAE(D, L, hidden=(7,), encoder=encoder, prior=VampPrior(encoder, pixels(3))).double()
    z = torch.randn(2, B, L, generator=seeded(), dtype=torch.float64)
    value = infovae.Adversarial("kl")(infovae.Codes(z, model, pixels(), seeded()))
    (gradient,) = torch.autograd.grad(value, model.prior.inputs)
    (expected,) = torch.autograd.grad(-model.prior.log_prob(z).mean(), model.prior.inputs)
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(gradient, expected)
