"""LinearGaussian against torch.distributions, quadrature and Monte Carlo, with D != L and B != 1."""

import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, exact, gradients, models, objectives

D, L, B = 5, 2, 3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    model = exact.LinearGaussian(draw(D, L), 0.6, draw(D))
    x = draw(B, D)
    posterior = model.posterior(x)
    mean, std = (
        posterior.mean + 0.2 * draw(B, L),
        posterior.stddev * (1.2 + 0.1 * draw(B, L).abs()),
    )
    return exact.Case(model, x, mean, std)


def q_of(case):
    return Independent(Normal(case.mean, case.std), 1)


def test_likelihood_is_prior_times_likelihood_over_posterior(case):
    for z in torch.randn(7, B, L, dtype=torch.float64):
        by_bayes = case.model.log_joint(case.x, z) - case.model.posterior(case.x).log_prob(z)
        torch.testing.assert_close(case.model.log_likelihood(case.x), by_bayes)


def test_log_joint_is_that_of_the_stated_model(case):
    model, z = case.model, torch.randn(4, B, L, dtype=torch.float64)
    prior = Independent(Normal(torch.zeros(L, dtype=torch.float64), 1.0), 1)
    likelihood = Independent(Normal(z @ model.weight.T + model.bias, math.sqrt(0.6)), 1)
    torch.testing.assert_close(model.log_joint(case.x, z), prior.log_prob(z) + likelihood.log_prob(case.x))


def test_both_divergences_agree_with_torch(case):
    posterior = case.model.posterior(case.x)
    q = MultivariateNormal(case.mean, scale_tril=torch.diag_embed(case.std))
    torch.testing.assert_close(case.model.kl(*case[1:]), kl_divergence(q, posterior))
    torch.testing.assert_close(case.model.reverse_kl(*case[1:]), kl_divergence(posterior, q))


def test_elbo_eubo_and_chi_squared_by_sampling(case):
    generator = torch.Generator().manual_seed(1)
    log_w = case.model.log_weights(*case[1:], M=1, K=200_000, generator=generator)[0]  # [K, B]
    log_p = case.model.log_likelihood(case.x)
    assert_mean(log_w, case.model.elbo(*case[1:]))
    assert_not_mean(log_w, log_p)
    assert_mean((log_w - log_p).exp(), 1.0)
    assert_mean((2 * (log_w - log_p)).exp() - 1, case.model.chi_squared(*case[1:]))
    z = case.model.posterior(case.x).sample((200_000,))
    assert_mean(
        case.model.log_joint(case.x, z) - q_of(case).log_prob(z),
        case.model.eubo(*case[1:]),
    )


def test_posterior_as_q_closes_every_gap(case):
    model = exact.LinearGaussian(torch.eye(3, dtype=torch.float64)[:, :2] * 1.3, 0.4)
    x = torch.randn(B, 3, dtype=torch.float64)
    q = model.posterior(x)
    for value in (model.kl, model.reverse_kl, model.chi_squared):
        torch.testing.assert_close(value(x, q.mean, q.stddev), torch.zeros(B, dtype=torch.float64))


def test_chi_squared_is_infinite_from_half_the_posterior_variance_on():
    case = exact.reference(torch.float64)
    edge = (case.model.covariance[0, 0] / 2).sqrt()
    at = lambda factor: case.model.chi_squared(case.x, case.mean, (factor * edge).reshape(1, 1)).item()
    assert at(0.99) == math.inf
    assert math.isfinite(at(1.01))


def test_reference_figures():
    case = exact.reference(torch.float64)
    model, q = case.model, case[1:]
    figures = [
        model.log_likelihood(case.x),
        model.elbo(*q),
        model.kl(*q),
        model.eubo(*q),
        model.chi_squared(*q),
    ]
    assert [round(f.item(), 4) for f in figures] == [
        -1.7463,
        -2.3557,
        0.6094,
        -1.3764,
        0.7055,
    ]
    mean = case.mean.clone().requires_grad_()
    model.elbo(case.x, mean, case.std).backward()
    assert round(mean.grad.item(), 3) == -2.107


def test_sample_has_the_moments_of_the_model(case):
    x, z = case.model.sample(100_000, torch.Generator().manual_seed(3))
    assert_mean(x, case.model.bias)
    centred = x - case.model.bias
    cross = centred[:, :, None] * z[:, None, :]
    assert_mean(cross.flatten(1), case.model.weight.flatten())
    assert_mean(centred**2, (case.model.weight**2).sum(1) + 0.6)


