"""How soon a live lab of the site answers its slider, at the slowest settings there are: at most 50 ms are promised.

    make book; python -m benchmarks.pages

Milliseconds of the page's own thread, as Chromium's profiler counts them: new numbers and new marks, no painting.
"""

from __future__ import annotations

import statistics
import sys

from tools import browser, ending, site
from vaecourse.labs import mmd

LIMIT, ROUNDS = 50, 20
CORNER = {"K": 1000, "width": 3.0, "shift": 1.5}
CLOUDS = {"kernel": mmd.MANY, "n": 100, "d": 128}
SLOW = [
    ("03-iwae", CORNER, "width", [2.9, 2.8, 2.7]),
    ("03-iwae", CORNER, "K", [909, 825, 750]),
    ("06-infovae", CLOUDS, "spread", [1.9, 1.8, 1.7]),
    ("06-infovae", CLOUDS | {"kernel": mmd.RBF}, "n", [99, 98, 97]),
    ("06-infovae", CLOUDS, "d", [127, 126, 125]),
]
MOVE = "(root, [name, values]) => values.forEach((value) => { root.lab.set({ [name]: value }); root.lab.flush(); })"


@ending.reports("pages")
def main() -> int:
    slowest = 0.0
    print("| page | slider | median, ms | slowest of 20, ms |\n|---|---|---|---|")
    with browser.chromium() as chromium:
        for name, settings, slider, values in SLOW:
            page = chromium.new_page()
            page.goto((site.SITE / f"chapters/{name}.html").as_uri())
            root = page.locator(".live")
            root.locator(".vaecourse-sentence:not(:empty)").wait_for()
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            root.evaluate("(root, settings) => root.lab.set(settings)", settings)
            root.evaluate(MOVE, [slider, values])  # once to be compiled
            spent = []
            for _ in range(ROUNDS):
                before = busy(devtools)
                root.evaluate(MOVE, [slider, values])
                spent.append(1e3 * (busy(devtools) - before) / len(values))
            slowest = max(slowest, statistics.median(spent))
            print(f"| {name} | {slider} | {statistics.median(spent):.0f} | {max(spent):.0f} |", flush=True)
            page.close()
    return int(slowest > LIMIT)


def busy(devtools: object) -> float:
    """Seconds that the page's thread has worked."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]  # type: ignore[attr-defined]
    return {metric["name"]: metric["value"] for metric in metrics}["TaskDuration"]


if __name__ == "__main__":
    sys.exit(main())
