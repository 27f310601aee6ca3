"""Chapter 01, the ELBO: answers of a class that had the exercise texts only."""

import math

import numpy as np
import torch
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence
from torch.nn import functional

from tests.checks.answers import right, wrong

# what the page has left behind in the notebook before exercise 1
M, K = 200, 1000


# 01.elbo


@right("01.elbo")
def elbo_mean_of_both_axes(log_w):
    return log_w.mean((0, 1))


@right("01.elbo")
def elbo_one_axis_after_the_other_in_float64(log_w):
    return log_w.double().mean(1).mean(0)


@right("01.elbo")
def elbo_by_einsum(log_w):
    return torch.einsum("mkb->b", log_w) / (log_w.shape[0] * log_w.shape[1])


@wrong("01.elbo", "the logarithm of the mean weight: IWAE")
def elbo_log_of_the_mean(log_w):
    return log_w.logsumexp((0, 1)) - math.log(log_w.shape[0] * log_w.shape[1])


@wrong("01.elbo", "the mean over M of the logarithm of the mean over K: MIWAE")
def elbo_that_is_miwae(log_w):
    return (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)


@wrong("01.elbo", "sum for mean")
def elbo_sum_for_mean(log_w):
    return log_w.sum((0, 1))


@wrong("01.elbo", "the mean over K only: [M, B]")
def elbo_mean_over_K_only(log_w):
    return log_w.mean(1)


@wrong("01.elbo", "a loss: the sign turned")
def elbo_as_a_loss(log_w):
    return -log_w.mean((0, 1))


@wrong("01.elbo", "averaged over the batch as well")
def elbo_averaged_over_the_batch(log_w):
    return log_w.mean()


@wrong("01.elbo", "log-weights of minus infinity are left out: wrong only where there are some")
def elbo_of_the_finite_ones(log_w):
    finite = log_w.isfinite()
    return torch.where(finite, log_w, torch.zeros_like(log_w)).sum((0, 1)) / finite.sum((0, 1))


@wrong("01.elbo", "M and K of the page in place of those of log_w")
def elbo_divided_by_the_M_and_K_of_the_page(log_w):
    return log_w.sum((0, 1)) / (M * K)


@wrong("01.elbo", "the mean of the weights without a logarithm, and the sign turned")
def elbo_mean_weight_and_sign(log_w):
    return -log_w.exp().mean((0, 1))


# 01.two_kls


@right("01.two_kls")
def two_kls_as_in_the_hint(p_data, q, p_joint):
    data_story = p_data[:, None] * q
    joint = (data_story * (data_story.log() - p_joint.log())).sum()
    marginal_of_the_model = p_joint.sum(1)
    marginal = (p_data * (p_data.log() - marginal_of_the_model.log())).sum()
    return joint, marginal


@right("01.two_kls")
def two_kls_by_the_chain_rule_in_numpy(p_data, q, p_joint):
    a, c, j = (np.asarray(t, dtype=np.float64) for t in (p_data, q, p_joint))
    evidence = j.sum(axis=1)
    posterior = j / evidence[:, None]
    marginal = float(np.sum(a * np.log(a / evidence)))
    to_the_posterior = float(np.einsum("x,xz->", a, c * np.log(c / posterior)))
    return [marginal + to_the_posterior, marginal]


@right("01.two_kls")
def two_kls_by_loops(p_data, q, p_joint):
    joint = marginal = 0.0
    for i in range(q.shape[0]):
        row = 0.0
        for j in range(q.shape[1]):
            a, b = (p_data[i] * q[i, j]).item(), p_joint[i, j].item()
            row += b
            if a > 0:
                joint += a * math.log(a / b)
        a = p_data[i].item()
        if a > 0:
            marginal += a * math.log(a / row)
    return joint, marginal


