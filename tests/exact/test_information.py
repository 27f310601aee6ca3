"""The exact terms of InfoVAE: identities to 1e-10, sampling by z-score, and figures that are known; D != L."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact
from vaecourse.exact.information import Channel, Information, four_dimensional, one_dimensional, without_latent

D, L = 4, 2


def positive(generator, n):
    root = torch.randn(n, n + 2, generator=generator, dtype=torch.float64)
    return root @ root.T / n


@pytest.fixture
def case():
    """Nothing special anywhere: data that are not the model's, a full-covariance encoder that is not the posterior."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    data = MultivariateNormal(draw(D), positive(generator, D))
    encoder = Channel(0.5 * draw(L, D), draw(L), positive(generator, L))
    return Information(data, encoder, Channel(draw(D, L), draw(D), positive(generator, D)))


def samples(case, n=100_000):
    generator = torch.Generator().manual_seed(1)
    normal = lambda width: torch.randn(n, width, generator=generator, dtype=torch.float64)
    root = torch.linalg.cholesky
    x = case.data.mean + normal(D) @ root(case.data.covariance_matrix).T
    mean = x @ case.encoder.weight.T + case.encoder.bias
    return x, mean, mean + normal(L) @ root(case.encoder.covariance).T


def test_every_term_by_sampling(case):
    x, mean, z = samples(case)
    q, aggregate = MultivariateNormal(mean, case.encoder.covariance), case.aggregate()
    p = MultivariateNormal(z @ case.decoder.weight.T + case.decoder.bias, case.decoder.covariance)
    log_joint = case.prior.log_prob(z) + p.log_prob(x)
    terms = {
        "mutual_information": q.log_prob(z) - aggregate.log_prob(z),
        "aggregate_kl": aggregate.log_prob(z) - case.prior.log_prob(z),
        "rate": q.log_prob(z) - case.prior.log_prob(z),
        "reconstruction": p.log_prob(x),
        "elbo": log_joint - q.log_prob(z),
        "posterior_kl": q.log_prob(z) - log_joint + case.decoder.marginal().log_prob(x),
        "decoder_kl": q.log_prob(z) + case.data.log_prob(x) - aggregate.log_prob(z) - p.log_prob(x),
        "data_entropy": -case.data.log_prob(x),
        "marginal_kl": case.data.log_prob(x) - case.decoder.marginal().log_prob(x),
    }
    for name, found in terms.items():
        assert_mean(found, getattr(case, name)())
        assert_not_mean(found, 1.2 * getattr(case, name)())
    assert_mean(z, aggregate.mean)
    centred = z - aggregate.mean
    assert_mean((centred[:, :, None] * centred[:, None]).flatten(1), aggregate.covariance_matrix.flatten())


def test_both_decompositions_of_the_rate_and_of_the_elbo(case):
    close = lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
    close(case.rate(), case.mutual_information() + case.aggregate_kl())
    close(case.elbo(), -case.data_entropy() - case.marginal_kl() - case.posterior_kl())
    close(case.elbo(), -case.data_entropy() - case.aggregate_kl() - case.decoder_kl())


def test_information_plus_log_likelihood_needs_the_decoders_kl(case):
    """Without the last term it is no identity."""
    left = case.mutual_information() - case.data_entropy()
    torch.testing.assert_close(left, case.reconstruction() + case.decoder_kl(), rtol=0, atol=1e-9)
    assert (left - case.reconstruction()).abs() > 0.1


@pytest.mark.parametrize("alpha, lambda_", [(0.0, 1.0), (1.0, 3.0), (-0.5, 4.0), (0.7, 0.3)])
def test_the_infovae_identity(case, alpha, lambda_):
    """For every alpha and lambda."""
    right = alpha * case.mutual_information() - case.decoder_kl() - lambda_ * case.aggregate_kl() - case.data_entropy()
    torch.testing.assert_close(case.objective(alpha, lambda_), right, rtol=0, atol=1e-9)
    lagrangian = case.reconstruction() - lambda_ * case.aggregate_kl()
    assert (alpha == 1.0) == bool((case.objective(alpha, lambda_) - lagrangian).abs() < 1e-6)


def test_alpha_zero_and_lambda_one_is_the_elbo(case):
    torch.testing.assert_close(case.objective(0.0, 1.0), case.elbo())


def test_reverse_is_bayes_rule(case):
    x, _, z = samples(case, n=7)
    back = case.decoder.reverse()
    posterior = MultivariateNormal(x @ back.weight.T + back.bias, back.covariance)
    p = MultivariateNormal(z @ case.decoder.weight.T + case.decoder.bias, case.decoder.covariance)
    by_bayes = case.prior.log_prob(z) + p.log_prob(x) - case.decoder.marginal().log_prob(x)
    torch.testing.assert_close(posterior.log_prob(z), by_bayes)


