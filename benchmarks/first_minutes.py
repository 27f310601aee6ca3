"""From a fresh clone to the first moved slider of chapter 00, in a real browser, and once more with all installed.

    python -m benchmarks.first_minutes                       with this machine's python3
    python -m benchmarks.first_minutes --python /usr/bin/python3

Clones the last commit into a temporary folder, runs ``make lab`` there, opens the chapter in Chromium, runs all of its
cells and moves a slider. What the index sends counts: packages at hand and packages from afar differ by the download.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools import browser, chapter, ending

NAME = "00-start-here.ipynb"


@contextlib.contextmanager
def lab(course: Path, python: str) -> Iterator[browser.Server]:
    """``make lab`` in ``course``, as soon as it answers."""
    words = f"--no-browser --expose-app-in-browser --port={browser.free_port()}"
    runtime = course.parent / f"runtime-{time.monotonic_ns()}"
    process = subprocess.Popen(
        ["make", "lab", f"PYTHON={python}", f"ARGS={words}"],
        cwd=course,
        env=os.environ | {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTERLAB_WORKSPACES_DIR": str(runtime)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 600
        while not (
            told := [path for path in runtime.glob("jpserver-*.json") if path.read_text(encoding="utf-8").endswith("}")]
        ):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("make lab did not start: run it by hand to see why")
            time.sleep(0.1)
        server = json.loads(told[0].read_text(encoding="utf-8"))
        yield browser.Server(server["url"].rstrip("/"), server["token"], course / "learn")
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def measure(course: Path, python: str) -> tuple[float, float]:
    """Seconds until the server answers, and until the slider has moved."""
    start = time.perf_counter()
    with lab(course, python) as server, browser.chromium() as chromium:
        answered = time.perf_counter() - start
        notebook = browser.Notebook.open(chromium.new_page(), server, NAME)
        notebook.run_all()
        first = notebook.lab("00.bound")
        before = browser.words(first)
        slider = first.locator("input[type=range]").first
        slider.focus()
        slider.press("ArrowRight")
        notebook.wait_for_words(first, other_than=before)
        return answered, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="python3")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder, "main")
        start = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", chapter.ROOT, course], check=True)
        cloned = time.perf_counter() - start
        for what in ("from a fresh clone", "with all installed"):
            answered, moved = measure(course, options.python)
            print(f"{what}: JupyterLab answers after {answered:.0f} s, the first slider moved after {moved:.0f} s")
        print(f"(and {cloned:.1f} s for the clone itself)")


if __name__ == "__main__":
    sys.exit(ending.reports("first minutes")(main)())
