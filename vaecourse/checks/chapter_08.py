r"""The checks of chapter 08: standard errors, pairs of seeds, one K for all, flat memory, the rows nobody dominates.

The functions below are the right answers and the known wrong ones, small enough to read beside each other. Shapes: S
seeds, R rows, C columns, ``log_w`` in the order M, K, B; everything in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaecourse import bounds
from vaecourse.checks.frame import Check, Mistake


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 08.standard_error -------------------------------------------------------------------------------------------------


def _standard_error(values: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over S seeds and its standard error. Shapes: ``[S]`` -> two numbers."""
    return values.mean(), values.std() / len(values) ** 0.5


STANDARD_ERROR = Check(
    "08.standard_error",
    solution=_standard_error,
    cases=lambda: [
        (torch.tensor([-22.84, -22.91, -22.87, -22.95]),),
        (3 * _normal(9, seed=1) - 20,),
        (0.1 * _normal(5, seed=2),),
    ],
    mistakes=[
        Mistake(
            "the standard deviation",
            lambda v: (v.mean(), v.std()),
            "This is the standard deviation: how far *one more seed* may lie from the mean. It does not shrink when "
            "you "
            "add seeds. The standard error says how far the *mean* may be off: divide by the root of the number of "
            "seeds.",
        ),
        Mistake(
            "the variance of the mean",
            lambda v: (v.mean(), v.var() / len(v)),
            "This is the square of the standard error. Take the root, so that it is in nats like the mean.",
        ),
        Mistake(
            "divided by S",
            lambda v: (v.mean(), v.std() / len(v)),
            "You divided by the number of seeds. The spread of a mean falls with its *root*.",
        ),
        Mistake(
            "n for n - 1",
            lambda v: (v.mean(), v.std(unbiased=False) / len(v) ** 0.5),
            "The standard deviation was taken with S below the line. With so few seeds it matters that the mean was "
            "estimated from the same values: divide by S - 1, as torch's std() does when you leave it alone.",
        ),
        Mistake(
            "divided by S - 1 twice",
            lambda v: (v.mean(), v.std() / (len(v) - 1) ** 0.5),
            "The S - 1 is in the standard deviation already. The mean is over S values: divide by the root of S.",
        ),
        Mistake(
            "two standard errors",
            lambda v: (v.mean(), 2 * v.std() / len(v) ** 0.5),
            "These are two standard errors, half of a 95% interval. Return one, and let the reader double it.",
        ),
        Mistake(
            "1.96 standard errors",
            lambda v: (v.mean(), 1.96 * v.std() / len(v) ** 0.5),
            "These are 1.96 standard errors, half of a 95% interval, and that only for many seeds: with four seeds it "
            "takes 3.2. Return one standard error.",
        ),
        Mistake(
            "the variance over the root",
            lambda v: (v.mean(), v.var() / len(v) ** 0.5),
            "You divided the *variance* by the root of S. Take the root of the variance first, which is std().",
        ),
        Mistake(
            "the median",
            lambda v: (v.median(), v.std() / len(v) ** 0.5),
            "The error is that of the mean, and beside it stands the median. Return the mean.",
        ),
        Mistake(
            "the sum",
            lambda v: (v.sum(), v.std() * len(v) ** 0.5),
            "You added the seeds up. A table reports their mean.",
        ),
        Mistake(
            "the other way round",
            lambda v: (v.std() / len(v) ** 0.5, v.mean()),
            "Both are right, in the wrong order: the mean first.",
        ),
    ],
    praise="A number and how far it may be off. Without the second, the first compares with nothing.",
)


# 08.paired ---------------------------------------------------------------------------------------------------------


