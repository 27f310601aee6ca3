"""The VAE in the page and the recorded runs, from disk with the network refused: hands, numbers, screens, themes.

Their numbers are compared with the package without a browser: tests/javascript/trained.test.js.
"""

import json

import pytest

from tests.browser.audit import FOCUS_IS_SEEN, READY, audit
from tests.browser.pages.page_lab import PageLab, as_found, opened_once, same
from tests.javascript import trained as expected
from tools import trained

PAGES = {"vae": "vae.html", "06.latent": "chapters/06-infovae.html", "08.cockpit": "chapters/08-one-budget.html"}
SCREENS = ((1366, 768), (1280, 720), (390, 844))
VALUES = json.loads(expected.FILE.read_text(encoding="utf-8"))


class Seen(PageLab):
    """A lab whose data comes when it is scrolled to."""

    def __init__(self, page, address, name):
        page.set_default_timeout(120_000)
        self.name = name
        sentence = f'.live[data-lab="{name}"]'
        page.add_init_script(
            "addEventListener('DOMContentLoaded', () => setTimeout(() =>"
            f"document.querySelector('{sentence}')?.scrollIntoView(), 200))"
        )
        super().__init__(page, address, name)

    def get(self, role, name):
        return self.root.get_by_role(role, name=name, exact=True)


@pytest.fixture(scope="module")
def opened(chromium, book):
    with opened_once(chromium, lambda page, name: Seen(page, (book / PAGES[name]).as_uri(), name)) as open_it:
        yield open_it


@pytest.fixture
def open_lab(opened):
    return lambda name, theme="light": as_found(opened(name), theme)


def test_the_vae_has_the_numbers_of_the_package(open_lab):
    lab = open_lab("vae")
    for case in VALUES["vae"]:
        for q, name in ((trained.OWN, "encoder"), (trained.NONE, "prior")):
            found = lab.set(pixels=case["pixels"], q=q, K=8, seed=3)
            assert found["bound"] == same(case[name]["bound"])
            assert found["elbo"] == pytest.approx(case[name]["elbo"], rel=2e-5)
            assert found["log_likelihood"] == pytest.approx(case["log_likelihood"], rel=2e-5)
            assert found["expected"] == pytest.approx(dict(case[name]["expected"])[8], rel=2e-5)


def test_a_digit_is_drawn_by_keyboard_and_by_pointer(open_lab):
    lab = open_lab("vae")
    before = lab.settings["pixels"]
    lab.root.get_by_label("Row 1, column 1", exact=True).focus()
    assert lab.page.evaluate(FOCUS_IS_SEEN)
    for key in ("Space", "ArrowRight", "ArrowDown", "Space"):
        lab.page.keyboard.press(key)
    lab.until_drawn()
    turned = lambda place: "1" if before[place] == "0" else "0"
    drawn = lab.settings["pixels"]
    assert (drawn[0], drawn[9]) == (turned(0), turned(9)) and drawn[10:] == before[10:]
    assert "your drawing" in lab.sentence
    cells = [lab.root.get_by_label(f"Row 3, column {i}", exact=True).bounding_box() for i in (1, 3)]
    first, last = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in cells]
    lab.page.mouse.move(*first)
    lab.page.mouse.down()
    lab.page.mouse.move(*last, steps=8)
    lab.page.mouse.up()
    lab.until_drawn()
    assert lab.settings["pixels"][16:19] == 3 * turned(16)
    lab.get("button", "7").click()
    lab.until_drawn()
    assert "a held-out 7" in lab.sentence


def test_z_is_pulled_by_keyboard_and_by_pointer(open_lab):
    lab = open_lab("vae")
    z = lab.root.get_by_role("slider", name="The latent point z")
    z.focus()
    assert lab.page.evaluate(FOCUS_IS_SEEN)
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        lab.page.keyboard.press(key)
    lab.until_drawn()
    assert lab.settings["z"] == pytest.approx([0.2, -0.4])
    assert z.get_attribute("aria-valuetext") == "z is 0.20 and −0.40"
    assert lab.root.locator("canvas").get_attribute("aria-label").endswith("z = (0.20, -0.40)")
    before = lab.root.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    box = lab.root.locator("path.live-ground").bounding_box()
    lab.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"], steps=4)
    lab.page.mouse.up()
    lab.until_drawn()
    assert lab.settings["z"] == pytest.approx([2, 2], abs=0.06)
    assert lab.root.locator("canvas").evaluate("(canvas) => canvas.toDataURL()") != before


