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


def told(faults):
    return json.dumps(faults, indent=1)


# The site ------------------------------------------------------------------------------------------------------------


def test_every_page_of_the_site_in_both_themes(chromium, book):
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    faults, found = {}, [path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts]
    assert len(found) > 25
    for path in found:
        page.emulate_media(color_scheme="light")
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-repaired]")
        assert page.locator("img:not([alt]), img[alt='']").count() == 0, path
        page.evaluate(READY)
        light = audit(page)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        dark = audit(page, runOnly=["color-contrast"])
        faults |= {f"{path.name}, {theme}": seen for theme, seen in [("light", light), ("dark", dark)] if seen}
    page.close()
    assert not faults, told(faults)


# 1280 pixels at 200 % are 640, at 400 % 320: what WCAG 1.4.10 asks for. Code, tables, formulas scroll in their own box.
ACROSS = """() => [...document.querySelectorAll("article *:not(mjx-container *, pre *, table *)")].filter((node) => {
    const box = node.getBoundingClientRect();
    if (!box.width || box.right <= innerWidth + 1) return false;
    for (let up = node; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return false;
    return true;
}).slice(0, 3).map((node) => node.outerHTML.slice(0, 150))"""


def test_every_page_of_the_site_reflows(chromium, book):
    page = chromium.new_page()
    faults = {}
    for path in [path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts]:
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-repaired]")
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        for width, height in [(320, 256), (640, 360), (1280, 720)]:
            page.set_viewport_size({"width": width, "height": height})
            reach = page.evaluate("document.documentElement.scrollWidth")
            if (outside := page.evaluate(ACROSS)) or reach > width:
                faults[f"{path.name} at {width}"] = [reach, outside]
    page.close()
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


GO_TO = """(number) => {
    const at = Reveal.getIndices(Reveal.getSlides()[number]);
    Reveal.slide(at.h, at.v, 99);
}"""


def test_every_slide_of_a_deck(chromium, tmp_path):
    (source,) = notebooks.sources(["03"])
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto(slides.write(source, tmp_path).as_uri())
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    page.evaluate(READY)
    faults = audit(page)
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(GO_TO, number)
        faults += [[number, *fault] for fault in audit(page, page.locator("section.present:not(.stack)"))]
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
    assert not notebook.problems, "\n".join(notebook.problems)


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
    for handle in handles.all():
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
        for node in lab.locator("input, button, output, legend, label, img, .vaecourse-sentence, h4").all()
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
