"""Answers to the exercises of chapter 07, written from its text alone."""

import math

import numpy as np
import torch
from torch.distributions import (
    Exponential,
    Gamma,
    MultivariateNormal,
    Normal,
)

from tests.checks.answers import right, wrong
from vaecourse import bounds

# 07.upper_bound


@right("07.upper_bound")
def logsumexp_less_log_of_how_many(log_ratio):
    return log_ratio.logsumexp(0) - math.log(len(log_ratio))


@right("07.upper_bound")
def largest_taken_out_in_numpy(log_ratio):
    values = np.asarray(log_ratio.detach(), dtype=np.float64)
    top = values.max(axis=0)
    return torch.from_numpy(top + np.log(np.exp(values - top).mean(axis=0)))


@right("07.upper_bound")
def one_ratio_after_the_other(log_ratio):
    total = log_ratio[0]
    for more in log_ratio[1:]:
        total = torch.logaddexp(total, more)
    return total - np.log(log_ratio.shape[0])


@wrong("07.upper_bound", "divided by K, as psi_0 is not counted")
def divided_by_K(log_ratio):
    return log_ratio.logsumexp(0) - math.log(max(len(log_ratio) - 1, 1))


@wrong("07.upper_bound", "the log of K + 1 is missing")
def log_of_count_missing(log_ratio):
    return log_ratio.logsumexp(0)


@wrong("07.upper_bound", "mean of the logs, not log of the mean")
def mean_of_the_log_ratios(log_ratio):
    return log_ratio.mean(0)


@wrong("07.upper_bound", "exp before log: minus infinity at -800, right elsewhere")
def exp_mean_log(log_ratio):
    return log_ratio.double().exp().mean(0).log()


@wrong("07.upper_bound", "psi_0 is left out: the lower bound")
def psi_0_left_out(log_ratio):
    guesses = log_ratio[1:]
    return guesses.logsumexp(0) - math.log(len(guesses))


@wrong("07.upper_bound", "wrong axis: the mean is over the points z")
def mean_over_the_points(log_ratio):
    return log_ratio.logsumexp(1) - math.log(log_ratio.shape[1])


@wrong("07.upper_bound", "the number of points is divided by, not the number of ratios")
def divided_by_number_of_z(log_ratio):
    return log_ratio.logsumexp(0) - math.log(log_ratio.shape[1])


@wrong("07.upper_bound", "one largest value for all columns: breaks only where the columns lie far apart")
def one_largest_for_all_columns(log_ratio):
    top = log_ratio.max()
    return top + (log_ratio - top).exp().mean(0).log()


@wrong("07.upper_bound", "a small number inside the log against log 0: wrong only for very negative log-ratios")
def small_number_inside_the_log(log_ratio):
    return (log_ratio.exp().mean(0) + 1e-12).log()


@wrong("07.upper_bound", "psi_0 left out, and divided by K + 1 all the same")
def psi_0_left_out_but_counted(log_ratio):
    return log_ratio[1:].logsumexp(0) - math.log(len(log_ratio))


# 07.how_many


@right("07.how_many")
def ceiling_of_exp_less_one(gap, left):
    return max(0, math.ceil(math.exp(gap - left) - 1))


@right("07.how_many")
def ceiling_in_numpy(gap, left):
    return max(int(np.ceil(np.expm1(float(gap) - float(left)))), 0)


@right("07.how_many")
def search_by_halving(gap, left):
    enough = lambda K: gap - math.log(K + 1) <= left
    high = 1
    while not enough(high):
        high *= 2
    low = -1  # not enough, or not allowed
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


@wrong("07.how_many", "rounded down")
def rounded_down(gap, left):
    return max(0, math.floor(math.exp(gap - left) - 1))


@wrong("07.how_many", "the 1 of K + 1 is forgotten")
def one_of_K_plus_one_forgotten(gap, left):
    return math.ceil(math.exp(gap - left))


@wrong("07.how_many", "rounded to the nearest whole number")
def rounded_to_nearest(gap, left):
    return max(0, round(math.exp(gap - left) - 1))


