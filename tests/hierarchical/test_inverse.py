"""Inverse models: densities that integrate to one, draws that have them, the prior where it should be."""

import math

import pytest
import torch

from tests.stats import assert_mean, assert_not_mean
from vaecourse import exact, hierarchical
from vaecourse.hierarchical import GatedInverse, LinearInverse, MixingPrior, Posterior

LAPLACE, GAUSSIAN = exact.LaplaceMixture(1), exact.MeanMixture(1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def trained_gates():
    """A GatedInverse that is not the prior any more."""
    torch.manual_seed(0)
    tau = GatedInverse((8,)).double()
    with torch.no_grad():
        tau.gate.copy_(torch.tensor([1.5, -1.0]))
    return tau


def inverse_models():
    return {
        "prior": MixingPrior(LAPLACE),
        "posterior": Posterior(LAPLACE),
        "gated": trained_gates(),
        "gaussian prior": MixingPrior(GAUSSIAN),
        "gaussian posterior": Posterior(GAUSSIAN),
        "linear": LinearInverse(0.4, 1.3).double(),
    }


@pytest.mark.parametrize("name", inverse_models())
def test_density_integrates_to_one_and_is_that_of_the_draws(name):
    tau = inverse_models()[name]
    z = torch.tensor([[0.2], [-1.7]], dtype=torch.float64)
    if name in ("prior", "posterior", "gated"):
        t = torch.linspace(-60, 7, 40_001, dtype=torch.float64)  # log psi
        psi, volume = t.exp(), t.exp()
    else:
        psi, volume = (torch.linspace(-15, 15, 40_001, dtype=torch.float64) for _ in range(2))
        volume = torch.ones_like(psi)
    with torch.no_grad():
        log_prob = tau.log_prob(psi[:, None, None].expand(-1, 2, 1), z)  # [N, 2]
        draws = tau.sample(z, 60_000, generator())[..., 0].double()
    mass = log_prob.exp() * volume[:, None] * (t[1] - t[0] if "t" in locals() else psi[1] - psi[0])
    torch.testing.assert_close(mass.sum(0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-5)
    assert draws.shape == (60_000, 2)
    for statistic in (lambda x: x, torch.abs, lambda x: x.abs().log()):
        assert_mean(statistic(draws), (mass * statistic(psi)[:, None]).sum(0))


def test_closed_gates_are_the_prior():
    tau, prior = GatedInverse(), MixingPrior(exact.LaplaceMixture(3))
    z, psi = exact.LaplaceMixture(3).sample(7, generator())
    torch.testing.assert_close(tau.log_prob(psi[None], z), prior.log_prob(psi[None], z))


def test_gates_open_in_training():
    law = exact.LaplaceMixture(3)
    tau = GatedInverse((8,))
    z, psi_0 = law.sample(100, generator())
    hierarchical.dreg(law, tau, z, psi_0, 5, generator(1)).mean().backward()
    assert (tau.gate.grad != 0).all()


@pytest.mark.parametrize("tau", [trained_gates(), LinearInverse(0.4, 1.3).double()])
def test_draws_are_reparameterised(tau):
    """The gradient of E psi, against a difference of means with common random numbers."""
    z = torch.tensor([[0.7]], dtype=torch.float64)
    parameter = next(iter(tau.parameters()))
    draws = tau.sample(z, 200, generator())
    assert draws.requires_grad
    (grad,) = torch.autograd.grad(draws.mean(), parameter)
    assert (grad != 0).any()


def test_float64_z_gives_float64_ratios():
    law = exact.LaplaceMixture(3)
    z, psi_0 = (value.double() for value in law.sample(7, generator()))
    for tau in (MixingPrior(law), Posterior(law), GatedInverse().double()):
        assert hierarchical.log_ratios(law, tau, z, psi_0, 5, generator()).dtype == torch.float64


def test_laplace_posterior_and_its_prior_differ():
    z = torch.full((40_000, 1), 3.0)
    draws = LAPLACE.sample_posterior(z, 1, generator())[0]
    assert_mean(draws, 1 + 3.0)  # E[psi | z] = 1 + |z|
    assert_not_mean(draws, 2.0)
    assert (LAPLACE.sample_posterior(torch.zeros(100, 1), 1, generator()) > 0).all()


def test_a_law_without_a_posterior_is_told():
    class Plain:
        pass

    with pytest.raises(
        TypeError, match=r"^law must have sample_posterior and log_posterior, got Plain without sample_posterior\.$"
    ):
        Posterior(Plain())


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match=r"^std must lie in \(0, inf\), got 0"):
        LinearInverse(0.0, 0.0)
    with pytest.raises(ValueError, match=r"^slope must lie in \(-inf, inf\), got nan"):
        LinearInverse(math.nan)
    with pytest.raises(ValueError, match="^hidden must be at least 1, got 0"):
        GatedInverse((0,))
    for tau in (MixingPrior(LAPLACE), Posterior(LAPLACE), GatedInverse(), LinearInverse()):
        with pytest.raises(ValueError, match="^K must be at least 1, got 0"):
            tau.sample(torch.zeros(3, 1), 0)


def test_linear_inverse_begins_as_the_prior_of_unit_width():
    tau, z = LinearInverse(), torch.tensor([[0.5, -2.0]])
    eps = torch.randn(4, 1, 2, generator=generator())
    torch.testing.assert_close(tau.sample(z, 4, generator()), eps)
    moved = LinearInverse(0.3, 2.0)
    torch.testing.assert_close(moved.sample(z, 4, generator()), 0.3 * z + 2.0 * eps)
    law = torch.distributions.Normal(0.3 * z, 2.0)
    torch.testing.assert_close(moved.log_prob(eps, z), law.log_prob(eps).sum(-1))
    assert {name for name, _ in moved.named_parameters()} == {"slope", "log_std"}


def test_gated_inverse_is_the_gamma_law_it_says():
    tau, z = trained_gates(), torch.tensor([[0.5, -2.0]], dtype=torch.float64)
    out = tau.network(z.unsqueeze(-1)) * tau.gate
    shape, rate = out[..., 0].exp(), 0.5 * out[..., 1].exp()
    psi = torch.rand(4, 1, 2, generator=generator(), dtype=torch.float64) + 0.1
    torch.testing.assert_close(tau.log_prob(psi, z), torch.distributions.Gamma(shape, rate).log_prob(psi).sum(-1))
    assert tau.sample(z, 3, generator()).equal(tau.sample(z, 3, generator()))
    widths = [tuple(p.shape) for p in GatedInverse().network.parameters()]
    assert widths == [(64, 1), (64,), (64, 64), (64,), (2, 64), (2,)]


def test_a_prior_draws_with_the_type_of_z_and_its_generator():
    tau, z = MixingPrior(GAUSSIAN), torch.zeros(2, 5, 1, dtype=torch.float64)
    draws = tau.sample(z, 3, generator())
    assert draws.dtype == torch.float64 and draws.shape == (3, 2, 5, 1)
    torch.testing.assert_close(draws, GAUSSIAN.sample_mixing((3, 2, 5), generator()).double())
    torch.testing.assert_close(tau.log_prob(draws, z), GAUSSIAN.log_mixing(draws))


def test_the_exact_posterior_draws_from_the_generator_of_its_caller():
    law, z = exact.LaplaceMixture(3), torch.ones(5, 3)
    seeded = lambda: torch.Generator().manual_seed(1)
    assert hierarchical.Posterior(law).sample(z, 4, seeded()).equal(law.sample_posterior(z, 4, seeded()))
