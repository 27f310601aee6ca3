"""05.coefficients: the m + 1 coefficients of the jackknife of order m."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaecourse.bounds import jackknife_coefficients
from vaecourse.checks import slips
from vaecourse.checks.frame import Check


def right(K: int, order: int) -> Tensor:
    return torch.tensor(jackknife_coefficients(K, order), dtype=torch.float64)


def times(factor: Callable[[int], float], K: int, order: int) -> Tensor:
    """The right coefficients, each with a factor of its j."""
    return right(K, order) * torch.tensor([factor(j) for j in range(order + 1)], dtype=torch.float64)


check = Check(
    "05.coefficients",
    right,
    praise="They add up to one, and they grow like K^m: that is how small differences become a correction.",
    cases=lambda: [(8, 1), (7, 0), (9, 2), (6, 4)],
)


check.mistake("""The right numbers in reverse. The first belongs to j = 0, the bound with all K samples, the last to the
    smallest subsets.""")(partial(slips.order_turned_round, right))


@check.mistake("The signs are missing: they alternate, (-1)^j. Without them the coefficients do not add up to one.")
def all_signs_positive(K: int, order: int) -> Tensor:
    return right(K, order).abs()


@check.mistake("All of them are negative. In Python -1 ** j is -(1 ** j): put brackets round it, (-1) ** j.")
def all_signs_negative(K: int, order: int) -> Tensor:
    return -right(K, order).abs()


@check.mistake("""Right for even orders. For odd ones all signs are turned round: they start with + at j = 0, (-1)^j,
    and not at j = m.""")
def signs_counted_from_the_other_end(K: int, order: int) -> Tensor:
    return right(K, order) * (-1) ** order


@check.mistake("""Two things. The signs start with + at j = 0, (-1)^j, and not at j = m. And the power is that of K - j,
    the size of the subset.""")
def K_in_place_of_K_minus_j_and_signs_from_the_other_end(K: int, order: int) -> Tensor:
    return K_in_place_of_K_minus_j(K, order) * (-1) ** order


check.mistake("""All signs are turned round: the bound with all K samples has the positive one at every order. The sum
    must be +1.""")(partial(slips.sign_turned_round, right))


@check.mistake("""(K - j)^m is there, the factorials (m - j)! j! under it are not. At order 1 both are 1, so test order
    2.""")
def factorials_are_missing(K: int, order: int) -> Tensor:
    return torch.tensor([(-1) ** j * (K - j) ** order for j in range(order + 1)], dtype=torch.float64)


@check.mistake("The power is that of K - j, the size of the subset, not of K.")
def K_in_place_of_K_minus_j(K: int, order: int) -> Tensor:
    return times(lambda j: K**order / (K - j) ** order, K, order)


@check.mistake("The exponent is the order m in every term; you have j there.")
def power_j_in_place_of_m(K: int, order: int) -> Tensor:
    return times(lambda j: 1 / (K - j) ** (order - j), K, order)


@check.mistake("The power is missing: K - j to the power m stands above.")
def power_left_out(K: int, order: int) -> Tensor:
    return times(lambda j: 1 / (K - j) ** order, K, order)


@check.mistake("K - j stands above as it is. It goes in to the power m, whatever j is.")
def power_1_in_place_of_m(K: int, order: int) -> Tensor:
    return times(lambda j: (K - j) ** (1 - order), K, order)


@check.mistake("One of the two factorials is missing: (m - j)! is there, times j!.")
def j_factorial_left_out(K: int, order: int) -> Tensor:
    return times(math.factorial, K, order)


@check.mistake("One of the two factorials is missing: j! is there, times (m - j)!.")
def m_minus_j_factorial_left_out(K: int, order: int) -> Tensor:
    return times(lambda j: math.factorial(order - j), K, order)


@check.mistake("You have the binomial m over j. It carries an m! on top: the formula has 1 / ((m - j)! j!) alone.")
def binomials_for_factorials(K: int, order: int) -> Tensor:
    return right(K, order) * math.factorial(order)


@check.mistake("You multiplied with (m - j)!. Both factorials stand below: put brackets round them.")
def m_minus_j_factorial_multiplied_not_divided(K: int, order: int) -> Tensor:
    return times(lambda j: math.factorial(order - j) ** 2, K, order)


@check.mistake("You multiplied with j!. Both factorials stand below: put brackets round (m - j)! * j!.")
def j_factorial_multiplied_not_divided(K: int, order: int) -> Tensor:
    return times(lambda j: math.factorial(j) ** 2, K, order)


@check.mistake("Your coefficients are rounded down. They are not whole numbers for m > 1: divide with /, not //.")
def integer_division(K: int, order: int) -> Tensor:
    return right(K, order).floor()


@check.mistake("""What stands behind the point of your coefficients is cut off. They are not whole numbers for m > 1:
    divide with /, and no int.""")
def cut_off(K: int, order: int) -> Tensor:
    return right(K, order).trunc()


@check.mistake("K and -(K - 1) are the coefficients of order 1. Every order m has m + 1 of them.")
def order_1_for_every_order(K: int, order: int) -> Tensor:
    return torch.tensor([K, -(K - 1)], dtype=torch.float64)


@check.mistake("One coefficient is missing: j runs from 0 up to *and with* m, so there are m + 1.")
def one_too_few(K: int, order: int) -> Tensor:
    return right(K, order)[:-1]


@check.mistake("""You divided by the number of subsets here. The mean over subsets does that already; the coefficients
    multiply the mean.""")
def times_the_number_of_subsets(K: int, order: int) -> Tensor:
    return times(lambda j: 1 / math.comb(K, j), K, order)