@wrong("07.how_many", "log to base 2: bits for nats")
def bits_for_nats(gap, left):
    return max(0, math.ceil(2 ** (gap - left) - 1))


@wrong("07.how_many", "what may remain is not used: closes the whole gap")
def whole_gap_closed(gap, left):
    return max(0, math.ceil(math.exp(gap) - 1))


@wrong("07.how_many", "ratio of the two for their difference")
def ratio_for_difference(gap, left):
    return max(0, math.ceil(gap / left - 1))


@wrong("07.how_many", "logarithm in place of the exponential")
def logarithm_for_exponential(gap, left):
    return max(0, math.ceil(math.log(max(gap - left, 1.0))))


@wrong("07.how_many", "at least one guess in any case: wrong only where none is needed")
def at_least_one_guess(gap, left):
    return max(1, math.ceil(math.exp(gap - left) - 1))


@wrong("07.how_many", "absolute value of the difference: wrong only where the gap is allowed already")
def absolute_difference(gap, left):
    return math.ceil(math.exp(abs(gap - left)) - 1)


@wrong("07.how_many", "the 1 is added instead of subtracted, and rounded down")
def one_added_and_rounded_down(gap, left):
    return math.floor(math.exp(gap - left) + 1)


# 07.spot_psi_0


@right("07.spot_psi_0")
def own_beside_the_fresh(log_joint, log_q_own, log_q_fresh):
    every = torch.cat([log_q_own[None], log_q_fresh])
    return log_joint - (every.logsumexp(0) - math.log(len(every)))


@right("07.spot_psi_0")
def own_added_by_logaddexp(log_joint, log_q_own, log_q_fresh):
    total = torch.logaddexp(log_q_own, torch.logsumexp(log_q_fresh, dim=0))
    return log_joint + math.log1p(len(log_q_fresh)) - total


@right("07.spot_psi_0")
def each_point_in_plain_python(log_joint, log_q_own, log_q_fresh):
    result = []
    for b in range(len(log_joint)):
        logs = [log_q_own[b].item()] + log_q_fresh[:, b].tolist()
        top = max(logs)
        log_q = top + math.log(sum(math.exp(v - top) for v in logs) / len(logs))
        result.append(log_joint[b].item() - log_q)
    return torch.tensor(result, dtype=torch.float64)


@wrong("07.spot_psi_0", "not mended: psi_0 is not used")
def fresh_samples_only(log_joint, log_q_own, log_q_fresh):
    return log_joint - (log_q_fresh.logsumexp(0) - math.log(len(log_q_fresh)))


@wrong("07.spot_psi_0", "half mended: psi_0 is in the sum, but the mean still divides by K")
def own_in_the_sum_and_K_in_the_mean(log_joint, log_q_own, log_q_fresh):
    log_q = torch.cat([log_q_own[None], log_q_fresh]).logsumexp(0) - math.log(len(log_q_fresh))
    return log_joint - log_q


@wrong("07.spot_psi_0", "only psi_0 is used, the fresh samples are thrown away")
def own_sample_only(log_joint, log_q_own, log_q_fresh):
    return log_joint - log_q_own


@wrong("07.spot_psi_0", "psi_0 counts as much as all fresh samples together")
def own_and_fresh_half_and_half(log_joint, log_q_own, log_q_fresh):
    log_q = log_q_fresh.logsumexp(0) - math.log(len(log_q_fresh))
    return log_joint - (torch.logaddexp(log_q, log_q_own) - math.log(2))


@wrong("07.spot_psi_0", "psi_0 takes the place of a fresh sample instead of coming to them")
def own_in_place_of_one_fresh(log_joint, log_q_own, log_q_fresh):
    every = torch.cat([log_q_own[None], log_q_fresh[1:]])
    return log_joint - (every.logsumexp(0) - math.log(len(every)))


