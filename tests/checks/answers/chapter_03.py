"""Chapter 03, IWAE: answers written from the exercises' text alone."""

import math

import numpy as np
import torch
from torch.distributions import Categorical

from tests.checks.answers import right, wrong
from vaecourse import bounds

K = 20  # in the notebook a loop further up has left this name behind

# 03.samples_for_gap


@right("03.samples_for_gap")
def samples_by_ceil_and_max(chi_squared, gap):
    return max(1, math.ceil(chi_squared / (2 * gap)))


@right("03.samples_for_gap")
def samples_by_doubling_and_bisection(chi_squared, gap):
    enough = 1
    while chi_squared / (2 * enough) > gap:
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if chi_squared / (2 * middle) <= gap:
            enough = middle
        else:
            too_few = middle
    return enough


@right("03.samples_for_gap")
def samples_by_numpy_ceil_a_whole_float(chi_squared, gap):
    return np.maximum(1.0, np.ceil(chi_squared / gap / 2))


@wrong("03.samples_for_gap", "the 2 of 2K is missing")
def samples_without_the_two(chi_squared, gap):
    return max(1, math.ceil(chi_squared / gap))


@wrong("03.samples_for_gap", "rounded down")
def samples_rounded_down(chi_squared, gap):
    return max(1, int(chi_squared / (2 * gap)))


@wrong("03.samples_for_gap", "rounded to the nearest whole number")
def samples_rounded_to_nearest(chi_squared, gap):
    return max(1, round(chi_squared / (2 * gap)))


@wrong("03.samples_for_gap", "one too many where the quotient is whole already")
def samples_int_plus_one(chi_squared, gap):
    return int(chi_squared / (2 * gap)) + 1


@wrong("03.samples_for_gap", "0 samples for a perfect q")
def samples_ceil_alone(chi_squared, gap):
    return math.ceil(chi_squared / (2 * gap))


@wrong("03.samples_for_gap", "not rounded at all")
def samples_not_rounded(chi_squared, gap):
    return max(1.0, chi_squared / (2 * gap))


@wrong("03.samples_for_gap", "chi-squared squared once more")
def samples_chi_squared_squared(chi_squared, gap):
    return max(1, math.ceil(chi_squared**2 / (2 * gap)))


@wrong("03.samples_for_gap", "the 2 stands above the fraction bar, and rounded down")
def samples_two_above_and_rounded_down(chi_squared, gap):
    return max(1, math.floor(2 * chi_squared / gap))


# 03.iwae_bound


@right("03.iwae_bound")
def loss_in_two_branches(log_w, pooled):
    M, K, B = log_w.shape
    if pooled:
        bound = log_w.logsumexp((0, 1)) - math.log(M * K)
    else:
        bound = (log_w.logsumexp(1) - math.log(K)).mean(0)
    return -bound.mean()


@right("03.iwae_bound")
def loss_by_joining_the_axes_first(log_w, pooled):
    if pooled:
        log_w = log_w.reshape(1, -1, log_w.shape[2])
    return (math.log(log_w.shape[1]) - torch.logsumexp(log_w, dim=1)).mean()


@right("03.iwae_bound")
def loss_with_the_maximum_by_hand(log_w, pooled):
    axes = (0, 1) if pooled else (1,)
    top = log_w.detach().amax(axes, keepdim=True)
    mean = (log_w - top).exp().mean(axes, keepdim=True)
    return -(mean.log() + top).mean()


@right("03.iwae_bound")
def loss_by_the_package(log_w, pooled):
    return -(bounds.iwae(log_w) if pooled else bounds.miwae(log_w)).mean()


