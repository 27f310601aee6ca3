"""How long, in which batches and at which rates: the schedule of a paper, and one for a small machine.

``"paper"``: arXiv 1509.00519, section 5. Batches of 20; stage i has 3^i passes over the data at a rate of
1e-3 10^(-i/7), 3280 passes in all.

``"short"``: batches of 100; the rate falls from 2e-3 to 0 along half a cosine, 100 passes if no other number is asked
for. What was tried beside it is in benchmarks/README.md.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from vaecourse import arguments

STAGES = 8
PASSES = sum(3**i for i in range(STAGES))  # 3280
SHORT_PASSES, SHORT_RATE = 100, 2e-3
NAMES = ["paper", "short"]


class Schedule(NamedTuple):
    """The learning rate of every pass over the data, and the points of a step."""

    name: str
    rates: list[float]
    batch_size: int

    def settings(self) -> dict[str, Any]:
        """What a record keeps of it. Records are older than the choice, so the paper's has no name."""
        passes = {"passes": len(self.rates), "of": PASSES, "last_rate": self.rates[-1], "batch_size": self.batch_size}
        return passes if self.name == "paper" else passes | {"name": self.name, "first_rate": self.rates[0]}


def get(name: str = "paper", stages: int = STAGES, epochs: int | None = None) -> Schedule:
    """The schedule of this name: the paper's first ``stages`` and ``epochs`` passes, or a short one of ``epochs``.

    Raises ``ValueError`` for another name, and for more stages or passes than the paper's has.

    >>> get("short", epochs=4).batch_size
    100
    """
    if arguments.choice("schedule", name, NAMES) == "paper":
        return Schedule(name, rates(stages, epochs), 20)
    return Schedule(name, cosine(SHORT_RATE, SHORT_PASSES if epochs is None else epochs), 100)


def words(settings: dict[str, Any]) -> str:
    """How a table calls the schedule of these ``Schedule.settings``."""
    if settings.get("name", "paper") == "paper":
        whole = settings["passes"] == settings["of"]
        return "The full schedule" if whole else f"**A shortened schedule**, {settings['passes']} passes of {PASSES}"
    return (
        f"**A short schedule**: {settings['passes']} passes in batches of {settings['batch_size']}, the rate falls "
        f"from {settings['first_rate']:.1e} to 0 along a cosine; the paper has {PASSES} passes in batches of 20"
    )


def cosine(highest: float, passes: int) -> list[float]:
    """A rate for each pass, the mean of which is half the highest: it falls along half a cosine.

    >>> [round(rate, 2) for rate in cosine(1.0, 3)]
    [0.93, 0.5, 0.07]
    """
    passes = arguments.count("epochs", passes)
    return [highest * (1 + math.cos(math.pi * (i + 0.5) / passes)) / 2 for i in range(passes)]


def rates(stages: int = STAGES, epochs: int | None = None) -> list[float]:
    """The paper's rate of every pass over the data: of the first ``stages`` stages, or of the first ``epochs`` passes.

    >>> [f"{rate:.2e}" for rate in rates(stages=2)]
    ['1.00e-03', '7.20e-04', '7.20e-04', '7.20e-04']
    >>> len(rates())
    3280
    """
    stages = arguments.count("stages", stages)
    if stages > STAGES:
        raise ValueError(f"stages must be at most {STAGES}, got {stages}.")
    every = [1e-3 * 10 ** (-i / 7) for i in range(stages) for _ in range(3**i)]
    if epochs is None:
        return every
    epochs = arguments.count("epochs", epochs)
    if epochs > len(every):
        raise ValueError(f"epochs must be at most {len(every)}, the passes of {stages} stages, got {epochs}.")
    return every[:epochs]
