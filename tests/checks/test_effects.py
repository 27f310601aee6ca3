"""A check that looks at what an answer does: what is told of it names what was seen."""

import pytest
import torch

from vaecourse import checks
from vaecourse.checks.effects import CheckOfEffects, slopes_of


class Counter:
    def __init__(self, start):
        self.value = start


def right(counter, x):
    counter.value += 1
    return x.sum()


def watched(answer, counter, x):
    returned = [answer(counter, x) for _ in range(2)]
    return {"what it returned": returned[0], "the counter after two calls": torch.tensor(counter.value)}


COUNT = CheckOfEffects(
    "99.count", right, "Yes.", cases=lambda: [(Counter(n), torch.arange(3.0)) for n in (3, 8)], watched=watched
)


@COUNT.mistake("You returned the sum, and the counter stands where it stood.")
def not_counted(counter, x):
    return x.sum()


def test_a_right_answer_passes_however_often_it_is_judged():
    assert COUNT(right).passed and COUNT(right).passed


def test_a_mistake_in_what_is_done_is_named():
    assert COUNT(lambda counter, x: x.sum()).mistake == "not counted"


def test_what_is_told_names_what_was_seen():
    def twice(counter, x):
        counter.value += 2
        return x.sum()

    assert COUNT(twice).message == "In test case 1 of 2, the counter after two calls is 7 where 5 is right."
    assert "what it returned is 6 where 3 is right" in COUNT(lambda counter, x: 2 * right(counter, x)).message


def test_nothing_and_dots_are_told_as_of_any_answer():
    def nothing(counter, x):
        counter.value += 1

    assert "returns None" in COUNT(nothing).message
    assert "Not solved yet" in COUNT(lambda counter, x: (right(counter, x), ...)[1]).message


def test_a_changed_argument_and_a_stop_are_told():
    assert COUNT(lambda counter, x: right(counter, x.add_(0)) + x.add_(1).sum() * 0).mistake == "input changed"
    assert "a Counter has no `.count`" in COUNT(lambda counter, x: counter.count).message


# 01.training_step ----------------------------------------------------------------------------------------------------


def test_a_step_of_training_is_told_what_stopped_it():
    def step_before_backward(loss_of, x, optimizer):
        loss = loss_of(x)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
        return -loss.item()

    told = checks.ALL["01.training_step"](step_before_backward).message
    assert "optimizer.step() before backward()" in told


def test_a_detached_bound_is_a_number_too():
    def detached(loss_of, x, optimizer):
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        optimizer.step()
        return -loss.detach()

    assert checks.ALL["01.training_step"](detached).passed


def test_where_no_gradient_comes_back_the_slopes_are_zeros():
    leaf, other = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(3.0, requires_grad=True)
    assert [slope.tolist() for slope in slopes_of((2 * leaf).sum(), [leaf, other])] == [[2.0, 2.0], 0.0]
    for value in (leaf.detach(), 1.5, "a text", None):
        assert slopes_of(value, [leaf])[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "name, answer, mistake",
    [
        ("03.iwae_bound", lambda log_w, pooled: ours("03.iwae_bound")(log_w, pooled).item(), "no gradient comes back"),
        ("04.two_goals", lambda log_w, theta, phi: log_w.sum(), "nothing is filled in"),
        ("05.dreg_loss", lambda log_p, log_q, z: ours("03.iwae_bound")(log_p - log_q, True), "no hook that fires"),
    ],
)
def test_the_right_number_is_not_enough_for_a_trainer(name, answer, mistake):
    verdict = checks.ALL[name](answer)
    assert not verdict.passed
    assert verdict.mistake == mistake


def test_exp_first_is_told_only_where_it_is_all_that_is_wrong():
    """At -800 it makes everything NaN, which is like any other NaN: one case lies where exp does no harm."""

    def exp_first(log_w):
        return -log_w.exp().mean((0, 1)).log().mean()

    def one_goal(log_w, theta, phi):
        exp_first(log_w).backward()

    def no_hook(log_p, log_q, z):
        return exp_first(log_p - log_q)

    for name, answer in (("04.two_goals", one_goal), ("05.dreg_loss", no_hook)):
        told = checks.ALL[name](answer).message
        assert "Right on paper" not in told and "test case 1 of 3" in told


def ours(name):
    return checks.ALL[name].solution
