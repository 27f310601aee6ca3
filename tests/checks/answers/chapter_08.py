"""Answers to the exercises of chapter 08, written from its text alone."""

import math
import statistics

import numpy as np
import torch
from scipy import stats

from tests.checks.answers import right, wrong
from vaecourse import bounds

# 08.standard_error


@right("08.standard_error")
def std_over_root_of_S(values):
    return values.mean(), values.std() / math.sqrt(len(values))


@right("08.standard_error")
def sem_of_scipy(values):
    values = np.asarray(values, dtype=np.float64)
    return [float(values.mean()), float(stats.sem(values))]


@right("08.standard_error")
def biased_variance_over_S_less_one(values):
    S = values.numel()
    mean = values.sum() / S
    return mean, ((values - mean).square().mean() / (S - 1)).sqrt()  # S and S - 1 the other way round


@right("08.standard_error")
def statistics_module_in_a_tensor(values):
    numbers = [float(v) for v in values]
    return torch.tensor([statistics.fmean(numbers), statistics.stdev(numbers) / len(numbers) ** 0.5])


@wrong("08.standard_error", "the standard deviation of one seed, not the error of the mean")
def spread_of_one_seed(values):
    return values.mean(), values.std()


@wrong("08.standard_error", "divided by S, not by its root")
def divided_by_S(values):
    return values.mean(), values.std() / len(values)


@wrong("08.standard_error", "divided by S in the variance: too small for few seeds")
def biased_standard_deviation(values):
    return values.mean(), values.std(unbiased=False) / len(values) ** 0.5


@wrong("08.standard_error", "variance over root S: the root of the variance is forgotten")
def variance_for_standard_deviation(values):
    return values.mean(), values.var() / len(values) ** 0.5


@wrong("08.standard_error", "S - 1 used twice, in the variance and under the root")
def S_less_one_used_twice(values):
    return values.mean(), values.std() / (len(values) - 1) ** 0.5


@wrong("08.standard_error", "a 95% interval: 1.96 standard errors")
def two_standard_errors(values):
    return values.mean(), 1.96 * values.std() / len(values) ** 0.5


@wrong("08.standard_error", "error first, mean second")
def error_before_mean(values):
    return values.std() / len(values) ** 0.5, values.mean()


@wrong("08.standard_error", "six seeds taken for granted, as in the table: wrong only for another S")
def six_seeds_taken_for_granted(values):
    return values.mean(), values.std() / math.sqrt(6)


@wrong("08.standard_error", "mean square less squared mean in half of the digits: wrong only far away from 0")
def mean_square_less_squared_mean(values):
    values, S = values.float(), len(values)
    variance = (values.square().mean() - values.mean().square()).clamp(min=0)
    return values.mean(), (variance / (S - 1)).sqrt()


@wrong("08.standard_error", "the sum for the mean, and no root of S")
def sum_and_spread(values):
    return values.sum(), values.std()


# 08.paired


@right("08.paired")
def error_of_the_differences(a, b):
    d = a - b
    return d.mean(), d.std() / len(d) ** 0.5


@right("08.paired")
def from_variances_and_covariance(a, b):
    both = torch.cov(torch.stack([a, b]).double())
    variance = both[0, 0] + both[1, 1] - 2 * both[0, 1]
    return (a.double().mean() - b.double().mean()).item(), math.sqrt(max(variance.item(), 0.0) / len(a))


@right("08.paired")
def seed_by_seed_in_plain_python(a, b):
    differences = [x - y for x, y in zip(a.tolist(), b.tolist())]
    S = len(differences)
    mean = sum(differences) / S
    return mean, math.sqrt(sum((d - mean) ** 2 for d in differences) / (S - 1) / S)


@wrong("08.paired", "unpaired: the two errors are added in squares")
def errors_added_in_squares(a, b):
    return a.mean() - b.mean(), ((a.var() + b.var()) / len(a)).sqrt()


@wrong("08.paired", "b less a: the sign is turned")
def sign_of_the_difference_turned(a, b):
    d = b - a
    return d.mean(), d.std() / len(d) ** 0.5


@wrong("08.paired", "spread of one difference, not the error of their mean")
def spread_of_one_difference(a, b):
    d = a - b
    return d.mean(), d.std()


@wrong("08.paired", "divided by S in the variance of the differences")
def biased_spread_of_the_differences(a, b):
    d = a - b
    return d.mean(), d.std(correction=0) / len(d) ** 0.5


@wrong("08.paired", "difference of the two errors for the error of the difference")
def difference_of_the_errors(a, b):
    return a.mean() - b.mean(), (a.std() - b.std()).abs() / len(a) ** 0.5


