"""Chapter 05, better gradients: answers written from the exercises' text alone."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch.distributions import Normal

from tests.checks.answers import right, wrong

K = 8  # in the notebook a loop further up has left this name behind

# 05.two_terms


@right("05.two_terms")
def terms_share_times_difference(log_w, path, score):
    return (log_w.softmax(0) * (path - score)).sum(0)


@right("05.two_terms")
def terms_by_einsum_one_after_the_other(log_w, path, score):
    share = torch.exp(log_w - log_w.logsumexp(0))
    return torch.einsum("kb,kb->b", share, path) - torch.einsum("kb,kb->b", share, score)


@right("05.two_terms")
def terms_in_loops(log_w, path, score):
    result = []
    for b in range(log_w.shape[1]):
        top = max(log_w[:, b].tolist())
        w = [math.exp(v - top) for v in log_w[:, b].tolist()]
        slope = [h - s for h, s in zip(path[:, b].tolist(), score[:, b].tolist())]
        result.append(sum(wk * g for wk, g in zip(w, slope)) / sum(w))
    return torch.tensor(result)


@wrong("05.two_terms", "score added in place of subtracted")
def terms_added(log_w, path, score):
    return (log_w.softmax(0) * (path + score)).sum(0)


@wrong("05.two_terms", "score dropped: STL")
def terms_score_dropped(log_w, path, score):
    return (log_w.softmax(0) * path).sum(0)


@wrong("05.two_terms", "squared shares of the path: DReG, right on average only")
def terms_of_dreg(log_w, path, score):
    return (log_w.softmax(0) ** 2 * path).sum(0)


@wrong("05.two_terms", "equal credit: the gradient of the ELBO")
def terms_with_equal_credit(log_w, path, score):
    return (path - score).mean(0)


@wrong("05.two_terms", "shares over the batch")
def terms_shares_over_the_batch(log_w, path, score):
    return (log_w.softmax(1) * (path - score)).sum(0)


@wrong("05.two_terms", "the share multiplies the path alone")
def terms_share_on_the_path_alone(log_w, path, score):
    return (log_w.softmax(0) * path - score).sum(0)


@wrong("05.two_terms", "one maximum for all data points: 0 / 0 where their levels are far apart")
def terms_one_maximum_for_all(log_w, path, score):
    w = (log_w - log_w.max()).exp()
    return (w * (path - score)).sum(0) / w.sum(0)


@wrong("05.two_terms", "sign turned and mean in place of sum")
def terms_sign_turned_and_averaged(log_w, path, score):
    return (log_w.softmax(0) * (score - path)).mean(0)


# 05.dreg_weights


@right("05.dreg_weights")
def squares_of_pooled_shares(log_w):
    return log_w.flatten(0, 1).softmax(0).square().view_as(log_w)


@right("05.dreg_weights")
def squares_in_logarithms(log_w):
    return torch.exp(2 * (log_w - torch.logsumexp(log_w, (0, 1), keepdim=True)))


@right("05.dreg_weights")
def squares_in_numpy_for_each_data_point(log_w):
    a = log_w.detach().numpy().astype(float)
    result = np.zeros_like(a)
    for b in range(a.shape[2]):
        w = np.exp(a[:, :, b] - a[:, :, b].max())
        result[:, :, b] = (w / w.sum()) ** 2
    return torch.from_numpy(result)


@wrong("05.dreg_weights", "shares not squared")
def squares_forgotten(log_w):
    return log_w.flatten(0, 1).softmax(0).view_as(log_w)


@wrong("05.dreg_weights", "shares inside each group, not pooled")
def squares_of_shares_within_groups(log_w):
    return log_w.softmax(1) ** 2


@wrong("05.dreg_weights", "squared first: the squared weights add up to one")
def squares_taken_first(log_w):
    return (2 * log_w).flatten(0, 1).softmax(0).view_as(log_w)


@wrong("05.dreg_weights", "the log-weights squared before the softmax")
def squares_of_log_weights(log_w):
    return (log_w**2).flatten(0, 1).softmax(0).view_as(log_w)


@wrong("05.dreg_weights", "line 3 returned: share minus squared share")
def squares_subtracted_from_shares(log_w):
    share = log_w.flatten(0, 1).softmax(0).view_as(log_w)
    return share - share**2


@wrong("05.dreg_weights", "exp first: 0 / 0 near -800")
def squares_exp_first(log_w):
    w = log_w.exp()
    return (w / w.sum((0, 1))) ** 2


@wrong("05.dreg_weights", "one softmax over everything: pools the batch too, right for B = 1")
def squares_pooled_over_the_batch(log_w):
    return log_w.flatten().softmax(0).view_as(log_w) ** 2


@wrong("05.dreg_weights", "within groups, and divided by M before the square")
def squares_within_groups_over_M(log_w):
    return (log_w.softmax(1) / len(log_w)) ** 2


# 05.spot_the_hook


@right("05.spot_the_hook")
def hook_on_z_itself(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    z.register_hook(lambda gradient: share * gradient)
    (share * log_w).sum().backward()
    return mu.grad


@right("05.spot_the_hook")
def hook_replaced_by_squared_shares(mu, sigma, eps, log_joint):
    mu = mu.detach().clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    return torch.autograd.grad((share**2 * log_w).sum(), mu)[0]


@right("05.spot_the_hook")
def hook_replaced_by_the_slope_at_z(mu, sigma, eps, log_joint):
    z = (mu + sigma * eps).detach().requires_grad_()
    log_p = log_joint(z)
    path = torch.autograd.grad(log_p.sum(), z)[0] + eps / sigma  # d log w / d z, and d z / d mu is 1
    log_w = log_p.detach() + 0.5 * eps**2  # up to a constant
    return (log_w.softmax(0) ** 2 * path).sum(0)


@wrong("05.spot_the_hook", "the hook fires and the shares are squared too: cubes")
def hook_fires_and_shares_squared_too(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    z.register_hook(lambda gradient: share * gradient)
    (share**2 * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "the hook is on z but returns nothing")
def hook_that_returns_nothing(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()

    def multiply(gradient):
        gradient = share * gradient

    z.register_hook(multiply)
    (share * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "the clone is kept in a name, and still nothing flows through it")
def hook_on_a_named_clone(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    z = z.clone()
    z.register_hook(lambda gradient: share * gradient)
    (share * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "the score term comes back: mu not held fixed inside log q")
def hook_mended_but_score_kept(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu, sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    z.register_hook(lambda gradient: share * gradient)
    (share * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "plain IWAE: the right mean, but not DReG's gradient")
def hook_thrown_away_for_plain_iwae(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu, sigma).log_prob(z)
    return torch.autograd.grad((log_w.logsumexp(0) - math.log(len(eps))).sum(), mu)[0]


@wrong("05.spot_the_hook", "shares not detached")
def hook_mended_but_shares_not_detached(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0)
    z.register_hook(lambda gradient: share.detach() * gradient)
    (share * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "squared shares divided by their sum")
def hook_with_squares_made_to_add_up_to_one(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    weight = (2 * log_w).softmax(0).detach()
    (weight * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "exp first: 0 / 0 where log p(x, z) is far below zero")
def hook_mended_but_exp_first(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    w = log_w.exp().detach()
    share = w / w.sum(0)
    z.register_hook(lambda gradient: share * gradient)
    (share * log_w).sum().backward()
    return mu.grad


@wrong("05.spot_the_hook", "shares over the batch, and the gradient of the loss: sign turned")
def hook_with_shares_over_the_batch_and_a_loss(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(1).detach()
    z.register_hook(lambda gradient: share * gradient)
    (-(share * log_w).sum()).backward()
    return mu.grad


# 05.spot_the_guide


@right("05.spot_the_guide")
def guide_by_surrogate(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad((L.detach() * log_q.sum(0) + L).sum(), mu)[0]


@right("05.spot_the_guide")
def guide_by_the_formula(mu, sigma, eps, log_joint):
    z = (mu + sigma * eps).detach()
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    L = torch.logsumexp(log_w, 0) - math.log(len(log_w))
    score = (z - mu.detach()) / sigma**2
    return ((L - log_w.softmax(0)) * score).sum(0).detach()


@wrong("05.spot_the_guide", "a baseline, which the card excludes: the same mean with less noise, and other numbers")
def guide_with_leave_one_out_baselines(mu, sigma, eps, log_joint):
    # each baseline is free of its own sample, and a score has mean zero
    z = (mu + sigma * eps).detach()
    log_w = (log_joint(z) - Normal(mu, sigma).log_prob(z)).detach()  # [K, B]
    K = len(log_w)
    value = log_w.logsumexp(0) - math.log(K)
    result = torch.zeros_like(mu)
    for k in range(K):
        others = torch.cat([log_w[:k], log_w[k + 1 :]])
        baseline = others.logsumexp(0) - math.log(K - 1) if K > 1 else 0.0
        result = result + (value - log_w.softmax(0)[k] - baseline) * (z[k] - mu) / sigma**2
    return result.detach()


@wrong("05.spot_the_guide", "only the first part: the bound's own dependence on q is missing")
def guide_second_part_missing(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad((L.detach() * log_q.sum(0)).sum(), mu)[0]


@wrong("05.spot_the_guide", "detach forgotten in the first part")
def guide_factor_not_detached(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad((L * log_q.sum(0) + L).sum(), mu)[0]


@wrong("05.spot_the_guide", "mean over the samples in place of the sum of the scores")
def guide_mean_of_scores(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad((L.detach() * log_q.mean(0) + L).sum(), mu)[0]


@wrong("05.spot_the_guide", "plus the shares in place of minus")
def guide_shares_added(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad((L.detach() * log_q.sum(0) - L).sum(), mu)[0]


@wrong("05.spot_the_guide", "z's detach taken away, which was to stay")
def guide_differentiates_the_sample(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad(L.sum(), mu)[0]


@wrong("05.spot_the_guide", "each score times its own log-weight: the ELBO's formula, K times")
def guide_each_score_times_its_own_log_weight(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    log_w = log_joint(z) - log_q
    L = log_w.logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad(((log_w.detach() * log_q).sum(0) + L).sum(), mu)[0]


@wrong("05.spot_the_guide", "the batch's mean value, own one included, as baseline: biased, the more the smaller B")
def guide_with_the_batch_mean_as_baseline(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad(((L - L.mean()).detach() * log_q.sum(0) + L).sum(), mu)[0]


@wrong("05.spot_the_guide", "sign of a loss, and the second part missing")
def guide_of_a_loss_without_the_second_part(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    return torch.autograd.grad(-(L.detach() * log_q.sum(0)).sum(), mu)[0]


# 05.own_row


@right("05.own_row")
def row_by_the_table(log_w, alpha):
    v = ((1 - alpha) * log_w).softmax(1)
    return (alpha * v + (1 - alpha) * v**2) / len(log_w)


@right("05.own_row")
def row_derivative_minus_its_diagonal(log_w, alpha):
    log_w = log_w.double()
    scaled = (1 - alpha) * log_w
    a = torch.exp(scaled - scaled.logsumexp(1, keepdim=True)) / log_w.shape[0]
    v = a * log_w.shape[0]
    return a - (1 - alpha) * (v - v * v) / log_w.shape[0]


@right("05.own_row")
def row_group_by_group_in_numpy(log_w, alpha):
    M = log_w.shape[0]
    groups = []
    for group in log_w.detach().numpy():
        power = np.exp((1 - alpha) * (group - group.max(axis=0)))
        v = power / power.sum(axis=0)
        groups.append(v * (alpha + (1 - alpha) * v) / M)
    return torch.from_numpy(np.stack(groups))


@wrong("05.own_row", "the inner factor 1 - alpha forgotten: squares only")
def row_squares_only(log_w, alpha):
    v = ((1 - alpha) * log_w).softmax(1)
    return v**2 / len(log_w)


@wrong("05.own_row", "alpha and 1 - alpha exchanged")
def row_alpha_exchanged(log_w, alpha):
    v = ((1 - alpha) * log_w).softmax(1)
    return ((1 - alpha) * v + alpha * v**2) / len(log_w)


@wrong("05.own_row", "not divided by M")
def row_not_divided_by_M(log_w, alpha):
    v = ((1 - alpha) * log_w).softmax(1)
    return alpha * v + (1 - alpha) * v**2


@wrong("05.own_row", "shares of w in place of shares of its power")
def row_shares_of_the_plain_weights(log_w, alpha):
    v = log_w.softmax(1)
    return (alpha * v + (1 - alpha) * v**2) / len(log_w)


@wrong("05.own_row", "the weights of the whole slopes, nothing corrected")
def row_of_the_whole_slopes(log_w, alpha):
    return ((1 - alpha) * log_w).softmax(1) / len(log_w)


@wrong("05.own_row", "all samples pooled in place of groups")
def row_pooled(log_w, alpha):
    v = ((1 - alpha) * log_w).flatten(0, 1).softmax(0).view_as(log_w)
    return alpha * v + (1 - alpha) * v**2


@wrong("05.own_row", "the rule applied to v / M as if it were the share: right for M = 1 only")
def row_rule_applied_after_dividing(log_w, alpha):
    a = ((1 - alpha) * log_w).softmax(1) / len(log_w)
    return alpha * a + (1 - alpha) * a**2


@wrong("05.own_row", "power of the share not normalised again, and over M")
def row_power_of_the_share_over_M(log_w, alpha):
    v = log_w.softmax(0) ** (1 - alpha)
    return (alpha * v + (1 - alpha) * v**2) / len(log_w)


# 05.sandwich


@right("05.sandwich")
def slices_by_cat(log_w, log_w0):
    both = torch.cat([log_w0[:, None], log_w], 1)
    lower = (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)
    upper = (both.logsumexp(1) - math.log(both.shape[1])).mean(0)
    return torch.stack([lower, upper])


@right("05.sandwich")
def slices_by_logaddexp(log_w, log_w0):
    K = log_w.shape[1]
    total = log_w.logsumexp(1)
    return torch.stack([total - math.log(K), torch.logaddexp(total, log_w0) - math.log(K + 1)]).mean(1)


@right("05.sandwich")
def slices_in_numpy_loops(log_w, log_w0):
    a, a0 = log_w.detach().double().numpy(), log_w0.detach().double().numpy()
    M, _K, B = a.shape
    result = np.zeros((2, B))
    for m in range(M):
        for b in range(B):
            samples = list(a[m, :, b])
            for i, values in enumerate((samples, [*samples, a0[m, b]])):
                top = max(values)
                result[i, b] += (top + np.log(np.mean(np.exp(np.array(values) - top)))) / M
    return torch.from_numpy(result)


@wrong("05.sandwich", "log K in place of log(K + 1) in the upper bound")
def slices_upper_minus_log_K(log_w, log_w0):
    both = torch.cat([log_w0[:, None], log_w], 1)
    return torch.stack([log_w.logsumexp(1), both.logsumexp(1)]).mean(1) - math.log(log_w.shape[1])


@wrong("05.sandwich", "the upper estimate is still the surrogate, now with the posterior's sample in it")
def slices_surrogate_with_the_posterior_sample(log_w, log_w0):
    both = torch.cat([log_w0[:, None], log_w], 1)
    lower = (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)
    upper = (both.softmax(1) * both).sum(1).mean(0)
    return torch.stack([lower, upper])


@wrong("05.sandwich", "upper slice first")
def slices_upper_first(log_w, log_w0):
    both = torch.cat([log_w0[:, None], log_w], 1)
    upper = (both.logsumexp(1) - math.log(both.shape[1])).mean(0)
    lower = (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)
    return torch.stack([upper, lower])


@wrong("05.sandwich", "the posterior's sample goes into the lower bound too")
def slices_posterior_sample_in_both(log_w, log_w0):
    both = torch.cat([log_w0[:, None], log_w], 1)
    value = (both.logsumexp(1) - math.log(both.shape[1])).mean(0)
    return torch.stack([value, value])


@wrong("05.sandwich", "the EUBO for the upper bound: only the posterior's sample")
def slices_upper_from_the_posterior_sample_alone(log_w, log_w0):
    lower = (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)
    return torch.stack([lower, log_w0.mean(0)])


@wrong("05.sandwich", "one of q's samples replaced: U of K - 1")
def slices_first_sample_replaced(log_w, log_w0):
    both = torch.cat([log_w0[:, None], log_w[:, 1:]], 1)
    return torch.stack([v.logsumexp(1).mean(0) - math.log(log_w.shape[1]) for v in (log_w, both)])


@wrong("05.sandwich", "the posterior's log-weights averaged over M before they are used: right for M = 1 only")
def slices_log_w0_averaged_first(log_w, log_w0):
    total = log_w.logsumexp(1)
    lower = (total - math.log(log_w.shape[1])).mean(0)
    upper = (torch.logaddexp(total, log_w0.mean(0)) - math.log(log_w.shape[1] + 1)).mean(0)
    return torch.stack([lower, upper])


@wrong("05.sandwich", "mean of two means in the upper bound, and groups pooled in the lower")
def slices_half_and_half_and_pooled(log_w, log_w0):
    M, K, _ = log_w.shape
    lower = log_w.logsumexp((0, 1)) - math.log(M * K)
    upper = torch.logaddexp(log_w.logsumexp(1) - math.log(K), log_w0).mean(0) - math.log(2)
    return torch.stack([lower, upper])


# 05.coefficients


@right("05.coefficients")
def coefficients_as_written(K, order):
    return [(-1) ** j * (K - j) ** order / (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


@right("05.coefficients")
def coefficients_by_products_of_fractions(K, order):
    # weights of an extrapolation in 1/K to zero
    result = []
    for j in range(order + 1):
        c = Fraction(1)
        for i in range(order + 1):
            if i != j:
                c *= Fraction(K - j, i - j)
        result.append(float(c))
    return result


@right("05.coefficients")
def coefficients_as_a_tensor_by_binomials(K, order):
    j = torch.arange(order + 1, dtype=torch.float64)
    binomials = torch.tensor([math.comb(order, i) for i in range(order + 1)], dtype=torch.float64)
    return (1 - 2 * (j % 2)) * binomials * (K - j) ** order / math.factorial(order)


@wrong("05.coefficients", "signs forgotten")
def coefficients_without_signs(K, order):
    return [(K - j) ** order / (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


@wrong("05.coefficients", "the last one missing: range(order)")
def coefficients_last_one_missing(K, order):
    return [(-1) ** j * (K - j) ** order / (math.factorial(order - j) * math.factorial(j)) for j in range(order)]


@wrong("05.coefficients", "brackets: only (m - j)! is below the bar, j! multiplies")
def coefficients_bracket_missing_below(K, order):
    return [(-1) ** j * (K - j) ** order / math.factorial(order - j) * math.factorial(j) for j in range(order + 1)]


@wrong("05.coefficients", "power j in place of the order")
def coefficients_power_j(K, order):
    return [(-1) ** j * (K - j) ** j / (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


@wrong("05.coefficients", "-1**j: the minus stands outside the power, all signs are negative")
def coefficients_minus_outside_the_power(K, order):
    return [-(1**j) * (K - j) ** order / (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


@wrong("05.coefficients", "returned from j = m down to 0")
def coefficients_in_reverse_order(K, order):
    return [
        (-1) ** j * (K - j) ** order / (math.factorial(order - j) * math.factorial(j))
        for j in reversed(range(order + 1))
    ]


@wrong("05.coefficients", "whole-number division: wrong where the quotient is not whole")
def coefficients_by_whole_number_division(K, order):
    return [(-1) ** j * (K - j) ** order // (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


@wrong("05.coefficients", "signs counted from the other end, and K without minus j")
def coefficients_K_not_lowered_and_signs_turned(K, order):
    return [(-1) ** (order - j) * K**order / (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


# 05.dreg_loss


@right("05.dreg_loss")
def dreg_by_a_hook_and_logsumexp(log_p, log_q, z):
    log_w = log_p - log_q
    M, K, B = log_w.shape
    share = log_w.detach().flatten(0, 1).softmax(0).view(M, K, B, 1)
    z.register_hook(lambda gradient: share * gradient)
    return -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean()


@right("05.dreg_loss")
def dreg_by_a_second_pass(log_p, log_q, z):
    log_w = log_p - log_q
    M, K, B = log_w.shape
    share = log_w.detach().flatten(0, 1).softmax(0).view(M, K, B)
    (slope,) = torch.autograd.grad(log_w.sum(), z, retain_graph=True)
    path = ((share**2 - share)[..., None] * slope.detach() * (z - z.detach())).sum() / B
    return -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean() - path


@wrong("05.dreg_loss", "no hook at all: the bound with log q held fixed")
def dreg_without_a_hook(log_p, log_q, z):
    log_w = log_p - log_q
    M, K, B = log_w.shape
    return -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean()


@wrong("05.dreg_loss", "the hook on a clone")
def dreg_hook_on_a_clone(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)
    z.clone().register_hook(lambda gradient: share[..., None] * gradient)
    return -(log_w.logsumexp((0, 1)) - math.log(share[..., 0].numel())).mean()


@wrong("05.dreg_loss", "the surrogate returned: its value is not the bound")
def dreg_surrogate_with_hook(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)
    z.register_hook(lambda gradient: share[..., None] * gradient)
    return -(share * log_w).sum((0, 1)).mean()


@wrong("05.dreg_loss", "squared shares in the sum, for both networks")
def dreg_squares_in_the_sum(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)
    return -(share**2 * log_w).sum((0, 1)).mean()


@wrong("05.dreg_loss", "the square in the hook as well: third power")
def dreg_square_in_the_hook(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)
    z.register_hook(lambda gradient: share[..., None] ** 2 * gradient)
    return -(log_w.logsumexp((0, 1)) - math.log(share[..., 0].numel())).mean()


@wrong("05.dreg_loss", "softmax over K only")
def dreg_shares_of_each_group(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().softmax(1)
    z.register_hook(lambda gradient: share[..., None] * gradient)
    return -(log_w.logsumexp((0, 1)) - math.log(share[..., 0].numel())).mean()


@wrong("05.dreg_loss", "log q detached")
def dreg_with_log_q_detached(log_p, log_q, z):
    log_w = log_p - log_q.detach()
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)
    z.register_hook(lambda gradient: share[..., None] * gradient)
    return -(log_w.logsumexp((0, 1)) - math.log(share[..., 0].numel())).mean()


@wrong("05.dreg_loss", "the sign of the bound")
def dreg_bound_and_not_loss(log_p, log_q, z):
    return -dreg_by_a_hook_and_logsumexp(log_p, log_q, z)


@wrong("05.dreg_loss", "w~ not detached in the sum, with the hook")
def dreg_with_moving_shares(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.flatten(0, 1).softmax(0).view_as(log_w)
    z.register_hook(lambda gradient: share[..., None] * gradient)
    return -(share * log_w).sum((0, 1)).mean()


@wrong("05.dreg_loss", "the hook prints and returns nothing")
def dreg_hook_that_returns_nothing(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)

    def hook(gradient):
        gradient = share[..., None] * gradient

    z.register_hook(hook)
    return -(log_w.logsumexp((0, 1)) - math.log(share[..., 0].numel())).mean()


@wrong("05.dreg_loss", "share without its last axis")
def dreg_share_without_an_axis(log_p, log_q, z):
    log_w = log_p - log_q
    share = log_w.detach().flatten(0, 1).softmax(0).view_as(log_w)
    z.register_hook(lambda gradient: share * gradient)
    loss = -(log_w.logsumexp((0, 1)) - math.log(share[..., 0].numel())).mean()
    return loss


@wrong("05.dreg_loss", "sum over the batch")
def dreg_summed_over_the_batch(log_p, log_q, z):
    return dreg_by_a_hook_and_logsumexp(log_p, log_q, z) * log_p.shape[2]


# 05.two_shares


@right("05.two_shares")
def shares_as_a_fraction():
    return Fraction(7, 8)


@right("05.two_shares")
def shares_worked_out():
    return (3 / 4) ** 2 * 2 - (1 / 4) ** 2 * 4


@wrong("05.two_shares", "plain shares")
def shares_plain():
    return 0.5


@wrong("05.two_shares", "squares normalised")
def shares_squares_normalised():
    return 1.4


@wrong("05.two_shares", "weights squared, not the shares")
def shares_weights_squared():
    return 14


@wrong("05.two_shares", "the sum squared")
def shares_sum_squared():
    return 0.25


@wrong("05.two_shares", "sign of -4 lost")
def shares_sign_lost():
    return 1.375


@wrong("05.two_shares", "9/16 of 2 alone")
def shares_first_alone():
    return 1.125


@wrong("05.two_shares", "a slip in 9/16")
def shares_nine_eighths_slip():
    return 0.75


# 05.rule_in_order


@right("05.rule_in_order")
def order_in_one_word():
    return "CEBA"


@right("05.rule_in_order")
def order_with_commas():
    return "c, e, b, a"


@wrong("05.rule_in_order", "the score's mean zero used after the first line")
def order_with_the_mean_of_a_product():
    return "CDA"


@wrong("05.rule_in_order", "all five lines, D at the end")
def order_of_all_five():
    return "CEBAD"


@wrong("05.rule_in_order", "begins with score to path")
def order_that_begins_with_E():
    return "ECBA"


@wrong("05.rule_in_order", "the chain rule before what it is applied to")
def order_with_the_chain_rule_too_early():
    return "CBEA"


@wrong("05.rule_in_order", "from the result backwards")
def order_backwards():
    return "ABEC"


@wrong("05.rule_in_order", "without the chain rule")
def order_without_the_chain_rule():
    return "CEA"
