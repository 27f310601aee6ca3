"""A lab that is live on a page of the site: opened from disk with the network off, and moved as a reader moves it."""

import json
from contextlib import contextmanager
from functools import cache, partial

import numpy as np
import pytest

from tools import browser

same = partial(pytest.approx, rel=1e-6, abs=1e-6)


class PageLab:
    """A live lab on an open page, moved as a reader moves it; ``problems`` is what went wrong on the page so far."""

    def __init__(self, page, address, name):
        self.page, self.problems = page, []
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("console", lambda said: said.type == "error" and self.problems.append(f"console: {said.text}"))
        page.on("request", lambda asked: asked.url.startswith("file:") or self.problems.append(f"asked: {asked.url}"))
        page.set_default_timeout(1000 * browser.SECONDS)
        page.goto(address)
        self.root = page.locator(f'.live[data-lab="{name}"]')
        self.root.locator("output.vaecourse-sentence:not(:empty)").wait_for()

    def set(self, **settings):
        """As a preset does, at once."""
        self.root.evaluate("(root, settings) => { root.lab.set(settings); root.lab.flush(); }", settings)
        return self.numbers

    @property
    def numbers(self):
        assert not self.problems, "\n".join(self.problems)
        return {name: float(value) for name, value in json.loads(self.root.get_attribute("data-numbers")).items()}

    @property
    def settings(self):
        return json.loads(self.root.get_attribute("data-settings"))

    @property
    def sentence(self):
        return self.root.locator("output.vaecourse-sentence").inner_text()

    def data(self, *names):
        """Arrays behind the picture that stands."""
        pick = "(root, names) => { const d = root.lab.flush(); return names.map((n) => Array.from(d[n])); }"
        return [np.array(found) for found in self.root.evaluate(pick, list(names))]

    def until_drawn(self):
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def opened_once(chromium, made):
    """``made(page, name)`` by name, each in a page of its own with the network off."""
    contexts = []

    @cache
    def open_it(name):
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True))
        return made(contexts[-1].new_page(), name)

    yield open_it
    for context in contexts:
        context.close()


def as_found(lab, theme="light"):
    """The lab as a reader finds it."""
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.page.emulate_media(color_scheme=theme, reduced_motion="no-preference")
    lab.page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
    lab.root.get_by_role("button", name="Reset", exact=True).click()
    lab.until_drawn()
    return lab
