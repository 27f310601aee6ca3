"""The VAE with a hierarchical encoder, held against a linear-Gaussian one whose marginal q(z | x) is exact."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from tests.stats import assert_mean, assert_not_mean
from vaecourse import bounds, evaluate, exact, objectives, train
from vaecourse.hierarchical.vae import HierarchicalVAE, SplitMLP

M, K, B, INNER = 3, 2, 4, 5
D, L, P = 6, 2, 3
X = torch.randn(B, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def linear(tau="learned", spread=0.8, **options):
    """Every network is linear and every standard deviation fixed, so all laws are Gaussian."""
    torch.manual_seed(0)
    model = HierarchicalVAE(D, L, P, hidden=(), likelihood="gaussian", tau=tau, **options).double()
    with torch.no_grad():
        model.log_noise.fill_(-0.3)
        nn.init.normal_(model.encoder.mixing[0].weight, std=0.3)
        model.encoder.mixing[0].weight[P:] = 0
        model.encoder.mixing[0].bias[P:] = math.log(spread)
        conditional = model.encoder.conditional
        nn.init.normal_(conditional.other.weight, std=0.6)
        conditional.project.weight[L:], conditional.other.weight[L:] = 0, 0
        conditional.project.bias[L:] = math.log(0.5)
        if tau == "learned":  # half way from q(psi | x) to the posterior
            whole = exact_inverse(model)
            model.encoder.inverse.other.weight[:P] = 0.5 * whole["slope"] / spread
            model.encoder.inverse.project.bias[:P] = 0.1
    return model


def parts(model):
    """psi ~ N(A x + a, S), z | psi ~ N(B x + b + C psi, N): the encoder as matrices."""
    mixing, conditional = model.encoder.mixing[0], model.encoder.conditional
    return {
        "A": mixing.weight[:P], "a": mixing.bias[:P], "S": torch.diag((2 * mixing.bias[P:]).exp()),
        "B": conditional.project.weight[:L], "b": conditional.project.bias[:L], "C": conditional.other.weight[:L],
        "N": torch.diag((2 * conditional.project.bias[L:]).exp()),
    }  # fmt: skip


def exact_inverse(model):
    """The slope in z of E[psi | z, x]."""
    p = parts(model)
    return {"slope": p["S"] @ p["C"].T @ torch.linalg.inv(p["C"] @ p["S"] @ p["C"].T + p["N"])}


@torch.no_grad()
def marginal(model, x=X):
    """The exact q(z | x)."""
    p = parts(model)
    mean = x @ p["B"].T + p["b"] + (x @ p["A"].T + p["a"]) @ p["C"].T
    return MultivariateNormal(mean, p["C"] @ p["S"] @ p["C"].T + p["N"])


@torch.no_grad()
def truth(model, x=X):
    """Exact log p(x) and the exact ELBO, ``[B]`` each."""
    decoder = model.decoder[0]
    joint = exact.LinearGaussian(decoder.weight, float((2 * model.log_noise).exp()), decoder.bias)
    log_p = joint.log_likelihood(x)
    return log_p, log_p - kl_divergence(marginal(model, x), joint.posterior(x))


@torch.no_grad()
def log_weights(model, M, K, seed=0, x=X):
    return model.log_weights(x, M, K, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tau", ["learned", "prior"])
@pytest.mark.parametrize("inner", [0, INNER])
def test_log_weights_are_the_formula_written_out(tau, inner):
    torch.manual_seed(3)
    model = HierarchicalVAE(D, L, P, hidden=(7, 4), likelihood="gaussian", tau=tau, inner=inner).double()
    if tau == "learned":
        nn.init.normal_(model.encoder.inverse.rest[-1].weight, std=0.5)
    eps = model.noise(X, M, K, torch.Generator().manual_seed(2))
    assert eps.shape == (M, K, B, L + P + inner * P)
    z, upper = model.draw(X, eps)
    normal = lambda mean, log_std: Independent(Normal(mean, log_std.exp()), 1)
    mixing = model.encoder.mixing(X).chunk(2, -1)
    of_psi = lambda psi: model.encoder.conditional(model.encoder.conditional.project(X), psi).chunk(2, -1)
    psi = [mixing[0] + mixing[1].exp() * eps[..., L : L + P]]
    torch.testing.assert_close(z, of_psi(psi[0])[0] + of_psi(psi[0])[1].exp() * eps[..., :L])
    inverse = mixing
    if tau == "learned":
        shift, stretch = model.encoder.inverse(model.encoder.inverse.project(X), z).chunk(2, -1)
        inverse = (mixing[0] + mixing[1].exp() * shift, mixing[1] + stretch)
    for j in range(inner):
        start = L + P + j * P
        psi.append(inverse[0] + inverse[1].exp() * eps[..., start : start + P])
    ratios = [normal(*mixing).log_prob(p) + normal(*of_psi(p)).log_prob(z) - normal(*inverse).log_prob(p) for p in psi]
    torch.testing.assert_close(upper, torch.stack(ratios).logsumexp(0) - math.log(inner + 1))
    log_w = model.log_weights(X, M, K, torch.Generator().manual_seed(2))
    torch.testing.assert_close(log_w, model.log_joint(X, z) - upper)


@torch.no_grad()
def looseness(model, runs):
    """log w + (U - log q), whose mean is the exact ELBO, and U - log q at the same z: ``[runs, B]`` each."""
    z, upper = model.draw(X, model.noise(X, runs, 1, torch.Generator().manual_seed(0)))
    log_q = marginal(model).log_prob(z)
    return (model.log_joint(X, z) - log_q)[:, 0], (upper - log_q)[:, 0]


@pytest.mark.parametrize("tau", ["learned", "prior"])
def test_expected_bound_rises_to_the_exact_elbo(tau):
    """Bound = ELBO - E[U - log q], and the second part falls to 0 with more psi and never below."""
    model, gaps = linear(tau), []
    for inner in (0, 2, 100):
        model.inner = inner
        with_exact_q, gap = looseness(model, 10_000)
        assert_mean(with_exact_q, truth(model)[1])
        assert_not_mean(gap.mean(1), 0.0)
        gaps.append(gap.mean(0))
    assert (gaps[0] > gaps[1]).all() and (gaps[1] > gaps[2]).all() and (gaps[2] > 0).all()
    assert gaps[2].max() < 0.1 * gaps[0].min()


def test_bias_falls_like_one_over_the_number_of_psi():
    model, scaled = linear("prior", spread=0.4), []
    for inner in (15, 30):
        model.inner = inner
        scaled.append((inner + 1) * looseness(model, 20_000)[1].mean(1))
    error = ((scaled[0].var() + scaled[1].var()) / 20_000).sqrt()
    assert (scaled[0].mean() - scaled[1].mean()).abs() < 4 * error
    assert_not_mean(scaled[1], 0.5 * scaled[0].mean())  # twice the psi do not leave it where it was


def test_the_exact_tau_makes_the_bound_exact():
    model = linear("learned", inner=INNER)
    inverse = model.encoder.inverse
    with torch.no_grad():  # only a diagonal tau can be set: make the posterior's covariance diagonal
        model.encoder.conditional.other.weight[:L] = torch.tensor([[0.9, 0, 0], [0, -0.7, 0]])
        slope, p = exact_inverse(model)["slope"], parts(model)
        covariance = p["S"] - slope @ p["C"] @ p["S"]
        std = p["S"].diagonal().sqrt()
        inverse.other.weight[:P] = slope / std[:, None]
        # E[psi | z, x] = A x + a + slope (z - (B + C A) x - b - C a)
        inverse.project.weight[:P] = -slope @ (p["B"] + p["C"] @ p["A"]) / std[:, None]
        inverse.project.bias[:P] = -slope @ (p["b"] + p["C"] @ p["a"]) / std
        inverse.project.bias[P:] = covariance.diagonal().sqrt().log() - std.log()
    z, upper = model.draw(X, model.noise(X, M, K))
    torch.testing.assert_close(upper, marginal(model).log_prob(z))


def test_the_bound_holds_at_every_single_z():
    """For a z that is fixed, with psi_0 from q(psi | z, x)."""
    model = linear("prior", inner=3)
    p, z = parts(model), torch.tensor([[1.2, -0.7]], dtype=torch.float64)
    slope = exact_inverse(model)["slope"]
    with torch.no_grad():
        x, runs, generator = X[:1], 20_000, torch.Generator().manual_seed(0)
        randn = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
        prior = x @ p["A"].T + p["a"]
        center = prior + (z - marginal(model, x).mean) @ slope.T
        psi_0 = center + randn(1, runs, P) @ torch.linalg.cholesky(p["S"] - slope @ p["C"] @ p["S"]).T
        psi = torch.cat([psi_0, prior + randn(3, runs, P) @ p["S"].sqrt()])
        q = Independent(Normal(x @ p["B"].T + p["b"] + psi @ p["C"].T, p["N"].diagonal().sqrt()), 1).log_prob(z)
        upper, lower = q.logsumexp(0) - math.log(4), q[1:].logsumexp(0) - math.log(3)
        log_q = marginal(model, x).log_prob(z)
    assert lower.mean() < log_q < upper.mean()
    assert_not_mean(upper, log_q)
    assert_not_mean(lower, log_q)  # a known fault: without psi_0 it is a lower bound, and the "ELBO" lies too high


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("tau", ["learned", "prior"])
def test_every_weight_has_the_mean_p(tau, shared):
    """The heart of M-IWHVI: psi of its own for each m, or shared across m."""
    model = linear(tau, spread=0.4, inner=INNER, shared=shared)
    with torch.no_grad():  # near the posterior, so that no weight has an infinite variance
        decoder = model.decoder[0]
        joint = exact.LinearGaussian(decoder.weight, float((2 * model.log_noise).exp()), decoder.bias)
        wide = 1.3 * joint.covariance.diagonal().sqrt()
        model.encoder.conditional.project.weight[:L] = joint.covariance @ decoder.weight.T / joint.noise_variance
        model.encoder.conditional.project.bias[L:] = wide.log()
    log_p, _ = truth(model)
    runs = torch.stack([log_weights(model, M, K, seed).flatten(0, 1) for seed in range(1200)])  # [1200, MK, B]
    assert_mean((runs - log_p).exp().mean(1), 1.0)
    m_iwhvi = runs.logsumexp(1) - math.log(M * K)  # bounds.iwae, run by run
    assert (m_iwhvi.mean(0) < log_p).all()
    assert_not_mean(m_iwhvi, log_p)


def test_shared_psi_are_shared_and_own_psi_are_not():
    for shared in (False, True):
        model = linear("prior", inner=INNER, shared=shared)
        eps = model.noise(X, M, K)[..., L + P :]
        assert (eps == eps[:1, :1]).all() == shared
        z, _ = model.draw(X, model.noise(X, M, K))
        assert z[0, 0, 0, 0] != z[1, 0, 0, 0]


def test_shared_and_own_psi_give_the_same_bound_for_the_same_noise():
    """Sharing saves passes; it changes no number."""
    for tau in ("learned", "prior"):
        one, other = (linear(tau, inner=INNER, shared=shared) for shared in (True, False))
        eps = one.noise(X, M, K)
        torch.testing.assert_close(one.draw(X, eps), other.draw(X, eps))


def test_m_iwhvi_lies_between_the_elbo_and_log_p_and_rises():
    model = linear("learned", inner=INNER)
    log_p, elbo = truth(model)
    log_w = log_weights(model, 64, 1000)
    means = [bounds.miwae(log_w[:m].transpose(0, 1)).mean() for m in (1, 4, 64)]
    assert means[0] < means[1] < means[2] < log_p.mean()
    assert means[2] > elbo.mean()


@pytest.mark.parametrize("objective", ["elbo", "iwae", "miwae", "ciwae"])
@pytest.mark.parametrize("shared", [False, True])
def test_gradient_is_that_of_the_bound(objective, shared):
    model = linear("learned", inner=INNER, shared=shared)
    value = objectives.backward(model, X, objective, M, K, torch.Generator().manual_seed(3))
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    log_w = model.log_weights(X, M, K, torch.Generator().manual_seed(3))
    direct = objectives.get(objective).value(log_w)
    (-direct.mean()).backward()
    torch.testing.assert_close(value, direct.detach())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, msg=name)


def gradients(model, objective, M, K, runs=150, copies=30):
    """Independent gradient estimates of all parameters, each the mean of ``copies``: ``[runs, parameters]``."""
    x, generator, rows = X[:1].expand(copies, D), torch.Generator().manual_seed(4), []
    for _ in range(runs):
        model.zero_grad()
        objectives.backward(model, x, objective, M, K, generator)
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    return torch.stack(rows)


def difference(one, other):
    """|z| of each entry; the runs share their noise, so they are compared pair by pair."""
    error = (one - other).std(0) / len(one) ** 0.5
    return (one - other).mean(0).abs() / (error + 1e-12)


def test_dreg_of_tau_has_the_mean_of_the_plain_gradient():
    plain, dreg = (gradients(linear(inner=3, gradient=g), "elbo", 2, 1) for g in ("plain", "dreg"))
    assert difference(plain, dreg).max() < 4.5  # the largest of 85 entries
    names = [name for name, p in linear().named_parameters() for _ in range(p.numel())]
    of_tau = torch.tensor([name.startswith("encoder.inverse") for name in names])
    assert (plain.mean(0)[of_tau].abs() > 8 * plain.std(0)[of_tau] / len(plain) ** 0.5).any()
    assert dreg.var(0)[of_tau].sum() < plain.var(0)[of_tau].sum()


def test_dreg_without_the_square_is_found_out():
    """The planted fault: the score dropped, and the path's weight not squared."""
    plain = gradients(linear(inner=3), "elbo", 2, 1)
    wrong = linear(inner=3, gradient="dreg")
    hook, torch.Tensor.register_hook = torch.Tensor.register_hook, lambda self, f: None
    try:
        found = gradients_without_hooks(wrong)
    finally:
        torch.Tensor.register_hook = hook
    assert difference(plain, found).max() > 8


