"""Gradients of U_K: plain against exact, doubly reparameterised against plain, and the signal-to-noise of both."""

import math

import pytest
import torch
from torch import nn

from tests.stats import assert_mean, assert_not_mean, z_score
from vaecourse import exact, hierarchical
from vaecourse.hierarchical import LinearInverse

LAW = exact.MeanMixture(2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def plain(law, tau, z, psi_0, K, generator):
    return hierarchical.upper_bound(hierarchical.log_ratios(law, tau, z, psi_0, K, generator))


def linear_inverse(n, slope, std):
    """One tau with n copies of its parameters, so that a backward pass gives n gradients."""
    tau = LinearInverse()
    tau.slope, tau.log_std = (nn.Parameter(torch.full((n, 1), value)) for value in (slope, math.log(std)))
    return tau


def gradients(bound, K, n, slope=0.5, std=1.2, seed=0):
    """n independent gradients of U_K for tau's (slope, log std): [n, 2]."""
    tau = linear_inverse(n, slope, std)
    z, psi_0 = LAW.sample(n, generator(seed))
    bound(LAW, tau, z, psi_0, K, generator(seed + 1)).sum().backward()
    return torch.cat([tau.slope.grad, tau.log_std.grad], 1)


def test_gradient_of_hvm_is_the_exact_one():
    """E[-log tau(psi_0 | z)] in closed form, for two dimensions."""
    slope, std, n = 0.5, 1.2, 40_000
    s, r = LAW.spread**2, LAW.noise**2
    residual = s - 2 * slope * s + slope**2 * (s + r)  # E (psi - a z)^2
    truth = torch.tensor([2 * (slope * (s + r) - s) / std**2, 2 * (1 - residual / std**2)])
    for bound in (plain, hierarchical.dreg):
        assert_mean(gradients(bound, 0, n, slope, std), truth)
        assert_not_mean(gradients(bound, 0, n, slope, std), -truth)


@pytest.mark.parametrize("K", [1, 5])
@pytest.mark.parametrize("slope, std", [(0.5, 1.2), (0.0, 2.0)])
def test_dreg_has_the_plain_gradient_as_its_mean(K, slope, std):
    n = 100_000
    one, other = gradients(plain, K, n, slope, std), gradients(hierarchical.dreg, K, n, slope, std, seed=7)
    assert_mean(one - other, 0.0)
    assert_not_mean(other, 0.0)


def test_plain_gradient_is_the_slope_of_every_draw():
    """Common random numbers: a central difference of U_K in the slope of tau."""
    K, step = 5, 1e-5
    z, psi_0 = (value.double() for value in LAW.sample(7, generator()))
    values = []
    for sign in (1, -1):
        tau = LinearInverse(0.5 + sign * step, 1.2).double()
        tau.slope = nn.Parameter(torch.tensor(0.5 + sign * step, dtype=torch.float64))
        values.append(plain(LAW, tau, z, psi_0, K, generator(1)))
    tau = LinearInverse(0.5, 1.2).double()
    slopes = [torch.autograd.grad(value, tau.slope, retain_graph=True)[0] for value in
              plain(LAW, tau, z, psi_0, K, generator(1))]  # fmt: skip
    torch.testing.assert_close(torch.stack(slopes), (values[0] - values[1]) / (2 * step), rtol=1e-6, atol=1e-8)


def test_dreg_leaves_the_value_alone():
    z, psi_0 = LAW.sample(7, generator())
    tau = LinearInverse(0.5, 1.2)
    for K in (0, 5):
        one, other = (bound(LAW, tau, z, psi_0, K, generator(1)) for bound in (plain, hierarchical.dreg))
        torch.testing.assert_close(one, other)
        assert other.requires_grad


class Learnable(exact.MeanMixture):
    """The law with ``n`` copies of a log noise level, and of a scale that makes psi and z, as parameters."""

    def __init__(self, n):
        super().__init__(2)
        self.log_scale = torch.zeros(n, 1, requires_grad=True)
        self.log_noise = torch.zeros(n, 1, requires_grad=True)

    def log_mixing(self, psi):
        return super().log_mixing(psi / self.log_scale.exp()) - 2 * self.log_scale[:, 0]

    def log_conditional(self, z, psi):
        return super().log_conditional(z / self.log_noise.exp(), psi / self.log_noise.exp()) - 2 * self.log_noise[:, 0]

    def draw(self, n, generator):
        psi = self.log_scale.exp() * self.spread * torch.randn(n, 2, generator=generator)
        return psi + self.log_noise.exp() * self.noise * torch.randn(n, 2, generator=generator), psi


@pytest.mark.parametrize("K", [0, 1, 5])
def test_gradient_of_the_law(K):
    """z and psi_0 are reparameterised too: the whole gradient of E[U_K], plain and with DReG for tau."""
    n, found = 100_000, []
    for bound, seed in ((plain, 0), (hierarchical.dreg, 7)):
        law, tau = Learnable(n), LinearInverse(0.5, 1.2)
        z, psi_0 = law.draw(n, generator(seed))
        bound(law, tau, z, psi_0, K, generator(seed + 1)).sum().backward()
        found.append(torch.cat([law.log_scale.grad, law.log_noise.grad], 1))
    assert_mean(found[0] - found[1], 0.0)
    assert_not_mean(found[1], 0.0)


def test_gradient_of_the_law_at_the_exact_tau_is_that_of_the_entropy():
    """tau = the posterior: d E log q / d log noise = -2 r^2 / (s^2 + r^2) in two dimensions, as U_K = log q there."""
    n, K = 50_000, 5
    law, tau = Learnable(n), LinearInverse(LAW.slope, LAW.std)
    z, psi_0 = law.draw(n, generator())
    plain(law, tau, z, psi_0, K, generator(1)).sum().backward()
    share = LAW.spread**2 / (LAW.spread**2 + LAW.noise**2)
    assert_mean(law.log_noise.grad, -2 * (1 - share))
    assert_mean(law.log_scale.grad, -2 * share)


def test_signal_to_noise_of_tau_as_K_grows():
    """Plain: it falls as K^-1/2. DReG: "approximately constant", as psi_0 keeps its score term; near the posterior."""
    slope, std, n, all_K = 0.75, 0.95, 40_000, (4, 16, 64)
    ratios = {}
    for name, bound in {"plain": plain, "dreg": hierarchical.dreg}.items():
        found = [gradients(bound, K, n, slope, std, seed=K) for K in all_K]
        ratios[name] = [(g.mean(0) / g.std(0))[0].abs().item() for g in found]
    error = 1 / math.sqrt(n)  # of a signal-to-noise ratio well below 1
    assert abs(ratios["dreg"][0] - ratios["dreg"][2]) < 4 * math.sqrt(2) * error
    assert ratios["dreg"][2] > 0.1
    for small, large in zip(ratios["plain"], ratios["plain"][1:]):
        assert abs(large - small / 2) < 4 * math.sqrt(1.25) * error  # K times 4


def test_dreg_without_the_term_of_psi_0_would_be_wrong():
    """The spot-the-bug of this gradient: only the K samples, doubly reparameterised."""
    K, n, slope, std = 5, 100_000, 0.5, 1.2
    tau = linear_inverse(n, slope, std)
    z, psi_0 = LAW.sample(n, generator())
    psi = tau.sample(z, K, generator(1))
    leaf = psi.detach().requires_grad_()
    r = lambda at: LAW.log_mixing(at) + LAW.log_conditional(z, at) - tau.log_prob(at, z)
    share = torch.cat([r(psi_0[None]), r(leaf)]).detach().softmax(0)
    (path,) = torch.autograd.grad((share[1:].square() * r(leaf)).sum(), leaf)
    (path * psi).sum().backward()
    right = gradients(plain, K, n, slope, std, seed=7)
    assert z_score(right[:, 0] - tau.slope.grad[:, 0], 0.0).abs() > 8


class Window:
    """A law whose psi cannot leave [-1, 1]: many a draw of tau has a ratio of 0."""

    def log_mixing(self, psi):
        return torch.where((psi.abs() < 1).all(-1), psi.new_zeros(()), -math.inf)

    def log_conditional(self, z, psi):
        return -0.5 * (z - psi).square().sum(-1)


def test_a_ratio_of_zero_gives_dreg_neither_a_value_nor_a_gradient():
    tau, z, psi_0 = LinearInverse(0.5, 1.2), torch.randn(7, 3, generator=generator()), torch.zeros(7, 3)
    ratios = hierarchical.log_ratios(Window(), tau, z, psi_0, 5, generator(1))
    assert (ratios == -math.inf).any(0).all()
    bound = hierarchical.dreg(Window(), tau, z, psi_0, 5, generator(1))
    torch.testing.assert_close(bound, hierarchical.upper_bound(ratios))
    share = ratios.detach().softmax(0)[1:]
    psi = tau.sample(z, 5, generator(1))
    # log r_k = const - |z - psi|^2 / 2 + |psi - a z|^2 / (2 s^2); along the path psi = a z + s eps
    path = (z - psi) + (psi - tau.slope * z) / 1.2**2
    by_hand = (share.square() * (path.detach() * psi).sum(-1)).sum() - (
        (1 - share.sum(0)) * tau.log_prob(psi_0.unsqueeze(0), z)[0]
    ).sum()
    (expected,) = torch.autograd.grad(by_hand, tau.slope)
    (gradient,) = torch.autograd.grad(bound.sum(), tau.slope)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("K", [0, 4])
def test_dreg_refuses_what_log_ratios_refuses(K):
    z, psi_0 = LAW.sample(7, generator())
    with pytest.raises(ValueError, match=r"psi_0 must hold .* got z \[7, 2\] and psi_0 \[1, 2\]"):
        hierarchical.dreg(LAW, LinearInverse(), z, psi_0[:1], K)
    with pytest.raises(ValueError, match="K must be at least 0, got -1"):
        hierarchical.dreg(LAW, LinearInverse(), z, psi_0, -1)


def test_dreg_without_gradients_is_the_bound():
    z, psi_0 = LAW.sample(7, generator())
    with torch.no_grad():
        one, other = (bound(LAW, LinearInverse(), z, psi_0, 4, generator(1)) for bound in (plain, hierarchical.dreg))
    assert torch.equal(one, other)
