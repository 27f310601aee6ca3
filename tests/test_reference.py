"""The package against tests/reference.py, which shares no line with it: every row, type, spread and size."""

import math

import pytest
import torch
from torch import nn

from tests import reference
from vaecourse import bounds, objectives
from vaecourse.models import VAE
from vaecourse.priors import VampPrior

M, K, B = 3, 5, 4
CASES = [
    ("elbo", None), ("iwae", None), ("miwae", None), ("ciwae", 0.3), ("ciwae", 1.0), ("piwae", None), ("stl", None),
    ("dreg", None), ("vr_iwae", 0.0), ("vr_iwae", 0.6), ("vr_iwae", 0.99), ("vr_iwae", 1.0),
]  # fmt: skip
CASES += [(name, next(iter(row.parameters.values()), None)) for name, row in objectives.TABLE.items()
          if name not in {known for known, _ in CASES}]  # fmt: skip
of_every_row = pytest.mark.parametrize("name, parameter", CASES, ids=[f"{n}-{p}" for n, p in CASES])
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
of_every_type = pytest.mark.parametrize("dtype", DTYPES, ids=[str(d).removeprefix("torch.") for d in DTYPES])
SPREADS = [1.0, 30.0, 1e3, 1e5]


def draw(*shape, spread=1.0, level=-90.0, dtype=torch.float64, seed=0):
    """Log-weights of this type around a level; float16 ends at -65504, and so does the spread of what it is given."""
    log_w = level + spread * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return log_w.clamp(-6e4, 6e4).to(dtype) if dtype == torch.float16 else log_w.to(dtype)


def row(name, parameter):
    return objectives.get(name, **dict.fromkeys(objectives.TABLE[name].parameters, parameter))


def eps(dtype):
    """The rounding of the type in which an answer to log-weights of this type is computed."""
    return torch.finfo(torch.promote_types(dtype, torch.float32)).eps


def assert_value(found, truth, log_w, dtype, factor=8):
    """Right to a few units of rounding of the largest number that goes in."""
    assert found.dtype == torch.promote_types(dtype, torch.float32)
    scale = log_w.double().abs().amax((0, 1)) + math.log(log_w.shape[0] * log_w.shape[1])
    off = (found.double() - truth).abs() / scale.clamp_min(1.0)
    assert off.max() < factor * eps(dtype), f"off by {off.max() / eps(dtype):.1f} units of rounding"


def assert_share(found, truth, dtype, factor=16):
    """Numbers of size 1 or less."""
    assert found.shape == truth.shape and found.isfinite().all()
    off = (found.double() - truth).abs().max()
    assert off < factor * eps(dtype), f"off by {off / eps(dtype):.1f} units of rounding"


@of_every_row
@of_every_type
@pytest.mark.parametrize("spread", SPREADS)
def test_value_and_weights_of_a_row(name, parameter, dtype, spread):
    log_w = draw(M, K, B, spread=spread, dtype=dtype)
    mine = row(name, parameter)
    assert_value(mine.value(log_w), reference.value(name, log_w, parameter), log_w, dtype)
    for found, truth in zip(
        (mine.theta_weights(log_w), mine.phi_weights(log_w)), reference.weights(name, log_w, parameter), strict=True
    ):
        assert found.dtype == torch.promote_types(dtype, torch.float32)
        assert_share(found, truth, dtype)


@of_every_row
@of_every_type
@pytest.mark.parametrize("spread", SPREADS)
def test_gradient_of_a_bound(name, parameter, dtype, spread):
    log_w = draw(M, K, B, spread=spread, dtype=dtype, seed=1).requires_grad_()
    (found,) = torch.autograd.grad(row(name, parameter).value(log_w).sum(), log_w)
    assert found.dtype == dtype  # a gradient has the type of its tensor, and is rounded to it at the very end
    truth = reference.slope(name, log_w, parameter)
    assert (found.double() - truth).abs().max() < 16 * eps(dtype) + torch.finfo(dtype).eps


@of_every_type
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_jackknife(order, dtype, spread):
    log_w = draw(2, 6, 3, spread=spread, dtype=dtype, seed=2).requires_grad_()
    found, truth = bounds.jackknife(log_w, order), reference.value("jackknife", log_w, order)
    assert found.dtype == torch.promote_types(dtype, torch.float32)
    cancelled = log_w.detach().double().abs().max() * torch.finfo(torch.float64).eps * 6**order
    assert ((found.double() - truth).abs() < 4 * (eps(dtype) * truth.abs().clamp_min(1.0) + cancelled)).all()
    (slope,) = torch.autograd.grad(found.sum(), log_w)
    expected = reference.slope("jackknife", log_w, order)
    assert (slope.double() - expected).abs().max() < 2 * torch.finfo(dtype).eps * expected.abs().max() + cancelled


@pytest.mark.parametrize("order", [1, 2, 3])
def test_jackknife_of_many_samples_in_float32(order):
    """Its coefficients are K^m / m!, up to 40 000 here, and cancel: float32 has to hold only the answer."""
    log_w = draw(1, 64, 3, dtype=torch.float32, seed=3)
    exact = bounds.jackknife(log_w.double(), order)
    assert (bounds.jackknife(log_w, order).double() - exact).abs().max() < 1e-5
    if order == 1:
        torch.testing.assert_close(exact, reference.value("jackknife", log_w, 1))


