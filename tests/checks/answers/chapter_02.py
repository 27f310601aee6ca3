"""Chapter 02, importance sampling: answers of a class that had the exercise texts only."""

import math

import numpy as np
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tests.checks.answers import right, wrong

# 02.estimate


@right("02.estimate")
def estimate_mean_of_exp(log_w):
    return log_w.exp().mean(1)


@right("02.estimate")
def estimate_by_logsumexp_in_float64(log_w):
    return (log_w.double().logsumexp(1) - math.log(log_w.shape[1])).exp()


@right("02.estimate")
def estimate_by_loops(log_w):
    M, K, B = log_w.shape
    p = torch.zeros(M, B, dtype=torch.float64)
    for m in range(M):
        for b in range(B):
            p[m, b] = sum(math.exp(log_w[m, k, b].item()) for k in range(K)) / K
    return p


@wrong("02.estimate", "the mean of log w: an estimate of the ELBO")
def estimate_mean_of_logs(log_w):
    return log_w.mean(1)


@wrong("02.estimate", "first the mean of the logarithms, then exp: the geometric mean of the weights")
def estimate_exp_of_mean_log(log_w):
    return log_w.mean(1).exp()


@wrong("02.estimate", "left as a logarithm: log p(x)")
def estimate_left_as_logarithm(log_w):
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


@wrong("02.estimate", "sum for mean")
def estimate_sum_of_weights(log_w):
    return log_w.exp().sum(1)


@wrong("02.estimate", "averaged over the estimates, axis 0")
def estimate_mean_over_the_estimates(log_w):
    return log_w.exp().mean(0)


@wrong("02.estimate", "all MK weights in one estimate: [B]")
def estimate_all_in_one(log_w):
    return log_w.exp().mean((0, 1))


@wrong("02.estimate", "log w clipped at 0, as if a weight were a probability: wrong only where a weight exceeds 1")
def estimate_weights_clipped_at_one(log_w):
    return log_w.clamp_max(0.0).exp().mean(1)


@wrong("02.estimate", "the sum over K divided by M")
def estimate_divided_by_M(log_w):
    return log_w.exp().sum(1) / log_w.shape[0]


@wrong("02.estimate", "log-sum-exp without log K, and not exponentiated")
def estimate_logsumexp_alone(log_w):
    return log_w.logsumexp(1)


# 02.coverage


@right("02.coverage")
def coverage_mask(prior, likelihood, q):
    return (prior * likelihood)[q > 0].sum()


@right("02.coverage")
def coverage_where_and_einsum_in_float64(prior, likelihood, q):
    proposed = torch.where(q > 0, 1.0, 0.0).double()
    return torch.einsum("s,s,s->", prior.double(), likelihood.double(), proposed)


@right("02.coverage")
def coverage_by_a_loop_as_a_float(prior, likelihood, q):
    expectation = 0.0
    for p, chance, proposal in zip(prior.tolist(), likelihood.tolist(), q.tolist(), strict=True):
        if proposal == 0:
            continue
        expectation += proposal * (p * chance / proposal)
    return expectation


@right("02.coverage")
def coverage_nansum_of_q_times_w(prior, likelihood, q):
    return (q * (prior * likelihood / q)).nansum()


@wrong("02.coverage", "p(x) itself: the sum over all states, q plays no part")
def coverage_all_states(prior, likelihood, q):
    return (prior * likelihood).sum()


@wrong("02.coverage", "no thought of the zeros: 0 times infinity is nan")
def coverage_zero_times_infinity(prior, likelihood, q):
    return (q * (prior * likelihood / q)).sum()


@wrong("02.coverage", "the weights averaged over the states in place of over q")
def coverage_plain_mean_of_weights(prior, likelihood, q):
    covered = q > 0
    return (prior[covered] * likelihood[covered] / q[covered]).mean()


@wrong("02.coverage", "q lifted from zero by a floor in the weight and in front of it: the missed state comes back")
def coverage_floor_under_q(prior, likelihood, q):
    q = q.clamp_min(1e-8)
    return (q * (prior * likelihood / q)).sum()


@wrong("02.coverage", "the logarithm of it")
def coverage_logarithm(prior, likelihood, q):
    return (prior * likelihood)[q > 0].sum().log()


