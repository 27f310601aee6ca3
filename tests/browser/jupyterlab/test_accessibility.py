"""For people who cannot see, who use a keyboard only, or who read at 200 %: every lab in JupyterLab.

axe-core, Deque's checker, must find nothing serious or critical, in the light theme and in the dark one.
"""

import pytest

from tests.browser.audit import FOCUS_IS_SEEN, audit, told
from vaecourse import labs

PLACE = """(node) => {
    const box = node.getBoundingClientRect(), lab = node.closest(".vaecourse-lab").getBoundingClientRect();
    return [!!node.closest(".vaecourse-desk"), box.top + box.height / 2 - lab.top, box.left];
}"""


SMALL = [name for name, place in labs.PLACES.items() if place.startswith("small.")]  # alike: two stand for all


@pytest.fixture(params=[name for name in labs.ALL if name not in SMALL[2:]])
def lab(request, notebook):
    notebook.page.set_viewport_size({"width": 1366, "height": 768})
    yield notebook.lab(request.param, list(labs.ALL).index(request.param))
    notebook.page.set_viewport_size({"width": 1366, "height": 768})


def theme(notebook, name):
    notebook.page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {name}'}})")
    notebook.page.wait_for_function(f"document.body.dataset.jpThemeName === 'JupyterLab {name}'")


def test_every_lab_in_both_themes(notebook):
    """All at once, in a window as high as all of them: axe goes through the whole of JupyterLab's page each time, and
    does not look at what is scrolled out of sight."""
    every = [notebook.lab(name, number) for number, name in enumerate(labs.ALL)]
    notebook.page.set_viewport_size({"width": 1366, "height": 900 * len(every)})
    every[0].scroll_into_view_if_needed()
    ends = [every[0].bounding_box()["y"], every[-1].bounding_box()["y"]]
    assert 0 < ends[0] < ends[1] < 900 * (len(every) - 1), "a lab is out of sight"
    faults = audit(notebook.page, *every)
    theme(notebook, "Dark")
    faults += audit(notebook.page, *every, runOnly=["color-contrast"])  # nothing else is another in the dark
    theme(notebook, "Light")
    notebook.page.set_viewport_size({"width": 1366, "height": 768})
    assert not faults, told(faults)


def test_a_lab_by_keyboard(lab, notebook):
    """Tab goes through everything as one reads, what has the focus is seen, and the keys do what they say."""
    page, handles = notebook.page, lab.locator("input:not([type=radio]), input[type=radio]:checked, select, button")
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
    for (desk, above, left), (to_desk, below, right) in zip(places, places[1:]):
        if desk == to_desk:
            assert below > above - 30 and (below > above + 10 or right > left), f"Tab jumps: {places}"
        else:
            assert to_desk and (below > above or right > left), f"Tab jumps, and not to what stands beside: {places}"
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
