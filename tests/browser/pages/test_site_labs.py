"""The labs that are live on the site, with no kernel: the numbers in the page are those of the package, to 1e-6.

Absolute where a number is below 1 and relative above. Everything is opened from disk with the network refused.
"""

import itertools
import json
import re
from functools import partial

import numpy as np
import pytest
import torch

from tests.browser.audit import READY, audit
from tests.browser.pages.page_lab import PageLab, as_found, opened_once, same
from tools import live
from vaecourse import divergences, exact, labs, plots
from vaecourse.labs import iwae, mmd

PAGES = {
    "00.bound": "chapters/00-start-here.html",
    "01.gap": "chapters/01-elbo.html",
    "02.proposal": "chapters/02-importance-sampling.html",
    "02.baseline": "chapters/02-importance-sampling.html",
    "03.iwae": "chapters/03-iwae.html",
    "04.signal": "chapters/04-tighter-is-not-better.html",
    "05.estimators": "chapters/05-better-gradients.html",
    "06.explode": "chapters/06-infovae.html",
    "06.mmd": "chapters/06-infovae.html",
    "07.bounds": "chapters/07-hierarchical.html",
}
REPLAYED = ["chapters/06-infovae.html", "chapters/08-one-budget.html"]  # a lab that trains is live there too


@pytest.fixture(scope="module")
def opened(chromium, book):
    """A page with a lab, opened once, from disk with the network off."""
    with opened_once(chromium, lambda page, name: PageLab(page, (book / PAGES[name]).as_uri(), name)) as open_it:
        yield open_it


@pytest.fixture
def open_lab(opened):
    """A lab as a reader finds it."""
    return lambda name, theme="light": as_found(opened(name), theme)


# Numbers -------------------------------------------------------------------------------------------------------------


def package_iwae(K, width, shift):
    case = iwae.case_with(width, shift)
    return {
        "log_likelihood": case.model.log_likelihood(case.x).item(),
        "elbo": case.model.elbo(*case[1:]).item(),
        "chi_squared": case.model.chi_squared(*case[1:]).item(),
        "expected": exact.WeightLaw.of(case).lower(K).item(),  # on a grid twice as fine as the page's
    }


def test_iwae_on_the_page_is_iwae_in_the_package(open_lab):
    lab = open_lab("03.iwae")
    for K, (width, shift) in itertools.product(
        [1, 2, 7, 64, 1000], [(0.3, 0.0), (0.3, 1.5), (0.71, 0.0), (1.0, 0.0), (1.3, 0.5), (3.0, 0.0), (3.0, 1.5)]
    ):
        assert lab.set(K=K, width=width, shift=shift) == same(package_iwae(K, width, shift)), (K, width, shift)
        here = iwae.Iwae().compute(K=K, width=width, shift=shift, seed=0)
        curve, q, picked = lab.data("curve", "q", "picked")
        assert curve == same(here.curve) and q == same(here.q)
        assert picked == same(here.picked)
        said = iwae.Iwae().sentence(here).replace("-0.000", "0.000")
        assert lab.sentence.split(". With one")[0] == said.split(". ")[0]


KERNELS = {
    mmd.RBF: lambda h, d: partial(divergences.rbf, bandwidth=h),
    mmd.BLIND: lambda h, d: partial(divergences.rbf, bandwidth=h * d),
    mmd.IMQ: lambda h, d: partial(divergences.imq, scale=2 * h**2),
    mmd.MANY: lambda h, d: divergences.multi_scale(divergences.imq, [2 * h**2 * s for s in mmd.SCALES]),
}
NAMES = {mmd.RBF: "rbf", mmd.BLIND: "rbf", mmd.IMQ: "imq", mmd.MANY: "imq"}


def exact_mmd2(kernel, h, d, shift, spread):
    mean = torch.zeros(d, dtype=torch.float64)
    mean[0] = shift
    scales = {mmd.RBF: [h], mmd.BLIND: [h * d], mmd.IMQ: [2 * h**2]}.get(kernel, [2 * h**2 * s for s in mmd.SCALES])
    of = [exact.gaussian_mmd2(mean, torch.full_like(mean, spread), NAMES[kernel], scale) for scale in scales]
    return torch.stack(of).mean().item()


