"""How long a lab's update takes in the kernel: from a control's new value to the picture's bytes.

    python benchmarks/labs.py [name ...]

The course promises a 95th percentile below 50 ms for every lab, on two cores.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from vaecourse import labs
from vaecourse.labs.controls import ChoiceWidget, SeedWidget, Slider

EVENTS = 60  # a control


def values(widget: object) -> list:
    """What a learner's drag, click or key press sends, spread over the whole range."""
    if isinstance(widget, Slider):
        return [widget.stops[round(i)] for i in np.linspace(0, len(widget.stops) - 1, EVENTS)]
    if isinstance(widget, SeedWidget):
        return list(range(1, 1 + EVENTS))
    options = widget.options if isinstance(widget, ChoiceWidget) else [True, False]
    return [options[i % len(options)] for i in range(EVENTS)]


def main(names: list[str]) -> int:
    print(f"{'lab':16} {'control':14} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8} {'KB':>6}")
    slow = False
    for name in names or list(labs.ALL):
        lab = labs.ALL[name]()
        lab.still()  # whatever is loaded at first use is loaded now
        for control, widget in lab.controls.items():
            lab.reset()
            times = []
            for value in values(widget):
                start = time.perf_counter()
                widget.value = value
                times.append(1e3 * (time.perf_counter() - start))
            p50, p95 = np.percentile(times, [50, 95])
            slow |= p95 > 50
            size = len(lab.image.value) / 1e3
            print(f"{name:16} {control:14} {p50:8.1f} {p95:8.1f} {max(times):8.1f} {size:6.0f}", flush=True)
    return int(slow)


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("labs")(main)(sys.argv[1:]))
