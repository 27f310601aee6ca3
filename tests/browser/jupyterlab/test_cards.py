"""An exercise in a real JupyterLab, from the first hint to the praise, by mouse and keyboard; and a quiz."""

import json

import pytest

from tests.browser.audit import FOCUS_IS_SEEN, audit, told
from tests.browser.jupyterlab.test_accessibility import theme
from tests.browser.jupyterlab.test_learner import card, run_the_cell, type_into
from tools import edition
from tools.browser import WIDGET
from vaecourse.cards import data

NAME = "00.log_mean_exp"
SHOW, QUIZ, LINE = f'cards.show("{NAME}")', 'cards.quiz("00.quiz")', 'cards.line("00")'
WRONG = "def log_mean_exp(log_w):\nreturn log_w.logsumexp(1)"  # JupyterLab indents
RIGHT = "import math\ndef log_mean_exp(log_w):\nreturn log_w.logsumexp(1) - math.log(log_w.shape[1])"
EXERCISE, CHAPTER = data.exercise(NAME), data.chapter("00")


@pytest.fixture
def notebook(jupyterlab, open_notebook):
    folder = jupyterlab.folder / "learn"
    list(edition.renew(folder))
    (folder / "progress.json").unlink(missing_ok=True)
    opened = open_notebook("learn/00-start-here.ipynb")
    opened.page.set_viewport_size({"width": 1366, "height": 625})
    yield opened
    opened.page.set_viewport_size({"width": 1366, "height": 768})
    assert not opened.problems, "\n".join(opened.problems)


def answer(notebook, text, words="def log_mean_exp"):
    type_into(notebook, words, text)
    run_the_cell(notebook, words)


def line(notebook):
    notebook.page.evaluate(f"{WIDGET}.content.scrollToItem(2)")
    return notebook.page.locator(".vaecourse-way")


def wait_for(locator, words):
    locator.filter(has_text=words).wait_for()


def test_from_the_first_hint_to_the_praise(notebook, jupyterlab):
    page, count = notebook.page, len(CHAPTER.exercises)
    run_the_cell(notebook, LINE)
    wait_for(line(notebook), f"0 of {count} solved")
    wait_for(card(notebook, SHOW), "Not run yet.")
    run_the_cell(notebook, "def log_mean_exp")
    shown = card(notebook, SHOW)
    wait_for(shown, "Not solved yet")

    button = shown.get_by_role("button").first
    for number in range(1, len(EXERCISE.hints) + 1):
        button.focus()
        page.keyboard.press("Enter")
        shown.locator(".vaecourse-hint").nth(number - 1).wait_for()
        assert button.evaluate("(node) => document.activeElement === node"), "JupyterLab took the keyboard away"
        assert page.evaluate(FOCUS_IS_SEEN)
    wait_for(shown.locator("[aria-live=polite]"), f"Hint {number} is open.")

    answer(notebook, WRONG)
    shown = card(notebook, SHOW)
    wait_for(shown.locator("[role=status].vaecourse-verdict"), "so subtract log K")
    wait_for(shown, "tried 1 time")
    assert shown.locator(".vaecourse-hint").count() == len(EXERCISE.hints), "a hint that was open is shut"
    shown.get_by_role("button", name="Show the solution").click()
    shown.get_by_role("button", name="Really? It counts as seen.").wait_for()
    assert not shown.locator("pre").count()

    answer(notebook, RIGHT)
    shown = card(notebook, SHOW)
    wait_for(shown.locator(".vaecourse-verdict"), "✓ Right. logsumexp minus log K")
    wait_for(shown, "solved at the second try")
    shown.get_by_role("button", name="Compare with the solution").click()
    wait_for(shown.locator("pre"), "def log_mean_exp")
    wait_for(line(notebook), f"1 of {count} solved · go on at exercise {EXERCISE.number + 1}")
    line(notebook).get_by_role("link", name=f"exercise {EXERCISE.number + 1}").click()
    page.locator(".jp-RenderedMarkdown h3", has_text=f"Exercise {EXERCISE.number + 1} ·").wait_for(state="visible")
    kept = json.loads((jupyterlab.folder / "learn/progress.json").read_text(encoding="utf-8"))["exercises"][NAME]
    assert (kept["attempts"], kept["mistakes"], kept["hints"]) == (2, {"log K missing": 1}, len(EXERCISE.hints))
    assert kept["solved"] and kept["solution_seen"] >= kept["solved"] and "def log_mean_exp" in kept["answer"]

    page.evaluate(f"{WIDGET}.sessionContext.session.kernel.restart()")
    page.wait_for_function(f"{WIDGET}.sessionContext.session.kernel.status === 'idle'")
    shown = card(notebook, SHOW)  # alone, with nothing else run
    wait_for(shown, "Not run yet.")
    wait_for(shown, "solved at the second try")
    assert notebook.errors() == []