SETTINGS = [
    {"kernel": kernel, "bandwidth": h, "shift": shift, "spread": spread, "n": n, "d": d, "lam": 3.0, "seed": seed}
    for (kernel, h), (shift, spread, n, d, seed) in zip(
        [*itertools.product([mmd.RBF, mmd.IMQ, mmd.MANY, mmd.BLIND], [0.1, 1.0, 30.0]), (mmd.IMQ, 11.313)],
        itertools.cycle([(0.0, 1.0, 8, 2, 0), (1.5, 0.5, 100, 2, 1), (2.0, 2.0, 100, 128, 2), (0.3, 1.2, 33, 5, 7)]),
    )
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: f"{s['kernel']} {s['bandwidth']} n={s['n']} d={s['d']}")
def test_mmd_on_the_page_is_mmd_in_the_package(open_lab, settings):
    lab, n, d, h = open_lab("06.mmd"), settings["n"], settings["d"], settings["bandwidth"]
    found, kernel = lab.set(**settings), KERNELS[settings["kernel"]](h, d)
    pooled, elsewhere, plain, plane, pull = lab.data("pooled", "elsewhere", "plain", "plane", "pull")
    cloud = torch.from_numpy(pooled).view(2 * n, d)
    prior, codes = cloud[:n], cloud[n:]

    assert found["U"] == same(divergences.mmd2(prior, codes, kernel).item())
    assert found["V"] == same(divergences.mmd2(prior, codes, kernel, unbiased=False).item())
    assert found["exact"] == same(exact_mmd2(settings["kernel"], h, d, settings["shift"], settings["spread"]))
    at = torch.from_numpy(elsewhere).repeat(len(plane), 1)
    at[:, :2] = torch.from_numpy(plane)
    assert plain == same(divergences.witness(at, codes, prior, kernel).numpy())

    noise = mmd._noise(settings["seed"]).double()
    expected = torch.cat([noise[0, :n, :d], settings["spread"] * noise[1, :n, :d]])
    expected[n:, 0] += settings["shift"]
    torch.testing.assert_close(cloud, expected, rtol=1e-6, atol=2e-6)  # the lab's points, to what float32 carries
    k = kernel(cloud, cloud)
    assert found["sd"] == same(divergences.u_statistics(k, partings(n, settings["seed"])).std(correction=0).item())
    here = mmd.TwoClouds().compute(**settings)  # in float32
    assert pull == pytest.approx(here.pull, rel=1e-3, abs=1e-5)
    assert np.round(float(re.search(r"median distance ([\d.]+)", lab.sentence)[1]) - here.median, 2) == 0


def partings(n, seed):
    """The lab's, but that of two equal random numbers (one in 2^24 is equal to another) the first comes first."""
    generator = torch.Generator().manual_seed(10_000 + seed)
    order = torch.rand(mmd.PERMUTATIONS, 2 * n, generator=generator).argsort(dim=1, stable=True)
    return torch.where(order < n, 1.0, -1.0).double()


def test_the_sentence_of_mmd_is_that_of_the_lab(open_lab):
    mmd_page, lab = open_lab("06.mmd"), mmd.TwoClouds()
    for change in [{}, *lab.presets.values()]:
        settings = {**labs.ALL["06.mmd"]().defaults, **change}
        found = mmd_page.set(**settings)
        shuffled, pull = mmd_page.data("shuffled", "pull")
        here = lab.compute(**settings)
        assert here.statistic == pytest.approx(found["U"], abs=1e-5)
        in_double = {"statistic": found["U"], "exact": found["exact"], "null": shuffled, "pull": pull}
        assert mmd_page.sentence.split(" The V-statistic")[0] == lab.sentence(here._replace(**in_double))


@pytest.mark.parametrize("name", sorted(set(PAGES) - {"03.iwae", "06.mmd"}))
def test_every_preset_says_on_the_page_what_the_lab_says(open_lab, name):
    page, panel = open_lab(name), labs.ALL[name]()
    left_out, buttons = {*live.ALL[name].without}, page.root.locator("button.vaecourse-button").all_inner_texts()
    assert {*buttons} & {*panel.presets} == {*live.presets(name)}
    for preset, change in live.presets(name).items():
        page.root.get_by_role("button", name=preset, exact=True).click()
        page.until_drawn()
        settings = panel.defaults | change
        assert page.settings == pytest.approx({key: settings[key] for key in settings.keys() - left_out})
        said = panel.experiment.sentence(panel.experiment.compute(**settings | page.settings))
        assert page.sentence == re.sub(r"-(0\.0+)(?!\d)", r"\1", said)
    assert not page.problems, "\n".join(page.problems)


def test_a_setting_is_in_the_address_both_ways(chromium, book):
    page = chromium.new_context(offline=True).new_page()
    address = (book / PAGES["03.iwae"]).as_uri()
    lab = PageLab(page, f"{address}#lab=03.iwae&K=64&width=0.4&shift=9", "03.iwae")
    assert lab.settings == {"K": 64, "width": 0.4, "shift": 0.5}  # 9 is no shift
    assert lab.root.evaluate("(root) => root.getBoundingClientRect().top < innerHeight")
    lab.root.get_by_label("Samples K").press("Home")
    lab.until_drawn()
    assert page.url == f"{address}#lab=03.iwae&K=1&width=0.4&shift=0.5"
    again = PageLab(chromium.new_context(offline=True).new_page(), page.url, "03.iwae")
    assert again.settings == lab.settings


# Hands ---------------------------------------------------------------------------------------------------------------