def test_presets_own_encoder_and_none(open_lab):
    lab = open_lab("vae")
    lab.get("button", "nobody's digit").click()
    lab.until_drawn()
    own = lab.numbers
    lab.get("radio", trained.NONE).check()
    lab.until_drawn()
    assert "q the prior" in lab.sentence
    assert own["elbo"] < lab.numbers["elbo"] < lab.numbers["expected"] < lab.numbers["log_likelihood"]


@pytest.mark.parametrize("name, frames", [("06.latent", 21), ("08.cockpit", 25)])
def test_a_run_is_scrubbed_played_and_paused(open_lab, name, frames):
    lab = open_lab(name)
    end = expected.replays.ALL[name].steps
    scrubber = lab.root.get_by_role("slider", name="Step")
    scrubber.focus()
    for key, step in (("End", end), ("ArrowLeft", end - end // (frames - 1)), ("Home", 0)):
        lab.page.keyboard.press(key)
        lab.until_drawn()
        assert lab.settings["step"] == step and f"Step {step}" in lab.sentence
    lab.root.get_by_role("radio").last.check()
    lab.get("button", "Play").press("Enter")
    lab.page.wait_for_function("(root) => JSON.parse(root.dataset.settings).step > 0", arg=lab.root.element_handle())
    assert lab.root.locator("output.vaecourse-sentence").get_attribute("aria-live") == "off"
    lab.get("button", "Pause").click()
    lab.until_drawn()
    stopped = lab.settings["step"]
    lab.page.wait_for_timeout(500)
    assert lab.settings["step"] == stopped
    assert lab.root.locator("output.vaecourse-sentence").get_attribute("aria-live") == "polite"
    lab.set(step=end - end // (frames - 1))
    lab.get("button", "Play").click()
    lab.get("button", "Play").wait_for()  # it ends by itself
    assert lab.settings["step"] == end


def test_less_motion_is_a_frame_a_second(open_lab):
    lab = open_lab("06.latent")
    lab.page.emulate_media(reduced_motion="reduce")
    lab.get("button", "Play").click()
    lab.page.wait_for_timeout(700)
    assert lab.settings["step"] == 0
    lab.page.wait_for_function("(root) => JSON.parse(root.dataset.settings).step > 0", arg=lab.root.element_handle())
    lab.get("button", "Pause").click()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_the_screen_and_has_no_serious_fault(open_lab, name, theme):
    """In the dark, axe looks at contrast alone: all else is as it is in the light."""
    only = {"runOnly": ["color-contrast"]} if theme == "dark" else {}
    lab = open_lab(name, theme)
    lab.page.evaluate(READY)
    wide = "(root) => [...root.querySelectorAll('*:not(svg *)')].filter((n) => n.scrollWidth > n.clientWidth + 1)"
    for width, height in SCREENS:
        lab.page.set_viewport_size({"width": width, "height": height})
        lab.until_drawn()
        assert lab.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert lab.root.evaluate(f"{wide}.filter((n) => n.clientWidth).map((n) => n.outerHTML.slice(0, 99))") == []
        assert audit(lab.page, lab.root, preload=False, **only) == []  # it would fetch the style sheets
    assert not lab.problems, "\n".join(lab.problems)


@pytest.mark.parametrize("name", ["06.latent", "08.cockpit"])
def test_the_picture_stays_without_script(chromium, book, open_lab, name):
    still = f'article :has(> .live[data-lab="{name}"]) .tag_live-still img'
    assert not open_lab(name).page.locator(".tag_live-still img").last.is_visible()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((book / PAGES[name]).as_uri())
    assert page.locator(still).last.is_visible() and not page.locator(f'.live[data-lab="{name}"]').is_visible()
    context.close()


def test_data_comes_only_when_it_is_nearly_in_sight(chromium, book):
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    page.goto((book / PAGES["06.latent"]).as_uri())
    page.wait_for_timeout(1000)
    assert "06.latent.js" not in asked and "trained.js" in asked
    page.locator('.live[data-lab="06.latent"]').scroll_into_view_if_needed()
    page.locator('.live[data-lab="06.latent"] output.vaecourse-sentence:not(:empty)').wait_for()
    assert "06.latent.js" in asked
    context.close()
