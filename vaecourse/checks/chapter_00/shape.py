"""00.shape: the shape of log_w for M = 2, K = 7, B = 5."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "00.shape",
    (2, 7, 5),
    praise="M, K, B: estimates, samples in each, data points. Every log_w of the course has these axes in this order.",
)


@check.mistake("""M and K changed places. M counts the independent estimates and comes first; K counts the samples
    inside one estimate.""")
def M_and_K_swapped() -> tuple[int, ...]:
    return (7, 2, 5)


@check.mistake("""You put the data points first, as much published code does. Here they come last, so that a bound
    reduces the leading axes and leaves [B].""")
def batch_first() -> tuple[int, ...]:
    return (5, 2, 7)


@check.mistake("The three numbers are right and their order is turned round: it is M, K, B.")
def order_reversed() -> tuple[int, ...]:
    return (5, 7, 2)


@check.mistake("K and B changed places. The K samples of one estimate come before the data points: M, K, B.")
def batch_in_the_middle() -> tuple[int, ...]:
    return (2, 5, 7)


@check.mistake("The three numbers are right; the order is M, K, B. Estimates come first, data points last.")
def samples_first_estimates_last() -> tuple[int, ...]:
    return (7, 5, 2)


@check.mistake("""You multiplied M and K. Some bounds do pool the M K samples, others must not, so log_w keeps both
    axes.""")
def M_and_K_pooled() -> tuple[int, ...]:
    return (14, 5)


@check.mistake("That is what a bound returns: one number per data point. The question is about log_w, before.")
def shape_after_the_bound() -> tuple[int, ...]:
    return (5,)


@check.mistake("That is the shape of z. A log-weight is one number per z: the L latent dimensions have been summed.")
def latent_axis_left_in() -> tuple[int, ...]:
    return (2, 7, 5, 3)


@check.mistake("You multiplied the images and their estimates. Each has an axis of its own: M, K, B.")
def B_and_M_pooled() -> tuple[int, ...]:
    return (10, 7)


@check.mistake("70 is how many log-weights there are. Asked for is the shape, three numbers: M, K, B.")
def all_multiplied() -> int:
    return 70


@check.mistake("These are M and K. The data points have an axis too, and it comes last: M, K, B.")
def batch_forgotten() -> tuple[int, ...]:
    return (2, 7)


@check.mistake("""The first number multiplies images and estimates. M is how many estimates each image has, and the
    images have their own axis already.""")
def estimates_of_all_images_counted() -> tuple[int, ...]:
    return (10, 7, 5)


@check.mistake("""M, K, B are right, and a fourth axis stands behind them. A log-weight is one number per z: the latent
    dimensions have been summed, and no axis of them is left.""")
def axis_of_length_1_at_the_end() -> tuple[int, ...]:
    return (2, 7, 5, 1)