def test_iwae_by_keyboard_and_mouse(open_lab):
    lab = open_lab("03.iwae")
    K, width, shift = (
        lab.root.get_by_label(label) for label in ("Samples K", "Width of q (posterior: 1)", "Shift of q")
    )
    K.focus()
    for key, expected in [("End", 1000), ("ArrowLeft", 909), ("Home", 1), ("ArrowRight", 2), ("ArrowUp", 3)]:
        lab.page.keyboard.press(key)
        lab.until_drawn()
        assert lab.settings["K"] == expected and f"K = {expected}," in lab.sentence
        assert lab.numbers == same(package_iwae(**lab.settings))
    for slider, name, ends in [(width, "width", (0.3, 3.0)), (shift, "shift", (0.0, 1.5))]:
        box = slider.bounding_box()
        for place, end in zip((1, box["width"] - 1), ends):
            lab.page.mouse.click(box["x"] + place, box["y"] + box["height"] / 2)
            lab.until_drawn()
            assert lab.settings[name] == end
            assert lab.numbers == same(package_iwae(**lab.settings))
    lab.root.get_by_role("button", name="q too narrow").press("Enter")
    lab.until_drawn()
    assert lab.settings == {"K": 64, "width": 0.4, "shift": 0.0}
    assert "χ² is infinite" in lab.sentence
    lab.root.get_by_role("button", name="Reset").click()
    lab.until_drawn()
    assert lab.settings == {"K": 1, "width": 1.3, "shift": 0.5}
    assert lab.root.get_by_role("img").get_attribute("aria-label").endswith(lab.sentence)


def test_mmd_by_keyboard_and_mouse(open_lab):
    lab = open_lab("06.mmd")
    lab.root.get_by_label("IMQ", exact=True).check()
    lab.root.get_by_label("Bandwidth h").press("End")
    lab.root.get_by_role("button", name="New noise").click()
    lab.until_drawn()
    assert lab.settings | {"kernel": "IMQ", "bandwidth": 30.0, "seed": 1} == lab.settings
    assert lab.root.get_by_text("seed 1").is_visible()
    pooled, n = lab.data("pooled")[0], lab.settings["n"]
    cloud = torch.from_numpy(pooled).view(2 * n, -1)
    assert lab.numbers["U"] == same(divergences.mmd2(cloud[:n], cloud[n:], KERNELS[mmd.IMQ](30.0, 2)).item())


# The page ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_the_picture_gives_way_to_the_lab_and_stays_without_script(chromium, book, open_lab, name):
    page, count = open_lab(name).page, [*PAGES.values(), *REPLAYED].count(PAGES[name])
    live_ones, stills = (lambda page: page.locator(".live:visible")), ".tag_live-still .cell_output:visible"
    for replayed in page.locator(".live[data-from]").all():  # its data comes when it is in sight
        replayed.scroll_into_view_if_needed()
        page.locator(stills).first.wait_for(state="hidden")
    assert live_ones(page).count() == count and page.locator(stills).count() == 0
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((book / PAGES[name]).as_uri())
    assert live_ones(page).count() == 0 and page.locator(stills).count() == count
    context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_lab_fits_the_screen_and_has_no_serious_fault(open_lab, name, theme):
    """In the dark, axe looks at contrast alone: all else is as it is in the light."""
    only = {"runOnly": ["color-contrast"]} if theme == "dark" else {}
    lab = open_lab(name, theme)
    lab.page.evaluate(READY)  # the rest of the page, which axe goes through too
    wide = "(root) => [...root.querySelectorAll('*:not(svg *)')].filter((n) => n.scrollWidth > n.clientWidth + 1)"
    for width, height in ((1366, 768), (1280, 720), (360, 720)):
        lab.page.set_viewport_size({"width": width, "height": height})
        lab.until_drawn()
        assert lab.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert lab.root.evaluate(f"{wide}.filter((n) => n.clientWidth).map((n) => n.outerHTML.slice(0, 99))") == []
        assert audit(lab.page, lab.root, preload=False, **only) == []  # it would fetch the style sheets
    assert not lab.problems, "\n".join(lab.problems)


# The parts -----------------------------------------------------------------------------------------------------------


def test_colours_are_those_of_the_course():
    css = (live.OWN / "live.css").read_text()
    for name in ("EXACT", "ELBO", "IWAE", "MIWAE", "CIWAE", "PIWAE", "UPPER", "DECODER", "ENCODER", "Q", "PRIOR"):
        assert f"--live-{name.lower()}: {getattr(plots, name)};" in css


def test_every_live_lab_is_a_lab_and_has_its_module():
    page = (live.OWN / "experiments.js").read_text(encoding="utf-8")
    for name in live.ALL:
        assert name in labs.ALL and f'"{name}":' in page
        assert "\n\n" not in live.block(name)  # Markdown would end the block there


def test_what_is_left_out_is_in_no_control_and_no_preset():
    assert live.ALL["02.baseline"].without == ("D",)
    block, lab = live.block("02.baseline"), labs.ALL["02.baseline"]()
    told = json.loads(re.search(r'json">(.*)</script>', block)[1])
    assert {control["name"] for control in told["controls"]} == {*lab.defaults} - {"D"}
    assert {*lab.presets} - {*told["presets"]} == {"nearly there, D = 16"}


def test_the_bundle_is_no_module_and_asks_for_nothing():
    script = live.bundle()
    assert not re.search(r"^(import|export) ", script, flags=re.MULTILINE)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|https?://(?!www\.w3\.org)", script)