@wrong("03.iwae_bound", "the bound, without its minus sign")
def loss_that_is_the_bound(log_w, pooled):
    if pooled:
        return (log_w.logsumexp((0, 1)) - math.log(log_w.shape[0] * log_w.shape[1])).mean()
    return (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean()


@wrong("03.iwae_bound", "one for each x, as in chapter 00")
def loss_of_each_x(log_w, pooled):
    return -(bounds.iwae(log_w) if pooled else bounds.miwae(log_w))


@wrong("03.iwae_bound", ".item(), so that it is a number")
def loss_as_a_python_number(log_w, pooled):
    return -(bounds.iwae(log_w) if pooled else bounds.miwae(log_w)).mean().item()


@wrong("03.iwae_bound", "numpy in between: the value is right and nothing comes back")
def loss_in_numpy(log_w, pooled):
    a = log_w.detach().numpy()
    axes = (0, 1) if pooled else 1
    top = a.max(axis=axes, keepdims=True)
    return -torch.tensor(np.log(np.exp(a - top).mean(axis=axes, keepdims=True)) + top).mean()


@wrong("03.iwae_bound", "pooled is ignored")
def loss_that_ignores_pooled(log_w, pooled):
    return -(log_w.logsumexp(1) - math.log(log_w.shape[1])).mean()


@wrong("03.iwae_bound", "log K missing")
def loss_without_log_K(log_w, pooled):
    return -log_w.logsumexp((0, 1) if pooled else 1).mean()


@wrong("03.iwae_bound", "log K in both cases")
def loss_with_log_K_in_both(log_w, pooled):
    return -(log_w.logsumexp((0, 1) if pooled else 1) - math.log(log_w.shape[1])).mean()


@wrong("03.iwae_bound", "the notebook's K in place of the argument's")
def loss_with_the_global_K(log_w, pooled):
    return -(log_w.logsumexp((0, 1) if pooled else 1) - math.log(K)).mean()


@wrong("03.iwae_bound", "exp first: minus infinity near -800")
def loss_exp_first(log_w, pooled):
    return -log_w.exp().mean((0, 1) if pooled else 1).log().mean()


@wrong("03.iwae_bound", "the M axis under the logarithm when not pooled")
def loss_over_the_M_axis(log_w, pooled):
    M, K, _ = log_w.shape
    if pooled:
        return -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean()
    return -(log_w.logsumexp(0) - math.log(M)).mean()


@wrong("03.iwae_bound", "sum over the batch")
def loss_summed_over_the_batch(log_w, pooled):
    return -(bounds.iwae(log_w) if pooled else bounds.miwae(log_w)).sum()


@wrong("03.iwae_bound", "the surrogate of the chapter, shares times log w")
def loss_that_is_the_surrogate(log_w, pooled):
    if pooled:
        log_w = log_w.flatten(0, 1)[None]
    share = log_w.softmax(1).detach()
    return -(share * log_w).sum(1).mean()


@wrong("03.iwae_bound", "mean of the logs: the ELBO")
def loss_of_the_elbo(log_w, pooled):
    return -log_w.mean((0, 1)).mean()


@wrong("03.iwae_bound", "True and False exchanged")
def loss_with_the_cases_exchanged(log_w, pooled):
    return -(bounds.miwae(log_w) if pooled else bounds.iwae(log_w)).mean()


@wrong("03.iwae_bound", "mean over M, then sum over B, divided by K")
def loss_divided_by_K(log_w, pooled):
    return -(bounds.iwae(log_w) if pooled else bounds.miwae(log_w)).mean() / log_w.shape[1]


# 03.credit


@right("03.credit")
def credit_as_half():
    return 0.5


@right("03.credit")
def credit_worked_out_in_the_cell():
    return (6 * 1 + 3 * -2 + 1 * 5) / 10


@wrong("03.credit", "plain mean of the slopes")
def credit_plain_mean():
    return 4 / 3


@wrong("03.credit", "weights not normalised")
def credit_not_normalised():
    return 5


@wrong("03.credit", "mean of w times slope")
def credit_mean_of_products():
    return 5 / 3


@wrong("03.credit", "sign of a loss")
def credit_with_a_minus():
    return -0.5


@wrong("03.credit", "the slope of -2 read as 2")
def credit_without_the_minus():
    return 1.7


@wrong("03.credit", "6, 3, 1 as log-weights")
def credit_by_a_softmax():
    return float(torch.tensor([6.0, 3.0, 1.0]).softmax(0) @ torch.tensor([1.0, -2.0, 5.0]))


@wrong("03.credit", "adds the slopes")
def credit_sum_of_the_slopes():
    return 4


# 03.too_good_a_law


@right("03.too_good_a_law")
def law_by_its_letter():
    return "C"


@right("03.too_good_a_law")
def law_by_a_small_letter():
    return "c"


@wrong("03.too_good_a_law", "thinks that a narrow q makes the mean biased")
def law_says_the_mean():
    return "A"


@wrong("03.too_good_a_law", "takes the logarithm's expectation for wrong")
def law_says_the_gap():
    return "B"


@wrong("03.too_good_a_law", "takes the expansion")
def law_says_the_expansion():
    return "D"


# 03.normalised_weights


@right("03.normalised_weights")
def shares_softmax_detached(log_w):
    return log_w.softmax(1).detach()


@right("03.normalised_weights")
def shares_by_categorical(log_w):
    return Categorical(logits=log_w.double().movedim(1, -1)).probs.movedim(-1, 1)


@right("03.normalised_weights")
def shares_group_by_group(log_w):
    result = torch.empty_like(log_w)
    for m, group in enumerate(log_w):
        for b in range(group.shape[1]):
            w = torch.exp(group[:, b] - group[:, b].max())
            result[m, :, b] = w / w.sum()
    return result


@wrong("03.normalised_weights", "softmax over the M axis")
def shares_over_M(log_w):
    return log_w.softmax(0)


@wrong("03.normalised_weights", "softmax over the batch")
def shares_over_the_last_axis(log_w):
    return log_w.softmax(-1)


@wrong("03.normalised_weights", "shares among all M K samples")
def shares_pooled(log_w):
    return log_w.flatten(0, 1).softmax(0).view_as(log_w)


@wrong("03.normalised_weights", "exp first: 0 / 0 near -800")
def shares_exp_first(log_w):
    w = log_w.exp()
    return w / w.sum(1, keepdim=True)


@wrong("03.normalised_weights", "the softmax of a loss: the worst sample gets the credit")
def shares_of_minus_log_w(log_w):
    return (-log_w).softmax(1)


@wrong("03.normalised_weights", "divided by M as well, as for MIWAE")
def shares_divided_by_M(log_w):
    return log_w.softmax(1) / log_w.shape[0]


@wrong("03.normalised_weights", "one maximum for everything: 0 / 0 where data points have levels far apart")
def shares_one_maximum_for_all(log_w):
    w = (log_w - log_w.max()).exp()
    return w / w.sum(1, keepdim=True)


@wrong("03.normalised_weights", "logarithms of the shares, and over the M axis")
def shares_as_logs_over_M(log_w):
    return log_w.log_softmax(0)


# 03.gradient


@right("03.gradient")
def gradient_by_einsum(log_w, slopes):
    return torch.einsum("kb,kbp->bp", log_w.softmax(0), slopes)


@right("03.gradient")
def gradient_in_numpy(log_w, slopes):
    a, s = log_w.detach().numpy().astype(float), slopes.detach().numpy().astype(float)
    w = np.exp(a - a.max(0))
    return (w[:, :, None] * s).sum(0) / w.sum(0)[:, None]  # a numpy array [B, P]


@right("03.gradient")
def gradient_by_batched_matrix_product(log_w, slopes):
    share = torch.exp(log_w - torch.logsumexp(log_w, 0))
    return torch.bmm(share.T[:, None, :], slopes.transpose(0, 1)).squeeze(1)


@wrong("03.gradient", "the same credit 1/K for all: the gradient of the ELBO")
def gradient_with_equal_credit(log_w, slopes):
    return slopes.mean(0)


@wrong("03.gradient", "shares over the batch")
def gradient_shares_over_B(log_w, slopes):
    return (log_w.softmax(1)[..., None] * slopes).sum(0)


@wrong("03.gradient", "mean in place of sum: K times too small")
def gradient_mean_of_shared_slopes(log_w, slopes):
    return (log_w.softmax(0)[..., None] * slopes).mean(0)


@wrong("03.gradient", "exp first: not a number near -800")
def gradient_exp_first(log_w, slopes):
    w = log_w.exp()[..., None]
    return (w * slopes).sum(0) / w.sum(0)


@wrong("03.gradient", "the weights are not normalised: gradient of the mean weight, not of its logarithm")
def gradient_of_the_mean_weight(log_w, slopes):
    return (log_w.exp()[..., None] * slopes).mean(0)


@wrong("03.gradient", "detach forgotten: the shares are differentiated too")
def gradient_shares_not_detached(log_w, slopes):
    share = log_w.softmax(0)
    reported = (share * log_w).sum(0)
    return ((share * (1 + log_w - reported))[..., None] * slopes).sum(0)


@wrong("03.gradient", "one maximum for all data points: 0 / 0 where their levels are far apart")
def gradient_one_maximum_for_all(log_w, slopes):
    w = (log_w - log_w.max()).exp()
    return torch.einsum("kb,kbp->bp", w / w.sum(0), slopes)


@wrong("03.gradient", "shares of a loss, and summed over the batch as well")
def gradient_worst_first_and_summed_over_B(log_w, slopes):
    per_point = ((-log_w).softmax(0)[..., None] * slopes).sum(0)
    return per_point.sum(0, keepdim=True).expand_as(per_point)


# 03.spot_the_weight


@right("03.spot_the_weight")
def weight_of_each_sample(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    return (log_likelihood + log_prior - log_q).logsumexp((0, 1)) - math.log(M * K)


@right("03.spot_the_weight")
def weight_kl_term_of_each_sample(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    kl = log_q - log_prior  # [M, K, B], no mean
    groups = (log_likelihood - kl).logsumexp(1) - math.log(K)
    return groups.logsumexp(0) - math.log(M)


@right("03.spot_the_weight")
def weight_in_numpy_logaddexp(log_likelihood, log_prior, log_q):
    parts = [part.detach().double().numpy() for part in (log_likelihood, log_prior, log_q)]
    log_w = (parts[0] + parts[1] - parts[2]).reshape(-1, log_q.shape[2])
    return torch.from_numpy(np.logaddexp.reduce(log_w, axis=0) - np.log(len(log_w)))


@wrong("03.spot_the_weight", "the mean taken over M too, and still a mean")
def weight_kl_averaged_over_everything(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    kl = (log_q - log_prior).mean((0, 1), keepdim=True)
    return (log_likelihood - kl).logsumexp((0, 1)) - math.log(M * K)


@wrong("03.spot_the_weight", "weights mended, but groups averaged outside the logarithm: L_K and not L_MK")
def weight_groups_not_pooled(log_likelihood, log_prior, log_q):
    return ((log_likelihood + log_prior - log_q).logsumexp(1) - math.log(log_q.shape[1])).mean(0)


@wrong("03.spot_the_weight", "sign of the KL turned round")
def weight_with_the_sign_of_kl_turned(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    kl = log_prior - log_q
    return (log_likelihood - kl).logsumexp((0, 1)) - math.log(M * K)


@wrong("03.spot_the_weight", "only the prior put back per sample, log q still averaged")
def weight_log_q_still_averaged(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    return (log_likelihood + log_prior - log_q.mean(1, keepdim=True)).logsumexp((0, 1)) - math.log(M * K)


@wrong("03.spot_the_weight", "the KL taken out of the logarithm and subtracted at the end")
def weight_kl_subtracted_outside(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    return log_likelihood.logsumexp((0, 1)) - math.log(M * K) - (log_q - log_prior).mean((0, 1))


@wrong("03.spot_the_weight", "each sample's KL clipped at zero, because a KL cannot be negative")
def weight_kl_clipped_at_zero(log_likelihood, log_prior, log_q):
    M, K, _B = log_q.shape
    kl = (log_q - log_prior).clamp(min=0)
    return (log_likelihood - kl).logsumexp((0, 1)) - math.log(M * K)


@wrong("03.spot_the_weight", "only log K subtracted: too high by log M, unless M = 1")
def weight_log_M_missing(log_likelihood, log_prior, log_q):
    return (log_likelihood + log_prior - log_q).logsumexp((0, 1)) - math.log(log_q.shape[1])


@wrong("03.spot_the_weight", "exp first, and the bound is averaged over the groups")
def weight_exp_first_in_each_group(log_likelihood, log_prior, log_q):
    w = log_likelihood.exp() * log_prior.exp() / log_q.exp()
    return w.mean(1).log().mean(0)


# 03.spot_the_report


@right("03.spot_the_report")
def report_the_package_bound(log_w):
    return bounds.miwae(log_w)


@right("03.spot_the_report")
def report_surrogate_corrected_by_entropy(log_w):
    log_w = log_w.double()
    share = log_w.softmax(1)
    entropy = -(share * log_w.log_softmax(1)).sum(1)
    return ((share * log_w).sum(1) - math.log(log_w.shape[1]) + entropy).mean(0)


@right("03.spot_the_report")
def report_by_adding_in_logs_one_by_one(log_w):
    _M, K, _B = log_w.shape
    total = log_w[:, 0]
    for k in range(1, K):
        total = torch.logaddexp(total, log_w[:, k])
    return torch.stack([row - math.log(K) for row in total]).mean(0)


@wrong("03.spot_the_report", "only log K taken off the surrogate, its entropy left out")
def report_surrogate_minus_log_K(log_w):
    share = log_w.softmax(1).detach()
    return ((share * log_w).sum(1) - math.log(log_w.shape[1])).mean(0)


@wrong("03.spot_the_report", "detach taken away, the value is the same surrogate")
def report_surrogate_without_detach(log_w):
    share = log_w.softmax(1)
    return (share * log_w).sum(1).mean(0)


@wrong("03.spot_the_report", "the ELBO is reported")
def report_the_elbo(log_w):
    return log_w.mean(1).mean(0)


@wrong("03.spot_the_report", "log K missing")
def report_without_log_K(log_w):
    return log_w.logsumexp(1).mean(0)


@wrong("03.spot_the_report", "all groups pooled under one logarithm")
def report_pooled(log_w):
    M, K, B = log_w.shape
    return log_w.view(M * K, B).logsumexp(0) - math.log(M * K)


@wrong("03.spot_the_report", "log K and entropy corrected with both signs turned")
def report_corrected_the_wrong_way(log_w):
    share = log_w.softmax(1)
    entropy = -(share * share.clamp(min=1e-30).log()).sum(1)
    return ((share * log_w).sum(1) + math.log(log_w.shape[1]) - entropy).mean(0)


@wrong("03.spot_the_report", "a small constant under the logarithm: shows only for log-weights far below zero")
def report_with_a_small_constant(log_w):
    return (log_w.double().exp().mean(1) + 1e-10).log().mean(0)


@wrong("03.spot_the_report", "the M axis under the logarithm, and no logarithm subtracted")
def report_over_M_and_without_log(log_w):
    return log_w.logsumexp(0).mean(0)
