"""Chapter 04, tighter is not better: answers written from the exercises' text alone."""

import math
import statistics

import numpy as np
import torch
from torch.distributions.transforms import AffineTransform

from tests.checks.answers import right, wrong

K = 64  # in the notebook a loop further up has left this name behind

# 04.signal_to_noise


@right("04.signal_to_noise")
def ratio_mean_abs_over_std(gradients):
    return gradients.mean(0).abs() / gradients.std(0)


@right("04.signal_to_noise")
def ratio_by_statistics_as_a_list(gradients):
    columns = gradients.T.tolist()
    return [abs(statistics.fmean(column)) / statistics.pstdev(column) for column in columns]


@right("04.signal_to_noise")
def ratio_with_bars_around_the_whole_fraction(gradients):
    g = gradients.double()
    centre = g.sum(0) / len(g)
    variance = (g - centre).square().sum(0) / (len(g) - 1)
    return torch.abs(centre / torch.sqrt(variance))


@wrong("04.signal_to_noise", "bars forgotten: a negative ratio")
def ratio_without_bars(gradients):
    return gradients.mean(0) / gradients.std(0)


@wrong("04.signal_to_noise", "variance in place of the standard deviation")
def ratio_over_the_variance(gradients):
    return gradients.mean(0).abs() / gradients.var(0)


@wrong("04.signal_to_noise", "bars inside the mean")
def ratio_mean_of_absolute_gradients(gradients):
    return gradients.abs().mean(0) / gradients.std(0)


@wrong("04.signal_to_noise", "over the parameters in place of the runs")
def ratio_over_the_parameters(gradients):
    return gradients.mean(1).abs() / gradients.std(1)


@wrong("04.signal_to_noise", "standard error in place of the standard deviation: a z-score")
def ratio_over_the_standard_error(gradients):
    return gradients.mean(0).abs() / (gradients.std(0) / len(gradients) ** 0.5)


@wrong("04.signal_to_noise", "root mean square in place of the standard deviation")
def ratio_over_the_root_mean_square(gradients):
    return gradients.mean(0).abs() / gradients.square().mean(0).sqrt()


@wrong("04.signal_to_noise", "a small constant for stability: wrong for parameters with tiny gradients")
def ratio_with_a_small_constant(gradients):
    return gradients.mean(0).abs() / (gradients.std(0) + 1e-6)


@wrong("04.signal_to_noise", "squared ratio, and one for all parameters together")
def ratio_squared_and_averaged_over_parameters(gradients):
    each = gradients.mean(0) ** 2 / gradients.var(0)
    return each.mean().expand(gradients.shape[1])


# 04.rates


@right("04.rates")
def rate_square_root_of_the_hint(snr, network, M, K, new_M, new_K):
    if network == "decoder":
        return snr * math.sqrt(new_M * new_K / (M * K))
    return snr * math.sqrt(new_M * K / (M * new_K))


@right("04.rates")
def rate_by_exponents(snr, network, M, K, new_M, new_K):
    power = {"encoder": -0.5, "decoder": 0.5}[network]
    return snr * (new_M / M) ** 0.5 * (new_K / K) ** power


@right("04.rates")
def rate_in_logarithms_by_numpy(snr, network, M, K, new_M, new_K):
    sign = 1 if network == "decoder" else -1
    steps = np.log([new_M, new_K]) - np.log([M, K])
    return np.exp(np.log(snr) + 0.5 * (steps[0] + sign * steps[1]))


@wrong("04.rates", "root forgotten")
def rate_without_the_root(snr, network, M, K, new_M, new_K):
    if network == "decoder":
        return snr * new_M * new_K / (M * K)
    return snr * new_M * K / (M * new_K)


@wrong("04.rates", "the decoder's law for both")
def rate_of_the_decoder_for_both(snr, network, M, K, new_M, new_K):
    return snr * math.sqrt(new_M * new_K / (M * K))


@wrong("04.rates", "encoder and decoder mixed up")
def rate_with_networks_exchanged(snr, network, M, K, new_M, new_K):
    if network == "encoder":
        return snr * math.sqrt(new_M * new_K / (M * K))
    return snr * math.sqrt(new_M * K / (M * new_K))