@wrong("07.spot_psi_0", "mended at the wrong place: log q(z | psi_0) is subtracted from the ELBO as well")
def own_subtracted_as_well(log_joint, log_q_own, log_q_fresh):
    return log_joint - (log_q_fresh.logsumexp(0) - math.log(len(log_q_fresh))) - log_q_own


@wrong("07.spot_psi_0", "mean of the logs over all K + 1")
def mean_of_all_logs(log_joint, log_q_own, log_q_fresh):
    return log_joint - torch.cat([log_q_own[None], log_q_fresh]).mean(0)


@wrong("07.spot_psi_0", "densities first, log last: breaks only where they underflow")
def densities_of_all_averaged(log_joint, log_q_own, log_q_fresh):
    return log_joint - torch.cat([log_q_own[None], log_q_fresh]).exp().mean(0).log()


@wrong("07.spot_psi_0", "count of K, and the sign of log q turned")
def count_of_K_and_sign_turned(log_joint, log_q_own, log_q_fresh):
    return log_joint + torch.cat([log_q_own[None], log_q_fresh]).logsumexp(0) - math.log(len(log_q_fresh))


# 07.spot_rate


@right("07.spot_rate")
def rate_of_a_half_and_root_of_psi(z, psi):
    log_prior = Exponential(0.5).log_prob(psi)
    log_conditional = Normal(0.0, psi.sqrt()).log_prob(z)
    return (log_prior + log_conditional).sum(-1)


@right("07.spot_rate")
def written_out_in_numpy(z, psi):
    z, psi = np.asarray(z.detach(), dtype=np.float64), np.asarray(psi.detach(), dtype=np.float64)
    log_prior = np.log(0.5) - 0.5 * psi
    log_conditional = -0.5 * (np.log(2 * np.pi) + np.log(psi) + z**2 / psi)
    return torch.as_tensor(log_prior.sum(-1) + log_conditional.sum(-1))


@right("07.spot_rate")
def gamma_and_one_joint_gaussian(z, psi):
    rate = torch.tensor(0.5, dtype=psi.dtype)
    log_prior = Gamma(torch.ones_like(rate), rate).log_prob(psi).sum(-1)
    return log_prior + MultivariateNormal(torch.zeros_like(z), torch.diag_embed(psi)).log_prob(z)


@wrong("07.spot_rate", "half mended: only the rate; psi is still a standard deviation")
def only_the_rate_mended(z, psi):
    return (Exponential(0.5).log_prob(psi) + Normal(0.0, psi).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "half mended: only the variance; the rate is still 2")
def only_the_variance_mended(z, psi):
    return (Exponential(2.0).log_prob(psi) + Normal(0.0, psi.sqrt()).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "not mended: both readings are wrong")
def laplace_not_mended(z, psi):
    return (Exponential(2.0).log_prob(psi) + Normal(0.0, psi).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "psi is squared where its root is wanted")
def psi_squared_for_its_root(z, psi):
    return (Exponential(0.5).log_prob(psi) + Normal(0.0, psi**2).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "psi is read as a precision")
def psi_read_as_precision(z, psi):
    return (Exponential(0.5).log_prob(psi) + Normal(0.0, psi.rsqrt()).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "no sum over the dimensions")
def dimensions_not_summed(z, psi):
    return Exponential(0.5).log_prob(psi) + Normal(0.0, psi.sqrt()).log_prob(z)


@wrong("07.spot_rate", "log of the rate is missing in the exponential law")
def log_of_the_rate_missing(z, psi):
    return (-0.5 * psi + Normal(0.0, psi.sqrt()).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "sum over axis 1, not the last: wrong only where there is more than one batch axis")
def sum_over_axis_one(z, psi):
    parts = Exponential(0.5).log_prob(psi) + Normal(0.0, psi.sqrt()).log_prob(z)
    return parts.sum(1 if parts.ndim > 1 else 0)


@wrong("07.spot_rate", "psi kept away from 0 by 0.01: wrong only where a variance is tiny")
def psi_kept_away_from_zero(z, psi):
    psi = psi.clamp(min=0.01)
    return (Exponential(0.5).log_prob(psi) + Normal(0.0, psi.sqrt()).log_prob(z)).sum(-1)