@wrong("08.paired", "z is returned in place of the error")
def z_in_place_of_the_error(a, b):
    d = a - b
    return d.mean(), d.mean() / (d.std() / len(d) ** 0.5)


@wrong("08.paired", "both are sorted first, which makes other pairs")
def sorted_before_the_subtraction(a, b):
    d = a.sort().values - b.sort().values
    return d.mean(), d.std() / len(d) ** 0.5


@wrong("08.paired", "absolute differences: wrong only where the seeds disagree, or a is the worse one")
def absolute_differences(a, b):
    d = (a - b).abs()
    return d.mean(), d.std() / len(d) ** 0.5


@wrong("08.paired", "not better is called 0: wrong only where a is the worse one")
def difference_clipped_at_zero(a, b):
    d = a - b
    return d.mean().clamp(min=0), d.std() / len(d) ** 0.5


@wrong("08.paired", "unpaired, and the sign turned")
def unpaired_with_sign_turned(a, b):
    return b.mean() - a.mean(), ((a.var() + b.var()) / len(a)).sqrt()


# 08.spot_the_bound


@right("08.spot_the_bound")
def iwae_bound_for_both(log_w_old, log_w_new):
    return bounds.iwae(log_w_new).mean() - bounds.iwae(log_w_old).mean()


@right("08.spot_the_bound")
def difference_point_by_point(log_w_old, log_w_new):
    tightest = lambda log_w: log_w.flatten(0, 1).logsumexp(0) - math.log(log_w.shape[0] * log_w.shape[1])
    return (tightest(log_w_new) - tightest(log_w_old)).mean().item()


@right("08.spot_the_bound")
def log_of_M_K_cancels(log_w_old, log_w_new):
    new, old = (np.asarray(log_w.detach(), dtype=np.float64) for log_w in (log_w_new, log_w_old))
    sums = [np.logaddexp.reduce(w.reshape(-1, w.shape[-1]), axis=0) for w in (new, old)]  # [B] twice, as many in both
    return float(np.mean(sums[0] - sums[1]))


@wrong("08.spot_the_bound", "not mended: each model by the bound that it was trained on")
def each_by_its_own_bound(log_w_old, log_w_new):
    return bounds.iwae(log_w_new).mean() - bounds.elbo(log_w_old).mean()


@wrong("08.spot_the_bound", "one bound for both, but the loosest: the ELBO, which judges the encoders too")
def elbo_for_both(log_w_old, log_w_new):
    return bounds.elbo(log_w_new).mean() - bounds.elbo(log_w_old).mean()


@wrong("08.spot_the_bound", "mended the wrong way round: ELBO for the new, IWAE for the old model")
def bounds_exchanged(log_w_old, log_w_new):
    return bounds.elbo(log_w_new).mean() - bounds.iwae(log_w_old).mean()


