"""Chapter 00, start here: answers of a class that had the exercise texts only."""

import math

import numpy as np
import torch

from tests.checks.answers import right, wrong
from vaecourse import bounds

# what the page has left behind in the notebook when exercise 3 is done
M, K, B = 4, 7, 3


# 00.shape


@right("00.shape")
def shape_as_tuple():
    return (2, 7, 5)


@right("00.shape")
def shape_as_list():
    images, estimates, samples = 5, 2, 7
    return [estimates, samples, images]


@right("00.shape")
def shape_of_a_tensor():
    return torch.zeros(2, 7, 5).shape


@wrong("00.shape", "in the order of the sentence, the batch first as in most code: B, M, K")
def shape_in_the_order_of_the_sentence():
    return (5, 2, 7)


@wrong("00.shape", "M and K exchanged")
def shape_M_and_K_exchanged():
    return (7, 2, 5)


@wrong("00.shape", "K and B exchanged")
def shape_K_and_B_exchanged():
    return (2, 5, 7)


@wrong("00.shape", "everything the other way round: B, K, M")
def shape_backwards():
    return (5, 7, 2)


@wrong("00.shape", "samples first, then images, then estimates")
def shape_rolled_round():
    return (7, 5, 2)


@wrong("00.shape", "the batch axis forgotten")
def shape_without_the_batch():
    return (2, 7)


@wrong("00.shape", "the estimates of all images counted together: 2 for each of five images makes 10")
def shape_estimates_of_all_images():
    return (10, 7, 5)


@wrong("00.shape", "a latent axis added at the end")
def shape_with_a_latent_axis():
    return (2, 7, 5, 1)


# 00.bits_per_dimension


@right("00.bits_per_dimension")
def bits_in_one_line(log_p, D):
    return -log_p / (D * math.log(2))


@right("00.bits_per_dimension")
def bits_by_log2_of_e(log_p, D):
    cost_in_nats = log_p.double().neg()
    cost_in_bits = cost_in_nats * math.log2(math.e)
    return cost_in_bits / D


@right("00.bits_per_dimension")
def bits_by_a_loop_with_a_list_as_result(log_p, D):
    bits = []
    for value in log_p:
        bits.append(-float(value) / D / math.log(2))
    return bits


@wrong("00.bits_per_dimension", "the sign is not turned")
def bits_sign_not_turned(log_p, D):
    return log_p / (D * math.log(2))


@wrong("00.bits_per_dimension", "still in nats: no division by log 2")
def bits_that_are_nats(log_p, D):
    return -log_p / D


@wrong("00.bits_per_dimension", "multiplied by log 2 where it should be divided")
def bits_multiplied_by_log_2(log_p, D):
    return -log_p * math.log(2) / D


@wrong("00.bits_per_dimension", "not shared out over the dimensions")
def bits_per_image(log_p, D):
    return -log_p / math.log(2)


@wrong("00.bits_per_dimension", "the base-2 logarithm of a number that is a logarithm already")
def bits_by_log2_of_the_log(log_p, D):
    return -torch.log2(log_p.abs()) / D


@wrong("00.bits_per_dimension", "abs in place of the sign: wrong only where log p is positive, as a density's can be")
def bits_by_abs(log_p, D):
    return log_p.abs() / (D * math.log(2))


@wrong("00.bits_per_dimension", "averaged over the batch: one number")
def bits_of_the_batch(log_p, D):
    return -log_p.mean() / (D * math.log(2))


@wrong("00.bits_per_dimension", "divided by log D in place of D log 2, and the sign left as it was")
def bits_log_of_D_and_sign(log_p, D):
    return log_p / math.log(D) / math.log(2)


# 00.log_mean_exp


@right("00.log_mean_exp")
def lme_by_logsumexp(log_w):
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


@right("00.log_mean_exp")
def lme_by_hand_with_the_maximum(log_w):
    largest = log_w.amax(dim=1, keepdim=True)
    return (log_w - largest).exp().mean(1).log() + largest.squeeze(1)


