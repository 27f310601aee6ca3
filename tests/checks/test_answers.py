"""What the checks tell people who had not read them: none right refused, none wrong passed, most mistakes named."""

import pytest

from tests.checks.answers import all_of_them, told
from vaecourse import checks

ANSWERS = all_of_them()
TOLD = told()


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_an_answer_is_judged_as_it_was(answer):
    """``told.json`` was read by a person: where a name in it changes, read again whether the message is true."""
    verdict = answer.judged()
    assert verdict.passed == (answer.meant is None), verdict
    if answer.meant is not None:
        assert verdict.mistake == TOLD[answer.name], verdict


def test_there_are_enough_of_them():
    wrong = [answer for answer in ANSWERS if answer.meant is not None]
    assert len({answer.name for answer in ANSWERS}) == len(ANSWERS) >= 400
    assert {answer.exercise for answer in ANSWERS} == set(checks.ALL)
    assert set(TOLD) == {answer.name for answer in wrong}
    assert sum(TOLD[answer.name] is not None for answer in wrong) >= 0.85 * len(wrong)
