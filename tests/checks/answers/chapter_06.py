"""Answers to the exercises of chapter 06, written from its text alone."""

import math

import numpy as np
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tests.checks.answers import right, wrong

# 06.split_rate


@right("06.split_rate")
def mean_of_each_difference(log_q, log_aggregate, log_prior):
    return torch.stack([(log_q - log_aggregate).mean(), (log_aggregate - log_prior).mean()])


@right("06.split_rate")
def differences_of_three_numpy_means(log_q, log_aggregate, log_prior):
    q, agg, prior = (np.asarray(part.detach(), dtype=np.float64).mean() for part in (log_q, log_aggregate, log_prior))
    return torch.tensor([q - agg, agg - prior], dtype=torch.float64)


@right("06.split_rate")
def rate_split_by_loops(log_q, log_aggregate, log_prior):
    M, B = log_q.shape
    information, mismatch = 0.0, 0.0
    for b in range(B):
        for m in range(M):
            information += (log_q[m, b] - log_aggregate[m, b]) / (M * B)
            mismatch += (log_aggregate[m, b] - log_prior[m, b]) / (M * B)
    return torch.stack([information, mismatch])


@wrong("06.split_rate", "the mismatch comes first and the information second")
def mismatch_before_information(log_q, log_aggregate, log_prior):
    return torch.stack([(log_aggregate - log_prior).mean(), (log_q - log_aggregate).mean()])


@wrong("06.split_rate", "the second part is the whole rate, not what is left of it")
def whole_rate_as_second_part(log_q, log_aggregate, log_prior):
    return torch.stack([(log_q - log_aggregate).mean(), (log_q - log_prior).mean()])


@wrong("06.split_rate", "the sign of the mismatch is turned round, KL(p || q) in mind")
def sign_of_mismatch_turned(log_q, log_aggregate, log_prior):
    return torch.stack([(log_q - log_aggregate).mean(), (log_prior - log_aggregate).mean()])


@wrong("06.split_rate", "mean over the draws, but sum over the data points")
def sum_over_data_points(log_q, log_aggregate, log_prior):
    return torch.stack([(log_q - log_aggregate).mean(0).sum(), (log_aggregate - log_prior).mean(0).sum()])


@wrong("06.split_rate", "each difference is weighted by q once more, although z was drawn from q")
def weighted_by_q_again(log_q, log_aggregate, log_prior):
    q = log_q.exp()
    return torch.stack([(q * (log_q - log_aggregate)).mean(), (q * (log_aggregate - log_prior)).mean()])


@wrong("06.split_rate", "mean over the draws only: [2, B]")
def one_split_for_each_point(log_q, log_aggregate, log_prior):
    return torch.stack([(log_q - log_aggregate).mean(0), (log_aggregate - log_prior).mean(0)])


@wrong("06.split_rate", "clipped at 0, as a KL is never negative: wrong only where an estimate is negative")
def parts_clipped_at_zero(log_q, log_aggregate, log_prior):
    return torch.stack([(log_q - log_aggregate).mean(), (log_aggregate - log_prior).mean()]).clamp(min=0)


@wrong("06.split_rate", "sums for means, and the parts in the wrong order")
def summed_and_in_wrong_order(log_q, log_aggregate, log_prior):
    return torch.stack([(log_aggregate - log_prior).sum(), (log_q - log_aggregate).sum()])


# 06.aggregate


@right("06.aggregate")
def sum_over_L_before_the_mixture(z, mean, log_std):
    scaled = (z[:, None] - mean) / log_std.exp()
    log_q = (-0.5 * scaled**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)
    return log_q.logsumexp(1) - math.log(len(mean))


@right("06.aggregate")
def mixture_same_family(z, mean, log_std):
    components = Independent(Normal(mean, log_std.exp()), 1)
    return MixtureSameFamily(Categorical(logits=torch.zeros(len(mean), dtype=mean.dtype)), components).log_prob(z)


@right("06.aggregate")
def numpy_loop_over_components(z, mean, log_std):
    z, mean, log_std = (np.asarray(part.detach(), dtype=np.float64) for part in (z, mean, log_std))
    total = np.full(len(z), -np.inf)
    for m, s in zip(mean, log_std):
        squares = ((z - m) ** 2 * np.exp(-2 * s)).sum(1)
        total = np.logaddexp(total, -0.5 * squares - s.sum() - 0.5 * len(m) * np.log(2 * np.pi))
    return torch.from_numpy(total - np.log(len(mean)))


