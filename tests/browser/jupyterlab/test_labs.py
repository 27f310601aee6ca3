"""Every lab, live in JupyterLab: it shows, and its first slider moves picture and sentence by keyboard and by mouse."""

import pytest

from tools.browser import picture, words
from vaecourse import labs


@pytest.fixture(params=list(labs.ALL))
def lab(request, notebook):
    found = notebook.lab(request.param, list(labs.ALL).index(request.param))
    yield found
    assert not notebook.problems, "\n".join(notebook.problems)


def test_it_is_live_and_named(lab):
    image = lab.locator(".vaecourse-picture canvas[data-shown]")
    assert image.evaluate("(canvas) => canvas.width") > 800
    assert words(lab) in image.get_attribute("aria-label")
    for control in lab.locator("input, button").all():
        assert control.evaluate("(node) => (node.labels?.[0] ?? node).textContent.trim()"), "a control without a name"
    assert lab.locator("[aria-live=polite]").inner_text() == words(lab)


def test_keyboard_mouse_and_reset(lab, notebook):
    slider = lab.locator("input[type=range]").first
    start = words(lab)
    slider.focus()
    for _ in range(5):  # one stop of a fine slider may round to the same words
        seen = slider.evaluate("(input) => input.value")
        slider.press("ArrowRight" if seen != slider.get_attribute("max") else "ArrowLeft")
    notebook.wait_for_words(lab, other_than=start)
    assert slider.evaluate("(input) => document.activeElement === input"), "JupyterLab took the keyboard away"

    moved, shown = words(lab), picture(lab)
    box = slider.bounding_box()
    at = int(slider.evaluate("(input) => input.value")) / int(slider.get_attribute("max"))
    slider.click(position={"x": box["width"] * (0.2 if at > 0.5 else 0.8), "y": box["height"] / 2})
    notebook.wait_for_words(lab, other_than=moved)
    notebook.page.wait_for_function(  # the picture's bytes may arrive after the words
        "([image, before]) => image.dataset.shown !== before",
        arg=[lab.locator(".vaecourse-picture canvas").element_handle(), shown],
    )

    lab.get_by_role("button", name="Reset").click()
    notebook.wait_for_words(lab, equal_to=start)


@pytest.mark.parametrize("lab", ["04.signal"], indirect=True)  # every lab has the same frame; this one takes longest
def test_a_reset_counts_also_while_a_slider_is_dragged(lab, notebook):
    """The page holds back the newest place of a handle until the kernel has answered for the one before."""
    start = words(lab)
    lab.evaluate(
        """(lab) => {
            const slider = lab.querySelector("input[type=range]");
            const far = slider.valueAsNumber > slider.max / 2 ? [0.1, 0.2, 0.3] : [0.7, 0.8, 0.9];
            for (const part of far) {
                slider.value = Math.round(part * slider.max);
                slider.dispatchEvent(new Event("input"));
            }
            lab.querySelector(".vaecourse-reset").click();
        }"""
    )
    notebook.page.wait_for_timeout(2000)  # in which the old value used to arrive
    notebook.wait_for_words(lab, equal_to=start)
    slider = lab.locator("input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    notebook.wait_for_words(lab, other_than=start)  # and what comes after it counts


SCREENS = {  # in CSS pixels: at 150 % a laptop's 1366 x 625 are 911 x 417 of them; with the list of files or without
    "laptop": (1366, 625, "expandLeft"),
    "laptop, no files": (1366, 625, "collapseLeft"),
    "laptop at 150 %": (911, 417, "collapseLeft"),
    "projector": (1280, 720, "expandLeft"),
    "projector at 125 %": (1024, 576, "expandLeft"),
    "projector at 125 %, no files": (1024, 576, "collapseLeft"),
    "large": (1920, 1080, "collapseLeft"),
}
SMALL = [name for name, place in labs.PLACES.items() if place.startswith("small.")]  # alike, with little on the desk
OF_SMALL = ["laptop", "laptop at 150 %", "projector at 125 %, no files"]
HIDDEN = """async (lab) => {
    const outer = lab.closest(".jp-WindowedPanel-outer"), room = outer.getBoundingClientRect();
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const rest = async () => {  // until nothing scrolls
        for (let still = 0, at = outer.scrollTop; still < 3; at = outer.scrollTop) {
            await frame();
            still = outer.scrollTop === at ? still + 1 : 0;
        }
    };
    const seen = (node) => {
        const box = node.getBoundingClientRect(), x = box.left + box.width / 2;
        const inside = box.top >= room.top - 1 && box.bottom <= room.bottom + 1 && box.right <= room.right + 1;
        return inside && [box.top + 4, box.bottom - 4].every((y) => {
            const above = document.elementFromPoint(x, y);
            return above && (node.contains(above) || above.contains(node));
        });
    };
    const stage = { picture: ".vaecourse-picture canvas", sentence: ".vaecourse-sentence" };
    const found = [];
    lab.scrollIntoView({ block: "start" });  // as one who begins with it
    await rest();
    for (const control of lab.querySelectorAll("input, button")) {
        if (!control.checkVisibility()) continue;
        control.focus();
        await rest();
        for (const [name, where] of [...Object.entries(stage), ["control", null]])
            if (!seen(where ? lab.querySelector(where) : control))
                found.push(`${name} at ${(control.labels?.[0] ?? control).textContent.trim()}`);
    }
    return found;
}"""


@pytest.mark.parametrize("screen", list(SCREENS))
def test_picture_sentence_and_the_control_in_hand_are_seen_together(notebook, screen):
    """Whatever control of whatever lab has the focus, at the sizes of the screens that the course is used on."""
    width, height, files = SCREENS[screen]
    notebook.page.set_viewport_size({"width": width, "height": height})
    notebook.page.evaluate(f"jupyterapp.shell.{files}()")
    notebook.page.wait_for_timeout(300)  # the notebook is laid out anew
    hidden = {}
    for number, name in enumerate(labs.ALL):
        if name in SMALL and screen not in OF_SMALL:
            continue
        lab = notebook.lab(name, number)
        if found := lab.evaluate(HIDDEN):
            hidden[name] = found
    notebook.page.set_viewport_size({"width": 1366, "height": 768})
    assert not hidden, hidden