@wrong("01.two_kls", "both divergences the other way round: the model's side stands left")
def two_kls_reversed(p_data, q, p_joint):
    a, m = p_data[:, None] * q, p_joint.sum(1)
    return (p_joint * (p_joint / a).log()).sum(), (m * (m / p_data).log()).sum()


@wrong("01.two_kls", "first the marginal, then the joint")
def two_kls_returned_in_the_wrong_order(p_data, q, p_joint):
    a, m = p_data[:, None] * q, p_joint.sum(1)
    return (p_data * (p_data / m).log()).sum(), (a * (a / p_joint).log()).sum()


@wrong("01.two_kls", "q not multiplied by p_data: a sum of KLs of a conditional from a joint")
def two_kls_p_data_forgotten_in_the_joint(p_data, q, p_joint):
    m = p_joint.sum(1)
    return (q * (q / p_joint).log()).sum(), (p_data * (p_data / m).log()).sum()


@wrong("01.two_kls", "summed over x where it should be z: the marginals of z")
def two_kls_marginals_of_z(p_data, q, p_joint):
    a = p_data[:, None] * q
    left, right_side = a.sum(0), p_joint.sum(0)
    return (a * (a / p_joint).log()).sum(), (left * (left / right_side).log()).sum()


@wrong("01.two_kls", "the KL to the posterior given as the joint one: the marginal part is missing")
def two_kls_gap_for_the_joint(p_data, q, p_joint):
    m = p_joint.sum(1)
    gap = (p_data * (q * (q * m[:, None] / p_joint).log()).sum(1)).sum()
    return gap, (p_data * (p_data / m).log()).sum()


@wrong("01.two_kls", "in bits: the logarithm of base two")
def two_kls_in_bits(p_data, q, p_joint):
    a, m = p_data[:, None] * q, p_joint.sum(1)
    return (a * (a / p_joint).log2()).sum(), (p_data * (p_data / m).log2()).sum()


@wrong("01.two_kls", "a mean over the table in place of the sum")
def two_kls_mean_for_sum(p_data, q, p_joint):
    a, m = p_data[:, None] * q, p_joint.sum(1)
    return (a * (a / p_joint).log()).mean(), (p_data * (p_data / m).log()).mean()


@wrong("01.two_kls", "p_joint not below 0.01 for safety: wrong only where the model has rare cells")
def two_kls_floor_under_p_joint(p_data, q, p_joint):
    a, p_joint = p_data[:, None] * q, p_joint.clamp_min(0.01)
    m = p_joint.sum(1)
    return (a * (a / p_joint).log()).sum(), (p_data * (p_data / m).log()).sum()


@wrong("01.two_kls", "the sign turned, and the marginal of the wrong axis")
def two_kls_negative_and_wrong_axis(p_data, q, p_joint):
    a = p_data[:, None] * q
    left, right_side = a.sum(0), p_joint.sum(0)
    return -(a * (a / p_joint).log()).sum(), -(left * (left / right_side).log()).sum()


# 01.kl_to_prior


@right("01.kl_to_prior")
def kl_by_the_formula(mean, log_std):
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


