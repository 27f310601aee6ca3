"""A real JupyterLab and a real Chromium. Without a Chromium the tests say so and are skipped; in CI they fail."""

import os
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import machines
from tools import browser
from vaecourse import labs

CHAPTERS = Path(__file__).parents[2] / "chapters"


class RoomByRoom(LoadScopeScheduling):
    """In place of xdist's own groups, which it writes into node ids: since pytest 9.2 these cannot be changed.

    One worker has jupyterlab/ and its kernels, another pages/: it builds the site and opens it from disk. Whoever is
    first ready takes served/ and decks/.
    """

    def _split_scope(self, nodeid):
        return nodeid.split("::")[0].rsplit("/", 1)[0]


def pytest_xdist_make_scheduler(config, log):
    return RoomByRoom(config, log)


@pytest.fixture(scope="session")
def chromium():
    if browser.CHROMIUM is None:
        reason = "No Chromium on this machine: the browser tests need one (Debian: apt-get install chromium)."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with browser.chromium() as running:
        yield running


@pytest.fixture(scope="session")
def jupyterlab(chromium, tmp_path_factory):
    code = "from vaecourse import labs\n\n" + "\n".join(f'display(labs.ALL["{name}"]())' for name in labs.ALL)
    all_labs = browser.notebook_of(code, tmp_path_factory.mktemp("labs") / "labs.ipynb")
    with browser.server(*CHAPTERS.glob("*.ipynb"), all_labs) as running:
        yield running


@pytest.fixture
def open_notebook(chromium, jupyterlab):
    """Open a notebook by name in a page of its own; when the test ends, so do page and kernel."""
    page, opened = chromium.new_page(viewport={"width": 1366, "height": 768}), []

    def open_it(name):
        opened.append(name)
        return browser.Notebook.open(page, jupyterlab, name)

    yield open_it
    page.close()
    for name in opened:
        jupyterlab.end_sessions(name)


@pytest.fixture(scope="session")
def notebook(chromium, jupyterlab):
    """One kernel with all labs in it, for every test of them: a kernel each would take longer than the tests."""
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    opened = browser.Notebook.open(page, jupyterlab, "labs.ipynb")
    opened.run_all(400)  # 20 s on an idle machine
    assert not opened.errors()
    yield opened
    page.close()
    jupyterlab.end_sessions("labs.ipynb")


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The site as ``make book`` builds it, a warning being an error, on a machine whose texts are in GBK."""
    course = machines.course(tmp_path_factory.mktemp("a course, 课程"))
    machines.make(course, machines.foreign("GBK", tmp_path_factory.mktemp("locales")), "book")
    return course / "build/site"
