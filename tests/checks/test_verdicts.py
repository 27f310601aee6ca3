"""What a check says is true of the answer; a right one passes in every form, and a wrong one in none."""

import asyncio
import sys
import time
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch

from vaecourse import checks
from vaecourse.checks import Check, trying

ROWS = Check(
    "99.rows",
    lambda x: x.logsumexp(1),
    "Yes.",
    cases=lambda: [(torch.arange(6.0).reshape(2, 3),), (torch.ones(4, 5) - torch.arange(4.0)[:, None],)],
)
PAIR = Check("99.pair", lambda x: (x.mean(0), x.std()), "Yes.", cases=lambda: [(torch.arange(6.0).reshape(2, 3),)])
NUMBER = Check("99.number", lambda x: x.var(), "Yes.", cases=lambda: [(torch.arange(5.0),), (torch.arange(9.0),)])
MASK = Check("99.mask", lambda x: x > 1, "Yes.", cases=lambda: [(torch.arange(4.0),)])


# Right ones, in every form ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        lambda y: y.double(),
        lambda y: y.numpy(),
        lambda y: y.numpy()[::-1].copy()[::-1],
        lambda y: y.tolist(),
        lambda y: [*y],
        lambda y: tuple(y),
        lambda y: [Fraction(float(value)) for value in y],
        lambda y: torch.nn.Parameter(y),
        lambda y: torch.stack([y, y], 1)[:, 0],
    ],
)
def test_a_right_answer_passes_in_every_form(form):
    assert ROWS(lambda x: form(x.logsumexp(1))).passed


@pytest.mark.parametrize(
    "pair",
    [
        lambda x: [x.mean(0), x.std()],
        lambda x: (x.mean(0).numpy(), x.std().item()),
        lambda x: (x.mean(0).tolist(), np.float64(x.std())),
    ],
)
def test_two_results_pass_in_every_form(pair):
    assert PAIR(pair).passed


def test_rows_of_one_tensor_are_several_results():
    check = Check("99.two", lambda x: (x.sum(), x.mean()), "Yes.", cases=lambda: [(torch.arange(3.0),)])
    assert check(lambda x: torch.stack([x.sum(), x.mean()])).passed
    assert check(lambda x: np.array([3.0, 1.0])).passed


def test_a_callable_object_and_a_partial_pass():
    class Answer:
        def __call__(self, x):
            return x.logsumexp(1)

    assert ROWS(Answer()).passed
    assert ROWS(partial(torch.logsumexp, dim=1)).passed


# Parts: one by one ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: (x.mean(0), torch.zeros(0), x.std()),
        lambda x: tuple(x.mean(0)) + (x.std(),),
        lambda x: torch.cat([x.mean(0), x.std()[None]]),
        lambda x: (x.std(), x.mean(0)),
        lambda x: (x.mean(0)[:, None], x.std()),
    ],
)
def test_parts_are_not_joined(answer):
    assert not PAIR(answer).passed


def test_of_two_results_the_wrong_one_is_named():
    message = PAIR(lambda x: (x.mean(0), x.std() + 0.3)).message
    assert message.startswith("Result 1 of 2 is right; result 2 is 2.1708 where 1.8708 is right")
    assert "Result 1 is None" in PAIR(lambda x: (None, None)).message
    assert "the answer is a single one" in PAIR(lambda x: 0.5).message
    assert "3 of them" in PAIR(lambda x: (0.1, 0.2, 0.3)).message
    assert "a single one" not in PAIR(lambda x: (0.1, 0.2)).message


# Nothing was returned -------------------------------------------------------------------------------------------------


def forgotten_return(x):
    x.logsumexp(1)


def printed(x):
    print(x.logsumexp(1))


def one_branch(x):
    if len(x) == 2:
        return x.logsumexp(1)


def mended_below(x):
    return None
    return x.logsumexp(1)


def mended_below_with_a_closure(x):
    return None
    weights = x.exp()
    return sorted(x, key=lambda row: (row * weights[0]).sum())


def empty(x):
    """A docstring."""
    ...


