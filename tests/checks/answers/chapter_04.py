"""Chapter 04, tighter is not better: answers written from the exercises' text alone."""

import math
import statistics

import numpy as np
import torch

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


# 04.two_goals


@right("04.two_goals")
def goals_by_inputs(log_w, theta, phi):
    M, K, B = log_w.shape
    tight = -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean()
    loose = -(log_w.logsumexp(1) - math.log(K)).mean()
    tight.backward(inputs=theta, retain_graph=True)
    loose.backward(inputs=phi)


@right("04.two_goals")
def goals_by_autograd_grad_without_constants(log_w, theta, phi):
    for_theta = torch.autograd.grad(-log_w.flatten(0, 1).logsumexp(0).mean(), theta, retain_graph=True)
    for_phi = torch.autograd.grad(-log_w.logsumexp(1).mean(), phi)
    for parameter, gradient in zip([*theta, *phi], [*for_theta, *for_phi]):
        parameter.grad = gradient


@right("04.two_goals")
def goals_by_two_passes_with_a_copy(log_w, theta, phi):
    (-log_w.logsumexp(1).mean()).backward(retain_graph=True)
    kept = [p.grad.clone() for p in phi]
    for p in [*theta, *phi]:
        p.grad = None
    (-log_w.logsumexp((0, 1)).mean()).backward()
    for p, g in zip(phi, kept):
        p.grad = g


@wrong("04.two_goals", "two plain backward passes")
def goals_both_added(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(retain_graph=True)
    (-log_w.logsumexp(1).mean()).backward()


@wrong("04.two_goals", "one backward of the sum")
def goals_as_one_sum(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean() - log_w.logsumexp(1).mean()).backward()


@wrong("04.two_goals", "zero_grad of everything between the passes")
def goals_cleared_in_between(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(retain_graph=True)
    for p in [*theta, *phi]:
        p.grad = None
    (-log_w.logsumexp(1).mean()).backward()


@wrong("04.two_goals", "theta cleared before the second pass, phi not")
def goals_phi_not_cleared(log_w, theta, phi):
    (-log_w.logsumexp(1).mean()).backward(retain_graph=True)
    for p in theta:
        p.grad = None
    (-log_w.logsumexp((0, 1)).mean()).backward()


@wrong("04.two_goals", "retain_graph forgotten")
def goals_without_retain_graph(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(inputs=theta)
    (-log_w.logsumexp(1).mean()).backward(inputs=phi)


@wrong("04.two_goals", "gradients returned and not filled in")
def goals_returned(log_w, theta, phi):
    for_theta = torch.autograd.grad(-log_w.logsumexp((0, 1)).mean(), theta, retain_graph=True)
    return for_theta, torch.autograd.grad(-log_w.logsumexp(1).mean(), phi)


@wrong("04.two_goals", "the bounds, not minus them")
def goals_uphill(log_w, theta, phi):
    log_w.logsumexp((0, 1)).mean().backward(inputs=theta, retain_graph=True)
    log_w.logsumexp(1).mean().backward(inputs=phi)


@wrong("04.two_goals", "theta and phi exchanged")
def goals_exchanged(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(inputs=phi, retain_graph=True)
    (-log_w.logsumexp(1).mean()).backward(inputs=theta)


@wrong("04.two_goals", "M axis for the groups")
def goals_over_the_wrong_axis(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(inputs=theta, retain_graph=True)
    (-log_w.logsumexp(0).mean()).backward(inputs=phi)


@wrong("04.two_goals", "sum over the batch in one of the two")
def goals_summed_for_phi_alone(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(inputs=theta, retain_graph=True)
    (-log_w.logsumexp(1).mean(0).sum()).backward(inputs=phi)


@wrong("04.two_goals", "the ELBO for phi")
def goals_with_the_elbo(log_w, theta, phi):
    (-log_w.logsumexp((0, 1)).mean()).backward(inputs=theta, retain_graph=True)
    (-log_w.mean()).backward(inputs=phi)


# 04.same_bound


@right("04.same_bound")
def samples_64_times_64():
    return 64 * 64


@right("04.same_bound")
def samples_as_a_float():
    return (0.6 / 0.075) ** 2 * 64


@wrong("04.same_bound", "M only")
def samples_of_M_alone():
    return 64


@wrong("04.same_bound", "without the square")
def samples_times_eight():
    return 8 * 64


@wrong("04.same_bound", "eight groups of eight")
def samples_at_the_same_budget():
    return 8 * 8


@wrong("04.same_bound", "times the square, once too often")
def samples_squared_twice():
    return 64 * 64 * 64


@wrong("04.same_bound", "the square of eight added to 64")
def samples_added():
    return 64 + 64


# 04.first_false_line


@right("04.first_false_line")
def line_by_its_letter():
    return "B"


@right("04.first_false_line")
def line_with_a_space():
    return " b "


@wrong("04.first_false_line", "takes the conclusion")
def line_of_the_conclusion():
    return "C"


@wrong("04.first_false_line", "takes the noise")
def line_of_the_noise():
    return "D"


@wrong("04.first_false_line", "takes the expansion")
def line_of_the_expansion():
    return "A"


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
