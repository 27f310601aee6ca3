"""A real JupyterLab and a real Chromium. Without a Chromium the tests say so and are skipped; in CI they fail."""

import os
from pathlib import Path

import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

from tests import machines
from tools import browser
from vaecourse import labs

CHAPTERS = Path(__file__).parents[2] / "chapters"


class RoomByRoom(LoadScopeScheduling):
    """In place of xdist's own groups, which it writes into node ids: since pytest 9.2 these cannot be changed.

    One worker builds the site and opens every page of it from disk, another has jupyterlab/ and its kernels. Whoever is
    first ready takes what comes next in ``GROUPS``; short ones come last, so that both end together.
    """

    def _split_scope(self, nodeid):
        return group(nodeid)


GROUPS = """pages/test_site.py jupyterlab served decks pages/test_site_labs.py pages/test_site_trained.py
    pages/test_accessibility.py""".split()


def group(nodeid):
    """The folder of a test of the browser; of pages/ the file, for all of its files find the one site built."""
    folder, _, file = nodeid.split("::")[0].removeprefix("tests/browser/").rpartition("/")
    return f"{folder}/{file}" if folder == "pages" else folder


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: GROUPS.index(group(item.nodeid)) if group(item.nodeid) in GROUPS else -1)


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
    code = "import os\n\nfrom vaecourse import labs\n\nos.environ['VAECOURSE_GUESS'] = '0'\n" + "\n".join(
        f'display(labs.ALL["{name}"]())' for name in labs.ALL
    )
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
def book(tmp_path_factory, worker_id):
    """The site as ``make book`` builds it, a warning being an error, on a machine whose texts are in GBK.

    Whichever worker needs it first builds it for all.
    """
    own = tmp_path_factory.getbasetemp()
    built = (own if worker_id == "master" else own.parent) / "book"
    with FileLock(f"{built}.lock"):
        if not built.exists():
            course = machines.course(tmp_path_factory.mktemp("a course, 课程"))
            machines.make(course, machines.foreign("GBK", tmp_path_factory.mktemp("locales")), "book")
            built.write_text(str(course / "build/site"), encoding="utf-8")
    return Path(built.read_text(encoding="utf-8"))
