"""The card of an exercise, without a page: verdict, attempts, hints, solution, and the learner's names left alone."""

import json

import pytest

from vaecourse import cards, checks, progress
from vaecourse.cards import data, own, parts, ways

NAME = "00.log_mean_exp"
WRONG = "def log_mean_exp(log_w):\n    return log_w.logsumexp(1)"
RIGHT = "import math\ndef log_mean_exp(log_w):\n    return log_w.logsumexp(1) - math.log(log_w.shape[1])"


def kept():
    return progress.read().exercises[NAME]


def test_a_cell_that_was_not_run_is_told_kindly_and_counts_nothing(notebook):
    card = cards.show(NAME)
    assert card.judged.kind == "missing" and "Run the cell above" in repr(card)
    assert progress.read().exercises == {}


def test_what_is_as_at_the_start_is_no_attempt(notebook):
    notebook.run(data.exercise(NAME).stub)
    assert cards.show(NAME).judged.kind == "empty"
    assert progress.read().exercises == {}


def test_from_a_named_mistake_to_a_pass(notebook):
    notebook.run(WRONG)
    card = cards.show(NAME)
    assert card.judged.kind == "wrong" and "log of the sum" in card._verdict.value
    assert (kept().attempts, kept().mistakes, kept().solved) == (1, {"log K missing": 1}, None)
    cards.show(NAME)
    assert kept().attempts == 1, "the same answer, judged again"
    notebook.run(RIGHT)
    card = cards.show(NAME)
    assert card.judged.kind == "passed" and checks.ALL[NAME].praise in card._verdict.value
    assert kept().attempts == 2 and kept().solved and kept().answer == RIGHT
    assert "solved at the second try" in card._meta.value
    notebook.run(WRONG)
    assert cards.show(NAME).judged.kind == "wrong"
    assert kept().attempts == 2 and kept().solved and kept().answer == RIGHT, "solved is solved"


def test_an_answer_from_before_an_error_is_not_judged_as_the_new_one(notebook):
    notebook.run(RIGHT)
    with pytest.raises(NameError):
        notebook.run("import math\nunknown\n" + WRONG)
    card = cards.show(NAME)
    assert card.judged.kind == "missing" and "ended in an error" in repr(card)
    assert progress.read().exercises == {}, "and counts nothing"
    notebook.run(WRONG)
    assert cards.show(NAME).judged.kind == "wrong"
    notebook.run("def mine(log_w):\n    return log_w.logsumexp(1) - log_w.shape[1] ** 0\nlog_mean_exp = mine")
    assert cards.show(NAME).judged.kind == "wrong", "another name for a function is no older one"


def test_hints_come_one_by_one_and_stay_open(notebook):
    card, hints = cards.show(NAME), data.exercise(NAME).hints
    for number in range(1, len(hints) + 1):
        card.hint()
        assert len(card._hints.children) == number == kept().hints
        assert hints[number - 1].removeprefix("<p>") in card._hints.children[-1].value
    card.hint()
    assert "open" in card._hint.description and len(card._hints.children) == len(hints)
    assert len(cards.show(NAME)._hints.children) == len(hints)


def test_the_solution_is_shown_on_giving_up_when_asked_twice(notebook):
    notebook.run(WRONG)
    card = cards.show(NAME)
    card.show_solution()
    assert card._more.children == () and "Really?" in card._solution.description
    assert kept().solution_seen is None
    card.show_solution()
    assert "vaecourse-code" in card._more.children[0].value and kept().solution_seen
    assert "solution seen" in card._meta.value


def test_after_a_pass_it_is_compared_at_once(notebook):
    notebook.run(RIGHT)
    card = cards.show(NAME)
    card.show_solution()
    assert "vaecourse-code" in card._more.children[0].value and "solution seen" not in card._meta.value


def test_nothing_enters_the_learners_names(notebook):
    notebook.run(WRONG)
    before = dict(notebook)
    card = cards.show(NAME)
    card.hint(), card.show_solution(), card.show_solution(), card.start_again()
    cards.mine(NAME), cards.solution(NAME)
    assert notebook == before


def test_starting_again_shows_the_cell_as_it_was(notebook):
    card = cards.show(NAME)
    card.start_again()
    assert f"tools.edition again {NAME}" in card._more.children[0].value
    assert "log_mean_exp" in card._more.children[0].value


@pytest.mark.parametrize("cells", [5, "x", None, [1, None]])
def test_whatever_a_learner_calls_in_a_card_is_made(notebook, cells):
    notebook.run("import math\ndef log_mean_exp(log_w):\n    return log_w.logsumexp(1) - math.log(log_w.shape[1])")
    notebook["In"] = cells
    assert cards.show("00.log_mean_exp").judged.kind == "passed"


def test_an_answer_that_raises_whatever_it_is_asked_has_a_card(notebook):
    class Prickly:
        def __getattribute__(self, name):
            raise RuntimeError(name)

    notebook["log_mean_exp"] = Prickly()
    assert cards.show("00.log_mean_exp").judged.kind == "wrong"


def test_the_courses_own_function_is_no_pass(notebook):
    notebook["log_mean_exp"] = cards.solution(NAME)
    card = cards.show(NAME)
    assert card.judged.kind == "ours" and progress.read().exercises == {}


