"""The minibatch KL against quadrature for one batch and the exact aggregate KL over batches; S != B != L."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Normal, kl_divergence

from tests.stats import assert_mean, assert_not_mean
from vaecourse.divergences import minibatch_kl

GRID = torch.linspace(-9, 9, 4001, dtype=torch.float64)
PRIOR = Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
SLOPE, STD = 1.2, 0.7  # a model in one dimension: x ~ N(0, 1), q(z | x) = N(SLOPE x, STD^2)
AGGREGATE = Normal(PRIOR.mean, torch.tensor(SLOPE**2 + STD**2, dtype=torch.float64).sqrt())


@pytest.mark.parametrize("own", [True, False])
def test_unbiased_for_the_mixture_of_a_given_batch(own):
    mean = torch.tensor([[-1.0], [0.3], [2.0]], dtype=torch.float64)
    log_std = torch.tensor([[-0.5], [-1.0], [0.2]], dtype=torch.float64)
    density = Normal(mean, log_std.exp()).log_prob(GRID).exp()  # [B, grid]
    left = torch.eye(3, dtype=torch.float64) * (0 if own else 1)
    mixture = (1 - left) @ density / (3 if own else 2)  # of those that a sample of b meets
    truth = torch.trapezoid(density * (mixture.log() - PRIOR.log_prob(GRID)), GRID).mean()
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(2000, 5, 3, 1, generator=generator, dtype=torch.float64)
    found = torch.stack([minibatch_kl(mean + log_std.exp() * e, mean, log_std, own) for e in eps])
    assert_mean(found, truth)
    assert_not_mean(found, truth + 0.3)


def over_batches(B, own=True, repeats=4000):
    generator = torch.Generator().manual_seed(B)
    found = []
    for _ in range(repeats):
        mean = SLOPE * torch.randn(B, 1, generator=generator, dtype=torch.float64)
        log_std = torch.full_like(mean, math.log(STD))
        z = mean + STD * torch.randn(2, B, 1, generator=generator, dtype=torch.float64)
        found.append(minibatch_kl(z, mean, log_std, own))
    return torch.stack(found)


def test_one_point_gives_the_rate():
    rate = kl_divergence(Normal(SLOPE * GRID, STD), PRIOR)
    truth = torch.trapezoid(PRIOR.log_prob(GRID).exp() * rate, GRID)
    assert_mean(over_batches(1), truth)
    assert_not_mean(over_batches(1), kl_divergence(AGGREGATE, PRIOR))


def test_truth_lies_between_with_and_without_its_own_component():
    truth = kl_divergence(AGGREGATE, PRIOR)
    for B in (2, 8, 30):
        with_own, without = over_batches(B, repeats=1000), over_batches(B, own=False, repeats=1000)
        assert without.mean() < truth < with_own.mean()
        assert_not_mean(with_own, truth)


def test_bias_falls_like_one_over_b():
    """By chi^2 / (2 B): chi^2 = E_x of the integral of q(z|x)^2 / q(z), minus 1 = slope^2 / std^2 for Gaussians."""
    slope, std, repeats = 0.6, 0.8, 2000
    aggregate, chi2 = Normal(PRIOR.mean, (slope**2 + std**2) ** 0.5), slope**2 / std**2
    relative = []
    for B in (5, 20, 80):
        mean = slope * torch.randn(repeats, B, 1, generator=torch.Generator().manual_seed(B), dtype=torch.float64)
        z = mean + std * torch.randn(mean.shape, generator=torch.Generator().manual_seed(B + 1), dtype=torch.float64)
        found = [minibatch_kl(z[r, None], mean[r], torch.full_like(mean[r], math.log(std))) for r in range(repeats)]
        log_ratio = (aggregate.log_prob(z) - PRIOR.log_prob(z)).mean((1, 2))  # at the very same z: cancels its noise
        relative.append(float((torch.stack(found) - log_ratio).mean() * 2 * B / chi2))
    assert relative == pytest.approx([1, 1, 1], abs=0.15)


def test_widths_are_summed_and_not_averaged():
    generator = torch.Generator().manual_seed(0)
    z, mean, log_std = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((2, 4, 3), (4, 3), (4, 3)))
    by_hand = 0.0
    for s in range(2):
        for b in range(4):
            log_q = [Normal(m, ls.exp()).log_prob(z[s, b]).sum() for m, ls in zip(mean, log_std)]
            by_hand += torch.stack(log_q).exp().mean().log() - Normal(0.0, 1.0).log_prob(z[s, b]).sum()
    torch.testing.assert_close(minibatch_kl(z, mean, log_std), by_hand / 8)


def test_two_points_each_meet_the_other_alone():
    z, mean, log_std = torch.tensor([[[0.5], [2.0]]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([[0.0], [0.5]])
    met = [Normal(-1.0, math.exp(0.5)).log_prob(z[0, 0]), Normal(1.0, 1.0).log_prob(z[0, 1])]
    by_hand = sum(log_q - Normal(0.0, 1.0).log_prob(z[0, b]) for b, log_q in enumerate(met)) / 2
    torch.testing.assert_close(minibatch_kl(z, mean, log_std, own=False), by_hand.squeeze())


@pytest.mark.parametrize("own", [True, False])
def test_gradients(own):
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(*s, generator=generator, dtype=torch.float64, requires_grad=True)
        for s in ((2, 4, 3), (4, 3), (4, 3))
    ]
    assert gradcheck(lambda *a: minibatch_kl(*a, own=own), inputs)


def test_far_apart_components_in_float32():
    mean = torch.tensor([[0.0], [1e4]], requires_grad=True)
    value = minibatch_kl(mean.unsqueeze(0), mean, torch.zeros(2, 1))
    value.backward()
    assert value.isfinite() and mean.grad.isfinite().all()


@pytest.mark.parametrize("place, name", [(0, "z"), (1, "mean"), (2, "log_std")])
def test_what_is_not_finite_is_refused(place, name):
    inputs = [torch.zeros(2, 4, 3), torch.zeros(4, 3), torch.zeros(4, 3)]
    inputs[place].view(-1)[5] = -math.inf
    with pytest.raises(ValueError, match=f"^{name} contains inf: it must be finite.$"):
        minibatch_kl(*inputs)


@pytest.mark.parametrize(
    "shapes, own, words",
    [
        (((4, 3), (4, 3), (4, 3)), True, r"z must have the 3 axes \[S, B, L\]"),
        (((2, 5, 3), (4, 3), (4, 3)), True, r"must share B and L, got z \[2, 5, 3\], mean \[4, 3\]"),
        (((2, 4, 3), (4, 3), (4, 1)), True, r"must share B and L, got .*, mean \[4, 3\], log_std \[4, 1\]\.$"),
        (((2, 4, 3), (3,), (4, 3)), True, r"^mean must have the 2 axes \[B, L\]"),
        (((2, 4, 3), (4, 3), (3,)), True, r"^log_std must have the 2 axes \[B, L\]"),
        (
            ((2, 1, 3), (1, 3), (1, 3)),
            False,
            r"^own=False leaves a sample only the other B - 1 components and needs B >= 2, got B = 1\.$",
        ),
    ],
)
def test_bad_input(shapes, own, words):
    with pytest.raises(ValueError, match=words):
        minibatch_kl(*(torch.zeros(shape) for shape in shapes), own=own)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_and_comes_back_in_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    mean, log_std = (torch.randn(4, 3, generator=generator).to(dtype) for _ in range(2))
    z = (mean + log_std.exp() * torch.randn(2, 4, 3, generator=generator)).to(dtype)
    found = minibatch_kl(z, mean, log_std)
    assert found.dtype == torch.float32 and found.equal(minibatch_kl(z.float(), mean.float(), log_std.float()))
