"""The built site, from disk with no network: formulas drawn, pictures there and told in words, nothing asked for.

And for people who cannot see, or who read at 200 %: axe-core, Deque's checker, must find nothing serious or critical.
"""

import nbformat
import pytest

from tests.browser.audit import ALIKE, READY, UNTOLD, audit, told
from tools import site

OUTSIDE = "**/*"
PROJECTOR, PHONE = (1280, 720), (390, 844)
# 1280 pixels at 200 % are 640, at 400 % 320: what WCAG 1.4.10 asks for. In this order the page is laid out three times.
WIDTHS = [PROJECTOR, (640, 360), (320, 256), (1366, 768)]


@pytest.fixture
def open_page(chromium, book):
    """Open a page of the site from disk; whatever it asks for elsewhere is refused and told."""
    contexts = []

    def open_it(name: str, theme: str = "light", size: tuple[int, int] = PROJECTOR, query: str = ""):
        width, height = size
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(f"page error: {error}"))
        page.on("console", lambda said: said.type == "error" and page.problems.append(f"console: {said.text}"))
        page.on("requestfailed", lambda asked: page.problems.append(f"not there: {asked.url}"))

        def only_files(route, request):
            if request.url.startswith("file://"):
                return route.continue_()
            page.problems.append(f"asked for {request.url}")
            return route.abort()

        page.route(OUTSIDE, only_files)
        page.goto((book / name).as_uri() + query)
        page.wait_for_function("!window.MathJax || MathJax.startup?.promise")
        page.evaluate("() => window.MathJax?.startup?.promise")
        return page

    yield open_it
    for context in contexts:
        context.close()


def names() -> list[str]:
    """Every page of book.yml, and a few of the package: all of those come from one mould."""
    return [f"{name}.html" for name in site.listed()] + [
        f"api/{module}.html" for module in ("bounds", "models", "labs")
    ]


CHAPTERS = [name for name in names() if name.startswith("chapters/0")]
# Looked at once more as they are, before anything is taken out: one of them has one of everything.
READ_OUT = {"index.html": "dark", "api/bounds.html": "light", CHAPTERS[0]: "dark"}


@pytest.mark.parametrize("name", names())
def test_a_page_is_whole_with_no_network(open_page, seen, name):
    page = open_page(name, theme := READ_OUT.get(name, "light"))
    assert page.locator("article h1").count() == 1
    formulas, drawn = page.locator("article .math").count(), page.locator("article .math mjx-container svg").count()
    assert drawn >= formulas and page.locator("[data-mjx-error], mjx-merror").count() == 0
    for source, alt, width in page.evaluate(PICTURES):
        assert width > 50 and len(alt.split()) >= 4, source
    assert "$" not in page.evaluate(PROSE), "a formula was not recognised"
    assert page.evaluate(UNMARKED) == [], "Chinese that is not told to be"
    if name in CHAPTERS:
        has_its_outputs_its_labs_in_words_and_a_way_to_run_it(page, name)
    assert not page.problems, "\n".join(page.problems)
    faults = []
    if name in READ_OUT:
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        page.wait_for_selector("body[data-repaired]")  # site.js makes its repairs after MathJax
        faults = audit(page, page.locator("article"))
    seen[name] = {"as it is": faults, **look(page)}


# Where a picture is from, its words, and its width when it is there.
PICTURES = """() => Promise.all([...document.querySelectorAll("article img")].map(async (img) => {
    await img.decode().catch(() => {});
    return [img.getAttribute("src").slice(0, 150), img.getAttribute("alt") ?? "", img.naturalWidth];
}))"""

# The text of the page without code and outputs.
PROSE = """() => {
    const article = document.querySelector("article").cloneNode(true);
    article.querySelectorAll("pre, code, .math, dl.py, .doctest").forEach((node) => node.remove());
    return article.textContent;
}"""

UNMARKED = """() => {
    const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode())
        if (/[\u4e00-\u9fff]/.test(walker.currentNode.data) && !walker.currentNode.parentElement.closest("[lang=zh]"))
            found.push(walker.currentNode.data);
    return found;
}"""