@right("01.kl_to_prior")
def kl_by_torch_distributions(mean, log_std):
    q = Independent(Normal(mean, log_std.exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    return kl_divergence(q, prior)


@right("01.kl_to_prior")
def kl_by_loops_in_float64(mean, log_std):
    rows = []
    for mu_row, log_row in zip(mean.tolist(), log_std.tolist(), strict=True):
        total = 0.0
        for mu, log_sigma in zip(mu_row, log_row, strict=True):
            total += (mu * mu + math.exp(2 * log_sigma) - 1) / 2 - log_sigma
        rows.append(total)
    return torch.tensor(rows, dtype=torch.float64)


@right("01.kl_to_prior")
def kl_by_full_covariances(mean, log_std):
    mean, std = mean.double(), log_std.double().exp()
    eye = torch.eye(mean.shape[-1], dtype=torch.float64)
    return kl_divergence(
        MultivariateNormal(mean, scale_tril=torch.diag_embed(std)), MultivariateNormal(torch.zeros_like(mean), eye)
    )


@wrong("01.kl_to_prior", "log_std read as log_var")
def kl_log_std_read_as_log_var(mean, log_std):
    return 0.5 * (mean**2 + log_std.exp() - 1 - log_std).sum(-1)


@wrong("01.kl_to_prior", "the familiar line with its minus sign lost: the negative KL")
def kl_sign_turned(mean, log_std):
    return 0.5 * (1 + 2 * log_std - mean**2 - (2 * log_std).exp()).sum(-1)


@wrong("01.kl_to_prior", "the mean over the latent dimensions in place of the sum")
def kl_mean_over_latents(mean, log_std):
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).mean(-1)


@wrong("01.kl_to_prior", "summed over the batch, axis 0")
def kl_summed_over_the_batch(mean, log_std):
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(0)


@wrong("01.kl_to_prior", "the factor one half is missing")
def kl_without_one_half(mean, log_std):
    return (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


@wrong("01.kl_to_prior", "the standard deviation for the variance; the logarithm is right")
def kl_std_for_variance(mean, log_std):
    return 0.5 * (mean**2 + log_std.exp() - 1 - 2 * log_std).sum(-1)


@wrong("01.kl_to_prior", "from the prior to q: the other direction")
def kl_from_the_prior_to_q(mean, log_std):
    return (log_std + 0.5 * (1 + mean**2) / (2 * log_std).exp() - 0.5).sum(-1)


@wrong("01.kl_to_prior", "log_std clipped to [-2, 2] for safety: wrong only beyond")
def kl_log_std_clipped(mean, log_std):
    log_std = log_std.clamp(-2, 2)
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


@wrong("01.kl_to_prior", "the 1 subtracted once after the sum, not once for each dimension, and no one half")
def kl_one_subtracted_once_and_no_half(mean, log_std):
    return (mean**2 + (2 * log_std).exp() - 2 * log_std).sum(-1) - 1


# 01.log_density


@right("01.log_density")
def density_by_the_formula(z, mean, log_var):
    return (-0.5 * (log_var + (z - mean) ** 2 / log_var.exp() + math.log(2 * math.pi))).sum(-1)


@right("01.log_density")
def density_by_normal(z, mean, log_var):
    return Independent(Normal(mean, (0.5 * log_var).exp()), 1).log_prob(z)


@right("01.log_density")
def density_term_by_term_in_float64(z, mean, log_var):
    z, mean, log_var = z.double(), mean.double(), log_var.double()
    precision = (-log_var).exp()
    squares = torch.einsum("mkbl,bl->mkb", (z - mean).square(), precision)
    return -0.5 * squares - 0.5 * log_var.sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


@right("01.log_density")
def density_by_a_loop_over_the_dimensions_in_numpy(z, mean, log_var):
    z, mean, log_var = (np.asarray(t, dtype=np.float64) for t in (z, mean, log_var))
    total = np.zeros(z.shape[:-1])
    for i in range(z.shape[-1]):
        eps = (z[..., i] - mean[:, i]) * np.exp(-log_var[:, i] / 2)
        total += -(eps**2) / 2 - log_var[:, i] / 2 - np.log(2 * np.pi) / 2
    return torch.from_numpy(total)


@wrong("01.log_density", "the published line, summed: log_var is divided by the variance too")
def density_line_of_the_card_summed(z, mean, log_var):
    return (-0.5 * (log_var + (z - mean) ** 2) / log_var.exp() - 0.5 * math.log(2 * math.pi)).sum(-1)


@wrong("01.log_density", "half mended: written rightly, but not summed over the last axis")
def density_not_summed(z, mean, log_var):
    return -0.5 * (log_var + (z - mean) ** 2 / log_var.exp()) - 0.5 * math.log(2 * math.pi)


@wrong("01.log_density", "the constant once, not once for each dimension")
def density_constant_once(z, mean, log_var):
    return -0.5 * (log_var + (z - mean) ** 2 / log_var.exp()).sum(-1) - 0.5 * math.log(2 * math.pi)


@wrong("01.log_density", "log_var read as the logarithm of the standard deviation")
def density_log_var_read_as_log_std(z, mean, log_var):
    return Normal(mean, log_var.exp()).log_prob(z).sum(-1)


@wrong("01.log_density", "mended at the wrong place: divided by log_var in place of its exponential")
def density_divided_by_log_var(z, mean, log_var):
    return (-0.5 * (log_var + (z - mean) ** 2 / log_var) - 0.5 * math.log(2 * math.pi)).sum(-1)


@wrong("01.log_density", "the sign of log_var turned: the density falls where the variance shrinks")
def density_sign_of_log_var(z, mean, log_var):
    return (0.5 * log_var - 0.5 * (z - mean) ** 2 / log_var.exp() - 0.5 * math.log(2 * math.pi)).sum(-1)


@wrong("01.log_density", "the mean over the last axis")
def density_mean_over_the_last_axis(z, mean, log_var):
    return (-0.5 * (log_var + (z - mean) ** 2 / log_var.exp() + math.log(2 * math.pi))).mean(-1)


@wrong("01.log_density", "the density first, then its logarithm: minus infinity far from the mean")
def density_exp_then_log(z, mean, log_var):
    variance = log_var.exp()
    density = (-0.5 * (z - mean) ** 2 / variance).exp() / (2 * math.pi * variance).sqrt()
    return density.prod(-1).log()


@wrong("01.log_density", "log_var counted in full, and log 2 pi forgotten")
def density_two_slips_full_log_var_and_no_constant(z, mean, log_var):
    return (-log_var - 0.5 * (z - mean) ** 2 / log_var.exp()).sum(-1)


# 01.recover_eps


@right("01.recover_eps")
def eps_divided_by_sigma(z, mean, log_var):
    return (z - mean) / (0.5 * log_var).exp()


@right("01.recover_eps")
def eps_times_one_over_sigma_in_float64(z, mean, log_var):
    return torch.einsum("mkbl,bl->mkbl", z.double() - mean.double(), (-log_var.double() / 2).exp())


@right("01.recover_eps")
def eps_through_the_square_root_of_the_variance(z, mean, log_var):
    standard_deviation = torch.sqrt(torch.exp(log_var))
    eps = torch.empty_like(z)
    for m in range(z.shape[0]):
        for k in range(z.shape[1]):
            eps[m, k] = (z[m, k] - mean) / standard_deviation
    return eps


@wrong("01.recover_eps", "the library's line: divided by log_var")
def eps_line_of_the_card(z, mean, log_var):
    return (z - mean) / log_var


@wrong("01.recover_eps", "half mended: divided by the variance")
def eps_divided_by_the_variance(z, mean, log_var):
    return (z - mean) / log_var.exp()


@wrong("01.recover_eps", "divided by log sigma")
def eps_divided_by_log_sigma(z, mean, log_var):
    return (z - mean) / (0.5 * log_var)


@wrong("01.recover_eps", "multiplied by sigma")
def eps_multiplied_by_sigma(z, mean, log_var):
    return (z - mean) * (0.5 * log_var).exp()


@wrong("01.recover_eps", "mean minus z")
def eps_sign_turned(z, mean, log_var):
    return (mean - z) / (0.5 * log_var).exp()


@wrong("01.recover_eps", "mean not subtracted from all: only z is divided")
def eps_brackets_forgotten(z, mean, log_var):
    return z - mean / (0.5 * log_var).exp()


@wrong("01.recover_eps", "sigma not below 0.001 for safety: wrong only for very narrow q")
def eps_with_a_floor_under_sigma(z, mean, log_var):
    return (z - mean) / (0.5 * log_var).exp().clamp_min(1e-3)


@wrong("01.recover_eps", "standardised by the mean and spread of the samples themselves")
def eps_standardised_by_the_samples(z, mean, log_var):
    return (z - z.mean((0, 1))) / z.std((0, 1))


@wrong("01.recover_eps", "sign turned, and divided by the variance")
def eps_sign_and_variance(z, mean, log_var):
    return (mean - z) / log_var.exp()


# 01.loss


@right("01.loss")
def loss_by_binary_cross_entropy_with_logits(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return (pixels + kl).mean()


@right("01.loss")
def loss_by_torch_distributions(x, logits, mean, log_std):
    reconstruction = Bernoulli(logits=logits).log_prob(x).sum(-1)
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(-1)
    return -(reconstruction - kl).mean()


@right("01.loss")
def loss_by_softplus_summed_then_divided_by_the_batch(x, logits, mean, log_std):
    x, logits, mean, log_std = x.double(), logits.double(), mean.double(), log_std.double()
    pixels = (functional.softplus(logits) - x * logits).sum()
    kl = (mean.square() + torch.exp(2 * log_std)).sum() / 2 - mean.numel() / 2 - log_std.sum()
    return (pixels + kl) / x.shape[0]


@right("01.loss")
def loss_by_a_loop_over_the_images(x, logits, mean, log_std):
    losses = []
    for b in range(len(x)):
        sign = 2 * x[b] - 1
        losses.append(-functional.logsigmoid(sign * logits[b]).sum())
        losses[-1] = losses[-1] + sum(
            (mean[b, i] ** 2 + (2 * log_std[b, i]).exp() - 1) / 2 - log_std[b, i] for i in range(mean.shape[1])
        )
    return torch.stack(losses).mean()


@wrong("01.loss", "the published loss: a mean over pixels, and the KL divided by the batch twice")
def loss_of_the_card(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits, x)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return pixels + kl.mean() / len(x)


@wrong("01.loss", "half mended: the KL is right, the pixels are still averaged")
def loss_pixels_still_averaged(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits, x)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return pixels + kl.mean()


@wrong("01.loss", "half mended: the pixels are right, the KL is still divided by the batch twice")
def loss_kl_still_divided_twice(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return pixels.mean() + kl.mean() / len(x)


@wrong("01.loss", "the pixels summed over the batch too, the KL averaged over it")
def loss_pixels_summed_over_the_batch(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return pixels + kl.mean()


@wrong("01.loss", "the logarithm of the sigmoid: infinite where the decoder is sure and wrong")
def loss_log_of_sigmoid(x, logits, mean, log_std):
    p = logits.sigmoid()
    pixels = -(x * p.log() + (1 - x) * (1 - p).log()).sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return (pixels + kl).mean()


@wrong("01.loss", "sigmoid, and a clipped logarithm: wrong only where the decoder is very sure and wrong")
def loss_with_clipped_logarithms(x, logits, mean, log_std):
    p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
    pixels = -(x * p.log() + (1 - x) * (1 - p).log()).sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return (pixels + kl).mean()


@wrong("01.loss", "the sign of the KL turned")
def loss_minus_kl(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return (pixels - kl).mean()


@wrong("01.loss", "the sigmoid taken twice: probabilities given where logits are asked for")
def loss_sigmoid_twice(x, logits, mean, log_std):
    pixels = functional.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none").sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return (pixels + kl).mean()


@wrong("01.loss", "log_std read as log_var, and the ELBO returned in place of the loss")
def loss_elbo_with_log_std_as_log_var(x, logits, mean, log_std):
    reconstruction = Bernoulli(logits=logits).log_prob(x).sum(-1)
    kl = 0.5 * (mean**2 + log_std.exp() - 1 - log_std).sum(-1)
    return (reconstruction - kl).mean()


# 01.active_units


@right("01.active_units")
def active_by_the_sample_variance(mean, log_std):
    return (mean.var(0) > 0.01).sum()


@right("01.active_units")
def active_by_moments_as_an_int(mean, log_std):
    mean = mean.double()
    centred = mean - mean.mean(0, keepdim=True)
    variance = torch.einsum("nl,nl->l", centred, centred) / len(mean)
    return int((variance > 0.01).sum())


@right("01.active_units")
def active_by_a_loop_in_numpy(mean, log_std):
    active = 0
    for unit in np.asarray(mean, dtype=np.float64).T:
        if np.var(unit, ddof=1) > 0.01:
            active += 1
    return active


@wrong("01.active_units", "over the units of one image, axis 1: counts images")
def active_variance_over_the_units(mean, log_std):
    return (mean.var(1) > 0.01).sum()


@wrong("01.active_units", "the standard deviation for the variance")
def active_by_the_standard_deviation(mean, log_std):
    return (mean.std(0) > 0.01).sum()


@wrong("01.active_units", "the mean square, not centred: a mean far from 0 that never moves counts")
def active_by_the_mean_square(mean, log_std):
    return (mean.square().mean(0) > 0.01).sum()


@wrong("01.active_units", "the variance of q itself, averaged over the images")
def active_by_the_variance_of_q(mean, log_std):
    return ((2 * log_std).exp().mean(0) > 0.01).sum()


@wrong("01.active_units", "the KL of the unit in place of the variance of its mean")
def active_by_the_kl(mean, log_std):
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).mean(0)
    return (kl > 0.01).sum()


@wrong("01.active_units", "the share of the units, not their number")
def active_share_of_units(mean, log_std):
    return (mean.var(0) > 0.01).double().mean()


@wrong("01.active_units", "the variance of z: the scatter of q added to that of its mean")
def active_by_the_variance_of_z(mean, log_std):
    return (mean.var(0) + (2 * log_std).exp().mean(0) > 0.01).sum()


@wrong("01.active_units", "the range above 0.1 in place of the variance: wrong only where a few images move the mean")
def active_by_the_range(mean, log_std):
    return (mean.amax(0) - mean.amin(0) > 0.1).sum()


@wrong("01.active_units", "a root for a square in the threshold, and the dead ones counted")
def active_dead_ones_by_the_standard_deviation(mean, log_std):
    return (mean.std(0) <= 0.01).sum()


# 01.training_step


@right("01.training_step")
def step_as_in_the_tutorial(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    return -loss.item()


@right("01.training_step")
def step_cleared_after_the_loss(loss_of, x, optimizer):
    bound = -loss_of(x)
    optimizer.zero_grad(set_to_none=False)
    (-bound).backward()
    optimizer.step()
    return bound.item()


@right("01.training_step")
def step_by_autograd_grad(loss_of, x, optimizer):
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    loss = loss_of(x)
    for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        p.grad = gradient
    optimizer.step()
    return -loss.detach()


@right("01.training_step")
def step_cleared_twice(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return -loss.item()


@wrong("01.training_step", "zero_grad forgotten")
def step_without_zero_grad(loss_of, x, optimizer):
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    return -loss.item()


@wrong("01.training_step", "the bound itself given to backward: downhill on the bound")
def step_down_the_bound(loss_of, x, optimizer):
    optimizer.zero_grad()
    bound = -loss_of(x)
    bound.backward()
    optimizer.step()
    return bound.item()


@wrong("01.training_step", "the loss returned")
def step_that_returns_the_loss(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("01.training_step", "the tensor returned, with its graph")
def step_that_keeps_the_graph(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    return -loss


@wrong("01.training_step", "cleared between backward and step")
def step_cleared_too_late(loss_of, x, optimizer):
    loss = loss_of(x)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return -loss.item()


@wrong("01.training_step", "step forgotten")
def step_without_a_step(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    return -loss.item()


@wrong("01.training_step", "backward forgotten")
def step_without_backward(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    optimizer.step()
    return -loss.item()


@wrong("01.training_step", "the bound computed again after the step")
def step_with_the_bound_of_afterwards(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss_of(x).backward()
    optimizer.step()
    with torch.no_grad():
        return -loss_of(x).item()


@wrong("01.training_step", "averaged over the batch once more")
def step_averaged_twice(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    (loss / len(x)).backward()
    optimizer.step()
    return -loss.item()


@wrong("01.training_step", "cleared at the end, so what was left before counts once")
def step_cleared_at_the_end(loss_of, x, optimizer):
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return -loss.item()


@wrong("01.training_step", "the step before backward, with the gradient of the step before")
def step_before_backward(loss_of, x, optimizer):
    loss = loss_of(x)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return -loss.item()


@wrong("01.training_step", "the number taken out too early, so that backward has no graph")
def step_with_item_too_early(loss_of, x, optimizer):
    optimizer.zero_grad()
    bound = -loss_of(x).item()
    (-bound).backward()
    optimizer.step()
    return bound


@wrong("01.training_step", "the loss detached")
def step_with_a_detached_loss(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x).detach()
    loss.backward()
    optimizer.step()
    return -loss.item()


@wrong("01.training_step", "nothing returned")
def step_that_returns_nothing(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss_of(x).backward()
    optimizer.step()


@wrong("01.training_step", "a step by hand with a learning rate of its own")
def step_by_hand(loss_of, x, optimizer):
    loss = loss_of(x)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for group in optimizer.param_groups:
            for p in group["params"]:
                p -= 1e-3 * p.grad
    return -loss.item()


# 01.gap_in_lines


@right("01.gap_in_lines")
def gap_lines_in_order():
    return "CEADB"


@right("01.gap_in_lines")
def gap_lines_as_a_list():
    return ["C", "E", "A", "D", "B"]


@right("01.gap_in_lines")
def gap_lines_with_commas():
    return "c, e, a, d, b"


@wrong("01.gap_in_lines", "from the result to log p(x)")
def gap_lines_backwards():
    return "BDAEC"


@wrong("01.gap_in_lines", "q multiplied in before Bayes' rule")
def gap_lines_q_first():
    return "CAEDB"


@wrong("01.gap_in_lines", "the logarithm split before there is a product")
def gap_lines_split_too_early():
    return "CEDAB"


@wrong("01.gap_in_lines", "the order of the alphabet")
def gap_lines_as_they_stand():
    return "ABCDE"


@wrong("01.gap_in_lines", "names before the split")
def gap_lines_names_too_early():
    return "CEABD"


@wrong("01.gap_in_lines", "a line left out")
def gap_lines_without_A():
    return "CEDB"


# 01.collapse_by_hand


@right("01.collapse_by_hand")
def collapse_to_three_digits():
    return 0.955


@right("01.collapse_by_hand")
def collapse_by_python():
    return sum(0.5 * math.log(value / 0.6) for value in (2.7, 0.9))


@wrong("01.collapse_by_hand", "without beta")
def collapse_without_beta():
    return 2.256


@wrong("01.collapse_by_hand", "the dead unit counted")
def collapse_with_the_dead_unit():
    return 0.608


@wrong("01.collapse_by_hand", "no half")
def collapse_without_the_half():
    return 1.910


@wrong("01.collapse_by_hand", "beta times the KL")
def collapse_times_beta():
    return 2.864


@wrong("01.collapse_by_hand", "in bits")
def collapse_in_bits():
    return 1.377


@wrong("01.collapse_by_hand", "the mean over three units")
def collapse_mean_of_three():
    return 0.318


@wrong("01.collapse_by_hand", "both eigenvalues under one logarithm")
def collapse_one_logarithm():
    return 0.5 * math.log(3.6 / 0.6)
