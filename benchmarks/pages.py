"""How soon a live lab of the site answers its slider, at the slowest settings there are: at most 50 ms are promised.

    make book; python -m benchmarks.pages

Milliseconds of the page's own thread, as Chromium's profiler counts them: new numbers and new marks, no painting.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

from tools import browser, ending, site
from vaecourse.labs import hierarchical, mmd

LIMIT, ROUNDS = 50, 20
CORNER = {"K": 1000, "width": 3.0, "shift": 1.5}
CLOUDS = {"kernel": mmd.MANY, "n": 100, "d": 128}
SHARP = {"width": 0.5, "K": 10_000}
SIVI = {"tau": hierarchical.PRIOR, "dim": 50, "K": 1000}
JACKKNIFE = {"estimator": "jackknife", "order": 2, "K": 32}
SLOW: list[tuple[str, str, dict[str, Any], str, list[float]]] = [
    ("00-start-here", "00.bound", {}, "K", [1000, 909, 825]),
    ("00-start-here", "00.bound", {"K": 1000}, "seed", [1, 2, 3]),
    ("01-elbo", "01.gap", {}, "mean", [1, 1.1, 1.2]),
    ("02-importance-sampling", "02.proposal", SHARP, "width", [0.4, 0.5, 0.6]),
    ("02-importance-sampling", "02.proposal", SHARP, "seed", [1, 2, 3]),
    ("02-importance-sampling", "02.baseline", {}, "K", [64, 57, 52]),
    ("02-importance-sampling", "02.baseline", {"K": 64}, "seed", [1, 2, 3]),
    ("04-tighter-is-not-better", "04.signal", {"M": 64, "K": 1024}, "beta", [0.1, 0.2, 0.3]),
    ("04-tighter-is-not-better", "04.signal", {"M": 64, "K": 1024}, "seed", [1, 2, 3]),
    ("05-better-gradients", "05.estimators", {"estimator": "VR-IWAE", "K": 64}, "alpha", [0.1, 0.2, 0.3]),
    ("05-better-gradients", "05.estimators", JACKKNIFE, "seed", [1, 2, 3]),
    ("06-infovae", "06.explode", {"tau": 0.1}, "floor", [0.1, 0.2, 0.3]),
    ("07-hierarchical", "07.bounds", SIVI, "z", [0.5, 0.6, 0.7]),
    ("07-hierarchical", "07.bounds", SIVI, "dim", [49, 48, 47]),
    ("07-hierarchical", "07.bounds", SIVI, "seed", [1, 2, 3]),
    ("03-iwae", "03.iwae", CORNER, "width", [2.9, 2.8, 2.7]),
    ("03-iwae", "03.iwae", CORNER, "K", [909, 825, 750]),
    ("06-infovae", "06.mmd", CLOUDS, "spread", [1.9, 1.8, 1.7]),
    ("06-infovae", "06.mmd", CLOUDS | {"kernel": mmd.RBF}, "n", [99, 98, 97]),
    ("06-infovae", "06.mmd", CLOUDS, "d", [127, 126, 125]),
]
MOVE = "(root, [name, values]) => values.forEach((value) => { root.lab.set({ [name]: value }); root.lab.flush(); })"


@ending.reports("pages")
def main() -> int:
    slowest = 0.0
    print("| lab | slider | median, ms | p95 of 20, ms |\n|---|---|---|---|")
    with browser.chromium() as chromium:
        for name, lab, settings, slider, values in SLOW:
            page = chromium.new_page()
            page.goto((site.SITE / f"chapters/{name}.html").as_uri())
            root = page.locator(f'.live[data-lab="{lab}"]')
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
            p95 = sorted(spent)[-2]
            slowest = max(slowest, p95)
            print(f"| {lab} | {slider} | {statistics.median(spent):.0f} | {p95:.0f} |", flush=True)
            page.close()
    return int(slowest > LIMIT)


def busy(devtools: object) -> float:
    """Seconds that the page's thread has worked."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]  # type: ignore[attr-defined]
    return {metric["name"]: metric["value"] for metric in metrics}["TaskDuration"]


if __name__ == "__main__":
    sys.exit(main())
