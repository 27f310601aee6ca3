"""With the best discriminator the adversarial estimates are the exact KL and JS, by z-score; with N != P != L."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Normal, kl_divergence

from tests.stats import assert_mean, assert_not_mean
from vaecourse.divergences import Discriminator, adversarial_js, adversarial_kl, discriminator_loss

N, P = 40, 70
Q = Normal(torch.tensor(0.8, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64))
PRIOR = Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
GRID = torch.linspace(-9, 9, 4001, dtype=torch.float64)


def log_ratio(z, q=Q):
    return q.log_prob(z) - PRIOR.log_prob(z)


def exact_js(q=Q):
    half = torch.logaddexp(q.log_prob(GRID), PRIOR.log_prob(GRID)) - math.log(2)
    towards = lambda law: torch.trapezoid(law.log_prob(GRID).exp() * (law.log_prob(GRID) - half), GRID)
    return 0.5 * towards(q) + 0.5 * towards(PRIOR)


def repeated(estimate, repeats=2000):
    generator = torch.Generator().manual_seed(0)
    normal = lambda n: torch.randn(n, generator=generator, dtype=torch.float64)
    return torch.stack([estimate(Q.mean + Q.stddev * normal(N), normal(P)) for _ in range(repeats)])


def test_kl_is_exact_at_the_best_discriminator():
    found = repeated(lambda z, _: adversarial_kl(log_ratio(z)))
    assert_mean(found, kl_divergence(Q, PRIOR))
    assert_not_mean(found, kl_divergence(PRIOR, Q))


def test_js_is_exact_at_the_best_discriminator_and_lower_at_any_other():
    assert 0.1 < exact_js() < math.log(2)
    assert_mean(repeated(lambda z, p: adversarial_js(log_ratio(z), log_ratio(p))), exact_js())
    for slope, shift in ((0.5, 0.0), (1.0, 0.5), (-1.0, 0.0)):
        off = lambda z, slope=slope, shift=shift: slope * log_ratio(z) + shift
        found = repeated(lambda z, p, off=off: adversarial_js(off(z), off(p)))
        assert found.mean() < exact_js() - 0.01
        assert_not_mean(found, exact_js())


def test_discriminator_loss_is_least_at_the_log_ratio():
    found = repeated(lambda z, p: discriminator_loss(log_ratio(z), log_ratio(p)))
    assert_mean(found, 2 * math.log(2) - 2 * exact_js())
    assert repeated(lambda z, p: discriminator_loss(1.3 * log_ratio(z), 1.3 * log_ratio(p))).mean() > found.mean()


def test_js_is_within_log_2_and_symmetric():
    far = torch.full((N,), 50.0), torch.full((P,), -50.0)
    assert float(adversarial_js(*far)) == pytest.approx(math.log(2))
    assert float(adversarial_js(torch.zeros(N), torch.zeros(P))) == pytest.approx(0.0, abs=1e-6)
    t, u = torch.randn(N), torch.randn(P)
    torch.testing.assert_close(adversarial_js(t, u), adversarial_js(-u, -t))


@pytest.mark.parametrize("which", ["kl", "js"])
def test_gradient_through_z_with_the_discriminator_held_is_the_divergences_own(which):
    """By the width of q: the ratio's own change has mean zero (KL) or is optimal (JS)."""
    slope = 1e-4
    wide = lambda by: Normal(Q.mean, Q.stddev + by)
    value = exact_js if which == "js" else lambda q: kl_divergence(q, PRIOR)
    truth = (value(wide(slope)) - value(wide(-slope))) / (2 * slope)

    def one(z, p):
        std = Q.stddev.clone().requires_grad_()
        moved = log_ratio(Q.mean + std * (z - Q.mean) / Q.stddev)
        (adversarial_kl(moved) if which == "kl" else adversarial_js(moved, log_ratio(p))).backward()
        return std.grad

    found = repeated(one)
    assert_mean(found, truth)
    assert_not_mean(found, -truth)


def test_gradient_without_saturation_is_that_of_half_the_kl_minus_js():
    wide = lambda by: Normal(Q.mean, Q.stddev + by)
    value = lambda q: 0.5 * kl_divergence(q, PRIOR) - exact_js(q)
    truth = (value(wide(1e-4)) - value(wide(-1e-4))) / 2e-4

    def one(z, p):
        std = Q.stddev.clone().requires_grad_()
        moved = log_ratio(Q.mean + std * (z - Q.mean) / Q.stddev)
        js = adversarial_js(moved, log_ratio(p), saturating=False)
        torch.testing.assert_close(js, adversarial_js(moved, log_ratio(p)))
        js.backward()
        return std.grad

    found = repeated(one)
    assert_mean(found, truth)
    assert_not_mean(found, (exact_js(wide(1e-4)) - exact_js(wide(-1e-4))) / 2e-4)