@wrong("08.spot_the_bound", "M averaged outside of the logarithm: one L_K for both, not the tightest")
def miwae_for_both(log_w_old, log_w_new):
    one_bound = lambda log_w: (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean()
    return one_bound(log_w_new) - one_bound(log_w_old)


@wrong("08.spot_the_bound", "old less new: the sign is turned")
def old_less_new(log_w_old, log_w_new):
    return bounds.iwae(log_w_old).mean() - bounds.iwae(log_w_new).mean()


@wrong("08.spot_the_bound", "sum over the test points for their mean")
def sum_over_test_points(log_w_old, log_w_new):
    return (bounds.iwae(log_w_new) - bounds.iwae(log_w_old)).sum()


@wrong("08.spot_the_bound", "the mean over the test points is inside of the logarithm as well")
def test_points_inside_the_log(log_w_old, log_w_new):
    return log_w_new.flatten().logsumexp(0) - log_w_old.flatten().logsumexp(0)


@wrong("08.spot_the_bound", "a gain cannot be negative: clipped, wrong only where the old model is better")
def gain_clipped_at_zero(log_w_old, log_w_new):
    return (bounds.iwae(log_w_new).mean() - bounds.iwae(log_w_old).mean()).clamp(min=0)


@wrong("08.spot_the_bound", "weights before logarithms: breaks only where they underflow")
def weights_averaged_before_the_log(log_w_old, log_w_new):
    return (log_w_new.exp().mean((0, 1)).log() - log_w_old.exp().mean((0, 1)).log()).mean()


@wrong("08.spot_the_bound", "ELBO for both, and old less new")
def elbo_for_both_with_sign_turned(log_w_old, log_w_new):
    return bounds.elbo(log_w_old).mean() - bounds.elbo(log_w_new).mean()


# 08.spot_the_stream


@right("08.spot_the_stream")
def all_parts_under_one_logarithm(parts):
    every = torch.cat(list(parts))
    return every.logsumexp(0) - math.log(len(every))


@right("08.spot_the_stream")
def running_total_and_count(parts):
    total, count = None, 0
    for log_w in parts:
        part = log_w.logsumexp(0)
        total = part if total is None else torch.logaddexp(total, part)
        count += len(log_w)
    return total - math.log(count)


@right("08.spot_the_stream")
def means_of_the_parts_weighted_by_their_size(parts):
    sizes = np.array([len(log_w) for log_w in parts], dtype=np.float64)
    each = []
    for log_w in parts:
        w = np.asarray(log_w.detach(), dtype=np.float64)
        top = w.max(0)
        each.append(top + np.log(np.exp(w - top).mean(0)))
    shares = np.log(sizes / sizes.sum())[:, None]
    return torch.from_numpy(np.logaddexp.reduce(np.stack(each) + shares, axis=0))


@wrong("08.spot_the_stream", "not mended: the mean of many L_100")
def mean_of_the_part_bounds(parts):
    return torch.stack([log_w.logsumexp(0) - math.log(len(log_w)) for log_w in parts]).mean(0)


@wrong("08.spot_the_stream", "mended at the wrong place: the logs are averaged with the sizes as weights")
def logs_averaged_by_size(parts):
    total = sum(len(log_w) for log_w in parts)
    return sum(len(log_w) * (log_w.logsumexp(0) - math.log(len(log_w))) for log_w in parts) / total


@wrong("08.spot_the_stream", "log mean of the parts' means, each part alike: wrong only where the last is shorter")
def parts_count_alike(parts):
    each = torch.stack([log_w.logsumexp(0) - math.log(len(log_w)) for log_w in parts])
    return each.logsumexp(0) - math.log(len(parts))


@wrong("08.spot_the_stream", "all parts taken to be as long as the first: wrong only where the last is shorter")
def first_length_for_all(parts):
    total = torch.stack([log_w.logsumexp(0) for log_w in parts]).logsumexp(0)
    return total - math.log(len(parts) * len(parts[0]))


@wrong("08.spot_the_stream", "half mended: one logarithm, but the parts' own counts are taken off and not the parts")
def number_of_parts_not_divided_by(parts):
    return torch.stack([log_w.logsumexp(0) - math.log(len(log_w)) for log_w in parts]).logsumexp(0)


@wrong("08.spot_the_stream", "one logarithm, divided by the number of parts and not of samples")
def divided_by_number_of_parts(parts):
    return torch.cat(list(parts)).logsumexp(0) - math.log(len(parts))


@wrong("08.spot_the_stream", "the log of the count is missing")
def count_of_samples_missing(parts):
    return torch.cat(list(parts)).logsumexp(0)


@wrong("08.spot_the_stream", "the tightest of the parts' bounds is taken")
def largest_of_the_part_bounds(parts):
    return torch.stack([log_w.logsumexp(0) - math.log(len(log_w)) for log_w in parts]).amax(0)


@wrong("08.spot_the_stream", "the shorter last part is thrown away")
def shorter_last_part_thrown_away(parts):
    full = [log_w for log_w in parts if len(log_w) == len(parts[0])]
    every = torch.cat(full)
    return every.logsumexp(0) - math.log(len(every))


@wrong("08.spot_the_stream", "weights before the logarithm: minus infinity for real images, right near 0")
def plain_weights_added_up(parts):
    every = torch.cat(list(parts))
    return every.exp().mean(0).log()


@wrong("08.spot_the_stream", "mean of the parts' logs, and each part without its own count")
def mean_of_the_part_sums(parts):
    return torch.stack([log_w.logsumexp(0) for log_w in parts]).mean(0)


# 08.pareto


@right("08.pareto")
def all_pairs_at_once(scores):
    one, other = scores[:, None], scores[None, :]
    dominates = (one >= other).all(-1) & (one > other).any(-1)  # [i, j]: i dominates j
    return ~dominates.any(0)


@right("08.pareto")
def pareto_by_loops(scores):
    table = scores.tolist()
    honest = []
    for mine in table:
        beaten = False
        for theirs in table:
            no_worse = all(t >= m for t, m in zip(theirs, mine))
            if no_worse and theirs != mine:
                beaten = True
                break
        honest.append(not beaten)
    return torch.tensor(honest)


@right("08.pareto")
def row_against_all_in_numpy(scores):
    s = np.asarray(scores.detach(), dtype=np.float64)
    free = [not np.any((s >= row).all(axis=1) & (s > row).any(axis=1)) for row in s]
    return torch.from_numpy(np.array(free, dtype=bool))


@wrong("08.pareto", "wrong one of the two R axes: True for rows that dominate no other")
def rows_that_dominate_nobody(scores):
    one, other = scores[:, None], scores[None, :]
    return ~((one >= other).all(-1) & (one > other).any(-1)).any(1)


@wrong("08.pareto", "True for the rows that are dominated")
def dominated_rows_marked(scores):
    one, other = scores[:, None], scores[None, :]
    return ((one >= other).all(-1) & (one > other).any(-1)).any(0)


@wrong("08.pareto", "lower taken for better")
def lower_taken_for_better(scores):
    one, other = scores[:, None], scores[None, :]
    return ~((one <= other).all(-1) & (one < other).any(-1)).any(0)


@wrong("08.pareto", "at least as good is enough, so every row dominates itself")
def every_row_dominates_itself(scores):
    return ~(scores[:, None] >= scores[None, :]).all(-1).any(0)


@wrong("08.pareto", "better in one measure is enough to dominate")
def better_in_one_measure_dominates(scores):
    return ~(scores[:, None] > scores[None, :]).any(-1).any(0)


@wrong("08.pareto", "only the rows that are best in some measure")
def best_in_some_measure(scores):
    return (scores == scores.amax(0)).any(1)


@wrong("08.pareto", "must be better in every measure to dominate: wrong only with ties in a measure")
def better_in_every_measure_asked_for(scores):
    return ~(scores[:, None] > scores[None, :]).all(-1).any(0)


@wrong("08.pareto", "two equal rows dominate each other: wrong only with equal rows")
def equal_rows_dominate_each_other(scores):
    no_worse = (scores[:, None] >= scores[None, :]).all(-1)
    return ~no_worse.fill_diagonal_(False).any(0)


@wrong("08.pareto", "only the first two measures are looked at: wrong only for C above 2")
def only_two_measures(scores):
    one, other = scores[:, None, :2], scores[None, :, :2]
    return ~((one >= other).all(-1) & (one > other).any(-1)).any(0)


@wrong("08.pareto", "strictly better everywhere asked for, and the wrong one of the R axes")
def strict_and_wrong_axis(scores):
    return ~(scores[:, None] > scores[None, :]).all(-1).any(1)


# 08.still_missing


@right("08.still_missing")
def a_quarter_of_the_step():
    return 0.02 / 4


@right("08.still_missing")
def from_the_constant():
    c = 0.02 / (1 / 1000 - 1 / 5000)
    return c / 5000


@wrong("08.still_missing", "the rule for doubling K")
def as_if_K_were_doubled():
    return -23.070 + 23.090


@wrong("08.still_missing", "a fifth, for K grew fivefold")
def a_fifth():
    return 0.02 / 5


@wrong("08.still_missing", "missing at 1000")
def missing_at_the_smaller_K():
    return 0.025


@wrong("08.still_missing", "one over the root of K")
def by_the_root():
    return 0.02 / (math.sqrt(5) - 1)


@wrong("08.still_missing", "log p(x) itself")
def the_limit():
    return -23.065


@wrong("08.still_missing", "a quarter, of the wrong sign")
def a_quarter_below_zero():
    return -0.005


@wrong("08.still_missing", "the ratio of the bounds is taken for the ratio of the gaps")
def by_the_ratio_of_the_bounds():
    return 23.09 / 23.07 - 1


# 08.bits_of_a_table


@right("08.bits_of_a_table")
def by_both():
    return 84.78 / 784 / math.log(2)


@right("08.bits_of_a_table")
def rounded():
    return 0.156


@wrong("08.bits_of_a_table", "nats per dimension")
def nats():
    return 84.78 / 784


@wrong("08.bits_of_a_table", "bits per image")
def whole_image():
    return 84.78 / math.log(2)


@wrong("08.bits_of_a_table", "times log 2")
def times_log_2():
    return 84.78 / 784 * math.log(2)


@wrong("08.bits_of_a_table", "divided by 28")
def by_the_rows():
    return 84.78 / 28 / math.log(2)


@wrong("08.bits_of_a_table", "the sign of a log-likelihood")
def negative():
    return -0.156


@wrong("08.bits_of_a_table", "two decimals, as the paper prints")
def two_decimals():
    return 0.16