def test_agrees_with_linear_gaussian():
    model = four_dimensional(dtype=torch.float64)
    case = Information.of(model)
    x, _ = model.sample(5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(case.decoder.marginal().log_prob(x.double()), model.log_likelihood(x.double()))
    posterior = model.posterior(x.double())
    torch.testing.assert_close(x.double() @ case.encoder.weight.T + case.encoder.bias, posterior.mean)
    torch.testing.assert_close(case.encoder.covariance, model.covariance)


def test_figures_of_b7_same_optimum_with_and_without_information():
    informative = Information.of(four_dimensional(dtype=torch.float64))
    ignoring, spherical = (without_latent(informative.data, L, spherical=s) for s in (False, True))
    rounded = lambda value, digits: round(float(value), digits)
    assert rounded(informative.elbo(), 4) == rounded(ignoring.elbo(), 4) == rounded(-informative.data_entropy(), 4)
    assert rounded(informative.elbo(), 4) == -6.0838
    assert rounded(informative.mutual_information(), 3) == 2.816
    assert rounded(ignoring.mutual_information(), 3) == rounded(spherical.mutual_information(), 3) == 0
    assert rounded(spherical.elbo(), 3) == -8.017
    assert rounded(ignoring.posterior_kl(), 6) == rounded(informative.posterior_kl(), 6) == 0


def test_spherical_without_latent_is_the_best_of_its_kind():
    data = Information.of(four_dimensional(dtype=torch.float64)).data
    best = without_latent(data, L, spherical=True)
    for factor in (0.9, 1.1):
        decoder = Channel(best.decoder.weight, best.decoder.bias, factor * best.decoder.covariance)
        assert Information(data, best.encoder, decoder).elbo() < best.elbo()


def test_figures_of_b8_much_information_and_no_gap():
    cases = [Information.of(four_dimensional(s2, torch.float64)) for s2 in (1.0, 0.1, 0.01)]
    assert [round(float(case.mutual_information()), 2) for case in cases] == [1.77, 3.86, 6.14]
    assert max(float(case.posterior_kl().abs()) for case in cases) < 1e-6


def test_figures_of_b9_in_one_dimension():
    case = one_dimensional(torch.float64)
    assert round(float(case.mutual_information() - case.data_entropy()), 4) == -1.3951
    assert round(float(case.reconstruction()), 4) == -1.5289
    assert round(float(case.decoder_kl()), 4) == 0.1338
    assert float(case.marginal_kl()) == pytest.approx(0, abs=1e-9)


def test_float32_keeps_its_type_and_its_digits():
    for make in (one_dimensional, lambda dtype: Information.of(four_dimensional(dtype=dtype))):
        single, double = make(torch.float32), make(torch.float64)
        for name in ("mutual_information", "aggregate_kl", "rate", "reconstruction", "decoder_kl", "posterior_kl"):
            value = getattr(single, name)()
            assert value.dtype == torch.float32
            assert float(value) == pytest.approx(float(getattr(double, name)()), abs=1e-4)


def test_without_latent_keeps_the_whole_covariance_if_nothing_else_is_said(case):
    full, spherical = without_latent(case.data, L), without_latent(case.data, L, spherical=True)
    torch.testing.assert_close(full.decoder.covariance, case.data.covariance_matrix)
    trace = case.data.covariance_matrix.trace()
    torch.testing.assert_close(spherical.decoder.covariance, trace / D * torch.eye(D, dtype=torch.float64))
    assert full.decoder.weight.shape == (D, L) and full.decoder.weight.abs().max() == 0


@pytest.mark.parametrize(
    "part, value, error, words",
    [
        ("weight", None, TypeError, r"^decoder\.weight must be a torch\.Tensor of shape \[D, L\], got NoneType\.$"),
        ("weight", torch.zeros(D), ValueError, r"^decoder\.weight must have the 2 axes \[D, L\]"),
        ("bias", torch.zeros(D, L), ValueError, r"^decoder\.bias must have the 1 axes \[out\]"),
        ("covariance", torch.zeros(D), ValueError, r"^decoder\.covariance must have the 2 axes \[out, out\]"),
        ("bias", torch.full((D,), math.inf), ValueError, r"^decoder\.bias contains inf: it must be finite\.$"),
    ],
)
def test_a_bad_part_of_a_channel_is_named(case, part, value, error, words):
    with pytest.raises(error, match=words):
        Information(case.data, case.encoder, case.decoder._replace(**{part: value}))


def test_a_bad_weight_of_the_encoder_is_named(case):
    with pytest.raises(ValueError, match=r"^encoder\.weight must have the 2 axes \[out, in\], got shape \[4\]\.$"):
        Information(case.data, case.encoder._replace(weight=torch.zeros(D)), case.decoder)


@pytest.mark.parametrize("name, kind", [("data", "MultivariateNormal"), ("encoder", "Channel"), ("decoder", "Channel")])
def test_a_part_of_another_kind_is_named(case, name, kind):
    parts = {"data": case.data, "encoder": case.encoder, "decoder": case.decoder, name: 3.0}
    with pytest.raises(TypeError, match=f"^{name} must be a {kind}, got float\\.$"):
        Information(**parts)


def test_bad_input(case):
    flipped = Channel(case.encoder.weight.T, case.encoder.bias, case.encoder.covariance)
    needs, got = r"weight \[2, 4\], bias \[2\], covariance \[2, 2\]", r"\[4, 2\], \[2\], \[2, 2\]"
    with pytest.raises(ValueError, match=rf"^encoder must have {needs}, got {got}\.$"):
        Information(case.data, flipped, case.decoder)
    with pytest.raises(ValueError, match="^data must be one law of D = 4 dimensions"):
        Information(case.prior, case.encoder, case.decoder)


# The exploding latent space


def test_terms_of_the_toy_by_quadrature():
    """z on a grid, nothing in closed form."""
    tau = torch.tensor([0.3, 0.5, 1.0], dtype=torch.float64)
    terms = exact.exploding_latent_space(tau)
    z = torch.linspace(-12, 12, 480_001, dtype=torch.float64)
    p = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    for i, t in enumerate(tau):
        q, mirrored = (torch.distributions.Normal(x, t).log_prob(z) for x in (1.0, -1.0))
        noise = (-1 / (8 * t**2)).exp()
        log_x = torch.distributions.Normal(torch.where(z > 0, 1.0, -1.0), noise).log_prob(torch.ones_like(z))
        mean = lambda value, log_density=q: torch.trapezoid(log_density.exp() * value, z)
        aggregate = torch.logaddexp(q, mirrored) - math.log(2)
        log_p = mean(log_x.exp(), p).log()
        found = {
            "reconstruction": mean(log_x),
            "rate": mean(q - p),
            "elbo": mean(log_x + p - q),
            "log_likelihood": log_p,
            "posterior_kl": mean(q - p - log_x) + log_p,
            "mutual_information": mean(q - aggregate),
            "aggregate_kl": mean(aggregate - p, aggregate),
        }
        for name, value in found.items():
            assert float(getattr(terms, name)[i]) == pytest.approx(float(value), rel=2e-4, abs=2e-4), name


def test_mutual_information_of_the_toy_has_ten_digits():
    """I = h(z) - h(z | x), with the entropy of the mixture on a finer and wider grid."""
    tau, z = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64), torch.linspace(-30, 30, 300_001, dtype=torch.float64)
    q = lambda mean: torch.distributions.Normal(mean, tau[:, None]).log_prob(z)  # [3, N]
    mixture = torch.logaddexp(q(1.0), q(-1.0)) - math.log(2)
    entropy = -torch.trapezoid(mixture.exp() * mixture, z)
    expected = entropy - 0.5 * math.log(2 * math.pi * math.e) - tau.log()
    found = exact.exploding_latent_space(tau).mutual_information
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_elbo_and_gap_both_grow_without_bound():
    tau = torch.tensor([0.5, 0.2, 0.1, 0.05, 0.02, 0.01])
    terms = exact.exploding_latent_space(tau)
    assert (terms.elbo.diff() > 0).all() and terms.elbo[-1] > 1000
    assert (terms.posterior_kl.diff() > 0).all() and terms.posterior_kl[-1] > 3.8
    torch.testing.assert_close(terms.log_likelihood - terms.elbo, terms.posterior_kl, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(terms.reconstruction[2:], 1 / (8 * tau[2:].double() ** 2) - 0.5 * math.log(2 * math.pi))
    assert float(terms.mutual_information[-1]) == pytest.approx(math.log(2))
    assert all(term.isfinite().all() for term in terms)


def test_tau_must_be_positive():
    with pytest.raises(ValueError, match="^tau must be positive, got 0 among"):
        exact.exploding_latent_space(torch.tensor([0.1, 0.0]))
    with pytest.raises(ValueError, match=r"^tau must have the 1 axes \[T\]"):
        exact.exploding_latent_space(torch.ones(2, 2))


def test_prior_divergence_is_torchs(case):
    torch.testing.assert_close(case.aggregate_kl(), kl_divergence(case.aggregate(), case.prior))
