"""Every slide of every chapter, from disk with no network: nothing runs over 1280 x 720, the notes are beside."""

import os
import re
from functools import cache, partial

import pytest

from tools import chapter, notebooks, slides, vendor

CHAPTERS = chapter.sources()
SMALLEST = 0.55  # of what had to be made smaller to fit on a slide of its own

# Of every slide with all its steps shown: how far it reaches, what was made smaller, and what begins it. A box that was
# made smaller counts its own width in its own larger pixels.
REACH = """() => Reveal.getSlides().map((slide) => {
    const at = Reveal.getIndices(slide);
    Reveal.slide(at.h, at.v, 999);
    const box = slide.getBoundingClientRect();
    const shown = [...slide.children].filter((child) => child.tagName !== "ASIDE");
    const inner = shown.flatMap((child) => [child, ...child.querySelectorAll("img, svg, table, pre, p, li")]);
    const seen = inner.map((node) => node.getBoundingClientRect()).filter((b) => b.width && b.height);
    return {
        words: slide.textContent.trim().slice(0, 60),
        visible: box.width === 1280 && box.height <= 720 && shown.length > 0,
        bottom: Math.max(...seen.map((b) => b.bottom - box.top)),
        right: Math.max(...seen.map((b) => b.right - box.left), ...shown.map(
            (c) => (c.offsetLeft + c.scrollWidth) * (c.currentCSSZoom ?? 1))),
        shrunk: Math.min(1, ...shown.map((child) => Number(child.dataset.shrunk || 1))),
        letters: Math.min(99, ...inner.filter((n) => n.matches("p, li, pre")).map(
            (n) => parseFloat(getComputedStyle(n).fontSize))),
    };
})"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The deck of a chapter, made once."""
    try:
        vendor.fetch()
    except vendor.NoPackages as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    return cache(partial(slides.write, folder=tmp_path_factory.mktemp("slides")))


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)
def test_every_slide_fits(chromium, written, source):
    problems = []
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
    page.on("console", lambda said: said.type == "error" and problems.append(f"console: {said.text}"))
    page.on("request", lambda asked: asked.url.startswith(("http", "ws")) and problems.append(f"asked for {asked.url}"))
    page.goto(written(source).as_uri())
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    found = page.evaluate(REACH)
    for slide in found:
        assert slide["visible"] and slide["bottom"] <= 720 and slide["right"] <= 1280, slide
        assert slide["shrunk"] >= SMALLEST and slide["letters"] >= 16, slide
    whole = written(source).read_text(encoding="utf-8")
    text = re.sub(r"<aside.*?</aside>", "", whole, flags=re.DOTALL)
    laid_out = page.evaluate("['li', 'td', 'p'].map((tag) => document.querySelectorAll(`#deck section ${tag}`).length)")
    in_notes = page.evaluate("['li', 'td', 'p'].map((tag) => document.querySelectorAll(`#deck aside ${tag}`).length)")
    running = page.locator("#deck .running").count()
    for tag, there, aside, more in zip(("li", "td", "p"), laid_out, in_notes, (0, 0, running)):
        assert there - aside - more == len(re.findall(f"<{tag}[ >]", text)), f"<{tag}> was lost, or came twice"
    stacks = slides.stacks(notebooks.nbformat.read(source.with_suffix(".ipynb"), as_version=4))
    assert len(found) >= sum(map(len, stacks)) - 3
    formulas = whole.count('class="math')
    assert page.locator("mjx-container").count() >= formulas > 0 and page.locator("mjx-merror").count() == 0
    assert page.locator("aside.notes").count() >= sum(bool(slide.notes) for stack in stacks for slide in stack)
    assert not page.locator("aside.notes").first.is_visible()
    pictures = page.evaluate("[...document.images].map((image) => [image.naturalWidth, image.alt.split(' ').length])")
    assert pictures and all(width > 50 and words >= 4 for width, words in pictures)
    assert not problems, "\n".join(problems)
    page.close()


def test_the_speaker_sees_the_notes(chromium, written):
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(written(CHAPTERS[3]).as_uri())
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    noted = "const slide = Reveal.getSlides().find((slide) => slide.querySelector('aside.notes'))"
    page.evaluate(f"() => {{ {noted}; const at = Reveal.getIndices(slide); Reveal.slide(at.h, at.v); }}")
    with context.expect_page() as opened:
        page.keyboard.press("s")
    told = opened.value.locator(".speaker-controls-notes .value")
    told.filter(has_text="minutes").wait_for(timeout=120_000)
    assert told.inner_text().startswith("Teaching this chapter")
    context.close()