@wrong("02.coverage", "divided by the prior mass that q covers: p(x) given that z is covered")
def coverage_renormalised(prior, likelihood, q):
    covered = q > 0
    return (prior * likelihood)[covered].sum() / prior[covered].sum()


@wrong("02.coverage", "states that q proposes rarely are left out too: wrong only where 0 < q < 0.01")
def coverage_rare_states_dropped(prior, likelihood, q):
    return (prior * likelihood)[q > 0.01].sum()


@wrong("02.coverage", "the likelihood forgotten, and all states counted")
def coverage_prior_over_all_states(prior, likelihood, q):
    return prior.sum()


@wrong("02.coverage", "the likelihood summed by q: E_q of p(x|z), the prior ratio forgotten")
def coverage_mean_likelihood_under_q(prior, likelihood, q):
    return (q * likelihood).sum()


# 02.effective_sample_size


@right("02.effective_sample_size")
def ess_by_softmax(log_w):
    return 1 / log_w.softmax(1).square().sum(1)


@right("02.effective_sample_size")
def ess_by_two_logsumexps_in_float64(log_w):
    log_w = log_w.double()
    return (2 * log_w.logsumexp(1) - (2 * log_w).logsumexp(1)).exp()


@right("02.effective_sample_size")
def ess_by_loops_in_numpy(log_w):
    a = log_w.detach().cpu().numpy().astype(np.float64)
    M, _, B = a.shape
    answer = np.empty((M, B))
    for m in range(M):
        for b in range(B):
            w = np.exp(a[m, :, b] - a[m, :, b].max())
            answer[m, b] = w.sum() ** 2 / (w @ w)
    return answer


@right("02.effective_sample_size")
def ess_by_einsum(log_w):
    share = torch.exp(log_w - log_w.amax(1, keepdim=True))
    return share.sum(1) ** 2 / torch.einsum("mkb,mkb->mb", share, share)


@wrong("02.effective_sample_size", "exp first: under- and overflow")
def ess_exp_first(log_w):
    w = log_w.exp()
    return w.sum(1) ** 2 / (w**2).sum(1)


@wrong("02.effective_sample_size", "softmax over the estimates, axis 0")
def ess_over_the_estimates(log_w):
    return 1 / log_w.softmax(0).square().sum(0)


@wrong("02.effective_sample_size", "the share of K, between 1/K and 1")
def ess_as_a_share_of_K(log_w):
    return 1 / log_w.softmax(1).square().sum(1) / log_w.shape[1]


@wrong("02.effective_sample_size", "upside down: the sum of the squared shares")
def ess_upside_down(log_w):
    return log_w.softmax(1).square().sum(1)


@wrong("02.effective_sample_size", "the exponential of the entropy of the shares: another count, the perplexity")
def ess_perplexity(log_w):
    log_share = log_w.log_softmax(1)
    return (-(log_share.exp() * log_share).sum(1)).exp()


@wrong("02.effective_sample_size", "one maximum for all sets: a set far below the largest weight underflows to 0/0")
def ess_one_maximum_for_all_sets(log_w):
    w = (log_w - log_w.max()).exp()
    return w.sum(1) ** 2 / (w**2).sum(1)


@wrong("02.effective_sample_size", "log w clipped to what exp can hold: wrong only for large levels")
def ess_clipped_log_weights(log_w):
    w = log_w.double().clamp(-300, 300).exp()
    return w.sum(1) ** 2 / (w**2).sum(1)


@wrong("02.effective_sample_size", "the ratio formed of the log-weights themselves")
def ess_of_the_log_weights(log_w):
    return log_w.sum(1) ** 2 / (log_w**2).sum(1)


@wrong("02.effective_sample_size", "softmax over the batch, and the share of K")
def ess_softmax_over_the_batch_and_a_share(log_w):
    return 1 / log_w.softmax(2).square().sum(1) / log_w.shape[1]


# 02.mixture


@right("02.mixture")
def mixture_sum_then_logsumexp(z, share, mean, std):
    component = Normal(mean, std).log_prob(z.unsqueeze(1)).sum(-1)  # [K, C]
    return (component + share.log()).logsumexp(1)


@right("02.mixture")
def mixture_by_torch_distributions(z, share, mean, std):
    return MixtureSameFamily(Categorical(share), Independent(Normal(mean, std), 1)).log_prob(z)