def gradients_without_hooks(model):
    rows, generator = [], torch.Generator().manual_seed(4)
    for _ in range(150):
        model.zero_grad()
        (-model.log_weights(X[:1].expand(30, D), 2, 1, generator).mean()).backward()
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    return torch.stack(rows)


def test_rows_without_the_score_are_refused():
    for name in ("stl", "dreg"):
        with pytest.raises(ValueError, match="only an upper bound: use elbo"):
            objectives.backward(linear(), X, name, M, K)


def test_the_split_layer_is_the_layer_on_both_inputs():
    layer = SplitMLP(D, P, (5, 4), 3).double()
    y = torch.randn(M, K, B, P, dtype=torch.float64)
    whole = torch.cat([layer.project.weight, layer.other.weight], 1)
    first = torch.cat([X.expand(M, K, B, D), y], -1) @ whole.T + layer.project.bias
    torch.testing.assert_close(layer(layer.project(X), y), layer.rest(first))
    assert layer.start_at_zero()(layer.project(X), y).abs().max() == 0


def test_at_first_z_hardly_hears_psi():
    torch.manual_seed(0)
    encoder = HierarchicalVAE(D, L, P, (40,)).encoder.conditional
    glorot = math.sqrt(6 / (D + P + 40))
    assert 0.8 * glorot < encoder.project.weight.abs().max() <= glorot
    assert encoder.other.weight.abs().max() <= 0.1 * glorot