@wrong("06.aggregate", "not mended: a mixture in each dimension, then their product")
def aggregate_not_mended(z, mean, log_std):
    scaled = (z[:, None] - mean) / log_std.exp()
    log_q = -0.5 * scaled**2 - log_std - 0.5 * math.log(2 * math.pi)
    return (log_q.logsumexp(1) - math.log(len(mean))).sum(1)


@wrong("06.aggregate", "the log of B is missing")
def log_B_missing(z, mean, log_std):
    return Normal(mean, log_std.exp()).log_prob(z[:, None]).sum(-1).logsumexp(1)


@wrong("06.aggregate", "divided by the number of points z, not of components")
def divided_by_number_of_points(z, mean, log_std):
    return Normal(mean, log_std.exp()).log_prob(z[:, None]).sum(-1).logsumexp(1) - math.log(len(z))


@wrong("06.aggregate", "the sum is in the right place, but log B is still taken off once for each dimension")
def log_B_for_each_dimension(z, mean, log_std):
    log_q = Normal(mean, log_std.exp()).log_prob(z[:, None]).sum(-1)
    return log_q.logsumexp(1) - z.shape[1] * math.log(len(mean))


@wrong("06.aggregate", "the constant of the Gaussian counted once, not for each dimension")
def two_pi_counted_once(z, mean, log_std):
    scaled = (z[:, None] - mean) / log_std.exp()
    log_q = (-0.5 * scaled**2 - log_std).sum(-1) - 0.5 * math.log(2 * math.pi)
    return log_q.logsumexp(1) - math.log(len(mean))


@wrong("06.aggregate", "mean of the logarithms over the components, not log of the mean")
def mean_of_the_component_logs(z, mean, log_std):
    return Normal(mean, log_std.exp()).log_prob(z[:, None]).sum(-1).mean(1)


@wrong("06.aggregate", "log_std is read as the log of the variance")
def log_std_read_as_log_variance(z, mean, log_std):
    log_q = Normal(mean, (0.5 * log_std).exp()).log_prob(z[:, None]).sum(-1)
    return log_q.logsumexp(1) - math.log(len(mean))


@wrong("06.aggregate", "exp first and log last: minus infinity far away from all codes, right elsewhere")
def densities_averaged_before_the_log(z, mean, log_std):
    return Normal(mean, log_std.exp()).log_prob(z[:, None]).sum(-1).exp().mean(1).log()


@wrong("06.aggregate", "mean over the dimensions for the sum, and log B missing")
def mean_over_L_and_log_B_missing(z, mean, log_std):
    return Normal(mean, log_std.exp()).log_prob(z[:, None]).mean(-1).logsumexp(1)


# 06.coefficients