@wrong("04.rates", "old and new exchanged")
def rate_old_over_new(snr, network, M, K, new_M, new_K):
    if network == "decoder":
        return snr * math.sqrt(M * K / (new_M * new_K))
    return snr * math.sqrt(M * new_K / (new_M * K))


@wrong("04.rates", "the encoder's M changes sides in place of its K")
def rate_with_M_on_the_wrong_side(snr, network, M, K, new_M, new_K):
    if network == "decoder":
        return snr * math.sqrt(new_M * new_K / (M * K))
    return snr * math.sqrt(M * new_K / (new_M * K))


@wrong("04.rates", "the order itself returned, the measured ratio ignored")
def rate_order_without_the_measured_ratio(snr, network, M, K, new_M, new_K):
    return math.sqrt(new_M * new_K) if network == "decoder" else math.sqrt(new_M / new_K)


@wrong("04.rates", "whole-number division: wrong where the quotient is not whole")
def rate_with_whole_number_division(snr, network, M, K, new_M, new_K):
    if network == "decoder":
        return snr * math.sqrt(new_M * new_K // (M * K))
    return snr * math.sqrt(new_M * K // (M * new_K))


@wrong("04.rates", "M forgotten and no root")
def rate_M_forgotten_and_no_root(snr, network, M, K, new_M, new_K):
    return snr * new_K / K if network == "decoder" else snr * K / new_K


# 04.piwae


@right("04.piwae")
def piwae_pooled_and_within(log_w):
    return log_w.flatten(0, 1).softmax(0).view_as(log_w), log_w.softmax(1) / len(log_w)


@right("04.piwae")
def piwae_by_logsumexp_as_a_list(log_w):
    log_w = log_w.double()
    decoder = (log_w - log_w.logsumexp((0, 1), keepdim=True)).exp()
    encoder = (log_w - log_w.logsumexp(1, keepdim=True) - math.log(log_w.shape[0])).exp()
    return [decoder, encoder]


@right("04.piwae")
def piwae_one_data_point_at_a_time(log_w):
    M, K, B = log_w.shape
    decoder, encoder = torch.zeros_like(log_w), torch.zeros_like(log_w)
    for b in range(B):
        decoder[:, :, b] = torch.softmax(log_w[:, :, b].reshape(-1), 0).reshape(M, K)
        for m in range(M):
            encoder[m, :, b] = torch.softmax(log_w[m, :, b], 0) / M
    return decoder, encoder


@wrong("04.piwae", "encoder's and decoder's columns exchanged")
def piwae_columns_exchanged(log_w):
    return log_w.softmax(1) / len(log_w), log_w.flatten(0, 1).softmax(0).view_as(log_w)


@wrong("04.piwae", "the encoder's column not divided by M")
def piwae_encoder_not_divided_by_M(log_w):
    return log_w.flatten(0, 1).softmax(0).view_as(log_w), log_w.softmax(1)


@wrong("04.piwae", "the encoder climbs the ELBO, as summaries say")
def piwae_encoder_climbs_the_elbo(log_w):
    M, K, _ = log_w.shape
    return log_w.flatten(0, 1).softmax(0).view_as(log_w), torch.full_like(log_w, 1 / (M * K))


@wrong("04.piwae", "the encoder's shares over M, divided by K")
def piwae_encoder_over_the_M_axis(log_w):
    return log_w.flatten(0, 1).softmax(0).view_as(log_w), log_w.softmax(0) / log_w.shape[1]


@wrong("04.piwae", "the decoder climbs MIWAE too")
def piwae_decoder_within_groups(log_w):
    within = log_w.softmax(1) / len(log_w)
    return within, within


@wrong("04.piwae", "exp first: 0 / 0 for log-weights far below zero")
def piwae_exp_first(log_w):
    w = log_w.exp()
    return w / w.sum((0, 1)), w / w.sum(1, keepdim=True) / len(w)


@wrong("04.piwae", "reshape in place of permute: the decoder's shares mix data points, seen for B > 1 only")
def piwae_reshape_mixes_data_points(log_w):
    M, K, B = log_w.shape
    return log_w.reshape(B, M * K).softmax(1).reshape(M, K, B), log_w.softmax(1) / M


@wrong("04.piwae", "divided by K in place of M, and squared for the decoder")
def piwae_divided_by_K_and_squared(log_w):
    pooled = log_w.flatten(0, 1).softmax(0).view_as(log_w)
    return pooled**2, log_w.softmax(1) / log_w.shape[1]


# 04.spot_the_axis


@right("04.spot_the_axis")
def axis_two_first_then_one(log_w):
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(1)


@right("04.spot_the_axis")
def axis_permuted_to_the_house_order(log_w):
    log_w = log_w.permute(1, 2, 0)  # [M, K, B]
    M, K, _B = log_w.shape
    return torch.logsumexp(log_w - math.log(K), dim=1).sum(0) / M


@right("04.spot_the_axis")
def axis_by_loops_over_groups_in_numpy(log_w):
    values = [
        [np.logaddexp.reduce(group) - np.log(len(group)) for group in point]
        for point in log_w.detach().double().numpy()
    ]
    return torch.tensor([sum(point) / len(point) for point in values])


@wrong("04.spot_the_axis", "only the axis of logsumexp mended, log M still subtracted")
def axis_log_M_still_subtracted(log_w):
    return (log_w.logsumexp(2) - math.log(log_w.shape[1])).mean(1)


@wrong("04.spot_the_axis", "only the subtracted logarithm mended")
def axis_only_the_logarithm_mended(log_w):
    return (log_w.logsumexp(1) - math.log(log_w.shape[2])).mean(1)


@wrong("04.spot_the_axis", "the last mean over the batch: [M]")
def axis_mean_over_the_batch(log_w):
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(0)


@wrong("04.spot_the_axis", "all samples under one logarithm: IWAE")
def axis_all_samples_pooled(log_w):
    return log_w.logsumexp((1, 2)) - math.log(log_w.shape[1] * log_w.shape[2])


@wrong("04.spot_the_axis", "sum over the groups in place of the mean")
def axis_summed_over_groups(log_w):
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).sum(1)


@wrong("04.spot_the_axis", "mended for M = 1 only, the case somebody met")
def axis_mended_for_one_group_only(log_w):
    if log_w.shape[1] == 1:
        return log_w[:, 0].logsumexp(1) - math.log(log_w.shape[2])
    return (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(1)


@wrong("04.spot_the_axis", "takes the longer axis for K: wrong where M > K")
def axis_the_longer_one_is_K(log_w):
    if log_w.shape[1] > log_w.shape[2]:
        log_w = log_w.transpose(1, 2)
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(1)


@wrong("04.spot_the_axis", "exp first, and the notebook's K in place of the argument's")
def axis_exp_first_with_the_global_K(log_w):
    return (log_w.exp().sum(2) / K).log().mean(1)


# 04.spot_the_trainer


@right("04.spot_the_trainer")
def trainer_by_autograd_grad(theta, phi, miwae, iwae):
    for_phi = torch.autograd.grad(miwae(theta, phi), phi)[0]
    (for_theta,) = torch.autograd.grad(iwae(theta, phi), theta)
    return for_theta, for_phi


@right("04.spot_the_trainer")
def trainer_clears_before_each_backward(theta, phi, miwae, iwae):
    theta.grad, phi.grad = None, None
    miwae(theta, phi).backward()
    for_phi = phi.grad.clone()
    theta.grad, phi.grad = None, None
    iwae(theta, phi).backward()
    return theta.grad, for_phi


@right("04.spot_the_trainer")
def trainer_on_detached_copies(theta, phi, miwae, iwae):
    phi_copy = phi.detach().clone().requires_grad_()
    theta_copy = theta.detach().clone().requires_grad_()
    miwae(theta.detach(), phi_copy).backward()
    iwae(theta_copy, phi.detach()).backward()
    return theta_copy.grad, phi_copy.grad


@wrong("04.spot_the_trainer", "phi cleared between the passes: its gradient is that of IWAE")
def trainer_clears_phi_too_between_the_passes(theta, phi, miwae, iwae):
    miwae(theta, phi).backward()
    theta.grad = phi.grad = None
    iwae(theta, phi).backward()
    return theta.grad, phi.grad


@wrong("04.spot_the_trainer", "the two bounds exchanged")
def trainer_with_bounds_exchanged(theta, phi, miwae, iwae):
    return torch.autograd.grad(miwae(theta, phi), theta)[0], torch.autograd.grad(iwae(theta, phi), phi)[0]


@wrong("04.spot_the_trainer", "returned in the order of computing: phi first")
def trainer_returns_phi_first(theta, phi, miwae, iwae):
    return torch.autograd.grad(miwae(theta, phi), phi)[0], torch.autograd.grad(iwae(theta, phi), theta)[0]


@wrong("04.spot_the_trainer", "theta is not cleared either: both gradients are sums")
def trainer_clears_nothing(theta, phi, miwae, iwae):
    miwae(theta, phi).backward()
    iwae(theta, phi).backward()
    return theta.grad, phi.grad


@wrong("04.spot_the_trainer", "kept without clone: the second backward adds into the same tensor")
def trainer_keeps_phi_grad_without_clone(theta, phi, miwae, iwae):
    theta.grad = phi.grad = None
    miwae(theta, phi).backward()
    for_phi = phi.grad
    theta.grad = None
    iwae(theta, phi).backward()
    return theta.grad, for_phi


@wrong("04.spot_the_trainer", "both gradients from MIWAE")
def trainer_both_from_miwae(theta, phi, miwae, iwae):
    return torch.autograd.grad(miwae(theta, phi), (theta, phi))


@wrong("04.spot_the_trainer", "detached at the wrong place: theta in the first pass, but phi still gets the second")
def trainer_detaches_only_theta(theta, phi, miwae, iwae):
    theta.grad = phi.grad = None
    miwae(theta.detach(), phi).backward()
    iwae(theta, phi).backward()
    return theta.grad, phi.grad


@wrong("04.spot_the_trainer", "the sum halved, and of the mean of both bounds")
def trainer_mean_of_both_bounds(theta, phi, miwae, iwae):
    return torch.autograd.grad((miwae(theta, phi) + iwae(theta, phi)) / 2, (theta, phi))


# 04.spot_the_noise


@right("04.spot_the_noise")
def noise_over_exp_of_half(z, mu, log_var):
    return (z - mu) / torch.exp(0.5 * log_var)


@right("04.spot_the_noise")
def noise_by_the_inverse_transform(z, mu, log_var):
    return AffineTransform(mu, log_var.exp().sqrt()).inv(z)


@right("04.spot_the_noise")
def noise_times_exp_of_minus_half_in_float64(z, mu, log_var):
    return (z.double() - mu.double()).mul(torch.exp(-log_var.double() / 2))


@wrong("04.spot_the_noise", "divided by the variance")
def noise_over_the_variance(z, mu, log_var):
    return (z - mu) / log_var.exp()


@wrong("04.spot_the_noise", "log_var read as log sigma, half of it without exp")
def noise_over_log_sigma(z, mu, log_var):
    return (z - mu) / (0.5 * log_var)


@wrong("04.spot_the_noise", "root of log_var without exp: not a number below zero")
def noise_over_root_of_log_var(z, mu, log_var):
    return (z - mu) / log_var.sqrt()


@wrong("04.spot_the_noise", "sign: mu minus z")
def noise_with_the_sign_turned(z, mu, log_var):
    return (mu - z) / torch.exp(0.5 * log_var)


@wrong("04.spot_the_noise", "multiplied with sigma in place of divided")
def noise_times_sigma(z, mu, log_var):
    return (z - mu) * torch.exp(0.5 * log_var)


@wrong("04.spot_the_noise", "brackets: only mu is divided")
def noise_only_mu_divided(z, mu, log_var):
    return z - mu / torch.exp(0.5 * log_var)


@wrong("04.spot_the_noise", "log_var clipped: wrong only for very narrow or very wide q")
def noise_with_log_var_clipped(z, mu, log_var):
    return (z - mu) / torch.exp(0.5 * log_var.clamp(-4, 4))


@wrong("04.spot_the_noise", "twice where half was meant, and the absolute value")
def noise_over_exp_of_twice_and_abs(z, mu, log_var):
    return (z - mu).abs() / torch.exp(2 * log_var)