def test_an_untrained_tau_is_sivi():
    torch.manual_seed(0)
    learned = HierarchicalVAE(D, L, P, (7,), likelihood="gaussian", inner=INNER).double()
    sivi = HierarchicalVAE(D, L, P, (7,), likelihood="gaussian", inner=INNER, tau="prior").double()
    sivi.load_state_dict({k: v for k, v in learned.state_dict().items() if "inverse" not in k})
    eps = learned.noise(X, M, K)
    torch.testing.assert_close(learned.draw(X, eps), sivi.draw(X, eps))


def test_theta_and_phi_share_out_all_parameters():
    model = linear()
    assert sorted([*model.theta(), *model.phi()]) == sorted(name for name, _ in model.named_parameters())
    assert "encoder.inverse.other.weight" in model.phi() and "log_noise" in model.theta()


def test_log_likelihood_is_the_pooled_bound():
    model = linear(inner=INNER)
    noise = lambda: torch.Generator().manual_seed(0)
    whole = bounds.iwae(log_weights(model, 60, 1))
    torch.testing.assert_close(evaluate.log_likelihood(model, X, 60, noise(), chunk=60), whole)
    log_p, _ = truth(model)
    estimate = evaluate.log_likelihood(model, X, 20_000, noise(), chunk=70, batch_size=3)
    torch.testing.assert_close(estimate, log_p, rtol=0, atol=0.2)
    torch.testing.assert_close(evaluate.bound(model, X, "iwae", 60, 1, noise()), whole)
    with pytest.raises(TypeError, match="evaluate.log_likelihood"):
        model.encode(X)