@pytest.mark.parametrize(
    "answer, told",
    [
        (forgotten_return, "is `return` missing"),
        (printed, "prints, and returns nothing"),
        (one_branch, "In test case 2 of 2 your function returns None"),
        (mended_below, "the line `return None` ends the function"),
        (mended_below_with_a_closure, "the line `return None` ends the function"),
        (empty, "Not solved yet: the function is still empty"),
        (lambda x: (x, ...), "a `...` is still in the answer"),
    ],
)
def test_what_returns_nothing_is_told_why(answer, told, capsys):
    verdict = ROWS(answer)
    assert not verdict.passed and told in verdict.message
    assert ("Not solved yet" in verdict.message) == (answer not in (forgotten_return, printed, one_branch))
    assert bool(capsys.readouterr().out) == (answer is printed), "what a learner prints is shown"


# The argument is changed, the name comes from outside, the function runs on -------------------------------------------


def test_right_values_from_a_changed_argument_are_told():
    def greedy(x, /):
        x.exp_()
        return x.sum(1).log()

    def pops(many):
        return many.pop(0) * 0 + 3

    assert ROWS(greedy).mistake == "input changed" and "argument `x`" in ROWS(greedy).message
    check = Check("99.list", lambda many: torch.tensor(3.0), "Yes.", cases=lambda: [([torch.ones(()), 2.0],)])
    assert check(pops).mistake == "input changed"
    assert check(lambda many: 3.0).passed


K = 3
mean = torch.ones(())  # a notebook has such names


def test_a_name_from_outside_is_named_where_the_answer_is_wrong():
    def uses_K(x):
        return x.logsumexp(1) * 1.2345 / K

    assert "Your function uses `K` from the notebook" in ROWS(uses_K).message
    assert "from the notebook" not in ROWS(lambda x: x.logsumexp(1) * 1.2345).message
    assert "from the notebook" not in ROWS(lambda x: x.exp().mean(1) * 1.2345).message, (
        "x.mean is no name of the notebook"
    )


@pytest.mark.parametrize("caught", [False, True])
def test_an_answer_that_does_not_end_is_stopped(caught, monkeypatch):
    monkeypatch.setattr(trying.results, "__defaults__", (0.3,))

    def runs_on(x):
        while True:
            try:
                while True:
                    pass
            except Exception:
                if not caught:
                    raise

    began = time.monotonic()
    assert "so it was stopped" in ROWS(runs_on).message
    assert time.monotonic() - began < 20
    assert ROWS(lambda x: x.logsumexp(1)).passed, "and the next one is not"


def test_nothing_is_thrown_after_the_end(monkeypatch):
    """An answer that ends as its time does: the exception on its way must not arrive outside."""
    check = Check("99.sleep", lambda: 1.0, "Yes.")

    def almost():
        time.sleep(0.02)
        return 1.0

    for limit in (0.0199, 0.02, 0.0201, 0.021):
        monkeypatch.setattr(trying.results, "__defaults__", (limit,))
        for _ in range(10):
            check(almost)
            sum(range(2000))


class NoException(BaseException):
    pass


@pytest.mark.parametrize("kind", [GeneratorExit, asyncio.CancelledError, NoException])
def test_what_is_no_exception_ends_no_check(kind):
    def raises(x):
        raise kind

    assert kind.__name__ in ROWS(raises).message


def test_an_interrupt_ends_a_check():
    def raises(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ROWS(raises)


@pytest.mark.parametrize("limit", [0.0, 1e-4, 1e-3])
def test_the_watch_ends_wherever_its_exception_arrives(limit):
    """In the frame's own calls, too: else it is thrown into the kernel each second for ever."""
    for _ in range(5):
        trying.results(lambda: 1.0, [()] * 3, limit)
        assert trying._watch.__code__ not in {frame.f_code for frame in _frames()}


def _frames():
    """Every frame of every thread."""
    for frame in sys._current_frames().values():
        while frame is not None:
            yield frame
            frame = frame.f_back


@pytest.mark.parametrize("name", ["03.iwae_bound", "01.elbo", "05.dreg_weights"])
def test_what_a_cell_has_set_makes_no_right_answer_wrong(name):
    check = checks.ALL[name]
    assert check(check.solution).passed
    try:
        torch.set_default_dtype(torch.float64)
        assert check(lambda *given: check.solution(*given)).passed
        torch.set_grad_enabled(False)
        torch.set_default_device("meta")
        assert check(lambda *given: check.solution(*given)).passed
        assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float64, False)
        assert torch.empty(0).device.type == "meta", "the cell's setting stays"
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)


