"""Chapter 03 as a learner meets it: open, run the cells down to the lab, move K by keyboard and by mouse, see what
changes. The cells below, which train, are run by nbval."""

from tests.browser.conftest import CHAPTERS
from tools.browser import picture, words

(NAME,) = [path.name for path in CHAPTERS.glob("03-*.ipynb")] or ["03-iwae.ipynb"]


def test_a_learner_moves_K(open_notebook):
    notebook = open_notebook(NAME)
    notebook.run_down_to('labs.ALL["03.iwae"]')
    assert not notebook.errors()
    lab = notebook.lab("03.iwae")
    lab.get_by_role("button", name="Skip (Esc)").press("Escape")  # who guesses: test_guess.py
    lab.get_by_role("button", name="Reset").wait_for()
    K = lab.get_by_label("K", exact=False).and_(lab.locator("input[type=range]")).first
    first = words(lab), picture(lab)

    K.focus()
    K.press("ArrowRight")
    notebook.wait_for_words(lab, other_than=first[0])
    notebook.page.wait_for_timeout(1000)  # the picture's bytes may arrive after the words
    second = words(lab), picture(lab)
    assert second[1] != first[1]

    box = K.bounding_box()
    notebook.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=12)
    notebook.page.mouse.up()
    notebook.wait_for_words(lab, other_than=second[0])
    value = K.get_attribute("aria-valuetext")
    notebook.page.wait_for_function(
        "([lab, value]) => lab.querySelector('.vaecourse-sentence').textContent.includes(value)",
        arg=[lab.element_handle(), value],
    )
    notebook.page.wait_for_timeout(1000)
    assert picture(lab) not in (first[1], second[1])
    assert not notebook.problems, "\n".join(notebook.problems)
