"""A kernel that ends under labs: each says so and what to press; its cell run alone brings it back as it was.

Labs with every kind of control and of panel stand for all: that each control of each lab has a place of its own where
the page keeps its value, and the same one in the next run, tests/survival/test_memory.py asks the kernel.
"""

import json
import os
import signal

import nbformat
import pytest

from tests.browser.jupyterlab.test_learner import run_the_cell
from tools import learner, live
from tools.browser import WIDGET, Notebook, words
from vaecourse import labs

SAYS = 2000  # milliseconds from the end of the kernel to the words
SAID = """() => [...document.querySelectorAll(".vaecourse-lab")].every((lab) => {
    const { content, display } = getComputedStyle(lab, "::before");
    return content.includes("Shift+Enter") && display === "block";
})"""
UNASKED = "import os\n\nos.environ['VAECOURSE_GUESS'] = '0'"  # in each kernel anew: a lab that asks hides its controls
ENDED = ["00.chord", "04.signal", "06.latent", "07.samplers", "07.bounds"]
ALONE = f'{UNASKED}\n{learner.LABS}\n\nlabs.ALL["03.iwae"]()'


def notebook_of_cells(path, *sources):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def kernel_of(notebook):
    return int(run_the_cell(notebook, "os.getpid()"))


def settings(lab):
    return lab.evaluate(
        "(lab) => [...lab.querySelectorAll('input:not([type=text]), output')].map((node) => node.value + node.checked)"
    )


def move(notebook, lab):
    """The first slider by two stops, and every switch and choice; wait until the lab has settled."""
    slider = lab.locator("input[type=range]").first
    slider.focus()
    end = slider.evaluate("(input) => input.value === input.max")
    for _ in range(2):
        slider.press("ArrowLeft" if end else "ArrowRight")
    for box in lab.locator("input[type=checkbox]").all():
        box.click()
    notebook.page.wait_for_timeout(500)  # the kernel has answered, and the sentence is the last one
    notebook.wait_for_words(lab)


def kinds(names):
    """Of labs and of their controls."""
    found = [live.experiment(name) for name in names]
    return {(type(of), of.__dict__.get("log")) for lab in found for of in lab.controls} | {
        type(lab).live for lab in found
    }


def test_the_labs_that_end_have_every_kind_of_control():
    assert kinds(ENDED) == kinds(labs.ALL)


def test_every_lab_says_so_and_comes_back_in_its_setting(jupyterlab, open_notebook):
    shown = "\n".join(f'display(labs.ALL["{name}"]())' for name in ENDED)
    sources = ["import os\nprint(os.getpid())", ALONE, f"{UNASKED}\nfrom vaecourse import labs\n\n{shown}"]
    notebook_of_cells(jupyterlab.folder / "ended.ipynb", *sources)
    notebook = open_notebook("ended.ipynb")
    page = notebook.page
    notebook.run_all(400)
    assert not notebook.errors()
    pid = kernel_of(notebook)
    alone = notebook.lab("03.iwae")
    move(notebook, alone)
    alone_was = settings(alone), words(alone)

    run_the_cell(notebook, "display(labs.ALL")
    everything = page.locator(".jp-Cell.jp-mod-active .vaecourse-lab")
    was = {}
    for number, name in enumerate(ENDED):
        lab = everything.nth(number)
        start = settings(lab)
        move(notebook, lab)
        was[name] = settings(lab), words(lab)
        assert was[name][0] != start, name
    trains = everything.nth(ENDED.index("06.latent"))
    trains.get_by_role("button", name="Step", exact=True).click()
    transport = trains.locator(".vaecourse-transport")
    told = "(node) => getComputedStyle(node, '::before').content"
    page.wait_for_function("(node) => node.textContent.includes('paused')", arg=transport.element_handle())
    assert transport.evaluate(told) == "none"

    assert not page.evaluate(SAID)
    os.kill(pid, signal.SIGKILL)
    page.wait_for_function(SAID, timeout=SAYS)
    assert transport.evaluate(told) == '"Its training is lost: 1 step in no file."'
    page.wait_for_function(f"{WIDGET}.sessionContext.session?.kernel?.status === 'idle'")
    page.locator(".jp-Dialog-button").first.click()  # JupyterLab says that it has started another one

    run_the_cell(notebook, ALONE)
    alone = notebook.lab("03.iwae")
    notebook.wait_for_words(alone, equal_to=alone_was[1])
    assert settings(alone) == alone_was[0]
    run_the_cell(notebook, "display(labs.ALL")
    everything = page.locator(".jp-Cell.jp-mod-active .vaecourse-lab")
    for number, name in enumerate(ENDED):
        lab = everything.nth(number)
        if name != "06.latent":
            notebook.wait_for_words(lab, equal_to=was[name][1])
        assert settings(lab) == was[name][0], name
    assert not page.evaluate(SAID)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_notebook_that_is_opened_again_says_how_to_start(jupyterlab, open_notebook, trusted):
    name = f"again-{trusted}.ipynb"
    path = jupyterlab.folder / name
    notebook_of_cells(path, ALONE)
    notebook = open_notebook(name)
    page = notebook.page
    notebook.run_all()
    lab = notebook.lab("03.iwae")
    start = page.locator(".vaecourse-start")
    assert words(lab) and not start.is_visible()
    page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => (window.saved = true)), 0")
    page.wait_for_function("window.saved")
    if not trusted:
        text = json.loads(path.read_text())
        text["cells"][0]["outputs"][0]["data"]["text/plain"] = "another's"
        text["cells"][0]["outputs"][1]["data"]["text/plain"] = "another's"
        path.write_text(json.dumps(text))
    page.goto("about:blank")
    jupyterlab.end_sessions(name)
    notebook = Notebook.open(page, jupyterlab, name)
    start.wait_for(state="visible")
    assert "Shift+Enter" in start.inner_text() and not page.locator(".vaecourse-lab").count()
    run_the_cell(notebook, "labs.ALL")
    page.locator(".vaecourse-lab").wait_for()
    assert not start.is_visible()