def has_its_outputs_its_labs_in_words_and_a_way_to_run_it(page, name):
    notebook = nbformat.read(site.ROOT / name.replace(".html", ".ipynb"), as_version=4)
    pictures = sum("image/png" in output.get("data", {}) for c in notebook.cells for output in c.get("outputs", []))
    assert page.locator("article .cell_output img").count() == pictures > 0
    assert page.locator("article .lab li").count() >= 1
    assert "make lab" in page.locator("article .lab").first.inner_text()
    assert page.locator("details.run").count() == 1 and page.locator("details.instructor").count() > 1
    solutions = page.evaluate(SOLUTIONS)
    assert len(solutions) >= 4 and not any(solutions)


# Whether each fold with a solution is open.
SOLUTIONS = """() => [...document.querySelectorAll("details > summary")].filter(
    (summary) => summary.textContent.includes("Solution")).map((summary) => summary.parentElement.open)"""


# What is cut off, or must be scrolled to. Code, tables, formulas scroll in their own box.
ACROSS = """() => [...document.querySelectorAll("article *:not(mjx-container *, pre *, table *)")].filter((node) => {
    const box = node.getBoundingClientRect();
    if (!box.width || box.right <= innerWidth + 1) return false;
    for (let up = node; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return false;
    return true;
}).slice(0, 3).map((node) => node.outerHTML.slice(0, 150))"""


FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
# A paragraph whose words are wider than itself.
WIDE = """() => [...document.querySelectorAll("article .section > p, article section > p")].filter((node) =>
    node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === "visible").map(
    (node) => node.outerHTML.slice(0, 150))"""


def look(page):
    """The faults of an open page in both themes and at four widths, and its pictures without words."""
    page.wait_for_selector("body[data-repaired]")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    across = {}
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        reach, outside = page.evaluate("document.documentElement.scrollWidth"), page.evaluate(ACROSS)
        across[width] = outside + page.evaluate(WIDE) + ([f"reaches to {reach}"] if reach > width else [])
    untold = page.evaluate(UNTOLD)
    page.evaluate(READY)
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    light = audit(page, preload=False)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.evaluate(ALIKE)
    dark = audit(page, runOnly=["color-contrast"]) + ([] if page.evaluate(FITS) else ["is wider than the window"])
    return {"light": light, "dark": dark, "alt": untold, **{f"at {width}": found for width, found in across.items()}}


@pytest.fixture(scope="module")
def seen():
    """What was looked at on each page by the test that opened it: to open all of them again takes a minute."""
    return {}


@pytest.fixture(scope="module")
def every_page(chromium, book, seen):
    """The faults of every page; those are opened here that no test has."""
    page = chromium.new_page()
    for path in [path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts]:
        if (name := str(path.relative_to(book))) not in seen:
            page.set_viewport_size({"width": PROJECTOR[0], "height": PROJECTOR[1]})
            page.emulate_media(color_scheme="light")
            page.goto(path.as_uri())
            seen[name] = look(page)
    page.close()
    return seen


@pytest.mark.parametrize("kind", ["as it is", "light", "dark", *(f"at {width}" for width, _ in WIDTHS), "alt"])
def test_every_page_of_the_site(every_page, kind):
    """axe-core in both themes; nothing cut off or to be scrolled both ways up to 400 %; words for pictures."""
    assert len(every_page) > 25
    faults = {page: found[kind] for page, found in every_page.items() if found.get(kind)}
    assert not faults, told(faults)


def test_a_chapter_that_is_opened_on_a_phone_fits_it_in_both_themes(open_page):
    page = open_page(CHAPTERS[3], size=PHONE)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
        assert page.evaluate(FITS) and page.evaluate(WIDE) == []


def test_the_search_finds_a_word_from_disk(open_page):
    page = open_page("search.html", query="?q=jackknife")
    page.locator("#search-results li").first.wait_for(timeout=30_000)
    assert "Better gradients" in page.locator("#search-results").inner_text()
    assert not page.problems, "\n".join(page.problems)