@of_every_type
@pytest.mark.parametrize("spread", SPREADS)
def test_effective_sample_size(dtype, spread):
    log_w = draw(M, K, B, spread=spread, level=-1e4, dtype=dtype, seed=4)
    found = bounds.effective_sample_size(log_w)
    assert found.dtype == torch.promote_types(dtype, torch.float32)
    assert (found >= 1).all() and (found <= K).all()
    assert_share(found / K, reference.effective_sample_size(log_w) / K, dtype)


# A million samples --------------------------------------------------------------------------------------------------

MILLION = 10**6


def dominant(dtype, n=MILLION, lead=60.0):
    log_w = draw(1, n, 1, dtype=dtype, seed=5)
    log_w[0, 7] = -90.0 + lead
    return log_w


@pytest.mark.parametrize(
    "shape, dtype",
    [*(("dominant", dtype) for dtype in DTYPES), ("spread", torch.float32), ("equal", torch.float32)],
)
def test_a_million_samples(shape, dtype):
    log_w = {
        "spread": lambda: draw(1, MILLION, 1, dtype=dtype, seed=6),
        "dominant": lambda: dominant(dtype),
        "equal": lambda: torch.full((1, MILLION, 1), -90.0, dtype=dtype),
    }[shape]()
    for name, parameter in (("iwae", None), ("ciwae", 0.3), ("vr_iwae", 0.5)):
        found, truth = row(name, parameter).value(log_w), reference.value(name, log_w, parameter)
        assert (found.double() - truth).abs().max() < 200 * eps(dtype) * (1 - (parameter or 0)) ** -1, (name, parameter)
    size = bounds.effective_sample_size(log_w)
    assert 1 <= size.item() <= MILLION
    assert abs(size.item() / reference.effective_sample_size(log_w).item() - 1) < 64 * eps(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 0.9])
def test_vr_iwae_with_one_dominant_weight(alpha, dtype):
    """All is one weight's: 1 + (the mean of w / w_max - 1) would be a difference of numbers near 1."""
    log_w = dominant(dtype).requires_grad_()
    value = bounds.vr_iwae(log_w, alpha)
    assert abs(value.item() - reference.value("vr_iwae", log_w, alpha).item()) < 1e-4
    (slope,) = torch.autograd.grad(value, log_w)
    truth = reference.slope("vr_iwae", log_w, alpha)
    assert (slope.double() - truth).abs().max() < 1e-5 + torch.finfo(dtype).eps
    assert slope.isfinite().all()


@pytest.mark.parametrize("K", [512, 4096, 65_536])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_vr_iwae_of_half_precision_is_finite(dtype, K):
    log_w = dominant(dtype, K).requires_grad_()
    value = bounds.vr_iwae(log_w, 0.5)
    (slope,) = torch.autograd.grad(value, log_w)
    assert value.isfinite().all() and slope.isfinite().all()


@pytest.mark.parametrize("K", [10**5, 10**6])
def test_equal_weights_are_worth_no_more_than_they_are(K):
    log_w = torch.full((1, K, 1), -123.456)
    assert bounds.effective_sample_size(log_w).item() == K
    nearly = log_w + 1e-4 * torch.randn(1, K, 1, generator=torch.Generator().manual_seed(7))
    assert bounds.effective_sample_size(nearly).item() <= K
    assert bounds.effective_sample_size(dominant(torch.float32, K)).item() >= 1


# Weights of zero ----------------------------------------------------------------------------------------------------


def some_zeros():
    log_w = draw(M, K, B, spread=3.0, seed=8)
    log_w[0, 1, 0] = log_w[2, 0, 3] = log_w[2, 3, 3] = -math.inf
    return log_w


@of_every_row
@of_every_type
def test_a_weight_of_zero_among_others(name, parameter, dtype):
    log_w = some_zeros().to(dtype).requires_grad_()
    value, truth = row(name, parameter).value(log_w), reference.value(name, log_w, parameter)
    assert torch.equal(value.isinf(), truth.isinf())
    finite = truth.isfinite()
    torch.testing.assert_close(value[finite].double(), truth[finite], rtol=1e-4, atol=0)
    (slope,) = torch.autograd.grad(value.sum(), log_w)
    expected = reference.slope(name, log_w, parameter)
    assert (slope.double() - expected).abs().max() < 16 * eps(dtype) + torch.finfo(dtype).eps
    if name not in ("elbo", "ciwae") and parameter != 1.0:
        assert (slope[log_w == -math.inf] == 0).all()


@pytest.mark.parametrize("order", [1, 2])
def test_jackknife_with_weights_of_zero(order):
    log_w = some_zeros().requires_grad_()
    value = bounds.jackknife(log_w, order)
    torch.testing.assert_close(value, reference.value("jackknife", log_w, order))
    (slope,) = torch.autograd.grad(value.sum(), log_w)
    torch.testing.assert_close(slope, reference.slope("jackknife", log_w, order))


