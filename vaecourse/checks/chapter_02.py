"""The checks of chapter 02: weights and what they are worth, coverage, the score function and its baselines."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vaecourse import bounds, exact, gradients
from vaecourse.checks.frame import Check, Mistake

SHAPES = [(2, 3, 5), (4, 7, 3), (1, 6, 2)]  # M, K, B: all different, so that a swapped axis shows


def _log_weights(spread: float = 1.5, level: float = -3.0) -> list[tuple[Tensor]]:
    generator = torch.Generator().manual_seed(20)
    draw = lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return [(level + spread * draw(shape),) for shape in SHAPES]


# --- 1: an unbiased estimate of p(x) --------------------------------------------------------------------------------

ESTIMATE = Check(
    "02.estimate",
    solution=lambda log_w: log_w.exp().mean(1),
    cases=_log_weights,
    mistakes=[
        Mistake(
            "A14: mean of logs",
            lambda log_w: log_w.mean(1).exp(),
            "You averaged log w and exponentiated afterwards. That is exp(ELBO estimate), and by Jensen it lies "
            "below p(x) on average. Exponentiate first: the identity is about the mean of w.",
        ),
        Mistake(
            "A14: sum for mean",
            lambda log_w: log_w.exp().sum(1),
            "You summed the K weights. The sum grows with K and p(x) does not: divide by K.",
        ),
        Mistake(
            "A14: a log too many",
            lambda log_w: log_w.logsumexp(1) - math.log(log_w.shape[1]),
            "This is the log of the estimate. The estimate of p(x) is unbiased, its log is not; here p(x) itself is "
            "asked for.",
        ),
        Mistake(
            "A8: mean over M",
            lambda log_w: log_w.exp().mean(0),
            "You averaged over M, the independent estimates. Within one estimate the samples lie along K, the second"
            " axis.",
        ),
        Mistake(
            "M pooled too",
            lambda log_w: log_w.exp().mean((0, 1)),
            "You pooled all M K samples. That is unbiased too, and it leaves one estimate where M are asked for: "
            "without M separate ones you cannot compute a standard error.",
        ),
        Mistake(
            "forgot exp",
            lambda log_w: log_w.mean(1),
            "You averaged log w, which estimates the ELBO in nats. The weights are exp(log w).",
        ),
    ],
    praise="Yes. The mean of the weights is right on average for every K and every q that covers, even K = 1.",
)

# --- 2: effective sample size ---------------------------------------------------------------------------------------


def _log_weights_of_all_sizes() -> list[tuple[Tensor]]:
    return [*_log_weights(), *_log_weights(level=-900.0), *_log_weights(level=900.0)]


def _entropy_size(log_w: Tensor) -> Tensor:
    shares = log_w.softmax(1)
    return (-(shares * log_w.log_softmax(1)).sum(1)).exp()


ESS = Check(
    "02.effective_sample_size",
    solution=bounds.effective_sample_size,
    cases=_log_weights_of_all_sizes,
    mistakes=[
        Mistake(
            "A13: exp without the maximum",
            lambda log_w: log_w.exp().sum(1).square() / log_w.exp().square().sum(1),
            "The formula is right and the numbers are not: exp(-900) is 0 and exp(900) is inf, so you get 0/0 or "
            "inf/inf. Subtract the largest log w of each set first (softmax does), which leaves the ratio as it is.",
        ),
        Mistake(
            "upside down",
            lambda log_w: log_w.exp().square().sum(1) / log_w.exp().sum(1).square(),
            "You have the fraction upside down: the square of the sum stands above. (And exp of -900 or +900 fails: "
            "divide by the sum of the weights first, which is what softmax does.)",
        ),
        Mistake(
            "numerator not squared",
            lambda log_w: log_w.exp().sum(1) / log_w.exp().square().sum(1),
            "You did not square the sum above the line. A test: multiply all weights by 2. The number of samples "
            "must not change, and yours halves.",
        ),
        Mistake(
            "log-weights for weights",
            lambda log_w: log_w.sum(1).square() / log_w.square().sum(1),
            "You put log w where w belongs. The ratio is about the weights themselves.",
        ),
        Mistake(
            "a fraction of K",
            lambda log_w: bounds.effective_sample_size(log_w) / log_w.shape[1],
            "You divided by K. That is a fraction between 1/K and 1; asked for is a number of samples, between 1 and"
            " K.",
        ),
        Mistake(
            "A8: axis M for K",
            lambda log_w: bounds.effective_sample_size(log_w.transpose(0, 1)),
            "You normalised the weights over M. The K samples of one estimate share their weight: the second axis.",
        ),
        Mistake(
            "square of the sum missing",
            lambda log_w: log_w.softmax(1).square().sum(1),
            "This is the sum of the squared shares, between 1/K and 1. The effective sample size is its inverse.",
        ),
        Mistake(
            "entropy",
            _entropy_size,
            "This is exp(entropy of the shares), another sensible size. The one asked for is 1 / (sum of squared "
            "shares), because that is the one chi-square gives.",
        ),
    ],
    praise="Yes, and it survives log-weights of -900 and +900.",
)

# --- 3: coverage ----------------------------------------------------------------------------------------------------


def _discrete() -> list[tuple[Tensor, Tensor, Tensor]]:
    t = lambda *values: torch.tensor(values, dtype=torch.float64)  # noqa: E731
    return [
        (t(0.5, 0.3, 0.2), t(0.3, 0.2, 1.0), t(0.7, 0.3, 0.0)),
        (t(0.4, 0.1, 0.3, 0.2), t(0.9, 0.5, 0.1, 0.6), t(0.0, 0.6, 0.0, 0.4)),
        (t(0.25, 0.75), t(0.2, 0.4), t(0.5, 0.5)),
    ]


def _expected_weight(prior: Tensor, likelihood: Tensor, q: Tensor) -> Tensor:
    return (prior * likelihood)[q > 0].sum()


COVERAGE = Check(
    "02.coverage",
    solution=_expected_weight,
    cases=_discrete,
    mistakes=[
        Mistake(
            "B33: 0/0",
            lambda prior, likelihood, q: (q * (prior * likelihood / q)).sum(),
            "Where q is 0 you computed 0 times (something / 0), which is NaN. No sample ever lands there, so no "
            "division by zero ever happens in practice: leave those z out of the sum.",
        ),
        Mistake(
            "B33: the mass q misses",
            lambda prior, likelihood, q: (prior * likelihood).sum(),
            "This is p(x), the sum over every z. Samples of q never visit a z with q(z) = 0, so its share cannot be "
            "in the average.",
        ),
        Mistake(
            "weights summed, zeros too",
            lambda prior, likelihood, q: (prior * likelihood / q).sum(),
            "You added the weights, and one of them is something / 0 = inf. A mean under q counts each state q(z) "
            "times, and a state with q(z) = 0 not at all.",
        ),
        Mistake(
            "weights summed",
            lambda prior, likelihood, q: (prior * likelihood / q)[q > 0].sum(),
            "You added the weights, one for each state. A mean under q counts each state q(z) times: multiply each "
            "weight by q before you add.",
        ),
        Mistake(
            "weights averaged",
            lambda prior, likelihood, q: (prior * likelihood / q)[q > 0].mean(),
            "You averaged over the states as if q drew each equally often. Multiply each weight by q(z) and add.",
        ),
        Mistake(
            "prior without likelihood",
            lambda prior, likelihood, q: prior[q > 0].sum(),
            "You summed p(z). The weight is p(z) p(x|z) / q(z).",
        ),
        Mistake(
            "unweighted",
            lambda prior, likelihood, q: (q * prior * likelihood)[q > 0].sum(),
            "You averaged p(x, z) under q. The weight divides by q(z) before it is averaged.",
        ),
        Mistake(
            "q for the prior",
            lambda prior, likelihood, q: (q * likelihood).sum(),
            "You averaged the likelihood under q. That would be p(x) if q were the prior; the weight carries the "
            "ratio p(z)/q(z).",
        ),
    ],
    praise="Yes. Whatever q does not cover is missing from the mean, and nothing in the samples tells you so.",
)

# --- 4: a mixture as the proposal -----------------------------------------------------------------------------------


def _components(z: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """log N(z; mean_c, diag(std_c^2)) dimension by dimension. Shapes: ``[K, L], [C, L], [C, L] -> [K, C, L]``."""
    return Normal(mean, std).log_prob(z.unsqueeze(1))


def _mixture(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (share.log() + _components(z, mean, std).sum(-1)).logsumexp(-1)


def _mixture_cases() -> list[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(24)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    sizes = [(5, 2, 3), (4, 3, 2)]  # K, C, L
    cases = [(3 * draw(K, L), draw(C).softmax(0), 2 * draw(C, L), 0.3 + draw(C, L).abs()) for K, C, L in sizes]
    return [*cases, (300.0 + draw(6, 2), draw(3).softmax(0), draw(3, 2), 1.0 + draw(3, 2).abs())]


def _misplaced_parenthesis(z: Tensor, share: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    log_var = 2 * std.log()
    log_n = -0.5 * (log_var + (z.unsqueeze(1) - mean).square()) / log_var.exp() - 0.5 * math.log(2 * math.pi)
    return (share.log() + log_n.sum(-1)).logsumexp(-1)


MIXTURE = Check(
    "02.mixture",
    solution=_mixture,
    cases=_mixture_cases,
    mistakes=[
        Mistake(
            "A16: mixture in each dimension",
            lambda z, share, mean, std: (share.log().unsqueeze(-1) + _components(z, mean, std)).logsumexp(1).sum(-1),
            "You mixed the components in each dimension and added the dimensions afterwards. That density has a mode"
            " at every combination of coordinates, ghosts included. Add over L first, then mix over C.",
        ),
        Mistake(
            "log forgotten",
            lambda z, share, mean, std: (share * _components(z, mean, std).sum(-1).exp()).sum(-1),
            "This is the density. Asked for is its logarithm, and without the detour through exp: use logsumexp.",
        ),
        Mistake(
            "shares forgotten",
            lambda z, share, mean, std: _components(z, mean, std).sum(-1).logsumexp(-1),
            "You added the components' densities without their shares. This integrates to C and not to 1: add log "
            "share.",
        ),
        Mistake(
            "share without log",
            lambda z, share, mean, std: (share + _components(z, mean, std).sum(-1)).logsumexp(-1),
            "You added the share to a log-density. share times density becomes log share plus log-density.",
        ),
        Mistake(
            "share times log-density",
            lambda z, share, mean, std: (share * _components(z, mean, std).sum(-1)).logsumexp(-1),
            "You multiplied the log-density by the share. share times density becomes log share plus log-density.",
        ),
        Mistake(
            "share in every dimension",
            lambda z, share, mean, std: (share.log().unsqueeze(-1) + _components(z, mean, std)).sum(-1).logsumexp(-1),
            "You added log share once for each of the L dimensions. A component has one share: add it after the sum "
            "over L.",
        ),
        Mistake(
            "equal shares",
            lambda z, share, mean, std: _components(z, mean, std).sum(-1).logsumexp(-1) - math.log(len(share)),
            "You gave every component the share 1/C. The shares are an argument of the function.",
        ),
        Mistake(
            "A14: mean of logs",
            lambda z, share, mean, std: (share * _components(z, mean, std).sum(-1)).sum(-1),
            "You averaged the log-densities with the shares. A mixture averages densities, and takes the log of that.",
        ),
        Mistake(
            "A13: exp without the maximum",
            lambda z, share, mean, std: (share * _components(z, mean, std).sum(-1).exp()).sum(-1).log(),
            "Right as a formula. Far from every component exp gives 0 and the log gives -inf, and an infinite weight "
            "follows. Let logsumexp keep the logs.",
        ),
        Mistake(
            "A15: a variance used as standard deviation",
            lambda z, share, mean, std: _mixture(z, share, mean, std.square()),
            "You squared std before you handed it to Normal. Normal takes the standard deviation.",
        ),
        Mistake(
            "A17: parentheses",
            _misplaced_parenthesis,
            "You divided the log-variance by the variance too. Only the squared distance is divided: "
            "-1/2 (log var + (z - mean)^2 / var + log 2 pi).",
        ),
    ],
    praise="Yes: add over dimensions, then mix over components, all in logs.",
)

# --- 5: the score-function gradient with leave-one-out --------------------------------------------------------------


def _score_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(21)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    cases = []
    for M, K, B, D, L in [(2, 3, 5, 4, 2), (3, 5, 2, 1, 1)]:
        model = exact.LinearGaussian(draw(D, L), 0.7)
        cases.append((model, draw(B, D), draw(B, L), 0.5 + draw(B, L).abs(), draw(M, K, B, L)))
    return cases


def _leave_one_out(log_w: Tensor) -> Tensor:
    return gradients.baseline(log_w, "leave_one_out")


def _score_gradient(
    baseline: Callable[[Tensor], Tensor] = _leave_one_out,
    stops_w: bool = True,
    stops_z: bool = True,
    total: bool = False,
) -> Callable[..., Tensor]:
    """The right answer and its relatives: the gradient for q's mean of sum over B of mean (log w - c) log q."""

    def gradient(model: exact.LinearGaussian, x: Tensor, mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
        mean = mean.clone().requires_grad_()
        z = mean + std * eps
        z = z.detach() if stops_z else z
        log_q = Normal(mean, std).log_prob(z).sum(-1)
        log_w = model.log_joint(x, z) - log_q
        log_w = log_w.detach() if stops_w else log_w
        surrogate = (log_w - baseline(log_w)) * log_q
        return torch.autograd.grad((surrogate.sum() if total else surrogate.mean((0, 1)).sum()), mean)[0]

    return gradient


def _reparameterised(model: exact.LinearGaussian, x: Tensor, mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
    mean = mean.clone().requires_grad_()
    z = mean + std * eps
    log_w = model.log_joint(x, z) - Normal(mean, std).log_prob(z).sum(-1)
    return torch.autograd.grad(log_w.mean((0, 1)).sum(), mean)[0]


def _times(factor: Callable[[Tensor], float]) -> Callable[..., Tensor]:
    """The right gradient times a factor of the shape [M, K, B, L] of the noise."""
    return lambda model, x, mean, std, eps: factor(eps) * _score_gradient()(model, x, mean, std, eps)


def _in_sample_mean(log_w: Tensor) -> Tensor:
    return log_w.mean(1, keepdim=True)


SCORE = Check(
    "02.score_gradient",
    solution=_score_gradient(),
    cases=_score_cases,
    mistakes=[
        Mistake(
            "B31: in-sample mean",
            _score_gradient(_in_sample_mean),
            "Your baseline contains the sample it is subtracted from, which shrinks the gradient by exactly (K-1)/K. "
            "Average over the other K-1 samples.",
        ),
        Mistake(
            "A2: log w not detached",
            _score_gradient(stops_w=False),
            "A gradient flows through log w as well as through log q: the product rule adds a term of its own. "
            "In the score function log w is a plain number, the reward of its sample: detach it.",
        ),
        Mistake(
            "A2: in-sample mean, log w not detached",
            _score_gradient(_in_sample_mean, stops_w=False),
            "Two things: the baseline must leave its own sample out, and log w must be detached, because here it is "
            "a number and no function of q.",
        ),
        Mistake(
            "z not detached",
            _score_gradient(stops_z=False),
            "Your z still depends on the mean. Then log q(z) at z = mean + std eps does not change with the mean at "
            "all, and the gradient is 0. The score is the slope of log q at a fixed z: detach z.",
        ),
        Mistake(
            "nothing detached",
            _score_gradient(stops_w=False, stops_z=False),
            "Neither z nor log w is detached, so the gradient runs through the samples. The score function needs "
            "both as fixed numbers.",
        ),
        Mistake(
            "no baseline",
            _score_gradient(torch.zeros_like),
            "This is unbiased, with no baseline at all, and on the reference case its variance is three times what it "
            "need be. Subtract the leave-one-out mean.",
        ),
        Mistake(
            "leave-one-out over K, not K-1",
            _score_gradient(lambda log_w: (log_w.sum(1, keepdim=True) - log_w) / log_w.shape[1]),
            "You left the sample out of the sum and still divided by K. There are K-1 others.",
        ),
        Mistake(
            "A8: baseline over M",
            _score_gradient(lambda log_w: (log_w.sum(0, keepdim=True) - log_w) / (log_w.shape[0] - 1)),
            "You left one out along M. The K samples of one estimate lie along the second axis.",
        ),
        Mistake(
            "left out of all M K",
            _score_gradient(lambda w: (w.sum((0, 1)) - w) / (w.shape[0] * w.shape[1] - 1)),
            "You averaged over all M K - 1 others. That is unbiased too. Asked for are the other K - 1 of the same "
            "estimate, so that the M estimates stay independent: sum over the second axis only.",
        ),
        Mistake(
            "mean over all M K",
            _score_gradient(lambda w: w.mean((0, 1))),
            "Your baseline is the mean over all M K samples, its own among them: shrunk by (MK-1)/(MK). Average over "
            "the other K-1 samples of the same estimate.",
        ),
        Mistake(
            "reparameterised",
            _reparameterised,
            "This is the reparameterised gradient: unbiased, and quieter. Here the path through z is not to be used: "
            "detach z and log w, and let log q carry the gradient.",
        ),
        Mistake(
            "the sign of a loss",
            _times(lambda eps: -1.0),
            "Right but for the sign. This is the gradient of a loss, minus the ELBO; the ELBO's own is asked for.",
        ),
        Mistake(
            "sum over M",
            _times(lambda eps: float(eps.shape[0])),
            "You averaged over K and summed over M. The gradient of the ELBO is a mean over all M K samples.",
        ),
        Mistake(
            "mean over B",
            _times(lambda eps: 1 / eps.shape[2]),
            "You averaged over the batch as well. Each row of the answer is the gradient of its own data point: sum "
            "over B.",
        ),
        Mistake(
            "A14: sum for mean",
            _score_gradient(total=True),
            "You summed over the M K samples. The gradient of the ELBO is a mean over them.",
        ),
    ],
    praise="Yes: unbiased for every K >= 2, and no sample judges itself.",
)

# --- 6: the optimal baseline ----------------------------------------------------------------------------------------


def _scored_weights() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(22)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return [(draw(M, K, B) - 2, draw(M, K, B, P)) for M, K, B, P in [(2, 3, 5, 4), (3, 7, 2, 6)]]


def _ratio(log_w: Tensor, weight: Tensor) -> Tensor:
    return (weight * log_w).sum((0, 1)) / weight.sum((0, 1))


def _per_parameter(log_w: Tensor, score: Tensor) -> Tensor:
    squares = score.square()
    return (squares * log_w.unsqueeze(-1)).sum((0, 1)) / squares.sum((0, 1))


OPTIMAL = Check(
    "02.optimal_baseline",
    solution=lambda log_w, score: _ratio(log_w, score.square().sum(-1)),
    cases=_scored_weights,
    mistakes=[
        Mistake(
            "unweighted mean",
            lambda log_w, score: log_w.mean((0, 1)),
            "This is the plain mean of log w, the ELBO's estimate: a good baseline and not the best one. "
            "c* weighs each sample by its squared score.",
        ),
        Mistake(
            "score not squared",
            lambda log_w, score: _ratio(log_w, score.sum(-1)),
            "You weighted by the score itself. Its mean is 0, so the denominator is noise. The variance brings in "
            "its square.",
        ),
        Mistake(
            "norm not squared",
            lambda log_w, score: _ratio(log_w, score.norm(dim=-1)),
            "You weighted by the norm of the score. Setting the derivative of the second moment to zero gives the "
            "*squared* norm.",
        ),
        Mistake(
            "square of the sum",
            lambda log_w, score: _ratio(log_w, score.sum(-1).square()),
            "You added the parameters' scores and squared afterwards. The squared norm adds the squares.",
        ),
        Mistake(
            "one c for each parameter, averaged",
            lambda log_w, score: _per_parameter(log_w, score).mean(-1),
            "You computed the best c of each parameter and averaged them. The trace form minimises the *sum* of the "
            "variances: add the squared scores over the parameters before dividing.",
        ),
        Mistake(
            "one c for each parameter",
            _per_parameter,
            "These are the best baselines of each parameter alone, [B, P]. The exercise asks for the one c that "
            "serves all of them, [B].",
        ),
        Mistake(
            "M ratios averaged",
            lambda log_w, score: ((score.square().sum(-1) * log_w).sum(1) / score.square().sum(-1).sum(1)).mean(0),
            "You formed a ratio for each of the M estimates and averaged the ratios. Here all M K samples go into one "
            "ratio: sum above and below the line over both axes first.",
        ),
        Mistake(
            "not normalised",
            lambda log_w, score: (score.square().sum(-1) * log_w).mean((0, 1)),
            "The numerator is right. Divide by the mean squared score, so that c is an average of log w in nats.",
        ),
    ],
    praise="Yes: an average of log w in which the samples that pull hardest count most.",
)

# --- 7: spot the bug, a guide that cannot be reparameterised (A18) --------------------------------------------------


def _log_mean_gradient(
    score: bool = True, direct: bool = True, kind: str = "sample", sign: float = 1.0
) -> Callable[..., Tensor]:
    """The gradient of E log mean w for the logits of a categorical q, at fixed draws: score term and direct term."""

    def gradient(log_joint: Tensor, logits: Tensor, z: Tensor) -> Tensor:
        logits = logits.clone().requires_grad_()
        log_q = logits.log_softmax(-1)[z]  # [K]
        log_w = log_joint[z] - (log_q if direct else log_q.detach())
        value = log_w.logsumexp(0) - math.log(len(z))
        reward = {
            "sample": value,
            "mean": value / len(z),
            "elbo": log_w.mean(),
            "own": log_w,
            "log sum": log_w.logsumexp(0),
            "mean w": value.exp(),
        }[kind]
        surrogate = value * 1.0
        if score:
            surrogate = surrogate + (reward.detach() * log_q).sum()
        return sign * torch.autograd.grad(surrogate, logits, allow_unused=True, materialize_grads=True)[0]

    return gradient


def _log_mean_cases() -> list[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(23)
    cases = []
    for states, K in [(4, 3), (6, 5)]:
        log_joint = torch.randn(states, generator=generator, dtype=torch.float64) - 2
        logits = torch.randn(states, generator=generator, dtype=torch.float64)
        log_joint.requires_grad_()  # as from a decoder: the colleague's code runs, and the logits get nothing
        cases.append((log_joint, logits, torch.randint(states, (K,), generator=generator)))
    return cases


def _elbo_gradient(log_joint: Tensor, logits: Tensor, z: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    surrogate = ((log_joint[z] - log_q).detach() * log_q).mean()
    return torch.autograd.grad(surrogate, logits)[0]


GUIDE = Check(
    "02.frozen_guide",
    solution=_log_mean_gradient(),
    cases=_log_mean_cases,
    mistakes=[
        Mistake(
            "A18: no score term",
            _log_mean_gradient(score=False, direct=False),
            "The gradient is exactly 0. Is log q detached everywhere? Then nothing connects the value to the logits: "
            "add the score term, because how probable the draws are depends on them. Or is your reward w_k / sum of "
            "w? Then the two terms cancel: the reward is log mean w.",
        ),
        Mistake(
            "A18: direct term alone",
            _log_mean_gradient(score=False),
            "You freed log q inside the weights and stopped there. That term alone pushes q *away* from the heavy "
            "samples. Add log_mean_w, detached, times the sum of log q.",
        ),
        Mistake(
            "score term alone",
            _log_mean_gradient(direct=False),
            "The score term is right. The weights themselves contain q as well, and for K > 1 the mean of that term "
            "is not 0: let the gradient through log q inside log w.",
        ),
        Mistake(
            "score term divided by K",
            _log_mean_gradient(kind="mean"),
            "You averaged the scores. The K samples are drawn together, so the log-probability of the draw is the "
            "*sum* of their log q.",
        ),
        Mistake(
            "the ELBO's reward",
            _log_mean_gradient(kind="elbo"),
            "Your reward is the mean of log w, the ELBO's. The bound here is the log of the mean, and that is the "
            "number each draw must be judged by.",
        ),
        Mistake(
            "each sample its own reward",
            _log_mean_gradient(kind="own"),
            "You multiplied each score by its own log w. The bound has one value for the whole draw: all K scores "
            "get the same reward, log mean w.",
        ),
        Mistake(
            "log K left out of the reward",
            _log_mean_gradient(kind="log sum"),
            "Your reward is the log of the sum. That adds log K times the scores: no bias, and a baseline that nobody "
            "asked for. Subtract log K.",
        ),
        Mistake(
            "the mean weight as reward",
            _log_mean_gradient(kind="mean w"),
            "Your reward is the mean weight. The bound is its logarithm, and the logarithm is the reward.",
        ),
        Mistake(
            "the sign of a loss",
            _log_mean_gradient(sign=-1.0),
            "Right but for the sign. This is the gradient of a loss; the bound's own is asked for.",
        ),
        Mistake(
            "the ELBO's gradient",
            _elbo_gradient,
            "This is the score-function gradient of the ELBO, and a right one. The objective here is log mean w: it "
            "differs for K > 1.",
        ),
        Mistake(
            "log w not detached in the score term",
            lambda log_joint, logits, z: _doubled(log_joint, logits, z),
            "The reward in the score term carries a gradient of its own: the product rule adds log q times it. "
            "Detach the reward.",
        ),
    ],
    praise=(
        "Yes. Two terms: the draw's probability moves, and so do the weights. A guide without noise to "
        "reparameterise can learn too."
    ),
)


def _doubled(log_joint: Tensor, logits: Tensor, z: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))
    return torch.autograd.grad(value * log_q.sum() + value, logits)[0]


# --- 8: spot the bug, a floor under the logarithm (A13) -------------------------------------------------------------


def _log_estimate(log_w: Tensor) -> Tensor:
    return log_w.logsumexp((0, 1)) - math.log(log_w.shape[0] * log_w.shape[1])


def _wide_log_weights() -> list[tuple[Tensor]]:
    return [*_log_weights(level=-90.0), *_log_weights(level=800.0), *_log_weights(level=-900.0)]


FLOOR = Check(
    "02.log_of_mean",
    solution=_log_estimate,
    cases=_wide_log_weights,
    mistakes=[
        Mistake(
            "A13: a floor of 1e-10",
            lambda log_w: (log_w.exp().mean((0, 1)) + 1e-10).log(),
            "Whatever the data, this value can never fall below log(1e-10) = -23.03. At -90 nats it is the floor you"
            " report and no estimate, and at +800 it overflows. Use logsumexp.",
        ),
        Mistake(
            "A13: exp without the maximum",
            lambda log_w: log_w.exp().mean((0, 1)).log(),
            "The floor is gone, and exp still under- and overflows: log 0 = -inf at -900, inf at +800. Take the "
            "largest log w out first, or let logsumexp do it.",
        ),
        Mistake(
            "A14: missing log(MK)",
            lambda log_w: log_w.logsumexp((0, 1)),
            "logsumexp is the log of a sum. A mean divides by the number of samples: subtract log(M K).",
        ),
        Mistake(
            "A14: log K for log(MK)",
            lambda log_w: log_w.logsumexp((0, 1)) - math.log(log_w.shape[1]),
            "You pooled M K samples and divided by K only. Subtract log(M K).",
        ),
        Mistake(
            "A14: log M for log(MK)",
            lambda log_w: log_w.logsumexp((0, 1)) - math.log(log_w.shape[0]),
            "You pooled M K samples and divided by M only. Subtract log(M K).",
        ),
        Mistake(
            "B counted as samples",
            lambda log_w: log_w.logsumexp((0, 1)) - math.log(log_w.numel()),
            "You divided by M K B. Each data point has M K samples of its own: subtract log(M K).",
        ),
        Mistake(
            "A14: mean of logs",
            bounds.elbo,
            "This is the mean of log w, the ELBO. Asked for is the log of the mean.",
        ),
        Mistake(
            "M estimates averaged",
            bounds.miwae,
            "You took one log for each of the M estimates and averaged. That is a bound too (chapter 00); "
            "here all M K samples go under one log.",
        ),
    ],
    praise="Yes. No floor, no overflow, and the value may be as low as the truth.",
)

CHECKS: list[Check] = [ESTIMATE, ESS, COVERAGE, MIXTURE, SCORE, OPTIMAL, GUIDE, FLOOR]