def test_a_card_without_its_kernel_says_what_to_press(notebook):
    page = notebook.page
    card(notebook, SHOW).wait_for()
    page.evaluate(f"{WIDGET}.sessionContext.session.kernel.restart()")
    said = (
        "getComputedStyle(document.querySelector('.vaecourse-card'), '::before').content.includes('Run its cell again')"
    )
    page.wait_for_function(said, timeout=20_000)


def test_a_card_says_that_the_cell_above_it_has_changed(notebook):
    answer(notebook, WRONG)
    wait_for(card(notebook, SHOW), "so subtract log K")
    title = f"Exercise {EXERCISE.number} ·"
    verdict = notebook.page.locator(".vaecourse-card").filter(has_text=title).locator(".vaecourse-verdict")
    said = "(node) => getComputedStyle(node, '::after').content"
    assert verdict.evaluate(said) == "none"
    type_into(notebook, "def log_mean_exp", RIGHT)
    assert "has changed since it ran" in verdict.evaluate(said)
    run_the_cell(notebook, "def log_mean_exp")
    assert verdict.evaluate(said) == "none"


def test_a_quiz_says_why_and_keeps_the_first_choice(notebook):
    page, asked = notebook.page, data.questions("00.quiz")
    run_the_cell(notebook, LINE)
    quiz = card(notebook, QUIZ)
    first = quiz.locator(".vaecourse-asked").first
    first.locator("mjx-container").first.wait_for()  # a formula is typeset
    right = next(place for place, choice in enumerate(asked[0].choices) if choice.right)
    wrong = 0 if right else 1
    for place in (wrong, right):
        first.get_by_role("button").nth(place).focus()
        page.keyboard.press("Space")
        wait_for(first.locator("[aria-live=polite]"), f"{asked[0].choices[place].letter}: ")
    wait_for(first, "Not this one.")
    wait_for(first, "✓ Right.")
    wait_for(quiz, f"0 of {len(asked)} right at the first choice")
    wait_for(line(notebook), f"quiz 0 of {len(asked)}")
    assert card(notebook, QUIZ).locator(".vaecourse-reason p").count() >= 2, "what was open is open"


# Wider than what is around it, or over its edge.
CUT = """(card) => {
    const edge = card.getBoundingClientRect().right;
    return [...card.querySelectorAll("button, p, h4, pre, .vaecourse-said")].filter((node) =>
        node.getBoundingClientRect().right > edge + 1 ||
        (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === "hidden" &&
            !node.closest(".vaecourse-unseen"))).map((node) => node.outerHTML.slice(0, 120));
}"""


def test_cards_in_both_themes_and_at_150_percent(notebook):
    page, faults = notebook.page, {}
    answer(notebook, WRONG)
    for name in ("Light", "Dark"):
        theme(notebook, name)
        for words in (SHOW, QUIZ, LINE):
            if words == LINE:
                run_the_cell(notebook, LINE)
                shown = line(notebook)
            else:
                shown = card(notebook, words)
                shown.get_by_role("button").first.click()
            if seen := audit(page, shown):
                faults[f"{words}, {name}"] = seen
    theme(notebook, "Light")
    assert not faults, told(faults)
    page.set_viewport_size({"width": 911, "height": 417})  # 1366 x 625 at 150 %
    for words in (SHOW, QUIZ):
        shown = card(notebook, words)
        shown.get_by_role("button").nth(1).click()
        page.wait_for_timeout(300)
        assert shown.evaluate(CUT) == []