GREY = torch.rand(45, 9, generator=torch.Generator().manual_seed(0))


def new_model(**options):
    torch.manual_seed(1)
    return HierarchicalVAE(9, 2, 3, (6,), **options)


def fit(model, epochs, **options):
    given = {"batch_size": 10, "progress": False, "device": "cpu", "held_out": GREY[:11]}
    return train.fit(model, GREY, "elbo", 2, 1, epochs, **(given | options))


@pytest.mark.parametrize("tau, gradient", [("learned", "dreg"), ("learned", "plain"), ("prior", "plain")])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, tau, gradient):
    options = {"tau": tau, "gradient": gradient, "inner": 3}
    whole, parts = new_model(**options), new_model(**options)
    history = fit(whole, 4)
    fit(parts, 2, checkpoint=tmp_path / "file")
    parts = new_model(**options)
    again = fit(parts, 4, checkpoint=tmp_path / "file")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))
    assert history.train == again.train and history.held_out == again.held_out
    with pytest.raises(ValueError, match="networks, a prior or a class of its own"):
        train.load(tmp_path / "file")


@pytest.mark.parametrize("other", [{"inner": 0}, {"inner": 5}, {"shared": True}, {"gradient": "dreg"}])
def test_a_checkpoint_of_another_bound_is_refused(tmp_path, other):
    fit(new_model(inner=3), 1, checkpoint=tmp_path / "file")
    with pytest.raises(ValueError, match=f"belongs to another run.*'{next(iter(other))}'"):
        fit(new_model(**{"inner": 3, **other}), 2, checkpoint=tmp_path / "file")


