"""For people who cannot see, who use a keyboard only, or who read at 200 %: every page, a deck, and every lab.

axe-core, Deque's checker, must find nothing serious or critical, in the light theme and in the dark one.
"""

import json

import pytest

from tools import notebooks, slides, vendor
from vaecourse import labs

# What axe would find and we cannot reach: {rule: (selector, why)}. Everything that was found could be mended.
NOT_OURS: dict[str, tuple[str, str]] = {}

# axe looks at every node, and a chapter has 20 000: of the spans of code, and of the strokes of formulas, which are all
# alike, the first of each kind stand for the rest. What is folded is opened, or axe would not see it.
READY = """() => {
    document.querySelectorAll("details").forEach((fold) => (fold.open = true));
    document.querySelectorAll("mjx-container > *").forEach((strokes) => strokes.replaceChildren());
    for (const code of document.querySelectorAll("pre")) {
        const seen = new Set();
        for (const span of code.querySelectorAll("span:not(:has(*))")) {
            if (seen.has(span.className)) span.replaceWith(span.textContent);
            seen.add(span.className);
        }
    }
    document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
}"""

AUDIT = """async ([root, options, exclude]) => {
    const found = await axe.run({include: root ?? document, exclude}, {resultTypes: ["violations"], ...options});
    return found.violations.filter((v) => ["serious", "critical"].includes(v.impact)).flatMap(
        (v) => v.nodes.slice(0, 3).map((node) => [v.id, node.html.slice(0, 200), node.failureSummary.slice(0, 300)]));
}"""


def audit(page, root=None, **options):
    """The serious and critical violations in ``root`` (an element; None: the page) as [rule, element, what to do]."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=vendor.fetch() / vendor.AXE)
    exclude = [[selector] for selector, _ in NOT_OURS.values()]
    return page.evaluate(AUDIT, [root and root.element_handle(), options, exclude])


# Pictures without words. Sphinx's own plus and minus in its index are left out; a formula has MathML beside it.
UNTOLD = """() => [...document.querySelectorAll("img:not(.toggler)")]
    .filter((image) => image.alt.trim().split(/\\s+/).length < 4).map((image) => image.outerHTML.slice(0, 150))"""


def told(faults):
    return json.dumps(faults, indent=1)


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
    (source,) = notebooks.sources(["03"])
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


# The labs ------------------------------------------------------------------------------------------------------------

FOCUS_IS_SEEN = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1.5 || style.boxShadow !== "none";
}"""


PLACE = """(node) => {
    const box = node.getBoundingClientRect(), lab = node.closest(".vaecourse-lab").getBoundingClientRect();
    return [box.top + box.height / 2 - lab.top, box.left];
}"""


@pytest.fixture(params=list(labs.ALL))
def lab(request, notebook):
    notebook.page.set_viewport_size({"width": 1366, "height": 768})
    yield notebook.lab(request.param, list(labs.ALL).index(request.param))
    notebook.page.set_viewport_size({"width": 1366, "height": 768})


def theme(notebook, name):
    notebook.page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {name}'}})")
    notebook.page.wait_for_function(f"document.body.dataset.jpThemeName === 'JupyterLab {name}'")


def test_every_lab_in_both_themes(notebook):
    faults = {}
    for name in ("Light", "Dark"):
        theme(notebook, name)
        for number, lab in enumerate(labs.ALL):
            if seen := audit(notebook.page, notebook.lab(lab, number)):
                faults[f"{lab}, {name}"] = seen
    theme(notebook, "Light")
    assert not faults, told(faults)


def test_a_lab_by_keyboard(lab, notebook):
    """Tab goes through everything as one reads, what has the focus is seen, and the keys do what they say."""
    page, handles = notebook.page, lab.locator("input:not([type=radio]), input[type=radio]:checked, button")
    start, places = lab.locator(".vaecourse-sentence").text_content(), []
    handles.first.focus()
    for handle in [found.element_handle() for found in handles.all()]:
        assert handle.evaluate("(node) => document.activeElement === node"), "Tab went elsewhere"
        assert page.evaluate(FOCUS_IS_SEEN), handle.evaluate("(node) => node.outerHTML")
        places.append(handle.evaluate(PLACE))
        kind = handle.get_attribute("type")
        if kind == "range":
            at, last = handle.evaluate("(input) => [input.valueAsNumber, Number(input.max)]")
            page.keyboard.press("ArrowRight" if at < last else "ArrowLeft")
            assert handle.evaluate("(input) => input.valueAsNumber") == (at + 1 if at < last else at - 1)
        elif kind == "checkbox":
            before = handle.is_checked()
            page.keyboard.press("Space")
            assert handle.is_checked() != before
        elif kind == "radio":
            page.keyboard.press("ArrowDown")
            moved = "(node) => document.activeElement !== node && document.activeElement.checked"
            assert handle.evaluate(moved), "the arrow chose nothing"
        page.keyboard.press("Tab")
    for (above, left), (below, right) in zip(places, places[1:]):
        assert below > above - 30 and (below > above + 10 or right > left), f"Tab jumps: {places}"
    reset = lab.get_by_role("button", name="Reset")
    reset.focus()
    page.keyboard.press("Enter")
    notebook.wait_for_words(lab, equal_to=start)
    assert reset.evaluate("(node) => document.activeElement === node"), "JupyterLab took the keyboard away"


def test_a_lab_at_200_percent(lab, notebook):
    notebook.page.set_viewport_size({"width": 640, "height": 360})
    notebook.page.evaluate("jupyterapp.shell.collapseLeft()")
    notebook.page.wait_for_timeout(200)
    edge = lab.evaluate("(lab) => lab.closest('.jp-WindowedPanel-outer, .jp-Notebook').getBoundingClientRect().right")
    clipped = [
        node.evaluate("(node) => node.outerHTML.slice(0, 120)")
        for node in lab.locator("input, button, output, legend, label, img, canvas, .vaecourse-sentence, h4").all()
        if node.evaluate("(n) => n.getBoundingClientRect().right") > edge or node.evaluate(CUT)
    ]
    assert not clipped, "\n".join(clipped)


# Cut off by a box around it, or by its own.
CUT = """(node) => {
    const wide = node.clientWidth && node.scrollWidth > node.clientWidth + 1;
    if (wide && getComputedStyle(node).overflowX === "hidden") return true;
    const box = node.getBoundingClientRect();
    for (let up = node.parentElement; !up.classList.contains("vaecourse-lab"); up = up.parentElement) {
        const around = up.getBoundingClientRect(), style = getComputedStyle(up);
        if (style.overflowX !== "visible" && box.right > around.right + 1) return true;
        if (style.overflowY !== "visible" && box.bottom > around.bottom + 1) return true;
    }
    return false;
}"""
