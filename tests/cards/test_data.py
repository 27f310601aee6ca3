"""What the cards say, for every exercise and every question: it is whole, and each solution passes by itself."""

import json
import re

import pytest

from tools import cards as made_of
from tools import chapter
from vaecourse import cards, checks
from vaecourse.cards import data, own

EXERCISES = [exercise for number in data.numbers() for exercise in data.chapter(number).exercises.values()]
QUESTIONS = [
    question for number in data.numbers() for question in (*data.chapter(number).quiz, *data.chapter(number).recall)
]


def test_every_exercise_has_a_card_and_every_card_an_exercise():
    assert {exercise.name for exercise in EXERCISES} == set(checks.ALL)
    assert [source.name[:2] for source in chapter.sources()] == data.numbers()


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_solution_passes_by_itself_with_what_the_chapter_imports(exercise):
    names = own.run(exercise, exercise.solution, "the solution")
    verdict = checks.ALL[exercise.name](names[exercise.answer])
    assert verdict.passed, verdict
    assert "verdict" not in exercise.solution and "checks.ALL" not in exercise.solution


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_card_is_whole(exercise):
    assert exercise.title and exercise.minutes > 0 and exercise.hints
    assert exercise.difficulty in {"easy", "medium", "hard"}
    assert own.gives(exercise.stub, exercise.answer)
    assert not any("<details" in hint or "`" in hint or "**" in hint for hint in exercise.hints)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_is_whole(question):
    assert question.text and 3 <= len(question.choices) <= 4
    assert sum(choice.right for choice in question.choices) == 1
    assert not any(re.search(r"[<>]\w|&\w+;", choice.text) for choice in question.choices), (
        "a button shows letters only"
    )


def test_an_unknown_name_is_told_the_nearest():
    for ask, name, near in ((cards.show, "03.iwae_bond", "03.iwae_bound"), (cards.quiz, "03.quizz", "03.quiz")):
        with pytest.raises(ValueError, match=f"Did you mean '{near}'"):
            ask(name)
    with pytest.raises(ValueError, match="chapter must be one of"):
        cards.line("77")


# From the text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "heading, wanted",
    [
        ("Exercise 2 · The bound (medium, 5 minutes)", (2, "The bound", False, "medium", 5)),
        ("Exercise 3 † · p(x), again (hard, 1 minute)", (3, "p(x), again", False, "hard", 1)),
        ("Exercise 9 · Steps (pen and paper, easy, 4 minutes)", (9, "Steps", True, "easy", 4)),
    ],
)
def test_a_heading_is_read(heading, wanted):
    cell = made_of.chapter.nbformat.v4.new_markdown_cell(f"### {heading}\n\nThe task.")
    card = made_of._card(chapter.sources()[0], 4, cell)
    assert tuple(card[key] for key in ("number", "title", "pen_and_paper", "difficulty", "minutes")) == wanted


@pytest.mark.parametrize("heading", ["Exercise 2 · The bound (●●○, 5 minutes)", "Exercise 2 · The bound"])
def test_a_heading_of_another_kind_is_refused(heading):
    cell = made_of.chapter.nbformat.v4.new_markdown_cell(f"### {heading}\n\nThe task.")
    with pytest.raises(chapter.ChapterError, match="begins no exercise as the course writes it"):
        made_of._card(chapter.sources()[0], 4, cell)


def test_formulas_stay_and_the_rest_is_html():
    made = made_of.rendered("\n\nThe *mean* of `w`: $a_1 < b_2$ and\n\n$$\\sum_i w_i$$\n\n")
    assert "<em>mean</em>" in made and "<code>w</code>" in made
    assert "$a_1 &lt; b_2$" in made and "$$\\sum_i w_i$$" in made.replace("\n", "")


def test_a_solution_is_shown_without_what_judges_it():
    lines = "def f(x):\n    return x  # the point\n\n\nverdict = checks.ALL['a'](f)\nassert verdict.passed\n"
    assert made_of.without_verdict(f"{lines}late = g(x)\nverdict") == "def f(x):\n    return x  # the point"


def test_a_rule_sees_cards_that_say_something_else(tmp_path, monkeypatch):
    source = chapter.sources(["03"])[0]
    found = chapter.Chapter(source)
    assert list(made_of.cards_agree(found)) == []
    monkeypatch.setattr(made_of, "FOLDER", chapter.ROOT / "build/no-such-folder")
    ((_, told),) = made_of.cards_agree(found)
    assert "03.json; run `make chapters`" in told


def test_cards_are_written_once_and_for_the_courses_chapters_only(tmp_path, monkeypatch):
    monkeypatch.setattr(made_of, "FOLDER", tmp_path / "data")
    source = chapter.sources(["03"])[0]
    made_of.write(source)
    path = tmp_path / "data/03.json"
    assert json.loads(path.read_text(encoding="utf-8")) == made_of.of(source)
    before = path.stat().st_mtime_ns
    made_of.write(source)
    made_of.write(tmp_path / "98-elsewhere.py")
    assert path.stat().st_mtime_ns == before and len(list(path.parent.iterdir())) == 1
