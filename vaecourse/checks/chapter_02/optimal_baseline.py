"""02.optimal_baseline: the one c for all parameters. Shapes: ``[M, K, B], [M, K, B, P] -> [B]``."""

from __future__ import annotations

from torch import Tensor

from vaecourse.checks.cases import draws
from vaecourse.checks.frame import Check


def cases() -> list[tuple[Tensor, Tensor]]:
    draw = draws(22)
    found = [(draw(M, K, B) - 2, draw(M, K, B, P)) for M, K, B, P in [(2, 3, 5, 4), (3, 7, 2, 6)]]
    return [*found, (draw(4, 2, 3) - 2, 0.01 * draw(4, 2, 3, 5))]  # small scores


def ratio(log_w: Tensor, weight: Tensor) -> Tensor:
    return (weight * log_w).sum((0, 1)) / weight.sum((0, 1))


def per_parameter(log_w: Tensor, score: Tensor) -> Tensor:
    squares = score.square()
    return (squares * log_w.unsqueeze(-1)).sum((0, 1)) / squares.sum((0, 1))


def right(log_w: Tensor, score: Tensor) -> Tensor:
    return ratio(log_w, score.square().sum(-1))


check = Check(
    "02.optimal_baseline",
    right,
    praise="Yes: an average of log w in which the samples that pull hardest count most.",
    cases=cases,
)


@check.mistake("""This is the plain mean of log w, the ELBO's estimate: a good baseline and not the best one. c* weighs
    each sample by its squared score.""")
def unweighted_mean(log_w: Tensor, score: Tensor) -> Tensor:
    return log_w.mean((0, 1))


@check.mistake("""You weighted by the score itself. Its mean is 0, so the denominator is noise. The variance brings in
    its square.""")
def score_not_squared(log_w: Tensor, score: Tensor) -> Tensor:
    return ratio(log_w, score.sum(-1))


@check.mistake("""You weighted by the norm of the score. Setting the derivative of the second moment to zero gives the
    *squared* norm.""")
def norm_not_squared(log_w: Tensor, score: Tensor) -> Tensor:
    return ratio(log_w, score.norm(dim=-1))


@check.mistake("You added the parameters' scores and squared afterwards. The squared norm adds the squares.")
def square_of_the_sum(log_w: Tensor, score: Tensor) -> Tensor:
    return ratio(log_w, score.sum(-1).square())


@check.mistake("""You computed the best c of each parameter and averaged them. The trace form minimises the *sum* of the
    variances: add the squared scores over the parameters before dividing.""")
def one_c_for_each_parameter_averaged(log_w: Tensor, score: Tensor) -> Tensor:
    return per_parameter(log_w, score).mean(-1)


@check.mistake("""These are the best baselines of each parameter alone, [B, P]. The exercise asks for the one c that
    serves all of them, [B].""")
def one_c_for_each_parameter(log_w: Tensor, score: Tensor) -> Tensor:
    return per_parameter(log_w, score)


@check.mistake("""You formed a ratio for each of the M estimates and averaged the ratios. Here all M K samples go into
    one ratio: sum above and below the line over both axes first.""")
def M_ratios_averaged(log_w: Tensor, score: Tensor) -> Tensor:
    return ((score.square().sum(-1) * log_w).sum(1) / score.square().sum(-1).sum(1)).mean(0)


@check.mistake("The numerator is right. Divide by the mean squared score, so that c is an average of log w in nats.")
def not_normalised(log_w: Tensor, score: Tensor) -> Tensor:
    return (score.square().sum(-1) * log_w).mean((0, 1))


@check.mistake("""You averaged over the data points as well and gave all of them the same c. Each has its own: average
    over M and K only.""")
def one_c_for_the_whole_batch(log_w: Tensor, score: Tensor) -> Tensor:
    weight = score.square().sum(-1)
    return ((weight * log_w).sum() / weight.sum()).expand(log_w.shape[2])


@check.mistake("""Where the mean squared score is below 1 you divided by 1. Then c is no average of log w any more.
    However small the scores are, their size cancels.""")
def floor_under_the_denominator(log_w: Tensor, score: Tensor) -> Tensor:
    weight = score.square().sum(-1)
    return (weight * log_w).mean((0, 1)) / weight.mean((0, 1)).clamp_min(1.0)


@check.mistake("""Two things: each log w is weighted by the *squared* score; and the mean is divided by the mean of
    these weights.""")
def score_not_squared_and_not_normalised(log_w: Tensor, score: Tensor) -> Tensor:
    return (score.sum(-1) * log_w).mean((0, 1))


@check.mistake("You formed a ratio for each sample k and averaged the ratios. All M K samples go into one ratio.")
def K_ratios_averaged(log_w: Tensor, score: Tensor) -> Tensor:
    weight = score.square().sum(-1)
    return ((weight * log_w).sum(0) / weight.sum(0)).mean(0)


@check.mistake("""This is one c for each of the M estimates. Here all M K samples go into one ratio: sum over both axes
    first.""")
def M_ratios_kept(log_w: Tensor, score: Tensor) -> Tensor:
    weight = score.square().sum(-1)
    return (weight * log_w).sum(1) / weight.sum(1)
