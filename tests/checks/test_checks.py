"""Every check of the course: the solution passes, each known mistake is told its name, nothing makes a check raise."""

import sys

import pytest
import torch

from vaecourse import checks
from vaecourse.checks import Check, Mistake

FRAME = Check(
    "99.mean",
    solution=lambda x: x.mean(0),
    cases=lambda: [(torch.arange(6.0).reshape(2, 3),), (torch.ones(4, 5),)],
    mistakes=[Mistake("wrong axis", lambda x: x.mean(1), "That is the other axis.")],
    praise="Yes.",
)

CHECKS = [FRAME, *checks.ALL.values()]
CASES = [(check, mistake) for check in CHECKS for mistake in check.mistakes]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_solution_passes(check):
    verdict = check(check.solution)
    assert verdict.passed, verdict
    assert verdict.mistake is None


@pytest.mark.parametrize("check, mistake", CASES, ids=lambda case: getattr(case, "name", ""))
def test_mistake_is_rejected_by_its_own_name(check, mistake):
    verdict = check(mistake.answer)
    assert not verdict.passed
    assert verdict.mistake == mistake.name, verdict
    assert verdict.message == mistake.message


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_stub_is_told_kindly(check):
    stubs = [None, ...]
    if callable(check.solution):
        stubs += [lambda *arguments: None, lambda *arguments: ..., _not_implemented]
    for stub in stubs:
        verdict = check(stub)
        assert not verdict.passed
        assert verdict.mistake is None
        assert "Not solved yet" in verdict.message


def _not_implemented(*arguments):
    raise NotImplementedError


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError("no")


@pytest.mark.parametrize("check", CHECKS, ids=str)
@pytest.mark.parametrize("junk", range(15))
def test_nothing_makes_a_check_raise(check, junk):
    answer = [
        object(), "seven", float("nan"), [], {}, torch.zeros(0), Hostile(), print, lambda: 1, lambda *a: "x",
        lambda *a: 1 / 0, lambda *a: [object()], lambda *a: torch.zeros(7, 7, 7), lambda *a: sys.exit(1), int,
    ][junk]  # fmt: skip
    verdict = check(answer)
    assert not verdict.passed
    assert verdict.message
    assert repr(verdict)
    assert verdict._repr_html_()


def test_names_say_their_chapter():
    for chapter in checks.CHAPTERS:
        number = chapter.__name__[-2:]
        assert all(check.name.startswith(f"{number}.") for check in chapter.CHECKS)


def test_an_unknown_mistake_is_told_the_values():
    verdict = FRAME(lambda x: x.mean(0) + 1)
    assert verdict.mistake is None
    assert "test case 1 of 2" in verdict.message
    assert "2.5" in verdict.message and "1.5" in verdict.message


def test_shapes_types_and_nan_are_told_apart():
    assert "shape [2]" in FRAME(lambda x: x.mean(1) * 2).message
    assert "NaN" in FRAME(lambda x: x.mean(0) * float("nan")).message
    assert "type str" in FRAME(lambda x: "three").message
    assert "a value" in FRAME(3.0).message
    assert "ZeroDivisionError" in FRAME(lambda x: 1 / 0).message


def test_an_answer_cannot_change_the_cases():
    def greedy(x):
        result = x.mean(0)
        x.zero_()
        return result

    assert FRAME(greedy).passed
    assert FRAME(greedy).passed


def test_a_complex_answer_does_not_pass_by_its_real_part():
    check = Check("00.test", lambda: torch.tensor(1.0), [], "Right.")
    assert not check(lambda: 1 + 2j).passed


def test_the_difference_named_is_one():
    """inf - inf is NaN, and no difference."""
    check = Check("00.test", lambda: torch.tensor([torch.inf, 1.0]), [], "Right.")
    assert "2 where 1 is right" in check(lambda: torch.tensor([torch.inf, 2.0])).message


def test_a_tuple_that_is_missing_is_told_as_such():
    check = Check("00.test", lambda x: (x.sum(), x.mean()), [], "Right.", cases=lambda: [(torch.ones(3),)])
    assert "2 results" in check(lambda x: x.sum()).message
    assert "3 of them" in check(lambda x: (x.sum(), x.mean(), x)).message
    assert "one result is needed" in FRAME(lambda x: (x.mean(0), x.mean(0))).message