@of_every_row
def test_a_group_and_a_point_without_any_weight(name, parameter):
    """0 / 0 is defined to be zero: a bound of -inf, and no NaN in any gradient."""
    log_w = draw(M, K, B, seed=9)
    log_w[1, :, 0] = -math.inf
    log_w[:, :, 2] = -math.inf
    log_w.requires_grad_()
    value = row(name, parameter).value(log_w)
    assert torch.equal(value.isinf(), reference.value(name, log_w, parameter).isinf())
    (slope,) = torch.autograd.grad(value.sum(), log_w)
    torch.testing.assert_close(slope, reference.slope(name, log_w, parameter))


def test_effective_sample_size_of_no_weight_is_zero():
    log_w = draw(M, K, B, seed=10)
    log_w[1, :, 0] = -math.inf
    log_w.requires_grad_()
    size = bounds.effective_sample_size(log_w)
    assert size[1, 0] == 0 and (size.detach().flatten()[1:] >= 0).all()
    torch.testing.assert_close(size, reference.effective_sample_size(log_w))
    assert torch.autograd.grad(size.sum(), log_w)[0].isfinite().all()


@pytest.mark.parametrize("order", [1, 2, 4])
def test_jackknife_says_that_it_needs_more_weights(order):
    log_w = draw(2, 6, 3, seed=11)
    log_w[1, order:, 2] = -math.inf  # order weights are left, and a subset of K - order may have none of them
    said = rf"log_w must have at least order \+ 1 = {order + 1} weights above zero .* got a group with {order}"
    with pytest.raises(ValueError, match=said):
        bounds.jackknife(log_w, order)
    assert bounds.jackknife(log_w, order - 1).isfinite().all()


def test_shares_are_the_weights_that_the_rows_are_made_of():
    log_w = some_zeros()
    log_w[1, :, 1] = -math.inf
    for axes, power, name, parameter, scale in (
        ((0, 1), 1.0, "iwae", None, 1),
        (1, 1.0, "miwae", None, M),
        (1, 0.4, "vr_iwae", 0.6, M),
    ):
        found = bounds.shares(log_w, axes, power) / scale
        torch.testing.assert_close(found, reference.weights(name, log_w, parameter)[0])
    assert bounds.shares(log_w.half()).dtype == torch.float32


def test_bounds_compile_in_one_piece_and_vectorise():
    log_w = draw(2, M, K, B, seed=12)
    every = [row(name, parameter).value for name, parameter in CASES]
    every += [bounds.effective_sample_size, bounds.shares, lambda w: bounds.jackknife(w, 1)]
    for function in every:
        expected = torch.stack([function(one) for one in log_w])
        torch.testing.assert_close(torch.func.vmap(function)(log_w), expected)
        compiled = torch.compile(function, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(log_w[0]), expected[0])


# The reference's gradients, and the package's -----------------------------------------------------------------------


def model_of(likelihood):
    torch.manual_seed(0)
    if likelihood == "vamp":
        encoder = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
        return VAE(6, 2, (5,), encoder=encoder, prior=VampPrior(encoder, torch.rand(3, 6))).double()
    return VAE(6, 2, (5,), likelihood).double()


@of_every_row
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "vamp"])
def test_backward_is_the_reference(name, parameter, likelihood):
    model, noise = model_of(likelihood), torch.Generator().manual_seed(1)
    x = torch.rand(B, 6, dtype=torch.float64, generator=noise)
    eps = model.noise(x, M, K, torch.Generator().manual_seed(2))
    value, expected = reference.gradients_of_vae(model, x, eps, name, parameter)
    model.zero_grad()
    found = objectives.backward(model, x, row(name, parameter), M, K, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found, value)
    for key, p in model.named_parameters():
        torch.testing.assert_close(-p.grad, expected[key], msg=lambda text, key=key: f"{key}: {text}")


def test_the_reference_knows_two_latent_variables_and_shared_parameters():
    """Against a gradient by hand: z = (u, v), u = c + e, v = u s, log p = -u^2 v, log q = c v; c is in q and p."""
    c, s = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.7, -1.3))
    _, found = reference.gradients(
        "elbo", {"c": c, "s": s}, 1, 1, 1,
        sample=lambda m, k, b: ((u := c + 0.5), u * s),
        log_p=lambda b, z: -(z[0] ** 2) * z[1] * c,
        log_q=lambda b, z: c * z[1],
    )  # fmt: skip
    u = c + 0.5
    (by_c, by_s) = torch.autograd.grad(-(u**2) * (u * s) * c - c * u * s, (c, s))
    torch.testing.assert_close(found, {"c": by_c, "s": by_s})
    _, found = reference.gradients(
        "stl", {"c": c, "s": s}, 1, 1, 1,
        sample=lambda m, k, b: ((u := c + 0.5), u * s),
        log_p=lambda b, z: -(z[0] ** 2) * z[1] * c,
        log_q=lambda b, z: c * z[1],
    )  # fmt: skip
    torch.testing.assert_close(found, {"c": by_c + (u * s).detach(), "s": by_s})
