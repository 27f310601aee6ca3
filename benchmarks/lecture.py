"""Ten minutes of lecture with the training cockpit, in a real browser: does it answer, does it leak, does it complain?

    python -m benchmarks.lecture                  ten minutes
    python -m benchmarks.lecture --minutes 1      a smoke run

Chapter 08 in JupyterLab and Chromium. While the VAE trains, every preset is pressed, every control turned by keyboard
and by mouse, there is pause, step, save, reset, load, new weights, and the lab's cell is run again and again. What an
answer takes is timed in the page: from its event to the sentence that has changed, and to the picture after it.

Fails on an error in the console or in the panel, on a training, thread or lab that outlives its cell, and if kernel or
tab grow by more than 100 MB after the first minute; the tab is measured after a garbage collection. How soon it answers
is reported; a busy machine is no failure. The Chromium is started as a lecturer's is, and Playwright comes to it: in
one that Playwright starts itself the same lecture made the tab grow by 15 to 20 MB a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import BrowserType, Error, Locator, Page, TimeoutError, sync_playwright

from tools import browser, ending
from tools.browser import WIDGET, Notebook
from vaecourse.labs.cockpit import TrainingCockpit

CHAPTER = Path(__file__).parents[1] / "chapters/08-one-budget.ipynb"
IMPORTS, LAB = "from vaecourse.labs.cockpit import TrainingCockpit", 'labs.ALL["08.cockpit"]'
RISE = 100  # MB
LOOK = 0.6  # seconds from one thing to the next
WATCH = 4.0  # seconds after a preset

# The page's own clock. The words of a training that goes on change too: only those about the settings count.
TIMER = """(lab) => {
    const words = lab.querySelector(".vaecourse-sentence"), image = lab.querySelector(".vaecourse-picture canvas");
    const measured = /^Step \\d+, |: (bound|ELBO) .* in the decoder\\./g;
    const settings = () => words.textContent.replace(measured, "");
    const timer = (window.lecture ??= { answers: [] });
    timer.asked = null;
    const ask = (event) => {
        const button = event.type === "click" && event.target.closest(".vaecourse-button");
        if ((button || event.type === "input") && !timer.asked)
            timer.asked = { at: event.timeStamp, before: settings(), words: null };
    };
    for (const type of ["click", "input"]) lab.addEventListener(type, ask, true);
    new MutationObserver(() => {
        if (timer.asked && timer.asked.words === null && settings() !== timer.asked.before)
            timer.asked.words = performance.now() - timer.asked.at;
    }).observe(words, { childList: true, characterData: true, subtree: true });
    new MutationObserver(() => {
        if (!timer.asked || timer.asked.words === null) return;
        timer.answers.push([timer.asked.words, performance.now() - timer.asked.at]);
        timer.asked = null;
    }).observe(image, { attributes: true, attributeFilter: ["data-shown"] });
}"""
CENSUS = """
import asyncio, gc, threading
from vaecourse.labs.training_panel import TrainingPanel
_all = gc.get_objects()
_tasks = [it for it in _all if isinstance(it, asyncio.Task) and it.get_coro().__name__ == "_train" and not it.done()]
_census = [len(_tasks), threading.active_count(), sum(type(it) is TrainingPanel for it in _all)]
del _all, _tasks
"""


class Lecture:
    """The page, the kernel behind it, and what a lecturer does with them."""

    def __init__(self, page: Page, notebook: Notebook) -> None:
        self.page, self.notebook, self.problems = page, notebook, notebook.problems
        self.unanswered = 0
        self.threads = 0  # in the kernel, once JupyterLab has made its own for widgets
        self.run(IMPORTS)
        self.open()

    def run(self, source: str) -> None:
        """Run the cell with this in it."""
        self.page.evaluate(
            f"""async (source) => {{
                const content = {WIDGET}.content;
                const cell = content.widgets.findIndex((cell) => cell.model.sharedModel.source.includes(source));
                content.activeCellIndex = cell;
                await content.scrollToItem(cell, "start", 0);
                await jupyterapp.commands.execute("notebook:run-cell");
            }}""",
            source,
        )

    def open(self) -> None:
        """Run the lab's cell. Whatever trained in it before must have ended, and nothing trains yet."""
        self.run(LAB)
        self.lab: Locator = self.notebook.lab("08.cockpit")
        self.notebook.wait_for_words(self.lab)
        self.lab.evaluate(TIMER)
        trainings, threads, _ = self.census()
        self.threads = self.threads or threads
        if trainings or threads > self.threads:
            self.problems.append(f"cell run again: {trainings} trainings, {threads - self.threads} threads more")

    def census(self) -> list[int]:
        """Trainings, threads and labs in the kernel."""
        told = self.page.evaluate(
            f"""async (code) => {{
                const kernel = {WIDGET}.sessionContext.session.kernel;
                const asked = {{ code, silent: true, user_expressions: {{ census: "_census" }} }};
                return (await kernel.requestExecute(asked).done).content.user_expressions.census.data["text/plain"];
            }}""",
            CENSUS,
        )
        return [int(number) for number in told.strip("[]").split(",")]

    def press(self, name: str, says: str = "") -> None:
        """Press a button; wait until the line beside the buttons says so."""
        self.lab.get_by_role("button", name=name, exact=True).click()
        if says:
            self.page.wait_for_function(
                "([told, says]) => told.textContent.includes(says)",
                arg=[self.lab.locator(".vaecourse-state").element_handle(), says],
            )
        self.look()

    def turn(self, act: Callable[[], object]) -> None:
        """Turn something, wait for its sentence and its picture, and look at them."""
        act()
        try:
            self.page.wait_for_function("window.lecture.asked === null", timeout=10_000)
        except TimeoutError:
            self.unanswered += 1
            self.page.evaluate("window.lecture.asked = null")
        self.look()

    def look(self, seconds: float = LOOK) -> None:
        self.page.wait_for_timeout(1000 * seconds)
        told, words = (self.lab.locator(f".vaecourse-{part}").text_content() for part in ("state", "sentence"))
        if "Error" in told + words:
            self.problems.append(f"panel: {told} {words}")

    def slide(self, slider: Locator) -> None:
        """By keyboard to another stop, by mouse to a third, and a drag from there."""
        slider.focus()
        at, end = int(slider.input_value()), int(slider.get_attribute("max"))
        self.turn(lambda: slider.press("ArrowRight" if at < end else "ArrowLeft"))
        self.turn(lambda: slider.press("PageDown" if 2 * at > end else "PageUp"))
        box = slider.bounding_box()
        middle = box["y"] + box["height"] / 2
        spot = lambda share: (box["x"] + share * box["width"], middle)
        share = 0.3 if 2 * int(slider.input_value()) > end else 0.7
        self.turn(lambda: self.page.mouse.click(*spot(share)))
        self.page.mouse.move(*spot(share))
        self.page.mouse.down()
        self.turn(lambda: self.page.mouse.move(*spot(1 - share), steps=12))
        self.page.mouse.up()

    def choose(self, radio: Locator) -> None:
        if not radio.is_checked():
            self.turn(radio.check)

    def lesson(self, file: str) -> Iterator[None]:
        """Everything once, in pieces after which the lecture may end."""
        self.press("Start", says="training")
        if (trainings := self.census()[0]) != 1:
            self.problems.append(f"started once, and {trainings} trainings run")
        for name in [*list(TrainingCockpit.presets)[1:], "VAE"]:
            self.turn(self.lab.get_by_role("button", name=name, exact=True).click)
            self.look(WATCH)
            yield
        for objective in ("miwae", "infovae"):  # what is turned is in use in one of them
            self.choose(self.lab.get_by_role("radio", name=objective, exact=True))
            for slider in self.lab.locator("input[type=range]").all():
                self.slide(slider)
                yield
            for radio in self.lab.locator("input[type=radio]").all():
                self.choose(radio)
                yield
        self.press("Pause", says="paused")
        self.press("Step", says="paused")
        box = self.lab.get_by_label("Keep it in the file")
        box.fill(file)
        self.press("Save", says="saved in")
        self.press("Reset", says="not started")
        self.press("Load", says="loaded from")
        self.press("Start", says="training")
        self.press("New weights", says="not started")
        yield
        self.press("Start", says="training")
        self.look(WATCH)
        self.open()  # while it trains


