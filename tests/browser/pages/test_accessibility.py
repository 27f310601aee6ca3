"""For people who cannot see, who use a keyboard only, or who read at 200 %: every page of the site, and a deck.

axe-core, Deque's checker, must find nothing serious or critical, in the light theme and in the dark one.
"""

import pytest

from tests.browser.audit import FOCUS_IS_SEEN, READY, UNTOLD, audit, told
from tools import chapter, slides

# The site ------------------------------------------------------------------------------------------------------------


# 1280 pixels at 200 % are 640, at 400 % 320: what WCAG 1.4.10 asks for. Code, tables, formulas scroll in their own box.
ACROSS = """() => [...document.querySelectorAll("article *:not(mjx-container *, pre *, table *)")].filter((node) => {
    const box = node.getBoundingClientRect();
    if (!box.width || box.right <= innerWidth + 1) return false;
    for (let up = node; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return false;
    return true;
}).slice(0, 3).map((node) => node.outerHTML.slice(0, 150))"""


@pytest.fixture(scope="module")
def visited(chromium, book):
    """Every page of the site, opened once: its faults in the light and in the dark theme, and at three widths."""
    page, found = chromium.new_page(), {"light": {}, "dark": {}, "width": {}, "alt": {}}
    for path in [path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts]:
        name = str(path.relative_to(book))
        page.emulate_media(color_scheme="light")
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-repaired]")
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        for width, height in [(320, 256), (640, 360), (1280, 720)]:
            page.set_viewport_size({"width": width, "height": height})
            reach, outside = page.evaluate("document.documentElement.scrollWidth"), page.evaluate(ACROSS)
            found["width"][f"{name} at {width}"] = outside or ([f"reaches to {reach}"] if reach > width else [])
        found["alt"][name] = page.evaluate(UNTOLD)
        page.evaluate(READY)
        found["light"][name] = audit(page)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        found["dark"][name] = audit(page, runOnly=["color-contrast"])
    page.close()
    return found


@pytest.mark.parametrize("kind", ["light", "dark", "width", "alt"])
def test_every_page_of_the_site(visited, kind):
    """axe-core in both themes; nothing cut off or to be scrolled both ways up to 400 %; words for pictures."""
    assert len(visited[kind]) > 25
    faults = {page: seen for page, seen in visited[kind].items() if seen}
    assert not faults, told(faults)


def test_a_quiz_by_keyboard(chromium, book):
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    page.goto((book / "chapters/03-iwae.html").as_uri())
    choices = page.locator("details:has(> summary:text-matches('^[A-D] ·'))")
    assert choices.count() >= 6
    choices.first.locator("summary").focus()
    for choice in choices.all()[:4]:
        assert choice.evaluate("(fold) => document.activeElement === fold.firstElementChild"), "Tab went elsewhere"
        assert page.evaluate(FOCUS_IS_SEEN), choice.inner_text()
        page.keyboard.press("Enter")
        assert choice.evaluate("(fold) => fold.open") and len(choice.inner_text().split()) > 8
        page.keyboard.press("Tab")
    page.close()


# The slides ----------------------------------------------------------------------------------------------------------


# All slides at once, one under the other: a deck shows one and hides the rest, which axe would not look at.
SPREAD = """.reveal, .reveal .slides, .reveal section { position: static !important; display: block !important;
    visibility: visible !important; opacity: 1 !important; transform: none !important; overflow: visible !important; }
    .reveal .fragment { visibility: visible !important; opacity: 1 !important; }"""


def test_every_slide_of_a_deck(chromium, tmp_path):
    (source,) = chapter.sources(["03"])
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto(slides.write(source, tmp_path).as_uri())
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    assert not (untold := page.evaluate(UNTOLD)), told(untold)
    page.evaluate(READY)
    faults = audit(page)
    page.add_style_tag(content=SPREAD)
    assert page.locator("#deck section:not(.stack) > :first-child").last.is_visible()
    faults += audit(page)
    page.close()
    assert not faults, told(faults)
