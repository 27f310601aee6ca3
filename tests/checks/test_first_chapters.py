"""What chapters 00 to 04 say of answers whose numbers agree with a mistake's by chance, or only nearly."""

import math

import pytest
import torch
from torch.distributions import Categorical, MultivariateNormal, kl_divergence

from vaecourse import checks


def of_tables(p_data, q, p_joint):
    table = lambda p: Categorical(p.flatten())  # noqa: E731
    return kl_divergence(table(p_data[:, None] * q), table(p_joint)), kl_divergence(
        table(p_data), table(p_joint.sum(1))
    )


def of_covariances(mean, log_std):
    q = MultivariateNormal(mean, torch.diag_embed((2 * log_std).exp()))
    return kl_divergence(q, MultivariateNormal(torch.zeros_like(mean), torch.eye(mean.shape[-1])))


def far_out(z, mean, log_var):
    return MultivariateNormal(mean, torch.diag_embed(log_var.exp())).log_prob(z)


def size_with_a_limit(log_w, limit):
    return 1 / log_w.clamp(-limit, limit).softmax(1).square().sum(1)


@pytest.mark.parametrize(
    "name, answer",
    [
        ("01.two_kls", of_tables),  # rare cells, which torch rounds up only below 1.2e-7
        ("01.kl_to_prior", of_covariances),
        ("01.log_density", far_out),
        ("01.active_units", lambda mean, log_std: (mean.std(0, unbiased=False) > 0.1).sum()),
        ("02.coverage", lambda prior, likelihood, q: (q * (prior * likelihood / q)).nan_to_num(0).sum()),
    ],
)
def test_other_ways_to_the_right_answer_pass(name, answer):
    assert checks.ALL[name](answer).passed


@pytest.mark.parametrize(
    "name, answer, not_told",
    [
        ("01.elbo", lambda log_w: log_w.mean((0, 1)) * torch.nan, "logarithm of log_w"),
        ("01.recover_eps", lambda z, mean, log_var: (z - mean) / log_var.clamp(max=0.0).log(), "square root"),
        ("01.active_units", lambda mean, log_std: (mean.var(0) + (2 * log_std).exp().mean(0) > 0.01).sum(), "all L"),
        ("01.active_units", lambda mean, log_std: (mean.var(0) > 0.001).sum(), "largest and the smallest"),
        ("01.active_units", lambda mean, log_std: len(mean), "variance over the units"),
        ("02.coverage", lambda prior, likelihood, q: q.sum(), "p(z) alone"),
        ("02.effective_sample_size", lambda log_w: size_with_a_limit(log_w, 700.0), "300"),
    ],
)
def test_a_message_is_true_of_whoever_reads_it(name, answer, not_told):
    verdict = checks.ALL[name](answer)
    assert not verdict.passed
    assert not_told not in verdict.message


def judge_of_full_chunks(draw, K, chunk):
    log_w = torch.cat([draw(chunk) for _ in range(math.ceil(K / chunk))])
    return log_w[:K].logsumexp(0) - math.log(K)


def step_that_takes_the_loss_for_the_bound(loss_of, x, optimizer):
    optimizer.zero_grad()
    bound = loss_of(x)
    (-bound).backward()
    optimizer.step()
    return bound.item()


def softmax_of_a_loss(log_w, pooled):
    over = (0, 1) if pooled else (1,)
    return ((-log_w).logsumexp(over) - math.log(math.prod(log_w.shape[axis] for axis in over))).mean()


def two_plain_passes_of_the_bounds(log_w, theta, phi):
    M, K, _ = log_w.shape
    (log_w.logsumexp((0, 1)) - math.log(M * K)).mean().backward(retain_graph=True)
    (log_w.logsumexp(1) - math.log(K)).mean().backward()


def elbo_for_both_networks(log_w, theta, phi):
    (-log_w.mean()).backward()


@pytest.mark.parametrize(
    "name, answer, told",
    [
        ("00.how_many_draws", 829, "0.6 is the deviation already"),
        ("00.how_many_draws", 830, "0.6 is the deviation already"),
        ("01.training_step", step_that_takes_the_loss_for_the_bound, "You took loss_of for the bound"),
        ("02.log_likelihood", judge_of_full_chunks, "your last chunk is full"),
        ("03.iwae_bound", softmax_of_a_loss, "The softmax of a loss"),
        ("03.credit", 5, "the slope of the third sample alone, and also"),
        ("03.credit", 1, "the slope of the best sample alone, and also"),
        ("04.same_bound", 181, "You took the root of eight for M"),
        ("04.same_bound", 192, "You took the root of eight for M"),
        ("04.same_bound", 64**3, "4096 groups of 64 samples, or 64 groups of 4096"),
        ("04.two_goals", two_plain_passes_of_the_bounds, "the sign is that of the bounds"),
        ("04.two_goals", elbo_for_both_networks, "Both climb the ELBO"),
    ],
)
def test_a_slip_is_named_as_it_is_handed_in(name, answer, told):
    verdict = checks.ALL[name](answer)
    assert not verdict.passed
    assert told in verdict.message


@pytest.mark.parametrize("limit", [300.0, 500.0, 700.0])
def test_any_limit_of_log_weights_is_told_the_same(limit):
    verdict = checks.ALL["02.effective_sample_size"](lambda log_w: size_with_a_limit(log_w, limit))
    assert verdict.mistake == "log weights clipped"


def test_each_way_to_count_units_gives_numbers_of_its_own():
    """Counts are small, and agree by chance: over all encoders no two of the mistakes do."""
    check = checks.ALL["01.active_units"]
    ways = [check.solution, *(mistake.answer for mistake in check.mistakes)]
    counts = [tuple(str(way(*case)) for case in check.cases()) for way in ways]
    assert len(set(counts)) == len(counts)