@right("02.mixture")
def mixture_by_a_loop_over_components_in_numpy(z, share, mean, std):
    z, share, mean, std = (np.asarray(t, dtype=np.float64) for t in (z, share, mean, std))
    total = np.full(len(z), -np.inf)
    for c in range(len(share)):
        if share[c] == 0:
            continue
        eps = (z - mean[c]) / std[c]
        log_density = -0.5 * (eps**2).sum(1) - np.log(std[c]).sum() - 0.5 * z.shape[1] * np.log(2 * np.pi)
        total = np.logaddexp(total, np.log(share[c]) + log_density)
    return torch.from_numpy(total)


@wrong("02.mixture", "the order exchanged: logsumexp over the components in each dimension, then the sum")
def mixture_logsumexp_then_sum(z, share, mean, std):
    log_prob = Normal(mean, std).log_prob(z.unsqueeze(1))  # [K, C, L]
    return (log_prob + share.log()[:, None]).logsumexp(1).sum(-1)


@wrong("02.mixture", "the share added without its logarithm")
def mixture_share_without_log(z, share, mean, std):
    return (Normal(mean, std).log_prob(z.unsqueeze(1)).sum(-1) + share).logsumexp(1)


@wrong("02.mixture", "the shares forgotten")
def mixture_without_shares(z, share, mean, std):
    return Normal(mean, std).log_prob(z.unsqueeze(1)).sum(-1).logsumexp(1)


@wrong("02.mixture", "the mean of the log-densities by share: a geometric mixture")
def mixture_of_the_logarithms(z, share, mean, std):
    return (share * Normal(mean, std).log_prob(z.unsqueeze(1)).sum(-1)).sum(1)


@wrong("02.mixture", "densities first, then the logarithm: minus infinity far out")
def mixture_exp_then_log(z, share, mean, std):
    density = Normal(mean, std).log_prob(z.unsqueeze(1)).exp().prod(-1)
    return (share * density).sum(1).log()


@wrong("02.mixture", "a floor under the logarithm: wrong only far out")
def mixture_floor_under_the_logarithm(z, share, mean, std):
    density = Normal(mean, std).log_prob(z.unsqueeze(1)).sum(-1).exp()
    return ((share * density).sum(1) + 1e-10).log()


@wrong("02.mixture", "one Gaussian with the mixture's mean and spread")
def mixture_as_one_gaussian(z, share, mean, std):
    return Normal(share @ mean, share @ std).log_prob(z).sum(-1)


@wrong("02.mixture", "log share added in every dimension, before the sum over L: it counts L times")
def mixture_share_in_every_dimension(z, share, mean, std):
    return (Normal(mean, std).log_prob(z.unsqueeze(1)) + share.log()[:, None]).sum(-1).logsumexp(1)


@wrong("02.mixture", "std read as a variance, and the shares forgotten")
def mixture_variance_and_no_shares(z, share, mean, std):
    return Normal(mean, std.sqrt()).log_prob(z.unsqueeze(1)).sum(-1).logsumexp(1)


# 02.score_gradient


@right("02.score_gradient")
def score_gradient_by_a_surrogate(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = (model.log_joint(x, z) - log_q).detach()
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    surrogate = ((log_w - c) * log_q).mean((0, 1)).sum()
    return torch.autograd.grad(surrogate, mean)[0]


@right("02.score_gradient")
def score_gradient_in_closed_form(model, x, mean, std, eps):
    z = mean + std * eps
    log_w = (model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)).detach()
    K = eps.shape[1]
    advantage = (log_w - log_w.mean(1, keepdim=True)) * K / (K - 1)
    return torch.einsum("mkb,mkbl->bl", advantage, eps / std) / (eps.shape[0] * K)


@right("02.score_gradient")
def score_gradient_by_loops(model, x, mean, std, eps):
    M, K, B, _ = eps.shape
    z = mean + std * eps
    log_q = -(eps**2 / 2 + std.log() + math.log(2 * math.pi) / 2).sum(-1)
    log_w = model.log_joint(x, z) - log_q
    gradient = torch.zeros_like(mean)
    for b in range(B):
        for m in range(M):
            for k in range(K):
                others = [log_w[m, j, b] for j in range(K) if j != k]
                gradient[b] += (log_w[m, k, b] - sum(others) / len(others)) * eps[m, k, b] / std[b] / (M * K)
    return gradient.detach()


