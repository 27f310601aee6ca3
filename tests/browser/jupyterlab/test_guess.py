"""A lab asks first, in a real page: a choice by key, a number by a click into the picture, a curve drawn by hand."""

import pytest

from tools import browser
from tools.browser import words
from vaecourse.labs.asking import WAITING

NAMES = ("00.bound", "05.estimators", "03.iwae", "04.signal")


@pytest.fixture(scope="module")
def asking(chromium, jupyterlab):
    """Labs that nobody has guessed at, in a folder of their own: what is noted there is no other test's."""
    folder = jupyterlab.folder / "guessing"
    folder.mkdir(exist_ok=True)
    code = "from vaecourse import labs\n\n" + "\n".join(f'display(labs.ALL["{name}"]())' for name in NAMES)
    browser.notebook_of(code, folder / "guess.ipynb")
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    opened = browser.Notebook.open(page, jupyterlab, "guessing/guess.ipynb")
    opened.run_all(400)
    assert not opened.errors()
    yield opened
    page.close()
    jupyterlab.end_sessions("guess.ipynb")


def lab_that_asks(asking, name, kind):
    lab = asking.lab(name, NAMES.index(name))
    lab.locator('.vaecourse-guess[data-state="asking"]').wait_for()
    assert words(lab) == WAITING[kind]
    assert not lab.get_by_role("button", name="Reset").is_visible(), "the controls wait for the guess"
    return lab


def told(asking, lab):
    """What follows on the guess; then the controls are there, and the sentence speaks."""
    verdict = lab.locator(".vaecourse-verdict")
    verdict.wait_for()
    has_spoken(asking, lab)
    assert lab.get_by_role("button", name="Reset").is_visible()
    assert lab.locator(".vaecourse-sheet").count() == 0
    assert not asking.problems, "\n".join(asking.problems)
    return verdict.inner_text()


def has_spoken(asking, lab):
    if (before := words(lab)) in WAITING.values():
        asking.wait_for_words(lab, other_than=before)


def test_a_choice_by_key(asking):
    lab = lab_that_asks(asking, "00.bound", "choice")
    lab.get_by_role("button", name="about 70", exact=True).press("Enter")
    assert told(asking, lab).startswith("You said “about 70”; it is “about 7”.")
    assert lab.locator(".vaecourse-verdict").evaluate("(p) => document.activeElement === p"), (
        "the keyboard goes on here"
    )
    lab.get_by_role("button", name="Reset").click()
    assert lab.locator(".vaecourse-verdict").is_visible()
    lab.get_by_role("button", name="Ask me again").click()
    lab.locator('.vaecourse-guess[data-state="asking"]').wait_for()
    lab.get_by_role("button", name="about 7", exact=True).press("Escape")
    lab.get_by_role("button", name="Ask me first").wait_for()


def test_a_number_by_click_and_keys(asking):
    lab = lab_that_asks(asking, "05.estimators", "number")
    slider, sheet = lab.locator(".vaecourse-guess input"), lab.locator(".vaecourse-sheet").bounding_box()
    asking.page.mouse.click(sheet["x"] + 0.5 * sheet["width"], sheet["y"] + 0.5 * sheet["height"])
    assert abs(float(slider.get_attribute("aria-valuetext").replace("−", "-")) + 1.5) < 0.06  # the axis: -7 to 4
    slider.focus()
    slider.press("ArrowLeft")
    said = slider.get_attribute("aria-valuetext")
    slider.press("Enter")
    assert told(asking, lab).startswith(f"You said {said}, it is −1.26:")


def test_a_curve_by_hand(asking):
    lab = lab_that_asks(asking, "03.iwae", "curve")
    sheet, mouse = lab.locator(".vaecourse-sheet").bounding_box(), asking.page.mouse
    mouse.move(sheet["x"] + 1, sheet["y"] + 0.9 * sheet["height"])
    mouse.down()
    mouse.move(sheet["x"] + sheet["width"] - 1, sheet["y"] + 0.1 * sheet["height"], steps=8)
    mouse.up()
    drawn = [one.get_attribute("aria-valuetext") for one in lab.locator(".vaecourse-guess input").all()]
    heights = [float(text.removesuffix(" nats").replace("−", "-")) for text in drawn]
    assert len(heights) == 6 and heights == sorted(heights) and heights[0] < -2.9 and heights[-1] > -1.75
    lab.get_by_role("button", name="This is my guess").click()
    assert told(asking, lab).startswith("You drew −")


def test_a_curve_is_skipped_by_one_key(asking):
    lab = lab_that_asks(asking, "04.signal", "curve")
    lab.locator(".vaecourse-guess input").first.press("Escape")
    lab.get_by_role("button", name="Ask me first").wait_for()
    has_spoken(asking, lab)