def test_a_row_without_the_score_is_refused_in_training_too_and_no_learning_rate_is_blamed():
    with pytest.raises(ValueError, match="keeps_score=False .* use elbo") as failure:
        train.fit(new_model(), GREY, "stl", 1, 2, 1, progress=False, device="cpu")
    assert "learning_rate" not in str(failure.value)


def test_inner_grows_during_training():
    model = new_model()
    values = []
    for inner in (0, 3, 7):
        model.inner = inner
        values += fit(model, 3, seed=inner, learning_rate=0.01).train
        assert model.noise(GREY[:B], M, K).shape[-1] == 2 + 3 + 3 * inner
    assert values[-1] > values[0]
    assert model.inner == 7


def test_bad_input():
    for bad, match in (
        ({"tau": "posterior"}, "tau must be one of learned, prior"),
        ({"gradient": "DREG"}, "Did you mean 'dreg'"),
        ({"inner": -1}, "inner must be at least 0"),
        ({"mixing_dim": 0}, "mixing_dim must be at least 1"),
    ):
        with pytest.raises(ValueError, match=match):
            HierarchicalVAE(9, 2, **{"hidden": (6,), **bad})
    with pytest.raises(ValueError, match="^inner must be at least 0, got -2"):
        new_model().inner = -2
    words = r"^eps must have 5 numbers for each sample, and 3 more for each inner psi, got 7\.$"
    with pytest.raises(ValueError, match=words):
        HierarchicalVAE(9, 2, 3, (6,)).draw(torch.zeros(4, 9), torch.zeros(2, 5, 4, 7))