@right("00.log_mean_exp")
def lme_by_loops_of_logaddexp_in_numpy(log_w):
    a = log_w.detach().cpu().numpy().astype(np.float64)
    total = a[:, 0, :]
    for k in range(1, a.shape[1]):
        total = np.logaddexp(total, a[:, k, :])
    return torch.from_numpy(total - np.log(a.shape[1]))


@wrong("00.log_mean_exp", "log K is missing: the logarithm of the sum")
def lme_log_K_missing(log_w):
    return log_w.logsumexp(1)


@wrong("00.log_mean_exp", "first exp, then mean, then log: under- and overflow")
def lme_exp_first(log_w):
    return log_w.exp().mean(1).log()


@wrong("00.log_mean_exp", "the mean of the logarithms, which is the ELBO")
def lme_mean_of_logs(log_w):
    return log_w.mean(1)


@wrong("00.log_mean_exp", "over axis 0, the estimates, with log M")
def lme_over_the_estimates(log_w):
    return log_w.logsumexp(0) - math.log(log_w.shape[0])


@wrong("00.log_mean_exp", "the right axis, but minus log M")
def lme_minus_log_M(log_w):
    return log_w.logsumexp(1) - math.log(log_w.shape[0])


@wrong("00.log_mean_exp", "the page's K in place of the K of log_w")
def lme_with_the_K_of_the_page(log_w):
    return log_w.logsumexp(1) - math.log(K)


@wrong("00.log_mean_exp", "one maximum for the whole tensor: a group far below the largest one underflows")
def lme_one_maximum_for_everything(log_w):
    largest = log_w.max()
    return (log_w - largest).exp().mean(1).log() + largest


@wrong("00.log_mean_exp", "divided by K outside the logarithm")
def lme_divided_by_K_outside(log_w):
    return log_w.logsumexp(1) / log_w.shape[1]


@wrong("00.log_mean_exp", "over axis 0, and log K is missing")
def lme_wrong_axis_and_no_log_K(log_w):
    return log_w.logsumexp(0)


# 00.z_score


@right("00.z_score")
def z_in_one_line(values, exact):
    return (values.mean() - exact) / (values.std() / math.sqrt(len(values)))


@right("00.z_score")
def z_by_loops_as_a_float(values, exact):
    numbers = [float(v) for v in values]
    N = len(numbers)
    mean = math.fsum(numbers) / N
    variance = math.fsum((v - mean) ** 2 for v in numbers) / (N - 1)
    return (mean - float(exact)) / math.sqrt(variance / N)


@right("00.z_score")
def z_of_the_differences_in_numpy(values, exact):
    difference = np.asarray(values, dtype=np.float64) - float(exact)
    return np.sqrt(difference.size) * difference.mean() / difference.std(ddof=1)


@wrong("00.z_score", "divided by the standard deviation of one draw: sqrt N is missing")
def z_by_the_standard_deviation(values, exact):
    return (values.mean() - exact) / values.std()


@wrong("00.z_score", "the variance for the standard deviation")
def z_by_the_variance(values, exact):
    return (values.mean() - exact) / (values.var() / math.sqrt(len(values)))


@wrong("00.z_score", "N for the square root of N")
def z_N_without_the_root(values, exact):
    return (values.mean() - exact) / (values.std() / len(values))


@wrong("00.z_score", "the difference the wrong way round")
def z_exact_minus_mean(values, exact):
    return (exact - values.mean()) / (values.std() / math.sqrt(len(values)))


@wrong("00.z_score", "the absolute value: the sign is lost")
def z_without_its_sign(values, exact):
    return (values.mean() - exact).abs() / (values.std() / math.sqrt(len(values)))


@wrong("00.z_score", "the scatter is taken about the exact value, not about the mean: wrong when the two are far apart")
def z_scatter_about_the_exact_value(values, exact):
    scatter = ((values - exact) ** 2).mean().sqrt()
    return (values.mean() - exact) / (scatter / math.sqrt(len(values)))


@wrong("00.z_score", "clipped to the alarm level: wrong only beyond 4")
def z_clipped_at_four(values, exact):
    return ((values.mean() - exact) / (values.std() / math.sqrt(len(values)))).clamp(-4, 4)