@contextlib.contextmanager
def chromium(profile: str) -> Iterator[Page]:
    """The page of a Chromium with hardly any options of its own."""
    port = browser.free_port()
    words = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
    command = [str(browser.CHROMIUM), *words, f"--remote-debugging-port={port}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with sync_playwright() as playwright:
            yield _page(playwright.chromium, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _page(chromium: BrowserType, address: str) -> Page:
    """Its first page, as soon as it answers."""
    end = time.monotonic() + browser.SECONDS
    while True:
        try:
            return chromium.connect_over_cdp(address).contexts[0].pages[0]
        except Error:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def megabytes(name: str) -> float:
    """Resident memory of the largest process of ours whose command line has ``name`` in it."""
    found = []
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if any(name in word for word in process.cmdline()):
                found.append(process.memory_info().rss / 1e6)
        except psutil.Error:  # it has just ended
            continue
    return max(found)


@ending.reports("lecture")
def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/lecture.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args(arguments).minutes
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser.server(CHAPTER) as server,
        chromium(f"{folder}/profile") as page,
    ):
        page.set_viewport_size({"width": 1366, "height": 768})
        tab = page.context.new_cdp_session(page)
        lecture = Lecture(page, Notebook.open(page, server, CHAPTER.name))
        start, rows, lessons = time.monotonic(), [], 0
        print(f"{'minute':>6} {'kernel MB':>10} {'tab MB':>8} {'labs':>5} {'answers':>8} {'load':>6}", flush=True)

        def note() -> None:
            minute = (time.monotonic() - start) / 60
            tab.send("HeapProfiler.collectGarbage")
            rows.append([minute, megabytes("ipykernel"), megabytes("--type=renderer"), lecture.census()[2]])
            answers = page.evaluate("window.lecture.answers.length")
            now = rows[-1]
            print(
                f"{minute:6.1f} {now[1]:10.0f} {now[2]:8.0f} {now[3]:5} {answers:8} {os.getloadavg()[0]:6.1f}",
                flush=True,
            )

        warm = min(1.0, minutes / 2)
        for _ in cycle([0]):
            for _ in lecture.lesson("lecture.safetensors"):
                passed = (time.monotonic() - start) / 60
                if passed >= warm + len(rows) * min(1.0, minutes / 2):
                    note()
                if passed >= minutes:
                    break
            else:
                lessons += 1
                continue
            break
        lecture.open()
        note()
        answers = np.array(page.evaluate("window.lecture.answers"))
        problems = list(lecture.problems)
    first, last = rows[0], rows[-1]
    for place, name in ((1, "kernel"), (2, "tab")):
        rise = last[place] - first[place]
        print(f"{name}: {rise:+.0f} MB after minute {first[0]:.1f}")
        if rise > RISE:
            problems.append(f"the {name} grew by {rise:.0f} MB, more than {RISE}")
    for place, name in ((0, "sentence"), (1, "picture")):
        p50, p95 = np.percentile(answers[:, place], [50, 95])
        print(f"{len(answers)} answers, {name}: p50 {p50:.0f}, p95 {p95:.0f}, max {answers[:, place].max():.0f} ms")
    print(f"{lessons} whole lessons; {lecture.unanswered} turns changed no words")
    print(*(f"problem: {problem}" for problem in problems), sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