@right("02.score_gradient")
def score_gradient_by_the_variance_of_log_w(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    half_variance = 0.5 * log_w.var(1)  # [M, B], over K - 1
    return -torch.autograd.grad(half_variance.mean(0).sum(), mean)[0]


@wrong("02.score_gradient", "the mean over all K as baseline, the own sample included: shrunk by (K - 1)/K")
def score_gradient_mean_baseline(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = (model.log_joint(x, z) - log_q).detach()
    surrogate = ((log_w - log_w.mean(1, keepdim=True)) * log_q).mean((0, 1)).sum()
    return torch.autograd.grad(surrogate, mean)[0]


@wrong("02.score_gradient", "no baseline")
def score_gradient_no_baseline(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = (model.log_joint(x, z) - log_q).detach()
    return torch.autograd.grad((log_w * log_q).mean((0, 1)).sum(), mean)[0]


@wrong("02.score_gradient", "log w not detached: its own gradient comes in, multiplied by log q")
def score_gradient_log_w_not_detached(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = model.log_joint(x, z) - log_q
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    return torch.autograd.grad(((log_w - c) * log_q).mean((0, 1)).sum(), mean)[0]


@wrong("02.score_gradient", "z not detached: log q does not move with the mean any more, and the gradient is zero")
def score_gradient_z_not_detached(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = mean + std * eps
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = (model.log_joint(x, z) - log_q).detach()
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    return torch.autograd.grad(((log_w - c) * log_q).mean((0, 1)).sum(), mean)[0]


@wrong("02.score_gradient", "the reparameterised gradient")
def score_gradient_reparameterised(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = mean + std * eps
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    return torch.autograd.grad(log_w.mean((0, 1)).sum(), mean)[0]


@wrong("02.score_gradient", "the sign turned, as for a loss")
def score_gradient_of_the_loss(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = (model.log_joint(x, z) - log_q).detach()
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    return torch.autograd.grad(-((log_w - c) * log_q).mean((0, 1)).sum(), mean)[0]


@wrong("02.score_gradient", "leave-one-out along M, the estimates")
def score_gradient_leave_one_out_along_M(model, x, mean, std, eps):
    z = mean + std * eps
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    c = (log_w.sum(0, keepdim=True) - log_w) / (log_w.shape[0] - 1)
    return ((log_w - c)[..., None] * eps / std).mean((0, 1))


@wrong("02.score_gradient", "the mean over everything, the batch too: divided by B")
def score_gradient_divided_by_the_batch(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()
    log_q = Normal(mean, std).log_prob(z).sum(-1)
    log_w = (model.log_joint(x, z) - log_q).detach()
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    return torch.autograd.grad(((log_w - c) * log_q).mean(), mean)[0]


@wrong("02.score_gradient", "the score divided by sigma once too often: wrong only where std is not 1")
def score_gradient_eps_over_variance(model, x, mean, std, eps):
    z = mean + std * eps
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    return ((log_w - c)[..., None] * eps / std**2).mean((0, 1))


@wrong("02.score_gradient", "the others' sum divided by K, and summed over the samples in place of the mean")
def score_gradient_others_over_K_and_summed(model, x, mean, std, eps):
    z = mean + std * eps
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    c = (log_w.sum(1, keepdim=True) - log_w) / log_w.shape[1]
    return ((log_w - c)[..., None] * eps / std).sum(1).mean(0)


# 02.optimal_baseline


@right("02.optimal_baseline")
def optimal_baseline_by_the_squared_norm(log_w, score):
    weight = score.square().sum(-1)
    return (weight * log_w).sum((0, 1)) / weight.sum((0, 1))


@right("02.optimal_baseline")
def optimal_baseline_by_einsum_in_float64(log_w, score):
    log_w, score = log_w.double(), score.double()
    above = torch.einsum("mkbp,mkbp,mkb->b", score, score, log_w)
    below = torch.einsum("mkbp,mkbp->b", score, score)
    return above / below


@right("02.optimal_baseline")
def optimal_baseline_by_least_squares(log_w, score):
    B = log_w.shape[2]
    answers = []
    for b in range(B):
        s = score[:, :, b].double().reshape(-1, 1)  # c s = log w s, in the least squares
        target = (score[:, :, b] * log_w[:, :, b, None]).double().reshape(-1, 1)
        answers.append((s.T @ target / (s.T @ s)).item())
    return answers


@wrong("02.optimal_baseline", "one c for each parameter: [B, P]")
def optimal_baseline_one_for_each_parameter(log_w, score):
    weight = score.square()
    return (weight * log_w[..., None]).mean((0, 1)) / weight.mean((0, 1))


@wrong("02.optimal_baseline", "the separate optima of the parameters, averaged")
def optimal_baseline_mean_of_the_separate_ones(log_w, score):
    weight = score.square()
    return ((weight * log_w[..., None]).mean((0, 1)) / weight.mean((0, 1))).mean(-1)


@wrong("02.optimal_baseline", "the square of the summed scores, not the sum of their squares")
def optimal_baseline_square_of_the_sum(log_w, score):
    weight = score.sum(-1).square()
    return (weight * log_w).mean((0, 1)) / weight.mean((0, 1))


@wrong("02.optimal_baseline", "the norm without its square")
def optimal_baseline_by_the_norm(log_w, score):
    weight = score.norm(dim=-1)
    return (weight * log_w).mean((0, 1)) / weight.mean((0, 1))


@wrong("02.optimal_baseline", "the mean of the ratios: c* over K in each estimate, then averaged over M")
def optimal_baseline_ratio_in_each_estimate(log_w, score):
    weight = score.square().sum(-1)
    return ((weight * log_w).sum(1) / weight.sum(1)).mean(0)


@wrong("02.optimal_baseline", "the plain mean of log w: the ELBO as a baseline")
def optimal_baseline_that_is_the_elbo(log_w, score):
    return log_w.mean((0, 1))


@wrong("02.optimal_baseline", "one c for the whole batch, given to every data point")
def optimal_baseline_one_for_the_batch(log_w, score):
    weight = score.square().sum(-1)
    return ((weight * log_w).sum() / weight.sum()).expand(log_w.shape[2])


@wrong("02.optimal_baseline", "a floor of 1 under the denominator: wrong only where the scores are small")
def optimal_baseline_floor_under_the_denominator(log_w, score):
    weight = score.square().sum(-1)
    return (weight * log_w).mean((0, 1)) / weight.mean((0, 1)).clamp_min(1.0)


@wrong("02.optimal_baseline", "the denominator forgotten, and the scores not squared")
def optimal_baseline_no_denominator_and_no_square(log_w, score):
    return (score.sum(-1) * log_w).mean((0, 1))


# 02.frozen_guide


@right("02.frozen_guide")
def frozen_guide_by_a_surrogate(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    log_w = log_joint[z] - log_q
    value = log_w.logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value + value.detach() * log_q.sum(), logits)[0]


@right("02.frozen_guide")
def frozen_guide_in_closed_form(log_joint, logits, z):
    log_joint, logits = log_joint.detach().double(), logits.detach().double()
    q = logits.softmax(-1)
    score = torch.nn.functional.one_hot(z, len(logits)).double() - q  # [K, states]
    log_w = log_joint[z] - q.log()[z]
    value = log_w.logsumexp(0) - math.log(len(z))
    return torch.einsum("k,ks->s", value - log_w.softmax(0), score)


@right("02.frozen_guide")
def frozen_guide_by_loops_in_two_parts(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = Categorical(logits=logits).log_prob(z)
    w = log_joint[z].detach() - log_q.detach()
    value = torch.logsumexp(w, 0) - math.log(len(z))
    share = torch.softmax(w, 0)
    gradient = torch.zeros_like(logits)
    for k in range(len(z)):
        s = torch.autograd.grad(log_q[k], logits, retain_graph=True)[0]
        gradient = gradient + value * s - share[k] * s
    return gradient


@wrong("02.frozen_guide", "mended half: the detach is taken away, and only the weights move")
def frozen_guide_only_the_weights_move(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value, logits)[0]


@wrong("02.frozen_guide", "mended half: only the draws move, the weights stay detached")
def frozen_guide_only_the_draws_move(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    log_w = log_joint[z] - log_q.detach()
    value = log_w.logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value * log_q.sum(), logits)[0]


@wrong("02.frozen_guide", "value not detached in front of the score")
def frozen_guide_value_not_detached(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value + value * log_q.sum(), logits)[0]


@wrong("02.frozen_guide", "the mean of log q in place of its sum: the score of one draw, not of all K")
def frozen_guide_mean_of_the_scores(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value + value.detach() * log_q.mean(), logits)[0]


@wrong("02.frozen_guide", "each draw's own log weight in front of its score: the ELBO's gradient times K")
def frozen_guide_own_weight_for_the_value(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    log_w = log_joint[z] - log_q
    value = log_w.logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value + (log_w.detach() * log_q).sum(), logits)[0]


@wrong("02.frozen_guide", "the sign turned, as for a loss")
def frozen_guide_minus_sign(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))
    return -torch.autograd.grad(value + value.detach() * log_q.sum(), logits)[0]


@wrong("02.frozen_guide", "log q added in the weight in place of subtracted")
def frozen_guide_log_q_added(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] + log_q).logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value + value.detach() * log_q.sum(), logits)[0]


@wrong("02.frozen_guide", "grad[z] += counts a state once: wrong only where a state is drawn twice")
def frozen_guide_state_drawn_twice_counted_once(log_joint, logits, z):
    q = logits.detach().softmax(-1)
    log_w = (log_joint - q.log()).detach()[z]
    factor = log_w.logsumexp(0) - math.log(len(z)) - log_w.softmax(0)  # [K]
    gradient = -factor.sum() * q
    gradient[z] += factor
    return gradient


@wrong("02.frozen_guide", "logits taken for log q without a softmax, and value not detached")
def frozen_guide_no_softmax_and_not_detached(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value + value * log_q.sum(), logits)[0]


# 02.log_likelihood


@right("02.log_likelihood")
def judge_by_logaddexp(draw, K, chunk):
    total, drawn = None, 0
    while drawn < K:
        log_w = draw(min(chunk, K - drawn))
        drawn += len(log_w)
        part = log_w.logsumexp(0)
        total = part if total is None else torch.logaddexp(total, part)
    return total - math.log(K)


@right("02.log_likelihood")
def judge_by_a_list_of_sums(draw, K, chunk):
    full, rest = divmod(K, chunk)
    sums = [draw(n).logsumexp(0) for n in [chunk] * full + [rest] * (rest > 0)]
    return torch.stack(sums).logsumexp(0) - math.log(K)


@right("02.log_likelihood")
def judge_with_a_running_maximum(draw, K, chunk):
    top = torch.full((), -math.inf, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, K, chunk):
        log_w = draw(min(chunk, K - start)).double()
        new = torch.maximum(top, log_w.amax(0))
        total = total * (top - new).exp() + (log_w - new).exp().sum(0)
        top = new
    return top + (total / K).log()


@right("02.log_likelihood")
def judge_one_sample_at_a_time(draw, K, chunk):
    total = draw(1)[0]
    for _ in range(K - 1):
        total = torch.logaddexp(total, draw(1)[0])
    return total - math.log(K)


@wrong("02.log_likelihood", "the mean of the chunks' logarithms")
def judge_mean_of_the_chunks(draw, K, chunk):
    values = []
    for start in range(0, K, chunk):
        log_w = draw(min(chunk, K - start))
        values.append(log_w.logsumexp(0) - math.log(len(log_w)))
    return torch.stack(values).mean(0)


@wrong("02.log_likelihood", "the chunks' means pooled, each with the same weight: the last one is smaller")
def judge_every_chunk_alike(draw, K, chunk):
    values = []
    for start in range(0, K, chunk):
        log_w = draw(min(chunk, K - start))
        values.append(log_w.logsumexp(0) - math.log(len(log_w)))
    return torch.stack(values).logsumexp(0) - math.log(len(values))


@wrong("02.log_likelihood", "log chunk in place of log K")
def judge_log_chunk(draw, K, chunk):
    total = torch.tensor(-math.inf)
    for start in range(0, K, chunk):
        total = torch.logaddexp(total, draw(min(chunk, K - start)).logsumexp(0))
    return total - math.log(chunk)


@wrong("02.log_likelihood", "log K forgotten")
def judge_without_log_K(draw, K, chunk):
    total = torch.tensor(-math.inf)
    for start in range(0, K, chunk):
        total = torch.logaddexp(total, draw(min(chunk, K - start)).logsumexp(0))
    return total


@wrong("02.log_likelihood", "the samples that do not fill a chunk left out")
def judge_full_chunks_only(draw, K, chunk):
    total = torch.tensor(-math.inf)
    for _ in range(K // chunk):
        total = torch.logaddexp(total, draw(chunk).logsumexp(0))
    return total - math.log(K)


@wrong("02.log_likelihood", "every chunk full, so that there are more than K samples; divided by K")
def judge_last_chunk_full(draw, K, chunk):
    total = torch.tensor(-math.inf)
    for _ in range(0, K, chunk):
        total = torch.logaddexp(total, draw(chunk).logsumexp(0))
    return total - math.log(K)


@wrong("02.log_likelihood", "weights summed, the logarithm at the end: under- and overflow")
def judge_sum_of_the_weights(draw, K, chunk):
    total = 0.0
    for start in range(0, K, chunk):
        total = total + draw(min(chunk, K - start)).exp().sum(0)
    return (total / K).log()


@wrong("02.log_likelihood", "the same with a floor")
def judge_sum_of_the_weights_with_a_floor(draw, K, chunk):
    total = 0.0
    for start in range(0, K, chunk):
        total = total + draw(min(chunk, K - start)).exp().sum(0)
    return (total / K + 1e-10).log()


@wrong("02.log_likelihood", "the running logarithm begun at 0")
def judge_begun_at_zero(draw, K, chunk):
    total = torch.zeros(())
    for start in range(0, K, chunk):
        total = torch.logaddexp(total, draw(min(chunk, K - start)).logsumexp(0))
    return total - math.log(K)


@wrong("02.log_likelihood", "the chunks' logarithms added")
def judge_logarithms_added(draw, K, chunk):
    total = 0.0
    for start in range(0, K, chunk):
        total = total + draw(min(chunk, K - start)).logsumexp(0)
    return total - math.log(K)


@wrong("02.log_likelihood", "the old sum is not rescaled when a larger weight comes")
def judge_old_sum_as_it_was(draw, K, chunk):
    top, total = torch.tensor(-math.inf), 0.0
    for start in range(0, K, chunk):
        log_w = draw(min(chunk, K - start))
        top = torch.maximum(top, log_w.amax(0))
        total = total + (log_w - top).exp().sum(0)
    return top + (total / K).log()


@wrong("02.log_likelihood", "the loop overwrites the total")
def judge_that_forgets(draw, K, chunk):
    for start in range(0, K, chunk):
        total = draw(min(chunk, K - start)).logsumexp(0)
    return total - math.log(K)


@wrong("02.log_likelihood", "all at once, whatever the chunk")
def judge_all_at_once(draw, K, chunk):
    return draw(K).logsumexp(0) - math.log(K)


@wrong("02.log_likelihood", "the mean of log w")
def judge_that_is_the_elbo(draw, K, chunk):
    parts = [draw(min(chunk, K - start)) for start in range(0, K, chunk)]
    return torch.cat(parts).mean(0)


@wrong("02.log_likelihood", "one number for the batch")
def judge_of_the_batch(draw, K, chunk):
    parts = [draw(min(chunk, K - start)) for start in range(0, K, chunk)]
    return (torch.cat(parts).logsumexp(0) - math.log(K)).mean()


# 02.worth_by_hand


@right("02.worth_by_hand")
def worth_whole_number():
    return 149


@right("02.worth_by_hand")
def worth_not_rounded():
    return 1000 / (0.64 / 0.28**0.5) ** 10


@wrong("02.worth_by_hand", "one dimension only")
def worth_of_one_dimension():
    return 827


@wrong("02.worth_by_hand", "0.8 in the place of 0.64")
def worth_with_the_deviation():
    return 724


@wrong("02.worth_by_hand", "ten times chi squared")
def worth_added():
    return 323


@wrong("02.worth_by_hand", "divided by chi squared alone")
def worth_without_the_one():
    return 175.5


@wrong("02.worth_by_hand", "0.8 to the tenth of them")
def worth_by_the_widths():
    return 107


@wrong("02.worth_by_hand", "the share and not the number")
def worth_as_a_share():
    return 0.149


@wrong("02.worth_by_hand", "a digit lost on the way")
def worth_rounded_on_the_way():
    return 148


# 02.first_false_line


@right("02.first_false_line")
def false_line_C():
    return "C"


@right("02.first_false_line")
def false_line_small():
    return "c"


@wrong("02.first_false_line", "a narrow q does not cover, so A")
def false_line_A():
    return "A"


@wrong("02.first_false_line", "the law of large numbers needs a variance, so B")
def false_line_B():
    return "B"


@wrong("02.first_false_line", "the 95% are wrong, so D")
def false_line_D():
    return "D"