def test_only_without_saturation_does_a_code_that_is_found_out_hear_of_it():
    for saturating, size in ((True, 0.0), (False, 0.5)):
        sure = torch.full((4,), 40.0, requires_grad=True)
        adversarial_js(sure, -sure.detach(), saturating).backward()
        assert float(sure.grad.sum()) == pytest.approx(size, abs=1e-6)


def test_gradients():
    t, u = (
        torch.randn(5, dtype=torch.float64, requires_grad=True),
        torch.randn(4, dtype=torch.float64, requires_grad=True),
    )
    assert gradcheck(adversarial_kl, t) and gradcheck(adversarial_js, (t, u)) and gradcheck(discriminator_loss, (t, u))


def test_large_logits_do_not_overflow():
    t = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = discriminator_loss(t, -t)
    loss.backward()
    assert loss.isfinite() and t.grad.isfinite().all()


def test_discriminator_learns_the_log_ratio():
    torch.manual_seed(0)
    discriminator, generator = Discriminator(1), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=3e-3)
    normal = lambda n: torch.randn(n, 1, generator=generator)
    for _ in range(600):
        optimizer.zero_grad()
        discriminator_loss(discriminator(0.8 + 0.6 * normal(200)), discriminator(normal(250))).backward()
        optimizer.step()
    at = torch.linspace(-0.5, 2.0, 30)
    with torch.no_grad():
        error = discriminator(at.unsqueeze(1)) - log_ratio(at.double())
    assert error.abs().max() < 0.5
    assert error.abs().mean() < 0.5 * log_ratio(at.double()).abs().mean()


def test_the_gradient_that_does_not_vanish_leaves_the_value_as_it_is():
    generator = torch.Generator().manual_seed(2)
    logits_q, logits_p = torch.randn(N, generator=generator), torch.randn(P, generator=generator)
    by_hand = math.log(2) + 0.5 * logits_q.sigmoid().log().mean() + 0.5 * (1 - logits_p.sigmoid()).log().mean()
    for saturating in (True, False):
        torch.testing.assert_close(adversarial_js(logits_q, logits_p, saturating), by_hand)


def test_discriminator_takes_any_leading_axes_and_is_not_linear():
    discriminator = Discriminator(latent_dim=3, hidden=(8,))
    assert discriminator(torch.zeros(2, 5, 3)).shape == (2, 5)
    z = torch.randn(6, 3)
    even = discriminator(z) + discriminator(-z) - 2 * discriminator(0 * z)
    assert even.abs().max() > 1e-3
    with pytest.raises(ValueError, match="^latent_dim must be at least 1, got 0"):
        Discriminator(0)


def test_bad_input():
    with pytest.raises(ValueError, match=r"logits_q must have the 1 axes \[N\]"):
        adversarial_kl(torch.zeros(3, 1))
    nan, fine = torch.tensor([math.nan]), torch.zeros(3)
    for saturating in (True, False):
        with pytest.raises(ValueError, match="^logits_p contains NaN"):
            adversarial_js(fine, nan, saturating)
        with pytest.raises(ValueError, match="^logits_q contains NaN"):
            adversarial_js(nan, fine, saturating)
    with pytest.raises(ValueError, match="^logits_q contains NaN"):
        adversarial_kl(nan)


@pytest.mark.parametrize(
    "z, error, words",
    [
        (torch.zeros(5, 2), ValueError, r"^z must have the shape \[\.\.\., 3\], got \[5, 2\]\.$"),
        (torch.zeros(5, 3).long(), TypeError, r"^z must be a floating-point .* \[\.\.\., 3\], got torch.int64\.$"),
        (torch.full((5, 3), math.nan), ValueError, r"^z contains NaN \(15 of 15 entries\)\.$"),
    ],
)
def test_discriminator_says_what_it_takes(z, error, words):
    with pytest.raises(error, match=words):
        Discriminator(3)(z)


def test_discriminator_is_as_it_is_described():
    """Two hidden layers of 64 with a leak of 0.2, if nothing else is said."""
    shapes = [tuple(p.shape) for p in Discriminator(3).parameters()]
    assert shapes == [(64, 3), (64,), (64, 64), (64,), (1, 64), (1,)]
    narrow = Discriminator(1, hidden=(1,))
    with torch.no_grad():
        for parameter, value in zip(narrow.parameters(), (1.0, 0.0, 1.0, 0.5)):
            parameter.fill_(value)
    torch.testing.assert_close(narrow(torch.tensor([[3.0], [-3.0]])), torch.tensor([3.5, -0.1]))
    assert Discriminator(3, hidden=(6, 5, 4))(torch.zeros(2, 3)).shape == (2,)
    with pytest.raises(ValueError, match=r"^hidden must be at least 1, got 0\.$"):
        Discriminator(3, hidden=(4, 0))
    with pytest.raises(TypeError, match=r"^hidden must be a sequence of whole numbers, got 64 of type int\.$"):
        Discriminator(3, hidden=64)
