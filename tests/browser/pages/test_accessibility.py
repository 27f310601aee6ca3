"""For people who cannot see or who use a keyboard only: a quiz, and a deck. Every page of the site: test_site.py.

axe-core, Deque's checker, must find nothing serious or critical.
"""

from tests.browser.audit import FOCUS_IS_SEEN, READY, UNTOLD, audit, told
from tools import chapter, slides

# The site ------------------------------------------------------------------------------------------------------------


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


# What scrolls sideways, and whether Tab comes there.
BOXES = """() => [...document.querySelectorAll("article :is(mjx-container[display], table, pre, .cell_output)")]
    .filter((box) => box.scrollWidth > box.clientWidth)"""
UNREACHED = f"() => ({BOXES})().filter((box) => box.tabIndex !== 0).length"


def test_what_scrolls_in_a_narrowed_window_or_an_opened_fold_is_reached_by_tab(chromium, book):
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    page.goto((book / "chapters/01-elbo.html").as_uri())
    page.wait_for_selector("body[data-repaired]")
    before = page.evaluate(f"({BOXES})().length")
    page.set_viewport_size({"width": 360, "height": 768})
    page.wait_for_function(f"({BOXES})().length > {before}")
    page.wait_for_function(f"({UNREACHED})() === 0")
    page.evaluate(
        "document.querySelectorAll('article details').forEach((fold) => (fold.open = true))"
    )  # other browsers lay it out only now
    page.wait_for_function(f"({UNREACHED})() === 0")
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
