"""A chapter's labs full screen, as a lecturer projects them: 1280 x 720, live, with no network."""

import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tools import browser, notebooks, present

LOCAL = re.compile(r"(http|ws)://127\.0\.0\.1:|data:|blob:")
SCREEN = {"width": 1280, "height": 720}


@pytest.fixture
def voila(tmp_path):
    """Voila as ``make present CHAPTER=03`` starts it."""
    (source,) = notebooks.sources(["03"])
    port = browser.free_port()
    command = present.command(present.write(source, tmp_path), "--no-browser", f"--port={port}")
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, env=present.offline(tmp_path), stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}/"
            wait_for(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(url, process):
    """Until the server answers anything at all; its pages themselves start a kernel."""
    end = time.monotonic() + browser.SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}voila/static/none", timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("Voila did not start")


def test_the_labs_of_a_chapter_are_live_on_a_projector(chromium, voila):
    outside = []
    page = chromium.new_page(viewport=SCREEN)
    page.on("request", lambda asked: LOCAL.match(asked.url) or outside.append(asked.url))
    page.goto(voila, timeout=1000 * browser.SECONDS)
    lab = page.locator(".vaecourse-lab").first
    lab.wait_for(timeout=1000 * browser.SECONDS)
    page.wait_for_function("document.querySelector('.vaecourse-picture canvas')?.width > 500")
    lab.evaluate("(lab) => lab.scrollIntoView({block: 'start'})")
    box = lab.bounding_box()
    assert box["height"] <= 720 and box["width"] <= 1280
    for control in lab.locator("input, button, .vaecourse-sentence").all():
        where = control.bounding_box()
        assert where["y"] + where["height"] <= 720, "a control below the screen"
    before = browser.words(lab)
    slider = lab.locator("input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function(
        "([lab, before]) => lab.querySelector('.vaecourse-sentence').textContent !== before",
        arg=[lab.element_handle(), before],
    )
    assert not outside
    page.close()


@pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)
def test_every_chapter_has_a_lab_to_present(source):
    cells = present.notebook(source).cells
    assert len(cells) == 1 + len(present.labs_of(source)) > 1