def _paired(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return _standard_error(a - b)


def _unpaired(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a.mean() - b.mean(), (a.var() / len(a) + b.var() / len(b)).sqrt()


def _pairs() -> list[tuple[Tensor, Tensor]]:
    def seeds(S: int, seed: int) -> tuple[Tensor, Tensor]:
        luck = _normal(S, seed=seed)  # the seed's, in both rows
        return luck + 0.05 * _normal(S, seed=seed + 1) - 22.8, luck + 0.05 * _normal(S, seed=seed + 2) - 22.9

    return [seeds(10, 11), seeds(4, 21), (_normal(6, seed=31), _normal(6, seed=32))]


PAIRED = Check(
    "08.paired",
    solution=_paired,
    cases=_pairs,
    mistakes=[
        Mistake(
            "unpaired",
            _unpaired,
            "This is the standard error of two *independent* groups. Here run i of both rows has the same first "
            "weights, "
            "the same pixels and much of the same noise. Subtract seed by seed first: what the seed did to both is "
            "gone.",
        ),
        Mistake(
            "the errors added",
            lambda a, b: (a.mean() - b.mean(), (a.std() + b.std()) / len(a) ** 0.5),
            "You added two standard errors. Even for independent groups it is their squares that add; and these are "
            "pairs, so subtract seed by seed first.",
        ),
        Mistake(
            "sorted before pairing",
            lambda a, b: _standard_error(a.sort().values - b.sort().values),
            "You sorted both rows. Then the best run meets the best and the worst the worst, which makes the spread of "
            "the differences too small. A pair is one *seed*: leave the order.",
        ),
        Mistake(
            "the standard deviation",
            lambda a, b: ((a - b).mean(), (a - b).std()),
            "The pairs are right. This is the spread of *one* pair: divide by the root of the number of pairs.",
        ),
        Mistake(
            "the other sign",
            lambda a, b: _paired(b, a),
            "The sign is turned round: the question is by how much a is better than b.",
        ),
        Mistake(
            "the sign lost",
            lambda a, b: _standard_error((a - b).abs()),
            "You took the absolute value of each difference. Then noise around zero looks like a gain.",
        ),
        Mistake(
            "only one row's error",
            lambda a, b: ((a - b).mean(), a.std() / len(a) ** 0.5),
            "The difference is right, its error is that of the first row alone. Take the standard error of the "
            "differences themselves.",
        ),
        Mistake(
            "the errors subtracted",
            lambda a, b: (a.mean() - b.mean(), (a.var() - b.var()).abs().sqrt() / len(a) ** 0.5),
            "You subtracted the two variances. Variances add, for independent groups; and these are pairs, so subtract "
            "seed by seed first and take one standard error.",
        ),
        Mistake(
            "the errors of the spreads",
            lambda a, b: (a.mean() - b.mean(), (a.var() + b.var()).sqrt()),
            "Two faults: the rows are treated as if they had nothing in common, and the spread was not divided by the "
            "root of S. Subtract seed by seed, then solve exercise 1 again.",
        ),
        Mistake(
            "n for n - 1",
            lambda a, b: ((a - b).mean(), (a - b).std(unbiased=False) / len(a) ** 0.5),
            "The pairs are right. Their variance was taken with S below the line: divide by S - 1.",
        ),
        Mistake(
            "the number of runs",
            lambda a, b: ((a - b).mean(), (a - b).std() / (2 * len(a)) ** 0.5),
            "You counted 2 S runs. There are S differences, and the error is that of their mean: the root of S.",
        ),
        Mistake(
            "z",
            lambda a, b: ((a - b).mean(), (a - b).mean() / _paired(a, b)[1]),
            "The second number is z, the difference in standard errors. The exercise asks for the standard error "
            "itself.",
        ),
    ],
    praise="Seed by seed: what the seed does to both rows cancels, and a difference of a twentieth of a nat can be "
    "seen.",
)


# 08.spot_the_bound -------------------------------------------------------------------------------------------------


def _pooled(log_w: Tensor) -> Tensor:
    return bounds.iwae(log_w).mean()


def _self_weighted(log_w: Tensor) -> Tensor:
    flat = log_w.flatten(0, 1)
    return (flat.softmax(0) * flat).sum(0).mean()


def _gain(of: Callable[[Tensor], Tensor], over: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """``of`` the new model's log-weights minus ``over`` the old one's."""
    return lambda old, new: of(new) - over(old)


_elbo: Callable[[Tensor], Tensor] = lambda log_w: bounds.elbo(log_w).mean()
_miwae: Callable[[Tensor], Tensor] = lambda log_w: bounds.miwae(log_w).mean()

SPOT_THE_BOUND = Check(
    "08.spot_the_bound",
    solution=_gain(_pooled, _pooled),
    cases=lambda: [
        (0.7 * _normal(3, 20, 5, seed=41) - 24.1, 2.5 * _normal(3, 20, 5, seed=42) - 27.3),
        (_normal(2, 7, 4, seed=43) - 800.0, 3 * _normal(2, 7, 4, seed=44) - 803.0),
    ],
    mistakes=[
        Mistake(
            "B26: L_1 of one, L_K of the other",
            _gain(_pooled, _elbo),
            "This is the code as it stood: the old model is judged by L_1 and the new one by L_K. The difference holds "
            "the tightness of the bound *and* the quality of the model. Judge both by all M K samples.",
        ),
        Mistake(
            "B26: turned round",
            _gain(_elbo, _pooled),
            "Now the old model has the tight bound and the new one the ELBO. Give both the same: all M K samples.",
        ),
        Mistake(
            "B26: half mended",
            _gain(_pooled, _miwae),
            "The old model has a tighter bound now, but not the same: L_K in groups, where the new one has all M K "
            "samples under one logarithm. Give both the same.",
        ),
        Mistake(
            "B26: half mended, turned round",
            _gain(_miwae, _pooled),
            "The new model is judged in groups of K, the old one by all M K samples. Give both the same: all M K.",
        ),
        Mistake(
            "the first group only",
            _gain(lambda log_w: _pooled(log_w[:1]), lambda log_w: _pooled(log_w[:1])),
            "Only the first of the M groups is used. The weights allow a larger K: pool all M K of them.",
        ),
        Mistake(
            "one logarithm over the batch too",
            _gain(lambda log_w: log_w.logsumexp((0, 1, 2)), lambda log_w: log_w.logsumexp((0, 1, 2))),
            "The data points stand under the logarithm as well, so that the likeliest one decides. Take log p(x) of "
            "each data point, then their mean.",
        ),
        Mistake(
            "the best sample",
            _gain(lambda log_w: log_w.amax((0, 1)).mean(), lambda log_w: log_w.amax((0, 1)).mean()),
            "You kept the best sample of each data point. It is no bound without - log(M K), and a loose one with it: "
            "use all of them.",
        ),
        Mistake(
            "L_1 of both",
            _gain(_elbo, _elbo),
            "One bound for both, at last, but it is the ELBO. That compares models and *encoders*: it is log p(x) "
            "minus "
            "KL(q || posterior). To compare models take the largest K that the weights allow, all M K.",
        ),
        Mistake(
            "L_K in groups",
            _gain(_miwae, _miwae),
            "One bound for both: the mean of M bounds of K samples. The weights allow a larger K: pool all M K of "
            "them.",
        ),
        Mistake(
            "A10: weighted log-weights",
            _gain(_self_weighted, _self_weighted),
            "This is sum of w~ log w. It lies above the bound by log K minus the entropy of w~, and may lie above "
            "log p(x) itself.",
        ),
        Mistake(
            "the other sign",
            lambda old, new: _pooled(old) - _pooled(new),
            "The sign is turned round: the gain is the new model's value minus the old one's.",
        ),
        Mistake(
            "not averaged",
            lambda old, new: bounds.iwae(new) - bounds.iwae(old),
            "The bound is right for every data point. Average over the batch: one number.",
        ),
        Mistake(
            "summed over the batch",
            lambda old, new: (bounds.iwae(new) - bounds.iwae(old)).sum(),
            "You added the data points up. Test results are reported as means, nats for each point.",
        ),
    ],
    praise="One K for both, as large as you can pay. Now the difference is about the models.",
)


# 08.spot_the_stream ------------------------------------------------------------------------------------------------

Parts = list[Tensor]


def _streamed(parts: Parts) -> Tensor:
    return torch.cat(parts).logsumexp(0) - math.log(sum(len(part) for part in parts))


def _each(parts: Parts) -> Tensor:
    """The bound of every part by itself, ``[parts, B]``."""
    return torch.stack([part.logsumexp(0) - math.log(len(part)) for part in parts])


def _one_after_the_other(parts: Parts) -> Tensor:
    """Every part meets the mean of all before it, half and half: the last part weighs as much as all others."""
    total, *others = _each(parts)
    for each in others:
        total = torch.logaddexp(total, each) - math.log(2)
    return total


def _sizes(parts: Parts) -> Tensor:
    return torch.tensor([float(len(part)) for part in parts])[:, None]


def _parts(sizes: tuple[int, ...], B: int, seed: int, level: float) -> Parts:
    return [2 * _normal(K, B, seed=seed + i) + level for i, K in enumerate(sizes)]


SPOT_THE_STREAM = Check(
    "08.spot_the_stream",
    solution=_streamed,
    cases=lambda: [
        (_parts((8, 8, 3), 5, 51, -24.0),),
        (_parts((4, 4, 4, 4, 1), 3, 61, -800.0),),
        (_parts((6,), 4, 71, -20.0),),
    ],
    mistakes=[
        Mistake(
            "A14: the mean of the parts' bounds",
            lambda parts: _each(parts).mean(0),
            "This is the code as it stood. It is a mean of logarithms: 50 bounds of 100 samples are L_100 with little "
            "noise, not L_5000. Add the *weights* of all parts up, and take one logarithm.",
        ),
        Mistake(
            "A14: the weighted mean of the parts' bounds",
            lambda parts: (_each(parts) * _sizes(parts)).sum(0) / _sizes(parts).sum(),
            "The short part counts less now. But it is still a mean of logarithms: no part ever meets another under "
            "one "
            "logarithm.",
        ),
        Mistake(
            "all parts count the same",
            lambda parts: _each(parts).logsumexp(0) - math.log(len(parts)),
            "One logarithm, good. But every part was divided by its own size first, so that the samples of the short "
            "last "
            "part count more than others. Divide once, at the end, by the number of all samples.",
        ),
        Mistake(
            "half and half",
            _one_after_the_other,
            "You carry the mean so far, and halve its sum with the next part. Then the last part weighs as much as all "
            "before it. Carry the *sum* of the weights, and divide once at the end.",
        ),
        Mistake(
            "the largest of the parts",
            lambda parts: _each(parts).amax(0),
            "You kept the part with the largest value. A maximum over estimates is biased upwards: use every part.",
        ),
        Mistake(
            "the first part only",
            lambda parts: _each(parts)[0],
            "Only the first part is used. The estimate must use every sample that was asked for.",
        ),
        Mistake(
            "A14: missing log K",
            lambda parts: torch.cat(parts).logsumexp(0),
            "The sum is right. Subtract the logarithm of the number of all samples: a mean of weights is needed.",
        ),
        Mistake(
            "log of the number of parts",
            lambda parts: torch.cat(parts).logsumexp(0) - math.log(len(parts)),
            "You divided by the number of parts. Divide by the number of samples in all of them.",
        ),
        Mistake(
            "the first part's size, times the parts",
            lambda parts: torch.cat(parts).logsumexp(0) - math.log(len(parts) * len(parts[0])),
            "You took every part to be as long as the first. The last one is shorter whenever the size does not "
            "divide K.",
        ),
        Mistake(
            "A19: the last part only",
            lambda parts: _each(parts)[-1],
            "Only the last part is left. The estimate must use every sample that was asked for.",
        ),
        Mistake(
            "A14: mean of logs",
            lambda parts: torch.cat(parts).mean(0),
            "There is no logarithm of a mean here: this is the ELBO.",
        ),
        Mistake(
            "exp without a maximum",
            lambda parts: torch.cat(parts).exp().mean(0).log(),
            "The formula is right, but exp(-800) is 0 in a computer, and its log is -inf. Use logsumexp or logaddexp.",
        ),
        Mistake(
            "averaged over the batch",
            lambda parts: _streamed(parts).mean(),
            "You averaged over the data points too. Return [B].",
        ),
    ],
    praise="One logarithm over all samples, whatever fits into memory at a time: evaluate.log_likelihood does this.",
)


# 08.pareto ---------------------------------------------------------------------------------------------------------


def _beaten_by(scores: Tensor) -> tuple[Tensor, Tensor]:
    """For rows i and j: is i at least as good everywhere, is i better somewhere. ``[R, R]`` each, i in axis 0."""
    a, b = scores[:, None], scores[None, :]
    return (a >= b).all(-1), (a > b).any(-1)


def _pareto(scores: Tensor) -> Tensor:
    as_good, better = _beaten_by(scores)
    return ~(as_good & better).any(0)


PARETO = Check(
    "08.pareto",
    solution=_pareto,
    cases=lambda: [
        (torch.tensor([[-26.9, -22.9], [-25.0, -22.8], [-24.2, -22.9], [-23.5, -23.3], [-24.2, -23.0]]),),
        (torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 2.0], [3.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.0, 2.5, 0.0]]),),
        (_normal(12, 3, seed=81),),
        (torch.tensor([[2.0, 2.0], [1.0, 1.5], [0.0, 2.0]]),),
    ],
    mistakes=[
        Mistake(
            "the best of each column only",
            lambda s: (s == s.max(0).values).any(1),
            "You kept the winners of the columns. A row that is second in both may be the best compromise: it stays "
            "unless *one* other row is at least as good in every column and better in one.",
        ),
        Mistake(
            "better in every column",
            lambda s: ~(s[:, None] > s[None]).all(-1).any(0),
            "You ask the other row to be better in *every* column. A row that is equal in one column and worse in the "
            "others is dominated as well.",
        ),
        Mistake(
            "at least as good",
            lambda s: ~((s[:, None] >= s[None]).all(-1) & ~torch.eye(len(s), dtype=torch.bool)).any(0),
            "You dropped rows that another row only *equals*. Of two equal rows neither dominates: the other must be "
            "better somewhere.",
        ),
        Mistake(
            "every row dominates itself",
            lambda s: ~(s[:, None] >= s[None]).all(-1).any(0),
            "Nothing is left: every row is at least as good as itself. Ask for better in at least one column too.",
        ),
        Mistake(
            "lower is better",
            lambda s: _pareto(-s),
            "The scores here are better when *higher*. You kept the rows to which nobody is worse.",
        ),
        Mistake(
            "the dominated ones",
            lambda s: ~_pareto(s),
            "You returned the rows that are dominated. True should mean: nobody dominates this row.",
        ),
        Mistake(
            "those that dominate someone",
            lambda s: (torch.logical_and(*_beaten_by(s))).any(1),
            "You kept the rows that beat some other row. Look along the other axis: keep those that *nobody* beats.",
        ),
        Mistake(
            "best everywhere",
            lambda s: ~(s[:, None] > s[None]).any(-1).any(0),
            "You kept only rows that nobody beats in *any* column, winners of everything. To dominate, one row must be "
            "at least as good in *all* columns: all over C first, then any over the rows.",
        ),
        Mistake(
            "numbers of rows",
            lambda s: _pareto(s).nonzero().flatten(),
            "These are the right rows, by number. Return a boolean for *every* row, [R]: do not call nonzero().",
        ),
        Mistake(
            "the scores themselves",
            lambda s: s[_pareto(s)],
            "These are the scores of the right rows. Return the mask itself, a boolean for every row, [R].",
        ),
        Mistake(
            "the sum of the columns",
            lambda s: s.sum(1) == s.sum(1).max(),
            "You added the columns up. A nat of ELBO and a nat of log p(x) have no common price until *you* set one; "
            "without a price, all undominated rows stay.",
        ),
    ],
    praise="What is left is a choice, and no table can make it for you.",
)


CHECKS: list[Check] = [STANDARD_ERROR, PAIRED, SPOT_THE_BOUND, SPOT_THE_STREAM, PARETO]