@wrong("07.spot_rate", "rate of 2, and psi squared for its root")
def rate_of_two_and_psi_squared(z, psi):
    return (Exponential(2.0).log_prob(psi) + Normal(0.0, psi**2).log_prob(z)).sum(-1)


# 07.m_iwhvi


@right("07.m_iwhvi")
def two_log_mean_exps(log_joint, log_ratio):
    log_w = log_joint - (log_ratio.logsumexp(0) - math.log(len(log_ratio)))
    return log_w.logsumexp(0) - math.log(len(log_w))


@right("07.m_iwhvi")
def iwae_of_the_new_log_weights(log_joint, log_ratio):
    log_r_bar = torch.logsumexp(log_ratio - math.log(log_ratio.shape[0]), dim=0)
    return bounds.iwae((log_joint - log_r_bar)[:, None])


@right("07.m_iwhvi")
def loops_over_points_and_samples(log_joint, log_ratio):
    joint, ratio = np.asarray(log_joint.detach(), np.float64), np.asarray(log_ratio.detach(), np.float64)
    K_plus_1, M, B = ratio.shape
    result = np.empty(B)
    for b in range(B):
        log_w = [joint[m, b] - np.logaddexp.reduce(ratio[:, m, b]) + np.log(K_plus_1) for m in range(M)]
        result[b] = np.logaddexp.reduce(log_w) - np.log(M)
    return torch.from_numpy(result)


@wrong("07.m_iwhvi", "log (K + 1) is missing")
def log_K_plus_one_missing(log_joint, log_ratio):
    log_w = log_joint - log_ratio.logsumexp(0)
    return log_w.logsumexp(0) - math.log(len(log_w))


@wrong("07.m_iwhvi", "log M is missing")
def log_M_missing(log_joint, log_ratio):
    log_w = log_joint - log_ratio.logsumexp(0) + math.log(len(log_ratio))
    return log_w.logsumexp(0)


@wrong("07.m_iwhvi", "mean over M outside of the logarithm: the ELBO with U_K")
def mean_over_M_outside_the_log(log_joint, log_ratio):
    return (log_joint - log_ratio.logsumexp(0) + math.log(len(log_ratio))).mean(0)


@wrong("07.m_iwhvi", "psi_0 is left out of the inner mean")
def inner_mean_without_psi_0(log_joint, log_ratio):
    guesses = log_ratio[1:]
    log_w = log_joint - guesses.logsumexp(0) + math.log(len(guesses))
    return log_w.logsumexp(0) - math.log(len(log_w))


@wrong("07.m_iwhvi", "mean of the numerators over mean of the denominators, not mean of the quotients")
def quotient_of_two_means(log_joint, log_ratio):
    numerator = log_joint.logsumexp(0) - math.log(len(log_joint))
    denominator = log_ratio.flatten(0, 1).logsumexp(0) - math.log(log_ratio.shape[0] * log_ratio.shape[1])
    return numerator - denominator


@wrong("07.m_iwhvi", "each ratio makes a weight of its own: mean of 1 / r, not 1 / mean of r")
def each_ratio_its_own_weight(log_joint, log_ratio):
    log_w = (log_joint - log_ratio).flatten(0, 1)
    return log_w.logsumexp(0) - math.log(len(log_w))


@wrong("07.m_iwhvi", "the inner mean is over K ratios where there are K + 1")
def inner_mean_divides_by_K(log_joint, log_ratio):
    log_w = log_joint - log_ratio.logsumexp(0) + math.log(max(len(log_ratio) - 1, 1))
    return log_w.logsumexp(0) - math.log(len(log_w))


@wrong("07.m_iwhvi", "weights before logarithms: right while nothing underflows")
def weights_before_logarithms(log_joint, log_ratio):
    return (log_joint.exp() / log_ratio.exp().mean(0)).mean(0).log()