# What stopped it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer, told",
    [
        (lambda x: x + torch.ones(7), "on axis 1 one has length 3 and the other 7"),
        (lambda x: x @ x, "a matrix product of 2x3 and 2x3"),
        (lambda x: x.sum(4), "there is no axis 4"),
        (lambda x: x[0, 0, 0], "fewer axes than there are indices"),
        (
            lambda x: mean_of(x),  # noqa: F821
            "nothing is called `mean_of` here",
        ),
        (lambda x: x.logsumexpp(1), "a Tensor has no `.logsumexpp`"),
        (lambda x, y: x, "it takes x, y"),
        (lambda: 0, "it takes none"),
        (lambda x: 1 / 0, "it divides by 0"),
        (lambda x: 1.0 if x > 0 else 0.0, "need one truth value"),
        (lambda x: __import__("math").log(x), "math.log and float take one"),
        (lambda x: __import__("math").log(-1.0), "not positive"),
        (lambda x: torch.autograd.grad(x.sum(), x), "something detached, or made anew"),
        (lambda x: x @ torch.ones(3, dtype=torch.float64), "different precision"),
        (lambda x: x(1), "round brackets stand behind a Tensor"),
        (lambda x: len(x)[0], "square brackets stand behind a int"),
        (lambda x: "a" + 1, "do not go together"),
        (lambda x: exit(), "ended the program"),
        (lambda x: x.sum().nothing["a"], "has no `.nothing`"),
    ],
)
def test_an_error_is_told_in_words(answer, told):
    message = ROWS(answer).message
    assert told in message, message


def test_a_mistake_is_told_where_the_answer_stops_because_of_it():
    """Off by one leaves nothing to average where there is one: the slip is told, not where it ends."""
    check = Check("99.tail", lambda x: sum(x) / len(x), "Yes.", cases=lambda: [((1.0, 2.0, 4.0),), ((3.0,),)])
    last_left_out = check.mistake("The last one counts, too.")(lambda x: sum(x[:-1]) / len(x[:-1]))
    verdict = check(lambda x: sum(x[i] for i in range(len(x) - 1)) / (len(x) - 1))
    assert verdict.message == "The last one counts, too."
    assert verdict == check(last_left_out)
    assert "ZeroDivisionError" in check(lambda x: sum(x[:-1]) / (len(x) - 1) + 1).message  # other numbers before it
    assert "ZeroDivisionError" in check(lambda x: 1 / 0).message  # no numbers at all


def test_the_line_that_stopped_is_named():
    def answer(x):
        y = x + 1
        return y.sum(5)

    assert "in `return y.sum(5)`" in ROWS(answer).message


# Relations ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda y, x: -y, "minus the right answer"),
        (lambda y, x: y / 0.6931472, "divided by log 2"),
        (lambda y, x: y.exp(), "the exponential of the right answer"),
        (lambda y, x: y * x.shape[1], "times n, n being the length of axis 1 in argument 1"),
        (lambda y, x: y / x.shape[0], "divided by n, n being the length of axis 0"),
        (lambda y, x: y - np.log(x.shape[1]), "minus log n"),
        (lambda y, x: y + np.log(x.numel()), "plus log n, n being the length of axes 0 and 1 together"),
        (lambda y, x: y.flip(0), "in reverse order along axis 0"),
        (lambda y, x: y[:, None], "an axis of length 1 is left, axis 1"),
        (lambda y, x: y.mean(), "the mean of the right answer over axis 0"),
        (lambda y, x: y.sum(), "the sum of the right answer over axis 0"),
    ],
)
def test_a_relation_is_told(change, told):
    verdict = ROWS(lambda x: change(x.logsumexp(1), x))
    assert not verdict.passed and told in verdict.message, verdict


def test_a_relation_that_fails_in_one_case_is_not_told():
    assert "minus" not in ROWS(lambda x: -x.logsumexp(1) if len(x) == 2 else x.logsumexp(1)).message
    verdict = ROWS(lambda x: x.logsumexp(1) if len(x) == 2 else x.sum(1) * 0.77)
    assert verdict.message.startswith("Right in test case 1. In test case 2 of 2 the answer is")


# Values ---------------------------------------------------------------------------------------------------------------


def test_nan_where_nan_is_right_is_not_named():
    check = Check("99.nan", lambda: torch.tensor([torch.nan, 1.0]), "Yes.")
    assert check(lambda: torch.tensor([torch.nan, 1.0])).passed
    assert "2 where 1 is right" in check(lambda: torch.tensor([torch.nan, 2.0])).message


