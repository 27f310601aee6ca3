"""06.two_points: the U-statistic of the points 0, 1 and 1, 3 for the kernel 1 / (1 + distance squared), by hand."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "06.two_points",
    -0.2,
    praise="-0.2: an unbiased estimate of a squared distance, and below 0. The V-statistic of the same four points is "
    "+0.45.",
    rtol=5e-3,
)


@check.mistake("""0.45 is the V-statistic. It keeps the pairs of a point with itself, where k = 1, and divides by 4. U
    leaves them out and divides by n (n - 1) = 2.""")
def V_statistic() -> float:
    return 0.45


@check.mistake("0.25 comes out if the cross term is taken away once. It stands there twice, as in u² + w² - 2uw.")
def cross_term_once() -> float:
    return 0.5 + 0.2 - 0.45


@check.mistake("""0.9 comes out with the pairs of a point with itself, and with the cross term once. U leaves those
    pairs out, and takes the cross term away twice.""")
def V_with_the_cross_term_once() -> float:
    return 0.75 + 0.6 - 0.45


@check.mistake("""-0.55 comes out if the means inside the clouds are half of what they should be. The sum over l and j
    has both orders of the pair in it, n (n - 1) = 2 terms: divide by 2, and the mean is k itself.""")
def half_of_the_means_inside() -> float:
    return 0.25 + 0.1 - 0.9


@check.mistake("-0.4 comes out without the codes' own term. There are three: prior and prior, codes and codes, across.")
def codes_among_themselves_forgotten() -> float:
    return 0.5 - 0.9


@check.mistake(
    "-0.7 comes out without the prior's own term. There are three: prior and prior, codes and codes, across."
)
def prior_among_itself_forgotten() -> float:
    return 0.2 - 0.9


@check.mistake("""0.3 comes out without the pair of the prior's 1 and the code at 1, still divided by 4. These are two
    points that lie at one place, so k = 1, and the cross term has all four pairs.""")
def meeting_points_left_out() -> float:
    return 0.7 - 2 * 0.8 / 4


@check.mistake("""0.167 comes out without the pair of the prior's 1 and the code at 1, divided by 3. These are two
    points that lie at one place, so k = 1, and the cross term has all four pairs.""")
def meeting_points_left_out_of_three() -> float:
    return 0.7 - 2 * 0.8 / 3


@check.mistake("0.2 is the right size. A minus was lost: 0.7 from inside the clouds, less 0.9 from across.")
def sign_lost() -> float:
    return 0.2


@check.mistake("""0 is the value clipped. An estimate without bias may be below 0, and this one is. Write down what
    comes out.""")
def clipped_at_0() -> float:
    return 0.0


@check.mistake("""-0.208 comes out with the distance in the kernel where its square belongs: at distance 2 the kernel
    is 1/5, at distance 3 it is 1/10.""")
def distance_not_squared() -> float:
    return 0.5 + 1 / 3 - 2 * (0.5 + 0.25 + 1 + 1 / 3) / 4


@check.mistake("-1.1 comes out if the cross term is divided by 2. It has n² = 4 pairs.")
def cross_term_divided_by_n() -> float:
    return 0.7 - 2 * 0.9


@check.mistake("""-2.9 comes out if the cross term is a sum. It is a mean over n² = 4 pairs, like the two others over
    theirs.""")
def cross_term_summed() -> float:
    return 0.7 - 2 * 1.8


@check.mistake("0.7 is the sum of the two terms inside the clouds, and -0.9 is still to come: twice the mean across.")
def cross_term_missing() -> float:
    return 0.7
