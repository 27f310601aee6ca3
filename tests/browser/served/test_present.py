"""A chapter's labs full screen, as a lecturer projects them: 1280 x 720, live, with no network."""

import os
import re
import signal
import subprocess

import pytest

from tests.browser.served.started import started
from tools import browser, chapter, present

LOCAL = re.compile(r"(http|ws)://127\.0\.0\.1:|data:|blob:")
SCREEN = {"width": 1280, "height": 720}


@pytest.fixture
def address(tmp_path):
    with started(tmp_path, "tools.present", "03", f"--folder={tmp_path}/page") as address:
        yield address


def test_the_labs_of_a_chapter_are_live_on_a_projector(chromium, address):
    outside = []
    page = chromium.new_page(viewport=SCREEN)
    page.on("request", lambda asked: LOCAL.match(asked.url) or outside.append(asked.url))
    page.goto(address, timeout=1000 * browser.SECONDS)
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
    assert "token" not in page.url, "the audience reads the address"
    kernel = page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    asked = page.context.request
    assert asked.get(f"{page.url}api/kernels/{kernel}").ok
    page.reload(timeout=1000 * browser.SECONDS)  # the page that goes ends its kernel
    page.locator(".vaecourse-lab").first.wait_for(timeout=1000 * browser.SECONDS)
    assert asked.get(f"{page.url}api/kernels/{kernel}").status == 404
    page.close()


def test_a_page_whose_kernel_has_ended_says_what_to_press(chromium, address):
    page = chromium.new_page(viewport=SCREEN)
    page.goto(address, timeout=1000 * browser.SECONDS)
    lab = page.locator(".vaecourse-lab").first
    lab.locator(".vaecourse-picture canvas[data-shown]").wait_for(timeout=1000 * browser.SECONDS)
    start = browser.words(lab)
    slider = lab.locator("input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    changed = "([lab, before]) => lab.querySelector('.vaecourse-sentence').textContent !== before"
    page.wait_for_function(changed, arg=[lab.element_handle(), start])
    was = browser.words(lab)
    kernel = page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    pid = subprocess.run(["pgrep", "-f", f"kernel-{kernel}"], capture_output=True, text=True, check=True).stdout
    os.kill(int(pid.split()[0]), signal.SIGKILL)
    said = "(lab) => getComputedStyle(lab, '::before').content.includes('F5')"
    page.wait_for_function(said, arg=lab.element_handle(), timeout=2000)
    page.reload(timeout=1000 * browser.SECONDS)
    lab.locator(".vaecourse-picture canvas[data-shown]").wait_for(timeout=1000 * browser.SECONDS)
    page.wait_for_function(changed.replace("!==", "==="), arg=[lab.element_handle(), was])
    page.close()


@pytest.mark.parametrize("source", chapter.sources(), ids=lambda path: path.stem)
def test_every_chapter_has_a_lab_to_present(source):
    cells = present.notebook(source).cells
    assert len(cells) == 1 + len(present.labs_of(source)) > 1