def test_what_is_wrong_is_not_called_right_in_the_same_breath():
    """The places that are right are counted by the check's own tolerance, and two numbers that differ look so."""
    exact = Check("99.exact", lambda: torch.tensor([18214.0, 3.0]), "Yes.", rtol=1e-9)
    assert "is 18214.3 where 18214 is right, and right in 1 of 2 places" in exact(lambda: [18214.3, 3.0]).message
    loose = Check("99.loose", lambda: torch.tensor([1.0, 2.0]), "Yes.", rtol=1e-2)
    assert "is 3 where 2 is right, and right in 1 of 2 places" in loose(lambda: [1.005, 3.0]).message


def test_truth_values_and_numbers_are_told_apart():
    assert "consists of numbers; needed is True or False" in MASK(lambda x: (x > 1).float()).message
    assert MASK(lambda x: (x > 1).tolist()).passed
    assert "consists of True or False" in ROWS(lambda x: x.logsumexp(1) > 0).message


def test_infinity_and_nan_are_told():
    assert "contains NaN" in ROWS(lambda x: x.logsumexp(1) * torch.nan).message
    assert "contains inf" in ROWS(lambda x: x.logsumexp(1) / 0).message
    assert "of type complex" in ROWS(lambda x: x.logsumexp(1) * 1j).message


# Letters -------------------------------------------------------------------------------------------------------------

CHOICE = Check("99.choice", "B", "Yes.")
ORDER = Check("99.order", "BCAD", "Yes.")


@ORDER.mistake("B is right. D uses what A makes.")
def D_before_A():
    return "BD..."


@pytest.mark.parametrize("answer", ["B", "b", " B ", '"B"', "B.", ["B"], ("b",)])
def test_a_letter_passes_however_it_is_written(answer):
    assert CHOICE(answer).passed


@pytest.mark.parametrize("answer", ["BCAD", "bcad", "B, C, A, D", "B → C → A → D", [*"BCAD"], "B-C-A-D"])
def test_an_order_passes_however_it_is_written(answer):
    assert ORDER(answer).passed


@pytest.mark.parametrize("answer", ["A", "BC", "", "BB", 2, 2.0, True, ["B", 1], [], torch.tensor(2), b"B", {"B": 1}])
def test_no_other_letter_passes(answer):
    verdict = CHOICE(answer)
    assert not verdict.passed and verdict.mistake is None
    assert "could not be read" not in verdict.message


def test_an_order_is_told_the_first_line_that_cannot_stand_there():
    for order in ("BDCA", "BDAC", "bd"):
        assert ORDER(order).mistake == "D before A"
    assert "The line C cannot stand at place 1" in ORDER("CBAD").message
    assert "The first 2 are right; the line D cannot stand at place 3" in ORDER("BCDA").message
    assert "The first is right; the line A cannot stand at place 2" in ORDER("BACD").message
    assert "D is missing" in ORDER("BCA").message and "A stands there 2 times" in ORDER("BCADA").message
    assert "E does not belong there" in ORDER("BCADE").message
    assert 'quotation marks are needed, like "BCA"' in ORDER(7).message
    assert not any(ORDER(order).passed for order in ("B...", "BCAD...", "..."))


def test_what_a_choice_is_told_does_not_give_the_letter_away():
    assert "the letter of one choice is needed" in CHOICE("AB").message
    assert CHOICE("A").message == 'The answer is "A": not this one.'
    assert "quotation marks" in CHOICE(2).message


# A number by hand ----------------------------------------------------------------------------------------------------

BY_HAND = Check("99.by_hand", 0.19274, "Yes.", rtol=5e-3)


@pytest.mark.parametrize("answer", [0.193, 0.1927, Fraction(193, 1000), np.float32(0.193), torch.tensor(0.193)])
def test_a_number_by_hand_passes_rounded(answer):
    assert BY_HAND(answer).passed


def test_a_number_by_hand_is_not_given_away():
    """What is right would be there to copy after the first guess."""
    assert BY_HAND(0.5).message == "The answer 0.5 is too large."
    assert BY_HAND(-0.193).message == "The answer -0.193 is too small."
    assert BY_HAND(0.19).message.startswith("The answer 0.19 is too small. It is near")
    for answer in (0.5, 0.19, -3, 1e9, float("nan"), float("inf"), True, [0.19], torch.zeros(2), 1j, "0.2"):
        verdict = BY_HAND(answer)
        assert not verdict.passed and verdict.mistake is None
        assert "1927" not in verdict.message and "could not be read" not in verdict.message, verdict