@wrong("00.z_score", "sqrt N on the wrong side, and the difference the wrong way round")
def z_divided_by_root_N_and_sign(values, exact):
    return (exact - values.mean()) / (values.std() * math.sqrt(len(values)))


@wrong("00.z_score", "one z-score for each draw")
def z_of_each_draw(values, exact):
    return (values - exact) / (values.std() / math.sqrt(len(values)))


# 00.spot_the_bug


@right("00.spot_the_bug")
def batch_first_last_axis(log_w):
    return (log_w.logsumexp(2) - math.log(log_w.shape[2])).mean(1)


@right("00.spot_the_bug")
def batch_first_moved_to_the_course_order(log_w):
    return bounds.miwae(log_w.permute(1, 2, 0))


@right("00.spot_the_bug")
def batch_first_by_loops_in_float64(log_w):
    B, M, K = log_w.shape
    answer = torch.zeros(B, dtype=torch.float64)
    for b in range(B):
        for m in range(M):
            row = log_w[b, m].double()
            answer[b] += (row.max() + (row - row.max()).exp().sum().log() - math.log(K)) / M
    return answer


@wrong("00.spot_the_bug", "half mended: the right axis, but still log of shape[1], which is M")
def batch_first_axis_mended_but_log_M(log_w):
    log_mean = log_w.logsumexp(2) - math.log(log_w.shape[1])
    return log_mean.mean(1)


@wrong("00.spot_the_bug", "mended at the wrong place: log of shape[2], still summed over the estimates")
def batch_first_count_mended_but_not_the_axis(log_w):
    log_mean = log_w.logsumexp(1) - math.log(log_w.shape[2])
    return log_mean.mean(1)


@wrong("00.spot_the_bug", "nothing mended: only the last line rewritten, which was right already")
def batch_first_only_the_mean_touched(log_w):
    log_mean = log_w.logsumexp(1) - math.log(log_w.shape[1])
    return log_mean.mean(-1)


@wrong("00.spot_the_bug", "read as [M, K, B], the order of the course")
def batch_first_read_as_M_K_B(log_w):
    return bounds.miwae(log_w)


@wrong("00.spot_the_bug", "one logarithm over all estimates and samples: IWAE, not MIWAE")
def batch_first_one_logarithm(log_w):
    return log_w.logsumexp((1, 2)) - math.log(log_w.shape[1] * log_w.shape[2])


@wrong("00.spot_the_bug", "reshape in place of a permutation: the numbers are mixed up")
def batch_first_reshaped(log_w):
    B, M, K = log_w.shape
    log_w = log_w.reshape(M, K, B)
    return (log_w.logsumexp(1) - math.log(K)).mean(0)


@wrong("00.spot_the_bug", "K = 50 is left over from the loop above")
def batch_first_K_of_the_loop(log_w):
    K = 50
    return (log_w.logsumexp(2) - math.log(K)).mean(1)


@wrong("00.spot_the_bug", "squeeze first: wrong only where an axis has length one, such as M = 1")
def batch_first_squeezed(log_w):
    samples = log_w.shape[-1]
    return (log_w.squeeze().logsumexp(-1) - math.log(samples)).mean(-1)


@wrong("00.spot_the_bug", "the mean over the batch in place of the estimates, and log K missing")
def batch_first_mean_over_the_batch_and_no_log_K(log_w):
    return log_w.logsumexp(2).mean(0)


# 00.passport


@right("00.passport")
def passport_in_one_line(log_q, log_q_r, log_q_e):
    return log_q + log_q_r - log_q_e


@right("00.passport")
def passport_with_our_names(log_q, log_q_r, log_q_e):
    log_prior, log_likelihood, log_encoder = (part.double() for part in (log_q, log_q_r, log_q_e))
    log_joint = log_prior.add(log_likelihood)
    return log_joint.sub(log_encoder)


@right("00.passport")
def passport_by_einsum(log_q, log_q_r, log_q_e):
    parts = torch.stack([log_q, log_q_r, log_q_e])
    signs = torch.tensor([1, 1, -1]).to(parts)
    return torch.einsum("i,imkb->mkb", signs, parts)