@wrong("07.m_iwhvi", "log M missing, and K for K + 1")
def log_M_missing_and_K_for_K_plus_one(log_joint, log_ratio):
    log_w = log_joint - log_ratio.logsumexp(0) + math.log(max(len(log_ratio) - 1, 1))
    return log_w.logsumexp(0)


# 07.jackknife


def _log_mean_exp(log_ratio):
    return log_ratio.logsumexp(0) - math.log(len(log_ratio))


@right("07.jackknife")
def guesses_left_out_one_by_one(log_ratio):
    K = len(log_ratio) - 1
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(1, K + 1)]
    return (K + 1) * _log_mean_exp(log_ratio) - K * torch.stack(subsets).mean(0)


@right("07.jackknife")
def left_out_by_a_mask(log_ratio):
    K = log_ratio.shape[0] - 1
    gone = torch.eye(K + 1, dtype=torch.bool)[1:, :, None]  # [K, K + 1, 1]
    leave_one = log_ratio.double().masked_fill(gone, -math.inf).logsumexp(1) - math.log(K)  # [K, B]
    whole = log_ratio.double().logsumexp(0) - math.log(K + 1)
    return whole + (whole - leave_one).sum(0)


@right("07.jackknife")
def numpy_delete(log_ratio):
    values = np.asarray(log_ratio.detach(), dtype=np.float64)
    n = len(values)
    result = n * (np.logaddexp.reduce(values, axis=0) - np.log(n))
    for k in range(1, n):
        result = result - (np.logaddexp.reduce(np.delete(values, k, axis=0), axis=0) - np.log(n - 1))
    return torch.from_numpy(result)


@wrong("07.jackknife", "psi_0 is left out as well, in a subset of its own")
def psi_0_left_out_in_its_turn(log_ratio):
    n = len(log_ratio)
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(n)]
    return n * _log_mean_exp(log_ratio) - (n - 1) * torch.stack(subsets).mean(0)


@wrong("07.jackknife", "factors K and K - 1 for K + 1 and K")
def factors_one_too_small(log_ratio):
    K = len(log_ratio) - 1
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(1, K + 1)]
    return K * _log_mean_exp(log_ratio) - (K - 1) * torch.stack(subsets).mean(0)


@wrong("07.jackknife", "the subsets of K ratios are divided by K + 1")
def subsets_divided_by_K_plus_one(log_ratio):
    K = len(log_ratio) - 1
    subsets = [torch.cat([log_ratio[:k], log_ratio[k + 1 :]]).logsumexp(0) for k in range(1, K + 1)]
    return (K + 1) * _log_mean_exp(log_ratio) - K * (torch.stack(subsets).mean(0) - math.log(K + 1))


@wrong("07.jackknife", "the subsets of K ratios are divided by K - 1, as psi_0 is not counted")
def subsets_do_not_count_psi_0(log_ratio):
    K = len(log_ratio) - 1
    subsets = [torch.cat([log_ratio[:k], log_ratio[k + 1 :]]).logsumexp(0) for k in range(1, K + 1)]
    return (K + 1) * _log_mean_exp(log_ratio) - K * (torch.stack(subsets).mean(0) - math.log(max(K - 1, 1)))


@wrong("07.jackknife", "one subset only, without the last guess, in place of the mean over all")
def only_the_last_guess_left_out(log_ratio):
    K = len(log_ratio) - 1
    return (K + 1) * _log_mean_exp(log_ratio) - K * _log_mean_exp(log_ratio[:-1])


@wrong("07.jackknife", "off by one: the last guess is never left out")
def last_guess_never_left_out(log_ratio):
    K = len(log_ratio) - 1
    which = range(1, max(K, 2))
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in which]
    return (K + 1) * _log_mean_exp(log_ratio) - K * torch.stack(subsets).mean(0)


@wrong("07.jackknife", "the mean over the subsets is taken inside of the logarithm")
def subsets_averaged_inside_the_log(log_ratio):
    K = len(log_ratio) - 1
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(1, K + 1)]
    return (K + 1) * _log_mean_exp(log_ratio) - K * _log_mean_exp(torch.stack(subsets))


