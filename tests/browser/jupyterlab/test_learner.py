"""The learner's edition in JupyterLab: nothing is answered before one begins, and what is typed stays."""

import json
import shutil

import pytest
from playwright.sync_api import Locator

from tests.browser.audit import READY, audit
from tests.tools.test_edition import new_text
from tools import edition, typed
from tools.browser import WIDGET, Notebook

CHECK = 'cards.show("00.shape")'


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


def card(notebook: Notebook, words: str) -> Locator:
    """Run the cell with these words; return the card that stands under it then."""
    run_the_cell(notebook, words)
    found = notebook.page.locator(".jp-Cell.jp-mod-active .vaecourse-card")
    found.locator(".vaecourse-said:not(:empty)").first.wait_for()
    return found


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
    (learn / "progress.json").unlink(missing_ok=True)  # make lab leaves it out of the list, this server does not
    page.evaluate("jupyterapp.commands.execute('filebrowser:refresh')")
    page.locator(".jp-DirListing-itemText", has_text="progress.json").wait_for(state="detached")
    listed = page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert listed == [path.name for path in typed.notebooks(edition.chapter.CHAPTERS)]
    assert not page.locator(".jp-OutputArea-output").count(), "an output was there before anything was run"

    run_the_cell(notebook, "from vaecourse import bounds, checks")
    run_the_cell(notebook, "shape = ...")
    assert "Not solved yet" in card(notebook, CHECK).inner_text()
    type_into(notebook, "shape = ...", "shape = (7, 2, 5)")
    run_the_cell(notebook, "shape = (7")
    assert "Not yet." in card(notebook, CHECK).inner_text()
    type_into(notebook, "shape = (7", "shape = (2, 7, 5)")
    run_the_cell(notebook, "shape = (2")
    assert "✓ Right." in card(notebook, CHECK).inner_text()
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


def test_every_chapter_leads_to_the_letters_of_other_texts(learn, open_notebook, jupyterlab):
    notebook = open_notebook("learn/03-iwae.ipynb")
    page = notebook.page
    page.locator(".jp-RenderedMarkdown a", has_text="their symbol, ours").first.click()
    page.wait_for_function(f"{WIDGET}?.context?.path === 'learn/00-start-here.ipynb'")
    page.wait_for_function(f"{WIDGET}.content.node.querySelector('.jp-WindowedPanel-outer').scrollTop > 5000")
    assert page.locator("h2", has_text=edition.LETTERS).last.is_visible()
    page.wait_for_function(f"{WIDGET}.sessionContext.session?.kernel?.status === 'idle'")
    run_the_cell(notebook, "symbols.search()")
    field = page.get_by_label("their symbol, or a word")
    field.click()
    page.keyboard.type("q(z)")
    lab = page.locator(".vaecourse-lab", has=field)
    lab.get_by_text("8 rows have q(z).").wait_for()
    prior = lab.locator("tbody tr").first
    assert prior.locator("th").inner_text() == "prior" and prior.locator("mjx-container").count() > 5
    page.evaluate(READY)
    faults = audit(page, lab)
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}), 0")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    faults += audit(page, lab, runOnly=["color-contrast"])
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}), 0")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")
    assert not faults, faults
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "checkbox"
    page.keyboard.press("Space")
    field.fill("")
    lab.get_by_text("Words of the Chinese texts").wait_for()
    assert lab.locator("table").count() == 5
    assert not notebook.problems, "\n".join(notebook.problems)
    jupyterlab.end_sessions("00-start-here")