def test_draws_are_those_of_their_generator(case):
    model, seeded = case.model, lambda: torch.Generator().manual_seed(5)
    noise = torch.randn(6, L + D, generator=seeded(), dtype=torch.float64)
    x, z = model.sample(6, seeded())
    torch.testing.assert_close(z, noise[:, :L])
    torch.testing.assert_close(x, z @ model.weight.T + model.bias + math.sqrt(0.6) * noise[:, L:])
    eps = torch.randn(2, 5, B, L, generator=seeded(), dtype=torch.float64)
    z = case.mean + case.std * eps
    by_hand = model.log_joint(case.x, z) - q_of(case).log_prob(z)
    torch.testing.assert_close(model.log_weights(*case[1:], M=2, K=5, generator=seeded()), by_hand)


def test_one_q_for_every_point_is_enough(case):
    one = case.mean[:1], case.std[:1]
    every = tuple(part.expand(B, L) for part in one)
    for name in ("kl", "reverse_kl", "elbo", "eubo", "chi_squared"):
        of = getattr(case.model, name)
        torch.testing.assert_close(of(case.x, *one), of(case.x, *every))


def test_log_weights_reparameterise(case):
    mean = case.mean.clone().requires_grad_()
    log_w = case.model.log_weights(case.x, mean, case.std, 1, 100_000, torch.Generator().manual_seed(4))
    assert log_w.shape == (1, 100_000, B)
    bounds.elbo(log_w).sum().backward()
    truth = case.mean.clone().requires_grad_()
    case.model.elbo(case.x, truth, case.std).sum().backward()
    # d log w / d mean at one sample has the spread of V^-1 std eps
    spread = (case.std[:, None] * case.model.precision).norm(dim=-1)
    assert ((mean.grad - truth.grad) / (spread / 100_000**0.5)).abs().max() < 4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: exact.LinearGaussian(torch.eye(2), 0.0), "^noise_variance must lie in"),
        (lambda: exact.LinearGaussian(torch.full((2, 2), 1e30), 1.0), "^weight' weight / noise_variance contains inf"),
        (lambda: exact.LinearGaussian(torch.ones(2, 0), 1.0), "^weight must have at least one entry along L"),
        (lambda: exact.LinearGaussian(torch.eye(2), 1.0, torch.eye(2)), r"^bias must have the 1 axes \[D\]"),
        (
            lambda: exact.LinearGaussian(torch.eye(2), 1.0).kl(torch.ones(3, 2), torch.ones(2), torch.ones(3, 2)),
            r"^mean must have the 2 axes \[B, L\]",
        ),
        (
            lambda: exact.LinearGaussian(torch.eye(2), 1.0).kl(torch.ones(3, 2), torch.ones(2, 2), torch.ones(3, 2)),
            r"^mean must broadcast with x in all axes but the last, got mean \[2, 2\] and x \[3, 2\]\.$",
        ),
        (
            lambda: exact.LinearGaussian(torch.eye(2), 1.0).kl(torch.ones(1, 2), torch.ones(2, 2), torch.ones(3, 2)),
            r"^std must broadcast with mean in all axes but the last, got std \[3, 2\] and mean \[2, 2\]\.$",
        ),
        (
            lambda: exact.LinearGaussian(torch.ones(2), 1.0),
            "weight must have the 2 axes",
        ),
        (
            lambda: exact.LinearGaussian(torch.eye(2), 1.0, torch.ones(3)),
            "bias must have one entry",
        ),
        (
            lambda: exact.LinearGaussian(torch.eye(2), 1.0).log_likelihood(torch.ones(4, 3)),
            "^x must have D = 2 columns",
        ),
        (
            lambda: exact.reference().model.log_weights(*exact.reference()[1:], M=0, K=1),
            "^M must be at least 1",
        ),
        (
            lambda: exact.reference().model.log_weights(*exact.reference()[1:], M=1, K=0),
            "^K must be at least 1",
        ),
        (lambda: exact.reference().model.sample(0), "^n must be at least 1"),
    ],
)
def test_bad_input_is_told_in_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("quantity", ["kl", "reverse_kl", "elbo", "eubo", "chi_squared"])
def test_a_width_that_is_none_is_refused(quantity):
    model, x, mean, std = exact.reference()
    for wrong in (-std, 0 * std):
        with pytest.raises(ValueError, match="std, the standard deviations of q, must be above 0"):
            getattr(model, quantity)(x, mean, wrong)


def test_weights_of_a_width_that_is_none_are_refused():
    model, x, mean, std = exact.reference()
    with pytest.raises(ValueError, match="std, the standard deviations of q, must be above 0, got -"):
        model.log_weights(x, mean, -std, M=2, K=3)


