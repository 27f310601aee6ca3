"""Ten minutes of the training cockpit in a tab that no tool watches: does the page itself grow?

    python -m benchmarks.tab                  ten minutes
    python -m benchmarks.tab --minutes 2      a smoke run
    python -m benchmarks.tab --watched        the same with Playwright in the tab to the end, to compare

benchmarks/lecture.py drives its tab through DevTools, which keeps things in the tab's own process. Here Playwright
opens the notebook, leaves a script in the page, and lets go. The script turns a control every second, presses presets,
and runs the cell again every two minutes, as a lecturer would.

Fails on an error in the console or in the panel, and if the tab grows by more than 100 MB after the first minute.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from tools import browser
from tools.browser import CHROMIUM, Notebook

LAB = 'from vaecourse import labs\n\ndisplay(labs.ALL["08.cockpit"]())'
RISE = 100  # MB
DRIVE = """(known) => {
    const drive = (window.drive = { turned: 0, again: 0, problems: [] });
    const tell = (words) => known.some((it) => words.includes(it)) || drive.problems.push(words);
    const error = console.error;
    console.error = (...words) => (tell(words.join(" ")), error(...words));
    window.addEventListener("error", (event) => tell(event.message));
    const lab = () => document.querySelector(".vaecourse-lab");
    const press = (name) => [...lab().querySelectorAll("button")].find((it) => it.textContent.trim() === name)?.click();
    const any = (all) => all[Math.floor(Math.random() * all.length)];
    const turn = () => {
        if (!lab()?.querySelector("canvas")?.dataset.shown) return;
        const said = [".vaecourse-sentence", ".vaecourse-state"].map((it) => lab().querySelector(it).textContent);
        if (said.join().includes("Error")) tell(said.join());
        press("Start");
        const handle = any([...lab().querySelectorAll("input[type=range], input[type=radio], .vaecourse-button")]);
        if (handle.type === "range") {
            handle.value = Math.floor(Math.random() * (Number(handle.max) + 1));
            handle.dispatchEvent(new Event("input", { bubbles: true }));
        } else handle.click();
        drive.turned++;
    };
    setInterval(turn, 1000);
    setInterval(() => { window.jupyterapp.commands.execute("notebook:run-all-cells"); drive.again++; }, 120000);
    setInterval(() => window.gc(), 10000);
}"""


@contextlib.contextmanager
def chromium(profile: str) -> Iterator[tuple[int, int]]:
    """A Chromium that one may come to and leave: its process and its port."""
    port = browser.free_port()
    words = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1366,768"]
    words += [f"--remote-debugging-port={port}", f"--user-data-dir={profile}", "--js-flags=--expose-gc"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([str(CHROMIUM), *words, "about:blank"], **quiet)
    try:
        yield process.pid, port
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def visit(port: int) -> Iterator[Page]:
    """The open tab, for as long as this lasts: at its end Playwright is gone and the tab is not."""
    with sync_playwright() as playwright:
        for _ in range(100):
            with contextlib.suppress(Exception):
                found = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
                break
            time.sleep(0.2)
        yield found.contexts[0].pages[0]
        found.close()


def megabytes(pid: int) -> float:
    """Resident memory of the largest tab."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                found.append(process.memory_info().rss / 1e6)
    return max(found)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/tab.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--watched", action="store_true")
    options = parser.parse_args(arguments)
    minutes = options.minutes
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        notebook = browser.notebook_of(LAB, Path(folder, "cockpit.ipynb"))
        with browser.server(notebook) as server, chromium(f"{folder}/profile") as (pid, port):
            with contextlib.ExitStack() as stay:
                page = stay.enter_context(visit(port))
                opened = Notebook.open(page, server, notebook.name)
                opened.run_all()
                opened.wait_for_words(opened.lab("08.cockpit"))
                page.evaluate(DRIVE, list(browser.NOT_OURS))
                if not options.watched:
                    stay.close()
                sizes, step = [], min(1.0, minutes / 4)
                for turn in range(round(minutes / step) + 1):
                    if turn:
                        page.wait_for_timeout(60e3 * step) if options.watched else time.sleep(60 * step)
                    sizes.append(megabytes(pid))
                    print(f"minute {turn * step:4.1f}  tab {sizes[-1]:5.0f} MB", flush=True)
            with visit(port) as page:
                drive = page.evaluate("window.drive")
                shown = page.locator(".vaecourse-picture canvas").get_attribute("data-shown")
    problems = drive["problems"]
    if (rise := sizes[-1] - sizes[1]) > RISE:
        problems.append(f"the tab grew by {rise:.0f} MB, more than {RISE}")
    print(f"{drive['turned']} controls turned, the cell run again {drive['again']} times, {shown} pictures in the last")
    print(f"tab: {rise:+.0f} MB after the first minute")
    print(*(f"problem: {problem}" for problem in problems), sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
