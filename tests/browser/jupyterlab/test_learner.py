"""The learner's edition in JupyterLab: nothing is answered before one begins, and what is typed stays."""

import json
import shutil

import pytest

from tests.tools.test_edition import new_text
from tools import edition, typed
from tools.browser import WIDGET, Notebook

CHECK = 'checks.ALL["00.shape"]'


@pytest.fixture(scope="module")
def learn(jupyterlab):
    folder = jupyterlab.folder / "learn"
    list(edition.renew(folder))
    return folder


def run_the_cell(notebook: Notebook, words: str) -> str:
    """Run the first cell with these words, alone; return what stands under it."""
    notebook.page.evaluate("window.cellRun = false")
    return notebook.page.evaluate(
        f"""async (words) => {{
            const content = {WIDGET}.content;
            const cells = content.widgets.map((cell) => cell.model.sharedModel.source);
            content.activeCellIndex = cells.findIndex((source) => source.includes(words));
            await content.scrollToItem(content.activeCellIndex, "start", 0);
            await jupyterapp.commands.execute("notebook:run-cell");
            return content.activeCell.outputArea.node.textContent;
        }}""",
        words,
    )


def type_into(notebook: Notebook, words: str, text: str) -> None:
    """Click into the first cell with these words, and type over all that is in it."""
    notebook.page.evaluate(
        f"""async (words) => {{
            const content = {WIDGET}.content;
            const cells = content.widgets.map((cell) => cell.model.sharedModel.source);
            content.activeCellIndex = cells.findIndex((source) => source.includes(words));
            await content.scrollToItem(content.activeCellIndex, "center", 0);
        }}""",
        words,
    )
    notebook.page.locator(".jp-Cell.jp-mod-active .cm-content").click()
    notebook.page.keyboard.press("Control+a")
    notebook.page.keyboard.type(text)


def test_a_learner_solves_an_exercise_and_goes_on(learn, open_notebook, jupyterlab, tmp_path):
    notebook = open_notebook("learn/00-start-here.ipynb")
    page = notebook.page
    listed = page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert listed == [path.name for path in typed.notebooks(edition.chapter.CHAPTERS)]
    assert not page.locator(".jp-OutputArea-output").count(), "an output was there before anything was run"

    run_the_cell(notebook, "from vaecourse import bounds, checks")
    run_the_cell(notebook, "shape = ...")
    assert "Not solved yet" in run_the_cell(notebook, CHECK)
    type_into(notebook, "shape = ...", "shape = (7, 2, 5)")
    run_the_cell(notebook, "shape = (7")
    assert "Not yet" in run_the_cell(notebook, CHECK)
    type_into(notebook, "shape = (7", "shape = (2, 7, 5)")
    run_the_cell(notebook, "shape = (2")
    assert "Passed" in run_the_cell(notebook, CHECK)
    page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => (window.saved = true)), 0")
    page.wait_for_function("window.saved")
    path = learn / "00-start-here.ipynb"
    found = typed.read(path)
    assert typed.source(found["cells"][typed.stubs(found)["00.shape"]]) == "shape = (2, 7, 5)"

    for chapter in typed.notebooks(edition.chapter.CHAPTERS):
        shutil.copy(chapter, tmp_path)
        shutil.copy(chapter.with_suffix(".py"), tmp_path)
    new_text(tmp_path / path.name, "A new text.")
    assert "1 of 1 cells that were typed are in it." in "\n".join(edition.renew(learn, tmp_path))
    text = json.dumps(typed.read(path))
    assert "A new text." in text and "shape = (2, 7, 5)" in text

    page.evaluate("window.jupyterapp.shell.currentWidget.content.scrollToItem(1)")
    page.locator(".jp-RenderedMarkdown a", has_text="01 The ELBO").first.click()
    page.wait_for_function(f"{WIDGET}?.context?.path === 'learn/01-elbo.ipynb'")
    assert not notebook.problems, "\n".join(notebook.problems)
    jupyterlab.end_sessions("01-elbo")
