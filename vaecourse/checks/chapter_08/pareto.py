"""08.pareto: the rows that nobody dominates. Shapes: ``[R, C] -> [R]``."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def beaten_by(scores: Tensor) -> tuple[Tensor, Tensor]:
    """For rows i and j: is i at least as good everywhere, is i better somewhere. ``[R, R]`` each, i in axis 0."""
    a, b = scores[:, None], scores[None, :]
    return (a >= b).all(-1), (a > b).any(-1)


def right(scores: Tensor) -> Tensor:
    as_good, better = beaten_by(scores)
    return ~(as_good & better).any(0)


check = Check(
    "08.pareto",
    right,
    praise="What is left is a choice, and no table can make it for you.",
    cases=lambda: [
        (torch.tensor([[-26.9, -22.9], [-25.0, -22.8], [-24.2, -22.9], [-23.5, -23.3], [-24.2, -23.0]]),),
        (torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 2.0], [3.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.0, 2.5, 0.0]]),),
        (normal(12, 3, seed=81),),
        (torch.tensor([[2.0, 2.0], [1.0, 1.5], [0.0, 2.0]]),),
    ],
)


@check.mistake("""You kept the winners of the columns. A row that is second in both may be the best compromise: it stays
    unless *one* other row is at least as good in every column and better in one.""")
def best_of_each_column_only(s: Tensor) -> Tensor:
    return (s == s.max(0).values).any(1)


@check.mistake("""You ask the other row to be better in *every* column. A row that is equal in one column and worse in
    the others is dominated as well.""")
def better_in_every_column(s: Tensor) -> Tensor:
    return ~(s[:, None] > s[None]).all(-1).any(0)


@check.mistake("""You dropped rows that another row only *equals*. Of two equal rows neither dominates: the other must
    be better somewhere.""")
def at_least_as_good(s: Tensor) -> Tensor:
    return ~((s[:, None] >= s[None]).all(-1) & ~torch.eye(len(s), dtype=torch.bool)).any(0)


@check.mistake("""Nothing is left, and some row always is. Every row is at least as good as itself: does yours dominate
    itself? Ask for better in at least one column too.""")
def every_row_dominates_itself(s: Tensor) -> Tensor:
    return ~(s[:, None] >= s[None]).all(-1).any(0)


@check.mistake("""You kept the rows that dominate nobody. Is higher better in your comparison, and does `any` run over
    the rows that *might dominate*, not over those that might be dominated?""")
def those_that_dominate_nobody(s: Tensor) -> Tensor:
    return right(-s)


@check.mistake("You returned the rows that are dominated. True should mean: nobody dominates this row.")
def dominated_ones(s: Tensor) -> Tensor:
    return ~right(s)


@check.mistake("You kept the rows that beat some other row. Look along the other axis: keep those that *nobody* beats.")
def those_that_dominate_someone(s: Tensor) -> Tensor:
    return (torch.logical_and(*beaten_by(s))).any(1)


@check.mistake("""You kept only rows that nobody beats in *any* column, winners of everything. To dominate, one row must
    be at least as good in *all* columns: all over C first, then any over the rows.""")
def best_everywhere(s: Tensor) -> Tensor:
    return ~(s[:, None] > s[None]).any(-1).any(0)


@check.mistake("These are the right rows, by number. Return a boolean for *every* row, [R]: do not call nonzero().")
def numbers_of_rows(s: Tensor) -> Tensor:
    return right(s).nonzero().flatten()


@check.mistake("These are the scores of the right rows. Return the mask itself, a boolean for every row, [R].")
def scores_themselves(s: Tensor) -> Tensor:
    return s[right(s)]


@check.mistake("""You kept the best sum (or mean) of the columns. A nat of ELBO and a nat of log p(x) have no common
    price until *you* set one; without a price, all undominated rows stay.""")
def sum_of_the_columns(s: Tensor) -> Tensor:
    return s.sum(1) == s.sum(1).max()


@check.mistake("You looked at two columns only. There are C of them: all and any run over the whole last axis.")
def first_two_columns_only(s: Tensor) -> Tensor:
    return right(s[:, :2])


@check.mistake("""Two things: you kept the rows that beat nobody, where nobody must beat *them*; and to dominate, a row
    may be equal in some columns, if it is better in one.""")
def those_that_beat_nobody_in_every_column(s: Tensor) -> Tensor:
    return better_in_every_column(-s)


@check.mistake("""Every row is kept. Do you ask that *all* rows dominate it before one goes? They never do, for none
    dominates itself: one is enough, `any`.""")
def all_rows_kept(s: Tensor) -> Tensor:
    return torch.ones(len(s), dtype=torch.bool)