def test_a_right_value_is_nobodys_own(notebook):
    notebook.run("shape = (2, 7, 5)")
    assert cards.show("00.shape").judged.kind == "passed"


def test_an_earlier_card_goes_when_its_cell_is_run_again(notebook):
    first, second = cards.show(NAME), cards.show(NAME)
    assert first.widget.comm is None and second.widget.comm is not None
    assert "text/plain" in first._repr_mimebundle_()


def test_progress_that_cannot_be_kept_is_told_and_nothing_stops(notebook, monkeypatch):
    monkeypatch.setattr(progress, "tried", lambda *_: "Your progress is not kept: the disk is full.")
    notebook.run(WRONG)
    assert "the disk is full" in cards.show(NAME)._verdict.value


# One's own answers ---------------------------------------------------------------------------------------------------


def test_mine_is_the_courses_until_an_answer_has_passed(notebook, capsys):
    assert cards.mine(NAME) is cards.solution(NAME)
    assert "the course's own answer, until yours has passed" in capsys.readouterr().out
    notebook.run(RIGHT)
    cards.show(NAME)
    notebook.clear()
    found = cards.mine(NAME)
    assert found is not cards.solution(NAME) and checks.ALL[NAME](found).passed
    assert capsys.readouterr().out == f"{NAME}: your own answer.\n"


@pytest.mark.parametrize(
    "text, why", [("log_mean_exp = helper", "does not run by itself"), (WRONG, "does not pass"), ("x = 1", "not pass")]
)
def test_an_answer_that_does_not_work_by_itself_is_told(notebook, capsys, text, why):
    progress.answered(NAME, text)
    assert cards.mine(NAME) is cards.solution(NAME)
    assert why in capsys.readouterr().out


def test_the_text_of_an_answer_is_the_latest_cell_that_gives_it(notebook):
    notebook["In"] = ["f = 1", "def f(x):\n    return x", "print(f)", "f(", "g = f"]
    assert own.source("f") == notebook["In"][1]
    assert own.source("h") is None


# The line and the map ------------------------------------------------------------------------------------------------


def told(which):
    return ways._bundle(which)["text/plain"]


def test_the_line_counts_and_leads_on(notebook):
    count = len(data.chapter("00").exercises)
    assert f"0 of {count} solved" in told("00") and "go on" not in told("00") and "quiz" not in told("00")
    notebook.run(RIGHT)
    cards.show(NAME)
    assert f"1 of {count} solved · go on at exercise {data.exercise(NAME).number + 1}" in told("00")
    assert "← 02" in told("03") and told("03").endswith("→") and "←" not in told("00") and "→" not in told("08")
    following = next(one for one in data.chapter("00").exercises.values() if one.number > data.exercise(NAME).number)
    assert f'href="00-start-here.ipynb#cell-id={following.cell}"' in ways._bundle("00")["text/html"]


def test_the_map_has_every_chapter_and_where_one_stopped(notebook):
    assert "You stopped" not in told(ways.ALL)
    notebook.run(RIGHT)
    cards.show(NAME)
    number = data.exercise(NAME).number
    assert f"You stopped at chapter 00, exercise {number}" in told(ways.ALL)
    assert told(ways.ALL).count("solved") == len(data.numbers()) and "✓" in told(ways.ALL)


def test_a_damaged_file_is_told(notebook, tmp_path):
    (tmp_path / "progress.json").write_text("{}", encoding="utf-8")
    assert "progress.json" in told("03") and "progress.json" in told(ways.ALL)


# Quizzes -------------------------------------------------------------------------------------------------------------


def test_the_first_choice_is_the_score_and_reasons_come_after_it(notebook):
    quiz = cards.quiz("03.quiz")
    one = quiz.asked["03.quiz.1"]
    right = next(choice for choice in one.question.choices if choice.right)
    wrong = next(choice for choice in one.question.choices if not choice.right)
    assert all(column.children == () for column in one._reason.values())
    one.choose(wrong.letter)
    assert "Not this one." in one._reason[wrong.letter].children[0].value and not one._reason[right.letter].children
    one.choose(right.letter)
    assert right.reason.removeprefix("<p>Right.") in one._reason[right.letter].children[0].value
    assert quiz._score.value.startswith("0 of 3 right") and "2 still to answer" in quiz._score.value
    quiz.asked["03.quiz.2"].choose(next(it.letter for it in quiz.questions[1].choices if it.right))
    assert quiz._score.value.startswith("1 of 3 right") and "quiz 1 of 3" in told("03")
    again = cards.quiz("03.quiz").asked["03.quiz.1"]
    assert again._reason[wrong.letter].children and again._reason[right.letter].children, "what was open is open"


# Words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message, made",
    [
        ("the *sum* of `a * b`", "the <em>sum</em> of <code>a * b</code>"),
        ("2 * K * M and x**2", "2 * K * M and x**2"),
        ("a < b & `<x>`", "a &lt; b &amp; <code>&lt;x&gt;</code>"),
        ("not *in place*", "not <em>in place</em>"),
    ],
)
def test_a_message_as_html(message, made):
    assert parts.words(message) == made


def test_a_card_says_nothing_of_the_answer_without_a_kernel(notebook):
    exercise = data.exercise(NAME)
    text = json.dumps(cards.show(NAME)._repr_mimebundle_()["text/plain"])
    assert exercise.solution not in text and exercise.hints[0] not in text