@right("06.coefficients")
def whole_column_masked(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return weights.masked_fill((weights < 0).any(0), math.nan)


@right("06.coefficients")
def pair_by_pair(alpha, lam):
    columns = []
    for a, v in zip(alpha.tolist(), lam.tolist()):
        rate, divergence = 1 - a, a + v - 1
        columns.append([rate, divergence] if rate >= 0 and divergence >= 0 else [math.nan, math.nan])
    return torch.tensor(columns).T


@right("06.coefficients")
def where_both_are_allowed(alpha, lam):
    rate = 1 - alpha
    divergence = lam - rate
    allowed = (rate >= 0) & (divergence >= 0)
    nan = torch.full_like(rate, torch.nan)
    return torch.stack([torch.where(allowed, rate, nan), torch.where(allowed, divergence, nan)])


@wrong("06.coefficients", "only the negative entry becomes nan, its partner stays")
def only_the_negative_entry_is_nan(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return weights.masked_fill(weights < 0, math.nan)


@wrong("06.coefficients", "negative weights are clipped at 0 instead of refused")
def weights_clipped_at_zero(alpha, lam):
    return torch.stack([1 - alpha, alpha + lam - 1]).clamp(min=0)


@wrong("06.coefficients", "only the weight of D is looked at; alpha above 1 passes")
def only_weight_of_D_is_looked_at(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return weights.masked_fill(weights[1] < 0, math.nan)


@wrong("06.coefficients", "refused only where both are negative")
def refused_where_both_are_negative(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return weights.masked_fill((weights < 0).all(0), math.nan)


@wrong("06.coefficients", "one bad pair refuses all pairs")
def one_bad_pair_refuses_all(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return torch.full_like(weights, math.nan) if (weights < 0).any() else weights


@wrong("06.coefficients", "asks alpha and lambda themselves to be at least 0, not the weights")
def alpha_and_lambda_at_least_zero(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return weights.masked_fill((alpha < 0) | (lam < 0), math.nan)


@wrong("06.coefficients", "a weight of exactly 0 is refused too, the plain VAE with it: right away from the border")
def border_refused_too(alpha, lam):
    weights = torch.stack([1 - alpha, alpha + lam - 1])
    return weights.masked_fill((weights <= 0).any(0), math.nan)


@wrong("06.coefficients", "rows exchanged, and only the negative entry becomes nan")
def rows_exchanged_and_half_masked(alpha, lam):
    weights = torch.stack([alpha + lam - 1, 1 - alpha])
    return weights.masked_fill(weights < 0, math.nan)


# 06.u_statistic


@right("06.u_statistic")
def sums_less_their_diagonals(k_xx, k_yy, k_xy):
    N, P = k_xy.shape
    inside_x = (k_xx.sum() - k_xx.diagonal().sum()) / (N * (N - 1))
    inside_y = (k_yy.sum() - k_yy.trace()) / (P * (P - 1))
    return inside_x + inside_y - 2 * k_xy.mean()


@right("06.u_statistic")
def off_diagonal_entries_selected(k_xx, k_yy, k_xy):
    others_x = ~torch.eye(len(k_xx), dtype=torch.bool)
    others_y = ~torch.eye(len(k_yy), dtype=torch.bool)
    return k_xx[others_x].mean() + k_yy[others_y].mean() - 2 * k_xy.mean()


@right("06.u_statistic")
def u_by_loops_over_pairs(k_xx, k_yy, k_xy):
    def pairs(k):
        n = len(k)
        return sum(k[i, j].item() for i in range(n) for j in range(n) if i != j) / (n * (n - 1))

    cross = sum(value for row in k_xy.tolist() for value in row) / k_xy.numel()
    return pairs(k_xx) + pairs(k_yy) - 2 * cross


@wrong("06.u_statistic", "the V-statistic: pairs of a point with itself are kept")
def v_statistic(k_xx, k_yy, k_xy):
    return k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()


@wrong("06.u_statistic", "the diagonal is kept, although it is divided by N (N - 1)")
def diagonal_kept_in_the_sum(k_xx, k_yy, k_xy):
    N, P = k_xy.shape
    return k_xx.sum() / (N * (N - 1)) + k_yy.sum() / (P * (P - 1)) - 2 * k_xy.mean()


@wrong("06.u_statistic", "the diagonal is taken away, but all N squared pairs are counted")
def divided_by_all_pairs(k_xx, k_yy, k_xy):
    without = lambda k: (k.sum() - k.trace()) / k.numel()
    return without(k_xx) + without(k_yy) - 2 * k_xy.mean()


@wrong("06.u_statistic", "the cross term is counted once, not twice")
def cross_term_counted_once(k_xx, k_yy, k_xy):
    without = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    return without(k_xx) + without(k_yy) - k_xy.mean()


@wrong("06.u_statistic", "the diagonal of the cross term is left out as well")
def cross_diagonal_left_out_too(k_xx, k_yy, k_xy):
    without = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    N, P = k_xy.shape
    cross = (k_xy.sum() - k_xy.diagonal().sum()) / (N * P - min(N, P))
    return without(k_xx) + without(k_yy) - 2 * cross


@wrong("06.u_statistic", "the root at the end: MMD in place of MMD squared")
def root_of_the_u_statistic(k_xx, k_yy, k_xy):
    without = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    return (without(k_xx) + without(k_yy) - 2 * k_xy.mean()).abs().sqrt()


@wrong("06.u_statistic", "N is used for both clouds: wrong only where they differ in size")
def N_used_for_both_clouds(k_xx, k_yy, k_xy):
    N = len(k_xx)
    inside = lambda k: (k.sum() - k.trace()) / (N * (N - 1))
    return inside(k_xx) + inside(k_yy) - 2 * k_xy.mean()


@wrong("06.u_statistic", "clipped at 0: wrong only where the estimate is negative")
def u_clipped_at_zero(k_xx, k_yy, k_xy):
    without = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    return (without(k_xx) + without(k_yy) - 2 * k_xy.mean()).clamp(min=0)


@wrong("06.u_statistic", "diagonal taken to hold ones: wrong only for a kernel with another value at distance 0")
def ones_assumed_on_the_diagonal(k_xx, k_yy, k_xy):
    without = lambda k: (k.sum() - len(k)) / (len(k) * (len(k) - 1))
    return without(k_xx) + without(k_yy) - 2 * k_xy.mean()


@wrong("06.u_statistic", "diagonal kept, and the cross term divided by N (N - 1) as well")
def diagonal_kept_and_cross_miscounted(k_xx, k_yy, k_xy):
    N, P = k_xy.shape
    return k_xx.sum() / (N * (N - 1)) + k_yy.sum() / (P * (P - 1)) - 2 * k_xy.sum() / (N * (N - 1))


# 06.spot_the_kernel


@right("06.spot_the_kernel")
def summed_squares_over_twice_the_squared_bandwidth(x, y, bandwidth):
    return (-(x[:, None] - y).square().sum(-1) / (2 * bandwidth**2)).exp()


@right("06.spot_the_kernel")
def distances_scaled_first(x, y, bandwidth):
    return torch.exp(-0.5 * torch.cdist(x / bandwidth, y / bandwidth) ** 2)


@right("06.spot_the_kernel")
def kernel_by_loops_in_float64(x, y, bandwidth):
    x, y = np.asarray(x.detach(), dtype=np.float64), np.asarray(y.detach(), dtype=np.float64)
    k = np.empty((len(x), len(y)))
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            k[i, j] = math.exp(-sum((a - b) ** 2) / (2 * float(bandwidth) ** 2))
    return torch.from_numpy(k)


@wrong("06.spot_the_kernel", "half mended: sum over d, but the width still has d and the bandwidth unsquared")
def sum_for_mean_only(x, y, bandwidth):
    return (-(x[:, None] - y).square().sum(-1) / (2.0 * x.shape[1] * bandwidth)).exp()


@wrong("06.spot_the_kernel", "half mended: d is gone from the width, the mean over d stays")
def d_gone_from_the_width_only(x, y, bandwidth):
    return (-(x[:, None] - y).square().mean(-1) / (2.0 * bandwidth**2)).exp()


@wrong("06.spot_the_kernel", "half mended: no d is left, but the bandwidth is still read as a squared length")
def bandwidth_not_squared(x, y, bandwidth):
    return (-(x[:, None] - y).square().sum(-1) / (2.0 * bandwidth)).exp()


@wrong("06.spot_the_kernel", "the bandwidth is squared, and d divides twice as before")
def only_the_bandwidth_squared(x, y, bandwidth):
    return (-(x[:, None] - y).square().mean(-1) / (2.0 * x.shape[1] * bandwidth**2)).exp()


@wrong("06.spot_the_kernel", "the 2 in the denominator is missing")
def two_missing_in_the_width(x, y, bandwidth):
    return (-(x[:, None] - y).square().sum(-1) / bandwidth**2).exp()


@wrong("06.spot_the_kernel", "the distance is not squared")
def distance_not_squared(x, y, bandwidth):
    return (-torch.cdist(x, y) / (2 * bandwidth**2)).exp()


@wrong("06.spot_the_kernel", "the diagonal is set to 1, as if x and y were the same points")
def ones_put_on_the_diagonal(x, y, bandwidth):
    return (-(x[:, None] - y).square().sum(-1) / (2 * bandwidth**2)).exp().fill_diagonal_(1.0)


@wrong("06.spot_the_kernel", "squared distances cut at 50, against underflow: wrong only far away with a wide kernel")
def far_points_brought_near(x, y, bandwidth):
    return (-(x[:, None] - y).square().sum(-1).clamp(max=50.0) / (2 * bandwidth**2)).exp()


@wrong("06.spot_the_kernel", "transposed, and the bandwidth not squared")
def transposed_with_bandwidth_not_squared(x, y, bandwidth):
    return (-(y[:, None] - x).square().sum(-1) / (2 * bandwidth)).exp()


# 06.spot_the_loss


@right("06.spot_the_loss")
def three_terms_with_their_weights(reconstruction, rate, mmd2, alpha, lam):
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) * mmd2


@right("06.spot_the_loss")
def negative_elbo_less_the_reward(reconstruction, rate, mmd2, alpha, lam):
    elbo = (reconstruction - rate).mean()
    return -(elbo + alpha * rate.mean() + (1 - alpha - lam) * mmd2)


@right("06.spot_the_loss")
def loss_added_up_in_plain_numbers(reconstruction, rate, mmd2, alpha, lam):
    total = 0.0
    for log_p, kl in zip(reconstruction.tolist(), rate.tolist()):
        total += (1 - float(alpha)) * kl - log_p
    return total / len(rate) + (float(alpha) + float(lam) - 1) * float(mmd2)


@wrong("06.spot_the_loss", "half mended: both counts of pairs are gone, lambda is still in twice")
def lambda_still_in_twice(reconstruction, rate, mmd2, alpha, lam):
    penalty = lam * mmd2
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) * penalty


@wrong("06.spot_the_loss", "half mended: only one division by the pairs is gone, and the extra lambda")
def one_division_by_the_pairs_left(reconstruction, rate, mmd2, alpha, lam):
    n = len(rate)
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) / (n * (n - 1)) * mmd2


@wrong("06.spot_the_loss", "the penalty is lambda times MMD squared, without alpha - 1")
def penalty_of_lambda_alone(reconstruction, rate, mmd2, alpha, lam):
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + lam * mmd2


@wrong("06.spot_the_loss", "mended at the wrong place: multiplied by the number of pairs, once, to make up for it")
def multiplied_back_once(reconstruction, rate, mmd2, alpha, lam):
    n = len(rate)
    penalty = lam / (n * (n - 1)) * mmd2 * n * (n - 1)
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + (alpha + lam - 1) / (n * (n - 1)) * penalty


@wrong("06.spot_the_loss", "the objective is returned, not the loss: all signs turned")
def objective_for_loss(reconstruction, rate, mmd2, alpha, lam):
    return reconstruction.mean() - (1 - alpha) * rate.mean() - (alpha + lam - 1) * mmd2


@wrong("06.spot_the_loss", "the data points are summed, so that the penalty counts for nothing beside them")
def data_points_summed(reconstruction, rate, mmd2, alpha, lam):
    return -reconstruction.sum() + (1 - alpha) * rate.sum() + (alpha + lam - 1) * mmd2


@wrong("06.spot_the_loss", "MMD squared clipped at 0: wrong only where the U-statistic is negative")
def negative_mmd_clipped(reconstruction, rate, mmd2, alpha, lam):
    weight = alpha + lam - 1
    return -reconstruction.mean() + (1 - alpha) * rate.mean() + weight * torch.as_tensor(mmd2).clamp(min=0)


@wrong("06.spot_the_loss", "the rate has the weight alpha, and lambda is in twice")
def rate_times_alpha_and_lambda_twice(reconstruction, rate, mmd2, alpha, lam):
    return -reconstruction.mean() + alpha * rate.mean() + (alpha + lam - 1) * lam * mmd2


# 06.stein


def _rbf(z, h):
    return (-(z[:, None] - z).square().sum(-1) / (2 * h**2)).exp()


@right("06.stein")
def pull_and_push_by_matrix_products(z, h):
    k = _rbf(z, h)
    pull = -k @ z
    push = (k.sum(1, keepdim=True) * z - k @ z) / h**2
    return (pull + push) / len(z)


@right("06.stein")
def pull_and_push_by_loops(z, h):
    z64 = z.double()
    rows = []
    for here in z64:
        total = torch.zeros_like(here)
        for other in z64:
            k = torch.exp(-((other - here) ** 2).sum() / (2 * h * h))
            total += -k * other + k * (here - other) / h**2
        rows.append(total / len(z64))
    return torch.stack(rows)


@right("06.stein")
def push_by_autograd(z, h):
    with torch.enable_grad():
        source = z.detach().clone().requires_grad_()  # z_j
        target = z.detach()
        rows = []
        for i in range(len(z)):
            k = (-(source - target[i]).square().sum(1) / (2 * h**2)).exp()
            push = torch.autograd.grad(k.sum(), source)[0]
            score = torch.autograd.grad(Normal(0.0, 1.0).log_prob(source).sum(), source)[0]
            rows.append((k[:, None] * score + push).mean(0).detach())
    return torch.stack(rows)


@wrong("06.stein", "the sign of the push is turned: particles attract each other")
def particles_attract_each_other(z, h):
    k = _rbf(z, h)
    return (-k @ z + (k @ z - k.sum(1, keepdim=True) * z) / h**2) / len(z)


@wrong("06.stein", "the push is missing")
def pull_without_push(z, h):
    return -_rbf(z, h) @ z / len(z)


@wrong("06.stein", "1/N is missing")
def sum_over_the_particles(z, h):
    k = _rbf(z, h)
    return -k @ z + (k.sum(1, keepdim=True) * z - k @ z) / h**2


@wrong("06.stein", "each particle is pulled by its own place z_i, not by that of z_j")
def pulled_by_its_own_place(z, h):
    k = _rbf(z, h)
    return (-k.sum(1, keepdim=True) * z + (k.sum(1, keepdim=True) * z - k @ z) / h**2) / len(z)


@wrong("06.stein", "the push is divided by h, not by its square")
def push_divided_by_h(z, h):
    k = _rbf(z, h)
    return (-k @ z + (k.sum(1, keepdim=True) * z - k @ z) / h) / len(z)


@wrong("06.stein", "the pull has the sign of +z: away from the prior")
def pull_away_from_the_prior(z, h):
    k = _rbf(z, h)
    return (k @ z + (k.sum(1, keepdim=True) * z - k @ z) / h**2) / len(z)


@wrong("06.stein", "the kernel is left out of the pull, a particle alone feels the full prior: -z_i")
def pull_without_the_kernel(z, h):
    k = _rbf(z, h)
    return -z + (k.sum(1, keepdim=True) * z - k @ z) / h**2 / len(z)


@wrong("06.stein", "the pair of a particle with itself is left out")
def own_pair_left_out(z, h):
    k = _rbf(z, h).fill_diagonal_(0.0)
    return (-k @ z + (k.sum(1, keepdim=True) * z - k @ z) / h**2) / (len(z) - 1)


@wrong("06.stein", "the division by h squared is forgotten in the push: wrong only where h is not 1")
def push_right_for_h_of_one(z, h):
    k = _rbf(z, h)
    return (-k @ z + k.sum(1, keepdim=True) * z - k @ z) / len(z)


@wrong("06.stein", "1/N missing, and the sign of the push turned")
def summed_and_attracting(z, h):
    k = _rbf(z, h)
    return -k @ z + (k @ z - k.sum(1, keepdim=True) * z) / h**2


# 06.surgery


@right("06.surgery")
def surgery_in_order():
    return "DCBEA"


@right("06.surgery")
def surgery_with_commas():
    return "D, C, B, E, A"


@right("06.surgery")
def surgery_as_a_list():
    return ["d", "c", "b", "e", "a"]


@wrong("06.surgery", "the result first")
def surgery_turned_round():
    return "AEBCD"


@wrong("06.surgery", "the mean over x is dropped before the logarithm is split")
def surgery_E_before_B():
    return "DCEBA"


@wrong("06.surgery", "split before q(z) is put in")
def surgery_B_before_C():
    return "DBCEA"


@wrong("06.surgery", "the last step is skipped over, E at the end")
def surgery_E_last():
    return "DCBAE"


@wrong("06.surgery", "begins where q(z) is in already")
def surgery_C_first():
    return "CDBEA"


@wrong("06.surgery", "one line forgotten")
def surgery_without_E():
    return "DCBA"


@wrong("06.surgery", "one line forgotten, the order is right so far")
def surgery_not_finished():
    return "DCB"


# 06.two_points


@right("06.two_points")
def four_points_worked_out():
    return 0.5 + 0.2 - 0.9


@right("06.two_points")
def four_points_as_a_tensor():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    k = lambda a, b: 1 / (1 + (a - b.T) ** 2)
    return k(x, x)[0, 1] + k(y, y)[0, 1] - 2 * k(x, y).mean()


@wrong("06.two_points", "with the pairs of a point with itself: V")
def four_points_by_V():
    return 1.5 / 2 + 1.2 / 2 - 0.9


@wrong("06.two_points", "each pair counted once, divided by 4")
def four_points_half_inside():
    return 0.5 / 2 + 0.2 / 2 - 0.9


@wrong("06.two_points", "the cross term once")
def four_points_cross_once():
    return 0.7 - 0.45


@wrong("06.two_points", "the pair at one place left out, as if it were a point with itself")
def four_points_without_the_meeting():
    return 0.7 - 2 * (0.5 + 0.1 + 0.2) / 3


@wrong("06.two_points", "a distance cannot be negative: its size")
def four_points_positive():
    return 0.2


@wrong("06.two_points", "only the codes")
def four_points_without_the_prior():
    return 0.2 - 0.9


@wrong("06.two_points", "the cross term summed")
def four_points_cross_summed():
    return 0.7 - 2 * 1.8


@wrong("06.two_points", "the two means inside are averaged")
def four_points_mean_of_the_insides():
    return 0.35 - 0.9