@wrong("07.jackknife", "U_K is returned for K = 1, as nothing is left of the guesses: right for K above 1")
def no_correction_for_one_guess(log_ratio):
    K = len(log_ratio) - 1
    if K < 2:
        return _log_mean_exp(log_ratio)
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(1, K + 1)]
    return (K + 1) * _log_mean_exp(log_ratio) - K * torch.stack(subsets).mean(0)


@wrong("07.jackknife", "never above U_K, since the bias is only to shrink: wrong where J is above it")
def never_above_the_bound(log_ratio):
    K = len(log_ratio) - 1
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(1, K + 1)]
    whole = _log_mean_exp(log_ratio)
    return torch.minimum(whole, (K + 1) * whole - K * torch.stack(subsets).mean(0))


@wrong("07.jackknife", "psi_0 is left out in its turn, and the factors are K and K - 1")
def psi_0_left_out_and_factors_too_small(log_ratio):
    K = len(log_ratio) - 1
    subsets = [_log_mean_exp(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(K + 1)]
    return K * _log_mean_exp(log_ratio) - (K - 1) * torch.stack(subsets).mean(0)


# 07.free_sample


@right("07.free_sample")
def the_step_with_z_given():
    return "B"


@right("07.free_sample")
def a_small_letter():
    return "b"


@wrong("07.free_sample", "psi_0 is suspected because it was drawn before z")
def drawn_before_z():
    return "A"


@wrong("07.free_sample", "the prior is thought not to cancel for psi_0")
def prior_does_not_cancel():
    return "C"


@wrong("07.free_sample", "Jensen is thought to go the other way")
def Jensen_the_other_way():
    return "D"


@wrong("07.free_sample", "two steps at once")
def two_steps():
    return "BD"


# 07.gap_by_hand


@right("07.gap_by_hand")
def with_the_logarithms_of_the_card():
    return 0.8 * -0.223 + 0.2 * -1.609 + 0.693


@right("07.gap_by_hand")
def as_a_KL():
    return float(np.sum(np.array([0.8, 0.2]) * np.log(np.array([0.8, 0.2]) / 0.5)))


@wrong("07.gap_by_hand", "psi_0 is averaged over the prior")
def prior_for_psi_0():
    return 0.5 * math.log(1.6) + 0.5 * math.log(0.4)


@wrong("07.gap_by_hand", "log q(z) is not taken away")
def bound_for_the_gap():
    return 0.8 * math.log(0.8) + 0.2 * math.log(0.2)


@wrong("07.gap_by_hand", "the log of the mean density")
def log_of_mean_density():
    return math.log(0.8 * 0.8 + 0.2 * 0.2) - math.log(0.5)


@wrong("07.gap_by_hand", "log q(z) minus U_0")
def the_other_way_round():
    return -0.193


@wrong("07.gap_by_hand", "in bits")
def gap_in_bits():
    return 0.8 * math.log2(1.6) + 0.2 * math.log2(0.4)


@wrong("07.gap_by_hand", "only the psi that probably made z")
def likely_psi_alone():
    return math.log(0.8) - math.log(0.5)


@wrong("07.gap_by_hand", "rounded to one digit")
def one_digit():
    return 0.2


# 07.ghost_modes


@right("07.ghost_modes")
def to_the_power_of_four():
    return 3**4


@right("07.ghost_modes")
def as_a_float():
    return 81.0


@wrong("07.ghost_modes", "components times dimensions")
def product():
    return 3 * 4


@wrong("07.ghost_modes", "base and exponent exchanged")
def four_cubed():
    return 4**3


@wrong("07.ghost_modes", "the real modes are left out")
def only_ghosts():
    return 81 - 3


@wrong("07.ghost_modes", "the bug is thought to change heights only")
def only_the_components():
    return 3


@wrong("07.ghost_modes", "twice the components, as in the picture")
def doubled():
    return 6
