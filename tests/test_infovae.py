"""InfoVAE: its gradient against formulas written by hand, its divergences where the end is known; M != B != L."""

import copy
import math
import pickle
from functools import partial

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import arguments, divergences, infovae, objectives, train
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
    with pytest.raises(ValueError, match=r"= -0.999 of D\(q\(z\) \|\| p\) would reward"):
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
        return sum(divergences.mmd2(*both, kernel) for both in zip(z, prior.split(len(x)))) / len(z)
    if name == "stein":
        return -(directions(z) * z).sum(-1).mean()
    mean = model.encode(x)[0]
    return divergences.minibatch_kl(z, mean, log_std)


def directions(z):
    """Of the codes [M, B, L], where those of one m meet each other alone."""
    kernel = partial(divergences.rbf, bandwidth=0.8)
    return torch.stack([divergences.stein_direction(one, -one, kernel) for one in z.detach()])


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
        torch.testing.assert_close(terms.divergence, directions(z).square().sum(-1).mean())
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
    objective.divergence.optimizer.step = lambda: None  # it stays as it is from here on
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


# The codes of one point are no independent draws of q(z)


WIDTH, REPEATS, POINTS = 2, 1500, 20


def measured(name, M, std, pooled=False, **settings):
    """Of fresh batches with M codes of each point: q(z | x) = N(x, std^2), x ~ N(0, 1 - std^2), so q(z) = N(0, I)."""
    model, generator, found = VAE(WIDTH, WIDTH, (3,)), seeded(M), []
    objective = InfoVAE(name, 1.0, 1.0, **settings)
    for _ in range(REPEATS):
        x = math.sqrt(1 - std**2) * torch.randn(POINTS, WIDTH, generator=generator)
        z = x + std * torch.randn(M, POINTS, WIDTH, generator=generator)
        z = z.reshape(1, -1, WIDTH) if pooled else z  # as if all were draws of q(z)
        found.append(objective.divergence(infovae.Codes(z, model, x, generator)).detach())
    return torch.stack(found)


@pytest.mark.parametrize("name", ["mmd-imq", "mmd-rbf"])
@pytest.mark.parametrize("M", [1, 4])
def test_the_mmd_is_unbiased_for_any_number_of_codes_of_a_point(name, M):
    assert_mean(measured(name, M, 0.3), 0.0)
    if M > 1:
        assert_not_mean(measured(name, M, 0.3, pooled=True), 0.0)


@pytest.mark.parametrize("name, settings", [("mmd-imq", {"unbiased": False}), ("stein", {})], ids=["mmd-v", "stein"])
def test_what_is_said_of_the_codes_does_not_depend_on_their_number(name, settings):
    one, several, pooled = (measured(name, *how, **settings) for how in ((1, 0.8), (4, 0.8), (4, 0.8, True)))
    error = ((one.var() + several.var()) / REPEATS).sqrt()
    assert abs(one.mean() - several.mean()) < 4 * error
    assert_not_mean(pooled, one.mean())


@pytest.mark.parametrize("name", ["mmd-imq", "mmd-rbf", "stein"])
def test_of_one_code_each_nothing_has_changed(name):
    model, z = small(), torch.randn(1, B, L, generator=seeded(), dtype=torch.float64)
    found = InfoVAE(name, **SETTINGS[name]).divergence(infovae.Codes(z, model, pixels(), seeded(3)))
    if name == "stein":
        downhill = -(directions(z)[0] * z[0]).sum(-1).mean()
        expected = directions(z)[0].square().sum(-1).mean() + downhill - downhill  # the value, and its rounding
    else:
        kernel = partial(divergences.imq, scale=2.5) if name == "mmd-imq" else partial(divergences.rbf, bandwidth=0.8)
        expected = divergences.mmd2(z[0], model.prior.sample(B, z[0, 0], seeded(3)), kernel)
    assert torch.equal(found, expected)


# An encoder with a mind of its own


def with_layer(layer):
    torch.manual_seed(0)
    return VAE(D, L, (8,), encoder=torch.nn.Sequential(mlp([D, 8]), layer, torch.nn.Linear(8, 2 * L))).double()