@wrong("00.passport", "q taken for the encoder, as in our own notation")
def passport_q_taken_for_the_encoder(log_q, log_q_r, log_q_e):
    return log_q_r + log_q_e - log_q


@wrong("00.passport", "decoder and encoder exchanged")
def passport_r_and_e_exchanged(log_q, log_q_r, log_q_e):
    return log_q + log_q_e - log_q_r


@wrong("00.passport", "the logarithms multiplied and divided as the factors are")
def passport_logs_multiplied(log_q, log_q_r, log_q_e):
    return log_q * log_q_r / log_q_e


@wrong("00.passport", "the sign turned: encoder minus joint")
def passport_sign_turned(log_q, log_q_r, log_q_e):
    return log_q_e - log_q - log_q_r


@wrong("00.passport", "the prior is forgotten")
def passport_without_the_prior(log_q, log_q_r, log_q_e):
    return log_q_r - log_q_e


@wrong("00.passport", "the weight itself, not its logarithm")
def passport_weight_without_logarithm(log_q, log_q_r, log_q_e):
    return (log_q + log_q_r - log_q_e).exp()


@wrong("00.passport", "through the factors and back: wrong only where exp leaves the range of floats")
def passport_exp_and_log_again(log_q, log_q_r, log_q_e):
    return (log_q.exp() * log_q_r.exp() / log_q_e.exp()).log()


@wrong("00.passport", "all three added")
def passport_all_added(log_q, log_q_r, log_q_e):
    return log_q + log_q_r + log_q_e


@wrong("00.passport", "two slips: q taken for the encoder, and averaged over the samples to a bound")
def passport_wrong_letter_and_averaged(log_q, log_q_r, log_q_e):
    return (log_q_r + log_q_e - log_q).mean((0, 1))


# 00.two_weights


@right("00.two_weights")
def two_weights_to_three_digits():
    return 0.511


@right("00.two_weights")
def two_weights_by_python():
    return math.log(5) - 0.5 * (math.log(1) + math.log(9))


@right("00.two_weights")
def two_weights_by_the_package():
    log_w = torch.tensor([1.0, 9.0]).log().reshape(1, 2, 1)
    return (bounds.iwae(log_w) - bounds.elbo(log_w)).item()


@wrong("00.two_weights", "ELBO minus IWAE")
def two_weights_with_the_sign_turned():
    return -0.511


@wrong("00.two_weights", "the log of the sum, 10")
def two_weights_log_of_the_sum():
    return 1.204


@wrong("00.two_weights", "the two logarithms added up")
def two_weights_sum_of_logs():
    return -0.588


@wrong("00.two_weights", "the IWAE estimate alone")
def two_weights_iwae_only():
    return 1.609


@wrong("00.two_weights", "in bits")
def two_weights_in_bits():
    return 0.737


@wrong("00.two_weights", "log10 of a pocket calculator")
def two_weights_log10():
    return 0.2218


@wrong("00.two_weights", "5 minus 3")
def two_weights_without_logs():
    return 2


@wrong("00.two_weights", "only two digits, cut off")
def two_weights_rounded_hard():
    return 0.5


# 00.how_many_draws


@right("00.how_many_draws")
def draws_whole_number():
    return 2304


@right("00.how_many_draws")
def draws_by_python():
    return (4 * 0.6 / 0.05) ** 2


@wrong("00.how_many_draws", "not squared")
def draws_not_squared():
    return 48


@wrong("00.how_many_draws", "for a z-score of 1")
def draws_for_one():
    return 144


@wrong("00.how_many_draws", "4 not squared")
def draws_four_times_144():
    return 576


@wrong("00.how_many_draws", "variance in the place of the standard deviation")
def draws_with_the_variance():
    return (4 * 0.36 / 0.05) ** 2


@wrong("00.how_many_draws", "ratio not squared")
def draws_sixteen_times_twelve():
    return 192


@wrong("00.how_many_draws", "a slip of the calculator")
def draws_a_slip():
    return 2340