def test_another_type_and_another_width_are_told_in_whole_sentences(case):
    shares = "must share type and device with weight, torch.float64 on cpu, got torch.float32 on cpu.$"
    z = torch.zeros(B, L)
    with pytest.raises(TypeError, match=f"^z {shares}"):
        case.model.log_joint(case.x, z)
    with pytest.raises(TypeError, match=f"^x {shares}"):
        case.model.log_joint(case.x.float(), z.double())
    with pytest.raises(TypeError, match=f"^bias {shares}"):
        exact.LinearGaussian(case.model.weight, 0.6, torch.zeros(D))
    with pytest.raises(ValueError, match=r"^z must have the shape \[\.\.\., 2\], got \[3, 3\]\.$"):
        case.model.log_joint(case.x, torch.zeros(B, L + 1, dtype=torch.float64))
    together = rf"^z must broadcast with x in all axes but the last, got z \[{B - 1}, {L}\] and x \[{B}, {D}\]\.$"
    with pytest.raises(ValueError, match=together):
        case.model.log_joint(case.x, z[1:].double())
    with pytest.raises(ValueError, match="^bias contains inf: it must be finite.$"):
        exact.LinearGaussian(case.model.weight, 0.6, torch.full((D,), math.inf, dtype=torch.float64))


def test_a_q_of_another_type_is_told_in_a_whole_sentence(case):
    shares = "must share type and device with weight, torch.float64 on cpu, got torch.float32 on cpu.$"
    with pytest.raises(TypeError, match=f"^mean {shares}"):
        case.model.kl(case.x, case.mean.float(), case.std)
    with pytest.raises(TypeError, match=f"^std {shares}"):
        case.model.chi_squared(case.x, case.mean, case.std.float())


def test_likelihood_has_the_digits_of_its_type():
    """A noise variance that float32 cannot hold."""
    weight, x = torch.tensor([[1.0, 0.3], [-0.4, 2.0], [0.1, 0.7]], dtype=torch.float64), torch.ones(5, 3).double()
    covariance = weight @ weight.T + 0.1 * torch.eye(3, dtype=torch.float64)
    law = MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance)
    found = exact.LinearGaussian(weight, 0.1).log_likelihood(x)
    torch.testing.assert_close(found, law.log_prob(x), rtol=1e-13, atol=0)


def test_chi_squared_is_infinite_at_exactly_half_the_posterior_variance():
    one = torch.ones(1, 1, dtype=torch.float64)
    model = exact.LinearGaussian(one, 1.0)  # the posterior's variance is 1 / 2, and q's 1 / 4
    assert model.chi_squared(one, one, 0.5 * one).item() == math.inf


@pytest.mark.parametrize("name", objectives.TABLE)
def test_the_reference_case_is_a_model_whose_phi_is_its_q(name):
    """``backward`` trains it, to the posterior where the row climbs the ELBO; the exact model stays as it is."""
    case = exact.reference(torch.float64)
    row = objectives.get(name)
    found = objectives.estimate(case, case.x, row, 3, 5, seeded())
    mean, std = case.mean.requires_grad_(), case.std.requires_grad_()
    eps = case.noise(case.x, 3, 5, seeded())
    z = mean + std * eps
    q = Normal(mean, std) if row.keeps_score else Normal(mean.detach(), std.detach())
    log_w = case.model.log_joint(case.x, z) - q.log_prob(z).sum(-1)
    torch.testing.assert_close(found.log_w, log_w.detach())
    expected = torch.autograd.grad(-(row.phi_weights(log_w) * log_w).sum(), (mean, std))
    torch.testing.assert_close(torch.autograd.grad(found.loss, tuple(case.parameters())), expected)
    assert case.theta() == {} and list(case.phi()) == ["q_mean", "q_std"]


def test_the_reference_case_learns_its_posterior():
    case = exact.reference(torch.float64)
    start, adam = case.mean.clone(), torch.optim.Adam(case.parameters(), lr=0.02)
    for step in range(400):
        adam.zero_grad()
        objectives.backward(case, case.x, "stl", 1, 4, seeded(step))
        adam.step()
    posterior = case.model.posterior(case.x)
    torch.testing.assert_close(case.mean, posterior.mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(case.std, posterior.stddev, rtol=1e-3, atol=1e-3)
    assert (case.mean - start).abs() > 0.4
    model, x, mean, std = case
    assert model is case.model and x is case.x and torch.equal(mean, case.mean) and torch.equal(std, case[3])
    other = case.replace(mean=mean + 1)
    assert torch.equal(other.mean, mean + 1) and torch.equal(other.std, std) and torch.equal(case.mean, mean)
    assert gradients.signal_to_noise(case, x, "dreg", 2, 3, 50).theta.numel() == 0
    assert models.check(case, x) == []


@pytest.mark.parametrize("noise_variance", [1e-3, 1e-6])
def test_log_p_of_little_noise_is_right_in_float32(noise_variance):
    """The covariance was decomposed in float32: 0.6 nats off at a noise variance of 1e-6."""
    model = exact.LinearGaussian(torch.randn(6, 3, generator=seeded()), noise_variance)
    x, _ = model.sample(7, seeded(1))
    wide = exact.LinearGaussian(model.weight.double(), noise_variance).log_likelihood(x.double())
    found = model.log_likelihood(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wide, rtol=1e-6, atol=1e-6)