def test_the_mixture_is_that_of_the_dropout_masks_that_drew_z():
    model, x = with_layer(torch.nn.Dropout(0.5)), pixels()
    for alpha in (0.0, 1.0):
        torch.manual_seed(7)
        mean, log_std = model.encode(x)
        z = mean + log_std.exp() * torch.randn(M, 1, B, L, generator=seeded(), dtype=torch.float64).squeeze(1)
        expected = divergences.minibatch_kl(z, mean, log_std).detach()
        torch.manual_seed(7)
        terms = InfoVAE("kl-minibatch", alpha, 2.0).backward(model, x, seeded(), M)
        torch.testing.assert_close(terms.divergence, expected)
        assert terms.divergence < terms.rate.mean() + 1e-6  # with its own component, log q^ >= log q(z|x) - log B


@of_every_divergence
def test_batch_norm_counts_each_batch_once(name):
    model = with_layer(torch.nn.BatchNorm1d(8))
    for weight in (1.0, 2.0):
        InfoVAE(name, 0.0, weight).backward(model, pixels(), seeded(), M)
    assert model.encoder[1].num_batches_tracked == 2


class Shifted(VAE):
    """A q(z | x) that is more than the Gaussian of ``encode``."""

    def draw(self, x, eps, keeps_score=True):
        z, log_q = super().draw(x, eps, keeps_score)
        return z + 1, log_q


def test_a_model_with_a_draw_of_its_own():
    torch.manual_seed(0)
    model, plain, x = Shifted(D, L, (8,)).double(), small(), pixels()
    shifted, usual = (InfoVAE("mmd-imq", 0.0, 2.0).backward(each, x, seeded(), M) for each in (model, plain))
    assert (shifted.rate - usual.rate).abs().min() > 1e-3
    with pytest.raises(TypeError, match="kl-minibatch needs .* that drew z, and Shifted has a draw of its own"):
        InfoVAE("kl-minibatch", 0.0, 2.0).backward(model, x, seeded(), M)


@of_every_divergence
def test_a_bfloat16_model_is_measured_in_float32(name):
    model, x = small().bfloat16(), pixels().bfloat16()
    terms = InfoVAE(name, 0.0, 5.0).backward(model, x, seeded(), M)
    assert terms.divergence.dtype == torch.float32 and terms.divergence.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@of_every_divergence
def test_a_copy_goes_on_as_the_original_does(name):
    model, x, objective = small(), pixels(), InfoVAE(name, 0.0, 5.0)
    objective.backward(model, x, seeded())
    copies = [copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))]
    expected = objective.backward(model, x, seeded(4)).divergence
    for other in copies:
        assert torch.equal(other.backward(model, x, seeded(4)).divergence, expected) and str(other) == str(objective)


@of_every_divergence
def test_x_must_be_finite(name):
    model, x = small(likelihood="gaussian"), pixels()
    x[1, 2] = math.inf
    with pytest.raises(arguments.NotFinite, match="^x contains inf: it must be finite.$"):
        InfoVAE(name, 0.0, 5.0).backward(model, x, seeded(), M)


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
        optimizer = torch.optim.Adam(model.phi().values(), lr=0.02)
        for _ in range(300):
            x = torch.randn(100, 2, generator=generator)
            optimizer.zero_grad()
            if objective is None:
                (-model.log_likelihood(x, model.draw(x, model.noise(x, 1, 1, generator))[0]).mean()).backward()
            else:
                objective.backward(model, x, generator)
            optimizer.step()
        ends.append(aggregate_kl(model))
    assert before > 1.5
    assert ends[0] < 0.05 * before, ends
    assert ends[1] > 0.3 * before, ends


# Training


def images(n=64):
    return torch.rand(n, D, generator=torch.Generator().manual_seed(1))


def trained(objective, seed=0, data=None, **how):
    torch.manual_seed(0)
    model, data = VAE(D, L, hidden=(8,)), images() if data is None else data
    history = infovae.fit(model, data, objective, 2, batch_size=10, seed=seed, progress=False, device="cpu", **how)
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
        (
            lambda: InfoVAE("mmd-imq", 0.0, 2.0).backward(small(), pixels(1), M=3),  # three codes, and no second point
            ValueError,
            "x must hold at least 2 points",
        ),
        (
            lambda: trained(InfoVAE("mmd-imq", 0.0, 2.0), M=3, data=images(21)),
            ValueError,
            "batch_size must leave no batch of one point",
        ),
        (lambda: train.fit(small(), pixels(), InfoVAE(), 1, 2, 1), ValueError, "K must be 1, as InfoVAE"),
        (lambda: trained(InfoVAE("js-adversarial", 1.0, 5.0), checkpoint="x"), ValueError, "without the discriminator"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_two_codes_of_one_point_have_no_other_component(monkeypatch):
    monkeypatch.setattr(train.steps, "step", lambda *_: pytest.fail("a step was taken"))
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
