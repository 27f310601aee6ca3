"""The labs that train, in JupyterLab: start, turn while it runs, step, pause; and a cell run again trains once."""

import re

import pytest

from tools.browser import picture, words
from vaecourse import labs

SETTLE = 1500  # milliseconds for what is on its way


@pytest.mark.parametrize("name, preset", [("06.latent", "collapsed"), ("08.cockpit", "drown the encoder")])
def test_start_turn_step_pause(notebook, name, preset):
    page = notebook.page
    lab = notebook.lab(name, list(labs.ALL).index(name))
    press = lambda button: lab.get_by_role("button", name=button, exact=True).click()
    told = lab.locator(".vaecourse-state")
    step = lambda: int(re.search(r"step (\d+)", told.text_content()).group(1))
    wait = lambda condition, *arg: page.wait_for_function(condition, arg=[told.element_handle(), *arg])
    reached = "([told, steps]) => Number(told.textContent.match(/step (\\d+)/)[1]) >= steps"

    press("Reset")
    notebook.wait_for_words(lab, other_than="")
    first = picture(lab)
    press("Start")
    wait(reached, 10)
    press(preset)  # the kernel answers while it trains
    page.wait_for_function(
        "([lab, words]) => lab.querySelector('.vaecourse-sentence').textContent.includes(words)",
        arg=[lab.element_handle(), "10.00 rate" if name == "06.latent" else "iwae, M = 1, K = 64"],
    )
    assert "training" in told.text_content()
    wait(reached, step() + 3)
    slider = lab.locator("input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    assert slider.evaluate("(input) => document.activeElement === input")

    press("Pause")
    wait("([told]) => told.textContent.includes('paused')")
    page.wait_for_timeout(SETTLE)
    paused, shown = step(), picture(lab)
    assert shown != first
    page.wait_for_timeout(SETTLE)
    assert (step(), picture(lab)) == (paused, shown), "it trains on"

    press("Step")
    wait(reached, paused + 1)
    page.wait_for_timeout(SETTLE)
    assert step() == paused + 1
    press("Load")  # nothing was saved yet: an error is told, and the state stays
    wait("([told]) => told.textContent.includes('FileNotFoundError')")
    assert step() == paused + 1
    press("Save")
    wait("([told]) => told.textContent.includes('saved in')")
    press("Reset")
    wait("([told]) => told.textContent.includes('not started')")
    press("Load")
    wait(reached, paused + 1)
    assert preset == "collapsed" or "K = 6" in words(lab)
    press("Reset")
    wait("([told]) => told.textContent.includes('not started')")
    assert not notebook.problems, "\n".join(notebook.problems)
